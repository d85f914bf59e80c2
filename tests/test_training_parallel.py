"""Two processes learn what one does, and a run that was killed goes on as if it had not been. Each is its own program, so this
file is one, too: ``python -m tests.test_training_parallel TASK FOLDER STEPS``.
"""

from __future__ import annotations

import atexit
import csv
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from aecodec import UsageError
from aecodec.classic.images import Images
from aecodec.classic.networks import Autoencoder
from aecodec.classic.presets import Architecture, Recipe
from aecodec.classic.task import ClassicTask
from aecodec.model.weights import DEFAULT
from aecodec.nets.autoencoder import AutoEncoder, ModelConfig
from aecodec.training import checkpoint
from aecodec.training.checkpoint import checkpoint_path
from aecodec.training.compression import CompressionConfig, CompressionTask
from aecodec.training.loop import Run, TrainConfig, train
from aecodec.training.parallel import Processes
from aecodec.training.photographs import PatchSampler, Photographs
from aecodec.training.restoration import RestorationConfig, RestorationTask
from aecodec.training.start import pca_start
from aecodec.training.task import WHOLE, Batch, Samples, Task, adam, places

from .classic_images import bars

ROOT = Path(__file__).parent.parent
TINY = ModelConfig(n1=8, n2=16, m=16, nz=8, nc=8, blocks1=1, blocks2=1)


class Line:
    """The smallest task there is: y = a·x + b. Nothing in it is random but its samples."""

    name = "line"
    steps_per_epoch: int | None = 10

    def __init__(self, pause: float = 0.0) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(1, 1)
        self.pause = pause

    def optimizer(self, rate: float) -> torch.optim.Optimizer:
        return adam(self.model, rate)

    def batch(self, step: int, part: slice = WHOLE) -> Batch:
        x = torch.from_numpy(np.random.default_rng(step).normal(size=(8, 1)).astype(np.float32))[part]
        return Batch(x, 3 * x - 1, [f"{step}.{i}" for i in places(8, part)])

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        time.sleep(self.pause)
        return (self.model(batch.inputs) - batch.targets).square().mean(), {}

    def validate(self, model: nn.Module) -> dict[str, float]:
        return {"val_loss": (model(torch.ones(1, 1)) - 2).square().item()}

    def samples(self, model: nn.Module) -> Samples:
        return Samples(("nothing",), [[np.zeros((8, 8), np.uint8)]])

    def describe(self) -> dict[str, Any]:
        return {"model": {}}


class Compression(CompressionTask):
    """The codec's task with qualities and noise that belong to the patch, whichever process it goes to."""

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        losses = []
        for x, name in zip(batch.inputs, batch.names, strict=True):
            torch.manual_seed(zlib.crc32(name.encode()))
            losses.append(super().loss(Batch(x[None], x[None], [name]))[0])
        return torch.stack(losses).mean(), {}


def run_line(folder: Path, steps: int, pause: float = 0.0) -> Run[nn.Linear]:
    config = TrainConfig(steps=steps, learning_rate=0.05, decay=0, warmup=1, log_every=1, validate_every=20, checkpoint_minutes=0)
    return train(Line(pause), folder, config, progress=False)


def run_compression(folder: Path, steps: int) -> Run[AutoEncoder]:
    photographs = Photographs.load(ROOT / "tests" / "data", 64, progress=False)
    torch.manual_seed(0)
    model = AutoEncoder(TINY)
    pca_start(model, PatchSampler(photographs.training, 0).batch(0, 2000, 16)[0])
    sizes = CompressionConfig(batch=8, patch=64, late_from=steps)
    config = TrainConfig(steps=steps, learning_rate=1e-3, decay=0, warmup=5, log_every=10, validate_every=10)
    return train(Compression(model, photographs, sizes), folder, config, progress=False)


def losses(folder: Path, name: str = "loss") -> list[float]:
    with (folder / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def start(task: str, folder: Path, steps: int, count: int = 1) -> subprocess.Popen[bytes]:
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(count), "-m"] if count > 1 else []
    command = [sys.executable, "-m", *launcher, "tests.test_training_parallel", task, str(folder), str(steps)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True)


def wait_for_rows(process: subprocess.Popen[bytes], folder: Path, rows: int) -> None:
    deadline = time.monotonic() + 120
    while not ((folder / "metrics.csv").exists() and len(losses(folder)) >= rows):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    assert start("both", tmp_path / "two", 20, count=2).wait(timeout=240) == 0
    run_line(tmp_path / "one" / "line", 20)
    np.testing.assert_allclose(losses(tmp_path / "two" / "line"), losses(tmp_path / "one" / "line"), rtol=1e-3)
    run_compression(tmp_path / "one" / "compression", 20)
    two, one = (losses(tmp_path / folder / "compression", "val_loss") for folder in ("two", "one"))
    np.testing.assert_allclose(two, one, rtol=0.005)
    assert one[-1] < 0.98 * one[0]


