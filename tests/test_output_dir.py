"""A command with `output_dir`: it goes on after any end, makes nothing twice, and touches nothing else."""

import csv
import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from augment.image_file import has_end
from augment.strategies import STRATEGIES
from experiments import ROOT
from experiments.sweep.inputs import Inputs
from tests.conftest import RunPy
from tests.helpers.commands import command, interpreter, started, wait_until
from tests.helpers.small_jobs import INSTALLED

SLEEPS = "pipeline.transforms=[{_target_:tests.helpers.faulty_transforms.Sleeps}]"
QUICK = ("pq", "dynamic")  # `make test-all` tries every strategy
JOBS = [
    pytest.param(name, marks=[*marks, *([] if name in QUICK else [pytest.mark.slow])])
    for name, marks in INSTALLED
    if not STRATEGIES[name].instrument
]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Make six images in two sub-folders."""
    for number, name in enumerate(("cats/a.png", "cats/b.jpg", "dogs/a.png", "c.jpg", "d.webp", "e.bmp")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((40, 30), 40 + number).convert("RGB").save(path)
    return tmp_path / "photos"


WORDS = ("dataset=folder", "dataset.path=photos", "n_augmentations=3", "pipeline=light", "output_dir=kept")


def contents(folder: Path) -> dict[str, bytes]:
    """Return the outputs below a folder by relative name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("aug_*")}


def rows(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "results" / "trials" / "adhoc").sort_values("started_at")


def test_outputs_keep_the_structure_of_their_inputs(photos: Path, run_py: RunPy, tmp_path: Path) -> None:
    ended = run_py(*WORDS)
    assert "18 images of 18 in " in ended.stdout
    names = sorted(contents(tmp_path / "kept"))
    assert len(names) == 18
    assert names[:4] == ["aug_c_000000.jpg", "aug_c_000001.jpg", "aug_c_000002.jpg", "aug_d_000000.webp"]
    assert "cats/aug_a_000000.png" in names
    assert "dogs/aug_a_000002.png" in names
    [row] = rows(tmp_path).to_dict("records")
    assert (row["outputs"], row["resumed_outputs"], row["hashed_outputs"]) == (18, 0, 18)
    manifest = json.loads((tmp_path / "kept" / ".augment.json").read_text())
    assert manifest["finished"]


def test_command_makes_nothing_if_all_is_there(photos: Path, run_py: RunPy, tmp_path: Path) -> None:
    run_py(*WORDS)
    again = run_py(*WORDS)
    assert (again.status, len(rows(tmp_path))) == (0, 1)
    assert "kept: all outputs are there" in again.stdout


@pytest.mark.parametrize("name", JOBS)
def test_missing_and_broken_outputs_alone_are_made_again(
    name: str, photos: Path, run_py: RunPy, tmp_path: Path
) -> None:
    words = (*WORDS, f"strategy={name}", f"workers={1 if name == 'sequential' else 2}")
    assert run_py(*words).status == 0
    kept, whole = tmp_path / "kept", contents(tmp_path / "kept")
    (kept / "cats/aug_a_000001.png").unlink()
    (kept / "cats/aug_b_000000.jpg").unlink()
    os.truncate(kept / "aug_c_000002.jpg", 0)  # as a power cut may leave files
    os.truncate(kept / "aug_d_000000.webp", 100)
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("aug_*") if has_end(path)}
    assert len(before) == 14
    ended = run_py(*words)
    assert "18 images of 18 (14 were there) in " in ended.stdout
    assert contents(kept) == whole
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert rows(tmp_path)["resumed_outputs"].tolist() == [0, 14]


def kill_after_an_output(words: Sequence[str], folder: Path, n_outputs: int, seconds: float) -> None:
    """Start a command, and kill it some time after it has made one more output."""
    job = started(*words, "output_dir=kept", cwd=folder, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(contents(folder / "kept")) > n_outputs or job.poll() is not None)
    time.sleep(seconds)
    job.kill()
    job.wait()


@pytest.mark.fresh
@pytest.mark.parametrize("name", JOBS)
def test_killed_command_goes_on_to_the_outputs_of_an_undisturbed_one(
    name: str, photos: Path, tmp_path: Path
) -> None:
    rng = random.Random(name)
    asked = ("dataset=folder", "dataset.path=photos", "n_augmentations=20", SLEEPS, f"strategy={name}")
    words = (*asked, f"workers={1 if name == 'sequential' else 3}")
    assert command(*words, "output_dir=undisturbed", cwd=tmp_path).returncode == 0
    times: dict[Path, int] = {}
    for _ in range(2):
        kill_after_an_output(words, tmp_path, len(times), rng.uniform(0, 0.3))
        time.sleep(0.3)  # until its workers have followed it
        now = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("aug_*")}
        assert times.items() <= now.items(), "nothing is made twice"
        times = now
    assert command(*words, "output_dir=kept", cwd=tmp_path).returncode == 0
    assert contents(tmp_path / "kept") == contents(tmp_path / "undisturbed")
    assert times.items() <= {path: path.stat().st_mtime_ns for path in times}.items()


