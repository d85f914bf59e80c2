"""`aec train` and `aec export` hand their options on; what these do is tested in test_training.py."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from aecodec.cli import main
from aecodec.nets.autoencoder import AutoEncoder, ModelConfig
from aecodec.training import checkpoint, export, loop
from aecodec.training.compression import CompressionConfig, CompressionTask
from aecodec.training.loop import TrainConfig
from aecodec.training.parallel import Processes


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with three photographs to be."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for number in range(3):
        Image.new("RGB", (700, 260), (number, 0, 0)).save(f"photos/{number}.png")


@pytest.mark.parametrize(("reached", "code"), [(7, 0), (3, 130)], ids=["done", "interrupted"])
def test_training_options_and_exit_codes(reached: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def train(task: CompressionTask, out: Path, config: TrainConfig, *_: object, **__: object) -> SimpleNamespace:
        calls.append((task.photographs.source, task.config, out, config))
        return SimpleNamespace(step=reached, group=Processes())

    monkeypatch.setattr(loop, "train", train)
    options = ["--steps", "7", "--batch", "2", "--patch", "128", "--lr", "0.5", "--decay", "1", "--seed", "3", "--threads", "1"]
    options += ["--distortion", "ms-ssim", "--init", "default"]
    assert main(["train", "compress", "photos", "--out", "run", *options]) == code
    sizes = CompressionConfig(
        batch=2, late_batch=1, patch=128, late_from=6, linear_rate=0.3, gain_rate=2.0, distortion="ms-ssim", seed=3
    )
    config = TrainConfig(steps=7, learning_rate=0.5, decay=1, seed=3)
    assert calls == [(Path("photos"), sizes, Path("run"), config)]


def test_training_needs_a_folder_that_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "compress", "none", "--out", "run"]) == 2
    assert "none" in capsys.readouterr().err


def test_export_takes_the_averaged_model_and_photographs_from_all_over(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = ModelConfig(n1=8, n2=8, m=16, nz=8, nc=8, blocks1=1, blocks2=1)
    average = AutoEncoder(sizes).state_dict()
    Path("run").mkdir()
    checkpoint.save(Path("run/checkpoint.pt"), {"config": sizes.to_dict(), "average": average, "step": 5})
    calls = []
    monkeypatch.setattr(export, "export", lambda model, images, path: calls.append((model.state_dict(), images, path)))
    assert main(["export", "run", "w.safetensors", "--data", "photos", "--images", "2"]) == 0
    ((state, images, path),) = calls
    assert all(torch.equal(state[name], average[name]) for name in average)
    assert [image.shape for image in images] == [(260, 512, 3)] * 2
    assert path == Path("w.safetensors")
    assert np.any(images[0] != images[1])


def test_export_replaces_nothing_unasked_and_needs_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("w.safetensors").write_bytes(b"old")
    assert main(["export", "photos", "w.safetensors", "--data", "photos"]) == 1
    assert capsys.readouterr().err == "aec: w.safetensors exists; --force replaces it\n"
    assert main(["export", "photos", "new.safetensors", "--data", "photos"]) == 4
    assert capsys.readouterr().err.startswith("aec: photos/checkpoint.pt: ")
    checkpoint.save(Path("photos/checkpoint.pt"), {"task": "compress"})
    assert main(["export", "photos", "new.safetensors"]) == 2
    assert "--data" in capsys.readouterr().err
    checkpoint.save(Path("photos/checkpoint.pt"), {"task": "classic"})
    assert main(["export", "photos", "new.safetensors"]) == 2
    assert "a run of 'classic', whose folder is what --model takes" in capsys.readouterr().err
