"""Image files are read and written as they are; broken ones end in one clear line, before they cost anything."""

import errno
import struct
import zlib
from contextlib import suppress
from io import BytesIO, RawIOBase
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aecodec.errors import FormatError, LimitError, UsageError
from aecodec.limits import Limits
from aecodec.picture.imageio import (
    SUFFIXES,
    WRITERS,
    Picture,
    as_picture,
    format_of_suffix,
    from_image,
    open_picture,
    to_image,
    write_image,
)

SIZES = [(1, 1), (1, 9), (9, 1), (17, 31), (600, 3)]
LOSSLESS = sorted(WRITERS.keys() - {"JPEG", "AVIF"})


def picture_of(mode: str, size: tuple[int, int] = (17, 31)) -> Picture:
    rng = np.random.default_rng(sum(size))
    color = rng.integers(0, 256, size if mode.startswith("L") else (*size, 3), np.uint8)
    return Picture(color, rng.integers(0, 256, size, np.uint8) if mode.endswith("A") else None)


def encoded(mode: str = "RGB", format: str = "PNG", size: tuple[int, int] = (17, 31)) -> bytes:
    file = BytesIO()
    write_image(picture_of(mode, size), file, format)
    return file.getvalue()


def assert_same(picture: Picture, other: Picture) -> None:
    assert picture.mode == other.mode
    np.testing.assert_array_equal(picture.color, other.color)
    if other.alpha is not None:
        np.testing.assert_array_equal(picture.alpha, other.alpha)


# --- round trips


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_pillow_image_keeps_everything(mode, size):
    picture = picture_of(mode, size)
    image = to_image(picture)
    assert image.mode == mode
    assert image.size == (picture.width, picture.height)
    assert_same(as_picture(image), picture)
    assert as_picture(picture) is picture


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("format", LOSSLESS)
def test_lossless_formats_keep_every_sample(format, mode, size):
    picture = picture_of(mode, size)
    file = BytesIO()
    if picture.alpha is not None and not WRITERS[format].alpha:
        with pytest.raises(UsageError, match=f"{format} can't hold the alpha channel"):
            write_image(picture, file, format)
        return
    assert write_image(picture, file, format) == ()
    back = open_picture(file)
    if format == "WEBP" and mode.startswith("L"):  # it has no gray
        assert np.ptp(back.color, axis=2).max() == 0
        back = Picture(back.color[..., 0], back.alpha)
    assert_same(back, picture)
    assert back.notes == ()


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("format", ["JPEG", "AVIF"])
def test_lossy_formats_stay_close(format, mode):
    ramp = np.tile(np.arange(0, 248, 8, dtype=np.uint8), (17, 1))
    color = ramp if mode == "L" else np.dstack([ramp, ramp[:, ::-1], ramp // 2])
    file = BytesIO()
    write_image(Picture(color), file, format)
    back = open_picture(file).color.astype(int)
    assert np.abs(back - (color if back.ndim == color.ndim else color[..., None])).max() <= 8


def test_jpeg_refuses_alpha():
    with pytest.raises(UsageError, match="JPEG can't hold the alpha channel"):
        write_image(picture_of("RGBA"), BytesIO(), "JPEG")


@pytest.mark.parametrize(("format", "side"), [("JPEG", 65_501), ("WEBP", 16_384)])
def test_sizes_that_a_format_can_not_hold_are_refused(format, side):
    with pytest.raises(UsageError, match=f"{format} can't hold {side}x1 pixels, at most {side - 1}"):
        write_image(Picture(np.zeros((1, side), np.uint8)), BytesIO(), format)
    write_image(Picture(np.zeros((1, side - 1), np.uint8)), BytesIO(), format)


def test_unknown_formats_are_refused():
    with pytest.raises(UsageError, match="can't write the format 'GIF', possible are PNG, JPEG"):
        write_image(picture_of("RGB"), BytesIO(), "GIF")


@pytest.mark.parametrize(("name", "format"), [("a.png", "PNG"), ("b/c.d.JPG", "JPEG"), ("e.tif", "TIFF"), ("f.pgm", "PPM")])
def test_the_suffix_names_the_format(name, format):
    assert format_of_suffix(Path(name)) == format


@pytest.mark.parametrize("name", ["a", "a.gif", "a.aec", ".png"])
def test_a_suffix_that_stands_for_no_format_is_refused(name):
    with pytest.raises(UsageError, match=r"can't write the suffix .* possible are \.png"):
        format_of_suffix(Path(name))


def test_every_suffix_stands_for_a_writer():
    assert set(SUFFIXES.values()) == set(WRITERS)


class Pipe(RawIOBase):
    """Neither seeks nor tells."""

    def __init__(self, data: bytes = b"") -> None:
        self.content = BytesIO(data)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer):
        return self.content.readinto(buffer)

    def write(self, data):
        return self.content.write(data)


@pytest.mark.parametrize("format", WRITERS)
def test_pipes_can_be_written_and_read(format):
    pipe = Pipe()
    write_image(picture_of("RGB"), pipe, format)
    assert pipe.content.getvalue() == encoded("RGB", format)
    assert open_picture(Pipe(pipe.content.getvalue())).mode == "RGB"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("format", WRITERS)
def test_a_full_disk_is_an_os_error_that_says_so(format):
    with pytest.raises(OSError, match="No space left") as caught, open("/dev/full", "wb", buffering=0) as file:
        write_image(picture_of("RGB"), file, format)
    assert caught.value.errno == errno.ENOSPC


# --- what is read


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF", "WEBP"])
def test_the_first_of_several_images_is_taken_and_that_is_said(format):
    frames = [Image.new("RGB", (20, 10), color) for color in ("red", "blue", "lime")]
    file = BytesIO()
    frames[0].save(file, format, save_all=True, append_images=frames[1:], **({"lossless": True} if format == "WEBP" else {}))
    picture = open_picture(file)
    assert picture.notes == ("the first of several images taken",)
    assert np.unique(picture.color.reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]


def test_paths_and_files_are_read_alike(tmp_path):
    path = tmp_path / "Grüße aus.png"
    path.write_bytes(encoded())
    assert_same(open_picture(path), picture_of("RGB"))
    with path.open("rb") as file:
        file.seek(100)
        assert_same(open_picture(file), picture_of("RGB"))
        assert not file.closed


# --- what is refused


def with_header(width: int, height: int, png: bytes = b"") -> bytes:
    """A PNG that says it has another size."""
    png = png or encoded("L")
    header = b"IHDR" + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


BROKEN = {
    "cut.png": encoded()[:-400],
    "cut in the header.png": encoded()[:30],
    "cut.jpg": encoded(format="JPEG")[:-200],
    "cut.webp": encoded(format="WEBP")[:-200],
    "cut.tif": encoded(format="TIFF")[:-200],
    "cut.avif": encoded(format="AVIF")[:-200],
    "cut.bmp": encoded(format="BMP")[:-200],
    "signature.png": encoded()[:8],
    "text.png": b"Not a picture, whatever it is called.\n",
    "html.jpg": b"<!DOCTYPE html>\n<html>\n</html>\n",
    "empty.png": b"",
    "zeros.png": bytes(4096),
    "lying about its size.png": with_header(3000, 2000),
    "document.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(out) print\nshowpage\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_end_in_one_line_that_names_them(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    with pytest.raises(FormatError) as caught:
        open_picture(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message) > len(f"{path}: ")
    assert "\n" not in message
    assert not isinstance(caught.value, LimitError)


def test_broken_images_of_pillow_end_in_one_line_too():
    with pytest.raises(FormatError, match=r"image: broken image: .*truncated"):
        from_image(Image.open(BytesIO(BROKEN["cut.png"])))


def test_a_defect_is_not_taken_for_a_broken_image(monkeypatch):
    def load(_):
        raise NameError("a typo")

    image = Image.open(BytesIO(encoded()))
    monkeypatch.setattr(type(image), "load", load)
    with pytest.raises(NameError):
        from_image(image)


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([encoded(mode, format) for format in WRITERS for mode in ("L", "RGBA" if WRITERS[format].alpha else "RGB")]),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=4),
    st.integers(0, 4000),
)
def test_damaged_files_are_a_picture_or_a_format_error(data, changes, length):
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    with suppress(FormatError):
        picture = open_picture(BytesIO(bytes(damaged[:length])), Limits(pixels=1 << 20))
        assert picture.width * picture.height <= 1 << 20


