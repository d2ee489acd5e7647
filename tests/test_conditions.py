"""The conditions of a trial: recorded by its own process, part of its cell, and held to those of the plan."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import cv2  # noqa: F401 - so that it is loaded
import numpy as np
import pandas as pd
import pytest

from experiments.machine import conditions, environment
from experiments.machine.conditions import changed, code_digest, cpu_topology, packages, user_modules
from experiments.store import files as store
from tests.helpers.commands import command

SMALL = ("strategy=p2", "workers=2", "n_images=2", "n_augmentations=2", "image_size=64x48", "repetitions=1")
TRANSFORM = """\
from my_helper import SHIFT
from albumentations import ImageOnlyTransform

class Shift(ImageOnlyTransform):
    def apply(self, img, **params):
        return img + SHIFT
"""

EDITS_ITSELF = """\
from pathlib import Path
SHIFT = 1
Path(__file__).write_text(Path(__file__).read_text() + "#")
"""


def rows(folder: Path) -> pd.DataFrame:
    return store.read(folder / "results" / "trials", "trials").sort_values("started_at")


def test_row_says_what_its_trial_ran_under(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCV_FOR_THREADS_NUM", "1")
    assert command(*SMALL, cwd=tmp_path).returncode == 0
    [row] = rows(tmp_path).to_dict("records")
    assert {"numpy", "albumentations", "opencv-python-headless", "scipy"} <= json.loads(
        row["packages"]
    ).keys()
    assert json.loads(row["variables"])["OPENCV_FOR_THREADS_NUM"] == "1"
    assert row["kernel"].endswith(os.uname().release)
    assert row["code_digest"] == conditions.CODE_DIGEST
    assert row["user_modules"] == "{}"


def test_helper_module_and_variable_make_another_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_transforms.py").write_text(TRANSFORM)
    (tmp_path / "my_helper.py").write_text("SHIFT = 1\n")
    words = (*SMALL, "pipeline.transforms=[{_target_: my_transforms.Shift, p: 1}]")
    first = command(*words, cwd=tmp_path)
    assert "already measured" in command(*words, cwd=tmp_path).stdout, first.stderr
    (tmp_path / "my_helper.py").write_text("SHIFT = 2\n")
    command(*words, cwd=tmp_path)
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    command(*words, cwd=tmp_path)
    measured = rows(tmp_path)
    assert measured["cell"].nunique() == len(measured) == 3
    assert json.loads(measured["user_modules"].iloc[0]).keys() == {"my_transforms", "my_helper"}
    assert measured["pipeline_digest"].nunique() == 1, "the declaration is the same"


def test_code_that_changes_during_a_sweep_fails_its_trials(tmp_path: Path) -> None:
    (tmp_path / "my_transforms.py").write_text(TRANSFORM)
    (tmp_path / "my_helper.py").write_text(EDITS_ITSELF)
    done = command(*SMALL, "pipeline.transforms=[{_target_: my_transforms.Shift, p: 1}]", cwd=tmp_path)
    assert done.returncode != 0
    [error] = rows(tmp_path)["error"].drop_duplicates()
    assert error.startswith("changed during the command: module my_helper ")


def test_what_only_one_process_has_loaded_is_no_change() -> None:
    def known(**versions: str) -> dict[str, Any]:
        return {"packages": json.dumps(versions), "kernel": "Linux 6"}

    assert changed(known(a="1", b="2"), known(a="1", c="3")) == []
    assert changed(known(a="1", b="2"), known(a="1", b="3")) == ["package b 2 is now 3"]
    assert changed(known(), known() | {"kernel": "Linux 7"}) == ["kernel Linux 6 is now Linux 7"]


def test_packages_are_those_of_loaded_modules_by_their_own_names() -> None:
    known = packages()
    assert known["numpy"] == np.__version__
    assert "opencv-python-headless" in known, "whose module is cv2"
    assert "mkdocs" not in known, "which is installed and not loaded"


def test_package_behind_another_of_its_name_or_without_a_name_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, facts in [("numpy-1.0", "Name: numpy\nVersion: 1.0\n"), ("damaged-1.0", "")]:
        (tmp_path / f"{name}.dist-info").mkdir()
        (tmp_path / f"{name}.dist-info/METADATA").write_text(facts)
        (tmp_path / f"{name}.dist-info/RECORD").write_text("numpy/__init__.py,,\n")
    known = packages()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert packages() == known


def test_variable_that_a_transform_sets_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    known = conditions.conditions()
    monkeypatch.setenv("KMP_INIT_AT_FORK", "FALSE")  # as scikit-learn does when a transform first needs it
    assert changed(known, conditions.conditions()) == []


def test_module_in_an_archive_counts_by_its_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("zipped_helper.py", "SHIFT = 1")
    monkeypatch.syspath_prepend(str(tmp_path / "mine.zip"))
    import_module("zipped_helper")
    assert user_modules()["zipped_helper"] == conditions.file_digest(tmp_path / "mine.zip")


def test_module_without_a_file_of_its_own_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    named = type("Named", (ModuleType,), {"__file__": "_ops.py"})  # as torch.ops and torch.classes are
    monkeypatch.setitem(sys.modules, "named_ops", named("named_ops"))
    assert "named_ops" not in user_modules()


def test_module_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = ModuleType("vanished")
    module.__file__ = str(tmp_path / "vanished.py")
    monkeypatch.setitem(sys.modules, "vanished", module)
    with pytest.raises(FileNotFoundError, match=r"vanished\.py"):
        user_modules()


def test_code_digest_changes_with_names_and_contents_of_python_files_only(tmp_path: Path) -> None:
    folder = tmp_path / "augment"
    (folder / "b").mkdir(parents=True)
    (folder / "a.py").write_text("1")
    (folder / "b/c.py").write_text("2")
    first = code_digest(tmp_path)
    (folder / "notes.txt").write_text("3")
    assert code_digest(tmp_path) == first
    (folder / "a.py").rename(folder / "d.py")
    renamed = code_digest(tmp_path)
    (folder / "b/c.py").write_text("4")
    assert len({first, renamed, code_digest(tmp_path)}) == 3


def test_topology_counts_packages_cores_and_threads_of_the_usable_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    for cpu, (package, siblings) in enumerate([("0", "0,2"), ("1", "1,3"), ("0", "0,2"), ("1", "1,3")]):
        folder = tmp_path / environment.CPUS / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text(package)
        (folder / "thread_siblings_list").write_text(siblings)
    assert cpu_topology({0, 2}) == "1 package, 1 core, 2 threads"
    assert cpu_topology({0, 1}) == "2 packages, 2 cores, 2 threads"


def test_quota_is_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "quotas", lambda: iter([1.1, 2.0]))
    assert conditions.conditions()["cpu_quota"] == 1.1
