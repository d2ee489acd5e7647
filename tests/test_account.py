"""The account, the POP metrics and the ledger, against numbers worked out by hand."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.strategies.instruments import probes
from experiments.analysis import ceilings
from experiments.analysis.account import PARTS, AccountError, account, accounts
from experiments.analysis.ceilings import inflation, inflations, probe_efficiencies
from experiments.analysis.company import WORKLOAD, others_at_work
from experiments.analysis.costs import stays, total_costs
from experiments.analysis.losses import LOSSES, losses
from experiments.analysis.pop import images_per_chunk, ledger, pops
from experiments.records.schema import FAILED
from tests.frames import Row, frame, trial
from tests.taskframes import Cells, Cost, cell, frames, turns

ONCE = (1.0,)
REFERENCE = cell("sequential", 1, Cost(user_s=0.08, system_s=0.02, faults=10), scales=ONCE)
# Worker 0 has 8 tasks of 0.16 s from 0.5 s on with gaps of 0.01 s, worker 1 four; T ends 0.2 s later.
BUSY = Cost(user_s=0.1, system_s=0.03, wait_s=0.02, blocked_s=0.01, faults=15)
HERE = cell("p1", 2, BUSY, deal=[0] * 8 + [1] * 4, startup_s=0.5, gap_s=0.01, drain_s=0.2, scales=ONCE)


def test_every_part_of_an_account_is_what_it_is_by_hand() -> None:
    trials, parts = frames(HERE)
    [trial_id] = trials["trial_id"]
    reference = total_costs(stays(frame(REFERENCE.tasks, "tasks")))
    split = account(trials.iloc[0], parts.of("tasks", trial_id), reference)
    assert split["total_s"] == pytest.approx(2 * (0.5 + 8 * 0.16 + 7 * 0.01 + 0.2))
    assert {name: split[name] for name in PARTS} == pytest.approx(
        {
            "reference_s": 12 * 0.1,
            "extra_user_s": 12 * 0.02,
            "extra_system_s": 12 * 0.01,
            "extra_wait_s": 12 * 0.02,
            "extra_blocked_s": 12 * 0.01,
            "imbalance_s": 4 * 0.16,
            "startup_s": 2 * 0.5,
            "gaps_s": 2 * 7 * 0.01,
            "drain_s": 2 * 0.2,
        }
    )
    assert (split["faults"], split["reference_faults"]) == (180, 120)


def test_the_reference_is_the_mean_of_all_sequential_trials_whatever_their_round() -> None:
    twice_a_round = cell("sequential", 1, Cost(user_s=0.1), scales=(1.0, 2.0), round=0, repetition=0)
    result = accounts(*frames(twice_a_round, cell("p1", 2, scales=ONCE)))
    assert list(result["reference_s"]) == pytest.approx([12 * 0.15] * 3)
    assert list(result["extra_user_s"]) == pytest.approx([-0.6, 0.6, -0.6])


def queued(trial_id: str) -> Row:
    """A task of P_Q: 1 s in the worker, half of it user CPU, then 0.4 s in the saver after waiting."""
    values = {"trial_id": trial_id, "image_index": 0, "augmentation_index": 0, "worker": 0, "saver": 1}
    values |= {"start_s": 1.0, "read_s": 0.0, "transform_s": 0.7, "send_s": 0.3, "save_start_s": 2.5}
    values |= {"encode_s": 0.3, "write_s": 0.1, "end_s": 2.9, "cpu_user_s": 0.8, "cpu_system_s": 0.1}
    values |= {"minor_faults": 7, "run_queue_wait_s": 0.05, "saver_cpu_user_s": 0.3}
    return values | {"saver_cpu_system_s": 0.04, "saver_minor_faults": 3, "saver_run_queue_wait_s": 0.02}


def test_a_task_with_a_saver_stays_in_two_processes() -> None:
    own, saver = stays(frame([queued("q")], "tasks")).to_dict("records")
    names = ("process", "begin_s", "end_s", "busy_s", "user_s", "system_s", "wait_s", "faults")
    assert [own[name] for name in names] == pytest.approx([0, 1.0, 2.0, 1.0, 0.5, 0.06, 0.03, 4])
    assert [saver[name] for name in names] == pytest.approx([1, 2.5, 2.9, 0.4, 0.3, 0.04, 0.02, 3])


def test_sending_to_a_saver_is_coordination_and_no_blocking() -> None:
    measured = {"cpu_user_s": 1.0, "cpu_system_s": 0.2, "kernel_before_s": 1.0, "kernel_after_s": 1.0}
    row = trial("pq", 2, 3.0, tasks=1, saving=False, opencv_threads=1, **measured)
    result = accounts(*frames(REFERENCE, Cells([row], [queued(row["trial_id"])]))).query("strategy == 'pq'")
    blocked = 1.4 - 0.8 - 0.1 - 0.05
    split = losses(result).iloc[0]
    assert split["whole_blocked"] == pytest.approx(blocked - 0.3)
    assert split["coordination"] == pytest.approx(2 * (3.0 - 1.0) + 0.3)
    assert split[list(LOSSES)].sum() == pytest.approx(split["total_s"] - split["reference_s"])


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_the_parts_always_sum_to_all_worker_seconds(data: st.DataObject) -> None:
    seconds = st.floats(0, 2)
    workers = data.draw(st.integers(1, 5))
    deal = data.draw(st.lists(st.integers(0, workers - 1), min_size=3, max_size=12))
    names = ("system_s", "wait_s", "blocked_s", "helpers_s")
    rest: dict[str, Any] = {name: data.draw(seconds) for name in names}
    cost = Cost(user_s=0.01 + data.draw(seconds), **rest)
    idle: dict[str, Any] = {name: data.draw(seconds) for name in ("startup_s", "gap_s", "drain_s")}
    parallel = cell("p1", workers, cost, deal=deal, scales=(1.0, 1.7), **idle)
    result = accounts(*frames(cell("sequential", 1, tasks=len(deal)), parallel))
    assert list(result[list(PARTS)].sum(axis=1)) == pytest.approx(list(result["total_s"]))
    split = losses(result)
    assert list(split[["reference_s", *LOSSES]].sum(axis=1)) == pytest.approx(list(split["total_s"]))


def test_tasks_that_do_not_fit_the_trial_are_refused_by_its_name() -> None:
    trials, parts = frames(REFERENCE, HERE)
    trial_id, tasks = trials["trial_id"][1], parts.tables["tasks"]
    parts.tables["tasks"] = tasks.iloc[:-1]
    with pytest.raises(AccountError, match=f"p1 at 2 workers, trial {trial_id}: 11 tasks .* of 12"):
        accounts(trials, parts)
    later = tasks["end_s"] + 0.01 * (tasks["trial_id"] == trial_id)
    parts.tables["tasks"] = tasks.assign(end_s=later)
    with pytest.raises(AccountError, match=r"p1 at 2 workers.*differ from P x T by"):
        accounts(trials, parts)


def test_a_trial_that_failed_or_has_no_reference_has_no_account() -> None:
    failed = Cells([trial("p2", 4, None, status=FAILED)])
    assert accounts(*frames(HERE, cell("p2", 2, saving=True), failed)).empty
    result = accounts(*frames(REFERENCE, HERE, cell("p2", 2, saving=True)))
    assert list(result["strategy"]) == ["sequential", "p1"]


def test_pop_efficiencies_multiply() -> None:
    _, result = pops(*frames(REFERENCE, HERE)).to_dict("records")
    wall_s = 0.5 + 8 * 0.16 + 7 * 0.01 + 0.2
    assert result["load_balance"] == pytest.approx(6 / 8)
    assert result["communication_efficiency"] == pytest.approx(8 * 0.16 / wall_s)
    assert result["computation_scaling"] == pytest.approx(0.1 / 0.16)
    parallel = result["load_balance"] * result["communication_efficiency"]
    assert result["parallel_efficiency"] == pytest.approx(parallel)
    assert result["global_efficiency"] == pytest.approx(1.2 / (2 * wall_s))


@pytest.mark.parametrize(("tasks", "chunk", "images"), [(1000, 125, 2.0), (1000, 63, 1.5625), (12, 1, 1.0)])
def test_images_per_chunk(tasks: int, chunk: int, images: float) -> None:
    """125 of 100 per image: 0-124, 125-249, … each touch two; of 63, every chunk over a border does."""
    assert images_per_chunk(tasks, 100 if tasks == 1000 else 4, chunk) == pytest.approx(images)


def test_the_ledger_of_what_the_master_sends() -> None:
    sent: dict[str, Any] = {"master_sent_bytes": 48_000, "master_threads_cpu_s": 0.5}
    trials, _ = frames(cell("p1", 2, **sent), cell("pq", 2, savers=1, **sent), cell("p2", 2))
    result = ledger(trials)
    assert list(result["strategy"]) == ["p1"] * 3 + ["pq"] * 3
    p1, pq = result.iloc[0], result.iloc[3]
    assert (p1["chunk"], pq["chunk"]) == (2, 3)
    assert (p1["sent_bytes_per_task"], p1["images_per_chunk"], pq["images_per_chunk"]) == (4000, 1.0, 1.5)
    assert p1["feeder_share"] == pytest.approx(0.5 / 0.6)
    asked, _ = frames(cell("p1", 2, strategy_options='{"chunk": 1}', **sent))
    assert set(ledger(asked)["chunk"]) == {1}


def test_every_probe_has_a_name_in_the_charts() -> None:
    assert list(ceilings.PROBES) == list(probes.PROBES)


def test_inflation_of_a_probe_and_its_efficiency() -> None:
    """Though the machine's speed differs from round to round by half."""
    result = inflations(*frames(turns(1.0, 4, probes={"memory": 1.6})))
    of = inflation(result, "memory", 4, "user")
    assert of is not None
    assert of.value == pytest.approx(1.6, rel=0.02)
    assert 1.5 < of.low < 1.6 < of.high < 1.7
    assert inflation(result, "memory", 4, "system") is None
    efficiency = probe_efficiencies(result, saving=False).set_index("workers")["efficiency"]
    assert dict(efficiency) == pytest.approx({1: 1.0, 4: 1 / 1.6}, rel=0.02)


