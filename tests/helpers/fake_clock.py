"""A clock that is ticked by hand, and logs of processes that go by it."""

from pathlib import Path

from augment.task_log.layout import HEADER, STAGES, Role
from augment.task_log.reader import ProcessLog, read
from augment.task_log.writer import Log


class FakeClock:
    """A clock that shows `now` in seconds."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeLog(Log):
    """The log of a process that is ready to work and takes time only by `tick`."""

    def __init__(
        self, folder: Path, role: Role = Role.WORKER, recording: bool = True, clock: FakeClock | None = None
    ) -> None:
        self.folder, self.fake_clock = folder, clock or FakeClock()
        super().__init__(folder, role, 1, recording)
        self.clock = self.fake_clock
        self._header = self._header._replace(ready=self.clock())
        HEADER.pack_into(self._map, 0, *self._header)

    def tick(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.fake_clock.now += seconds

    def spend(self, stage: str, seconds: float, cpu_s: float | None = None) -> None:
        """Spend time of the current task in a stage."""
        self.tick(seconds)
        self.lap(STAGES.index(stage), cpu_s)

    def apply(self, transform: str, seconds: float) -> None:
        """Spend time of the current task in a transform."""
        self.tick(seconds)
        self.add_transform(transform, begin=self.fake_clock.now - seconds)

    def do_task(self, task: tuple[int, int], **stages_s: float) -> None:
        """Log a task that spends so many seconds in each of these stages, in this order."""
        self.begin(*task)
        for stage, seconds in stages_s.items():
            self.spend(stage, seconds)
        self.end()

    def leave_as(self, name: str) -> None:
        """End the log and rename its file, so that the same thread can play another process."""
        self.complete()
        newest = max(self.folder.glob("*.log"), key=lambda path: path.stat().st_mtime_ns)
        newest.rename(self.folder / f"{name}.log")

    def read(self) -> ProcessLog:
        """End the log and read it; it has to be the only one of its folder."""
        self.complete()
        [process] = read(self.folder)
        return process