def test_two_processes_asked_to_end_stop_together_and_go_on_exactly(tmp_path: Path) -> None:
    process = start("slow", tmp_path / "parts", 30, count=2)
    wait_for_rows(process, tmp_path / "parts", 5)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=60)
    assert 0 < checkpoint.load(checkpoint_path(tmp_path / "parts"))["step"] < 30
    for folder in ("parts", "whole"):
        assert start("slow", tmp_path / folder, 30, count=2).wait(timeout=120) == 0
    parts, whole = (checkpoint.load(checkpoint_path(tmp_path / folder)) for folder in ("parts", "whole"))
    assert parts["step"] == whole["step"] == 30
    assert len(parts["optimizer"]["state"]) == len(list(Line().model.parameters()))  # one parameter is each process's
    for mine, other in zip(parts["model"].values(), whole["model"].values(), strict=True):
        assert torch.equal(mine, other)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_a_run_killed_outright_goes_on_exactly(tmp_path: Path) -> None:
    process = start("slow", tmp_path / "killed", 40)
    wait_for_rows(process, tmp_path / "killed", 5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    reached = checkpoint.load(checkpoint_path(tmp_path / "killed"))["step"]
    assert 0 < reached < 40
    resumed, whole = run_line(tmp_path / "killed", 40), run_line(tmp_path / "whole", 40)
    assert all(torch.equal(a, b) for a, b in zip(resumed.model.parameters(), whole.model.parameters(), strict=True))
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")


def test_an_interrupt_waits_for_the_end_of_the_step(tmp_path: Path) -> None:
    class Interrupted(Line):
        def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
            if batch.names[0].startswith("4."):
                os.kill(os.getpid(), signal.SIGINT)
            return super().loss(batch)

    config = TrainConfig(steps=10, learning_rate=0.05, decay=0, warmup=1)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
    try:
        assert train(Interrupted(), tmp_path / "parts", config, progress=False).step == 5
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    parts, whole = (train(Line(), tmp_path / name, config, progress=False) for name in ("parts", "whole"))
    assert torch.equal(parts.average.weight, whole.average.weight)


def compression_task() -> CompressionTask:
    photographs = Photographs.load(ROOT / "tests" / "data", 64, progress=False)
    return CompressionTask(AutoEncoder(TINY), photographs, CompressionConfig(batch=8, patch=64))


def restoration_task() -> RestorationTask:
    photographs = Photographs.load(ROOT / "tests" / "data", 64, progress=False)
    return RestorationTask(DEFAULT, photographs, RestorationConfig("inpaint", ["strokes:5-35"], batch=8, patch=64))


def classic_task() -> ClassicTask:
    pixels, _ = bars(20, seed=0)
    images = Images(torch.from_numpy(pixels)[:, None], tuple(map(str, range(20))))
    model = Autoencoder(Architecture("dense", (32,), 8), images.shape)
    return ClassicTask(model, Recipe("mse", epochs=3, batch=8, noise=0.5), images, images, Path("bars"))


@pytest.mark.parametrize("make", [compression_task, restoration_task, classic_task])
def test_processes_share_a_batch_between_them(make: Callable[[], Task[Any]]) -> None:
    whole = make().batch(4)
    for rank in range(3):
        processes = Processes(rank, 3)
        part = make().batch(4, processes.part)
        assert list(part.names) == list(whole.names)[processes.part]
        assert torch.equal(part.inputs, whole.inputs[processes.part])
        assert torch.equal(part.targets, whole.targets[processes.part])
    with pytest.raises(UsageError, match="a batch of 8 can't be shared by 9 processes"):
        make().batch(4, Processes(8, 9).part)


def test_processes_own_about_as_many_entries_each() -> None:
    tensors = [torch.zeros(n) for n in (1, 7, 10, 3, 4, 5)]
    entries = [0, 0, 0]
    for tensor, owner in zip(tensors, Processes(0, 3).owners(tensors), strict=True):
        entries[owner] += tensor.numel()
    assert entries == [10, 10, 10]


def fail_if_threads_are_left() -> None:
    """A thread of the group that outlives it aborts the process now and then, while the interpreter ends."""
    if any("gloo" in comm.read_text() for comm in Path("/proc/self/task").glob("*/comm")):
        os._exit(3)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.platform == "linux":
        atexit.register(fail_if_threads_are_left)  # the first to be registered is the last to be called
    task, folder, steps = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if task == "slow":
        run_line(folder, steps, pause=0.2)
    else:
        run_line(folder / "line", steps)
        run_compression(folder / "compression", steps)