def test_an_inflation_of_nothing_is_unknown() -> None:
    """The kernel counts system CPU by ticks: of short runs a whole trial may have none."""
    trials, parts = frames(turns(1.0, 2, "system_s"))
    assert inflation(inflations(trials, parts), WORKLOAD, 2, "system") is not None
    tasks = parts.tables["tasks"]
    tasks.loc[tasks["trial_id"] == trials["trial_id"][1], "cpu_system_s"] = 0.0
    assert inflation(inflations(trials, parts), WORKLOAD, 2, "system") is None


def test_the_workloads_inflation_is_known_though_its_tasks_differ() -> None:
    trials, parts = frames(turns(1.3, 2), cell("sequential", 1, tasks=36))
    tasks = parts.tables["tasks"]  # task number k is k % 5 + 1 times as much work
    number = tasks["image_index"] * 12 + tasks["augmentation_index"]
    for name in ("transform_s", "cpu_user_s"):
        tasks[name] *= number % 5 + 1
    of = inflation(inflations(trials, parts), WORKLOAD, 2, "user")
    assert of is not None
    assert of.value == pytest.approx(1.3, rel=0.02)


@pytest.mark.parametrize(
    ("begin_s", "end_s", "company"),
    [([0, 0], [2, 1], [0.5, 1.0]), ([0, 2], [1, 3], [0, 0]), ([0, 0, 0], [4, 2, 2], [1.0, 2.0, 2.0])],
)
def test_company_is_the_mean_number_of_others_at_work(
    begin_s: list[float], end_s: list[float], company: list[float]
) -> None:
    each = pd.DataFrame({"begin_s": begin_s, "end_s": end_s})
    assert list(others_at_work(each)) == pytest.approx(company)
