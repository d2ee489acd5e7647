"""The vetting of a folder's files: which can be augmented, and why the others cannot."""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from augment.datasets.base import Size
from augment.declaration import construct, leaves
from augment.filesystem import InputFiles, is_local, read_bytes
from augment.images import ImageError, decode_bytes
from augment.workload import Workload
from experiments.machine.environment import usable_cpus

KINDS = {"d": "directory", "p": "FIFO", "s": "socket", "c": "character device", "b": "block device"}
# Formats that OpenCV reads, too. Pillow knows others: its EPS, for example, starts Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "SUN")
SMALLEST_SAFE_SIDE = 32  # pixels; below, a transform may fail
Image.MAX_IMAGE_PIXELS = None  # only headers are read; `max_image_pixels` limits what is decoded


class NotRegularError(ImageError):
    """A directory, FIFO, socket or device where a regular file is needed."""


@dataclass(frozen=True)
class Vetted:
    """The files that can be augmented, in their order, with decoded sizes, and the reasons for the others."""

    good: InputFiles
    sizes: tuple[Size, ...]  # width and height in pixels
    bad: dict[str, str]  # reasons by file name, which keeps its surrogate escapes

    def columns(self, n_augmentations: int) -> dict[str, Any]:
        """Return the columns of a trial that describe the augmented images."""
        width, height = self.sizes[0] if len(set(self.sizes)) == 1 else (None, None)
        return {
            "inputs": str(self.good.root),
            "width": width,
            "height": height,
            "n_images": len(self.good),
            "tasks": len(self.good) * n_augmentations,
            "skipped_images": json.dumps(self.bad) if self.bad else None,
        }


def usable(
    files: InputFiles,
    max_pixels: int,
    output: Path | None = None,
    n_augmentations: int = 1,
    pipeline: Mapping[str, Any] | None = None,
) -> Vetted:
    """Decode the files of a folder as tasks do, and return which of them can be augmented.

    A file is bad if it is empty or not a regular file, if OpenCV cannot decode it, if it has more than
    `max_pixels` pixels or too few for the `pipeline`, or if the names of its outputs are too long for the
    folder `output` (None: not saved).
    """

    def vet(file: Path) -> Size | str:
        return name_problem(file, output, n_augmentations) or _size_or_reason(
            file, max_pixels, pipeline or {}
        )

    with ThreadPool(usable_cpus()) as pool:  # OpenCV decodes without the GIL
        outcomes = dict(zip(files.names, pool.map(vet, files), strict=True))
    sizes = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, tuple)}
    bad = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, str)}
    return Vetted(InputFiles(files.root, list(sizes)), tuple(sizes.values()), bad)


def name_problem(file: Path, output: Path | None, n_augmentations: int) -> str | None:
    """Return why the folder `output` cannot hold the names of a file's outputs; None if it can."""
    if output is None or not is_local(output):
        return None
    longest = Workload((file,), n_augmentations, {}, 0, output).output_name(0, n_augmentations - 1)
    fits = len(os.fsencode(longest)) <= os.pathconf(output, "PC_NAME_MAX")
    return None if fits else "name too long for its augmentations"


def _size_or_reason(file: Path, max_pixels: int, pipeline: Mapping[str, Any]) -> Size | str:
    """Return width and height of a good file, or why it is bad."""
    try:
        with open_input(file) as opened:
            if not opened.read(1):
                return "empty"
            width, height = _header_size(opened)
            if not width:
                return "no whole header of a known image format"
            if width * height > max_pixels:
                return f"{width}x{height} pixels are more than max_image_pixels={max_pixels}"
            opened.seek(0)
            height, width, _ = decode_bytes(opened.read(), file).shape
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ImageError as error:
        return str(error).removeprefix(f"{file}: ")
    return _misfit(pipeline, width, height) or (width, height)


def _misfit(pipeline: Mapping[str, Any], width: int, height: int) -> str | None:
    """Return why an image is too small for one of the pipeline's transforms; None if it is not."""
    if min(width, height) >= SMALLEST_SAFE_SIDE:
        return None
    for declaration in leaves(pipeline):
        transform = construct(declaration)
        try:
            transform(image=np.zeros((height, width, 3), np.uint8))
        except Exception as error:  # libraries raise anything for too few pixels
            return f"{width}x{height} pixels are too small for {type(transform).__name__}: {error}"
    return None


def open_input(file: Path) -> BinaryIO:
    """Open a regular file, or read one at an address. Raises OSError, and NotRegularError before it opens."""
    if not is_local(file):
        return BytesIO(read_bytes(file))
    kind = stat.filemode(file.stat().st_mode)[0]
    if kind != "-":
        raise NotRegularError(f"not a regular file: a {KINDS.get(kind, 'file of an unknown kind')}")
    # Non-blocking: if a FIFO has replaced the file since, opening it would wait for a writer.
    return open(file, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


def _header_size(opened: BinaryIO) -> Size:
    """Return width and height from the header of an image, 0 and 0 for another file."""
    try:
        with Image.open(opened, formats=FORMATS) as image:
            return image.size
    except Exception:  # parsers of broken headers raise anything
        return 0, 0
