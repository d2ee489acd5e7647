"""Inputs: many in little memory, the digest of their names and bytes, a sample that stands for all."""

import hashlib
import os
import pickle
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image
from upath import UPath

from augment.filesystem import InputFiles
from experiments.sweep.inputs import inputs_digest, stratified_sample
from experiments.sweep.vetting import pixel_count


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (folder := tmp_path / "images").mkdir()
    for name in ("b.png", "a.png"):
        (folder / name).write_bytes(name.encode())
    return folder


def digest(folder: Path) -> str:
    return inputs_digest(list(folder.iterdir()))


def test_digest_is_that_of_the_sorted_lines(folder: Path) -> None:
    lines = (f"{name} 5 {hashlib.sha256(name.encode()).hexdigest()}\n" for name in ("a.png", "b.png"))
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert digest(folder) == expected


def test_digest_of_a_copied_folder_is_equal(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert digest(tmp_path / "elsewhere") == digest(folder)


def test_digest_changes_with_bytes_of_equal_size_and_time(folder: Path) -> None:
    before, times = digest(folder), os.stat(folder / "a.png")
    (folder / "a.png").write_bytes(b"A.png")
    os.utime(folder / "a.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest(folder) != before


def test_digest_changes_with_a_name(folder: Path) -> None:
    before = digest(folder)
    (folder / "a.png").rename(folder / "c.png")
    assert digest(folder) != before


def test_digest_covers_unreadable_files_without_waiting(folder: Path) -> None:
    os.mkfifo(folder / "fifo.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / os.fsdecode(b"\xff.png")).symlink_to("nowhere")
    files = [folder / "fifo.png", folder / "zero.png", folder / os.fsdecode(b"\xff.png")]
    lines = b"fifo.png - NotRegularError\nzero.png - NotRegularError\n\xff.png - FileNotFoundError\n"
    assert inputs_digest(files) == hashlib.sha256(lines).hexdigest()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> InputFiles:
    """Make a hundred images of 100, 99, … 1 pixels, so that names and sizes have different orders."""
    folder = tmp_path_factory.mktemp("images")
    files = InputFiles(folder, [f"{number:03}.png" for number in range(100)])
    for number, path in enumerate(files):
        Image.new("RGB", (100 - number, 1)).save(path)
    return files


@settings(max_examples=30)
@given(count=some.integers(1, 99), seed=some.integers(0, 2**32))
def test_sample_holds_one_image_of_each_size_range(files: InputFiles, count: int, seed: int) -> None:
    sample = stratified_sample(files, count, seed)
    assert sample.names == sorted(sample.names), "in the order of the folder"
    sizes = sorted(pixel_count(path) for path in sample)
    assert len(set(sizes)) == count
    for rank, pixels in enumerate(sizes):
        assert rank * 100 // count < pixels <= (rank + 1) * 100 // count
    assert sample == stratified_sample(files, count, seed), "drawn from the seed"


@pytest.mark.parametrize("count", [None, 100, 1000])
def test_sample_is_everything_if_count_is_not_smaller(files: InputFiles, count: int | None) -> None:
    assert stratified_sample(files, count, 0) == files


def test_sample_changes_with_the_seed(files: InputFiles) -> None:
    assert stratified_sample(files, 10, 0) != stratified_sample(files, 10, 1)


def test_file_without_an_image_has_size_0(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    assert pixel_count(tmp_path / "broken.jpg") == pixel_count(tmp_path / "missing.jpg") == 0


NAMES = ["a.png", "b c.jpg", "cats/\udcff.png", "é.png"]


@pytest.mark.parametrize("root", [Path("/photos"), UPath("memory://photos")])
def test_files_behave_as_the_sequence_of_their_paths(root: Path) -> None:
    files = InputFiles(root, NAMES)
    assert list(files) == [root / name for name in NAMES]
    assert len(files) == 4
    assert files[-1] == root / "é.png"
    assert list(files[1:3]) == list(files.subset([1, 2])) == [root / "b c.jpg", root / "cats/\udcff.png"]
    assert pickle.loads(pickle.dumps(files)) == files
    with pytest.raises(IndexError):
        files[4]


def test_hundred_thousand_files_pickle_in_3_mb() -> None:
    files = InputFiles(Path("/photos"), [f"image_{number:06}.png" for number in range(100_000)])
    assert len(pickle.dumps(files)) < 3_000_000
