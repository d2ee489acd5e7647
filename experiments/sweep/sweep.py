"""The cells of one command: checked, identified and measured in rounds."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex

from augment import pipeline
from augment.pipeline import check_reuse
from experiments.config.cell import Cell, CellFailedError
from experiments.store import files as store
from experiments.store.columns import OK
from experiments.sweep import preflight
from experiments.sweep.cells import SweepCell, count_ok
from experiments.sweep.inputs import Inventory
from experiments.sweep.progress import TYPICAL_PIXELS, progress
from experiments.sweep.results_lock import prepare
from experiments.sweep.rounds import Planned, companions, rounds
from experiments.sweep.summary import numbers, summary


@dataclass(frozen=True)
class Result:
    """A cell that was asked for, after its sweep."""

    measured: SweepCell
    failures: list[str]  # of this sweep, its companions' among them

    @property
    def line(self) -> str:
        """The cell's numbers in one line."""
        return numbers(self.measured.cell, self.measured.stored_rows)

    def seconds_per_task(self) -> float:
        """Return the mean of all ok trials, or infinity if there are none. Raises CellFailedError."""
        if self.failures:
            raise CellFailedError("; ".join(self.failures))
        ok = [row for row in self.measured.stored_rows if row["status"] == OK]
        return sum(row["wall_s"] / row["tasks"] for row in ok) / len(ok) if ok else math.inf


class Sweep:
    """The cells of one command with their companions, each identity once."""

    def __init__(self, asked: Sequence[Cell], in_sweep: bool, inventory: Inventory | None = None) -> None:
        """Check every cell; write nothing but the results folder. Raises OptionError and StoreError.

        `in_sweep`: the command sweeps, so that each cell keeps its outputs in a folder of its own.
        """
        inventory = inventory or Inventory()
        check_options(asked, inventory)
        self._of_identity: dict[str, SweepCell] = {}
        self._asked: list[list[str]] = []  # identities of each cell that was asked for and of its companions
        for cell in asked:
            planned = [Planned(cell), *companions(cell)]
            members = [SweepCell(each.cell, each.per_round, inventory, in_sweep) for each in planned]
            for member in reversed(members):
                known = self._of_identity.setdefault(member.identity, member)
                if member.per_round > known.per_round:
                    self._of_identity[member.identity] = member
            self._asked.append([member.identity for member in members])
        for member in self.cells:
            member.check_outputs()
        prepare(asked[0].config.results_folder)
        self._order_seed = asked[0].config.order_seed

    @property
    def asked(self) -> list[SweepCell]:
        """The cells that were asked for, in their order."""
        return [self._of_identity[identities[0]] for identities in self._asked]

    @property
    def cells(self) -> list[SweepCell]:
        """All cells, companions among them."""
        return list(self._of_identity.values())

    def measure(self) -> list[Result]:
        """Measure in rounds what the cells lack, print a summary, and return a result for each asked cell."""
        for finding in preflight.first_machine_findings():
            print(f"warning: {finding}", file=sys.stderr)
        missing = {cell: count for cell in self.cells if (count := cell.missing())}
        targets = {cell: count_ok(cell.stored_rows) + missing.get(cell, 0) for cell in self.cells}
        if missing:
            self._measure_rounds(missing, targets)
        print(summary(self.cells))
        return [self._result(identities) for identities in self._asked]

    def _measure_rounds(self, missing: dict[SweepCell, int], targets: dict[SweepCell, int]) -> None:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{token_hex(4)}"
        began = {"sweep": name, "started_at": datetime.now(UTC)}
        plans = [cell.plan(target) | began for cell, target in targets.items()]
        store.write_before(self.cells[0].cell.config.results_folder, "plans", plans)
        per_round = {cell: cell.per_round for cell in missing}
        with progress({cell.cell: count for cell, count in missing.items()}) as trial_of:
            for number, order in enumerate(rounds(missing, per_round, self._order_seed)):
                for cell in order:
                    with trial_of(cell.cell) as finished:
                        finished(cell.measure(name, number, targets[cell]))

    def _result(self, identities: Sequence[str]) -> Result:
        cells = [self._of_identity[identity] for identity in identities]
        return Result(cells[0], [line for cell in cells for line in cell.failures])


def check_options(cells: Sequence[Cell], inventory: Inventory) -> None:
    """Raise OptionError for the first cell whose options or pipeline cannot work."""
    for cell in cells:
        cell.config.check()
    for cell in {_pipeline_key(cell): cell for cell in cells}.values():
        config = cell.config
        pipeline.check(config.pipeline)
        if config.runtime.reuse_pipeline and not cell.not_applicable:
            check_reuse(config.pipeline, config.size() or _first_size(cell, inventory) or TYPICAL_PIXELS)


def _pipeline_key(cell: Cell) -> str:
    config = cell.config
    return str((config.pipeline, config.runtime, config.size() or config.dataset))


def _first_size(cell: Cell, inventory: Inventory) -> tuple[int, int] | None:
    try:
        return inventory.inputs(cell.config).first_size()
    except OSError:  # becomes a failed row when the trial is tried
        return None
