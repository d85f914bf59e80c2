"""The correction: what a file says of it is what is applied, it is there only where it pays, and no tile shows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from aecodec import Codec, FormatError
from aecodec.arrays import Array
from aecodec.coding.correction import LONGEST, PAIRS, PRECISIONS, RADIUS, STRIP, Correction, Fit
from aecodec.coding.grid import Grid
from aecodec.coding.latents import LatentRows
from aecodec.format import container
from aecodec.model.quality import LMBDA_MAX, lmbda_of_level, node_weights
from aecodec.picture.pixels import to_8bit
from aecodec.search.target import psnr

DATA = Path(__file__).parent / "data"
LMBDA = 0.02
OVERHEAD = container.CHUNK_OVERHEAD

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@st.composite
def corrections(draw: st.DrawFn, largest: int = 200) -> Correction:
    """Of gray and of color, never longer than the limit."""
    channels = draw(st.sampled_from([1, 3]))
    value = st.integers(-largest, largest)
    weights = draw(arrays.arrays(np.int32, (2 * channels, len(PAIRS) * channels), elements=value, fill=st.just(0) | value))
    return Correction(weights, draw(st.sampled_from(PRECISIONS)))


def assert_same(one: Correction, other: Correction) -> None:
    assert one.precision == other.precision
    np.testing.assert_array_equal(one.weights, other.weights)


def some(seed: int = 0, channels: int = 3, size: int = 3) -> Correction:
    """Weights near `size` / 2^5."""
    rng = np.random.default_rng(seed)
    return Correction(rng.integers(-size, size + 1, (2 * channels, len(PAIRS) * channels)).astype(np.int32), 5)


def texture(height: int, width: int, channels: int = 3, seed: int = 0) -> Array:
    """Nearly flat to the left, busy to the right, in [0, 1]."""
    x = np.random.default_rng(seed).random((channels, height, width), np.float32) - np.float32(0.5)
    return np.float32(0.5) + x * np.geomspace(0.01, 1, width, dtype=np.float32)


def everything(x: Array) -> tuple[slice, slice]:
    return slice(0, x.shape[1]), slice(0, x.shape[2])


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(threads=1)


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return np.asarray(Image.open(DATA / "motorcycles.png").convert("RGB"))


def correction_of(codec: Codec, data: bytes) -> Correction:
    content = container.read(data, codec.limits)
    assert content.correction is not None
    return Correction.from_bytes(content.correction, 1 if content.header.mode.startswith("L") else 3)


# Bytes.


@given(corrections())
def test_corrections_survive_the_round_trip(correction: Correction) -> None:
    channels = len(correction.weights) // 2
    assert_same(Correction.from_bytes(correction.to_bytes(), channels), correction)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_weights_of_zero_take_a_bit_each(precision: int, channels: int) -> None:
    nothing = Correction(np.zeros((2 * channels, len(PAIRS) * channels), np.int32), precision)
    data = nothing.to_bytes()
    assert len(data) == -(-(4 + 2 * channels * (3 + len(PAIRS) * channels)) // 8)
    assert_same(Correction.from_bytes(data, channels), nothing)


@settings(max_examples=300)
@given(st.binary(max_size=200) | corrections().map(Correction.to_bytes), st.integers(0, 3000), st.sampled_from([1, 3]))
def test_hostile_bytes_are_refused_or_mean_what_they_are_written_as(data: bytes, at: int, channels: int) -> None:
    changed = bytearray(data)
    if changed:
        changed[at // 8 % len(changed)] ^= 1 << at % 8
    try:
        found = Correction.from_bytes(bytes(changed), channels)
    except FormatError:
        return
    again = found.to_bytes()
    assert len(again) <= len(changed)
    assert_same(Correction.from_bytes(again, channels), found)


VALID = some().to_bytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the chunk ends inside it"),
        (VALID[:-1], "the chunk ends inside it"),
        (b"\x51", "the chunk ends inside it"),  # in the bits of a weight
        (b"\x5f\xff\xff", "the chunk ends inside it"),  # in its ones
        (VALID + b"\x00", "bits are left over"),
        (bytes([VALID[0] & 15]) + VALID[1:], "precision is 0, allowed 3..12"),
        (bytes([VALID[0] | 0xF0]) + VALID[1:], "precision is 15, allowed 3..12"),
        (bytes(LONGEST + 1), f"{LONGEST + 1} bytes, limit {LONGEST}"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=f"correction: {message}"):
        Correction.from_bytes(data, 3)


def test_the_bits_after_the_last_weight_must_be_zero() -> None:
    data = Correction(np.zeros((6, 24), np.int32), 5).to_bytes()  # 166 bits in 21 bytes
    for bit in (1, 2):
        with pytest.raises(FormatError, match="bits are left over"):
            Correction.from_bytes(data[:-1] + bytes([data[-1] | bit]), 3)


# The filter.


def plain(payload: bytes, x_hat: Array, lmbda: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Section "Correction" of docs/format.md, line by line."""
    bits = iter("".join(f"{byte:08b}" for byte in payload))

    def number(length: int) -> int:
        return int("0" + "".join(next(bits) for _ in range(length)), 2)

    def weight(k: int) -> int:
        n = 0
        while next(bits) == "1":
            n += 1
        n = (n << k) + number(k)
        return n // 2 if n % 2 == 0 else -(n + 1) // 2

    channels, height, width = x_hat.shape
    x = np.pad(x_hat.astype(np.float64), ((0, 0), (2, 2), (2, 2)), mode="edge")

    def at(channel: int, row: int, column: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return x[channel, 2 + row : 2 + row + height, 2 + column : 2 + column + width]

    brightness = np.stack([np.mean([at(c, i, j) for c in range(channels)], 0) for i in range(-2, 3) for j in range(-2, 3)])
    activity = brightness.var(0) / (brightness.var(0) + 0.15 / (lmbda * 255**2))
    pairs = [(0, 1), (1, -1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 2), (2, -2)]
    d = [(at(c, i, j) + at(c, -i, -j)) / 2 - at(c, 0, 0) for c in range(channels) for i, j in pairs]
    unit = 2.0 ** -number(4)
    out = []
    for channel in range(channels):
        result = at(channel, 0, 0)
        for factor in (1, activity):
            k = number(3)
            result = result + factor * sum(weight(k) * unit * difference for difference in d)
        out.append(result)
    return np.stack(out)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2), (40, 33), (2 * STRIP + 5, 17)])
