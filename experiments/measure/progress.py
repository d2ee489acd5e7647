"""What a person at a terminal sees of a sweep: the cell it is on, cells done of all, the time
gone and an estimate of the rest. Silent where nobody watches."""

from collections.abc import Sequence
from threading import Event, Thread
from types import TracebackType

from tqdm import tqdm

from experiments.host.environment import usable_cpus
from experiments.plan.cell import Cell

TYPICAL_PIXELS = 640 * 480  # where an image's size is not known beforehand
START_PIXELS = 20_000_000  # a trial's start takes about a second, the study's transforms that for these


class Progress:
    """A bar over the cells of a sweep; a context manager."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._waiting = {cell: cell.config.repetitions for cell in cells}
        self._cpus = usable_cpus()
        self._elapsed_s = self._work = 0.0
        self._closed = Event()
        layout = "{n}/{total} cells |{bar}| {elapsed} gone{postfix} · {desc}"
        # disable=None: no bar where the output is no terminal
        self._bar = tqdm(total=len(cells), bar_format=layout, disable=None, leave=False)

    def __enter__(self) -> "Progress":
        if not self._bar.disable:
            Thread(target=self._keep_the_clock_running, daemon=True).start()
        return self

    def _keep_the_clock_running(self) -> None:
        while not self._closed.wait(1):
            self._bar.refresh()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._bar.close()

    def begin(self, cell: Cell) -> None:
        self._bar.set_description_str(cell.label)

    def end(self, cell: Cell, repetitions: range, measured: bool, elapsed_s: float) -> None:
        """Some repetitions are done, unless the cell was in the results already."""
        self._waiting[cell] -= len(repetitions)
        if measured and not cell.not_applicable:
            self._elapsed_s += elapsed_s
            self._work += len(repetitions) * self._work_of(cell)
        if self._work:
            self._bar.set_postfix_str(f"about {_minutes(self.rest_s())} to go", refresh=False)
        if self._waiting[cell] <= 0 or cell.not_applicable:
            self._bar.update()

    def rest_s(self) -> float:
        """Seconds that the waiting trials will take, at the pace of those that were measured."""
        waiting = sum(
            max(0, left) * self._work_of(cell)
            for cell, left in self._waiting.items()
            if not cell.not_applicable
        )
        return self._elapsed_s * waiting / self._work

    def _work_of(self, cell: Cell) -> float:
        """What a trial takes in pixels per CPU that can work on them at the same time, its start
        included, which takes as long as so many pixels."""
        width, height = cell.config.size() or (TYPICAL_PIXELS, 1)
        images = cell.config.n_images or 10
        pixels = width * height * images * cell.config.n_augmentations
        return START_PIXELS + pixels / min(cell.config.workers, self._cpus)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
