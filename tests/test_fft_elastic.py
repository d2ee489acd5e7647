"""The blur by FFT is OpenCV's but for rounding, and so is the transform."""

from typing import Any

import cv2
import numpy as np
import pytest
from albumentations import Compose, ElasticTransform
from omegaconf import OmegaConf

from augment.fft_elastic import FFTElasticTransform, blur
from augment.pipeline import CLASS, leaves
from tests.test_pipeline import STUDY

FFT: Any = OmegaConf.to_container(OmegaConf.load("conf/pipeline/study_fft.yaml"))


@pytest.mark.parametrize("sigma", [1.0, 12.5, 50.0])
def test_the_blur_is_opencvs(sigma: float) -> None:
    field = np.random.default_rng(0).standard_normal((240, 130), np.float32)
    expected = cv2.GaussianBlur(field, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(blur(field, sigma), expected, atol=1e-5)


def test_hardly_a_value_differs_and_by_little() -> None:
    image = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)
    plain, fast = (
        np.array([Compose([kind(p=1)], seed=seed)(image=image)["image"] for seed in range(5)], int)
        for kind in (ElasticTransform, FFTElasticTransform)
    )
    assert not np.array_equal(plain, image[None].repeat(5, 0))
    assert (plain != fast).mean() < 1e-4
    assert np.abs(plain - fast).max() < 32


def test_the_pipeline_is_the_studys_in_all_else() -> None:
    names = [[leaf[CLASS].rpartition(".")[2] for leaf in leaves(declared)] for declared in (STUDY, FFT)]
    assert [name.removeprefix("FFT") for name in names[1]] == names[0]
