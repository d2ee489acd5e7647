"""The order of a sweep: every cell once a round, companions among them."""

import random
from collections.abc import Mapping
from math import ceil
from typing import TypeVar

from augment.strategies.instruments.copies import Copies
from augment.strategies.instruments.interference import Interference
from augment.strategies.sequential import Sequential
from experiments.config.cell import Cell
from experiments.store.columns import UNTOUCHED

BASELINES_PER_ROUND = 2
T = TypeVar("T")


def companions(cell: Cell) -> dict[Cell, int]:
    """Return the cells to measure beside a cell, with their number of trials in a round.

    These are the sequential cell of its workload and, with several workers, the applicable instruments. An
    ablation has none: the untouched cell that it is compared with brings them.
    """
    if cell.ablation != UNTOUCHED:
        return {}
    config, workers = cell.config, cell.config.workers
    baseline = {cell.of_strategy(Sequential, 1): BASELINES_PER_ROUND} if config.with_baseline else {}
    wanted = ((Copies, config.with_ceiling), (Interference, config.with_interference))
    # The ceiling of one worker is the sequential cell itself.
    instruments = [cell.of_strategy(kind, workers) for kind, is_wanted in wanted if is_wanted and workers > 1]
    return baseline | {instrument: 1 for instrument in instruments if not instrument.not_applicable}


def rounds(missing: Mapping[T, int], per_round: Mapping[T, int], order_seed: int) -> list[list[T]]:
    """Return rounds that hold the missing trials, each in an order of its own drawn from `order_seed`.

    A baseline, measured twice a round, is in the middle of each half. Cells with most missing trials start
    first, to finish an interrupted round.
    """
    due = {cell: ceil(count / per_round[cell]) for cell, count in missing.items()}  # rounds
    total, left = max(due.values(), default=0), dict(missing)
    orders = []
    for number in range(total):
        present = [cell for cell, count in due.items() if count >= total - number]
        once = [cell for cell in present if per_round[cell] == 1]
        random.Random(f"{order_seed} {number}").shuffle(once)
        order: list[T] = []
        for half in (once[: len(once) // 2], once[len(once) // 2 :]):
            baselines = [cell for cell in present if per_round[cell] > 1 and left[cell] > 0]
            order += [*half[: len(half) // 2], *baselines, *half[len(half) // 2 :]]
            left |= {cell: left[cell] - 1 for cell in baselines}
        orders.append(order)
    return orders
