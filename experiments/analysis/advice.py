"""The answer: which strategy, how many workers and which runtime; how fast that will be, and what stops it.

Candidates are held against each other in the rounds of the block model. Recommended is the one that is at
most slower than the best by least (95 %, see `statistics.best_set`). What its command will reach is foretold
from its trials on the larger sample: T = outside + tasks x (T_sample - outside) / tasks_sample, where
`outside` is before the first task and after the last one. Its interval is that of one run more: from how
trials differ, which longer runs average out, up to AVERAGES_OUT times as long, and how the images of the
sample differ."""

import json
from dataclasses import dataclass
from math import exp, inf, log, nan, sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from augment.strategies.instruments.copies import Copies
from augment.strategies.sequential import Sequential
from experiments.analysis.ablation import comparable
from experiments.analysis.ceiling import with_ceilings
from experiments.analysis.costs import STAGE_COLUMNS
from experiments.analysis.engines import Cell
from experiments.analysis.scaling import INSTRUMENTS, require
from experiments.analysis.select import select
from experiments.analysis.spoilers import BUSY, growing_memory, own_randomness, taken_by_others
from experiments.analysis.statistics import LEVEL, BlockModel, Interval, best_set
from experiments.analysis.text import counted, percent
from experiments.analysis.verdict import verdicts
from experiments.plan.options import UNTOUCHED
from experiments.records.schema import FAILED, OK
from experiments.records.store import Parts

AS_FAST = 1.05  # times the fastest: as fast as it, for whoever wants few workers
ENOUGH = 0.05  # a bound below which no more rounds are needed
AVERAGES_OUT = 9  # times as long a run differs as little as the mean of so many; what lasts longer is drift
TOO_FAR = 0.5  # a bound, or a half width of what is foretold, that answers nothing
SAID_BY_INTERVALS = ("the repetitions differ", "the machine ran")
AXES = ("strategy", "workers", "runtime")
SPAN = ["image_index", "start_s", "end_s", *STAGE_COLUMNS]


class RefusedError(ValueError):
    """The rows cannot carry a recommendation: why, and what to run."""


@dataclass(frozen=True)
class Advice:
    """What is recommended for the whole of what was asked for. Rates are augmented images per second."""

    candidate: Cell
    command: str
    images_per_s: Interval  # of one run of the command
    ceiling_share: Interval
    peak_rss_bytes: float
    at_most_slower: float  # share of the best one's time
    fewest: Cell  # workers of all that are within AS_FAST of the fastest
    runner_up: Cell | None
    behind: Interval  # the runner-up's time over the candidate's
    policies: dict[str, Interval]  # that pay alone: option, how many times as fast
    verdict: dict[str, Any] | None  # see `verdict.verdicts`
    ceiling_speedup: Interval  # of the copies over one process
    spoilers: list[str]
    notes: list[str]  # on what was measured, and what was not


@dataclass(frozen=True)
class Measured:
    """The trials that an answer is drawn from, in the seconds of the ceiling's rate for copies."""

    trials: pd.DataFrame
    model: BlockModel
    notes: list[str]

    @property
    def candidates(self) -> list[Cell]:
        """What may be recommended, the fastest first."""
        cells: Any = self.model.cells
        return sorted((each for each in cells if each.strategy not in INSTRUMENTS), key=self.model.seconds)

    def of(self, cell: Cell) -> pd.DataFrame:
        """The ok trials of a candidate."""
        here = (self.trials[[*Cell._fields]] == list(cell)).all(axis=1)
        return self.trials[here & (self.trials["status"] == OK)]


def measured(trials: pd.DataFrame, parts: Parts, asked: pd.DataFrame) -> Measured:
    """The candidates of the newest search, without its ablations, on the largest sample that several of them
    were measured on. Raises NoTrialsError."""
    begun = trials["started_at"] >= (asked["started_at"].max() if len(asked) else trials["started_at"].min())
    of_search = trials[begun & (trials["ablation"] == UNTOUCHED)]
    require(of_search)
    cells = (
        of_search.groupby("tasks")[["strategy", "workers", "runtime_name"]]
        .value_counts()
        .groupby("tasks")
        .size()
    )
    sizes = sorted(cells.index[cells > 1]) or sorted(cells.index)
    if sizes:
        of_search = of_search[of_search["tasks"].isna() | (of_search["tasks"] == sizes[-1])]
    kept, notes = select(of_search, AXES)
    rated = with_ceilings(kept, parts)
    ok = rated[rated["status"] == OK]
    names = [Cell(*each) for each in ok[[*Cell._fields]].itertuples(index=False)]
    return Measured(rated, BlockModel.of(ok, names), notes)


