"""Prove that the core install is light: a fresh virtual environment, no extras, a picture through `aec` and back, no torch.

    python tools/check_light_install.py [WHEEL]

Installs this repository, or a wheel of it. Prints what is installed and how much of the disk it takes; fails above the limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "tests" / "data" / "kodim23.png"
LIMIT = 250_000_000
"""Bytes on disk, the environment's own pip included."""

COMPARE = """
import sys
import numpy as np
from PIL import Image
a, b = (np.asarray(Image.open(path).convert("RGB"), float) for path in sys.argv[1:])
print(f"{10 * np.log10(255**2 / np.mean((a - b) ** 2)):.2f}")
"""


def output(*command: str | Path, cwd: Path) -> str:
    """What a command prints; its errors go to this terminal and stop the check."""
    return subprocess.run([str(word) for word in command], check=True, cwd=cwd, stdout=subprocess.PIPE, text=True).stdout


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def check(source: Path, folder: Path) -> None:
    """Install ``source`` into a new environment in ``folder`` and try it there, away from the repository."""
    environment = folder / "venv"
    venv.create(environment, with_pip=True)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    python, aec = scripts / "python", scripts / "aec"
    output(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", source, cwd=folder)

    listed = output(python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check", cwd=folder)
    installed = {package["name"]: package["version"] for package in json.loads(listed)}
    print(", ".join(f"{name} {version}" for name, version in sorted(installed.items())))
    if "torch" in installed:
        sys.exit("the core install brings torch")

    output(aec, "compress", PICTURE, "photo.aec", cwd=folder)
    output(aec, "decompress", "photo.aec", "photo.png", cwd=folder)
    psnr = float(output(python, "-c", COMPARE, PICTURE, "photo.png", cwd=folder))
    print(f"round trip: {PICTURE.stat().st_size} -> {(folder / 'photo.aec').stat().st_size} bytes, {psnr:.2f} dB")
    if psnr < 30:
        sys.exit("the picture did not come back")

    refusal = subprocess.run([aec, "train", "compress", folder, "--out", "run"], cwd=folder, capture_output=True, text=True)
    print(refusal.stderr.strip())
    if "aecodec[train]" not in refusal.stderr or refusal.stderr.count("\n") != 1:
        sys.exit("aec train does not say in one line what to install")

    size = size_of(environment)
    print(f"on disk: {size / 1e6:.0f} MB")
    if size > LIMIT:
        sys.exit(f"the core install takes more than {LIMIT / 1e6:.0f} MB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        check(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT, Path(name))
