"""`aec train classic`, `aec embed`, `aec anomalies`, and --model with the folder of a classic run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aecodec.classic.presets import PRESETS
from aecodec.cli import main, train_classic

from .classic_images import bars, mnist_folder

QUICK = ["--epochs", "1", "--batch", "50", "--no-progress"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mnist/, a run of it, and a digit."""
    folder = tmp_path_factory.mktemp("classic")
    mnist_folder(folder / "mnist", 150, 60)
    command = ["train", "classic", str(folder / "mnist"), "--preset", "vanilla", "--out", str(folder / "run")]
    assert main([*command, "--epochs", "60", "--batch", "50", "--lr", "0.003", "--no-progress"]) == 0
    Image.fromarray(bars(1)[0][0]).save(folder / "digit.png")
    return folder


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_presets_are_listed_each_with_its_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--list-presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(PRESETS)
    assert "bce, adadelta 0.001, 3 epochs of batches of 128; --tuned" in lines[list(PRESETS).index("conv")]


def test_presets_are_listed_without_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; from aecodec.cli import main; sys.exit(main(['train', '--list-presets']))"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def trained(monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[object, ...]:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(train_classic, "_task", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(train_classic, "_train", lambda _task, out, bf16, progress: calls.append((out, bf16, progress)))
    assert main(["train", "classic", "mnist", "--out", "new", *options]) == 0
    return (*calls[0], *calls[1])


def test_a_preset_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, preset in PRESETS.items():
        _, architecture, recipe, shape, *_, bf16, _ = trained(monkeypatch, "--preset", name)
        assert (architecture, recipe, shape, bf16) == (preset.architecture, preset.recipe, None, False)


def test_tuned_takes_the_tuned_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trained(monkeypatch, "--preset", "conv", "--tuned")[2] == PRESETS["conv"].tuned


def test_every_hyper_parameter_can_be_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    network = ["--code", "7", "--nodes", "50,40", "--noise", "0.2", "--activity", "0.1"]
    learning = ["--loss", "l1", "--optimizer", "sgd", "--lr", "0.5", "--epochs", "3", "--batch", "9"]
    others = ["--size", "20x12", "--rgb", "--seed", "4", "--threads", "1", "--bf16", "--no-progress"]
    arguments = trained(monkeypatch, "--preset", "vanilla", *network, *learning, *others)
    data, architecture, recipe, shape, seed, out, bf16, progress = arguments
    assert (data, shape, seed, out) == (Path("mnist"), (3, 12, 20), 4, Path("new"))
    assert (bf16, progress) == (True, False)
    assert vars(architecture) == {"kind": "dense", "nodes": (50, 40), "code": 7, "he": False}
    chosen = {"loss": "l1", "optimizer": "sgd", "learning_rate": 0.5, "noise": 0.2, "activity": 0.1, "epochs": 3, "batch": 9}
    assert vars(recipe) == {**chosen, "beta1": 0.9}


@pytest.mark.parametrize(
    ("options", "nodes"),
    [
        (["--preset", "vanilla", "--layers", "3", "--nodes", "50"], (50, 50, 50)),
        (["--preset", "vanilla", "--nodes", "50"], (50,)),
        (["--preset", "dense-denoise", "--nodes", "50"], (50, 50)),
        (["--preset", "dense-denoise", "--nodes", "50,60,70"], (50, 60, 70)),
        (["--preset", "dense-denoise", "--layers", "0"], ()),
        (["--preset", "conv-denoise", "--layers", "2"], (32, 32)),
    ],
)
def test_layers_and_nodes_go_together(options: list[str], nodes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    assert vars(trained(monkeypatch, *options)[1])["nodes"] == nodes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "unknown"], "--preset is 'unknown', possible are vanilla, multilayer"),
        (["--preset", "vanilla", "--tuned"], "another one have conv, conv-denoise, conv-denoise-bn"),
        (["--preset", "vanilla", "--layers", "2"], "--layers is 2, but there are nodes of 0"),
        (["--preset", "dense-denoise", "--layers", "1"], "--layers is 1, but there are nodes of 2"),
        (["--preset", "vanilla", "--nodes", "5,x"], "--nodes is '5,x', must be positive numbers"),
        (["--preset", "vanilla", "--size", "5x5x5"], "--size is '5x5x5', must be N or WxH"),
        (["--preset", "vanilla", "--size", "0"], "--size is '0', must be positive numbers"),
        (["--preset", "conv-denoise-bn", "--size", "27"], "images of 27x27 do not pass"),
    ],
)
def test_wrong_hyper_parameters_are_said_and_nothing_is_begun(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "classic", "mnist", "--out", "none", *options]) == 2
    assert message in capsys.readouterr().err
    assert not Path("none").exists()


