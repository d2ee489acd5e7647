"""Many cells, measured in rounds: checked first, then given the trials that they lack, then summed up."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex

from augment import pipeline
from augment.runtime import PipelineUse
from augment.transformer import check_reuse
from experiments.measure import environment
from experiments.measure.cell_files import first_size, results_folder
from experiments.measure.member import Member
from experiments.measure.progress import TYPICAL_PIXELS, progress
from experiments.measure.summary import numbers, summary
from experiments.plan.cell import Cell
from experiments.plan.rounds import companions, rounds, with_companions
from experiments.records import store
from experiments.records.schema import OK


class CellFailedError(RuntimeError):
    """A cell, or a companion of it, that could not be measured."""


@dataclass(frozen=True)
class Result:
    """What is known after a sweep of one of the cells that were asked for."""

    member: Member
    failures: list[str]  # of this sweep, its companions' among them

    @property
    def line(self) -> str:
        """The cell's numbers in one line."""
        return numbers(self.member.cell, self.member.all_rows())

    def seconds_per_task(self) -> float:
        """The mean of all ok trials, infinite where the strategy does not apply. Raises CellFailedError."""
        if self.failures:
            raise CellFailedError("; ".join(self.failures))
        ok = [row for row in self.member.all_rows() if row["status"] == OK]
        return sum(row["wall_s"] / row["tasks"] for row in ok) / len(ok) if ok else math.inf


class Sweep:
    """The cells of one command, with their companions, each known by its identity."""

    def __init__(self, cells: Sequence[Cell], in_sweep: bool) -> None:
        """`in_sweep`: the command sweeps, so that each cell keeps its outputs in a folder of its own. Raises
        OptionError for the first cell that cannot work; writes no results."""
        for cell in cells:
            cell.config.check()
        for cell in {_pipeline_key(cell): cell for cell in cells}.values():
            pipeline.check(cell.config.pipeline)
            if cell.config.runtime.pipeline is PipelineUse.reused and not cell.not_applicable:
                check_reuse(cell.config.pipeline, cell.config.size() or first_size(cell) or TYPICAL_PIXELS)
        self._in_sweep = in_sweep
        self._members: dict[Cell, Member] = {}
        self.cells = cells
        planned = with_companions(cells, lambda cell: self.member(cell).identity)
        self.members = [self.member(each.cell) for each in planned]
        for member, each in zip(self.members, planned, strict=True):
            member.per_round = each.per_round
            member.check_outputs()

    def member(self, cell: Cell) -> Member:
        """The one member of the sweep that stands for all cells of the same identity."""
        if cell not in self._members:
            member = Member(cell, self._in_sweep)
            same = (other for other in self._members.values() if other.identity == member.identity)
            self._members[cell] = next(same, member)
        return self._members[cell]

    def measure(self) -> None:
        """Gives each member the trials that it lacks, in rounds."""
        for finding in environment.findings():
            print(f"warning: {finding}", file=sys.stderr)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{token_hex(4)}"
        lacking = {member: lacks for member in self.members if (lacks := member.lacking())}
        if lacking:
            began = {"sweep": name, "started_at": datetime.now(UTC)}
            planned = [member.plan | began for member in self.members]
            store.write_before(results_folder(self.cells[0]), "plans", planned)
        per_round = {member: member.per_round for member in lacking}
        with progress({member.cell: trials for member, trials in lacking.items()}) as trial_of:
            for number, order in enumerate(rounds(lacking, per_round, self.cells[0].config.order_seed)):
                for member in order:
                    with trial_of(member.cell) as finished:
                        finished(member.measure(name, number))

    def results(self) -> list[Result]:
        """One for each cell that was asked for."""
        return [Result(self.member(cell), self._failures(cell)) for cell in self.cells]

    def _failures(self, cell: Cell) -> list[str]:
        beside = [planned.cell for planned in companions(cell)]
        return [line for each in (cell, *beside) for line in self.member(each).failures()]


def _pipeline_key(cell: Cell) -> str:
    config = cell.config
    return str((config.pipeline, config.runtime, config.size() or config.dataset))


def check(cells: Sequence[Cell], in_sweep: bool) -> None:
    """Raises OptionError for the first cell that cannot work, StoreError where no results can be written."""
    Sweep(cells, in_sweep)
    store.prepare(results_folder(cells[0]))


def measure_all(cells: Sequence[Cell], in_sweep: bool) -> list[Result]:
    """Measures what cells and companions lack, prints what came of it; a result for each of `cells`."""
    sweep = Sweep(cells, in_sweep)
    sweep.measure()
    print(summary(sweep.members))
    return sweep.results()
