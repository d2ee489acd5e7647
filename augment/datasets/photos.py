"""Real colour photographs out of scikit-image's wheel, offline."""

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from augment.datasets.base import Dataset, Size, cached
from augment.filesystem import InputFiles
from augment.image_file import read_image
from augment.images import encode
from augment.options import OptionError

# Those that `skimage/data/_fetchers.py` notes as public domain or CC0; docs/images.md has their sources.
PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "retina.jpg", "rocket.jpg")


def photo_folder() -> Path:
    """Return the folder of scikit-image's pictures, without importing it; it may not be installed."""
    spec = find_spec("skimage")
    return Path(spec.origin if spec and spec.origin else "skimage").with_name("data")


@dataclass
class Photos(Dataset):
    """The PHOTOS, as many as are asked for.

    A photo keeps its scale: to have another size it is cropped about its centre, or tiled by mirroring.
    Beyond their number the photos come again, rolled by an offset drawn from the seed.
    """

    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> InputFiles:
        """Return `n_images` photos (default: each once); without `size` the originals byte for byte."""
        originals = [photo_folder() / name for name in PHOTOS]
        if missing := next((path.name for path in originals if not path.is_file()), None):
            raise OptionError(f"dataset=photos: scikit-image's {missing} is missing; run make install")

        def make(index: int) -> bytes:
            from augment.datasets import pixels

            repeat, photo = divmod(index, len(PHOTOS))
            if size is None and repeat == 0:
                return originals[photo].read_bytes()
            image = pixels.rolled(read_image(originals[photo], sys.maxsize).pixels, repeat, seed)
            return encode(image if size is None else pixels.fitted(image, *size), names[index]).tobytes()

        names = [_photo_name(*divmod(index, len(PHOTOS))) for index in range(n_images or len(PHOTOS))]
        return cached(cache, "photos", names, size, seed, make)


def _photo_name(repeat: int, photo: int) -> str:
    stem, _, suffix = PHOTOS[photo].rpartition(".")
    return f"{stem}_{repeat}.{suffix}" if repeat else PHOTOS[photo]
