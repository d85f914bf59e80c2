"""What a decoded picture is worth, against the original. Everything is computed from 8-bit RGB, as a viewer gets it.

psnr_rgb     dB, one mean squared error over the three channels (Kodak's usual figure)
psnr_y       dB, of the luma 0.299 R + 0.587 G + 0.114 B, not rounded
ssim         scikit-image, RGB, Gaussian window σ 1.5, population covariance (Wang et al., 2004, mean over the channels)
ms_ssim      pytorch-msssim, RGB, its defaults (Wang et al., 2003; what CompressAI reports); sides from 161 pixels
ssimulacra2  ssimulacra2 (Sneyers, 2023), on demand: 90 visually lossless, 70 high, 50 medium quality
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from .codecs import Pixels
from .optional import need

LOSSLESS_DB = 100.0
"""PSNR of a picture without any error, so that means stay finite."""

SSIM_SIDE, MS_SSIM_SIDE = 11, 161
"""The shortest side that a metric's window, or its fifth scale, needs."""


@dataclass(frozen=True)
class Metric:
    """How people read a metric; `decibel` metrics are shown as −10·log10(1 − value)."""

    name: str
    label: str
    unit: str
    decibel: bool = False


METRICS = (
    Metric("psnr_rgb", "PSNR", "dB"),
    Metric("psnr_y", "PSNR-Y", "dB"),
    Metric("ssim", "SSIM", "dB", decibel=True),
    Metric("ms_ssim", "MS-SSIM", "dB", decibel=True),
    Metric("ssimulacra2", "SSIMULACRA 2", ""),
)


def decibel(similarity: float) -> float:
    """A similarity in 0..1 as −10·log10(1 − similarity), at most LOSSLESS_DB."""
    return min(-10 * math.log10(max(1 - similarity, 1e-12)), LOSSLESS_DB)


def psnr(x: npt.NDArray[np.floating], x_hat: npt.NDArray[np.floating]) -> float:
    """PSNR in dB of arrays in 0..255."""
    mse = float(np.mean((x - x_hat) ** 2, dtype=np.float64))
    return LOSSLESS_DB if mse == 0 else min(10 * math.log10(255**2 / mse), LOSSLESS_DB)


def measure(x: Pixels, x_hat: Pixels, *, ssimulacra2: bool = False) -> dict[str, float | None]:
    """All metrics of a reconstruction; None for one that the picture is too small for, or that wasn't asked for."""
    a, b = x.astype(np.float32), x_hat.astype(np.float32)
    luma = np.array([0.299, 0.587, 0.114], np.float32)
    side = min(x.shape[:2])
    return {
        "psnr_rgb": psnr(a, b),
        "psnr_y": psnr(a @ luma, b @ luma),
        "ssim": ssim(a, b) if side >= SSIM_SIDE else None,
        "ms_ssim": ms_ssim(a, b) if side >= MS_SSIM_SIDE else None,
        "ssimulacra2": ssimulacra_2(x, x_hat) if ssimulacra2 else None,
    }


def ssim(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """SSIM of (H, W, 3) in 0..255."""
    structural_similarity = need("skimage.metrics").structural_similarity
    return float(
        structural_similarity(a, b, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    )


def ms_ssim(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """MS-SSIM of (H, W, 3) in 0..255."""
    torch = need("torch")
    planes = [torch.from_numpy(np.ascontiguousarray(v.transpose(2, 0, 1)))[None] for v in (a, b)]
    return float(need("pytorch_msssim").ms_ssim(*planes, data_range=255))


def ssimulacra_2(x: Pixels, x_hat: Pixels) -> float:
    """SSIMULACRA 2, at most 100. The library reads files, so it gets two."""
    library = need("ssimulacra2")
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("x.png", "x_hat.png")]
        for path, pixels in zip(paths, (x, x_hat), strict=True):
            Image.fromarray(pixels).save(path, compress_level=1)
        return float(library.compute_ssimulacra2(*paths))
