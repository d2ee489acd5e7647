"""A sample stands for all images: small and large ones are in it as they are among all."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from experiments.sweep.inputs import stratified_sample
from experiments.sweep.vetting import pixel_count


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Make a hundred images of 100, 99, … 1 pixels, so that names and sizes have different orders."""
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / f"{number:03}.png" for number in range(100)]
    for number, path in enumerate(paths):
        Image.new("RGB", (100 - number, 1)).save(path)
    return paths


@settings(max_examples=30)
@given(count=some.integers(1, 99), seed=some.integers(0, 2**32))
def test_sample_holds_one_image_of_each_size_range(files: list[Path], count: int, seed: int) -> None:
    sample = stratified_sample(files, count, seed)
    assert sample == sorted(sample), "in the order of the folder"
    sizes = sorted(pixel_count(path) for path in sample)
    assert len(set(sizes)) == count
    for rank, pixels in enumerate(sizes):
        assert rank * 100 // count < pixels <= (rank + 1) * 100 // count
    assert sample == stratified_sample(files, count, seed), "drawn from the seed"


@pytest.mark.parametrize("count", [None, 100, 1000])
def test_sample_is_everything_if_count_is_not_smaller(files: list[Path], count: int | None) -> None:
    assert stratified_sample(files, count, 0) == files


def test_sample_changes_with_the_seed(files: list[Path]) -> None:
    assert stratified_sample(files, 10, 0) != stratified_sample(files, 10, 1)


def test_file_without_an_image_has_size_0(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    assert pixel_count(tmp_path / "broken.jpg") == pixel_count(tmp_path / "missing.jpg") == 0
