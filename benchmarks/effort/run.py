"""What time buys: BD-rate against processor time of encoding for efforts of aecodec, AVIF speeds 8 to 2, JPEG XL efforts 3 to 9.

    python benchmarks/effort/run.py KODAK [--images 24] [--threads 1] [--efforts 0,1,2]

Every measurement becomes a row of rows.csv at once; what is there and of the same weights isn't measured again, so the run can be
stopped and continued. BD-rates are against aecodec at effort 0, by PSNR, of the mean curve over the images that all levels have.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from aecodec.benchmark import bdrate
from aecodec.benchmark.codecs import AVIF, AecCodec, Codec, PillowCodec
from aecodec.benchmark.metrics import psnr
from aecodec.defaults import MAX_EFFORT
from benchmarks.measure import Facts, confined, table, write_results

HERE = Path(__file__).parent
ROWS = HERE / "rows.csv"
COLUMNS = ("codec", "version", "threads", "image", "quality", "bytes", "bpp", "psnr", "seconds")
PEERS = ("jpeg", "webp", "jxl", "heic", "avif", "avif-psnr")
"""As named and set in the rate-distortion benchmark, benchmarks/kodak."""
KODAK = 24
Key = tuple[str, str, str, str, str]


def jxl(effort: int) -> Codec:
    """JPEG XL."""
    return PillowCodec(
        f"jxl-e{effort}",
        "",
        "jxl",
        "JXL",
        {"effort": effort},
        (15, 50, 80, 92, 96),
        plugin="pillow_jxl",
        library="pillow-jxl-plugin",
    )


def avif(speed: int) -> Codec:
    """AVIF."""
    return PillowCodec(f"avif-s{speed}", "", "avif", "AVIF", AVIF | {"speed": speed}, (18, 42, 66, 84, 92), library="avif")


def aec(effort: int) -> Codec:
    """This project's."""
    return AecCodec(f"aecodec-e{effort}", "", qualities=(10.0, 35.0, 60.0, 85.0, 95.0), options={"effort": effort})


LEVELS: list[tuple[str, int, Codec]] = [
    *(("aecodec", effort, aec(effort)) for effort in range(MAX_EFFORT + 1)),
    *(("AVIF", speed, avif(speed)) for speed in (8, 6, 4, 2)),
    *(("JPEG XL", effort, jxl(effort)) for effort in (3, 5, 7, 9)),
]


def main() -> None:
    """Measure what is missing, then write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kodak", type=Path)
    parser.add_argument("--images", type=int, default=24, help="spread over the folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--efforts", help="of aecodec only these, and no other codec")
    arguments = parser.parse_args()
    paths = sorted(arguments.kodak.glob("*.png"))
    paths = paths[:: max(1, len(paths) // arguments.images)][: arguments.images]
    wanted = None if arguments.efforts is None else {int(e) for e in arguments.efforts.split(",")}
    levels = [level for level in LEVELS if wanted is None or (level[0] == "aecodec" and level[1] in wanted)]
    facts = Facts("python benchmarks/effort/run.py KODAK")
    with confined(arguments.threads):
        torch.set_num_threads(arguments.threads)
        for path in paths:
            for _, _, codec in levels:
                measure(path, codec, arguments.threads)
    report(facts, arguments.threads)


def measure(path: Path, codec: Codec, threads: int) -> None:
    """One image with one codec at its qualities, if there are no rows of that yet."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    done = rows()
    warm = False
    for quality in codec.qualities:
        key = (codec.name, codec.version(), str(threads), path.stem, f"{quality:g}")
        if key in done:
            continue
        if not warm:  # libraries are loaded, networks made ready
            codec.encode(pixels[:64, :64], quality)
            warm = True
        started = time.process_time()
        data = codec.encode(pixels, quality)
        seconds = time.process_time() - started
        bpp = 8 * len(data) / pixels[..., 0].size
        fidelity = psnr(pixels.astype(np.float32), codec.decode(data).astype(np.float32))
        add([*key, len(data), f"{bpp:.5f}", f"{fidelity:.4f}", f"{seconds:.4f}"])
        print(*key[0::3], key[4], f"{bpp:.3f} bpp {fidelity:.2f} dB {seconds:.2f} s", flush=True)


def rows() -> dict[Key, dict[str, str]]:
    """What has been measured."""
    if not ROWS.exists():
        return {}
    with ROWS.open(newline="") as file:
        return {(r["codec"], r["version"], r["threads"], r["image"], r["quality"]): r for r in csv.DictReader(file)}


