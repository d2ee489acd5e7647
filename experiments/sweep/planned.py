"""The columns of a trial that are known before it, from which the identity of its cell follows."""

import json
from dataclasses import asdict
from typing import Any

from augment.declaration import CLASS, LIBRARY, mappings
from augment.options import determining
from experiments.config.cell import Cell
from experiments.machine import environment
from experiments.store.columns import digest_of
from experiments.sweep import preflight


def planned_columns(cell: Cell, declaration: Any) -> dict[str, Any]:
    """Return the columns that follow from the cell's configuration and from where this process runs.

    `declaration` is the `canonical` one of its pipeline.
    """
    config, machine = cell.config, environment.machine_columns()
    width, height = config.size() or (None, None)
    is_oversubscribed = config.strategy.on_this_machine and config.workers > machine["usable_cpus"]
    return machine | {
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
        "pipeline_digest": pipeline_digest(declaration),
        "repetitions": config.repetitions,
        "order_seed": config.order_seed,
        "width": width,
        "height": height,
        "scratch_dir": config.scratch_dir,
        "output_dir": str(config.output_place) if config.output_dir else None,
        "output_file_system": preflight.file_system(config.output_place) if config.saving else None,
        "oversubscribed": is_oversubscribed,
    }


def pipeline_digest(declaration: Any) -> str:
    """Return the SHA-256 of a `canonical` declaration and of the sources of the user's classes in it.

    The library's version is a column.
    """
    paths = {str(part.get(CLASS, LIBRARY)) for part in mappings(declaration)}
    classes = sorted(path for path in paths if not path.startswith(LIBRARY))
    return digest_of([declaration, [(path, environment.source_digest(path)) for path in classes]])
