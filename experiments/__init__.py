"""Measures `augment`: composes cells, times them in fresh processes, stores and reports."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # the checkout