def survivors(found: Measured, at_most: int) -> list[Cell]:
    """What more rounds are for: the recommended candidate, and those that it may be slower than by most,
    beyond ENOUGH. All others are surely about as slow or slower."""
    best = recommended(found)
    others = [cell for cell in found.candidates if cell != best]
    level = 1 - 2 * (1 - LEVEL) / max(len(others), 1)  # one-sided, as in `best_set`
    highs = {cell: found.model.ratio(best, cell).ratio(level).high for cell in others}
    rivals = sorted((cell for cell in others if not highs[cell] <= 1 + ENOUGH), key=lambda cell: -highs[cell])
    return [best, *rivals[: at_most - 1]]


def advise(trials: pd.DataFrame, parts: Parts, asked: pd.DataFrame) -> Advice:
    """The recommendation for what was asked for (rows of `schema.Candidate`). Raises RefusedError with the
    reason where the rows cannot carry one, NoTrialsError where there are none."""
    found = measured(trials, parts, asked)
    model, cells = found.model, found.candidates
    _refuse(found, asked)
    bounds, chosen = best_set(model, cells), recommended(found)
    if bounds[chosen] > TOO_FAR:
        raise RefusedError(
            f"after {counted(model.rounds[chosen], 'round')} even {chosen.strategy} with {chosen.workers} "
            f"workers may be {percent(bounds[chosen])} slower than the best; give more, "
            f"advise.budget_s={_more(asked)}"
        )
    others = [cell for cell in cells if cell != chosen]
    runner_up = others[0] if others else None
    rate = promised(found, trials, chosen, parts, asked)
    near = [cell for cell in cells if model.seconds(cell) <= AS_FAST * model.seconds(cells[0])]
    at_ceiling = _ceiling(model, chosen)
    one = min((cell for cell in cells if cell.strategy == Sequential.name), key=model.seconds, default=chosen)
    return Advice(
        chosen,
        _request(asked, chosen)["command"],
        rate,
        model.ratio(at_ceiling, chosen).ratio(),
        float(found.of(chosen)["peak_rss_bytes"].mean()),
        bounds[chosen],
        min(near, key=lambda cell: (cell.workers, model.seconds(cell))),
        runner_up,
        model.ratio(runner_up, chosen).ratio() if runner_up else Interval(nan, nan, nan),
        policies(trials, chosen),
        _verdict(found, chosen, at_ceiling, parts),
        model.ratio(one, at_ceiling).ratio(),
        spoilers(found, trials, chosen, parts),
        [*_coverage(found, asked), *found.notes],
    )


def recommended(found: Measured) -> Cell:
    """The candidate that is at most slower than the best by least; one with more workers than CPUs only where
    it is surely faster than the best one without."""
    bounds, model = best_set(found.model, found.candidates), found.model
    ranked = sorted(found.candidates, key=lambda cell: (bounds[cell], cell.workers))
    cpus = found.trials["usable_cpus"].max()
    within = [cell for cell in ranked if cell.workers <= cpus]
    if within and not model.ratio(within[0], ranked[0]).ratio().low > 1:
        return within[0]
    return ranked[0]


def _refuse(found: Measured, asked: pd.DataFrame) -> None:
    """Raises RefusedError for rows that tell nothing."""
    if not found.candidates:
        reasons = found.trials["error"].dropna()
        raise RefusedError(
            f"nothing could be measured: {reasons.iloc[-1] if len(reasons) else 'no trial was ok'}"
        )
    if asked.empty:
        raise RefusedError("it is not recorded what was asked for: run python run.py experiment=advise")
    rounds = max(found.model.rounds[cell] for cell in found.candidates)
    if rounds < 2 or not found.model.dof:
        raise RefusedError(
            f"{counted(rounds, 'round')} only: how far the times vary is not known; give more, "
            f"repetitions=2 advise.budget_s={_more(asked)}"
        )
    ok = found.trials[found.trials["status"] == OK]
    if (taken := taken_by_others(ok)) > BUSY:
        raise RefusedError(
            f"other processes took {percent(taken)} of the CPUs while it was measured; end them, and give "
            "the same command with rerun=true"
        )


def _more(asked: pd.DataFrame) -> str:
    return f"{2 * asked['budget_s'].max():.0f}"


