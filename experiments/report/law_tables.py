"""The fitted laws as tables, and in words how far each may be believed."""

from collections.abc import Iterable, Sequence

import pandas as pd

from experiments.analysis.law_cases import WEAK_MEASURES, Case
from experiments.analysis.laws import LEAST, POOR, Fit, extrapolate, karp_flatt
from experiments.report.tables import DASH, Table, label

OFF = "off by"
COLUMNS = ["saving", "strategy", "law", "quantity", "workers", "value", "low", "high"]
INTERVALS = (
    "In parentheses: 95 % intervals of a bootstrap, as wide as the repetitions' spread or, if that is less "
    "or unknown, as the residuals; they hold if the law does, and a baseline of unknown spread counts as "
    "exact. Off by: relative residual, root mean square; a fit off by more than "
    f"{POOR:.0%} is poor and not extrapolated."
)
INFINITE = "∞: no bound; without a peak the speedup never falls, and its peak is a limit."
SCALED = {
    WEAK_MEASURES[0]: "Scaled speedup: ranks x work-normalised efficiency.",
    WEAK_MEASURES[1]: "Scaled speedup: ranks x the study's efficiency, as if all work grew with the pixels. "
    "No Karp-Flatt fraction: it needs the sequential times at the same sizes.",
}


def law_tables(cases: Sequence[Case], title: str, usable_cpus: int | None = None) -> list[Table]:
    """The parameters of each law per strategy, and the serial fraction of Karp and Flatt per point.

    `data` is long: one number with its interval per row, `workers` where it belongs to one count.
    """
    tables = [_parameters(cases, f"{title}, laws", usable_cpus)]
    fixed_size = [case for case in cases if case.measure != WEAK_MEASURES[1] and len(case.points)]
    if fixed_size:
        tables.append(_karp_flatt(fixed_size, f"{title}, Karp-Flatt serial fraction"))
    return tables


def _parameters(cases: Sequence[Case], title: str, cpus: int | None) -> Table:
    heads = {(fit.law.name, name): None for case in cases for fit in case.fits for name in _results(fit)}
    rows, data = [], []
    for case in cases:
        found = {(fit.law.name, name): of for fit in case.fits for name, of in _results(fit).items()}
        data += [[case.saving, case.strategy, *key, None, *of] for key, of in found.items()]
        cells = [_cell(key[1], found[key]) if key in found else DASH for key in heads]
        rows.append(["yes" if case.saving else "no", label(case.strategy), *cells])
    columns = [("", "saving"), ("", "strategy"), *heads]
    notes = [INTERVALS] if heads else []
    notes += [INFINITE] if any("∞" in cell for row in rows for cell in row) else []
    measures = {case.measure for case in cases if case.fits}
    notes += [note for measure, note in SCALED.items() if measure in measures]
    notes += [in_words(case, cpus) for case in cases]
    return Table(title, columns, rows, pd.DataFrame(data, columns=COLUMNS), notes)


def _karp_flatt(cases: Sequence[Case], title: str) -> Table:
    """Workers down, strategies across; where it grows with the workers, the loss is no serial part."""
    data = []
    for case in cases:
        fractions = case.points[["speedup", "speedup_max", "speedup_min"]].apply(
            karp_flatt, workers=case.points["workers"]
        )
        for workers, values in zip(case.points["workers"], fractions.itertuples(index=False), strict=True):
            data.append([case.saving, case.strategy, "Karp-Flatt", "e", workers, *values])
    frame = pd.DataFrame(data, columns=COLUMNS)
    by_cell = {(saving, strategy, at): e for saving, strategy, _, _, at, e, *_ in data}
    rows = []
    for workers in sorted(set(frame["workers"])):
        found = [by_cell.get((case.saving, case.strategy, workers)) for case in cases]
        rows.append([str(workers), *(DASH if e is None else f"{e:.3f}" for e in found)])
    columns = [("saving" if case.saving else "no saving", label(case.strategy)) for case in cases]
    note = "e = (1/S - 1/P) / (1 - 1/P). Constant: a serial part. Growing: overhead. Below 0: superlinear."
    return Table(title, [("", "workers"), *columns], rows, frame, [note])


def in_words(case: Case, usable_cpus: int | None = None) -> str:
    """What was fitted, how well, and whether the laws agree on counts that nobody measured."""
    where = f"{label(case.strategy)}, {'saving' if case.saving else 'no saving'}"
    if not case.fits:
        return f"{where}: not fitted; {len(case.points)} of at least {LEAST} counts beyond 1 have a speedup."
    quality = [
        f"{fit.law.name} is off by {_percent(fit.residual_rms)}{', a poor fit' if fit.poor else ''}"
        for fit in case.fits
    ]
    return f"{where}: {'; '.join([_fitted_to(case, usable_cpus), *quality, *_forecast(case)])}."


def _fitted_to(case: Case, cpus: int | None) -> str:
    fitted = case.fits[0].workers
    beyond = [int(count) for count in case.points["workers"] if cpus is not None and count > cpus]
    if not beyond:
        return f"fitted to {_listed(fitted)} workers"
    if set(beyond) & set(fitted):
        return f"fitted to {_listed(fitted)} workers, though beyond {cpus} they share the usable CPUs"
    return f"fitted to {_listed(fitted)} workers, not to {_listed(beyond)}, which share {cpus} usable CPUs"


def _forecast(case: Case) -> list[str]:
    """Two laws disagree if their intervals do not meet."""
    good = {fit.law.name: fit for fit in case.fits if not fit.poor}
    if not good:
        return []
    (at,) = {case.horizon(fit) for fit in good.values()}
    ends = {name: extrapolate(fit, [at])[["speedup", "low", "high"]].iloc[0] for name, fit in good.items()}
    said = f"at {at} workers {' and '.join(f'{name} gives {_interval(end)}' for name, end in ends.items())}"
    if len(ends) == 1:
        return [said]
    apart = max(end["low"] for end in ends.values()) > min(end["high"] for end in ends.values())
    return [f"{said}: {'they disagree' if apart else 'their intervals meet'}"]


def _results(fit: Fit) -> dict[str, tuple[float, float, float]]:
    return {**fit.results(), OFF: (fit.residual_rms, float("nan"), float("nan"))}


def _cell(name: str, of: Sequence[float]) -> str:
    return _percent(of[0]) if name == OFF else _interval(of)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "<1%"


def _interval(of: Iterable[float]) -> str:
    value, low, high = map(_short, of)
    return f"{value} ({low}–{high})"


def _short(value: float) -> str:
    """Two digits suffice for what has such intervals."""
    return "∞" if value == float("inf") else f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _listed(counts: Sequence[int]) -> str:
    return ", ".join(map(str, counts))
