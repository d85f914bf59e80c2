"""A file decodes to the same symbols whoever computes the float networks, and to the same pixels within a level.

Symbols depend on integers alone. So every disturbance of the float path below must leave ẑ and every residual as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from aecodec.arrays import Array
from aecodec.codec import Codec
from aecodec.model.engine import Engine
from aecodec.model.onnx_engine import OnnxEngine
from aecodec.model.quality import node_weights
from aecodec.nets.engine import TorchEngine

from .symbols import symbols_hash

DATA = Path(__file__).parent / "data"


class DisturbedEngine(TorchEngine):
    """The torch engine, with something done to its networks, inputs or surroundings."""

    def __init__(
        self,
        codec: Codec,
        networks: Callable[[torch.nn.Module], object] = lambda network: None,
        inputs: Callable[[torch.Tensor], torch.Tensor] = lambda tensor: tensor,
        surroundings: Callable[[], object] = nullcontext,
    ) -> None:
        super().__init__(codec.weights)
        for network in self._networks.values():
            networks(network)
        self.inputs, self.surroundings = inputs, surroundings

    def run(self, network: str, *arrays: Array) -> Array:
        with torch.inference_mode(), self.surroundings():
            result = self._networks[network](*(self.inputs(torch.from_numpy(a)) for a in arrays))
        return result[:1].float().contiguous().numpy()


def noisy(network: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(1)

    def disturb(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        return output + 1e-4 * torch.randn(output.shape, generator=generator)

    for module in network.modules():
        module.register_forward_hook(disturb)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def without_onednn() -> Iterator[None]:
    with torch.backends.mkldnn.flags(enabled=False):
        yield


class UnoptimizedEngine(OnnxEngine):
    """ONNX Runtime computing its graphs as they are written: nothing folded, fused or laid out anew."""

    def session_options(self) -> onnxruntime.SessionOptions:
        options = super().session_options()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return options


DISTURBANCES: dict[str, tuple[Callable[[Codec], Engine], int]] = {
    "ONNX Runtime, one thread": (lambda c: OnnxEngine(c.weights, 1), 1),
    "ONNX Runtime, two threads": (lambda c: OnnxEngine(c.weights, 2), 1),
    "ONNX Runtime, no optimization": (lambda c: UnoptimizedEngine(c.weights, 1), 1),
    "PyTorch": (lambda c: TorchEngine(c.weights), 1),
    "one thread": (lambda c: DisturbedEngine(c, surroundings=lambda: threads(1)), 1),
    "two threads": (lambda c: DisturbedEngine(c, surroundings=lambda: threads(2)), 1),
    "without oneDNN": (lambda c: DisturbedEngine(c, surroundings=without_onednn), 1),
    "float64": (lambda c: DisturbedEngine(c, lambda n: n.double(), lambda t: t.double()), 1),
    "channels first": (lambda c: DisturbedEngine(c, lambda n: n.to(memory_format=torch.contiguous_format)), 1),
    "batch of three": (lambda c: DisturbedEngine(c, inputs=lambda t: t.repeat(3, *[1] * (t.ndim - 1)) if t.ndim == 4 else t), 1),
    "noise on every activation": (lambda c: DisturbedEngine(c, noisy), 2),
    "bfloat16": (lambda c: DisturbedEngine(c, surroundings=lambda: torch.autocast("cpu", torch.bfloat16)), 24),
}
"""What is done to the float path, and how many levels a pixel may differ for it."""


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(threads=2)


@pytest.fixture(scope="module", params=[10, 75, 100])
def example(codec: Codec, request: pytest.FixtureRequest) -> tuple[bytes, str, np.ndarray]:
    """A file of four tiles, the hash of its symbols, and its pixels."""
    image = Image.open(DATA / "motorcycles.png").crop((0, 0, 150, 130))
    data = codec.compress(image, quality=request.param, tile=128)
    return data, symbols_hash(codec, data), codec.decompress(data).color


@pytest.mark.parametrize("name", DISTURBANCES)
def test_symbols_are_exact_and_pixels_close_under(name: str, codec: Codec, example: tuple[bytes, str, np.ndarray]) -> None:
    data, expected, pixels = example
    make_engine, tolerance = DISTURBANCES[name]
    other = Codec()
    other.__dict__["engine"] = make_engine(other)
    assert symbols_hash(other, data) == expected
    difference = np.abs(other.decompress(data).color.astype(int) - pixels)
    assert difference.max() <= tolerance


def test_noise_really_reaches_the_networks(codec: Codec) -> None:
    """The proof above would be empty if the disturbance did nothing."""
    clean, disturbed = codec.engine, DISTURBANCES["noise on every activation"][0](codec)
    z_hat = np.zeros((1, 64, 2, 2), np.float32)
    nodes = node_weights(4000)
    assert np.abs(clean.run("h_s", z_hat, nodes) - disturbed.run("h_s", z_hat, nodes)).max() > 1e-5
