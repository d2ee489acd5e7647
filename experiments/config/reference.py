"""The generator of docs/reference.md from the declarations of options and columns: `make schema`."""

from experiments import ROOT
from experiments.config.cli import help_page
from experiments.store.columns import TABLES, Column
from experiments.store.files import schema

REFERENCE = ROOT / "docs" / "reference.md"
TEXT = """\
# Reference

Generated from the declarations of options and columns by `make schema`; do not edit.

## Options

```text
{}
```

The columns of the parquet files follow, one table for each kind of file. `?` marks columns that may be null.
`*` marks columns that determine what is measured: trials that differ in one of them are never pooled.
"""


def reference() -> str:
    """Return the text of docs/reference.md."""
    return "\n".join([TEXT.format(help_page().rstrip()), *(_section(*table) for table in TABLES.items())])


def _section(table: str, columns: tuple[Column, ...]) -> str:
    types = schema(table)
    lines = [f"## {table}", "", "| column | type | meaning |", "| --- | --- | --- |"]
    for column in columns:
        marks = "?" * column.nullable + r"\*" * bool(column.determines)
        lines.append(f"| `{column.name}` | {types.field(column.name).type}{marks} | {column.doc} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
    print(REFERENCE)
