"""The verdict names what was planted. Takes minutes and a quiet machine, and so runs on demand:
CAUSES=10 pytest tests/test_causes.py (make causes) tries each so often and wants nine in ten."""

import os
from collections import Counter
from pathlib import Path

import pytest

from augment.datasets.synthetic import Synthetic
from augment.runtime import Runtime
from augment.strategies.instruments.turns import Turns
from experiments.analysis.account import accounts
from experiments.analysis.ceilings import inflations
from experiments.analysis.verdict import verdicts
from experiments.measure.sweep import measure_all
from experiments.plan.cell import Cell
from experiments.plan.options import Config
from experiments.records import store
from tests.causes import CAUSES, Cause

TIMES = int(os.environ.get("CAUSES", "0"))
pytestmark = pytest.mark.skipif(not TIMES, reason="minutes on a quiet machine: CAUSES=10, or make causes")


def cell_of(cause: Cause, results: Path) -> Cell:
    config = Config(
        workers=cause.workers,
        image_size=cause.size,
        saving=False,
        baseline=True,
        ceilings=True,
        results_dir=str(results),
        repetitions=cause.repetitions,
        n_images=2,
        n_augmentations=cause.n_augmentations,
        strategy=cause.strategy,
        dataset=Synthetic(),
        pipeline={"transforms": [{"_target_": f"{cause.transform.__module__}.{cause.transform.__name__}"}]},
        runtime=Runtime(opencv_threads=cause.opencv_threads),
    )
    return Cell(config, pipeline=cause.transform.__name__)


@pytest.mark.parametrize("name", CAUSES)
def test_a_planted_cause_is_named(name: str, tmp_path: Path) -> None:
    causes: Counter[str] = Counter()
    for attempt in range(TIMES):
        results = tmp_path / str(attempt)
        cell = cell_of(CAUSES[name], results)
        measure_all([cell], in_sweep=False)
        trials, parts = store.read(results / "trials", "trials"), store.Parts(results, cell.experiment)
        workload = trials[trials["strategy"] != Turns.name]
        judged = verdicts(accounts(workload, parts), inflations(trials, parts))
        verdict = next(each for each in judged if each.strategy == cell.strategy)
        causes[verdict.cause] += 1
        print(f"\n{name}: {verdict.sentence()} ({verdict.order})")
    named = sum(count for cause, count in causes.items() if cause.startswith(CAUSES[name].named))
    assert named >= 0.9 * TIMES, causes
