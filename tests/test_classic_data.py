"""idx files, folders and zips of images: read as they are, and what is wrong with them is named."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aecodec.classic.images import load, load_split, read_idx
from aecodec.errors import FormatError
from aecodec.training.photographs import DataError

from .classic_images import bars, idx, mnist_folder


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_idx_files_are_read_as_they_are(packed: bool, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (3, 5, 4), np.uint8)
    data = idx(array)
    (tmp_path / "some").write_bytes(gzip.compress(data) if packed else data)
    np.testing.assert_array_equal(read_idx(tmp_path / "some"), array)
    images = load(tmp_path / "some")
    assert images.shape == (1, 5, 4)
    np.testing.assert_array_equal(images.pixels[:, 0].numpy(), array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"hello, world", "neither an idx file nor a zip"),
        (b"", "neither an idx file nor a zip"),
        (bytes([0, 0, 13, 3]) + bytes(12), "values of type 13, must be 8"),
        (bytes([0, 0, 8, 3, 0, 0]), "ends in its header"),
        (idx(np.zeros((2, 3, 3), np.uint8))[:-1], "17 values, the header says 2x3x3"),
        (idx(np.zeros((2, 3, 3), np.uint8)) + b"x", "19 values, the header says 2x3x3"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, "0 values, the header says 4294967295x4294967295x4294967295"),
        # mtime=0, or the data, and so the name of the test, holds the time: two processes of a suite must make the same names.
        (gzip.compress(bytes(1000), mtime=0)[:-12], "broken gzip"),
        (gzip.compress(b"", mtime=0)[:10] + b"\xff" * 20, "broken gzip"),
    ],
)
def test_broken_idx_files_are_refused_by_name(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=f"broken: .*{message}"):
        read_idx(path)


@pytest.mark.parametrize("shape", [(6,), (0, 4, 4), (2, 2, 2, 2)])
def test_idx_files_of_something_else_are_no_images(shape: tuple[int, ...], tmp_path: Path) -> None:
    (tmp_path / "some").write_bytes(idx(np.zeros(shape, np.uint8)))
    with pytest.raises(DataError, match="images have three dimensions"):
        load(tmp_path / "some")


def test_an_mnist_folder_is_split_as_it_comes_with_its_labels(tmp_path: Path) -> None:
    training, validation = load_split(mnist_folder(tmp_path, 30, 20))
    assert (len(training), len(validation)) == (30, 20)
    np.testing.assert_array_equal(training.labels, bars(30, 1)[1])
    np.testing.assert_array_equal(validation.pixels[:, 0].numpy(), bars(20, 2)[0])
    assert validation.names[3] == "00003"
    assert len(load(tmp_path)) == 20  # its test set


def test_half_an_mnist_folder_is_refused(tmp_path: Path) -> None:
    mnist_folder(tmp_path, 10, 10)
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match="t10k-images\\* is missing"):
        load_split(tmp_path)


def test_labels_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    mnist_folder(tmp_path, 10, 10)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(9, np.uint8))))
    assert load(tmp_path).labels is None


def pictures(folder: Path) -> Path:
    folder.mkdir()
    (folder / "deep").mkdir()
    for number in range(20):
        color = (number * 10, 0, 255)
        Image.new("RGB", (30 + number, 20), color).save(folder / ("deep" if number % 2 else ".") / f"{number:02} ü.png")
    (folder / "broken.png").write_bytes(b"\x89PNG nothing")
    (folder / "readme.txt").write_text("no image")
    return folder


def zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder).as_posix())
    return folder.with_suffix(".zip")


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_pictures_are_resized_and_bad_ones_named(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = pictures(tmp_path / "pictures")
    images = load(source if kind == "folder" else zipped(source), (3, 16, 24))
    assert images.pixels.shape == (20, 3, 16, 24)
    assert images.names[0] == "00 ü.png"
    assert "deep/01 ü.png" in images.names
    assert images.pixels[images.names.index("02 ü.png"), :, 5, 5].tolist() == [20, 0, 255]
    errors = capsys.readouterr().err
    assert "skipped broken.png" in errors
    assert "readme" not in errors


def test_every_tenth_picture_validates_and_gray_is_the_default(tmp_path: Path) -> None:
    training, validation = load_split(pictures(tmp_path / "pictures"))
    assert training.shape == validation.shape == (1, 28, 28)
    assert (len(training), len(validation)) == (18, 2)
    assert not set(training.names) & set(validation.names)


def test_idx_images_are_resized_where_asked(tmp_path: Path) -> None:
    images = load(mnist_folder(tmp_path), (3, 14, 20))
    assert images.pixels.shape == (100, 3, 14, 20)
    torch.testing.assert_close(images.pixels[:, 0], images.pixels[:, 2])


def test_too_little_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images in it"):
        load(tmp_path)
    Image.new("L", (9, 9)).save(tmp_path / "one.png")
    with pytest.raises(DataError, match="1 image, training takes at least 2"):
        load_split(tmp_path)
