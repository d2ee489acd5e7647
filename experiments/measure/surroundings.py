"""What all cells of a sweep share, and the identity that it gives to each."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import augment
from experiments.host import environment as machine
from experiments.host import provenance
from experiments.measure import preflight
from experiments.plan.cell import Cell, digest_of


class Surroundings:
    """The machine, the versions, the state of the code."""

    @cached_property
    def columns(self) -> dict[str, Any]:
        environment = machine.environment()
        return {
            "machine": machine.fingerprint(environment),
            "environment": json.dumps(environment),
            "usable_cpus": machine.usable_cpus(),
            "code_digest": provenance.code_digest(Path(augment.__file__).parent),
            "git_commit": provenance.git_commit(),
            **provenance.versions(),
        }

    @cached_property
    def findings(self) -> list[str]:
        """What would spoil the sweep, as the machine is when this is asked first."""
        return preflight.machine_findings()

    def key(self, cell: Cell) -> str:
        """A cell's identity: a hash of everything that determines what it measures."""
        here = {key: value for key, value in self.columns.items() if key not in ("environment", "git_commit")}
        return digest_of(cell.determinants() | here)[:16]

    def name(self, cell: Cell) -> str:
        """The cell's file name, without extension."""
        return f"{cell.label}-{self.key(cell)}"
