"""`aec train classic`: the textbook autoencoders."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..classic.presets import PRESETS, Architecture, Loss, Optimizer, Preset, Recipe
from ..errors import UsageError
from ..system import need_torch
from .messages import say
from .train import Bf16, NoProgress, Out, Preview, Rate, Seed, Threads, given, run_to_the_end, show_preview

if TYPE_CHECKING:
    from ..classic.networks import Shape
    from ..classic.task import ClassicTask

EXAMPLES = """\b
Examples:
  aec train classic mnist/ --preset vanilla --out runs/vanilla
  aec train classic mnist/ --preset conv-denoise --out runs/denoise --preview
  aec train classic mnist/ --preset conv --tuned --out runs/conv
  aec train classic photos.zip --preset multilayer --size 48x32 --rgb --code 128 --epochs 50 --out runs/small
  aec embed mnist/ --model runs/vanilla --out codes.npz
  aec compress digit.png --model runs/vanilla
"""


def classic(
    data: Annotated[Path, typer.Argument(metavar="DATA", exists=True, help="MNIST folder, idx file, folder or zip of images.")],
    preset: Annotated[str, typer.Option(metavar="NAME", help="What to train; aec train --list-presets has them.")],
    out: Out,
    tuned: Annotated[bool, typer.Option("--tuned", help="The recipe that gets further in the same epochs.")] = False,
    size: Annotated[str | None, typer.Option(metavar="N|WxH", help="Resize the images; idx: as they are, else 28.")] = None,
    rgb: Annotated[bool, typer.Option("--rgb", help="Color images instead of gray ones.")] = False,
    code: Annotated[int | None, typer.Option(min=1, metavar="N", help="Units, or channels, of the code.")] = None,
    layers: Annotated[int | None, typer.Option(min=0, metavar="N", help="Layers before the code.")] = None,
    nodes: Annotated[str | None, typer.Option(metavar="N[,N...]", help="Units, or channels, of each layer, or of all.")] = None,
    loss: Annotated[Loss | None, typer.Option(help="Of the reconstruction.")] = None,
    optimizer: Annotated[Optimizer | None, typer.Option(help="With Keras's defaults.")] = None,
    lr: Rate = None,
    noise: Annotated[float | None, typer.Option(min=0, metavar="SIGMA", help="Noise to remove, of samples in 0..1.")] = None,
    activity: Annotated[float | None, typer.Option(min=0, metavar="WEIGHT", help="L1 penalty on the code.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, metavar="N", help="Epochs in all.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, metavar="N", help="Images a step.")] = None,
    preview: Preview = False,
    seed: Seed = None,
    threads: Threads = None,
    bf16: Bf16 = False,
    no_progress: NoProgress = False,
) -> None:
    """Train a classic autoencoder on small images: a preset as it is, or with hyper-parameters of your own.

    A folder with train-images* and t10k-images* (MNIST, Fashion-MNIST) has its own test set to validate on; otherwise every tenth
    image is kept for that. A run that was stopped goes on when the same command is given again.
    """
    chosen = _preset(preset)
    changes = given(loss=loss, optimizer=optimizer, learning_rate=lr, noise=noise, activity=activity, epochs=epochs, batch=batch)
    recipe = replace(_tuned(preset, chosen) if tuned else chosen.recipe, **changes)
    architecture = _architecture(chosen.architecture, code, layers, nodes)
    need_torch("aec train")
    if threads:
        import torch

        torch.set_num_threads(threads)
    task = _task(data, architecture, recipe, _shape(size, rgb), seed or 0)
    if preview:
        show_preview(task, out)
    _train(task, out, bf16, not no_progress)


def _list(wanted: bool) -> None:
    if not wanted:
        return
    for name, preset in PRESETS.items():
        r = preset.recipe
        recipe = f"{r.loss}, {r.optimizer} {r.learning_rate:g}, {r.epochs} epochs of batches of {r.batch}"
        print(f"{name:20} {preset.about}; {recipe}{'; --tuned' if preset.tuned else ''}")
    raise typer.Exit


def train(
    presets: Annotated[
        bool, typer.Option("--list-presets", callback=_list, is_eager=True, help="Show the presets of aec train classic.")
    ] = False,
) -> None:
    """Train a model."""


def _task(data: Path, architecture: Architecture, recipe: Recipe, shape: Shape | None, seed: int) -> ClassicTask:
    import torch

    from ..classic.images import load_split
    from ..classic.networks import Autoencoder
    from ..classic.task import ClassicTask

    training, validation = load_split(data, shape)
    torch.manual_seed(seed)
    return ClassicTask(Autoencoder(architecture, training.shape), recipe, training, validation, data, seed)


def _train(task: ClassicTask, out: Path, bf16: bool, progress: bool) -> None:
    """Train, and write the model."""
    import torch

    from ..classic import model
    from ..classic.files import MODEL
    from ..classic.task import train_config

    config = replace(train_config(task.recipe, len(task.training), task.seed), bfloat16=bf16)
    run = run_to_the_end(task, out, config, progress)
    if not run.group.first:
        return
    trained = run.average
    model.save(trained, task.training, asdict(task.recipe), out / MODEL)
    with torch.no_grad():
        figures = ", ".join(f"{name} {value:.4g}" for name, value in task.validate(trained).items())
    say(f"{out / MODEL}: {task.recipe.epochs} epochs, {figures}")


def _preset(name: str) -> Preset:
    try:
        return PRESETS[name]
    except KeyError:
        raise UsageError(f"--preset is {name!r}, possible are {', '.join(PRESETS)}") from None


def _tuned(name: str, preset: Preset) -> Recipe:
    if preset.tuned is None:
        others = ", ".join(name for name, preset in PRESETS.items() if preset.tuned)
        raise UsageError(f"--tuned: the recipe of {name} is good as it is; another one have {others}")
    return preset.tuned


def _architecture(base: Architecture, code: int | None, layers: int | None, nodes: str | None) -> Architecture:
    """The preset's layers with what is given instead: ``--nodes 128,64``, or ``--layers 3`` of ``--nodes 128`` each."""
    widths = base.nodes if nodes is None else _numbers("--nodes", nodes, ",")
    count = layers if layers is not None else len(widths) if len(widths) > 1 or not base.nodes else len(base.nodes)
    if len(set(widths)) == 1 or count == 0:
        widths = widths[:1] * count
    if len(widths) != count:
        raise UsageError(f"--layers is {count}, but there are nodes of {len(widths)}; --nodes N[,N...] gives them")
    return replace(base, nodes=widths, code=base.code if code is None else code)


def _shape(size: str | None, rgb: bool) -> Shape | None:
    """Channels, height and width to convert the images to; None leaves idx files as they are."""
    if size is None:
        return (3, 28, 28) if rgb else None
    numbers = _numbers("--size", size, "x")
    if len(numbers) > 2:
        raise UsageError(f"--size is {size!r}, must be N or WxH")
    return 3 if rgb else 1, numbers[-1], numbers[0]


def _numbers(option: str, text: str, separator: str) -> tuple[int, ...]:
    try:
        numbers = tuple(map(int, text.split(separator)))
    except ValueError:
        numbers = (0,)
    if min(numbers) < 1:
        raise UsageError(f"{option} is {text!r}, must be positive numbers")
    return numbers
