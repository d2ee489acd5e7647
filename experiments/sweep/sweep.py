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
from experiments.sweep.inputs import Inventory
from experiments.sweep.next_trial import measure_next
from experiments.sweep.results_lock import prepare
from experiments.trial.process import waiting_process
from experiments.wording import significant

BASELINES_PER_ROUND = 2
T = TypeVar("T")
BAR = "{desc} |{bar}| {elapsed} gone, about {remaining} to go{postfix}"


class Sweep:
    """The requested cells of one command with their companions, each identity once."""

    def __init__(self, requested: Sequence[Cell], in_sweep: bool, inventory: Inventory | None = None) -> None:
        """Check every cell; `in_sweep` keeps its outputs in a subfolder. Raises OptionError, StoreError."""
        inventory = inventory or Inventory()
        preflight.begin_load_sample()
        check_options(requested)
        for cell in requested:  # while a process imports what the pipelines need
            _ = inventory.inputs(cell.config).columns
        checked = checked_pipelines([each for cell in requested for each in (cell, *companions(cell))])
        self._by_identity: dict[tuple[str, str | None], SweepCell] = {}
        self.requested: list[SweepCell] = []
        for cell in requested:
            counts = companions(cell) | {cell: 1}
            *beside, added = (
                self._add(SweepCell(each, count, inventory, in_sweep, checked[check_key(each)]))
                for each, count in counts.items()
            )
            added.companions = beside
            self.requested.append(added)
        for sweep_cell in self.cells:
            sweep_cell.alike = [each for each in self.cells if each.of_outputs == sweep_cell.of_outputs]
        try:
            for sweep_cell in self.cells:
                sweep_cell.check_outputs()
            prepare(requested[0].config.results_folder)
        except Exception:
            self.release()
            raise

    def _add(self, cell: SweepCell) -> SweepCell:
        """Return the cell that the sweep measures for this identity, with the larger number of trials."""
        known = self._by_identity.setdefault((cell.identity, cell.cell.config.output_dir), cell)
        known.per_round = max(known.per_round, cell.per_round)
        return known

    @property
    def cells(self) -> list[SweepCell]:
        """All cells, companions among them."""
        return list(self._by_identity.values())

    def measure(self) -> list[SweepCell]:
        """Measure the missing trials in rounds, print a summary, and return the requested cells."""
        missing = {cell: count for cell in self.cells if (count := cell.missing())}
        findings = [line for cell in missing for line in cell.inputs.files.findings]
        findings += preflight.first_machine_findings() if missing else []
        for finding in findings:
            warn(finding)
        try:
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
                row = measure_next(cell, name, number)
                if row and row.get("wall_s"):
                    bar.set_postfix_str(
                        f"{significant(row['tasks'] / row['wall_s'])} images/s", refresh=False
                    )

    def _summary(self) -> str:
        """Return how many cells ended how, every failure, and the folders of the rows."""
        statuses = Counter(cell.status for cell in self.cells)
        counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
        lines = [f"{counts} of {len(self.cells)} cells"]
        lines += [line for cell in self.cells for line in cell.failures]
        lines += [line for cell in self.cells if (line := output_line(cell, len(self.cells) == 1))]
        if any(cell.status == ALREADY_MEASURED and not cell.outputs for cell in self.cells):
            lines += ["rerun=true measures again what is in the results already"]
        cells = [cell.cell for cell in self.cells]
        folders = {f"{cell.config.results_folder}/trials/{cell.experiment}" for cell in cells}
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


def checked_pipelines(cells: Iterable[Cell]) -> dict[str, Row]:
    """Return the columns of the pipelines of cells by `check_key`. Raises OptionError."""
    checked: dict[str, Row] = {}
    for cell in cells:
        if (key := check_key(cell)) not in checked:
            config, applies = cell.config, not cell.not_applicable
            is_reused = config.runtime.reuse_pipeline and applies
            strategy = config.strategy if applies else None
            checked[key] = waiting_process(config.pipeline).check(config.pipeline, is_reused, strategy)
    return checked


def check_key(cell: Cell) -> str:
    """Return a text that is equal for cells of which one check is enough."""
    config = cell.config
    package = None if cell.not_applicable else config.strategy.package
    return str((config.pipeline, config.runtime.reuse_pipeline, package))


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
