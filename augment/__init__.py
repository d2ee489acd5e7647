"""The system under test: images in, augmented images out. Usable alone as a library."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

# Imported, albumentations asks the network for its newest version, and AlbumentationsX reports each pipeline.
os.environ |= {"NO_ALBUMENTATIONS_UPDATE": "1", "ALBUMENTATIONS_NO_TELEMETRY": "1"}
# If PyTorch is installed, albumentations would also import that: 170 MB and a second for each process.
# AlbumentationsX, which has a folder `analytics`, needs it.
_library = find_spec("albumentations")
if not (_library and _library.origin and (Path(_library.origin).parent / "core/analytics").exists()):
    sys.modules.setdefault("albumentations.pytorch", cast(Any, None))
