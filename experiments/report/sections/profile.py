"""What cProfile saw of the master and of one worker, sorted by own time as in the study."""

import pstats
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.sections.cells import cells
from experiments.report.tables import Table, plain_table

SHOWN = 25  # functions


@section("profile")
def profile(results: Results) -> Outputs:
    """The cells, and a table for each `.pstats` file of theirs."""
    yield from cells(results)
    for path in sorted((results.folder / "profiles").glob("*/*.pstats")):
        yield f"{path.parent.name}-{path.stem}", [profile_table(path)]


def profile_table(path: Path) -> Table:
    """The functions of a `.pstats` file that took most time of their own, in seconds.

    Not by `get_stats_profile`: of the functions of one name it keeps one, and it rounds to milliseconds."""
    stats: Any = pstats.Stats(str(path))
    rows = [
        (calls, own_s, total_s, name, f"{Path(file).name}:{line}" if line else "built in")
        for (file, line, name), (_, calls, own_s, total_s, _) in stats.stats.items()
    ]
    data = pd.DataFrame(rows, columns=["calls", "own (s)", "with callees (s)", "function", "where"])
    data = data.sort_values("own (s)", ascending=False, ignore_index=True)
    note = f"{stats.total_tt:.2f} s in all; the {SHOWN} functions with most time of their own."
    return plain_table(f"cProfile of the {path.stem}, {path.parent.name}", data, [note], data.head(SHOWN))
