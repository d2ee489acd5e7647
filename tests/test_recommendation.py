"""The recommendation, from trials with times chosen by hand."""

import re
from dataclasses import replace
from datetime import timedelta
from math import inf, log, sqrt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.advise.search import Question
from experiments.analysis.candidates import Candidate, compare
from experiments.analysis.causes import USER_CPU
from experiments.analysis.occasions import PRIOR, PRIOR_DOF
from experiments.analysis.recommendation import (
    Recommendation,
    RefusedError,
    frequent_warnings,
    recommend,
    taken_by_others,
)
from experiments.report.sections.advise import (
    REFUSALS,
    ROW,
    lines,
    refusal,
    spends_figure,
    stops,
    task_spends,
    whole_s,
)
from experiments.wording import duration
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import Cells, Cost, cell, copies, frames
from tests.helpers.trial_rows import BEGIN, Row, frame, trial

RUNTIMES = {"fast": '{"reuse_pipeline": true}', "study": '{"reuse_pipeline": false}'}
NOISE = (1.0, 1.02, 0.98, 1.01, 0.99)
ONE, BEST, SECOND = (
    Candidate("sequential", 1, "fast"),
    Candidate("dynamic", 2, "fast"),
    Candidate("p2", 2, "fast"),
)


def of(strategy: str, workers: int, task_s: float, runtime: str = "fast", **changes: Any) -> Cells:
    """Return trials of a candidate with these seconds a task, twelve tasks a trial."""
    known: dict[str, Any] = {"experiment": "advise", "runtime_name": runtime, "runtime": RUNTIMES[runtime]}
    known |= {"usable_cpus": 2, "scales": NOISE, "peak_rss_bytes": 100_000_000}
    make = copies if strategy == "copies" else lambda *words, **more: cell(strategy, *words, **more)
    return make(workers, Cost(user_s=task_s), **(known | changes))


def asked(*others: Candidate, **changes: Any) -> pd.DataFrame:
    """Return a request for ten times the twelve tasks of a trial."""
    known: Row = {"sweep": "a", "started_at": BEGIN, "experiment": "advise", "files": 30}
    known |= {"tasks": 120, "budget_s": 180.0, "left_out": None} | changes
    candidates = (ONE, BEST, SECOND, SECOND._replace(runtime_name="study"), *others)
    commands = [{"command": f"python run.py strategy={each.strategy}"} for each in candidates]
    rows = [known | each._asdict() | words for each, words in zip(candidates, commands, strict=True)]
    return frame(rows, "candidates")


SEQUENTIAL, CEILING = of("sequential", 1, 0.1), of("copies", 2, 0.11)
USUAL = (SEQUENTIAL, CEILING, of("dynamic", 2, 0.11), of("p2", 2, 0.15), of("p2", 2, 0.2, "study"))


def advice(*cells: Cells, others: tuple[Candidate, ...] = ()) -> Recommendation:
    trials, parts = frames(*(cells or USUAL))
    return recommend(trials, parts, asked(*others))


def screen(advice: Recommendation) -> dict[str, str]:
    """Return the texts of the screen by their headings."""
    texts, head = dict[str, str](), ""
    for heading, text in lines(advice):
        head = heading or head
        texts[head] = f"{texts.get(head, '')} {text}".replace("\n", " ").strip()
    return texts


def test_candidate_with_the_smallest_bound_is_recommended_with_its_command() -> None:
    found = advice()
    assert (found.candidate, found.command) == (BEST, "python run.py strategy=dynamic")
    assert (found.bound, found.peak_rss_bytes) == (0, 100_000_000)
    assert found.ceiling is not None
    assert found.ceiling.share.value == pytest.approx(1.0, abs=0.05)
    assert found.ceiling.speedup.value == pytest.approx(2 * 0.1 / 0.11, rel=0.05)


def test_screen_says_what_to_run_what_it_reaches_and_why() -> None:
    texts = screen(advice())
    assert [*texts] == [
        *("Run", "Reaches", "The whole", "A million", "A task spends", "Runner-up"),
        *("What stops it", "What spoils it", "Rests on"),
    ]
    assert texts["Run"] == "python run.py strategy=dynamic"
    assert texts["Reaches"].endswith("100 MB of memory no other candidate is faster (95 %)")
    assert texts["Runner-up"].startswith("P_2 with 2 workers, runtime=fast: 1.36 (")


@pytest.mark.parametrize("turn", [1, -1])
def test_fewer_workers_and_then_the_order_of_strategies_decide_between_equally_good_candidates(
    turn: int,
) -> None:
    bounds = {BEST: 0.1, SECOND: 0.1, ONE: 0.105, Candidate("threads", 1, "fast"): 0.2}
    turned = dict([*bounds.items()][::turn])
    comparison = replace(advice().comparison, bounds=turned)
    assert comparison.best == ONE
    several = {each: bound for each, bound in turned.items() if each != ONE}
    assert replace(comparison, bounds=several).best == SECOND


