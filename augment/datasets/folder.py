"""A folder of the user's images."""

import os
from dataclasses import dataclass
from errno import ENOENT, ENOTDIR
from pathlib import Path

from augment.datasets.base import Dataset, DatasetError, Size, printable, size_text
from augment.filesystem import InputFiles, file_sizes, is_local, location
from augment.options import setting

SUFFIXES = (".jpg", ".jpeg", ".png")
REASONS = {ENOENT: "no such folder", ENOTDIR: "not a folder"}


@dataclass
class Folder(Dataset):
    """The .jpg, .jpeg and .png files of one folder, as they are, without its sub-folders.

    They are sorted by the bytes of their names, so that an index means the same image on every machine.
    Output names cannot clash: they keep stem and suffix, which together are unique in a folder.
    """

    # Images count by their content, wherever they lie.
    path: str = setting("folder of .jpg, .jpeg and .png images, or its address (s3://…)")

    def check(self, size: Size | None) -> None:
        if size is not None:
            raise DatasetError(
                f"image_size={size_text(size)}: a folder's pictures keep their own size; leave it out"
            )
        self._images()

    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> InputFiles:
        """Return the first `n_images` of the folder; needs neither `seed` nor `cache`."""
        images = self._images()
        if n_images is not None and n_images > len(images):
            held = f"{printable(self.path)} holds {len(images)}"
            raise DatasetError(f"n_images={n_images}: {held}; give at most that, or none for all")
        return images[:n_images]

    def _images(self) -> InputFiles:
        option, advice = f"dataset.path={printable(self.path)}", "give a folder of .jpg, .jpeg or .png images"
        folder = location(self.path)
        try:
            # An empty path stays empty, whereas `folder` would be the current one.
            names = os.listdir(os.path.expanduser(self.path)) if is_local(folder) else [*file_sizes(folder)]
        except (OSError, ValueError) as error:  # ValueError: a character that no path can hold
            known = getattr(error, "strerror", None) or "not a path"
            reason = REASONS.get(getattr(error, "errno", 0), known)
            raise DatasetError(f"{option}: {reason}; {advice}") from error
        # `.png` alone is no image, but `..png` is one; os.path.splitext finds no suffix in either.
        images = [name for name in names if name.lower().endswith(SUFFIXES) and name.lower() not in SUFFIXES]
        if not images:
            raise DatasetError(f"{option}: no images in it; {advice}")
        return InputFiles(folder, sorted(images, key=os.fsencode))
