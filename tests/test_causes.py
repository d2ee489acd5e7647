"""The verdict names what was planted. Takes minutes and a quiet machine, and so runs on demand:
CAUSES=10 pytest tests/test_causes.py (make causes) tries each so often and wants nine in ten."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from augment.datasets.synthetic import Synthetic
from augment.runtime import Runtime
from experiments.analysis.account import accounts
from experiments.analysis.ceilings import TURNS, in_turns, inflations
from experiments.analysis.verdict import verdicts
from experiments.measure.repetitions import Measured, measure
from experiments.measure.surroundings import Surroundings
from experiments.plan.cell import Cell
from experiments.plan.options import Config
from experiments.records import store
from tests.causes import CAUSES, Cause

TIMES = int(os.environ.get("CAUSES", "0"))
pytestmark = pytest.mark.skipif(not TIMES, reason="minutes on a quiet machine: CAUSES=10, or make causes")


def cell_of(cause: Cause) -> Cell:
    config = Config(
        workers=cause.workers,
        image_size=cause.size,
        saving=False,
        repetitions=cause.repetitions,
        n_images=2,
        n_augmentations=cause.n_augmentations,
        strategy=cause.strategy,
        dataset=Synthetic(),
        pipeline={"transforms": [{"_target_": f"{cause.transform.__module__}.{cause.transform.__name__}"}]},
        runtime=Runtime(opencv_threads=cause.opencv_threads),
    )
    name = type(cause.strategy).__name__.lower()
    return Cell(config, "adhoc", "smoke", name, "synthetic", cause.transform.__name__)


@pytest.fixture(scope="module")
def surroundings() -> Surroundings:
    return Surroundings()


def in_turns_of(cell: Cell) -> list[Cell]:
    """The workload and the probes in turns; nothing for one worker."""
    return [one for one in cell.ceilings if one.strategy == TURNS]


def keep(results: Path, cells: Sequence[Cell], surroundings: Surroundings) -> None:
    """Measures the cells in rounds, as `interleave=true` does."""
    times = range(cells[0].config.repetitions)
    rounds = [[measure(cell, surroundings, range(n, n + 1)) for cell in cells] for n in times]
    for cell, repetitions in zip(cells, zip(*rounds, strict=True), strict=True):
        whole = sum(repetitions, Measured([]))
        store.write(results, surroundings.name(cell), whole.trials, whole.tasks, whole.probes)


@pytest.mark.parametrize("name", CAUSES)
def test_a_planted_cause_is_named(name: str, surroundings: Surroundings, tmp_path: Path) -> None:
    said: Counter[str] = Counter()
    for attempt in range(TIMES):
        results = tmp_path / str(attempt)
        cell = cell_of(CAUSES[name])
        keep(results, [cell.baseline, cell, *in_turns_of(cell)], surroundings)
        trials, tasks = store.read_trials(results / "trials"), store.read_tasks(results / "tasks")
        company = inflations(trials, tasks, store.read_probes(results / "probes"))
        judged = verdicts(accounts(trials[~in_turns(trials)], tasks), company)
        found = next(one for one in judged if one.strategy == cell.strategy)
        said[found.cause] += 1
        print(f"\n{name}: {found.sentence()} ({found.order})")
    named = sum(count for cause, count in said.items() if cause.startswith(CAUSES[name].named))
    assert named >= 0.9 * TIMES, said
