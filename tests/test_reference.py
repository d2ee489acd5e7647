"""The reference run: every committed table and chart follows from the committed rows."""

import re
from contextlib import suppress
from pathlib import Path

import pytest

from experiments import DATA, ROOT
from experiments.analysis.select import NoTrialsError
from experiments.calibration.__main__ import read_cases
from experiments.calibration.confusion import confusion_table
from experiments.report.results import Results
from experiments.report.sections import FOLDER, reportable, sections_of
from tests.helpers.stored_results import shown
from tests.pages import PAGES, QUOTATION, REFERENCE, advise_screen, filled

EXPERIMENTS = [FOLDER, *reportable(REFERENCE)]
CODE = re.compile(r"^```.*?^```$|`[^`]+`", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"(?<!Python )(?<![\d.])\d[\d,]*\.\d+|\d[\d,.]*(?: %)? \([^()]*\d[–-][^()]*\)|\d+ of \d+")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_committed_tables_are_those_of_the_committed_rows(experiment: str) -> None:
    results = Results(REFERENCE, experiment)
    texts: dict[str, str] = {}
    for section in sections_of(experiment):
        with suppress(NoTrialsError):
            tables, _ = shown(results, section.name)
            texts |= {f"{stem}.md": content.markdown() for stem, content in tables.items()}
    committed = (REFERENCE / "tables" / experiment).glob("*.md")
    assert texts == {path.name: path.read_text(encoding="utf-8") for path in committed}, "make reference"


def test_committed_calibration_is_that_of_the_committed_cases() -> None:
    table = confusion_table(read_cases(REFERENCE / "calibration" / "cases.csv"))
    assert table.markdown() == (REFERENCE / "calibration" / "table.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_page_quotes_the_reference_as_it_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == filled(text), "make reference"


def test_quotation_of_words_holds_the_head_and_the_rows_with_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.pages.REFERENCE", tmp_path)
    (tmp_path / "table.md").write_text(
        "### Title\n\n| a | b |\n|---|---|\n| x | 1 |\n| x | 2 |\n\n- A note.\n"
    )
    whole, row = "<!-- reference: table.md -->\n", "<!-- reference: table.md x \\b2 -->\n"
    assert filled(f"{whole}old<!-- end -->").count("\n") == 9
    assert filled(f"{row}<!-- end -->") == f"{row}\n| a | b |\n|---|---|\n| x | 2 |\n\n<!-- end -->"
    with pytest.raises(ValueError, match="no line with x 3"):
        filled("<!-- reference: table.md x 3 -->\n<!-- end -->")


def test_every_quoted_command_is_listed_beside_the_kept_outputs() -> None:
    quoted = {name for page in PAGES for _, name, *_ in QUOTATION.findall(page.read_text(encoding="utf-8"))}
    listed = (REFERENCE / "commands" / "README.md").read_text(encoding="utf-8")
    commands = {name.removeprefix("commands/") for name in quoted if name.startswith("commands/")}
    assert [name for name in commands if f"| `{name}` |" not in listed] == []


def test_kept_screen_of_advise_is_that_of_the_committed_rows() -> None:
    screen = (REFERENCE / "commands" / "advise.txt").read_text(encoding="utf-8")
    assert screen == advise_screen(), "make reference"


@pytest.mark.parametrize("name", ["README.md", "docs/concepts.md", "docs/study.md"])
def test_figure_in_the_prose_of_a_page_stands_in_the_reference_or_the_published_study(name: str) -> None:
    """Find each decimal, interval and count outside of quotations and code.

    Other pages have figures of other origin: examples, defaults, and what was measured once.
    """
    files = [*REFERENCE.glob("**/*.md"), *REFERENCE.glob("**/*.txt"), *(DATA / "results/published").glob("*")]
    known = " ".join(file.read_text(encoding="utf-8") for file in files)
    prose = CODE.sub("", QUOTATION.sub("", (ROOT / name).read_text(encoding="utf-8")))
    figures = {" ".join(figure.split()) for figure in FIGURE.findall(prose)}
    pattern = r"(?<![\d.]){}0*(?![\d.])"
    assert [
        each for each in figures if not re.search(pattern.format(re.escape(each.rstrip("0"))), known)
    ] == []


def test_folder_of_figures_holds_what_pages_show_and_nothing_else() -> None:
    images = {
        (page.parent / address).resolve()
        for page in PAGES
        for address in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    }
    assert images == {path.resolve() for path in (ROOT / "docs" / "figures").rglob("*.png")}
