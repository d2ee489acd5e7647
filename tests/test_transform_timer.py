"""Timed transforms do what they always did, and each call that was applied is in the log."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from albumentations import ImageOnlyTransform

from augment.pipeline import build
from augment.task_log.layout import Role
from augment.task_log.reader import read
from augment.task_log.transform_timer import Timed, wrap_leaves
from augment.task_log.writer import Log
from tests.test_pipeline import STUDY

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


class Half(ImageOnlyTransform):  # type: ignore[misc]
    """As a user writes one."""

    def apply(self, img: Any, **_: Any) -> Any:
        return img // 2


def applied(folder: Path, *declarations: dict[str, Any]) -> list[str]:
    """The names of the transforms that are in the log for one task of that pipeline."""
    log = Log(folder, Role.WORKER)
    log.ready(1, 1)
    log.begin(0, 0)
    transform = build({"transforms": declarations}, seed=0)
    wrap_leaves(transform, lambda leaf: Timed(leaf, log))
    transform(image=IMAGE)
    log.end()
    log.leave()
    [process] = read(folder)
    assert (process.samples["seconds"] > 0).all()
    return [process.names[name] for name in process.samples["name"]]


def transform_of(path: str, p: float = 1, **arguments: Any) -> dict[str, Any]:
    return {"_target_": path, "p": p, **arguments}


def test_timing_changes_no_pixel(tmp_path: Path) -> None:
    log = Log(tmp_path, Role.WORKER)
    log.ready(1, 1)
    log.begin(0, 0)
    for seed in range(40):  # enough to draw every transform
        plain, timed = build(STUDY, seed), build(STUDY, seed)
        wrap_leaves(timed, lambda leaf: Timed(leaf, log))
        np.testing.assert_array_equal(plain(image=IMAGE)["image"], timed(image=IMAGE)["image"])
        assert plain.py_random.getstate() == timed.py_random.getstate()
        assert plain.random_generator.bit_generator.state == timed.random_generator.bit_generator.state


def test_leaves_are_timed_and_groups_are_not(tmp_path: Path) -> None:
    inner = transform_of("albumentations.OneOf", transforms=[transform_of("albumentations.VerticalFlip")])
    outer = transform_of(
        "albumentations.Sequential", transforms=[inner, transform_of("albumentations.ToGray")]
    )
    assert applied(tmp_path, outer) == ["VerticalFlip", "ToGray"]


def test_skipped_transform_is_not_timed(tmp_path: Path) -> None:
    flips = [transform_of("albumentations.HorizontalFlip", p=0), transform_of("albumentations.VerticalFlip")]
    assert applied(tmp_path, *flips) == ["VerticalFlip"]


def test_a_transform_listed_twice_is_timed_twice(tmp_path: Path) -> None:
    flip = transform_of("albumentations.HorizontalFlip")
    assert applied(tmp_path, flip, flip) == ["HorizontalFlip", "HorizontalFlip"]


def test_a_users_own_transform_has_its_name(tmp_path: Path) -> None:
    assert applied(tmp_path, transform_of("tests.test_transform_timer.Half")) == ["Half"]


def test_timed_transform_forwards_attributes_and_errors(tmp_path: Path) -> None:
    log = Log(tmp_path, Role.WORKER)
    transform = build({"transforms": [transform_of("albumentations.HorizontalFlip")]}, seed=0)
    wrap_leaves(transform, lambda leaf: Timed(leaf, log))
    [leaf] = transform.transforms
    assert leaf.p == 1
    with pytest.raises(KeyError, match="named arguments"):
        leaf(IMAGE)
