"""The logs of a trial's processes, as those left them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augment.log import ENTRY_FIELDS, HEADER, HEADER_FIELDS, TRANSFORMS, Role, Transforms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ReadLog:
    """A log as it was left: the header's fields, and the tasks done, in order, as a structured array
    with the fields of ENTRY_FIELDS (times in seconds of the writer's clock); in the same order the
    transforms that each applied, with their seconds, None where they were not timed. Of a process that
    was killed the last up to KEPT tasks are lacking."""

    header: dict[str, Any]
    done: NDArray[np.void]
    transforms: list[Transforms | None]

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
    import numpy as np

    kind = np.dtype([(name, f"<{'i' if code == 'q' else 'f'}8") for name, code in ENTRY_FIELDS.items()])
    logs = []
    for path in folder.glob("*.log"):
        data = path.read_bytes()
        if len(data) < HEADER.size:
            continue  # killed between making its log and its first word in it
        header = dict(zip(HEADER_FIELDS, HEADER.unpack_from(data), strict=True))
        entries = np.frombuffer(data, kind, (len(data) - HEADER.size) // kind.itemsize, HEADER.size)
        if header["ready"]:
            logs.append(ReadLog(header, entries, _transforms(path.with_suffix(TRANSFORMS))))
    return sorted(logs, key=lambda log: float(log.header["ready"]))


def _transforms(beside: Path) -> list[Transforms | None]:
    """What the file beside a log holds; a last line that a full disk has cut short is none."""
    whole, _, _ = beside.read_text().rpartition("\n") if beside.exists() else ("", "", "")
    tasks = [task for line in whole.splitlines() for task in json.loads(line)]
    return [task and [(name, seconds) for name, seconds in task] for task in tasks]
