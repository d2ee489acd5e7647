"""The suite's launcher and sweepers, in the folder where Hydra looks for plugins.

Hydra executes this file on every command, completion included, and again when it is imported. So no other
module imports it, and it imports what takes time only where it is used.
"""

import logging
import subprocess
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, configure_log, env_override, run_job
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

if TYPE_CHECKING:
    from experiments.config.cell import Cell
    from experiments.sweep.cells import SweepCell
    from experiments.sweep.inputs import Inventory
    from experiments.sweep.sweep import Sweep

Batch = Sequence[Sequence[str]]  # the words of each job

log = logging.getLogger(__name__)


def compose(plugin: Any, batch: Batch) -> "tuple[list[DictConfig], list[Cell]]":
    """Return the composed jobs of a launcher's or sweeper's batch, and their cells. Raises OptionError."""
    from experiments.sweep import jobs

    loader = plugin.hydra_context.config_loader
    composed = [loader.load_sweep_config(plugin.config, list(words)) for words in batch]
    return composed, jobs.cells_of(composed)


class RoundsLauncher(Launcher):
    """A launcher that measures all cells in rounds; then Hydra runs every job with its cell's result."""

    sweep: "Sweep | None" = None  # the next one, if the sweeper has checked it

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.config = hydra_context, config
        self.inventory: Inventory = {}

    def check(self, batch: Batch) -> "Sweep":
        """Compose the next jobs and return their checked sweep. Raises OptionError, StoreError."""
        from experiments.sweep.sweep import Sweep

        self.jobs, cells = compose(self, batch)
        with env_override(dict(self.jobs[0].hydra.job.env_set)):  # which a trial's conditions name
            self.sweep = Sweep(cells, in_sweep=True, inventory=self.inventory)
        return self.sweep

    def launch(self, job_overrides: Batch, initial_job_idx: int) -> Sequence[JobReturn]:
        sweep, self.sweep = self.sweep or self.check(job_overrides), None
        with env_override(dict(self.jobs[0].hydra.job.env_set)):
            cells = sweep.measure()
        numbered = enumerate(zip(self.jobs, cells, strict=True), initial_job_idx)
        returns = [self._run_job(number, job, cell) for number, (job, cell) in numbered]
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        return returns

    def _run_job(self, number: int, job: DictConfig, cell: "SweepCell") -> JobReturn:
        from experiments.sweep.cells import result_line

        def seconds_per_task(_: DictConfig) -> float:
            log.info(result_line(cell))
            return cell.seconds_per_task()

        with read_write(job.hydra), open_dict(job.hydra):
            job.hydra.job.id = job.hydra.job.num = number
        return run_job(seconds_per_task, job, "hydra.sweep.dir", "hydra.sweep.subdir", self.hydra_context)


class CheckedSweeper(BasicSweeper):
    """Hydra's own sweeper, in one batch; all cells are checked before anything is written or launched."""

    def __init__(self, params: dict[str, str] | None = None) -> None:
        super().__init__(max_batch_size=None, params=params)

    def sweep(self, arguments: list[str]) -> Any:
        from experiments.config.cell import CellFailedError
        from experiments.sweep.sweep import Sweep

        batch = self.batch(arguments)
        if isinstance(self.launcher, RoundsLauncher):
            self.launcher.check(batch)
        else:
            Sweep(compose(self, batch)[1], in_sweep=True).release()  # its jobs hold their folders
        try:
            return super().sweep(arguments)
        except KeyboardInterrupt:  # Slurm's jobs would go on; each has a folder that begins with its id
            assert self.config
            folders = Path(self.config.hydra.sweep.dir, ".submitit").glob("[0-9]*")
            if ids := {folder.name.partition("_")[0] for folder in folders}:
                subprocess.run(["scancel", "--verbose", *ids], check=False)
            raise
        except RuntimeError as error:  # of submitit, if Slurm refuses the jobs or one ends without a result
            if not type(error).__module__.startswith("submitit."):
                raise
            reason = " ".join(str(error).splitlines()[:2])
            raise CellFailedError(f"{reason}; the same command again measures what is missing") from error

    def batch(self, arguments: list[str]) -> Batch:
        """Return the words of each combination of the arguments."""
        assert self.hydra_context
        parser = OverridesParser.create(self.hydra_context.config_loader)
        return self.split_arguments(parser.parse_overrides([*self._parse_config(), *arguments]), None)[0]

    def validate_batch_is_legal(self, batch: Batch) -> None:
        """Do nothing: `sweep` has checked the cells."""


class AdviseSweeper(CheckedSweeper):
    """A sweeper that searches for the best combination, batch after batch, within a budget."""

    def sweep(self, arguments: list[str]) -> Any:
        from experiments.advise.work import advise
        from experiments.machine.environment import command_s

        startup_s = command_s()
        combinations = self.batch(arguments)
        returns: list[Sequence[JobReturn]] = []

        def launch(batch: Batch) -> None:
            assert self.launcher
            with redirect_stdout(StringIO()):  # of the batches' summaries; the answer is printed at the end
                returns.append(self.launcher.launch(batch, initial_job_idx=sum(map(len, returns))))

        inventory = self.launcher.inventory if isinstance(self.launcher, RoundsLauncher) else {}
        advise(combinations, compose(self, combinations)[1], launch, inventory, startup_s)
        return returns
