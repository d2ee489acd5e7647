"""Every strategy on every workload of an experiment, held against the ceiling under the same runtime."""

from typing import Any, NamedTuple

import pandas as pd

from experiments.analysis.ceiling import with_ceilings
from experiments.analysis.scaling import ceiling_shares, public
from experiments.analysis.select import STRONG, ok_trials, require, select
from experiments.store.files import DetailReader

WORKLOAD = ["pipeline", "width", "height", "saving"]
AS_STUDIED = "study"  # the runtime of the study
KEY = [*STRONG, "runtime_name"]


class Cell(NamedTuple):
    """What the model of a workload calls a cell."""

    strategy: str
    workers: int
    runtime_name: str


def engine_points(trials: pd.DataFrame, parts: DetailReader) -> tuple[pd.DataFrame, list[str]]:
    """Return the points (see `scaling`) of every workload, strategy, worker count and runtime, each with the
    last `error` and the mean `peak_rss_bytes`; and lines on which trials were left out. Raises NoTrialsError.

    `ceiling_share` is of the ceiling under the same runtime."""
    require(trials)
    points, notes = [], []
    for values, same in trials.groupby(WORKLOAD, sort=False):
        kept, left_out = select(same, (*STRONG, "runtime"))
        rated = pd.concat(with_ceilings(block, parts) for _, block in kept.groupby("runtime"))
        shares = public(ceiling_shares(rated, KEY)).join(rated.groupby(KEY)["error"].last(), on=KEY)
        shares = shares.join(ok_trials(rated).groupby(KEY)["peak_rss_bytes"].mean(), on=KEY)
        workload: Any = dict(zip(WORKLOAD, values, strict=True))
        points.append(shares.assign(**workload))
        notes += left_out
    return pd.concat(points, ignore_index=True), [*dict.fromkeys(notes)]
