"""The trainer learns, survives being killed, and says what is wrong with its data."""

from __future__ import annotations

import csv
import json
import math
import platform
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from aecodec import ModelError, UsageError
from aecodec.codec import Codec
from aecodec.model.quality import level_of_lmbda
from aecodec.model.quality import node_weights as node_weights_of_level
from aecodec.model.weights import DEFAULT
from aecodec.nets.autoencoder import AutoEncoder, ModelConfig, load_model, node_weights
from aecodec.training import checkpoint
from aecodec.training.checkpoint import checkpoint_path
from aecodec.training.compression import CompressionConfig, CompressionTask, Optimizer, rate_distortion
from aecodec.training.export import export
from aecodec.training.loop import DivergedError, Run, TrainConfig, learning_rate, train
from aecodec.training.photographs import DataError, PatchSampler, Photographs, load_images, middle, to_tensor
from aecodec.training.record import Record
from aecodec.training.start import pca_start

TINY = ModelConfig(n1=8, n2=16, m=16, nz=8, nc=8, blocks1=1, blocks2=1)
SHORT = TrainConfig(steps=6, decay=2, warmup=2)


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


def small_task(photos: Path, model: AutoEncoder | None = None, batch: int = 2, optimizer: Optimizer = "soap") -> CompressionTask:
    config = CompressionConfig(batch=batch, patch=64, late_batch=1, late_patch=64, late_from=4, optimizer=optimizer)
    return CompressionTask(model or new_model(), Photographs.load(photos, 64, progress=False), config)


def short_run(photos: Path, folder: Path, model: AutoEncoder | None = None, config: TrainConfig = SHORT) -> Run[AutoEncoder]:
    return train(small_task(photos, model), folder, config, progress=False)


def test_a_resumed_run_goes_on_exactly_as_if_never_stopped(photos: Path, tmp_path: Path) -> None:
    whole = short_run(photos, tmp_path / "whole")
    short_run(photos, tmp_path / "parts", config=replace(SHORT, steps=3, decay=0))
    parts = short_run(photos, tmp_path / "parts")
    assert parts.step == whole.step == 6
    torch.testing.assert_close(weights_of(parts.model), weights_of(whole.model), rtol=0, atol=0)
    torch.testing.assert_close(weights_of(parts.average), weights_of(whole.average), rtol=0, atol=0)


def test_a_run_goes_on_with_the_optimizer_it_began_with_alone(photos: Path, tmp_path: Path) -> None:
    train(small_task(photos, optimizer="adam"), tmp_path, replace(SHORT, steps=3, decay=0), progress=False)
    with pytest.raises(UsageError, match="another optimizer"):
        train(small_task(photos, optimizer="soap"), tmp_path, SHORT, progress=False)
    assert train(small_task(photos, optimizer="adam"), tmp_path, SHORT, progress=False).step == 6


def test_a_run_whose_parameters_were_grouped_otherwise_is_refused_in_one_line(photos: Path, tmp_path: Path) -> None:
    short_run(photos, tmp_path, config=replace(SHORT, steps=3, decay=0))
    path = checkpoint_path(tmp_path)
    state = checkpoint.load(path)
    first, second = state["optimizer"]["param_groups"][:2]
    second["params"].append(first["params"].pop())
    checkpoint.save(path, state)
    with pytest.raises(UsageError, match="of another version"):
        short_run(photos, tmp_path)


def test_training_lowers_the_loss_and_writes_the_curve(photos: Path, tmp_path: Path) -> None:
    config = TrainConfig(steps=100, decay=30, warmup=10, learning_rate=3e-3, log_every=50)
    task = small_task(photos)
    before = task.validate(new_model().eval())
    run = train(task, tmp_path, config, progress=False)
    assert task.validate(run.average)["val_loss"] < 0.8 * before["val_loss"]
    middle, last = csv.DictReader((tmp_path / "metrics.csv").open())
    assert (middle["step"], middle["val_psnr"]) == ("50", "")
    assert (last["step"], float(last["psnr"]) > 5, float(last["val_psnr"]) > 5) == ("100", True, True)


def test_a_run_explains_itself(photos: Path, tmp_path: Path) -> None:
    short_run(photos, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["task"], config["model"], config["train"]["steps"]) == ("compress", TINY.to_dict(), 6)
    assert (config["data"], config["images"], config["validation"]) == (str(photos), 2, ["0 ä.png"])
    assert Image.open(tmp_path / "loss.png").size == (770, 440)
    assert Image.open(tmp_path / "samples.png").width > 4 * 100


def test_rows_that_a_killed_run_wrote_after_its_checkpoint_come_once(photos: Path, tmp_path: Path) -> None:
    short_run(photos, tmp_path, config=replace(SHORT, steps=4, decay=0, log_every=2))
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("6,0,0,1e9\n")
    short_run(photos, tmp_path, config=replace(SHORT, log_every=2))
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert "1e9" not in rows[2].values()


