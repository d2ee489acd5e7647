"""Datasets: the same images every time, in the same order, or one line with the reason."""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment import datasets
from augment.datasets import DATASETS, pixels
from augment.datasets.folder import Folder
from augment.datasets.photos import PHOTOS, Photos, photo_folder
from augment.datasets.synthetic import Format, Pattern, Synthetic
from augment.filesystem import InputFiles
from augment.image_file import read_image
from augment.options import OptionError
from augment.temporary import PREFIX

relaxed = settings(max_examples=40)
sides = st.integers(1, 60)


def read(path: Path) -> pixels.Pixels:
    image = read_image(path, sys.maxsize).pixels
    assert image.dtype == np.uint8
    return image


def contents(files: Iterable[Path]) -> list[bytes]:
    return [file.read_bytes() for file in files]


both = pytest.mark.parametrize("name", ["synthetic", "photos"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a user's folder of images with several names and suffixes, and of other files."""
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for name in ("b.png", "a.JPG", "B.jpeg", "a.jpg", "Ä 'x'\n.png", "notes.txt", "png", ".jpg", "a.jpg.bak"):
        (folder / name).write_bytes(b"")
    (folder / os.fsdecode(b"\xff.PNG")).write_bytes(b"")
    (folder / "deeper/still").mkdir(parents=True)
    (folder / "deeper/c.png").write_bytes(b"")
    (folder / "deeper/still/d.TIFF").write_bytes(b"")
    return folder


@both
def test_dataset_gives_the_same_files_in_any_cache_and_reuses_them(name: str, tmp_path: Path) -> None:
    def files(cache: str) -> InputFiles:
        return DATASETS[name]().files(8, (70, 20), 7, tmp_path / cache)

    first, second = files("one"), files("two")
    assert [file.name for file in first] == [file.name for file in second]
    assert contents(first) == contents(second)
    assert {read(file).shape for file in first} == {(20, 70, 3)}, "the width comes first in a size"
    before = [file.stat().st_mtime_ns for file in first]
    assert [file.stat().st_mtime_ns for file in files("one")] == before


@both
def test_cache_that_cannot_be_written_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OptionError, match=r"^cache_dir=.*/file/cache: Not a directory; give a folder"):
        DATASETS[name]().files(1, (20, 20), 0, tmp_path / "file" / "cache")


@both
def test_cache_that_somebody_has_partly_emptied_is_made_again(name: str, tmp_path: Path) -> None:
    files = DATASETS[name]().files(4, (20, 20), 0, tmp_path)
    before = contents(files)
    files[1].unlink()
    files[2].write_bytes(b"")
    assert contents(DATASETS[name]().files(4, (20, 20), 0, tmp_path)) == before
    assert list(tmp_path.iterdir()) == [files.root]


def test_unfinished_files_of_a_killed_command_are_removed_from_the_cache(tmp_path: Path) -> None:
    folder = Synthetic().files(1, (20, 20), 0, tmp_path).root
    (tmp_path / f"{PREFIX}dead" / "whole").mkdir(parents=True)
    Synthetic().files(1, (20, 20), 0, tmp_path)
    assert list(tmp_path.iterdir()) == [folder]


def test_interrupted_synthesis_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic = pixels.synthetic

    def interrupted(*arguments: Any) -> pixels.Pixels:
        if arguments[-1] == 1:
            raise KeyboardInterrupt
        return synthetic(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(pixels, "synthetic", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Synthetic().files(2, (20, 20), 0, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert read(Synthetic().files(2, (20, 20), 0, tmp_path)[0]).shape == (20, 20, 3)


def test_concurrent_sweeps_share_the_synthetic_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic = pixels.synthetic

    def synthetic_while_another_sweep_finishes(*arguments: Any) -> pixels.Pixels:
        monkeypatch.setattr(pixels, "synthetic", synthetic)
        Synthetic().files(1, (20, 20), 0, tmp_path)
        return synthetic(*arguments)

    monkeypatch.setattr(pixels, "synthetic", synthetic_while_another_sweep_finishes)
    (file,) = Synthetic().files(1, (20, 20), 0, tmp_path)
    assert read(file).shape == (20, 20, 3)
    assert list(tmp_path.iterdir()) == [file.parent]


@given(width=st.integers(10, 200), height=st.integers(10, 200), index=st.integers(0, 9))
@relaxed
def test_board_has_ten_by_ten_squares_at_any_size(width: int, height: int, index: int) -> None:
    board = pixels.checkerboard(width, height, index)
    assert set(np.unique(board)) == {0, 255}
    assert np.count_nonzero(np.diff(board[0, :, 0].astype(int))) == 9
    assert np.count_nonzero(np.diff(board[:, 0, 0].astype(int))) == 9
    assert board[0, 0, 0] == (0, 255)[index % 2]


@given(
    pattern=st.sampled_from(["noise", "photo_like"]), width=sides, height=sides, seed=st.integers(0, 2**64)
)
@relaxed
def test_pixels_follow_from_seed_and_index(pattern: str, width: int, height: int, seed: int) -> None:
    image = pixels.synthetic(pattern, width, height, seed, 3)
    assert image.shape == (height, width, 3)
    assert np.array_equal(image, pixels.synthetic(pattern, width, height, seed, 3))
    if width * height > 64:
        assert not np.array_equal(image, pixels.synthetic(pattern, width, height, seed, 4))
        assert not np.array_equal(image, pixels.synthetic(pattern, width, height, seed + 1, 3))


def test_synthetic_image_depends_only_on_its_index(tmp_path: Path) -> None:
    few = Synthetic(Pattern.noise, Format.png).files(2, (20, 20), 0, tmp_path)
    many = Synthetic(Pattern.noise, Format.png).files(None, (20, 20), 0, tmp_path)
    assert contents(few) == contents(many)[:2]
    assert len({*contents(many)}) == len(many) == 10


def test_photo_like_images_compress_as_photos_do(tmp_path: Path) -> None:
    def bits_per_pixel(image: pixels.Pixels) -> float:
        height, width, _ = image.shape
        return float(cv2.imencode(".jpg", image)[1].size * 8 / (height * width))

    photos = [bits_per_pixel(read(file)) for file in Photos().files(None, None, 0, tmp_path)]
    assert min(photos) < bits_per_pixel(pixels.synthetic("photo_like", 2000, 1000, 0, 0)) < max(photos)
    assert bits_per_pixel(pixels.synthetic("noise", 500, 500, 0, 0)) > 2 * max(photos)


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (None, "image_size=null: synthetic images need a size"),
        ((70_000, 10), "image_size=70000x10: checkerboard_000000.jpg: cannot be encoded; give another size"),
    ],
)
def test_impossible_size_of_a_synthetic_image_is_refused(
    size: tuple[int, int] | None, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=re.escape(reason)):
        Synthetic().files(1, size, 0, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_photos_without_a_size_are_the_originals(tmp_path: Path) -> None:
    files = Photos().files(None, None, 0, tmp_path)
    assert [file.name for file in files] == [*PHOTOS]
    assert contents(files) == [(photo_folder() / photo).read_bytes() for photo in PHOTOS]


def test_repeated_photos_have_other_pixels_and_names(tmp_path: Path) -> None:
    count = 3 * len(PHOTOS)
    files = Photos().files(count, (64, 48), 0, tmp_path)
    assert files[len(PHOTOS)].name == "astronaut_1.png"
    assert len({file.name for file in files}) == len({*contents(files)}) == count


@given(repeats=st.integers(1, 100), seed=st.integers(0, 2**64))
@relaxed
def test_repeats_of_a_photo_all_differ(repeats: int, seed: int) -> None:
    photo = np.arange(20 * 30, dtype=np.uint16).view(np.uint8).reshape(20, 20, 3)
    rolls = {pixels.rolled(photo, repeat, seed).tobytes() for repeat in range(repeats)}
    assert len(rolls) == repeats


@given(width=sides, height=sides)
@relaxed
def test_larger_photo_is_cropped_about_its_centre(width: int, height: int) -> None:
    photo = pixels.noise(60, 60, np.random.default_rng(0))
    top, left = (60 - height) // 2, (60 - width) // 2
    assert np.array_equal(pixels.fitted(photo, width, height), photo[top : top + height, left : left + width])


@given(have=st.integers(1, 9), more=st.integers(0, 50))
@relaxed
def test_smaller_photo_is_mirrored_not_stretched(have: int, more: int) -> None:
    photo = pixels.noise(have, have, np.random.default_rng(0))
    pad = ((more + 1) // 2, more // 2)
    mirrored = np.pad(photo, (pad, pad, (0, 0)), "symmetric")
    assert np.array_equal(pixels.fitted(photo, have + more, have + more), mirrored)


def test_missing_photos_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for spec in (None, SimpleNamespace(origin=str(tmp_path / "__init__.py"))):
        monkeypatch.setattr("augment.datasets.photos.find_spec", lambda _, spec=spec: spec)
        with pytest.raises(OptionError, match=r"dataset=photos: scikit-image's astronaut.png is missing"):
            Photos().files(None, None, 0, tmp_path)


def test_folder_is_sorted_by_the_bytes_of_its_names(folder: Path, tmp_path: Path) -> None:
    files = Folder(str(folder)).files(None, None, 0, tmp_path)
    assert [os.fsencode(name) for name in files.names] == [
        b"B.jpeg",
        b"a.JPG",
        b"a.jpg",
        b"b.png",
        b"deeper/c.png",
        b"deeper/still/d.TIFF",
        "Ä 'x'\n.png".encode(),
        b"\xff.PNG",
    ]
    assert files.root == folder
    assert files.findings == ["not images: 1 .bak, 1 .txt, 1 without a suffix"]
    assert Folder(str(folder)).files(2, None, 0, tmp_path) == files.subset([0, 1])
    flat = Folder(str(folder), recursive=False).files(None, None, 0, tmp_path)
    assert flat.names == [name for name in files.names if "/" not in name]


def test_hidden_linked_and_written_folders_are_left_out(tmp_path: Path) -> None:
    names = ("a.png", ".hidden/b.png", "out/c.png", "earlier/d.png", "earlier/.augment.json", "f.jpg/e.png")
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    (tmp_path / "in/cats").symlink_to(tmp_path / "in/f.jpg")
    (tmp_path / "in/broken.jpg").symlink_to("nowhere")
    (tmp_path / "in/linked.png").symlink_to(tmp_path / "in/a.png")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    files = Folder(str(tmp_path / "link")).files(None, None, 0, tmp_path, {tmp_path / "in/out"})
    assert files.names == ["a.png", "broken.jpg", "f.jpg", "f.jpg/e.png", "linked.png"], "also as a bad image"
    assert files.findings == [
        "folders left out: cats (a link), earlier/ (outputs), out/ (this command writes there)"
    ]
    with pytest.raises(OptionError, match=r"no images in it \(folders left out: \./ \(outputs\)\); give"):
        Folder(str(tmp_path / "in/earlier")).files(None, None, 0, tmp_path)


def test_formats_count_where_this_opencv_knows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.gif", "b.AVIF", "c.png", "d.exr"):
        (tmp_path / name).touch()
    monkeypatch.setattr(datasets.folder, "_is_supported", {".gif": True, ".avif": False}.__getitem__)
    files = Folder(str(tmp_path)).files(None, None, 0, tmp_path)
    assert files.names == ["a.gif", "c.png"]
    assert files.findings == ["not images: 1 .avif, 1 .exr"]


@given(
    names=st.sets(
        st.binary(min_size=1, max_size=9).filter(
            lambda name: not {*name} & {0, *b"/"} and name[0] != b"."[0]
        ),
        min_size=1,
    )
)
@relaxed
def test_every_file_name_is_found_and_gives_distinct_outputs(
    names: set[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in names:
        (folder / os.fsdecode(name + b".png")).touch()
    files = Folder(str(folder)).files(None, None, 0, folder)
    assert [os.fsencode(file.name) for file in files] == sorted(name + b".png" for name in names)
    outputs = {f"aug_{file.stem}_{task:06d}{file.suffix}" for file in files for task in (0, 1, 1_000_000)}
    assert len(outputs) == 3 * len(files)


def test_path_of_a_folder_may_begin_with_a_tilde(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert len(Folder("~/my pictures").files(None, None, 0, folder)) == 8


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nowhere", "dataset.path=/nowhere: no such file or directory"),
        ("", "dataset.path=: no such file or directory"),
        ("a\nb", r"dataset.path='a\nb': no such file or directory"),
        (os.fsdecode(b"\xff"), r"dataset.path='\udcff': no such file or directory"),
        ("\0", r"dataset.path='\x00': not a path"),
        ("\ud800", r"dataset.path='\ud800': not a path"),
        (__file__, f"dataset.path={__file__}: not a directory"),
    ],
)
def test_folder_without_images_is_refused(path: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as error:
        Folder(path).files(None, None, 0, tmp_path)
    assert str(error.value) == f"{reason}; give a folder of images"


def test_folder_refuses_a_size_and_more_images_than_it_holds(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^n_images=9: .*my pictures holds 8; give at most that"):
        Folder(str(folder)).files(9, None, 0, tmp_path)
    with pytest.raises(OptionError, match=r"^image_size=500x250: images in a folder have theirs"):
        Folder(str(folder)).files(None, (500, 250), 0, tmp_path)
