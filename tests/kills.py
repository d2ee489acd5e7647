"""Kill sweeps at random moments, and count what is there after a next command that should not be.

`python -m tests.kills 1000`, or `make reliability`. Sweeps of short cells, one or two at once, are killed and
given again until they end. Then all that they have left is counted. The next ones have another seed, and so
make new images.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pandas as pd
import psutil

from tests.helpers.commands import started, wait_until

WORDS = (
    *("-m", "strategy=p2,pq", "workers=2", "image_size=64x48", "n_images=2", "n_augmentations=2"),
    *("repetitions=1", "results_dir=results", "cache_dir=cache"),
)
N_ROWS = 2  # of one seed
KINDS = ("rows lost or double", "rows without tasks", "tasks without a row", "files", "locks", "processes")
FOLLOW_S = 10.0  # at most, until the processes of a killed command have followed it

Left = tuple[str, object]  # one of KINDS, and which


class Place:
    """A folder for all that sweeps write, and what they leave there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.temporary = folder, folder / "tmp"
        self.temporary.mkdir()

    def sweep(self, seed: int) -> "subprocess.Popen[bytes]":
        """Start a sweep."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return started(*WORDS, f"seed={seed}", cwd=self.folder, env={"TMPDIR": str(self.temporary)}, **quiet)

    def left(self, n_seeds: int) -> Iterator[Left]:
        """Yield all that is there after the sweeps of so many seeds and should not be."""
        wait_until(lambda: not self._processes(), FOLLOW_S)
        yield from (("processes", pid) for pid in self._processes())
        for folder in (self.folder / "results", self.folder / "cache"):
            for path in folder.rglob(".augment*"):
                yield ("locks" if "-turn-" in path.name else "files"), path
        yield from (("files", path) for path in self.temporary.iterdir())
        rows, tasks = (
            pd.read_parquet(self.folder / "results" / table, columns=columns)
            for table, columns in (("trials", ["trial_id", "seed"]), ("tasks", ["trial_id"]))
        )
        n_rows = Counter(rows["seed"])
        yield from (("rows lost or double", seed) for seed in range(n_seeds) if n_rows[seed] != N_ROWS)
        yield from (("rows without tasks", trial) for trial in {*rows["trial_id"]} - {*tasks["trial_id"]})
        yield from (("tasks without a row", trial) for trial in {*tasks["trial_id"]} - {*rows["trial_id"]})

    def _processes(self) -> list[int]:
        """Return the living processes of sweeps and trials."""
        mark, alive = os.fsencode(self.temporary), []
        for process in psutil.process_iter(["status"]):
            with suppress(OSError):  # it has ended since, or is another user's
                environment = Path(f"/proc/{process.pid}/environ").read_bytes()
                if mark in environment and process.info["status"] != psutil.STATUS_ZOMBIE:
                    alive.append(process.pid)
        return alive


def kill_until_they_end(place: Place, seed: int, longest_s: float, rng: random.Random) -> int:
    """Give the sweep of a seed again until no sweep was killed; return how many were."""
    killed = 0
    while True:
        begin_s, sweeps = time.monotonic(), [place.sweep(seed) for _ in range(rng.choice((1, 1, 2)))]
        before = killed
        for sweep, moment_s in zip(sweeps, sorted(rng.uniform(0, longest_s) for _ in sweeps), strict=True):
            try:
                sweep.wait(max(0, begin_s + moment_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                sweep.kill()
                sweep.wait()
                killed += 1
        if killed == before:
            return killed


def main() -> None:
    """Kill as many sweeps as asked for, print the counts, and end with status 1 if anything was left."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("kills", type=int, help="number of sweeps to kill")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="after which no seed begins")
    options = parser.parse_args()
    rng, killed, left, begin_s = random.Random(0), 0, set[Left](), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-", dir="/tmp") as folder:
        place = Place(Path(folder).resolve())
        place.sweep(0).wait()
        longest_s = time.monotonic() - begin_s
        for seed in count(1):
            killed += kill_until_they_end(place, seed, longest_s, rng)
            found = {*place.left(seed + 1)} - left
            left |= found
            lines = (f"{kind}: {which}" for kind, which in sorted(found, key=str))
            print(f"{killed} killed, {seed + 1} ended", *lines, sep="\n", file=sys.stderr)
            if killed >= options.kills or time.monotonic() - begin_s > 60 * options.minutes:
                break
    counts = Counter(kind for kind, _ in left)
    print(
        f"{killed} sweeps killed, {seed + 1} ended: " + ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    )
    sys.exit(bool(left))


if __name__ == "__main__":
    main()
