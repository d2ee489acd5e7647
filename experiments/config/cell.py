"""A cell, one configuration of a sweep, and the words of its command line."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any, Self

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf

from augment.declaration import is_factory
from augment.filesystem import SCHEME
from augment.options import OptionError, determining
from augment.saved_pipeline import resolved
from augment.strategies import Strategy
from experiments import COMMAND
from experiments.config.options import Config
from experiments.machine.environment import usable_cpus
from experiments.store.columns import ADHOC, UNTOUCHED

# Text that Hydra reads without quotes: of its own letters, and no number, null or boolean.
PLAIN = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z/][\w/.:+%@-]*|\d+x\d+", re.ASCII | re.IGNORECASE)


class CellFailedError(RuntimeError):
    """A failure of a cell or of one of its companions."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A composed configuration with the names chosen for its groups."""

    config: Config
    experiment: str = ADHOC
    protocol: str = "quick"
    dataset: str = "synthetic"
    pipeline: str = "study"
    ablation: str = UNTOUCHED
    runtime: str = "study"
    words: tuple[str, ...] = ()  # of its command line

    @classmethod
    def of(cls, composed: DictConfig, choices: Mapping[str, Any], words: Sequence[str]) -> Self:
        """Return the cell that Hydra composed from `words` with its runtime choices. Raises OptionError."""
        for group in ("", "strategy", "dataset", "runtime", "advise"):
            node = composed[group] if group else composed
            kind: Any = OmegaConf.get_type(node)
            for key in set(node) - {declared.name for declared in fields(kind)}:
                raise OptionError(f"{group}.{key}: no such option; --help lists them".lstrip("."))
        config = OmegaConf.to_object(composed)
        assert isinstance(config, Config)
        config.pipeline = dict(resolved(config.pipeline))
        if "/" in str(choices["experiment"]):  # by which the folders of its rows are named
            raise OptionError(f"experiment={choices['experiment']}: must be a name without a folder")
        groups = (field.name for field in fields(cls) if field.name not in ("config", "words"))
        return cls(config, **{name: str(choices[name]) for name in groups}, words=tuple(words))

    @property
    def strategy(self) -> str:
        """Return the strategy's name in STRATEGIES; the file in conf/strategy may have another name."""
        return self.config.strategy.name

    @property
    def not_applicable(self) -> str | None:
        """Return the reason why the strategy does not apply to this cell; None if it applies."""
        strategy, workers = self.config.strategy, self.config.workers
        if self.config.runtime.reuse_pipeline and is_factory(self.config.pipeline):
            reason = f"pipeline={self.pipeline} is a callable, which every task builds from its seed"
            return f"{reason}; give runtime.reuse_pipeline=false"
        if strategy.instrument and workers > (cpus := usable_cpus()):
            return f"{strategy.name} needs a CPU for each worker; give workers={cpus} or fewer"
        return strategy.not_applicable(workers, self.config.saving)

    @property
    def label(self) -> str:
        """Return the name on screen and of files: `p2-4w-2000x1000-saving`, with `_` for odd characters."""
        size = self.config.image_size or "native"
        options = determining(self.config.strategy).items()
        changed = "".join(f"-{name}{value}" for name, value in options if value is not None)
        ablation = "" if self.ablation == UNTOUCHED else f"-{self.ablation}"
        saving = "saving" if self.config.saving else "nosaving"
        label = f"{self.strategy}{changed}-{self.config.workers}w-{size}-{saving}{ablation}"
        return re.sub(r"[^\w.=+-]+", "_", label, flags=re.ASCII)[:150]  # a file name has at most 255 letters

    @property
    def command(self) -> str:
        """Return the command that measures this cell again; `hydra.mode=RUN` ends an experiment's sweep."""
        return command([*self.words, *(["hydra.mode=RUN"] if self.experiment != ADHOC else [])])

    def of_strategy(self, strategy: type[Strategy], workers: int) -> Self:
        """Return the same workload for another strategy with default options."""
        config = replace(self.config, strategy=strategy(), workers=workers)
        others = without(self.words, "strategy.")
        options: dict[str, Any] = {"strategy": strategy.name, "workers": workers}
        if config.output_dir:  # which keeps the outputs of one cell; others write beside them
            place = None if SCHEME in config.output_dir else config.output_dir
            config = replace(config, output_dir=None, scratch_dir=config.scratch_dir or place)
            options |= {"output_dir": None, "scratch_dir": config.scratch_dir}
        return replace(self, config=config, words=tuple(replaced(others, **options)))


def command(words: Iterable[str]) -> str:
    """Return the shell command with these words."""
    return f"{COMMAND} {shlex.join(words)}"


def without(words: Iterable[str], *begins: str) -> list[str]:
    """Return the words that set no option whose name begins so."""
    return [word for word in words if not word.lstrip("+").startswith(begins)]


def replaced(words: Iterable[str], /, **options: Any) -> list[str]:
    """Return the words with these options added or replaced."""
    kept = [word for word in words if word.partition("=")[0].lstrip("+") not in options]
    return [*kept, *(f"{name}={text(value)}" for name, value in options.items())]


def text(value: Any) -> str:
    """Return a value as Hydra's command line reads it; a list as several values of a sweep."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case Enum():
            return value.name
        case list():
            return ",".join(map(text, value))
        case str() if not PLAIN.fullmatch(value):
            literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)  # no interpolation
            return QuotedString(literal, Quote.double).with_quotes()
    return str(value)
