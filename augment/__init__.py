"""The system under test: images in, augmented images out. Usable alone as a library."""

import os
import sys
from typing import Any, cast

# The import of albumentations would ask the network for its newest version. If PyTorch is installed, it would
# also import that: 170 MB and a second for each process.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
sys.modules.setdefault("albumentations.pytorch", cast(Any, None))
