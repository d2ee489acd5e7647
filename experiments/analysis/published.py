"""The published study's printed tables in the shape of trials, and the figures that contradict its seconds.

Source: T. Botarelli, "Image Augmentation with Python Multiprocessing", Università degli Studi di Firenze,
23/04/2025. Its raw seconds are right; twelve printed speedups are not.
"""

import math
from functools import cache
from pathlib import Path

import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis import scaling
from experiments.analysis.scaling import Models, strong, weak
from experiments.analysis.select import STRONG, WEAK
from experiments.store.columns import NOT_APPLICABLE, OK
from experiments.store.files import PUBLISHED, read_published

POINTS = {"strong_scaling": (strong, STRONG), "weak_scaling": (weak, WEAK)}
REPETITIONS = 2  # each printed time is the mean of two executions; neither is printed
TASKS = 1000  # of each execution: 100 augmentations of each of 10 images
SECONDS_DIGIT = 0.01
PRINTED = (  # quantity, column of the printed figure, its unit, its last digit
    ("speedup", "printed_speedup", 1.0, 0.01),
    ("efficiency", "printed_efficiency_percent", 0.01, 0.01),
)
SLIP_COLUMNS = ["experiment", *STRONG, "quantity", "printed", "right"]


def trials(experiment: str, folder: Path = PUBLISHED) -> pd.DataFrame:
    """Return the printed seconds of `strong_scaling` or `weak_scaling` in the columns that `scaling` reads.

    P_Q without saving, a dash in the study, is `not_applicable`.
    """
    printed = read_published(experiment, folder).assign(sweep="published", round=0, tasks=TASKS)
    return printed.assign(status=printed["wall_s"].isna().map({False: OK, True: NOT_APPLICABLE}))


@cache
def points(experiment: str) -> pd.DataFrame:
    """Return the points of the printed seconds; their intervals, which are not printed, are NaN."""
    measured = POINTS[experiment][0](trials(experiment))
    return measured.assign(repetitions=measured["repetitions"] * REPETITIONS)


def models(experiment: str) -> Models:
    """Return the fits to the printed seconds, without errors, because each is printed once."""
    return scaling.models(trials(experiment), POINTS[experiment][1])


def slips(folder: Path = PUBLISHED) -> pd.DataFrame:
    """Return the printed speedups and efficiencies that contradict the printed seconds, and the right ones.

    A printed number stands for a range of half a last digit to either side, so that neither direction of
    rounding is assumed: 5.69 for 82.07 s / 14.41 s = 5.695 is no slip. A slip is a figure whose range does
    not meet the range that T(1) and T(P) allow.
    """
    rows = []
    for experiment, (points_of, key) in POINTS.items():
        printed = trials(experiment, folder)
        base_s = printed[printed["strategy"] == Sequential.name].set_index("saving")["wall_s"]
        recomputed = points_of(printed).drop(columns=["status", "wall_s"])
        for row in printed.merge(recomputed, on=list(key)).to_dict("records"):
            slack = SECONDS_DIGIT / 2 * (1 / base_s[row["saving"]] + 1 / row["wall_s"])
            for quantity, column, unit, digit in PRINTED:
                shown, right = row.get(column, math.nan) * unit, row.get(quantity, math.nan)
                if abs(shown - right) > digit / 2 + right * slack:
                    rows.append([experiment, *(row[name] for name in STRONG), quantity, shown, right])
    return pd.DataFrame(rows, columns=SLIP_COLUMNS)
