"""The real pictures of `dataset=photos`: colour photographs out of scikit-image's wheel, offline.

Only those whose licence note in `skimage/data/_fetchers.py` says public domain or CC0. Left out for
that reason: `ihc` ("no known restrictions" is no dedication) and `motorcycle_*` (nothing stated).
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Photo:
    """One picture of the wheel, with where it comes from and under which licence."""

    name: str
    title: str
    source: str
    licence: str


PHOTOS = (
    Photo("astronaut.png", "Eileen Collins", "NASA, flic.kr/p/r9qvLn", "public domain"),
    Photo("chelsea.png", "Chelsea the cat", "Stéfan van der Walt", "CC0"),
    Photo("coffee.png", "A cup of coffee", "Rachel Michetti, courtesy of Pikolo Espresso Bar", "CC0"),
    Photo("hubble_deep_field.jpg", "Hubble eXtreme Deep Field", "NASA, HubbleSite 2012-37", "public domain"),
    Photo("retina.jpg", "Human retina", "Mikael Häggström, Wikimedia Commons", "CC0"),
    Photo("rocket.jpg", "Launch of DSCOVR", "SpaceX, released in 2015, flickr 16511594820", "public domain"),
)


def photo_folder() -> Path | None:
    """Where scikit-image keeps its pictures, found without importing it; None when it is not installed."""
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "data"
