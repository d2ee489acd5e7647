"""Which strategy and how many workers, in a sentence."""

import pytest

from experiments.analysis.recommend import recommendation
from tests.helpers.trial_rows import Row, frame, repeated, trial

FEW, MANY = repeated("p1", 4, 1.98, 1.98), repeated("p2", 8, 1.9, 1.9)
CHOSEN = "P_1 with 4 workers, the fewest within 5 % of the fastest"
TOLD = "at most 4 % slower than the best of all measured (95 %)."  # 1.98 / 1.9


def test_the_fewest_workers_within_5_percent_of_the_fastest_are_recommended() -> None:
    slow = [*repeated("sequential", 1, 8.0, 8.0), *repeated("p1", 2, 4.0, 4.0)]
    assert recommendation(frame([*slow, *FEW, *MANY])) == [f"Saving: {CHOSEN}; {TOLD}"]


def test_of_as_many_workers_the_faster_strategy_is_recommended() -> None:
    [sentence] = recommendation(frame([*repeated("p1", 8, 1.95, 1.95), *repeated("p1", 4, 2.0, 2.0), *MANY]))
    assert sentence.startswith("Saving: P_2 with 8 workers")


@pytest.mark.parametrize(
    "other",
    [
        repeated("copies", 2, 1.0, 1.0),
        [trial("p2", 2, 1.0, status="failed")],
        repeated("sequential", 1, 9.0, 9.0),
    ],
    ids=["instruments", "failed trials", "slower ones"],
)
def test_nothing_is_changed_by(other: list[Row]) -> None:
    assert recommendation(frame([*FEW, *MANY, *other])) == [f"Saving: {CHOSEN}; {TOLD}"]


def test_the_noise_is_in_the_bound() -> None:
    [sentence] = recommendation(
        frame([*repeated("p1", 4, 1.9, 2.1, 1.95), *repeated("p2", 8, 1.95, 1.9, 2.0)])
    )
    assert sentence.startswith(f"Saving: {CHOSEN}; at most ")
    bound = int(sentence.partition("at most ")[2].split()[0])
    assert bound > 4


def test_one_round_does_not_tell_what_a_choice_may_lose() -> None:
    once = [*repeated("p1", 4, 1.98), *repeated("p2", 8, 1.9)]
    assert recommendation(frame(once)) == [
        f"Saving: {CHOSEN}; so few rounds do not tell by how much it may be slower."
    ]


def test_each_saving_flag_has_its_sentence_and_workloads_that_differ_have_none() -> None:
    without = repeated("p2", 2, 1.0, 1.0, saving=False)
    [first, second] = recommendation(frame([*FEW, *MANY, *without]))
    assert first.startswith("No saving: P_2 with 2 workers")
    assert second.startswith("Saving: P_1 with 4 workers")
    larger = repeated("p1", 8, 1.9, 1.9, inputs_digest="larger")
    assert recommendation(frame([*FEW, *larger])) == []
