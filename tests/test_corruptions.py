"""Corruptions do what their numbers say, are repeatable, and holes are filled from around them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aecodec import FormatError, UsageError
from aecodec.picture.filling import fill, read_mask
from aecodec.training.corruptions import HOLES, NOISES, Corrupted, corrupt, parse

GRAY = np.full((128, 160, 3), 128, np.uint8)


def photo() -> np.ndarray:
    with Image.open(Path(__file__).parent / "data" / "kodim23.png") as image:
        return np.asarray(image.convert("RGB"))[100:260, 200:400]


def apply(text: str, pixels: np.ndarray = GRAY, seed: int = 0) -> Corrupted:
    return corrupt(pixels, [parse(text)], np.random.default_rng(seed))


def test_gaussian_noise_has_the_sigma_that_is_asked_for() -> None:
    noise = apply("gaussian:20").pixels.astype(float) - 128
    assert noise.std() == pytest.approx(20, rel=0.02)
    assert abs(noise.mean()) < 0.5


def test_noise_is_clipped_to_what_a_file_can_hold() -> None:
    noisy = apply("gaussian:40", np.zeros_like(GRAY)).pixels
    assert (noisy == 0).mean() == pytest.approx(0.5, abs=0.02)


def test_the_noise_of_a_sensor_grows_with_the_light() -> None:
    dark, bright = (apply("poisson:20", np.full_like(GRAY, level)).pixels.astype(float).std() for level in (60, 150))
    assert bright / dark == pytest.approx(np.sqrt((150 / 255 + 1 / 16) / (60 / 255 + 1 / 16)), rel=0.03)


def test_salt_and_pepper_hit_whole_pixels() -> None:
    noisy = apply("salt-pepper:30").pixels
    assert set(np.unique(noisy)) == {0, 128, 255}
    assert (noisy != 128).any(2).mean() == pytest.approx(0.3, abs=0.02)
    assert np.array_equal(noisy.min(2), noisy.max(2))


def test_jpeg_leaves_less_of_the_picture_at_lower_quality() -> None:
    original = photo().astype(float)
    errors = [np.square(apply(f"jpeg:{quality}", photo()).pixels - original).mean() for quality in (5, 30, 90)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2] > 0


@pytest.mark.parametrize(
    ("text", "least", "most"), [("strokes:25", 0.25, 0.32), ("rectangles:25", 0.25, 0.5), ("pixels:25", 0.22, 0.28)]
)
def test_as_much_is_missing_as_is_asked_for(text: str, least: float, most: float) -> None:
    for seed in range(3):
        assert least <= apply(text, seed=seed).missing.mean() <= most


def test_a_crosshair_is_two_lines_through_the_image() -> None:
    missing = apply("crosshair:5").missing
    rows, columns = missing.all(1), missing.all(0)
    assert (rows.sum(), columns.sum()) == (5, 5)
    assert np.array_equal(missing, rows[:, None] | columns)


def test_white_of_a_mask_image_is_missing(tmp_path: Path) -> None:
    mask = np.zeros(GRAY.shape[:2], np.uint8)
    mask[10:20, 30:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert np.array_equal(apply(f"mask:{tmp_path / 'mask.png'}").missing, mask > 0)
    assert np.array_equal(read_mask(tmp_path / "mask.png"), mask > 0)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(FormatError, match=r"mask .*broken\.png"):
        read_mask(tmp_path / "broken.png")


@pytest.mark.parametrize("name", [*NOISES, *HOLES])
def test_every_kind_repeats_itself_and_leaves_its_input_alone(name: str) -> None:
    pixels = photo()
    before = pixels.copy()
    first, again, other = (apply(f"{name}:20-30", pixels, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.missing, again.missing)
    assert not np.array_equal(first.pixels, other.pixels)
    assert np.array_equal(pixels, before)
    assert first.missing.any() == (name in HOLES)


def test_corruptions_are_composed_in_order_and_drawn_from_lists() -> None:
    steps = [parse("gaussian:20"), parse("strokes:20")]
    both = corrupt(GRAY, steps, np.random.default_rng(0))
    assert both.missing.any()
    assert both.pixels[~both.missing].std() == pytest.approx(20, rel=0.05)
    drawn = {apply("gaussian:30, salt-pepper:10", seed=seed).pixels.std() > 31 for seed in range(8)}
    assert drawn == {True, False}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("blur:3", "'blur' is unknown, possible are gaussian, poisson"),
        ("gaussian", "needs sigma in levels as a number or a range, like gaussian:20"),
        ("gaussian:x", "needs sigma"),
        ("jpeg:0-10", "quality must be within 1-100"),
        ("strokes:30-10", "must be within 0-80, and rise"),
        ("gaussian:nan", "must be within"),
    ],
)
def test_a_corruption_that_makes_no_sense_is_explained(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(text)


def test_known_pixels_stay_and_missing_ones_come_from_around_them() -> None:
    pixels = np.where(np.arange(160)[None, :, None] < 80, np.uint8(40), np.uint8(200)) + np.zeros_like(GRAY)
    missing = np.zeros(GRAY.shape[:2], np.bool_)
    missing[40:60, 20:50] = missing[90:110, 100:140] = True
    garbage = np.where(missing[:, :, None], np.uint8(7), pixels)
    filled = fill(garbage, missing)
    assert np.array_equal(filled[~missing], pixels[~missing])
    assert np.abs(filled.astype(int) - pixels).max() <= 8
    assert np.array_equal(fill(garbage[:, :, 0], missing), filled[:, :, 0])


def test_a_ramp_is_filled_in_smoothly() -> None:
    ramp = np.broadcast_to(np.arange(160, dtype=np.uint8)[None, :, None], (128, 160, 3)).copy()
    missing = np.random.default_rng(0).random((128, 160)) < 0.5
    missing[50:58] = True
    assert np.abs(fill(ramp, missing).astype(int) - ramp).mean() < 1.5


def test_a_picture_of_nothing_is_gray() -> None:
    assert np.unique(fill(np.zeros((5, 7, 3), np.uint8), np.ones((5, 7), np.bool_))) == [128]
