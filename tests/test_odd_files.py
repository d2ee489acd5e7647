"""Odd files: each is decoded as Pillow decodes it, or refused with its reason."""

import io
import json
import os
import socket
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from errno import EMFILE
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from augment.datasets.folder import PROBED_SUFFIXES, _is_supported
from augment.datasets.pixels import noise
from augment.image_file import BadImageError, has_end, read_image
from augment.images import SIDES, OutputError, encode, unencodable
from augment.strategies import STRATEGIES
from tests.conftest import RunPy

MOST = 70_000
WIDTH, HEIGHT = 32, 24

RAMP = np.broadcast_to(np.linspace(0, 255, WIDTH), (HEIGHT, WIDTH))
RGB = np.dstack(
    [RAMP, RAMP[:, ::-1], np.broadcast_to(np.linspace(0, 255, HEIGHT), (WIDTH, HEIGHT)).T]
).astype(np.uint8)
PICTURE = Image.fromarray(RGB)
GRAY16 = np.random.default_rng(0).integers(0, 1 << 16, (HEIGHT, WIDTH), dtype=np.uint16)
COLOUR16 = np.random.default_rng(1).integers(0, 1 << 16, (HEIGHT, WIDTH, 4), dtype=np.uint16)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    image.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


def by_opencv(pixels: Any) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds pixels for a few lines at most."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")


def transparent(mode: str) -> Image.Image:
    image = PICTURE.convert(mode)
    image.putalpha(Image.fromarray(RAMP.astype(np.uint8)))
    return image


JPEG, PNG = saved(PICTURE, "JPEG"), saved(PICTURE)
DETAILED = saved(Image.fromarray(noise(64, 64, np.random.default_rng(0))), "JPEG")
ANOTHER = [Image.new("RGB", PICTURE.size, "red")]
CMYK = saved(PICTURE.convert("CMYK"), "JPEG", quality=95)


