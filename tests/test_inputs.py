"""Inputs: many in little memory, the digest of their names and ends, a sample that stands for all."""

import hashlib
import os
import pickle
import shutil
import tempfile
from errno import EMFILE
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image
from upath import UPath

from augment.datasets.folder import Folder
from augment.filesystem import InputFiles
from augment.options import OptionError
from augment.strategies.sequential import Sequential
from experiments.config.options import Config
from experiments.sweep import inputs
from experiments.sweep.inputs import Inventory, default_cache, inputs_digest, inputs_of, stratified_sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (folder := tmp_path / "images").mkdir()
    for name in ("b.png", "a.png"):
        (folder / name).write_bytes(name.encode())
    return folder


def listed(folder: Path) -> InputFiles:
    return InputFiles(folder, sorted(os.listdir(folder), reverse=True))


def digest(folder: Path) -> str:
    return inputs_digest(listed(folder))


def test_digest_is_that_of_the_lines_in_the_order_of_names(folder: Path) -> None:
    (folder / "c.png").write_bytes(large := os.urandom(10_000))
    contents = {"a.png": b"a.png", "b.png": b"b.png", "c.png": large[:4096] + large[-4096:]}
    sizes = {"a.png": 5, "b.png": 5, "c.png": 10_000}
    lines = (f"{name} {sizes[name]} {hashlib.sha256(ends).hexdigest()}\n" for name, ends in contents.items())
    assert digest(folder) == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_digest_is_the_same_by_threads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = digest(folder)
    monkeypatch.setattr(inputs, "WAITING", 0)
    monkeypatch.setattr(inputs, "PROBED", 1)
    assert digest(folder) == expected


def test_file_of_the_far_future_is_identified(folder: Path) -> None:
    os.utime(folder / "a.png", (10_000_000_000, 10_000_000_000))
    assert inputs.stamps(listed(folder)).shape == (2, 2)


class Empty(Folder):
    """A dataset without images."""

    def files(self, *_: Any) -> InputFiles:
        return InputFiles(Path(), [])


def test_dataset_without_images_is_refused() -> None:
    with pytest.raises(OptionError, match=r"^dataset=Empty: holds no image$"):
        inputs_of(Config(strategy=Sequential(), dataset=Empty("x")), {})


def test_file_with_a_new_inode_has_not_changed(folder: Path) -> None:
    """FAT numbers inodes anew when it has dropped them from its cache."""
    before = inputs.stamps(listed(folder))
    shutil.copy2(folder / "a.png", folder / "copy")
    (folder / "copy").rename(folder / "a.png")
    assert (inputs.stamps(listed(folder)) == before).all()


def test_digest_covers_unreadable_files_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / os.fsdecode(b"\xff.png")).symlink_to("nowhere")
    lines = b"fifo.png - OSError\nzero.png - OSError\n\xff.png - FileNotFoundError\n"
    assert digest(tmp_path) == hashlib.sha256(lines).hexdigest()


def test_failing_machine_gives_no_digest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise OSError(EMFILE, os.strerror(EMFILE))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(OptionError, match=r"^dataset: too many open files"):
        digest(folder)


def config(folder: Path, **options: Any) -> Config:
    return Config(strategy=Sequential(), dataset=Folder(str(folder)), image_size=None, **options)


def test_changed_inputs_are_named(folder: Path) -> None:
    identified = inputs_of(config(folder), {})
    assert identified.changed() == []
    (folder / "b.png").write_bytes(b"other")
    assert identified.changed() == [1]
    (folder / "a.png").unlink()
    assert identified.changed() == [0, 1]


def test_cells_share_one_walk_whatever_their_numbers_of_images(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory: Inventory = {}
    everything = inputs_of(config(folder), inventory)
    monkeypatch.setattr(os, "scandir", None)
    assert inputs_of(config(folder, workers=3), inventory) is everything
    assert inputs_of(config(folder, n_images=1), inventory).files.names == ["a.png"]
    assert len(inputs_of(config(folder, sample=1), inventory).files) == 1
    with pytest.raises(OptionError, match=r"^n_images=3: .* holds 2"):
        inputs_of(config(folder, n_images=3), inventory)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make ninety images of 90, 89, … 1 pixels and bytes that grow with them, and ten files that are none."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(90):
        Image.new("RGB", (90 - number, 1)).save(path := folder / f"{number:03}.png")
        path.write_bytes(path.read_bytes() + bytes(10 * (90 - number)))
    for number in range(90, 100):
        (folder / f"{number:03}.png").write_bytes(bytes(number))
    return folder


def test_pixels_are_counted_in_all_headers_or_estimated_from_a_sample(photos: Path) -> None:
    identified = inputs_of(config(photos), {})
    assert identified.pixels(exact=True, most=100) == (90, sum(range(91)))
    assert identified.pixels(exact=True, most=50) == (50, sum(range(51)))
    largest, total = identified.pixels(exact=False, most=100)
    assert largest == 135
    assert total == pytest.approx(sum(range(91)), rel=0.1)
    assert identified.columns.items() >= {"inputs": str(photos), "width": None, "height": None}.items()


@settings(max_examples=30)
@given(count=some.integers(1, 99), seed=some.integers(0, 2**32))
def test_sample_holds_one_image_of_each_size_range(count: int, seed: int) -> None:
    sizes_bytes = np.arange(100, 0, -1)
    sample = stratified_sample(sizes_bytes, count, seed)
    assert sample == sorted(sample), "in the order of the folder"
    sizes = sorted(sizes_bytes[sample].tolist())
    assert len(set(sizes)) == count
    for rank, size in enumerate(sizes):
        assert rank * 100 // count < size <= (rank + 1) * 100 // count
    assert sample == stratified_sample(sizes_bytes, count, seed), "drawn from the seed"


def test_sample_changes_with_the_seed_unless_it_is_everything() -> None:
    assert stratified_sample(np.arange(100), 10, 0) != stratified_sample(np.arange(100), 10, 1)
    assert stratified_sample(np.arange(100), 1000, 0) == list(range(100))


NAMES = ["a.png", "b c.jpg", "cats/\udcff.png", "é.png"]


@pytest.mark.parametrize("root", [Path("/photos"), UPath("memory://photos")])
def test_files_behave_as_the_sequence_of_their_paths(root: Path) -> None:
    files = InputFiles(root, NAMES)
    assert list(files) == [root / name for name in NAMES]
    assert len(files) == 4
    assert files[-1] == root / "é.png"
    assert list(files.subset([1, 2])) == [root / "b c.jpg", root / "cats/\udcff.png"]
    assert pickle.loads(pickle.dumps(files)) == files
    with pytest.raises(IndexError):
        files[4]


def test_hundred_thousand_files_pickle_in_3_mb() -> None:
    files = InputFiles(Path("/photos"), [f"image_{number:06}.png" for number in range(100_000)])
    assert len(pickle.dumps(files)) < 3_000_000


def test_user_without_a_home_has_the_cache_among_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert default_cache() == Path(tempfile.gettempdir(), "augment")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_cache() == Path("/home/me/.cache/augment")
