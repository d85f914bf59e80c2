"""Small images in memory: from idx files, a folder or a zip of pictures, as one tensor from which batches are indexed.

An idx file (LeCun's format of MNIST) begins with 0, 0, the type of its values (8 for uint8), the number of dimensions, and each
of these as a big-endian u32; it may be gzipped. A folder that holds ``train-images*`` and ``t10k-images*`` is the training and
the test set of MNIST, Fashion-MNIST and their like.
"""

from __future__ import annotations

import gzip
import math
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ..errors import FormatError
from ..limits import Limits
from ..training.photographs import DataError, find_images
from ..training.task import Pixels
from .networks import Shape

HELD_OUT = 10
"""One of so many images validates, where there is no test set."""

MODES = {1: "L", 3: "RGB"}
DEFAULT_SHAPE: Shape = (1, 28, 28)
RESAMPLING = Image.Resampling.LANCZOS


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one size with their names, and their labels where the source has them."""

    pixels: Tensor
    """(N, C, H, W) uint8"""
    names: tuple[str, ...]
    labels: Pixels | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> Shape:
        """Channels, height, width."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    def batches(self, size: int = 1000) -> Iterator[Tensor]:
        """All images in order, as `to_floats` gives them."""
        for start in range(0, len(self), size):
            yield to_floats(self.pixels[start : start + size])

    def take(self, chosen: npt.NDArray[np.intp]) -> Images:
        """Some of them, by index."""
        labels = None if self.labels is None else self.labels[chosen]
        return Images(self.pixels[torch.from_numpy(chosen)], tuple(self.names[i] for i in chosen), labels)


def to_floats(pixels: Tensor) -> Tensor:
    """(B, C, H, W) uint8 → float32 in [0, 1], channels last in memory."""
    return pixels.float().div_(255).contiguous(memory_format=torch.channels_last)


def load_split(source: Path, shape: Shape | None = None) -> tuple[Images, Images]:
    """(training, validation) images: the two halves of an MNIST folder, or every tenth image of anything else for validation."""
    if train := _idx_of(source, "train"):
        test = _idx_of(source, "t10k")
        if test is None:
            raise DataError(f"{source}: {train.name} is there, t10k-images* is missing")
        return load(train, shape), load(test, shape)
    images = load(source, shape)
    if len(images) < 2:
        raise DataError(f"{source}: {len(images)} image, training takes at least 2")
    every = np.arange(len(images))
    held_out = every % HELD_OUT == min(HELD_OUT, len(images)) - 1
    return images.take(every[~held_out]), images.take(every[held_out])


def load(source: Path, shape: Shape | None = None) -> Images:
    """All images of an idx file, a zip, or a folder (recursive); of an MNIST folder its test set.

    ``shape`` is what they are resized and converted to; `DEFAULT_SHAPE` if None. idx files keep the size they have if it is None.
    Files that are no images are named and skipped. Raises DataError if there is nothing to use.
    """
    if test := _idx_of(source, "t10k"):
        return load(test, shape)
    if source.is_file() and not zipfile.is_zipfile(source):
        return _load_idx(source, shape)
    channels, height, width = shape or DEFAULT_SHAPE
    loaded: dict[str, Pixels] = {}
    for name, read in tqdm(find_images(source).items(), "reading", unit="img", disable=None):
        try:
            loaded[name] = _resized(read(), MODES[channels], width, height)
        except (OSError, ValueError, SyntaxError, RuntimeError, zipfile.BadZipFile, Image.DecompressionBombError) as error:
            tqdm.write(f"skipped {name}: {' '.join(str(error).split())}", file=sys.stderr)
    if not loaded:
        raise DataError(f"{source}: no images in it")
    return Images(_to_tensor(list(loaded.values())), tuple(loaded))


def read_idx(path: Path, limits: Limits = Limits()) -> Pixels:
    """The array of an idx file of uint8, gzipped or not; raises FormatError naming what is wrong with it."""
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            with gzip.open(BytesIO(data)) as packed:
                data = packed.read(limits.pixels + 64)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise FormatError(f"{path}: broken gzip: {error}") from error
    if len(data) < 4 or data[:2] != b"\0\0":
        raise FormatError(f"{path}: neither an idx file nor a zip of images")
    if data[2] != 8:
        raise FormatError(f"{path}: idx values of type {data[2]}, must be 8 (uint8)")
    dimensions = data[3]
    if len(data) < 4 + 4 * dimensions:
        raise FormatError(f"{path}: the idx file ends in its header")
    sizes = struct.unpack_from(f">{dimensions}I", data, 4)
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions)
    if math.prod(sizes) != len(values):
        raise FormatError(f"{path}: {len(values)} values, the header says {'x'.join(map(str, sizes))}")
    return values.reshape(sizes)


def _idx_of(folder: Path, half: str) -> Path | None:
    """The images of one half of an MNIST folder."""
    return next(iter(sorted(folder.glob(f"{half}-images*"))), None) if folder.is_dir() else None


def _load_idx(path: Path, shape: Shape | None) -> Images:
    array = read_idx(path)
    if array.ndim != 3 or 0 in array.shape:
        raise DataError(f"{path}: an idx file of {'x'.join(map(str, array.shape))}, images have three dimensions")
    count, *size = array.shape
    names = tuple(f"{i:05}" for i in range(count))
    if shape not in (None, (1, *size)):
        channels, height, width = shape
        resized = [Image.fromarray(image).convert(MODES[channels]).resize((width, height), RESAMPLING) for image in array]
        array = np.stack([np.asarray(image) for image in resized])
    return Images(_to_tensor(array), names, _labels(path, count))


def _to_tensor(images: Sequence[Pixels] | Pixels) -> Tensor:
    """Images (H, W) or (H, W, 3) → (N, C, H, W)."""
    stacked = np.array(images)
    channels_last = stacked.reshape(*stacked.shape[:3], -1)
    return torch.from_numpy(channels_last).permute(0, 3, 1, 2).contiguous()


def _labels(path: Path, count: int) -> Pixels | None:
    """The file of labels beside one of images, if there is one that fits it."""
    beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
    if beside == path or not beside.is_file():
        return None
    labels = read_idx(beside)
    return labels if labels.shape == (count,) else None


def _resized(data: bytes, mode: str, width: int, height: int) -> Pixels:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert(mode).resize((width, height), RESAMPLING))
