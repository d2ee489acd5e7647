"""The random transform: a function of seed and task, declared as data, with a stream for each part."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import albumentations
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from omegaconf import OmegaConf

from augment.declaration import CLASS, construct, locate
from augment.options import OptionError
from augment.pipeline import check, check_on_image, misfit, size_check, task_seed, transformer
from augment.seeded_compose import build

STUDY: Any = OmegaConf.to_container(OmegaConf.load("conf/pipeline/study.yaml"))
INDEX = some.integers(0, 10_000)
IMAGE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
SEEDS = [task_seed(0, task // 20, task % 20) for task in range(400)]
SD = 0.5 * len(SEEDS) ** 0.5  # the most that a count of these tasks can have; bounds are 3.5 of them


def part(name: str, **arguments: Any) -> dict[str, Any]:
    return {CLASS: f"albumentations.{name}"} | arguments


MISSPELT = part("RandomGamma", gamma_limits=[80, 120])
GRAY = {"transforms": [part("ToGray")]}


@given(INDEX, INDEX, INDEX)
def test_every_task_has_a_seed_of_its_own(seed: int, image: int, augmentation: int) -> None:
    own = task_seed(seed, image, augmentation)
    assert own == task_seed(seed, image, augmentation)
    assert own != task_seed(seed, image, augmentation + 1)
    assert own != task_seed(seed, image + 1, augmentation)
    assert own != task_seed(seed + 1, image, augmentation)


def test_study_pipeline_has_what_the_study_lists() -> None:
    geometric, photometric, distorting = construct(STUDY["transforms"])
    assert [type(part).__name__ for part in geometric.transforms] == [
        *("HorizontalFlip", "VerticalFlip", "RandomRotate90")
    ]
    assert (geometric.p, photometric.n, photometric.p, distorting.p) == (0.5, 2, 1, 0.4)
    assert [type(part).__name__ for part in photometric.transforms] == [
        *("RandomBrightnessContrast", "HueSaturationValue", "CLAHE", "GaussianBlur", "Sharpen"),
        *("RandomGamma", "MotionBlur", "ISONoise", "ChannelShuffle"),
    ]
    assert [type(part).__name__ for part in distorting.transforms] == [
        *("ElasticTransform", "GridDistortion", "OpticalDistortion", "Perspective")
    ]
    inner = [part for group in (geometric, photometric, distorting) for part in group.transforms]
    assert all(part.p == 1 for part in inner)


def test_ranges_become_tuples() -> None:
    assert construct(part("RandomGamma", gamma_limit=[90, 110])).gamma_limit == (90, 110)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"transforms": []}, "pipeline.transforms: empty"),
        ({"transforms": [part("Nope")]}, "albumentations.Nope"),
        ({"transforms": [{CLASS: "no.such.module.Blur"}]}, "no.such.module.Blur"),
        ({"transforms": [part("HorizontalFlip", p=7)]}, "albumentations.HorizontalFlip"),
        ({"transforms": [{CLASS: "pathlib.Path"}]}, "no albumentations transform"),
        ({"transforms": [{"p": 1}]}, "no albumentations transform"),
        ({"transforms": [MISSPELT]}, r"Argument\(s\) 'gamma_limits' are not valid for transform RandomGamma"),
        ({"transforms": [part("OneOf", transforms=[MISSPELT])]}, r"Argument\(s\) 'gamma_limits'"),
        (GRAY | {"seed": 1}, r"pipeline\.seed: nothing reads it"),
        (GRAY | {"p": 2}, r"pipeline\.p=2: must be 0 to 1"),
        (GRAY | {"p": None}, r"pipeline\.p=None: must be 0 to 1"),
        ({"library": "torch"}, "pipeline.library=torch: must be one of albumentations, callable"),
        ({"library": "callable"}, "_target_"),
        ({"library": "callable", CLASS: "no.such.factory"}, "no.such.factory"),
        ({"library": "callable", CLASS: "tests.test_transformer.shifted"}, "missing 1 required"),
        ({"library": "callable", CLASS: "tests.test_transformer.no_function"}, "must return a function"),
    ],
)
def test_wrong_declaration_is_named(declared: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionError, match=told) as raised:
        check(declared)
    assert "\n" not in str(raised.value)


def test_pipeline_is_applied_with_its_own_probability() -> None:
    augment = transformer({"transforms": [part("InvertImg")], "p": 0.25}, is_reused=True)
    share = np.mean([(augment(seed, IMAGE) != IMAGE).any() for seed in SEEDS])
    assert abs(share - 0.25 * 0.5) < 3.5 * SD / len(SEEDS), "the transform has p=0.5"


PAD, CUT = part("PadIfNeeded", min_height=256, min_width=256), part("RandomCrop", height=256, width=256)
TO_8_BITS = part("FromFloat", dtype="uint8", p=1)


@pytest.mark.parametrize(
    ("transform", "reason"),
    [
        (part("BBoxSafeRandomCrop"), "BBoxSafeRandomCrop: KeyError: 'bboxes'"),
        (part("MaskDropout"), "MaskDropout needs mask"),
        (part("Normalize", p=0.01), "Normalize: the pipeline returned float32"),
        (part("ToFloat"), "ToFloat: the pipeline returned float32"),
    ],
)
def test_transform_that_needs_more_than_images_or_makes_none_is_refused(transform: Any, reason: str) -> None:
    group = part("OneOf", p=0.1, transforms=[part("ToGray"), transform])
    for parts in ([transform], [part("HorizontalFlip"), group]):
        with pytest.raises(OptionError, match=reason):
            check_on_image({"transforms": parts})


def test_argument_of_a_factory_may_have_the_name_of_a_group() -> None:
    check_on_image({"library": "callable", CLASS: "my_tv.make", "transforms": ["flip", "rotate"]})


@pytest.mark.parametrize("parts", [[PAD, CUT], [CUT], [part("Crop", p=1)], [part("ToFloat", p=1), TO_8_BITS]])
def test_transform_that_needs_large_images_or_others_before_it_is_accepted(parts: list[Any]) -> None:
    check_on_image({"transforms": parts})


@pytest.mark.parametrize(
    ("parts", "size", "reason"),
    [
        ([CUT], (200, 300), "200x300 pixels are too small for RandomCrop: "),
        ([CUT], (256, 256), None),
        ([CUT | {"p": 0}], (200, 200), None),  # never runs
        ([{CLASS: "tests.helpers.faulty_transforms.WithoutP"}], (20, 20), None),
        ([PAD, CUT], (200, 200), None),
        ([PAD | {"p": 0.5}, CUT], (200, 200), "200x200 pixels are too small for RandomCrop: "),
        ([part("GridDistortion", p=0.1)], (4, 4), "4x4 pixels are too small for GridDistortion: "),
    ],
)
def test_size_is_a_misfit_if_the_whole_pipeline_fails_on_it(
    parts: list[Any], size: tuple[int, int], reason: str | None
) -> None:
    found = misfit({"transforms": parts}, *size)
    assert found == reason or (found and reason and found.startswith(reason))


def test_size_is_tried_once_and_a_large_one_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr("augment.pipeline.misfit", lambda _, *size: tried.append(size))
    reason = size_check({"transforms": [CUT]})
    assert [reason(256, 256), reason(200, 300), reason(200, 300)] == [None] * 3
    assert tried == [(200, 300)]


def test_building_a_pipeline_leaves_pytorch_alone(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('imported')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    code += f"from augment.pipeline import check; check({GRAY})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


drawn: list[float] = []


class Draws(albumentations.ImageOnlyTransform):  # type: ignore[misc]
    """Enters the next numbers of its two generators."""

    def apply(self, img: Any, **_: Any) -> Any:
        drawn.extend((self.py_random.random(), self.random_generator.random()))
        return img


class Twice(albumentations.Sequential):  # type: ignore[misc]
    """A user's group, which lists the same objects twice, and enters the next numbers of its generators."""

    def __init__(self, transforms: list[Any], p: float = 1) -> None:
        super().__init__([*transforms, *transforms], p)

    def __call__(self, *args: Any, **data: Any) -> Any:
        drawn.extend((self.py_random.random(), self.random_generator.random()))
        return super().__call__(*args, **data)