def test_scratch_folder_of_a_killed_search_is_removed(photos: Path, run_py: RunPy, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    use = "import os; from augment.temporary import Path, temporary_folder as use; it = use(Path('kept'))"
    interpreter(
        "-c", f"import sys; sys.path.append({str(ROOT)!r}); {use}; it.__enter__(); os._exit(0)", cwd=tmp_path
    )
    [left] = (tmp_path / "kept").iterdir()
    assert run_py(*WORDS).status == 0
    assert not left.exists()


def test_images_without_an_output_are_not_counted(photos: Path, run_py: RunPy, tmp_path: Path) -> None:
    assert run_py(*WORDS, "n_augmentations=null", "outputs_total=4").status == 0
    [row] = rows(tmp_path).to_dict("records")
    assert (row["files"], row["n_images"], row["tasks"]) == (6, 4, 4)


def test_another_strategy_may_go_on(photos: Path, run_py: RunPy, tmp_path: Path) -> None:
    run_py(*WORDS)
    (tmp_path / "kept" / "aug_c_000000.jpg").unlink()
    assert "(17 were there)" in run_py(*WORDS, "strategy=p2", "workers=2").stdout


def test_folder_of_other_work_is_refused_and_overwritten_alone(
    photos: Path, run_py: RunPy, tmp_path: Path
) -> None:
    run_py(*WORDS)
    before = contents(tmp_path / "kept")
    (tmp_path / "kept" / "cats" / "aug_mine_000000.png").write_bytes(b"mine")
    refused = run_py(*WORDS, "seed=1")
    assert refused.status == 2
    assert refused.stderr.count("\n") == 1
    assert "output_dir=kept: holds the outputs of other work (seed=0, not 1)" in refused.stderr
    assert run_py(*WORDS, "seed=1", "n_augmentations=1", "overwrite=true").status == 0
    after = contents(tmp_path / "kept")
    assert after.pop("cats/aug_mine_000000.png") == b"mine"
    assert sorted(after) == sorted(name for name in before if "_000000." in name)
    assert after.items() != before.items()


def test_foreign_file_with_an_output_name_stays(photos: Path, run_py: RunPy, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "aug_c_000000.jpg").write_bytes(b"mine")
    for words in (WORDS, (*WORDS, "overwrite=true")):
        ended = run_py(*words)
        assert ended.status == 2
        assert "1 files of these names exist, such as 'aug_c_000000.jpg'" in ended.stderr
    assert contents(tmp_path / "kept") == {"aug_c_000000.jpg": b"mine"}


@pytest.mark.fresh
def test_second_command_is_refused_and_names_the_first(photos: Path, tmp_path: Path) -> None:
    words = (*WORDS[:2], "n_augmentations=60", SLEEPS, "output_dir=kept")
    first = started(*words, cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(contents(tmp_path / "kept")) > 0)
    second = command(*words, cwd=tmp_path)
    first.kill()
    first.wait()
    assert second.returncode == 2
    assert f"process {first.pid} of " in second.stderr


def test_bad_images_are_listed_once_and_skipped(photos: Path, run_py: RunPy, tmp_path: Path) -> None:
    (photos / "dogs" / "empty.jpg").touch()
    (photos / "dogs" / "text.png").write_text("no picture")
    words = (*WORDS, "on_bad_image=skip", "strategy=p2", "workers=3")
    ended = run_py(*words)
    assert "18 images of 24 in " in ended.stdout
    assert "2 bad images: kept/bad_images.csv" in ended.stdout
    with open(tmp_path / "kept" / "bad_images.csv", newline="") as file:
        listed = {row["file"]: row["reason"] for row in csv.DictReader(file)}
    assert listed == {"dogs/empty.jpg": "empty", "dogs/text.png": "no whole header of a known image format"}
    [row] = rows(tmp_path).to_dict("records")
    assert json.loads(row["skipped_images"]) == listed
    assert (row["files"], row["n_images"], row["tasks"], row["skipped_tasks"]) == (8, 6, 18, 6)
    assert "all outputs are there" in run_py(*words).stdout


def test_bad_image_ends_the_command_and_the_next_goes_on(photos: Path, run_py: RunPy, tmp_path: Path) -> None:
    (photos / "d2.jpg").write_bytes((photos / "c.jpg").read_bytes()[:-40])
    ended = run_py(*WORDS)
    assert ended.status == 1
    reason = "truncated: no end marker; on_bad_image=skip leaves it out"
    assert f"on_bad_image=fail: d2.jpg: {reason}" in ended.stderr
    assert "18 images of 21 (" in run_py(*WORDS, "on_bad_image=skip").stdout


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("outputs_total=8",), ["cats/aug_b_000001.png", "aug_e_000000.png", "cats/aug_a_000000.png"]),
        (("n_augmentations=1",), ["dogs/aug_a_000000.png", "aug_d_000000.png"]),
    ],
)
def test_total_and_format_of_the_outputs_can_be_chosen(
    words: tuple[str, ...], names: list[str], photos: Path, run_py: RunPy, tmp_path: Path
) -> None:
    asked = [word for word in WORDS if not word.startswith("n_aug")]
    assert run_py(*asked, *words, "output_format=png").status == 0
    outputs = contents(tmp_path / "kept")
    assert len(outputs) == (8 if words == ("outputs_total=8",) else 6)
    assert outputs.keys() >= {*names}
    assert all(content.startswith(b"\x89PNG") for content in outputs.values())


