"""`aec train`: models from photographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..extras import need_torch
from .messages import say

if TYPE_CHECKING:
    from ..model.autoencoder import AutoEncoder, ModelConfig

EXAMPLES = """\b
Examples:
  aec train compress photos/ --out runs/mine
  aec train compress photos/ --out runs/tuned --init default --steps 20000
  aec export runs/mine mine.safetensors --data photos/
"""

app = typer.Typer(help="Train a model.", no_args_is_help=True, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def compress(
    data: Annotated[Path, typer.Argument(metavar="DATA", exists=True, file_okay=False, help="Folder of photographs.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="Folder of the run: checkpoint, curve, configuration.")],
    steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="Steps in all.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, metavar="N", help="Patches a step.")] = None,
    patch: Annotated[int | None, typer.Option(min=64, metavar="N", help="Side of a patch, a multiple of 64.")] = None,
    lr: Annotated[float | None, typer.Option(min=0, metavar="RATE", help="Learning rate.")] = None,
    decay: Annotated[int | None, typer.Option(min=0, metavar="N", help="Last steps, over which the rate falls.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of batches and noise.")] = None,
    init: Annotated[str | None, typer.Option(metavar="FILE", help="Weights to start from; default for the shipped ones.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, metavar="N", help="All cores by default.")] = None,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="No progress bar.")] = False,
) -> None:
    """Train the codec's model on a folder of photographs.

    A run that was stopped goes on when the same command is given again. Ctrl-C saves first. `aec export` makes a weights file
    of a run, and --model uses it.
    """
    need_torch("aec train")
    import torch

    from ..training.loop import TrainConfig, train

    if threads:
        torch.set_num_threads(threads)
    chosen: dict[str, Any] = {"steps": steps, "batch": batch, "patch": patch, "learning_rate": lr, "decay": decay, "seed": seed}
    config = replace(TrainConfig(), **{name: value for name, value in chosen.items() if value is not None})
    run = train(data, out, config, _start(init), progress=not no_progress)
    if run.step < config.steps:
        raise typer.Exit(130)
    say(f"{out}: {run.step} steps; aec export {out} WEIGHTS.safetensors --data {data}")


def _start(init: str | None) -> AutoEncoder | ModelConfig:
    from ..model.autoencoder import ModelConfig
    from ..model.weights import DEFAULT
    from ..training.export import load_model

    return load_model(DEFAULT if init == "default" else Path(init)) if init else ModelConfig()
