"""What recording costs: measured and stored, reported, and in numbers worked out by hand."""

from pathlib import Path

import pandas as pd
import pytest

from experiments.analysis.recording_cost import overhead
from experiments.report import __main__ as report
from experiments.sweep import recording_cost


def test_the_cost_is_of_pairs_however_fast_the_machine_is() -> None:
    unrecorded_s = pd.Series([1.0, 2.0, 4.0])
    pairs = pd.DataFrame({"saving": True, "unrecorded_s": unrecorded_s, "recorded_s": 1.02 * unrecorded_s})
    [row] = overhead(pairs).to_dict("records")
    assert (row["pairs"], row["task_s"]) == (3, pytest.approx(2.0)), "the geometric mean"
    assert [row["low"], row["cost"], row["high"]] == pytest.approx([0.02] * 3)
    assert row["cost_s"] == pytest.approx(0.04)


def test_one_pair_is_too_few(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        recording_cost.main(["--pairs", "1"])
    assert "--pairs 1: must be 2 or more" in capsys.readouterr().err


@pytest.mark.slow
def test_pairs_are_measured_stored_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording_cost.main(["--pairs", "2", "--results", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        report.main(["--results", str(tmp_path), "--experiment", "overhead"])
    assert ended.value.code == 0
    assert "Recording on light, 500x500 pixels" in capsys.readouterr().out
    data = pd.read_csv(tmp_path / "tables" / "overhead" / "table.csv")
    assert list(data["saving"]) == [True, False]
    assert (data["task_s"] > 0).all()
