"""The lines that a sweep prints at its end."""

from collections import Counter
from collections.abc import Sequence

from experiments.config.cell import Cell
from experiments.store.columns import FAILED, OK
from experiments.sweep.cells import Row, SweepCell

ALREADY = "already measured"


def summary(cells: Sequence[SweepCell]) -> str:
    """Return how many cells ended how, every failure, and where the rows are."""
    statuses = Counter(_status(cell) for cell in cells)
    counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
    lines = [f"{counts} of {len(cells)} cells"]
    lines += [line for cell in cells for line in cell.failures]
    untimed_s = [row["untimed_s"] for cell in cells for row in cell.rows if row.get("untimed_s")]
    if untimed_s:
        lines += [f"outside the timed regions: {sum(untimed_s) / len(untimed_s):.2f} s a trial"]
    if statuses[ALREADY]:
        lines += ["rerun=true measures again what is in the results already"]
    folders = {str(cell.cell.config.results_folder / "trials" / cell.cell.experiment) for cell in cells}
    return "\n".join([*lines, f"rows: {', '.join(sorted(folders))}"])


def _status(cell: SweepCell) -> str:
    statuses = [row["status"] for row in cell.rows]
    return FAILED if FAILED in statuses else statuses[0] if statuses else ALREADY


def numbers(cell: Cell, rows: Sequence[Row]) -> str:
    """Return `p2-4w-2000x1000-saving: 1.24 s (1.20 to 1.28), 65 images/s, 80 outputs, digest 0a1b2c…`.

    If nothing was measured, return the reason.
    """
    ok = [row for row in rows if row["status"] == OK]
    if not ok:
        return f"{cell.label}: {rows[-1]['error'] if rows else ALREADY}"
    walls_s = [row["wall_s"] for row in ok]
    spread = f" ({min(walls_s):.2f} to {max(walls_s):.2f})" if len(walls_s) > 1 else ""
    digest = f", digest {ok[0]['outputs_digest'][:12]}" if ok[0].get("outputs_digest") else ""
    wall_s = sum(walls_s) / len(walls_s)
    rate = f"{ok[0]['tasks'] / wall_s:.3g} images/s"
    return f"{cell.label}: {wall_s:.2f} s{spread}, {rate}, {ok[0]['outputs']} outputs{digest}"
