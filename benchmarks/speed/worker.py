"""One codec on one picture in a process of its own: reads a `Job` as JSON from its argument, prints what came out as JSON.

    python -m benchmarks.speed.worker '{"codec": "jpeg", "quality": 75, "width": 768, "height": 512, …}'

`images.py` starts it, with CompressAI's Python for CompressAI's models. So nothing but numpy and Pillow is imported at the top.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.measure import ROOT

if TYPE_CHECKING:
    from aecodec.benchmark.codecs import PillowCodec

PHOTOGRAPH = ROOT / "tests" / "data" / "kodim23.png"
COMPRESSAI = ("bmshj2018-hyperprior", "mbt2018-mean")
COMPRESSAI_QUALITY = 4
"""The smaller of the two sizes of these networks; the larger starts at 6 (bmshj2018-hyperprior) and 5 (mbt2018-mean)."""

Pixels = npt.NDArray[np.uint8]
"""(H, W, 3), RGB."""


@dataclass(frozen=True)
class Job:
    """What to measure: ``codec`` is aecodec-onnx, aecodec-torch, one of COMPRESSAI or a name that `peer` knows."""

    codec: str
    quality: float
    width: int
    height: int
    threads: int
    repeat: int
    seconds: float
    """No further repetition after so long."""


@dataclass(frozen=True)
class Subject:
    """A codec, loaded."""

    encode: Callable[[Pixels], Any]
    decode: Callable[[Any], Pixels]
    version: str
    settings: str


def picture(width: int, height: int) -> Pixels:
    """The photograph, repeated in mirror images up to this size: the same detail everywhere, no edges where tiles meet."""
    with Image.open(PHOTOGRAPH) as image:
        pixels = np.asarray(image.convert("RGB"))
    missing = (max(height - pixels.shape[0], 0), max(width - pixels.shape[1], 0))
    return np.ascontiguousarray(np.pad(pixels, [(0, missing[0]), (0, missing[1]), (0, 0)], mode="symmetric")[:height, :width])


def aecodec(engine: Literal["onnx", "torch"], quality: float, threads: int) -> Subject:
    """This project's codec."""
    from aecodec import __version__
    from aecodec.codec import Codec

    codec = Codec(threads=threads, engine=engine)
    library = {"onnx": "onnxruntime", "torch": "torch"}[engine]
    return Subject(
        encode=lambda pixels: codec.compress(pixels, quality=quality),
        decode=lambda data: codec.decompress(data).color,
        version=f"aecodec {__version__}, model {codec.weights.fingerprint.hex()}, {library} {version(library)}",
        settings=f"Codec(engine={engine!r}).compress(image, quality={quality:g})",
    )


def peer(name: str) -> PillowCodec:
    """A peer of the rate–distortion benchmark, or avif-6: AVIF at speed 6, libavif's default."""
    from aecodec.benchmark.codecs import CODECS, PillowCodec

    codecs = {codec.name: codec for codec in CODECS if isinstance(codec, PillowCodec)}
    avif = codecs["avif"]
    codecs["avif-6"] = replace(avif, name="avif-6", label="AVIF speed 6", options={**avif.options, "speed": 6})
    codecs["avif"] = replace(avif, label="AVIF speed 4")
    return codecs[name]


def pillow(name: str, quality: float) -> Subject:
    """A peer through Pillow. Those that can use threads take the cores that the process may use."""
    codec = peer(name)
    return Subject(
        encode=lambda pixels: codec.encode(pixels, quality),
        decode=codec.decode,
        version=codec.version(),
        settings=codec.settings.replace("…", f"{quality:g}"),
    )


def compressai(name: str, quality: float, threads: int) -> Subject:
    """A model of CompressAI with random weights; sides must be multiples of 64, so that neither pads."""
    import torch

    # Image models don't need torchvision, but importing CompressAI does.
    transforms = ModuleType("torchvision.transforms")
    sys.modules |= {"torchvision": ModuleType("torchvision"), "torchvision.transforms": transforms}
    sys.modules["torchvision"].transforms = transforms  # type: ignore[attr-defined]
    image_models = import_module("compressai.zoo").image_models
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = image_models[name](int(quality), pretrained=False).eval()
    model.update()

    @torch.inference_mode()
    def encode(pixels: Pixels) -> dict[str, Any]:
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        coded: dict[str, Any] = model.compress(x)
        return coded

    @torch.inference_mode()
    def decode(coded: dict[str, Any]) -> Pixels:
        x_hat = model.decompress(**coded)["x_hat"][0]  # clamped already
        pixels: Pixels = (x_hat * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        return pixels

    return Subject(
        encode,
        decode,
        version=f"compressai {version('compressai')}, torch {torch.__version__}",
        settings=f"image_models[{name!r}](quality={quality:g}, pretrained=False), update(), compress(x)",
    )


def load(job: Job) -> Subject:
    """The codec of a job."""
    if job.codec.startswith("aecodec-"):
        return aecodec("torch" if job.codec.endswith("torch") else "onnx", job.quality, job.threads)
    if job.codec in COMPRESSAI:
        return compressai(job.codec, job.quality, job.threads)
    return pillow(job.codec, job.quality)


def peak_mib() -> float:
    """Resident memory of this process at its highest so far; unlike getrusage's, without that of its parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def psnr(x: Pixels, x_hat: Pixels) -> float:
    """PSNR over RGB in dB."""
    return float(10 * np.log10(255**2 / np.mean((x.astype(np.int32) - x_hat) ** 2)))


def measure(job: Job) -> dict[str, Any]:
    """Compress and decompress in turn, after a small picture that loads and warms what there is."""
    pixels = picture(job.width, job.height)
    subject = load(job)
    subject.decode(subject.encode(np.ascontiguousarray(pixels[:256, :256])))
    before = peak_mib()
    compress: list[float] = []
    decompress: list[float] = []
    while len(compress) < job.repeat and sum(compress + decompress) < job.seconds:
        start = perf_counter()
        data = subject.encode(pixels)
        compress.append(perf_counter() - start)
        start = perf_counter()
        x_hat = subject.decode(data)
        decompress.append(perf_counter() - start)
    peak = peak_mib()
    return {
        "version": subject.version,
        "settings": subject.settings,
        "compress": [round(seconds, 4) for seconds in compress],
        "decompress": [round(seconds, 4) for seconds in decompress],
        "loaded_mib": round(before),
        "peak_mib": round(peak),
        "bytes": len(data) if isinstance(data, bytes) else None,  # random weights say nothing about size or PSNR
        "psnr": round(psnr(pixels, x_hat), 2) if isinstance(data, bytes) else None,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Job(**json.loads(sys.argv[1])))))
