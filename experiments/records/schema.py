"""The frozen records of what was measured: names, units, types. The parquet schema,
`results/README.md` and every reader derive from these classes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

OK, FAILED, NOT_APPLICABLE = "ok", "failed", "not_applicable"


def column(doc: str, **default: Any) -> Any:
    """A field of a record with the sentence that documents it."""
    return field(metadata={"doc": doc}, **default)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One timed execution of a strategy on a workload, in a fresh process."""

    experiment: str = column("the named sweep this trial belongs to; `adhoc` for a plain command")
    cell: str = column("hash of everything that determines the measurement; the trials of one cell share it")
    repetition: int = column("0, 1, … within the cell")
    started_at: datetime = column("when the trial began, UTC")
    status: str = column("`ok`, `failed` or `not_applicable`")
    error: str | None = column("why the trial failed or does not apply; null when ok", default=None)
    warnings: str | None = column("what may have spoilt the measurement, one finding a line", default=None)

    strategy: str = column("how the processes carry the workload out")
    strategy_options: str = column("the strategy's own options, as JSON")
    workers: int = column("processes that work: for P_Q transforming and saving ones together")
    savers: int | None = column("how many of the workers only save (P_Q); null where none does", default=None)
    dataset: str = column("where the images come from")
    dataset_options: str = column("the dataset's own options, as JSON")
    pipeline: str = column("name of the random transform, a file in conf/pipeline")
    pipeline_digest: str = column("SHA-256 of the pipeline's declaration as JSON")
    width: int | None = column("image width in pixels; null where the images differ in size", default=None)
    height: int | None = column("image height in pixels; null where the images differ in size", default=None)
    inputs: str | None = column("folder of the input images", default=None)
    output_dir: str | None = column(
        "folder that keeps the outputs; null where they are removed", default=None
    )
    skipped_images: str | None = column(
        "files left out as no usable images, with the reason, as JSON", default=None
    )
    n_images: int | None = column("images augmented", default=None)
    n_augmentations: int = column("augmentations made of each image")
    tasks: int | None = column("n_images × n_augmentations", default=None)
    seed: int = column("what every random transform is drawn from, with the task's two indices")
    saving: bool = column("whether outputs are encoded and written")
    protocol: str = column(
        "`paper`, `quick` or `smoke`: how big the workload is and how often it is repeated"
    )
    repetitions: int = column("trials asked for in this cell")
    trace: bool = column("whether tasks were recorded")
    profile: bool = column("whether cProfile was on, which distorts the times")
    runtime: str = column("the runtime policy asked for, as JSON")
    ablation: str | None = column("the one policy changed, in an experiment that ablation them", default=None)
    scratch_dir: str | None = column("folder for outputs that are not kept; null: the system's", default=None)

    wall_s: float | None = column(
        "seconds from the call of the strategy to the last complete output", default=None
    )
    cpu_user_s: float | None = column("user CPU seconds of all processes in the timed region", default=None)
    cpu_system_s: float | None = column(
        "system CPU seconds of all processes in the timed region", default=None
    )
    peak_rss_bytes: int | None = column(
        "sum over the trial's processes of the peak resident memory of each "
        "(an upper bound: peaks need not coincide, shared pages count once per process)",
        default=None,
    )
    processes: int | None = column(
        "processes of the trial that reported: master, workers, queue manager", default=None
    )
    master_read_s: float | None = column(
        "seconds the master spent reading images before sending them", default=None
    )
    master_threads_cpu_s: float | None = column(
        "CPU seconds of the master's other threads: Pool's, of which one feeds the workers", default=None
    )
    master_sent_bytes: int | None = column("bytes the master wrote to pipes and sockets", default=None)
    kernel_before_s: float | None = column(
        "seconds of a short fixed kernel just before the trial", default=None
    )
    kernel_after_s: float | None = column("seconds of the same kernel just after it", default=None)
    outputs: int | None = column("files written; 0 when not saving", default=None)
    output_bytes: int | None = column("bytes in those files", default=None)
    outputs_digest: str | None = column(
        "SHA-256 over the sorted lines `{file name} {SHA-256 of its bytes}\\n`; null when not saving",
        default=None,
    )
    opencv_threads: int | None = column(
        "OpenCV threads really in force in the workers (the largest)", default=None
    )
    start_method: str | None = column("multiprocessing start method really in force", default=None)
    worker_threads: int | None = column(
        "OS threads in a worker before its first task (the largest)", default=None
    )

    machine: str = column("fingerprint of the computer: what differs here is never averaged")
    usable_cpus: int = column("CPUs that affinity and cgroup quota leave to this process")
    oversubscribed: bool = column("whether `workers` exceeds `usable_cpus`")
    environment: str = column("the experimental environment as JSON, the study's table for this machine")
    code_digest: str = column("SHA-256 over the source files of augment/")
    git_commit: str | None = column("commit of the suite, `+dirty` with uncommitted changes", default=None)
    python_version: str = column("version of Python")
    numpy_version: str = column("version of NumPy")
    opencv_version: str = column("version of OpenCV")
    albumentations_version: str = column("version of albumentations")


