"""ICC, EXIF and XMP survive every format that can hold them, byte for byte; what is left behind is said."""

import struct
import textwrap
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.PngImagePlugin import PngInfo

from aecodec.picture.imageio import Picture, from_image, open_picture, to_image, write_image
from aecodec.picture.metadata import JPEG_MAX, TIFF_EXIF

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about EXIF that is broken on purpose

COLOR = np.random.default_rng(1).integers(0, 256, (17, 31, 3), np.uint8)

XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- Grüße --></x:xmpmeta>'.encode()
ICC = bytes(range(256)) * 300  # more than one marker in JPEG


def exif_of(orientation: int | None = 6, **more: object) -> bytes:
    tags = Image.Exif()
    tags[Base.Make] = "A camera"
    tags[Base.XResolution] = 300.0
    if orientation:
        tags[Base.Orientation] = orientation
    tags[IFD.Exif] = {Base.DateTimeOriginal: "2024:05:06 07:08:09", Base.ExposureTime: (1, 125), Base.MakerNote: b"\0maker\xff"}
    tags[IFD.GPSInfo] = {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (52.0, 30.0, 15.5)}
    for name, value in more.items():
        tags[Base[name]] = value
    return tags.tobytes().removeprefix(b"Exif\0\0")


def through(format: str, metadata: dict[str, bytes], notes: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Metadata after a file of a format."""
    file = BytesIO()
    assert write_image(Picture(COLOR, metadata=metadata), file, format) == notes
    return dict(open_picture(file).metadata)


def tags_of(exif: bytes) -> dict[int, object]:
    """Everything that an EXIF payload says but where its parts lie."""
    tags = Image.Exif()
    tags.load(exif)
    return dict(tags) | {ifd: dict(tags.get_ifd(ifd)) for ifd in (IFD.Exif, IFD.GPSInfo)}


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_all_three_survive_byte_for_byte(format):
    metadata = {"icc": ICC, "exif": exif_of(), "xmp": XMP}
    assert through(format, metadata) == metadata


def test_avif_keeps_all_but_writes_exif_anew_when_it_says_how_the_pixels_lie():
    upright = {"icc": ICC, "exif": exif_of(None), "xmp": XMP}
    assert through("AVIF", upright) == upright
    turned = through("AVIF", {"exif": exif_of(6)})
    assert tags_of(turned["exif"]) == tags_of(exif_of(6))


def test_tiff_keeps_all_but_is_rotated_by_its_reader():
    file = BytesIO()
    write_image(Picture(COLOR, metadata={"icc": ICC, "exif": exif_of(6), "xmp": XMP}), file, "TIFF")
    picture = open_picture(file)
    np.testing.assert_array_equal(picture.color, np.rot90(COLOR, -1))
    assert picture.metadata["icc"] == ICC
    assert picture.metadata["xmp"] == XMP
    assert tags_of(picture.metadata["exif"]) == tags_of(exif_of(None))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 3, 8])
def test_pixels_are_not_rotated_and_the_orientation_stays(format, orientation):
    file = BytesIO()
    write_image(Picture(COLOR, metadata={"exif": exif_of(orientation)}), file, format)
    picture = open_picture(file)
    assert picture.color.shape == COLOR.shape
    assert np.abs(picture.color.astype(int) - COLOR).mean() < 10  # noise costs JPEG and AVIF 5, rotated noise is off by 85
    assert to_image(picture).getexif().get(Base.Orientation, 1) == orientation  # AVIF leaves out the 1


payloads = st.binary(min_size=1).filter(lambda payload: not payload.startswith(b"Exif\0\0"))


@settings(deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.dictionaries(st.sampled_from(["icc", "exif", "xmp"]), payloads))
def test_payloads_that_make_no_sense_survive_byte_for_byte(format, metadata):
    assert through(format, metadata) == metadata


@pytest.mark.parametrize("format", ["BMP", "PPM", "TGA", "JPEG2000"])
def test_what_a_format_can_not_hold_is_said(format):
    metadata = {"icc": ICC, "exif": exif_of(), "xmp": XMP}
    assert through(format, metadata, tuple(f"{kind} left out: {format} can't hold it" for kind in ("ICC", "EXIF", "XMP"))) == {}


@pytest.mark.parametrize("kind", ["exif", "xmp"])
def test_jpeg_holds_as_much_as_it_can_and_says_what_it_can_not(kind):
    most = b"MM\0*" + bytes(JPEG_MAX[kind] - 4)
    assert through("JPEG", {kind: most}) == {kind: most}
    too_much = most + b"\0"
    assert (
        through("JPEG", {kind: too_much}, (f"{kind.upper()} left out: it has {len(too_much)} bytes, JPEG holds {len(most)}",))
        == {}
    )


def test_jpeg_holds_no_more_than_255_markers_of_icc():
    most = JPEG_MAX["icc"]
    assert through("JPEG", {"icc": bytes(most + 1)}, (f"ICC left out: it has {most + 1} bytes, JPEG holds {most}",)) == {}


TEXT_AS_ORIENTATION = b"MM\0*" + struct.pack(">IHHHI4sI", 8, 1, Base.Orientation, 2, 3, b"up\0", 0)


@pytest.mark.parametrize(
    "exif", [b"garbage", b"MM\0*\xff\xff\xff\xff", b"MM\0+" + exif_of()[4:], exif_of()[:50], TEXT_AS_ORIENTATION]
)
@pytest.mark.parametrize("format", ["TIFF", "AVIF"])
def test_broken_exif_never_costs_the_picture(exif, format):
    file = BytesIO()
    notes = write_image(Picture(COLOR, metadata={"exif": exif}), file, format)
    assert notes in ((), ("EXIF left out: its structure is broken",))
    assert open_picture(file).color.shape == COLOR.shape


def test_exif_that_a_reader_stumbles_over_never_costs_the_picture():
    file = BytesIO()
    write_image(Picture(COLOR, metadata={"exif": exif_of(None, Software="12345678")}), file, "TIFF")
    as_text = struct.pack("<HHI", Base.Software, 2, 9)
    assert as_text in file.getvalue()
    as_fraction = struct.pack("<HHI", Base.Software, 5, 1)
    picture = open_picture(BytesIO(file.getvalue().replace(as_text, as_fraction)))
    np.testing.assert_array_equal(picture.color, COLOR)
    assert picture.metadata == {}
    assert picture.notes == ("EXIF left out: its structure is broken",)


def test_exif_about_other_pixels_does_not_reach_a_tiff():
    file = BytesIO()
    write_image(Picture(COLOR, metadata={"exif": exif_of(None, ImageWidth=99, ImageLength=7, Compression=6)}), file, "TIFF")
    picture = open_picture(file)
    np.testing.assert_array_equal(picture.color, COLOR)
    assert set(tags_of(picture.metadata["exif"])) <= set(TIFF_EXIF)


def test_a_tiff_that_says_nothing_has_no_exif():
    assert through("TIFF", {}) == {}


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0", b"Exif\0\0Exif\0\0"])
def test_exif_is_stored_in_one_form(prefix):
    image = Image.new("RGB", (2, 2))
    image.info["exif"] = prefix + exif_of()
    assert from_image(image).metadata == {"exif": exif_of()}


def test_exif_of_old_png_files_is_found():
    image = Image.new("RGB", (2, 2))
    digits = "\n".join(textwrap.wrap((b"Exif\0\0" + exif_of()).hex(), 72))
    chunks = PngInfo()
    chunks.add_text("Raw profile type exif", f"\nexif\n{len(exif_of()) + 6:8}\n{digits}\n", zip=True)
    file = BytesIO()
    image.save(file, "PNG", pnginfo=chunks)
    assert open_picture(file).metadata == {"exif": exif_of()}
    image.info["Raw profile type exif"] = "\nexif\n    3\nno digits\n"
    assert from_image(image).notes == ("EXIF left out: its structure is broken",)


def test_xmp_may_be_text_in_a_pillow_image():
    image = Image.new("RGB", (2, 2))
    image.info["xmp"] = XMP.decode()
    assert from_image(image).metadata == {"xmp": XMP}


def test_what_is_no_payload_is_not_taken_for_one():
    image = Image.new("RGB", (2, 2))
    image.info.update(icc_profile=None, exif=b"", xmp=(1, 2))
    assert from_image(image).metadata == {}


def test_metadata_behind_the_pixels_of_a_png_is_found():
    file = BytesIO()
    write_image(Picture(COLOR, metadata={"xmp": XMP}), file, "PNG")
    data = file.getvalue()
    start, end = data.index(b"iTXt") - 4, data.index(b"IDAT") - 4
    moved = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    assert open_picture(BytesIO(moved)).metadata == {"xmp": XMP}


def test_the_profile_of_lab_pixels_is_dropped_with_them():
    image = Image.new("LAB", (2, 2))
    image.info["icc_profile"] = ICC
    assert from_image(image).metadata == {}


def test_pillow_can_save_what_it_gets():
    metadata = {"icc": ICC, "exif": exif_of(), "xmp": XMP}
    image = to_image(Picture(COLOR, metadata=metadata))
    file = BytesIO()
    image.save(file, "JPEG", icc_profile=image.info["icc_profile"], exif=image.info["exif"], xmp=image.info["xmp"])
    assert open_picture(file).metadata == metadata
    assert from_image(image).metadata == metadata
