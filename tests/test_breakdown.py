"""The time breakdown and its suspects, against numbers worked out by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analysis import causes
from experiments.analysis.breakdown import PARTS, BreakdownError, breakdowns
from experiments.analysis.costs import visits
from experiments.store.columns import FAILED
from tests.helpers.stored_results import Shown, shown, stored
from tests.helpers.task_rows import Cells, Cost, InMemory, cell, frames
from tests.helpers.trial_rows import Row, trial

ONCE = (1.0,)
REFERENCE = cell("sequential", 1, Cost(user_s=0.08, system_s=0.02, faults=10), scales=ONCE)
# Worker 0 has 8 tasks of 0.16 s from 0.5 s on with gaps of 0.01 s, worker 1 four; T ends 0.2 s later.
BUSY = Cost(user_s=0.1, system_s=0.03, wait_s=0.02, blocked_s=0.01, faults=15)
DEALT: dict[str, Any] = {"deal": [0] * 8 + [1] * 4, "startup_s": 0.5, "gap_s": 0.01, "drain_s": 0.2}
HERE = cell("p1", 2, BUSY, **DEALT, scales=ONCE)


def split(*cells: Cells) -> Any:
    """Return the breakdown of the last cell's first trial."""
    rows = breakdowns(*frames(*cells)).to_dict("records")
    return next(row for row in rows if row["trial_id"] == cells[-1].trials[0]["trial_id"])


def test_parts_of_the_breakdown_match_a_calculation_by_hand() -> None:
    row = split(REFERENCE, HERE)
    assert row["total_s"] == pytest.approx(2 * (0.5 + 8 * 0.16 + 7 * 0.01 + 0.2))
    assert {name: row[name] for name in PARTS} == pytest.approx(
        {
            "reference_s": 12 * 0.1,
            "extra_user_s": 12 * 0.02,
            "extra_system_s": 12 * 0.01,
            "extra_wait_s": 12 * 0.02,
            "others_s": 0.0,
            "extra_blocked_s": 12 * 0.01,
            "steal_s": 0.0,
            "imbalance_s": 4 * 0.16,
            "startup_s": 2 * 0.5,
            "gaps_s": 2 * 7 * 0.01,
            "drain_s": 2 * 0.2,
        }
    )
    assert (row["faults"], row["reference_faults"]) == (180, 120)


def test_other_processes_and_the_hypervisor_are_parts_of_their_own_as_far_as_tasks_waited() -> None:
    row = split(REFERENCE, cell("p1", 2, BUSY, **DEALT, scales=ONCE, others_cpu_s=0.1, steal_s=9.0))
    assert (row["others_s"], row["extra_wait_s"]) == pytest.approx((0.1, 0.14))
    assert (row["steal_s"], row["extra_blocked_s"]) == pytest.approx((0.12, 0.0))
    assert sum(row[name] for name in PARTS) == pytest.approx(row["total_s"])


def test_reference_is_of_the_same_round_where_there_is_one() -> None:
    drifting = cell("sequential", 1, scales=(1.0, 2.0))
    result = breakdowns(*frames(drifting, cell("p1", 2, scales=(1.0, 2.0, 1.5)))).query("strategy == 'p1'")
    assert list(result["reference_s"]) == pytest.approx([1.2, 2.4, 1.8])


