"""The suite's launcher, sweeper and callback, where Hydra looks for plugins.

Hydra executes this file on every command, completion included, and once more when it is imported: nothing
else imports it, and what is heavy is imported where it is used."""

import logging
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import wraps
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, configure_log, env_override, run_job, setup_globals
from hydra.experimental.callback import Callback
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

if TYPE_CHECKING:
    from experiments.sweep.sweep import Result, Sweep

log = logging.getLogger(__name__)
LAUNCHER = {"_target_": f"{__name__}.RoundsLauncher"}


class RoundsLauncher(Launcher):
    """Measures all cells of a sweep in rounds; then Hydra runs every job with the number of its cell."""

    checked: "Sweep | None" = None  # of the jobs that come next, if the sweeper has composed and checked them
    jobs: Sequence[DictConfig] = ()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from experiments.sweep.inputs import Inventory

        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        self.inventory = Inventory()

    def compose(self, batch: Sequence[Sequence[str]]) -> "Sweep":
        """Compose the jobs that come next and return their checked sweep. Raises OptionError, StoreError."""
        from experiments.sweep import jobs

        loader = self.hydra_context.config_loader
        self.jobs = [loader.load_sweep_config(self.config, list(words)) for words in batch]
        self.checked = jobs.sweep_of(self.jobs, self.inventory)
        return self.checked

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        self._log_as_launcher()
        sweep, self.checked = self.checked or self.compose(job_overrides), None
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        with env_override(dict(self.jobs[0].hydra.job.env_set)):
            results = sweep.measure()
        for number, job in enumerate(self.jobs, initial_job_idx):
            with read_write(job.hydra), open_dict(job.hydra):
                job.hydra.job.id = job.hydra.job.num = number
        return [self._job_return(job, result) for job, result in zip(self.jobs, results, strict=True)]

    def _job_return(self, job: DictConfig, result: "Result") -> JobReturn:
        @wraps(self.task_function)
        def seconds_per_task(_: DictConfig) -> float:
            log.info(result.line)
            return result.seconds_per_task()

        job_return = run_job(
            hydra_context=self.hydra_context,
            task_function=seconds_per_task,
            config=job,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        self._log_as_launcher()
        return job_return

    def _log_as_launcher(self) -> None:
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)


@dataclass
class CheckedConf:
    """The schema of hydra/sweeper=checked."""

    _target_: str = f"{__name__}.CheckedSweeper"
    params: dict[str, str] | None = None


class CheckedSweeper(BasicSweeper):
    """Hydra's own sweeper, in one batch; all cells are checked before anything is written or launched."""

    def __init__(self, params: dict[str, str] | None = None) -> None:
        super().__init__(max_batch_size=None, params=params)

    def sweep(self, arguments: list[str]) -> Any:
        from experiments.sweep import jobs

        assert self.hydra_context
        assert self.config
        loader = self.hydra_context.config_loader
        overrides = OverridesParser.create(loader).parse_overrides([*self._parse_config(), *arguments])
        [batch] = self.split_arguments(overrides, None)
        if isinstance(self.launcher, RoundsLauncher):
            self.launcher.compose(batch)
        else:
            composed = [loader.load_sweep_config(self.config, words) for words in batch]
            jobs.sweep_of(composed)
        return super().sweep(arguments)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Nothing: the cells are checked."""


class AdviseSweeper(CheckedSweeper):
    """Looks for the best of all combinations within a budget: launches batch after batch, each decided by
    what the ones before have measured, so that any launcher serves."""

    def sweep(self, arguments: list[str]) -> Any:
        from experiments.advise.work import advise
        from experiments.sweep import jobs

        assert self.hydra_context
        assert self.config
        loader = self.hydra_context.config_loader
        overrides = OverridesParser.create(loader).parse_overrides([*self._parse_config(), *arguments])
        [combinations] = self.split_arguments(overrides, None)
        cells = jobs.cells_of([loader.load_sweep_config(self.config, words) for words in combinations])
        returns: list[Sequence[JobReturn]] = []

        def launch(batch: Sequence[Sequence[str]]) -> None:
            assert self.launcher
            with redirect_stdout(StringIO()):  # of every batch; what came of all is printed at the end
                returns.append(self.launcher.launch(batch, initial_job_idx=sum(map(len, returns))))

        advise(combinations, cells, launch)
        return returns


class Guard(Callback):
    """Refuses, before anything is written or started, a command that cannot work or would measure wrongly.
    Hydra turns an Exception of a callback into a warning; `plain_errors` raises SystemExit."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        from experiments.config import cli
        from experiments.sweep import jobs

        with cli.plain_errors():
            jobs.check_plain_command(config)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        from experiments.config import cli
        from experiments.sweep import jobs
        from experiments.sweep.results_lock import prepare

        HydraConfig.instance().set_config(config)  # for a results_dir that refers to ${hydra:…}
        with cli.plain_errors():
            jobs.check_launcher(config)
            jobs.check_sweeper(config)
            if config.hydra.sweeper._target_ != CheckedConf._target_:
                prepare(Path(config.results_dir).expanduser())


ConfigStore.instance().store(group="hydra/launcher", name="rounds", node=LAUNCHER, provider="augment")
ConfigStore.instance().store(group="hydra/sweeper", name="checked", node=CheckedConf, provider="augment")