GOOD = {
    "jpeg.jpg": JPEG,
    "png.png": PNG,
    "another-suffix.JPEG": JPEG,
    "gray.png": saved(PICTURE.convert("L")),
    "gray.jpg": saved(PICTURE.convert("L"), "JPEG"),
    "black-and-white.png": saved(PICTURE.convert("1")),
    "gray-alpha.png": saved(transparent("L")),
    "alpha.png": saved(transparent("RGB")),
    "palette.png": saved(PICTURE.quantize(32)),
    "palette-transparent-colour.png": saved(PICTURE.quantize(32), transparency=3),
    "palette-alpha.png": saved(PICTURE.quantize(32), transparency=bytes(range(0, 256, 8))),
    "cmyk.jpg": CMYK,
    "ycck.jpg": CMYK.replace(b"Adobe\0d\0\0\0\0\0", b"Adobe\0d\0\0\0\0\2"),
    "cmyk-without-adobe.jpg": CMYK.replace(b"Adobe", b"Other"),
    "progressive.jpg": saved(PICTURE, "JPEG", progressive=True),
    "colour16.png": by_opencv(COLOUR16[:, :, :3]),
    "colour16-alpha.png": by_opencv(COLOUR16),
    "animated.png": saved(PICTURE, save_all=True, append_images=ANOTHER),
    "mislabelled-png.jpg": PNG,
    "mislabelled-jpeg.png": JPEG,
    "mislabelled-webp.jpg": saved(PICTURE, "WEBP", lossless=True),
    "mislabelled-tiff.png": saved(PICTURE, "TIFF"),
    "two-pictures.jpg": saved(PICTURE, "MPO", save_all=True, append_images=ANOTHER),
    "bytes-after-the-end.jpg": JPEG + b"what a camera appends",
    "bytes-before-the-end.jpg": JPEG[:-2] + bytes(3) + JPEG[-2:],
    "unreadable-exif.jpg": saved(PICTURE, "JPEG", exif=b"Exif\0\0no TIFF header"),
    "one-pixel.png": saved(PICTURE.crop((0, 0, 1, 1))),
    **{f"exif{turn}.jpg": saved(PICTURE, "JPEG", exif=exif(turn)) for turn in range(1, 9)},
    **{f"exif{turn}.png": saved(PICTURE, exif=exif(turn)) for turn in range(1, 9)},
    "exif6-gray.jpg": saved(PICTURE.convert("L"), "JPEG", exif=exif(6)),
    "exif6-cmyk.jpg": saved(PICTURE.convert("CMYK"), "JPEG", exif=exif(6), quality=95),
    "exif6-mislabelled-webp.png": saved(PICTURE, "WEBP", exif=exif(6), lossless=True),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_image_is_decoded_as_pillow_does(name: str, tmp_path: Path) -> None:
    (path := tmp_path / name).write_bytes(GOOD[name])
    with Image.open(path) as image:
        image.load()
        image.apply_transparency()  # as alpha, which `convert` then drops
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    pixels, warnings = read_image(path, MOST)
    assert warnings == (("alpha is dropped",) if "alpha" in name or "transparent" in name else ())
    assert pixels.dtype == np.uint8
    assert pixels.shape == expected.shape
    cmyk = "cmyk" in name or "ycck" in name  # the two round differently
    assert np.abs(pixels - expected).max() <= (1 if cmyk else 0)


def test_high_byte_of_16_bits_counts(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(saved(Image.fromarray(GRAY16)))
    assert np.array_equal(read_image(path, MOST).pixels, np.dstack([GRAY16 >> 8] * 3))
    path.write_bytes(by_opencv(COLOUR16))
    assert np.array_equal(read_image(path, MOST).pixels[:, :, ::-1], COLOUR16[:, :, :3] >> 8)


@pytest.mark.parametrize(
    ("suffix", "pixels"),
    [(".png", GRAY16), (".tif", GRAY16), (".pgm", GRAY16), (".png", COLOUR16), (".tif", COLOUR16)],
)
def test_12_bit_data_in_16_bits_are_warned_of(suffix: str, pixels: Any, tmp_path: Path) -> None:
    cv2.imwrite(str(path := tmp_path / f"a{suffix}"), pixels >> 4)
    warnings = read_image(path, MOST).warnings
    assert "16 bits a channel hold 12-bit data at most: it comes out dark" in warnings


# Refused


def reason(path: Path, max_pixels: int = MOST) -> str:
    with pytest.raises(BadImageError) as error:
        read_image(path, max_pixels)
    return str(error.value)


def place(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def place_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


def size_in_jpeg(side: int) -> bytes:
    return struct.pack(">HH", side, side)


def damaged_png() -> bytes:
    where = PNG.index(b"IDAT") + 20
    return PNG[:where] + bytes([PNG[where] ^ 1]) + PNG[where + 1 :]


HALF = len(DETAILED) // 2
NO_HEADER, UNDECODED = "no whole header of a known image format", "OpenCV cannot decode it"
TRUNCATED = "truncated: no end marker"
TOO_MANY = f"pixels are more than max_image_pixels={MOST}"
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "directory.jpg": (Path.mkdir, "not a regular file"),
    "fifo.png": (os.mkfifo, "not a regular file"),
    "socket.jpg": (place_socket, "not a regular file"),
    "device.png": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "dangling.jpg": (lambda path: path.symlink_to("nowhere"), "no such file or directory"),
    "circular.jpg": (lambda path: path.symlink_to(path.name), "too many levels of symbolic links"),
    "missing.jpg": (lambda path: None, "no such file or directory"),
    "empty.jpg": (place(b""), "empty"),
    "text.png": (place(b"no picture\n"), NO_HEADER),
    "header-only.png": (place(PNG[:20]), TRUNCATED),
    "postscript.jpg": (place(saved(PICTURE, "EPS")), NO_HEADER),
    "truncated.jpg": (place(DETAILED[:HALF]), TRUNCATED),
    "truncated-progressive.jpg": (place(saved(PICTURE, "JPEG", progressive=True)[:-50]), TRUNCATED),
    "truncated.png": (place(PNG[: len(PNG) // 2]), TRUNCATED),
    "truncated-webp.png": (place(saved(PICTURE, "WEBP", lossless=True)[:-50]), TRUNCATED),
    "truncated-bmp.png": (place(saved(PICTURE, "BMP")[:-50]), TRUNCATED),
    "truncated-tiff.png": (place(saved(PICTURE, "TIFF")[:-50]), UNDECODED),
    "without-end.png": (place(PNG[:-12]), TRUNCATED),
    "bit-flipped.png": (place(damaged_png()), UNDECODED),
    "nothing-wide.png": (place(png_of_size(0, 9)), UNDECODED),
    "float.jpg": (place(saved(Image.new("F", (9, 9)), "TIFF")), UNDECODED),
    "bomb.png": (place(png_of_size(50_000, 50_000)), f"50000x50000 {TOO_MANY}"),
    "bomb.jpg": (place(DETAILED.replace(size_in_jpeg(64), size_in_jpeg(65_500))), f"65500x65500 {TOO_MANY}"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    make, expected = BAD[name]
    make(tmp_path / name)
    assert reason(tmp_path / name) == expected


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(PNG)
    path.chmod(0)
    assert reason(path) == "permission denied"


def test_file_is_not_blamed_for_too_many_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path := tmp_path / "a.png").write_bytes(PNG)

    def refused(*_: object) -> int:
        raise OSError(EMFILE, os.strerror(EMFILE))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(OSError, match="Too many open files"):
        read_image(path, MOST)


def test_damage_inside_a_jpeg_is_decoded_as_opencv_does(tmp_path: Path) -> None:
    (path := tmp_path / "a.jpg").write_bytes(DETAILED[:HALF] + DETAILED[-2:])
    assert read_image(path, MOST).pixels.shape == (64, 64, 3)


def test_limit_on_pixels_is_exact(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(PNG)
    assert read_image(path, WIDTH * HEIGHT).pixels.size
    assert reason(path, WIDTH * HEIGHT - 1) == "32x24 pixels are more than max_image_pixels=767"


@pytest.mark.parametrize("kind", ["BMP", "PNG", "TIFF"])
def test_pillows_own_limit_on_pixels_does_not_count(kind: str, tmp_path: Path) -> None:
    side = 14_000  # more than twice what Pillow refuses to open by default
    content = png_of_size(side, side) if kind == "PNG" else saved(Image.new("1", (side, side)), kind)
    (path := tmp_path / "a.png").write_bytes(content)
    assert reason(path, side * side - 1).startswith("14000x14000 pixels are more than")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif"])
def test_output_is_whole_until_a_byte_lacks(suffix: str, tmp_path: Path) -> None:
    content = cv2.imencode(suffix, RGB)[1].tobytes()
    (path := tmp_path / f"a{suffix}").write_bytes(content)
    assert has_end(path)
    for damaged in (content[:-1], content[:9], b"", bytes(len(content))):
        path.write_bytes(damaged)
        assert not has_end(path)


LIMITS = [(suffix, side) for suffix, sides in SIDES.items() for side in sides if 1 < side < 1 << 20]


@pytest.mark.parametrize(("suffix", "width"), LIMITS)
def test_size_that_opencv_cannot_encode_is_known(suffix: str, width: int) -> None:
    beyond = width - 1 if width < 40 else width + 1
    assert unencodable(width, 40, f"a{suffix}") is None
    assert encode(np.zeros((40, width, 3), np.uint8), f"a{suffix}").size
    assert f"{beyond}x40 pixels cannot be encoded" in str(unencodable(beyond, 40, f"a{suffix}"))
    with pytest.raises(OutputError):
        encode(np.zeros((40, beyond, 3), np.uint8), f"a{suffix}")


@pytest.mark.parametrize("suffix", PROBED_SUFFIXES)
def test_format_that_this_opencv_knows_is_encoded_and_read(suffix: str, tmp_path: Path) -> None:
    if not _is_supported(suffix):
        pytest.skip(f"this OpenCV knows no {suffix}")
    encoded = encode(np.full((40, 50, 3), 255, np.uint8), f"a{suffix}")
    (path := tmp_path / f"a{suffix}").write_bytes(encoded.tobytes())
    assert read_image(path, MOST).pixels.shape == (40, 50, 3)
    assert has_end(path)


OTHER_KINDS = {"webp": "WEBP", "bmp": "BMP", "tif": "TIFF", "gif": "GIF", "ppm": "PPM", "jp2": "JPEG2000"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a tree of all good and bad files, and of whole and truncated ones in other formats."""
    tree = tmp_path_factory.mktemp("tree")
    for number in range(4):
        (folder := tree / f"{number}/deeper").mkdir(parents=True)
        for name, content in GOOD.items():
            (folder / name).write_bytes(content)
        for name, (make, _) in BAD.items():
            make(folder / name)
        for suffix, kind in OTHER_KINDS.items():
            content = saved(PICTURE.resize((64, 48)), kind)
            (folder / f"whole.{suffix}").write_bytes(content)
            (folder / f"truncated.{suffix}").write_bytes(content[: len(content) // 2])
    return tree


@pytest.mark.once
def test_every_odd_file_is_augmented_or_listed_by_every_strategy(
    tree: Path, run_py: RunPy, tmp_path: Path
) -> None:
    strategies = [name for name in ("p1", "dynamic", "ray") if not STRATEGIES[name]().not_applicable(2, True)]
    words = ["dataset=folder", f"dataset.path={tree}", "pipeline=light", "n_augmentations=1"]
    words += ["repetitions=1", "on_bad_image=skip", f"max_image_pixels={MOST}"]
    assert run_py(*words).status == 0
    assert run_py("-m", f"strategy={','.join(strategies)}", "workers=2", *words).status == 0
    rows = pd.read_parquet(tmp_path / "results/trials/adhoc")
    assert len(rows) == 1 + len(strategies)
    for column in ("n_images", "skipped_images", "outputs", "outputs_digest"):
        assert len({*rows[column]}) == 1
    row = rows.iloc[0]
    bad = 4 * (len(BAD) - 1 + len(OTHER_KINDS))  # one is missing
    assert (row["n_images"], len(json.loads(row["skipped_images"]))) == (row["files"] - bad, bad)
    assert row["files"] > 300


# Damage of every kind


ORIGINALS = [DETAILED, JPEG, PNG, CMYK, GOOD["palette-alpha.png"], GOOD["animated.png"], GOOD["exif6.jpg"]]
damages = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),  # position, of the length
        st.sampled_from([0, 1, 9, 64, 1 << 20]),  # bytes removed
        st.binary(max_size=9),  # inserted
    ),
    min_size=1,
    max_size=6,
)


@given(original=st.sampled_from(ORIGINALS), damage=damages)
@example(original=PNG, damage=[(0.0, 1 << 20, b"")])
@settings(max_examples=500, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_gives_a_reason_or_an_image(
    original: bytes, damage: list[tuple[float, int, bytes]], tmp_path: Path
) -> None:
    content = original
    for position, removed, inserted in damage:
        start = int(position * len(content))
        content = content[:start] + inserted + content[start + removed :]
    (path := tmp_path / "a.jpg").write_bytes(content)
    with suppress(BadImageError):
        assert read_image(path, MOST).pixels.dtype == np.uint8


def test_format_that_is_encoded_but_not_decoded_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    assert not _is_supported.__wrapped__(".ppm")
