"""What a sweep prints at its end."""

from collections import Counter
from collections.abc import Sequence

from experiments.measure.cell_files import results_folder
from experiments.measure.cell_trials import Row
from experiments.measure.member import Member
from experiments.plan.cell import Cell
from experiments.records.schema import FAILED, OK

ALREADY = "already measured"


def summary(members: Sequence[Member]) -> str:
    """How many cells ended how; every failure; where the rows are."""
    statuses = Counter(_status(member) for member in members)
    counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
    lines = [f"{counts} of {len(members)} cells"]
    lines += [line for member in members for line in member.failures()]
    outside_s = [row["outside_s"] for member in members for row in member.rows if row.get("outside_s")]
    if outside_s:
        lines += [f"outside the timed regions: {sum(outside_s) / len(outside_s):.2f} s a trial"]
    if statuses[ALREADY]:
        lines += ["rerun=true measures again what is in the results already"]
    folders = {str(results_folder(member.cell) / "trials" / member.cell.experiment) for member in members}
    return "\n".join([*lines, f"rows: {', '.join(sorted(folders))}"])


def _status(member: Member) -> str:
    statuses = [row["status"] for row in member.rows]
    return FAILED if FAILED in statuses else statuses[0] if statuses else ALREADY


def numbers(cell: Cell, rows: Sequence[Row]) -> str:
    """`p2-4w-2000x1000-saving: 1.24 s (1.20 to 1.28), 65 images/s, 80 outputs, digest 0a1b2c…`; the reason
    where nothing was measured."""
    ok = [row for row in rows if row["status"] == OK]
    if not ok:
        return f"{cell.label}: {rows[-1]['error'] if rows else ALREADY}"
    walls_s = [row["wall_s"] for row in ok]
    spread = f" ({min(walls_s):.2f} to {max(walls_s):.2f})" if len(walls_s) > 1 else ""
    digest = f", digest {ok[0]['outputs_digest'][:12]}" if ok[0].get("outputs_digest") else ""
    wall_s = sum(walls_s) / len(walls_s)
    rate = f"{ok[0]['tasks'] / wall_s:.3g} images/s"
    return f"{cell.label}: {wall_s:.2f} s{spread}, {rate}, {ok[0]['outputs']} outputs{digest}"
