"""Who computes the float networks. The codec asks for a network by name and gets numpy arrays back.

Symbols depend on integers alone (`scales.py`), so any engine may compute what is here: a difference in the last bits of a mean
moves a pixel by less than a level, never a symbol.

    name       arguments                                    result
    g_a        x (1, 3, H, W) in [0, 1], nodes (1, 9)       y·gain (1, M, H/16, W/16)
    h_a        y (1, M, H, W), H and W multiples of 4       z (1, nz, H/4, W/4)
    h_s        ẑ (1, nz, h, w)                              features (1, nc, 4h, 4w)
    context0   features (1, nc, H, W)                       means (1, M, H, W)
    context1…3 y_hat so far (1, M, H, W), features          means (1, M, H, W)
    g_s        y_hat (1, M, H, W), nodes (1, 9)             x_hat (1, 3, 16H, 16W)
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from .weights import Weights

Array = npt.NDArray[np.float32]


class Engine(Protocol):
    """What the codec needs."""

    def run(self, network: str, *arrays: Array) -> Array:
        """Run a network of the table above on float32 arrays."""
        ...


class TorchEngine:
    """The networks in PyTorch."""

    def __init__(self, weights: Weights, threads: int | None = None) -> None:
        import torch

        from .autoencoder import AutoEncoder, ModelConfig

        if threads is not None:
            torch.set_num_threads(threads)
        model = AutoEncoder(ModelConfig(**weights.config)).eval()
        state = {name: torch.from_numpy(tensor) for name, tensor in weights.floats.items()}
        model.load_state_dict(state, strict=False)
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._networks = {"g_a": model.g_a, "h_a": model.h_a, "h_s": model.h_s, "g_s": model.g_s}
        self._networks |= {f"context{k}": network for k, network in enumerate(model.context)}
        self._torch = torch

    def run(self, network: str, *arrays: Array) -> Array:
        """See the table above."""
        torch = self._torch
        with torch.inference_mode():
            tensors = [torch.from_numpy(a) for a in arrays]
            tensors = [t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for t in tensors]
            result: Array = self._networks[network](*tensors).contiguous().numpy()
        return result
