"""A strategy that records what happens in its timed region, in the trial's own process.

The module imports nothing that a trial would not import itself.
"""

import json
import os
import selectors
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any
from unittest.mock import patch

import psutil

from augment.strategies import Strategy
from augment.task_log import reader
from augment.workload import Job
from experiments.trial import supervisor

POLL_S = 0.05


@dataclass
class Region:
    """A timed region: modules first imported, addresses and ports listened on, calls of the watch."""

    imported: list[str]
    listening: list[tuple[str, int]]
    files_read: int
    registered: int


@dataclass
class Observed(Strategy):
    """The strategy `inner`, with a record of its timed region in a file."""

    name = "observed"
    inner: Any
    record: Path

    def load(self) -> None:
        self.inner.load()

    def run(self, job: Job) -> None:
        with (
            _listening() as addresses,
            patch.object(reader, "open", create=True, wraps=open) as opened,
            patch.object(
                selectors._BaseSelectorImpl,
                "register",
                autospec=True,
                side_effect=selectors._BaseSelectorImpl.register,
            ) as registered,
        ):
            before = set(sys.modules)
            self.inner.run(job)
            new = [name for name in sys.modules if name not in before]
        region = Region(new, sorted(addresses), opened.call_count, registered.call_count)
        self.record.write_text(json.dumps(asdict(region)))


@contextmanager
def _listening() -> Iterator[set[tuple[str, int]]]:
    """Yield the addresses on which processes of this session listen meanwhile."""
    addresses: set[tuple[str, int]] = set()
    done = Event()

    def look() -> None:
        while not done.wait(POLL_S):
            for process in psutil.process_iter():
                try:
                    if os.getsid(process.pid) == os.getpid():
                        ends = process.net_connections()
                        addresses.update(end.laddr for end in ends if end.status == psutil.CONN_LISTEN)
                except (psutil.Error, OSError):
                    continue  # it has ended

    thread = Thread(target=look)
    thread.start()
    try:
        yield addresses
    finally:
        done.set()
        thread.join()


def observe(strategy: Strategy, job: Job) -> Region:
    """Run a trial and return what happened in its timed region."""
    with TemporaryDirectory(dir="/tmp") as short:  # the path of a socket ends after 107 bytes
        folder = Path(short)
        (folder / "logs").mkdir()
        own = Job(job.workload, job.workers, job.runtime, folder / "logs")
        outcome = supervisor.run(
            Observed(strategy, folder / "region.json"), own, folder, 120, lambda finished: None
        )
        assert outcome.error is None, outcome.error
        return Region(**json.loads((folder / "region.json").read_text()))
