"""The fitted laws as tables, and in words how far each may be believed; `laws` shows both."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from experiments.analysis.law_cases import WEAK_MEASURES, Case
from experiments.analysis.laws import MIN_COUNTS, POOR, extrapolate, karp_flatt
from experiments.analysis.text import label, percent, with_or_without
from experiments.report.tables import Table, plain_table, side_by_side

COLUMNS = ["saving", "strategy", "law", "quantity", "workers", "value", "low", "high"]
INTERVALS = (
    "In parentheses: 95 % intervals of a bootstrap, as wide as the repetitions' spread or, if that is less "
    "or unknown, as the residuals; they hold if the law does, and a baseline of unknown spread counts as "
    "exact. Off by: relative residual, root mean square; a fit off by more than "
    f"{percent(POOR)} is poor and not extrapolated."
)
INFINITE = "∞: no bound; without a peak the speedup never falls, and its peak is a limit."
SCALED = {
    WEAK_MEASURES[0]: "Scaled speedup: ranks x work-normalised efficiency.",
    WEAK_MEASURES[1]: "Scaled speedup: ranks x the study's efficiency, as if all work grew with the pixels. "
    "No Karp-Flatt fraction: it needs the sequential times at the same sizes.",
}
OFF_BY = "off by"  # the quantity that says how far a fit is from its points
CONSTANT = "e = (1/S - 1/P) / (1 - 1/P). Constant: a serial part. Growing: overhead. Below 0: superlinear."


def law_tables(cases: Sequence[Case], title: str, cpus: int | None = None) -> list[Table]:
    """The parameters of each law per strategy, and the serial fraction of Karp and Flatt per point.

    `data` is long: one number with its interval per row, `workers` where it belongs to one count.
    """
    tables = [_parameters(cases, f"{title}, laws", cpus)]
    fixed_size = [case for case in cases if case.measure != WEAK_MEASURES[1] and len(case.points)]
    if fixed_size:
        tables.append(_karp_flatt(fixed_size, f"{title}, Karp-Flatt serial fraction"))
    return tables


def _parameters(cases: Sequence[Case], title: str, cpus: int | None) -> Table:
    rows: list[list[Any]] = [
        [case.saving, case.strategy, fit.law.name, quantity, None, *values]
        for case in cases
        for fit in case.fits
        for quantity, values in {**fit.results(), OFF_BY: (fit.residual_rms, None, None)}.items()
    ]
    data = pd.DataFrame(rows, columns=COLUMNS)
    texts = [percent(row[5]) if row[3] == OFF_BY else _interval(row[5:]) for row in rows]
    long = data.assign(head=data["law"] + "\n" + data["quantity"], text=texts)
    keys = pd.MultiIndex.from_tuples([(case.saving, case.strategy) for case in cases], names=COLUMNS[:2])
    measures = {case.measure for case in cases if case.fits}
    notes = [INTERVALS] if rows else []
    notes += [INFINITE] if any("∞" in text for text in texts) else []
    notes += [note for measure, note in SCALED.items() if measure in measures]
    notes += [_summary(case, cpus) for case in cases]
    return plain_table(title, data, notes, side_by_side(long, keys))


def _karp_flatt(cases: Sequence[Case], title: str) -> Table:
    """Workers down, strategies across; where it grows with the workers, the loss is no serial part."""
    rows = [
        [case.saving, case.strategy, "Karp-Flatt", "e", point["workers"]]
        + [karp_flatt(point[f"speedup{end}"], point["workers"]) for end in ("", "_max", "_min")]
        for case in cases
        for point in case.points.to_dict("records")
    ]
    data = pd.DataFrame(rows, columns=COLUMNS)
    heads = data["saving"].map(with_or_without) + "\n" + data["strategy"].map(label)
    long = data.assign(head=heads, text=data["value"].map("{:.3f}".format))
    keys = pd.Index(sorted(set(data["workers"])), name="workers")
    return plain_table(title, data, [CONSTANT], side_by_side(long, keys))


def _summary(case: Case, cpus: int | None) -> str:
    """What was fitted, how well, and whether the laws agree on counts that nobody measured."""
    where = f"{label(case.strategy)}, {with_or_without(case.saving)}"
    if not case.fits:
        counts = f"{len(case.points)} of {MIN_COUNTS} counts or more beyond 1"
        return f"{where}: not fitted; {counts} have a speedup."
    quality = [
        f"{fit.law.name} is off by {percent(fit.residual_rms)}{', a poor fit' if fit.poor else ''}"
        for fit in case.fits
    ]
    return f"{where}: {'; '.join([_fitted_to(case, cpus), *quality, *_forecast(case)])}."


def _fitted_to(case: Case, cpus: int | None) -> str:
    fitted = case.fits[0].workers
    beyond = [int(count) for count in case.points["workers"] if cpus is not None and count > cpus]
    counts, others = (", ".join(map(str, each)) for each in (fitted, beyond))
    if not beyond:
        return f"fitted to {counts} workers"
    if set(beyond) & set(fitted):
        return f"fitted to {counts} workers, though beyond {cpus} they share the usable CPUs"
    return f"fitted to {counts} workers, not to {others}, which share {cpus} usable CPUs"


def _forecast(case: Case) -> list[str]:
    """Two laws disagree if their intervals do not meet."""
    good = {fit.law.name: fit for fit in case.fits if not fit.poor}
    if not good:
        return []
    (at,) = {case.horizon(fit) for fit in good.values()}
    ends = {name: extrapolate(fit, [at])[["speedup", "low", "high"]].iloc[0] for name, fit in good.items()}
    given = (f"{name} gives {_interval(end)}" for name, end in ends.items())
    forecast = f"at {at} workers {' and '.join(given)}"
    if len(ends) == 1:
        return [forecast]
    apart = max(end["low"] for end in ends.values()) > min(end["high"] for end in ends.values())
    return [f"{forecast}: {'they disagree' if apart else 'their intervals meet'}"]


def _interval(values: Iterable[float]) -> str:
    """`22 (17 to 46)`; two digits suffice for what has such intervals."""
    value, low, high = (
        "∞" if value == float("inf") else f"{value:.0f}" if value >= 10 else f"{value:.2g}"
        for value in values
    )
    return f"{value} ({low} to {high})"
