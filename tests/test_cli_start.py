"""Commands that code nothing load nothing that codes: what makes --help, --version and info answer at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aecodec import container
from aecodec.container import Container, Header

HEAVY = {"torch", "numpy", "PIL", "safetensors", "constriction", "tqdm", "rich", "multiprocessing"}


@pytest.mark.parametrize("command", ["--version", "--help", "compress --help", "train compress --help", "info x.aec", "nothing"])
def test_no_heavy_import(command: str, tmp_path: Path) -> None:
    header = Header(10, 20, "L", 64, 7500, effort=0, coder=1, model=bytes(8))
    (tmp_path / "x.aec").write_bytes(container.write(Container(header, [b"tile"])))
    script = "import sys; from aecodec.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script, *command.split()], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stderr.split())
