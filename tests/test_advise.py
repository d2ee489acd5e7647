"""`experiment=advise` as people run it, on few and small images; what it answers is tested in
test_recommendation, how it searches in test_simulated_machine."""

import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from experiments.report.sections.advise import ROW
from tests.helpers.commands import command
from tests.helpers.small_jobs import images

ADVISE = ("experiment=advise", "dataset=folder", "n_augmentations=2")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder whose name is none for the shell, nor for Hydra as it stands."""
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


def test_it_ends_with_a_command_that_works_or_with_a_reason(photos: Path, tmp_path: Path) -> None:
    done = command(*ADVISE, quoted(photos), "advise.budget_s=12", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    row = answer(tmp_path)
    if row["refused"]:  # beside other tests this machine is busy
        assert f"None  {str(row['refused'])[:20]}" in done.stdout
        return
    assert str(row["command"]) in done.stdout
    again = command(*shlex.split(str(row["command"]))[2:], cwd=tmp_path)
    assert again.returncode == 0, again.stderr


def test_files_that_are_no_images_are_a_reason(photos: Path, tmp_path: Path) -> None:
    for number in range(3):
        (photos / f"broken{number}.jpg").write_bytes(b"no image")
    done = command(*ADVISE, quoted(photos), "advise.budget_s=12", "sample=null", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    row = answer(tmp_path)
    assert "nothing could be measured: on_bad_image=fail: " in str(row["refused"])
    assert "on_bad_image=skip leaves them out" in str(row["refused"])


def test_a_budget_that_holds_no_rounds_is_a_reason(tmp_path: Path) -> None:
    large = {"strategy": "p2", "workers": 2, "image_size": "4000x3000", "n_images": 2, "advise.budget_s": 10}
    done = command("experiment=advise", *(f"{name}={value}" for name, value in large.items()), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    refused = str(answer(tmp_path)["refused"])
    assert refused.startswith("advise.budget_s=10 holds no two rounds of these images; give advise.budget_s=")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("seed=1,2",), "seed=1,2: advise chooses strategy, workers, runtime; give one value of all else"),
        (("strategy=p2", "strategy.chunksize=1,4"), "strategy.chunksize=1,4: advise chooses"),
    ],
)
def test_what_is_not_searched_has_one_value(
    words: tuple[str, ...], told: str, photos: Path, tmp_path: Path
) -> None:
    done = command(*ADVISE, quoted(photos), *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_options_of_a_strategy_are_not_those_of_the_references(photos: Path, tmp_path: Path) -> None:
    words = ("strategy=p2", "strategy.chunksize=4", "workers=2", "runtime=study", "advise.budget_s=10")
    done = command(*ADVISE, quoted(photos), *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
