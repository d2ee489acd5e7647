"""Hydra's launchers, sweepers, folders and flags, as its users know them."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from experiments.config.cell import Cell, CellFailedError
from experiments.machine.environment import usable_cpus
from experiments.store import files as store
from experiments.sweep.sweep import Sweep
from tests.conftest import Ended, RunPy
from tests.helpers.commands import command

SMOKE = ("protocol=smoke", "repetitions=1")


@dataclass(frozen=True)
class Measured:
    """Stands for what the sweep knows of a cell: half a second per task, divided by the workers."""

    cell: Cell

    def seconds_per_task(self) -> float:
        if self.cell.config.seed == 13:
            raise CellFailedError(f"{self.cell.label}: killed")
        return math.inf if self.cell.not_applicable else 0.5 / self.cell.config.workers


@dataclass
class Sweeps:
    """Measures nothing, and remembers what it was to measure."""

    cells: list[list[Cell]] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)

    def measure(self, sweep: Sweep) -> list[Measured]:
        self.cells.append([cell.cell for cell in sweep.requested])
        self.folders.append(Path.cwd())
        return [Measured(cell) for cell in self.cells[-1]]


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> Sweeps:
    recorded = Sweeps()
    monkeypatch.setattr(Sweep, "measure", lambda sweep: recorded.measure(sweep))
    monkeypatch.setattr(
        "experiments.sweep.cells.result_line", lambda measured: f"{measured.cell.label} is measured"
    )
    return recorded


def files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.glob(pattern))


def assert_refused(ended: Ended, tmp_path: Path, reason: str) -> None:
    assert (ended.status, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"error: {reason}")
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_plain_command_measures_one_cell(run_py: RunPy, sweeps: Sweeps, tmp_path: Path) -> None:
    assert run_py("workers=3", "strategy=p1").status == 0
    [[cell]] = sweeps.cells
    assert (cell.strategy, cell.config.workers) == ("p1", 3)
    [folder] = (tmp_path / "results" / "hydra").glob("*/*")
    assert files(folder, "*") == [Path(".hydra"), Path("run.log")]
    assert OmegaConf.load(folder / ".hydra" / "overrides.yaml") == ["workers=3", "strategy=p1"]
    assert "p1-3w-2000x1000-saving is measured" in (folder / "run.log").read_text()


def test_sweep_is_measured_whole_and_stored_as_hydra_does(
    run_py: RunPy, sweeps: Sweeps, tmp_path: Path
) -> None:
    assert run_py("-m", "workers=1,2", "strategy=p1,p2", "results_dir=kept").status == 0
    [cells] = sweeps.cells
    points = [(cell.config.workers, cell.strategy) for cell in cells]
    assert points == [(1, "p1"), (1, "p2"), (2, "p1"), (2, "p2")]
    [folder] = (tmp_path / "kept" / "hydra").glob("*/*")
    assert files(folder, "*") == [Path(name) for name in ("0", "1", "2", "3", "multirun.yaml")]
    assert files(folder, "*/run.log") == [Path(str(number), "run.log") for number in range(4)]
    overrides = OmegaConf.load(folder / "3" / ".hydra" / "overrides.yaml")
    assert overrides == ["workers=2", "strategy=p2", "results_dir=kept"]
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.fresh
@pytest.mark.parametrize("words", [(), ("-m", "seed=1,2")], ids=["run", "sweep"])
def test_variable_of_hydras_job_is_no_change_during_the_command(
    words: tuple[str, ...], run_py: RunPy
) -> None:
    ended = run_py(*words, *SMOKE, "n_images=1", "+hydra.job.env_set.MALLOC_ARENA_MAX=1")
    assert ended.status == 0, ended.stderr


@pytest.mark.parametrize("words", [("seed=1",), ("-m", "seed=1,2")], ids=["run", "sweep"])
def test_folder_of_hydra_that_cannot_be_made_is_one_line(
    words: tuple[str, ...], run_py: RunPy, sweeps: Sweeps, tmp_path: Path
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "hydra").touch()
    ended = run_py(*words)
    assert (ended.status, ended.stderr.count("\n")) == (2, 1)
    assert re.match("error: not a directory: results/hydra/", ended.stderr)


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("team/short", "# @package _global_\nworkers: 2\n", "experiment=team/short: must be a name without"),
        ("short", "experiment: {seed: 2}\n", "experiment/short.yaml: experiment: no such option; begin the"),
        ("short", "workers: {1\n", "while parsing a flow mapping"),
    ],
)
def test_slip_in_a_file_of_the_user_is_one_line(
    name: str, text: str, error: str, run_py: RunPy, sweeps: Sweeps, tmp_path: Path
) -> None:
    file = tmp_path / "mine" / "experiment" / f"{name}.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    ended = run_py("--config-dir", "mine", f"experiment={name}")
    assert (ended.status, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith(f"error: {error}")


def test_command_line_replaces_the_sweep_of_an_experiment(run_py: RunPy, sweeps: Sweeps) -> None:
    assert run_py("experiment=validation", "workers=2").status == 0
    assert run_py("experiment=validation", "strategy=p1", "workers=2,3").status == 0
    assert [[cell.strategy for cell in cells] for cells in sweeps.cells] == [["p1", "p2", "pq"], ["p1", "p1"]]


def test_ablation_has_as_many_workers_as_cpus(run_py: RunPy, sweeps: Sweeps) -> None:
    assert run_py("experiment=ablation", "ablation=none,spawn").status == 0
    [cells] = sweeps.cells
    assert [cell.ablation for cell in cells] == ["none", "spawn"]
    assert {cell.config.workers for cell in cells} == {usable_cpus()}


def test_instrument_is_swept_over_the_worker_counts_of_the_machine(
    run_py: RunPy, sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.config.options.usable_cpus", lambda: 6)
    assert run_py("experiment=interference").status == 0
    [cells] = sweeps.cells
    points = [(cell.strategy, cell.config.workers) for cell in cells]
    assert points == [("interference", 2), ("interference", 4), ("interference", 6)]


@pytest.mark.parametrize("launcher", ["rounds", "basic"])
def test_job_with_chdir_still_finds_relative_paths(
    launcher: str, run_py: RunPy, sweeps: Sweeps, tmp_path: Path
) -> None:
    words = ("-m", "workers=1,2", f"hydra/launcher={launcher}", "hydra.job.chdir=true")
    assert run_py(*words).status == 0
    assert set(sweeps.folders) == {tmp_path}
    assert sum(len(cells) for cells in sweeps.cells) == 2


def test_results_dir_may_contain_home_or_a_resolver(
    run_py: RunPy, sweeps: Sweeps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run_py("results_dir='~/mine'").status == 0
    assert run_py("-m", "results_dir=${hydra:runtime.cwd}/ours").status == 0
    assert (tmp_path / "home" / "mine" / "hydra").is_dir()
    assert (tmp_path / "ours" / "hydra").is_dir()
    assert sweeps.cells[1][0].config.results_dir == f"{tmp_path}/ours"


def test_failed_cell_is_status_1_and_one_line(run_py: RunPy, sweeps: Sweeps) -> None:
    for words in (["seed=13"], ["-m", "seed=12,13"]):
        ended = run_py(*words)
        assert ended.status == 1
        assert ended.stderr.splitlines()[-1] == "failed: sequential-1w-2000x1000-saving: killed"


def test_slurm_job_needs_a_node_of_its_own_with_all_cpus_that_it_is_given(
    run_py: RunPy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    ended = run_py("-m", "workers=1,2", "hydra/launcher=submitit_slurm")
    assert_refused(ended, tmp_path, "hydra/launcher=submitit_slurm: each job needs a node of its own")
    monkeypatch.setattr("shutil.which", lambda _: None)
    ended = run_py("-m", "workers=1,2", "hydra/launcher=slurm_node")
    assert_refused(ended, tmp_path, "hydra/launcher=slurm_node: no srun is found")
    monkeypatch.setenv("SLURM_JOB_CPUS_PER_NODE", "640")
    ended = run_py("hydra/launcher=slurm_node")
    assert ended.status == 2
    assert re.search(r"setup: the job may use \d+ of its 640 CPUs; let it hold \"export ", ended.stderr)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Optuna's own imports
def test_optuna_finds_the_cell_with_the_fewest_seconds_per_task(
    run_py: RunPy, sweeps: Sweeps, tmp_path: Path
) -> None:
    words = ("strategy=choice(p1,pq)", "workers=range(1,4)", "hydra.sweeper.n_trials=8")
    ended = run_py("-m", "hydra/sweeper=optuna", "hydra.sweeper.sampler.seed=1", *words)
    assert ended.status == 0
    [report] = (tmp_path / "results" / "hydra").glob("*/*/optimization_results.yaml")
    best = OmegaConf.load(report)
    values = [Measured(cell).seconds_per_task() for cells in sweeps.cells for cell in cells]
    assert (len(values), best.best_value) == (8, min(values))
    assert f"Best value: {min(values)}" in ended.stdout


def strategy_file(folder: Path, text: str) -> str:
    """Return a user's folder with strategy/mine.yaml."""
    (folder / "strategy").mkdir(parents=True)
    (folder / "strategy" / "mine.yaml").write_text(text)
    return str(folder)


