"""Pipelines, reused or rebuilt, make the same pixels and log the same transforms; any function is one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import albumentations
import cv2
import numpy as np
import pytest
from omegaconf import OmegaConf

from augment.declaration import CLASS, leaves
from augment.images import ImageError
from augment.options import OptionError
from augment.pipeline import check, check_reuse, transformer
from augment.runtime import Runtime
from augment.seeded_compose import LazyTransform
from augment.strategies import STRATEGIES
from augment.task_log.layout import Role
from augment.task_log.reader import read
from augment.task_log.writer import Log
from experiments.config.cell import Cell
from experiments.config.options import Config
from tests.helpers.fake_clock import FakeLog
from tests.helpers.small_jobs import FLIP, VARIED, contents, run, small_job
from tests.test_pipeline import STUDY

if TYPE_CHECKING:
    from augment.images import Pixels

LIGHT: Any = OmegaConf.to_container(OmegaConf.load("conf/pipeline/light.yaml"))
WHOLE = {"study": STUDY, "light": LIGHT, "varied": VARIED}
ALONE = {leaf[CLASS]: {"transforms": [leaf]} for leaf in leaves(STUDY)}
SHIFTED: Any = {"library": "callable", "_target_": "tests.test_transformer.shifted", "by": 3}


def noise(width: int, height: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def shifted(seed: int, by: int) -> Callable[[Pixels], Pixels]:
    """Return a user's function as a pipeline."""
    columns = int(np.random.default_rng(seed).integers(by))
    return lambda image: np.roll(image, columns, axis=1)


def floats(seed: int) -> Callable[[Pixels], Any]:
    return lambda image: image / 255


def no_function(seed: int) -> int:
    return seed


class Counts(albumentations.ImageOnlyTransform):  # type: ignore[misc]
    """Keeps a state: every call is brighter than the one before."""

    calls = 0

    def apply(self, img: Pixels, **_: Any) -> Pixels:
        self.calls += 1
        return img + np.uint8(self.calls)


@pytest.mark.parametrize("declared", [*WHOLE.values(), *ALONE.values()], ids=[*WHOLE, *ALONE])
def test_reused_pipelines_make_the_pixels_of_rebuilt_ones(declared: Any, tmp_path: Path) -> None:
    log = FakeLog(tmp_path)
    rebuilt, reused = transformer(declared, is_reused=False), transformer(declared, is_reused=True, log=log)
    images = noise(40, 30), noise(97, 131)
    for seed in np.random.default_rng(1).permutation(24):
        image = images[seed % 2]
        expected = rebuilt(int(seed), image)
        for is_timed in (False, True):
            log.timing = is_timed
            np.testing.assert_array_equal(reused(int(seed), image), expected)


def test_reused_and_rebuilt_pipelines_enter_the_same_transforms(tmp_path: Path) -> None:
    applied = []
    for use in (False, True):
        (tmp_path / str(use)).mkdir()
        log = Log(tmp_path / str(use), Role.WORKER, opencv_threads=1)
        transform = transformer(STUDY, use, log)
        for seed in range(0, 16 * 12, 16):  # those that are sampled
            log.begin(0, seed)
            transform(seed, noise(40, 30))
            log.lap(1)
            log.end()
        log.complete()
        [process] = read(tmp_path / str(use))
        names = [process.names[number] for number in process.samples["name"]]
        applied.append([*zip(process.samples["task"].tolist(), names, strict=True)])
    assert applied[0] == applied[1] != []


FLIPS: dict[str, Any] = {CLASS: "albumentations.HorizontalFlip", "p": 1}
GRAY: dict[str, Any] = {CLASS: "albumentations.ToGray", "p": 1}
GROUP: dict[str, Any] = {CLASS: "albumentations.OneOf", "p": 1, "transforms": [FLIPS]}


