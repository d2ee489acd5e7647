"""The cells of Hydra's jobs: the task function, and the checks of a command before anything is written."""

import contextlib
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import env_override
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from augment.options import OptionError
from experiments.config.cell import Cell, text
from experiments.config.cli import interruptions, plain_errors
from experiments.machine.environment import usable_cpus
from experiments.trial.process import waiting_process

if TYPE_CHECKING:
    from experiments.sweep.sweep import Sweep

ONE_AT_A_TIME = (
    "hydra_plugins.augment_plugins.RoundsLauncher",
    "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
)

SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
ONE_PER_SWEEP = ("order_seed", "results_dir", "hydra.job.env_set")

log = logging.getLogger(__name__)
_checked: "list[Sweep]" = []  # of a plain command, from Hydra's callback to its task function


def measure(configuration: DictConfig) -> float:
    """Measure a cell and its companions; return seconds per task. Raises CellFailedError, OptionError."""
    from experiments.sweep.cells import result_line  # and pandas and pyarrow
    from experiments.sweep.sweep import Sweep

    hydra, usable = HydraConfig.get(), usable_cpus()
    if hydra.runtime.cwd not in sys.path:
        sys.path.append(hydra.runtime.cwd)  # in a launcher's job, for a user's class
    given = os.environ.get("SLURM_JOB_CPUS_PER_NODE", str(usable))  # all but reserved ones
    if hydra.launcher._target_ == SLURM and usable < int(given):
        raise OptionError(
            f"hydra.launcher.setup: the job may use {usable} of its {given} CPUs; let it hold "
            '"export SLURM_CPU_BIND=none SRUN_CPUS_PER_TASK=$SLURM_CPUS_ON_NODE", as slurm_node does'
        )
    # A job has its own handler of SIGTERM, which would let a cancelled one go on until it is killed.
    with interruptions(), contextlib.chdir(hydra.runtime.cwd):  # relative paths hold with hydra.job.chdir
        in_sweep = hydra.mode == RunMode.MULTIRUN
        sweep = _checked.pop() if _checked else Sweep([cell_of(configuration)], in_sweep)
        [cell] = sweep.measure()
    log.info(result_line(cell))
    return cell.seconds_per_task()


class Guard(Callback):
    """A callback that refuses a command that cannot work before anything is written or started."""

    # Hydra turns an Exception of a callback into a warning; plain_errors raises SystemExit instead.
    @plain_errors()
    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check the cell of a plain command and keep its sweep for `measure`. Raises SystemExit."""
        cell = cell_of(config)
        with env_override(dict(config.hydra.job.env_set)):  # which a trial's conditions name
            waiting_process(cell.config.pipeline)  # which begins to import
            from experiments.sweep.sweep import Sweep  # and pandas and pyarrow, meanwhile

            _checked[:] = [Sweep([cell], in_sweep=False)]

    @plain_errors()
    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Check launcher and sweeper of a sweep. Raises SystemExit."""
        HydraConfig.instance().set_config(config)  # for a results_dir that refers to ${hydra:…}
        check_plugins(config)


def cell_of(job: DictConfig) -> Cell:
    """Return the cell of a composed job, which may still have its `hydra` node. Raises OptionError."""
    options = job.copy()
    if "hydra" in job:
        HydraConfig.instance().set_config(job)  # for an option that refers to ${hydra:…}
        with read_write(options), open_dict(options):
            del options["hydra"]
    hydra: Any = HydraConfig.get()
    sources = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    words = [word for path in sources for word in ("--config-dir", str(path))]
    given: Any = OmegaConf.to_container(hydra.overrides.task)  # not resolved
    for name, equals, value in (word.partition("=") for word in given):
        # A variable may have another value when the recorded command is given again.
        known = OmegaConf.select(options, name.lstrip("+")) if "oc.env" in value else None
        words.append(name + equals + (value if known is None or OmegaConf.is_config(known) else text(known)))
    return Cell.of(options, dict(hydra.runtime.choices), words)


def cells_of(jobs: Sequence[DictConfig]) -> list[Cell]:
    """Return the cells of a sweep's jobs. Raises OptionError for none, or if they differ in ONE_PER_SWEEP."""
    cells = [cell_of(job) for job in jobs]
    if not cells:
        raise OptionError("the sweep has no cell: a range or glob is empty; --help lists the choices")
    for name in ONE_PER_SWEEP:
        values = list(dict.fromkeys(str(OmegaConf.select(job, name)) for job in jobs))
        if len(values) > 1:
            raise OptionError(f"{name}={','.join(values)}: a sweep has one; give each a command of its own")
    return cells


def check_plugins(config: DictConfig) -> None:
    """Raise OptionError for a sweeper that maximizes, or for a launcher that may run cells at once."""
    direction = config.hydra.sweeper.get("direction")
    if "maximize" in str(direction).lower():
        raise OptionError(f"hydra.sweeper.direction={direction}: it compares seconds per task; give minimize")
    launcher = config.hydra.launcher
    option = f"hydra/launcher={config.hydra.runtime.choices['hydra/launcher']}"
    if launcher._target_ in ONE_AT_A_TIME:
        return
    if launcher._target_ != SLURM:
        raise OptionError(f"{option}: runs cells at once, which falsifies their times; leave it out")
    if not shutil.which("srun"):
        raise OptionError(f"{option}: no srun is found; start it on a machine of a Slurm cluster")
    is_exclusive = launcher.additional_parameters.get("exclusive")
    if not (is_exclusive and launcher.tasks_per_node == launcher.nodes == 1):
        raise OptionError(f"{option}: each job needs a node of its own; give hydra/launcher=slurm_node")
