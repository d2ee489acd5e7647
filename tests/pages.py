"""The quotations of README and docs, which `make reference` fills from the reference run.

A quotation stands between `<!-- reference: FILE WORDS -->` and `<!-- end -->`. It is a file of the reference
without its title, or the lines in which each of the WORDS, regular expressions, is found.
"""

import re

from experiments import ROOT
from experiments.report.results import Results
from tests.helpers.stored_results import shown

REFERENCE = ROOT / "results" / "reference" / "amd-epyc-2cpus"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
QUOTATION = re.compile(r"(<!-- reference: (\S+)(.*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def advise_screen() -> str:
    """Return the answer of advise as the command prints it."""
    return shown(Results(REFERENCE, "advise"), "recommendation").tables["recommendation"].text()


def filled(page: str) -> str:
    """Return the text of a page with every quotation as the reference has it."""
    return QUOTATION.sub(_quote, page)


def _quote(quotation: re.Match[str]) -> str:
    """Return a quotation anew; that of a command whose output is not kept yet stays as it is."""
    begin, name, words, end = quotation.groups()
    file = REFERENCE / name
    if not file.exists() and file.parent.name == "commands":
        return quotation[0]
    lines = [line.rstrip() for line in file.read_text(encoding="utf-8").splitlines() if line[:4] != "### "]
    kept = [line for line in lines if all(re.search(word, line) for word in words.split())]
    if words and any(line[:1] == "|" for line in kept):
        head = [line for line in lines if line[:1] == "|"][:2]
        kept = head + [line for line in kept if line not in head]
    if not kept:
        raise ValueError(f"{file}: no line with{words}")
    text = "\n".join(kept).strip()
    is_markdown = text.startswith(("|", "- "))
    return f"{begin}\n{text}\n\n{end}" if is_markdown else f"{begin}\n```\n{text}\n```\n\n{end}"


if __name__ == "__main__":
    (REFERENCE / "commands" / "advise.txt").write_text(advise_screen(), encoding="utf-8")
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
