"""The float networks one by one, ONNX Runtime beside PyTorch, on the arrays of one 768×512 picture.

    python -m benchmarks.speed.engines

Both engines are asked in turn, so that whatever else the machine does meets both. Writes engines.json and engines.md beside this.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import onnxruntime
import torch

from aecodec.model.engine import Engine
from aecodec.model.onnx_engine import OnnxEngine
from aecodec.model.weights import Weights
from aecodec.nets.autoencoder import ModelConfig
from aecodec.nets.engine import TorchEngine
from benchmarks.measure import Facts, confined, table, write_results
from tools.export_onnx import example_inputs

ENCODING = ("g_a", "h_a", "h_s", "context0", "context1", "context2", "context3")
DECODING = ("h_s", "context0", "context1", "context2", "context3", "g_s")
HEIGHT, WIDTH = 32, 48
"""Of the latent of a 768×512 picture."""


def milliseconds(weights: Weights, threads: int, repeat: int) -> dict[str, dict[str, float]]:
    """Medians by network and engine, and the time to make the session of a new quality ("session")."""
    engines: dict[str, Engine] = {"onnx": OnnxEngine(weights, threads), "torch": TorchEngine(weights, threads)}
    config = ModelConfig(**weights.config)
    small = example_inputs(config, 4, 4)
    times: dict[str, dict[str, float]] = {}
    for network, inputs in example_inputs(config, HEIGHT, WIDTH).items():
        arrays = list(inputs.values())
        taken: dict[str, list[float]] = {"onnx": [], "torch": [], "session": []}
        for turn in range(repeat + 2):
            for name, engine in engines.items():
                start = perf_counter()
                engine.run(network, *arrays)
                if turn >= 2:  # the first ones warm up
                    taken[name].append(1e3 * (perf_counter() - start))
        for _ in range(5):
            start = perf_counter()
            OnnxEngine(weights, threads).run(network, *small[network].values())
            taken["session"].append(1e3 * (perf_counter() - start))
        times[network] = {name: round(median(values), 2) for name, values in taken.items()}
    return times


def sums(times: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Times of all networks that encoding and decoding run."""
    phases = {"encoding": ENCODING, "decoding": DECODING}
    return {
        phase: {key: round(sum(times[network][key] for network in networks), 2) for key in ("onnx", "torch", "session")}
        for phase, networks in phases.items()
    }


def tables(rows: dict[str, dict[str, float]]) -> list[str]:
    """The table, and what it leaves unsaid."""
    header = ["network", "ONNX Runtime, ms", "PyTorch, ms", "PyTorch / ONNX", "making the session, ms"]
    cells = [
        [name, f"{row['onnx']:.1f}", f"{row['torch']:.1f}", f"{row['torch'] / row['onnx']:.2f}", f"{row['session']:.1f}"]
        for name, row in rows.items()
    ]
    note = "Sessions are made once a quality. PyTorch is eager, channels last."
    return [*table(header, cells), "", note]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=15)
    arguments = parser.parse_args()
    facts = Facts(" ".join(["python -m benchmarks.speed.engines", *sys.argv[1:]]))
    weights = Weights.load()
    with confined(arguments.threads):
        times = milliseconds(weights, arguments.threads, arguments.repeat)
    facts |= {
        "picture": f"{16 * WIDTH}×{16 * HEIGHT}",
        "threads": arguments.threads,
        "medians": f"of {arguments.repeat}",
        "versions": f"onnxruntime {onnxruntime.__version__}, torch {torch.__version__}, numpy {np.__version__}",
        "model": weights.fingerprint.hex(),
    }
    rows = times | sums(times)
    title = "The float networks: ONNX Runtime and PyTorch"
    write_results(Path(__file__).with_suffix(""), title, facts, {"milliseconds": rows}, tables(rows))


if __name__ == "__main__":
    main()
