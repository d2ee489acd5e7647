"""The logs of a trial's processes, as those left them, and what the tasks in them took."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from augment.recording.counters import NOTHING
from augment.recording.log import HEADER, HEADER_FIELDS, LENGTH, STAGES, Block, Kept, Role, Transforms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENTRY_FIELDS = (
    {"image_index": "i8", "augmentation_index": "i8", "start": "f8", "end": "f8"}
    | dict.fromkeys(STAGES, "f8")
    | {"user": "f8", "system": "f8", "faults": "i8", "wait": "f8"}
)


@dataclass(frozen=True)
class ReadLog:
    """A log as it was left. Its tasks are looked at when they are asked for: who watches a trial wants
    the header only. Of a process that was killed the last up to KEPT tasks are lacking."""

    header: dict[str, Any]
    data: bytes

    @cached_property
    def done(self) -> NDArray[np.void]:
        """The tasks done, in order, as a structured array with the fields of ENTRY_FIELDS; times in
        seconds of the writer's clock."""
        import numpy as np

        return np.array(list(_entries(self._blocks)), np.dtype(list(ENTRY_FIELDS.items())))

    @cached_property
    def transforms(self) -> list[Transforms | None]:
        """The transforms that each task applied, with their seconds; None where they were not timed."""
        return [timed.get(place) for kept, _, timed in self._blocks for place in range(len(kept))]

    @cached_property
    def _blocks(self) -> list[Block]:
        return list(_blocks(self.data))

    @property
    def role(self) -> Role:
        return Role(self.header["role"])

    @property
    def unfinished_task(self) -> tuple[int, int] | None:
        """The task that was under way, if the process ended in the middle of one."""
        under_way = self.header["image_index"], self.header["augmentation_index"]
        return under_way if self.header["under_way"] else None


def read(folder: Path) -> list[ReadLog]:
    """All logs of a trial whose process got as far as being ready, in the order they were."""
    logs = []
    for path in folder.glob("*.log"):
        data = path.read_bytes()
        if len(data) < HEADER.size:
            continue  # killed between making its log and its first word in it
        header = dict(zip(HEADER_FIELDS, HEADER.unpack_from(data), strict=True))
        if header["ready"]:
            logs.append(ReadLog(header, data))
    return sorted(logs, key=lambda log: float(log.header["ready"]))


def _blocks(data: bytes) -> Iterator[Block]:
    """The blocks of a log's file; one that its writer did not complete has no length."""
    begin = HEADER.size + LENGTH.size
    while begin <= len(data) and (length := LENGTH.unpack_from(data, begin - LENGTH.size)[0]):
        yield cast("Block", pickle.loads(data[begin : begin + length]))
        begin += length + LENGTH.size


def _entries(blocks: list[Block]) -> Iterator[tuple[float, ...]]:
    """The values of ENTRY_FIELDS for each task. The tasks of a batch share by their seconds what the
    counters say of it; those of one that was not counted take the rates of the batch before."""
    rates = NOTHING
    for kept, batches, _ in blocks:
        tasks = iter(kept)
        for size, counted in batches:
            timed = [_timed(one) for one in islice(tasks, size)]
            total_s = sum(sum(stages) for _, stages in timed)
            if counted and total_s:
                rates = tuple(value / total_s for value in counted)
            faults, owed = 0, 0.0
            for beginning, stages in timed:
                user, system, fault_rate, wait = (rate * sum(stages) for rate in rates)
                owed += fault_rate
                faults, before = round(owed), faults
                yield *beginning, *stages, user, system, faults - before, wait


def _timed(kept: Kept) -> tuple[Kept, list[float]]:
    """The first values of ENTRY_FIELDS for a task that is done, and its stages' seconds."""
    stages, last = [0.0] * len(STAGES), kept[2]
    for stage, now in zip(kept[3::2], kept[4::2], strict=True):
        stages[int(stage)] += now - last
        last = now
    return [*kept[:3], last], stages
