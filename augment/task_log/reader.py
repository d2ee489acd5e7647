"""The logs of a trial's processes: headers at any time, tasks as columns once the processes have ended."""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from augment.task_log import layout
from augment.task_log.layout import Header, Note, Role, Turn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Columns = NDArray[np.void]  # a structured array
    Floats = NDArray[np.float64]

INTEGERS = ("image_index", "augmentation_index", "minor_faults", "task", "name")


@dataclass(frozen=True)
class ProcessLog:
    """The log of a process. If the process was killed, up to BLOCK_TASKS tasks are missing.

    `tasks` has a row for each finished task in order: the fields of TASK, in seconds of the process's clock,
    and the task's share of those of BATCH. `samples` has a row for each transform that a timed task applied:
    the row of the task, the index in `names`, the seconds, and how many tasks the timed one stands for.
    `turns` are those of a subject of `interference`; `notes` are remarks on inputs.
    """

    header: Header
    tasks: Columns
    samples: Columns
    names: tuple[str, ...]
    turns: Sequence[Turn] = ()
    notes: Sequence[Note] = ()


def headers(folder: Path, pattern: str = "*.log") -> list[Header]:
    """Return the headers of a trial's processes that have begun to work, in the order they began."""
    return [header for _, header in _started(folder, pattern)]


def read(folder: Path) -> list[ProcessLog]:
    """Return the logs of a trial's processes that had begun to work, in the order they began."""
    return [_log(header, path.read_bytes()[layout.HEADER.size :]) for path, header in _started(folder)]


def _started(folder: Path, pattern: str = "*.log") -> list[tuple[Path, Header]]:
    started = []
    for path in folder.glob(pattern):
        with open(path, "rb", buffering=0) as file:
            data = file.read(layout.HEADER.size)
        if len(data) == layout.HEADER.size:  # else the process has created its log, but entered nothing yet
            header = Header._make(layout.HEADER.unpack(data))
            if header.ready:
                role, node = Role(header.role), header.node.rstrip(b"\0")
                started.append((path, header._replace(role=role, node=node)))
    return sorted(started, key=lambda each: each[1].ready)


def _log(header: Header, content: bytes) -> ProcessLog:
    import numpy as np

    names: tuple[str, ...] = ()
    turns, notes = list[Turn](), list[Note]()
    kinds = [array("d") for _ in layout.ROW_KINDS]
    blocks = BytesIO(content)
    with suppress(EOFError, pickle.UnpicklingError):  # at the end, or in a block that was not finished
        while True:
            names, *block, new_turns, new_notes = pickle.load(blocks)
            turns += new_turns
            notes += new_notes
            for numbers, new in zip(kinds, block, strict=True):
                numbers.extend(new)
    samples, batches, rows = (
        np.array(numbers).reshape(-1, len(fields))
        for numbers, fields in zip(kinds, layout.ROW_KINDS, strict=True)
    )
    rows[:, 2:4] += header.shift_s  # start and end
    seconds = rows[:, 4 : 4 + len(layout.STAGES)].sum(axis=1)
    tasks = _columns((*layout.TASK, *layout.BATCH[1:]), np.column_stack([rows, *_shares(seconds, batches)]))
    weights = _weights(tasks)[samples[:, 0].astype(int)]
    timed = _columns((*layout.SAMPLE, "weight"), np.column_stack([samples, weights]))
    return ProcessLog(header, tasks, timed, names, turns, notes)


def _columns(names: tuple[str, ...], rows: Floats) -> Columns:
    """Return rows as a structured array of these columns, those of INTEGERS as integers."""
    from numpy.lib.recfunctions import unstructured_to_structured

    return unstructured_to_structured(rows, [(name, "i8" if name in INTEGERS else "f8") for name in names])


def _shares(seconds: Floats, batches: Floats) -> tuple[Floats, ...]:
    """Return each task's share, by its seconds, of the counters of its batch.

    A batch that was not counted takes the rates of the last one that was; before that, rates are 0. Page
    faults are whole, and add up to those of the batches.
    """
    import numpy as np

    sizes = batches[:, 0].astype(int)
    batch = np.repeat(np.arange(len(sizes)), sizes)  # of each task
    total_s = np.bincount(batch, seconds, len(sizes))
    counted = ~np.isnan(batches[:, 1]) & (total_s > 0)
    rates = np.zeros((len(sizes) + 1, 4))  # the last row: before any batch was counted
    rates[:-1][counted] = batches[counted, 1:] / total_s[counted, None]
    last_counted = np.maximum.accumulate(np.where(counted, np.arange(len(sizes)), -1))
    user_s, system_s, faults, wait_s = rates[last_counted[batch]].T * seconds
    whole_faults = np.diff(np.round(np.cumsum(faults)), prepend=0)
    return user_s, system_s, whole_faults, wait_s


def _weights(tasks: Columns) -> Floats:
    """Return how many tasks each one stands for, if its transforms were timed.

    All tasks that follow a long one were timed; the timed ones that follow a short one share all such tasks.
    """
    import numpy as np

    is_short = tasks["end"] - tasks["start"] < layout.SHORT_TASK_S
    follows_short = np.append(False, is_short)[:-1] & (tasks["augmentation_index"] >= 0)
    timed = follows_short & layout.is_sampled(tasks["image_index"], tasks["augmentation_index"])
    return np.where(follows_short, follows_short.sum() / max(timed.sum(), 1), 1.0)
