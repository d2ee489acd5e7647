"""The recommendation, from trials with times chosen by hand."""

from typing import Any

import pandas as pd
import pytest

from experiments.advise.work import sized
from experiments.analysis.advice import Advice, advise
from experiments.analysis.candidates import measured, recommended, survivors
from experiments.analysis.engines import Cell
from experiments.analysis.promise import RefusedError
from experiments.report.sections.advise import ROW, stops
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import Cells, Cost, cell, copies, frames
from tests.helpers.trial_rows import BEGIN, Row, frame, trial

RUNTIMES = {"fast": '{"reuse_pipeline": true}', "study": '{"reuse_pipeline": false}'}
NOISE = (1.0, 1.02, 0.98, 1.01, 0.99)
BEST = Cell("dynamic", 2, "fast")


def of(strategy: str, workers: int, task_s: float, runtime: str = "fast", **changes: Any) -> Cells:
    """A candidate whose tasks take so long, twelve of them in a trial."""
    known: dict[str, Any] = {"experiment": "advise", "runtime_name": runtime}
    known["runtime"] = changes.pop("changed", RUNTIMES[runtime])
    known |= {"usable_cpus": 2, "scales": NOISE, "peak_rss_bytes": 100_000_000}
    make = copies if strategy == "copies" else lambda *words, **more: cell(strategy, *words, **more)
    return make(workers, Cost(user_s=task_s), **(known | changes))


def asked(*others: Cell, **changes: Any) -> pd.DataFrame:
    """What was asked for: ten times what a trial of twelve tasks is a sample of."""
    known: Row = {
        "sweep": "a",
        "started_at": BEGIN,
        "experiment": "advise",
        "files": 30,
        "pixels": 30,
        "tasks": 120,
    }
    known |= {"budget_s": 180.0, "left_out": None} | changes
    names = {BEST, Cell("p2", 2, "fast"), Cell("p2", 2, "study"), Cell("sequential", 1, "fast"), *others}
    return frame(
        [known | each._asdict() | {"command": f"python run.py strategy={each.strategy}"} for each in names],
        "candidates",
    )


SEQUENTIAL, CEILING = of("sequential", 1, 0.1), of("copies", 2, 0.11)
USUAL = (SEQUENTIAL, CEILING, of("dynamic", 2, 0.11), of("p2", 2, 0.15), of("p2", 2, 0.2, "study"))


def advice(*cells: Cells, **changes: Any) -> Advice:
    trials, parts = frames(*(cells or USUAL))
    return advise(trials, parts, asked(**changes))


def test_the_one_that_is_at_most_slower_by_least_is_recommended_with_its_command() -> None:
    found = advice()
    assert (found.candidate, found.command) == (BEST, "python run.py strategy=dynamic")
    assert found.at_most_slower == 0
    assert found.runner_up == Cell("p2", 2, "fast")
    assert found.behind.value == pytest.approx(0.15 / 0.11)
    assert found.peak_rss_bytes == 100_000_000
    assert found.ceiling_share.value == pytest.approx(1.0, abs=0.05)
    assert found.ceiling_speedup.value == pytest.approx(2 * 0.1 / 0.11, rel=0.05)


def test_fewer_workers_and_then_the_order_of_strategies_decide_between_equally_good_candidates() -> None:
    equal = [of("p2", 2, 0.2), of("dynamic", 2, 0.2), of("sequential", 1, 0.1), of("copies", 2, 0.2)]
    first = [Cell("sequential", 1, "fast"), Cell("p2", 2, "fast"), BEST]
    for cells in (equal, equal[::-1]):
        found = measured(*frames(*cells), asked())
        assert found.candidates == first
        assert recommended(found) == first[0]


def test_the_rate_is_that_of_the_whole_where_starting_and_ending_counts_once() -> None:
    slow_to_start = of("dynamic", 2, 0.1, startup_s=0.3, drain_s=0.2)
    found = advice(SEQUENTIAL, CEILING, slow_to_start, of("p2", 2, 0.25))
    assert found.images_per_s.value == pytest.approx(120 / (0.5 + 10 * 6 * 0.1), rel=0.001)
    assert found.images_per_s.low < found.images_per_s.value < found.images_per_s.high


def test_the_interval_is_of_one_run_more_and_holds_what_rounds_differ_by() -> None:
    calm, drifting = (
        advice(SEQUENTIAL, CEILING, of("dynamic", 2, 0.1, scales=scales), of("p2", 2, 0.3, scales=scales))
        for scales in (NOISE, (1.0, 1.1, 0.95, 1.06, 1.0))
    )
    assert drifting.images_per_s.high / drifting.images_per_s.low > 1.1
    assert (
        drifting.images_per_s.high / drifting.images_per_s.low
        > calm.images_per_s.high / calm.images_per_s.low
    )


def test_fewer_workers_that_are_as_fast_are_named() -> None:
    one = Cell("threads", 1, "fast")
    trials, parts = frames(SEQUENTIAL, CEILING, of("dynamic", 2, 0.102), of("threads", 1, 0.0525))
    found = advise(trials, parts, asked(one))
    assert (found.candidate, found.fewest) == (BEST, one)


