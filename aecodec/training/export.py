"""A trained model to a weights file: float networks, the integer scale path, tables fitted on real symbols, the quality scale.

The tables are refitted last: photographs are coded with provisional tables, and the residuals that really occur under each scale
index are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from ..codec import Codec
from ..entropy.coder import RESIDUAL_LIMIT
from ..entropy.tables import TOTAL, Tables, fit
from ..model import weights
from ..model.autoencoder import AutoEncoder, from_weights
from ..model.quality import MAX_LEVEL, Z_MAX
from ..model.scales import INDEXES
from .task import Pixels

LEVEL_OF_DEFAULT = 4013
"""λ = 0.024, near 35 dB on Kodak: quality 75."""

HYPER_PRIOR = 2000.0
"""How many symbols the learned prior of ẑ counts for beside those that are seen."""


def write_weights(model: AutoEncoder, tables: Tables, path: Path) -> None:
    """Write a weights file."""
    floats = {k: v.detach().numpy() for k, v in model.state_dict().items() if not k.startswith("scale_net.")}
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
    counts = {index: np.zeros(2 * RESIDUAL_LIMIT + 1, np.int64) for index in range(1, INDEXES)}
    tables = Tables.load(codec.weights.tensors)
    hyper = tables.hyper / TOTAL * HYPER_PRIOR
    channel = np.arange(len(hyper))[:, None]
    for image in tqdm(images, "counting symbols", unit="img"):
        for quality in qualities:
            for latent in codec.symbols(codec.compress(image, quality=quality, effort=0, check=False)):
                for index in np.unique(latent.indexes[latent.indexes > 0]):
                    seen = latent.residuals[latent.indexes == index]
                    counts[int(index)] += np.bincount(seen + RESIDUAL_LIMIT, minlength=2 * RESIDUAL_LIMIT + 1)
                z_hat = latent.z_hat.reshape(len(hyper), -1)
                np.add.at(hyper, (np.broadcast_to(channel, z_hat.shape), z_hat + Z_MAX), 1)
    return fit(hyper, counts)


def export(model: AutoEncoder, images: list[Pixels], path: Path) -> None:
    """Write the weights file of a model, its tables fitted on photographs."""
    draft = path.with_suffix(".draft")
    try:
        write_weights(model, provisional_tables(model), draft)
        tables = refit_tables(draft, images)
    finally:
        draft.unlink(missing_ok=True)
    write_weights(model, tables, path)


def load_model(path: Path) -> AutoEncoder:
    """A weights file as a model to go on training from."""
    return from_weights(weights.Weights.load(path))
