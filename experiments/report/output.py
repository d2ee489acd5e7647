"""The files of a report: tables and figures of one experiment."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from experiments.analysis.select import NoTrialsError
from experiments.report.charts import CHART_FORMATS, Chart, save
from experiments.report.results import Results
from experiments.report.sections import SHOW_ERRORS, Content, sections_of
from experiments.report.tables import Table

FORMATS: dict[str, Callable[[Sequence[Table]], str]] = {  # suffix of a file of tables: its text
    "md": lambda tables: "\n".join(table.markdown() for table in tables),
    "csv": lambda tables: pd.concat([table.data for table in tables]).to_csv(index=False),
}


def write_report(results: Results, names_files: bool = True) -> bool:
    """Write every section of an experiment, and print the main tables and the files written.

    A section that cannot be shown is a line on stderr; the others are written. Return whether all files
    read were sound. Raises NoTrialsError if nothing was measured.
    """
    sections = sections_of(results.experiment)
    if results.trials.empty and not any(section.source for section in sections):
        command = f"python run.py -m experiment={results.experiment}"
        raise NoTrialsError(f"{results.trials_folder}: no trials yet; `{command}` measures some")
    written: list[Path] = []
    main_tables: list[str] = []
    is_sound = True
    for section in sections:
        try:
            for stem, content in section.show(results):
                paths = _write(results, stem, content)
                if names_files:
                    print(*paths, sep="\n")
                written += paths
                if stem == section.prints and not isinstance(content, Chart | pd.DataFrame):
                    main_tables += [table.text() for table in content]
        except SHOW_ERRORS as error:
            print(f"{results.experiment}: no {section.name}: {error}", file=sys.stderr)
            is_sound &= isinstance(error, NoTrialsError)
    _remove_others(results, written)
    print("", *main_tables, sep="\n")
    return is_sound


def _write(results: Results, stem: str, content: Content) -> list[Path]:
    if isinstance(content, Chart):
        return save(content, results.folder / "figures" / results.experiment / stem)
    folder = results.folder / "tables" / results.experiment
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_parquet(folder / f"{stem}.parquet")
        return [folder / f"{stem}.parquet"]
    for kind, render in FORMATS.items():
        (folder / f"{stem}.{kind}").write_text(render(content), encoding="utf-8")
    return [folder / f"{stem}.{kind}" for kind in FORMATS]


def _remove_others(results: Results, written: Sequence[Path]) -> None:
    """Remove the files of an earlier report that this report did not write."""
    for parent, kinds in (("tables", [*FORMATS, "parquet"]), ("figures", CHART_FORMATS)):
        folder = results.folder / parent / results.experiment
        for path in {path for kind in kinds for path in folder.glob(f"*.{kind}")} - set(written):
            path.unlink()
