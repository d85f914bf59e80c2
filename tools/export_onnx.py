"""Write the graphs of the float networks, or check them against PyTorch with ``--check``.

A graph (aecodec/model/graphs) holds no weights: each is marked as external data under its name in the weights file, and so is
``nodes``, the weights of the quality's interpolation. `aecodec.model.onnx_engine` gives all of them when it makes a session. So
graphs are written again when the networks or their sizes change, not for new weights.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from aecodec.arrays import Array
from aecodec.model.onnx_engine import GRAPHS, OnnxEngine
from aecodec.model.quality import NODES, node_weights
from aecodec.model.weights import DEFAULT, Weights
from aecodec.nets.autoencoder import AutoEncoder, ModelConfig, analysis
from aecodec.nets.engine import TorchEngine, networks

OPSET = 17
TOLERANCE = 1e-4
"""What the engines may differ by, in units of the largest value of a result."""


def example_inputs(config: ModelConfig, height: int = 8, width: int = 12, channels: int = 3) -> dict[str, dict[str, Array]]:
    """Inputs by name for each network of `aecodec.model.engine`, for a latent of this height and width (multiples of 4).

    ``channels`` of the image are four for an encoder that inpaints.
    """
    generator = np.random.default_rng(0)

    def normal(channels: int, scale: int = 1) -> Array:
        return generator.normal(0, 3, (1, channels, height // scale, width // scale)).astype(np.float32)

    x = generator.random((1, channels, 16 * height, 16 * width), np.float32)
    nodes = node_weights(4300)
    context = {"y_hat": normal(config.m), "features": normal(config.nc)}
    inputs = {
        "g_a": {"x": x},
        "g_s": {"y_hat": normal(config.m)},
        "h_a": {"y": normal(config.m)},
        "h_s": {"z_hat": np.round(normal(config.nz, scale=4))},
        "context0": {"features": context["features"]},
        "context1": context,
        "context2": context,
        "context3": context,
    }
    return {name: own | {"nodes": nodes} for name, own in inputs.items()}


def trace(network: nn.Module, inputs: dict[str, Array]) -> onnx.ModelProto:
    """The graph of a network as PyTorch writes it, with dynamic height and width."""
    arguments = tuple(torch.from_numpy(array) for array in inputs.values())
    sizes = {name: {2: f"{name}_height", 3: f"{name}_width"} for name in [*inputs, "result"] if name != "nodes"}
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter by tracing is deprecated; it keeps the weights whole, with their names
        torch.onnx.export(
            network,
            arguments,
            file.name,
            dynamo=False,
            do_constant_folding=False,
            input_names=list(inputs),
            output_names=["result"],
            dynamic_axes=sizes,
            opset_version=OPSET,
        )
        return onnx.load(file.name)


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with ``nodes`` among the weights, and all of them external."""
    graph = model.graph
    for entry in list(graph.input):
        if entry.name == "nodes":
            graph.input.remove(entry)
            graph.initializer.add(name="nodes", data_type=onnx.TensorProto.FLOAT, dims=(1, NODES))
    for tensor in graph.initializer:
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="given when the session is made")
    return model


def write_graphs(folder: Path, config: ModelConfig = ModelConfig()) -> None:
    """Write the graphs of models of these sizes, and the sizes."""
    modules = networks(AutoEncoder(config)) | {"g_a_missing": analysis(config, inputs=4)}
    inputs_of = example_inputs(config) | {"g_a_missing": example_inputs(config, channels=4)["g_a"]}
    folder.mkdir(exist_ok=True)
    for name, inputs in inputs_of.items():
        for parameter in modules[name].eval().parameters():
            nn.init.normal_(parameter)  # the exporter makes one of weights that are equal
        (folder / f"{name}.onnx").write_bytes(without_weights(trace(modules[name], inputs)).SerializeToString(deterministic=True))
    (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=2) + "\n")


def differences(weights: Weights) -> dict[str, float]:
    """The largest difference between the engines, network by network, in units of the largest value of the result."""
    onnx_engine, torch_engine = OnnxEngine(weights, threads=1), TorchEngine(weights)
    found = {}
    channels = 4 if weights.sees_missing else 3
    for name, inputs in example_inputs(ModelConfig(**weights.config), 16, 4, channels).items():
        expected = torch_engine.run(name, *inputs.values())
        difference = np.abs(onnx_engine.run(name, *inputs.values()) - expected)
        found[name] = float(difference.max() / np.abs(expected).max())
    return found


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare the graphs with PyTorch")
    parser.add_argument("--model", type=Path, default=DEFAULT, help="weights to compare with")
    arguments = parser.parse_args()
    if not arguments.check:
        write_graphs(GRAPHS)
    found = differences(Weights.load(arguments.model))
    for name, difference in found.items():
        print(f"{name:10}{difference:.1e}")
    if max(found.values()) > TOLERANCE:
        raise SystemExit(f"the engines differ by more than {TOLERANCE}")


if __name__ == "__main__":
    main()
