"""The command line as people type it, right and wrong."""

import shlex
from pathlib import Path

import albumentations
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, strategies
from omegaconf import OmegaConf

from augment.datasets import DATASETS
from augment.pipeline import check
from augment.strategies import STRATEGIES
from experiments import ROOT
from experiments.config import cli
from experiments.config.options import weak_scaling_size, worker_counts
from tests.conftest import RunPy
from tests.helpers.commands import composed, interpreter

RENAMED = [
    ("baseline", "with_baseline"),
    ("ceilings", "with_ceiling"),
    ("interference", "with_interference"),
    ("strategy.chunk", "strategy.chunksize"),
    ("runtime.pipeline", "runtime.reuse_pipeline"),
]
PLACES = ("results_dir", "scratch_dir", "cache_dir")
AT_ONCE = "hydra/launcher=submitit_local: runs cells at once"
FILES = sorted(
    path.relative_to(ROOT / "conf")
    for path in (ROOT / "conf").glob("*/*.yaml")
    if path.parent.name != "hydra"
)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("wrkers=2", "wrkers: no such option; did you mean workers?"),
        *((f"{former}=1", f"{former}: no such option; did you mean {option}?") for former, option in RENAMED),
        ("workers=0", "workers=0: must be 1 or more"),
        ("workers=two", "workers=two: must be an integer"),
        ("workers=null", "workers=null: must be an integer"),
        ("saving=perhaps", "saving=perhaps: must be true or false"),
        ("image_size=12", "image_size=12: must be WIDTHxHEIGHT in pixels, like 2000x1000"),
        ("image_size=5x5", "image_size=5x5: a side must be 10 to 30000 pixels"),
        ("strategy=p9", f"strategy=p9: no such strategy; choose one of {', '.join(sorted(STRATEGIES))}"),
        ("strategy.savers=2", "strategy.savers: not an option of the chosen strategy"),
        ("dataset=folder dataset.path=/nowhere", "dataset.path=/nowhere: no such file or directory"),
        ("dataset=folder", "dataset.path: required; give dataset.path=…"),
        ("pipeline=saved", "pipeline.path: required; give pipeline.path=…"),
        ("-m workers=1,2,0", "workers=0: must be 1 or more"),
        ("-m workers=1,two", "workers=two: must be an integer"),
        ("workers=1,2", "workers=1,2: several values are a sweep; give -m"),
        ("workers=4;", "workers=4;: must be an integer"),
        ("photos", "photos: must be option=value; --help lists the options"),
        ("+extra=1", "extra: no such option; --help lists them"),
        ("+strategy._target_=mine.Own", "strategy._target_: no such option; --help lists them"),
        ("strategy=pq strategy.savers=some", "strategy.savers=some: must be an integer or null"),
        ("runtime.start_method=clone", "runtime.start_method=clone: must be one of fork, spawn, forkserver"),
        ("-m on_bad_image=fail,guess", "on_bad_image=guess: must be one of fail, skip"),
        ("runtime.opencv_threads=0", "runtime.opencv_threads=0: must be 1 or more"),
        ("seed=-1", "seed=-1: must be 0 or more"),
        ("seed=9223372036854775808", "seed=9223372036854775808: must be less than 2^63"),
        ("stall_timeout_s=inf", "stall_timeout_s=inf: must be 0.1 or more, and finite"),
        ("advise.budget_s=nan", "advise.budget_s=nan: must be 10 or more, and finite"),
        ("output_dir=", "output_dir=: nothing is saved; give a folder and saving=true"),
        *((f"{name}=", f"{name}=: must be a folder of this machine") for name in PLACES),
        *((f"{name}=s3://b/x", f"{name}=s3://b/x: must be a folder of this machine") for name in PLACES),
        ("dataset=folder dataset.path='~nosuch/x'", "dataset.path=~nosuch/x: no such file or directory"),
        (
            "experiment=bench strategy=p2 saving=true dataset=photos image_size=null",
            "n_augmentations: needs one image_size and",
        ),
        (
            "experiment=ablation strategy=dynamic",
            "ablation/chunksize_1.yaml: chunksize: no such option; what was chosen lacks it; leave chunk",
        ),
        ("output_dir=kept workers=2", "output_dir=kept: sequential"),
        ("-m workers=range(4,1)", "the sweep has no cell"),
        ("stall_timeout_s=0", "stall_timeout_s=0.0: must be 0.1 or more"),
        ("saving=false output_dir=kept", "output_dir=kept: nothing is saved"),
        ("experiment=weak_scaling workers=0", "workers=0: must be 1 or more"),
        ("results_dir=/proc/none protocol=smoke", "results_dir=/proc/none: cannot be written"),
        ("-m results_dir=/proc/none protocol=smoke", "results_dir=/proc/none: cannot be written"),
        ("-m order_seed=1,2", "order_seed="),
        ("-m results_dir=a,b", "results_dir="),
        ("-m workers=2,0 hydra/launcher=basic", "workers=0: must be 1 or more"),
        *(
            (f"-m workers=1,2 hydra/launcher=submitit_local hydra/sweeper={sweeper}", AT_ONCE)
            for sweeper in ("checked", "basic", "optuna")
        ),
        *(
            (f"-m hydra/sweeper=optuna workers=1,2 hydra.sweeper.direction={way}", "hydra.sweeper.direction=")
            for way in ("maximize", "[minimize,maximize]")
        ),
        ("--config-dir nowhere", "Additional config directory"),
    ],
)
def test_wrong_command_ends_with_one_line_that_names_the_option(
    words: str, expected: str, run_py: RunPy, tmp_path: Path
) -> None:
    ended = run_py(*words.split())
    assert (ended.status, ended.stdout) == (cli.USAGE_ERROR, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"error: {expected}")
    assert list(tmp_path.iterdir()) == [], "it has written nothing"


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("照片", """Hydra needs quotes here; give 'dataset.path="照片"'"""),
        ("my (pics)", """Hydra needs quotes here; give 'dataset.path="my (pics)"'"""),
        ("it's", """Hydra needs quotes here; give 'dataset.path="it'"'"'s"'"""),
        ("a=b", """Hydra needs quotes here; give 'dataset.path="a=b"'"""),
        ("a,b", """several values are a sweep; give -m; one value needs quotes: 'dataset.path="a,b"'"""),
        ("b c,d", """several values are a sweep; give -m; one value needs quotes: 'dataset.path="b c,d"'"""),
        ("[pics]", """must be text; give 'dataset.path="[pics]"'"""),
    ],
)
def test_path_that_hydra_reads_otherwise_is_shown_with_quotes(run_py: RunPy, value: str, hint: str) -> None:
    ended = run_py("dataset=folder", f"dataset.path={value}")
    assert (ended.status, ended.stderr) == (2, f"error: dataset.path={value}: {hint}\n")


