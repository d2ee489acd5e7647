"""The rate of copies against hand-computed windows."""

import pandas as pd
import pytest

from experiments.analysis.ceiling import seconds_at_rate, with_model_seconds
from tests.helpers.task_rows import Cost, cell, copies, frames


def tasks(*rows: tuple[int, int, float, float]) -> pd.DataFrame:
    """Tasks of one image: augmentation, worker, begin and end."""
    return pd.DataFrame(rows, columns=["augmentation_index", "process", "start_s", "end_s"]).assign(
        image_index=0
    )


def shares(*values: float) -> "pd.Series[float]":
    return pd.Series(values, pd.MultiIndex.from_tuples([(0, number) for number in range(len(values))]))


def test_two_undisturbed_copies_halve_the_time() -> None:
    """Each of two copies does both tasks (1 s and 3 s) in 4 s: in that window the workload is done twice."""
    both = tasks((0, 0, 0, 1), (1, 0, 1, 4), (1, 1, 0, 3), (0, 1, 3, 4))
    assert seconds_at_rate(both, shares(0.25, 0.75)) == pytest.approx(3.0)  # 2 s are too short
    short = tasks((0, 0, 0, 1), (1, 0, 1, 2), (1, 1, 0, 1), (0, 1, 1, 2))
    assert seconds_at_rate(short, shares(0.5, 0.5)) == pytest.approx(1.0)


def test_ceiling_takes_the_window_in_which_all_copies_are_busy() -> None:
    """The second begins 1 s later: from 1 to 4 s three and three quarter tasks of 1 s are done by two."""
    late = tasks(
        (0, 0, 0, 1), (1, 0, 1, 2), (2, 0, 2, 3), (3, 0, 3, 4), (2, 1, 1, 3), (3, 1, 3, 5), (0, 1, 5, 7)
    )
    assert seconds_at_rate(late, shares(*[0.25] * 4)) == pytest.approx(3 / ((3 + 1.5) / 4))


def test_ceiling_leaves_out_the_first_tasks_of_a_copy() -> None:
    """The first two of 16 tasks of 1 s take 3 s; from then on two copies do one task in 0.5 s."""
    begins = [0, 3, *range(6, 21)]
    ordered = [((place + 8 * worker) % 16, worker, place) for worker in (0, 1) for place in range(16)]
    rows = [(task, worker, begins[place], begins[place + 1]) for task, worker, place in ordered]
    assert seconds_at_rate(tasks(*rows), shares(*[1 / 16] * 16)) == pytest.approx(8.0)


@pytest.mark.parametrize("n_tasks", [24, 80])
def test_warm_up_of_eight_tasks_hardly_moves_the_ceiling(n_tasks: int) -> None:
    """Each of two copies takes 1 s a task, the first 1.4 s and the next five 1.1 s."""
    slower = [1.4, *[1.1] * 5, *[1.0] * (n_tasks - 6)]
    ends = [sum(slower[: place + 1]) for place in range(n_tasks)]
    rows = [
        ((place + n_tasks // 2 * worker) % n_tasks, worker, ends[place] - slower[place], ends[place])
        for worker in (0, 1)
        for place in range(n_tasks)
    ]
    even = shares(*[1 / n_tasks] * n_tasks)
    assert seconds_at_rate(tasks(*rows), even) == pytest.approx(n_tasks / 2, rel=0.005)


@pytest.mark.parametrize("slower", [1.0, 1.25])
def test_copies_count_with_the_time_that_their_rate_gives(slower: float) -> None:
    trials, parts = frames(cell("sequential", 1), copies(2, Cost(user_s=0.1 * slower)))
    timed = with_model_seconds(trials, parts)
    of_copies = timed.loc[timed["strategy"] == "copies", "model_s"]
    assert of_copies.to_numpy() == pytest.approx(
        [0.6 * slower * scale for scale in (1.0, 1.01, 0.99)], rel=0.02
    )
    sequential = timed[timed["strategy"] == "sequential"]
    assert sequential["model_s"].tolist() == sequential["wall_s"].tolist()
    assert timed["wall_s"].tolist() == trials["wall_s"].tolist(), "raw columns stay raw"


def test_copies_without_a_reference_have_no_time_and_are_left_out() -> None:
    assert with_model_seconds(*frames(copies(2))).empty