def test_more_rounds_are_for_those_that_may_be_the_best() -> None:
    trials, parts = frames(*USUAL, of("threads", 2, 0.11, scales=(1.1, 0.95, 1.08, 0.9, 1.0)))
    found = measured(trials, parts, asked())
    assert survivors(found, 5) == [BEST, Cell("threads", 2, "fast")]
    assert survivors(found, 1) == [BEST]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([of("dynamic", 2, 0.1, scales=[1.0]), of("p2", 2, 0.2, scales=[1.0])], "1 round only"),
        ([of("dynamic", 2, 0.1, others_cpu_s=0.5), of("p2", 2, 0.2)], "other processes took"),
        (
            [of("dynamic", 2, 0.1, scales=[1, 2, 0.5, 3, 1]), of("p2", 2, 0.1, scales=[2, 1, 3, 0.5, 1])],
            "may be",
        ),
        ([Cells([trial("p2", 2, None, status="failed", error="no room", experiment="advise")])], "no room"),
    ],
)
def test_what_the_rows_cannot_carry_is_refused_with_the_reason(cells: list[Cells], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        advice(*cells)


def test_the_pilot_is_no_round_though_its_sample_may_be_larger() -> None:
    pilot = [
        of(name, workers, 0.1, scales=[1.0], tasks=48) for name, workers in (("sequential", 1), ("p2", 2))
    ]
    trials, parts = frames(*USUAL, *pilot)
    trials.loc[trials["tasks"] == 48, "cell"] += "pilot"
    assert measured(trials, parts, asked()).model.rounds[BEST] == len(NOISE)


def test_a_policy_that_pays_is_named_by_its_option() -> None:
    reuse: dict[str, Any] = {"ablation": "reused", "changed": '{"reuse_pipeline": true}'}
    faster = advice(*USUAL, of("dynamic", 2, 0.2, "study"), of("dynamic", 2, 0.15, "study", **reuse))
    assert list(faster.policies) == ["runtime.reuse_pipeline=true"]
    retain = '{"reuse_pipeline": false, "allocator": "retain"}'
    changed: dict[str, Any] = {"ablation": "allocator", "changed": retain}
    untouched = of("dynamic", 2, 0.2, "study")
    found = advice(*USUAL, untouched, of("dynamic", 2, 0.15, "study", **changed))
    assert list(found.policies) == ["runtime.allocator=retain"]
    assert found.policies["runtime.allocator=retain"].value == pytest.approx(0.2 / 0.15)
    assert advice(*USUAL, untouched, of("dynamic", 2, 0.2, "study", **changed)).policies == {}


def test_what_stops_it_is_the_machine_where_it_reaches_the_ceiling() -> None:
    assert stops(advice()).startswith("the machine")
    late = of("dynamic", 2, 0.1, startup_s=0.3)
    assert stops(advice(SEQUENTIAL, of("copies", 2, 0.1), late)).startswith("suspected: start-up")


def test_what_was_not_measured_is_named_with_its_reason() -> None:
    trials, parts = frames(*USUAL)
    table = asked(Cell("p1", 64, "study"))
    table.loc[table["strategy"] == "p1", "left_out"] = "no time"
    notes = advise(trials, parts, table).notes
    assert "Not measured: p1 with 64 (study): no time." in notes
    assert notes[0].startswith("Measured: 3 of 30 images x 4 augmentations, 4 candidates in 5 to 5 rounds")


def test_the_row_that_others_read(tmp_path: Any) -> None:
    results = stored(tmp_path, *USUAL)
    tables, _ = shown(results, "recommendation")
    [table] = tables["recommendation"]
    assert list(table.data) == ROW
    assert "it is not recorded what was asked for" in table.data["refused"].iloc[0]


@pytest.mark.parametrize(
    ("files", "augmentations", "tasks", "sample"),
    [
        (5000, 20, 400, (20, 20)),
        (5000, 20, 40, (8, 5)),  # images differ more than the augmentations of one
        (3, 100, 30, (3, 10)),
        (10, 8, 1000, (10, 8)),  # all there is
        (1, 1, 10, (1, 1)),
    ],
)
def test_a_sample_is_of_about_so_many_tasks(
    files: int, augmentations: int, tasks: float, sample: tuple[int, int]
) -> None:
    assert sized(files, augmentations, tasks) == sample


def test_more_workers_than_cpus_are_recommended_only_where_they_surely_pay() -> None:
    over = Cell("dynamic", 4, "fast")
    for task_s, best in ((0.25, BEST), (0.1, over)):
        trials, parts = frames(SEQUENTIAL, CEILING, of("dynamic", 2, 0.11), of("dynamic", 4, task_s))
        assert advise(trials, parts, asked(over)).candidate == best


def test_a_candidate_that_failed_is_named_with_its_error() -> None:
    broken = of("p1", 2, 0.1, status="failed", error="no room")
    trials, parts = frames(*USUAL, broken)
    notes = advise(trials, parts, asked()).notes
    assert any(note.startswith("Failed: p1 with 2: no room") for note in notes)
