"""`aec export`: a training run to a weights file or an encoder file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..system import need_torch
from .files import OutputError
from .messages import say

EXAMPLES = """\b
Examples:
  aec export runs/mine mine.safetensors --data photos/
  aec compress photo.png --model mine.safetensors
  aec export runs/denoise cleaner.safetensors
  aec compress photo.png --denoise --encoder cleaner.safetensors
"""

CROP = 512
"""Side of what is taken of each photograph."""


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", exists=True, file_okay=False, help="Folder of a training run.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="The weights file.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DATA", exists=True, help="Photographs to fit the tables of a whole model on.")
    ] = None,
    images: Annotated[int, typer.Option(min=1, metavar="N", help="How many of them, spread over the folder.")] = 24,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that exists.")] = False,
) -> None:
    """Make a file of a training run: weights, for --model, or of denoise and inpaint an encoder, for --encoder.

    The frequency tables of a whole model are fitted on the symbols of real photographs, a few minutes of coding.
    """
    if out.exists() and not force:
        raise OutputError(f"{out} exists; --force replaces it")

    need_torch("aec export")
    from ..model.encoders import KINDS
    from ..training import checkpoint
    from ..training.checkpoint import checkpoint_path

    path = checkpoint_path(run)
    state = checkpoint.load(path)
    task = state.get("task", "compress")
    if task in KINDS:
        from ..training.restoration import export_encoder

        export_encoder(state, out)
        say(f"{out}: step {state['step']}")
    elif task != "compress":
        raise UsageError(f"{run} is a run of {task!r}, whose folder is what --model takes")
    elif data is None:
        raise UsageError("a whole model needs --data, photographs to fit its tables on")
    else:
        fitted = _export_model(state, path, data, images, out)
        say(f"{out}: step {state['step']}, tables fitted on {fitted} photographs")


def _export_model(state: dict[str, Any], path: Path, data: Path, images: int, out: Path) -> int:
    """Write the weights file of a checkpoint; returns on how many photographs its tables were fitted."""
    from ..nets.autoencoder import AutoEncoder, ModelConfig
    from ..training import checkpoint
    from ..training.export import export as write
    from ..training.photographs import decode, find_images

    model = AutoEncoder(ModelConfig(**state["config"]))
    checkpoint.fill(model, state["average"], path)
    files = list(find_images(data).values())
    if not files:
        raise UsageError(f"{data} has no images")
    photographs = [decode(read())[:CROP, :CROP] for read in files[:: max(1, len(files) // images)][:images]]
    write(model, photographs, out)
    return len(photographs)
