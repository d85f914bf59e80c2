"""The float networks one by one, ONNX Runtime beside PyTorch, on the arrays of one 768×512 picture.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/speed/engines.py

Both engines are asked in turn, so that whatever else the machine does meets both. Writes engines.json and engines.md beside this.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import onnxruntime
import torch

from aecodec.benchmark.rows import machine
from aecodec.model.autoencoder import ModelConfig
from aecodec.model.engine import Engine
from aecodec.model.onnx_engine import OnnxEngine
from aecodec.model.torch_engine import TorchEngine
from aecodec.model.weights import Weights

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))
from tools.export_onnx import example_inputs  # noqa: E402

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


def as_markdown(facts: dict[str, object], rows: dict[str, dict[str, float]]) -> str:
    """The table, and how it was made."""
    lines = ["# The float networks: ONNX Runtime and PyTorch", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [
        "",
        "| network | ONNX Runtime, ms | PyTorch, ms | PyTorch / ONNX | making the session, ms |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        ratio = row["torch"] / row["onnx"]
        lines.append(f"| {name} | {row['onnx']:.1f} | {row['torch']:.1f} | {ratio:.2f} | {row['session']:.1f} |")
    lines += ["", "Sessions are made once a process, those of g_a and g_s once a quality. PyTorch is eager, channels last.", ""]
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=15)
    arguments = parser.parse_args()
    weights = Weights.load()
    times = milliseconds(weights, arguments.threads, arguments.repeat)
    facts = {
        "picture": f"{16 * WIDTH}×{16 * HEIGHT}",
        "threads": arguments.threads,
        "median of": arguments.repeat,
        "versions": f"onnxruntime {onnxruntime.__version__}, torch {torch.__version__}, numpy {np.__version__}",
        "machine": machine(),
        "date": date.today().isoformat(),
        "model": weights.fingerprint.hex(),
        "command": "python " + " ".join(["benchmarks/speed/engines.py", *sys.argv[1:]]),
    }
    rows = times | sums(times)
    (HERE / "engines.json").write_text(json.dumps({**facts, "milliseconds": rows}, indent=2, ensure_ascii=False) + "\n")
    table = as_markdown(facts, rows)
    (HERE / "engines.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
