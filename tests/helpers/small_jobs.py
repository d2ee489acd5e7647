"""Small jobs for the tests, and how to run them as the suite does: in a fresh, supervised process."""

from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from augment.datasets.synthetic import Format, Pattern, Synthetic
from augment.filesystem import InputFiles
from augment.runtime import Runtime
from augment.strategies import STRATEGIES, Strategy
from augment.strategies.engines.executors import Engine
from augment.workload import Job, Workload
from experiments.trial import supervisor


def _lacking(kind: type[Strategy]) -> str | None:
    return kind().not_applicable(2, saving=True) if issubclass(kind, Engine) else None


# Every strategy, marked as skipped where its package is not installed.
INSTALLED = [
    (name, [pytest.mark.skip(reason=str(reason))] if (reason := _lacking(kind)) else [])
    for name, kind in STRATEGIES.items()
]
FLIP = {"transforms": [{"_target_": "albumentations.HorizontalFlip", "p": 0.5}]}
VARIED = {
    "transforms": [
        {"_target_": "albumentations.RandomRotate90", "p": 1},
        {"_target_": "albumentations.RandomBrightnessContrast", "p": 1},
        {"_target_": "albumentations.ISONoise", "p": 1},
    ]
}


def images(folder: Path, n_images: int = 3, size: tuple[int, int] = (40, 30)) -> InputFiles:
    return Synthetic(Pattern.noise, Format.png).files(n_images, size, seed=1, cache=folder / "cache")


WORK = {each.name for each in fields(Workload)}


def small_job(folder: Path, workers: int, saving: bool = True, **changes: Any) -> Job:
    """Return a job of 3 images × 4 augmentations whose logs and outputs go to `folder`."""
    output = changes.pop("output", folder / "out") if saving else None
    for new in (folder / "logs", folder / "out"):
        new.mkdir(parents=True, exist_ok=True)
    workload = Workload(
        inputs=changes.pop("inputs", None) or images(folder),
        n_augmentations=changes.pop("n_augmentations", 4),
        pipeline=changes.pop("pipeline", VARIED),
        seed=7,
        output=output,
        **{name: changes.pop(name) for name in WORK & changes.keys()},
    )
    return Job(workload, workers, changes.pop("runtime", Runtime()), folder / "logs", **changes)


def unshown(finished: int) -> None:
    """Show no progress."""


def run(strategy: Strategy, job: Job, stall_timeout_s: float = 60) -> supervisor.Outcome:
    if strategy.name != "ray":
        return supervisor.run(strategy, job, job.logs.parent, stall_timeout_s, unshown)
    with TemporaryDirectory(dir="/tmp") as short:  # the path of a socket ends after 107 bytes
        logs = Path(short, "logs")
        logs.mkdir()
        return supervisor.run(strategy, replace(job, logs=logs), Path(short), stall_timeout_s, unshown)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