def test_strategy_file_of_the_user_is_a_strategy(
    run_py: RunPy, sweeps: Sweeps, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = strategy_file(tmp_path_factory.mktemp("conf"), "defaults: [base_p2]\nchunksize: 4\n")
    assert run_py("--config-dir", folder, "-m", "strategy=mine,p2").status == 0
    [cells] = sweeps.cells
    assert [cell.label for cell in cells] == ["p2-chunksize4-1w-2000x1000-saving", "p2-1w-2000x1000-saving"]


@pytest.mark.parametrize("text", ["_target_: mine.Own\n", "defaults: [base_p2]\n_target_: mine.Own\n"])
def test_target_in_a_strategy_file_is_refused_with_the_alternative(
    text: str, run_py: RunPy, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = strategy_file(tmp_path_factory.mktemp("conf"), text)
    ended = run_py("--config-dir", folder, "strategy=mine")
    assert_refused(ended, tmp_path, "strategy/mine.yaml: _target_: no such option; give `defaults: [BASE]`")
    assert "base_p2" in ended.stderr


@pytest.mark.slow
def test_basic_launcher_stores_the_row_and_the_images_of_each_cell(tmp_path: Path) -> None:
    ended = command("-m", "seed=1,2", "output_dir=x", "hydra/launcher=basic", *SMOKE, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    trials = store.read(tmp_path / "results" / "trials", "trials")
    assert sorted(zip(trials.seed, trials.status, strict=True)) == [(1, "ok"), (2, "ok")]
    folders = {path.parent for path in (tmp_path / "x").rglob("*.jpg")}
    assert len(folders) == 2
    first, second = (b"".join(path.read_bytes() for path in sorted(folder.glob("*"))) for folder in folders)
    assert first != second
