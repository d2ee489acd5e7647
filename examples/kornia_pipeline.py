"""A pipeline of kornia-rs (pip install kornia-rs).

python run.py --config-dir examples/conf pipeline=kornia
"""

from collections.abc import Callable
from typing import Any

from kornia_rs import augmentations
from kornia_rs.image import Image


def make(seed: int) -> Callable[[Any], Any]:
    """Return a function that flips an image and changes its colours, as `seed` draws it.

    Each thread has a generator of its own, so that it serves `strategy=threads` too.
    """
    transform = augmentations.Compose(
        [
            augmentations.RandomHorizontalFlip(0.5),
            augmentations.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
        ]
    )

    def augment(image: Any) -> Any:
        augmentations.set_seed(seed)
        return transform(Image.from_numpy(image)).to_numpy()

    return augment
