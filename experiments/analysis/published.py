"""The published study's printed tables in the shape of trials.

Source: T. Botarelli, "Image Augmentation with Python Multiprocessing", Università degli Studi di Firenze,
23/04/2025. Its seconds are right; docs/concepts.md corrects twelve printed speedups.
"""

from functools import cache

import pandas as pd

from experiments.analysis.scaling import strong, weak
from experiments.analysis.select import STRONG, WEAK
from experiments.store.columns import NOT_APPLICABLE, OK
from experiments.store.files import PUBLISHED

POINTS = {"strong_scaling": (strong, STRONG), "weak_scaling": (weak, WEAK)}
TASKS = 1000  # of each execution: 100 augmentations of each of 10 images


def trials(experiment: str) -> pd.DataFrame:
    """Return the printed seconds of an experiment as trials; a dash, P_Q not saving, is `not_applicable`."""
    printed = pd.read_csv(PUBLISHED / f"{experiment}.csv").assign(sweep="published", round=0, tasks=TASKS)
    return printed.assign(status=printed["wall_s"].isna().map({False: OK, True: NOT_APPLICABLE}))


@cache
def points(experiment: str) -> pd.DataFrame:
    """Return the points of the printed seconds; their intervals, which are not printed, are NaN."""
    return POINTS[experiment][0](trials(experiment))
