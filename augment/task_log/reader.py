"""The logs of a trial's processes: their headers at any time, their tasks as columns when nothing runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from augment.task_log.layout import (
    BLOCK,
    HEADER,
    KINDS,
    SAMPLE,
    SHORT_S,
    STAGES,
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

TASK_COLUMNS = (
    {"image_index": "i8", "augmentation_index": "i8", "start": "f8", "end": "f8"}
    | dict.fromkeys((*STAGES, "file_wait"), "f8")
    | {"user": "f8", "system": "f8", "faults": "i8", "wait": "f8", "rss": "f8"}
)
SAMPLE_COLUMNS = {"task": "i8", "name": "i8", "seconds": "f8", "weight": "f8"}


@dataclass(frozen=True)
class ProcessLog:
    """A log as its process left it. Of a process that was killed up to BLOCK_TASKS tasks are missing.

    `tasks` has the columns TASK_COLUMNS, a row for each finished task in order; times are seconds of the
    process's clock. `samples` has SAMPLE_COLUMNS, a row for each transform that a timed task applied: the
    row of the task, the index of its name in `names`, and how many tasks the timed one stands for.
    `turns` are those of a subject of `interference`."""

    header: Header
    tasks: Columns
    samples: Columns
    names: tuple[str, ...]
    turns: tuple[Turn, ...] = ()


def headers(folder: Path) -> list[Header]:
    """The headers of the processes of a trial that have begun to work, in the order they began."""
    return sorted((header for _, header in _started(folder)), key=lambda header: header.ready)


def read(folder: Path) -> list[ProcessLog]:
    """The logs of the processes of a trial that had begun to work, in the order they began."""
    logs = [_log(header, _turns(path), *_rows(path.read_bytes())) for path, header in _started(folder)]
    return sorted(logs, key=lambda log: log.header.ready)


def _started(folder: Path) -> Iterator[tuple[Path, Header]]:
    for path in folder.glob("*.log"):
        with open(path, "rb", buffering=0) as file:
            data = file.read(HEADER.size)
        if len(data) == HEADER.size:  # else it has made its log, but entered nothing yet
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
    header: Header,
    turns: tuple[Turn, ...],
    names: bytes,
    samples: Floats,
    batches: Floats,
    rows: Floats,
) -> ProcessLog:
    import numpy as np

    tasks = np.empty(len(rows), list(TASK_COLUMNS.items()))
    seconds = rows[:, 4 : 4 + len(STAGES)].sum(axis=1)
    for name, values in zip(TASK_COLUMNS, (*rows.T, *_shares(seconds, batches)), strict=True):
        tasks[name] = values
    for name in ("start", "end"):
        tasks[name] += header.shift_s
    timed = np.empty(len(samples), list(SAMPLE_COLUMNS.items()))
    for name, values in zip(SAMPLE, samples.T, strict=True):
        timed[name] = values
    timed["weight"] = _weights(tasks)[timed["task"]]
    return ProcessLog(header, tasks, timed, tuple(names.decode().split()), turns)


def _rows(data: bytes) -> tuple[bytes, Floats, Floats, Floats]:
    """The names and the rows of each of KINDS in all blocks, a sample's task counted over all of them."""
    import numpy as np

    no_block = b"", *(np.empty((0, len(fields))) for fields in KINDS)
    names, *arrays = zip(no_block, *_blocks(data), strict=True)
    samples, batches, tasks = (np.concatenate(array) for array in arrays)
    lengths = [len(array) for array in arrays[-1]]
    samples[:, 0] += np.repeat(np.cumsum(lengths) - lengths, [len(array) for array in arrays[0]])
    return b"".join(names), samples, batches, tasks


def _blocks(data: bytes) -> Iterator[tuple[bytes, Floats, Floats, Floats]]:
    """Of each complete block the new names and the rows of each of KINDS."""
    import numpy as np

    begin = HEADER.size
    while begin + BLOCK.size <= len(data) and (sizes := BLOCK.unpack_from(data, begin))[-1]:
        begin += BLOCK.size
        names = data[begin : begin + sizes[0]]
        begin += sizes[0]
        arrays = []
        for size, fields in zip(sizes[1:], KINDS, strict=True):
            numbers = np.frombuffer(data, "<f8", size * len(fields), begin)
            arrays.append(numbers.reshape(size, len(fields)))
            begin += numbers.nbytes
        yield names, *arrays  # type: ignore[misc]


def _shares(seconds: Floats, batches: Floats) -> tuple[Floats, ...]:
    """User and system seconds, faults and wait of each task: those of its batch, shared by the tasks'
    seconds; at the rates of the last batch that was counted, if its own was not. Faults are whole. Last the
    memory held after the batch, NaN before any was counted."""
    import numpy as np

    sizes = batches[:, 0].astype(int)
    batch = np.repeat(np.arange(len(sizes)), sizes)  # of each task
    total_s = np.bincount(batch, seconds, len(sizes))
    counted = ~np.isnan(batches[:, 1]) & (total_s > 0)
    rates = np.zeros((len(sizes) + 1, 4))  # the last row: before any batch was counted
    rates[:-1][counted] = batches[counted, 1:5] / total_s[counted, None]
    last_counted = np.maximum.accumulate(np.where(counted, np.arange(len(sizes)), -1))
    user, system, faults, wait = rates[last_counted[batch]].T * seconds

    first = np.cumsum(sizes) - sizes
    owed = np.cumsum(faults)
    owed = np.round(owed - (owed - faults)[first][batch])
    whole = np.diff(owed, prepend=0)
    whole[first] = owed[first]
    return user, system, whole, wait, np.append(batches[:, 5], np.nan)[last_counted[batch]]


def _weights(tasks: Columns) -> Floats:
    """How many tasks each one stands for, if its transforms were timed: all that follow a long task
    were; those that follow a short one share the number of such tasks."""
    import numpy as np

    is_short = tasks["end"] - tasks["start"] < SHORT_S
    follows_short = np.append(False, is_short)[:-1] & (tasks["augmentation_index"] >= 0)
    timed = follows_short & is_sampled(tasks["image_index"], tasks["augmentation_index"])
    return np.where(follows_short, follows_short.sum() / max(timed.sum(), 1), 1.0)
