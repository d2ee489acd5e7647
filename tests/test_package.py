"""The wheel, installed: its command from any folder, and its harmlessness in other programs."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import albumentations
import numpy as np
import pandas as pd
import pytest

import augmentation_scaling
from augmentation_scaling import AdviseError, advise
from experiments import ROOT
from experiments.machine.conditions import code_digest
from experiments.report.sections.advise import ROW
from experiments.report.tables import Table
from experiments.store import files as store
from tests.helpers.commands import interpreter

SMALL = ["image_size=64x48", "n_images=1", "n_augmentations=1", "repetitions=1"]
FOREIGN = "raise SystemExit('this is not the suite')"
TRANSFORM = """\
import albumentations

class Negative(albumentations.ImageOnlyTransform):
    def apply(self, img, **params):
        return 255 - img
"""
OTHER_PROGRAM = """\
import sys, hydra

@hydra.main(version_base="1.3", config_path=None)
def main(config):
    print(hydra.core.hydra_config.HydraConfig.get().launcher._target_.split(".")[-1])
    print(*sorted({"augment", "experiments", "pandas", "pyarrow"} & {*sys.modules}))

main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = interpreter("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment with the wheel, which takes other packages from that of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    assert interpreter("-m", "venv", "--without-pip", str(folder), cwd=folder).returncode == 0
    [packages] = folder.glob("lib/*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    words = ("--python", f"{folder}/bin/python", "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    done = interpreter("-m", "pip", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def run(environment: Path, *words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command of the environment."""
    path = {"PATH": f"{environment / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": "lib"}
    return subprocess.run(words, cwd=cwd, env=os.environ | path, capture_output=True, text=True, timeout=100)


def test_wheel_holds_all_that_the_command_reads_and_nothing_else(wheel: Path) -> None:
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    for pattern in ("conf/**/*.yaml", "results/published/*"):
        assert {f"experiments/data/{path.relative_to(ROOT)}" for path in ROOT.glob(pattern)} <= names
    assert {"experiments/report/templates/page.html", "hydra_plugins/augment_plugins.py"} <= names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"augment", "augmentation_scaling.py", "experiments", "hydra_plugins"}
    assert not any(name.startswith("hydra_plugins/__init__") for name in names), "would hide other plugins"


@pytest.mark.parametrize(
    "strategy", ["sequential", *(pytest.param(name, marks=pytest.mark.slow) for name in ("loky", "ray"))]
)
def test_installed_command_works_from_any_folder_whatever_lies_there(
    strategy: str, environment: Path, tmp_path: Path
) -> None:
    for name in ("augment/__init__.py", "lib/experiments/__init__.py", "queue.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(FOREIGN)
    (tmp_path / "my_transforms.py").write_text(TRANSFORM)
    pipeline = "pipeline.transforms=[{_target_: my_transforms.Negative, p: 1}]"
    done = run(environment, "augmentation-scaling", f"strategy={strategy}", *SMALL, pipeline, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [row] = store.read(tmp_path / "results" / "trials", "trials").to_dict("records")
    assert row["command"].startswith(f"augmentation-scaling strategy={strategy} ")
    assert (row["status"], pd.isna(row["git_commit"])) == ("ok", True)
    assert row["code_digest"] == code_digest(ROOT)
    again = run(environment, "sh", "-c", row["command"], cwd=tmp_path)
    assert "1 already measured of 1 cells" in again.stdout, again.stderr


def test_python_call_fails_with_the_line_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(AdviseError, match=r"^dataset.path=.*/my \(odd\) pics: no such file or directory"):
        advise(tmp_path / "my (odd) pics", results_dir=tmp_path)


@pytest.mark.parametrize("refused", ["", "not enough rounds"])
def test_python_call_returns_the_row_and_the_screen(
    refused: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, Any]] = []
    row = dict.fromkeys(ROW, "") | {"command": "a b", "workers": 4, "low": 0.5, "refused": refused}

    def output(words: str) -> str:
        given.append(json.loads(words))
        Table("", [], [], pd.DataFrame([row])).save(tmp_path / "tables" / "advise" / "recommendation")
        return "Recommendation"

    monkeypatch.setattr("augmentation_scaling._output", output)
    pipeline = albumentations.Compose([albumentations.HorizontalFlip(p=0.5)])
    if refused:
        with pytest.raises(AdviseError, match=refused):
            advise("photos", results_dir=tmp_path)
        return
    advice = advise("photos", pipeline, tmp_path, advise__budget_s=60, workers=[2, 4])
    assert (str(advice), advice.command, advice.workers, advice.low) == ("Recommendation", "a b", 4, 0.5)
    [saved] = (tmp_path / "pipelines").iterdir()
    assert albumentations.from_dict(json.loads(saved.read_text())).to_dict() == pipeline.to_dict()
    assert given[0].items() >= {"pipeline.path": str(saved), "advise.budget_s": 60, "workers": [2, 4]}.items()


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        (None, {}),
        ("light", {"pipeline": "light"}),
        ("mine:train", {"pipeline": "python", "pipeline.object": "mine:train"}),
        ("/x/train.json", {"pipeline": "saved", "pipeline.path": "/x/train.json"}),
        ("~/train.json", {"pipeline": "saved", "pipeline.path": f"{Path.home()}/train.json"}),
        ("s3://b/train.json", {"pipeline": "saved", "pipeline.path": "s3://b/train.json"}),
        (Path("/x/train"), {"pipeline": "saved", "pipeline.path": "/x/train"}),
    ],
)
def test_pipeline_of_the_python_call_is_one_of_the_command(pipeline: Any, words: dict[str, str]) -> None:
    assert augmentation_scaling._pipeline_words(pipeline, Path()) == words


def test_python_call_refuses_a_class_that_no_other_process_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mine(albumentations.HorizontalFlip):  # type: ignore[misc]
        pass

    monkeypatch.setattr(Mine, "__module__", "__main__")
    with pytest.raises(AdviseError, match="a class of __main__; move it to a module"):
        advise("photos", albumentations.Compose([Mine()]), tmp_path)
    with pytest.raises(TypeError, match=r"must be a name, a saved file, module:object or an A\.Compose"):
        advise("photos", 3, tmp_path)
    with pytest.raises(AdviseError, match=r"^pipeline: .*; give an object of a module"):
        advise("photos", albumentations.Compose([albumentations.Lambda(image=np.copy)]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_help_names_the_installed_command(environment: Path, tmp_path: Path) -> None:
    shown = run(environment, "augmentation-scaling", "--help", cwd=tmp_path).stdout
    assert "  augmentation-scaling -m workers=1,2,4,8" in shown
    assert "run.py" not in shown
    assert list(tmp_path.iterdir()) == []


def test_plugins_are_harmless_in_another_program_of_hydra(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(OTHER_PROGRAM)
    done = run(environment, "python", "other.py", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "BasicLauncher\n\n", "")
