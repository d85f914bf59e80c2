"""Crops to look at, denoised.webp and inpainted.webp: ``python benchmarks/denoise/pictures.py KODAK``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from run import HERE, HOLES, coded, non_local_means, telea

from aecodec import Codec
from aecodec.training.corruptions import corrupt, parse
from aecodec.training.drawing import draw_grid
from aecodec.training.task import Samples

SIDE = 256
PLACES = {"kodim05": (150, 100), "kodim09": (380, 80), "kodim17": (60, 140)}
"""Top and left of a crop of some photographs."""
QUALITY = 60


def save(samples: Samples, name: str) -> None:
    """As WebP, a tenth of the PNG's size."""
    path = HERE / f"{name}.png"
    draw_grid(samples, path)
    with Image.open(path) as grid:
        grid.save(path.with_suffix(".webp"), quality=92, method=6)
    path.unlink()


if __name__ == "__main__":
    plain, denoiser, inpainter = Codec(), Codec(encoder="denoise"), Codec(encoder="inpaint")
    denoised, inpainted = [], []
    for name, (top, left) in PLACES.items():
        clean = np.asarray(Image.open(Path(sys.argv[1]) / f"{name}.png").convert("RGB"))
        crop = np.s_[top : top + SIDE, left : left + SIDE]
        noisy = corrupt(clean, [parse("gaussian:25")], np.random.default_rng(25)).pixels
        pictures = [
            coded(plain, noisy, QUALITY),
            coded(plain, non_local_means(noisy, 25), QUALITY),
            coded(denoiser, noisy, QUALITY),
        ]
        print(name, *(f"{bpp:.2f} bpp" for bpp, _ in pictures))
        denoised.append([clean[crop], noisy[crop], *(shown[crop] for _, shown in pictures)])
        missing = corrupt(clean, [parse(HOLES["strokes"])], np.random.default_rng(0)).missing
        damaged = np.where(missing[:, :, None], np.uint8(255), clean)
        filled = coded(plain, telea(damaged, missing), QUALITY)[1], coded(inpainter, damaged, QUALITY, missing)[1]
        inpainted.append([clean[crop], damaged[crop], *(shown[crop] for shown in filled)])
    save(Samples(("clean", "noisy, sigma 25", "aec", "non-local means, aec", "aec --denoise"), denoised), "denoised")
    save(Samples(("original", "damaged", "Telea, aec", "aec --inpaint"), inpainted), "inpainted")
