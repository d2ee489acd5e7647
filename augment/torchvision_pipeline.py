"""A pipeline of another library: torchvision's transforms v2."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from augment.image_io import Pixels


def make(seed: int) -> Callable[[Pixels], Pixels]:
    """The function that flips an image (height × width × 3) and changes its contrast, as `seed` draws it.
    Torch draws from one generator of the process: for strategies with processes, not threads."""
    import torch
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.RandomHorizontalFlip(0.5),
            v2.ColorJitter(brightness=0.2, contrast=0.2),
            v2.RandomAutocontrast(0.5),
        ]
    )

    def augment(image: Pixels) -> Pixels:
        torch.manual_seed(seed)
        # Torch wants channels first, and memory of its own: an image in hand serves the next task too.
        channels_first = torch.from_numpy(image.transpose(2, 0, 1).copy())
        augmented: Pixels = transform(channels_first).permute(1, 2, 0).contiguous().numpy()
        return augmented

    return augment
