"""Where images come from: synthetic from a seed, real photos, or a folder of one's own.

Each dataset is a dataclass whose fields are its options. `files` gives the input files in their order,
making the missing ones in a cache first. An output is encoded as the suffix of its input says.
DATASETS is the one list: the command line and its help derive from it.
"""

from augment.datasets.base import Dataset
from augment.datasets.folder import Folder
from augment.datasets.photos import Photos
from augment.datasets.synthetic import Synthetic

__all__ = ["DATASETS", "Dataset"]

DATASETS: dict[str, type[Dataset]] = {"synthetic": Synthetic, "photos": Photos, "folder": Folder}
