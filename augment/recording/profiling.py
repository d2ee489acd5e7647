"""cProfile of one worker: the first to ask, from its first task to its end."""

from cProfile import Profile
from multiprocessing.util import Finalize
from pathlib import Path


def profile_first(folder: Path, name: str) -> None:
    """Profiles this process into `{name}.pstats`, unless another of that name is profiled already."""
    try:
        (folder / f"{name}.pstats").touch(exist_ok=False)
    except FileExistsError:
        return
    profile = Profile()
    Finalize(None, profile.dump_stats, (folder / f"{name}.pstats",), exitpriority=20)
    profile.enable()
