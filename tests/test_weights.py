"""Weights files are small, and the networks in them nearly those that were trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from aecodec import ModelError
from aecodec.model import weights
from aecodec.model.encoders import KINDS, Encoder, shipped
from aecodec.model.weights import DEFAULT, Weights
from aecodec.nets.autoencoder import AutoEncoder, ModelConfig

TINY = ModelConfig(n1=8, n2=16, m=16, nz=8, nc=8, blocks1=1, blocks2=1)


def floats() -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return {name: tensor.detach().numpy() for name, tensor in AutoEncoder(TINY).state_dict().items() if name.startswith("g_")}


def test_the_shipped_files_keep_to_their_size() -> None:
    assert DEFAULT.stat().st_size <= 8e6
    assert all(shipped(kind).stat().st_size <= 2.5e6 for kind in KINDS)


def test_rows_of_int8_are_within_half_a_step(tmp_path: Path) -> None:
    before = floats()
    weights.save(tmp_path / "w.safetensors", weights.packed(before), TINY.to_dict())
    after = Weights.load(tmp_path / "w.safetensors").floats
    assert after.keys() == before.keys()
    for name, tensor in before.items():
        if ".blocks2." in name and name.endswith("expand.weight"):
            half = np.abs(tensor).max(axis=(1, 2, 3), keepdims=True) / 254
            assert (np.abs(after[name] - tensor) <= 1.001 * half).all()
            assert (after[name] != tensor).any()
        else:
            np.testing.assert_array_equal(after[name], tensor.astype(np.float16))


def test_rows_of_zeros_stay_zeros() -> None:
    name = "g_a.blocks2.0.project.weight"
    assert not weights.unpacked(weights.packed({name: np.zeros((4, 8, 1, 1), np.float32)}))[name].any()


def test_packing_again_changes_nothing_but_the_last_bit() -> None:
    once = {name: tensor.astype(np.float32) for name, tensor in weights.unpacked(weights.packed(floats())).items()}
    for name, tensor in weights.unpacked(weights.packed(once)).items():
        np.testing.assert_allclose(tensor.astype(np.float32), once[name], rtol=3e-7)


def test_steps_that_do_not_fit_are_no_weights_file(tmp_path: Path) -> None:
    tensors = weights.packed(floats())
    tensors["g_s.blocks2.0.expand.weight.step"] = np.ones((3, 1, 1, 1), np.float32)
    weights.save(tmp_path / "w.safetensors", tensors, TINY.to_dict())
    with pytest.raises(ModelError, match=r"w\.safetensors: not a weights file"):
        Weights.load(tmp_path / "w.safetensors")


def test_files_of_float16_alone_are_read_too(tmp_path: Path) -> None:
    half = {name: tensor.astype(np.float16) for name, tensor in floats().items() if name.startswith("g_a.")}
    safetensors.numpy.save_file(half, tmp_path / "old.safetensors", {"encoder": "denoise", "model": "00" * 8})
    loaded = Encoder.load(tmp_path / "old.safetensors").tensors
    assert all(np.array_equal(loaded[name], tensor) for name, tensor in half.items())
