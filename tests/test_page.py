"""The page: one file from parquet alone, as text and in a real browser."""

import base64
import html
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from experiments import ROOT
from experiments.report.__main__ import main
from experiments.report.sections import sections
from experiments.store.columns import TABLES
from tests.helpers.stored_results import stored
from tests.helpers.task_rows import cell, copies
from tests.helpers.trial_rows import trial

pytestmark = pytest.mark.once
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
HEADINGS = re.compile(r"<h2>([^<]+)</h2>")
REFERENCE = ROOT / "results" / "reference" / "amd-epyc-2cpus"
MOST_BYTES, MOST_PRINTED_PAGES = 1_000_000, 12  # of the reference


def built(folder: Path) -> str:
    with pytest.raises(SystemExit) as end:
        main(["--page", "--results", str(folder)])
    assert not end.value.code
    return (folder / "report" / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    odd = trial("p2", 4, 3.0, error="a" * 300, warnings="w" * 300, command="python run.py " + "x" * 300)
    stored(folder, cell("sequential", 1), cell("p1", 2), cell("p2", 2), copies(2), trials=[odd])
    return folder


@pytest.fixture(scope="module")
def page(results: Path) -> str:
    return built(results)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of the reference results."""
    folder = tmp_path_factory.mktemp("reference")
    for table in TABLES:
        (folder / table).symlink_to(REFERENCE / table)
    built(folder)
    return folder / "report" / "index.html"


def test_page_holds_all_that_it_needs(page: str) -> None:
    addresses = re.findall(r"""(?:src|href|action|data)\s*=\s*["']([^"']*)""", page)
    addresses += re.findall(r"url\(([^)]*)", page)
    assert addresses
    assert {address.partition(":")[0].partition("#")[0] for address in addresses} <= {"data", ""}
    assert "default-src 'none'" in page
    assert "@import" not in page


def test_heads_of_tables_hold_no_buttons_which_chromium_prints_once(page: str) -> None:
    assert "<th" in page
    assert "<button" not in page


def test_chapters_show_what_was_measured_in_the_order_of_sections(page: str) -> None:
    headings = HEADINGS.findall(page)
    places = [section.chapter for section in sections()]
    named = [heading for heading in headings if heading in places]
    assert named == sorted(named, key=places.index)
    assert named[:2] == ["Where the time goes", "Strong scaling"]
    assert headings[-1] == "How to reproduce"
    assert "Weak scaling" not in headings, "not measured"


def test_first_screen_says_what_to_run_how_fast_how_sure_and_where_it_was_measured(reference: Path) -> None:
    text = html.unescape(reference.read_text(encoding="utf-8")).replace("\xa0", " ")
    first, _, rest = text.partition("<nav")
    screen = (REFERENCE / "commands" / "advise.txt").read_text(encoding="utf-8")
    newest = pd.read_parquet(REFERENCE / "trials" / "advise").sort_values("started_at").iloc[-1]
    expected = {
        *(*re.findall("^Run +(.*)", screen, re.MULTILINE), "augmented images per second"),
        *("with 95 % confidence", "What stops it", "of memory, the peaks", "2 CPUs"),
        *(f"commit {newest['git_commit'][:7]}", f"{newest['started_at']:%Y-%m-%d}"),
    }
    assert [words for words in expected if words not in first] == []
    assert 'aria-label="The search: images per second' in first, "the chart"
    assert "Recommendation" not in HEADINGS.findall(rest), "it stands once"


def test_note_stands_once_in_a_chapter(reference: Path) -> None:
    text = reference.read_text(encoding="utf-8")
    assert text.count("what stops it <a") == 2
    assert text.count("<li>Proved: ") == 1


def test_page_of_the_reference_is_small(reference: Path) -> None:
    assert reference.stat().st_size < MOST_BYTES


def test_charts_have_words_and_tables_their_numbers(page: str) -> None:
    charts = page.count('<figure class="chart">')
    assert charts == 3
    assert len(re.findall(r'role="img" aria-label="[^"]{20,}"', page)) == charts
    assert page.count('download="') >= charts + page.count('<figure class="table">')


def test_names_of_the_user_are_text(tmp_path: Path) -> None:
    error = "<script>alert(1)</script>"
    stored(tmp_path, cell("sequential", 1), trials=[trial("p2", 2, 1.0, warnings=error, command=error)])
    assert error not in built(tmp_path)


def test_same_results_make_the_same_page(results: Path, page: str) -> None:
    assert built(results) == page


def test_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no results yet"):
        main(["--page", "--results", str(tmp_path)])


def test_environment_stands_once_and_names_what_differs_between_experiments(tmp_path: Path) -> None:
    for experiment, processor in (("adhoc", "one processor"), ("mine", "another")):
        environment = json.dumps({"CPU": processor, "memory": "8 GiB"})
        stored(tmp_path, trials=[trial("p2", 2, 1.0, experiment=experiment, environment=environment)])
    text = built(tmp_path)
    assert text.count("<figcaption>Experimental environment ") == 1
    rows = re.findall(r"<tr><td>(.*)</td><td>(.*)</td><td>(.*)</td></tr>", text)
    expected = {("CPU", "one processor", "adhoc"), ("CPU", "another", "mine"), ("memory", "8 GiB", "all")}
    assert expected <= {*rows}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not (CHROMIUM and DRIVER):
        reason = "no chromium and chromedriver here: apt-get install chromium chromium-driver"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def address(results: Path, page: str) -> str:
    """Return the address of the page for a browser."""
    return (results / "report" / "index.html").as_uri()


def test_page_opens_without_an_error_or_a_request(browser: Any, address: str) -> None:
    browser.get_log("performance")
    browser.get(address)
    assert browser.get_log("browser") == []
    sent = [entry["message"] for entry in browser.get_log("performance")]
    requests = [each for each in sent if '"Network.requestWillBeSent"' in each]
    assert [each for each in requests if address not in each and '"url":"data:' not in each] == []


def test_click_on_a_head_sorts_by_its_numbers_and_another_reverses(browser: Any, address: str) -> None:
    browser.get(address)
    tables = browser.find_elements(By.CSS_SELECTOR, "figure.table table")
    table = next(each for each in tables if "images/s" in each.text and "time (s)" in each.text)
    heads = [head.text for head in table.find_elements(By.TAG_NAME, "th")]
    at = heads.index("time (s)")

    def seconds() -> list[float]:
        rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
        texts = [row.find_elements(By.TAG_NAME, "td")[at].text for row in rows]
        return [float(text.split()[0]) for text in texts if text[0].isdigit()]

    assert seconds() != sorted(seconds())
    for order in ("ascending", "descending"):
        button = table.find_elements(By.CSS_SELECTOR, "th [role=button]")[at]
        browser.execute_script("arguments[0].click()", button)
        assert seconds() == sorted(seconds(), reverse=order == "descending")
        assert table.find_elements(By.TAG_NAME, "th")[at].get_attribute("aria-sort") == order


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_no_wider_than_a_phone(browser: Any, address: str, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.get(address)
    for details in browser.find_elements(By.TAG_NAME, "details"):
        browser.execute_script("arguments[0].open = true", details)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_text_of_charts_differs_from_light_and_dark_ground(browser: Any, address: str) -> None:
    colours = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get(address)
        script = "const s = getComputedStyle(document.querySelector('.chart text')); return s.fill"
        colours.append(browser.execute_script(script))
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert colours[-1] != ground
    assert colours[0] != colours[1]


def test_print_opens_what_is_folded_but_for_the_longest_lists(browser: Any, address: str) -> None:
    browser.get(address)
    script = "return getComputedStyle(arguments[0], '::details-content').contentVisibility"
    for medium, expected in (("screen", {"hidden"}), ("print", {"visible"})):
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium})
        folds = browser.find_elements(By.CSS_SELECTOR, "details:not([open]):not(.data)")
        assert {browser.execute_script(script, fold) for fold in folds} == expected
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_printed_reference_is_short(browser: Any, reference: Path) -> None:
    browser.get(reference.as_uri())
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"]
    pages = len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(printed)))
    assert 0 < pages <= MOST_PRINTED_PAGES


def test_letters_of_charts_can_be_read_on_a_phone(browser: Any, reference: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.get(reference.as_uri())
    script = """return [...document.querySelectorAll('.chart text')].map(text => {
      const svg = text.closest('svg'), scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      return parseFloat(getComputedStyle(text).fontSize) * scale;
    })"""
    assert round(min(browser.execute_script(script)), 2) >= 9
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
