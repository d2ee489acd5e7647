"""Scratch folders: their place on the disk, and nothing left of them."""

from pathlib import Path

from experiments.trial.scratch import distant_directory, most_distant, scratch


def test_outputs_lie_in_a_new_folder_of_their_own(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        first, second = distant_directory(folder), distant_directory(folder)
        assert {path for path in folder.iterdir() if path.is_dir()} == {first, second}
        (first / "a.png").touch()
    assert not list(tmp_path.iterdir())


def test_the_place_taken_is_the_one_farthest_from_all_of_the_last_ones() -> None:
    assert most_distant([10, 50, 90], recent=[0, 100]) == 50
    assert most_distant([10, 50, 90], recent=[40]) == 90
    assert most_distant([10, 50, 90], recent=[]) == 10
