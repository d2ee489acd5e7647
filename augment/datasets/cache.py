"""Images that the suite makes itself: once, in a folder that is whole or not there."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from augment.datasets.base import DatasetError, Size, shown, size_text


def cached(
    cache: Path, kind: str, names: list[str], size: Size | None, seed: int, make: Callable[[Path, int], None]
) -> list[Path]:
    """The files `names` of one sub-folder of `cache`; when it is not there yet, `make` writes each.

    It is filled aside and renamed when whole: neither a kill nor a second sweep leaves half of one.
    """
    # A change of the recipes must not find the pictures of the old ones.
    recipe = crc32(Path(__file__).with_name("pixels.py").read_bytes())
    folder = cache / f"{kind}-{size_text(size)}-n{len(names)}-seed{seed}-{recipe:08x}"
    if not folder.is_dir():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".making-", dir=cache) as aside:
                whole = Path(aside, folder.name)
                whole.mkdir()
                for index, name in enumerate(names):
                    make(whole / name, index)
                whole.rename(folder)
        except OSError as error:
            if not folder.is_dir():  # else another sweep has just made the same
                reason = f"{error.strerror or error}; give a folder to write to"
                raise DatasetError(f"cache_dir={shown(cache)}: {reason}") from error
        except ValueError as error:
            raise DatasetError(f"image_size={size_text(size)}: {error}; give another size") from error
    return [folder / name for name in names]
