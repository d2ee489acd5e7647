"""What a policy gives back, from pairs measured in the same round of a sweep."""

from datetime import timedelta
from typing import Any

import pytest

from experiments.analysis.ablation import comparable, recovered
from experiments.analysis.scaling import NoTrialsError
from experiments.records.schema import FAILED
from tests.frames import BEGIN, Row, frame, repeated, trial


def rounds(
    ablation: str, walls_s: list[float], strategy: str = "p2", workers: int = 2, **changes: Any
) -> list[Row]:
    return repeated(strategy, workers, *walls_s, ablation=ablation, **changes)


def sequential(*walls_s: float, ablation: str = "none", **changes: Any) -> list[Row]:
    return rounds(ablation, list(walls_s), "sequential", 1, **changes)


def test_gains_are_paired_by_round_so_that_drift_cancels() -> None:
    drifting = [1.0, 1.5, 2.0, 1.2]
    trials = frame(rounds("none", drifting) + rounds("allocator", [wall_s / 2 for wall_s in drifting]))
    [row] = recovered(trials).to_dict("records")
    interval = [row[f"time_recovered{end}"] for end in ("", "_low", "_high")]
    assert interval == pytest.approx([0.5, 0.5, 0.5])
    assert row["rounds"] == 4


def test_efficiency_recovered_is_the_paired_difference_against_the_untouched_sequential_time() -> None:
    trials = frame(
        # what a policy does to the sequential time changes nothing
        sequential(8.0, 9.0, 6.0)
        + sequential(1.0, 1.0, 1.0, ablation="allocator")
        + rounds("none", [8.0, 9.0, 10.0])  # efficiencies 0.5, 0.5, 0.3
        + rounds("allocator", [5.0, 5.0, 5.0])  # 0.8, 0.9, 0.6
    )
    [row] = recovered(trials).to_dict("records")
    assert row["efficiency_without"] == pytest.approx(1.3 / 3)
    assert row["efficiency_with"] == pytest.approx(2.3 / 3)
    # differences 0.3, 0.4, 0.3: standard error 1/30, t for two degrees of freedom 4.30265
    interval = [row[f"efficiency_recovered{end}"] for end in ("", "_low", "_high")]
    assert interval == pytest.approx([1 / 3, 1 / 3 - 4.30265 / 30, 1 / 3 + 4.30265 / 30], abs=1e-6)


def test_a_baseline_of_another_workload_is_no_reference() -> None:
    others = sequential(8.0, 8.0, saving=False) + sequential(8.0, 8.0, pipeline="light")
    data = recovered(frame([*others, *rounds("none", [8.0, 9.0]), *rounds("tmpfs", [4.0, 4.5])]))
    assert data.filter(like="efficiency").isna().all(axis=None)


def test_rows_are_ranked_by_efficiency_recovered_across_points() -> None:
    trials = frame(
        sequential(16.0, 16.0)
        + rounds("none", [10.0, 10.0])  # 0.8
        + rounds("tmpfs", [8.0, 8.0])  # 1.0
        + rounds("none", [16.0, 16.0], workers=8)  # 0.125
        + rounds("spawn", [8.0, 8.0], workers=8)  # 0.25: more of the time, less of the efficiency
    )
    data = recovered(trials)
    assert list(data["ablation"]) == ["tmpfs", "spawn"]
    assert list(data["efficiency_recovered"]) == pytest.approx([0.2, 0.125])
    assert list(data["time_recovered"]) == pytest.approx([0.2, 0.5])


def test_without_a_baseline_the_time_ranks_and_the_interval_of_noise_holds_nothing() -> None:
    none = [1.0, 1.0, 1.0, 1.0]
    trials = frame(
        rounds("none", none)
        + rounds("tmpfs", [0.9, 1.1, 1.0, 1.02])
        + rounds("allocator", [0.5, 0.51, 0.5, 0.49])
    )
    data = recovered(trials)
    assert list(data["ablation"]) == ["allocator", "tmpfs"]
    assert data.filter(like="efficiency").isna().all(axis=None)
    allocator, tmpfs = data.to_dict("records")
    assert allocator["time_recovered_low"] > 0
    assert tmpfs["time_recovered_low"] < 0 < tmpfs["time_recovered_high"]


