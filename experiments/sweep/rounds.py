"""What a sweep measures in which order: every cell once a round, companions among them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

from augment.strategies.instruments.copies import Copies
from augment.strategies.instruments.interference import Interference
from augment.strategies.sequential import Sequential
from experiments.config.cell import Cell
from experiments.store.columns import UNTOUCHED

BASELINES_PER_ROUND = 2
T = TypeVar("T")


@dataclass(frozen=True)
class Planned:
    """A cell of a sweep and how often a round measures it."""

    cell: Cell
    per_round: int = 1


def companions(cell: Cell) -> list[Planned]:
    """What a cell asks to be measured beside it, whatever else the sweep holds: the sequential cell of its
    workload, and with several workers the instruments that apply at their count. Ablations are held against
    an untouched cell, which brings these."""
    planned: list[Planned] = []
    if cell.ablation != UNTOUCHED:
        return planned
    if cell.config.with_baseline:
        planned += [Planned(cell.of_strategy(Sequential, 1), BASELINES_PER_ROUND)]
    asked = ((Copies, cell.config.with_ceiling), (Interference, cell.config.with_interference))
    workers = cell.config.workers  # of one the ceiling is the sequential cell itself
    instruments = [cell.of_strategy(kind, workers) for kind, wanted in asked if wanted and workers > 1]
    return planned + [Planned(each) for each in instruments if not each.not_applicable]


def rounds(lacking: Mapping[T, int], per_round: Mapping[T, int], order_seed: int) -> list[list[T]]:
    """The rounds that give everything the trials that it lacks, each in an order of its own drawn from
    `order_seed`; what is measured twice a round, the baseline, is in the middle of each half.

    What lacks most begins first, so that a round that was interrupted is finished before the next begins."""
    due = {each: ceil(count / per_round[each]) for each, count in lacking.items()}  # rounds
    total, left = max(due.values(), default=0), dict(lacking)
    drawn = []
    for number in range(total):
        present = [each for each, count in due.items() if count >= total - number]
        once = [each for each in present if per_round[each] == 1]
        random.Random(f"{order_seed} {number}").shuffle(once)
        order: list[T] = []
        for half in (once[: len(once) // 2], once[len(once) // 2 :]):
            baselines = [each for each in present if per_round[each] > 1 and left[each] > 0]
            order += [*half[: len(half) // 2], *baselines, *half[len(half) // 2 :]]
            left |= {each: left[each] - 1 for each in baselines}
        drawn.append(order)
    return drawn
