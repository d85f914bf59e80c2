"""Commands that code nothing load nothing that codes: what makes --help, --version and info answer at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aecodec.format import container
from aecodec.format.container import Container, Header

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


@pytest.mark.parametrize("command", ["compress", "decompress", "verify", "benchmark"])
def test_numpy_is_told_to_start_no_threads_before_it_is_imported(command: str, tmp_path: Path) -> None:
    script = """
import os, sys
from aecodec.cli import main, options
told = options.single_threaded_blas
options.single_threaded_blas = lambda: (print("numpy" in sys.modules), told())
main([sys.argv[1], "nothing"])
print("numpy" in sys.modules, os.environ["OPENBLAS_NUM_THREADS"])
"""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    run = [sys.executable, "-c", script, command]
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False\nTrue 1\n"
