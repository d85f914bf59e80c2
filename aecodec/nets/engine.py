"""The float networks in PyTorch: for training and search, and for models whose sizes the package has no graphs for."""

from __future__ import annotations

import torch
from torch import nn

from ..arrays import Array
from ..errors import ModelError
from ..model.weights import Weights
from .autoencoder import AutoEncoder, ModelConfig, analysis


def networks(model: AutoEncoder) -> dict[str, nn.Module]:
    """The networks of a model, by the names of `engine`."""
    context = {f"context{k}": network for k, network in enumerate(model.context)}
    return {"g_a": model.g_a, "g_s": model.g_s, "h_a": model.h_a, "h_s": model.h_s, **context}


class TorchEngine:
    """The networks in PyTorch.

    Raises:
        ModelError: the weights are not those of the sizes that their file states.
    """

    def __init__(self, weights: Weights, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            config = ModelConfig(**weights.config)
            model = AutoEncoder(config).eval()
        except TypeError as error:
            raise ModelError(f"model {weights.path}: its sizes are not those of an autoencoder ({error})") from error
        if weights.sees_missing:
            model.g_a = analysis(config, inputs=4)
        self._networks = networks(model)
        for name, network in self._networks.items():
            try:
                network.load_state_dict({key: torch.from_numpy(tensor) for key, tensor in weights.network(name).items()})
            except RuntimeError as error:
                raise ModelError(
                    f"model {weights.path}: {name} does not fit its sizes ({' '.join(str(error).split())})"
                ) from error
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(self, network: str, *arrays: Array) -> Array:
        """See the table in `engine`."""
        with torch.inference_mode():
            tensors = [torch.from_numpy(a) for a in arrays]
            tensors = [t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for t in tensors]
            result: Array = self._networks[network](*tensors).contiguous().numpy()
        return result
