"""The order of a sweep, by hand and for any sweep."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.datasets.synthetic import Synthetic
from augment.strategies import STRATEGIES
from experiments.config.cell import Cell
from experiments.config.options import Config
from experiments.sweep.sweep import companions, rounds

amounts = st.dictionaries(st.integers(0, 20), st.integers(1, 5), max_size=12)


@given(amounts, st.sets(st.integers(0, 20)), st.integers(0, 9))
def test_rounds_hold_exactly_the_missing_trials(lacking: dict[int, int], twice: set[int], seed: int) -> None:
    per_round = {each: 2 if each in twice else 1 for each in lacking}
    drawn = rounds(lacking, per_round, seed)
    assert Counter(each for order in drawn for each in order) == Counter(lacking)
    for order in drawn:
        assert all(count <= per_round[each] for each, count in Counter(order).items())


def test_baseline_is_in_the_middle_of_each_half() -> None:
    cells = [f"cell{number}" for number in range(8)]
    lacking = dict.fromkeys(cells, 1) | {"baseline": 2}
    [order] = rounds(lacking, dict.fromkeys(cells, 1) | {"baseline": 2}, 0)
    assert [place for place, each in enumerate(order) if each == "baseline"] == [2, 7]


def test_rounds_are_shuffled_by_the_seed() -> None:
    lacking = dict.fromkeys(range(20), 3)
    drawn = rounds(lacking, dict.fromkeys(lacking, 1), 4)
    assert drawn == rounds(lacking, dict.fromkeys(lacking, 1), 4)
    assert drawn != rounds(lacking, dict.fromkeys(lacking, 1), 5)
    assert drawn[0] != drawn[1] != drawn[2]


def test_interrupted_round_is_finished_first() -> None:
    drawn = rounds({"has one more": 1, "was not reached": 2}, {"has one more": 1, "was not reached": 1}, 0)
    assert drawn[0] == ["was not reached"]
    assert sorted(drawn[1]) == ["has one more", "was not reached"]


def cell(strategy: str, workers: int = 2, ablation: str = "none", **options: Any) -> Cell:
    config = Config(strategy=STRATEGIES[strategy](), dataset=Synthetic(), workers=workers, **options)
    return Cell(config, ablation=ablation)


@pytest.fixture
def four_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.config.cell.usable_cpus", lambda: 4)


def test_instrument_needs_a_cpu_for_each_worker(four_cpus: None) -> None:
    assert cell("copies", 4).not_applicable is None
    reason = "copies needs a CPU for each worker; give workers=4 or fewer"
    assert cell("copies", 5).not_applicable == reason
    assert cell("p2", 5).not_applicable is None


def test_companions_are_decided_cell_by_cell(four_cpus: None) -> None:
    def named(one: Cell) -> list[tuple[str, int, int]]:
        return [(each.strategy, each.config.workers, count) for each, count in companions(one).items()]

    assert named(cell("p2")) == []
    assert named(cell("p2", with_baseline=True)) == [("sequential", 1, 2)]
    assert named(cell("p2", with_ceiling=True)) == [("copies", 2, 1)]
    assert named(cell("p2", with_interference=True)) == [("interference", 2, 1)]
    both: dict[str, Any] = {"with_ceiling": True, "with_interference": True}
    assert named(cell("p2", workers=4, **both)) == [("copies", 4, 1), ("interference", 4, 1)]
    assert named(cell("p2", workers=1, **both)) == [], "its ceiling is sequential, and it has no neighbour"
    assert named(cell("p2", workers=5, **both)) == [], "more than there are CPUs"
    assert named(cell("p2", ablation="allocator", with_baseline=True)) == []
