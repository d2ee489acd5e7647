"""Claims: every task is taken once, whoever asks when, and nobody leaves while there is something to join."""

from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from augment.filesystem import InputFiles
from augment.strategies.dynamic import Claims, word_count
from augment.workload import Workload


def work(n_images: int, n_augmentations: int, **options: Any) -> Workload:
    inputs = InputFiles(Path(), ["image.png"] * n_images)
    return Workload(inputs, n_augmentations, {}, 0, None, **options)


def claims(workload: Workload, workers: int) -> Claims:
    return Claims(workload, workers, [0] * word_count(workers), nullcontext())


@given(some.integers(1, 6), some.integers(1, 25), some.integers(1, 5), some.booleans(), some.randoms())
def test_every_missing_task_is_taken_once_in_any_order_of_asking(
    n_images: int, n_tasks: int, workers: int, is_resumed: bool, draw: Random
) -> None:
    done = bytes(draw.choice((0, 1)) for _ in range(n_tasks)) if is_resumed else b""
    workload = work(n_images, 0, outputs_total=n_tasks, done=done)
    shared = claims(workload, workers)
    asking = [shared.tasks(worker) for worker in range(workers)]
    taken = []
    while asking:
        worker = draw.choice(asking)
        task = next(worker, None)
        if task is None:
            asking.remove(worker)
        else:
            taken.append(task)
    assert sorted(taken) == [*workload.tasks()]
    assert len(taken) == n_tasks - sum(done)


@given(some.integers(1, 9), some.integers(1, 40))
def test_total_is_spread_evenly_over_the_images(n_images: int, total: int) -> None:
    workload = work(n_images, 0, outputs_total=total)
    counts = [len(workload.augmentations(image)) for image in range(n_images)]
    assert counts == [(i + 1) * total // n_images - i * total // n_images for i in range(n_images)]
    assert [workload.task(number) for number in range(total)] == [*workload.tasks()]


def test_worker_finishes_its_image_before_taking_another() -> None:
    shared = claims(work(3, 2), 2)
    first, second = shared.tasks(0), shared.tasks(1)
    assert [*islice(first, 1)] == [(0, 0)]
    assert [*islice(second, 3)] == [(1, 0), (1, 1), (2, 0)]
    assert [*first] == [(0, 1), (2, 1)]


def test_worker_without_an_image_joins_the_one_with_most_tasks_left() -> None:
    shared = claims(work(2, 6), 3)
    busy, busier, idle = (shared.tasks(worker) for worker in range(3))
    assert [*islice(busy, 4)] == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert [*islice(busier, 2)] == [(1, 0), (1, 1)]
    assert [*islice(idle, 2)] == [(1, 2), (1, 3)]


def test_workers_share_a_single_image() -> None:
    shared = claims(work(1, 4), 4)
    assert [next(shared.tasks(worker)) for worker in range(4)] == [(0, 0), (0, 1), (0, 2), (0, 3)]


class CountedWords(list[int]):
    """Words that count how often they are read or written."""

    accesses = 0

    def __getitem__(self, place: Any) -> Any:
        self.accesses += 1
        return super().__getitem__(place)

    def __setitem__(self, place: Any, value: Any) -> None:
        self.accesses += 1
        super().__setitem__(place, value)


def test_claiming_costs_the_same_for_any_number_of_images_and_workers() -> None:
    accesses = set()
    for n_images, workers in ((10, 1), (10, 64), (100_000, 1), (100_000, 64)):
        shared = CountedWords([0] * word_count(workers))
        tasks = Claims(work(n_images, 100), workers, shared, nullcontext()).tasks(0)
        shared.accesses = 0
        assert len([*islice(tasks, 500)]) == 500
        accesses.add(shared.accesses)
    assert len(accesses) == 1
