"""`make schema`: what is generated from the declarations of options and columns."""

from experiments import ROOT
from experiments.cli import help_page, prepare
from experiments.records.schema import TABLES, Column, schema

README, REFERENCE = ROOT / "results" / "README.md", ROOT / "docs" / "reference.md"

INTRODUCTION = """\
# Results

Generated from `experiments/records/schema.py` by `make schema`; do not edit.

- `trials/<experiment>/*.parquet`: a file per trial, written once and never again. Read a folder as one
  table with pandas `pd.read_parquet("results/trials/strong_scaling")`, Polars
  `pl.read_parquet("results/trials/strong_scaling")` or DuckDB
  `SELECT * FROM 'results/trials/strong_scaling/*.parquet'`.
- `tasks/`, `transforms/`, `turns/`, likewise: the tasks of the trials that were `ok`, the transforms that
  were timed; of an `interference` trial its turns instead of both; joined by `trial_id`.
- `plans/`: what each sweep set out to measure. `candidates/`: what `make advise` was to choose from.
- `tables/`, `figures/`: rebuilt from these by `make figures`, `report/` by `make report`. `profiles/`: made
  by `make profile`.
- `hydra/`: what Hydra keeps of each command.
- `published/`: the study's printed tables. `reference/`: what this suite measured on a named machine; of its
  `engines` the trials are in one file, and only tasks of 2000x1000 and 2000x2000 pixels are there: from those
  of one process, of the ceiling and of `dynamic`. Its tables were made from all.

Times are seconds, memory is bytes, unrounded; `?` marks columns that may be null, `*` those that
determine what is measured: trials that differ in one of them are never pooled.
"""


OPTIONS = """\
# Reference

Generated from the options' and columns' declarations by `make schema`; do not edit.

## Options

```text
{}
```

The columns of the parquet files follow, a table each; `?` marks those that may be null, `*` those that
determine what is measured: trials that differ in one of them are never pooled.
"""


def of_results() -> str:
    """The text of results/README.md."""
    return "\n".join([INTRODUCTION, *_columns()])


def of_options() -> str:
    """The text of docs/reference.md."""
    prepare()
    options = help_page().replace("$$", "$").rstrip()
    return "\n".join([OPTIONS.format(options), *_columns()])


def _columns() -> list[str]:
    return [_section(table, columns) for table, columns in TABLES.items()]


def _section(table: str, columns: tuple[Column, ...]) -> str:
    types = schema(table)
    lines = [f"## {table}", "", "| column | type | meaning |", "| --- | --- | --- |"]
    for each in columns:
        marks = "?" * each.nullable + r"\*" * bool(each.determines)
        lines.append(f"| `{each.name}` | {types.field(each.name).type}{marks} | {each.doc} |")
    return "\n".join(lines) + "\n"


DOCUMENTS = {README: of_results, REFERENCE: of_options}

if __name__ == "__main__":
    for path, text in DOCUMENTS.items():
        path.write_text(text(), encoding="utf-8")
        print(path)
