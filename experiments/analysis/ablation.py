"""The time that each policy saves, changed alone in the same rounds."""

from math import nan
from typing import Any

import pandas as pd

from experiments.analysis.breakdown import mean_breakdowns
from experiments.analysis.causes import BY_ABLATION
from experiments.analysis.ceiling import with_model_seconds
from experiments.analysis.select import NoTrialsError, cell_keys, ok_trials
from experiments.analysis.statistics import BlockModel, time_saved
from experiments.store.columns import UNTOUCHED
from experiments.store.files import DetailReader

POINT = ["strategy", "workers", "saving"]
COLUMNS = [*POINT, "ablation", "rounds", "images_per_s", "gain", "low", "high", "counter", "before", "after"]


def gains(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """Return COLUMNS for each point and ablation, that with the largest gain first.

    The `gain` is the share of the time with no policy changed, with `low` and `high`, Holm-adjusted over the
    ablations of the point. `before` and `after` are means of the `counter` that belongs to the ablation (see
    `causes`), NaN if it has none. Raises NoTrialsError.
    """
    rows: list[list[Any]] = []
    for _, block in ok_trials(with_model_seconds(trials, parts)).groupby("saving"):
        model, means = BlockModel.of(block, cell_keys(block)), mean_breakdowns(block, parts)
        for cell in (cell for cell in model.cells if cell.ablation == UNTOUCHED):
            others = {each.ablation: each for each in model.cells if each[:3] == cell[:3] and each != cell}
            for ablation, gain in time_saved(model, cell, others).items():
                other = others[ablation]
                counter = BY_ABLATION[ablation].counter if ablation in BY_ABLATION else ""
                before, after = (means.get(each, {}).get(counter, nan) for each in (cell, other))
                rounds = min(model.rounds[cell], model.rounds[other])
                rate = block["tasks"].iloc[0] / model.seconds(other)
                rows.append([*cell[:3], ablation, rounds, rate, *gain, counter or None, before, after])
    if not rows:
        nothing = f"no cell with ablation={UNTOUCHED} and another to compare it with"
        raise NoTrialsError(f"{nothing}: run `make ablation`")
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("gain", ascending=False, ignore_index=True)
