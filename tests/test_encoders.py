"""Encoders that denoise and inpaint: trained on the loop, exported, and what they make is an ordinary file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aecodec import Codec, ModelError, UsageError
from aecodec.cli import main
from aecodec.entropy.tables import fit, no_counts
from aecodec.format import container
from aecodec.model.encoders import KINDS, Encoder, Kind, shipped
from aecodec.model.weights import DEFAULT, Weights
from aecodec.nets.autoencoder import AutoEncoder, ModelConfig
from aecodec.search.target import psnr
from aecodec.training.corruptions import corrupt, parse
from aecodec.training.export import write_weights
from aecodec.training.loop import TrainConfig, train
from aecodec.training.photographs import PatchSampler, Photographs, load_images
from aecodec.training.restoration import RestorationConfig, RestorationTask, new_encoder
from aecodec.training.start import pca_start
from tools.export_onnx import TOLERANCE, differences

DATA = Path(__file__).parent / "data"
TINY = ModelConfig(n1=8, n2=16, m=16, nz=8, nc=8, blocks1=1, blocks2=1)
SHORT = TrainConfig(steps=40, decay=0, warmup=1, learning_rate=3e-4, ema=0.5)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    whole = Image.open(DATA / "kodim23.png")
    for i in range(3):
        whole.crop((200 * i, 0, 200 * i + 160, 128)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def base(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = AutoEncoder(TINY)
    pca_start(model, PatchSampler(load_images(photos, 64, progress=False), 0).batch(0, 2000, 16)[0])
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    write_weights(model, fit(*no_counts()), path)
    return path


def untrained(kind: Kind, folder: Path) -> Path:
    """An encoder file with the default model's own g_a."""
    weights = Weights.load()
    tensors = {name: tensor for name, tensor in weights.tensors.items() if name.startswith("g_a.")}
    if kind == "inpaint":
        stem = tensors["g_a.stem.weight"]
        tensors["g_a.stem.weight"] = np.concatenate([stem, np.zeros_like(stem[:, :1])], 1)
    path = folder / f"{kind}.safetensors"
    Encoder(path, kind, weights.fingerprint, tensors).save()
    return path


def test_an_encoder_that_learned_nothing_writes_the_files_of_the_model(tmp_path: Path) -> None:
    picture = np.asarray(Image.open(DATA / "face.png").convert("RGB"))
    plain = Codec().compress(picture, quality=40, effort=0)
    assert Codec(encoder=untrained("denoise", tmp_path)).compress(picture, quality=40) == plain
    nothing = np.zeros(picture.shape[:2], np.bool_)
    inpainted = Codec(encoder=untrained("inpaint", tmp_path)).compress(picture, quality=40, missing=nothing)
    before, after = (Codec().decompress(data).color.astype(int) for data in (plain, inpainted))
    assert np.abs(before - after).mean() < 0.05  # a sum of more terms is rounded differently


def test_an_encoder_brings_no_correction_toward_the_picture_as_it_is(tmp_path: Path) -> None:
    picture = np.asarray(Image.open(DATA / "face.png").convert("RGB"))
    codec = Codec(encoder=untrained("denoise", tmp_path))
    content = container.read(codec.compress(picture))
    assert content.correction is None
    assert content.header.effort == 0
    with pytest.raises(UsageError, match="an effort compares with the picture as it is"):
        codec.compress(picture, effort=1)


def test_what_is_missing_has_no_say(tmp_path: Path) -> None:
    picture = np.asarray(Image.open(DATA / "face.png").convert("RGB"))
    missing = np.zeros(picture.shape[:2], np.bool_)
    missing[10:40, 20:60] = True
    codec = Codec(encoder=untrained("inpaint", tmp_path))
    one, other = (codec.compress(np.where(missing[:, :, None], np.uint8(v), picture), missing=missing) for v in (0, 255))
    assert one == other


