"""A folder of the user's images, with its sub-folders."""

import os
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOENT, ENOTDIR
from functools import cache
from pathlib import Path

from augment.datasets.base import Dataset, DatasetError, Size, first, printable, size_text
from augment.filesystem import InputFiles, check_folder, find_files, is_local, location
from augment.images import OutputError, encode
from augment.options import option, setting

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
PROBED_SUFFIXES = (".jp2", ".avif", ".gif", ".ppm", ".pgm", ".pbm")  # not in every build of OpenCV
MANIFEST = ".augment.json"  # in a folder of outputs
REASONS = {ENOENT: "no such folder", ENOTDIR: "not a folder"}
LISTED = 5  # kinds of other files, and folders, that a finding names


@dataclass
class Folder(Dataset):
    """The images of a folder and its sub-folders, as they are.

    They are sorted by the bytes of their names, so that an index means the same image on every machine.
    Hidden files and folders are left out, links to folders are not followed.
    """

    # Images count by their content, wherever they lie.
    path: str = setting("folder of images, or its address (s3://…)")
    recursive: bool = option("also take the images of its sub-folders", True)

    def check(self, size: Size | None) -> None:
        if size is not None:
            raise DatasetError(
                f"image_size={size_text(size)}: a folder's pictures keep their own size; leave it out"
            )
        _Walk(self).check()

    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> InputFiles:
        """Return the first `n_images` of the folder; needs neither `seed` nor `cache`."""
        return first(self.images(), n_images)

    def images(self, exclude: Collection[Path] = ()) -> InputFiles:
        """Return all images, but for those in folders to `exclude`. Raises DatasetError."""
        walk = _Walk(self)
        if names := walk.names(exclude):
            return InputFiles(walk.folder, names, walk.findings())
        raise walk.error("no images in it")


class _Walk:
    """One walk through a folder, and what of it are no images."""

    def __init__(self, dataset: Folder) -> None:
        self.folder, self._dataset = location(dataset.path), dataset
        self._others: Counter[str] = Counter()  # by suffix
        self._left_out: dict[str, str] = {}  # reasons by folder
        self._excluded: set[str] = set()

    def check(self) -> None:
        """Raise DatasetError if the folder has no images; at an address, if there is no such folder."""
        with self._plain_errors():
            if not is_local(self.folder):
                check_folder(self.folder)
            elif next(self._local_names(), None) is None:
                raise self.error("no images in it")

    def names(self, exclude: Collection[Path]) -> list[str]:
        """Return the images' names relative to the top, sorted by their bytes. Raises DatasetError."""
        with self._plain_errors():
            top, *places = (
                os.path.realpath(place) if is_local(place) else str(place)
                for place in (self.folder, *exclude)
            )
            # Relative to the top, because no link is followed on the way down.
            self._excluded = {place[len(top) + 1 :] for place in places if place.startswith(f"{top}/")}
            names = self._local_names() if is_local(self.folder) else self._distant_names()
            return sorted(names, key=os.fsencode)

    def error(self, reason: str) -> DatasetError:
        return DatasetError(
            f"dataset.path={printable(self._dataset.path)}: {reason}; give a folder of images"
        )

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except DatasetError:
            raise
        except (OSError, ValueError) as error:  # ValueError: a character that no path can hold
            reason = getattr(error, "strerror", None) or "not a path"
            raise self.error(REASONS.get(getattr(error, "errno", 0), reason)) from error

    def findings(self) -> list[str]:
        """Return a line on the other files, and one on the folders that were left out."""
        others = sorted((-count, suffix) for suffix, count in self._others.items() if count)
        kinds = [f"{-count} {printable(suffix)}" for count, suffix in others]
        folders = [f"{printable(name)} ({reason})" for name, reason in sorted(self._left_out.items())]
        lines = {"not images": kinds, "folders left out": folders}
        return [
            f"{title}: {', '.join(each[:LISTED])}"
            + (f" and {len(each) - LISTED} more" if each[LISTED:] else "")
            for title, each in lines.items()
            if each
        ]

    def _local_names(self) -> Iterator[str]:
        # An empty path stays empty, whereas `self.folder` would be the current one.
        top = os.path.expanduser(self._dataset.path)
        folders = [""]  # relative, each with a slash at its end
        while folders:
            folder = folders.pop()
            try:
                entries = os.scandir(os.path.join(top, folder) if folder else top)
            except OSError as error:
                if not folder:
                    raise
                self._left_out[folder] = (error.strerror or str(error)).lower()
                continue
            with entries:
                if self._holds_outputs(folder, os.path.lexists(os.path.join(top, folder, MANIFEST))):
                    continue
                for entry in entries:  # not as a list: a million entries take 300 MB
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if is_folder and self._dataset.recursive and not entry.name.startswith("."):
                        folders.append(f"{folder}{entry.name}/")
                    is_followed = not entry.is_symlink() or not entry.is_dir()
                    if self._is_image(entry.name, is_counted=not is_folder and is_followed):
                        yield folder + entry.name
                    elif not is_followed:
                        self._left_out[f"{folder}{entry.name}"] = "a link"

    def _distant_names(self) -> Iterator[str]:
        names = list(find_files(self.folder, self._dataset.recursive))
        outputs = {name.removesuffix(MANIFEST) for name in names if f"/{name}".endswith(f"/{MANIFEST}")}
        closed = [*outputs, *(f"{folder}/" for folder in self._excluded)]
        for name in names:
            folder = next((folder for folder in closed if name.startswith(folder)), None)
            if folder is not None:
                self._holds_outputs(folder, folder in outputs)
            elif "/." not in f"/{name}" and self._is_image(name.rpartition("/")[2]):
                yield name

    def _holds_outputs(self, folder: str, has_manifest: bool) -> bool:
        """Return whether a folder is left out because this or an earlier command writes there."""
        if has_manifest and not folder:
            raise self.error(f"holds outputs of an earlier command, as {MANIFEST} there says")
        if has_manifest or folder.rstrip("/") in self._excluded:
            self._left_out[folder] = "outputs" if has_manifest else "this command writes there"
        return folder in self._left_out

    def _is_image(self, name: str, is_counted: bool = True) -> bool:
        """Return whether a name is that of an image; count another unless it is hidden."""
        if name.startswith("."):
            return False
        _, dot, ending = name.rpartition(".")
        suffix = (dot + ending).lower() if dot else "without a suffix"
        if is_image_suffix(suffix):
            return True
        self._others[suffix] += is_counted
        return False


def is_image_suffix(suffix: str) -> bool:
    """Return whether files with this suffix, in small letters, can be read and written as images."""
    return suffix in SUFFIXES or (suffix in PROBED_SUFFIXES and _is_supported(suffix))


@cache
def _is_supported(suffix: str) -> bool:
    """Return whether this build of OpenCV encodes and decodes a test image of a format."""
    import cv2
    import numpy as np

    try:
        encoded = encode(np.zeros((64, 64, 3), np.uint8), f"test{suffix}")
    except OutputError:
        return False
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR) is not None
