"""The codec: every picture comes back in its size and mode, close to what it was, without seams; better quality costs more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aecodec import Codec, FormatError, LimitError, Limits, ModelError, UsageError
from aecodec.coding.grid import HALO, LATENT, Box, Grid, within
from aecodec.coding.latents import LatentRows
from aecodec.coding.tile import pixels_of
from aecodec.format import container
from aecodec.model import weights
from aecodec.model.quality import lmbda_of_level, node_weights
from aecodec.nets.autoencoder import AutoEncoder, ModelConfig, load_model
from aecodec.picture.imageio import Picture, to_image
from aecodec.picture.pixels import to_8bit

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.asarray(Image.open(DATA / "motorcycles.png").convert("RGB"))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(["L", "LA", "RGB", "RGBA"]), st.sampled_from([0.0, 42.5, 100.0]))
def test_every_size_and_mode_comes_back(
    codec: Codec, photo: np.ndarray, width: int, height: int, mode: str, quality: float
) -> None:
    image = Image.fromarray(photo[60 : 60 + height, 80 : 80 + width]).convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(photo[:height, :width, 1].copy()))
    back = to_image(codec.decompress(codec.compress(image, quality=quality)))
    assert (back.size, back.mode) == (image.size, image.mode)
    if mode.endswith("A"):
        assert np.array_equal(np.asarray(back.getchannel("A")), np.asarray(image.getchannel("A")))


@pytest.mark.parametrize(
    ("name", "quality", "least"), [("face", 75, 34), ("fence", 75, 32), ("motorcycles", 75, 32), ("face", 100, 40)]
)
def test_pictures_are_close_to_what_they_were(codec: Codec, name: str, quality: float, least: float) -> None:
    image = np.asarray(Image.open(DATA / f"{name}.png").convert("RGB"))
    assert psnr(codec.decompress(codec.compress(image, quality=quality)).color, image) > least


@pytest.mark.parametrize("name", ["face", "fence", "motorcycles"])
def test_bytes_and_psnr_rise_with_quality(codec: Codec, name: str) -> None:
    image = np.asarray(Image.open(DATA / f"{name}.png").convert("RGB"))
    files = [codec.compress(image, quality=q) for q in range(0, 101, 10)]
    sizes = [len(data) for data in files]
    fidelity = [psnr(codec.decompress(data).color, image) for data in files]
    assert sizes == sorted(set(sizes))
    assert fidelity == sorted(set(fidelity))


def test_a_file_is_far_smaller_than_jpeg_of_the_same_fidelity(codec: Codec) -> None:
    import io

    image = Image.open(DATA / "kodim23.png").convert("RGB")
    pixels = np.asarray(image)
    data = codec.compress(image, quality=50)
    ours = psnr(codec.decompress(data).color, pixels)
    for quality in range(5, 96):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
        if psnr(np.asarray(Image.open(buffer)), pixels) >= ours:
            break
    assert len(data) < 0.6 * buffer.tell()


def test_tiles_leave_no_seam(codec: Codec, photo: np.ndarray) -> None:
    """The transforms of each tile, with its halo, give what those of the whole image give."""
    level = 4000
    whole = Grid(photo.shape[1], photo.shape[0], 2048)
    tiled = Grid(photo.shape[1], photo.shape[0], 128)

    def analyse(grid: Grid, box: Box) -> np.ndarray:
        y = codec.engine.run("g_a", pixels_of(photo, None, grid, box), node_weights(level))[0]
        return y[:, *within(box, grid.with_halo(box))]

    y = analyse(whole, whole.box(0, 0))
    for row in range(tiled.rows):
        for column in range(tiled.columns):
            top, left, bottom, right = tiled.box(row, column)
            part = analyse(tiled, (top, left, bottom, right))
            np.testing.assert_allclose(part, y[:, top:bottom, left:right], atol=2e-3)
    data = codec.compress(photo, quality=60, tile=128, effort=0)  # test_correction.py is about the others
    content = container.read(data)
    level = codec.weights.level(6000)
    rows = LatentRows(codec.latent_coder, content.tiles, tiled, level, tolerant=False)
    y_hat = rows.read((0, 0, *tiled.latent_size))
    x_hat = codec.engine.run("g_s", y_hat[None], node_weights(level))[0, :, : photo.shape[0], : photo.shape[1]]
    difference = codec.decompress(data).color.astype(int) - to_8bit(x_hat.transpose(1, 2, 0))
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 1e-4


def test_the_halo_is_as_wide_as_the_transforms_see(codec: Codec) -> None:
    """A pixel one halo away still may reach a tile's border; one latent further nothing does."""
    model = load_model(codec.model_path)
    nodes = torch.from_numpy(node_weights(4000))
    x = torch.rand(1, 3, 512, 64, requires_grad=True)
    y = model.g_a(x, nodes)
    (grad,) = torch.autograd.grad(y[:, :, 16].sum(), x)
    reach = grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert 16 * LATENT - int(reach.min()) <= HALO * LATENT
    y_hat = torch.randn(1, 320, 32, 4, requires_grad=True)
    x_hat = model.g_s(y_hat, nodes)
    (grad,) = torch.autograd.grad(x_hat[:, :, 16 * LATENT].sum(), y_hat)
    reach = grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert 16 - int(reach.min()) <= HALO
    assert 16 - int(reach.min()) >= HALO - 2