def add(row: Sequence[object]) -> None:
    """Append one measurement."""
    new = not ROWS.exists()
    with ROWS.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, row] if new else [row])


def report(facts: Facts, threads: int) -> None:
    """Table and plot of everything that was measured with so many threads and the present versions."""
    found = {codec.name: collect(codec, threads) for _, _, codec in LEVELS}
    found = {name: images for name, images in found.items() if images}
    anchor = found["aecodec-e0"]
    common = set.intersection(*map(set, found.values()))  # what the levels are compared on; each also on all it has
    lines, results = [], {}
    points: dict[str, list[tuple[float, float, int]]] = {}
    for family, level, codec in LEVELS:
        images = set(found.get(codec.name, {})) & set(anchor)
        if not images:
            continue
        whole, shared = (bdrate.delta(curve(anchor, of), curve(found[codec.name], of)) for of in (images, common))
        seconds = float(np.median([row["seconds"] for image in images for row in found[codec.name][image]]))
        if whole and shared:
            lines.append((f"{family} {level}", f"{seconds:.2f}", f"{shared.rate:+.2f} %", f"{whole.rate:+.2f} %", len(images)))
            results[codec.name] = {
                "images": len(images),
                "seconds": seconds,
                "bd_rate": whole.rate,
                "bd_rate_common": shared.rate,
            }
            points.setdefault(family, []).append((seconds, shared.rate, level))
    facts["threads"] = threads
    facts["images of all levels"] = ", ".join(sorted(common))
    header = (
        "codec and effort or speed",
        "processor seconds a picture, median",
        "BD-rate against effort 0, images of all levels",
        "all its images",
        "how many",
    )
    beside = against_peers({name: images for name, images in found.items() if name.startswith("aecodec")})
    write_results(HERE / "results", "What time buys", facts, results, [*table(header, lines), "", *beside])
    plot(points)


def against_peers(efforts: dict[str, dict[str, list[dict[str, float]]]]) -> list[str]:
    """A table of the efforts that all Kodak images have, against the mean curves of the rate-distortion benchmark."""
    curves = {path.stem: json.loads(path.read_text())["results"] for path in (HERE.parent / "kodak" / "results").glob("*.json")}
    peers = {name: bdrate.line(found["bpp"], found["psnr-rgb"]) for name, found in curves.items() if name in PEERS}
    rows = []
    for name, images in efforts.items():
        if len(images) == KODAK:
            deltas = [bdrate.delta(peers[peer], curve(images, set(images))) for peer in PEERS]
            rows.append([name, *(f"{delta.rate:+.1f} %" if delta else "–" for delta in deltas)])
    return table(["BD-rate against", *PEERS], rows)


def collect(codec: Codec, threads: int) -> dict[str, list[dict[str, float]]]:
    """Image → its rows, of images that have all qualities."""
    version = codec.version()
    images: dict[str, list[dict[str, float]]] = {}
    for (name, of, with_threads, image, _), row in rows().items():
        if (name, of, with_threads) == (codec.name, version, str(threads)):
            images.setdefault(image, []).append({column: float(row[column]) for column in ("quality", "bpp", "psnr", "seconds")})
    return {image: sorted(found, key=lambda r: r["bpp"]) for image, found in images.items() if len(found) == len(codec.qualities)}


def curve(images: dict[str, list[dict[str, float]]], chosen: set[str]) -> bdrate.Line:
    """The mean over images, quality by quality."""
    table_of = np.array([[(row["bpp"], row["psnr"]) for row in images[image]] for image in sorted(chosen)])
    bpp, fidelity = table_of.mean(0).T
    return bdrate.line(bpp, fidelity)


def plot(points: dict[str, list[tuple[float, float, int]]]) -> None:
    """Time against BD-rate."""
    figure, axes = plt.subplots(figsize=(7, 4.5))
    for family, found in points.items():
        found.sort()
        axes.plot([p[0] for p in found], [p[1] for p in found], "o-", label=family)
        for seconds, rate, level in found:
            axes.annotate(str(level), (seconds, rate), textcoords="offset points", xytext=(4, 4), fontsize=8)
    axes.set(xscale="log", xlabel="processor seconds a picture of 768×512", ylabel="BD-rate against aecodec at effort 0, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(HERE / "effort.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