def applied(group: Any) -> str:
    """Return the name of the transform of a group that was applied last, or an empty string."""
    return "".join(part.get_class_fullname() for part in group.transforms if part.params)


def test_two_flips_have_all_four_outcomes_in_their_shares() -> None:
    flips = {"transforms": [part("HorizontalFlip", p=0.5), part("VerticalFlip", p=0.5)]}
    outcomes = {(x, y): IMAGE[::y, ::x] for x in (1, -1) for y in (1, -1)}
    augment = transformer(flips, is_reused=True)
    images = [augment(seed, IMAGE) for seed in SEEDS]
    counts = {key: sum(np.array_equal(image, flip) for image in images) for key, flip in outcomes.items()}
    assert sum(counts.values()) == len(SEEDS)
    assert all(abs(count - len(SEEDS) / 4) < 3.5 * SD for count in counts.values())


def test_study_has_all_pairs_of_a_geometric_transform_and_a_distortion() -> None:
    pairs = Counter[tuple[str, str]]()
    for seed in SEEDS:
        compose = build(STUDY, seed)
        compose(image=IMAGE)
        geometric, _, distorting = compose.transforms
        pairs[applied(geometric), applied(distorting)] += 1
    assert len(pairs) == (3 + 1) * (4 + 1)
    for is_geometric, p_geometric in ((True, 0.5), (False, 0.5)):
        for is_distorted, p_distorted in ((True, 0.4), (False, 0.6)):
            count = sum(
                n for (a, b), n in pairs.items() if (bool(a), bool(b)) == (is_geometric, is_distorted)
            )
            assert abs(count - p_geometric * p_distorted * len(SEEDS)) < 3.5 * SD


