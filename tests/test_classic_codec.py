"""Classic autoencoders as codecs: what they write are ordinary .aec files, exact as far as the symbols."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from aecodec import Codec, FormatError, LimitError, Limits, ModelError, UsageError, info
from aecodec.classic import model as classic_model
from aecodec.classic.codec import CODER_ID, ClassicCodec
from aecodec.classic.codes import VALUES, CodeGrid
from aecodec.classic.images import Images
from aecodec.classic.networks import Autoencoder
from aecodec.classic.presets import PRESETS, Architecture
from aecodec.entropy.tables import TOTAL
from aecodec.format import container
from aecodec.picture.imageio import Picture

from .classic_images import Pixels, bars
from .plain_decoder import RangeDecoder, bounds_of


def codec(folder: Path, architecture: Architecture, shape: tuple[int, int, int] = (1, 28, 28)) -> ClassicCodec:
    """Of a model that has learned nothing but is as good as another to code with."""
    torch.manual_seed(0)
    noise = np.random.default_rng(0).integers(0, 256, (200, *shape), np.uint8)
    images = Images(torch.from_numpy(noise), ("",) * 200)
    classic_model.save(Autoencoder(architecture, shape).eval(), images, {}, folder / "model.safetensors")
    return ClassicCodec(folder)


@pytest.fixture(scope="module")
def conv(tmp_path_factory: pytest.TempPathFactory) -> ClassicCodec:
    return codec(tmp_path_factory.mktemp("conv"), PRESETS["conv"].architecture)


@pytest.fixture(scope="module")
def rgb(tmp_path_factory: pytest.TempPathFactory) -> ClassicCodec:
    return codec(tmp_path_factory.mktemp("rgb"), Architecture("dense", (), 12), (3, 12, 20))


def digit(seed: int = 0) -> Pixels:
    image: Pixels = bars(1, seed)[0][0]
    return image


def color(seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (12, 20, 3), np.uint8)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_compresses(preset: str, tmp_path: Path) -> None:
    coder = codec(tmp_path, PRESETS[preset].architecture)
    data = coder.compress(digit(), quality=80)
    picture = coder.decompress(data)
    assert picture.color.shape == (28, 28)
    assert info(data).coder == CODER_ID


def test_the_finest_quality_is_the_autoencoder_itself_within_a_level_or_two(conv: ClassicCodec) -> None:
    model = conv.weights.model
    with torch.no_grad():
        x_hat = model.decode(model.encoder(torch.from_numpy(digit()[None, None]) / 255))[0, 0].numpy()
    decoded = conv.decompress(conv.compress(digit(), quality=100)).color
    assert np.abs(decoded - x_hat * 255).max() < 2.6


def test_lower_quality_takes_fewer_bytes_and_loses_more_of_the_code(conv: ClassicCodec) -> None:
    best = conv.decompress(conv.compress(digit(), quality=100)).color.astype(int)
    files = [conv.compress(digit(), quality=quality) for quality in (0, 30, 60, 100)]
    sizes = [len(file) for file in files]
    errors = [np.abs(conv.decompress(file).color - best).mean() for file in files]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    assert errors == sorted(errors, reverse=True)


def test_the_table_is_fitted_so_typical_codes_take_less_than_their_plain_bits(conv: ClassicCodec) -> None:
    data = conv.compress(np.random.default_rng(5).integers(0, 256, (28, 28), np.uint8), quality=100)
    (tile,) = container.read(data).tiles
    assert tile is not None
    assert len(tile) < 8 * 4 * 4 * np.log2(VALUES) / 8


def test_alpha_metadata_and_regions_are_those_of_any_file(rgb: ClassicCodec) -> None:
    alpha = np.arange(240, dtype=np.uint8).reshape(12, 20)
    whole = rgb.decompress(rgb.compress(Picture(color(), alpha, {"xmp": b"<x/>"})))
    np.testing.assert_array_equal(whole.alpha, alpha)
    assert whole.metadata == {"xmp": b"<x/>"}
    part = rgb.decompress(rgb.compress(Picture(color(), alpha)), region=(3, 2, 7, 5))
    np.testing.assert_array_equal(part.color, whole.color[2:7, 3:10])
    np.testing.assert_array_equal(part.alpha, alpha[2:7, 3:10])
    with pytest.raises(UsageError, match="region"):
        rgb.decompress(rgb.compress(color()), region=(15, 0, 6, 1))


def test_a_correction_is_refused(rgb: ClassicCodec) -> None:
    content = container.read(rgb.compress(color()))
    assert content.correction is None
    data = container.write(replace(content, correction=b"correction"))
    for allow_partial in (False, True):
        with pytest.raises(FormatError, match="correction: a classic autoencoder knows none"):
            rgb.decompress(data, allow_partial=allow_partial)


def test_gray_passes_a_model_of_colors_and_stays_gray(rgb: ClassicCodec) -> None:
    assert rgb.decompress(rgb.compress(color()[:, :, 0])).color.shape == (12, 20)
    assert rgb.decompress(rgb.compress(color())).color.shape == (12, 20, 3)


@pytest.mark.parametrize(
    ("picture", "options", "message"),
    [
        (np.zeros((28, 27), np.uint8), {}, "27x28 pixels, this model codes images of 28x28"),
        (np.zeros((28, 28, 3), np.uint8), {}, "mode is RGB, this model codes gray"),
        (digit(), {"quality": 101}, "quality is 101"),
        (digit(), {"missing": np.ones((28, 28), bool)}, "not with a classic autoencoder"),
    ],
)
def test_what_the_model_cannot_code_is_said(
    picture: Pixels, options: dict[str, object], message: str, conv: ClassicCodec
) -> None:
    with pytest.raises(UsageError, match=message):
        conv.compress(picture, **options)  # type: ignore[arg-type]


def test_limits_hold(conv: ClassicCodec) -> None:
    with pytest.raises(LimitError):
        ClassicCodec(conv.model_path, limits=Limits(pixels=700)).compress(digit())
    with pytest.raises(LimitError):
        ClassicCodec(conv.model_path, limits=Limits(side=27)).decompress(conv.compress(digit()))


def test_another_model_says_which_one_is_missing(conv: ClassicCodec, rgb: ClassicCodec) -> None:
    data = conv.compress(digit())
    fingerprint = conv.weights.fingerprint.hex()
    for other in (rgb, Codec()):
        with pytest.raises(ModelError, match=f"written with model {fingerprint}, this is {other.weights.fingerprint.hex()}"):
            other.decompress(data)
    with pytest.raises(ModelError, match="written with model"):
        conv.decompress(Codec().compress(digit()))


def with_header(data: bytes, **changes: object) -> bytes:
    content = container.read(data)
    return container.write(replace(content, header=replace(content.header, **changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 29}, "29x28 pixels"),
        ({"mode": "RGB"}, "mode is RGB"),
        ({"coder": 1}, "coder is 1, classic models have 2"),
    ],
)
def test_headers_that_do_not_fit_the_model_are_refused(changes: dict[str, object], message: str, conv: ClassicCodec) -> None:
    with pytest.raises(FormatError, match=message):
        conv.decompress(with_header(conv.compress(digit()), **changes))


def test_damage_is_found_or_shown_gray_where_asked(conv: ClassicCodec) -> None:
    data = bytearray(conv.compress(digit()))
    (tile,) = (chunk for chunk in container.chunks(bytes(data)) if chunk.type == container.TILE)
    data[tile.start] ^= 1
    with pytest.raises(FormatError, match="checksum"):
        conv.decompress(bytes(data))
    shown = conv.decompress(bytes(data), allow_partial=True)
    assert (shown.color == 128).all()
    assert shown.notes == ("the image is damaged, shown gray",)


def test_any_bytes_for_a_tile_decode_or_are_refused(conv: ClassicCodec) -> None:
    content = container.read(conv.compress(digit()))
    rng = np.random.default_rng(0)
    for length in range(0, 120, 3):
        tile = rng.integers(0, 256, length, np.uint8).tobytes()
        with suppress(FormatError):
            conv.decompress(container.write(replace(content, tiles=[tile])))


@pytest.mark.parametrize("quality", [0, 37, 74.5, 100])
def test_the_specification_is_enough_to_read_the_symbols(quality: float, conv: ClassicCodec) -> None:
    """docs/format.md, section "Coder 2", line by line in plain integers."""
    data = conv.compress(digit(), quality=quality)
    tensors = safetensors.numpy.load_file(conv.model_path / "model.safetensors")
    counts = tensors["code.counts"].tolist()
    (tile,) = container.read(data).tiles
    assert tile is not None
    d = int(tensors["code.divisors"][(container.read_header(data).quality + 50) // 100])
    merged = [(s + d // 2) // d for s in range(127)]
    decoder = RangeDecoder(tile)
    symbols = []
    for row in counts:
        sums = [sum(k for k, m in zip(row, merged, strict=True) if m == n) for n in range(merged[126] + 1)]
        table = [1 + k * (65536 - merged[126] - 1) // sum(sums) for k in sums]
        table[sums.index(max(sums))] += 65536 - sum(table)
        bounds = bounds_of(table)
        symbols.append([decoder.symbol(bounds) for _ in range(4 * 4)])
    assert decoder.finished()
    code = (np.array(symbols) * d + tensors["code.offset"][:, None]) * tensors["code.step"]
    with torch.no_grad():
        x_hat = conv.weights.model.decode(torch.from_numpy(code.astype(np.float32)).view(1, 8, 4, 4))[0, 0].numpy()
    assert np.abs(conv.decompress(data).color - x_hat * 255).max() < 0.51


def test_a_grid_holds_what_it_was_fitted_on_to_half_a_step() -> None:
    rng = np.random.default_rng(1)
    codes = np.maximum(rng.normal(0, [1, 5, 0.1], (400, 3)), -2).astype(np.float32)
    grid = CodeGrid.fit(codes)
    for quality in (100, 50, 0):
        symbols = grid.quantise(codes.T, quality)
        assert symbols.min() >= 0
        assert symbols.max() < grid.tables(quality).shape[1]
        error = np.abs(grid.dequantise(symbols, quality) - codes.T).max()
        assert error <= grid.step * (grid.divisors[quality] / 2 + 0.51)


def test_zero_stays_zero_at_every_quality() -> None:
    codes = np.maximum(np.random.default_rng(1).normal(0, 1, (300, 4)), 0).astype(np.float32)
    grid = CodeGrid.fit(codes)
    for quality in range(0, 101, 10):
        zero = np.zeros((4, 1), np.float32)
        np.testing.assert_array_equal(grid.dequantise(grid.quantise(zero, quality), quality), zero)


def test_codes_beyond_the_grid_are_clipped() -> None:
    grid = CodeGrid.fit(np.linspace(-1, 1, 50, dtype=np.float32)[:, None])
    symbols = grid.quantise(np.array([[-1e9, 1e9]], np.float32), 100)
    np.testing.assert_allclose(grid.dequantise(symbols, 100), [[-1, 1]], atol=2 * grid.step)


@pytest.mark.parametrize("codes", [np.zeros((5, 3), np.float32), np.ones((1, 2, 4, 4), np.float32)], ids=["zero", "one"])
def test_constant_codes_cost_next_to_nothing(codes: np.ndarray) -> None:  # type: ignore[type-arg]
    frequencies = CodeGrid.fit(codes).tables(100)
    assert (frequencies.max(1) > 0.99 * TOTAL).all()


def test_tables_are_whole_numbers_that_make_a_table() -> None:
    grid = CodeGrid.fit(np.random.default_rng(0).normal(size=(1000, 6)).astype(np.float32))
    for quality in range(101):
        frequencies = grid.tables(quality)
        assert frequencies.dtype == np.int64
        assert frequencies.min() >= 1
        assert (frequencies.sum(1) == TOTAL).all()


def test_a_grid_survives_its_file_and_bad_ones_are_refused() -> None:
    grid = CodeGrid.fit(np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32))
    again = CodeGrid.load(grid.tensors())
    assert again.step == grid.step
    np.testing.assert_array_equal(again.counts, grid.counts)
    np.testing.assert_array_equal(again.offset, grid.offset)
    for name, bad in {"step": np.zeros(1, np.float32), "divisors": np.zeros(101, np.uint8), "counts": np.zeros((6, 3))}.items():
        with pytest.raises(ModelError, match="code: "):
            CodeGrid.load({**grid.tensors(), f"code.{name}": bad})
