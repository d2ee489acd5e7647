"""The command that a row has measures the same cell again."""

import shlex
from pathlib import Path

import pytest

from augment.strategies import STRATEGIES
from augment.strategies.sequential import Sequential
from experiments.config.cell import command, replaced
from experiments.store import files as store
from experiments.sweep.cells import planned_columns
from tests.conftest import RunPy
from tests.helpers.commands import composed

SMALL = ("strategy=sequential", "protocol=smoke", "image_size=40x30", "n_images=1", "n_augmentations=1")
NOTHING: dict[str, str] = {}
NOT_OF_THE_CELL = {"experiment", "protocol", "repetitions"}


@pytest.mark.parametrize(
    "words",
    [
        ("strategy=p2", "workers=4", "saving=false"),
        ("strategy=pq", "strategy.savers=2", "workers=8"),
        ("strategy=dynamic", "runtime=fast", "pipeline=light", "n_images=3"),
        ("strategy=p1", "runtime=fast", "runtime.start_method=spawn", "runtime.opencv_threads=null"),
        ("strategy=p2", "ablation=chunksize_1"),
        ("strategy=p2", "ablation=tmpfs"),
        ("dataset=photos", "image_size=null", "n_images=null"),
        ("dataset.pattern=noise", "dataset.format=jpg", "image_size=40x30", "seed=7"),
        ("dataset=folder", "dataset.path='it\\'s, (a) \"test\"=ä$'", "sample=5", "on_bad_image=skip"),
        ("dataset=folder", "dataset.path='007'"),
        ("dataset=folder", "dataset.path='Fotos_für'"),
        ("dataset=folder", "dataset.path='2019_08'"),
        ("dataset=folder", "dataset.path='1e5'"),
        ("dataset=folder", "dataset.path='null'"),
        (
            "pipeline=light",
            "pipeline.transforms=[{_target_:albumentations.RandomGamma,gamma_limit:[80,120]}]",
        ),
        ("protocol=paper", "strategy=ray", "strategy.address='host:6379'"),
    ],
)
def test_command_of_a_cell_composes_the_same_cell(words: tuple[str, ...]) -> None:
    cell = composed(*words)
    [python, script, *again] = shlex.split(cell.command)
    assert (python, script) == ("python", "run.py")
    recomposed = composed(*again)
    before, after = planned_columns(cell, NOTHING), planned_columns(recomposed, NOTHING)
    differing = {name for name in before if before[name] != after[name]}
    assert differing <= NOT_OF_THE_CELL | {"command"}
    assert recomposed.config.sample == cell.config.sample


def test_command_of_a_baseline_has_no_option_of_another_strategy() -> None:
    cell = composed("strategy=p2", "workers=2", "++strategy.chunksize=1")
    assert "chunksize" not in cell.of_strategy(Sequential, 1).command


def test_command_names_the_config_folder_of_the_user(run_py: RunPy, tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "mine.yaml").write_text("transforms: [{_target_: albumentations.ToGray}]\n")
    done = run_py("--config-dir", str(tmp_path), "pipeline=mine", *SMALL)
    assert done.status == 0, done.stderr
    [command] = set(store.read(tmp_path / "results" / "trials", "trials")["command"])
    assert shlex.split(command)[2:4] == ["--config-dir", str(tmp_path)]
    assert "pipeline=mine" in command
    assert "pipeline.transforms" not in command


def test_command_has_the_value_of_an_environment_variable(
    run_py: RunPy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE", str(tmp_path / "it's here"))
    for words in (SMALL, ("-m", *SMALL, "seed=1,2")):
        assert run_py(*words, "++cache_dir=${oc.env:PLACE}", "hydra.run.dir=${oc.env:PLACE}").status == 0
    commands = store.read(tmp_path / "results" / "trials", "trials")["command"]
    assert [f'++cache_dir="{tmp_path}/it\'s here"' in shlex.split(each) for each in commands] == [True] * 3
    assert not commands.str.contains("null").any(), "an option of Hydra's own keeps its words"


def test_words_of_a_command_are_replaced_by_their_option() -> None:
    words = replaced(["strategy=p1", "+workers=2", "seed=1"], workers=4, output_dir="für uns")
    assert command(words) == """python run.py strategy=p1 seed=1 workers=4 'output_dir="für uns"'"""


def test_command_of_an_experiment_runs_one_cell() -> None:
    cell = composed("experiment=strong_scaling", "strategy=p2", "workers=4")
    expected = "python run.py experiment=strong_scaling strategy=p2 workers=4 hydra.mode=RUN"
    assert cell.command == expected


def test_companion_has_the_words_of_its_strategy() -> None:
    cell = composed("strategy=pq", "strategy.savers=2", "workers=8", "seed=3")
    words = cell.of_strategy(STRATEGIES["sequential"], 1).words
    assert words == ("seed=3", "strategy=sequential", "workers=1")
