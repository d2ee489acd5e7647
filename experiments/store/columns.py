"""The columns of the parquet files: names, types, units, and which of them determine a measurement."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_type_hints

OK, FAILED, NOT_APPLICABLE = "ok", "failed", "not_applicable"  # of a trial
UNTOUCHED = "none"  # the ablation that changes no policy
ADHOC = "adhoc"  # the experiment of a plain command
RECORDED_TASKS = 100_000  # of a trial that keeps its outputs: the tables of more would take gigabytes
WORK = "work"  # determines it; `compare` pairs cells with equal work
ENVIRONMENT = "environment"  # determines how long it takes: the machine and the code
NODE = "node"  # which of several equal machines: a cell counts the trials of all, a mean those of one


class JsonObject(str):
    """The text of a JSON object, whose names are compared one by one; one that is missing is unknown."""


@dataclass(frozen=True)
class Column:
    """A column, compared among rows with equal `within`; strategy_options, for example, in one strategy."""

    name: str
    kind: type
    nullable: bool
    doc: str
    determines: str | None = None  # WORK, ENVIRONMENT or NODE, if it can change the measured times
    within: tuple[str, ...] = ()


def column(doc: str, determines: str | None = None, within: tuple[str, ...] = ()) -> Any:
    """Declare a column in the body of a table; its annotation is its type."""
    return doc, determines, within


def _columns(table: type) -> tuple[Column, ...]:
    hints = {name: get_args(hint) or (hint,) for name, hint in get_type_hints(table).items()}
    return tuple(Column(name, each[0], NoneType in each, *vars(table)[name]) for name, each in hints.items())


class Trial:
    """One timed execution of a strategy on a workload, in a fresh process."""

    trial_id: str = column("id of this trial, which its tasks carry")
    experiment: str = column("named sweep of this trial; `adhoc` for a plain command")
    command: str | None = column("command that measures this cell again")
    sweep: str = column("id of the sweep that measured it, one for each command run")
    round: int = column("0, 1, … in the sweep; each round measures every cell once, the baseline twice")
    cell: str = column("hash of all columns marked * below but `node`, the same for all trials of a cell")
    earlier_ok: int = column("number of ok trials of the cell before this one")
    started_at: datetime = column("begin of the trial, UTC")
    status: str = column("`ok`, `failed` or `not_applicable`")
    error: str | None = column("reason why the trial failed or does not apply; null if ok")
    warnings: str | None = column("findings that may have spoilt the measurement, one on each line")

    strategy: str = column("name of the strategy, which carries the workload out", WORK)
    strategy_options: str = column("options of the strategy, as JSON", WORK, within=("strategy", "ablation"))
    runtime: str = column("requested runtime policy, as JSON", WORK, within=("ablation",))
    runtime_name: str | None = column("name of the runtime policy, a file in conf/runtime")
    ablation: str = column("the one changed policy in an experiment of ablations", WORK)
    pipeline: str = column("name of the random transform, a file in conf/pipeline")
    pipeline_digest: str = column("SHA-256 of the pipeline's declaration and the user's classes in it", WORK)
    files: int = column("number of input files, bad ones too", WORK)
    inputs_digest: str = column(
        "SHA-256 of names, sizes and both ends of the input files", WORK, within=("width", "height")
    )
    output_file_system: str | None = column(
        "type and mount point of the outputs' file system; null if not saving",
        WORK,
        within=("saving", "ablation"),
    )

    workers: int = column("number of working processes, P_Q's savers among them", WORK)
    saving: bool = column("whether the augmented images are encoded and written", WORK)
    n_augmentations: int | None = column("augmentations of each image; null with outputs_total", WORK)
    outputs_total: int | None = column("number of all augmentations, spread evenly over the images", WORK)
    output_format: str | None = column("file format of the outputs; null: as the inputs", WORK)
    output_quality: int | None = column("quality of JPEG, WebP and AVIF outputs; null: 95, WebP 90", WORK)
    seed: int = column("seed of every random transform and synthetic image", WORK)
    trace: bool = column("whether every task was recorded, stage by stage", WORK)
    max_image_pixels: int = column("pixels above which an image counts as a decompression bomb", WORK)

    protocol: str = column("`paper`, `quick` or `smoke`: size of the workload and number of repetitions")
    repetitions: int = column("requested number of trials of this cell")
    order_seed: int = column("seed of the order of the cells in each round")
    savers: int | None = column("number of workers that only save (P_Q); null if none does")
    dataset: str = column("name of the dataset, a file in conf/dataset")
    dataset_options: str = column("options of the dataset, as JSON")
    width: int | None = column("image width in pixels; null if the images differ in size")
    height: int | None = column("image height in pixels; null if the images differ in size")
    inputs: str | None = column("folder of the input images")
    n_images: int | None = column("number of augmented images")
    tasks: int | None = column("number of augmentations of those images")
    skipped_images: str | None = column("reasons why files were left out, by name, as JSON")
    skipped_tasks: int | None = column("number of augmentations of the files that were left out")
    output_dir: str | None = column("folder of the kept outputs; null if they are removed")
    scratch_dir: str | None = column("folder of outputs that are not kept; null: the system's")

    wall_s: float | None = column("seconds from the call of the strategy until each of its processes ended")
    last_output_s: float | None = column("seconds from that call to the last output; null if none is logged")
    untimed_s: float | None = column("seconds of the trial outside its timed region, but for writing its row")
    cpu_user_s: float | None = column("user CPU seconds of all processes; master's in the timed region")
    cpu_system_s: float | None = column("system CPU seconds, likewise")
    peak_rss_bytes: int | None = column("sum of the processes' peak memory; shared pages count in each")
    processes: int | None = column("number of the trial's processes: master, workers, queue manager")
    master_read_s: float | None = column("seconds in which the master read images to send them")
    master_threads_cpu_s: float | None = column("CPU seconds of the master's other threads, such as Pool's")
    steal_s: float | None = column("seconds for which a hypervisor gave the trial's CPUs to others")
    iowait_s: float | None = column("seconds in which these CPUs idled while a process waited for a disk")
    others_cpu_s: float | None = column("CPU seconds of other programs on these CPUs, in ticks of 10 ms")
    outputs: int | None = column("number of files written, copies not counted; 0 if not saving")
    resumed_outputs: int | None = column("number of them that an earlier command made; null if not kept")
    output_bytes: int | None = column("bytes of those files")
    hashed_outputs: int | None = column("number of files in the next two columns: 200 if kept, or all")
    distinct_outputs: int | None = column("number of different contents among those files")
    outputs_digest: str | None = column("SHA-256 of names and contents; null if not all are written")
    opencv_threads: int | None = column("actual number of OpenCV threads in a worker (the largest)")
    start_method: str | None = column("actual start method of multiprocessing")

    machine: str = column("fingerprint of the computer", ENVIRONMENT)
    node: str | None = column(
        "node of a Slurm cluster, else null; a table may show several nodes, a point of it one", NODE
    )
    usable_cpus: int = column("CPUs that affinity and cgroup quota leave to this process", ENVIRONMENT)
    environment: str = column("experimental environment as JSON, the study's table for this machine")
    git_commit: str | None = column("commit of the suite, `+dirty` if files are changed")
    code_digest: str = column("SHA-256 of the suite's files that augment and measure", ENVIRONMENT)
    packages: JsonObject = column("versions of the packages that a trial loads, as JSON", ENVIRONMENT)
    user_modules: JsonObject = column(
        "SHA-256 of the user's own modules that a trial loads, as JSON", ENVIRONMENT
    )
    python_version: str = column("implementation and version of Python", ENVIRONMENT)
    gil: bool = column("whether Python runs with its global interpreter lock", ENVIRONMENT)
    variables: str = column("environment variables that change how long libraries take, as JSON", ENVIRONMENT)
    cpu_topology: str = column("packages, cores and threads of the usable CPUs", ENVIRONMENT)
    cpu_quota: float = column("CPUs that cgroups allow, exactly; inf: no limit", ENVIRONMENT)
    governor: str = column("governors of the clocks of these CPUs", ENVIRONMENT)
    kernel: str = column("name and release of the kernel", ENVIRONMENT)
    huge_pages: str = column("mode of transparent huge pages", ENVIRONMENT)
    input_file_system: str = column("type and mount point of the inputs' file system", ENVIRONMENT)
    scratch_file_system: str = column("type and mount point of the scratch file system", ENVIRONMENT)


class Task:
    """One augmentation of one image, in seconds of wall clock; a stage that it does not have is 0."""

    trial_id: str = column("as in trials")
    image_index: int = column("number of the image, from 0")
    augmentation_index: int = column("number of the augmentation of that image, from 0")
    process: int = column("number of the process that transformed it: 0, 1, … in the order they began")
    node: str | None = column("node of a cluster on which it ran; null for the machine of the trial")
    saving_process: int | None = column("number of the process that saved it; null if not saving")
    start_s: float = column("begin of the task in seconds after the begin of the timed region")
    read_s: float = column("file to RGB array; 0 if the master or an earlier task has read the image")
    transform_s: float = column("building and applying the random transform")
    send_s: float = column("putting the pixels into the saver's queue (P_Q)")
    save_start_s: float | None = column("begin of saving by a separate saver (P_Q), counted like start_s")
    encode_s: float = column("RGB array to bytes of a file")
    write_s: float = column("bytes to a complete file under its name")
    file_wait_s: float | None = column("part of read_s and write_s without a CPU")
    end_s: float = column("end of the task, counted like start_s")
    cpu_user_s: float = column("user CPU seconds, saver included; short tasks share what several took")
    cpu_system_s: float = column("system CPU seconds, likewise")
    minor_faults: int = column("number of page faults without a disk access, saver included")
    run_queue_wait_s: float = column("seconds runnable without a CPU (schedstat), saver included")


class Transform:
    """One call of a transform in a task whose transforms were timed: one in 16 of tasks under 5 ms."""

    trial_id: str = column("as in trials")
    image_index: int = column("as in tasks")
    augmentation_index: int = column("as in tasks")
    transform: str = column("name of the transform's class; groups such as OneOf have no row")
    seconds: float = column("seconds of the call, which also draws its parameters")
    weight: float = column("number of tasks that this timed one represents")


class Turn:
    """The tasks of one turn of an interference trial, all together."""

    trial_id: str = column("as in trials")
    round: int = column("0, 1, … in the trial; the turns of a round do the same tasks")
    neighbour: str = column("activity of all neighbours: idle, copies, or a load of one resource")
    wall_s: float = column("seconds in all stages")
    cpu_user_s: float = column("user CPU seconds")
    cpu_system_s: float = column("system CPU seconds")


class Candidate:
    """A candidate of a search by `experiment=advise`, and the whole work of which its trials are a sample."""

    sweep: str = column("id of the search; its batches are sweeps with ids of their own")
    started_at: datetime = column("begin of the search, UTC")
    experiment: str = column("as in trials")
    strategy: str = column("as in trials")
    workers: int = column("as in trials")
    runtime_name: str = column("as in trials")
    command: str = column("command that carries the whole work out with this candidate")
    files: int = column("number of images of the whole work")
    tasks: int = column("images × augmentations of the whole work")
    budget_s: float = column("planned seconds of the search, advise.budget_s")
    startup_s: float | None = column("seconds from the start of the command to its first trial")
    images_per_s: float | None = column("rate that is to be reached with the fewest workers")
    memory_gb: float | None = column("memory that a candidate may take at most, in 10^9 bytes")
    left_out: str | None = column("reason why no trial of it was planned; null if some were")


TRIALS = _columns(Trial)
# Of a trial, by folder below the results.
DETAIL_TABLES = {"tasks": _columns(Task), "transforms": _columns(Transform), "turns": _columns(Turn)}
TABLES = {"trials": TRIALS, **DETAIL_TABLES, "candidates": _columns(Candidate)}
DETERMINING = tuple(column for column in TRIALS if column.determines)
OF_WORK = [column.name for column in DETERMINING if column.determines == WORK]

OF_OUTPUTS = (  # columns that decide what the outputs are
    *("files", "inputs_digest", "pipeline_digest", "seed", "n_augmentations", "outputs_total"),
    *("output_format", "output_quality", "user_modules"),
)


def identity(row: Mapping[str, Any]) -> str:
    """Return the id of a trial's cell: 16 hexadecimal digits of SHA-256 of determining columns but NODE."""
    return digest_of({each.name: row[each.name] for each in DETERMINING if each.determines != NODE})[:16]


def facts(column: Column, value: Any) -> dict[str, Any]:
    """Return a determining value by its column's name; a JSON object as one fact for each name in it."""
    if column.kind is not JsonObject:
        return {column.name: value}
    singular = column.name.removesuffix("s").rpartition("_")[2]
    return {f"{singular} {name}": each for name, each in json.loads(value or "{}").items()}


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()
