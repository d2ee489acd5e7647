"""Images at addresses: an S3 server, emulated over HTTP by moto, in place of folders."""

import os
import time
from collections.abc import Iterator
from errno import EIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from augment.datasets.folder import Folder
from augment.filesystem import _remote, is_local, location
from augment.images import OutputError, write
from augment.options import OptionError
from augment.strategies import STRATEGIES
from tests.helpers.commands import command, started, wait_until
from tests.helpers.small_jobs import images

pytest.importorskip("s3fs")  # the extra `s3`


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return an fsspec file system with an empty bucket, to which environment variables point."""
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


def augmented(*words: str, inputs: str, outputs: str, results: Path) -> pd.DataFrame:
    """Augment the images of one place to another by a command, and return its trials by strategy."""
    places = (f"dataset.path={inputs}", f"output_dir={outputs}", f"results_dir={results}")
    results.mkdir()
    ended = command(*words, *places, "dataset=folder", "n_augmentations=2", "repetitions=1", cwd=results)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return pd.read_parquet(results / "trials" / "adhoc").set_index("strategy")


def test_path_is_local_and_address_is_not(bucket: Any) -> None:
    assert location("~/photos") == Path.home() / "photos"
    assert is_local(location("/photos"))
    address = location("s3://bucket/photos")
    assert not is_local(address)
    assert str(address / "a.png") == "s3://bucket/photos/a.png"
    with pytest.raises(OptionError, match="nowhere://x"):
        location("nowhere://x")


def test_refusal_without_a_number_keeps_its_words_and_names_the_file() -> None:
    """s3fs raises PermissionError with a text alone."""
    with (
        pytest.raises(OSError, match="PermissionError: Access Denied") as caught,
        _remote("memory://b/a.png"),
    ):
        raise PermissionError("Access Denied")
    assert (caught.value.errno, caught.value.filename) == (EIO, "memory://b/a.png")


def test_keys_with_an_empty_part_are_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = dict.fromkeys(["a.png", "/cats/b.png", "cats//c.png"], (1, 1))
    monkeypatch.setattr("augment.datasets.folder.check_folder", lambda _: None)
    monkeypatch.setattr("augment.datasets.folder.find_files", lambda *_: keys)
    files = Folder("memory://photos").files(None, None, 0, Path())
    assert list(files.names) == ["a.png"]
    assert files.findings == [
        "folders left out: /cats/ (a folder without a name), cats// (a folder without a name)"
    ]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """Images in `in`, their augmentations in `out`, and the trial that made them."""
    folder = tmp_path_factory.mktemp("local")
    images_dir = images(folder)[0].parent
    images_dir.rename(folder / "in")
    trials = augmented(inputs=f"{folder}/in", outputs=f"{folder}/out", results=folder / "results")
    return folder, trials


@pytest.mark.parametrize("strategies", ["sequential", "p1,p2,dynamic,ray"])
def test_bucket_to_bucket_gives_the_outputs_of_folder_to_folder(
    strategies: str, bucket: Any, local: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    folder, expected = local
    place = f"s3://bucket/{strategies[:2]}"
    bucket.put(f"{folder}/in", f"{place}/in", recursive=True)
    words = ("-m", f"strategy={strategies}", f"workers={1 if strategies == 'sequential' else 2}")
    trials = augmented(*words, inputs=f"{place}/in", outputs=f"{place}/out", results=tmp_path / "results")
    missing = ["ray"] if STRATEGIES["ray"]().not_applicable(2, saving=True) else []
    measured = trials.drop(missing, errors="ignore")
    assert {*measured.index, *missing} == {*strategies.split(",")}
    assert {*measured["status"]} == {"ok"}
    assert {*measured["output_file_system"]} == {"s3://bucket"}
    for column in ("outputs_digest", "inputs_digest"):
        assert {*measured[column]} == {*expected[column]}
    names = [os.path.basename(path) for path in bucket.find(f"{place}/out")]
    assert names.count(".augment.json") == len(measured)
    outputs = [path.name for path in (folder / "out").iterdir() if not path.name.startswith(".")]
    assert sorted({*names} - {".augment.json"}) == sorted(outputs)
    assert len(names) == 7 * len(measured)


def test_bucket_to_folder_gives_the_same_outputs(
    bucket: Any, local: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    folder, expected = local
    bucket.put(f"{folder}/in", "s3://bucket/mixed/in", recursive=True)
    results, outputs = tmp_path / "results", f"{tmp_path}/out"
    trials = augmented(inputs="s3://bucket/mixed/in", outputs=outputs, results=results)
    assert {*trials["outputs_digest"]} == {*expected["outputs_digest"]}


@pytest.mark.parametrize("strategy", [pytest.param("p1", marks=pytest.mark.slow), "dynamic"])
def test_killed_command_goes_on_at_an_address(
    strategy: str, bucket: Any, local: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    place, folder = f"s3://bucket/killed-{strategy}", local[0]
    job_words = (f"strategy={strategy}", "workers=2", "dataset=folder", f"dataset.path={folder}/in")
    slow = "pipeline.transforms=[{_target_:tests.helpers.faulty_transforms.Sleeps}]"
    words = (*job_words, slow, "n_augmentations=20", f"output_dir={place}")

    def outputs() -> dict[str, Any]:
        bucket.invalidate_cache()
        found = bucket.find(place, detail=True) if bucket.exists(place) else {}
        return {name: each["LastModified"] for name, each in found.items() if "aug_" in name}

    job = started(*words, cwd=tmp_path)
    wait_until(lambda: len(outputs()) > 5)
    job.kill()
    job.wait()
    time.sleep(0.5)  # until its workers have followed it
    before = outputs()
    assert 5 < len(before) < 60
    ended = command(*words, cwd=tmp_path)
    assert f"60 images of 60 ({len(before)} were there) in " in ended.stdout, ended.stderr
    after = outputs()
    assert len(after) == 60
    assert before.items() <= after.items(), "nothing is made twice"
    ended = command(*words, "seed=1", "overwrite=true", cwd=tmp_path)
    assert "60 images of 60 in " in ended.stdout, ended.stderr
    assert not before.items() & outputs().items()


def test_missing_bucket_is_named(bucket: Any, tmp_path: Path) -> None:
    ended = command("dataset=folder", "dataset.path=s3://nowhere/in", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "error: dataset.path=s3://nowhere/in: no such file or directory; give a folder"
    )
    with pytest.raises(OutputError, match=r"x\.png cannot be written"):
        write(location("s3://nowhere/out"), "x.png", np.zeros(4, np.uint8))
