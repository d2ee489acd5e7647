"""The logs of a trial's processes: headers at any time, tasks as columns once the processes have ended."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augment.task_log.layout import (
    BATCH,
    HEADER,
    ROW_KINDS,
    SAMPLE,
    SHORT_TASK_S,
    STAGES,
    TASK,
    Header,
    Role,
    Turn,
    is_sampled,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Columns = NDArray[np.void]  # a structured array
    Floats = NDArray[np.float64]

INTEGERS = ("image_index", "augmentation_index", "minor_faults", "task", "name")
SAMPLE_FIELDS = (*SAMPLE, "weight")


@dataclass(frozen=True)
class ProcessLog:
    """The log of a process. If the process was killed, up to BLOCK_TASKS tasks are missing.

    `tasks` has a row for each finished task in order: the fields of TASK, in seconds of the process's clock,
    and the task's share of those of BATCH. `samples` has a row for each transform that a timed task applied:
    the row of the task, the index in `names`, the seconds, and how many tasks the timed one stands for.
    `turns` are those of a subject of `interference`.
    """

    header: Header
    tasks: Columns
    samples: Columns
    names: tuple[str, ...]
    turns: tuple[Turn, ...] = ()


def headers(folder: Path) -> list[Header]:
    """Return the headers of a trial's processes that have begun to work, in the order they began."""
    return sorted((header for _, header in _started(folder)), key=lambda header: header.ready)


def read(folder: Path) -> list[ProcessLog]:
    """Return the logs of a trial's processes that had begun to work, in the order they began."""
    logs = [_log(header, _turns(path), *_rows(path.read_bytes())) for path, header in _started(folder)]
    return sorted(logs, key=lambda log: log.header.ready)


def _started(folder: Path) -> Iterator[tuple[Path, Header]]:
    for path in folder.glob("*.log"):
        with open(path, "rb", buffering=0) as file:
            data = file.read(HEADER.size)
        if len(data) == HEADER.size:  # else the process has created its log, but entered nothing yet
            header = Header._make(HEADER.unpack(data))
            if header.ready:
                yield path, header._replace(role=Role(header.role), node=header.node.rstrip(b"\0"))


def _turns(log: Path) -> tuple[Turn, ...]:
    path = log.with_suffix(".turns")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return tuple(
        Turn(int(number), name, int(first)) for number, name, first in (line.split() for line in lines)
    )


def _log(
    header: Header, turns: tuple[Turn, ...], names: list[str], samples: Floats, batches: Floats, rows: Floats
) -> ProcessLog:
    seconds = rows[:, 4 : 4 + len(STAGES)].sum(axis=1)
    tasks = _columns((*TASK, *BATCH[1:]), (*rows.T, *_shares(seconds, batches)))
    tasks["start"] += header.shift_s
    tasks["end"] += header.shift_s
    weights = _weights(tasks)[samples[:, 0].astype(int)]
    return ProcessLog(header, tasks, _columns(SAMPLE_FIELDS, (*samples.T, weights)), tuple(names), turns)


def _columns(names: tuple[str, ...], columns: tuple[Floats, ...]) -> Columns:
    """Return a structured array of these columns, those of INTEGERS as integers."""
    import numpy as np

    table = np.empty(len(columns[0]), [(name, "i8" if name in INTEGERS else "f8") for name in names])
    for name, values in zip(names, columns, strict=True):
        table[name] = values
    return table


def _rows(log: bytes) -> tuple[list[str], Floats, Floats, Floats]:
    """Return the names and the rows of each of ROW_KINDS; a sample's task is counted over all blocks."""
    import numpy as np

    names: list[str] = []
    kinds = [[np.empty((0, len(fields)))] for fields in ROW_KINDS]
    for new_names, *blocks in _blocks(log[HEADER.size :]):
        names += new_names
        for arrays, numbers, fields in zip(kinds, blocks, ROW_KINDS, strict=True):
            arrays.append(np.array(numbers).reshape(-1, len(fields)))
    samples, batches, tasks = (np.concatenate(arrays) for arrays in kinds)
    lengths = [len(array) for array in kinds[-1]]
    samples[:, 0] += np.repeat(np.cumsum(lengths) - lengths, [len(array) for array in kinds[0]])
    return names, samples, batches, tasks


def _blocks(data: bytes) -> Iterator[Any]:
    stream = BytesIO(data)
    with suppress(
        EOFError, pickle.UnpicklingError
    ):  # at the end, or in a block that its process did not finish
        while True:
            yield pickle.load(stream)


def _shares(seconds: Floats, batches: Floats) -> tuple[Floats, ...]:
    """Return each task's share, by its seconds, of the counters of its batch; and the memory after that.

    A batch that was not counted takes the rates and the memory of the last one that was; before that, rates
    are 0 and the memory is NaN. Page faults are whole, and add up to those of the batch.
    """
    import numpy as np

    sizes = batches[:, 0].astype(int)
    batch = np.repeat(np.arange(len(sizes)), sizes)  # of each task
    total_s = np.bincount(batch, seconds, len(sizes))
    counted = ~np.isnan(batches[:, 1]) & (total_s > 0)
    rates = np.zeros((len(sizes) + 1, 4))  # the last row: before any batch was counted
    rates[:-1][counted] = batches[counted, 1:5] / total_s[counted, None]
    last_counted = np.maximum.accumulate(np.where(counted, np.arange(len(sizes)), -1))
    user_s, system_s, faults, wait_s = rates[last_counted[batch]].T * seconds

    first = np.cumsum(sizes) - sizes
    sums = np.cumsum(faults)
    sums = np.round(sums - (sums - faults)[first][batch])  # within each batch
    whole = np.diff(sums, prepend=0)
    whole[first] = sums[first]
    return user_s, system_s, whole, wait_s, np.append(batches[:, 5], np.nan)[last_counted[batch]]


def _weights(tasks: Columns) -> Floats:
    """Return how many tasks each one stands for, if its transforms were timed.

    All tasks that follow a long one were timed; the timed ones that follow a short one share all such tasks.
    """
    import numpy as np

    is_short = tasks["end"] - tasks["start"] < SHORT_TASK_S
    follows_short = np.append(False, is_short)[:-1] & (tasks["augmentation_index"] >= 0)
    timed = follows_short & is_sampled(tasks["image_index"], tasks["augmentation_index"])
    return np.where(follows_short, follows_short.sum() / max(timed.sum(), 1), 1.0)
