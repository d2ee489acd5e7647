"""Synthetic trials with times chosen by hand: rows of the table `trials`."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from experiments.calibration.simulated_rows import frame, trial_row
from experiments.store.columns import OK

__all__ = ["BEGIN", "Row", "frame", "repeated", "trial"]

Row = dict[str, Any]
BEGIN = datetime(2025, 4, 23, tzinfo=UTC)
_numbers = count()


def trial(strategy: str, workers: int, wall_s: float | None, **changes: Any) -> Row:
    """Return a trial with every column; a column that is not given is null, blank or usual."""
    name = f"{next(_numbers):032x}"
    values: Row = {"trial_id": name, "experiment": "strong_scaling", "sweep": "s", "started_at": BEGIN}
    values |= {"status": OK, "strategy": strategy, "workers": workers, "wall_s": wall_s, "repetitions": 2}
    values |= {"runtime_name": "study", "ablation": "none", "pipeline": "study", "pipeline_digest": "a" * 64}
    values |= {"dataset": "synthetic", "files": 10, "inputs_digest": "b" * 64, "width": 2000, "height": 1000}
    values |= {"n_images": 10, "n_augmentations": 100, "tasks": 1000, "saving": True, "machine": "m1"}
    values |= {"usable_cpus": 8, "packages": '{"numpy": "2.0.0"}'}
    values |= {"environment": '{"CPU": "a processor", "cores": "8"}', "code_digest": "c" * 64} | changes
    row = trial_row(**values)
    return row | {"cell": changes.get("cell", row["cell"])}


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
