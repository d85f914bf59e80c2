"""A codec that needs no library, and runs made of invented rows, for the tests of the benchmark."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from aecodec.benchmark.codecs import Codec, Pixels
from aecodec.benchmark.rows import Row
from aecodec.benchmark.runner import Run, Source

SIDE = 40


@dataclass(frozen=True)
class FakeCodec:
    """Quantizes pixels to ``quality`` levels and deflates them; refuses one quality if told to."""

    name: str = "fake"
    label: str = "Fake"
    family: str = "fake"
    qualities: tuple[float, ...] = (2, 4, 8, 16, 32, 64)
    whole_qualities: bool = True
    settings: str = "deflate"
    release: str = "1"
    refuses: float | None = None

    def version(self) -> str:
        return self.release

    def unavailable(self) -> str | None:
        return None

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        if quality == self.refuses:
            raise ValueError("not this one")
        step = 256 // int(quality)
        header = bytes([step]) + np.array(pixels.shape, "<u2").tobytes()
        return header + zlib.compress((pixels // step).tobytes())

    def decode(self, data: bytes) -> Pixels:
        shape = np.frombuffer(data[1:7], "<u2")
        levels = np.frombuffer(zlib.decompress(data[7:]), np.uint8).reshape(shape)
        return (levels * data[0] + data[0] // 2).astype(np.uint8)


def photo(seed: int, side: int = SIDE) -> Pixels:
    """Smooth colours with a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    planes = [120 + 80 * np.sin(3 * x + seed) * np.cos(2 * y + channel) for channel in range(3)]
    noisy = np.stack(planes, -1) + rng.normal(0, 3, (side, side, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def folder_of_photos(folder: Path, count: int = 2, side: int = SIDE) -> Path:
    """A folder with photo0.png, photo1.png, …"""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.fromarray(photo(index, side)).save(folder / f"photo{index}.png")
    return folder


def invented_run(codecs: list[Codec], sources: list[Source]) -> Run:
    """A complete run whose codecs need half the bytes of the one before them, at the same quality."""
    run = Run(sources, codecs, {codec.name: codec.qualities for codec in codecs}, complete=True)
    for place, codec in enumerate(codecs):
        for source in sources:
            for step, quality in enumerate(codec.qualities):
                row = invented_row(source, codec, quality, round(1000 * 2**step / 2**place), 25.0 + 4 * step)
                run.rows[row.key] = row
    return run


def invented_row(source: Source, codec: Codec, quality: float, size: int, psnr: float) -> Row:
    return Row(
        image=source.name,
        image_sha256=source.sha256,
        width=source.width,
        height=source.height,
        codec=codec.name,
        settings=codec.settings,
        version=codec.version(),
        quality=float(quality),
        bytes=size,
        bpp=size * 8 / (source.width * source.height),
        psnr_rgb=psnr,
        psnr_y=psnr + 1,
        ssim=1 - 10 ** (-psnr / 20),
        ms_ssim=1 - 10 ** (-psnr / 15),
        ssimulacra2=None,
        encode_s=0.2,
        decode_s=0.1,
        threads=1,
        machine="a machine",
        date="2026-01-01T00:00Z",
    )
