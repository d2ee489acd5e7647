"""The conditions of a trial, as its own process has them: packages, code, variables, CPUs and kernel."""

import hashlib
import json
import math
import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Set
from importlib import metadata
from pathlib import Path
from typing import Any

from augment.filesystem import read_bytes
from experiments import ROOT
from experiments.machine.environment import CPUS, UNKNOWN, quotas, read
from experiments.store.columns import DETERMINING, facts
from experiments.wording import pluralise

CODE = ("augment", "experiments/machine", "experiments/trial")  # augments and measures
SUITE = tuple(str(ROOT / name) + os.sep for name in ("augment", "experiments", "hydra_plugins"))
INSTALLED = re.compile(r"/(site|dist)-packages/")
STANDARD_LIBRARY = sysconfig.get_path("stdlib") + os.sep
# Variables that change how long the libraries of a trial take, or which of them are loaded.
CHOSEN = re.compile(
    r"(OPENCV|CV|OMP|GOMP|KMP|OPENBLAS|BLIS|MKL|NPY|NUMPY|TBB|MALLOC|JPEGSIMD|JSIMD|CUDA|TORCH)_\w+"
    r"|LD_PRELOAD|GLIBC_TUNABLES|PYTHONMALLOC|PYTHONOPTIMIZE|PYTHONDEVMODE|PYTHON_GIL|PYTHON_JIT"
)
# At the begin of this process: the code that it runs may set others, which its modules and packages tell.
VARIABLES = {name: value for name, value in sorted(os.environ.items()) if CHOSEN.fullmatch(name)}


def conditions() -> dict[str, Any]:
    """Return the columns of a trial that say what this process runs under. Raises OSError."""
    cpus = os.sched_getaffinity(0)
    modes = read("sys/kernel/mm/transparent_hugepage/enabled")  # like `always [madvise] never`
    huge_pages = modes.partition("[")[2].partition("]")[0]
    governors = {read(f"{CPUS}/cpu{cpu}/cpufreq/scaling_governor") or UNKNOWN for cpu in cpus}
    return {
        "packages": json.dumps(packages()),
        "user_modules": json.dumps(user_modules()),
        "code_digest": CODE_DIGEST,
        "python_version": f"{platform.python_implementation()} {platform.python_version()}",
        "gil": bool(getattr(sys, "_is_gil_enabled", lambda: True)()),
        "variables": json.dumps(VARIABLES),
        "cpu_topology": cpu_topology(cpus),
        "cpu_quota": min(quotas(), default=math.inf),
        "governor": "+".join(sorted(governors)),
        "kernel": f"{platform.system()} {platform.release()}",
        "huge_pages": huge_pages or UNKNOWN,
    }


def code_digest(root: Path) -> str:
    """Return the `listing_digest` of the files below `root` that augment and measure. Raises OSError."""
    paths = (path for folder in CODE for path in (root / folder).rglob("*.py"))
    return listing_digest((str(path.relative_to(root)), file_digest(path)) for path in paths)


def listing_digest(digests: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 of the sorted lines `{file name} {SHA-256 of its bytes}`."""
    lines = hashlib.sha256()
    for name, digest in sorted(digests):
        lines.update(f"{name} {digest}\n".encode("utf-8", "surrogateescape"))
    return lines.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, also at an address. Raises OSError."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def packages() -> dict[str, str]:
    """Return the versions of the installed packages of which this process has loaded a module, by name."""
    loaded = {name.partition(".")[0] for name in list(sys.modules)}
    found = [each for each in metadata.distributions() if loaded & _top_level(each)]
    versions = {each.name: each.version for each in reversed(found)}  # of two, the first is imported
    return {name: versions[name] for name in sorted(filter(None, versions))}  # a damaged one has no name


def _top_level(package: metadata.Distribution) -> set[str]:
    # `metadata.packages_distributions` takes 0.3 s for 160 packages, this 0.02 s.
    names = (package.read_text("top_level.txt") or "").split()
    lines = (package.read_text("RECORD") or "").splitlines()
    return {*names} or {re.split("[/.,]", line)[0] for line in lines}


def user_modules() -> dict[str, str]:
    """Return the SHA-256 of each loaded module's file, or archive, if it is the user's. Raises OSError."""
    digests = {}
    for name, module in sorted(sys.modules.items()):
        # Its own attribute: the class of torch.ops gives it the name of a file that does not exist.
        file = getattr(module, "__dict__", {}).get("__file__") or STANDARD_LIBRARY  # without one: built in
        if name != "__main__" and not (file.startswith((STANDARD_LIBRARY, *SUITE)) or INSTALLED.search(file)):
            parts = (Path(file), *Path(file).parents)
            digests[name] = file_digest(next((each for each in parts if each.is_file()), parts[0]))
    return digests


def cpu_topology(cpus: Set[int]) -> str:
    """Return how many packages, cores and threads these CPUs are, like `1 package, 4 cores, 8 threads`."""
    counts = [
        (len({read(f"{CPUS}/cpu{cpu}/topology/{name}") for cpu in cpus}), kind)
        for name, kind in (("physical_package_id", "package"), ("thread_siblings_list", "core"))
    ]
    return ", ".join(pluralise(*each) for each in [*counts, (len(cpus), "thread")])


def changed(planned: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    """Return a text for each condition that is not as planned. What was loaded only once is no change."""
    columns = [column for column in DETERMINING if column.name in actual]
    was = {key: each for column in columns for key, each in facts(column, planned[column.name]).items()}
    now = {key: each for column in columns for key, each in facts(column, actual[column.name]).items()}
    names = [name for name in was.keys() & now.keys() if was[name] != now[name]]
    return [f"{name} {str(was[name])[:20]} is now {str(now[name])[:20]}" for name in sorted(names)]


CODE_DIGEST = code_digest(ROOT)  # of the code that this process has imported
