"""The command `augmentation-scaling`, and its search from Python: `advise("photos", n_augmentations=20)`.

The program that imports this may have modules called `augment` or `experiments`, so those of the suite are
imported in a process of its own only.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

REASONS = ("error: ", "failed: ")  # begins of the line with which a command fails
SAVED = (".json", ".yaml", ".yml")  # suffixes of a pipeline that albumentations saved


class AdviseError(RuntimeError):
    """A search without a recommendation, with its reason."""


class Recommendation(SimpleNamespace):
    """The columns of recommendation.csv as attributes, and the screen that the command prints."""

    def __repr__(self) -> str:
        return str(self.screen)


def advise(
    path: str | Path, pipeline: Any = None, results_dir: str | Path = "results", **options: Any
) -> Recommendation:
    """Search for the best command for the images of a folder. Raises AdviseError.

    `pipeline` is a name in conf/pipeline, a file that albumentations saved, an object of a module
    (`my_project.transforms:train`) or an `A.Compose`. Options are those of the command line, with `__` for
    a dot (`advise__budget_s=60`); a list offers several values.
    """
    words = {"experiment": "advise", "dataset": "folder", "dataset.path": path, "results_dir": results_dir}
    results = Path(os.path.expanduser(results_dir))
    words |= _pipeline_words(pipeline, results)
    words |= {name.replace("__", "."): value for name, value in options.items()}
    import pandas as pd  # which the command's help does not need

    screen = _output(json.dumps(words, default=str))
    table = pd.read_csv(results / "tables" / "advise" / "recommendation.csv")
    [row] = table.astype(object).where(table.notna(), None).to_dict("records")
    if row["refused"]:
        raise AdviseError(row["refused"])
    return Recommendation(screen=screen, **{str(name): value for name, value in row.items()})


def _pipeline_words(pipeline: Any, results: Path) -> dict[str, str]:
    if pipeline is None:
        return {}
    if isinstance(pipeline, str) and not pipeline.endswith(SAVED):
        is_object = ":" in pipeline
        return {"pipeline": "python", "pipeline.object": pipeline} if is_object else {"pipeline": pipeline}
    file = str(pipeline if isinstance(pipeline, str | Path) else _saved(pipeline, results))
    if "://" not in file:
        file = os.path.realpath(os.path.expanduser(file))
    return {"pipeline": "saved", "pipeline.path": file}


def _saved(pipeline: Any, results: Path) -> Path:
    """Save an `A.Compose` below the results, where the recommended command finds it, and return the file."""
    if not hasattr(pipeline, "to_dict"):
        raise TypeError(f"pipeline={pipeline!r}: must be a name, a saved file, module:object or an A.Compose")
    try:
        content = json.dumps(pipeline.to_dict())
    except (TypeError, ValueError, NotImplementedError) as error:
        raise AdviseError(f"pipeline: {error}; give an object of a module, like my_project:train") from error
    if '"__class_fullname__": "__main__.' in content:
        raise AdviseError("pipeline: other processes do not know a class of __main__; move it to a module")
    file = results / "pipelines" / f"{hashlib.sha256(content.encode()).hexdigest()[:12]}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return file


def _output(words: str) -> str:
    """Return what the command prints; pass its warnings on. Raises AdviseError with its last line."""
    command, reason = [sys.executable, __file__, words], ""
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    for line in ended.stderr.splitlines():
        if line.startswith(REASONS):
            reason = line.partition(": ")[2]
        else:
            print(line, file=sys.stderr)
    if ended.returncode:
        raise AdviseError(reason or f"ended with status {ended.returncode}")
    return ended.stdout.strip()


def main() -> None:
    """Run the command of this program's arguments."""
    sys.path.insert(0, str(Path(__file__).parent))  # before the folders of PYTHONPATH
    from experiments.config import cli
    from experiments.sweep import jobs

    cli.run(jobs.measure)


if __name__ == "__main__":
    from experiments.config.cell import replaced

    sys.argv[1:] = replaced([], **json.loads(sys.argv[1]))
    main()
