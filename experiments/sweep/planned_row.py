"""The columns of a trial that are known before it is measured."""

import json
from dataclasses import asdict
from typing import Any

from augment.declaration import class_paths
from augment.options import determining
from experiments.config.cell import Cell, command
from experiments.machine import environment
from experiments.machine.limits import file_system
from experiments.machine.provenance import source_digest
from experiments.store.columns import ADHOC, digest_of

LIBRARY = "albumentations."  # its version is a column; other classes count by their source


def planned_columns(cell: Cell) -> dict[str, Any]:
    """Return the columns that follow from the cell's configuration and from where this process runs."""
    config, machine = cell.config, environment.machine_columns()
    width, height = config.size() or (None, None)
    is_oversubscribed = config.strategy.on_this_machine and config.workers > machine["usable_cpus"]
    return machine | {
        **determining(config),
        "experiment": cell.experiment,
        "command": cell_command(cell),
        "protocol": cell.protocol,
        "ablation": cell.ablation,
        "strategy": cell.strategy,
        "strategy_options": json.dumps(determining(config.strategy), sort_keys=True),
        "runtime_name": cell.runtime,
        "runtime": json.dumps(determining(config.runtime), sort_keys=True),
        "dataset": cell.dataset,
        "dataset_options": json.dumps(asdict(config.dataset), sort_keys=True),
        "pipeline": cell.pipeline,
        "pipeline_digest": pipeline_digest(config.pipeline),
        "repetitions": config.repetitions,
        "order_seed": config.order_seed,
        "width": width,
        "height": height,
        "scratch_dir": config.scratch_dir,
        "output_dir": str(config.output_place) if config.output_dir else None,
        "output_file_system": file_system(config.output_place) if config.saving else None,
        "oversubscribed": is_oversubscribed,
    }


def cell_command(cell: Cell) -> str:
    """Return the command that measures this cell again; an experiment needs `hydra.mode=RUN` not to sweep."""
    return command([*cell.words, *(["hydra.mode=RUN"] if cell.experiment != ADHOC else [])])


def pipeline_digest(pipeline: Any) -> str:
    """Return the SHA-256 of a pipeline's declaration and of the sources of the user's classes in it."""
    classes = sorted({path for path in class_paths(pipeline) if not path.startswith(LIBRARY)})
    return digest_of([pipeline, [(path, source_digest(path)) for path in classes]])
