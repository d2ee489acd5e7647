"""The identity of a cell: every option counts unless its declaration says otherwise."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from augment.datasets.folder import Folder
from augment.datasets.synthetic import Format, Pattern, Synthetic
from augment.saved_pipeline import canonical
from augment.strategies import STRATEGIES, Strategy
from experiments import ROOT
from experiments.config.cell import Cell
from experiments.config.options import Config
from experiments.machine import environment
from experiments.store import columns
from experiments.store.columns import DETERMINING, TRIALS, JsonObject, digest_of, identity
from experiments.sweep.cells import SweepCell
from experiments.sweep.inputs import inputs_of

ENVIRONMENT = {
    each.name: "{}" if each.kind is JsonObject else 1
    for each in DETERMINING
    if each.determines is columns.ENVIRONMENT
}


def cell(strategy: Strategy | None = None, **options: Any) -> Cell:
    config: dict[str, Any] = {
        "strategy": strategy or STRATEGIES["p2"](),
        "dataset": Synthetic(),
        "image_size": "20x10",
    }
    return Cell(Config(**(config | options)))


@pytest.fixture(autouse=True)
def own_cache_and_environment(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setattr(environment, "machine_columns", lambda: ENVIRONMENT)


def key(one: Cell) -> str:
    checked = {"pipeline_digest": digest_of(canonical(one.config.pipeline))}
    return SweepCell(one, inputs_of(one.config, {}), False, checked).identity


def another(value: Any, hint: Any) -> Any:
    """Return another value of the same type."""
    if isinstance(value, Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, bool):
        return not value
    if value is None:
        kind = next(kind for kind in get_args(hint) if kind is not type(None))
        return kind(3)
    return value + type(value)("1")


def declared(options: Any, determines: bool) -> Iterator[tuple[str, Any]]:
    """Name and another value of each option that is declared so."""
    hints = get_type_hints(type(options))
    for each in fields(options):
        if each.metadata.get("determines") is determines:
            yield each.name, another(getattr(options, each.name), hints[each.name])


WHOLE = cell().config
EVERY = [
    *((f"{name}", {name: value}) for name, value in declared(WHOLE, True)),
    *(
        (f"runtime.{name}", {"runtime": replace(WHOLE.runtime, **{name: value})})
        for name, value in declared(WHOLE.runtime, True)
    ),
]


@pytest.mark.parametrize(("name", "change"), EVERY, ids=[name for name, _ in EVERY])
def test_identity_changes_with_every_determining_option(name: str, change: dict[str, Any]) -> None:
    assert key(cell()) != key(cell(**change))


@pytest.mark.parametrize("name", STRATEGIES)
def test_identity_changes_with_every_strategy_option(name: str) -> None:
    others = [
        cell(replace(STRATEGIES[name](), **{option: value}))
        for option, value in declared(STRATEGIES[name](), True)
    ]
    keys = [key(each) for each in [*(cell(kind()) for kind in STRATEGIES.values()), *others]]
    assert len(set(keys)) == len(keys)


def test_identity_ignores_options_declared_as_irrelevant() -> None:
    names = {each.name for each in fields(Config) if each.metadata.get("determines") is False}
    assert {"repetitions", "results_dir", "rerun", "order_seed", "cache_dir"} <= names
    assert key(cell()) == key(cell(repetitions=9, results_dir="x", rerun=True, order_seed=5, overwrite=True))


def test_identity_changes_with_the_content_of_inputs(tmp_path: Path) -> None:
    different = [cell(), cell(image_size="30x10"), cell(n_images=3)]
    different += [cell(dataset=Synthetic(Pattern.noise)), cell(dataset=Synthetic(format=Format.png))]
    assert len({key(each) for each in different}) == len(different)
    assert key(cell(n_images=10)) == key(cell()), "ten are made where none are asked for"

    def folder(name: str) -> Cell:
        return cell(dataset=Folder(str(tmp_path / name)), image_size=None)

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image.png").write_bytes(b"first")
    assert key(folder("a")) == key(folder("b"))
    (tmp_path / "b" / "image.png").write_bytes(b"other")
    assert key(folder("a")) != key(folder("b")), "same name, same size"


def test_identity_changes_with_the_output_file_system_if_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    memory: Any = {"scratch_dir": "/dev/shm"}
    assert key(cell()) != key(cell(**memory))
    assert key(cell(saving=False)) == key(cell(saving=False, **memory))


def test_identity_changes_with_machine_code_and_versions() -> None:
    row: dict[str, Any] = {each.name: 1 for each in DETERMINING}
    keys = {each.name: identity(row | {each.name: 2}) for each in DETERMINING}
    assert keys.pop("node") == identity(row), "trials of nodes alike count together"
    assert len(set(keys.values())) == len(DETERMINING) - 1
    assert {"machine", "code_digest", "packages", "user_modules", "variables"} <= ENVIRONMENT.keys()


def test_determining_option_is_a_column_of_its_type() -> None:
    hints = get_type_hints(Config)
    kinds = {name: (*get_args(hint), hint)[0] for name, hint in hints.items()}  # without None
    options = {each.name: kinds[each.name] for each in fields(Config) if each.metadata.get("determines")}
    known = {each.name: each.kind for each in TRIALS if each.determines is columns.WORK}
    assert options.items() <= known.items()


def test_reading_results_imports_neither_hydra_nor_options() -> None:
    script = (
        "import sys, experiments.store.files; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    words = [sys.executable, "-c", script]
    loaded = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {"hydra", "omegaconf", "augment"}.isdisjoint(loaded)
