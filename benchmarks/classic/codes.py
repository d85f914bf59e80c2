"""What codes are good for: clusters, classifiers, anomalies, compression."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from aecodec.classic.codec import ClassicCodec
from aecodec.classic.images import Images
from aecodec.classic.model import TrainedModel
from aecodec.classic.presets import PRESETS
from aecodec.classic.task import ClassicTask, reconstruction_loss
from aecodec.format import container

Floats = npt.NDArray[np.float32]

QUALITIES = (0, 20, 40, 60, 80, 100)
CODED_IMAGES = 300
CLASSIFIED = 10_000
"""Images that the linear classifiers learn from: enough for the comparison, and a tenth of the time."""


def code_rows(runs: Sequence[Path], training: Images, test: Images) -> list[dict[str, Any]]:
    """Purity and accuracy on the pixels, and on the codes of each model."""
    learned = training.take(np.arange(CLASSIFIED))
    assert learned.labels is not None
    assert test.labels is not None
    pixels, test_pixels = (images.pixels.flatten(1).float().numpy() / 255 for images in (learned, test))
    rows = [{"model": "pixels", "units": 784, **_figures(pixels, learned.labels, test_pixels, test.labels)}]
    for run in runs:
        model = TrainedModel.load(run)
        codes, test_codes = (model.encode(images).reshape(len(images), -1) for images in (learned, test))
        figures = _figures(codes, learned.labels, test_codes, test.labels)
        rows.append({"model": run.name, "units": codes.shape[1], **figures})
    return rows


def _figures(x: Floats, labels: npt.NDArray[np.uint8], test_x: Floats, test_labels: npt.NDArray[np.uint8]) -> dict[str, float]:
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    clusters = KMeans(10, n_init=4, random_state=0).fit_predict(test_x)
    purity = sum(np.bincount(test_labels[clusters == c]).max() for c in np.unique(clusters)) / len(test_labels)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(x, labels)
    return {"purity": float(purity), "accuracy": float(classifier.score(test_x, test_labels))}


def anomaly_auc(run: Path, images: Images, label: int) -> float:
    """How surely an image of the class that the model has never seen has a larger error than one of another class."""
    from sklearn.metrics import roc_auc_score

    assert images.labels is not None
    return float(roc_auc_score(images.labels == label, TrainedModel.load(run).errors(images)))


def rate_rows(runs: Sequence[Path], images: Images) -> list[dict[str, Any]]:
    """Bytes and PSNR of test images, compressed by each model at several qualities."""
    pictures = images.pixels[:CODED_IMAGES, 0].numpy()
    rows = []
    for run in runs:
        codec = ClassicCodec(run)
        for quality in QUALITIES:
            files = [codec.compress(picture, quality=quality) for picture in pictures]
            decoded = np.stack([codec.decompress(file).color for file in files])
            tiles = [len(tile) for file in files for tile in container.read(file).tiles if tile is not None]
            errors = np.maximum(((decoded.astype(float) - pictures) ** 2).mean((1, 2)), 1e-6)
            rows.append(
                {
                    "model": run.name,
                    "quality": quality,
                    "code_bytes": float(np.mean(tiles)),
                    "file_bytes": float(np.mean([len(file) for file in files])),
                    "psnr": float((10 * np.log10(255**2 / errors)).mean()),
                }
            )
    return rows


def draw_rates(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """PSNR over the bytes of the code, a curve for each model that isn't there to remove noise."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for model in dict.fromkeys(row["model"] for row in rows if "denoise" not in row["model"]):
        points = [(row["code_bytes"], row["psnr"]) for row in rows if row["model"] == model]
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=model)
    axes.set(xlabel="bytes of the code, mean", ylabel="PSNR in dB, mean", title="MNIST test images")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=100)


@torch.no_grad()
def losses_of_dense_denoise(run: Path, images: Images) -> dict[str, float]:
    """Its error on noisy test images under each loss, and the least that cross-entropy could be: that of perfect images."""
    model = TrainedModel.load(run).model
    task = ClassicTask(model, PRESETS["dense-denoise"].recipe, images, images, Path())
    batches = [(model(task.batch(step).inputs)[0], task.batch(step).targets) for step in range(task.steps_per_epoch or 0)]
    logits, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    losses = {name: reconstruction_loss(name, logits, targets).item() for name in ("mse", "l1", "bce")}
    entropy = -(torch.xlogy(targets, targets) + torch.xlogy(1 - targets, 1 - targets)).mean().item()
    return {**losses, "bce of perfect images": entropy}
