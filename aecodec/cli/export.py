"""`aec export`: a training run to a weights file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..extras import need_torch
from .files import OutputError
from .messages import say

EXAMPLES = """\b
Examples:
  aec export runs/mine mine.safetensors --data photos/
  aec compress photo.png --model mine.safetensors
"""

CROP = 512
"""Side of what is taken of each photograph."""


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", exists=True, file_okay=False, help="Folder of a training run.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="The weights file.")],
    data: Annotated[Path, typer.Option(metavar="DATA", exists=True, help="Photographs to fit the tables on.")],
    images: Annotated[int, typer.Option(min=1, metavar="N", help="How many of them, spread over the folder.")] = 24,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that exists.")] = False,
) -> None:
    """Make a weights file of a training run, for --model.

    The frequency tables are fitted on the symbols of real photographs, a few minutes of coding.
    """
    if out.exists() and not force:
        raise OutputError(f"{out} exists; --force replaces it")

    need_torch("aec export")
    from ..model.autoencoder import AutoEncoder, ModelConfig
    from ..training import checkpoint
    from ..training.data import decode, find_images
    from ..training.export import export as write

    state = checkpoint.load(run / "checkpoint.pt")
    model = AutoEncoder(ModelConfig(**state["config"]))
    model.load_state_dict(state["average"])
    files = list(find_images(data).values())
    if not files:
        raise UsageError(f"{data} has no images")
    photographs = [decode(read())[:CROP, :CROP] for read in files[:: max(1, len(files) // images)][:images]]
    write(model, photographs, out)
    say(f"{out}: step {state['step']}, tables fitted on {len(photographs)} photographs")