def test_both_engines_compute_an_encoder_that_inpaints(tmp_path: Path) -> None:
    model = AutoEncoder()
    encoder = new_encoder(model, "inpaint")
    torch.nn.init.normal_(encoder.stem.weight, std=0.05)
    tensors = {f"g_a.{k}": v.to(torch.float16).contiguous().numpy() for k, v in encoder.state_dict().items()}
    weights = Weights.load()
    assert max(differences(Encoder(tmp_path / "e", "inpaint", weights.fingerprint, tensors).within(weights)).values()) < TOLERANCE


def test_an_encoder_of_another_model_is_refused(tmp_path: Path) -> None:
    path = untrained("denoise", tmp_path)
    encoder = Encoder.load(path)
    Encoder(path, "denoise", bytes(8), encoder.tensors).save()
    with pytest.raises(ModelError, match="belongs to model 0000000000000000"):
        _ = Codec(encoder=path).weights
    with pytest.raises(ModelError, match="not an encoder file"):
        Encoder.load(DEFAULT)
    with pytest.raises(ModelError, match=r"none\.safetensors"):
        Encoder.load(tmp_path / "none.safetensors")


def test_masks_go_with_encoders_that_inpaint(tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    mask = np.zeros((64, 64), np.bool_)
    inpaint = Codec(encoder=untrained("inpaint", tmp_path))
    with pytest.raises(UsageError, match="only with it"):
        Codec().compress(picture, missing=mask)
    with pytest.raises(UsageError, match="goes with an encoder that inpaints"):
        inpaint.compress(picture)
    with pytest.raises(UsageError, match="mask has 63x64 pixels, the picture 64x64"):
        inpaint.compress(picture, missing=mask[:, 1:])


def test_an_encoder_learns_to_denoise_while_the_rest_stays(photos: Path, base: Path, tmp_path: Path) -> None:
    config = RestorationConfig("denoise", ["gaussian:60"], batch=2, patch=64)
    task = RestorationTask(base, Photographs.load(photos, 64, progress=False), config)
    rest = {name: tensor.clone() for name, tensor in task.base.state_dict().items()}

    def loss() -> float:
        torch.manual_seed(0)  # of the qualities
        return task.loss(task.batch(1000))[0].item()

    before = loss()
    train(task, tmp_path, SHORT, progress=False)
    assert loss() < before - 0.05  # a log
    assert all(torch.equal(tensor, rest[name]) for name, tensor in task.base.state_dict().items())
    assert Image.open(tmp_path / "samples.png").width > 4 * 64
    assert json.loads((tmp_path / "config.json").read_text())["model"]["base"] == Weights.load(base).fingerprint.hex()


def test_an_encoder_learns_to_listen_to_the_mask(photos: Path, base: Path, tmp_path: Path) -> None:
    task = RestorationTask(base, Photographs.load(photos, 64, progress=False), RestorationConfig("inpaint", batch=2, patch=64))
    assert not task.model.stem.weight[:, 3].any()
    run = train(task, tmp_path, replace(SHORT, steps=2), progress=False)
    assert run.average.stem.weight[:, 3].abs().min() > 0


def test_training_goes_on_from_an_encoder_of_another_model(photos: Path, base: Path, tmp_path: Path) -> None:
    photographs = Photographs.load(photos, 64, progress=False)
    own = {f"g_a.{k}": v.half().numpy() + 1 for k, v in AutoEncoder(TINY).g_a.state_dict().items()}
    Encoder(tmp_path / "other", "denoise", bytes(8), own).save()
    task = RestorationTask(base, photographs, RestorationConfig("denoise", patch=64), init=tmp_path / "other")
    assert torch.equal(task.model.stem.weight, torch.from_numpy(own["g_a.stem.weight"]).float())
    with pytest.raises(ModelError, match="of another kind or size"):
        RestorationTask(base, photographs, RestorationConfig("inpaint", patch=64), init=tmp_path / "other")


def test_the_way_from_photographs_to_a_file_on_the_command_line(photos: Path, base: Path, tmp_path: Path) -> None:
    run, encoder = str(tmp_path / "run"), str(tmp_path / "encoder.safetensors")
    options = ["--out", run, "--model", str(base), "--patch", "64", "--batch", "2", "--no-progress"]
    command = ["train", "inpaint", str(photos), "--corrupt", "gaussian:5", "--corrupt", "crosshair:4", *options]
    assert main([*command, "--preview"]) == 0
    assert (tmp_path / "run" / "preview.png").exists()
    assert not (tmp_path / "run" / "checkpoint.pt").exists()
    assert main([*command, "--steps", "2"]) == 0
    assert main(["export", run, encoder]) == 0
    Image.new("L", (160, 128), 255).save(tmp_path / "mask.png")
    result = tmp_path / "0.aec"
    compress = ["compress", str(photos / "0.png"), str(result), "--model", str(base), "--encoder", encoder]
    assert main([*compress, "--inpaint", str(tmp_path / "mask.png")]) == 0
    assert Codec(base).decompress(result.read_bytes()).color.shape == (128, 160, 3)


@pytest.mark.parametrize(
    ("options", "says", "code"),
    [
        (["--denoise", "--inpaint", "mask.png"], "--denoise and --inpaint exclude each other", 2),
        (["--denoise", "--target-psnr", "30"], "no PSNR to aim at", 2),
        (["--denoise", "--effort", "1"], "--effort compares with the picture as it is", 2),
        (["--denoise", "--psnr"], "--psnr compares with the picture as it is", 2),
        (["--inpaint", "mask.png", "--target-size", "9KB"], "no size", 2),
        (["--inpaint", "mask.png", "--encoder", "inpaint.safetensors"], "the mask has 5x4 pixels, the picture 64x64", 2),
        (["--encoder", "inpaint.safetensors"], "a mask of missing pixels goes with an encoder that inpaints", 2),
        (["--inpaint", "none.png"], "none.png", 2),
        (["--encoder", "mask.png"], "encoder mask.png: not an encoder file of aecodec", 4),
    ],
)
def test_faults_are_one_clear_line(
    options: list[str], says: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    untrained("inpaint", tmp_path)
    Image.new("L", (5, 4)).save("mask.png")
    Image.new("RGB", (64, 64)).save("x.png")
    assert main(["compress", "x.png", *options]) == code
    assert says in capsys.readouterr().err
    assert not Path("x.aec").exists()


@pytest.mark.parametrize(("kind", "corruption"), [("denoise", "strokes:10"), ("inpaint", "gaussian:10")])
def test_tasks_are_told_what_they_can_restore(kind: Kind, corruption: str) -> None:
    with pytest.raises(UsageError, match="missing"):
        RestorationConfig(kind, [corruption])


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_encoders_belong_to_the_shipped_model(kind: Kind) -> None:
    assert Encoder.load(shipped(kind)).model == Weights.load().fingerprint
    assert Encoder.load(shipped(kind)).kind == kind
    assert shipped(kind).stat().st_size < 4_000_000


def test_denoising_makes_a_smaller_file_that_is_nearer_to_the_clean_picture() -> None:
    clean = np.asarray(Image.open(DATA / "kodim23.png").convert("RGB"))[:256, :256]
    noisy = corrupt(clean, [parse("gaussian:25")], np.random.default_rng(0)).pixels
    plain, denoised = Codec().compress(noisy), Codec(encoder="denoise").compress(noisy)
    assert len(denoised) < len(plain) / 3
    before, after = (psnr(Codec().decompress(data).color, clean) for data in (plain, denoised))
    assert after > before + 4


def test_inpainting_fills_in_what_was_there() -> None:
    clean = np.asarray(Image.open(DATA / "kodim23.png").convert("RGB"))[100:356, 100:356]
    missing = corrupt(clean, [parse("crosshair:6")], np.random.default_rng(0)).missing
    damaged = np.where(missing[:, :, None], np.uint8(255), clean)
    shown = Codec().decompress(Codec(encoder="inpaint").compress(damaged, missing=missing)).color
    assert psnr(shown[missing], clean[missing]) > 19.5 > 10 + psnr(damaged[missing], clean[missing])
