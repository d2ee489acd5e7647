"""Which of a dataset's files can be augmented, and why the others cannot."""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

import psutil

from augment.datasets.base import Size
from augment.workload import Workload
from experiments.host.environment import usable_cpus
from experiments.inputs.inspector import BYTES_PER_PIXEL, Inspector, Verdict

FILES_WORTH_A_CHILD = 32


@dataclass(frozen=True)
class Inspected:
    """The files that can be augmented, in their order, with their width and height as decoded; for
    the others, by file name, the reason in one line. Names keep their surrogate escapes."""

    good: tuple[Path, ...]
    sizes: tuple[Size, ...]
    bad: dict[str, str]


def usable(
    files: Sequence[Path],
    most_pixels: int,
    output: Path | None = None,
    n_augmentations: int = 1,
    pipeline: str = '{"transforms": []}',
    limit_s: float = 20.0,
) -> Inspected:
    """Looks into every file of a folder, in child processes of which none is left, however it ends.

    A file is bad that `inspection` rejects, that is too small for the `pipeline` (as JSON), that
    takes a decoder more than `limit_s` seconds or memory out of proportion to `most_pixels`, that kills
    it, or whose outputs would have names too long for the folder `output` (None: not saved). Raises
    RuntimeError when no child can run."""
    problems = {number: name_problem(file, output, n_augmentations) for number, file in enumerate(files)}
    verdicts: dict[int, Verdict] = {number: problem for number, problem in problems.items() if problem}
    todo = [(number, file) for number, file in enumerate(files) if number not in verdicts]
    verdicts |= _inspected(
        todo, lambda: Inspector(most_pixels, pipeline, limit_s), _how_many(len(todo), most_pixels)
    )
    found = [(file, verdicts[number]) for number, file in enumerate(files)]
    good = [(file, verdict) for file, verdict in found if not isinstance(verdict, str)]
    return Inspected(
        good=tuple(file for file, _ in good),
        sizes=tuple(size for _, size in good),
        bad={file.name: verdict for file, verdict in found if isinstance(verdict, str)},
    )


def name_problem(file: Path, output: Path | None, n_augmentations: int) -> str | None:
    """Why the outputs of a file cannot have their names in the folder `output`; None if they can."""
    if output is None:
        return None
    longest = Workload((file,), n_augmentations, {}, 0, output).output_name(0, n_augmentations - 1)
    fits = len(os.fsencode(longest)) <= os.pathconf(output, "PC_NAME_MAX")
    return None if fits else "name too long for its augmentations"


def _inspected(
    todo: Sequence[tuple[int, Path]], start: Callable[[], Inspector], children: int
) -> dict[int, Verdict]:
    """A verdict for each numbered file."""
    verdicts: dict[int, Verdict] = {}
    remaining = iter(todo)
    inspectors: list[Inspector] = []
    try:
        inspectors += (start() for _ in range(children))
        busy = [one for one in inspectors if _give_next(one, remaining)]
        while busy:
            soonest = min(one.deadline for one in busy)
            news = wait([one.pipe for one in busy], max(0.0, soonest - time.monotonic()))
            for one in [one for one in busy if one.pipe in news or one.deadline < time.monotonic()]:
                verdicts[one.number] = one.collect()
                if not _give_next(one, remaining):
                    busy.remove(one)
    finally:
        for one in inspectors:
            one.end()
    return verdicts


def _give_next(inspector: Inspector, remaining: Iterator[tuple[int, Path]]) -> bool:
    """Whether there was a file left to give."""
    for number, file in remaining:
        inspector.give(number, file)
        return True
    return False


def _how_many(files: int, most_pixels: int) -> int:
    """As many children as there are CPUs for, files worth it, and memory if all met their largest."""
    by_memory = psutil.virtual_memory().available // (most_pixels * BYTES_PER_PIXEL)
    return min(usable_cpus(), math.ceil(files / FILES_WORTH_A_CHILD), max(1, by_memory))
