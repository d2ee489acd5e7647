"""Images at addresses: an S3 server, emulated over HTTP by moto, in place of folders."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from augment.image_io import OutputError, write
from augment.location import is_local, location
from augment.option import OptionError
from augment.strategies import STRATEGIES
from tests.helpers.commands import command
from tests.helpers.small_jobs import images

pytest.importorskip("s3fs")  # the extra `s3`


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An fsspec file system with an empty bucket `bucket`; environment variables point everyone to it."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    names = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            names | dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "x")
        ).items():
            patch.setenv(name, value)
        filesystem = s3fs.S3FileSystem()
        filesystem.mkdir("bucket")
        yield filesystem
    server.stop()


def trials(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "results" / "trials" / "adhoc").set_index("strategy")


def test_a_path_is_local_and_an_address_is_not(bucket: Any) -> None:
    assert location("~/photos") == Path.home() / "photos"
    assert is_local(location("/photos"))
    address = location("s3://bucket/photos")
    assert not is_local(address)
    assert str(address / "a.png") == "s3://bucket/photos/a.png"
    with pytest.raises(OptionError, match="nowhere://x"):
        location("nowhere://x")


@pytest.mark.parametrize("name", ["sequential", "p1", "p2", "dynamic", "ray"])
def test_bucket_to_bucket_gives_the_outputs_of_folder_to_folder(
    name: str, bucket: Any, tmp_path: Path
) -> None:
    if STRATEGIES[name]().not_applicable(2, saving=True) and name == "ray":
        pytest.skip("ray is not installed")
    files = images(tmp_path)
    for file in files:
        bucket.put(str(file), f"bucket/{name}/in/{file.name}")
    words = (f"strategy={name}", f"workers={1 if name == 'sequential' else 2}", "n_augmentations=2")
    for place, inside in ((f"s3://bucket/{name}", "s3"), (None, "local")):
        inputs = f"{place}/in" if place else str(files[0].parent)
        kept = f"{place}/out" if place else str(tmp_path / "kept")
        ended = command(
            *words,
            "dataset=folder",
            f"dataset.path={inputs}",
            f"output_dir={kept}",
            "repetitions=1",
            f"results_dir={tmp_path / inside / 'results'}",
            cwd=tmp_path,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
    remote, local = trials(tmp_path / "s3"), trials(tmp_path / "local")
    assert remote["status"].tolist() == ["ok"]
    assert remote["outputs_digest"].tolist() == local["outputs_digest"].tolist()
    assert remote["inputs_digest"].tolist() == local["inputs_digest"].tolist()
    assert remote["output_file_system"].tolist() == ["s3://bucket"]
    names = sorted(os.path.basename(path) for path in bucket.ls(f"bucket/{name}/out"))
    assert names == sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert len(names) == 6


def test_a_bucket_that_is_not_there_is_named(bucket: Any, tmp_path: Path) -> None:
    ended = command("dataset=folder", "dataset.path=s3://nowhere/in", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: dataset.path=s3://nowhere/in: no such folder; give a folder")
    with pytest.raises(OutputError, match=r"x\.png cannot be written"):
        write(location("s3://nowhere/out"), "x.png", np.zeros(4, np.uint8))
