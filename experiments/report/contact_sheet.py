"""The originals of a validation with their augmentations, as people judge by eye."""

import glob
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from PIL import Image

from experiments.report.style import STYLE

THUMBNAIL = (400, 400)  # pixels


@mpl.rc_context(STYLE)
def contact_sheet(originals: Sequence[Path], outputs: Path, most: int = 8) -> Figure:
    """Each original in a row with its augmentations, `aug_{stem}_{augmentation_index:06d}{ext}` in
    `outputs`; at most `most` of both, and the title says of how many.

    Raises FileNotFoundError if there is no original or one has no augmentation.
    """
    if not originals:
        raise FileNotFoundError("no original images to show")
    made = {original: _augmentations(original, outputs) for original in originals[:most]}
    total = max(map(len, made.values()))
    width = min(most, total)
    figure = Figure(figsize=(1.3 * (width + 1), 1.3 * len(made) + 0.5), layout="constrained")
    figure.suptitle(f"{len(made)} of {len(originals)} images, {width} of {total} augmentations each")
    grid = figure.subplots(len(made), width + 1, squeeze=False)
    for axes, heading in zip(grid[0], ["original", *range(width)], strict=True):
        axes.set_title(heading)
    for line, (original, augmentations) in zip(grid, made.items(), strict=True):
        for axes, path in zip_longest(line, [original, *augmentations[:width]]):
            axes.axis("off")
            if path is not None:
                axes.imshow(_thumbnail(path))
    return figure


def _augmentations(original: Path, outputs: Path) -> list[Path]:
    stem, ext = glob.escape(original.stem), glob.escape(original.suffix)
    if found := sorted(outputs.glob(f"aug_{stem}_{'[0-9]' * 6}{ext}")):
        return found
    raise FileNotFoundError(f"{outputs}: no augmentation of {original.name}")


def _thumbnail(path: Path) -> Image.Image:
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail(THUMBNAIL)
    return small