def test_tensorboard_gets_the_curve_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, float, int]] = []
    writer = SimpleNamespace(add_scalar=lambda *point: written.append(point), close=lambda: written.append(("closed", 0, 0)))
    module = SimpleNamespace(SummaryWriter=lambda folder, purge_step: writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    record = Record(tmp_path, 0)
    record.add(7, {"loss": 1.5, "val_loss": 2.0})
    record.close()
    assert written == [("loss", 1.5, 7), ("val_loss", 2.0, 7), ("closed", 0, 0)]


def test_a_trained_model_becomes_a_weights_file_that_codes(photos: Path, tmp_path: Path) -> None:
    model = short_run(photos, tmp_path / "run").average
    images = list(load_images(photos, 64, progress=False).values())
    export(model, images, tmp_path / "own.safetensors")
    codec = Codec(tmp_path / "own.safetensors")
    data = codec.compress(images[0], quality=30)
    assert codec.decompress(data).color.shape == images[0].shape
    again = load_model(tmp_path / "own.safetensors")
    x = torch.rand(1, 3, 64, 64)
    expected, got = (m.eval()(x, torch.tensor([0.01])).x_hat for m in (model, again))
    torch.testing.assert_close(got, expected, atol=0.02, rtol=0)


def test_a_new_model_is_a_transform_codec_before_the_first_step(photos: Path) -> None:
    task = small_task(photos, AutoEncoder(ModelConfig(blocks1=1, blocks2=1)))
    cold = task.validate(task.model.eval())
    pca_start(task.model, PatchSampler(task.photographs.training, 0).batch(0, 5000, 16)[0])
    warm = task.validate(task.model)
    assert warm["val_psnr"] > 25 > 15 > cold["val_psnr"]
    assert warm["val_loss"] < cold["val_loss"] / 5


def test_training_to_ms_ssim_makes_ms_ssim_count(photos: Path, tmp_path: Path) -> None:
    photographs = Photographs.load(photos, 128, progress=False)
    sizes = CompressionConfig(batch=2, patch=128, late_patch=128, distortion="ms-ssim")
    task = CompressionTask(new_model(), photographs, sizes)
    batch = task.batch(0)
    loss, _ = task.loss(batch)
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in task.model.g_s.parameters())
    plain = CompressionTask(new_model(), photographs, replace(sizes, distortion="mse"))
    assert plain.loss(batch)[0].item() != pytest.approx(loss.item(), rel=0.01)
    with pytest.raises(UsageError, match="128"):
        CompressionConfig(patch=64, distortion="ms-ssim")


def test_the_loss_becoming_nan_stops_with_the_step_and_the_batch(photos: Path, tmp_path: Path) -> None:
    model = new_model()
    with torch.no_grad():
        model.g_s.head.bias.fill_(float("nan"))
    with pytest.raises(DivergedError, match=r"step 0: .* batch: .*ä\.png \d+x\d+\+\d+\+\d+, "):
        short_run(photos, tmp_path, model)


def test_a_folder_is_of_one_task(photos: Path, tmp_path: Path) -> None:
    short_run(photos, tmp_path)
    other = small_task(photos)
    other.name = "other"
    with pytest.raises(UsageError, match="is a run of 'compress', not of 'other'"):
        train(other, tmp_path, SHORT, progress=False)
    with pytest.raises(UsageError, match=r"is a run of another model, .*'n1': 8, .*'n1': 12"):
        short_run(photos, tmp_path, AutoEncoder(replace(TINY, n1=12)))
    state = checkpoint.load(checkpoint_path(tmp_path))
    del state["model"]["h_a.1.scale"]
    checkpoint.save(checkpoint_path(tmp_path), state)
    with pytest.raises(ModelError, match=r"checkpoint\.pt is of another version of aecodec, whose model has other tensors"):
        short_run(photos, tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"cut off")
    with pytest.raises(ModelError, match="not a checkpoint"):
        short_run(photos, tmp_path)


def test_checkpoints_of_the_first_version_go_on(photos: Path, tmp_path: Path) -> None:
    short_run(photos, tmp_path / "new")
    short_run(photos, tmp_path / "old", config=replace(SHORT, steps=3, decay=0))
    path = checkpoint_path(tmp_path / "old")
    state = checkpoint.load(path)
    del state["task"]
    checkpoint.save(path, state)
    again = short_run(photos, tmp_path / "old")
    whole = checkpoint.load(checkpoint_path(tmp_path / "new"))
    assert all(torch.equal(again.average.state_dict()[name], tensor) for name, tensor in whole["average"].items())


