"""The options of a cell: one typed declaration of each, from which the command line, its help, its
checks, the cells' identity and the columns of a trial derive. Strategies, datasets and the runtime
declare theirs in their own dataclasses."""

import os
import re
import tempfile
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from augment.datasets import DATASETS, Dataset
from augment.filesystem import SCHEME, location
from augment.options import OptionError, check_minimum, option
from augment.runtime import Runtime
from augment.strategies import STRATEGIES, Strategy
from experiments.machine.environment import usable_cpus

SMALLEST_SIDE, LARGEST_SIDE = 10, 30_000  # pixels: below, a board has no squares; above, JPEG ends at 65535


class OnBadImage(StrEnum):
    """What a file that is no usable image does to a cell."""

    fail = "fail"
    skip = "skip"


class OnShortage(StrEnum):
    """What too little memory, disk or open files does to a cell."""

    refuse = "refuse"
    warn = "warn"


@dataclass
class Advise:
    """The search for the best of `experiment=advise`."""

    budget_s: float = option(
        "that experiment=advise takes", 180.0, unit="seconds", minimum=10, determines=False
    )


@dataclass
class Config:
    """One cell. Groups (strategy, dataset, pipeline, runtime, protocol, ablation, experiment) are chosen
    by name."""

    workers: int = option("processes that work; P_Q's saving ones are among them", 1, minimum=1)
    saving: bool = option("whether the augmented images are encoded and written", True)
    n_augmentations: int = option("augmentations of each image", 10, minimum=1)
    seed: int = option("what every random transform and synthetic image is drawn from", 0, minimum=0)
    trace: bool = option("record every task, stage by stage", True)
    profile: bool = option("run the master and one worker under cProfile (distorts the times)", False)
    max_image_pixels: int = option(
        "beyond these an image counts as a decompression bomb", 100_000_000, unit="pixels", minimum=1
    )
    # Inputs count by their content (see records.schema), however they were asked for.
    image_size: str | None = option(
        "WIDTHxHEIGHT; null: the photos' own size (a folder always keeps its own)",
        "2000x1000",
        unit="pixels",
        determines=False,
    )
    n_images: int | None = option(
        "images to augment; null: all that the dataset has", None, minimum=1, determines=False
    )
    sample: int | None = option(
        "at most so many of the images, drawn by size with `seed`; null: all of them",
        None,
        minimum=1,
        determines=False,
    )
    on_bad_image: OnBadImage = option(
        "a folder's file that is no usable image: fail (before the trial) or skip it",
        OnBadImage.fail,
        determines=False,
    )
    repetitions: int = option("trials of each cell", 2, minimum=1, determines=False)
    with_baseline: bool = option("also measure sequential on every workload", False, determines=False)
    with_ceiling: bool = option(
        "also measure copies, the machine's ceiling, at every count from 2 to the usable CPUs",
        False,
        determines=False,
    )
    with_interference: bool = option(
        "also measure what slows a task down beside neighbours, at every count from 2 to the usable CPUs",
        False,
        determines=False,
    )
    order_seed: int = option("what the order of the cells in each round is drawn from", 0, determines=False)
    rerun: bool = option(
        "measure again what is in the results already, and keep both", False, determines=False
    )
    on_shortage: OnShortage = option(
        "too little memory, disk or open files for a cell", OnShortage.refuse, determines=False
    )
    output_dir: str | None = option(
        "folder (or s3://… address) that keeps the augmented images; null: removed after each trial",
        None,
        determines=False,
    )
    overwrite: bool = option("allow output_dir to hold files of the same names", False, determines=False)
    results_dir: str = option("folder for the parquet files, tables and figures", "results", determines=False)
    scratch_dir: str | None = option(
        "folder for outputs that are not kept; null: the system's", None, determines=False
    )
    cache_dir: str | None = option(
        "folder for synthetic images; null: ~/.cache/augment", None, determines=False
    )
    trial_timeout_s: float = option(
        "after which a trial is ended as failed", 3600.0, unit="seconds", minimum=0.1, determines=False
    )
    strategy: Strategy = MISSING
    dataset: Dataset = MISSING
    pipeline: dict[str, Any] = field(default_factory=dict)
    runtime: Runtime = field(default_factory=Runtime)
    advise: Advise = field(default_factory=Advise)

    @property
    def results_folder(self) -> Path:
        """The folder of the parquet files, tables and figures."""
        return Path(self.results_dir).expanduser()

    @property
    def output_place(self) -> Path:
        """The folder or address to which outputs are written."""
        return location(self.output_dir or self.scratch_dir or tempfile.gettempdir())

    def size(self) -> tuple[int, int] | None:
        """Return width and height in pixels. Raises OptionError."""
        return None if self.image_size is None else parse_size(self.image_size)

    def check(self) -> None:
        """Raises OptionError for the first option that cannot work. Reads, but writes nothing."""
        check_minimum(self)
        for prefix in ("strategy", "dataset", "runtime", "advise"):
            check_minimum(getattr(self, prefix), f"{prefix}.")
        if self.output_dir is not None and not self.saving:
            raise OptionError(
                f"output_dir={self.output_dir}: with saving=false there is nothing to keep there"
            )
        if self.scratch_dir and SCHEME in self.scratch_dir:
            raise OptionError(f"scratch_dir={self.scratch_dir}: must be a folder of this machine")
        self.dataset.check(self.size())


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


def augmentations(size: str, n_images: int, saving: bool, pipeline: str, megapixels: Any) -> int:
    """So many of each image that a trial transforms about as many megapixels, whatever the image size: those
    that are given for its pipeline, `{name: [saving, not saving]}`, or the least of all."""
    width, height = parse_size(size)
    known = {name: each[0 if saving else 1] for name, each in megapixels.items()}
    wanted = 1e6 * known.get(pipeline, min(known.values()))
    return max(1, round(float(wanted) / (width * height * n_images)))


def worker_counts() -> str:
    """The numbers of workers that share the machine without waiting for a CPU, for a sweep: powers of two up
    to the usable CPUs, and these themselves: `2,4,6`; `2` on a machine of one CPU."""
    cpus = max(2, usable_cpus())
    powers = (2**power for power in range(1, cpus.bit_length()))
    return ",".join(map(str, sorted({*powers, cpus})))


def advised_counts() -> str:
    """The numbers of workers among which the best is looked for: powers of two, the usable CPUs, and a little
    over: `2,4,8,10`."""
    cpus = usable_cpus()
    return f"{worker_counts()},{cpus + max(1, cpus // 4)}" if cpus > 1 else worker_counts()


def register() -> None:
    """Makes the schemas of the options known to Hydra: files in conf/strategy and conf/dataset build on
    `base_<name>`."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for group, kinds in (("strategy", STRATEGIES), ("dataset", DATASETS)):
        for name, kind in kinds.items():
            store.store(group=group, name=f"base_{name}", node=kind)


# A job on another node gets Hydra's ConfigStore with the sweep but no resolvers: it finds them because it
# imports this module when it unpickles the configuration.
OmegaConf.register_new_resolver("weak_scaling_size", weak_scaling_size, replace=True)
OmegaConf.register_new_resolver("augmentations", augmentations, replace=True)
OmegaConf.register_new_resolver("worker_counts", worker_counts, replace=True)
OmegaConf.register_new_resolver("advised_counts", advised_counts, replace=True)
OmegaConf.register_new_resolver("usable_cpus", usable_cpus, replace=True)
OmegaConf.register_new_resolver("expanduser", os.path.expanduser, replace=True)
