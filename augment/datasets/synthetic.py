"""Images made from a seed."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from augment.datasets.base import Dataset, DatasetError, Size, size_text
from augment.datasets.cache import cached
from augment.options import option


class Pattern(StrEnum):
    """What synthetic images show."""

    checkerboard = "checkerboard"
    noise = "noise"
    photo_like = "photo_like"


class Format(StrEnum):
    """File formats of synthetic images."""

    jpg = "jpg"
    png = "png"


@dataclass
class Synthetic(Dataset):
    """Images made from a seed; all of one size. Image i is the same however many are asked for."""

    own_size: ClassVar[bool] = False

    pattern: Pattern = option("checkerboard is the study's 10 x 10 boards", Pattern.checkerboard)
    format: Format = option("file format of inputs and so of outputs", Format.jpg)

    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> list[Path]:
        """`n_images` (10 unless told) images of `size`, which is required."""
        if size is None:
            raise DatasetError("image_size=null: synthetic images need a size; give one, like 500x250")
        if self.pattern is Pattern.checkerboard and min(size) < 10:
            raise DatasetError(
                f"image_size={size_text(size)}: a 10 x 10 board needs 10 pixels a side; give more"
            )
        width, height = size

        def make(path: Path, index: int) -> None:
            from augment.datasets import pixels

            pixels.save(path, pixels.synthetic(self.pattern, width, height, seed, index))

        count = 10 if n_images is None else n_images
        names = [f"{self.pattern}_{index:06d}.{self.format}" for index in range(count)]
        return cached(cache, f"synthetic-{self.pattern}-{self.format}", names, size, seed, make)