def test_learning_rate_rises_holds_and_falls() -> None:
    config = TrainConfig(steps=1000, decay=300, warmup=100)
    rates = [learning_rate(config, step) for step in range(1000)]
    assert rates[0] < rates[50] < rates[100] == rates[699] == config.learning_rate
    assert config.learning_rate > rates[800] > rates[999] > config.final_rate
    assert rates[999] == pytest.approx(config.final_rate, rel=0.01)


def test_a_decay_over_all_steps_is_a_cosine_after_the_warm_up() -> None:
    config = TrainConfig(steps=1000, decay=1000, warmup=100, final_rate=0)
    rates = [learning_rate(config, step) for step in range(1000)]
    assert max(rates) == rates[99] == pytest.approx(config.learning_rate, rel=0.03)
    assert rates[500] == pytest.approx(config.learning_rate / 2)


def test_a_bad_image_is_named_and_skipped(photos: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "small.png")
    Image.new("RGB", (80, 80)).save(tmp_path / "fine.webp")
    assert list(load_images(tmp_path, 64, progress=False)) == ["fine.webp"]
    said = capsys.readouterr().err
    assert "broken.png" in said
    assert "small.png: 8x8 is under 64 pixels" in said


def test_a_zip_of_images_is_as_good_as_a_folder(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in photos.rglob("*.png"):
            archive.write(path, path.relative_to(photos))
        archive.writestr("more/broken.jpg", b"not a picture")
        archive.writestr("notes.txt", b"no picture at all")
    from_folder, from_zip = (load_images(source, 64, progress=False) for source in (photos, tmp_path / "photos.zip"))
    assert from_folder.keys() == from_zip.keys()
    assert all(np.array_equal(from_folder[name], from_zip[name]) for name in from_folder)
    assert "broken.jpg" in capsys.readouterr().err


def test_nothing_to_train_on_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of 0 images"):
        load_images(tmp_path, 64, progress=False)
    (tmp_path / "no.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        load_images(tmp_path / "no.zip", 64, progress=False)
    Image.new("RGB", (80, 80)).save(tmp_path / "one.png")
    with pytest.raises(DataError, match=r"only one\.png can be used"):
        Photographs.load(tmp_path, 64, progress=False)


def test_batches_depend_on_seed_and_step_alone() -> None:
    images = {str(i): np.random.default_rng(i).integers(0, 256, (90, 100, 3), np.uint8) for i in range(3)}
    first, same, other = PatchSampler(images, 1), PatchSampler(images, 1), PatchSampler(images, 2)
    first.batch(0, 4, 64)
    (x, names), (x_same, names_same), (x_other, _) = (sampler.batch(5, 4, 64) for sampler in (first, same, other))
    torch.testing.assert_close(x, x_same)
    assert names == names_same
    assert not torch.equal(x, x_other)
    assert not torch.equal(x, first.batch(6, 4, 64)[0])


@pytest.mark.parametrize("lmbda", [0.0008, 0.013, 0.8])
def test_training_and_coding_agree_on_the_quality_axis(lmbda: float) -> None:
    trained = node_weights(torch.tensor([lmbda])).numpy()
    np.testing.assert_allclose(node_weights_of_level(level_of_lmbda(lmbda)), trained, atol=1e-3)


@pytest.mark.parametrize("lmbda", [0.0008, 0.8])
def test_training_in_bfloat16_is_as_precise_as_the_quality_needs(lmbda: float) -> None:
    # of several pictures: on one alone, moving pixels by a quarter of a level in float32 leads to another path, and does as much
    model, mse, bits = load_model(DEFAULT).eval(), [0.0, 0.0], [0.0, 0.0]
    for name in ("kodim23", "face", "fence", "motorcycles"):
        x = to_tensor(middle(np.asarray(Image.open(Path(__file__).parent / "data" / f"{name}.png").convert("RGB")), 384))
        for bfloat16 in (False, True):
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, bfloat16):
                result = rate_distortion(model(x, torch.tensor([lmbda])), x, torch.tensor([lmbda]))
            mse[bfloat16] += result.mse.item() * x.numel()
            bits[bfloat16] += result.bpp.item() * x.numel()
    assert abs(10 * math.log10(mse[True] / mse[False])) < 0.05  # in dB; 0.7 at the top if coefficients were bfloat16
    assert bits[True] == pytest.approx(bits[False], rel=0.01)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_memory_that_is_freed_is_kept_for_the_next_step() -> None:
    """Whoever gets memory from the system touches each page for the first time, which is counted."""
    script = """
import resource
import numpy as np
from aecodec.training.memory import keep_freed_memory

def step():
    for megabytes in (3, 1, 5, 2):
        np.ones(megabytes << 20, np.uint8)

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

step()
given_back = pages()
keep_freed_memory()
step()
assert pages() < given_back / 10, given_back
"""
    subprocess.run([sys.executable, "-c", script], check=True)