def test_a_plain_reading_of_the_specification_gives_the_same_pixels(height: int, width: int, channels: int) -> None:
    x_hat, correction = texture(height, width, channels), some(1, channels)
    corrected = correction.apply(x_hat, LMBDA, *everything(x_hat))
    np.testing.assert_allclose(corrected, plain(correction.to_bytes(), x_hat, LMBDA), atol=1e-4)


def test_weights_of_zero_change_nothing() -> None:
    x_hat = texture(30, 40)
    np.testing.assert_array_equal(some(size=0).apply(x_hat, LMBDA, *everything(x_hat)), x_hat)


SIDE = 2 * STRIP + 9
spans = (
    st.tuples(st.integers(0, SIDE), st.integers(0, SIDE)).filter(lambda span: span[0] < span[1]).map(lambda span: slice(*span))
)


@settings(max_examples=60)
@given(spans, spans, st.sampled_from([1, 3]))
def test_a_part_is_corrected_as_it_is_in_the_whole(rows: slice, columns: slice, channels: int) -> None:
    x_hat, correction = texture(SIDE, SIDE, channels), some(2, channels)
    whole = correction.apply(x_hat, LMBDA, *everything(x_hat))
    np.testing.assert_allclose(correction.apply(x_hat, LMBDA, rows, columns), whole[:, rows, columns], atol=1e-5)


def test_a_pixel_hears_of_nothing_further_than_the_radius() -> None:
    x_hat, correction = texture(40, 40), some(3)
    before = correction.apply(x_hat, LMBDA, *everything(x_hat))
    x_hat[:, 20, 20] += 0.5
    changed = np.argwhere((correction.apply(x_hat, LMBDA, *everything(x_hat)) != before).any(0))
    assert (changed.min(0) == 20 - RADIUS).all()
    assert (changed.max(0) == 20 + RADIUS).all()


# What is found.


@pytest.mark.parametrize("channels", [1, 3])
def test_a_filter_that_made_the_picture_is_found(channels: int) -> None:
    x_hat, truth = texture(300, 300, channels), some(4, channels)
    x = truth.apply(x_hat, LMBDA, *everything(x_hat))
    fit = Fit(LMBDA, channels)
    fit.add(x_hat, x, *everything(x_hat))
    found = fit.solve(OVERHEAD)
    assert found is not None
    assert_same(found, truth)


