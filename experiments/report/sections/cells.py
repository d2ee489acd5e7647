"""The cells of an experiment with what they differ in, alone or beside their profiles."""

import pstats
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.analysis.scaling import summarise
from experiments.analysis.select import STRONG
from experiments.report.results import Results
from experiments.report.sections import OTHERS, Outputs, section
from experiments.report.tables import MEASURES, Table, measure_text, plain_table, repetition_notes
from experiments.store.columns import DETERMINING

MAX_FUNCTIONS = 25  # of a profile


@section(OTHERS)
def cells(results: Results) -> Outputs:
    """Yield every measured cell, named by the columns in which cells differ."""
    always = [*STRONG, "savers", "strategy_options"]
    others = [column.name for column in DETERMINING if column.name not in always]
    data = summarise(results.trials, [*always, *others])[0].astype({"savers": "Int64"})
    shown = data[always + [name for name in others if data[name].nunique(dropna=False) > 1]]
    for name in ("wall_s", "images_per_s"):
        shown[MEASURES[name].head] = [measure_text(point, name) for point in data.to_dict("records")]
    yield "table", [plain_table(results.title, data, repetition_notes(data), shown)]


@section("profile")
def profile(results: Results) -> Outputs:
    """Yield the cells, and a table for each `.pstats` file."""
    yield from cells(results)
    for path in sorted((results.folder / "profiles").glob("*/*.pstats")):
        yield f"{path.parent.name}-{path.stem}", [profile_table(path)]


def profile_table(path: Path) -> Table:
    """Return the functions of a `.pstats` file by their own time, without callees, as in the study."""
    stats: Any = pstats.Stats(str(path))
    rows = [  # not by get_stats_profile, which merges functions of one name and rounds to milliseconds
        (calls, own_s, total_s, name, f"{Path(file).name}:{line}" if line else "built in")
        for (file, line, name), (_, calls, own_s, total_s, _) in stats.stats.items()
    ]
    data = pd.DataFrame(rows, columns=["calls", "own (s)", "with callees (s)", "function", "where"])
    data = data.sort_values("own (s)", ascending=False, ignore_index=True)
    note = f"{stats.total_tt:.2f} s in all. The table has the {MAX_FUNCTIONS} functions with most own time."
    title = f"cProfile of the {path.stem}, {path.parent.name}"
    return plain_table(title, data, [note], data.head(MAX_FUNCTIONS))