@pytest.mark.parametrize("region", [(0, 0, 1, 1), (319, 239, 1, 1), (100, 60, 150, 101), (0, 0, 320, 240), (127, 0, 2, 240)])
def test_a_region_is_the_crop_of_the_whole(codec: Codec, photo: np.ndarray, region: tuple[int, int, int, int]) -> None:
    image = Image.fromarray(photo)
    image.putalpha(Image.fromarray(photo[:, :, 0].copy()))
    data = codec.compress(image, quality=50, tile=128)
    whole = codec.decompress(data)
    part = codec.decompress(data, region=region)
    x, y, width, height = region
    assert part.alpha is not None
    assert whole.alpha is not None
    assert np.array_equal(part.alpha, whole.alpha[y : y + height, x : x + width])
    assert np.abs(part.color.astype(int) - whole.color[y : y + height, x : x + width]).max() <= 1


def test_a_region_outside_the_image_is_refused(codec: Codec, photo: np.ndarray) -> None:
    data = codec.compress(photo[:20, :30])
    with pytest.raises(UsageError, match=r"region 20,0,11,5 is not inside the image of 30x20"):
        codec.decompress(data, region=(20, 0, 11, 5))


def test_a_damaged_tile_loses_itself_only(codec: Codec, photo: np.ndarray) -> None:
    data = codec.compress(photo, quality=50, tile=128)
    whole = codec.decompress(data).color
    third = [chunk for chunk in container.chunks(data) if chunk.type == container.TILE][2]
    broken = bytearray(data)
    broken[third.start + 5] ^= 1
    with pytest.raises(FormatError, match=r"tile at byte .* checksum"):
        codec.decompress(bytes(broken))
    partial = codec.decompress(bytes(broken), allow_partial=True)
    assert partial.notes == ("1 tiles are damaged, shown gray",)
    assert (partial.color[:128, 256:] == 128).all()
    untouched = np.s_[:, : 256 - HALO * LATENT]
    assert np.array_equal(partial.color[untouched], whole[untouched])


def test_metadata_survives_byte_for_byte(codec: Codec, photo: np.ndarray) -> None:
    metadata = {"icc": b"\0profile", "exif": b"II*\0\x08\0\0\0", "xmp": b"<x:xmpmeta/>"}
    back = codec.decompress(codec.compress(Picture(photo[:16, :16], metadata=metadata)))
    assert back.metadata == metadata


def test_a_file_is_no_larger_than_training_estimates(codec: Codec) -> None:
    """Both choose along the trellis, by the costs of the same tables; the file has a header and ends of words besides."""
    image = np.asarray(Image.open(DATA / "face.png").convert("RGB"))
    model = load_model(codec.model_path).eval()
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    for quality in (30, 75, 95):
        lmbda = lmbda_of_level(codec.weights.level(quality * 100))
        with torch.no_grad():
            estimate = model(x, torch.tensor([lmbda]))
        estimated = float(estimate.bits_y + estimate.bits_z) / 8
        assert 0.9 * estimated < len(codec.compress(image, quality=quality, effort=0)) < 1.01 * (estimated + 45)


