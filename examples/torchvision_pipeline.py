"""A pipeline of torchvision's transforms v2 (pip install torch torchvision).

python run.py --config-dir examples/conf pipeline=torchvision
"""

from collections.abc import Callable
from typing import Any

import torch
from torchvision.transforms import v2


def make(seed: int) -> Callable[[Any], Any]:
    """Return a function that flips an image and changes its contrast, as `seed` draws it.

    PyTorch has one generator for a whole process: use processes, not `strategy=threads`.
    """
    transform = v2.Compose(
        [
            v2.RandomHorizontalFlip(0.5),
            v2.ColorJitter(brightness=0.2, contrast=0.2),
            v2.RandomAutocontrast(0.5),
        ]
    )

    def augment(image: Any) -> Any:
        torch.manual_seed(seed)
        # PyTorch wants channels first, and memory that it can write to.
        channels_first = torch.from_numpy(image.transpose(2, 0, 1).copy())
        return transform(channels_first).permute(1, 2, 0).contiguous().numpy()

    return augment
