"""Images made from a seed."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from augment.datasets.base import Dataset, Size, cached
from augment.filesystem import InputFiles
from augment.images import encode
from augment.options import OptionError, option

Pattern = StrEnum("Pattern", ["checkerboard", "noise", "photo_like"])
Format = StrEnum("Format", ["jpg", "png"])


@dataclass
class Synthetic(Dataset):
    """Images made from a seed, all of one size. Image i does not depend on how many there are."""

    pattern: Pattern = option("checkerboard is the study's 10 x 10 boards", Pattern.checkerboard)
    format: Format = option("file format of inputs and so of outputs", Format.jpg)

    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> InputFiles:
        """Return `n_images` (default 10) images of `size`, which is required."""
        if size is None:
            raise OptionError("image_size=null: synthetic images need a size; give one, like 500x250")

        def make(index: int) -> bytes:
            from augment.datasets import pixels

            return encode(pixels.synthetic(self.pattern, *size, seed, index), names[index]).tobytes()

        names = [f"{self.pattern}_{index:06d}.{self.format}" for index in range(n_images or 10)]
        return cached(cache, f"synthetic-{self.pattern}-{self.format}", names, size, seed, make)
