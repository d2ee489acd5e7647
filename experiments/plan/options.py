"""The options: one typed declaration of each, from which the command line, its help and its checks
derive. Strategies and datasets declare theirs in their own dataclasses."""

import re
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from augment.datasets import DATASETS
from augment.option import OptionError, option
from augment.runtime import Runtime
from augment.strategies import STRATEGIES
from experiments.host.environment import usable_cpus

SMALLEST_SIDE, LARGEST_SIDE = 10, 30_000  # pixels: below, a board has no squares; above, JPEG ends at 65535


@dataclass
class Config:
    """One cell. Groups (strategy, dataset, pipeline, protocol, experiment) are chosen by name."""

    workers: int = option("processes that work; P_Q's saving ones are among them", 1)
    image_size: str | None = option(
        "WIDTHxHEIGHT in pixels; null: the photos' own size (a folder always keeps its own)", "2000x1000"
    )
    saving: bool = option("whether the augmented images are encoded and written", True)
    repetitions: int = option("trials of each cell", 2)
    n_images: int | None = option("images to augment; null: all that the dataset has", None)
    n_augmentations: int = option("augmentations of each image", 10)
    seed: int = option("what every random transform and synthetic image is drawn from", 0)
    baseline: bool = option("also measure sequential on every workload of the sweep", False)
    ceilings: bool = option(
        "also measure replicas, and in turns workload and probes, at every worker count", False
    )
    interleave: bool = option("measure the repetitions of all cells in rounds, against drift", False)
    rerun: bool = option("measure again what is already in the results, and keep both", False)
    on_bad_image: str = option(
        "a folder's file that is no usable image: fail (before the trial) or skip", "fail"
    )
    max_image_pixels: int = option("pixels beyond which an image counts as a decompression bomb", 100_000_000)
    on_shortage: str = option("too little memory, disk or open files for a cell: refuse or warn", "refuse")
    output_dir: str | None = option(
        "folder that keeps the augmented images; null: removed after each trial", None
    )
    overwrite: bool = option("allow output_dir to hold files of the same names", False)
    results_dir: str = option("folder for the parquet files, tables and figures", "results")
    scratch_dir: str | None = option("folder for outputs that are not kept; null: the system's", None)
    cache_dir: str | None = option("folder for synthetic images; null: ~/.cache/augment", None)
    trial_timeout_s: float = option("seconds after which a trial is ended as failed", 3600.0)
    trace: bool = option("record every task, stage by stage", True)
    profile: bool = option("run the master and one worker under cProfile (distorts the times)", False)
    strategy: Any = option("how the processes carry the workload out")
    dataset: Any = option("where the images come from")
    pipeline: dict[str, Any] = field(default_factory=dict, metadata={"doc": "the random transform"})
    runtime: Runtime = field(default_factory=Runtime, metadata={"doc": "policies of every process"})

    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels. Raises OptionError."""
        return None if self.image_size is None else parse_size(self.image_size)

    def check(self) -> None:
        """Raises OptionError for the first
        option that cannot work. Reads, but writes nothing."""
        for name in ("workers", "repetitions", "n_augmentations", "n_images", "max_image_pixels"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name}={value}: must be 1 or more")
        for name, choices in {"on_bad_image": ("fail", "skip"), "on_shortage": ("refuse", "warn")}.items():
            if getattr(self, name) not in choices:
                raise OptionError(f"{name}={getattr(self, name)}: choose one of {', '.join(choices)}")
        if self.seed < 0:
            raise OptionError(f"seed={self.seed}: must be 0 or more")
        if not self.trial_timeout_s > 0:
            raise OptionError(f"trial_timeout_s={self.trial_timeout_s}: must be more than 0 seconds")
        if self.output_dir is not None and not self.saving:
            raise OptionError(
                f"output_dir={self.output_dir}: with saving=false there is nothing to keep there"
            )
        size = self.size()
        if size and self.dataset.own_size:
            raise OptionError(
                f"image_size={self.image_size}: a folder's pictures keep their own size; leave it out"
            )
        for part in (self.strategy, self.dataset, self.runtime):
            part.check()


def parse_size(text: str) -> tuple[int, int]:
    """`2000x1000` as (2000, 1000). Raises OptionError."""
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text)
    if not match:
        raise OptionError(f"image_size={text}: must be WIDTHxHEIGHT in pixels, like 2000x1000")
    width, height = int(match[1]), int(match[2])
    for side in (width, height):
        if not SMALLEST_SIDE <= side <= LARGEST_SIDE:
            raise OptionError(f"image_size={text}: a side must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels")
    return width, height


def weak_scaling_size(workers: int, base: str = "250x250") -> str:
    """The study's sizes: pixels grow with workers, width and height doubling in turn.

    250x250 at 1, 500x250 at 2, 500x500 at 4, … Between powers of two the height takes up the
    difference, so that pixels per worker stay the same."""
    if workers < 1:
        raise OptionError(f"workers={workers}: must be 1 or more")
    width, height = parse_size(base)
    doublings = workers.bit_length() - 1
    wide = 2 ** ((doublings + 1) // 2)
    return f"{width * wide}x{round(height * workers / wide)}"


def register() -> None:
    """Makes the schema, the groups that derive from lists in the code, and the resolvers that
    conf/ uses known to Hydra."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for name, strategy in STRATEGIES.items():
        store.store(group="strategy", name=name, node=strategy)
    for name, dataset in DATASETS.items():
        own = {"n_images": None, "image_size": None} if dataset.own_size else {}
        store.store(group="dataset", name=name, node={"dataset": dataset, **own}, package="_global_")
    OmegaConf.register_new_resolver("weak_scaling_size", weak_scaling_size, replace=True)
    OmegaConf.register_new_resolver("usable_cpus", usable_cpus, replace=True)
