"""Who computes the float networks. The codec asks for a network by name and gets numpy arrays back.

Symbols depend on integers alone (`scale_path.py`), so any engine may compute what is here: a difference in the last bits of a
mean moves a pixel by less than a level, never a symbol.

    name       arguments                                    result
    g_a        x (1, 3, H, W) in [0, 1]                     y·gain (1, M, H/16, W/16); four channels where `sees_missing`
    h_a        y (1, M, H, W), H and W multiples of 4       z (1, nz, H/4, W/4)
    h_s        ẑ (1, nz, h, w)                              features (1, nc, 4h, 4w)
    context0   features (1, nc, H, W)                       means (1, M, H, W)
    context1…3 y_hat so far (1, M, H, W), features          means (1, M, H, W)
    g_s        y_hat (1, M, H, W)                           x_hat (1, 3, 16H, 16W)

The last argument of each is nodes (1, 9), the quality (`quality.node_weights`).

There are two: ONNX Runtime for everyday use, PyTorch for training and for models of other sizes.
"""

from __future__ import annotations

from typing import Literal, Protocol

from ..arrays import Array

EngineName = Literal["onnx", "torch"]


class Engine(Protocol):
    """What the codec needs."""

    def run(self, network: str, *arrays: Array) -> Array:
        """Run a network of the table above on float32 arrays."""
        ...
