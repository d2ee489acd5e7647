"""What a person at a terminal sees of a sweep: the cell it is on, what the last one reached, the time gone
and an estimate of the rest. Silent where the output is no terminal."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from threading import Event, Thread
from typing import Any

from tqdm import tqdm

from experiments.config.cell import Cell
from experiments.machine.environment import usable_cpus

TYPICAL_PIXELS = (640, 480)  # where an image's size is not known beforehand
START_PIXELS = 20_000_000  # a trial's start takes about a second, the study's transforms that for these
LAYOUT = "{desc} |{bar}| {elapsed} gone, about {remaining} to go{postfix}"
Finished = Callable[[Mapping[str, Any] | None], None]  # is called with the row of the trial


@contextmanager
def progress(trials: Mapping[Cell, int]) -> Iterator[Callable[[Cell], AbstractContextManager[Finished]]]:
    """A bar over so many trials of each cell, whose length is in pixels per CPU; each of them has to be run
    in the context that what is yielded makes for its cell, and its row to be shown."""
    total = sum(number * _work(cell) for cell, number in trials.items())
    # disable=None: no bar where the output is no terminal
    bar = tqdm(total=total, bar_format=LAYOUT, smoothing=0, disable=None, leave=False)
    closed, numbers = Event(), count(1)

    def keep_the_clock_running() -> None:
        while not closed.wait(1):
            bar.refresh()

    def finished(row: Mapping[str, Any] | None) -> None:
        if row and row.get("wall_s"):
            bar.postfix = f"{row['tasks'] / row['wall_s']:.3g} images/s"

    @contextmanager
    def trial(cell: Cell) -> Iterator[Finished]:
        bar.set_description_str(f"trial {next(numbers)} of {sum(trials.values())}: {cell.label}")
        yield finished
        bar.update(_work(cell))

    if not bar.disable:
        Thread(target=keep_the_clock_running, daemon=True).start()
    try:
        yield trial
    finally:
        closed.set()
        bar.close()


def _work(cell: Cell) -> float:
    """What a trial takes in pixels per CPU that can work on them at the same time, its start
    included, which takes as long as so many pixels."""
    if cell.not_applicable:
        return 0
    width, height = cell.config.size() or TYPICAL_PIXELS
    pixels = width * height * (cell.config.n_images or 10) * cell.config.n_augmentations
    at_once = 1 if cell.config.strategy.instrument else min(cell.config.workers, usable_cpus())
    return START_PIXELS + pixels / at_once
