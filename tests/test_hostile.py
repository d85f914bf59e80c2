"""Whatever bytes a file holds, decompressing it ends soon, in an image or in one of our errors."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from time import process_time

import numpy as np
import pytest

from aecodec import Codec, FormatError, LimitError, ModelError
from aecodec.coding.correction import PRECISIONS, Correction
from aecodec.entropy.coder import CODER_ID, SYMBOL_LIMIT
from aecodec.format import container
from aecodec.format.container import Container

from .mutations import decompress, mutate, sample_files, small_codec

MUTATIONS = 3000
SECONDS = 2
"""Of the processor; no single file may take longer."""


@pytest.fixture(scope="module")
def codec() -> Codec:
    return small_codec()


@pytest.fixture(scope="module")
def files(codec: Codec) -> list[bytes]:
    return sample_files(codec)


def test_the_files_are_good_before_they_are_mutated(codec: Codec, files: list[bytes]) -> None:
    assert {decompress(codec, data, allow_partial=False) for data in files} == {"image"}
    assert {container.read(data).header.mode for data in files if container.read(data).correction} == {"L", "RGBA"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("part", range(4))
def test_mutated_files_give_an_image_or_one_of_our_errors(codec: Codec, files: list[bytes], part: int) -> None:
    outcomes = {"image": 0}
    for seed in range(part * MUTATIONS // 4, (part + 1) * MUTATIONS // 4):
        rng = Random(seed)
        data = mutate(rng, files)
        start = process_time()
        outcome = decompress(codec, data, allow_partial=rng.random() < 0.3)
        assert process_time() - start < SECONDS, f"seed {seed}"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    # the mutator reaches the layout as well as what lies behind the checksums
    assert outcomes["FormatError"] > MUTATIONS // 10
    assert outcomes["image"] > MUTATIONS // 40


def every_cut_and_flip(data: bytes) -> list[bytes]:
    cuts = [data[:length] for length in range(len(data))]
    flips = [data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in range(len(data))]
    return cuts + flips


def test_a_real_file_cut_or_changed_anywhere_is_refused(codec: Codec, files: list[bytes]) -> None:
    for data in every_cut_and_flip(files[0]):
        with pytest.raises(FormatError):
            codec.decompress(data)


def test_a_real_file_cut_or_changed_anywhere_is_shown_in_part_or_refused(codec: Codec, files: list[bytes]) -> None:
    for data in every_cut_and_flip(files[0]):
        assert decompress(codec, data, allow_partial=True) in ("image", "FormatError", "LimitError")


def test_a_damaged_tile_is_shown_gray_and_said(codec: Codec) -> None:
    rng = np.random.default_rng(0)
    whole = codec.compress(rng.integers(0, 256, (64, 192, 3)).astype(np.uint8), tile=64)
    middle = [c for c in container.chunks(whole) if c.type == container.TILE][1]
    damaged = whole[: middle.start] + bytes([whole[middle.start] ^ 1]) + whole[middle.start + 1 :]
    with pytest.raises(FormatError, match="checksum"):
        codec.decompress(damaged)
    picture = codec.decompress(damaged, allow_partial=True)
    assert picture.notes == ("1 tiles are damaged, shown gray",)
    left, center, right = np.split(picture.color, 3, axis=1)
    assert np.ptp(center) == 0
    assert min(np.ptp(left), np.ptp(right)) > 0


def largest_correction() -> bytes:
    """Weights of one group as large as the limit on its bytes lets them be, in the coarsest units."""
    weights = np.zeros((6, 24), np.int32)
    weights[0, ::2], weights[0, 1::2] = 20_000, -20_000
    return Correction(weights, PRECISIONS[0]).to_bytes()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("quality", [0, 10_000])
def test_the_largest_symbols_decode_to_an_image(codec: Codec, quality: int) -> None:
    """Escapes to the limit everywhere: the float networks and the filter overflow nowhere and no sample is undefined."""
    signs = np.random.default_rng(0).choice([-1, 1], (codec.latent_coder.scales.channels, 3, 3))
    tile = codec.latent_coder.encode((signs * 1e9).astype(np.float32), codec.weights.level(quality), check=True).data
    header = container.Header(33, 33, "RGB", 64, quality, 0, CODER_ID, codec.weights.fingerprint)
    data = container.write(Container(header, [tile], correction=largest_correction()))
    assert max(np.abs(latent.symbols).max() for latent in codec.symbols(data)) >= SYMBOL_LIMIT - 2
    assert decompress(codec, data, allow_partial=False) == "image"


def changed(data: bytes, **fields: object) -> bytes:
    """The same file with other fields in its header and checksums that hold."""
    content = container.read(data)
    header = replace(content.header, **fields)  # type: ignore[arg-type]
    return container.write(replace(content, header=header))


def test_another_model_is_an_error_that_says_what_to_do(codec: Codec, files: list[bytes]) -> None:
    with pytest.raises(ModelError, match=r"written with model 6e6f206d6f64656c, .* --model"):
        codec.decompress(changed(files[0], model=b"no model"))


def test_an_unknown_coder_is_refused(codec: Codec, files: list[bytes]) -> None:
    with pytest.raises(FormatError, match="coder is 255, this aecodec knows 4"):
        codec.decompress(changed(files[0], coder=255))


def test_an_image_beyond_the_limit_is_refused_before_it_is_decoded(codec: Codec) -> None:
    header = container.Header(1024, 1024, "RGB", 1024, 7500, 0, CODER_ID, codec.weights.fingerprint)
    with pytest.raises(LimitError, match="1024x1024 is 1048576 pixels, limit 65536"):
        codec.decompress(container.write(Container(header, [b""])))
