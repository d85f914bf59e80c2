"""`aec train`: models from photographs."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..extras import need_torch
from .messages import say

if TYPE_CHECKING:
    from ..model.autoencoder import AutoEncoder
    from ..training.data import Photographs
    from ..training.loop import TrainConfig
    from ..training.task import Task

EXAMPLES = """\b
Examples:
  aec train compress photos/ --out runs/mine
  aec train compress photos.zip --out runs/tuned --init default --steps 20000
  aec export runs/mine mine.safetensors --data photos/
"""

app = typer.Typer(help="Train a model.", no_args_is_help=True, rich_markup_mode=None)

Data = Annotated[Path, typer.Argument(metavar="DATA", exists=True, help="Folder or zip file of photographs.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="Folder of the run: checkpoint, curves, configuration.")]
Steps = Annotated[int | None, typer.Option(min=1, metavar="N", help="Steps in all.")]
Rate = Annotated[float | None, typer.Option(min=0, metavar="RATE", help="Learning rate.")]
Decay = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Last steps, over which the rate falls; all of them: a cosine from the start."),
]
Seed = Annotated[int | None, typer.Option(min=0, metavar="N", help="Of batches and noise.")]
BatchSize = Annotated[int | None, typer.Option(min=1, metavar="N", help="Patches a step.")]
Patch = Annotated[int | None, typer.Option(min=64, metavar="N", help="Side of a patch, a multiple of 64.")]
Threads = Annotated[int | None, typer.Option(min=1, metavar="N", help="All cores by default.")]
Bf16 = Annotated[bool, typer.Option("--bf16", help="bfloat16, for CPUs that compute with it.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="No progress bar.")]


class Distortion(StrEnum):
    """What `--distortion` takes."""

    mse = "mse"
    ms_ssim = "ms-ssim"


@app.command(epilog=EXAMPLES)
def compress(
    data: Data,
    out: Out,
    steps: Steps = None,
    batch: BatchSize = None,
    patch: Patch = None,
    lr: Rate = None,
    decay: Decay = None,
    seed: Seed = None,
    distortion: Annotated[Distortion, typer.Option(help="What is minimized beside the rate.")] = Distortion.mse,
    init: Annotated[str | None, typer.Option(metavar="FILE", help="Weights to start from; default for the shipped ones.")] = None,
    threads: Threads = None,
    bf16: Bf16 = False,
    no_progress: NoProgress = False,
) -> None:
    """Train the codec's model on photographs.

    A run that was stopped goes on when the same command is given again. Ctrl-C saves first. `aec export` makes a weights file
    of a run, and --model uses it.
    """
    config = train_config(threads, steps=steps, learning_rate=lr, decay=decay, seed=seed, bfloat16=bf16)

    from ..training.compression import CompressionConfig, CompressionTask
    from ..training.data import Photographs

    chosen = given(batch=batch, patch=patch, seed=seed)
    sizes = CompressionConfig(late_from=config.steps - config.decay, distortion=distortion.value, **chosen)
    photographs = Photographs.load(data, max(sizes.patch, sizes.late_patch), progress=not no_progress)
    task = CompressionTask(_start(init, photographs, out, config), photographs, sizes)
    run_to_the_end(task, out, config, not no_progress)
    say(f"{out}: {config.steps} steps; aec export {out} WEIGHTS.safetensors --data {data}")


def given(**options: Any) -> dict[str, Any]:
    """The options that were given, for a configuration whose defaults stand for the others."""
    return {name: value for name, value in options.items() if value is not None}


def train_config(threads: int | None, **options: Any) -> TrainConfig:
    """The loop's configuration from options of its fields' names; sets the threads, which all of training shares.

    Raises:
        ModelError: PyTorch is not installed.
    """
    need_torch("aec train")
    import torch

    from ..training.loop import TrainConfig

    if threads:
        torch.set_num_threads(threads)
    return replace(TrainConfig(), **given(**options))


def run_to_the_end(task: Task[Any], out: Path, config: TrainConfig, progress: bool) -> None:
    """Train; an interrupted run ends the command with its exit code."""
    from ..training import loop

    if loop.train(task, out, config, progress=progress).step < config.steps:
        raise typer.Exit(130)


def _start(init: str | None, photographs: Photographs, out: Path, config: TrainConfig) -> AutoEncoder:
    """The model to begin with: the weights that are named, or a new one, which starts from principal components."""
    import torch

    from ..model.autoencoder import AutoEncoder
    from ..model.weights import DEFAULT
    from ..training.data import PatchSampler
    from ..training.export import load_model
    from ..training.loop import checkpoint_path
    from ..training.start import PCA_PATCHES, pca_start

    if init:
        return load_model(DEFAULT if init == "default" else Path(init))
    torch.manual_seed(config.seed)
    model = AutoEncoder()
    if not checkpoint_path(out).exists():
        pca_start(model, PatchSampler(photographs.training, config.seed).batch(0, PCA_PATCHES, 16)[0])
    return model