@given(strategies.text(strategies.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@example('${x} \\${y} \\\\${z} \\" \\')
@example("null")
def test_quoted_word_is_read_as_the_very_value(value: str) -> None:
    [word] = shlex.split(cli.quoted(f"dataset.path={value}"))
    read = OverridesParser.create().parse_override(word).value()
    assert OmegaConf.create({"path": read}).path == value


def test_help_page_explains_every_option_with_its_type_default_and_unit(run_py: RunPy) -> None:
    ended = run_py("--help")
    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert ended.status == 0
    for name in cli.option_types():
        group = name.partition(".")[0]
        assert any(line.startswith((f"{name}=", f"{name}.", f"{group} ")) for line in lines)
    assert any(line.startswith("workers=1 ") and line.endswith("(an integer, 1 or more)") for line in lines)
    assert any(line.startswith("stall_timeout_s=600.0 ") and "(a number, seconds," in line for line in lines)
    assert any(line.endswith("(one of fork, spawn, forkserver)") for line in lines)
    assert f"strategy {', '.join(sorted(STRATEGIES))}" in lines


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("strategy=pq --cfg job", "workers: 1"),
        ("experiment=strong_scaling --cfg hydra", "workers: 2,4,8,16,32,64"),
        ("--info searchpath", "Config search path"),
        ("-sc install=bash", "complete "),
    ],
)
def test_flags_of_hydra_answer_and_write_nothing(
    words: str, expected: str, run_py: RunPy, tmp_path: Path
) -> None:
    ended = run_py(*words.split())
    assert (ended.status, ended.stderr) == (0, "")
    assert expected in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_transform_of_the_user_is_imported_from_the_current_folder(run_py: RunPy, tmp_path: Path) -> None:
    (tmp_path / "plain_class.py").write_text("class Plain:\n    pass\n")
    ended = run_py("pipeline.transforms=[{_target_: plain_class.Plain}]")
    assert ended.status == cli.USAGE_ERROR
    assert (
        ended.stderr == "error: pipeline: {'_target_': 'plain_class.Plain'} is no albumentations transform\n"
    )


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import augment.datasets", {"numpy", "skimage"}),
        (
            "from experiments.machine.environment import *; environment(); machine_columns()",
            {"numpy", "hydra"},
        ),
        ("sys.argv[1:] = ['--help']; import runpy; runpy.run_path('run.py', None, '__main__')", set()),
    ],
    ids=["datasets", "description of the machine", "help"],
)
def test_light_work_imports_no_heavy_library(code: str, heavy: set[str]) -> None:
    listing = f"import atexit, sys; atexit.register(lambda: print(*sys.modules)); {code}"
    ended = interpreter("-c", listing, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    modules = {*ended.stdout.splitlines()[-1].split()}
    assert "atexit" in modules
    assert not modules & {"albumentations", "cv2", "pandas", "pyarrow", "matplotlib", *heavy}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_in_conf_composes_a_cell_that_works(file: Path, tmp_path: Path) -> None:
    (tmp_path / "image.png").touch()
    albumentations.save(albumentations.ToGray(), tmp_path / "train.json")
    needs = {
        "folder": [f"dataset.path={tmp_path}"],
        "saved": [f"pipeline.path={tmp_path}/train.json"],
        "python": ["pipeline.object=tests.test_saved_pipeline:GROUP"],
    }
    cell = composed("strategy=p2", f"{file.parent}={file.stem}", *needs.get(file.stem, []))
    assert getattr(cell, str(file.parent), file.stem) == file.stem
    cell.config.check()
    check(cell.config.pipeline)


@pytest.mark.parametrize("file", [*FILES, *(ROOT / "conf").glob("hydra/*/*.yaml")], ids=str)
def test_every_file_in_conf_is_headed_by_its_command(file: Path) -> None:
    head = (ROOT / "conf" / file).read_text().splitlines()[:3]
    assert any("make " in line or "python run.py" in line for line in head)


@pytest.mark.parametrize("name", STRATEGIES)
def test_composed_strategy_is_an_object_of_its_class(name: str) -> None:
    assert type(composed(f"strategy={name}").config.strategy) is STRATEGIES[name]


def test_folder_is_taken_whole_and_at_its_own_size() -> None:
    config = composed("dataset=folder", "dataset.path=.", "protocol=smoke").config
    assert (config.n_images, config.image_size) == (None, None)
    assert type(config.dataset) is DATASETS["folder"]
    assert composed("dataset=folder", "dataset.path=.", "n_images=3").config.n_images == 3


def test_weak_scaling_derives_the_size_from_the_workers() -> None:
    assert composed("experiment=weak_scaling", "workers=8").config.image_size == "1000x500"


def test_paper_protocol_is_that_of_the_study() -> None:
    config = composed("protocol=paper").config
    assert (config.n_images, config.n_augmentations, config.repetitions) == (10, 100, 2)
    assert (config.image_size, config.runtime.opencv_threads) == ("2000x1000", 1)


@pytest.mark.parametrize(
    ("cpus", "counts", "more"),
    [
        *((1, "2", ""), (2, "2", ",3"), (3, "2,3", ",4"), (4, "2,4", ",5"), (6, "2,4,6", ",7")),
        (64, "2,4,8,16,32,64", ",80"),
    ],
)
def test_worker_counts_are_powers_of_two_and_all_cpus(
    cpus: int, counts: str, more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.config.options.usable_cpus", lambda: cpus)
    assert worker_counts() == counts
    assert worker_counts(with_more=True) == counts + more


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
