"""Files of the weights in the package decode for ever to what they decoded to when they were written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aecodec import Codec
from aecodec.picture.imageio import to_image

from .symbols import symbols_hash

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec()


def golden(codec: Codec) -> Path:
    return GOLDEN / codec.weights.fingerprint.hex()


def test_the_weights_in_the_package_have_golden_files(codec: Codec) -> None:
    assert len(list(golden(codec).glob("*.aec"))) >= 9


@pytest.mark.parametrize("name", sorted({path.stem for path in GOLDEN.glob("*/*.aec")}))
def test_golden_file_decodes_as_it_always_did(codec: Codec, name: str) -> None:
    data = (golden(codec) / f"{name}.aec").read_bytes()
    hashes = json.loads((golden(codec) / "symbols.json").read_text())
    assert symbols_hash(codec, data) == hashes[name]
    decoded = to_image(codec.decompress(data))
    expected = Image.open(golden(codec) / f"{name}.png")
    assert (decoded.mode, decoded.size) == (expected.mode, expected.size)
    assert np.abs(np.asarray(decoded, int) - np.asarray(expected, int)).max() <= 1
