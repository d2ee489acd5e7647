"""A folder of odd files: each is decoded as Pillow decodes it, or listed with its reason."""

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from augment.datasets.pixels import noise
from augment.images import decode
from experiments.sweep.vetting import Vetted, name_problem, usable

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
    pixels = decode(path)
    assert usable([path], MOST).sizes == ((pixels.shape[1], pixels.shape[0]),)
    assert pixels.dtype == np.uint8
    assert pixels.shape == expected.shape
    cmyk = "cmyk" in name or "ycck" in name  # the two round differently
    assert np.abs(pixels - expected).max() <= (1 if cmyk else 0)


def test_high_byte_of_16_bits_counts(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(saved(Image.fromarray(GRAY16)))
    assert np.array_equal(decode(path), np.dstack([GRAY16 >> 8] * 3))
    path.write_bytes(by_opencv(COLOUR16))
    assert np.array_equal(decode(path)[:, :, ::-1], COLOUR16[:, :, :3] >> 8)


# Listed


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
TOO_MANY = f"pixels are more than max_image_pixels={MOST}"
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "directory.jpg": (Path.mkdir, "not a regular file: a directory"),
    "fifo.png": (os.mkfifo, "not a regular file: a FIFO"),
    "socket.jpg": (place_socket, "not a regular file: a socket"),
    "device.png": (lambda path: path.symlink_to("/dev/zero"), "not a regular file: a character device"),
    "dangling.jpg": (lambda path: path.symlink_to("nowhere"), "no such file or directory"),
    "circular.jpg": (lambda path: path.symlink_to(path.name), "too many levels of symbolic links"),
    "missing.jpg": (lambda path: None, "no such file or directory"),
    "empty.jpg": (place(b""), "empty"),
    "text.png": (place(b"no picture\n"), NO_HEADER),
    "header-only.png": (place(PNG[:20]), NO_HEADER),
    "postscript.jpg": (place(saved(PICTURE, "EPS")), NO_HEADER),
    "truncated.jpg": (place(DETAILED[:HALF]), UNDECODED),
    "truncated-progressive.jpg": (place(saved(PICTURE, "JPEG", progressive=True)[:-50]), UNDECODED),
    "truncated.png": (place(PNG[: len(PNG) // 2]), UNDECODED),
    "truncated-webp.png": (place(saved(PICTURE, "WEBP", lossless=True)[:-50]), NO_HEADER),
    "truncated-bmp.png": (place(saved(PICTURE, "BMP")[:-50]), UNDECODED),
    "truncated-tiff.png": (place(saved(PICTURE, "TIFF")[:-50]), UNDECODED),
    "without-end.png": (place(PNG[:-12]), UNDECODED),
    "bit-flipped.png": (place(damaged_png()), UNDECODED),
    "nothing-wide.png": (place(png_of_size(0, 9)), NO_HEADER),
    "float.jpg": (place(saved(Image.new("F", (9, 9)), "TIFF")), UNDECODED),
    "bomb.png": (place(png_of_size(50_000, 50_000)), f"50000x50000 {TOO_MANY}"),
    "bomb.jpg": (place(DETAILED.replace(size_in_jpeg(64), size_in_jpeg(65_500))), f"65500x65500 {TOO_MANY}"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_listed_with_its_reason(name: str, tmp_path: Path) -> None:
    make, reason = BAD[name]
    make(tmp_path / name)
    assert usable([tmp_path / name], MOST) == Vetted((), (), {name: reason})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_listed(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(PNG)
    path.chmod(0)
    assert usable([path], MOST).bad == {"a.png": "permission denied"}


def test_damage_inside_a_jpeg_is_decoded_as_opencv_does(tmp_path: Path) -> None:
    (path := tmp_path / "a.jpg").write_bytes(DETAILED[:HALF] + DETAILED[-2:])
    assert usable([path], MOST).sizes == ((64, 64),)


def test_limit_on_pixels_is_exact(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(PNG)
    assert usable([path], WIDTH * HEIGHT).good == (path,)
    reason = "32x24 pixels are more than max_image_pixels=767"
    assert usable([path], WIDTH * HEIGHT - 1).bad == {"a.png": reason}


def test_pillows_own_limit_on_pixels_does_not_count(tmp_path: Path) -> None:
    side = 14_000  # more than twice what Pillow refuses to open by default
    (path := tmp_path / "a.png").write_bytes(png_of_size(side, side))
    assert usable([path], side * side).bad == {"a.png": UNDECODED}


NAMES = ["a b.png", "'\".png", "new\nline.png", os.fsdecode(b"\xff\xfe.png"), "-rf.png", "$(x);.png", "ä.png"]


def test_files_may_have_any_name_and_stay_in_order(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(PNG)
        (tmp_path / f"bad {name}").touch()
    files = usable([tmp_path / f"{bad}{name}" for name in NAMES for bad in ("", "bad ")], MOST)
    assert [file.name for file in files.good] == NAMES
    assert files.sizes == ((WIDTH, HEIGHT),) * len(NAMES)
    assert files.bad == {f"bad {name}": "empty" for name in NAMES}


def test_relative_path_is_one_of_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    assert usable([Path("a.png")], MOST).good == (Path("a.png"),)


def test_outputs_need_names_that_a_file_may_have(tmp_path: Path) -> None:
    most = os.pathconf(tmp_path, "PC_NAME_MAX") - len("aug__000000")
    fits, too_long = tmp_path / f"{'a' * (most - 4)}.png", tmp_path / f"{'ä' * (most // 2)}.png"
    assert name_problem(fits, tmp_path, 1_000_000) is None
    assert name_problem(fits, tmp_path, 1_000_001) == "name too long for its augmentations"
    assert name_problem(too_long, None, 1) is None
    for file in (fits, too_long):
        file.write_bytes(PNG)
    files = usable([fits, too_long], MOST, output=tmp_path)
    assert files.good == (fits,)
    assert files.bad == {too_long.name: "name too long for its augmentations"}


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
    files = usable([path], MOST)
    assert all(reason and reason.isprintable() for reason in files.bad.values())
    assert len(files.good) + len(files.bad) == 1
    for size in files.sizes:
        assert decode(path).shape[1::-1] == size


def test_image_too_small_for_the_pipeline_is_listed(tmp_path: Path) -> None:
    for name, size in (("tiny.png", (4, 4)), ("enough.png", (5, 5))):
        Image.new("RGB", size).save(tmp_path / name)
    pipeline = {"transforms": [{"_target_": "albumentations.GridDistortion", "p": 0.1}]}
    files = usable([tmp_path / "tiny.png", tmp_path / "enough.png"], MOST, pipeline=pipeline)
    assert files.good == (tmp_path / "enough.png",)
    assert files.bad["tiny.png"].startswith("4x4 pixels are too small for GridDistortion: ")