@pytest.mark.parametrize("words", [WORDS, WORDS[:-1]], ids=["kept", "not kept"])
def test_two_inputs_of_one_output_name_are_refused(
    words: tuple[str, ...], photos: Path, run_py: RunPy
) -> None:
    shutil.copy(photos / "c.jpg", photos / "e.jpg")
    ended = run_py(*words, "output_format=png")
    assert ended.status == 2
    assert "e.bmp and e.jpg would both be written to aug_e_000000.png" in ended.stderr


PLACES = {
    "photos": "holds the inputs",
    "photos/cats": "holds the inputs",  # which would be left out as outputs
    "with_list": "1 files of these names exist, such as 'bad_images.csv'",
    "damaged": ".augment.json there cannot be read",
    "edited": ".augment.json there cannot be read",
    "a_file": "not a folder",
    "loop": "cannot be read",
}


@pytest.mark.parametrize("place", PLACES)
def test_place_that_holds_something_else_is_refused(
    place: str, photos: Path, run_py: RunPy, tmp_path: Path
) -> None:
    for folder in ("with_list", "damaged", "edited"):
        (tmp_path / folder).mkdir()
    (tmp_path / "with_list" / "bad_images.csv").write_text("mine")
    (tmp_path / "damaged" / ".augment.json").write_text('{"workload": 1}')
    lacking = {"workload": {}, "pipeline": {}, "command": "", "max_image_pixels": 1, "inputs": "a.jpg"}
    (tmp_path / "edited" / ".augment.json").write_text(json.dumps(lacking))
    (tmp_path / "a_file").touch()
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.rglob("*"))
    ended = run_py(*WORDS, f"output_dir={place}", "overwrite=true")
    assert ended.status == 2
    assert ended.stderr.count("\n") == 1
    assert PLACES[place] in ended.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_folder_whose_images_lie_in_subfolders_is_no_place_for_outputs(photos: Path, run_py: RunPy) -> None:
    for path in photos.glob("*.*"):
        path.unlink()
    assert "holds the inputs" in run_py(*WORDS, "output_dir=photos").stderr


def test_outputs_are_kept_beside_a_baseline_of_the_same_work(
    photos: Path, run_py: RunPy, tmp_path: Path
) -> None:
    assert run_py(*WORDS, "with_baseline=true").status == 0
    assert len(contents(tmp_path / "kept")) == 18
    assert run_py("-m", *WORDS[:-1], "output_dir=a,b").status == 0
    assert len(contents(tmp_path / "a")) == len(contents(tmp_path / "b")) == 18


def test_ceiling_of_a_folder_with_subfolders_is_measured(photos: Path, run_py: RunPy, tmp_path: Path) -> None:
    words = (*WORDS[:2], "outputs_total=5", "pipeline=light", "repetitions=1", "strategy=p2", "workers=2")
    assert run_py(*words, "with_ceiling=true", "with_interference=true").status == 0
    assert rows(tmp_path)["status"].tolist() == ["ok"] * 3


def test_larger_limit_on_pixels_takes_images_that_were_skipped(photos: Path, run_py: RunPy) -> None:
    words = (*WORDS, "on_bad_image=skip")
    Image.effect_noise((60, 50), 30).save(photos / "large.png")
    assert "18 images of 21 in" in run_py(*words, "max_image_pixels=2000").stdout
    assert "all outputs are there" in run_py(*words, "max_image_pixels=2000").stdout
    assert "21 images of 21 (18 were there)" in run_py(*words).stdout


