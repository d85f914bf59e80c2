"""`aec train`: models from photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ..system import need_torch
from .messages import say

if TYPE_CHECKING:
    from ..model.encoders import Kind
    from ..nets.autoencoder import AutoEncoder
    from ..training.loop import Run, TrainConfig
    from ..training.photographs import Photographs
    from ..training.task import Task

EXAMPLES = """\b
Examples:
  aec train compress photos/ --out runs/mine
  aec train compress photos.zip --out runs/tuned --init default --steps 20000
  aec train compress photos/ --out runs/mine --preview
  aec export runs/mine mine.safetensors --data photos/
"""

app = typer.Typer(help="Train a model.", no_args_is_help=True, rich_markup_mode=None)

RESTORATION_EXAMPLES = """\b
Examples:
  aec train denoise photos/ --out runs/denoise --preview
  aec train denoise scans/ --out runs/old --corrupt gaussian:5-30 --corrupt jpeg:30-80
  aec train inpaint photos/ --out runs/inpaint --corrupt strokes:5-30,crosshair:4-12
  aec export runs/denoise denoise.safetensors
\b
Corruptions, each with an amount or a range to draw it from. Several --corrupt are applied one
after another; of a list with commas one is drawn.
  gaussian:SIGMA        poisson:SIGMA (in white)    salt-pepper:PERCENT     jpeg:QUALITY
  rectangles:PERCENT    strokes:PERCENT             crosshair:PIXELS        pixels:PERCENT    mask:FILE
"""
RESTORATION_DEFAULTS = {"steps": 4000, "learning_rate": 3e-4, "decay": 1500}

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
Corruptions = Annotated[
    list[str] | None, typer.Option("--corrupt", metavar="KIND:AMOUNT", help="What the images suffer; see below.")
]
Base = Annotated[
    Path | None,
    typer.Option(
        "--model", metavar="FILE", exists=True, dir_okay=False, help="Whose encoder to train; the shipped one's by default."
    ),
]
Init = Annotated[
    Path | None,
    typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Encoder to start from, that of another model, too."),
]
Threads = Annotated[int | None, typer.Option(min=1, metavar="N", help="All cores by default.")]
Bf16 = Annotated[bool, typer.Option("--bf16", help="bfloat16, for CPUs that compute with it.")]
Preview = Annotated[bool, typer.Option("--preview", help="Only draw examples, in RUN/preview.png, with the model as it is.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="No progress bar.")]


class Optimizer(StrEnum):
    """What `--optimizer` takes."""

    soap = "soap"
    adam = "adam"


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
    optimizer: Annotated[Optimizer, typer.Option(help="SOAP gains more in the same time than Adam.")] = Optimizer.soap,
    init: Annotated[str | None, typer.Option(metavar="FILE", help="Weights to start from; default for the shipped ones.")] = None,
    threads: Threads = None,
    bf16: Bf16 = False,
    preview: Preview = False,
    no_progress: NoProgress = False,
) -> None:
    """Train the codec's model on photographs.

    A run that was stopped goes on when the same command is given again. Ctrl-C saves first. `aec export` makes a weights file
    of a run, and --model uses it.
    """
    config = train_config(threads, steps=steps, learning_rate=lr, decay=decay, seed=seed, bfloat16=bf16)

    from ..training.compression import RATES_OF_TRAINED, CompressionConfig, CompressionTask
    from ..training.parallel import this_process
    from ..training.photographs import Photographs

    late_batch = None if batch is None else max(1, batch // 2)  # of patches that are larger
    chosen = given(batch=batch, late_batch=late_batch, patch=patch, seed=seed) | (RATES_OF_TRAINED if init else {})
    late = config.steps - config.decay
    sizes = CompressionConfig(late_from=late, distortion=distortion.value, optimizer=optimizer.value, **chosen)
    progress = not no_progress and this_process().first
    photographs = Photographs.load(data, max(sizes.patch, sizes.late_patch), progress=progress)
    task = CompressionTask(_start(init, photographs, out, config), photographs, sizes)
    if preview:
        show_preview(task, out)
    if run_to_the_end(task, out, config, progress).group.first:
        say(f"{out}: {config.steps} steps; aec export {out} WEIGHTS.safetensors --data {data}")


def _restoration(kind: Kind, purpose: str) -> Callable[..., None]:
    """The command that trains an encoder of a kind."""

    def command(
        data: Data,
        out: Out,
        corruptions: Corruptions = None,
        base: Base = None,
        init: Init = None,
        steps: Steps = None,
        batch: BatchSize = None,
        patch: Patch = None,
        lr: Rate = None,
        decay: Decay = None,
        seed: Seed = None,
        threads: Threads = None,
        bf16: Bf16 = False,
        preview: Preview = False,
        no_progress: NoProgress = False,
    ) -> None:
        chosen = RESTORATION_DEFAULTS | given(steps=steps, learning_rate=lr, decay=decay, seed=seed)
        config = train_config(threads, **chosen, bfloat16=bf16)

        from ..model.weights import DEFAULT
        from ..training.parallel import this_process
        from ..training.photographs import Photographs
        from ..training.restoration import RestorationConfig, RestorationTask

        sizes = RestorationConfig(kind, **given(corruptions=corruptions, batch=batch, patch=patch, seed=seed))
        progress = not no_progress and this_process().first
        photographs = Photographs.load(data, sizes.patch, progress=progress)
        task = RestorationTask(base or DEFAULT, photographs, sizes, init)
        if preview:
            show_preview(task, out)
        if run_to_the_end(task, out, config, progress).group.first:
            say(f"{out}: {config.steps} steps; aec export {out} ENCODER.safetensors")

    command.__doc__ = f"""Train an encoder that {purpose}.

    The rest of the model stays as it is, so the files are ordinary ones. `aec export` makes an encoder file of a run, and
    `aec compress --encoder` uses it.
    """
    return command


app.command("denoise", epilog=RESTORATION_EXAMPLES)(_restoration("denoise", "leaves noise out"))
app.command("inpaint", epilog=RESTORATION_EXAMPLES)(_restoration("inpaint", "fills in missing pixels"))


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


def run_to_the_end(task: Task[Any], out: Path, config: TrainConfig, progress: bool) -> Run[Any]:
    """Train; an interrupted run ends the command with its exit code."""
    from ..training import loop
    from ..training.memory import keep_freed_memory

    keep_freed_memory()
    run = loop.train(task, out, config, progress=progress)
    if run.step < config.steps:
        raise typer.Exit(130)
    return run


def show_preview(task: Task[Any], out: Path) -> NoReturn:
    """Draw examples instead of training, and end the command."""
    from ..training.loop import preview

    say(str(preview(task, out)))
    raise typer.Exit


def _start(init: str | None, photographs: Photographs, out: Path, config: TrainConfig) -> AutoEncoder:
    """The model to begin with: the weights that are named, or a new one, which starts from principal components."""
    import torch

    from ..model.weights import DEFAULT
    from ..nets.autoencoder import AutoEncoder, load_model
    from ..training.checkpoint import checkpoint_path
    from ..training.photographs import PatchSampler
    from ..training.start import PCA_PATCHES, pca_start

    if init:
        return load_model(DEFAULT if init == "default" else Path(init))
    torch.manual_seed(config.seed)
    model = AutoEncoder()
    if not checkpoint_path(out).exists():
        pca_start(model, PatchSampler(photographs.training, config.seed).batch(0, PCA_PATCHES, 16)[0])
    return model
