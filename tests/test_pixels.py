"""Every mode and depth becomes the planes it stands for, and what is lost is said."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from aecodec.errors import FormatError
from aecodec.picture.imageio import Picture, as_picture, from_array, from_image, open_picture

SIZES = [(1, 1), (1, 9), (9, 1), (17, 31), (600, 3)]
"""Height and width; the last is more than one strip."""

SIXTEEN = "16 bit reduced to 8"


def random_samples(shape, dtype=np.uint8):
    return np.random.default_rng(sum(shape)).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def handmade_png(samples, depth, color_type, *chunks):
    """A PNG of samples (H, W) or (H, W, C) at a depth of 2, 4, 8 or 16 bits, with more chunks before the pixels."""
    height, width = samples.shape[:2]
    rows = samples.reshape(height, -1)
    if depth == 16:
        packed = [row.astype(">u2").tobytes() for row in rows]
    else:
        bits = np.unpackbits(rows.astype(np.uint8)[:, :, None], axis=2)[:, :, 8 - depth :]
        packed = [np.packbits(row).tobytes() for row in bits]
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0))
    pixels = (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in packed)))
    data = b"\x89PNG\r\n\x1a\n"
    for name, payload in [header, *chunks, pixels, (b"IEND", b"")]:
        data += struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))
    return BytesIO(data)


def transparent(*key):
    return b"tRNS", struct.pack(f">{len(key)}H", *key)


def assert_planes(picture: Picture, color, alpha=None, notes=()):
    np.testing.assert_array_equal(picture.color, color)
    assert picture.color.dtype == np.uint8
    assert picture.color.flags.c_contiguous
    assert (picture.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(picture.alpha, alpha)
    assert picture.notes == tuple(notes)
    assert (picture.height, picture.width) == np.shape(color)[:2]


# --- modes of 8 bits


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_gray_stays_gray(gray):
    assert_planes(from_image(Image.fromarray(gray)), gray)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("bands", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_plain_modes_keep_every_sample_from_images_and_arrays(size, bands, mode):
    samples = random_samples((*size, bands))
    color = samples[..., :3] if bands > 2 else samples[..., 0]
    alpha = None if bands % 2 else samples[..., -1]
    image = Image.fromarray(samples[..., 0] if bands == 1 else samples)
    for picture in from_image(image), from_array(samples), as_picture(samples), as_picture(image):
        assert_planes(picture, color, alpha)
        assert picture.mode == mode


def test_fully_opaque_alpha_is_still_alpha():
    assert_planes(from_image(Image.new("RGBA", (3, 2), (1, 2, 3, 255))), np.full((2, 3, 3), [1, 2, 3]), np.full((2, 3), 255))


@pytest.mark.parametrize("size", SIZES)
def test_bilevel_is_black_and_white(size):
    bits = random_samples(size) > 127
    assert_planes(from_image(Image.fromarray(bits)), bits * 255)
    assert_planes(from_array(bits), bits * 255)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transparency", [None, 7, bytes(range(256))])
def test_palettes_are_looked_up(size, transparency):
    indexes = random_samples(size)
    table = random_samples((256, 3))
    image = Image.fromarray(indexes)
    image.putpalette(table.tobytes())  # makes it mode P
    alphas = {None: None, 7: (indexes != 7) * 255}.get(transparency, indexes)
    if transparency is not None:
        image.info["transparency"] = transparency
    assert image.mode == "P"
    assert_planes(from_image(image), table[indexes], alphas)


def test_palettes_with_alpha_are_looked_up():
    indexes, table = random_samples((17, 31)), random_samples((256, 4))
    image = Image.fromarray(indexes)
    image.putpalette(table.tobytes(), "RGBA")
    assert_planes(from_image(image), table[indexes][..., :3], table[indexes][..., 3])


def test_a_palette_beside_an_alpha_channel_is_looked_up():
    indexes, table, alpha = random_samples((17, 31)), random_samples((256, 3)), random_samples((17, 31)) // 2
    image = Image.merge("PA", [Image.fromarray(indexes), Image.fromarray(alpha)])
    image.putpalette(table.tobytes())
    assert_planes(from_image(image), table[indexes], alpha)


def test_a_palette_of_grays_is_gray():
    indexes = random_samples((17, 31))
    image = Image.fromarray(indexes)
    image.putpalette(np.repeat(255 - np.arange(256, dtype=np.uint8), 3).tobytes())
    assert_planes(from_image(image), 255 - indexes)


def test_premultiplied_alpha_is_divided_out():
    straight = np.array([[[200, 100, 50, 255], [200, 100, 50, 128]]], np.uint8)
    for samples, mode in (straight, "RGBa"), (straight[..., [0, 3]], "La"):
        picture = from_image(Image.fromarray(samples).convert(mode))
        assert picture.mode == mode.upper()
        assert np.abs(picture.color.astype(int).reshape(2, -1) - samples[..., :-1].reshape(2, -1)).max() <= 2
        np.testing.assert_array_equal(picture.alpha, samples[..., -1])


def test_padding_bytes_are_left_out():
    samples = random_samples((17, 31, 3))
    assert_planes(from_image(Image.fromarray(samples).convert("RGBX")), samples)


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "LAB"])
def test_other_color_spaces_become_rgb_and_say_so(mode):
    smooth = np.stack(np.meshgrid(np.arange(60, 200, 4), np.arange(60, 200, 4)) * 2, axis=2)[..., :3].astype(np.uint8)
    picture = from_image(Image.fromarray(smooth).convert(mode))
    assert picture.notes == (f"{mode} converted to RGB",)
    assert np.abs(picture.color.astype(int) - smooth).mean() < 2


# --- the transparent color of PNG


@pytest.mark.parametrize("depth", [2, 4, 8, 16])
def test_the_transparent_gray_of_a_png_becomes_alpha(depth):
    top = (1 << depth) - 1
    samples = random_samples((17, 31), np.uint16).astype(int) & top
    samples[3, 4] = key = top - 1
    picture = open_picture(handmade_png(samples, depth, 0, transparent(key)))
    assert_planes(picture, (samples * 255 + top // 2) // top, (samples != key) * 255, [SIXTEEN] * (depth == 16))


@pytest.mark.parametrize("key", [0, 1])
def test_the_transparent_gray_of_a_bilevel_png_becomes_alpha(key):
    file = BytesIO()
    bits = random_samples((17, 31)) > 127
    Image.fromarray(bits).save(file, "PNG", transparency=key)
    assert_planes(open_picture(file), bits * 255, (bits != key) * 255)


@pytest.mark.parametrize("depth", [8, 16])
def test_the_transparent_color_of_a_png_becomes_alpha(depth):
    key = np.array([0x0B16, 0x1657, 0x2178]) >> (16 - depth)
    samples = random_samples((17, 31, 3), np.uint16) >> (16 - depth)
    samples[5, 6] = key
    expected = np.full((17, 31), 255)
    expected[5, 6] = 0
    picture = open_picture(handmade_png(samples, depth, 2, transparent(*key)))
    assert_planes(picture, samples >> (depth - 8), expected, [SIXTEEN] * (depth == 16))


# --- more than 8 bits


def test_16_bits_are_scaled_to_the_nearest_8():
    every = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    picture = from_array(every)
    assert np.abs(picture.color - every / 257).max() <= 0.5
    assert picture.notes == (SIXTEEN,)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4"])
def test_deep_gray_images_are_scaled_not_clipped(size, dtype):
    values = random_samples(size, np.uint16)
    image = Image.fromarray(values.astype(dtype))
    assert image.mode in ("I;16", "I;16B", "I")
    assert_planes(from_image(image), np.rint(values / 257), notes=[SIXTEEN])


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM", "JPEG2000"])
def test_deep_gray_files_are_scaled_not_clipped(format):
    values = random_samples((17, 31), np.uint16)
    file = BytesIO()
    Image.fromarray(values).save(file, format)
    assert_planes(open_picture(file), np.rint(values / 257), notes=[SIXTEEN])


@pytest.mark.parametrize(("color_type", "bands"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bit_png_of_every_kind_is_reduced_and_says_so(color_type, bands):
    samples = random_samples((17, 31, bands), np.uint16)
    picture = open_picture(handmade_png(samples, 16, color_type))
    assert picture.mode == {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[bands]
    planes = np.dstack([picture.color] if picture.alpha is None else [picture.color, picture.alpha])
    assert np.abs(planes - samples / 257).max() <= 1
    assert picture.notes == (SIXTEEN,)


def test_16_bit_color_in_a_ppm_says_so():
    samples = random_samples((17, 31, 3), np.uint16)
    picture = open_picture(BytesIO(b"P6 31 17 65535\n" + samples.astype(">u2").tobytes()))
    assert np.abs(picture.color - samples / 257).max() <= 1
    assert picture.notes == (SIXTEEN,)


def test_16_bits_for_a_whole_pixel_are_no_reduction():
    """A BMP of 5, 6 and 5 bits: a reader may call that 16 bits, too."""
    header = struct.pack("<2sIIIIiiHHIIiiIIIII", b"BM", 0, 0, 66, 40, 1, 1, 1, 16, 3, 4, 0, 0, 0, 0, 0xF800, 0x07E0, 0x001F)
    picture = open_picture(BytesIO(header + struct.pack("<HH", 0xF800, 0)))
    assert_planes(picture, [[[255, 0, 0]]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_from_0_to_1_are_rounded(dtype):
    samples = random_samples((17, 31, 3))
    assert_planes(from_array((samples / 255).astype(dtype)), samples, notes=["floats in 0..1 reduced to 8 bit"])


@pytest.mark.parametrize("peak", [1, 255])
def test_mode_f_is_taken_by_its_range(peak):
    samples = random_samples((17, 31))
    values = (samples * (peak / 255)).astype(np.float32)
    assert_planes(from_image(Image.fromarray(values)), samples, notes=[f"floats in 0..{peak} reduced to 8 bit"])


@pytest.mark.parametrize("bad", [-0.01, 255.5, np.nan, np.inf])
def test_floats_out_of_range_are_refused(bad):
    values = np.array([[0, bad]], np.float32)
    for read, source in (from_array, values), (from_image, Image.fromarray(values)):
        with pytest.raises(FormatError, match="must lie in 0"):
            read(source)


@pytest.mark.parametrize("bad", [-1, 65536])
def test_integers_beyond_16_bits_are_refused(bad):
    with pytest.raises(FormatError, match=r"image: samples are .* must lie in 0..65535"):
        from_image(Image.fromarray(np.array([[5, bad]], np.int32)))


# --- arrays


@pytest.mark.parametrize("shape", [(), (4,), (2, 2, 5), (2, 2, 0), (0, 3), (3, 0, 3), (1, 2, 2, 3)])
def test_arrays_of_other_shapes_are_refused(shape):
    with pytest.raises(FormatError, match=r"array: shape is .* must be \(H, W\)"):
        from_array(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint32, complex, object, "U1", "M8[s]"])
def test_arrays_of_other_types_are_refused(dtype):
    with pytest.raises(FormatError, match=r"array: samples are .* must be uint8"):
        from_array(np.zeros((2, 2), dtype))


@given(st.integers(1, 4), st.data())
def test_strided_arrays_keep_every_sample(bands, data):
    samples = data.draw(arrays(np.uint8, (6, 8, bands)))[::2, ::-3]
    picture = from_array(samples)
    planes = np.dstack([picture.color] if picture.alpha is None else [picture.color, picture.alpha])
    np.testing.assert_array_equal(planes, samples)


@pytest.mark.parametrize(
    ("color", "alpha"),
    [((0, 3), None), ((4, 4, 4), None), ((4,), None), ((2, 3, 4, 3), None), ((4, 5), (5, 4)), ((4, 5, 3), (4, 5, 1))],
)
def test_planes_that_do_not_fit_make_no_picture(color, alpha):
    with pytest.raises(FormatError, match="picture: planes are"):
        Picture(np.zeros(color, np.uint8), None if alpha is None else np.zeros(alpha, np.uint8))


def test_planes_of_other_types_make_no_picture():
    with pytest.raises(FormatError, match="picture: planes are float64"):
        Picture(np.zeros((2, 2)))  # type: ignore[arg-type]


# --- CMYK


def cmyk_profile():
    """A minimal ICC profile (version 2) of a printer with fantastic inks: cyan is printed red, all the rest as Lab says it."""
    paper, black, red = (255, 128, 128), (0, 128, 128), (136, 208, 195)  # L* · 2.55, a* + 128, b* + 128
    nodes = [
        black if k else red if (c, m, y) == (1, 0, 0) else paper for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)
    ]
    ramp = bytes(range(256))
    identity = struct.pack(">9I", *[0x10000 if i % 4 == 0 else 0 for i in range(9)])
    lut = b"mft1" + struct.pack(">4x4B", 4, 3, 2, 0) + identity + ramp * 4 + bytes(v for node in nodes for v in node) + ramp * 3
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(lut))
    body = tags + lut + b"\0" * (-len(tags + lut) % 4)
    head = struct.pack(">I4x I 4s 4s 4s 12x 4s", 128 + len(body), 0x02100000, b"prtr", b"CMYK", b"Lab ", b"acsp")
    illuminant = struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return (head.ljust(68, b"\0") + illuminant).ljust(128, b"\0") + body


@pytest.mark.parametrize("size", SIZES)
def test_cmyk_without_a_profile_is_converted_plainly(size):
    inks = random_samples((*size, 4))
    picture = from_image(Image.frombytes("CMYK", size[::-1], inks.tobytes()))
    paper = 255.0 - inks
    assert np.abs(picture.color - paper[..., :3] * paper[..., 3:] / 255).max() <= 1
    assert picture.notes == ("CMYK converted to RGB",)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_profile_which_is_then_dropped(format):
    image = Image.new("CMYK", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 0))
    file = BytesIO()
    image.resize((16, 8), Image.Resampling.NEAREST).save(file, format, icc_profile=cmyk_profile())
    picture = open_picture(file)
    assert picture.notes == ("CMYK converted to sRGB through its ICC profile",)
    assert picture.metadata == {}
    assert picture.color[4, 2].min() >= 250
    red, green, blue = picture.color[4, 13].astype(int)
    assert red > 220
    assert green < 60
    assert blue < 60


@pytest.mark.parametrize("icc", [b"no profile at all", cmyk_profile().replace(b"CMYK", b"RGB ")])
def test_cmyk_with_an_unusable_profile_is_converted_plainly_and_says_so(icc):
    image = Image.new("CMYK", (2, 1), (255, 0, 0, 0))
    image.info["icc_profile"] = icc
    color = np.full((1, 2, 3), [0, 255, 255])
    picture = from_image(image)
    assert_planes(picture, color, notes=["CMYK converted to RGB without its ICC profile, which is not usable"])
    assert picture.metadata == {}
