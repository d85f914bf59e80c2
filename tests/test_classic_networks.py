"""The presets are the architectures and recipes that they are named after."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from aecodec.classic.networks import Autoencoder
from aecodec.classic.presets import PRESETS, Architecture, Recipe
from aecodec.errors import UsageError

MNIST = (1, 28, 28)


def build(preset: str, shape: tuple[int, int, int] = MNIST) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(PRESETS[preset].architecture, shape).eval()


def count(network: nn.Module) -> int:
    """Weights as Keras counts them: with the running statistics of batch normalization."""
    return sum(tensor.numel() for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked"))


def shapes(network: nn.Sequential, x: torch.Tensor) -> list[tuple[int, ...]]:
    """What comes out of each layer that changes the shape."""
    seen = [tuple(x.shape[1:])]
    for layer in network:
        x = layer(x)
        if tuple(x.shape[1:]) != seen[-1]:
            seen.append(tuple(x.shape[1:]))
    return seen[1:]


COUNTS = {
    "vanilla": (784 * 64 + 64, 64 * 784 + 784),
    "multilayer": (784 * 128 + 128 + 128 * 64 + 64, 64 * 128 + 128 + 128 * 784 + 784),
    "sparse": (784 * 32 + 32, 32 * 784 + 784),
    "dense-denoise": (100_480 + 8_256 + 2_080, 2_112 + 8_320 + 101_136),
    "conv": (160 + 1_160 + 584, 584 + 584 + 1_168 + 145),
    "conv-denoise": (320 + 9_248, 9_248 + 9_248 + 289),
    "conv-denoise-resize": (320 + 9_248 + 4_624, 2_320 + 4_640 + 9_248 + 289),
    "conv-denoise-bn": (93_568, 92_943),
}


def test_counts_are_given_for_all_presets() -> None:
    assert COUNTS.keys() == PRESETS.keys()


@pytest.mark.parametrize("preset", COUNTS)
def test_parameters_are_as_many_as_in_the_source(preset: str) -> None:
    model = build(preset)
    assert (count(model.encoder), count(model.decoder)) == COUNTS[preset]


@pytest.mark.parametrize(
    ("preset", "encoder", "decoder"),
    [
        ("vanilla", [(784,), (64,)], [(784,), MNIST]),
        ("multilayer", [(784,), (128,), (64,)], [(128,), (784,), MNIST]),
        ("sparse", [(784,), (32,)], [(784,), MNIST]),
        ("dense-denoise", [(784,), (128,), (64,), (32,)], [(64,), (128,), (784,), MNIST]),
        (
            "conv",
            [(16, 28, 28), (16, 14, 14), (8, 14, 14), (8, 7, 7), (8, 4, 4)],
            [(8, 8, 8), (8, 16, 16), (16, 14, 14), (16, 28, 28), MNIST],
        ),
        (
            "conv-denoise",
            [(32, 28, 28), (32, 14, 14), (32, 7, 7)],
            [(32, 14, 14), (32, 28, 28), MNIST],
        ),
        (
            "conv-denoise-resize",
            [(32, 28, 28), (32, 14, 14), (32, 7, 7), (16, 7, 7), (16, 4, 4)],
            [(16, 7, 7), (16, 14, 14), (32, 14, 14), (32, 28, 28), MNIST],
        ),
        (
            "conv-denoise-bn",
            [(32, 28, 28), (32, 14, 14), (64, 12, 12), (64, 6, 6), (128, 4, 4)],
            [(64, 6, 6), (64, 12, 12), (32, 14, 14), (32, 28, 28), MNIST],
        ),
    ],
)
def test_images_pass_the_shapes_of_the_source(preset: str, encoder: list[object], decoder: list[object]) -> None:
    model = build(preset)
    x = torch.rand(2, *MNIST)
    assert shapes(model.encoder, x) == encoder
    assert model.code_shape == encoder[-1]
    assert shapes(model.decoder, model.encoder(x)) == decoder


RECIPES = {
    "vanilla": Recipe("mse", 5, 128, "adam", 1e-3),
    "multilayer": Recipe("mse", 5, 128, "adam", 1e-3),
    "sparse": Recipe("mse", 15, 128, "adam", 1e-3, activity=1e-4),
    "dense-denoise": Recipe("mse", 200, 128, "adam", 1e-3, noise=0.5),
    "conv": Recipe("bce", 3, 128, "adadelta", 1e-3),
    "conv-denoise": Recipe("bce", 3, 128, "adadelta", 1e-3, noise=0.5),
    "conv-denoise-resize": Recipe("bce", 100, 200, "adam", 1e-3, noise=0.5),
    "conv-denoise-bn": Recipe("mse", 20, 64, "adam", 3e-6, beta1=0.99, noise=0.1),
}


def test_recipes_are_those_of_the_sources() -> None:
    assert {name: preset.recipe for name, preset in PRESETS.items()} == RECIPES


def test_tuned_recipes_take_the_same_epochs_and_batches_to_the_same_loss() -> None:
    tuned = {name: preset for name, preset in PRESETS.items() if preset.tuned}
    assert tuned.keys() == {"conv", "conv-denoise", "conv-denoise-bn"}
    for preset in tuned.values():
        given, better = preset.recipe, preset.tuned
        assert better is not None
        assert (better.epochs, better.batch, better.loss, better.noise) == (given.epochs, given.batch, given.loss, given.noise)


def test_layers_start_as_keras_starts_them() -> None:
    glorot = build("vanilla").encoder[1]
    he = build("dense-denoise").encoder[1]
    assert isinstance(glorot, nn.Linear)
    assert isinstance(he, nn.Linear)
    assert glorot.weight.abs().max().item() == pytest.approx((6 / (784 + 64)) ** 0.5, rel=1e-3)
    assert he.weight.std().item() == pytest.approx((2 / 784) ** 0.5, rel=0.01)
    assert not glorot.bias.any()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("shape", [(3, 28, 28), (1, 32, 32), (3, 48, 64), (1, 40, 28)])
def test_other_sizes_and_colors_come_back_in_their_size(preset: str, shape: tuple[int, int, int]) -> None:
    x = torch.rand(2, *shape)
    model = build(preset, shape)
    logits, code = model(x)
    assert logits.shape == x.shape
    assert tuple(code.shape[1:]) == model.code_shape


@pytest.mark.parametrize("preset", ["conv", "conv-denoise", "conv-denoise-resize", "vanilla"])
def test_padded_architectures_take_any_size(preset: str) -> None:
    for side in (9, 17, 27, 30):
        assert build(preset, (1, side, side + 1))(torch.rand(1, 1, side, side + 1))[0].shape == (1, 1, side, side + 1)


@pytest.mark.parametrize("side", [4, 27, 30])
def test_unpadded_architectures_name_the_sizes_that_they_take(side: int) -> None:
    with pytest.raises(UsageError, match=f"images of {side}x{side} .* multiples of 4 from about 28 on"):
        build("conv-denoise-bn", (1, side, side))


def test_reconstructions_are_in_range() -> None:
    model = build("conv")
    x_hat = model.decode(model.encoder(torch.rand(2, *MNIST)) * 1000)
    assert x_hat.min() >= 0
    assert x_hat.max() <= 1


def test_architectures_survive_json() -> None:
    architecture = PRESETS["conv"].architecture
    assert Architecture.from_dict(architecture.to_dict() | {"nodes": [16, 8]}) == architecture
