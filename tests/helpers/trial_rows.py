"""Synthetic trials with times chosen by hand: rows of the table `trials`."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pandas as pd
import pyarrow as pa

from experiments.store.columns import OK, TRIALS, identity, schema

Row = dict[str, Any]
BEGIN = datetime(2025, 4, 23, tzinfo=UTC)
_numbers = count()


def trial(strategy: str, workers: int, wall_s: float | None, **changes: Any) -> Row:
    """Return a trial with every column; a column that is not given is null or usual."""
    values: Row = {column.name: None for column in TRIALS} | {
        "trial_id": f"{next(_numbers):032x}",
        "experiment": "strong_scaling",
        "sweep": "s",
        "round": 0,
        "earlier_ok": 0,
        "started_at": BEGIN,
        "status": OK,
        "strategy": strategy,
        "strategy_options": "{}",
        "workers": workers,
        "runtime": "{}",
        "runtime_name": "study",
        "ablation": "none",
        "dataset": "synthetic",
        "dataset_options": "{}",
        "pipeline": "study",
        "pipeline_digest": "a" * 64,
        "files": 10,
        "inputs_digest": "b" * 64,
        "width": 2000,
        "height": 1000,
        "n_images": 10,
        "n_augmentations": 100,
        "tasks": 1000,
        "seed": 0,
        "saving": True,
        "protocol": "paper",
        "repetitions": 2,
        "order_seed": 0,
        "trace": False,
        "profile": False,
        "max_image_pixels": 100_000_000,
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
    }
    values |= changes
    return values | {"cell": changes.get("cell", identity(values))}


def repeated(strategy: str, workers: int, *walls_s: float, **changes: Any) -> list[Row]:
    """Return a cell with a trial for each of `walls_s`, one a round, a minute apart from `started_at` on."""
    begin = changes.pop("started_at", BEGIN)
    rounds = (
        {"round": number, "earlier_ok": number, "started_at": begin + timedelta(minutes=number)}
        for number in range(len(walls_s))
    )
    return [
        trial(strategy, workers, wall_s, **(when | changes))
        for wall_s, when in zip(walls_s, rounds, strict=True)
    ]


def frame(rows: Iterable[Row], table: str = "trials") -> pd.DataFrame:
    """Rows of one of TABLES as they come out of parquet."""
    result: pd.DataFrame = pa.Table.from_pylist(list(rows), schema(table)).to_pandas()
    return result
