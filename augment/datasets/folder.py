"""A folder of the user's images, with its sub-folders."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from augment.datasets.base import Dataset, Size, first, size_text
from augment.filesystem import InputFiles, check_folder, find_files, is_local, location, printable
from augment.images import OutputError, encode
from augment.options import OptionError, option, setting

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
PROBED_SUFFIXES = (".jp2", ".avif", ".gif", ".ppm", ".pgm", ".pbm")  # not in every build of OpenCV
MANIFEST = ".augment.json"  # in a folder of outputs
OUTPUTS, WRITTEN = "outputs", "this command writes there"
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

    def files(
        self, n_images: int | None, size: Size | None, seed: int, cache: Path, exclude: Collection[Path] = ()
    ) -> InputFiles:
        """Return the first `n_images`, without those in folders to `exclude`; needs no `seed` and `cache`."""
        if size is not None:
            raise OptionError(
                f"image_size={size_text(size)}: images in a folder have theirs; give image_size=null"
            )
        option, folder = f"dataset.path={printable(self.path)}", location(self.path)
        walk, advice = _Walk(self), "give a folder of images"
        try:
            names = walk.local_names(exclude) if is_local(folder) else walk.distant_names(folder, exclude)
            listed = sorted(names, key=os.fsencode)
        except (OSError, ValueError) as error:  # ValueError: a character that no path can hold
            reason = (getattr(error, "strerror", None) or "not a path").lower()
            raise OptionError(f"{option}: {reason}; {advice}") from error
        if not listed:
            others = "".join(f" ({finding})" for finding in walk.findings())
            raise OptionError(f"{option}: no images in it{others}; {advice}")
        return first(InputFiles(folder, listed, walk.findings()), n_images)


class _Walk:
    """One walk through a folder, and what of it are no images."""

    def __init__(self, dataset: Folder) -> None:
        self._path, self._is_recursive = dataset.path, dataset.recursive
        self._others: Counter[str] = Counter()  # by suffix
        self._left_out: dict[str, str] = {}  # reasons by folder

    def findings(self) -> list[str]:
        """Return a line on the other files, and one on the folders that were left out."""
        others = sorted((+self._others).items(), key=lambda other: (-other[1], other[0]))
        kinds = [f"{count} {printable(suffix)}" for suffix, count in others]
        folders = [f"{printable(name)} ({reason})" for name, reason in sorted(self._left_out.items())]
        lines = {"not images": kinds, "folders left out": folders}
        return [f"{title}: {_shortened(each)}" for title, each in lines.items() if each]

    def local_names(self, exclude: Collection[Path]) -> Iterator[str]:
        """Yield the images' names relative to the top, in any order. Raises OSError, ValueError."""
        # An empty path stays empty, whereas `location` would return the current folder.
        top = os.path.expanduser(self._path)
        excluded = _below(os.path.realpath(top), map(os.path.realpath, filter(is_local, exclude)))

        def relative(path: str) -> str:
            return f"{path[len(top) :].strip('/')}/".lstrip("/")

        def leave_out(error: OSError) -> None:
            if error.filename == top:
                raise error
            self._left_out[relative(error.filename)] = (error.strerror or str(error)).lower()

        for path, folders, files in os.walk(top, onerror=leave_out):
            folder, has_manifest = relative(path), MANIFEST in files or MANIFEST in folders
            if has_manifest or folder in excluded:
                self._left_out[folder or "./"] = OUTPUTS if has_manifest else WRITTEN
                folders.clear()
            else:
                yield from (folder + name for name in files if self._is_image(name))
                for name in folders:
                    if self._is_image(name, is_counted=False):
                        yield folder + name
                    elif os.path.islink(f"{top}/{folder}{name}"):  # which may be circular
                        self._left_out[folder + name] = "a link"
                folders[:] = [name for name in folders if self._is_recursive and not name.startswith(".")]

    def distant_names(self, top: Path, exclude: Collection[Path]) -> Iterator[str]:
        """Yield the images' names relative to an address. Raises OSError."""
        check_folder(top)
        names = list(find_files(top, self._is_recursive))
        written = dict.fromkeys(_below(str(top), map(str, exclude)), WRITTEN)
        manifests = (name for name in names if f"/{name}".endswith(f"/{MANIFEST}"))
        written |= {name.removesuffix(MANIFEST): OUTPUTS for name in manifests}
        for name in names:
            folder = next((each for each in written if name.startswith(each)), None)
            if folder is not None:
                self._left_out[folder or "./"] = written[folder]
            elif "//" in f"/{name}":
                self._left_out[f"{name.rpartition('/')[0]}/"] = "a folder without a name"
            elif "/." not in f"/{name}" and self._is_image(name):
                yield name

    def _is_image(self, name: str, is_counted: bool = True) -> bool:
        """Return whether a name is that of an image; count another unless it is hidden."""
        suffix, is_hidden = os.path.splitext(name)[1].lower(), name.startswith(".")
        is_image = is_image_suffix(suffix) and not is_hidden
        self._others[suffix or "without a suffix"] += is_counted and not (is_image or is_hidden)
        return is_image


def _shortened(items: Sequence[str]) -> str:
    return ", ".join(items[:LISTED]) + (f" and {len(items) - LISTED} more" if items[LISTED:] else "")


def is_image_suffix(suffix: str) -> bool:
    """Return whether files with this suffix, in small letters, can be read and written as images."""
    return suffix in SUFFIXES or (suffix in PROBED_SUFFIXES and _is_supported(suffix))


def _below(top: str, places: Iterable[str]) -> set[str]:
    """Return the places below a folder, relative to it, each with a slash at its end."""
    top = f"{top.rstrip('/')}/"
    return {f"{place[len(top) :]}/" for place in places if place.startswith(top)}


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
