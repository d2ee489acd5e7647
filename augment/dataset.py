"""Where images come from: synthetic from a seed, real photos, or a folder of one's own.

Each dataset is a dataclass whose fields are its knobs. `files` gives the input files in their order,
making the missing ones in a cache first. An output is encoded as the suffix of its input says.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from errno import ENOENT, ENOTDIR
from pathlib import Path
from typing import ClassVar, Protocol

from augment.knob import KnobError, knob
from augment.photos import PHOTOS, photo_folder

Size = tuple[int, int]  # width, height in pixels

PATTERNS = ("checkerboard", "noise", "photo_like")
FORMATS = ("jpg", "png")
SUFFIXES = (b".jpg", b".jpeg", b".png")


class DatasetError(KnobError):
    """Images that cannot be had: one line that names the knob, its value and what would be right."""


class Dataset(Protocol):
    """What every dataset offers."""

    own_size: ClassVar[bool]
    """Whether the images always keep the size they have, so that `image_size` does not apply."""

    def check(self) -> None:
        """Raise DatasetError, in a moment and writing nothing, when these knobs cannot work."""

    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> list[Path]:
        """The input files in order, the missing ones made in `cache`. Raises DatasetError.

        Without `n_images`, all there are; without `size`, each image at its own.
        """


@dataclass
class Synthetic:
    """Images made from a seed; all of one size. Image i is the same however many are asked for."""

    own_size: ClassVar[bool] = False

    pattern: str = knob("checkerboard (the study's 10 x 10 boards), noise or photo_like", "checkerboard")
    format: str = knob("file format of inputs and so of outputs: jpg or png", "jpg")

    def check(self) -> None:
        _one_of("dataset.pattern", self.pattern, PATTERNS)
        _one_of("dataset.format", self.format, FORMATS)

    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> list[Path]:
        """`n_images` (10 unless told) images of `size`, which is required."""
        self.check()
        if size is None:
            raise DatasetError("image_size=null: synthetic images need a size; give one, like 500x250")
        if self.pattern == "checkerboard" and min(size) < 10:
            raise DatasetError(f"image_size={_text(size)}: a 10 x 10 board needs 10 pixels a side; give more")
        width, height = size

        def make(path: Path, index: int) -> None:
            from augment import pixels

            pixels.save(path, pixels.synthetic(self.pattern, width, height, seed, index))

        count = 10 if n_images is None else n_images
        names = [f"{self.pattern}_{index:06d}.{self.format}" for index in range(count)]
        return _cached(cache, f"synthetic-{self.pattern}-{self.format}", names, size, seed, make)


@dataclass
class Photos:
    """Real colour photographs, public domain or CC0: see `augment.photos.PHOTOS`.

    A photo keeps its scale: when a size is asked for it is cropped about the centre, or tiled by
    mirroring. Beyond their number the photos come again, rolled by an offset drawn from the seed.
    Suffixes are those of the originals, so some are .png and some .jpg (quality 95).
    """

    own_size: ClassVar[bool] = False

    def check(self) -> None:
        self._originals()

    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> list[Path]:
        """`n_images` photos, each once unless told; without `size` the originals byte for byte."""
        originals = self._originals()

        def make(path: Path, index: int) -> None:
            from augment import pixels

            repeat, photo = divmod(index, len(originals))
            if size is None and repeat == 0:
                pixels.write(path, originals[photo].read_bytes())
                return
            image = pixels.rolled(pixels.load(originals[photo]), repeat, seed)
            pixels.save(path, image if size is None else pixels.fitted(image, *size))

        count = len(originals) if n_images is None else n_images
        names = [_photo_name(*divmod(index, len(originals))) for index in range(count)]
        return _cached(cache, "photos", names, size, seed, make)

    def _originals(self) -> list[Path]:
        folder = photo_folder()
        for photo in PHOTOS:
            if folder is None or not (folder / photo.name).is_file():
                raise DatasetError(
                    f"dataset=photos: scikit-image's {photo.name} is missing; run make install"
                )
        return [Path(folder or ".", photo.name) for photo in PHOTOS]


@dataclass
class Folder:
    """The .jpg, .jpeg and .png files of one folder, not of its sub-folders, as they are.

    Sorted by the bytes of their names, so that an index means the same image on every machine. All
    that is called like an image is listed; whether it is one shows when it is read. Output names
    cannot clash: they keep stem and suffix, which together are unique in a folder.
    """

    own_size: ClassVar[bool] = True

    path: str = knob("folder of .jpg, .jpeg and .png images")

    def check(self) -> None:
        self._images()

    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> list[Path]:
        """The first `n_images` of the folder, all unless told; needs neither `seed` nor `cache`."""
        if size is not None:
            raise DatasetError(
                f"image_size={_text(size)}: a folder's pictures keep their own size; leave it out"
            )
        images = self._images()
        if n_images is not None and n_images > len(images):
            held = f"{_shown(self.path)} holds {len(images)}"
            raise DatasetError(f"n_images={n_images}: {held}; give at most that, or none for all")
        return images[:n_images]

    def _images(self) -> list[Path]:
        advice = "give a folder of .jpg, .jpeg or .png images"
        folder = os.path.expanduser(self.path)
        try:
            names = os.listdir(os.fsencode(folder))
        except (OSError, ValueError) as error:  # ValueError: a character that no path can hold
            reasons = {ENOENT: "no such folder", ENOTDIR: "not a folder"}
            reason = (
                reasons.get(error.errno or 0, error.strerror) if isinstance(error, OSError) else "not a path"
            )
            raise DatasetError(f"dataset.path={_shown(self.path)}: {reason}; {advice}") from error
        # A dot before the suffix is a name like any other, to which os.path.splitext does not agree.
        images = sorted(
            name for name in names if name.lower().endswith(SUFFIXES) and name.lower() not in SUFFIXES
        )
        if not images:
            raise DatasetError(f"dataset.path={_shown(self.path)}: no images in it; {advice}")
        return [Path(folder, os.fsdecode(name)) for name in images]


def _cached(
    cache: Path, kind: str, names: list[str], size: Size | None, seed: int, make: Callable[[Path, int], None]
) -> list[Path]:
    """The files `names` of one sub-folder of `cache`; when it is not there yet, `make` writes each.

    It is filled aside and renamed when whole: neither a kill nor a second sweep leaves half of one.
    """
    import tempfile
    from zlib import crc32

    # A change of the recipes must not find the pictures of the old ones.
    recipe = crc32(Path(__file__).with_name("pixels.py").read_bytes())
    folder = cache / f"{kind}-{_text(size)}-n{len(names)}-seed{seed}-{recipe:08x}"
    if not folder.is_dir():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".making-", dir=cache) as aside:
                whole = Path(aside, folder.name)
                whole.mkdir()
                for index, name in enumerate(names):
                    make(whole / name, index)
                whole.rename(folder)
        except OSError as error:
            if not folder.is_dir():  # else another sweep has just made the same
                reason = error.strerror or error
                raise DatasetError(
                    f"cache_dir={_shown(cache)}: {reason}; give a folder to write to"
                ) from error
        except ValueError as error:
            raise DatasetError(f"image_size={_text(size)}: {error}; give another size") from error
    return [folder / name for name in names]


def _photo_name(repeat: int, photo: int) -> str:
    name = Path(PHOTOS[photo].name)
    return f"{name.stem}_{repeat}{name.suffix}" if repeat else name.name


def _one_of(knob_name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DatasetError(f"{knob_name}={_shown(value)}: unknown; give one of {', '.join(choices)}")


def _text(size: Size | None) -> str:
    return "native" if size is None else f"{size[0]}x{size[1]}"


def _shown(path: str | Path) -> str:
    """`path` on one line that every terminal can print, whatever bytes it is made of."""
    return text if (text := str(path)).isprintable() else ascii(text)


DATASETS: dict[str, type[Dataset]] = {"synthetic": Synthetic, "photos": Photos, "folder": Folder}
