"""What Hydra calls a job is a cell here: the task function, what may run it, and how it is interrupted."""

import contextlib
import logging
import os
import shutil
from collections.abc import Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from augment.options import OptionError
from experiments.config.cell import Cell
from experiments.machine.environment import usable_cpus
from experiments.sweep.inputs import Inventory
from experiments.sweep.sweep import Sweep

ONE_AT_A_TIME = (
    "hydra_plugins.augment_plugins.RoundsLauncher",
    "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
)
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
ONE_PER_SWEEP = ("order_seed", "results_dir", "hydra.job.env_set")

log = logging.getLogger(__name__)


def measured(configuration: DictConfig) -> float:
    """Measure one cell with its companions and return its seconds per task; Hydra's task function.

    The seconds are infinite if the strategy does not apply. Raises OptionError and CellFailedError.
    """
    hydra = HydraConfig.get()
    if hydra.launcher._target_ == SLURM:
        check_node(usable_cpus(), os.cpu_count() or 1)
    with contextlib.chdir(hydra.runtime.cwd):  # relative paths mean the same with hydra.job.chdir=true
        sweep = _checked.pop() if _checked else Sweep([_cell(configuration, hydra)], _is_sweep(hydra))
        [result] = sweep.measure()
    log.info(result.line)
    return result.seconds_per_task()


_checked: list[Sweep] = []  # that of a plain command, between Hydra's callback and its task function


def check_plain_command(job: DictConfig) -> None:
    """Check the cell of a plain command and keep its sweep for `measured`. Raises OptionError, StoreError."""
    _checked[:] = [Sweep([cell_of(job)], in_sweep=False)]


def sweep_of(jobs: Sequence[DictConfig], inventory: Inventory | None = None) -> Sweep:
    """Return the checked sweep of composed jobs. Raises OptionError and StoreError."""
    return Sweep(cells_of(jobs), in_sweep=True, inventory=inventory)


def cell_of(job: DictConfig) -> Cell:
    """Return the cell of a composed job that still has its `hydra` node. Raises OptionError."""
    HydraConfig.instance().set_config(job)  # for an option that refers to ${hydra:…}
    options = job.copy()
    with read_write(options), open_dict(options):
        del options["hydra"]
    return _cell(options, job.hydra)


def _cell(options: DictConfig, hydra: Any) -> Cell:
    sources = [each.path for each in hydra.runtime.config_sources if each.provider == "command-line"]
    folders = [word for path in sources for word in ("--config-dir", str(path))]
    return Cell.of(options, dict(hydra.runtime.choices), [*folders, *hydra.overrides.task])


def _is_sweep(hydra: Any) -> bool:
    return bool(hydra.mode == RunMode.MULTIRUN)


def cells_of(jobs: Sequence[DictConfig]) -> list[Cell]:
    """Return the cells of a sweep's jobs. Raises OptionError if they differ in what a sweep has one of."""
    cells = [cell_of(job) for job in jobs]
    for name in ONE_PER_SWEEP:
        values = list(dict.fromkeys(str(OmegaConf.select(job, name)) for job in jobs))
        if len(values) > 1:
            raise OptionError(f"{name}={','.join(values)}: a sweep has one; give each a command of its own")
    return cells


def check_launcher(config: DictConfig) -> None:
    """Raise OptionError for a launcher that could measure several cells on one machine at the same time,
    and for Slurm's where there is no Slurm."""
    launcher = config.hydra.launcher
    option = f"hydra/launcher={config.hydra.runtime.choices['hydra/launcher']}"
    if launcher._target_ in ONE_AT_A_TIME:
        return
    if launcher._target_ != SLURM:
        raise OptionError(f"{option}: runs cells at once, which falsifies their times; leave it out")
    if not shutil.which("srun"):
        raise OptionError(f"{option}: no srun is found; start it on a machine of a Slurm cluster")
    if not launcher.additional_parameters.get("exclusive") or launcher.tasks_per_node != 1:
        raise OptionError(f"{option}: each job needs a node of its own; give hydra/launcher=slurm_node")


def check_sweeper(config: DictConfig) -> None:
    """Raises OptionError for a sweeper that looks for the largest value: where a strategy does not apply
    it is infinite."""
    directions = config.hydra.sweeper.get("direction")
    if "maximize" in str(directions).lower():
        raise OptionError(
            f"hydra.sweeper.direction={directions}: must be minimize; the value of a cell is its seconds "
            "per task, infinite where the strategy does not apply"
        )


def check_node(usable: int, node: int) -> None:
    """Raises OptionError where a Slurm job may use only some of its node's CPUs."""
    if usable < node:
        raise OptionError(
            f"hydra/launcher: the job may use {usable} of its node's {node} CPUs; give "
            f"hydra/launcher=slurm_node hydra.launcher.cpus_per_task={node}"
        )
