"""The one table of codecs. Adding a codec is adding a line to `CODECS`.

Peers go through Pillow's `save` and `open`, so bytes are those of a real file with its container. They are at settings that
are good for them: the slow and thorough modes that people use, full chroma resolution where the format has it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, features

from ..errors import ModelError, UsageError
from ..model.weights import DEFAULT
from ..system import available_cores
from .optional import version_of

Pixels = npt.NDArray[np.uint8]
"""A picture, (H, W, 3), RGB."""


class Codec(Protocol):
    """What the runner asks of a codec. Implementations are small frozen dataclasses: they travel to other processes."""

    @property
    def name(self) -> str:
        """The key in rows, files and options."""

    @property
    def label(self) -> str:
        """What people read."""

    @property
    def family(self) -> str:
        """Variants of one format share it, and a colour."""

    @property
    def qualities(self) -> tuple[float, ...]:
        """Values to measure at, from few bits to many."""

    @property
    def whole_qualities(self) -> bool:
        """Whether only whole numbers mean something."""

    @property
    def settings(self) -> str:
        """The call that encodes; a change makes earlier measurements stale."""

    def version(self) -> str:
        """The implementation and its version; a change makes earlier measurements stale."""

    def unavailable(self) -> str | None:
        """Why this codec can't run here, or None."""

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """A whole file."""

    def decode(self, data: bytes) -> Pixels:
        """The picture of a file."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class PillowCodec:
    """A format of Pillow or of one of its plugins."""

    name: str
    label: str
    family: str
    format: str
    options: Mapping[str, Any] = field(hash=False)
    qualities: tuple[float, ...]
    parameter: str = "quality"  # the option of `save` that the quality goes to
    plugin: str = ""  # the module that teaches Pillow the format
    library: str = ""  # what `version` looks up: a feature of Pillow, or the plugin's distribution
    whole_qualities: bool = True

    @property
    def settings(self) -> str:
        """The call that encodes."""
        return f"save({self.format!r}, {_listed(self.options)}{self.parameter}=…)"

    def version(self) -> str:
        """Pillow or the plugin, and the library that does the work."""
        if self.plugin == "pillow_heif":
            info = import_module("pillow_heif").libheif_info()
            return f"pillow-heif {version_of('pillow-heif')}, libheif {info['libheif']}, {info['HEIF']}"
        if self.plugin:
            return f"{self.library} {version_of(self.library)}"
        return f"Pillow {version_of('pillow')}, {self.library} {features.version(self.library)}"

    def unavailable(self) -> str | None:
        """Why this codec can't run here, or None."""
        try:
            self._register()
        except ImportError:
            return f"{self.library} isn't installed"
        return None if self.format in Image.SAVE else f"this Pillow writes no {self.format}"

    def _register(self) -> None:
        if self.plugin:
            module = import_module(self.plugin)
            if self.plugin == "pillow_heif":  # the other one registers itself
                module.register_heif_opener()
        Image.init()

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """A whole file."""
        self._register()
        value = int(quality) if self.whole_qualities else quality
        options = {
            key: dict(item) if isinstance(item, dict) else item for key, item in self.options.items()
        }  # plugins write in them
        options[self.parameter] = [value] if self.parameter == "quality_layers" else value
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, self.format, **options)
        return stream.getvalue()

    def decode(self, data: bytes) -> Pixels:
        """The picture of a file."""
        self._register()
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))


@dataclass(frozen=True)
class AecCodec:
    """This project's codec, through its public API."""

    name: str
    label: str
    family: str = "aecodec"
    qualities: tuple[float, ...] = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)  # for compress, as {"effort": 4}
    whole_qualities: bool = False
    model: Path | None = None

    @property
    def settings(self) -> str:
        """The call that encodes."""
        return f"Codec().compress(image, {_listed(self.options)}quality=…)"

    def version(self) -> str:
        """The package and the fingerprint of the weights."""
        from .. import __version__

        return f"aecodec {__version__}, model {_fingerprint(self.model)}"

    def unavailable(self) -> str | None:
        """Why this codec can't run here, or None."""
        try:
            self.decode(self.encode(np.zeros((8, 8, 3), np.uint8), 50))
        except (ImportError, ModelError) as error:
            return str(error)
        return None

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """A whole file."""
        data: bytes = _aec(self.model).compress(pixels, quality=quality, **self.options)
        return data

    def decode(self, data: bytes) -> Pixels:
        """The picture of a file."""
        pixels: Pixels = _aec(self.model).decompress(data).color
        return pixels


