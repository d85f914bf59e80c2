"""Trains the classic presets on MNIST and Fashion-MNIST and measures what they reach and what their codes are good for.

    python -m benchmarks.classic.run MNIST RUNS [NAME...]

MNIST is a folder with mnist/ and fashion-mnist/, each with the four idx files; RUNS a folder for what is trained, some 20 MB.
Everything is trained that isn't trained yet, or only the runs that are named; a run that was stopped goes on where it was. At the
end results.json, results.md, rate.png and a folder of pictures for each run beside this script are brought up to date: what
RUNS doesn't have keeps the figures that it has there.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aecodec.classic.files import MODEL
from aecodec.classic.images import Images, load, load_split, read_idx
from aecodec.classic.networks import Autoencoder
from aecodec.classic.presets import PRESETS
from aecodec.classic.task import ClassicTask, train_config
from aecodec.training.loop import Run
from benchmarks.classic.codes import anomaly_auc, code_rows, draw_rates, losses_of_dense_denoise, rate_rows
from benchmarks.classic.runs import ANOMALIES, AS_GIVEN, CODE_SIZES, OTHER_LOSS, TrainingRun
from benchmarks.measure import Facts, table, write_results

HERE = Path(__file__).parent
TIMED_STEPS = 20


def main() -> None:
    """Train what is missing, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", type=Path, help="folder with mnist/ and fashion-mnist/")
    parser.add_argument("runs", type=Path, help="folder for what is trained")
    parser.add_argument("names", nargs="*", help="only these runs; none: all")
    parser.add_argument("--no-training", action="store_true", help="measure what there is")
    parser.add_argument("--bf16", action="store_true", help="train in bfloat16, for CPUs that compute with it")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    facts = Facts("python -m benchmarks.classic.run MNIST RUNS")
    every = [*AS_GIVEN[:5], *CODE_SIZES, *ANOMALIES, *OTHER_LOSS, *AS_GIVEN[5:]]
    if not arguments.no_training:
        for run in every:
            if not arguments.names or run.name in arguments.names:
                train(run, arguments.mnist, arguments.runs, ["--bf16"] if arguments.bf16 else [])
    report(facts, arguments.mnist, arguments.runs)


def train(run: TrainingRun, mnist: Path, runs: Path, options: list[str]) -> None:
    """Train, or go on, unless it is done."""
    out = runs / run.name
    if (out / MODEL).exists():
        return
    data = mnist / run.data
    if run in ANOMALIES:
        data = without_class(mnist / "fashion-mnist", int(run.data[-1]), runs / "data" / run.data)
    command = run.command(str(data), str(out))
    print(run.name, flush=True)
    subprocess.run([sys.executable, "-m", "aecodec", *command, *options, "--threads", "1", "--no-progress"], check=True)