def test_one_round_has_no_interval() -> None:
    trials = frame([*sequential(8.0), *rounds("none", [8.0]), *rounds("tmpfs", [5.0])])
    [row] = recovered(trials).to_dict("records")
    numbers = [row[name] for name in ("efficiency_without", "efficiency_with", "time_recovered")]
    assert numbers == pytest.approx([0.5, 0.8, 0.375])
    assert all(
        row[f"{name}_low"] != row[f"{name}_low"] for name in ("efficiency_recovered", "time_recovered")
    )


def test_pairs_are_of_one_sweep_and_the_baseline_of_a_round_is_the_mean_of_its_trials() -> None:
    other: dict[str, Any] = {"sweep": "other"}
    baseline = [*sequential(7.0, round=0), *sequential(9.0, round=0), *sequential(80.0, **other)]
    trials = frame(
        [*baseline, *rounds("none", [8.0]), *rounds("tmpfs", [4.0]), *rounds("tmpfs", [1.0], **other)]
    )
    [row] = recovered(trials).to_dict("records")
    assert (row["rounds"], row["efficiency_without"]) == (1, 0.5)
    assert row["time_recovered"] == pytest.approx(0.5)


def test_a_round_that_lacks_one_of_both_is_left_out() -> None:
    failed = trial("p2", 2, None, ablation="tmpfs", round=2, status=FAILED)
    trials = frame([*rounds("none", [8.0, 8.0, 80.0]), *rounds("tmpfs", [4.0, 4.0]), failed])
    [row] = recovered(trials).to_dict("records")
    assert (row["rounds"], row["time_recovered"]) == (2, pytest.approx(0.5))


@pytest.mark.parametrize(
    "trials",
    [
        rounds("allocator", [1.0]),
        rounds("none", [1.0]),
        [*rounds("none", [1.0]), trial("p2", 2, 1.0, ablation="allocator", round=1)],
        [trial("p2", 2, None, ablation="none", status=FAILED)],
    ],
    ids=["none untouched", "no ablation", "no round with both", "all failed"],
)
def test_without_a_pair_there_is_nothing_to_say(trials: list[Row]) -> None:
    with pytest.raises(NoTrialsError, match="ablation=none"):
        recovered(frame(trials))


def test_every_pipeline_and_ablation_is_kept_as_it_was_declared_last() -> None:
    later: dict[str, Any] = {"started_at": BEGIN + timedelta(hours=1)}
    changed = {"runtime": "new", **later}
    light: dict[str, Any] = {"pipeline": "light", "pipeline_digest": "light"}
    rows = [
        *rounds("none", [8.0], **light),
        *rounds("spawn", [4.0], **light, runtime="spawn"),
        *rounds("none", [9.0], pipeline_digest="old"),
        *rounds("none", [3.0], **later),
        *rounds("tmpfs", [2.0], output_file_system="tmpfs /tmp", strategy_options='{"chunk": 1}'),
        *rounds("tmpfs", [2.0], output_file_system="tmpfs /dev/shm", **changed),
        *rounds("tmpfs", [1.0], output_file_system="tmpfs /dev/shm", **changed),
    ]
    kept, notes = comparable(frame(rows))
    assert set(kept["trial_id"]) == {rows[place]["trial_id"] for place in (0, 1, 3, 5, 6)}
    assert notes == [
        "1 trial left out, unlike the newest in pipeline_digest",
        "1 trial left out, unlike the newest in runtime",
    ]


def test_an_ablation_measured_with_other_code_is_left_out() -> None:
    old = rounds("tmpfs", [4.0], code_digest="old")
    new = rounds("none", [8.0], started_at=BEGIN + timedelta(hours=1))
    kept, notes = comparable(frame([*old, *new]))
    assert list(kept["ablation"]) == ["none"]
    assert notes == ["1 trial left out, unlike the newest in code_digest"]


def test_no_trials_are_an_error_of_one_line() -> None:
    with pytest.raises(NoTrialsError, match="no trials to report"):
        comparable(frame(rounds("none", [8.0])).iloc[:0])