def test_outputs_of_an_input_that_changed_are_made_again(
    photos: Path, run_py: RunPy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Inputs, "changed", lambda _: [0])
        ended = run_py(*WORDS)
    assert ended.status == 1
    assert "1 input file changed during the command, such as c.jpg" in ended.stderr
    assert "18 images of 18 (15 were there)" in run_py(*WORDS).stdout


def test_folder_without_a_usable_image_fails_and_lists_them(
    photos: Path, run_py: RunPy, tmp_path: Path
) -> None:
    for path in photos.rglob("*.*"):
        path.write_bytes(b"")
    ended = run_py(*WORDS, "on_bad_image=skip")
    assert ended.status == 1
    assert "dataset: no usable image among 6 files: c.jpg: empty" in ended.stderr
    assert len((tmp_path / "kept" / "bad_images.csv").read_text().splitlines()) == 7


REFUSED = {
    "outputs_total=5": "outputs_total=5 n_augmentations=3: give one of the two",
    "repetitions=2": "output_dir=kept repetitions=2: a command with output_dir makes its outputs once",
    "output_format=docx": "output_format=docx: must be one of jpg, ",
    "output_quality=101": "output_quality=101: must be 1 to 100",
    "strategy=copies": "output_dir=kept: copies measures the machine",
}


@pytest.mark.parametrize("word", REFUSED)
def test_option_that_cannot_work_is_refused(word: str, photos: Path, run_py: RunPy) -> None:
    ended = run_py(*WORDS, word)
    assert ended.status == 2
    assert REFUSED[word] in ended.stderr


def test_cells_of_a_sweep_have_folders_of_their_own(photos: Path, run_py: RunPy, tmp_path: Path) -> None:
    assert run_py("-m", *WORDS, "strategy=sequential,p1").status == 0
    folders = [contents(folder) for folder in (tmp_path / "kept").iterdir()]
    assert len(folders) == 2
    assert folders[0] == folders[1]


def test_stall_names_the_option_the_task_and_the_file(photos: Path, run_py: RunPy) -> None:
    hangs = "pipeline.transforms=[{_target_:tests.helpers.faulty_transforms.Hangs}]"
    ended = run_py(*WORDS[:3], hangs, "output_dir=kept", "stall_timeout_s=1")
    assert ended.status == 1
    assert "no task was finished for stall_timeout_s=1: worker " in ended.stderr
    assert "at task (0, 0) of c.jpg" in ended.stderr


ONE_READER = (("sequential", 1), ("p1", 2))
PLANTED = """
import os, signal, time
import augment.image_file
decode = augment.image_file._decode
def planted(content):
    if content.endswith(b"crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if content.endswith(b"hang"):
        time.sleep(3600)
    return decode(content)
augment.image_file._decode = planted
"""


@pytest.mark.fresh
@pytest.mark.parametrize(
    ("name", "workers", "fault"),
    [
        *(("sequential", 1, "crash"), ("p1", 2, "crash"), ("dynamic", 2, "crash"), ("dynamic", 2, "hang")),
        *(pytest.param(name, workers, "hang", marks=pytest.mark.slow) for name, workers in ONE_READER),
    ],
)
def test_decoder_that_crashes_or_hangs_ends_the_trial_or_is_skipped(
    name: str, workers: int, fault: str, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(PLANTED)
    (photos / "c.jpg").write_bytes((photos / "c.jpg").read_bytes() + fault.encode())
    stall_s = 5 if fault == "hang" else 60  # a process's start counts, and takes seconds on a busy machine
    words = (*WORDS, f"strategy={name}", f"workers={workers}", f"stall_timeout_s={stall_s}")

    def run(*more: str) -> tuple[int, str]:
        environment = {"PYTHONPATH": f"{tmp_path / 'path'}:{ROOT}"}
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        job = started(*words, *more, cwd=tmp_path, env=environment, **both)
        printed = job.communicate()[0].decode()
        return job.returncode, printed

    status, printed = run()
    assert status == 1
    assert "decoding c.jpg" in printed
    status, printed = run("on_bad_image=skip")
    assert status == 0, printed
    assert "15 images of 18" in printed
    assert "1 bad image: kept/bad_images.csv" in printed
    assert "c.jpg,the decoder crashed or hung" in (tmp_path / "kept" / "bad_images.csv").read_text()
    assert "all outputs are there" in run("on_bad_image=skip")[1]