@pytest.mark.parametrize(
    ("cause", "share", "cost", "more"),
    [
        (causes.IMBALANCE, 0.6 / 1.8, Cost(), {"deal": [0] * 9 + [1] * 3}),
        (causes.START_UP, 0.3 / 0.9, Cost(), {"startup_s": 0.3}),
        (causes.START_UP, 0.3 / 0.9, Cost(), {"drain_s": 0.3}),
        (causes.TRANSFER, 0.3 / 0.9, Cost(), {"startup_s": 0.3, "master_read_s": 0.3}),
        (causes.TRANSFER, 0.25 / 0.85, Cost(), {"gap_s": 0.05}),
        (causes.TRANSFER, 0.05 / 0.15, Cost(wait_s=0.05), {"master_threads_cpu_s": 0.6}),
        (causes.TRANSFER, 0.05 / 0.15, Cost(user_s=0.15, read_s=0.05), {}),
        (causes.SYSTEM_CPU, 0.04 / 0.14, Cost(system_s=0.04), {}),
        (causes.STORAGE, 0.04 / 0.14, Cost(blocked_s=0.04, file_wait_s=0.04, write_s=0.04), {}),
        (causes.STORAGE, 0.04 / 0.14, Cost(blocked_s=0.04), {"iowait_s": 0.48}),
        (causes.WAITS, 0.04 / 0.14, Cost(blocked_s=0.04), {}),
        (causes.WAITS, 0.08 / 0.18, Cost(wait_s=0.08), {}),
        (causes.USER_CPU, 0.05 / 0.15, Cost(user_s=0.15), {}),
    ],
)
def test_cause_is_ranked_first_with_its_share(
    cause: str, share: float, cost: Cost, more: dict[str, Any]
) -> None:
    row = split(cell("sequential", 1, scales=ONCE), cell("p2", 2, cost, scales=ONCE, **more))
    shares = {name: row[name] for name in SUSPECTS}
    assert max(shares, key=lambda name: shares[name]) == cause
    assert shares[cause] == pytest.approx(share, rel=0.01)
    assert sum(shares.values()) == pytest.approx(share, rel=0.1)


SUSPECTS = (
    *(causes.IMBALANCE, causes.TRANSFER, causes.START_UP, causes.SYSTEM_CPU),
    *(causes.STORAGE, causes.THREADS, causes.WAITS, causes.USER_CPU),
)


def test_system_cpu_that_the_reference_has_too_is_suspected_because_an_ablation_may_save_it() -> None:
    row = split(REFERENCE, cell("p2", 2, Cost(user_s=0.08, system_s=0.02), scales=ONCE))
    assert row[causes.SYSTEM_CPU] == pytest.approx(0.02 / 0.1)


def test_helper_threads_beyond_the_cpus_take_what_is_waited_for_them() -> None:
    threads: dict[str, Any] = {"opencv_threads": 4, "usable_cpus": 2, "scales": ONCE}
    alone = cell("sequential", 1, Cost(user_s=0.06, helpers_s=0.05), **threads)
    crowded = Cost(user_s=0.06, helpers_s=0.06, wait_s=0.01, blocked_s=0.10)
    row = split(alone, cell("p2", 2, crowded, **threads))
    assert row[causes.THREADS] > 0.3
    assert row[causes.WAITS] == row[causes.USER_CPU] == 0


def queued_task(trial_id: str) -> Row:
    """Return a task of P_Q: 1 s in the worker, half of it user CPU, then 0.4 s in the saver after waiting."""
    values: Row = {"trial_id": trial_id, "process": 0, "saving_process": 1}
    values |= {"image_index": 0, "augmentation_index": 0}
    values |= {"start_s": 1.0, "read_s": 0.0, "transform_s": 0.7, "send_s": 0.3, "save_start_s": 2.5}
    values |= {"encode_s": 0.3, "write_s": 0.1, "end_s": 2.9, "cpu_user_s": 0.8, "cpu_system_s": 0.1}
    return values | {"minor_faults": 7, "run_queue_wait_s": 0.05, "file_wait_s": 0.0}


def test_task_with_a_saver_stays_in_two_processes() -> None:
    task = {name: np.array([value], float) for name, value in queued_task("q").items() if name != "trial_id"}
    own, saver = np.transpose(visits(task))
    assert own == pytest.approx([0, 1.0, 2.0, 1.0])
    assert saver == pytest.approx([1, 2.5, 2.9, 0.4])


def test_sending_to_a_saver_is_transfer_and_no_waiting() -> None:
    row = trial("pq", 2, 3.0, tasks=1, saving=False, opencv_threads=1)
    result = split(REFERENCE, Cells([row], [queued_task(row["trial_id"])]))
    assert result[causes.TRANSFER] == pytest.approx(0.3 / 6)
    assert result[causes.WAITS] == pytest.approx((1.4 - 0.8 - 0.1 - 0.3) / 6)


