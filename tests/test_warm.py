"""Trials that a warm parent forks end as those of fresh processes do, and are told apart from them."""

from pathlib import Path

import pandas as pd
import pytest

from augment.strategies import STRATEGIES
from tests.conftest import RunPy
from tests.helpers.faulty_transforms import Leaves, Raises, pipeline
from tests.helpers.small_jobs import contents, run, small_job


def test_a_warm_trial_does_what_a_fresh_one_does(tmp_path: Path) -> None:
    for warm in (False, True):
        outcome = run(STRATEGIES["p2"](), small_job(tmp_path / str(warm), 2), warm=warm)
        assert outcome.error is None
    assert contents(tmp_path / "True" / "out") == contents(tmp_path / "False" / "out")


@pytest.mark.parametrize(("kind", "told"), [(Raises, "RuntimeError: planted fault"), (Leaves, "ended early")])
@pytest.mark.parametrize("name", ["sequential", "p2"])
def test_a_warm_trial_fails_as_a_fresh_one_does(name: str, kind: type, told: str, tmp_path: Path) -> None:
    errors = []
    for warm in (False, True):
        job = small_job(tmp_path / str(warm), 1 if name == "sequential" else 2, pipeline=pipeline(kind))
        errors.append(run(STRATEGIES[name](), job, warm=warm).error or "")
    assert all(error.startswith(told) for error in errors), errors


def test_a_warm_trial_is_another_cell_than_a_measured_one(run_py: RunPy, tmp_path: Path) -> None:
    for warm in ("true", "false"):
        assert run_py("strategy=p2", "workers=2", "protocol=smoke", f"warm_parent={warm}").status == 0
    rows = pd.read_parquet(tmp_path / "results" / "trials" / "adhoc")
    assert sorted(rows["warm_parent"]) == [False, True]
    assert rows["cell"].nunique() == 2
    assert (rows["outside_s"] > 0).all()
