"""The study's claims against results chosen by hand, and its printed seconds as points."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from experiments.analysis import published
from experiments.analysis.scorecard import (
    CONFIRMED,
    FEW_CPUS,
    NOT_MEASURED,
    OPEN,
    REFUTED,
    Finding,
    scorecard,
)
from tests.helpers.task_rows import Cells, Cost, cell, frames
from tests.helpers.trial_rows import Row, frame, repeated

SCALES = (1.0, 1.01, 0.99)
OTHERS = (1.002, 0.998, 1.001)  # differ from SCALES, so that the interval has a width
NAMES = [*published.claims()]
SATURATES, ALIKE, PAYS, SAVING, SUPERLINEAR, COLLAPSE, FILES = NAMES


def at(strategy: str, workers: int, wall_s: float, **changes: Any) -> list[Row]:
    scales = changes.pop("scales", SCALES)
    return repeated(strategy, workers, *(wall_s * scale for scale in scales), **changes)


def verdicts(*cells: Cells, rows: list[Row] | None = None, **experiments: pd.DataFrame) -> dict[str, Finding]:
    """Return results of strong scaling with these cells and rows, and of other experiments."""
    trials, parts = frames(*cells, Cells(trials=rows or []))
    every = {"strong_scaling": trials, **experiments}
    return {each.claim: each for each in scorecard(every, parts)}


def test_claim_without_measurement_is_open() -> None:
    claims = verdicts()
    assert list(claims) == NAMES
    assert {each.verdict for each in claims.values()} == {OPEN}
    assert {each.reason for each in claims.values()} == {NOT_MEASURED}


@pytest.mark.parametrize(
    ("cpus", "at_half", "verdict"),
    [(16, 1.05, CONFIRMED), (16, 1.9, REFUTED), (16, 1.1, OPEN), (2, 1.9, OPEN)],
)
def test_saturation_takes_cores_to_be_seen(cpus: int, at_half: float, verdict: str) -> None:
    rows = [*at("p2", 8, at_half, scales=OTHERS, usable_cpus=cpus), *at("p2", 16, 1.0, usable_cpus=cpus)]
    claim = verdicts(rows=rows)[SATURATES]
    assert claim.verdict == verdict
    if cpus == 2:
        assert claim.reason == FEW_CPUS


def test_saturation_is_not_told_from_a_quarter_of_the_workers() -> None:
    rows = [*at("p2", 4, 1.9, scales=OTHERS, usable_cpus=16), *at("p2", 16, 1.0, usable_cpus=16)]
    assert verdicts(rows=rows)[SATURATES].reason == NOT_MEASURED


# The rows in which one time is varied, by the claim that they decide.
VARIED: dict[str, Callable[[float], list[Row]]] = {
    ALIKE: lambda wall_s: [*at("p1", 2, wall_s, scales=OTHERS), *at("p2", 2, 1.0)],
    PAYS: lambda wall_s: [*at("p1", 2, 1.2), *at("p2", 2, 1.0), *at("pq", 2, wall_s, scales=OTHERS)],
    SAVING: lambda wall_s: [*at("p2", 2, 1.0), *at("p2", 2, wall_s, scales=OTHERS, saving=False)],
}


@pytest.mark.parametrize(
    ("claim", "confirming_s", "refuting_s", "open_s"),
    [(ALIKE, 1.02, 1.5, 1.15), (PAYS, 1.5, 0.8, 1.0), (SAVING, 1.0, 0.7, 0.95)],
)
def test_claim_on_two_workers_is_decided_by_its_margin(
    claim: str, confirming_s: float, refuting_s: float, open_s: float
) -> None:
    for wall_s, verdict in ((confirming_s, CONFIRMED), (refuting_s, REFUTED), (open_s, OPEN)):
        assert verdicts(rows=VARIED[claim](wall_s))[claim].verdict == verdict


def test_weak_scaling_is_superlinear_by_the_efficiency_of_the_study() -> None:
    small, large = {"width": 100, "height": 100}, {"width": 200, "height": 100}
    rows = [
        *at("sequential", 1, 1.0, **small),
        *at("p2", 2, 0.8, **large),
    ]
    weak = frame([row | {"experiment": "weak_scaling"} for row in rows])
    claims = verdicts(rows=at("p2", 2, 1.0), weak_scaling=weak)
    assert claims[SUPERLINEAR].verdict == CONFIRMED
    assert claims[SUPERLINEAR].quantities[2].value == pytest.approx(1.25)
    assert (claims[COLLAPSE].verdict, claims[COLLAPSE].quantities) == (OPEN, {})


@pytest.mark.parametrize(("write_s", "verdict"), [(0.01, CONFIRMED), (0.08, REFUTED)])
def test_reading_and_saving_by_their_share_of_the_tasks(write_s: float, verdict: str) -> None:
    assert verdicts(cell("p2", 2, Cost(write_s=write_s), saving=True))[FILES].verdict == verdict


def test_printed_claims_of_the_study_follow_from_its_seconds() -> None:
    strong, weak = (
        published.points(name).set_index(["strategy", "workers", "saving"])
        for name in ("strong_scaling", "weak_scaling")
    )
    strong_s, weak_s, printed = strong["wall_s"], weak["wall_s"], {}
    peaks = [strong["speedup"].xs(saving, level="saving").max() for saving in (True, False)]
    printed[SATURATES] = "{:.2f} at 16 ranks, saving; {:.2f} at 32 ranks, no saving; 32 cores".format(*peaks)
    for claim, words, strategy in ((ALIKE, "", "p1"), (PAYS, "P_Q over P_2: ", "pq")):
        times = [strong_s[strategy, n, True] / strong_s["p2", n, True] for n in (2, 4, 8, 16, 32, 64)]
        printed[claim] = f"{words}{min(times):.2f} to {max(times):.2f} times as long at 2 to 64 ranks"
    times = strong_s["p2", 2, False] / strong_s["p2", 2, True]
    printed[SAVING] = f"{times:.2f} times as long with 2 ranks"
    shares = [f"{100 * weak['efficiency']['p2', n, True]:.0f} % at {n}" for n in (2, 8, 16, 32)]
    printed[SUPERLINEAR] = f"{', '.join(shares)} ranks"
    times = weak_s["p2", 64, True] / weak_s["p2", 32, True]
    printed[COLLAPSE] = f"64 ranks take {times:.1f} times as long as 32"
    assert {claim: published.claims()[claim]["published"] for claim in printed} == printed


def test_twice_the_ranks_and_pixels_are_compared_whatever_the_references_took() -> None:
    sizes = {32: {"width": 320, "height": 100}, 64: {"width": 640, "height": 100}}
    rows = [row for n, size in sizes.items() for row in at("sequential", 1, float(n), **size)]
    rows += [*at("p2", 32, 1.0, **sizes[32]), *at("p2", 64, 5.8, scales=OTHERS, **sizes[64])]
    weak = frame([row | {"experiment": "weak_scaling", "usable_cpus": 32} for row in rows])
    claim = verdicts(rows=at("p2", 2, 1.0), weak_scaling=weak)[COLLAPSE]
    assert claim.verdict == CONFIRMED
    assert claim.quantities[64].value == pytest.approx(5.8, rel=0.01)
    assert claim.quantities[64].low > 5


def test_collapse_is_not_told_from_trials_of_several_sizes() -> None:
    small, large = ({"width": width, "height": 100} for width in (320, 640))
    rows = [*at("p2", 32, 1.0, **small), *at("p2", 64, 5.8, **large), *at("p2", 64, 2.9, **small)]
    weak = frame([row | {"experiment": "weak_scaling", "usable_cpus": 32} for row in rows])
    claim = verdicts(rows=at("p2", 2, 1.0), weak_scaling=weak)[COLLAPSE]
    assert (claim.verdict, claim.reason) == (OPEN, NOT_MEASURED)


def test_weak_scaling_of_a_small_machine_is_not_judged_by_the_cpus_of_another() -> None:
    rows = [*at("sequential", 1, 1.0, width=100), *at("p2", 16, 2.0, width=1600)]
    weak = frame([row | {"experiment": "weak_scaling", "usable_cpus": 2} for row in rows])
    assert verdicts(rows=at("p2", 2, 1.0, usable_cpus=64), weak_scaling=weak)[SUPERLINEAR].verdict == OPEN


def test_points_of_the_study_have_no_interval() -> None:
    points = published.points("weak_scaling")
    assert points["wall_s_low"].isna().all()
    assert points["normalised_efficiency"].notna().sum() == 2  # sequential at its own size, no other


def test_dash_of_the_study_is_a_cell_that_does_not_apply() -> None:
    points = published.points("strong_scaling")
    dashes = points[points["status"] == "not_applicable"]
    assert set(zip(dashes["strategy"], dashes["saving"], strict=True)) == {("pq", False)}
    assert sorted(dashes["workers"]) == [2, 4, 8, 16, 32, 64]
