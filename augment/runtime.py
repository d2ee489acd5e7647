"""Process policies that are no part of a strategy: applied in every process of a trial,
and reported as they are really in force."""

import ctypes
import multiprocessing
import os
import signal
from dataclasses import dataclass

from augment.knob import KnobError, knob
from augment.processes import START_METHODS

PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class Runtime:
    """One policy for every process of a trial, master included."""

    opencv_threads: str = knob(
        "OpenCV threads in every process: a number, or all (one per CPU); the study has 1", "1"
    )
    start_method: str = knob(f"how processes are started: {', '.join(START_METHODS)}", "fork")

    def check(self) -> None:
        """Raises KnobError naming the knob that is out of range."""
        if self.start_method not in START_METHODS:
            raise KnobError(
                f"runtime.start_method={self.start_method}: choose one of {', '.join(START_METHODS)}"
            )
        if self.opencv_threads != "all" and not (
            self.opencv_threads.isdecimal() and int(self.opencv_threads) > 0
        ):
            raise KnobError(
                f"runtime.opencv_threads={self.opencv_threads}: must be a number, 1 or more, or all"
            )

    def apply(self) -> None:
        """Puts the policy in force in this process."""
        import cv2

        cv2.setNumThreads(cv2.getNumberOfCPUs() if self.opencv_threads == "all" else int(self.opencv_threads))


def die_with_parent() -> None:
    """Asks the kernel to kill this process when its parent ends, however that happens, so that
    no worker outlives a killed master."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)


def opencv_threads_in_force() -> int:
    """OpenCV threads that this process would use now."""
    import cv2

    return int(cv2.getNumThreads())


def os_threads() -> int:
    """Kernel threads of this process."""
    return len(os.listdir("/proc/self/task"))
