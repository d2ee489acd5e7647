"""A temporary folder with photos, links to them, and all that commands and scripts write."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import albumentations
import cv2
import numpy as np
import pandas as pd
import yaml

from augment.datasets.pixels import photo_like, rolled
from augment.declaration import construct
from experiments import ROOT

Words = Sequence[str | Path]
LINKED = {"many": "photos", "tiny": "small", "names": "small"}  # folders of links, and what they lead to
SUB_FOLDERS = 100
ROLLS = 100  # photos made of each drawn one, because drawing takes ten times as long

# Numbers of files, pixels and runs.
FULL = {"photos": 2000, "many": 20_000, "small": 100, "tiny": 100_000, "names": 1_000_000, "width": 640}
FULL |= {"height": 480, "rounds": 5, "repeats": 7, "kills": 10}
QUICK = {"photos": 24, "many": 48, "small": 10, "tiny": 200, "names": 300, "width": 64}
QUICK |= {"height": 48, "rounds": 2, "repeats": 1, "kills": 2}


class Place:
    """The folder, its inputs, and the runs of programs in it."""

    def __init__(self, folder: Path, scale: dict[str, int]) -> None:
        self.folder, self.scale = folder, scale

    def inputs(self, name: str) -> Path:
        """Return a folder of photos, or of hard links to some in sub-folders; make it once."""
        if not (folder := self.folder / name).exists():
            if name in LINKED:
                _link(folder, self.scale[name], sorted(self.inputs(LINKED[name]).iterdir()))
            else:
                size = (32, 32) if name == "small" else (self.scale["width"], self.scale["height"])
                _draw(folder, self.scale[name], size)
        return folder

    def output(self, name: str) -> Path:
        """Return a folder that does not exist yet."""
        shutil.rmtree(output := self.folder / name, ignore_errors=True)
        return output

    def command(self, *words: str) -> Words:
        """Return the words of a command; all that it writes stays in the folder."""
        places = [f"{name}_dir={self.folder / name}" for name in ("results", "cache", "scratch")]
        return [ROOT / "run.py", *words, *places]

    def job(self, inputs: str, pipeline: str, *others: str) -> Words:
        """Return the words of the command that `advise` prints for two workers and one augmentation."""
        words = ["strategy=dynamic", "runtime=fast", "workers=2", "dataset=folder", f"pipeline={pipeline}"]
        return self.command(*words, f"dataset.path={self.inputs(inputs)}", "n_augmentations=1", *others)

    def script(self, inputs: str, pipeline: str, output: Path) -> Words:
        """Return the words of the plain script for the same work."""
        declaration = yaml.safe_load((ROOT / "conf" / "pipeline" / f"{pipeline}.yaml").read_text())
        parts = [construct(part) for part in declaration["transforms"]]
        albumentations.save(albumentations.Compose(parts), saved := self.folder / f"{pipeline}.json")
        return [ROOT / "examples" / "plain_script.py", self.inputs(inputs), output, saved]

    def start(self, words: Words) -> "tuple[subprocess.Popen[bytes], float]":
        """Start a Python program, which shows its errors itself; return it and the begin in seconds."""
        os.sync()  # else the kernel writes meanwhile what an earlier run left
        begin_s, command = time.perf_counter(), [sys.executable, *words]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL), begin_s

    def run(self, words: Words) -> float:
        """Run a Python program and return its seconds from start to end. Raises CalledProcessError."""
        process, begin_s = self.start(words)
        finish(process)
        return time.perf_counter() - begin_s

    def region_s(self) -> float:
        """Return the seconds of the timed region of the newest trial."""
        rows = (self.folder / "results" / "trials").rglob("*.parquet")
        newest = max(rows, key=lambda path: path.stat().st_mtime_ns)
        return float(pd.read_parquet(newest, columns=["wall_s"])["wall_s"].iloc[0])


def finish(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a program. Raises CalledProcessError if it failed."""
    if status := process.wait():
        raise subprocess.CalledProcessError(status, process.args)


def _draw(folder: Path, n_files: int, size: tuple[int, int]) -> None:
    folder.mkdir()
    for index in range(n_files):
        number, repeat = divmod(index, ROLLS)
        if repeat == 0:
            photo = photo_like(*size, np.random.default_rng(number))
        cv2.imwrite(str(folder / f"photo_{index:06}.jpg"), rolled(photo, repeat, seed=0))


def _link(folder: Path, n_files: int, originals: Sequence[Path]) -> None:
    for number in range(SUB_FOLDERS):
        (sub_folder := folder / f"{number:03}").mkdir(parents=True)
        for index in range(number * n_files // SUB_FOLDERS, (number + 1) * n_files // SUB_FOLDERS):
            os.link(originals[index % len(originals)], f"{sub_folder}/link_{index:07}.jpg")
