"""The lines that a command prints at its end: one for each cell."""

import json
import time

import psutil

from experiments.store.columns import FAILED
from experiments.sweep.cells import ALREADY_MEASURED, SweepCell, of_newest_node, ok_rows
from experiments.sweep.output_records import BAD_IMAGES
from experiments.wording import duration, pluralise, significant


def result_line(cell: SweepCell) -> str:
    """Return its numbers, like `p2-4w-2000x1000-saving: 1.24 s (1.20 to 1.28), 65.0 images/s, 80 outputs`."""
    label, rows = cell.cell.label, cell.stored_rows
    if cell.outputs:
        return f"{label}: {cell.rows[-1]['status'] if cell.rows else 'all outputs are there'}"
    if not (ok := of_newest_node(ok_rows(rows))):
        return f"{label}: {rows[-1]['error'] if rows else ALREADY_MEASURED}"
    walls_s = [row["wall_s"] for row in ok]
    spread = f" ({significant(min(walls_s))} to {significant(max(walls_s))})" if len(walls_s) > 1 else ""
    digest = f", digest {ok[0]['outputs_digest'][:12]}" if ok[0].get("outputs_digest") else ""
    wall_s = sum(walls_s) / len(walls_s)
    rate = f"{significant(ok[0]['tasks'] / wall_s)} images/s"
    return f"{label}: {significant(wall_s)} s{spread}, {rate}, {ok[0]['outputs']} outputs{digest}"


def output_line(cell: SweepCell, is_alone: bool) -> str | None:
    """Return the outcome for kept outputs: `200 images of 200 in 3 min 12 s (start to end), …`."""
    if not cell.outputs or cell.status == FAILED:
        return None
    total, place = cell.outputs.work.n_tasks, cell.cell.config.output_dir
    if not cell.rows:
        return f"{place}: all outputs are there; nothing was left to do"
    row = cell.rows[-1]
    resumed = f" ({row['resumed_outputs']:,} were there)" if row["resumed_outputs"] else ""
    bad = len(json.loads(row["skipped_images"] or "{}"))
    listed = f", {pluralise(bad, 'bad image')}: {place}/{BAD_IMAGES}" if bad else ""
    end = f"{significant(row['output_bytes'] / 1e6)} MB{listed}"
    done = f"{row['outputs']:,} images of {total:,}{resumed}"
    if is_alone:
        return f"{done} in {duration(time.time() - psutil.Process().create_time())} (start to end), {end}"
    return f"{place}: {done} in {duration(row['wall_s'] + row['untimed_s'])}, {end}"
