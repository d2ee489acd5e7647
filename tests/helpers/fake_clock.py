"""Logs for the tests, written as a process of a trial does but by a clock that is ticked by hand."""

from pathlib import Path

from augment.recording.log import STAGES, Role
from augment.recording.log_writer import Log


class HandClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


def ready_log(folder: Path, clock: HandClock, role: Role = Role.WORKER) -> Log:
    log = Log(folder, role, clock=clock)
    log.ready(opencv_threads=1, os_threads=3)
    return log


def do_task(log: Log, clock: HandClock, task: tuple[int, int], **stages_s: float) -> None:
    """A task that spends so many seconds in each of these stages, one after another."""
    log.begin(*task)
    for stage, seconds in stages_s.items():
        clock.tick(seconds)
        log.lap(STAGES.index(stage))
    log.end()


def leave(log: Log, folder: Path, name: str) -> None:
    """Ends the log, and makes room for that of another process that this one plays."""
    log.leave()
    max(folder.glob("*.log"), key=lambda path: path.stat().st_mtime_ns).rename(folder / f"{name}.log")
