"""The part of a file that is exact on every machine, as one hash."""

from __future__ import annotations

import hashlib

from aecodec import Codec


def symbols_hash(codec: Codec, data: bytes) -> str:
    """SHA-256 over ẑ, scale indexes and symbols of every tile, as little-endian bytes."""
    digest = hashlib.sha256()
    for latent in codec.symbols(data):
        digest.update(latent.z_hat.astype("<i4").tobytes())
        digest.update(latent.indexes.tobytes())
        digest.update(latent.symbols.astype("<i4").tobytes())
    return digest.hexdigest()
