"""The bars that this project sets itself: `dynamic` with runtime=fast reaches the ceiling, is ahead of the
study's strategies, and behind nobody's."""

from collections.abc import Iterable, Iterator
from math import nan
from typing import Any, NamedTuple

import pandas as pd

from augment.strategies import ENGINES, STUDY, Strategy
from augment.strategies.dynamic import Dynamic
from augment.strategies.instruments.copies import Copies
from augment.strategies.sequential import Sequential
from experiments.analysis.breakdown import breakdowns
from experiments.analysis.engines import AS_STUDIED, Cell, Workload
from experiments.analysis.statistics import BlockModel, Interval
from experiments.records.schema import OK
from experiments.records.store import Parts

FAST = "fast"  # the runtime of the bars
NOT_BEHIND = "not surely under 1"
NEAR, MIDDLE = 0.97, 0.94  # of the ceiling: what an interval must reach, and its middle be above
AHEAD_SAVING_OR_COMPUTING, AHEAD_LIGHT = 1.15, {(500, 500): 1.8, (2000, 1000): 1.5}
AT_CEILING = (2000, 1000)  # pixels: where the first bar holds
LIGHT = "light"
MEMORY_GROWTH = 1.1


class Bar(NamedTuple):
    """One bar on one workload: a ratio of rates or of bytes, what it has to be, and whether it is."""

    bar: str
    where: str
    ratio: float
    low: float
    high: float
    needed: str
    holds: bool


def bars(measured: Iterable[Workload], memory: pd.DataFrame) -> pd.DataFrame:
    """The bars, a row for each workload that they are for; `memory`: trials of experiment=memory."""
    rows = [bar for each in measured for bar in (*_of_times(each), *_digests(each))]
    return pd.DataFrame([*sorted(rows), *_memory(memory)], columns=Bar._fields)


def missed(measured: Iterable[Workload], parts: Parts) -> Iterator[tuple[str, pd.DataFrame]]:
    """The `breakdown` of the fast cell's trials, and of one process, in each workload of which a bar of
    times is missed; and which it is. Raises BreakdownError."""
    for each in measured:
        fast = _fast(each.model)
        if fast and any(not bar.holds for bar in _of_times(each)):
            trials = each.trials[each.trials["runtime_name"] == FAST]
            both = trials["strategy"].isin([Sequential.name, Dynamic.name])
            yield each.name, breakdowns(trials[both & trials["workers"].isin([1, fast.workers])], parts)


def _of_times(workload: Workload) -> list[Bar]:
    return [bar for check in (_near, _ahead, _engines) for bar in check(workload)]


def _fast(model: BlockModel) -> Cell | None:
    """The cell that the bars are about, with as many workers as the most that copies were measured with."""
    cells: Any = model.cells
    at_ceiling = [cell.workers for cell in cells if cell.strategy == Copies.name]
    return Cell(Dynamic.name, max(at_ceiling), FAST) if at_ceiling else None


def _rate(model: BlockModel, cell: Cell, other: Cell) -> Interval:
    """Tasks a second of a cell over those of another one."""
    return model.ratio(other, cell).ratio()


def _near(workload: Workload) -> Iterator[Bar]:
    values, model = workload.values, workload.model
    fast = _fast(model)
    if fast is None or fast not in model.cells or (values["width"], values["height"]) != AT_CEILING:
        return
    share = _rate(model, fast, fast._replace(strategy=Copies.name))
    holds = share.high >= NEAR and share.value > MIDDLE
    yield Bar("1 of the ceiling", workload.name, *share, f"reaches {NEAR}, middle above {MIDDLE}", holds)


def _ahead(workload: Workload) -> Iterator[Bar]:
    """Of the study's strategies as it ran them, and under any runtime."""
    values = workload.values
    size = values["width"], values["height"]
    is_light = values["pipeline"] == LIGHT and not values["saving"]
    least = AHEAD_LIGHT.get(size, 1.0) if is_light else AHEAD_SAVING_OR_COMPUTING
    for place, times in _over_best(workload, STUDY, AS_STUDIED):
        yield Bar("2 over the study's best", place, *times, f"{least} or more", times.value >= least)
    for place, times in _over_best(workload, STUDY):
        yield Bar("2 never behind the study's", place, *times, NOT_BEHIND, times.high >= 1)


def _engines(workload: Workload) -> Iterator[Bar]:
    for place, times in _over_best(workload, ENGINES):
        yield Bar("3 over the best engine", place, *times, NOT_BEHIND, times.high >= 1)


def _over_best(
    workload: Workload, kinds: Iterable[type[Strategy]], runtime_name: str | None = None
) -> Iterator[tuple[str, Interval]]:
    """The rate of the fast cell over that of the quickest of these strategies with as many workers, under one
    runtime or any; and where that is. Nothing where one of both was not measured."""
    model, names = workload.model, {kind.name for kind in kinds} - {Sequential.name}
    fast = _fast(model)
    cells: Any = model.cells
    rivals = [
        cell
        for cell in cells
        if fast and cell.strategy in names and cell.workers == fast.workers
        if runtime_name in (None, cell.runtime_name)
    ]
    if fast and fast in model.cells and rivals:
        best = min(rivals, key=model.seconds)
        yield f"{workload.name} ({best.strategy}, {best.runtime_name})", _rate(model, fast, best)


def _digests(workload: Workload) -> Iterator[Bar]:
    trials = workload.trials
    digests = trials.loc[trials["status"] == OK, "outputs_digest"].dropna()
    if len(digests):
        names = trials.loc[digests.index, "strategy"].nunique()
        counted = f"{workload.name} ({names} strategies)"
        yield Bar("5 digests", counted, digests.nunique(), nan, nan, "1", digests.nunique() == 1)


def _memory(trials: pd.DataFrame) -> Iterator[Bar]:
    ok = trials[trials["status"] == OK] if len(trials) else trials
    if len(ok) and ok["n_images"].nunique() > 1:
        peaks = ok.groupby("n_images")["peak_rss_bytes"].mean()
        few, many = int(peaks.index.min()), int(peaks.index.max())
        times = float(peaks[many] / peaks[few])
        where = f"{many} images over {few}"
        yield Bar("4 peak memory", where, times, nan, nan, f"{MEMORY_GROWTH} or less", times <= MEMORY_GROWTH)