def test_whole_command_takes_what_its_tasks_take_and_what_is_around_them() -> None:
    trials, parts = frames(*USUAL)
    trials["untimed_s"] = 0.5
    found = recommend(trials, parts, asked(startup_s=1.5))
    value, low, high = whole_s(found, 120)
    tasks_s = 120 / found.images_per_s.value
    assert value == pytest.approx(tasks_s + 1.5 + 0.5 + 30 * 30e-6 + 120 * 25e-6)
    assert low < value < high
    assert whole_s(found, 240)[0] == pytest.approx(value + tasks_s)


@pytest.mark.parametrize(
    ("wish", "best"),
    [
        ({"images_per_s": 5}, ONE),
        ({"images_per_s": 10_000}, BEST),  # which nothing reaches
        ({"memory_gb": 0.05}, BEST),
        ({"memory_gb": 0.2}, BEST),
    ],
)
def test_fewest_workers_reach_a_wanted_rate(wish: dict[str, float], best: Candidate) -> None:
    trials, parts = frames(*USUAL)
    found = recommend(trials, parts, asked(**wish))
    assert found.candidate == best
    is_held = {**wish}.get("images_per_s", 0) < 100 and wish.get("memory_gb", 1) > 0.1
    assert ("Wanted" not in screen(found)) == is_held


def test_wanted_rate_that_the_prediction_may_miss_is_named() -> None:
    long = of("dynamic", 2, 0.14, tasks=120, scales=[1.0])
    long.trials[0] |= {"n_images": 30, "sweep": "long"}
    trials, parts = frames(SEQUENTIAL, CEILING, of("dynamic", 2, 0.1), USUAL[3], long)
    found = recommend(trials, parts, asked(images_per_s=16))
    assert BEST in found.comparison.suitable, "by the sample"
    assert found.images_per_s.value < 16
    assert "the predicted rate of this candidate does not surely hold" in screen(found)["Wanted"]


def test_parts_of_a_task_are_those_of_an_ok_trial_of_this_search() -> None:
    long: Any = {"tasks": 240, "scales": [1.0]}
    earlier = of("dynamic", 2, 0.1, started_at=BEGIN - timedelta(days=1), sweep="earlier", **long)
    found = advice(*USUAL, earlier, of("dynamic", 2, 0.1, status="failed", **long))
    assert found.longest["tasks"].tolist() == [12]


def test_starting_counts_once_in_the_seconds_of_the_whole() -> None:
    slow_to_start = of("dynamic", 2, 0.1, startup_s=0.3, drain_s=0.2)
    slow_to_work = of("p2", 2, 0.14)  # faster on the sample
    found = advice(SEQUENTIAL, CEILING, slow_to_start, slow_to_work)
    assert found.candidate == BEST
    assert found.comparison.model.seconds(BEST) == pytest.approx(0.5 + 120 / 2 * 0.1, rel=0.001)
    assert found.images_per_s.value == pytest.approx(120 / (0.5 + 120 / 2 * 0.1), rel=0.001)
    assert found.images_per_s.low < found.images_per_s.value < found.images_per_s.high


def test_interval_of_the_rate_is_wider_if_trials_differ_more() -> None:
    calm, drifting = (
        advice(SEQUENTIAL, CEILING, of("dynamic", 2, 0.1, scales=scales), of("p2", 2, 0.3, scales=scales))
        for scales in (NOISE, (1.0, 1.1, 0.95, 1.06, 1.0))
    )
    widths = [each.images_per_s.high / each.images_per_s.low for each in (calm, drifting)]
    assert widths[1] > max(widths[0], 1.1)


def half_of_log(found: Recommendation) -> float:
    _, low, high = found.images_per_s
    return log(high / low) / 2


def test_rate_is_promised_for_another_occasion() -> None:
    found = advice()
    assert (found.occasions.variance, found.occasions.dof) == (PRIOR**2, PRIOR_DOF)
    assert half_of_log(found) > 2 * sqrt(2) * PRIOR
    assert "occasions differ by 5 % (assumed)" in screen(found)["Rests on"]


@pytest.mark.parametrize(("faster", "is_wider"), [(1.0, False), (1.3, True)])
def test_earlier_searches_show_what_occasions_differ_by(faster: float, is_wider: bool) -> None:
    earlier = [
        of("dynamic", 2, 0.11 / faster**day, started_at=BEGIN - timedelta(days=day), sweep=f"{day}")
        for day in range(1, 9)
    ]
    one, several = advice(), advice(*USUAL, *earlier)
    assert several.occasions.dof == PRIOR_DOF + 8
    assert (half_of_log(several) > half_of_log(one)) == is_wider
    assert "by this folder's 9 and a prior of 5 %" in screen(several)["Rests on"]


