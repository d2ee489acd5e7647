"""The records in a folder of outputs: the manifest, which says whose they are, and the list of bad images."""

import csv
import io
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from augment.datasets.folder import MANIFEST
from augment.filesystem import InputFiles, is_local, read_bytes, remove_file, write_remote
from augment.images import PARTS
from augment.workload import Workload

BAD_IMAGES = "bad_images.csv"
NAMING = ("n_augmentations", "outputs_total", "output_format")  # what of a workload names its outputs


@dataclass(frozen=True)
class Manifest:
    """The command whose outputs a folder holds."""

    workload: dict[str, Any]  # the columns that decide what the outputs are
    pipeline: Mapping[str, Any]
    command: str
    finished: bool
    max_image_pixels: int
    inputs: str  # names with a null character between them, from which those of the outputs follow

    @classmethod
    def read(cls, place: Path) -> Self | None:
        """Return the manifest of a folder; None if it has none. Raises OSError, ValueError, TypeError."""
        try:
            return cls(**json.loads(read_bytes(place / MANIFEST)))
        except FileNotFoundError:
            return None

    def write(self, place: Path) -> None:
        """Write it into a folder. Raises OSError."""
        _write(place / MANIFEST, json.dumps(vars(self), indent=1))

    def difference(self, workload: Mapping[str, Any]) -> str:
        """Return how its work differs from another one; nothing if it is the same."""
        others = [name for name, value in workload.items() if self.workload.get(name) != value]
        return ", ".join(f"{name}={self.workload.get(name)}, not {workload[name]}" for name in others)

    def output_names(self) -> list[str]:
        """Return the names of the outputs that it stands for."""
        names, options = self.inputs.split("\0"), {name: self.workload[name] for name in NAMING}
        work = Workload(InputFiles(Path(), names), pipeline={}, seed=0, output=None, **options)
        return [name for index in range(len(names)) for name in work.output_names(index)]


def read_bad_images(place: Path) -> dict[str, str]:
    """Return the reasons of bad images by name, as a folder lists them. Raises OSError."""
    try:
        text = read_bytes(place / BAD_IMAGES).decode(errors="surrogateescape")
    except FileNotFoundError:
        return {}
    return {row.get("file", ""): row.get("reason", "") for row in csv.DictReader(io.StringIO(text))}


def write_bad_images(place: Path, bad: Mapping[str, str]) -> None:
    """Write the bad images with their reasons; remove the list if there are none. Raises OSError."""
    if bad:
        csv.writer(text := io.StringIO(newline="")).writerows([("file", "reason"), *bad.items()])
        _write(place / BAD_IMAGES, text.getvalue())
    else:
        with suppress(FileNotFoundError):
            remove_file(place / BAD_IMAGES)


def _write(file: Path, text: str) -> None:
    """Write a file that is whole or absent, also after a power cut. Raises OSError."""
    content = text.encode(errors="surrogateescape")
    if not is_local(file):
        write_remote(file, content)
        return
    with open(part := file.with_name(PARTS.replace("*", file.name)), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    os.replace(part, file)
