"""A trained model to a weights file: float networks, the integer scale path, tables fitted on real symbols, the quality scale.

The tables are refitted last: photographs are coded with those that the model counted while it learned, and the symbols that
really occur under each are counted anew. Which ones the encoder chooses depends on the tables, so it matters where this begins:
from Gaussians it came to others, with which R + λ·D of files was 1.0 % higher.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ..codec import Codec
from ..entropy.tables import Counts, Tables, fit, no_counts
from ..entropy.trellis import tables_of
from ..model import weights
from ..model.hyper_path import Expected, HyperPath
from ..model.integers import Integers
from ..model.quality import MAX_LEVEL
from ..model.steps import Part, gather
from ..nets.autoencoder import AutoEncoder
from .task import Pixels

LEVEL_OF_DEFAULT = 4080
"""λ = 0.0250, near 35 dB on Kodak: quality 75."""

NOT_FLOATS = ("hyper_net.", "scale_net.", "symbol_costs.")
"""What of a model does not go into its file as it is: nets as integers, costs as tables."""


def write_weights(model: AutoEncoder, tables: Tables, path: Path) -> None:
    """Write a weights file."""
    floats = {k: v.detach().numpy() for k, v in model.state_dict().items() if not k.startswith(NOT_FLOATS)}
    integers = {k: v.numpy() for net in (model.hyper_net, model.scale_net) for k, v in net.integers().items()}
    tensors = {**weights.packed(floats), **integers, **tables.tensors(), "quality.levels": quality_levels().astype(np.uint16)}
    weights.save(path, tensors, model.config.to_dict())


def quality_levels() -> npt.NDArray[np.int32]:
    """The quality scale: equal steps of log λ, and so of about equal dB, from 0 to the default and from there to 100."""
    return np.round(np.interp(np.arange(101), [0, 75, 100], [0, LEVEL_OF_DEFAULT, MAX_LEVEL])).astype(np.int32)


def refit_tables(path: Path, images: list[Pixels], qualities: Sequence[float] = (5, 25, 45, 65, 80, 90, 100)) -> Tables:
    """Tables from the symbols of real photographs, coded with the weights file at ``path``."""
    codec = Codec(path)
    residual, hyper = no_counts()
    for image in tqdm(images, "counting symbols", unit="img"):
        for quality in qualities:
            level = codec.weights.level(round(100 * quality))
            for latent in codec.symbols(codec.compress(image, quality=quality, effort=0, check=False)):
                coded = latent.indexes > 0
                _count(residual, tables_of(latent.indexes[coded], latent.shifted[coded]), latent.symbols[coded])
                _count_hyper(hyper, latent.z_hat, codec.latent_coder.hyper, level)
    return fit(residual, hyper)


def _count_hyper(counts: Counts, z_hat: Integers, path: HyperPath, level: int) -> None:
    def take(parts: tuple[Part, ...], expected: Expected) -> Integers:
        values = gather(z_hat, parts)
        _count(counts, expected.table, values - expected.whole)
        return values

    path.code(z_hat.shape[1], z_hat.shape[2], level, take)


def _count(counts: Counts, tables: npt.NDArray[np.integer[Any]], symbols: Integers) -> None:
    farthest = counts.shape[1] // 2
    np.add.at(counts, (tables, symbols.clip(-farthest, farthest) + farthest), 1)


def export(model: AutoEncoder, images: list[Pixels], path: Path) -> None:
    """Write the weights file of a model, its tables fitted on photographs."""
    draft = path.with_suffix(".draft")
    try:
        write_weights(model, model.symbol_costs.tables(), draft)
        tables = refit_tables(draft, images)
    finally:
        draft.unlink(missing_ok=True)
    write_weights(model, tables, path)
