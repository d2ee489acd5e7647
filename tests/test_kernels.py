"""The tests of analysis, advise and report on other processors, whose sums differ in the last bit of a float.

OpenBLAS and NumPy choose their loops by the processor, and let the environment choose older ones."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import ROOT

KERNELS = {"Prescott": "pni", "Sandybridge": "avx", "Haswell": "avx2", "SkylakeX": "avx512vl"}  # and its flag
ANALYSES = re.compile(r"^from experiments\.(analysis|advise|report)\b", re.M)
MEASURES = r"from (experiments\.(sweep|trial)|tests\.helpers\.(commands|small_jobs))\b"
LEFT_OUT = re.compile(rf"^({MEASURES}|pytestmark = pytest.mark.once)", re.M)


def processors() -> list[dict[str, str]]:
    """Return the environment of the two oldest kernels, the first without NumPy's features.

    The newest that runs here is the one that OpenBLAS chooses, under which all tests run anyway."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    kernels = [{"OPENBLAS_CORETYPE": name} for name, flag in KERNELS.items() if flag in flags]
    first, *others = kernels[:-1][:2] or [{}]
    config: Any = np.show_config(mode="dicts")
    features = " ".join(config["SIMD Extensions"].get("found", ()))
    return [first | {"NPY_DISABLE_CPU_FEATURES": features}, *others]


def modules() -> list[str]:
    """Return the modules of analysis, advise and report that start no trial and are not marked `once`."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("tests/test_*.py"))}
    return [str(path) for path, text in texts.items() if ANALYSES.search(text) and not LEFT_OUT.search(text)]


@pytest.mark.parametrize(
    "processor", processors(), ids=lambda each: each.get("OPENBLAS_CORETYPE", "no features")
)
def test_no_choice_verdict_or_digit_hangs_on_the_last_bit(processor: dict[str, str]) -> None:
    usual = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    options = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-profile", "few"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-m", "not slow and not once", *modules()],
        cwd=ROOT,
        env=usual | {"OPENBLAS_NUM_THREADS": "1"} | processor,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
