"""Trials that tests fork end as those in fresh processes do."""

from pathlib import Path

import pytest

from augment.strategies import STRATEGIES
from experiments.trial import supervisor
from tests.helpers.faulty_transforms import Leaves, Raises, pipeline
from tests.helpers.forked_trials import ForkedTrial
from tests.helpers.small_jobs import contents, run, small_job

fresh = supervisor._started  # before the fixture replaces it
STARTS = {"fresh": fresh, "forked": ForkedTrial}


def test_a_forked_trial_writes_what_a_fresh_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, start in STARTS.items():
        monkeypatch.setattr(supervisor, "_started", start)
        assert run(STRATEGIES["p2"](), small_job(tmp_path / name, 2)).error is None
    assert contents(tmp_path / "forked" / "out") == contents(tmp_path / "fresh" / "out")


@pytest.mark.parametrize(
    ("kind", "error"), [(Raises, "RuntimeError: planted fault"), (Leaves, "ended early")]
)
@pytest.mark.parametrize("name", ["sequential", "p2"])
def test_a_forked_trial_fails_as_a_fresh_one_does(
    name: str, kind: type, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, start in STARTS.items():
        monkeypatch.setattr(supervisor, "_started", start)
        job = small_job(tmp_path / folder, 1 if name == "sequential" else 2, pipeline=pipeline(kind))
        assert (run(STRATEGIES[name](), job).error or "").startswith(error)