@lru_cache(maxsize=1)
def _aec(model: Path | None) -> Any:
    """The codec, which loads its model once in a process; with a thread for each core that the process may use."""
    from ..codec import Codec as Aec

    return Aec(model, threads=available_cores())


def _listed(options: Mapping[str, Any]) -> str:
    return "".join(f"{key}={value!r}, " for key, value in options.items())


def _fingerprint(model: Path | None) -> str:
    path = model or DEFAULT
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


JPEG: dict[str, Any] = {"optimize": True, "progressive": True}
JPEG_QUALITIES = (5, 10, 18, 28, 40, 52, 64, 74, 82, 88, 93, 96)
AVIF: dict[str, Any] = {"subsampling": "4:4:4", "speed": 4}
AVIF_QUALITIES = (10, 18, 28, 38, 48, 58, 66, 74, 81, 87, 92, 95)
HEIC: dict[str, Any] = {"chroma": 444}
HEIC_QUALITIES = (10, 16, 22, 28, 36, 44, 52, 60, 68, 76)
PSNR_TUNE = {"tune": "psnr"}

CODECS: tuple[Codec, ...] = (
    AecCodec("aecodec", "aecodec"),
    AecCodec("aecodec-e0", "aecodec effort 0", options={"effort": 0}),
    PillowCodec("jpeg", "JPEG 4:2:0", "jpeg", "JPEG", {"subsampling": "4:2:0"} | JPEG, JPEG_QUALITIES, library="libjpeg_turbo"),
    PillowCodec(
        "jpeg-444", "JPEG 4:4:4", "jpeg", "JPEG", {"subsampling": "4:4:4"} | JPEG, JPEG_QUALITIES, library="libjpeg_turbo"
    ),
    # The 9/7 wavelet with the colour transform: either one left out costs. The quality is the compression ratio, 24 / bpp.
    PillowCodec(
        "jpeg2000",
        "JPEG 2000",
        "jpeg2000",
        "JPEG2000",
        {"irreversible": True, "mct": 1, "no_jp2": True, "quality_mode": "rates"},
        (240, 160, 120, 80, 53, 34, 24, 16, 12, 8, 6),
        parameter="quality_layers",
        library="jpg_2000",
        whole_qualities=False,
    ),
    PillowCodec("webp", "WebP", "webp", "WEBP", {"method": 6}, (1, 10, 25, 40, 55, 68, 80, 88, 94, 98), library="webp"),
    PillowCodec("avif", "AVIF", "avif", "AVIF", AVIF, AVIF_QUALITIES, library="avif"),
    PillowCodec("avif-psnr", "AVIF tune=psnr", "avif", "AVIF", AVIF | {"advanced": PSNR_TUNE}, AVIF_QUALITIES, library="avif"),
    PillowCodec(
        "jxl",
        "JPEG XL",
        "jxl",
        "JXL",
        {"effort": 7},
        (5, 15, 25, 35, 45, 55, 65, 74, 82, 88, 92, 95),
        plugin="pillow_jxl",
        library="pillow-jxl-plugin",
    ),
    PillowCodec("heic", "HEIC", "heic", "HEIF", HEIC, HEIC_QUALITIES, plugin="pillow_heif", library="pillow-heif"),
    PillowCodec(
        "heic-psnr",
        "HEIC tune=psnr",
        "heic",
        "HEIF",
        HEIC | {"enc_params": PSNR_TUNE},
        HEIC_QUALITIES,
        plugin="pillow_heif",
        library="pillow-heif",
    ),
)


def select(names: str | None, model: Path | None = None) -> list[Codec]:
    """The codecs of a comma-separated list, all of `CODECS` for None; ``model`` replaces aecodec's shipped weights.

    Raises:
        UsageError: a name that no codec has.
    """
    table = {codec.name: codec for codec in CODECS}
    chosen = list(table) if names is None else [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in table]
    if unknown or not chosen:
        raise UsageError(f"unknown codec {', '.join(unknown) or repr(names)}; known are {', '.join(table)}")
    codecs = [table[name] for name in dict.fromkeys(chosen)]
    return [replace(codec, model=model) if isinstance(codec, AecCodec) else codec for codec in codecs]
