"""`experiment=advise` as people run it, on few and small images."""

import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from augment.temporary import locked
from experiments.advise import search
from experiments.report.sections.advise import ROW
from tests.conftest import RunPy
from tests.helpers.small_jobs import images

ADVISE = ("experiment=advise", "dataset=folder", "n_augmentations=2")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder whose name needs quotes for the shell and for Hydra."""
    folder = tmp_path / "Mum's Fotos, für 2019=1"
    folder.mkdir()
    for number, file in enumerate(images(tmp_path, 6)):
        shutil.copy(file, folder / f"{number}.png")
    return folder


def quoted(path: Path) -> str:
    return f'dataset.path="{path}"'


def answer(folder: Path) -> dict[str, object]:
    table = pd.read_csv(folder / "results/tables/advise/recommendation.csv", keep_default_na=False)
    [row] = table.to_dict("records")
    assert list(row) == ROW
    return {str(name): value for name, value in row.items()}


def test_search_ends_with_a_command_that_works_or_with_a_reason(
    run_py: RunPy, photos: Path, tmp_path: Path
) -> None:
    done = run_py(*ADVISE, quoted(photos), "advise.budget_s=12")
    assert done.status == 0, done.stderr
    row = answer(tmp_path)
    if row["refused"]:  # beside other tests this machine is busy
        assert f"None  {str(row['refused'])[:20]}" in done.stdout
        return
    assert str(row["command"]) in done.stdout
    again = run_py(*shlex.split(str(row["command"]))[2:])
    assert again.status == 0, again.stderr


def test_unusable_images_are_the_reason_of_a_refusal(run_py: RunPy, photos: Path, tmp_path: Path) -> None:
    for number in range(3):
        (photos / f"broken{number}.jpg").write_bytes(b"no image")
    done = run_py(*ADVISE, quoted(photos), "advise.budget_s=12", "sample=null")
    assert done.status == 0, done.stderr
    row = answer(tmp_path)
    assert "nothing could be measured: on_bad_image=fail: " in str(row["refused"])
    assert "on_bad_image=skip leaves it out" in str(row["refused"])


def test_small_budget_is_the_reason_of_a_refusal(
    run_py: RunPy, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "ANSWER_S", 9.9)  # of the smallest budget
    done = run_py(*ADVISE, quoted(photos), "strategy=p2", "workers=2", "advise.budget_s=10")
    assert done.status == 0, done.stderr
    refused = str(answer(tmp_path)["refused"])
    assert refused.startswith("advise.budget_s=10 holds no two rounds of these images; give advise.budget_s=")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ("strategy=p2", "seed=1,2"),
            "seed=1,2: advise chooses strategy, workers, runtime; give one value of all else",
        ),
        (("strategy=p2", "strategy.chunksize=1,4"), "strategy.chunksize=1,4: advise chooses"),
    ],
)
def test_several_values_of_what_is_not_searched_are_refused(
    words: tuple[str, ...], reason: str, run_py: RunPy
) -> None:
    done = run_py("experiment=advise", "workers=2", "runtime=study", *words)
    assert (done.status, done.stdout) == (2, "")
    assert reason in done.stderr


def test_options_of_a_strategy_do_not_reach_the_references(
    run_py: RunPy, photos: Path, tmp_path: Path
) -> None:
    words = ("strategy=p2", "strategy.chunksize=4", "workers=2", "runtime=study", "advise.budget_s=10")
    done = run_py(*ADVISE, quoted(photos), *words)
    assert done.status == 0, done.stderr


def test_folder_with_the_outputs_of_other_work_is_refused_before_the_search(
    run_py: RunPy, photos: Path, tmp_path: Path
) -> None:
    assert run_py("dataset=folder", quoted(photos), "n_augmentations=1", "output_dir=augmented").status == 0
    done = run_py(*ADVISE, quoted(photos), "strategy=p2", "workers=2", "runtime=study")
    assert done.status == 2
    other = "output_dir=augmented: holds the outputs of other work (n_augmentations=1, not 2)"
    assert f"error: {other}; give another folder or overwrite=true" in done.stderr


def test_second_search_into_the_same_results_is_refused(run_py: RunPy, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "results" / "candidates").mkdir(parents=True)
    with locked(tmp_path / "results" / "candidates", wait=False):
        done = run_py(*ADVISE, quoted(photos), "strategy=p2", "workers=2", "runtime=study")
    assert done.status == 2
    assert "error: results_dir=results: another search runs; give another folder" in done.stderr


def test_default_folder_of_outputs_that_holds_the_inputs_is_refused(
    run_py: RunPy, photos: Path, tmp_path: Path
) -> None:
    photos.rename(tmp_path / "augmented")
    done = run_py(*ADVISE, "dataset.path=augmented", "strategy=p2", "workers=2", "runtime=study")
    assert done.status == 2
    assert "error: output_dir=augmented: holds the inputs; give another folder" in done.stderr
