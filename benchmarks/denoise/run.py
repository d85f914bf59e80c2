"""Noisy and damaged pictures through the encoders that denoise and inpaint, beside what one would do without them.

    pip install opencv-python-headless bm3d
    python benchmarks/denoise/run.py KODAK

writes rows.csv and, with --holes, holes.csv beside itself. A row that is there is not computed again. `report.py` makes
tables and plots of them.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from aecodec import Codec
from aecodec.picture.filling import fill
from aecodec.search.target import psnr
from aecodec.training.corruptions import corrupt, parse

HERE = Path(__file__).parent
SIGMAS = (15, 25, 50)
QUALITIES = (0, 20, 40, 60, 80)
HOLES = {"crosshair": "crosshair:8", "strokes": "strokes:25"}
HOLE_QUALITIES = (50, 75, 95)
NLM_STRENGTH = {15: 0.6, 25: 0.55, 50: 0.55}
"""Filter strength over σ, the best of a grid on the first two images."""

Pixels = npt.NDArray[np.uint8]


def non_local_means(x: Pixels, sigma: float, strength: float | None = None) -> Pixels:
    """OpenCV's, told the σ of the noise."""
    h = (strength or NLM_STRENGTH[int(sigma)]) * sigma
    return cv2.cvtColor(cv2.fastNlMeansDenoisingColored(cv2.cvtColor(x, cv2.COLOR_RGB2BGR), None, h, h, 7, 21), cv2.COLOR_BGR2RGB)


def block_matching(x: Pixels, sigma: float) -> Pixels:
    """Color BM3D of its authors, told the σ of the noise."""
    from bm3d import bm3d_rgb

    return np.clip(np.round(bm3d_rgb(x.astype(np.float64), sigma)), 0, 255).astype(np.uint8)


def telea(x: Pixels, missing: npt.NDArray[np.bool_]) -> Pixels:
    """OpenCV's fast marching."""
    return cv2.cvtColor(
        cv2.inpaint(cv2.cvtColor(x, cv2.COLOR_RGB2BGR), missing.astype(np.uint8), 3, cv2.INPAINT_TELEA), cv2.COLOR_BGR2RGB
    )


DENOISERS: dict[str, Callable[[Pixels, float], Pixels]] = {
    "plain aec": lambda x, sigma: x,
    "non-local means, aec": non_local_means,
    "BM3D, aec": block_matching,
}


class Rows:
    """A CSV file of results, each known by its first columns."""

    def __init__(self, path: Path, columns: tuple[str, ...], keys: int) -> None:
        self.path, self.columns, self.keys = path, columns, keys
        self.done = set()
        if path.exists():
            with path.open() as file:
                self.done = {tuple(row[:keys]) for row in csv.reader(file)}
        else:
            path.write_text(",".join(columns) + "\n")

    def missing(self, *key: object) -> bool:
        """Whether a row is still to be computed."""
        return tuple(map(str, key)) not in self.done

    def add(self, *values: object) -> None:
        """Append a row."""
        with self.path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow([f"{v:.4f}" if isinstance(v, float) else v for v in values])
        print(*values, flush=True)


def photographs(folder: Path, count: int) -> Iterator[tuple[str, Pixels]]:
    """Some of a folder's images, spread over it."""
    paths = sorted(folder.glob("*.png"))
    for path in paths[:: max(1, len(paths) // count)][:count]:
        yield path.stem, np.asarray(Image.open(path).convert("RGB"))


def coded(codec: Codec, picture: Pixels, quality: float, missing: npt.NDArray[np.bool_] | None = None) -> tuple[float, Pixels]:
    """Bits per pixel of the file, and what it shows."""
    data = codec.compress(picture, quality=quality, missing=missing)
    return 8 * len(data) / (picture.shape[0] * picture.shape[1]), codec.decompress(data).color


def denoise(name: str, clean: Pixels, sigma: int, rows: Rows, methods: list[str]) -> None:
    """One image at one σ: the rows of every method and quality."""
    noisy = corrupt(clean, [parse(f"gaussian:{sigma}")], np.random.default_rng(sigma)).pixels
    for method in methods:
        todo = [quality for quality in QUALITIES if rows.missing(name, sigma, method, quality)]
        if not todo:
            continue
        started = time.perf_counter()
        codec, picture = (denoiser, noisy) if method == "aec --denoise" else (plain, DENOISERS[method](noisy, sigma))
        seconds = time.perf_counter() - started
        for quality in todo:
            bpp, shown = coded(codec, picture, quality)
            rows.add(name, sigma, method, quality, bpp, psnr(shown, clean), psnr(picture, clean), seconds)


def inpaint(name: str, clean: Pixels, hole: str, rows: Rows) -> None:
    """One image with one kind of hole."""
    missing = corrupt(clean, [parse(HOLES[hole])], np.random.default_rng(0)).missing
    damaged = np.where(missing[:, :, None], np.uint8(255), clean)

    def add(method: str, quality: object, bpp: float, shown: Pixels) -> None:
        rows.add(name, hole, method, quality, bpp, psnr(shown[missing], clean[missing]), psnr(shown, clean))

    fillings = {"Telea": telea(damaged, missing), "smooth filling": fill(damaged, missing)}
    for method, filled in fillings.items():
        if rows.missing(name, hole, method, "-"):
            add(method, "-", 24.0, filled)
    for quality in HOLE_QUALITIES:
        if rows.missing(name, hole, "Telea, aec", quality):
            add("Telea, aec", quality, *coded(plain, fillings["Telea"], quality))
        if rows.missing(name, hole, "aec --inpaint", quality):
            add("aec --inpaint", quality, *coded(inpainter, damaged, quality, missing))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--sigmas", type=int, nargs="+", default=SIGMAS)
    parser.add_argument("--methods", nargs="+", default=["aec --denoise", *DENOISERS], help="what to compare; all by default")
    parser.add_argument("--holes", action="store_true", help="inpainting instead of denoising")
    arguments = parser.parse_args()
    plain, denoiser, inpainter = Codec(threads=1), Codec(threads=1, encoder="denoise"), Codec(threads=1, encoder="inpaint")
    cv2.setNumThreads(1)
    noise_columns = ("image", "sigma", "method", "quality", "bpp", "psnr", "psnr_before", "seconds_before")
    hole_columns = ("image", "hole", "method", "quality", "bpp", "psnr_hole", "psnr")
    rows = Rows(HERE / "holes.csv", hole_columns, 4) if arguments.holes else Rows(HERE / "rows.csv", noise_columns, 4)
    for name, clean in photographs(arguments.folder, arguments.images):
        if arguments.holes:
            for hole in HOLES:
                inpaint(name, clean, hole, rows)
        else:
            for sigma in arguments.sigmas:
                denoise(name, clean, sigma, rows, arguments.methods)
