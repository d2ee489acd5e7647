"""The command line as people type it, right and wrong."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from augment.datasets import DATASETS
from augment.pipeline import check
from augment.strategies import STRATEGIES
from experiments import ROOT, cli
from experiments.plan.cell import Cell
from experiments.plan.options import weak_scaling_size

FILES = sorted(path.relative_to(ROOT / "conf") for path in (ROOT / "conf").glob("*/*.yaml"))


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *words], cwd=cwd, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("wrkers=2", "wrkers: no such option; did you mean workers?"),
        ("workers=0", "workers=0: must be 1 or more"),
        ("workers=two", "workers: Value 'two'"),
        ("image_size=12", "image_size=12: must be WIDTHxHEIGHT in pixels, like 2000x1000"),
        ("image_size=5x5", "image_size=5x5: a side must be 10 to 30000 pixels"),
        ("strategy=p9", "strategy=p9: no such strategy; choose one of p1, p2, pq"),
        ("dataset=folder dataset.path=/nowhere", "dataset.path=/nowhere: no such folder"),
        ("dataset=folder", "dataset.path: required"),
        ("-m workers=1,2,0", "workers=0: must be 1 or more"),
        ("workers=1,2", "workers=1,2: several values are a sweep, which needs -m"),
        ("+extra=1", "extra: no such option"),
        ("strategy=pq strategy.savers=some", "strategy.savers=some: must be a number"),
        ("runtime.start_method=clone", "runtime.start_method=clone: choose one of fork, spawn, forkserver"),
        ("runtime.opencv_threads=0", "runtime.opencv_threads=0: must be a number"),
        ("seed=-1", "seed=-1: must be 0 or more"),
        ("trial_timeout_s=0", "trial_timeout_s=0.0: must be more than 0 seconds"),
        ("saving=false output_dir=kept", "output_dir=kept: with saving=false"),
        ("experiment=weak_scaling workers=0", "workers=0: must be 1 or more"),
        ("results_dir=/proc/none protocol=smoke", "results_dir=/proc/none"),
    ],
)
def test_a_wrong_command_ends_with_one_line_that_names_the_option(
    words: str, told: str, tmp_path: Path
) -> None:
    ended = command(*words.split(), cwd=tmp_path)
    assert ended.returncode == cli.USAGE_ERROR
    assert ended.stdout == ""
    [line] = [one for one in ended.stderr.splitlines() if not one.startswith("warning: ")]
    assert line.startswith(f"error: {told}")
    assert list(tmp_path.iterdir()) == [], "it has written nothing"


def test_help_explains_every_option_without_heavy_imports(tmp_path: Path) -> None:
    ended = command("--help", cwd=tmp_path)
    assert ended.returncode == 0
    for name in cli.option_names():
        assert name in ended.stdout
    listing = (
        "import runpy, sys\n"
        "sys.argv = ['run.py', '--help']\n"
        f"try: runpy.run_path({str(ROOT / 'run.py')!r}, run_name='__main__')\n"
        "except SystemExit: print(*sys.modules)"
    )
    listed = subprocess.run([sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True)
    modules = listed.stdout.split()
    assert "hydra" in modules
    assert not {"albumentations", "cv2", "pandas", "pyarrow", "matplotlib"} & set(modules)


@pytest.fixture(scope="module")
def hydra() -> object:
    cli.prepare()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


def cell_of(*overrides: str) -> Cell:
    composed = compose("config", overrides=list(overrides), return_hydra_config=True)
    choices = dict(composed.hydra.runtime.choices)
    OmegaConf.set_struct(composed, False)
    del composed["hydra"]
    return Cell.of(composed, choices)


@pytest.mark.usefixtures("hydra")
class TestComposed:
    @pytest.mark.parametrize("file", FILES, ids=str)
    def test_every_file_in_conf_composes_a_cell_that_works(self, file: Path) -> None:
        cell = cell_of("strategy=p2", f"{file.parent}={file.stem}")
        assert getattr(cell, str(file.parent)) == file.stem
        cell.config.check()
        check(cell.config.pipeline)
        head = (ROOT / "conf" / file).read_text().splitlines()[:3]
        assert any("make " in line or "python run.py" in line for line in head), "headed by its command"

    @pytest.mark.parametrize("name", STRATEGIES)
    def test_a_strategys_dataclass_is_its_schema_and_its_object(self, name: str) -> None:
        assert type(cell_of(f"strategy={name}").config.strategy) is STRATEGIES[name]

    def test_a_folder_is_taken_whole_and_at_its_own_size(self) -> None:
        config = cell_of("dataset=folder", "dataset.path=.", "protocol=smoke").config
        assert (config.n_images, config.image_size) == (None, None)
        assert type(config.dataset) is DATASETS["folder"]
        assert cell_of("dataset=folder", "dataset.path=.", "n_images=3").config.n_images == 3

    def test_weak_scaling_derives_the_size_from_the_workers(self) -> None:
        assert cell_of("experiment=weak_scaling", "workers=8").config.image_size == "1000x500"

    def test_the_paper_protocol_is_the_studys(self) -> None:
        config = cell_of("protocol=paper").config
        assert (config.n_images, config.n_augmentations, config.repetitions) == (10, 100, 2)
        assert (config.image_size, config.runtime.opencv_threads) == ("2000x1000", "1")

    def test_what_determines_a_measurement_tells_cells_apart(self) -> None:
        plain = cell_of("workers=2", "strategy=p1").determinants()
        assert plain == cell_of("strategy=p1", "workers=2", "results_dir=elsewhere").determinants()
        for change in ("seed=1", "strategy=p2", "pipeline=light", "dataset.pattern=noise", "saving=false"):
            assert plain != cell_of("workers=2", "strategy=p1", change).determinants()


@pytest.mark.parametrize(
    ("workers", "size"),
    [
        *((1, "250x250"), (2, "500x250"), (4, "500x500"), (8, "1000x500")),
        *((16, "1000x1000"), (32, "2000x1000"), (64, "2000x2000"), (3, "500x375"), (6, "500x750")),
    ],
)
def test_weak_scaling_sizes_are_the_studys_and_between_them_in_proportion(workers: int, size: str) -> None:
    assert weak_scaling_size(workers) == size
    width, height = map(int, size.split("x"))
    assert width * height == workers * 250 * 250
