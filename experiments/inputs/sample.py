"""Some of many images that stand for all of them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from PIL import Image

from augment.location import is_local
from experiments.inputs.content import open_regular

# Formats that OpenCV reads too. Pillow knows others: its EPS, for one, starts Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "SUN")
Image.MAX_IMAGE_PIXELS = None  # only headers are read; `max_image_pixels` decides what is decoded


def drawn(files: Sequence[Path], count: int | None, seed: int) -> list[Path]:
    """At most `count` of the files, in their order: by `size` in so many ranges of equally many files, one
    drawn out of each, so that small and large ones are among them as they are among all."""
    if count is None or count >= len(files):
        return list(files)
    known = sizes(files)
    by_size = sorted(range(len(files)), key=known.__getitem__)
    chooser, ends = Random(seed), [k * len(files) // count for k in range(count + 1)]
    chosen = [chooser.choice(by_size[ends[k] : ends[k + 1]]) for k in range(count)]
    return [files[place] for place in sorted(chosen)]


def sizes(files: Sequence[Path]) -> list[int]:
    """The `size` of each."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(size, files))


def size(file: Path) -> int:
    """Pixels, by the header of an image; of one at an address, where that would take as long as all of it,
    its bytes; 0 of what is no image."""
    if not is_local(file):
        return int(file.stat().st_size)
    width, height = dimensions(file) or (0, 0)
    return width * height


def dimensions(file: Path) -> tuple[int, int] | None:
    """Return width and height by the header of a regular file; None if that is not an image's."""
    try:
        with open_regular(file) as opened, Image.open(opened, formats=FORMATS) as image:
            return image.size
    except Exception:  # parsers of broken headers raise anything
        return None