def without_class(source: Path, label: int, target: Path) -> Path:
    """A folder of idx files without the images of one class."""
    target.mkdir(parents=True, exist_ok=True)
    for half in ("train", "t10k"):
        images, labels = (read_idx(source / f"{half}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
        kept = labels != label
        for kind, array in (("images-idx3", images[kept]), ("labels-idx1", labels[kept])):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (target / f"{half}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes(), 1))
    return target


def report(facts: Facts, mnist: Path, runs: Path) -> None:
    """Measure everything that is trained, and write it down beside what was measured before."""
    stem = HERE / "results"
    earlier = json.loads(stem.with_suffix(".json").read_text())
    facts["PyTorch"] = torch.__version__
    digits_train, digits = load_split(mnist / "mnist")
    fashion = load(mnist / "fashion-mnist")
    begun = [run for run in [*AS_GIVEN, *OTHER_LOSS] if (runs / run.name / "metrics.csv").exists()]
    rows = [{**training_row(run, runs, digits_train), "machine": facts["machine"]} for run in begun]
    results: dict[str, Any] = {"training": merged(earlier["training"], rows, "name")}
    for run in begun:
        keep_pictures(runs / run.name, HERE / run.name)
    trained = [run for run in begun if (runs / run.name / MODEL).exists()]
    wanted = [run for run in [*CODE_SIZES, *trained] if run.data == "mnist" and (runs / run.name / MODEL).exists()]
    plain = [runs / run.name for run in wanted if not PRESETS[run.preset].recipe.noise]
    codes = code_rows(plain, digits_train, digits) if plain else []
    results["codes"] = merged(earlier["codes"], codes, "model")
    results["rates"] = merged(earlier["rates"], rate_rows([runs / run.name for run in wanted], digits), "model", "quality")
    draw_rates(results["rates"], HERE / "rate.png")
    held_out = [run for run in ANOMALIES if (runs / run.name / MODEL).exists()]
    aucs = {run.data[-1]: anomaly_auc(runs / run.name, fashion, int(run.data[-1])) for run in held_out}
    results["anomalies"] = earlier["anomalies"] | aucs
    both = [run for run in trained if run.preset == "dense-denoise"]
    losses = {run.name: losses_of_dense_denoise(runs / run.name, digits) for run in both}
    results["dense-denoise"] = earlier["dense-denoise"] | losses
    write_results(stem, "Classic autoencoders", facts, results, tables(results))


def merged(earlier: list[dict[str, Any]], new: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    """Rows known by their values under ``keys``, in their old order; new ones replace earlier ones."""
    return list({tuple(row[key] for key in keys): row for row in [*earlier, *new]}.values())


def training_row(run: TrainingRun, runs: Path, images: Images) -> dict[str, Any]:
    """What a run came to by its last validation, finished or not, and what an epoch costs."""
    with (runs / run.name / "metrics.csv").open() as file:
        last = [row for row in csv.DictReader(file) if row.get("val_loss")][-1]
    config = json.loads((runs / run.name / "config.json").read_text())
    figures = {name: float(last[name]) for name in ("val_loss", "val_psnr", "val_psnr_noisy") if last.get(name)}
    return {
        "name": run.name,
        "data": run.data,
        **config["recipe"],
        "bfloat16": config["train"]["bfloat16"],
        "epochs_done": float(last["epoch"]),
        "train_loss": float(last["loss"]),
        **figures,
        "seconds_per_epoch": seconds_per_epoch(run, images, config["train"]["bfloat16"]),
    }


def seconds_per_epoch(run: TrainingRun, images: Images, bfloat16: bool) -> float:
    """Processor time of one thread for an epoch of 60,000 images, from some steps in the middle of a run."""
    preset = PRESETS[run.preset]
    recipe = preset.recipe
    task = ClassicTask(Autoencoder(preset.architecture, images.shape), recipe, images, images, Path())
    training = Run(task, Path(), replace(train_config(recipe, len(images)), bfloat16=bfloat16))
    training.model.train()
    training.train_step(task.batch(0))
    started = time.process_time()
    for step in range(1, TIMED_STEPS + 1):
        training.train_step(task.batch(step))
    return (time.process_time() - started) / TIMED_STEPS * -(-len(images) // recipe.batch)


def _epochs(row: dict[str, Any]) -> str:
    return str(row["epochs"]) if row["epochs_done"] == row["epochs"] else f"{row['epochs_done']:.0f} of {row['epochs']}"


def keep_pictures(run: Path, target: Path) -> None:
    """The curve, its plot and the samples of a run."""
    target.mkdir(exist_ok=True)
    for name in ("metrics.csv", "loss.png", "samples.png"):
        shutil.copy(run / name, target / name)


def tables(results: dict[str, Any]) -> list[str]:
    """The lines of results.md."""
    header = ["run", "data", "recipe", "train loss", "val. loss", "noisy, dB", "decoded, dB", "s/epoch", "precision", "machine"]
    rows = [
        [
            f"[{r['name']}]({r['name']})",
            r["data"],
            f"{r['loss']}, {r['optimizer']} {r['learning_rate']:g}, {_epochs(r)} epochs",
            f"{r['train_loss']:.4g}",
            f"{r['val_loss']:.4g}",
            f"{r['val_psnr_noisy']:.2f}" if r.get("val_psnr_noisy") else "–",
            f"{r['val_psnr']:.2f}",
            f"{r['seconds_per_epoch']:.1f}",
            "bfloat16" if r["bfloat16"] else "float32",
            r["machine"],
        ]
        for r in results["training"]
    ]
    lines = ["## Training", "", *table(header, rows), ""]
    if results["dense-denoise"]:
        rows = [[run, *(f"{value:.4f}" for value in losses.values())] for run, losses in results["dense-denoise"].items()]
        header = ["run", *next(iter(results["dense-denoise"].values()))]
        lines += ["## dense-denoise under each loss, noisy test images", "", *table(header, rows), ""]
    header = ["model", "code", "k-means purity, 10 clusters", "linear classifier"]
    rows = [[r["model"], r["units"], f"{r['purity']:.3f}", f"{r['accuracy']:.3f}"] for r in results["codes"]]
    lines += ["## MNIST codes", "", *table(header, rows), ""]
    if results["anomalies"]:
        values = results["anomalies"]
        header = ["class held out", *values, "mean"]
        aucs = [f"{value:.3f}" for value in [*values.values(), float(np.mean(list(values.values())))]]
        lines += ["## A class of Fashion-MNIST found as anomalous", "", *table(header, [["AUC", *aucs]]), ""]
    header = ["model", "quality", "bytes of the code", "bytes of the file", "PSNR, dB"]
    rows = [
        [r["model"], r["quality"], f"{r['code_bytes']:.1f}", f"{r['file_bytes']:.1f}", f"{r['psnr']:.2f}"]
        for r in results["rates"]
    ]
    return [*lines, "## As codecs, MNIST test images", "", *table(header, rows)]


if __name__ == "__main__":
    main()
