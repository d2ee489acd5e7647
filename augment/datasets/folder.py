"""A folder of one's own."""

import os
from dataclasses import dataclass
from errno import ENOENT, ENOTDIR
from pathlib import Path
from typing import ClassVar

from augment.datasets.base import Dataset, DatasetError, Size, shown, size_text
from augment.filesystem import is_local, listed, location
from augment.options import option

SUFFIXES = (b".jpg", b".jpeg", b".png")


@dataclass
class Folder(Dataset):
    """The .jpg, .jpeg and .png files of one folder, not of its sub-folders, as they are.

    Sorted by the bytes of their names, so that an index means the same image on every machine. All
    that is called like an image is listed; whether it is one shows when it is read. Output names
    cannot clash: they keep stem and suffix, which together are unique in a folder.
    """

    own_size: ClassVar[bool] = True

    # Images count by their content, wherever they lie.
    path: str = option("folder of .jpg, .jpeg and .png images, or its address (s3://…)", determines=False)

    def check(self) -> None:
        self._images()

    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> list[Path]:
        """The first `n_images` of the folder, all unless told; needs neither `seed` nor `cache`."""
        if size is not None:
            raise DatasetError(
                f"image_size={size_text(size)}: a folder's pictures keep their own size; leave it out"
            )
        images = self._images()
        if n_images is not None and n_images > len(images):
            held = f"{shown(self.path)} holds {len(images)}"
            raise DatasetError(f"n_images={n_images}: {held}; give at most that, or none for all")
        return images[:n_images]

    def _images(self) -> list[Path]:
        advice = "give a folder of .jpg, .jpeg or .png images"
        folder = location(self.path)
        try:
            here = os.path.expanduser(self.path)  # an empty path stays one, where `folder` would be `.`
            names = os.listdir(os.fsencode(here)) if is_local(folder) else map(os.fsencode, listed(folder))
        except (OSError, ValueError) as error:  # ValueError: a character that no path can hold
            reasons = {ENOENT: "no such folder", ENOTDIR: "not a folder"}
            number = getattr(error, "errno", 0)
            known = getattr(error, "strerror", None) or "not a path"
            reason = reasons.get(number, known)
            raise DatasetError(f"dataset.path={shown(self.path)}: {reason}; {advice}") from error
        # A dot before the suffix is a name like any other, to which os.path.splitext does not agree.
        images = sorted(
            name for name in names if name.lower().endswith(SUFFIXES) and name.lower() not in SUFFIXES
        )
        if not images:
            raise DatasetError(f"dataset.path={shown(self.path)}: no images in it; {advice}")
        return [folder / os.fsdecode(name) for name in images]
