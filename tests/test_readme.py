"""The commands and the Python of the README, the quick start and docs/python.md do what they say, as written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from aecodec.cli import main

ROOT = Path(__file__).parent.parent


def blocks(language: str, page: str = "README.md") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def commands(block: str) -> list[list[str]]:
    """The words of each `aec` command of a block but those that take minutes, which have tests of their own."""
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["aec"] and words[1] not in ("benchmark", "train", "export")]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a reader might type the commands: a photograph, a mask of its size and a folder of photographs."""
    monkeypatch.chdir(tmp_path)
    photo = Image.open(ROOT / "tests" / "data" / "motorcycles.png")
    photo.save("photo.png")
    mask = Image.new("L", photo.size)
    mask.paste(255, (100, 100, 140, 140))
    mask.save("mask.png")
    Path("photos").mkdir()
    photo.crop((0, 0, 200, 200)).save("photos/one.jpg")


@pytest.mark.parametrize("block", [block for block in blocks("sh") if commands(block)])
def test_commands_work_as_written(block: str) -> None:
    for words in commands(block):
        assert main(words) == 0, words


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_python_works_as_written(page: str) -> None:
    names: dict[str, object] = {}
    for block in blocks("python", page):
        exec(compile(block, page, "exec"), names)


def test_the_quick_start_works_from_top_to_bottom() -> None:
    for block in blocks("sh", "docs/quickstart.md"):
        for words in commands(block):
            assert main(words) == 0, words
    for block in blocks("python", "docs/quickstart.md"):
        exec(compile(block, "docs/quickstart.md", "exec"), {})


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert target.startswith("https://") or (ROOT / target).exists(), target
