"""The measuring of `augment`: cells are composed, timed in fresh processes, stored and reported."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # the checkout, or site-packages
_of_wheel = Path(__file__).resolve().with_name("data")
DATA = _of_wheel if _of_wheel.is_dir() else ROOT  # holds conf/ and results/published/
COMMAND = "python run.py" if DATA == ROOT else "augmentation-scaling"
