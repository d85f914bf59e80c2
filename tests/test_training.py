"""The trainer learns, survives being killed, and says what is wrong with its data."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aecodec.codec import Codec
from aecodec.model.autoencoder import AutoEncoder, ModelConfig, node_weights
from aecodec.model.quality import level_of_lmbda
from aecodec.model.quality import node_weights as node_weights_of_level
from aecodec.training.data import DataError, PatchSampler, load_folder
from aecodec.training.export import export, load_model
from aecodec.training.loop import DivergedError, TrainConfig, learning_rate, train, validate
from aecodec.training.start import pca_start

TINY = ModelConfig(n1=8, n2=16, m=16, nz=8, nc=8, blocks1=1, blocks2=1)
SHORT = TrainConfig(steps=6, batch=2, patch=64, late_batch=1, late_patch=64, decay=2, warmup=2, validation_images=1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    whole = Image.open(Path(__file__).parent / "data" / "kodim23.png")
    (folder / "more").mkdir()
    for i in range(3):
        whole.crop((200 * i, 0, 200 * i + 160, 128)).save(folder / ("more" if i == 2 else ".") / f"{i} ä.png")
    return folder


def weights_of(model: AutoEncoder) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def new_model() -> AutoEncoder:
    torch.manual_seed(0)
    return AutoEncoder(TINY)


def test_a_resumed_run_goes_on_exactly_as_if_never_stopped(photos: Path, tmp_path: Path) -> None:
    whole = train(photos, tmp_path / "whole", SHORT, new_model(), progress=False)
    first = TrainConfig(**{**vars(SHORT), "steps": 3, "decay": 0})
    train(photos, tmp_path / "parts", first, new_model(), progress=False)
    parts = train(photos, tmp_path / "parts", SHORT, new_model(), progress=False)
    assert parts.step == whole.step == 6
    torch.testing.assert_close(weights_of(parts.model), weights_of(whole.model), rtol=0, atol=0)
    torch.testing.assert_close(weights_of(parts.average), weights_of(whole.average), rtol=0, atol=0)


def test_training_lowers_the_loss_and_writes_the_curve(photos: Path, tmp_path: Path) -> None:
    config = TrainConfig(steps=100, batch=2, patch=64, late_batch=2, late_patch=64, decay=30, warmup=10, learning_rate=3e-3)
    images = list(load_folder(photos, 64, progress=False).values())
    before = validate(new_model().eval(), images)
    run = train(photos, tmp_path, config, new_model(), progress=False)
    assert validate(run.average, images)["val_loss"] < 0.8 * before["val_loss"]
    (row,) = csv.DictReader((tmp_path / "metrics.csv").open())
    assert (row["step"], float(row["psnr"]) > 5, row["val_psnr"] != "") == ("100", True, True)


def test_a_trained_model_becomes_a_weights_file_that_codes(photos: Path, tmp_path: Path) -> None:
    model = train(photos, tmp_path / "run", SHORT, new_model(), progress=False).average
    images = list(load_folder(photos, 64, progress=False).values())
    export(model, images, tmp_path / "own.safetensors")
    codec = Codec(tmp_path / "own.safetensors")
    data = codec.compress(images[0], quality=30)
    assert codec.decompress(data).color.shape == images[0].shape
    again = load_model(tmp_path / "own.safetensors")
    x = torch.rand(1, 3, 64, 64)
    expected, got = (m.eval()(x, torch.tensor([0.01])).x_hat for m in (model, again))
    torch.testing.assert_close(got, expected, atol=0.02, rtol=0)


def test_a_new_model_is_a_transform_codec_before_the_first_step(photos: Path) -> None:
    images = list(load_folder(photos, 64, progress=False).values())
    model = AutoEncoder(ModelConfig(blocks1=1, blocks2=1)).eval()
    cold = validate(model, images)
    pca_start(model, PatchSampler(images, 0).batch(0, 5000, 16))
    warm = validate(model, images)
    assert warm["val_psnr"] > 25 > 15 > cold["val_psnr"]
    assert warm["val_loss"] < cold["val_loss"] / 5


def test_the_loss_becoming_nan_stops_with_the_step(photos: Path, tmp_path: Path) -> None:
    model = new_model()
    with torch.no_grad():
        model.g_s.head.bias.fill_(float("nan"))
    with pytest.raises(DivergedError, match="step 0"):
        train(photos, tmp_path, SHORT, model, progress=False)


def test_learning_rate_rises_holds_and_falls() -> None:
    config = TrainConfig(steps=1000, decay=300, warmup=100)
    rates = [learning_rate(config, step) for step in range(1000)]
    assert rates[0] < rates[50] < rates[100] == rates[699] == config.learning_rate
    assert config.learning_rate > rates[800] > rates[999] > config.final_rate
    assert rates[999] == pytest.approx(config.final_rate, rel=0.01)


def test_a_bad_image_is_named_and_skipped(photos: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "small.png")
    Image.new("RGB", (80, 80)).save(tmp_path / "fine.webp")
    assert list(load_folder(tmp_path, 64, progress=False)) == ["fine.webp"]
    said = capsys.readouterr().err
    assert "broken.png" in said
    assert "small.png: 8x8 is under 64 pixels" in said


def test_a_folder_without_images_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of 0 images"):
        load_folder(tmp_path, 64, progress=False)


def test_batches_depend_on_seed_and_step_alone() -> None:
    images = [np.random.default_rng(i).integers(0, 256, (90, 100, 3), np.uint8) for i in range(3)]
    first, same, other = PatchSampler(images, 1), PatchSampler(images, 1), PatchSampler(images, 2)
    first.batch(0, 4, 64)
    torch.testing.assert_close(first.batch(5, 4, 64), same.batch(5, 4, 64))
    assert not torch.equal(first.batch(5, 4, 64), other.batch(5, 4, 64))
    assert not torch.equal(first.batch(5, 4, 64), first.batch(6, 4, 64))


@pytest.mark.parametrize("lmbda", [0.0008, 0.013, 0.8])
def test_training_and_coding_agree_on_the_quality_axis(lmbda: float) -> None:
    trained = node_weights(torch.tensor([lmbda])).numpy()
    np.testing.assert_allclose(node_weights_of_level(level_of_lmbda(lmbda)), trained, atol=1e-3)
