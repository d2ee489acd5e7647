"""Tables as plain text, Markdown and CSV: FORMATS is the one list."""

from collections.abc import Callable, Sequence

import pandas as pd

from experiments.report.tables import Table


def text(table: Table) -> str:
    """Aligned columns under a line of groups and a line of names."""
    groups = [group for group, _ in table.columns]
    firsts = [group if group != before else "" for group, before in zip(groups, ["", *groups], strict=False)]
    lines = [[name for _, name in table.columns], *table.rows]
    lines = [firsts, *lines] if any(groups) else lines
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    body = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([table.title, "", *body, "", *table.notes]).rstrip() + "\n"


def markdown(table: Table) -> str:
    """The table as GitHub Markdown, its notes as a list below."""
    heads = [f"{group} {name}".strip() for group, name in table.columns]
    lines = [heads, ["---"] * len(heads), *table.rows]
    body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    notes = [f"- {note}" for note in table.notes]
    return "\n".join([f"### {table.title}", "", *body, "", *notes]).rstrip() + "\n"


FORMATS: dict[str, Callable[[Sequence[Table]], str]] = {
    "txt": lambda tables: "\n".join(map(text, tables)),
    "md": lambda tables: "\n".join(map(markdown, tables)),
    "csv": lambda tables: pd.concat([table.data for table in tables]).to_csv(index=False),
}