def test_trouble_with_the_file_itself_stays_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_picture(tmp_path / "missing.png")
    with pytest.raises(IsADirectoryError):
        open_picture(tmp_path)


def test_limits_are_checked_before_anything_is_decoded():
    """The data behind these headers is missing; who looks for it finds another error."""
    for data in (
        with_header(60_000, 60_000)[:60],
        b"P6 60000 60000 255\n",
        b"BM" + struct.pack("<12xIiiHH28x", 40, 60000, 60000, 1, 24),
    ):
        with pytest.raises(LimitError, match="60000x60000 is 3600000000 pixels, limit 268435456"):
            open_picture(BytesIO(data))
    with pytest.raises(LimitError, match="31x17 is 527 pixels, limit 526"):
        open_picture(BytesIO(encoded()), Limits(pixels=526))
    with pytest.raises(LimitError, match="31x17 pixels, limit 30 a side"):
        open_picture(BytesIO(encoded()), Limits(side=30))
    assert_same(open_picture(BytesIO(encoded()), Limits(pixels=527, side=31)), picture_of("RGB"))


ASK_PILLOW = ["TIFF", "WEBP"]
"""Formats whose readers look at Pillow's limit themselves."""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("format", sorted(WRITERS.keys() - set(ASK_PILLOW)))
def test_our_limits_take_the_place_of_pillows(format, monkeypatch):
    data = encoded("RGB", format)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert open_picture(BytesIO(data)).width == 31
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("format", ASK_PILLOW)
def test_pillows_own_limit_is_told_where_it_can_not_be_replaced(format, monkeypatch):
    data = encoded("RGB", format)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(LimitError, match=r"image: .*PIL\.Image\.MAX_IMAGE_PIXELS raises it"):
        open_picture(BytesIO(data))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert open_picture(BytesIO(data)).width == 31
