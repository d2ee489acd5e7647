"""What each experiment shows, in tables and figures: REPORTS is the one list."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from experiments.analysis import published
from experiments.analysis.ablation import ablation_table, comparable
from experiments.analysis.ceilings import in_turns
from experiments.analysis.law_cases import cases
from experiments.analysis.scaling import SAVERS, WEAK, newest_comparable, strong, weak
from experiments.records.schema import OK
from experiments.records.store import read_probes, read_tasks
from experiments.report import style as figures
from experiments.report import tables
from experiments.report.ablation_figure import ablation_figure
from experiments.report.contact_sheet import contact_sheet
from experiments.report.diagnosis import diagnosed
from experiments.report.law_figures import laws_figure
from experiments.report.law_tables import law_tables
from experiments.report.profiles import profile_table
from experiments.report.sections.against_itself import against_itself_table

RECOMPUTED = "Recomputed from the printed seconds, each the mean of 2 executions whose spread is not printed."


@dataclass(frozen=True)
class Report:
    """What one experiment shows: tables and figures by the name of their file."""

    tables: dict[str, list[tables.Table]]
    figures: dict[str, Figure] = field(default_factory=dict)


def strong_report(trials: pd.DataFrame, results: Path) -> Report:
    name = "strong_scaling"
    kept, note = newest_comparable(trials[~in_turns(trials)])
    made = _scaling_report(kept, strong(kept), note, name)
    tasks, probes = read_tasks(results / "tasks" / name), read_probes(results / "probes" / name)
    found = diagnosed(trials, tasks, probes, _title(name).capitalize())
    if not found.tables:
        made.tables["table"][-1].notes.append(found.text)
    return Report(made.tables | found.tables, made.figures | found.figures)


def weak_report(trials: pd.DataFrame, results: Path) -> Report:
    kept, note = newest_comparable(trials, WEAK)
    return _scaling_report(kept, weak(kept), note, "weak_scaling")


def _scaling_report(kept: pd.DataFrame, points: pd.DataFrame, note: str | None, experiment: str) -> Report:
    title = _title(experiment).capitalize()
    made = {"table": tables.scaling_tables(points, title, note), "environment": [_environment(kept)]}
    if not _measured(points):
        return Report(made)
    known, *others = sorted(set(kept["usable_cpus"]))  # one machine may leave trials different CPUs
    cpus, overlay = None if others else known, published.points(experiment)
    charts, laws = figures.scaling_figures(points, title, overlay, cpus), _laws(points, title, cpus)
    return Report(made | laws.tables, charts | laws.figures)


def _laws(points: pd.DataFrame, title: str, cpus: int | None = None, stem: str = "laws") -> Report:
    found = cases(points, cpus)
    chart = laws_figure(points, found, f"{title}: laws", cpus)
    return Report({stem: law_tables(found, title, cpus)}, {stem: chart} if chart else {})


def validation_report(trials: pd.DataFrame, results: Path) -> Report:
    kept, note = newest_comparable(trials)
    made = {"table": [tables.validation_table(kept, note)], "environment": [_environment(kept)]}
    try:
        return Report(made, {"contact_sheet": _contact_sheet(kept)})
    except OSError as error:  # the table stands without pictures, and says why there are none
        made["table"][0].notes.append(f"No contact sheet: {error}")
        return Report(made)


def _contact_sheet(trials: pd.DataFrame) -> Figure:
    """Of the first cell that has kept its outputs; all have the same, says the table."""
    kept = trials[(trials["status"] == OK) & trials["output_dir"].notna()]
    if kept.empty:
        raise FileNotFoundError("no cell has kept its outputs (output_dir)")
    first = kept.iloc[0]
    originals = sorted(path for path in Path(first["inputs"]).iterdir() if path.is_file())
    return contact_sheet(originals, Path(first["output_dir"]))


def savers_report(trials: pd.DataFrame, results: Path) -> Report:
    """A cell that does not apply has no savers; it is shown at those that were asked for."""
    options = trials["strategy_options"].map(json.loads)
    asked = pd.to_numeric(options.map(lambda option: option.get("savers")), errors="coerce")
    kept, note = newest_comparable(trials.assign(savers=trials["savers"].fillna(asked)), SAVERS)
    points = strong(kept, SAVERS)
    made = {"table": [tables.savers_table(points, note)], "environment": [_environment(kept)]}
    if not _measured(points[points["savers"].notna()]):
        return Report(made)
    return Report(made, {"time": figures.savers_figure(points, "Tuning of the number of savers")})


def cells_report(trials: pd.DataFrame, results: Path) -> Report:
    """For an experiment without tables of its own: every configuration in its row."""
    title = str(trials["experiment"].iloc[0])
    return Report({"table": [tables.cells_table(trials, title)], "environment": [_environment(trials)]})


def profile_report(trials: pd.DataFrame, results: Path) -> Report:
    """What cProfile saw of the master and of one worker, by own time, as the study lists it."""
    made = cells_report(trials, results).tables
    for path in sorted((results / "profiles").glob("*/*.pstats")):
        made[f"{path.parent.name}-{path.stem}"] = [profile_table(path)]
    return Report(made)


def ablation_report(trials: pd.DataFrame, results: Path) -> Report:
    """What each policy, changed alone, gives back."""
    kept, note = comparable(trials)
    table = ablation_table(kept)
    table.notes.extend([note] if note else [])
    chart = ablation_figure(table.data, "What each policy gives back")
    return Report({"table": [table], "environment": [_environment(kept)]}, {"time_given_back": chart})


def against_itself_report(trials: pd.DataFrame, results: Path) -> Report:
    """How often the same code claims to differ from itself."""
    kept, _ = newest_comparable(trials)
    return Report({"table": [against_itself_table(kept)], "environment": [_environment(kept)]})


REPORTS: dict[str, Callable[[pd.DataFrame, Path], Report]] = {
    "strong_scaling": strong_report,
    "weak_scaling": weak_report,
    "validation": validation_report,
    "saver_tuning": savers_report,
    "profile": profile_report,
    "ablation": ablation_report,
    "against_itself": against_itself_report,
}


def published_report() -> Report:
    """The study's tables, recomputed from its seconds, with its slips in their footnotes, and the laws
    that its seconds follow."""
    made: dict[str, list[tables.Table]] = {}
    charts: dict[str, Figure] = {}
    for experiment in published.POINTS:
        points, slips = published.points(experiment), published.slips()
        title = f"Published {_title(experiment)} ({published.SOURCE})"
        made[experiment] = tables.scaling_tables(points, title, RECOMPUTED)
        for table in made[experiment]:
            block = (experiment, bool(table.data["saving"].iloc[0]))
            table.notes.extend(slip.sentence() for slip in slips if (slip.experiment, slip.saving) == block)
        laws = _laws(points, f"Published {_title(experiment)}", stem=f"{experiment}_laws")
        made |= laws.tables
        charts |= laws.figures
    return Report(made, charts)


def _title(experiment: str) -> str:
    return experiment.replace("_", " ")


def _measured(points: pd.DataFrame) -> bool:
    return bool((points["status"] == OK).any())


def _environment(trials: pd.DataFrame) -> tables.Table:
    newest = trials.sort_values("started_at").iloc[-1]
    return tables.environment_table(str(newest["environment"]))
