"""Pipelines in files and modules become declarations that make the same pixels, or are refused by name."""

import json
from pathlib import Path
from typing import Any

import albumentations
import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from albumentations import (
    BboxParams,
    Blur,
    ColorJitter,
    Compose,
    HorizontalFlip,
    ImageOnlyTransform,
    Lambda,
    OneOf,
    PadIfNeeded,
    RandomCrop,
    RandomGamma,
    ReplayCompose,
    Resize,
    SelectiveChannelTransform,
    Sequential,
    SomeOf,
    ToGray,
    VerticalFlip,
)
from omegaconf import OmegaConf

from augment.declaration import CLASS
from augment.options import OptionError
from augment.pipeline import check, transformer
from augment.saved_pipeline import canonical, resolved
from tests.conftest import RunPy

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


class Shade(ImageOnlyTransform):  # type: ignore[misc]
    """A user's transform."""

    def __init__(self, strength: float = 0.5, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.strength = strength

    def apply(self, img: Any, **_: Any) -> Any:
        return (img * self.strength).astype(np.uint8)


class Forgetful(ImageOnlyTransform):  # type: ignore[misc]
    """A user's transform that keeps its argument under another name."""

    def __init__(self, strength: float = 0.5, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.factor = strength

    def apply(self, img: Any, **_: Any) -> Any:
        return (img * self.factor).astype(np.uint8)


class Doubling(Shade):
    """A user's transform that keeps another value of its argument."""

    def __init__(self, strength: float = 0.5, p: float = 1.0) -> None:
        super().__init__(2 * strength, p)


def factory(seed: int) -> Any:
    return lambda image: image[:, ::-1].copy()


TRAIN = Compose(
    [
        OneOf([RandomGamma((80, 120)), HorizontalFlip()], p=0.9),
        PadIfNeeded(70, 70, border_mode=cv2.BORDER_REFLECT),
        ColorJitter(p=0.5),
        SomeOf([RandomCrop(40, 50), Shade(0.8), Blur(3)], n=2, p=1.0),
        Resize(30, 40, interpolation=cv2.INTER_CUBIC),
    ],
    p=0.8,
)
YAML = """\
p: 0.8
transforms:
  - _target_: OneOf
    p: 0.9
    transforms: [{_target_: RandomGamma, gamma_limit: [80, 120]}, {_target_: albumentations.HorizontalFlip}]
  - {_target_: PadIfNeeded, min_height: 70, min_width: 70, border_mode: cv2.BORDER_REFLECT}
  - {_target_: ColorJitter}
  - _target_: SomeOf
    n: 2
    transforms:
      - {_target_: RandomCrop, height: 40, width: 50}
      - {_target_: tests.test_saved_pipeline.Shade, strength: 0.8}
      - {_target_: Blur, blur_limit: 3}
  - {_target_: Resize, height: 30, width: 40, interpolation: cv2.INTER_CUBIC}
"""
GROUP = OneOf([ToGray(), VerticalFlip()])
CROP = RandomCrop(20, 30)
FLIP = HorizontalFlip()
TWICE = Compose([FLIP, FLIP])
CHANNELS = Compose([SelectiveChannelTransform([RandomGamma(p=0.1)], channels=(0,))])
FORGETFUL = Compose([Sequential([ToGray(p=1), Forgetful(0.9, p=0.1)])])
DOUBLING = Compose([OneOf([ToGray(p=1), Doubling(0.1, p=0.1)])])
LAMBDA = Compose([Lambda(image=factory, name="of a function")])
REPLAYED = ReplayCompose([HorizontalFlip()])
BOXES = Compose([HorizontalFlip()], bbox_params=BboxParams("coco"))
TARGETS = Compose([HorizontalFlip()], additional_targets={"right": "image"})
NUMBER = 3
PLAIN: dict[str, Any] = {"transforms": [{CLASS: "ToGray"}]}


def of_object(name: str) -> Any:
    return resolved({"library": "python", "object": f"tests.test_saved_pipeline:{name}"})


def of_file(path: Path, content: str) -> Any:
    path.write_text(content)
    return resolved({"library": "saved", "path": str(path)})


def test_file_object_and_declaration_have_one_digest_of_work_and_of_outputs(
    run_py: RunPy, tmp_path: Path
) -> None:
    albumentations.save(TRAIN, tmp_path / "train.json")
    albumentations.save(TRAIN, tmp_path / "train.yaml", data_format="yaml")
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "mine.yaml").write_text(YAML)
    small = ("strategy=sequential", "protocol=smoke", "image_size=80x60", "n_images=2", "rerun=true")
    for words in (
        ("--config-dir", str(tmp_path), "pipeline=mine"),
        ("pipeline=saved", "pipeline.path=train.json", "runtime.reuse_pipeline=true"),
        ("pipeline=saved", "pipeline.path=train.yaml"),
        ("pipeline=python", "pipeline.object=tests.test_saved_pipeline:TRAIN"),
    ):
        done = run_py(*words, *small)
        assert done.status == 0, done
    rows = pd.read_parquet(tmp_path / "results" / "trials" / "adhoc")
    assert len(rows) == 4
    for column in ("pipeline_digest", "outputs_digest"):
        assert rows[column].nunique() == 1
        assert rows[column].notna().all()
    assert rows["cell"].nunique() == 2, "one of them is reused"


def test_saved_files_of_every_format_are_the_object(tmp_path: Path) -> None:
    saved = TRAIN.to_dict()
    expected = canonical(of_object("TRAIN"))
    for number, content in enumerate(
        (json.dumps(saved), yaml.dump(saved), yaml.safe_dump(json.loads(json.dumps(saved))))
    ):
        assert canonical(of_file(tmp_path / str(number), content)) == expected
    assert canonical(resolved(OmegaConf.to_container(OmegaConf.create(YAML)))) == expected  # type: ignore[arg-type]


def test_path_is_of_the_current_folder_or_of_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    albumentations.save(GROUP, tmp_path / "group.json")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("group.json", "~/group.json"):
        assert resolved({"library": "saved", "path": path}) == of_object("GROUP")


@pytest.mark.parametrize("name", ["GROUP", "CROP"])
def test_object_may_be_a_group_or_a_transform(name: str) -> None:
    declared = of_object(name)
    [part] = declared["transforms"]
    assert part[CLASS] == f"albumentations.{type(globals()[name]).__name__}"
    check(declared)


def test_object_may_list_a_transform_twice() -> None:
    assert of_object("TWICE")["transforms"] == [{CLASS: "albumentations.HorizontalFlip"}] * 2


def test_callable_object_is_a_factory() -> None:
    declared = of_object("factory")
    assert declared == {"library": "callable", CLASS: "tests.test_saved_pipeline.factory"}
    np.testing.assert_array_equal(transformer(declared, is_reused=False)(0, IMAGE), IMAGE[:, ::-1])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("CHANNELS", "albumentations.SelectiveChannelTransform is not whole"),
        (
            "FORGETFUL",
            r"tests.test_saved_pipeline.Forgetful is not whole in what to_dict writes \(strength\)",
        ),
        ("DOUBLING", "tests.test_saved_pipeline.Doubling makes other pixels"),
        ("LAMBDA", "Lambda: a function is no data"),
        ("REPLAYED", "ReplayCompose: only images are kept, not how they were made; take Compose"),
        ("BOXES", "bbox_params: only images are augmented"),
        ("TARGETS", "additional_targets: only images are augmented"),
        ("NUMBER", "of type int; give a pipeline, or a factory"),
        ("MISSING", "no attribute 'MISSING'"),
    ],
)
def test_object_that_cannot_be_taken_apart_is_refused_by_name(name: str, reason: str) -> None:
    with pytest.raises(
        OptionError, match=rf"^pipeline\.object=tests\.test_saved_pipeline:{name}: .*{reason}"
    ):
        of_object(name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[1, 2]", "no pipeline that albumentations.save or to_dict wrote"),
        ("a: [", "ParserError"),
        ("\x00", "ReaderError"),
        ('{"transform": {"__class_fullname__": "Nope"}}', "no attribute 'Nope'"),
        ('{"transform": {"__class_fullname__": "no.such.Nope"}}', "No module named 'no'"),
        ('{"transform": {"__class_fullname__": "ToTensorV2"}}', "ToTensorV2: an output is an image"),
        (
            '{"transform": {"__class_fullname__": "__main__.Mine"}}',
            "__main__.Mine: other processes cannot import __main__",
        ),
        (json.dumps(CHANNELS.to_dict()), r"is not whole in what to_dict writes \(channels\)"),
        (json.dumps(FORGETFUL.to_dict()), r"is not whole in what to_dict writes \(strength\)"),
    ],
)
def test_foreign_file_is_refused_in_a_line(content: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=reason) as raised:
        of_file(tmp_path / "foreign", content)
    assert str(raised.value).startswith(f"pipeline.path={tmp_path}/foreign: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ({"library": "saved", "path": "/no/such"}, "path=/no/such: no such file or directory"),
        ({"library": "saved", "pth": 1}, "pth: nothing reads it; pipeline=saved has only path"),
        (
            {"library": "python", "object": "__main__:train"},
            "object=__main__:train: .*cannot import __main__",
        ),
        ({"transforms": [{CLASS: "Resize", "height": "cv2.HIGH"}]}, "cv2.HIGH: no constant of OpenCV"),
        (PLAIN | {"bbox_params": {"format": "coco"}}, "pipeline: bbox_params: only images are augmented"),
        (PLAIN | {"keypoint_params": {"format": "xy"}}, "keypoint_params: only images are augmented"),
        (PLAIN | {"additional_targets": {"two": "image"}}, "additional_targets: only images are augmented"),
        (
            {"transforms": [{CLASS: "OneOf", "transforms": [{CLASS: "Lambda"}]}]},
            "Lambda: a function is no data",
        ),
    ],
)
def test_pipeline_that_means_none_is_refused(declared: Any, reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        resolved(declared)


def test_argument_of_another_version_is_refused_by_check(tmp_path: Path) -> None:
    saved = Compose([ToGray()]).to_dict()
    saved["transform"]["transforms"][0]["always_apply"] = False
    with pytest.raises(OptionError, match=r"Argument\(s\) 'always_apply' are not valid for transform ToGray"):
        check(of_file(tmp_path / "old.json", json.dumps(saved)))
