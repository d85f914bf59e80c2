"""A trained model to a weights file: float networks, the integer scale path, tables fitted on real symbols, the quality scale.

The tables are refitted last: photographs are coded with provisional tables, and the symbols that really occur under each are
counted; first in a few, because which ones the encoder chooses depends on the tables, then in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from ..codec import Codec
from ..entropy.alphabet import Z_MAX
from ..entropy.coder import SYMBOL_LIMIT
from ..entropy.tables import TOTAL, Tables, fit
from ..entropy.trellis import TABLES, tables_of
from ..model import weights
from ..model.autoencoder import AutoEncoder, from_weights
from ..model.quality import MAX_LEVEL
from .task import Pixels

LEVEL_OF_DEFAULT = 3600
"""λ = 0.0166, near 35 dB on Kodak: quality 75."""

NOT_FLOATS = ("scale_net.", "symbol_costs.")
"""What of a model does not go into its file as it is: the one as integers, the other as tables."""

FEW = 6
"""A first look at the symbols takes every sixth photograph."""

HYPER_PRIOR = 2000.0
"""How many symbols the learned prior of ẑ counts for beside those that are seen."""


def write_weights(model: AutoEncoder, tables: Tables, path: Path) -> None:
    """Write a weights file."""
    floats = {k: v.detach().numpy() for k, v in model.state_dict().items() if not k.startswith(NOT_FLOATS)}
    integers = {k: v.numpy() for k, v in model.scale_net.integers().items()}
    tensors = {**weights.packed(floats), **integers, **tables.tensors(), "quality.levels": quality_levels().astype(np.uint16)}
    weights.save(path, tensors, model.config.to_dict())


def provisional_tables(model: AutoEncoder) -> Tables:
    """Tables before any real symbol has been seen: the learned prior of ẑ, Gaussians for the residuals."""
    with torch.no_grad():
        return fit(model.prior.pmf().double().numpy(), {})


def quality_levels() -> npt.NDArray[np.int32]:
    """The quality scale: equal steps of log λ, and so of about equal dB, from 0 to the default and from there to 100."""
    return np.round(np.interp(np.arange(101), [0, 75, 100], [0, LEVEL_OF_DEFAULT, MAX_LEVEL])).astype(np.int32)


def refit_tables(path: Path, images: list[Pixels], qualities: Sequence[float] = (5, 25, 45, 65, 80, 90, 100)) -> Tables:
    """Tables from the symbols of real photographs, coded with the weights file at ``path``."""
    codec = Codec(path)
    counts = {table: np.zeros(2 * SYMBOL_LIMIT + 1, np.int64) for table in range(TABLES)}
    tables = Tables.load(codec.weights.tensors)
    hyper = tables.hyper / TOTAL * HYPER_PRIOR
    channel = np.arange(len(hyper))[:, None]
    for image in tqdm(images, "counting symbols", unit="img"):
        for quality in qualities:
            for latent in codec.symbols(codec.compress(image, quality=quality, effort=0, check=False)):
                coded = latent.indexes > 0
                tables_seen = tables_of(latent.indexes[coded], latent.shifted[coded])
                for table in np.unique(tables_seen):
                    seen = latent.symbols[coded][tables_seen == table]
                    counts[int(table)] += np.bincount(seen + SYMBOL_LIMIT, minlength=2 * SYMBOL_LIMIT + 1)
                z_hat = latent.z_hat.reshape(len(hyper), -1)
                np.add.at(hyper, (np.broadcast_to(channel, z_hat.shape), z_hat + Z_MAX), 1)
    return fit(hyper, counts)


def export(model: AutoEncoder, images: list[Pixels], path: Path) -> None:
    """Write the weights file of a model, its tables fitted on photographs."""
    draft = path.with_suffix(".draft")
    tables = provisional_tables(model)
    try:
        for some in (images[::FEW], images):
            write_weights(model, tables, draft)
            tables = refit_tables(draft, some)
    finally:
        draft.unlink(missing_ok=True)
    write_weights(model, tables, path)


def load_model(path: Path) -> AutoEncoder:
    """A weights file as a model to go on training from."""
    return from_weights(weights.Weights.load(path))
