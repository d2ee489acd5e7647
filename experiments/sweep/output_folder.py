"""The folder that a command fills with outputs: whose they are, what is done, and who may write there."""

import csv
import fcntl
import io
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from augment.datasets.folder import MANIFEST
from augment.filesystem import InputFiles, is_local, printable, read_bytes, remove_file, write_remote
from augment.image_file import has_end
from augment.images import PARTS
from augment.options import OptionError
from augment.temporary import remove_abandoned
from augment.workload import OnBadImage, Workload
from experiments.trial.measure import output_sizes

BAD_IMAGES, LOCK = "bad_images.csv", ".augment.lock"
DECODER = "the decoder crashed or hung"  # a reason that is known before the next trial begins
NAMING = ("n_augmentations", "outputs_total", "output_format")  # what of a workload names its outputs


@dataclass(frozen=True)
class Manifest:
    """The command whose outputs a folder holds."""

    workload: dict[str, Any]  # the columns that decide what the outputs are
    pipeline: Mapping[str, Any]
    command: str
    max_image_pixels: int
    inputs: str  # names with a null character between them, from which those of the outputs follow
    finished: bool = False
    bad_images: Mapping[str, str] = field(default_factory=dict)  # their reasons by name

    def difference(self, workload: Mapping[str, Any]) -> str:
        """Return how its work differs from another one; nothing if it is the same."""
        others = [name for name, value in workload.items() if self.workload.get(name) != value]
        return ", ".join(f"{name}={self.workload.get(name)}, not {workload[name]}" for name in others)

    def output_names(self) -> Iterator[str]:
        """Return the names of the outputs that it stands for."""
        names, options = self.inputs.split("\0"), {name: self.workload[name] for name in NAMING}
        work = Workload(InputFiles(Path(), names), pipeline={}, seed=0, output=None, **options)
        return work.output_names()


