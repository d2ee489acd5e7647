"""Measures how image augmentation scales: `python run.py --help`.

Hydra composes the cells, one for a plain command and one per combination for a sweep (-m); only
when all of them are composed and checked does the measuring begin."""

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from experiments import cli
from experiments.measure import sweep
from experiments.plan.cell import Cell

composed: list[tuple[DictConfig, dict[str, str]]] = []


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def compose(configuration: DictConfig) -> None:
    composed.append((configuration, dict(HydraConfig.get().runtime.choices)))


if __name__ == "__main__":
    cli.prepare()
    with cli.plain_errors():
        compose()
        if not composed:
            sys.exit()  # it was --help or --cfg
        with cli.interruptions():
            sys.exit(sweep.run([Cell.of(*one) for one in composed]))