def promised(found: Measured, every: pd.DataFrame, cell: Cell, parts: Parts, asked: pd.DataFrame) -> Interval:
    """Augmented images per second of one run of a candidate's command. Raises RefusedError where that is too
    uncertain to say."""
    own, whole = found.of(cell), _request(asked, cell)
    trials = _longest(every, own)
    spans = [parts.of("tasks", each, SPAN) for each in trials["trial_id"]]
    inside_s = np.array([each["end_s"].max() - each["start_s"].min() for each in spans])
    outside_s = trials["wall_s"].to_numpy(float) - inside_s
    times = whole["tasks"] / float(trials["tasks"].iloc[0])  # as many tasks
    larger, of_images = _images(spans[0], trials.iloc[0], whole)
    foretold_s = outside_s.mean() + times * larger * exp(np.log(inside_s).mean())
    usual_s = float(own["wall_s"].mean())  # of the trials that the spread is known of
    long_s, whole_s = trials["wall_s"].sum(), foretold_s
    moments = [min(max(each / usual_s, 1), AVERAGES_OUT) for each in (long_s, whole_s)]
    spread, dof = _spread(found)
    of_moments = spread * sqrt(sum(1 / each for each in moments))
    error = sqrt(of_moments**2 + of_images**2)
    half = error * float(stats.t.ppf((1 + LEVEL) / 2, dof))
    if not half < log(1 + TOO_FAR):
        raise RefusedError(
            f"{cell.strategy} with {cell.workers} workers: its next run may take {percent(exp(half) - 1)} "
            "longer, so much do trials and images differ; end what else runs here, or give more, "
            f"advise.budget_s={_more(asked)}"
        )
    rate = whole["tasks"] / foretold_s
    return Interval(rate, rate * exp(-half), rate * exp(half))


def _spread(found: Measured) -> tuple[float, float]:
    """Standard deviation of ln(seconds of a trial) over all candidates, what rounds differ by included, and
    its degrees of freedom (Satterthwaite 1946: those within rounds are many, those between them few)."""
    ok = found.trials[(found.trials["status"] == OK) & (found.trials["strategy"] != Copies.name)]
    logs = np.log(ok["wall_s"]).groupby([ok[name] for name in Cell._fields])
    counts, rounds = logs.count(), len(ok[["sweep", "round"]].drop_duplicates())
    free, within = (counts - 1).sum(), found.model.variance
    if not free or rounds < 2:
        return inf, 1.0
    whole = float((logs.var() * (counts - 1)).sum()) / free
    between = max(whole - within, 0.0)
    dof = (within + between) ** 2 / (within**2 / found.model.dof + between**2 / (rounds - 1))
    return sqrt(within + between), dof


