"""An output has its name once it is whole, on any file system."""

import os
from errno import EOPNOTSUPP
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augment.images import OutputError, write

FIRST, SECOND = np.full(9, 1, np.uint8), np.full(70_000, 2, np.uint8)


@pytest.fixture(params=["files without a name", "none without a name"], autouse=True)
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "none without a name":
        opened = os.open

        def refused(path: Any, flags: int, *args: Any, **keywords: Any) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(EOPNOTSUPP, os.strerror(EOPNOTSUPP))
            return opened(path, flags, *args, **keywords)

        monkeypatch.setattr(os, "open", refused)


def test_file_is_written_once_and_then_left_as_it_is(tmp_path: Path) -> None:
    for content in (FIRST, SECOND):
        write(tmp_path, "für 1.png", content)
        assert (tmp_path / "für 1.png").read_bytes() == FIRST.tobytes()
    assert len(list(tmp_path.iterdir())) == 1


def test_written_file_has_the_default_mode(tmp_path: Path) -> None:
    write(tmp_path, "a.png", FIRST)
    (tmp_path / "b.png").touch()
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b.png").stat().st_mode


def test_unwritable_file_is_named_and_leaves_no_part(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"no such file or directory: a\.png cannot be written"):
        write(tmp_path / "gone", "a.png", FIRST)
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OutputError, match=r"is a directory: a\.png cannot be written"):
        write(tmp_path, "a.png", FIRST)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
