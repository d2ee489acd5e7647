"""A/A: what `experiments.analysis.compare` says of identical code, measured over and over."""

from itertools import pairwise

import pandas as pd

from experiments.analysis.compare import compare
from experiments.analysis.scaling import NoTrialsError
from experiments.records.schema import OK
from experiments.report.tables import Table, plain_table

SIZE = 3  # repetitions on each side of a comparison


def against_itself(trials: pd.DataFrame) -> pd.DataFrame:
    """A comparison of each SIZE consecutive trials with the next SIZE, in the order of their time.

    Raises NoTrialsError when there are too few trials for one."""
    ordered = trials[trials["status"] == OK].sort_values("started_at")
    groups = [ordered.iloc[begin : begin + SIZE] for begin in range(0, len(ordered) - SIZE + 1, SIZE)]
    if len(groups) < 2:
        raise NoTrialsError(f"fewer than {2 * SIZE} trials: run `make against-itself`")
    compared = [compare(a, b) for a, b in pairwise(groups)]
    return pd.concat(compared, ignore_index=True)


def against_itself_table(trials: pd.DataFrame) -> Table:
    """How many comparisons of identical code claim a difference, and all of them as data."""
    data = against_itself(trials)
    claims = data[~data["verdict"].str.startswith("no difference")]
    counts = pd.DataFrame({"comparisons": [len(data)], "claims of a difference": [len(claims)]})
    notes = [
        f"Each compares {SIZE} consecutive trials with the next {SIZE} of the same cell.",
        *claims["verdict"],
    ]
    return plain_table("Identical code against itself", data, notes, counts)
