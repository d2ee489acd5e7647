"""The command `python run.py`, which measures how image augmentation scales; see `--help`."""

import hydra
from omegaconf import DictConfig

from experiments.config import cli


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(configuration: DictConfig) -> float:
    """Measure one cell and return its seconds per task, which a sweeper may minimise."""
    from experiments.sweep import jobs  # and pandas and pyarrow, which help and completion do not need

    return jobs.measure(configuration)


if __name__ == "__main__":
    cli.run(main)
