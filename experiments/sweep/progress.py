"""The progress of a command that keeps its outputs, shown while it makes them."""

import sys
import time
from typing import Self

from tqdm import tqdm

from augment.workload import Workload

LINE_S = 60.0  # between two lines where standard error is no terminal
BAR = "{desc} |{bar}| {n_fmt} of {total_fmt}, {rate_fmt}, about {remaining} to go"


class OutputProgress:
    """A bar over the outputs on a terminal, and a line a minute elsewhere."""

    def __init__(self, work: Workload) -> None:
        self._begun, self._total = sum(work.done), work.n_tasks
        self._begin_s = self._line_s = time.monotonic()

    def __enter__(self) -> Self:
        self._bar = tqdm(
            desc="images",
            total=self._total,
            initial=self._begun,
            unit=" images",
            bar_format=BAR,
            smoothing=0.1,
            disable=None,  # no bar without a terminal
            leave=False,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, finished: int) -> None:
        """Show that so many outputs were finished in this trial."""
        if not self._bar.disable:
            self._bar.update(self._begun + finished - self._bar.n)
        elif (now_s := time.monotonic()) - self._line_s >= LINE_S:
            self._line_s = now_s
            rate = finished / (now_s - self._begin_s)
            left_s = (self._total - self._begun - finished) / rate if rate else 0
            done = f"{self._begun + finished:,} images of {self._total:,}"
            print(f"{done}, {rate:.3g} images/s, about {left_s / 60:.0f} min to go", file=sys.stderr)
