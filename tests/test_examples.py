"""Every example works by the command that heads it."""

import ast
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from albumentations import Compose, ElasticTransform

from experiments import ROOT
from tests.helpers.commands import interpreter

PIPELINES = {"fft_elastic": "scipy", "kornia_pipeline": "kornia_rs", "torchvision_pipeline": "torchvision"}


def words_of(example: str) -> list[str]:
    """Return the words of the command in an example's docstring, without `python`."""
    heading = ast.get_docstring(ast.parse((ROOT / "examples" / f"{example}.py").read_text()))
    [command] = re.findall(r"^python (.*)$", str(heading), re.MULTILINE)
    return shlex.split(command)


@pytest.mark.parametrize(("example", "library"), PIPELINES.items())
def test_pipeline_makes_the_same_bytes_in_sequential_and_dynamic(
    example: str, library: str, tmp_path: Path
) -> None:
    pytest.importorskip(library, reason=f"pip install {library}")
    small = ["protocol=smoke", "image_size=64x48", "strategy=dynamic", "workers=2", "with_baseline=true"]
    ended = interpreter(*words_of(example), *small, f"results_dir={tmp_path}", cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    trials = pd.read_parquet(tmp_path / "trials" / "adhoc")
    assert set(trials["strategy"]) == {"sequential", "dynamic"}
    assert trials["outputs_digest"].nunique() == 1


def test_elastic_transform_by_fft_changes_few_values_by_little() -> None:
    from examples.fft_elastic import FFTElasticTransform

    image = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)
    plain, fast = (
        np.array([Compose([kind(p=1)], seed=seed)(image=image)["image"] for seed in range(5)], int)
        for kind in (ElasticTransform, FFTElasticTransform)
    )
    assert not np.array_equal(plain, image[None].repeat(5, 0))
    assert (plain != fast).mean() < 1e-4
    assert np.abs(plain - fast).max() < 32


@pytest.mark.slow
def test_cost_of_recording_is_printed_with_and_without_saving() -> None:
    *words, _ = words_of("recording_cost")
    ended = interpreter(*words, "2", cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.split(":")[0] for line in ended.stdout.splitlines()] == ["saving=True", "saving=False"]