def test_compressing_twice_gives_the_same_bytes(codec: Codec, photo: np.ndarray) -> None:
    assert codec.compress(photo[:100, :100]) == codec.compress(photo[:100, :100])


def test_progress_counts_tiles(codec: Codec, photo: np.ndarray) -> None:
    seen: list[tuple[int, int]] = []
    data = codec.compress(photo[:130, :130], tile=128, progress=lambda done, total: seen.append((done, total)))
    codec.decompress(data, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [({"quality": 101}, "quality is 101"), ({"quality": float("nan")}, "quality is nan"), ({"tile": 100}, "tile is 100")],
)
def test_options_out_of_range_are_named(codec: Codec, photo: np.ndarray, options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        codec.compress(photo, **options)  # type: ignore[arg-type]


def test_limits_hold_for_both_directions(codec: Codec, photo: np.ndarray) -> None:
    data = codec.compress(photo[:10, :10])
    small = Codec(limits=Limits(pixels=99))
    with pytest.raises(LimitError, match="100 pixels, limit 99"):
        small.decompress(data)
    with pytest.raises(LimitError, match="100 pixels, limit 99"):
        small.compress(photo[:10, :10])


def test_a_file_of_another_model_says_which(codec: Codec, photo: np.ndarray) -> None:
    data = codec.compress(photo[:10, :10])
    chunk = container.chunks(data)[0]
    other = container.Container(
        container.Header(10, 10, "RGB", 1024, 7500, 0, 1, b"\x01\x02\x03\x04\x05\x06\x07\x08"), container.read(data).tiles
    )
    assert chunk.name == "header"
    with pytest.raises(ModelError, match="0102030405060708"):
        codec.decompress(container.write(other))


def test_a_missing_model_is_named(tmp_path: Path, photo: np.ndarray) -> None:
    with pytest.raises(ModelError, match=r"none\.safetensors"):
        Codec(tmp_path / "none.safetensors").compress(photo)
    (tmp_path / "bad.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(ModelError, match="not a weights file"):
        Codec(tmp_path / "bad.safetensors").compress(photo)


@pytest.mark.parametrize("name", ["tables.hyper", "scales.out0.weight", "g_s.stem.weight"])
def test_a_model_without_one_of_its_tensors_is_refused(name: str, codec: Codec, tmp_path: Path, photo: np.ndarray) -> None:
    tensors = {key: tensor for key, tensor in codec.weights.tensors.items() if key != name}
    weights.save(tmp_path / "part.safetensors", tensors, codec.weights.config)
    partial = Codec(tmp_path / "part.safetensors")
    with pytest.raises(ModelError, match=r"part\.safetensors"):
        partial.decompress(partial.compress(photo[:16, :16]))


def test_decoding_stays_cheap() -> None:
    """Multiplications per pixel: at most 10,000 in g_s, 15,000 for all that a decoder runs."""
    model = AutoEncoder(ModelConfig()).eval()
    macs = {"g_s": 0.0, "rest": 0.0}

    def count(where: str) -> object:
        def hook(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            if isinstance(module, torch.nn.ConvTranspose2d):
                macs[where] += inputs[0][0, 0].numel() * module.weight.numel()
            elif isinstance(module, torch.nn.Conv2d):
                macs[where] += output[0, 0].numel() * module.weight.numel()

        return hook

    for name, module in model.named_modules():
        if not name.startswith(("g_a", "h_a")):
            module.register_forward_hook(count("g_s" if name.startswith("g_s") else "rest"))  # type: ignore[arg-type]
    side = 256
    with torch.no_grad():
        model(torch.rand(2, 3, side, side), torch.tensor([0.01, 0.1]))
    assert macs["g_s"] / side**2 <= 10_000
    assert macs["g_s"] + macs["rest"] <= 15_000 * side**2
    assert macs["rest"] > 0
