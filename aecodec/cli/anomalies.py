"""`aec anomalies`: the images that a model reconstructs worst."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..system import need_torch
from . import options
from .embed import Classic, Data
from .messages import printable, say

EXAMPLES = """\b
Examples:
  aec anomalies parts/ --model runs/good --top 20
  aec anomalies parts/ --model runs/good --reference good/ --json | jq -r 'select(.anomaly).name'
"""


def anomalies(
    data: Data,
    model: Classic,
    reference: Annotated[
        Path | None, typer.Option(metavar="DATA", exists=True, help="Images that are as they should be: they set the threshold.")
    ] = None,
    percentile: Annotated[
        float | None,
        typer.Option(min=0, max=100, metavar="P", help="Share of the reference that is below the threshold; 99 by default."),
    ] = None,
    threshold: Annotated[float | None, typer.Option(min=0, metavar="ERROR", help="A threshold instead of a reference.")] = None,
    top: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only so many, the worst ones.")] = None,
    as_json: options.Json = False,
) -> None:
    """Rank images by the error of their reconstruction: what a classic autoencoder hasn't learned, it can't reconstruct.

    One line an image on standard output, the worst first: its mean squared error (of samples in 0..1), its name, and ANOMALY
    where the error is above the threshold. Reference images should be others than those the model was trained on.
    """
    if reference and threshold is not None:
        raise UsageError("--reference and --threshold exclude each other")
    if percentile is not None and not reference:
        raise UsageError("--percentile is that of a --reference")
    need_torch("aec anomalies")
    import numpy as np

    from ..classic.images import load
    from ..classic.model import TrainedModel

    trained = TrainedModel.load(model)
    images = load(data, trained.model.shape)
    errors = trained.errors(images)
    if reference:
        errors_there = trained.errors(load(reference, trained.model.shape))
        threshold = float(np.percentile(errors_there, 99 if percentile is None else percentile))
    for index in np.argsort(-errors, kind="stable")[:top]:
        _show(float(errors[index]), images.names[index], threshold, as_json)
    if threshold is not None:
        say(f"{int((errors > threshold).sum())} of {len(images)} above the threshold of {threshold:.4g}")


def _show(error: float, name: str, threshold: float | None, as_json: bool) -> None:
    above = threshold is not None and error > threshold
    if as_json:
        judged = {} if threshold is None else {"anomaly": above}
        print(json.dumps({"name": name, "error": error, **judged}))
    else:
        print(printable(f"{error:.6f}  {name}{'  ANOMALY' if above else ''}"))
