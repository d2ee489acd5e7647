"""The measuring of `augment`: cells are composed, timed in fresh processes, stored and reported."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # the checkout
