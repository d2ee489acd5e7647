"""Tables of cProfile's statistics, sorted by own time as in the study."""

import pstats
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.report.tables import Table, plain_table

MOST = 25  # functions


def profile_table(path: Path) -> Table:
    """The functions of a `.pstats` file that took most time of their own, in seconds."""
    profile: Any = pstats.Stats(str(path))
    rows = [
        {
            "calls": calls,
            "own (s)": own_s,
            "with callees (s)": cumulative_s,
            "function": name,
            "where": f"{Path(file).name}:{line}" if line else "built in",
        }
        for (file, line, name), (_, calls, own_s, cumulative_s, _) in profile.stats.items()
    ]
    data = pd.DataFrame(rows).sort_values("own (s)", ascending=False, ignore_index=True)
    note = f"{profile.total_tt:.2f} s in all; the {MOST} functions with most time of their own."
    return plain_table(f"cProfile of the {path.stem}, {path.parent.name}", data, [note], data.head(MOST))
