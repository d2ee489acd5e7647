"""Which strategy and how many workers: the fewest that are about as fast as the fastest."""

import pandas as pd

from experiments.analysis.scaling import INSTRUMENTS
from experiments.analysis.statistics import BlockModel, best_set
from experiments.analysis.text import counted, label, percent, with_or_without
from experiments.records.schema import OK

AS_FAST = 1.05  # times the fastest: within it the fewest workers are recommended


def recommendation(trials: pd.DataFrame) -> list[str]:
    """A sentence for saving and one for no saving: what to use, and by how much it is at most slower than
    the best of all that was measured. Instruments are left out."""
    ok = trials[(trials["status"] == OK) & ~trials["strategy"].isin(INSTRUMENTS)]
    ok = ok[ok.groupby("saving")["inputs_digest"].transform("nunique") <= 1]  # of one workload
    return [_sentence(bool(flag), block) for flag, block in ok.groupby("saving")]


def _sentence(saving: bool, trials: pd.DataFrame) -> str:
    cells = list(zip(trials["strategy"], trials["workers"], strict=True))
    model = BlockModel.of(trials, cells)
    seconds = {cell: model.seconds(cell) for cell in dict.fromkeys(cells)}
    near = [cell for cell in seconds if seconds[cell] <= AS_FAST * min(seconds.values())]
    strategy, workers = chosen = min(near, key=lambda cell: (cell[1], seconds[cell]))
    bounds = best_set(model, list(seconds))
    words = f"{with_or_without(saving).capitalize()}: {label(strategy)} with {counted(workers, 'worker')}, "
    words += f"the fewest within {percent(AS_FAST - 1)} of the fastest"
    if bounds[chosen] > 1:
        return f"{words}; so few rounds do not tell by how much it may be slower."
    return f"{words}; at most {percent(bounds[chosen])} slower than the best of all measured (95 %)."
