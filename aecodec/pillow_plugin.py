"""Pillow reads and writes .aec after ``import aecodec.pillow_plugin``, like any format of its own.

    Image.open("photo.aec")                       size, mode, metadata from the header; decoded when the pixels are needed
    image.save("photo.aec", quality=70)           parameters: quality 0..100, effort 0..9, tile, icc_profile, exif, xmp

Metadata of the image is kept unless another is given; an empty one (``exif=b""``) leaves it out. `info` has icc_profile, exif
and xmp as other formats do, and quality and bpp of the file. Errors are Pillow's: what is not an .aec file is left to other
plugins, what is broken is an OSError when it is loaded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import IO, Any

from PIL import Image, ImageFile

from .codec import Codec
from .defaults import DEFAULT_QUALITY, DEFAULT_TILE
from .errors import AecError, UsageError
from .format import container
from .format.information import info
from .picture.imageio import from_image, to_image
from .picture.metadata import pillow_info

FORMAT = "AEC"
MIME = "image/x-aec"


@lru_cache(maxsize=1)
def _codec() -> Codec:
    """One for all images, with the shipped model. Pillow's own limit has been checked before anything is decoded."""
    return Codec()


class AecImageFile(ImageFile.ImageFile):
    """A .aec file, opened lazily."""

    format = FORMAT
    format_description = "aecodec image"

    def _open(self) -> None:
        self._data: bytes | None = self.fp.read() if self.fp else b""
        try:
            described = info(self._data)
            metadata = container.read_metadata(self._data)
        except AecError as error:
            raise SyntaxError(str(error)) from error
        self._size = described.width, described.height
        self._mode = described.mode
        self.info.update(pillow_info(metadata))
        self.info["quality"] = described.quality
        self.info["bpp"] = described.bpp

    def load(self) -> Any:
        """Decode the pixels, once; raises OSError if the file is broken or of another model."""
        if self._data is not None:
            try:
                decoded = to_image(_codec().decompress(self._data))
            except AecError as error:
                raise OSError(str(error)) from error
            self._data = None
            self.im = decoded.im
        return super().load()

    def verify(self) -> None:
        """Check every checksum and the order of the chunks; raises OSError."""
        try:
            container.read(self._data or b"")
        except AecError as error:
            raise OSError(str(error)) from error


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    given: dict[str, Any] = image.encoderinfo
    image = image.copy()
    image.info |= {name: given[name] for name in ("icc_profile", "exif", "xmp") if name in given}
    if isinstance(exif := image.info.get("exif"), Image.Exif):
        image.info["exif"] = exif.tobytes()
    try:
        picture = from_image(image)
        data = _codec().compress(
            picture,
            quality=given.get("quality", DEFAULT_QUALITY),
            effort=given.get("effort"),
            tile=given.get("tile", DEFAULT_TILE),
        )
    except UsageError as error:
        raise ValueError(str(error)) from error
    except AecError as error:
        raise OSError(str(error)) from error
    file.write(data)


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(container.SIGNATURE)


Image.register_open(FORMAT, AecImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ".aec")
Image.register_mime(FORMAT, MIME)