@pytest.mark.parametrize(
    ("declared", "names"),
    [
        (
            [{**GROUP, CLASS: "albumentations.Sequential", "transforms": [GROUP, GRAY]}],
            ["HorizontalFlip", "ToGray"],
        ),
        ([{**FLIPS, "p": 0}, GRAY], ["ToGray"]),
        ([FLIPS, FLIPS], ["HorizontalFlip", "HorizontalFlip"]),
        ([{CLASS: "tests.test_transformer.Counts", "p": 1}], ["Counts"]),
    ],
    ids=["no groups", "none that p decided against", "one listed twice", "one of a user"],
)
def test_applied_transforms_are_timed(declared: list[Any], names: list[str], tmp_path: Path) -> None:
    log = FakeLog(tmp_path)
    log.begin(0, 0)
    transformer({"transforms": declared}, is_reused=False, log=log)(0, noise(40, 30))
    log.end()
    process = log.read()
    assert [process.names[name] for name in process.samples["name"]] == names


def test_lazy_transform_forwards_attributes_and_errors() -> None:
    lazy = LazyTransform(albumentations.HorizontalFlip(p=0.5), log=None)
    assert lazy.p == 0.5
    with pytest.raises(KeyError, match="named arguments"):
        lazy(noise(40, 30))


@pytest.mark.parametrize("name", ["sequential", "dynamic", "p2"])
def test_reuse_changes_no_output(name: str, tmp_path: Path) -> None:
    for use in (False, True):
        workers, runtime = 1 if name == "sequential" else 2, Runtime(reuse_pipeline=use)
        job = small_job(tmp_path / str(use), workers, runtime=runtime)
        assert run(STRATEGIES[name](), job).error is None
    assert contents(tmp_path / "True" / "out") == contents(tmp_path / "False" / "out")


def test_reuse_is_refused_for_a_transform_that_keeps_a_state() -> None:
    check_reuse(STUDY)
    group = {**GROUP, "transforms": [{CLASS: "tests.test_transformer.Counts"}], "p": 0.1}
    with pytest.raises(OptionError, match=r"reuse_pipeline=true: tests.test_transformer.Counts makes"):
        check_reuse({"transforms": [*FLIP["transforms"], group]})


def test_reuse_is_tried_on_a_size_that_is_large_enough() -> None:
    check_reuse({"transforms": [{CLASS: "albumentations.RandomCrop", "width": 1300, "height": 200}]})


def test_any_function_of_an_image_is_a_pipeline(tmp_path: Path) -> None:
    check(SHIFTED)
    written = []
    for name, workers in (("sequential", 1), ("p2", 2), ("dynamic", 3)):
        job = small_job(tmp_path / name, workers, pipeline=SHIFTED)
        outcome = run(STRATEGIES[name](), job)
        assert outcome.error is None
        written.append(contents(tmp_path / name / "out"))
    assert written[0] == written[1] == written[2]
    assert len({*written[0].values()}) > 3


def test_callable_is_not_reused() -> None:
    cell = Cell(Config(strategy=STRATEGIES["p2"](), pipeline=SHIFTED, runtime=Runtime(reuse_pipeline=True)))
    assert "give runtime.reuse_pipeline=false" in str(cell.not_applicable)


class Writes(Counts):
    """Changes the image that it is given."""

    def apply(self, img: Pixels, **params: Any) -> Pixels:
        img[0] = 0
        return img


class Draws(Counts):
    """Draws into the image that it is given with OpenCV."""

    def apply(self, img: Pixels, **params: Any) -> Pixels:
        cv2.rectangle(img, (0, 0), (5, 5), (255, 0, 0))
        return img


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, Writes) for name in ("sequential", "p1", "p2", "dynamic", "threads")] + [("sequential", Draws)],
)
def test_transform_cannot_write_into_its_image(name: str, kind: type[Counts], tmp_path: Path) -> None:
    declared = {"transforms": [{CLASS: f"tests.test_transformer.{kind.__name__}"}]}
    job = small_job(tmp_path, 1 if name == "sequential" else 2, pipeline=declared)
    assert "the pipeline changes its input image" in str(run(STRATEGIES[name](), job).error)


def test_result_that_is_no_image_is_the_error_of_the_trial(tmp_path: Path) -> None:
    job = small_job(tmp_path, 1, pipeline={"library": "callable", CLASS: "tests.test_transformer.floats"})
    error = run(STRATEGIES["sequential"](), job).error
    assert error
    assert error.startswith(
        "the pipeline returned float64, (30, 40, 3); it must be uint8, height × width × 3"
    )
    assert ImageError.__name__ not in error