def test_channels_that_are_equal_are_no_obstacle() -> None:
    rng = np.random.default_rng(0)
    x_hat = np.repeat(rng.random((1, 256, 256), dtype=np.float32), 3, axis=0)
    fit = Fit(LMBDA_MAX, channels=3)  # the Gram matrix is singular, and its rounding errors weigh most
    fit.add(x_hat, x_hat + rng.normal(0, 0.01, x_hat.shape).astype(np.float32), slice(0, 256), slice(0, 256))
    assert fit.solve(overhead=6) is None


def test_what_is_added_in_parts_is_found_as_in_the_whole() -> None:
    x_hat = texture(300, 300)
    x = some(5).apply(x_hat, LMBDA, *everything(x_hat))
    whole, parts = Fit(LMBDA, 3), Fit(LMBDA, 3)
    whole.add(x_hat, x, *everything(x_hat))
    for rows in (slice(0, 137), slice(137, 300)):
        for columns in (slice(0, 161), slice(161, 300)):
            parts.add(x_hat, x, rows, columns)
    one, other = whole.solve(OVERHEAD), parts.solve(OVERHEAD)
    assert one is not None
    assert other is not None
    assert_same(one, other)


@given(st.integers(0, 1000), st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 3]), st.sampled_from([0.001, 0.05, 0.8]))
def test_what_is_found_gains_more_than_it_costs(seed: int, height: int, width: int, channels: int, lmbda: float) -> None:
    x_hat = texture(height, width, channels, seed)
    x = some(seed, channels, size=1).apply(x_hat, LMBDA, *everything(x_hat))
    x += np.random.default_rng(seed).normal(0, 0.02, x.shape).astype(np.float32)
    fit = Fit(lmbda, channels)
    fit.add(x_hat, x, *everything(x_hat))
    found = fit.solve(OVERHEAD)
    if found is not None:
        after = found.apply(x_hat, lmbda, *everything(x_hat))
        gain = np.square(x_hat - x, dtype=np.float64).mean(0).sum() - np.square(after - x, dtype=np.float64).mean(0).sum()
        assert lmbda * 255**2 * gain > 8 * (OVERHEAD + len(found.to_bytes()))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("noise", [0, 1])
def test_nothing_is_sent_where_nothing_is_gained(noise: float, channels: int) -> None:
    """Not for a picture that is exact, nor for errors that no neighbour tells of, of the size that errors have."""
    x_hat = texture(128, 128, channels)
    deviation = noise / (LMBDA**0.5 * 255)
    x = x_hat + np.random.default_rng(0).normal(0, deviation, x_hat.shape).astype(np.float32)
    fit = Fit(LMBDA, channels)
    fit.add(x_hat, x, *everything(x_hat))
    assert fit.solve(OVERHEAD) is None


# Files.


def cost(codec: Codec, image: Pixels, data: bytes, quality: float) -> float:
    """R + λ·255²·MSE of a file, in bits."""
    error = np.square(codec.decompress(data).color.astype(float) - image).mean()
    lmbda = lmbda_of_level(codec.weights.level(round(quality * 100)))
    return 8 * len(data) + lmbda * image.shape[0] * image.shape[1] * float(error)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("name", ["face", "fence", "motorcycles"])
def test_a_correction_never_costs_more_than_it_gains(codec: Codec, name: str, mode: str) -> None:
    image = np.asarray(Image.open(DATA / f"{name}.png").convert(mode))
    for quality in (5, 40, 75, 95):
        without, corrected = (codec.compress(image, quality=quality, effort=effort) for effort in (0, 1))
        # the fit doesn't know that pixels are rounded
        assert cost(codec, image, corrected, quality) <= 1.0005 * cost(codec, image, without, quality)


@pytest.mark.parametrize("name", ["face", "fence", "motorcycles"])
def test_files_are_smaller_at_equal_fidelity(codec: Codec, name: str) -> None:
    image = np.asarray(Image.open(DATA / f"{name}.png").convert("RGB"))
    corrected = codec.compress(image, quality=75, effort=1)
    files = [codec.compress(image, quality=quality, effort=0) for quality in (74, 76, 78)]
    fidelity = [psnr(codec.decompress(data).color, image) for data in files]
    found = psnr(codec.decompress(corrected).color, image)
    assert fidelity[0] < found < fidelity[-1]
    assert len(corrected) < np.exp(np.interp(found, fidelity, [np.log(len(data)) for data in files]))


def test_no_effort_brings_no_correction_and_the_same_tiles(codec: Codec, photo: Pixels) -> None:
    without, corrected = (container.read(codec.compress(photo, quality=50, tile=128, effort=effort)) for effort in (0, 1))
    assert without.correction is None
    assert corrected.correction is not None
    assert without.tiles == corrected.tiles
    assert (without.header.effort, corrected.header.effort) == (0, 1)


