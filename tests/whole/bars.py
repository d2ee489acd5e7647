"""The bars: figures of whole commands, and their limits."""

import os
import random
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from filecmp import cmpfiles
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from experiments.analysis.statistics import BlockModel
from tests.whole.place import Place, Words, finish

UNDISTURBED_RUNS = 3
POLL_S = 0.02
FOLLOW_S = 0.5  # until the workers of a killed command have followed it
CELL = "strategy=sequential pipeline=light image_size=64x48 n_images=2 n_augmentations=2"
CELL += " repetitions=1 rerun=true"
MET, MISSED = "surely met", "missed"


class Bar(NamedTuple):
    """A figure and its limit."""

    number: int
    title: str
    values: Sequence[float]  # measured ones, or a ratio with the ends of its 95 % interval
    limit: float
    unit: str = ""

    @property
    def state(self) -> str:
        """Return whether all values are within the limit, none, or only some."""
        if max(self.values) <= self.limit:
            return MET
        return MISSED if min(self.values) > self.limit else "not decided"

    def __str__(self) -> str:
        value, low, high = (f"{kind(self.values):,.2f}" for kind in (median, min, max))
        figure = f"{value} ({low}–{high})" if len(self.values) > 1 else value
        limit = f"≤ {self.limit:.4g}{self.unit}"
        return f"{self.number}  {self.title:<56} {figure:>20}  {limit:<9} {self.state}"


def against_script(place: Place, pipeline: str, inputs: str, limit: float) -> Iterator[Bar]:
    """Compare the command with the script in rounds; they take turns to begin."""
    title = f"{pipeline}, {place.scale[inputs]:,} photos"
    kinds, walls_s, outside_s, regions_s = [], [], [], []
    for number in range(place.scale["rounds"]):
        for kind in ("command", "script")[:: 1 if number % 2 == 0 else -1]:
            output = place.output("augmented")
            if kind == "script":
                walls_s.append(place.run(place.script(inputs, pipeline, output)))
            else:
                walls_s.append(place.run(place.job(inputs, pipeline, f"output_dir={output}")))
                regions_s.append(place.region_s())
                outside_s.append(walls_s[-1] - regions_s[-1])
            kinds.append(kind)
            print(f"{title}: {kind} {walls_s[-1]:.2f} s", file=sys.stderr)
    model = BlockModel(kinds, [index // 2 for index in range(len(kinds))], walls_s)
    yield Bar(1, f"command / script, {title}", model.log_ratio("command", "script").exp(), limit)
    yield Bar(2, f"outside the region, {title}", outside_s, 2.5 + 0.01 * median(regions_s), " s")


def tiny(place: Place) -> Iterator[Bar]:
    """Augment very many tiny files."""
    words = place.job("tiny", "light", f"output_dir={place.output('augmented')}")
    outside_s = place.run(words) - place.region_s()
    yield Bar(2, f"outside the region, light, {place.scale['tiny']:,} tiny files", [outside_s], 15, " s")


def names(place: Place) -> Iterator[Bar]:
    """Measure the memory of the command's own process beside a sample of very many files."""
    n_names, peaks_kb = place.scale["names"], [0]
    sample = f"sample={min(1000, n_names // 10)}"
    process, _ = place.start(place.job("names", "light", sample, "repetitions=1"))
    while process.poll() is None:
        with suppress(OSError):  # it has ended since
            status = Path(f"/proc/{process.pid}/status").read_text()
            peaks_kb += map(int, re.findall(r"VmHWM:\s*(\d+)", status))
        time.sleep(POLL_S)
    finish(process)
    shutil.rmtree(place.inputs("names"))
    title = f"memory of the command's process, {n_names:,} names"
    yield Bar(2, title, [max(peaks_kb) * 1024 / 1e6], 500, " MB")


def repeated(place: Place, title: str, words: str, limit: float) -> Iterator[Bar]:
    """Run a short command several times."""
    walls_s = [place.run(place.command(*words.split())) for _ in range(place.scale["repeats"])]
    yield Bar(3, title, walls_s, limit, " s")


def resume(place: Place) -> Iterator[Bar]:
    """Kill a command at random moments of its work, and let it go on to the end."""
    walls_s = []
    for _ in range(UNDISTURBED_RUNS):
        undisturbed = place.output("undisturbed")
        walls_s.append(place.run(place.job("photos", "light", f"output_dir={undisturbed}")))
    kills = place.scale["kills"]
    moments = sorted(random.Random(0).sample(range(1, place.scale["photos"]), kills))  # in outputs
    resumed, n_again, written_ns = place.output("resumed"), 0, dict[Path, int]()
    words, attempts = place.job("photos", "light", f"output_dir={resumed}"), []
    for moment in (*moments, None):
        attempts.append(_attempt(place, words, resumed, moment))
        now_ns = {path: path.stat().st_mtime_ns for path in _outputs(resumed)}
        n_again += sum(now_ns.get(path) != then_ns for path, then_ns in written_ns.items())
        written_ns = now_ns
        print(f"resume: {len(now_ns):,} outputs after {attempts[-1][0]:.2f} s", file=sys.stderr)
    # The first start is a part of the undisturbed run, too.
    working_s = sum(wall_s for wall_s, _ in attempts) - sum(start_s for _, start_s in attempts[1:])
    names = {path.name for folder in (undisturbed, resumed) for path in _outputs(folder)}
    _, other, lacking = cmpfiles(undisturbed, resumed, names, shallow=False)
    title = f"killed {kills} times, light, {place.scale['photos']:,} photos"
    yield Bar(4, f"{title}: time / undisturbed", [working_s / median(walls_s)], 1.1)
    yield Bar(4, f"{title}: made again", [n_again], 0)
    yield Bar(4, f"{title}: other bytes", [len(other + lacking)], 0)


def _attempt(place: Place, words: Words, output: Path, kill_at: int | None) -> tuple[float, float]:
    """Run a command, or kill it when so many outputs exist; return its seconds, and those to its first."""
    n_before = len(_outputs(output))
    process, begin_s = place.start(words)
    while process.poll() is None and len(_outputs(output)) <= n_before:
        time.sleep(POLL_S)
    start_s = time.perf_counter() - begin_s
    while process.poll() is None and (kill_at is None or len(_outputs(output)) < kill_at):
        time.sleep(POLL_S)
    if process.poll() is None:
        process.kill()
    else:
        finish(process)
    process.wait()
    wall_s = time.perf_counter() - begin_s
    time.sleep(FOLLOW_S)
    return wall_s, start_s


def _outputs(folder: Path) -> list[Path]:
    names = os.listdir(folder) if folder.exists() else []
    return [folder / name for name in names if name.startswith("aug_")]


BARS: dict[str, Callable[[Place], Iterator[Bar]]] = {
    "study": partial(against_script, pipeline="study", inputs="photos", limit=0.9),
    "light": partial(against_script, pipeline="light", inputs="photos", limit=1.25),
    "many": partial(against_script, pipeline="light", inputs="many", limit=0.92),
    "tiny": tiny,
    "names": names,
    "cell": partial(repeated, title="cell of 4 tasks of 64x48", words=CELL, limit=2.2),
    "help": partial(repeated, title="--help", words="--help", limit=0.9),
    "resume": resume,
}
