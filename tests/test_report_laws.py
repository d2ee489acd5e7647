"""The fitted laws as a table."""

from pathlib import Path

import pytest

from experiments.analysis import published
from experiments.analysis.laws import fit_laws
from experiments.analysis.select import NoTrialsError
from experiments.report.sections.scaling import laws_table
from tests.helpers.stored_results import shown, stored
from tests.helpers.trial_rows import trial

BASE = trial("sequential", 1, 10.0)
TIMES = {2: 5.5, 3: 4.0, 4: 3.25, 6: 2.5, 8: 2.125, 16: 5.0}  # Amdahl with s = 0.1 on 8 CPUs, then a collapse


def test_table_has_a_row_per_strategy() -> None:
    table = laws_table(fit_laws(published.trials("strong_scaling")), "Published")
    assert len(table.rows) == 5  # P_Q has no laws without saving
    assert [head.replace("\n", " ") for head in table.columns[3:]] == [
        *("Amdahl s", "Amdahl off by"),
        *("USL sigma", "USL kappa", "USL peak workers", "USL peak speedup", "USL off by"),
    ]
    assert table.rows[0][:3] == ["yes", "P_1", "2, 4, 8, 16, 32, 64"]


@pytest.mark.parametrize("cpus", [4, 8])
def test_laws_are_fitted_to_five_counts_within_the_cpus(cpus: int, tmp_path: Path) -> None:
    rows = [BASE, *(trial("p1", workers, wall_s) for workers, wall_s in TIMES.items())]
    results = stored(tmp_path, trials=[row | {"usable_cpus": cpus} for row in rows])
    if cpus < 8:
        with pytest.raises(NoTrialsError, match="a law needs 5 worker counts from 2 to the 4 usable CPUs"):
            shown(results, "laws")
    else:
        [row] = shown(results, "laws").tables["laws"].rows
        assert row[1:5] == ["P_1", "2, 3, 4, 6, 8", "0.100", "0 %"]
