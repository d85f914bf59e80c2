"""The classic autoencoders learn as their recipes say, go on exactly where they were stopped, and give codes that are of use."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aecodec.classic import model as classic_model
from aecodec.classic.files import is_classic
from aecodec.classic.images import Images, load
from aecodec.classic.model import TrainedModel
from aecodec.classic.networks import Autoencoder
from aecodec.classic.presets import PRESETS, Architecture, Recipe
from aecodec.classic.task import ClassicTask, psnr, reconstruction_loss, to_pixels, train_config
from aecodec.errors import ModelError
from aecodec.training.loop import Run, train

from .classic_images import bars, mnist_folder

SMALL = Architecture("dense", (32,), 8)
WIDER = Architecture("dense", (64,), 20)
RECIPE = Recipe("mse", epochs=4, batch=50, learning_rate=3e-3)


def images(count: int, seed: int = 0) -> Images:
    pixels, labels = bars(count, seed)
    return Images(torch.from_numpy(pixels)[:, None], tuple(map(str, range(count))), labels)


def task(recipe: Recipe = RECIPE, architecture: Architecture = SMALL, count: int = 230) -> ClassicTask:
    torch.manual_seed(0)
    return ClassicTask(Autoencoder(architecture, (1, 28, 28)), recipe, images(count, 1), images(40, 2), Path("bars"))


def run(folder: Path, recipe: Recipe = RECIPE, architecture: Architecture = SMALL) -> Run[Autoencoder]:
    learned = task(recipe, architecture)
    return train(learned, folder, train_config(recipe, len(learned.training)), progress=False)


def weights_of(model: Autoencoder) -> torch.Tensor:
    return torch.cat([tensor.detach().flatten().double() for tensor in model.state_dict().values()])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A model that has learned bars."""
    folder = tmp_path_factory.mktemp("run")
    recipe = replace(RECIPE, epochs=100)
    finished = run(folder, recipe, WIDER)
    classic_model.save(finished.average, images(230, 1), asdict(recipe), folder / "model.safetensors")
    return TrainedModel.load(folder)


def test_every_epoch_takes_every_image_once_in_another_order() -> None:
    learned = task()
    assert learned.steps_per_epoch == 5
    epochs = [[name for step in range(start, start + 5) for name in learned.batch(step).names] for start in (0, 5)]
    assert [sorted(names, key=int) for names in epochs] == [list(learned.training.names)] * 2
    assert epochs[0] != epochs[1]


def test_a_batch_is_a_function_of_its_step_with_noise_and_all() -> None:
    noisy = replace(RECIPE, noise=0.5)
    learned, again = task(noisy), task(noisy)
    again.batch(9)
    for step in (3, 7):
        first, second = learned.batch(step), again.batch(step)
        assert torch.equal(first.inputs, second.inputs)
        assert list(first.names) == list(second.names)
    assert not torch.equal(learned.batch(3).inputs, learned.batch(8).inputs)


def test_noise_is_on_the_input_only_of_its_deviation_and_clipped() -> None:
    learned = task(replace(RECIPE, noise=0.1, batch=200))
    batch = learned.batch(0)
    assert batch.inputs.min() == 0
    clean = torch.from_numpy(np.stack([images(230, 1).pixels[int(name), 0].numpy() for name in batch.names]))[:, None] / 255
    torch.testing.assert_close(batch.targets, clean)
    bright = batch.targets > 0.8  # 0.86: clipping at 1 takes a little of the noise
    noise = (batch.inputs - batch.targets)[bright]
    assert noise.std().item() == pytest.approx(0.095, abs=0.01)


