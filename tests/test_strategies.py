"""The contract of a strategy, over every one in STRATEGIES: the same work, byte for byte."""

from hashlib import sha256
from math import ceil, sqrt
from pathlib import Path

import pytest

from augment.filesystem import InputFiles
from augment.runtime import Runtime, StartMethod
from augment.strategies import ENGINES, STRATEGIES
from augment.strategies.engines.executors import Futures, batches
from augment.strategies.pool import PQ
from augment.task_log.layout import READING, Role
from augment.workload import Workload
from experiments.machine.conditions import listing_digest
from tests.helpers.small_jobs import INSTALLED, contents, run, small_job

SLOW_TO_START = ("ray", "dask")  # with fewer workers only by `make test-all`
CASES = [
    pytest.param(
        *(name, workers, saving),
        id=f"{name}-{workers}-{'saving' if saving else 'nosaving'}",
        marks=[*marks, *([pytest.mark.slow] if name in SLOW_TO_START and workers < 3 else [])],
    )
    for name, marks in INSTALLED
    for workers in (1, 2, 3)
    for saving in (True, False)
    if marks or STRATEGIES[name]().not_applicable(workers, saving) is None
]


GOLDEN = "a15eaed6543f2f82e8a8ef997b238722cfca28083ded500f43bb114cd8d1de0f"


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the outputs of sequential."""
    job = small_job(tmp_path_factory.mktemp("reference"), workers=1)
    assert run(STRATEGIES["sequential"](), job).error is None
    assert job.workload.output
    return contents(job.workload.output)


def test_outputs_of_sequential_are_complete_and_random(reference: dict[str, bytes]) -> None:
    assert len(reference) == 3 * 4
    assert "aug_noise_000002_000003.png" in reference
    assert len(set(reference.values())) > 10, "augmentations of one image differ"


def test_golden_digest_is_unchanged(tmp_path: Path) -> None:
    """Hold the bytes of all augmented images: seeds, the order of draws, decoding and encoding.

    The transforms compute the same on every processor, and the lock pins the libraries.
    """
    names = ("RandomRotate90", "HorizontalFlip", "RandomBrightnessContrast", "ChannelShuffle")
    exact = {"transforms": [{"_target_": f"albumentations.{name}"} for name in names]}
    assert run(STRATEGIES["sequential"](), small_job(tmp_path, 1, pipeline=exact)).error is None
    written = contents(tmp_path / "out").items()
    assert listing_digest((name, sha256(content).hexdigest()) for name, content in written) == GOLDEN


@pytest.mark.parametrize(("name", "workers", "saving"), CASES)
def test_strategy_writes_the_bytes_of_sequential_and_runs_each_task_once(
    name: str, workers: int, saving: bool, reference: dict[str, bytes], tmp_path: Path
) -> None:
    job = small_job(tmp_path, workers, saving)
    kind = STRATEGIES[name]
    outcome = run(kind(), job)
    assert outcome.error is None
    written = contents(tmp_path / "out")
    if kind.complete:
        assert written == (reference if saving else {})
    else:
        assert written.items() <= reference.items()
        assert bool(written) == saving

    working = [log for log in outcome.logs if log.header.role in (Role.WORKER, Role.SAVER)]
    assert (len(working) == workers) or (name == "ray" and 1 <= len(working) <= workers), (
        "workers counts every process that works, savers too"
    )
    transformed = [
        (int(entry["image_index"]), int(entry["augmentation_index"]))
        for log in working
        if log.header.role is Role.WORKER
        for entry in log.tasks[log.tasks["augmentation_index"] >= 0]
    ]
    if kind.complete:
        times = workers if kind.instrument else 1
        assert sorted(transformed) == sorted([*job.workload.tasks()] * times)
    else:
        assert set(transformed) <= set(job.workload.tasks())
    assert all(log.header.ended > 0 for log in outcome.logs), "each process ended of its own accord"
    assert all(log.header.opencv_threads == 1 for log in outcome.logs)
    for log in outcome.logs:
        stages = sum(log.tasks[stage] for stage in ("read", "transform", "send", "encode", "write"))
        assert stages == pytest.approx(log.tasks["end"] - log.tasks["start"])


@pytest.mark.parametrize(
    ("name", "workers", "reads"),
    [
        ("sequential", 1, {Role.MASTER: 0, Role.WORKER: 3}),
        ("p1", 2, {Role.MASTER: 3, Role.WORKER: 0}),
        ("p2", 2, {Role.MASTER: 0, Role.WORKER: 12}),
        ("pq", 2, {Role.MASTER: 3, Role.WORKER: 0}),
    ],
)
def test_images_are_read_by_the_right_process(
    name: str, workers: int, reads: dict[Role, int], tmp_path: Path
) -> None:
    outcome = run(STRATEGIES[name](), small_job(tmp_path, workers))
    for role, count in reads.items():
        logs = [log.tasks for log in outcome.logs if log.header.role is role]
        assert sum(int((tasks["read"] > 0).sum()) for tasks in logs) == count
        assert role is Role.WORKER or all(set(tasks["augmentation_index"]) <= {READING} for tasks in logs)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("name", ["p1", "pq", "dynamic", "futures", "copies"])
def test_outputs_are_equal_under_every_start_method(
    name: str, method: str, reference: dict[str, bytes], tmp_path: Path
) -> None:
    runtime = Runtime(start_method=StartMethod(method))
    outcome = run(STRATEGIES[name](), small_job(tmp_path, 2, runtime=runtime))
    assert outcome.error is None
    assert outcome.columns["start_method"] == method
    assert contents(tmp_path / "out") == reference


@pytest.mark.parametrize("workers", [2, 3, 4, 5, 9, 10, 16, 17, 32, 64])
def test_default_savers_follow_the_formula_of_the_study(workers: int) -> None:
    assert PQ().savers_of(workers) == max(1, ceil(sqrt(workers)) - 1)
    assert PQ(savers=3).savers_of(workers) == 3


def test_copies_begin_at_distant_tasks_and_rotate(tmp_path: Path) -> None:
    """Run twelve tasks of three images on two workers; the second begins in mid-image."""
    outcome = run(STRATEGIES["copies"](), small_job(tmp_path, 2))
    first, second = sorted(
        (log.tasks for log in outcome.logs if log.header.role is Role.WORKER),
        key=lambda tasks: int(tasks["image_index"][0]),
    )
    key = ["image_index", "augmentation_index"]
    assert list(first[key]) == [*first[key][:6], *second[key][:6]]
    assert list(second[key]) == [*first[key][6:], *first[key][:6]]
    assert [int((tasks["read"] > 0).sum()) for tasks in (first, second)] == [3, 4]


def test_engine_that_is_not_installed_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("augment.strategies.engines.executors.find_spec", lambda name: None)
    reasons = {kind.name: kind().not_applicable(2, saving=True) for kind in ENGINES if kind is not Futures}
    assert reasons["loky"] == "loky needs loky, which is not installed: pip install loky"
    assert all("pip install" in str(reason) for reason in reasons.values())


@pytest.mark.parametrize(
    ("n_images", "n_augmentations", "workers", "parts"),
    [
        (100, 10, 4, [10]),
        (10, 8, 2, [8]),
        (4, 8, 2, [4, 4]),
        (1, 10, 2, [1, 1, 1, 2, 1, 1, 1, 2]),
        (1, 3, 8, [1, 1, 1]),
    ],
)
def test_batches_hold_every_task_once_an_image_each(
    n_images: int, n_augmentations: int, workers: int, parts: list[int]
) -> None:
    workload = Workload(InputFiles(Path(), ["image.png"] * n_images), n_augmentations, {}, 0, None)
    made = list(batches(workload, workers))
    assert [(image, k) for image, augmentations in made for k in augmentations] == [*workload.tasks()]
    assert sorted(len(augmentations) for image, augmentations in made if image == 0) == sorted(parts)


def test_inapplicable_strategy_names_the_option() -> None:
    assert "saving=false" in str(PQ().not_applicable(4, saving=False))
    assert "workers=1" in str(PQ().not_applicable(1, saving=True))
    assert "workers=3" in str(PQ(savers=3).not_applicable(3, saving=True))
    assert "workers=1" in str(STRATEGIES["interference"]().not_applicable(1, saving=True))
    assert "workers=2" in str(STRATEGIES["sequential"]().not_applicable(2, saving=True))
