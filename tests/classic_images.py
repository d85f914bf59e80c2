"""Small images for the tests of the classic autoencoders: bars, upright or lying, and idx files of them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def bars(count: int, seed: int = 0) -> tuple[Pixels, Pixels]:
    """(images (count, 28, 28), labels (count,)): a bar of 5 pixels, upright where the label is 1."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), np.uint8)
    labels = rng.integers(0, 2, count).astype(np.uint8)
    for image, upright, at in zip(images, labels, rng.integers(2, 21, count), strict=True):
        image[at : at + 5, 3:25] = 220
        if upright:
            image[:] = image.T
    return images, labels


def idx(array: Pixels) -> bytes:
    """An idx file."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def mnist_folder(folder: Path, train: int = 600, test: int = 100) -> Path:
    """A folder laid out like MNIST's."""
    folder.mkdir(parents=True, exist_ok=True)
    for half, count, seed in (("train", train, 1), ("t10k", test, 2)):
        images, labels = bars(count, seed)
        (folder / f"{half}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / f"{half}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return folder
