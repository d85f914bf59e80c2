"""aecodec: an image codec whose heart is a convolutional autoencoder.

>>> import aecodec
>>> data = aecodec.compress(image, quality=75)     # PIL image or numpy array → bytes
>>> image = aecodec.decompress(data)               # bytes → PIL image
>>> aecodec.info(data).bpp                         # from the header, without the model

For many images make one `Codec`: it loads the model once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .defaults import DEFAULT_QUALITY
from .errors import AecError, FormatError, LimitError, ModelError, UsageError
from .format.information import Info, info
from .limits import Limits

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from .codec import Codec

__version__ = "0.1.0"

__all__ = [
    "AecError",
    "Codec",
    "FormatError",
    "Info",
    "LimitError",
    "Limits",
    "ModelError",
    "UsageError",
    "__version__",
    "compress",
    "decompress",
    "info",
]


def compress(
    image: Image.Image | npt.NDArray[np.generic], *, quality: float = DEFAULT_QUALITY, effort: int | None = None
) -> bytes:
    """An image as a whole .aec file, with its alpha, ICC profile, EXIF and XMP.

    Args:
        image: a PIL image of any mode, or an array (H, W), (H, W, 3) or (H, W, 4), uint8, or float in [0, 1].
        quality: 0..100.
        effort: 0..9, how long to look for more fidelity per byte; 1 if None, and from 2 on it needs PyTorch.

    Raises:
        UsageError: quality or effort is out of range.
        LimitError: the image is larger than the default `Limits`.
    """
    from .codec import Codec

    return Codec().compress(image, quality=quality, effort=effort)


def decompress(data: bytes) -> Image.Image:
    """The image of a .aec file: mode L, LA, RGB or RGBA, metadata in ``info`` so that ``save`` can keep it.

    Raises:
        FormatError: the file is damaged or not an .aec file.
        ModelError: the file was written with another model.
    """
    from .codec import Codec
    from .picture.imageio import to_image

    return to_image(Codec().decompress(data))


def __getattr__(name: str) -> object:
    """Import `Codec` when it is asked for: its libraries take longer to load than `info` takes to answer."""
    if name == "Codec":
        from .codec import Codec

        return Codec
    raise AttributeError(f"module 'aecodec' has no attribute {name!r}")
