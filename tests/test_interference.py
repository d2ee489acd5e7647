"""Trials of interference: in every round the same tasks beside each kind of neighbours."""

from collections import Counter
from pathlib import Path

import pytest

from augment.runtime import Runtime, StartMethod
from augment.strategies import STRATEGIES
from augment.strategies.instruments.interference import IDLE, NEIGHBOURS, ROUNDS, SETTLE_S
from augment.task_log.layout import Role
from augment.task_log.reader import ProcessLog
from tests.helpers.small_jobs import run, small_job


@pytest.fixture(scope="module", params=["fork", "spawn"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ProcessLog:
    """Return the log of a subject with two neighbours."""
    runtime = Runtime(start_method=StartMethod(request.param))
    job = small_job(tmp_path_factory.mktemp("interference"), 3, runtime=runtime)
    outcome = run(STRATEGIES["interference"](), job)
    assert outcome.error is None
    [log] = [log for log in outcome.logs if log.header.role is Role.WORKER and len(log.tasks)]
    return log


def turns(subject: ProcessLog) -> list[tuple[int, str, list[tuple[int, int]]]]:
    """Round, neighbour and tasks of each turn."""
    tasks = subject.tasks[["image_index", "augmentation_index"]].tolist()
    ends = [*(turn.first_task for turn in subject.turns[1:]), len(tasks)]
    return [
        (turn.round, turn.neighbour, tasks[turn.first_task : end])
        for turn, end in zip(subject.turns, ends, strict=True)
    ]


def test_round_has_a_turn_beside_each_neighbour_and_two_beside_idle_ones(subject: ProcessLog) -> None:
    taken = Counter((number, neighbour) for number, neighbour, _ in turns(subject))
    assert taken == {(number, each): 1 + (each == IDLE) for number in range(ROUNDS) for each in NEIGHBOURS}


def test_all_turns_of_a_round_do_the_same_tasks(subject: ProcessLog) -> None:
    for number in range(ROUNDS):
        blocks = [block for each, _, block in turns(subject) if each == number]
        assert len(blocks[0]) > 0
        assert blocks.count(blocks[0]) == len(blocks)


def test_turn_waits_until_the_neighbours_have_settled(subject: ProcessLog) -> None:
    firsts = [turn.first_task for turn in subject.turns]
    pauses_s = [subject.tasks["start"][first] - subject.tasks["end"][first - 1] for first in firsts]
    assert min(pauses_s) >= SETTLE_S


def test_trial_that_records_no_tasks_has_no_turns(tmp_path: Path) -> None:
    outcome = run(STRATEGIES["interference"](), small_job(tmp_path, 2, trace=False))
    assert outcome.error is None
    assert all(len(log.tasks) == len(log.turns) == 0 for log in outcome.logs)
