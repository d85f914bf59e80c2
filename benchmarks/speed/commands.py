"""Whole processes on a Kodak picture: `aec` beside the tools of JPEG XL, AVIF and WebP, with a warm disk cache.

    python -m benchmarks.speed.commands

The commands take turns, so that whatever else the machine does meets all of them. The tools are Debian's packages libjxl-tools,
libavif-bin and webp; those that aren't installed are left out. Writes commands.json and commands.md beside this.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.measure import ROOT, Facts, Finished, run, table, write_results

PHOTOGRAPH = ROOT / "tests" / "data" / "kodim23.png"

COMPRESS = """
import sys; from pathlib import Path; from PIL import Image; from aecodec.codec import Codec
Path(sys.argv[3]).write_bytes(Codec(engine=sys.argv[1]).compress(Image.open(sys.argv[2])))
"""
DECOMPRESS = """
import sys; from pathlib import Path; from PIL import Image; from aecodec.codec import Codec
Image.fromarray(Codec(engine=sys.argv[1]).decompress(Path(sys.argv[2]).read_bytes()).color).save(sys.argv[3])
"""
"""For the engines side by side, as `aec` has no option for that."""


@dataclass(frozen=True)
class Command:
    """A line of the table: what runs, and the file it makes."""

    kind: str
    """compress, decompress or other; ratios are to the first of a kind."""
    label: str
    argv: tuple[str, ...]
    output: str = ""


def commands() -> list[Command]:
    """What can run here. Input is photo.png in the current folder; decoders take what the encoders before them made."""
    python, aec = sys.executable, str(Path(sys.executable).parent / "aec")
    wanted = [
        Command("compress", "`aec compress`", (aec, "compress", "--force", "photo.png", "photo.aec"), "photo.aec"),
        Command("decompress", "`aec decompress`", (aec, "decompress", "--force", "photo.aec", "aec.png"), "aec.png"),
        Command("other", "`aec info`", (aec, "info", "photo.aec")),
        Command("other", "`aec --help`", (aec, "--help")),
    ]
    for engine, name in {"onnx": "ONNX Runtime", "torch": "PyTorch"}.items():
        wanted += [
            Command(
                "compress", f"Python, {name}", (python, "-c", COMPRESS, engine, "photo.png", f"{engine}.aec"), f"{engine}.aec"
            ),
            Command(
                "decompress",
                f"Python, {name}",
                (python, "-c", DECOMPRESS, engine, f"{engine}.aec", f"{engine}.png"),
                f"{engine}.png",
            ),
        ]
    for kind, line in (
        ("compress", "cjxl -e 7 -q 89 photo.png photo.jxl"),
        ("decompress", "djxl photo.jxl jxl.png"),
        ("compress", "avifenc -s 6 -j all --min 0 --max 63 -a end-usage=q -a cq-level=29 photo.png photo.avif"),
        ("decompress", "avifdec -j all photo.avif avif.png"),
        ("compress", "cwebp -m 6 -mt -q 83 photo.png -o photo.webp"),
        ("decompress", "dwebp -mt photo.webp -o webp.png"),
    ):
        argv = line.split()
        if shutil.which(argv[0]):
            wanted.append(Command(kind, f"`{line}`", tuple(argv), argv[-1]))
        else:
            print(f"{argv[0]} is left out: it isn't installed", file=sys.stderr)
    return wanted


def environment() -> dict[str, str]:
    """That of this process; Python may keep its compiled modules, as it does where a package is installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def versions() -> dict[str, str]:
    """Of everything that runs."""
    packages = ("aecodec", "onnxruntime", "torch", "numpy", "pillow", "typer")
    found = {"Python packages": ", ".join(f"{name} {version(name)}" for name in packages)}
    for tool, option in {"cjxl": "--version", "avifenc": "--version", "cwebp": "-version"}.items():
        if shutil.which(tool):
            found[tool] = subprocess.run([tool, option], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return found


def measure(wanted: Sequence[Command], repeat: int) -> dict[Command, list[Finished]]:
    """All commands in turn, again and again; the first round warms the disk cache and isn't counted."""
    env = environment()
    rounds = [{command: run(command.argv, env) for command in wanted} for _ in range(1 + repeat)]
    return {command: [finished[command] for finished in rounds[1:]] for command in wanted}


def results(measured: dict[Command, list[Finished]]) -> list[dict[str, object]]:
    """Rows by kind, with sizes and PSNR of the files that the commands left."""
    rows: list[dict[str, object]] = []
    for kind in ("compress", "decompress", "other"):
        seconds = {command: [one.seconds for one in finished] for command, finished in measured.items() if command.kind == kind}
        first = median(next(iter(seconds.values())))
        rows += [
            {
                "kind": kind,
                "command": command.label,
                "median": round(median(taken), 3),
                "ratio": None if kind == "other" else round(median(taken) / first, 2),
                "fastest": round(min(taken), 3),
                "slowest": round(max(taken), 3),
                "peak_mib": round(max(one.peak_mib for one in measured[command])),
                "bytes": Path(command.output).stat().st_size if kind == "compress" else None,
                "psnr": psnr_of(command.output) if kind == "decompress" else None,
            }
            for command, taken in seconds.items()
        ]
    return rows


def psnr_of(path: str) -> float:
    """PSNR of a decoder's picture. Imports numpy, so it comes after everything that `run` measures."""
    import numpy as np
    from PIL import Image

    from benchmarks.speed.worker import psnr

    pixels = [np.asarray(Image.open(name).convert("RGB")) for name in ("photo.png", path)]
    return round(psnr(*pixels), 2)


def tables(rows: Sequence[dict[str, object]]) -> list[str]:
    """One table of everything."""
    header = ["", "command", "median, s", "× aec", "fastest, s", "slowest, s", "peak memory, MiB", "bytes", "PSNR, dB"]
    return table(header, [["–" if value is None else value for value in row.values()] for row in rows])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=10)
    arguments = parser.parse_args()
    facts = Facts(" ".join(["python -m benchmarks.speed.commands", *sys.argv[1:]]))
    facts |= {"picture": "tests/data/kodim23.png, 768×512", "medians": f"of {arguments.repeat} rounds", **versions()}
    facts["cores"] = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        shutil.copy(PHOTOGRAPH, "photo.png")
        rows = results(measure(commands(), arguments.repeat))
    write_results(Path(__file__).with_suffix(""), "Whole commands, from start to exit", facts, {"rows": rows}, tables(rows))


if __name__ == "__main__":
    main()
