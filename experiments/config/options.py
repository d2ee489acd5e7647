"""The options of a cell: the command line, its help and checks, and the cell's identity derive from them."""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from augment.datasets import DATASETS, Dataset
from augment.datasets.folder import PROBED_SUFFIXES, SUFFIXES, is_image_suffix
from augment.filesystem import SCHEME, location
from augment.options import OptionError, check_minimum, option, setting
from augment.runtime import Runtime
from augment.strategies import STRATEGIES, Strategy
from augment.workload import OnBadImage
from experiments.machine.environment import usable_cpus

# Pixels: a smaller board has no squares; JPEG ends at 65,535.
SMALLEST_SIDE, LARGEST_SIDE = 10, 30_000
GROUPS: dict[str, Mapping[str, type]] = {"strategy": STRATEGIES, "dataset": DATASETS}


OnShortage = StrEnum("OnShortage", ["refuse", "warn"])  # effect of too little memory or disk


@dataclass
class Advise:
    """The search of `experiment=advise`."""

    budget_s: float = setting("time for the search", 180.0, unit="seconds", minimum=10)
    images_per_s: float | None = setting(
        "rate to be reached surely, with the fewest workers; null: the highest", None, minimum=0
    )
    memory_gb: float | None = setting("memory that it may take at most", None, unit="10^9 bytes", minimum=0)


@dataclass
class Config:
    """The options of one cell; strategy, dataset, pipeline and runtime are groups, chosen by name."""

    workers: int = option("number of working processes, P_Q's savers among them", 1, minimum=1)
    saving: bool = option("encode and write the augmented images", True)
    n_augmentations: int | None = option(
        "number of augmentations of each image (quick: 8); null with outputs_total", 10, minimum=1
    )
    outputs_total: int | None = option(
        "number of all augmentations, spread evenly over the images, instead of n_augmentations",
        None,
        minimum=1,
    )
    output_format: str | None = option("file format of the outputs, like png; null: as the input", None)
    output_quality: int | None = option(
        "quality of JPEG, WebP and AVIF outputs, 1 to 100; null: 95, WebP 90", None, minimum=1
    )
    seed: int = option("seed of every random transform and synthetic image", 0, minimum=0)
    trace: bool = option("record every task, stage by stage", True)
    max_image_pixels: int = option(
        "pixels above which an image is a decompression bomb", 100_000_000, minimum=1
    )
    # Inputs count by their content, the column inputs_digest, not by the options that chose them.
    image_size: str | None = setting("WIDTHxHEIGHT in pixels; null: as in the dataset's files", "2000x1000")
    n_images: int | None = setting(
        "number of images (quick: 10, of a folder: null); null: all in the dataset", None, minimum=1
    )
    sample: int | None = setting(
        "number of images drawn with `seed`, of all sizes; null: all", None, minimum=1
    )
    on_bad_image: OnBadImage = setting(
        "at a bad image: fail the trial, or skip the image and list it", OnBadImage.fail
    )
    repetitions: int = setting("number of trials of each cell; 1 with output_dir", 2, minimum=1)
    with_baseline: bool = setting("also measure `sequential` on every workload", False)
    with_ceiling: bool = setting("also measure `copies`, the machine's ceiling, with 2 to all CPUs", False)
    with_interference: bool = setting("also measure the slowdown beside neighbours, likewise", False)
    order_seed: int = setting("seed of the order of the cells in each round", 0)
    rerun: bool = setting("measure again what is in the results; keep both", False)
    on_shortage: OnShortage = setting(
        "at too little memory, disk or open files: refuse the cell, or warn", OnShortage.refuse
    )
    output_dir: str | None = setting(
        "folder or address (s3://…) that keeps the augmented images; null: they are removed after a trial",
        None,
    )
    overwrite: bool = setting("first remove the outputs that another command left in output_dir", False)
    results_dir: str = setting("folder of the parquet files, tables and figures", "results")
    scratch_dir: str | None = setting("folder of outputs that are not kept; null: the system's", None)
    cache_dir: str | None = setting("folder of synthetic images; null: ~/.cache/augment", None)
    stall_timeout_s: float = setting(
        "time without a finished task after which a trial fails", 600.0, unit="seconds", minimum=0.1
    )
    strategy: Strategy = MISSING
    dataset: Dataset = MISSING
    pipeline: dict[str, Any] = field(default_factory=dict)
    runtime: Runtime = field(default_factory=Runtime)
    advise: Advise = field(default_factory=Advise)

    @property
    def results_folder(self) -> Path:
        """Return the folder of the parquet files, tables and figures."""
        return Path(os.path.expanduser(self.results_dir))

    @property
    def output_place(self) -> Path:
        """Return the folder or address of the outputs."""
        return location(self.output_dir or self.scratch_dir or tempfile.gettempdir())

    def check(self) -> None:
        """Raise OptionError for the first option that cannot work; write nothing."""
        check_minimum(self)
        for prefix in ("strategy", "dataset", "runtime", "advise"):
            check_minimum(getattr(self, prefix), f"{prefix}.")
        for name in ("results_dir", "scratch_dir", "cache_dir"):
            if (place := getattr(self, name)) == "" or SCHEME in (place or ""):
                raise OptionError(f"{name}={place}: must be a folder of this machine")
        if (self.outputs_total is None) == (self.n_augmentations is None):
            both = f"outputs_total={self.outputs_total} n_augmentations={self.n_augmentations}"
            raise OptionError(f"{both.replace('None', 'null')}: give one of the two")
        if self.output_quality is not None and self.output_quality > 100:
            raise OptionError(f"output_quality={self.output_quality}: must be 1 to 100")
        if self.output_format is not None and not is_image_suffix(f".{self.output_format.lower()}"):
            known = ", ".join(suffix[1:] for suffix in filter(is_image_suffix, SUFFIXES + PROBED_SUFFIXES))
            raise OptionError(f"output_format={self.output_format}: must be one of {known}")
        if self.output_dir is None:
            return
        option = f"output_dir={self.output_dir}"
        if not (self.saving and self.output_dir):
            raise OptionError(f"{option}: nothing is saved; give a folder and saving=true")
        if self.strategy.instrument:
            raise OptionError(f"{option}: {self.strategy.name} measures the machine; leave output_dir out")
        if self.repetitions > 1:
            advice = "a command with output_dir makes its outputs once; give repetitions=1"
            raise OptionError(f"{option} repetitions={self.repetitions}: {advice}")


