"""The command that a row has measures the same cell again."""

import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from experiments import ROOT
from experiments.cli import prepare
from experiments.measure.jobs import cell_of
from experiments.measure.rows import planned_columns
from experiments.plan.cell import Cell
from experiments.plan.command import command

NOT_OF_THE_CELL = {"experiment", "protocol", "repetitions"}


def composed(*words: str) -> Cell:
    prepare()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return cell_of(compose("config", list(words), return_hydra_config=True))


@pytest.mark.parametrize(
    "words",
    [
        ("strategy=p2", "workers=4", "saving=false"),
        ("strategy=pq", "strategy.savers=2", "workers=8"),
        ("strategy=dynamic", "runtime=fast", "pipeline=light", "n_images=3"),
        ("strategy=p1", "runtime=fast", "runtime.pin=compact", "runtime.opencv_threads=null"),
        ("strategy=p2", "ablation=chunk_1"),
        ("strategy=p2", "ablation=tmpfs"),
        ("dataset=photos", "image_size=null", "n_images=null"),
        ("dataset.pattern=noise", "dataset.format=jpg", "image_size=40x30", "seed=7"),
        ("dataset=folder", "dataset.path='it\\'s, (a) \"test\"=ä$'", "sample=5", "on_bad_image=skip"),
        ("dataset=folder", "dataset.path='007'"),
        ("protocol=paper", "strategy=ray", "strategy.address='host:6379'"),
    ],
)
def test_a_command_names_the_same_cell(words: tuple[str, ...]) -> None:
    cell = composed(*words)
    [python, script, *again] = shlex.split(command(cell))
    assert (python, script) == ("python", "run.py")
    before, after = planned_columns(cell), planned_columns(composed(*again))
    differing = {name for name in before if before[name] != after[name]}
    assert differing <= NOT_OF_THE_CELL | {"command"}
    assert composed(*again).config.sample == cell.config.sample


def test_what_is_as_it_is_by_default_is_not_said(tmp_path: Path) -> None:
    cell = composed("strategy=dynamic", "runtime=fast", "dataset=folder", f"dataset.path={tmp_path}")
    assert command(cell, output_dir="augmented") == (
        f"python run.py strategy=dynamic dataset=folder runtime=fast dataset.path={tmp_path} workers=1 "
        "saving=true n_augmentations=8 output_dir=augmented"
    )
