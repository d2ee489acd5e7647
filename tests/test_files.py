"""Many files of one folder in little memory."""

import pickle
from pathlib import Path

import pytest

from augment.filesystem import FolderFiles

PATHS = [Path("/photos", name) for name in ("a.png", "b c.jpg", "\udcff.png", "é.png")]


def test_files_behave_as_the_sequence_of_their_paths() -> None:
    files = FolderFiles(PATHS)
    assert list(files) == PATHS
    assert len(files) == 4
    assert files[-1] == PATHS[-1]
    assert list(pickle.loads(pickle.dumps(files))) == PATHS
    with pytest.raises(IndexError):
        files[4]


def test_hundred_thousand_files_pickle_in_3_mb() -> None:
    files = FolderFiles([Path("/photos") / f"image_{number:06}.png" for number in range(100_000)])
    assert len(pickle.dumps(files)) < 3_000_000