@dataclass(frozen=True, kw_only=True)
class OfTrial:
    """What joins a record to its trial."""

    experiment: str = column("as in trials")
    cell: str = column("as in trials")
    repetition: int = column("as in trials")


@dataclass(frozen=True, kw_only=True)
class Task(OfTrial):
    """One augmentation of one image, stage by stage. Times are seconds of wall clock;
    a stage that the strategy does not have in a task is 0."""

    image_index: int = column("which image of the dataset")
    augmentation_index: int = column("which augmentation of that image")
    worker: int = column("which process transformed it: 0, 1, … in the order they began")
    saver: int | None = column("which process saved it; null when not saving", default=None)
    start_s: float = column("begin of the task, seconds after the begin of the timed region")
    read_s: float = column(
        "file to RGB array; 0 where the master has read the image (P_1, P_Q), or an earlier task (sequential)"
    )
    transform_s: float = column("building the random transform and applying it")
    transforms_s: str | None = column(
        "of transform_s, the seconds of each transform applied (groups such as OneOf are none), parameters "
        "drawn included, as JSON `{name: seconds}`; one applied several times has the sum; null where they "
        "were not timed: of tasks under 5 ms every sixteenth augmentation is",
        default=None,
    )
    send_s: float = column("handing the pixels over to the saver's queue (P_Q)")
    save_start_s: float | None = column(
        "begin of saving, seconds after the begin of the timed region", default=None
    )
    encode_s: float = column("RGB array to file bytes")
    write_s: float = column("file bytes to a complete file under its name")
    end_s: float = column("end of the task, seconds after the begin of the timed region")
    cpu_user_s: float = column(
        "user CPU seconds in the task, saver's part included; tasks that follow each other within 5 ms share "
        "this and the next three by their seconds"
    )
    cpu_system_s: float = column("system CPU seconds in the task, saver's part included")
    minor_faults: int = column("page faults served without a disk, saver's part included")
    run_queue_wait_s: float = column("seconds runnable without a CPU (schedstat), saver's part included")
    saver_cpu_user_s: float | None = column(
        "of cpu_user_s, the part of a saver of its own (P_Q)", default=None
    )
    saver_cpu_system_s: float | None = column("of cpu_system_s, the part of such a saver", default=None)
    saver_minor_faults: int | None = column("of minor_faults, the part of such a saver", default=None)
    saver_run_queue_wait_s: float | None = column(
        "of run_queue_wait_s, the part of such a saver", default=None
    )


@dataclass(frozen=True, kw_only=True)
class Probe(OfTrial):
    """One run of a probe of the machine by one process, between the tasks of a trial (`turns`)."""

    probe: str = column("which probe: a name in `augment/probes.py`")
    worker: int = column("which process ran it: 0, 1, … as in tasks")
    start_s: float = column("begin, seconds after the begin of the timed region")
    end_s: float = column("end, seconds after the begin of the timed region")
    cpu_user_s: float = column("user CPU seconds in it")
    cpu_system_s: float = column("system CPU seconds in it")
    minor_faults: int = column("page faults served without a disk")


Record = Trial | Task | Probe
