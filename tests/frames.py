"""Synthetic trials with times chosen by hand; rows are `Trial` records, so that names stay in step."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from experiments.records.schema import OK, Trial

BEGIN = datetime(2025, 4, 23, tzinfo=UTC)


def trial(strategy: str, workers: int, wall_s: float | None, **changes: Any) -> Trial:
    """One trial; its cell is a hash of what the changes and arguments say about the configuration."""
    values: dict[str, Any] = {
        "experiment": "strong_scaling",
        "repetition": 0,
        "started_at": BEGIN,
        "status": OK,
        "strategy": strategy,
        "strategy_options": "{}",
        "workers": workers,
        "dataset": "synthetic",
        "dataset_options": "{}",
        "pipeline": "study",
        "pipeline_digest": "a" * 64,
        "width": 2000,
        "height": 1000,
        "n_images": 10,
        "n_augmentations": 100,
        "tasks": 1000,
        "seed": 0,
        "saving": True,
        "protocol": "paper",
        "repetitions": 2,
        "trace": False,
        "profile": False,
        "runtime": "{}",
        "wall_s": wall_s,
        "machine": "m1",
        "usable_cpus": 8,
        "oversubscribed": workers > 8,
        "environment": '{"CPU": "a processor", "cores": "8"}',
        "code_digest": "c" * 64,
        "python_version": "3.11.7",
        "numpy_version": "2.0.0",
        "opencv_version": "4.10.0",
        "albumentations_version": "1.4.0",
        "git_commit": None,
    } | changes
    told = ("strategy", "strategy_options", "workers", "width", "height", "saving", "seed", "repetitions")
    values.setdefault("cell", hashlib.sha256(repr([values[name] for name in told]).encode()).hexdigest())
    return Trial(**values)


def frame(trials: Iterable[Trial]) -> pd.DataFrame:
    """The trials as they come out of parquet."""
    return pd.DataFrame([asdict(one) for one in trials])


def repeated(strategy: str, workers: int, *walls_s: float, **changes: Any) -> list[Trial]:
    """A cell with a trial for each of `walls_s`, a minute apart."""
    return [
        trial(
            strategy,
            workers,
            wall_s,
            repetition=repetition,
            **{"started_at": BEGIN + timedelta(minutes=repetition)} | changes,
        )
        for repetition, wall_s in enumerate(walls_s)
    ]
