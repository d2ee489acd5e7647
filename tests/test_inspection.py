"""A folder of odd files: each is read as Pillow reads it or listed with its reason; none does harm."""

import ctypes
import io
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pebble import ProcessPool
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from augment.datasets.pixels import Pixels, noise
from augment.image_io import ImageError, decode
from experiments import ROOT
from experiments.inputs import decoder_processes, inspection, vetting
from experiments.inputs.inspection import inspect
from experiments.inputs.vetting import Vetted, name_problem, size_or_reason, usable

NOTHING = '{"transforms": []}'
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
    """A PNG that claims a size; there are pixels for a few lines of it at most."""
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


@pytest.fixture(autouse=True)
def pillow_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the children that decode."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)


# Augmented rightly: the pixels are those of Pillow's own conversion

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
def test_what_is_good_comes_out_as_pillow_has_it(name: str, tmp_path: Path) -> None:
    (path := tmp_path / name).write_bytes(GOOD[name])
    with Image.open(path) as image:
        image.load()
        image.apply_transparency()  # as alpha, which `convert` then drops
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    pixels = decode(path)
    assert inspect(path, MOST) == (pixels.shape[1], pixels.shape[0])
    assert pixels.dtype == np.uint8
    assert pixels.shape == expected.shape
    cmyk = "cmyk" in name or "ycck" in name  # the two round differently
    assert np.abs(pixels - expected).max() <= (1 if cmyk else 0)


