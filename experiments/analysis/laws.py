"""Two laws of scaling fitted to speedups: what each says of a serial part and of a peak.

    Amdahl 1967:        1 / S = 1 / P + s (1 - 1 / P)
    USL, Gunther 1993:  1 / S = 1 / P + sigma (1 - 1 / P) + kappa (P - 1)

In 1 / S both are linear in parameters that are never negative, so least squares has a single minimum.
Residuals are relative, because in seconds the smallest worker counts would outweigh all others. A fit
describes the means of a curve; no interval tells how far another curve of the machine would differ.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from experiments.analysis.scaling import strong
from experiments.analysis.statistics import Array

QUANTITIES = [
    *("Amdahl_s", "Amdahl_off_by"),
    *("USL_sigma", "USL_kappa", "USL_peak_workers", "USL_peak_speedup", "USL_off_by"),
]


def fit(workers: Array, speedup: Array) -> dict[str, float]:
    """Return QUANTITIES for speedups at worker counts above 1; `off_by` is the rms of relative residuals."""
    terms, missing = np.array([1 - 1 / workers, workers - 1]).T * speedup[:, None], 1 - speedup / workers
    (serial,), amdahl_norm = nnls(terms[:, :1], missing)
    (sigma, kappa), usl_norm = nnls(terms, missing)
    rise, fall = np.sqrt(max(1 - sigma, 0)), np.sqrt(kappa)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0: neither a rise nor a fall
        peak = np.fmax(rise / fall, 1), 1 / (1 - max(rise - fall, 0) ** 2)
    off_by = np.array([amdahl_norm, usl_norm]) / np.sqrt(len(workers))
    return dict(zip(QUANTITIES, map(float, (serial, off_by[0], sigma, kappa, *peak, off_by[1])), strict=True))


def fit_laws(trials: pd.DataFrame) -> pd.DataFrame:
    """Return a row of QUANTITIES for each parallel strategy, and the `workers` that were fitted."""
    points = strong(trials)
    curves = points[points["workers"] > 1].dropna(subset="speedup")
    groups: Any = curves.sort_values("workers").groupby(["saving", "strategy"])
    rows = [
        {"saving": saving, "strategy": strategy, "workers": ", ".join(curve["workers"].astype(str))}
        | fit(curve["workers"].to_numpy(float), curve["speedup"].to_numpy(float))
        for (saving, strategy), curve in groups
    ]
    return pd.DataFrame(rows)