def test_sample_counts_by_its_images() -> None:
    """Trust a long run of many images more than many trials of a few."""
    few, many = of("dynamic", 2, 0.1), of("dynamic", 2, 0.14, tasks=120, scales=[1.0])
    for row in many.trials:
        row |= {"n_images": 30, "sweep": "long"}
    found = advice(SEQUENTIAL, CEILING, few, USUAL[3], many)
    assert found.images_per_s.value == pytest.approx(2 / (0.1**0.1 * 0.14**0.9), rel=0.01)


def test_rivals_are_those_that_may_be_faster() -> None:
    threads = Candidate("threads", 2, "fast")
    trials, parts = frames(*USUAL, of("threads", 2, 0.11, scales=(1.1, 0.95, 1.08, 0.9, 1.0)))
    comparison = compare(trials, parts, asked(threads))
    assert comparison.best == BEST
    assert comparison.rivals(slower=0.05) == [threads]
    assert {*comparison.rivals(slower=-inf)} == {*comparison.bounds} - {BEST}


@pytest.mark.parametrize(
    ("cells", "reason", "text"),
    [
        ([of("dynamic", 2, 0.1, scales=[1.0]), of("p2", 2, 0.2, scales=[1.0])], "few rounds", "=360"),
        ([of("dynamic", 2, 0.1, others_cpu_s=0.5), of("p2", 2, 0.2)], "busy", "took 14 % of the CPUs"),
        (
            [of("dynamic", 2, 0.1, scales=[1, 2, 0.5, 3, 1]), of("p2", 2, 0.1, scales=[2, 1, 3, 0.5, 1])],
            "unsure",
            "after 5 rounds even P_2 with 2 workers",
        ),
        (
            [Cells([trial("p2", 2, None, status="failed", error="no room", runtime_name="fast")])],
            "failed",
            "room",
        ),
    ],
)
def test_rows_that_carry_no_recommendation_are_refused_with_the_reason(
    cells: list[Cells], reason: str, text: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        advice(*cells)
    assert caught.value.reason == reason
    assert reason in REFUSALS
    assert text in refusal(caught.value)


def test_pilot_is_no_round_of_the_comparison() -> None:
    pilot = [of(name, n, 0.1, scales=[1.0], tasks=6) for name, n in (("sequential", 1), ("p2", 2))]
    comparison = compare(*frames(*USUAL, *pilot), asked())
    assert comparison.tasks == 12
    assert comparison.model.rounds[SECOND] == len(NOISE)


def test_candidate_that_was_measured_once_spoils_no_bound_and_is_named() -> None:
    threads = Candidate("threads", 2, "fast")
    found = advice(*USUAL, of("threads", 2, 0.3, scales=[1.0]), others=(threads,))
    assert threads not in found.comparison.bounds
    assert found.bound == 0
    assert "Measured once only: threads with 2 (fast)." in screen(found)["Rests on"]
    assert found.comparison.ranked[-1] == threads


def test_machine_stops_a_candidate_that_reaches_the_ceiling() -> None:
    usual, late = advice(), advice(SEQUENTIAL, of("copies", 2, 0.1), of("dynamic", 2, 0.1, startup_s=0.3))
    assert stops(usual.ceiling, usual.candidate).startswith("the machine")
    assert stops(late.ceiling, late.candidate).startswith("suspected: start-up")
    assert stops(None, BEST).startswith("not known")
    small = advice(SEQUENTIAL, of("copies", 2, 0.1), of("dynamic", 2, 0.106, startup_s=0.02))
    parts = "many small parts: tasks slower than the ceiling's 5 %, start-up 3 % of the time. "
    assert stops(small.ceiling, small.candidate).startswith(parts)


def test_undecided_loss_is_told_by_its_upper_bound() -> None:
    unsure = of("dynamic", 2, 0.1, scales=(0.9, 1.2, 0.95, 1.1, 1.0))
    found = advice(SEQUENTIAL, of("copies", 2, 0.1), unsure)
    text = stops(found.ceiling, found.candidate)
    assert re.match(r"not decided: at most \d+ % is lost against the ceiling, where 2 busy copies", text)


def test_work_that_takes_longer_beside_others_is_no_suspect() -> None:
    slower = of("dynamic", 2, 0.115, scales=(0.9, 1.2, 0.95, 1.1, 1.0))
    found = advice(SEQUENTIAL, of("copies", 2, 0.11), slower)
    assert found.ceiling is not None
    assert max(found.ceiling.verdict["ranking"], key=found.ceiling.verdict["ranking"].get) == USER_CPU
    assert stops(found.ceiling, found.candidate).endswith("nothing is suspected.")


def test_pilot_that_saves_is_no_part_of_the_answer_of_a_search_that_does_not() -> None:
    cells = [of(*each, saving=False) for each in (("sequential", 1, 0.1), ("dynamic", 2, 0.11))]
    slow = of("dynamic", 2, 0.3, scales=[1.0], saving=True)
    for row in (row for each in cells for row in each.trials):
        row["started_at"] += timedelta(minutes=1)
    assert advice(*cells, slow).images_per_s == advice(*cells).images_per_s


def test_ceiling_may_be_measured_on_a_smaller_sample() -> None:
    smaller = [of("dynamic", 2, 0.11, tasks=6), of("sequential", 1, 0.1, tasks=6), of("copies", 2, 0.11)]
    for each in smaller:
        for row in each.trials:
            row |= {"tasks": 6, "n_augmentations": 2, "sweep": "ceiling"}
    smaller[2].tasks[:] = [task for task in smaller[2].tasks if task["augmentation_index"] < 2]
    found = advice(SEQUENTIAL, *USUAL[2:], *smaller)
    assert found.comparison.tasks == 12
    assert found.ceiling is not None
    assert found.ceiling.share.known


def test_candidates_that_were_not_measured_or_failed_are_named_with_the_reason() -> None:
    trials, parts = frames(*USUAL, of("p1", 2, 0.1, status="failed", error="no room"))
    table = asked(Candidate("p1", 64, "study"), Candidate("p1", 2, "fast"), Candidate("p1", 4, "fast"))
    table.loc[table["workers"] == 64, "left_out"] = "no such runtime"
    text = screen(recommend(trials, parts, table))["Rests on"]
    assert text.startswith("Measured: 3 of 30 images x 4 augmentations, 4 candidates, 4 of them in 5 rounds")
    assert "Failed: no room: p1 with 2 (fast)." in text
    assert "Not measured: no such runtime: p1 with 64 (study)." in text
    assert "Not measured: no time within the budget: p1 with 4 (fast)." in text


def test_row_of_a_refusal_has_the_columns_that_others_read(tmp_path: Path) -> None:
    tables, _ = shown(stored(tmp_path, *USUAL), "recommendation")
    table = tables["recommendation"]
    assert list(table.data) == ROW
    assert table.data["refused"].iloc[0].startswith("no search is recorded")


def test_parts_of_a_task_are_sorted_by_their_share_and_stages_stand_apart() -> None:
    spends = task_spends({"read": 0.1, "transform": 0.7, "encode": 0.2, "CLAHE": 0.5, "Blur": 0.004})
    assert spends["part"].tolist() == ["transform", "CLAHE", "encode", "read", "Blur"]
    assert spends.set_index("part")["of"].to_dict()["CLAHE"] == "transform"
    stages, transforms = spends_figure(spends).axes
    assert [tick.get_text() for tick in stages.get_yticklabels()] == ["transform", "encode", "read"]
    assert [text.get_text() for text in transforms.texts] == ["50 %"], "none of less than 1 %"


def test_spoilers_are_named_on_the_screen() -> None:
    one = of("sequential", 1, 0.1)
    own = of("dynamic", 2, 0.11, warnings="it swapped")
    text = screen(advice(one, own))["What spoils it"]
    assert "it swapped" in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(61, "1 min 1 s"), (26_160, "7 h 16 min"), (183_600, "2 days 3 h")]
)
def test_duration_is_told_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


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
def test_sample_is_of_about_so_many_tasks(
    files: int, augmentations: int, tasks: float, sample: tuple[int, int]
) -> None:
    question = Question([], files, 1e6, augmentations, cpus=2, budget_s=60)
    assert question.sample(tasks) == sample


def test_cpu_time_of_others_is_a_share_of_the_usable_cpus() -> None:
    rows = [trial("p2", 2, 10.0, others_cpu_s=taken, steal_s=1.0, usable_cpus=4) for taken in (7.0, 9.0, 0.0)]
    assert taken_by_others(frame(rows)) == pytest.approx(19 / 120)  # 7 + 9 and three of 1 s, of 3 x 10 s x 4
    assert taken_by_others(frame([trial("p2", 2, 10.0)])) == 0.0


def test_warnings_of_most_trials_are_frequent() -> None:
    texts = ("hot\nbusy", "busy", None)
    assert frequent_warnings(frame([trial("p2", 2, 1.0, warnings=text) for text in texts])) == ["busy"]
