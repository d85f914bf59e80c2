"""Every codec of the table does what its line says."""

from __future__ import annotations

import numpy as np
import pytest

from aecodec.benchmark.codecs import CODECS, AecCodec, Codec, PillowCodec, select
from aecodec.errors import UsageError

from .benchmark_fakes import photo

PEERS = [codec for codec in CODECS if isinstance(codec, PillowCodec)]


def test_names_are_unique_and_curves_have_points_enough() -> None:
    names = [codec.name for codec in CODECS]
    assert len(set(names)) == len(names)
    assert all(len(codec.qualities) >= 10 for codec in CODECS)


@pytest.mark.parametrize("codec", PEERS, ids=lambda codec: codec.name)
def test_a_peer_spends_more_on_a_higher_quality_and_comes_closer(codec: PillowCodec) -> None:
    if reason := codec.unavailable():
        pytest.skip(reason)
    x = photo(0, 96)
    files = [codec.encode(x, quality) for quality in (codec.qualities[1], codec.qualities[-1])]
    pictures = [codec.decode(data) for data in files]
    assert all(picture.shape == x.shape for picture in pictures)
    assert len(files[0]) < len(files[1])
    errors = [float(np.mean((picture.astype(float) - x) ** 2)) for picture in pictures]
    assert errors[1] < errors[0]
    assert codec.encode(x, codec.qualities[1]) == files[0]  # options survive a use
    assert codec.version()


def test_aecodec_goes_through_its_public_api() -> None:
    codec = AecCodec("aecodec", "aecodec")
    if reason := codec.unavailable():
        pytest.skip(reason)
    x = photo(0, 64)
    small, large = codec.encode(x, 10), codec.encode(x, 90)
    assert len(small) < len(large)
    assert codec.decode(large).shape == x.shape
    assert codec.version().startswith("aecodec ")


def test_a_missing_plugin_is_a_reason_and_no_error() -> None:
    codec = PillowCodec("x", "X", "x", "XYZ", {}, (1,), plugin="pillow_xyz", library="pillow-xyz")
    assert codec.unavailable() == "pillow-xyz isn't installed"
    assert "XYZ" in (PillowCodec("x", "X", "x", "XYZ", {}, (1,)).unavailable() or "")


def test_codecs_are_chosen_by_name() -> None:
    chosen: list[Codec] = select("webp, jpeg")
    assert [codec.name for codec in chosen] == ["webp", "jpeg"]
    assert len(select(None)) == len(CODECS)
    with pytest.raises(UsageError, match=r"unknown codec gif; known are aecodec, .*jpeg, "):
        select("jpeg,gif")
    with pytest.raises(UsageError):
        select("")