@pytest.mark.once
@settings(max_examples=20)
@given(data=st.data())
def test_parts_always_sum_to_all_worker_seconds(data: st.DataObject) -> None:
    seconds = st.floats(0, 2)
    workers = data.draw(st.integers(1, 5))
    deal = data.draw(st.lists(st.integers(0, workers - 1), min_size=3, max_size=12))
    names = ("system_s", "wait_s", "blocked_s", "helpers_s")
    rest: dict[str, Any] = {name: data.draw(seconds) for name in names}
    cost = Cost(user_s=0.01 + data.draw(seconds), **rest)
    others: dict[str, Any] = {name: data.draw(seconds) for name in ("steal_s", "others_cpu_s", "iowait_s")}
    idle: dict[str, Any] = {name: data.draw(seconds) for name in ("startup_s", "gap_s", "drain_s")}
    parallel = cell("p1", workers, cost, deal=deal, scales=(1.0, 1.7), **idle, **others)
    result = breakdowns(*frames(cell("sequential", 1, tasks=len(deal)), parallel))
    assert list(result[list(PARTS)].sum(axis=1)) == pytest.approx(list(result["total_s"]))


def test_tasks_that_do_not_fit_the_trial_are_refused_by_its_name() -> None:
    trials, parts = frames(REFERENCE, HERE)
    trial_id, tasks = trials["trial_id"][1], parts.tables["tasks"]
    parts.tables["tasks"] = tasks.iloc[:-1]
    with pytest.raises(BreakdownError, match=f"p1 at 2 workers, trial {trial_id}: 11 tasks .* of 12"):
        breakdowns(trials, parts)
    later = tasks["end_s"] + 0.01 * (tasks["trial_id"] == trial_id)
    parts = InMemory(parts.tables | {"tasks": tasks.assign(end_s=later)})
    with pytest.raises(BreakdownError, match=r"p1 at 2 workers.*differ from P x T by"):
        breakdowns(trials, parts)


def test_trial_that_failed_or_has_no_reference_has_no_breakdown() -> None:
    failed = Cells([trial("p2", 4, None, status=FAILED)])
    assert breakdowns(*frames(HERE, cell("p2", 2, saving=True), failed)).empty
    result = breakdowns(*frames(REFERENCE, HERE, cell("p2", 2, saving=True)))
    assert list(result["strategy"]) == ["sequential", "p1"]


# Of 2 x 2 s: worker 0 has 9 tasks of 0.15 s after 0.25 s, with gaps of 0.01 s, and T ends 0.32 s later.
SHOWN = cell(
    *("p1", 2, Cost(user_s=0.12, system_s=0.01, wait_s=0.01, blocked_s=0.01, faults=1000)),
    deal=[0] * 9 + [1] * 3,
    startup_s=0.25,
    gap_s=0.01,
    drain_s=0.32,
)


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    ablated = cell("p1", 2, ablation="allocator")
    folder = tmp_path_factory.mktemp("breakdown")
    return shown(stored(folder, cell("sequential", 1), SHOWN, ablated), "breakdown")


def test_table_has_the_parts_as_shares_of_all_worker_seconds(section: Shown) -> None:
    table = section.tables["breakdown"]
    row = dict(zip(table.columns, next(row for row in table.rows if row[1] == "P_1"), strict=True))
    assert {head.replace("\n", " "): text for head, text in row.items()} == {
        **{"saving": "no", "strategy": "P_1", "workers": "2", "P x T (s)": "4.00"},
        **{"reference": "30.0 %", "extra user": "6.0 %", "extra system": "3.0 %", "extra wait": "3.0 %"},
        **{"others": "0.0 %", "extra blocked": "3.0 %", "steal": "0.0 %"},
        **{"imbalance": "22.5 %", "startup": "12.5 %", "gaps": "4.0 %", "drain": "16.0 %"},
        **{"page faults": "12,000"},
    }
    assert len(table.rows) == 2, "without the ablated cell"


def test_bars_are_stacked_to_all_worker_seconds(section: Shown) -> None:
    [axes] = section.figures["breakdown"].axes
    parts: Any = axes.containers
    heights = [[bar.get_width() for bar in part] for part in parts]
    assert [sum(bar) for bar in zip(*heights, strict=True)] == pytest.approx([100.0, 100.0])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["sequential, 1", "P_1, 2"]