def test_the_default_is_a_correction(codec: Codec, photo: Pixels) -> None:
    assert codec.compress(photo, quality=50) == codec.compress(photo, quality=50, effort=1)


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8), (1, 1, 3)])
def test_the_smallest_pictures_bring_none(codec: Codec, photo: Pixels, shape: tuple[int, ...]) -> None:
    picture = photo[:8, :8].reshape(-1)[: int(np.prod(shape))].reshape(shape)
    assert container.read(codec.compress(picture)).correction is None


@pytest.mark.parametrize("tile", [64, 128])
@pytest.mark.parametrize("gray", [False, True])
def test_tiles_with_a_correction_leave_no_seam(codec: Codec, photo: Pixels, tile: int, gray: bool) -> None:
    """Tile by tile it is what the correction makes of the synthesis of the whole picture, of a size that is no whole latent."""
    picture = photo[:205, :229, 1] if gray else photo[:205, :229]
    data = codec.compress(picture, quality=80, tile=tile)
    level = codec.weights.level(8000)
    grid = Grid(229, 205, tile)
    rows = LatentRows(codec.latent_coder, container.read(data).tiles, grid, level, tolerant=False)
    x_hat = codec.engine.run("g_s", rows.read((0, 0, *grid.latent_size))[None], node_weights(level))[0]
    x_hat = x_hat.mean(0, keepdims=True) if gray else x_hat
    whole = correction_of(codec, data).apply(x_hat, lmbda_of_level(level), slice(0, 205), slice(0, 229))
    shown = to_8bit(whole[0] if gray else whole.transpose(1, 2, 0))
    difference = np.abs(codec.decompress(data).color.astype(int) - shown)
    assert difference.max() <= 1
    assert (difference != 0).mean() < 1e-3
    assert not np.array_equal(codec.decompress(data).color, codec.decompress(without_correction(data)).color)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("region", [(0, 0, 1, 1), (228, 204, 1, 1), (60, 50, 100, 101), (63, 0, 2, 205), (127, 128, 102, 77)])
def test_a_region_is_corrected_as_in_the_whole(
    codec: Codec, photo: Pixels, region: tuple[int, int, int, int], gray: bool
) -> None:
    data = codec.compress(photo[:205, :229, 1] if gray else photo[:205, :229], quality=80, tile=64)
    assert correction_of(codec, data)
    x, y, width, height = region
    part = codec.decompress(data, region=region).color.astype(int)
    assert np.abs(part - codec.decompress(data).color[y : y + height, x : x + width]).max() <= 1


def without_correction(data: bytes) -> bytes:
    return container.write(replace(container.read(data), correction=None))


def test_a_correction_of_another_picture_is_applied_all_the_same(codec: Codec, photo: Pixels) -> None:
    """It is the file that says what is shown; the decoder knows nothing better."""
    data = codec.compress(photo[:100, :100], quality=50)
    stranger = container.write(replace(container.read(data), correction=some(6).to_bytes()))
    assert np.abs(codec.decompress(stranger).color.astype(int) - codec.decompress(data).color).max() > 20


# Damage.

NOTE = "the correction is damaged, colors and edges are not quite right"


def test_a_damaged_correction_is_refused_or_left_out_and_said(codec: Codec, photo: Pixels) -> None:
    data = codec.compress(photo, quality=50, tile=128)
    chunk = next(c for c in container.chunks(data) if c.type == container.CORRECTION)
    broken = bytearray(data)
    broken[chunk.start + 3] ^= 1
    with pytest.raises(FormatError, match=r"correction at byte .* checksum"):
        codec.decompress(bytes(broken))
    partial = codec.decompress(bytes(broken), allow_partial=True)
    assert partial.notes == (NOTE,)
    np.testing.assert_array_equal(partial.color, codec.decompress(without_correction(data)).color)
    broken = bytearray(data)
    broken[chunk.start - 2] ^= 128  # a type that readers skip
    assert codec.decompress(bytes(broken), allow_partial=True).notes == ("the file is damaged",)


@pytest.mark.parametrize("payload", [b"", b"\x00" * 30, some(channels=1).to_bytes()])
def test_a_malformed_correction_whose_checksum_holds_fares_no_better(codec: Codec, photo: Pixels, payload: bytes) -> None:
    data = container.write(replace(container.read(codec.compress(photo[:64, :64])), correction=payload))
    with pytest.raises(FormatError, match="correction: "):
        codec.decompress(data)
    assert codec.decompress(data, allow_partial=True).notes == (NOTE,)