def _longest(trials: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Of the same candidate those on the largest sample since its first trial."""
    same = [*AXES, "ablation", "saving", "pipeline_digest", "code_digest", "machine"]
    alike = trials[(trials[same] == own.iloc[-1][same]).all(axis=1) & (trials["status"] == OK)]
    alike = alike[alike["started_at"] >= own["started_at"].min()]
    longest: pd.DataFrame = alike[alike["tasks"] == alike["tasks"].max()]
    return longest


def _images(tasks: pd.DataFrame, trial: Any, whole: dict[str, Any]) -> tuple[float, float]:
    """How much larger the images of the whole are than those of a trial, and the standard error of the mean
    seconds of a task, as a share of it, from the images and the random transforms that the trial has not met
    (a ratio estimate in two stages: Cochran 1977, chapters 6 and 10)."""
    each_s = tasks[STAGE_COLUMNS].sum(axis=1) / tasks[STAGE_COLUMNS].sum(axis=1).mean()
    of_image = each_s.groupby(tasks["image_index"])
    means, met = of_image.mean(), len(tasks) / whole["tasks"]
    within = float(of_image.var().mean()) / len(tasks) * max(1 - met, 0)
    if not isinstance(trial["sampled_images"], str) or len(means) < 2:
        return 1.0, sqrt(np.nan_to_num(within))
    skipped = json.loads(trial["skipped_images"]) if isinstance(trial["skipped_images"], str) else {}
    sizes = [each for name, each in json.loads(trial["sampled_images"]).items() if name not in skipped]
    pixels = pd.Series(sizes, means.index)
    residuals = means - pixels / pixels.mean()
    between = float(residuals.var()) / len(means) * max(1 - len(sizes) / whole["files"], 0)
    larger = whole["pixels"] / whole["files"] / float(pixels.mean())
    return larger, sqrt(between + np.nan_to_num(within))


def policies(trials: pd.DataFrame, chosen: Cell) -> dict[str, Interval]:
    """How many times as fast the recommended strategy is with one policy changed, of those that surely pay
    (each by itself), by the options that they set."""
    here = (trials["strategy"] == chosen.strategy) & (trials["workers"] == chosen.workers)
    ablated = trials[here & (trials["ablation"] != UNTOUCHED) & (trials["status"] == OK)]
    untouched = trials[here & (trials["ablation"] == UNTOUCHED) & trials["sweep"].isin(ablated["sweep"])]
    untouched = untouched[untouched["runtime_name"].isin(ablated["runtime_name"])]
    if ablated.empty or untouched.empty:
        return {}
    kept, _ = comparable(pd.concat([untouched, ablated]))
    model = BlockModel.of(kept, list(kept["ablation"]))
    paying = {}
    for ablation in sorted(set(kept["ablation"]) - {UNTOUCHED}):
        gain = model.ratio(UNTOUCHED, ablation).ratio()
        if gain.low > 1:
            paying[_options(kept, ablation)] = gain
    return dict(sorted(paying.items(), key=lambda each: -each[1].value))


def _options(trials: pd.DataFrame, ablation: str) -> str:
    """What an ablation sets, as on the command line."""
    before, after = (
        json.loads(trials.loc[trials["ablation"] == name, "runtime"].iloc[-1])
        for name in (UNTOUCHED, ablation)
    )
    changed = [f"runtime.{name}={value}" for name, value in after.items() if before.get(name) != value]
    return " ".join(changed) or f"ablation={ablation}"


def spoilers(found: Measured, trials: pd.DataFrame, chosen: Cell, parts: Parts) -> list[str]:
    """What spoils the work or its times, of the recommended candidate."""
    own = found.of(chosen)
    warned = own["warnings"].dropna().str.split("\n").explode()
    often = warned[~warned.str.startswith(SAID_BY_INTERVALS)].value_counts()
    return [*often.index[often > len(own) / 2], *own_randomness(trials), *growing_memory(own, parts)]


def _verdict(found: Measured, chosen: Cell, at_ceiling: Cell, parts: Parts) -> dict[str, Any] | None:
    """What stops it, by the rules of `verdict`, held against the ceiling that was measured."""
    trials = found.trials
    is_own = (trials[[*Cell._fields]] == list(chosen)).all(axis=1)
    of_ceiling = trials["strategy"].isin([Copies.name, Sequential.name])
    of_ceiling &= trials["runtime_name"] == at_ceiling.runtime_name
    if chosen.workers < 2:
        return None
    judged = verdicts(trials[is_own | of_ceiling], parts)
    rows = judged[(judged["strategy"] == chosen.strategy) & (judged["workers"] == chosen.workers)]
    return {str(name): value for name, value in rows.iloc[0].items()} if len(rows) else None


def _ceiling(model: BlockModel, chosen: Cell) -> Cell:
    """The copies that a candidate is held against: as many as it has workers, or the most there are, and
    those of the runtime in which they are fastest."""
    cells: Any = model.cells
    copies: list[Cell] = [cell for cell in cells if cell.strategy == Copies.name]
    if not copies:
        return Cell(Copies.name, chosen.workers, chosen.runtime_name)
    workers = max(cell.workers for cell in copies)
    return min((cell for cell in copies if cell.workers == workers), key=model.seconds)


def _request(asked: pd.DataFrame, cell: Cell) -> dict[str, Any]:
    """What was asked for, with the command of a candidate for all of it. Raises RefusedError."""
    rows = asked[(asked[[*Cell._fields]] == list(cell)).all(axis=1)].sort_values("started_at")
    if rows.empty:
        raise RefusedError(
            f"no command is recorded for {cell.strategy} with {cell.workers} workers: run it again"
        )
    return {str(name): value for name, value in rows.iloc[-1].items()}


def _coverage(found: Measured, asked: pd.DataFrame) -> list[str]:
    """What the answer rests on."""
    ok = found.trials[found.trials["status"] == OK]
    row, newest = ok.sort_values("started_at").iloc[-1], asked.sort_values("started_at").iloc[-1]
    sample = f"{row['n_images']:.0f} of {counted(int(newest['files']), 'image')} x {row['n_augmentations']}"
    rounds = [found.model.rounds[cell] for cell in found.candidates]
    lines = [
        f"Measured: {sample} augmentations, {counted(len(rounds), 'candidate')} in {min(rounds)} to "
        f"{max(rounds)} rounds, {counted(len(ok), 'trial')}, on {row['machine']}."
    ]
    failed = found.trials[found.trials["status"] == FAILED].drop_duplicates([*Cell._fields, "error"])
    lines += [
        f"Failed: {r['strategy']} with {r['workers']}: {r['error']}." for r in failed.to_dict("records")
    ]
    left_out = asked[(asked["sweep"] == newest["sweep"]) & asked["left_out"].notna()]
    for reason, each in left_out.groupby("left_out"):
        names = ", ".join(
            f"{r['strategy']} with {r['workers']} ({r['runtime_name']})" for r in each.to_dict("records")
        )
        lines.append(f"Not measured: {names}: {reason}.")
    return lines