@pytest.mark.parametrize("order", ["jpg", "png"])
def test_exif_turns_a_picture_upright(order: str, tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(GOOD[f"exif6.{order}"])
    assert inspect(path, MOST) == (HEIGHT, WIDTH)
    assert np.abs(decode(path) - np.rot90(RGB, -1).astype(int)).mean() < 5


def test_of_16_bits_the_high_byte_counts(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(saved(Image.fromarray(GRAY16)))
    assert inspect(path, MOST) == (WIDTH, HEIGHT)
    assert np.array_equal(decode(path), np.dstack([GRAY16 >> 8] * 3))
    path.write_bytes(by_opencv(COLOUR16))
    assert np.array_equal(decode(path)[:, :, ::-1], COLOUR16[:, :, :3] >> 8)


def test_cmyk_keeps_its_colours(tmp_path: Path) -> None:
    (path := tmp_path / "a.jpg").write_bytes(CMYK)
    assert np.abs(decode(path) - RGB.astype(int)).mean() < 5


# Listed


def place(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def place_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


def with_text(text: str) -> bytes:
    (info := PngInfo()).add_text("comment", text, zip=True)
    return saved(PICTURE, pnginfo=info)


def damaged_png() -> bytes:
    where = PNG.index(b"IDAT") + 20
    return PNG[:where] + bytes([PNG[where] ^ 1]) + PNG[where + 1 :]


HALF = len(DETAILED) // 2
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "directory.jpg": (Path.mkdir, "not a regular file: a directory"),
    "fifo.png": (os.mkfifo, "not a regular file: a FIFO"),
    "socket.jpg": (place_socket, "not a regular file: a socket"),
    "device.png": (lambda path: path.symlink_to("/dev/zero"), "not a regular file: a character device"),
    "dangling.jpg": (lambda path: path.symlink_to("nowhere"), "a link that leads nowhere"),
    "circular.jpg": (lambda path: path.symlink_to(path.name), "too many levels of symbolic links"),
    "gone.jpg": (lambda path: None, "no such file"),
    "empty.jpg": (place(b""), "empty"),
    "text.png": (place(b"no picture\n"), "no image: no whole header of a known format"),
    "header-only.png": (place(PNG[:20]), "truncated"),
    "postscript.jpg": (place(saved(PICTURE, "EPS")), "no image: no whole header of a known format"),
    "truncated.jpg": (place(DETAILED[:HALF]), "truncated"),
    "truncated-progressive.jpg": (place(saved(PICTURE, "JPEG", progressive=True)[:-50]), "truncated"),
    "truncated.png": (place(PNG[: len(PNG) // 2]), "truncated"),
    "without-end.png": (
        place(PNG[:-12]),
        "no image: OpenCV cannot decode it: libpng error: PNG input buffer is incomplete",
    ),
    "truncated-and-closed.jpg": (
        place(DETAILED[:HALF] + DETAILED[-2:]),
        "damaged: Corrupt JPEG data: premature end of data segment",
    ),
    "bit-flipped.png": (place(damaged_png()), "no image: broken data stream when reading image file"),
    "nothing-wide.png": (place(png_of_size(0, 9)), "no image: no whole header of a known format"),
    "bomb.png": (
        place(png_of_size(50_000, 50_000)),
        f"50000x50000 pixels are more than max_image_pixels={MOST}",
    ),
    "bomb.jpg": (
        place(DETAILED.replace(struct.pack(">HH", 64, 64), struct.pack(">HH", 65_500, 65_500))),
        f"65500x65500 pixels are more than max_image_pixels={MOST}",
    ),
    "text-bomb.png": (place(with_text("a" * (1 << 21))), "no image: Decompressed data too large for"),
    "float.jpg": (place(saved(Image.new("F", (9, 9)), "TIFF")), "no image: OpenCV cannot decode it"),
    "png-too-wide.jpg": (
        place(saved(Image.new("RGB", (65_501, 1)))),
        "65501x1 pixels: no JPEG can have them, as its name asks of its outputs",
    ),
    "exif6-avif.jpg": (
        place(saved(PICTURE, "AVIF", exif=exif(6))),
        f"read differently: {WIDTH}x{HEIGHT} pixels by OpenCV, {HEIGHT}x{WIDTH} by Pillow",
    ),
    "exif3-avif.jpg": (
        place(saved(PICTURE, "AVIF", exif=exif(3))),
        "read differently: OpenCV's and Pillow's pixels are",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_bad_is_listed_with_its_reason(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, reason = BAD[name]
    make(tmp_path / name)
    with pytest.raises(ImageError) as error:
        inspect(tmp_path / name, MOST)
    line = str(error.value)
    assert line.startswith(reason)
    assert line.isprintable()
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_listed(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(PNG)
    path.chmod(0)
    with pytest.raises(ImageError, match=r"^permission denied$"):
        inspect(path, MOST)


def test_the_limit_on_pixels_is_exact(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(PNG)
    assert inspect(path, WIDTH * HEIGHT) == (WIDTH, HEIGHT)
    with pytest.raises(ImageError, match=r"^32x24 pixels are more than max_image_pixels=767$"):
        inspect(path, WIDTH * HEIGHT - 1)


def test_pillows_own_limit_on_pixels_does_not_count(tmp_path: Path) -> None:
    side = 14_000  # more than twice Image.MAX_IMAGE_PIXELS, which Pillow refuses to open
    (path := tmp_path / "a.png").write_bytes(png_of_size(side, side))
    assert usable([path], side * side).bad["a.png"].startswith("truncated")


# A folder


def vetted(folder: Path, **options: Any) -> Vetted:
    return usable(sorted(folder.iterdir()), MOST, **options)


def test_every_file_is_good_or_bad_and_the_good_stay_in_order(tmp_path: Path) -> None:
    for name, content in GOOD.items():
        (tmp_path / name).write_bytes(content)
    for name, (make, _) in BAD.items():
        make(tmp_path / name)
    files = vetted(tmp_path)
    assert [file.name for file in files.good] == sorted(GOOD)
    assert [(size[1], size[0]) for size in files.sizes] == [decode(file).shape[:2] for file in files.good]
    assert sorted(files.bad) == sorted({*BAD} - {"gone.jpg"})
    for name, reason in files.bad.items():
        assert reason.startswith(BAD[name][1])


NAMES = ["a b.png", "'\".png", "new\nline.png", os.fsdecode(b"\xff\xfe.png"), "-rf.png", "$(x);.png", "ä.png"]


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(PNG)
        (tmp_path / f"bad {name}").touch()
    files = vetted(tmp_path)
    assert {file.name for file in files.good} == {*NAMES}
    assert files.bad == {f"bad {name}": "empty" for name in NAMES}


def test_no_files_are_no_error() -> None:
    assert usable([], MOST) == Vetted((), (), {})


def test_a_relative_path_is_one_of_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    files = vetted(tmp_path, output=tmp_path)
    assert files.good == (fits,)
    assert files.bad == {too_long.name: "name too long for its augmentations"}


# Files that harm the process that decodes them


def harmful_inspect(path: Path, most_pixels: int) -> tuple[int, int]:
    match path.stem:
        case "crash":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(60)
        case "greedy":
            bytearray(1 << 34)
    return inspect(path, most_pixels)


def vet_with_harm(*arguments: Any) -> Any:
    """In the child, where no fixture reaches."""
    inspection.inspect = harmful_inspect
    return size_or_reason(*arguments)


def running_children() -> list[psutil.Process]:
    """All but multiprocessing's resource tracker, which ends with this process."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


@pytest.mark.parametrize("processes", [1, 3])
def test_a_harmful_file_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    for name in (*"123456789", "crash", "exit", "greedy", "hang"):
        (tmp_path / f"{name}.png").write_bytes(PNG)
    monkeypatch.setattr(vetting, "size_or_reason", vet_with_harm)
    monkeypatch.setattr(decoder_processes, "usable_cpus", lambda: processes)
    monkeypatch.setattr(decoder_processes, "FILES_PER_PROCESS", 4)
    monkeypatch.setattr(decoder_processes, "FILES_AHEAD", 2)
    files = vetted(tmp_path, limit_s=2)
    assert [file.stem for file in files.good] == [*"123456789"]
    assert files.bad == {
        "crash.png": "kills the decoder: SIGSEGV",
        "exit.png": "kills the decoder: status 3",
        "greedy.png": f"needs more memory than an image of max_image_pixels={MOST}",
        "hang.png": "not decoded within 2 s",
    }
    assert running_children() == []


def start_slowly(most_pixels: int) -> None:
    time.sleep(1.5)


def test_the_time_limit_does_not_count_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_processes, "_prepare", start_slowly)
    (path := tmp_path / "a.png").write_bytes(PNG)
    assert usable([path], MOST, limit_s=1).good == (path,)


def test_a_small_picture_in_a_huge_file_takes_no_memory(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(PNG)
    os.truncate(path, 1 << 34)
    assert usable([path], MOST).bad == {
        "a.png": f"needs more memory than an image of max_image_pixels={MOST}"
    }


def test_the_memory_suffices_for_the_hungriest_picture(tmp_path: Path) -> None:
    side = 1500
    Image.fromarray(noise(side, side, np.random.default_rng(0))).save(
        path := tmp_path / "a.jpg", "JPEG", quality=95, progressive=True, exif=exif(6)
    )
    assert usable([path], side * side).good == (path,)


def test_a_worker_of_joblib_can_vet(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_bytes(PNG)
    loky = pytest.importorskip("loky")  # what joblib starts its workers with
    with loky.ProcessPoolExecutor(1) as executor:
        assert executor.submit(usable, [path], MOST).result().good == (path,)


def report_and_hang(file: Path, *_: object) -> None:
    file.write_text("decoding")
    time.sleep(60)


VETTING_WITHOUT_END = """
import sys, pathlib
from experiments.inputs import vetting
from tests.test_inspection import report_and_hang
vetting.size_or_reason = report_and_hang
vetting.usable([pathlib.Path(sys.argv[1])], 9)
"""


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("moment", ["starting", "decoding"])
@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_its_parent(moment: str, ended_by: signal.Signals, tmp_path: Path) -> None:
    os.mkfifo(decoding := tmp_path / "decoding")
    command = [sys.executable, "-c", VETTING_WITHOUT_END, str(decoding)]
    with subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        children = psutil.Process(parent.pid).children
        if moment == "decoding":
            assert decoding.read_text() == "decoding"
        else:
            wait_until(lambda: len(children()) == 2)
        family = children()  # with the resource tracker
        assert len(family) == 2
        if ended_by == signal.SIGINT:
            os.killpg(parent.pid, ended_by)  # as a terminal does on Ctrl-C
        else:
            parent.send_signal(ended_by)
        assert parent.stderr is not None
        tracebacks = parent.stderr.read().count("Traceback")
    wait_until(lambda: all(map(has_ended, family)))
    assert parent.returncode == -ended_by
    if ended_by == signal.SIGINT:
        assert tracebacks == 1  # the parent's own


def refuse_to_start(most_pixels: int) -> None:
    raise SystemExit("no cv2")


def test_processes_that_do_not_start_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_processes, "_prepare", refuse_to_start)
    with pytest.raises(RuntimeError, match=r"^images cannot be vetted, the processes for it fail: "):
        usable([tmp_path / "a.png"], MOST)
    assert running_children() == []


# Damage of every kind


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    with decoder_processes.process_pool(1, MOST) as pool:
        yield pool


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
@settings(
    deadline=None,
    max_examples=500,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damage_neither_crashes_nor_hangs_nor_escapes(
    original: bytes,
    damage: list[tuple[float, int, bytes]],
    pool: ProcessPool,
    tmp_path: Path,
) -> None:
    content = original
    for position, removed, inserted in damage:
        start = int(position * len(content))
        content = content[:start] + inserted + content[start + removed :]
    (path := tmp_path / "a.jpg").write_bytes(content)
    outcome = pool.schedule(size_or_reason, (path, MOST, NOTHING), timeout=10).result()
    if isinstance(outcome, str):
        assert outcome
        assert outcome.isprintable()
    else:
        pixels: Pixels = decode(path)
        assert (pixels.shape[1], pixels.shape[0]) == outcome


def test_an_image_too_small_for_the_pipeline_is_listed(tmp_path: Path) -> None:
    for name, size in (("tiny.png", (4, 4)), ("enough.png", (5, 5))):
        Image.new("RGB", size).save(tmp_path / name)
    pipeline = '{"transforms": [{"_target_": "albumentations.GridDistortion", "p": 0.1}]}'
    files = usable([tmp_path / "tiny.png", tmp_path / "enough.png"], MOST, pipeline=pipeline)
    assert files.good == (tmp_path / "enough.png",)
    assert files.bad["tiny.png"].startswith("4x4 pixels are too small for GridDistortion: ")
