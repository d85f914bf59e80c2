"""`aec embed`: the code of each image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..system import need_torch
from . import files
from .messages import say
from .names import Task

EXAMPLES = """\b
Examples:
  aec embed mnist/ --model runs/vanilla --out codes.npz
  aec embed mnist/train-images-idx3-ubyte.gz --model runs/vanilla --out train.npz
  python -c 'import numpy; print(numpy.load("codes.npz")["codes"].shape)'
"""

Data = Annotated[Path, typer.Argument(metavar="DATA", exists=True, help="Folder or zip of images, MNIST folder, or idx file.")]
Classic = Annotated[Path, typer.Option(metavar="RUN", exists=True, help="Folder of a classic run, or the model in it.")]


def embed(
    data: Data,
    model: Classic,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT.npz", help="The file of codes.")],
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that exists.")] = False,
) -> None:
    """Write the codes that a classic autoencoder makes of images: its bottleneck, for search, clusters and classifiers.

    Images are resized to the model's size; of an MNIST folder the test set is taken. The file is NumPy's: "codes" (N, units), or
    (N, channels, height, width) of a convolutional model; "names" (N,); and "labels" (N,) where there are any.
    """
    if out.exists() and not force:
        raise files.OutputError(f"{out} exists; --force replaces it")
    need_torch("aec embed")
    import numpy as np

    from ..classic.images import load
    from ..classic.model import TrainedModel

    trained = TrainedModel.load(model)
    images = load(data, trained.model.shape)
    arrays: dict[str, Any] = {"codes": trained.encode(images), "names": np.array(images.names)}
    if images.labels is not None:
        arrays["labels"] = images.labels
    with files.result(Task(str(data), str(out), overwrite=force)) as file:
        np.savez(file, **arrays)
    say(f"{out}: {len(images)} codes of {'x'.join(map(str, trained.model.code_shape))}")
