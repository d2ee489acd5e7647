"""`make schema`: results/README.md, generated from the records."""

from dataclasses import fields

from experiments import ROOT
from experiments.records.schema import Probe, Record, Task, Trial
from experiments.records.store import schema

README = ROOT / "results" / "README.md"

INTRODUCTION = """\
# Results

Generated from `experiments/record.py` by `make schema`; do not edit.

- `trials/<experiment>/*.parquet`: a row per trial, a file per cell. Read a folder as one table with
  pandas `pd.read_parquet("results/trials/strong_scaling")`, Polars
  `pl.read_parquet("results/trials/strong_scaling")` or DuckDB
  `SELECT * FROM 'results/trials/strong_scaling/*.parquet'`.
- `tasks/<experiment>/*.parquet`: a row per task of the trials that were `ok`, joined by `cell` and
  `repetition`. `probes/<experiment>/*.parquet`: the machine's probes, run between the tasks of `turns`.
- `tables/`, `figures/`: rebuilt from these by `make figures`. `profiles/`: made by `make profile`.
- `published/`: the study's printed tables. `reference/`: what this suite measured on a named machine.

Times are seconds, memory is bytes, unrounded; `?` marks columns that may be null.
"""


def document() -> str:
    """The text of results/README.md."""
    return "\n".join([INTRODUCTION, _table("Trials", Trial), _table("Tasks", Task), _table("Probes", Probe)])


def _table(title: str, record: type[Record]) -> str:
    types = schema(record)
    lines = [f"## {title}", "", "| column | type | meaning |", "| --- | --- | --- |"]
    for one in fields(record):
        column = types.field(one.name)
        lines.append(f"| `{one.name}` | {column.type}{'?' * column.nullable} | {one.metadata['doc']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    README.write_text(document())
    print(README)