def test_two_transforms_of_one_class_draw_independent_parameters() -> None:
    compose = build({"transforms": [part("RandomGamma", p=1)] * 2}, 0)
    parameters = []
    for seed in SEEDS:
        compose.set_random_seed(seed)
        compose(image=IMAGE)
        parameters.append([part.params["gamma"] for part in compose.transforms])
    first, second = np.array(parameters).T
    assert (first != second).all()
    assert abs(np.corrcoef(first, second)[0, 1]) < 3.5 / len(SEEDS) ** 0.5


def test_groups_within_groups_and_objects_listed_twice_draw_numbers_of_their_own() -> None:
    draws = {CLASS: "tests.test_pipeline.Draws", "p": 1}
    group = {CLASS: "tests.test_pipeline.Twice", "transforms": [draws, draws]}
    declared = {"transforms": [draws, group, {**group, "transforms": [draws, group]}]}
    reused, rebuilt = (transformer(declared, is_reused) for is_reused in (True, False))
    for seed in SEEDS[:4]:
        numbers = []
        for transform in (reused, rebuilt):
            drawn.clear()
            transform(seed, IMAGE)
            numbers.append([*drawn])
        assert numbers[0] == numbers[1]
        assert len(set(numbers[0])) == len(numbers[0]) == 2 * (1 + 5 + 1 + 2 * (1 + 5))


NEEDS_PYTORCH = (
    "import sys\nif sys.modules.get('albumentations.pytorch', sys) is None:\n    raise ImportError"
)


@pytest.mark.parametrize(("text", "is_blocked"), [("", True), (NEEDS_PYTORCH, False)])
def test_albumentations_leaves_pytorch_out_until_a_module_of_the_user_needs_it(
    text: str, is_blocked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "of_user.py").write_text(f"{text}\nmake = print")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "of_user", raising=False)
    monkeypatch.delitem(sys.modules, "albumentations")
    monkeypatch.setitem(sys.modules, "albumentations.pytorch", None)
    assert locate.__wrapped__("of_user.make") is print
    assert ("albumentations.pytorch" in sys.modules) == is_blocked


def test_stream_is_seeded_by_the_words_of_seed_and_place() -> None:
    seed = 2**32 - 5
    compose = build({"transforms": [{CLASS: "tests.test_pipeline.Draws"}]}, seed)
    for place, part in enumerate((compose, *compose.transforms)):
        expected = np.random.default_rng([seed, place] if place else seed)
        assert part.random_generator.bit_generator.state == expected.bit_generator.state
        assert part.seed == place << 32 | seed
