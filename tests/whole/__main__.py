"""Hold whole commands, from start to end, to a plain script and to limits.

A ratio has its 95 % interval in brackets, a median its smallest and largest value. Run it on an idle machine.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.whole.bars import BARS, MISSED
from tests.whole.place import FULL, QUICK, Place


def main() -> None:
    """Print each bar as soon as it is known, and end with status 1 if one is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.whole", description=__doc__)
    parser.add_argument("bars", nargs="*", metavar="bar", help=f"some of {', '.join(BARS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="some dozen images: shows only that all works")
    parser.add_argument("--rounds", type=int, default=5, help="of command and script, 2 or more; default: 5")
    parser.add_argument("--folder", help="where the temporary folder is made; default: the system's")
    asked = parser.parse_args()
    if unknown := {*asked.bars} - {*BARS}:
        parser.error(f"{', '.join(sorted(unknown))}: must be of {', '.join(BARS)}")
    scale = QUICK if asked.quick else FULL | {"rounds": asked.rounds}
    with tempfile.TemporaryDirectory(prefix="whole-", dir=asked.folder) as folder:
        place, bars = Place(Path(folder).resolve(), scale), []
        for name in asked.bars or BARS:
            for bar in BARS[name](place):
                bars.append(bar)
                print(bar, flush=True)
    states = Counter(bar.state for bar in bars)
    print(", ".join(f"{count} of {len(bars)} {state}" for state, count in states.items()))
    sys.exit(states[MISSED] > 0)


if __name__ == "__main__":
    main()
