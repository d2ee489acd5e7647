"""Many files of one folder in little memory: 100,000 Path objects would take 50 MB in every process."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import overload


def compact(files: Sequence[Path]) -> Sequence[Path]:
    """The same files, in little memory where all lie in one folder."""
    return Files(files) if len({file.parent for file in files}) == 1 else tuple(files)


class Files(Sequence[Path]):
    """The files of one folder, in their order; as much memory as their names."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Of one file or more, all in the same folder."""
        self._folder = files[0].parent
        names = [os.fsencode(file.name) for file in files]
        self._ends = array("Q", [0])
        for name in names:
            self._ends.append(self._ends[-1] + len(name))
        self._names = b"".join(names)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, number: int) -> Path: ...

    @overload
    def __getitem__(self, number: slice) -> list[Path]: ...

    def __getitem__(self, number: int | slice) -> Path | list[Path]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        place = range(len(self))[number]  # raises IndexError
        return self._folder / os.fsdecode(self._names[self._ends[place] : self._ends[place + 1]])
