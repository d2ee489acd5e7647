"""Real colour photographs out of scikit-image's wheel, offline.

Only those whose licence note in `skimage/data/_fetchers.py` says public domain or CC0. Left out for
that reason: `ihc` ("no known restrictions" is no dedication) and `motorcycle_*` (nothing stated).
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, NamedTuple

from augment.datasets.base import Dataset, DatasetError, Size
from augment.datasets.cache import cached


class Photo(NamedTuple):
    """One picture of the wheel, with where it comes from and under which licence."""

    name: str
    title: str
    source: str
    licence: str


PHOTOS = (
    Photo("astronaut.png", "Eileen Collins", "NASA, flic.kr/p/r9qvLn", "public domain"),
    Photo("chelsea.png", "Chelsea the cat", "Stéfan van der Walt", "CC0"),
    Photo("coffee.png", "A cup of coffee", "Rachel Michetti, courtesy of Pikolo Espresso Bar", "CC0"),
    Photo("hubble_deep_field.jpg", "Hubble eXtreme Deep Field", "NASA, HubbleSite 2012-37", "public domain"),
    Photo("retina.jpg", "Human retina", "Mikael Häggström, Wikimedia Commons", "CC0"),
    Photo("rocket.jpg", "Launch of DSCOVR", "SpaceX, released in 2015, flickr 16511594820", "public domain"),
)


def photo_folder() -> Path | None:
    """Where scikit-image keeps its pictures, found without importing it; None when it is not installed."""
    spec = find_spec("skimage")
    return Path(spec.origin).with_name("data") if spec and spec.origin else None


@dataclass
class Photos(Dataset):
    """The PHOTOS, as many as are wanted.

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
            from augment.datasets import pixels

            repeat, photo = divmod(index, len(PHOTOS))
            if size is None and repeat == 0:
                pixels.write(path, originals[photo].read_bytes())
                return
            image = pixels.rolled(pixels.load(originals[photo]), repeat, seed)
            pixels.save(path, image if size is None else pixels.fitted(image, *size))

        count = len(PHOTOS) if n_images is None else n_images
        names = [_photo_name(*divmod(index, len(PHOTOS))) for index in range(count)]
        return cached(cache, "photos", names, size, seed, make)

    def _originals(self) -> list[Path]:
        paths = [(photo_folder() or Path()) / photo.name for photo in PHOTOS]
        if missing := next((path for path in paths if not path.is_file()), None):
            raise DatasetError(f"dataset=photos: scikit-image's {missing.name} is missing; run make install")
        return paths


def _photo_name(repeat: int, photo: int) -> str:
    name = Path(PHOTOS[photo].name)
    return f"{name.stem}_{repeat}{name.suffix}" if repeat else name.name