class OutputFolder:
    """The outputs of one workload in a folder of its own, and the manifest there that says so.

    A command goes on with the outputs that are missing, however the one before it ended. Local outputs that
    are empty or lack the end of their format are made again, as a power cut may leave such files.
    """

    def __init__(self, option: str, work: Workload, determining: Mapping[str, Any], command: str) -> None:
        """Take the folder as given (`option`), and the columns that decide its content (`determining`)."""
        assert work.output
        self.work, self._option, self._place = work, f"output_dir={option}", work.output
        names = "\0".join(work.inputs.names)
        self._record = Manifest(dict(determining), work.pipeline, command, work.max_image_pixels, names)
        self._lock: int | None = None
        self._obsolete: list[str] = []  # to be removed before the first trial: of other work, or broken

    def check(self, overwrite: bool) -> None:
        """Find what is done; hold the folder if it is ours. Raises OptionError, OSError."""
        if is_local(self._place) and self._place.exists() and not self._place.is_dir():
            raise OptionError(f"{self._option}: not a folder; give a folder")
        self._obsolete = []
        if self._manifest():
            self._hold()
        if manifest := self._manifest():  # which another command may have changed before that
            other = manifest.difference(self._record.workload)
            if other and not overwrite:
                advice = "give another folder or overwrite=true"
                raise OptionError(f"{self._option}: holds the outputs of other work ({other}); {advice}")
            is_begun = not other and not manifest.finished and manifest.command == self._record.command
            if not overwrite or is_begun:
                finished = manifest.finished and manifest.max_image_pixels == self.work.max_image_pixels
                self._record = replace(self._record, finished=finished, bad_images=manifest.bad_images)
                self._find_done()
                return
            self._obsolete = [*manifest.output_names(), BAD_IMAGES]
        self._refuse_foreign_files()

    def _refuse_foreign_files(self) -> None:
        """Raise OptionError for files that have names of outputs, and that no manifest names."""
        foreign = output_sizes(self.work).keys() - self._obsolete
        if BAD_IMAGES not in self._obsolete and (self._place / BAD_IMAGES).exists():
            foreign |= {BAD_IMAGES}
        names = chain([BAD_IMAGES], self.work.output_names())
        if foreign and (clashes := [name for name in names if name in foreign]):
            raise OptionError(
                f"{self._option}: {len(clashes)} files of these names exist, such as {clashes[0]!a}, and no "
                f"{MANIFEST} names them; give another folder"
            )

    def _find_done(self) -> None:
        sizes, done = output_sizes(self.work), bytearray()
        self._obsolete = []
        for name in self.work.output_names():
            is_whole = sizes.get(name, 0) > 0
            if is_whole and is_local(self._place):
                is_whole = has_end(self._place / name)
            if name in sizes and not is_whole:
                self._obsolete.append(name)
            done.append(is_whole)
        skipped = self._record.bad_images if self.work.on_bad_image is OnBadImage.skip else {}
        names = enumerate(self.work.inputs.names)
        known = {index: DECODER for index, name in names if skipped.get(name) == DECODER}
        self.work = replace(self.work, done=bytes(done), bad_images={**self.work.bad_images, **known})

    @property
    def is_complete(self) -> bool:
        """Return whether nothing is left to do, but for bad images that are skipped."""
        is_skipping = self._record.finished and self.work.on_bad_image is OnBadImage.skip
        skipped = self._record.bad_images if is_skipping else {}
        inputs = enumerate(self.work.inputs.names)
        return not any(self.work.augmentations(index) for index, name in inputs if name not in skipped)

    def begin(self) -> None:
        """Hold the folder and, if anything is left to do, remove outputs to be made again."""
        is_new = is_local(self._place) and self._lock is None
        self._place.mkdir(parents=True, exist_ok=True)
        self._hold()
        if is_new:  # another command may have begun and ended since the check
            self.check(overwrite=False)
        if not self.is_complete:
            self._remove(self._obsolete)
            self._obsolete = []
            self.work.make_folders()
            self._enter(False, self._record.bad_images)

    def note(self, image_indices: Mapping[int, str]) -> None:
        """List images that a decoder did not survive, and find again what is done."""
        noted = {self.work.inputs.names[index]: reason for index, reason in image_indices.items()}
        self._enter(False, {**self._record.bad_images, **noted})
        self._find_done()

    def end(self, changed: Iterable[int], bad: Mapping[str, str], is_done: bool) -> None:
        """Remove the outputs of images that have changed, list bad ones, and enter whether all is done."""
        self._remove(self.work.output_names(changed))
        if is_done or bad:
            self._enter(is_done, bad)

    def release(self) -> None:
        """Let other commands hold the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _hold(self) -> None:
        """Hold the folder against other commands. Raises OptionError, which names the process that does."""
        if self._lock is not None or not is_local(self._place):
            return
        lock = os.open(self._place / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 200, 0).decode(errors="replace")
            os.close(lock)
            advice = "wait for its end or give another folder"
            raise OptionError(f"{self._option}: {holder} writes there; {advice}") from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()} of {platform.node()}".encode(), 0)
        self._lock = lock
        remove_abandoned(self._place)
        for folder in {"", *(name.rpartition("/")[0] for name in self.work.inputs.names)}:
            for part in (self._place / folder).glob(PARTS):
                part.unlink(missing_ok=True)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(FileNotFoundError):
                remove_file(self._place / name)

    def _manifest(self) -> Manifest | None:
        """Return the manifest of the folder; None if it has none. Raises OptionError, OSError."""
        try:
            manifest = Manifest(**json.loads(read_bytes(self._place / MANIFEST)))
            next(manifest.output_names(), None)  # fails if somebody has edited what names the outputs
            return manifest
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            reason = f"{MANIFEST} there cannot be read; give another folder"
            raise OptionError(f"{self._option}: {reason}") from error

    def _enter(self, finished: bool, bad: Mapping[str, str]) -> None:
        """Write the manifest, and a list of the bad images if there are any. Raises OSError."""
        self._record = replace(self._record, finished=finished, bad_images=dict(bad))
        if bad:
            csv.writer(text := io.StringIO(newline="")).writerows([("file", "reason"), *bad.items()])
            self._write(BAD_IMAGES, text.getvalue())
        else:
            self._remove([BAD_IMAGES])
        self._write(MANIFEST, json.dumps(vars(self._record), indent=1))

    def _write(self, name: str, text: str) -> None:
        """Write a file that is whole or absent, also after a power cut. Raises OSError."""
        file, content = self._place / name, text.encode(errors="surrogateescape")
        if not is_local(file):
            write_remote(file, content)
            return
        with open(part := self._place / PARTS.replace("*", name), "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(part, file)


def refuse_equal_names(work: Workload) -> None:
    """Raise OptionError for two inputs whose outputs would have one name."""
    writers: dict[str, str] = {}
    names = work.inputs.names if work.output_format else ()  # else they differ as the inputs do
    for index, name in enumerate(names):
        output = work.output_name(index, 0)
        if (other := writers.setdefault(output, name)) != name:
            both = f"{printable(other)} and {printable(name)} would both be written to {printable(output)}"
            raise OptionError(f"output_format={work.output_format}: {both}; leave output_format out")
