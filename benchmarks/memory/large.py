"""Memory and time of `aec compress` and `aec decompress` on pictures of 50 megapixels and more.

    python -m benchmarks.memory.large [--megapixels 50 200]

The picture is a photograph of Kodak's repeated in mirror images, in a temporary PNG file. Writes large.json and large.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import ROOT, Facts, confined, run, table, write_results

SIZES = {50: (8192, 6144), 200: (16384, 12288)}
"""Width and height, by megapixels."""

MAKE_PICTURE = """
import sys; from PIL import Image; from benchmarks.speed.worker import picture
Image.fromarray(picture(int(sys.argv[1]), int(sys.argv[2]))).save(sys.argv[3], compress_level=1)
"""
"""In a process of its own: this one has to stay small, see `run`."""


def measure(width: int, height: int, threads: int, folder: Path) -> list[dict[str, object]]:
    """A row for each command."""
    aec = Path(sys.executable).parent / "aec"
    png, file, back = (folder / name for name in ("large.png", "large.aec", "back.png"))
    subprocess.run([sys.executable, "-c", MAKE_PICTURE, str(width), str(height), str(png)], cwd=ROOT, check=True)
    commands: dict[str, list[str | Path]] = {
        "aec compress": [aec, "compress", "--force", png, file],
        "aec decompress": [aec, "decompress", "--force", file, back],
    }
    rows = []
    for name, command in commands.items():
        with confined(threads) as env:
            finished = run(command, env)
        row: dict[str, object] = {"command": name, "width": width, "height": height}
        row |= {"peak_mib": round(finished.peak_mib), "seconds": round(finished.seconds, 1), "file_bytes": file.stat().st_size}
        rows.append(row)
    return rows


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megapixels", nargs="+", type=int, choices=SIZES, default=[50])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    facts = Facts(" ".join(["python -m benchmarks.memory.large", *sys.argv[1:]]))
    facts["threads"] = arguments.threads
    rows: list[dict[str, object]] = []
    for size in arguments.megapixels:
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(*SIZES[size], arguments.threads, Path(folder))
    header = ["command", "width", "height", "peak memory, MiB", "seconds", "bytes of the .aec file"]
    lines = table(header, [list(row.values()) for row in rows])
    write_results(Path(__file__).with_suffix(""), "Memory for large pictures", facts, {"rows": rows}, lines)


if __name__ == "__main__":
    main()
