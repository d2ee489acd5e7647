"""Whole sweeps, end to end: every cell a row, none lost, none measured twice."""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

from augment.datasets.synthetic import Synthetic
from augment.strategies.base import Strategy, master
from augment.strategies.instruments.interference import NEIGHBOURS
from augment.task_log.layout import STAGES, Role
from augment.workload import Job
from experiments.config.cell import Cell
from experiments.config.options import Config
from experiments.machine.environment import usable_cpus
from experiments.sweep.sweep import Sweep
from tests.conftest import RunPy
from tests.helpers.commands import command
from tests.helpers.small_jobs import FLIP

NINE = ("-m", "workers=1,2,4", "strategy=p1,p2,pq", "protocol=smoke")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    ended = command(*NINE, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("8 ok, 1 not_applicable of 9 cells")
    lines = ended.stderr.splitlines()
    assert all(line.startswith("warning: ") for line in lines), "no bar where nobody watches"
    return folder


def trials(folder: Path, experiment: str = "adhoc") -> pd.DataFrame:
    return pd.read_parquet(folder / "results" / "trials" / experiment)


def test_sweep_of_nine_cells_has_nine_rows(swept: Path) -> None:
    rows = trials(swept)
    assert len(rows) == rows["trial_id"].nunique() == rows["cell"].nunique() == 9
    [odd] = rows[rows["status"] != "ok"].to_dict("records")
    assert (odd["strategy"], odd["workers"], odd["status"]) == ("pq", 1, "not_applicable")
    assert "workers=1" in odd["error"]
    ok = rows[rows["status"] == "ok"]
    assert ok["outputs_digest"].nunique() == 1
    assert (ok["outputs"] == 12).all()
    assert (ok["wall_s"] > 0).all()
    oversubscribed = ok["warnings"].str.contains("oversubscribed", na=False)
    assert (oversubscribed == (ok["workers"] > ok["usable_cpus"])).all()
    beside = ["steal_s", "iowait_s", "others_cpu_s"]
    assert (ok[beside] >= 0).all(axis=None)


@pytest.mark.skipif(usable_cpus() < 2, reason="instruments need a CPU for each worker")
def test_instruments_are_measured_beside_a_cell(run_py: RunPy, tmp_path: Path) -> None:
    """Copies do each of the twelve tasks once a worker; of interference there are turns instead of tasks."""
    asked = ("with_ceiling=true", "with_interference=true", "output_dir=kept")
    assert run_py("strategy=p2", "workers=2", "protocol=smoke", *asked).status == 0
    rows = trials(tmp_path).set_index("strategy")
    assert set(rows.index) == {"p2", "copies", "interference"}
    assert set(rows["status"]) == {"ok"}
    assert rows["outputs_digest"]["copies"] == rows["outputs_digest"]["p2"]
    assert rows["outputs_digest"].isna()["interference"], "its outputs are only some"

    tasks = pd.read_parquet(tmp_path / "results" / "tasks" / "adhoc")
    count = {rows["trial_id"][name]: number for name, number in (("p2", 12), ("copies", 24))}
    assert tasks.groupby("trial_id").size().to_dict() == count
    turns = pd.read_parquet(tmp_path / "results" / "turns" / "adhoc")
    assert set(turns["trial_id"]) == {rows["trial_id"]["interference"]}
    assert turns.groupby("round").size().to_dict() == {0: 6, 1: 6, 2: 6}
    assert sorted(turns["neighbour"].unique()) == sorted(NEIGHBOURS)
    assert (turns["wall_s"] > 0).all()


@dataclass
class Half(Strategy):
    """A worker that does every other task."""

    name = "half"

    def run(self, job: Job) -> None:
        with master(job, Role.WORKER) as runner:
            runner.run_tasks(list(job.workload.tasks())[::2])


@dataclass
class Idle(Half):
    """A strategy that returns at once."""

    def run(self, job: Job) -> None:
        pass


@pytest.mark.parametrize(("strategy", "done"), [(Half(), 3), (Idle(), 0)])
def test_strategy_that_does_too_little_fails(strategy: Strategy, done: int, tmp_path: Path) -> None:
    config = Config(strategy=strategy, dataset=Synthetic(), pipeline=FLIP, saving=False, image_size="64x48")
    config = replace(config, n_images=3, n_augmentations=2, repetitions=1, cache_dir=str(tmp_path))
    [cell] = Sweep([Cell(replace(config, results_dir=str(tmp_path)))], in_sweep=True).measure()
    assert cell.failures == [f"half-1w-64x48-nosaving failed: the strategy did {done} tasks of 6"]


def test_tasks_and_transforms_are_stored_beside_the_trials(swept: Path) -> None:
    tasks = pd.read_parquet(swept / "results" / "tasks" / "adhoc")
    per_trial = tasks.groupby("trial_id").size()
    assert (per_trial == 12).all()
    assert len(per_trial) == 8
    alone = [f"{stage}_s" for stage in STAGES if stage != "send"]  # the saver may begin before put() returns
    spent = tasks[alone].sum(axis=1)
    assert (spent <= tasks["end_s"] - tasks["start_s"] + 1e-6).all()
    assert tasks["file_wait_s"].between(0, tasks["read_s"] + tasks["write_s"]).all()
    transforms = pd.read_parquet(swept / "results" / "transforms" / "adhoc")
    calls = transforms.merge(tasks, on=["trial_id", "image_index", "augmentation_index"], validate="m:1")
    assert len(calls) == len(transforms) > 0
    assert calls["seconds"].between(0, calls["transform_s"], inclusive="neither").all()
    assert (transforms["weight"] >= 1).all()
    rows = trials(swept).query("status == 'ok'").set_index("trial_id")
    assert (rows["last_output_s"] < rows["wall_s"]).all()
    assert rows["last_output_s"].to_dict() == pytest.approx(
        tasks.groupby("trial_id")["end_s"].max().to_dict()
    )


def test_sweep_writes_nothing_outside_results(swept: Path) -> None:
    assert [path.name for path in swept.iterdir()] == ["results"]
    folders = {path.name for path in (swept / "results").iterdir() if path.is_dir()}
    assert folders == {"trials", "tasks", "transforms", "hydra"}


def test_ablations_share_the_untouched_baseline(run_py: RunPy, tmp_path: Path) -> None:
    words = ("experiment=ablation", "ablation=none,allocator,chunksize_1", "protocol=smoke", "repetitions=1")
    assert run_py(*words).status == 0
    rows = trials(tmp_path, "ablation")
    measured = sorted(zip(rows["strategy"], rows["ablation"], strict=True))
    ablated = [("p2", ablation) for ablation in ("allocator", "chunksize_1", "none")]
    assert measured == [*ablated, *[("sequential", "none")] * 2]


def test_failing_cell_is_recorded_and_the_sweep_continues(run_py: RunPy, tmp_path: Path) -> None:
    (tmp_path / "conf" / "pipeline").mkdir(parents=True)
    declared = "transforms: [{_target_: own_transforms.Breaks, p: 1}]\n"
    (tmp_path / "conf" / "pipeline" / "breaks.yaml").write_text(declared)
    (tmp_path / "own_transforms.py").write_text(
        "import albumentations as A\n"
        "class Breaks(A.ImageOnlyTransform):\n"
        "    def apply(self, image, **_):\n"
        "        raise RuntimeError('no such luck')\n"
    )
    words = ("-m", "strategy=sequential,p2", "protocol=smoke", "pipeline=breaks,light")
    ended = run_py("--config-dir", str(tmp_path / "conf"), *words)
    assert ended.status == 1
    assert "p2-1w-120x80-saving failed: RuntimeError: no such luck" in ended.stdout
    rows = trials(tmp_path)
    statuses = rows.groupby("pipeline")["status"].unique().map(list).to_dict()
    assert statuses == {"breaks": ["failed"], "light": ["ok"]}
    assert rows["error"].dropna().str.contains("RuntimeError: no such luck; worker .* at task").all()


def test_trace_false_stores_the_trial_without_tasks(run_py: RunPy, tmp_path: Path) -> None:
    run_py("strategy=p1", "workers=2", "protocol=smoke", "trace=false")
    [row] = trials(tmp_path).to_dict("records")
    assert (row["status"], row["outputs"]) == ("ok", 12)
    assert not (tmp_path / "results" / "tasks").exists()


RANDOM = """\
import os
import numpy as np

def pipeline(seed):
    def draw(image):
        return image ^ np.frombuffer(os.urandom(image.size), np.uint8).reshape(image.shape)
    return draw
"""


def test_pipeline_with_randomness_of_its_own_gives_failed_trials(tmp_path: Path) -> None:
    (tmp_path / "my_random_pipeline.py").write_text(RANDOM)
    pipeline = ("pipeline=python", "pipeline.object=my_random_pipeline:pipeline")
    size = ("n_images=1", "n_augmentations=2", "image_size=64x48", "repetitions=1")
    ended = command("strategy=p2", "workers=2", "with_baseline=true", *size, *pipeline, cwd=tmp_path)
    assert ended.returncode == 1
    assert trials(tmp_path)["status"].value_counts().to_dict() == {"failed": 2, "ok": 1}
    assert "its outputs, 2 different ones of 2, are not those of " in ended.stderr
    assert "the pipeline draws from more than the task's seed" in ended.stderr
