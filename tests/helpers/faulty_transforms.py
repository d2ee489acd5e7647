"""Transforms with a known fault or a known cost, named by class path in a pipeline like any other."""

import os
import time
from typing import Any

import albumentations
from numpy.typing import NDArray


class Planted(albumentations.ImageOnlyTransform):  # type: ignore[misc]
    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)


class WithoutP(albumentations.ImageOnlyTransform):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(p=1)

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        return img


class Sleeps(Planted):
    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        time.sleep(0.03)
        return img


class Hangs(Planted):
    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        time.sleep(3600)
        return img


class Raises(Planted):
    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        raise RuntimeError("planted\nfault")


class Leaves(Planted):
    """Ends its process without a word, as a native library may."""

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        os._exit(0)


class Exits(Planted):
    """Ends its process as a script does."""

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        raise SystemExit(3)


def pipeline(*kinds: type[Planted], **last: Any) -> dict[str, Any]:
    """Return a pipeline of these transforms, the last one with those arguments."""
    transforms: list[dict[str, Any]] = [
        {"_target_": f"tests.helpers.faulty_transforms.{kind.__name__}"} for kind in kinds
    ]
    transforms[-1] |= last
    return {"transforms": transforms}
