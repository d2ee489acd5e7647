"""The cells of one command: checked, identified and measured in rounds."""

import random
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from math import ceil
from secrets import token_hex
from typing import TypeVar

from tqdm import tqdm

from augment.strategies.instruments.copies import Copies
from augment.strategies.instruments.interference import Interference
from augment.strategies.sequential import Sequential
from experiments.config.cell import Cell
from experiments.store.columns import UNTOUCHED
from experiments.sweep import preflight
from experiments.sweep.cells import ALREADY_MEASURED, Row, SweepCell, output_line
from experiments.sweep.inputs import Inventory, inputs_of
from experiments.sweep.next_trial import measure_next
from experiments.sweep.results_lock import exclusive_use, prepare
from experiments.trial.process import waiting_process

BASELINES_PER_ROUND = 2
T = TypeVar("T")
BAR = "{desc} |{bar}| {elapsed} gone, about {remaining} to go"


class Sweep:
    """The requested cells of one command with their companions, each identity once."""

    def __init__(self, requested: Sequence[Cell], in_sweep: bool, inventory: Inventory | None = None) -> None:
        """Check every cell; `in_sweep` keeps its outputs in a subfolder. Raises OptionError, StoreError."""
        inventory = {} if inventory is None else inventory
        preflight.begin_load_sample()
        check_options(requested)
        for cell in requested:  # while a process imports what the pipelines need
            _ = inputs_of(cell.config, inventory).columns
        groups = [companions(cell) | {cell: 1} for cell in requested]
        checked = checked_pipelines([each for group in groups for each in group])
        by_identity: dict[tuple[str, str | None], SweepCell] = {}
        self.requested: list[SweepCell] = []
        for group in groups:
            members = []
            for each, per_round in group.items():
                member = SweepCell(each, inputs_of(each.config, inventory), in_sweep, checked[each])
                member = by_identity.setdefault((member.identity, member.cell.config.output_dir), member)
                member.per_round = max(member.per_round, per_round)
                members.append(member)
            member.companions = members[:-1]
            self.requested.append(member)
        self.cells = list(by_identity.values())  # companions among them
        try:
            for member in self.cells:
                member.alike = [each for each in self.cells if each.of_outputs == member.of_outputs]
                member.check_outputs()
            prepare(requested[0].config.results_folder)
        except Exception:
            self.release()
            raise

    def measure(self) -> list[SweepCell]:
        """Measure the missing trials in rounds, print a summary, and return the requested cells."""
        missing = {cell: count for cell in self.cells if (count := cell.missing())}
        findings = [line for cell in missing for line in cell.inputs.files.findings]
        try:
            findings += self._machine_findings() if missing else []
            for finding in findings:
                warn(finding)
            self._measure_rounds(missing)
        finally:
            self.release()
        print(self._summary())
        return self.requested

    def release(self) -> None:
        """Let other commands write to the folders of the outputs."""
        for cell in self.cells:
            if cell.outputs:
                cell.outputs.release()

    def _machine_findings(self) -> list[str]:
        with exclusive_use(self.cells[0].cell.config.results_folder) as has_waited:
            if has_waited:  # the other command's trial is no load of the machine
                preflight.begin_load_sample.cache_clear()
            return preflight.first_machine_findings()

    def _measure_rounds(self, missing: dict[SweepCell, int]) -> None:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{token_hex(4)}"
        per_round = {cell: cell.per_round for cell in missing}
        orders = enumerate(rounds(missing, per_round, self.cells[0].cell.config.order_seed))
        trials = [(number, cell) for number, order in orders for cell in order]
        # disable=None: no bar without a terminal. Outputs that are kept have a bar of their own.
        is_hidden = True if any(cell.outputs for cell in missing) else None
        with tqdm(trials, bar_format=BAR, smoothing=0, disable=is_hidden, leave=False) as bar:
            for index, (number, cell) in enumerate(bar, start=1):
                bar.set_description_str(f"trial {index} of {len(trials)}: {cell.cell.label}")
                measure_next(cell, name, number)

    def _summary(self) -> str:
        """Return how many cells ended how, every failure, and the folders of the rows."""
        statuses = Counter(cell.status for cell in self.cells)
        counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
        lines = [f"{counts} of {len(self.cells)} cells"]
        lines += [line for cell in self.cells for line in cell.failures]
        lines += [line for cell in self.cells if (line := output_line(cell, len(self.cells) == 1))]
        if any(cell.status == ALREADY_MEASURED and not cell.outputs for cell in self.cells):
            lines += ["rerun=true measures again what is in the results already"]
        folders = {f"{each.cell.config.results_folder}/trials/{each.cell.experiment}" for each in self.cells}
        return "\n".join([*lines, f"rows: {', '.join(sorted(folders))}"])


@cache  # a command of several sweeps says it once
def warn(finding: str) -> None:
    """Print a warning."""
    print(f"warning: {finding}", file=sys.stderr)


def check_options(cells: Sequence[Cell]) -> None:
    """Raise OptionError for the first cell whose options cannot work; let a process import meanwhile."""
    for cell in cells:
        cell.config.check()
    waiting_process(cells[0].config.pipeline)  # which begins to import


def checked_pipelines(cells: Iterable[Cell]) -> dict[Cell, Row]:
    """Return the columns of each cell's pipeline; cells alike share a check. Raises OptionError."""
    checked: dict[Cell, Row] = {}
    known: dict[str, Row] = {}
    for cell in cells:
        pipeline = cell.config.pipeline
        strategy = None if cell.not_applicable else cell.config.strategy
        is_reused = cell.config.runtime.reuse_pipeline and strategy is not None
        key = str((pipeline, is_reused, strategy and strategy.package))
        if key not in known:
            known[key] = waiting_process(pipeline).check(pipeline, is_reused, strategy)
        checked[cell] = known[key]
    return checked


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
