"""What a person at a terminal sees of a sweep: the cell it is on, cells done of all, the time
gone and an estimate of the rest. Silent where nobody watches."""

from collections.abc import Sequence
from threading import Event, Thread
from types import TracebackType

from tqdm import tqdm

from experiments.cell import Cell
from experiments.machine import usable_cpus
from experiments.measure import Measured

TYPICAL_PIXELS = 640 * 480  # where an image's size is not known beforehand


class Progress:
    """A bar over the cells of a sweep; a context manager."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._waiting = list(cells)
        self._cpus = usable_cpus()
        self._work_s = self._work = self._overhead_s = 0.0
        self._trials = 0
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

    def end(self, cell: Cell, measured: Measured | None, elapsed_s: float) -> None:
        """A cell is done; `measured` is None when it was in the results already."""
        self._waiting.remove(cell)
        walls_s = [trial.wall_s for trial in measured.trials if trial.wall_s] if measured else []
        if walls_s:
            self._trials += len(walls_s)
            self._work_s += sum(walls_s)
            self._work += len(walls_s) * self._work_of(cell)
            self._overhead_s += elapsed_s - sum(walls_s)
        if self._trials:
            self._bar.set_postfix_str(f"about {_minutes(self.rest_s())} to go", refresh=False)
        self._bar.update()

    def rest_s(self) -> float:
        """Seconds that the waiting cells will take: what a trial has cost beside its timed region,
        and for that the time per pixel and usable CPU so far."""
        waiting = [cell for cell in self._waiting if cell.obstacle is None]
        trials = sum(cell.config.repetitions for cell in waiting)
        work = sum(cell.config.repetitions * self._work_of(cell) for cell in waiting)
        return trials * self._overhead_s / self._trials + work * self._work_s / self._work

    def _work_of(self, cell: Cell) -> float:
        """Pixels of a trial per CPU that can work on them at the same time."""
        width, height = cell.config.size() or (TYPICAL_PIXELS, 1)
        images = cell.config.n_images or 10
        return width * height * images * cell.config.n_augmentations / min(cell.config.workers, self._cpus)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
