"""The random transform: a function of the seed and the task's two indices, declared as data."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from omegaconf import OmegaConf

from augment.declaration import PipelineError, construct
from augment.pipeline import check, task_seed

STUDY: Any = OmegaConf.to_container(OmegaConf.load("conf/pipeline/study.yaml"))
INDEX = some.integers(0, 10_000)


@given(INDEX, INDEX, INDEX)
def test_a_seed_for_every_task(seed: int, image: int, augmentation: int) -> None:
    own = task_seed(seed, image, augmentation)
    assert own == task_seed(seed, image, augmentation)
    assert own != task_seed(seed, image, augmentation + 1)
    assert own != task_seed(seed, image + 1, augmentation)
    assert own != task_seed(seed + 1, image, augmentation)


def test_the_study_pipeline_has_what_the_study_lists() -> None:
    geometric, photometric, distorting = construct(STUDY["transforms"])
    assert [type(part).__name__ for part in geometric.transforms] == [
        *("HorizontalFlip", "VerticalFlip", "RandomRotate90")
    ]
    assert (geometric.p, photometric.n, photometric.p, distorting.p) == (0.5, 2, 1, 0.4)
    assert [type(part).__name__ for part in photometric.transforms] == [
        *("RandomBrightnessContrast", "HueSaturationValue", "CLAHE", "GaussianBlur", "Sharpen"),
        *("RandomGamma", "MotionBlur", "ISONoise", "ChannelShuffle"),
    ]
    assert [type(part).__name__ for part in distorting.transforms] == [
        *("ElasticTransform", "GridDistortion", "OpticalDistortion", "Perspective")
    ]
    inner = [part for group in (geometric, photometric, distorting) for part in group.transforms]
    assert all(part.p == 1 for part in inner)


def test_ranges_become_tuples() -> None:
    declared = {"_target_": "albumentations.RandomGamma", "gamma_limit": [90, 110], "p": 1}
    assert construct(declared).gamma_limit == (90, 110)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ([], "pipeline.transforms: empty"),
        ([{"_target_": "albumentations.Nope"}], "albumentations.Nope"),
        ([{"_target_": "no.such.module.Blur"}], "no.such.module.Blur"),
        ([{"_target_": "albumentations.HorizontalFlip", "p": 7}], "albumentations.HorizontalFlip"),
        ([{"_target_": "pathlib.Path"}], "no albumentations transform"),
        ([{"p": 1}], "no albumentations transform"),
    ],
)
def test_a_wrong_declaration_is_named(declared: list[dict[str, object]], told: str) -> None:
    with pytest.raises(PipelineError, match=told) as raised:
        check({"transforms": declared})
    assert "\n" not in str(raised.value)


def test_building_a_pipeline_leaves_pytorch_alone(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('imported')")
    declared = {"transforms": [{"_target_": "albumentations.RandomGamma"}]}
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    code += f"from augment.pipeline import check; check({declared})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
