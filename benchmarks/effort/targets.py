"""Whether --target-size, --target-bpp and --target-psnr hit on Kodak, and in how many probes.

    python benchmarks/effort/targets.py KODAK

writes targets.md and targets.json beside itself. A probe is one whole compression, of effort 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from aecodec import Codec
from aecodec.errors import TargetError
from aecodec.picture.imageio import as_picture
from aecodec.search.target import Probe, Target, compress_to, psnr
from benchmarks.measure import Facts, confined, table, write_results

TARGETS = (Target("size", 30_000), Target("size", 80 * 1024), Target("bpp", 0.5), Target("psnr", 32), Target("psnr", 38))
UNITS = {"size": "bytes", "bpp": "bpp", "psnr": "dB"}


def main() -> None:
    """Every target for every image."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kodak", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    paths = sorted(arguments.kodak.glob("*.png"))
    facts = Facts("python benchmarks/effort/targets.py KODAK")
    with confined(arguments.threads):
        found = {target: list(results(Codec(threads=arguments.threads), target, paths)) for target in TARGETS}
    facts["weights"] = Codec().weights.fingerprint.hex()
    every = [probes for pairs in found.values() for _, probes in pairs]
    missed = sum(not inside(target, result) for target, pairs in found.items() for result, _ in pairs)
    facts["probes"] = f"{np.mean(every):.2f} on average, {max(every)} at most; {missed} of {len(every)} targets missed"
    header = ("target", "lowest", "highest", "probes, mean", "probes, most", "missed")
    lines = [line(target, pairs) for target, pairs in found.items()]
    measured = {f"{target.kind} {target.value:g}": pairs for target, pairs in found.items()}
    write_results(Path(__file__).parent / "targets", "Targets on Kodak", facts, measured, table(header, lines))


def results(codec: Codec, target: Target, paths: list[Path]) -> Iterator[tuple[float, int]]:
    """What each image's file came to, and the probes it took."""
    for path in paths:
        with Image.open(path) as image:
            picture = as_picture(image)
        probes: list[Probe] = []
        try:
            data = compress_to(codec, picture, target, on_probe=probes.append)
        except TargetError as error:  # missed, by as much as the nearest quality does
            print(path.stem, error, file=sys.stderr)
            data = min(probes, key=lambda probe: abs(probe.result - target.value)).data
        match target.kind:
            case "size":
                result = float(len(data))
            case "bpp":
                result = 8 * len(data) / (picture.width * picture.height)
            case "psnr":
                result = psnr(picture.color, codec.decompress(data).color)
        print(path.stem, target.kind, f"{target.value:g}: {result:.3f} in {len(probes)} probes", file=sys.stderr)
        yield result, len(probes)


def inside(target: Target, result: float) -> bool:
    """Whether the tolerance of the target holds."""
    low, high = target.window()
    return low <= result <= high


def line(target: Target, pairs: list[tuple[float, int]]) -> tuple[str, ...]:
    """A row of the table."""
    reached, probes = zip(*pairs, strict=True)
    digits = 0 if target.kind == "size" else 3
    return (
        f"{target.value:,g} {UNITS[target.kind]}",
        f"{min(reached):,.{digits}f}",
        f"{max(reached):,.{digits}f}",
        f"{np.mean(probes):.1f}",
        f"{max(probes)}",
        f"{sum(not inside(target, result) for result in reached)}",
    )


if __name__ == "__main__":
    main()
