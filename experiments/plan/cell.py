"""A cell: one point of a sweep, by what determines its measurement."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from augment.option import OptionError
from augment.strategies import STRATEGIES
from experiments.plan.options import Config

BASELINE, CEILING, IN_TURNS = "sequential", "replicas", "turns"
UNTOUCHED = "none"  # the ablation that changes no policy
DETERMINING = (
    *("workers", "image_size", "saving", "repetitions", "n_images", "n_augmentations", "seed"),
    *("scratch_dir", "output_dir", "trace", "profile", "on_bad_image", "max_image_pixels"),
)


@dataclass(frozen=True, eq=False)
class Cell:
    """A composed configuration with the names that were chosen for its groups."""

    config: Config
    experiment: str
    protocol: str
    strategy: str
    dataset: str
    pipeline: str
    ablation: str = UNTOUCHED

    @classmethod
    def of(cls, composed: DictConfig, choices: Mapping[str, Any]) -> Cell:
        """The cell of what Hydra composed; `choices` are `hydra.runtime.choices`."""
        for node in (composed, composed.strategy, composed.dataset, composed.runtime):
            kind: Any = OmegaConf.get_type(node)
            for key in set(node) - {declared.name for declared in fields(kind)}:
                raise OptionError(f"{key}: no such option; --help lists them")
        config = OmegaConf.to_object(composed)
        assert isinstance(config, Config)
        names = ("experiment", "protocol", "strategy", "dataset", "pipeline", "ablation")
        return cls(config, **{name: str(choices[name]) for name in names})

    @property
    def not_applicable(self) -> str | None:
        """Why the strategy does not apply to this cell; None where it does."""
        reason: str | None = self.config.strategy.not_applicable(self.config.workers, self.config.saving)
        return reason

    @property
    def baseline(self) -> Cell:
        """The sequential cell of the same workload."""
        return self._with(BASELINE, workers=1)

    @property
    def ceilings(self) -> list[Cell]:
        """What no strategy can beat at this cell's worker count: replicas of the same workload; and that
        workload and the machine's probes in turns, alone and together."""
        both = self._with(CEILING), self._with(IN_TURNS)
        return [one for one in both if not one.not_applicable]

    def _with(self, strategy: str, **changes: Any) -> Cell:
        config = replace(self.config, strategy=STRATEGIES[strategy](), **changes)
        return replace(self, config=config, strategy=strategy)

    @property
    def label(self) -> str:
        """What people call it, also a file name: `p2-4w-2000x1000-saving`."""
        size = self.config.image_size or "native"
        options = "".join(f"-{key}{value}" for key, value in self.strategy_options.items() if value != "auto")
        saving = "saving" if self.config.saving else "nosaving"
        return f"{self.strategy}{options}-{self.config.workers}w-{size}-{saving}"

    @property
    def strategy_options(self) -> dict[str, Any]:
        return asdict(self.config.strategy)

    @property
    def dataset_options(self) -> dict[str, Any]:
        """The dataset's options; a path is made absolute, so that it means one folder only."""
        options = asdict(self.config.dataset)
        return options | (
            {"path": str(Path(options["path"]).expanduser().absolute())} if "path" in options else {}
        )

    @property
    def pipeline_digest(self) -> str:
        return digest_of(self.config.pipeline)

    def determinants(self) -> dict[str, Any]:
        """Everything about this cell, apart from machine and code, that may change what it measures."""
        config = self.config
        return {name: getattr(config, name) for name in DETERMINING} | {
            "experiment": self.experiment,
            "strategy": [self.strategy, self.strategy_options],
            "dataset": [self.dataset, self.dataset_options],
            "pipeline": self.pipeline_digest,
            "runtime": asdict(config.runtime),
            "inputs": self._inputs_state(),
        }

    def _inputs_state(self) -> list[tuple[str, int, int]] | None:
        """What tells a folder's images from those it had before: name, size and time of each."""
        if not self.config.dataset.own_size:
            return None  # made by the suite, the same for the same options
        files = self.config.dataset.files(self.config.n_images, None, self.config.seed, Path())
        states = [(path.name, path.lstat()) for path in files]
        return [(name, state.st_size, state.st_mtime_ns) for name, state in states]


def digest_of(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()


def with_companions(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, each once; before the first of each workload its sequential one where a cell asks for
    a baseline, and before the first of each worker count the ceilings where one asks for them. Where
    policies are ablated and one cell is untouched, its baseline is that of all."""
    wanted: dict[str, Cell] = {}
    untouched = any(cell.ablation == UNTOUCHED for cell in cells)
    for cell in cells:
        own = cell.ablation == UNTOUCHED or not untouched
        companions = [cell.baseline] if cell.config.baseline and own else []
        companions += cell.ceilings if cell.config.ceilings else []
        for one in [*companions, cell]:
            wanted.setdefault(digest_of(one.determinants()), one)
    return list(wanted.values())