def parse_size(text: str) -> tuple[int, int]:
    """Return `2000x1000` as (2000, 1000). Raises OptionError."""
    if not (match := re.fullmatch(r"(\d{1,6})x(\d{1,6})", text)):
        raise OptionError(f"image_size={text}: must be WIDTHxHEIGHT in pixels, like 2000x1000")
    width, height = int(match[1]), int(match[2])
    if min(width, height) < SMALLEST_SIDE or max(width, height) > LARGEST_SIDE:
        raise OptionError(f"image_size={text}: a side must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels")
    return width, height


def weak_scaling_size(workers: int, base: str = "250x250") -> str:
    """Return the study's size for a worker count, like 250x250 at 1, 500x250 at 2 and 500x500 at 4.

    Width and height double in turn. Between powers of two the height grows, so that the pixels per worker
    stay the same.
    """
    width, height = parse_size(base)
    doublings = workers.bit_length() - 1
    wide = 2 ** ((doublings + 1) // 2)
    return f"{width * wide}x{round(height * workers / wide)}"


def augmentations(size: Any, n_images: Any, saving: bool, pipeline: str, megapixels: Any) -> int:
    """Return the number of augmentations with which a trial transforms the given megapixels.

    `megapixels` maps pipelines to `[saving, not saving]`; another pipeline gets the smallest number.
    """
    if not (size and n_images):
        raise OptionError("n_augmentations: needs one image_size and n_images here; give n_augmentations")
    width, height = parse_size(size)
    of_pipelines = {name: values[0 if saving else 1] for name, values in megapixels.items()}
    wanted = 1e6 * of_pipelines.get(pipeline, min(of_pipelines.values()))
    return max(1, round(float(wanted) / (width * height * int(n_images))))


def worker_counts(with_more: bool = False) -> str:
    """Return worker counts for a sweep, powers of two and all CPUs (`2,4,6`); `with_more` a quarter more."""
    cpus = usable_cpus()
    more = {cpus + max(1, cpus // 4)} if with_more and cpus > 1 else set()
    powers = (2**power for power in range(1, cpus.bit_length()))
    return ",".join(map(str, sorted({*powers, max(2, cpus), *more})))


def advised_strategies() -> str:
    """Return the strategies that `advise` searches: also PyTorch's, if that is installed."""
    return "dynamic,threads,p2" + (",dataloader" if find_spec("torch") else "")


def unless(given: Any, value: Any, otherwise: Any = None) -> Any:
    """Return `value`, or `otherwise` if another option is given, which replaces a protocol's."""
    return value if given is None else otherwise


def register() -> None:
    """Register the options with Hydra; files in conf/strategy and conf/dataset build on `base_<name>`."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for group, kinds in GROUPS.items():
        for name, kind in kinds.items():
            store.store(group=group, name=f"base_{name}", node=kind)


# Registered on import: a job on another node receives no resolvers, but imports this module when it unpickles
# the configuration.
for _resolver in (unless, weak_scaling_size, augmentations, usable_cpus, worker_counts, advised_strategies):
    OmegaConf.register_new_resolver(_resolver.__name__, _resolver, replace=True)
OmegaConf.register_new_resolver("expanduser", os.path.expanduser, replace=True)
