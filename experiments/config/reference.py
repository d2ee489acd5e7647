"""`make schema`: docs/reference.md, generated from the declarations of options and columns."""

from experiments import ROOT
from experiments.config.cli import help_page, prepare
from experiments.store.columns import TABLES, Column, schema

REFERENCE = ROOT / "docs" / "reference.md"
TEXT = """\
# Reference

Generated from the options' and columns' declarations by `make schema`; do not edit.

## Options

```text
{}
```

The columns of the parquet files follow, a table each; `?` marks those that may be null, `*` those that
determine what is measured: trials that differ in one of them are never pooled.
"""


def reference() -> str:
    """Return the text of docs/reference.md."""
    prepare()
    options = help_page().replace("$$", "$").rstrip()
    return "\n".join([TEXT.format(options), *(_section(*table) for table in TABLES.items())])


def _section(table: str, columns: tuple[Column, ...]) -> str:
    types = schema(table)
    lines = [f"## {table}", "", "| column | type | meaning |", "| --- | --- | --- |"]
    for each in columns:
        marks = "?" * each.nullable + r"\*" * bool(each.determines)
        lines.append(f"| `{each.name}` | {types.field(each.name).type}{marks} | {each.doc} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
    print(REFERENCE)
