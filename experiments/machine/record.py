"""The columns of a trial that say on which machine and with which code it ran."""

import json
import os
from functools import cache
from typing import Any

from experiments import ROOT
from experiments.machine import environment, provenance


@cache
def machine_columns() -> dict[str, Any]:
    """Return the columns, as they were when this process asked first."""
    described = environment.environment()
    return {
        "machine": environment.fingerprint(described),
        "environment": json.dumps(described),
        "node": os.environ.get("SLURMD_NODENAME"),
        "usable_cpus": environment.usable_cpus(),
        "code_digest": provenance.code_digest(ROOT / "augment"),
        "git_commit": provenance.git_commit(),
        **provenance.versions(),
    }
