"""The columns of a trial that are known before it, from which the identity of its cell follows."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from augment.options import determining
from experiments.config.cell import Cell
from experiments.machine import environment
from experiments.machine.environment import file_system
from experiments.store.columns import digest_of
from experiments.trial.process import Checked


def planned_columns(cell: Cell, checked: Checked) -> dict[str, Any]:
    """Return the columns that follow from the cell's configuration, and from what was checked for it."""
    config, machine = cell.config, environment.machine_columns()
    width, height = config.size() or (None, None)
    is_oversubscribed = config.strategy.on_this_machine and config.workers > machine["usable_cpus"]
    return (
        machine
        | checked.conditions
        | {
            **determining(config),
            "experiment": cell.experiment,
            "command": cell.command,
            "protocol": cell.protocol,
            "ablation": cell.ablation,
            "strategy": cell.strategy,
            "strategy_options": json.dumps(determining(config.strategy), sort_keys=True),
            "runtime_name": cell.runtime,
            "runtime": json.dumps(determining(config.runtime), sort_keys=True),
            "dataset": cell.dataset,
            "dataset_options": json.dumps(asdict(config.dataset), sort_keys=True),
            "pipeline": cell.pipeline,
            "pipeline_digest": digest_of(checked.declaration),
            "repetitions": config.repetitions,
            "order_seed": config.order_seed,
            "width": width,
            "height": height,
            "scratch_dir": config.scratch_dir,
            "output_dir": str(config.output_place) if config.output_dir else None,
            "output_file_system": file_system(config.output_place) if config.saving else None,
            "scratch_file_system": file_system(Path(tempfile.gettempdir())),
            "oversubscribed": is_oversubscribed,
        }
    )
