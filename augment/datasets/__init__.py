"""Sources of images: DATASETS is the one list, from which the command line and its help derive."""

from augment.datasets.base import Dataset
from augment.datasets.folder import Folder
from augment.datasets.photos import Photos
from augment.datasets.synthetic import Synthetic

__all__ = ["DATASETS", "Dataset"]

DATASETS: dict[str, type[Dataset]] = {"synthetic": Synthetic, "photos": Photos, "folder": Folder}
