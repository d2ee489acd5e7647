"""The contract of a dataset, and how it names what cannot work."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from augment.options import OptionError

Size = tuple[int, int]  # width, height in pixels


class DatasetError(OptionError):
    """Images that cannot be had: one line that names the option, its value and what would be right."""


@dataclass
class Dataset(ABC):
    """What every dataset offers. Its fields are its options on the command line."""

    own_size: ClassVar[bool]
    """Whether the images always keep the size they have, so that `image_size` does not apply."""

    def check(self) -> None:
        """Raise DatasetError, in a moment and writing nothing, when these options cannot work."""
        return None

    @abstractmethod
    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> list[Path]:
        """The input files in order, the missing ones made in `cache`. Raises DatasetError.

        Without `n_images`, all there are; without `size`, each image at its own.
        """


def size_text(size: Size | None) -> str:
    return "native" if size is None else f"{size[0]}x{size[1]}"


def shown(path: str | Path) -> str:
    """`path` on one line that every terminal can print, whatever bytes it is made of."""
    return text if (text := str(path)).isprintable() else ascii(text)
