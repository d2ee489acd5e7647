"""The command `augmentation-scaling`, and its use from Python.

The program that imports this may have modules called `augment` or `experiments`, so those of the suite are
imported in a process of its own only.
"""

import sys
from typing import Any


def main() -> None:
    """Run the command of this program's arguments."""
    from experiments.config import cli

    cli.run(measure)


def measure(configuration: Any) -> float:
    """Measure one cell and return its seconds per task, which a sweeper may minimise."""
    from hydra.core.hydra_config import HydraConfig

    from experiments.sweep import jobs  # and pandas and pyarrow, which help and completion do not need

    if (folder := HydraConfig.get().runtime.cwd) not in sys.path:
        sys.path.append(folder)  # in a launcher's job, for a user's class
    return jobs.measure(configuration)