def test_a_run_of_a_folder_of_pictures_in_color(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pictures").mkdir()
    for number in range(30):
        Image.new("RGB", (40, 30), (8 * number, 0, 99)).save(f"pictures/{number}.jpg")
    Image.new("RGB", (20, 16), (80, 0, 99)).save("small.png")
    command = ["train", "classic", "pictures", "--preset", "conv", "--size", "20x16", "--rgb", "--out", "colors", *QUICK]
    assert main(command) == 0
    assert "colors/model.safetensors: 1 epochs, val_loss" in capsys.readouterr().err
    assert main(["compress", "small.png", "small.aec", "--model", "colors"]) == 0
    assert main(["decompress", "small.aec", "back.png", "--model", "colors/model.safetensors"]) == 0
    with Image.open("back.png") as image:
        assert (image.size, image.mode) == ((20, 16), "RGB")


def test_a_preview_draws_and_trains_nothing() -> None:
    assert main(["train", "classic", "mnist", "--preset", "conv-denoise", "--out", "preview", "--preview"]) == 0
    assert [path.name for path in Path("preview").iterdir()] == ["preview.png"]


def test_a_folder_of_another_run_is_not_continued(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("run/model.safetensors").read_bytes()
    assert main(["train", "classic", "mnist", "--preset", "conv", "--out", "run", *QUICK]) == 2
    assert "a run of another model" in capsys.readouterr().err
    assert Path("run/model.safetensors").read_bytes() == before


def test_embed_writes_codes_names_and_labels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "mnist", "--model", "run", "--out", "codes.npz"]) == 0
    assert capsys.readouterr().err == "aec: codes.npz: 60 codes of 64\n"
    with np.load("codes.npz") as file:
        assert file["codes"].shape == (60, 64)
        assert file["codes"].dtype == np.float32
        assert file["names"][2] == "00002"
        np.testing.assert_array_equal(file["labels"], bars(60, 2)[1])
    assert main(["embed", "mnist", "--model", "run", "--out", "codes.npz"]) == 1
    assert "exists" in capsys.readouterr().err
    assert main(["embed", "mnist", "--model", "run", "--out", "codes.npz", "--force"]) == 0


def test_embed_needs_a_classic_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "mnist", "--model", "mnist", "--out", "other.npz"]) == 4
    assert "mnist/model.safetensors" in capsys.readouterr().err
    assert not Path("other.npz").exists()


def strange(folder: Path) -> Path:
    """Ten bars, and a picture of noise."""
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(bars(10, 2)[0]):
        Image.fromarray(image).save(folder / f"bar{number}.png")
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    return folder


def test_anomalies_are_ranked_and_judged_by_a_reference(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["anomalies", str(strange(Path("parts"))), "--model", "run"]
    assert main([*command, "--reference", "mnist", "--percentile", "100"]) == 0
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()]
    assert len(rows) == 11
    assert rows[0][1:] == ["noise.png", "ANOMALY"]
    assert all(len(row) == 2 for row in rows[1:])
    errors = [float(row[0]) for row in rows]
    assert errors == sorted(errors, reverse=True)
    assert err.startswith("aec: 1 of 11 above the threshold of 0.")


def test_anomalies_as_json_with_a_threshold_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["anomalies", str(strange(Path("parts"))), "--model", "run", "--top", "2", "--json"]
    assert main([*command, "--threshold", "0.05"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["name"], first["anomaly"], second["anomaly"]) == ("noise.png", True, False)
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0]).keys() == {"name", "error"}


@pytest.mark.parametrize("options", [["--percentile", "5"], ["--reference", "mnist", "--threshold", "1"]])
def test_options_of_anomalies_that_make_no_sense_are_refused(options: list[str]) -> None:
    assert main(["anomalies", "mnist", "--model", "run", *options]) == 2


def test_compress_and_decompress_with_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    for quality in ("10", "90"):
        assert main(["compress", "-q", quality, "digit.png", f"{quality}.aec", "--model", "run"]) == 0
    assert Path("10.aec").stat().st_size < Path("90.aec").stat().st_size
    assert main(["decompress", "90.aec", "digit90.png", "--model", "run"]) == 0
    with Image.open("digit90.png") as image:
        error = np.asarray(image).astype(float) - bars(1)[0][0]
        assert image.mode == "L"
    assert np.sqrt((error**2).mean()) < 50
    assert main(["verify", "90.aec", "--model", "run", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["decompress", "90.aec", "none.png"]) == 4
    assert "was written with model" in capsys.readouterr().err
    assert not Path("none.png").exists()


def test_a_target_is_searched_with_a_run_too() -> None:
    assert main(["compress", "--target-size", "70", "digit.png", "fits.aec", "--model", "run"]) == 0
    assert Path("fits.aec").stat().st_size <= 70


def test_encoders_of_the_codec_do_not_go_with_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "--denoise", "digit.png", "denoised.aec", "--model", "run"]) == 2
    assert "not with a classic autoencoder" in capsys.readouterr().err


def test_without_torch_the_extra_is_named() -> None:
    code = "import sys; sys.modules['torch'] = None; from aecodec.cli import main; sys.exit(main(sys.argv[1:]))"
    for command in (["embed", "mnist", "--model", "run", "--out", "x.npz"], ["anomalies", "mnist", "--model", "run"]):
        done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
        assert done.returncode == 4
        assert "pip install 'aecodec[train]'" in done.stderr
