"""The script that people write to augment each photo of a folder once: `make whole` holds the command to it.

python examples/plain_script.py photos augmented pipeline.json
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import albumentations
import cv2

PHOTOS, AUGMENTED, PIPELINE = map(Path, sys.argv[1:])
pipeline: Any


def start() -> None:
    global pipeline
    cv2.setNumThreads(1)
    pipeline = albumentations.load(PIPELINE)


def augment(photo: Path) -> None:
    image: Any = cv2.imread(str(photo))
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    augmented = cv2.cvtColor(pipeline(image=image)["image"], cv2.COLOR_RGB2BGR)
    output = AUGMENTED / photo.relative_to(PHOTOS)
    output.parent.mkdir(parents=True, exist_ok=True)
    cv2.imencode(".jpg", augmented)[1].tofile(output)


if __name__ == "__main__":
    with ProcessPoolExecutor(2, initializer=start) as pool:
        list(pool.map(augment, PHOTOS.rglob("*.jpg"), chunksize=16))
