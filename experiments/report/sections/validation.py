"""The comparison of every strategy's outputs with those of `sequential`, and a contact sheet of them."""

import glob
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from augment.strategies.sequential import Sequential
from experiments.analysis.select import ok_trials
from experiments.report.charts import Chart, panels, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Table, plain_table
from experiments.store.columns import OK

THUMBNAIL_PIXELS = (400, 400)
NO_REFERENCE = "Nothing to compare with: sequential wrote no files, or different ones in two trials."


@section(
    "validation",
    chapter="Validation",
    words="Real photos, augmented by every strategy. All outputs must be equal byte for byte.",
    order=90,
)
def validation(results: Results) -> Outputs:
    """Yield the comparison, and a contact sheet or a note on why there is none."""
    trials, notes = results.selected()
    table = validation_table(trials, notes)
    kept = ok_trials(trials).dropna(subset="output_dir")
    try:
        if kept.empty:
            raise FileNotFoundError("no cell has kept its outputs; output_dir=FOLDER keeps them")
        first = kept.iloc[0]
        originals = sorted(path for path in Path(first["inputs"]).iterdir() if path.is_file())
        yield "contact_sheet", Chart(contact_sheet(originals, Path(first["output_dir"])), table.data)
    except OSError as error:
        table.notes.append(f"No contact sheet: {error}")
    yield "table", [table]


def validation_table(trials: pd.DataFrame, notes: Sequence[str]) -> Table:
    """Return whether each strategy wrote the files of `sequential`, byte for byte."""
    columns = ["strategy", "workers", "status", "outputs", "outputs_digest"]
    data = trials[columns].drop_duplicates().sort_values(columns[:2]).astype({"outputs": "Int64"})
    sequential = (data["strategy"] == Sequential.name) & (data["status"] == OK)
    reference = data.loc[sequential, "outputs_digest"].dropna()
    same = data["outputs_digest"].isin(reference).astype("boolean")
    data["identical to sequential"] = same.where(data["outputs_digest"].notna() & (len(reference) == 1))
    remarks = [] if len(reference) == 1 else [NO_REFERENCE]
    return plain_table("Validation", data, [*remarks, *notes])


@styled
def contact_sheet(originals: Sequence[Path], outputs: Path, limit: int = 8) -> Figure:
    """Draw each original in a row with its augmentations, at most `limit` of both.

    Raises FileNotFoundError if there is no original, or an original has no augmentation in `outputs`.
    """
    if not originals:
        raise FileNotFoundError("no original images to show")
    augmentations = {original: _augmentations(original, outputs) for original in originals[:limit]}
    total = max(map(len, augmentations.values()))
    rows, width = len(augmentations), min(limit, total)
    title = f"{rows} of {len(originals)} images, {width} of {total} augmentations each"
    figure, grid = panels(title, (1.3 * (width + 1), 1.3 * rows + 0.5), rows, width + 1)
    for axes in grid:
        axes.axis("off")
    for row, (original, paths) in enumerate(augmentations.items()):
        for number, path in enumerate([original, *paths[:width]]):
            axes = grid[row * (width + 1) + number]
            axes.set_title("" if row else str(number - 1) if number else "original")
            with Image.open(path) as image:
                image.draft("RGB", THUMBNAIL_PIXELS)  # decodes a JPEG no larger than needed
                thumbnail = image.convert("RGB")
            thumbnail.thumbnail(THUMBNAIL_PIXELS)
            axes.imshow(thumbnail)
    return figure


def _augmentations(original: Path, outputs: Path) -> list[Path]:
    stem, ext = glob.escape(original.stem), glob.escape(original.suffix)
    if paths := sorted(outputs.glob(f"aug_{stem}_{'[0-9]' * 6}{ext}")):
        return paths
    raise FileNotFoundError(f"{outputs}: no augmentation of {original.name}")
