"""The suite's launcher, sweepers and callback, in the folder where Hydra looks for plugins.

Hydra executes this file on every command, completion included, and again when it is imported. So no other
module imports it, and it imports what takes time only where it is used.
"""

import logging
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import wraps
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, configure_log, env_override, run_job, setup_globals
from hydra.experimental.callback import Callback
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

if TYPE_CHECKING:
    from experiments.config.cell import Cell
    from experiments.sweep.sweep import Result, Sweep

log = logging.getLogger(__name__)


class RoundsLauncher(Launcher):
    """A launcher that measures all cells in rounds; then Hydra runs every job with its cell's result."""

    sweep: "Sweep | None" = None  # the next one, if the sweeper has composed and checked it
    jobs: Sequence[DictConfig] = ()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from experiments.sweep.inputs import Inventory

        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        self.inventory = Inventory()

    def compose(self, batch: Sequence[Sequence[str]]) -> "Sweep":
        """Compose the next jobs and return their checked sweep. Raises OptionError, StoreError."""
        from experiments.sweep import jobs
        from experiments.sweep.sweep import Sweep

        loader = self.hydra_context.config_loader
        self.jobs = [loader.load_sweep_config(self.config, list(words)) for words in batch]
        self.sweep = Sweep(jobs.cells_of(self.jobs), in_sweep=True, inventory=self.inventory)
        return self.sweep

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        sweep, self.sweep = self.sweep or self.compose(job_overrides), None
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        with env_override(dict(self.jobs[0].hydra.job.env_set)):
            results = sweep.measure()
        numbered = enumerate(zip(self.jobs, results, strict=True), initial_job_idx)
        returns = [self._run_job(number, job, result) for number, (job, result) in numbered]
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        return returns

    def _run_job(self, number: int, job: DictConfig, result: "Result") -> JobReturn:
        @wraps(self.task_function)
        def seconds_per_task(_: DictConfig) -> float:
            log.info(result.line)
            return result.seconds_per_task()

        with read_write(job.hydra), open_dict(job.hydra):
            job.hydra.job.id = job.hydra.job.num = number
        return run_job(
            hydra_context=self.hydra_context,
            task_function=seconds_per_task,
            config=job,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )


class CheckedSweeper(BasicSweeper):
    """Hydra's own sweeper, in one batch; all cells are checked before anything is written or launched."""

    def __init__(self, params: dict[str, str] | None = None) -> None:
        super().__init__(max_batch_size=None, params=params)

    def sweep(self, arguments: list[str]) -> Any:
        batch = self.batch(arguments)
        if isinstance(self.launcher, RoundsLauncher):
            self.launcher.compose(batch)
        else:
            from experiments.sweep.sweep import Sweep

            Sweep(self.cells(batch), in_sweep=True)
        return super().sweep(arguments)

    def batch(self, arguments: list[str]) -> Sequence[Sequence[str]]:
        """Return the words of each combination of the arguments."""
        assert self.config
        assert self.hydra_context
        parser = OverridesParser.create(self.hydra_context.config_loader)
        [batch] = self.split_arguments(parser.parse_overrides([*self._parse_config(), *arguments]), None)
        return batch

    def cells(self, batch: Sequence[Sequence[str]]) -> "list[Cell]":
        """Return the cells of a batch. Raises OptionError."""
        from experiments.sweep import jobs

        assert self.config
        assert self.hydra_context
        loader = self.hydra_context.config_loader
        return jobs.cells_of([loader.load_sweep_config(self.config, list(words)) for words in batch])

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Do nothing: `sweep` has checked the cells."""


class AdviseSweeper(CheckedSweeper):
    """A sweeper that searches for the best combination, batch after batch, within a budget."""

    def sweep(self, arguments: list[str]) -> Any:
        from experiments.advise.work import advise

        combinations = self.batch(arguments)
        returns: list[Sequence[JobReturn]] = []

        def launch(batch: Sequence[Sequence[str]]) -> None:
            assert self.launcher
            with redirect_stdout(StringIO()):  # of the batches' summaries; the answer is printed at the end
                returns.append(self.launcher.launch(batch, initial_job_idx=sum(map(len, returns))))

        advise(combinations, self.cells(combinations), launch)
        return returns


class Guard(Callback):
    """A callback that refuses a command that cannot work before anything is written or started."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        from experiments.sweep import jobs

        jobs.check_plain_command(config)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        from experiments.sweep import jobs

        jobs.check_multirun(config)
