"""Two engines, one file: what either writes the other reads, and the core install does without PyTorch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aecodec import Codec, ModelError
from aecodec.codec import make_engine
from aecodec.format import container
from aecodec.model.engine import EngineName
from aecodec.model.onnx_engine import OnnxEngine
from aecodec.model.quality import node_weights
from aecodec.model.weights import Weights
from aecodec.nets.autoencoder import AutoEncoder, ModelConfig
from aecodec.nets.engine import TorchEngine
from tools.export_onnx import TOLERANCE, differences

from .symbols import symbols_hash

DATA = Path(__file__).parent / "data"
ENGINES: tuple[EngineName, ...] = ("onnx", "torch")


@pytest.fixture(scope="module")
def codecs() -> dict[str, Codec]:
    return {name: Codec(engine=name, threads=1) for name in ENGINES}


def weights_of(model: AutoEncoder) -> Weights:
    tensors = {name: tensor.detach().to(torch.float16).numpy() for name, tensor in model.state_dict().items()}
    return Weights(Path("mine.safetensors"), bytes(8), tensors, model.config.to_dict())


@pytest.fixture(scope="module")
def tiny() -> Weights:
    return weights_of(AutoEncoder(ModelConfig(n1=8, n2=16, m=16, nz=8, nc=8, blocks1=1, blocks2=1)))


@pytest.mark.parametrize("writer", ENGINES)
@pytest.mark.parametrize("quality", [5, 75, 100])
@pytest.mark.parametrize("name", ["face", "fence", "motorcycles"])
def test_what_one_engine_writes_the_other_reads(codecs: dict[str, Codec], name: str, quality: int, writer: str) -> None:
    data = codecs[writer].compress(Image.open(DATA / f"{name}.png"), quality=quality, tile=192)
    assert symbols_hash(codecs["onnx"], data) == symbols_hash(codecs["torch"], data)
    by_onnx, by_torch = (codecs[engine].decompress(data).color.astype(int) for engine in ENGINES)
    assert np.abs(by_onnx - by_torch).max() <= 1


def test_a_photograph_of_several_tiles_is_the_same_in_both(codecs: dict[str, Codec]) -> None:
    data = codecs["onnx"].compress(Image.open(DATA / "kodim23.png"), quality=60, tile=512)
    assert symbols_hash(codecs["onnx"], data) == symbols_hash(codecs["torch"], data)
    by_onnx, by_torch = (codecs[engine].decompress(data).color.astype(int) for engine in ENGINES)
    assert np.abs(by_onnx - by_torch).max() <= 1


def test_the_graphs_compute_what_the_networks_compute() -> None:
    assert max(differences(Weights.load()).values()) < TOLERANCE


def test_the_graphs_hold_no_weights() -> None:
    torch.manual_seed(0)
    model = AutoEncoder()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    assert max(differences(weights_of(model)).values()) < TOLERANCE


def test_a_session_is_of_the_quality_that_is_asked_for() -> None:
    engine = make_engine(Weights.load())
    assert isinstance(engine, OnnxEngine)
    y_hat = np.ones((1, 320, 2, 3), np.float32)
    low, high, again = (engine.run("g_s", y_hat, node_weights(level)) for level in (1000, 7000, 1000))
    assert np.abs(low - high).max() > 0.01
    np.testing.assert_array_equal(low, again)


def test_models_of_other_sizes_run_in_torch(tiny: Weights) -> None:
    assert isinstance(make_engine(tiny), TorchEngine)
    with pytest.raises(ModelError, match="no graphs"):
        make_engine(tiny, "onnx")


def test_without_torch_a_model_of_other_sizes_names_the_extra(tiny: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match=r"pip install 'aecodec\[train\]'"):
        make_engine(tiny)


def test_without_torch_a_search_names_the_extra_and_a_correction_does_not_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    picture = np.asarray(Image.open(DATA / "fence.png").convert("RGB"))
    assert container.read(Codec(threads=1).compress(picture, effort=1)).correction
    with pytest.raises(ModelError, match=r"an effort above 1 needs PyTorch: pip install 'aecodec\[train\]'"):
        Codec(threads=1).compress(picture, effort=2)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("wrong", [None, np.zeros((128, 500, 1, 1), np.float16), np.zeros(3, np.float16)])
def test_weights_that_do_not_fit_are_refused(name: EngineName, wrong: np.ndarray | None) -> None:
    weights = Weights.load()
    tensors = {key: tensor for key, tensor in weights.tensors.items() if key != "h_a.0.weight"}
    if wrong is not None:
        tensors["h_a.0.weight"] = wrong
    with pytest.raises(ModelError, match="h_a"):
        make_engine(replace(weights, tensors=tensors), name).run("h_a", np.zeros((1, 320, 4, 4), np.float32), node_weights(4000))


def test_a_round_trip_imports_no_torch() -> None:
    script = """
import sys
import numpy as np
from aecodec import Codec
codec = Codec()
codec.decompress(codec.compress(np.zeros((40, 50, 3), np.uint8)))
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
