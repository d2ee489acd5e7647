"""The columns of the parquet files: names, types, units, and which of them determine a measurement.

The parquet schemas, their documentation, the identity of a cell, the choice of trials for a table and the
pairs of `compare` all derive from these declarations.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

if TYPE_CHECKING:
    import pyarrow as pa

OK, FAILED, NOT_APPLICABLE = "ok", "failed", "not_applicable"  # of a trial
UNTOUCHED = "none"  # the ablation that changes no policy
ADHOC = "adhoc"  # the experiment of a plain command


class Determines(Enum):
    """The subjects of columns that can change the measured times."""

    WORK = auto()  # the work and how it is carried out: `compare` pairs what is equal in it
    ENVIRONMENT = auto()  # the machine and the code


@dataclass(frozen=True)
class Column:
    """A column. Its values are compared only among rows that are equal in the columns `within`.

    The options of a strategy, for example, are compared within one strategy.
    """

    name: str
    kind: type
    nullable: bool
    doc: str
    determines: Determines | None = None
    within: tuple[str, ...] = ()


def column(doc: str, determines: Determines | None = None, within: tuple[str, ...] = ()) -> Any:
    """Declare a column in the body of a table; its annotation is its type."""
    return doc, determines, within


def _columns(table: type) -> tuple[Column, ...]:
    return tuple(_column(name, hint, *vars(table)[name]) for name, hint in get_type_hints(table).items())


def _column(name: str, hint: Any, *declared: Any) -> Column:
    kinds = get_args(hint) or (hint,)
    return Column(name, kinds[0], NoneType in kinds, *declared)


WORK, ENVIRONMENT = Determines.WORK, Determines.ENVIRONMENT


class Trial:
    """One timed execution of a strategy on a workload, in a fresh process."""

    trial_id: str = column("names this trial; its tasks carry it")
    experiment: str = column("the named sweep this trial belongs to; `adhoc` for a plain command")
    command: str | None = column("measures this cell again; null before version 2.0")
    sweep: str = column("which command run measured it")
    round: int = column("0, 1, … within the sweep: each round measures every cell once, the baseline twice")
    cell: str = column("hash of all columns marked * below; the trials of one cell share it")
    earlier_ok: int = column("how many ok trials the cell had when this one began")
    started_at: datetime = column("when the trial began, UTC")
    status: str = column("`ok`, `failed` or `not_applicable`")
    error: str | None = column("why the trial failed or does not apply; null when ok")
    warnings: str | None = column("what may have spoilt the measurement, one finding a line")

    strategy: str = column("how the processes carry the workload out", WORK)
    strategy_options: str = column("the strategy's own options, as JSON", WORK, within=("strategy",))
    runtime: str = column("the runtime policy asked for, as JSON", WORK)
    runtime_name: str | None = column("name of the runtime policy, a file in conf/runtime")
    ablation: str = column("the one policy changed, in an experiment of ablations", WORK)
    pipeline: str = column("name of the random transform, a file in conf/pipeline")
    pipeline_digest: str = column(
        "SHA-256 of the pipeline's declaration and of the source of the user's own classes in it", WORK
    )
    files: int | None = column("input files, before any is left out; null where they cannot be had", WORK)
    inputs_digest: str | None = column(
        "SHA-256 over names, sizes and contents of the input files", WORK, within=("width", "height")
    )
    output_file_system: str | None = column(
        "type and mount point of the file system that outputs go to; null when not saving",
        WORK,
        within=("saving",),
    )

    workers: int = column("processes that work; P_Q's saving ones are among them", WORK)
    saving: bool = column("whether the augmented images are encoded and written", WORK)
    n_augmentations: int = column("augmentations of each image", WORK)
    seed: int = column("seed of every random transform and synthetic image", WORK)
    trace: bool = column("whether every task was recorded, stage by stage", WORK)
    profile: bool = column("whether the master and one worker ran under cProfile", WORK)
    max_image_pixels: int = column("pixels beyond which an image counts as a decompression bomb", WORK)

    protocol: str = column(
        "`paper`, `quick` or `smoke`: how big the workload is and how often it is repeated"
    )
    repetitions: int = column("trials asked for of this cell")
    order_seed: int = column("what the order of the cells in each round was drawn from")
    savers: int | None = column("how many of the workers only save (P_Q); null where none does")
    dataset: str = column("where the images come from, a file in conf/dataset")
    dataset_options: str = column("the dataset's own options, as JSON")
    width: int | None = column("image width in pixels; null where the images differ in size")
    height: int | None = column("image height in pixels; null where the images differ in size")
    inputs: str | None = column("folder of the input images")
    n_images: int | None = column("images augmented")
    tasks: int | None = column("n_images × n_augmentations")
    sampled_images: str | None = column(
        "names of the images with their pixels (in an address bytes), as JSON, where they are a sample"
    )
    skipped_images: str | None = column("files left out as no usable images, with the reason, as JSON")
    output_dir: str | None = column("folder that keeps the outputs; null where they are removed")
    scratch_dir: str | None = column("folder for outputs that are not kept; null: the system's")

    wall_s: float | None = column("seconds from the call of the strategy to the last complete output")
    untimed_s: float | None = column("seconds of the trial outside its timed region, without writing its row")
    cpu_user_s: float | None = column("user CPU seconds of all processes; master's in the timed region")
    cpu_system_s: float | None = column("system CPU seconds, likewise")
    peak_rss_bytes: int | None = column(
        "sum over the trial's processes of the peak resident memory of each "
        "(an upper bound: peaks need not coincide, shared pages count once per process)"
    )
    processes: int | None = column("processes of the trial that reported: master, workers, queue manager")
    master_read_s: float | None = column("seconds the master spent reading images before sending them")
    master_threads_cpu_s: float | None = column(
        "CPU seconds of the master's other threads: Pool's, of which one feeds the workers"
    )
    master_sent_bytes: int | None = column("bytes the master wrote to pipes and sockets")
    kernel_before_s: float | None = column("seconds of a short fixed kernel just before the trial")
    kernel_after_s: float | None = column("seconds of the same kernel just after it")
    steal_s: float | None = column(
        "seconds in the timed region in which the hypervisor gave the CPUs that the trial may use to others "
        "(/proc/stat, as the next two: in ticks of 10 ms; null where it does not show these CPUs)"
    )
    iowait_s: float | None = column("seconds in which such a CPU idled while something waited for a disk")
    others_cpu_s: float | None = column(
        "CPU seconds that others had on these CPUs: what was used of them less cpu_user_s and cpu_system_s"
    )
    outputs: int | None = column("files written, copies not counted; 0 when not saving")
    distinct_outputs: int | None = column("different contents among those files")
    output_bytes: int | None = column("bytes in those files")
    outputs_digest: str | None = column(
        "SHA-256 over the sorted lines `{file name} {SHA-256 of its bytes}\\n`; null when not all are written"
    )
    opencv_threads: int | None = column("OpenCV threads really in force in the workers (the largest)")
    start_method: str | None = column("multiprocessing start method really in force")
    worker_threads: int | None = column("OS threads in a worker before its first task (the largest)")

    machine: str = column("fingerprint of the computer: what differs here is never averaged", ENVIRONMENT)
    node: str | None = column(
        "node of a Slurm cluster, null elsewhere: a table may have points of several nodes, a point of one",
        ENVIRONMENT,
        within=("saving", "strategy", "workers", "width", "height"),
    )
    usable_cpus: int = column("CPUs that affinity and cgroup quota leave to this process", ENVIRONMENT)
    oversubscribed: bool = column("whether `workers` exceeds `usable_cpus`")
    environment: str = column("the experimental environment as JSON, the study's table for this machine")
    code_digest: str = column("SHA-256 over the source files of augment/", ENVIRONMENT)
    git_commit: str | None = column("commit of the suite, `+dirty` with uncommitted changes")
    python_version: str = column("version of Python", ENVIRONMENT)
    numpy_version: str = column("version of NumPy", ENVIRONMENT)
    opencv_version: str = column("version of OpenCV", ENVIRONMENT)
    albumentations_version: str = column("version of albumentations", ENVIRONMENT)


class Task:
    """One augmentation of one image, stage by stage. Times are seconds of wall clock; a stage that the
    strategy does not have in a task is 0."""

    trial_id: str = column("as in trials")
    image_index: int = column("which image of the dataset")
    augmentation_index: int = column("which augmentation of that image")
    process: int = column("number of the process that transformed it: 0, 1, … in the order they began")
    node: str | None = column("the node of a cluster that it ran on; null on the machine of the trial itself")
    saving_process: int | None = column("number of the process that saved it; null if not saving")
    start_s: float = column("begin of the task, seconds after the begin of the timed region")
    read_s: float = column(
        "file to RGB array; 0 where the master has read the image (P_1, P_Q), or an earlier task (sequential)"
    )
    transform_s: float = column("building the random transform and applying it")
    send_s: float = column("handing the pixels over to the saver's queue (P_Q)")
    save_start_s: float | None = column(
        "begin of saving by a saver of its own (P_Q), seconds after that begin"
    )
    encode_s: float = column("RGB array to file bytes")
    write_s: float = column("file bytes to a complete file under its name")
    file_wait_s: float | None = column(
        "of read_s and write_s: seconds without a CPU, savers' part included; null before version 1.1"
    )
    end_s: float = column("end of the task, seconds after the begin of the timed region")
    cpu_user_s: float = column(
        "user CPU seconds in the task, saver's part included; tasks that follow each other within 5 ms share "
        "this and the next three by their seconds"
    )
    cpu_system_s: float = column("system CPU seconds in the task, saver's part included")
    minor_faults: int = column("page faults served without a disk, saver's part included")
    run_queue_wait_s: float = column("seconds runnable without a CPU (schedstat), saver's part included")
    rss_bytes: int | None = column(
        "memory that its worker held when the counters were read after it; null before version 2.0"
    )
    saver_cpu_user_s: float | None = column("of cpu_user_s, the part of a saver of its own (P_Q)")
    saver_cpu_system_s: float | None = column("of cpu_system_s, the part of such a saver")
    saver_minor_faults: int | None = column("of minor_faults, the part of such a saver")
    saver_run_queue_wait_s: float | None = column("of run_queue_wait_s, the part of such a saver")


class Transform:
    """One call of a transform of a task whose transforms were timed: of tasks under 5 ms one in 16 is."""

    trial_id: str = column("as in trials")
    image_index: int = column("as in tasks")
    augmentation_index: int = column("as in tasks")
    transform: str = column("name of the transform's class (groups such as OneOf are none)")
    seconds: float = column("applying it, its parameters drawn included")
    weight: float = column("how many tasks this timed one stands for")


class Turn:
    """The tasks that one turn of an interference trial does while its neighbours do something: all of them,
    and in a row of its own each transform that was timed in them."""

    trial_id: str = column("as in trials")
    round: int = column("0, 1, … within the trial; the turns of a round do the same tasks")
    neighbour: str = column("what all neighbours do: idle (twice a round), copies, or a load of one resource")
    transform: str | None = column("name of the transform's class; null: all tasks of the turn together")
    wall_s: float = column(
        "seconds in all stages of the tasks; of a transform, seconds × weight (see transforms) of its calls"
    )
    cpu_user_s: float | None = column("user CPU seconds of the tasks; null for a transform")
    cpu_system_s: float | None = column("system CPU seconds of the tasks; null for a transform")


class Plan:
    """What a sweep set out to measure: a row for each of its cells, written before its first trial."""

    sweep: str = column("as in trials")
    experiment: str = column("as in trials")
    started_at: datetime = column("when the sweep began, UTC")
    cell: str = column("as in trials")
    label: str = column("what people call the cell: strategy, options, workers, image size, saving, ablation")
    pipeline: str = column("as in trials")
    runtime_name: str = column("as in trials")
    command: str = column("as in trials")
    trials: int = column("ok trials that the cell was to have after the sweep")


class Candidate:
    """What `experiment=advise` was to find the best of: a row for each candidate, and for the whole of what
    was asked for, which the trials are a sample of."""

    sweep: str = column("names the search; its batches are sweeps of their own")
    started_at: datetime = column("when the search began, UTC")
    experiment: str = column("as in trials")
    strategy: str = column("as in trials")
    workers: int = column("as in trials")
    runtime_name: str = column("as in trials")
    command: str = column("carries the whole out with this candidate")
    files: int = column("images of the whole")
    pixels: int = column("of all these images (in an address bytes)")
    tasks: int = column("images × augmentations of the whole")
    budget_s: float = column("advise.budget_s: seconds that the search was to take")
    left_out: str | None = column("why no trial of it was asked for; null where some were")


TRIALS = _columns(Trial)
DETAIL_TABLES: dict[str, tuple[Column, ...]] = {  # of a trial: folder below the results, its columns
    "tasks": _columns(Task),
    "transforms": _columns(Transform),
    "turns": _columns(Turn),
}
TABLES = {
    "trials": TRIALS,
    **DETAIL_TABLES,
    "plans": _columns(Plan),
    "candidates": _columns(Candidate),
}
DETERMINING = tuple(each for each in TRIALS if each.determines)


@cache
def schema(table: str) -> pa.Schema:
    """The parquet schema of one of TABLES."""
    import pyarrow as pa

    arrow = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
        datetime: pa.timestamp("us", "UTC"),
    }
    return pa.schema(
        [pa.field(each.name, arrow[each.kind], nullable=each.nullable) for each in TABLES[table]]
    )


def identity(row: Mapping[str, Any]) -> str:
    """The cell of a trial, from the columns that determine it: 16 hexadecimal digits of SHA-256."""
    determinants = {each.name: row[each.name] for each in DETERMINING}
    return digest_of(determinants)[:16]


def digest_of(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()
