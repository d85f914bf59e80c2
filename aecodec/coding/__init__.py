"""Tiles of a picture to bytes and back: where they lie, their latents, the correction, lossless planes. No torch."""
