"""The floors of the package: a module imports only from floors below its own, or from its own folder."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "aecodec"

FLOORS = (
    {"errors", "limits", "arrays", "atomic"},
    {"defaults", "system", "format", "picture", "entropy"},
    {"model"},
    {"coding", "nets"},
    {"interface"},
    {"search"},
    {"codec"},
    {"", "distributed", "pillow_plugin"},
    {"training", "benchmark"},
    {"classic"},
    {"cli"},
    {"__main__"},
)
"""Rooms (folders and single files of the package; "" is its `__init__`), lowest floor first."""

WITHOUT_TORCH = ("format", "entropy", "picture", "model", "coding", "codec", "defaults", "interface", "system")

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "weights" not in path.parts)


def room(dotted: str) -> str:
    """Of "aecodec.model.weights": "model"."""
    return f"{dotted}.".split(".")[1]


def floor(name: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


def dotted_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(dotted: str) -> bool:
    path = PACKAGE.parent.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def imported(path: Path) -> Iterator[str]:
    """Modules of the package that a file imports, anywhere in it."""
    package = dotted_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if room(alias.name) or alias.name == "aecodec")
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module.split(".")[0] == "aecodec":
                for alias in node.names:
                    inner = f"{module}.{alias.name}"
                    yield inner if is_module(inner) else module


def test_every_room_has_a_floor() -> None:
    assert {room(dotted_name(path)) for path in MODULES} == set().union(*FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: dotted_name(path))
def test_a_module_imports_only_from_floors_below(path: Path) -> None:
    own = room(dotted_name(path))
    for name in imported(path):
        if name.split(".")[0] == "aecodec" and room(name) != own:
            assert floor(room(name)) < floor(own), f"imports {name}"


def test_what_decodes_needs_no_torch() -> None:
    names = [dotted_name(path) for path in MODULES if room(dotted_name(path)) in WITHOUT_TORCH]
    lines = [f"import {name}" for name in names] + ["import sys", "assert 'torch' not in sys.modules"]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
