"""The bars of `make whole`, with a few small images; no test asserts a time."""

from pathlib import Path

import pytest

from experiments import ROOT
from tests.helpers.commands import interpreter
from tests.whole.bars import BARS, Bar
from tests.whole.place import QUICK, Place


def test_plain_script_augments_every_photo_of_every_subfolder(tmp_path: Path) -> None:
    place = Place(tmp_path, QUICK)
    place.run(place.script("many", "light", tmp_path / "augmented"))
    photos, augmented = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.jpg")}
        for folder in (tmp_path / "many", tmp_path / "augmented")
    )
    assert len(photos) == QUICK["many"]
    assert photos.keys() == augmented.keys()
    assert not set(photos.values()) & set(augmented.values())


def test_bar_shows_its_figure_its_limit_and_whether_it_is_met() -> None:
    assert str(Bar(1, "light", [1.2, 1.1, 1.31], 1.25)).endswith("1.20 (1.10–1.31)  ≤ 1.25    not decided")
    assert str(Bar(1, "light", [1.2, 1.1, 1.24], 1.25)).endswith("1.20 (1.10–1.24)  ≤ 1.25    surely met")
    assert str(Bar(2, "memory", [612], 500, " MB")).endswith("612.00  ≤ 500 MB  missed")


@pytest.mark.slow
def test_every_bar_is_printed_and_nothing_is_left(tmp_path: Path) -> None:
    ended = interpreter("-m", "tests.whole", "--quick", "--folder", str(tmp_path), cwd=ROOT)
    *bars, summary = ended.stdout.splitlines()
    assert len(bars) == len(BARS) + 5, ended.stderr
    assert [line.split()[-1] for line in bars if "again" in line or "bytes" in line] == ["met", "met"]
    assert f"of {len(bars)} surely met" in summary
    assert not [*tmp_path.iterdir()]
