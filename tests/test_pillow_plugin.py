"""Pillow treats .aec as one of its formats: lazy, with metadata, with Pillow's errors; so do libraries that read through it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import aecodec.pillow_plugin
from aecodec import Codec

DATA = Path(__file__).parent / "data"


@pytest.fixture
def photo() -> Image.Image:
    return Image.open(DATA / "face.png").convert("RGB").crop((0, 0, 90, 70))


def saved(image: Image.Image, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, "AEC", **options)
    file.seek(0)
    return file


def test_open_reads_the_header_and_decodes_nothing(photo: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo.save(tmp_path / "a.aec", quality=40)
    monkeypatch.setattr(Codec, "decompress", None)
    with Image.open(tmp_path / "a.aec") as image:
        assert (image.format, image.size, image.mode, image.get_format_mimetype()) == ("AEC", (90, 70), "RGB", "image/x-aec")
        assert image.info["quality"] == 40
        assert image.info["bpp"] == pytest.approx(8 * (tmp_path / "a.aec").stat().st_size / 6300)
        image.verify()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pixels_are_those_of_the_codec(photo: Image.Image, mode: str) -> None:
    file = saved(photo.convert(mode), quality=60)
    image = Image.open(file)
    assert image.mode == mode
    expected = aecodec.decompress(file.getvalue())
    assert np.array_equal(np.asarray(image), np.asarray(expected))
    assert image.resize((9, 7)).mode == mode


def test_quality_is_obeyed_and_checked(photo: Image.Image) -> None:
    assert len(saved(photo, quality=90).getvalue()) > len(saved(photo, quality=30).getvalue())
    with pytest.raises(ValueError, match="quality is 101"):
        saved(photo, quality=101)


def test_metadata_is_kept_replaced_or_left_out(photo: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a face"
    first = Image.open(saved(photo, icc_profile=b"profile", exif=exif, xmp=b"<x/>"))
    assert (first.info["icc_profile"], first.info["xmp"], first.getexif()[0x010E]) == (b"profile", b"<x/>", "a face")
    again = Image.open(saved(first, icc_profile=b""))
    assert "icc_profile" not in again.info
    assert again.getexif()[0x010E] == "a face"


def test_other_files_are_left_to_other_plugins() -> None:
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"\xaeAEC\x01 and nothing that follows"))
    assert Image.open(DATA / "face.png").format == "PNG"


def test_broken_files_are_an_oserror(photo: Image.Image) -> None:
    data = bytearray(saved(photo).getvalue())
    data[len(data) // 2] ^= 1
    image = Image.open(io.BytesIO(data))
    with pytest.raises(OSError, match="checksum"):
        image.load()
    with pytest.raises(OSError, match="checksum"):
        Image.open(io.BytesIO(data)).verify()


def test_scikit_image_and_imageio_read_through_pillow(photo: Image.Image, tmp_path: Path) -> None:
    imageio = pytest.importorskip("imageio.v3")
    skimage_io = pytest.importorskip("skimage.io")
    photo.save(tmp_path / "a.aec")
    expected = np.asarray(Image.open(tmp_path / "a.aec"))
    assert np.array_equal(imageio.imread(tmp_path / "a.aec", plugin="pillow"), expected)
    assert np.array_equal(skimage_io.imread(str(tmp_path / "a.aec")), expected)
