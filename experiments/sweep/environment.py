"""Where and with which code this process measures, and what would spoil it: asked for once."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import augment
from experiments.machine import environment, provenance
from experiments.sweep import preflight


@cache
def columns() -> dict[str, Any]:
    """The columns of a trial that say where it ran."""
    described = environment.environment()
    return {
        "machine": environment.fingerprint(described),
        "environment": json.dumps(described),
        "node": os.environ.get("SLURMD_NODENAME"),
        "usable_cpus": environment.usable_cpus(),
        "code_digest": provenance.code_digest(Path(augment.__file__).parent),
        "git_commit": provenance.git_commit(),
        **provenance.versions(),
    }


@cache
def findings() -> list[str]:
    """What would spoil every trial, as the machine was when this was asked first."""
    return preflight.machine_findings()
