"""The page in a real browser: no error, no request, tables that sort, nothing wider than a phone."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from experiments.report.page import main
from tests.helpers.stored_results import stored
from tests.helpers.task_rows import cell, copies
from tests.helpers.trial_rows import trial

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.once
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}


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


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    odd = trial("p2", 4, 3.0, error="a" * 300, warnings="w" * 300, command="python run.py " + "x" * 300)
    stored(folder, cell("sequential", 1), cell("p1", 2), cell("p2", 2), copies(2), trials=[odd])
    main(["--results", str(folder)])
    return folder / "report" / "index.html"


def test_it_opens_without_an_error_or_a_request(browser: Any, page: Path) -> None:
    browser.get_log("performance")
    browser.get(page.as_uri())
    assert browser.get_log("browser") == []
    sent = [entry["message"] for entry in browser.get_log("performance")]
    requests = [each for each in sent if '"Network.requestWillBeSent"' in each]
    assert [each for each in requests if page.as_uri() not in each and '"url":"data:' not in each] == []


def test_a_click_on_a_head_sorts_by_its_numbers_and_another_turns_it_round(browser: Any, page: Path) -> None:
    browser.get(page.as_uri())
    table = next(
        each
        for each in browser.find_elements(By.CSS_SELECTOR, "figure.table table")
        if "speedup" in each.text
    )
    heads = [head.text for head in table.find_elements(By.TAG_NAME, "th")]
    at = heads.index("time (s)")

    def seconds() -> list[float]:
        rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
        texts = [row.find_elements(By.TAG_NAME, "td")[at].text for row in rows]
        return [float(text.split()[0]) for text in texts if text[0].isdigit()]

    assert seconds() != sorted(seconds())
    for order in ("ascending", "descending"):
        button = table.find_elements(By.CSS_SELECTOR, "th button")[at]
        browser.execute_script("arguments[0].click()", button)
        assert seconds() == sorted(seconds(), reverse=order == "descending")
        assert table.find_elements(By.TAG_NAME, "th")[at].get_attribute("aria-sort") == order


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(browser: Any, page: Path, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.get(page.as_uri())
    for details in browser.find_elements(By.TAG_NAME, "details"):
        browser.execute_script("arguments[0].open = true", details)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_text_is_legible_on_either_ground(browser: Any, page: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get(page.as_uri())
        script = "const s = getComputedStyle(document.querySelector('.chart text')); return s.fill"
        colours.append(browser.execute_script(script))
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert colours[-1] != ground
    assert colours[0] != colours[1]