@pytest.mark.parametrize(
    ("preset", "kind", "expected"),
    [
        ("vanilla", torch.optim.Adam, {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-7}),
        ("conv", torch.optim.Adadelta, {"lr": 1e-3, "rho": 0.95, "eps": 1e-7}),
        ("conv-denoise-bn", torch.optim.Adam, {"lr": 3e-6, "betas": (0.99, 0.999), "eps": 1e-7}),
    ],
)
def test_a_preset_is_trained_by_its_recipe_alone(preset: str, kind: type, expected: dict[str, object]) -> None:
    recipe = PRESETS[preset].recipe
    config = train_config(recipe, 60_000)
    optimizer = task(recipe, PRESETS[preset].architecture).optimizer(config.learning_rate)
    assert type(optimizer) is kind
    assert {name: optimizer.param_groups[0][name] for name in expected} == expected
    assert (config.warmup, config.decay, config.clip, config.ema) == (0, 0, 0, 0)
    assert config.steps == recipe.epochs * -(-60_000 // recipe.batch)
    assert config.validate_every % config.log_every == 0


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adadelta", "adam"])
def test_every_optimizer_takes_a_step(name: str, tmp_path: Path) -> None:
    before = weights_of(task().model)
    finished = run(tmp_path, replace(RECIPE, epochs=1, optimizer=name))  # type: ignore[arg-type]
    assert not torch.equal(weights_of(finished.model), before)


def test_losses_are_what_their_names_say() -> None:
    logits, targets = torch.randn(2, 1, 4, 4, dtype=torch.float64), torch.rand(2, 1, 4, 4, dtype=torch.float64)
    p = torch.sigmoid(logits)
    assert reconstruction_loss("mse", logits, targets).item() == pytest.approx(((p - targets) ** 2).mean().item())
    assert reconstruction_loss("l1", logits, targets).item() == pytest.approx((p - targets).abs().mean().item())
    entropy = -(targets * p.log() + (1 - targets) * (1 - p).log())
    assert reconstruction_loss("bce", logits, targets).item() == pytest.approx(entropy.mean().item())


def test_the_penalty_is_the_sum_of_the_code_averaged_over_the_batch() -> None:
    plain, sparse = task(), task(replace(RECIPE, activity=0.01))
    batch = plain.batch(0)
    code = plain.model.encoder(batch.inputs)
    expected = 0.01 * code.abs().sum().item() / len(code)
    assert expected > 0
    assert sparse.loss(batch)[0].item() - plain.loss(batch)[0].item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("preset", ["sparse", "conv", "conv-denoise", "conv-denoise-resize", "conv-denoise-bn", "dense-denoise"])
def test_every_architecture_learns(preset: str, tmp_path: Path) -> None:
    recipe = replace(PRESETS[preset].recipe, optimizer="adam", learning_rate=3e-3, beta1=0.9, epochs=4, batch=10)
    learned = task(recipe, PRESETS[preset].architecture, count=120)
    with torch.no_grad():
        before = learned.validate(learned.model.eval())
    finished = train(learned, tmp_path, train_config(recipe, 120), progress=False)
    assert learned.validate(finished.average)["val_loss"] < 0.75 * before["val_loss"]


def test_a_resumed_run_goes_on_exactly_as_if_never_stopped(tmp_path: Path) -> None:
    architecture, recipe = PRESETS["conv-denoise-bn"].architecture, replace(PRESETS["conv-denoise-bn"].recipe, epochs=2)
    whole = run(tmp_path / "whole", recipe, architecture)
    half = replace(train_config(recipe, 230), steps=3)
    train(task(recipe, architecture), tmp_path / "parts", half, progress=False)
    parts = run(tmp_path / "parts", recipe, architecture)
    assert parts.step == whole.step == 8
    torch.testing.assert_close(weights_of(parts.model), weights_of(whole.model), rtol=0, atol=0)
    torch.testing.assert_close(weights_of(parts.average), weights_of(whole.average), rtol=0, atol=0)


def test_a_run_leaves_its_curve_pictures_and_configuration(tmp_path: Path) -> None:
    run(tmp_path, replace(RECIPE, noise=0.3, epochs=9))
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["recipe"]["noise"] == 0.3
    assert config["model"] == {"kind": "dense", "nodes": [32], "code": 8, "he": False, "shape": [1, 28, 28]}
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert rows[0].split(",")[-3:] == ["val_loss", "val_psnr", "val_psnr_noisy"]
    assert rows[-1].startswith("45,")
    with Image.open(tmp_path / "samples.png") as grid:
        assert grid.width > 3 * 100
        assert grid.height > 8 * 100
    assert (tmp_path / "loss.png").stat().st_size < 100_000


def test_psnr_is_of_8_bit_images_each_by_itself() -> None:
    x = torch.zeros(2, 1, 10, 10)
    x_hat = x + torch.tensor([10 / 255, 10.4 / 255])[:, None, None, None]
    expected = 20 * np.log10(255 / 10)
    np.testing.assert_allclose(psnr(x_hat, x).numpy(), [expected, expected], rtol=1e-5)
    assert psnr(x, x).isfinite().all()


def test_pixels_are_rounded_and_clamped() -> None:
    image = torch.tensor([[[-1.0, 2.0, 0.5]]])
    assert to_pixels(image).tolist() == [[0, 255, 128]]
    assert to_pixels(image.expand(3, 1, 3)).shape == (1, 3, 3)


def test_a_saved_model_is_the_one_that_was_trained(trained: TrainedModel) -> None:
    assert is_classic(trained.path)
    assert is_classic(trained.path.parent)
    again = run(trained.path.parent, replace(RECIPE, epochs=100), WIDER)  # resumes at its end
    torch.testing.assert_close(weights_of(again.average), weights_of(trained.model), rtol=0, atol=0)
    assert trained.encode(images(7)).shape == (7, 20)


def test_errors_are_mean_squares_of_each_image(trained: TrainedModel) -> None:
    x = images(7).pixels.float() / 255
    with torch.no_grad():
        x_hat = trained.model.decode(trained.model.encoder(x))
    expected = [((x_hat[i] - x[i]) ** 2).mean().item() for i in range(7)]
    np.testing.assert_allclose(trained.errors(images(7)), expected, rtol=1e-4)


@pytest.mark.parametrize("damage", ["missing", "cut", "other", "shape"])
def test_what_is_no_model_is_refused_by_name(damage: str, trained: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    data = trained.path.read_bytes()
    if damage == "other":
        path.write_bytes((Path(__file__).parent.parent / "aecodec/weights/default.safetensors").read_bytes())
    elif damage == "shape":
        path.write_bytes(data.replace(b'\\"code\\": 20', b'\\"code\\": 21'))
    elif damage == "cut":
        path.write_bytes(data[:-5])
    assert is_classic(path) == (damage == "shape")
    with pytest.raises(ModelError, match=r"m\.safetensors"):
        TrainedModel.load(path)


def test_codes_cluster_and_classify_better_than_chance_and_nearly_as_well_as_pixels(trained: TrainedModel) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    linear = pytest.importorskip("sklearn.linear_model")
    known, new = images(230, 1), images(100, 5)
    codes, new_codes = trained.encode(known), trained.encode(new)
    groups = cluster.KMeans(12, n_init=3, random_state=0).fit_predict(new_codes)
    assert new.labels is not None
    purity = sum(np.bincount(new.labels[groups == g]).max() for g in np.unique(groups)) / len(new)
    assert purity > 0.8
    on_codes = linear.LogisticRegression(max_iter=2000).fit(codes, known.labels).score(new_codes, new.labels)
    pixels, new_pixels = (x.pixels.flatten(1).numpy() for x in (known, new))
    on_pixels = linear.LogisticRegression(max_iter=2000).fit(pixels, known.labels).score(new_pixels, new.labels)
    assert on_codes > on_pixels - 0.1


def test_images_of_another_kind_have_larger_errors(trained: TrainedModel) -> None:
    good = trained.errors(images(60, 7))
    strange = trained.errors(Images(images(60, 7).pixels.flip(3).roll(9, 2).maximum(images(60, 8).pixels), ("",) * 60))
    auc = (strange[:, None] > good[None]).mean()  # Mann–Whitney
    assert auc > 0.95


def test_a_preset_trains_from_files_on_disk(tmp_path: Path) -> None:
    found = load(mnist_folder(tmp_path, 60, 20))
    recipe = replace(PRESETS["vanilla"].recipe, epochs=1)
    torch.manual_seed(0)
    learned = ClassicTask(Autoencoder(PRESETS["vanilla"].architecture, found.shape), recipe, found, found, tmp_path)
    finished = train(learned, tmp_path / "run", train_config(recipe, len(found)), progress=False)
    assert finished.step == 1
