"""The float networks in ONNX Runtime, which starts ten times faster than PyTorch, takes a tenth of its space and is faster here.

`graphs/` holds one graph a network, without weights: each weight is named as in the weights file and given to the session when
it is made. So a graph depends on the sizes of the model alone, and new weights need no new graphs (`tools/export_onnx.py`).

``nodes``, the interpolation weights of the quality, are given in the same way. A session is therefore one of a single quality:
scales, biases and gains are folded into constant matrices when it is made, which lets the runtime lay them out for the CPU.
"""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime as ort

from ..arrays import Array
from ..errors import ModelError
from ..system import available_cores
from .weights import Weights

GRAPHS = Path(__file__).parent / "graphs"


def has_graphs(weights: Weights) -> bool:
    """Whether the package's graphs are those of the weights' sizes."""
    sizes: dict[str, int] = json.loads((GRAPHS / "config.json").read_text())
    return sizes == weights.config


class OnnxEngine:
    """The networks in ONNX Runtime on the CPU. Sessions are made when first needed.

    Raises:
        ModelError: the package has no graphs for the sizes of the model, or its weights are not of these sizes.
    """

    def __init__(self, weights: Weights, threads: int | None = None) -> None:
        if not has_graphs(weights):
            raise ModelError(f"model {weights.path}: no graphs for its sizes, only PyTorch can compute it")
        self._weights = weights
        self._threads = threads or available_cores()
        self._sessions: dict[str, tuple[bytes, ort.InferenceSession]] = {}

    def run(self, network: str, *arrays: Array) -> Array:
        """See the table in `engine`."""
        *inputs, nodes = arrays
        session = self._session(network, nodes)
        names = [entry.name for entry in session.get_inputs()]
        try:
            result: Array = session.run(None, dict(zip(names, inputs, strict=True)))[0]
        except Exception as error:
            if "allocate memory" in str(error):
                raise MemoryError(f"{network}: not enough memory") from error
            raise
        return result

    def session_options(self) -> ort.SessionOptions:
        """Options of every session. All graph optimizations are on, as they are by default."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads would take cores from others
        options.enable_mem_pattern = False  # it plans for one size, tiles come in several
        options.log_severity_level = 4  # errors are raised, once is enough
        return options

    def _session(self, network: str, nodes: Array) -> ort.InferenceSession:
        """The session of a network; only the latest is kept, for most images that follow each other are of one quality."""
        key = nodes.tobytes()
        held = self._sessions.get(network)
        if held is None or held[0] != key:
            held = self._sessions[network] = key, self._make_session(network, nodes)
        return held[1]

    def _make_session(self, network: str, nodes: Array) -> ort.InferenceSession:
        tensors = self._weights.network(network) | {"nodes": nodes}
        options = self.session_options()
        graph = "g_a_missing" if network == "g_a" and self._weights.sees_missing else network
        options.add_external_initializers(list(tensors), [ort.OrtValue.ortvalue_from_numpy(t) for t in tensors.values()])
        try:
            return ort.InferenceSession(GRAPHS / f"{graph}.onnx", options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's errors have no base of their own
            raise ModelError(f"model {self._weights.path}: {network} does not fit its graph ({error})") from error
