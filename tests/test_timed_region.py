"""The timed region: nothing is imported there, nothing watches at a cost, and nothing listens to others."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from augment.filesystem import InputFiles
from augment.runtime import Runtime, StartMethod
from augment.strategies import STRATEGIES
from tests.helpers.faulty_transforms import Sleeps, pipeline
from tests.helpers.observed_region import Region, observe
from tests.helpers.small_jobs import INSTALLED, VARIED, small_job

pytestmark = pytest.mark.fresh

MIRROR = {"library": "callable", "_target_": "tests.helpers.mirror.mirror"}
EACH = [pytest.param(name, marks=marks) for name, marks in INSTALLED]


@pytest.fixture(scope="module", params=EACH)
def region(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Region:
    """Return the region of a trial of each strategy, with a pipeline that brings no library along."""
    folder, workers = tmp_path_factory.mktemp(request.param), 1 if request.param == "sequential" else 2
    return observe(STRATEGIES[request.param](), small_job(folder, workers, pipeline=MIRROR))


def test_no_module_is_first_imported_in_the_region(region: Region) -> None:
    assert region.imported == []


def test_no_process_of_a_trial_listens_on_the_network(region: Region) -> None:
    addresses = [ip_address(address.removeprefix("::ffff:")) for address, _ in region.listening]
    assert [address for address in addresses if not address.is_loopback] == []
    assert 8787 not in [port for _, port in region.listening], "Dask's dashboard"


@pytest.mark.parametrize("method", StartMethod)
@pytest.mark.parametrize("name", ["sequential", "dynamic"])
def test_no_start_method_and_no_transform_is_imported_in_the_region(
    name: str, method: StartMethod, tmp_path: Path
) -> None:
    job = small_job(tmp_path, 1, pipeline=VARIED, runtime=Runtime(start_method=method))
    assert observe(STRATEGIES[name](), job).imported == []


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp", ".tiff", ".gif"])
def test_no_library_of_an_image_format_is_imported_in_the_region(suffix: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / f"photo{suffix}"), np.zeros((40, 30, 3), np.uint8))
    changes: dict[str, Any] = {"inputs": InputFiles(tmp_path, [f"photo{suffix}"]), "pipeline": MIRROR}
    assert observe(STRATEGIES["sequential"](), small_job(tmp_path, 1, **changes)).imported == []


def test_watch_costs_only_what_grows_with_the_workers(tmp_path: Path) -> None:
    """A look at every process or log whenever one of them ends would cost their number squared."""
    n_workers = 12
    job = small_job(tmp_path, n_workers, pipeline=pipeline(Sleeps), n_augmentations=100)
    region = observe(STRATEGIES["dynamic"](), job)
    assert 0 < region.registered <= n_workers
    assert region.files_read <= n_workers
