"""The training loop, readable top to bottom, for whatever `task.Task` there is to learn.

    runs/NAME/
        config.json       everything needed to repeat the run
        checkpoint.pt     model, moving average, optimiser, step; replaced every few minutes
        metrics.csv       the curve; loss.png draws it
        samples.png       what the model does to a few images

A batch is a function of (seed, step) and so is the noise, so a run that is killed and resumed goes on as if nothing had happened.
"""

from __future__ import annotations

import copy
import json
import math
import platform
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from .. import __version__
from ..errors import AecError, UsageError
from . import checkpoint
from .checkpoint import checkpoint_path
from .drawing import draw_grid
from .interrupts import interrupts_wait
from .parallel import Processes, this_process
from .record import Record
from .task import Batch, M, Task


@dataclass(frozen=True)
class TrainConfig:
    """How to learn, whatever is learned. The rates are those found best for the codec's model."""

    steps: int = 100_000
    learning_rate: float = 7e-4  # 2e-3 is clearly worse
    final_rate: float = 1e-5
    warmup: int = 200
    decay: int = 30_000  # the last steps, over which the rate falls; 0 keeps it constant, all of them make it a cosine
    ema: float = 0.999  # of the moving average that is validated and exported; 0 is the model itself
    clip: float = 1.0  # bound on the norm of the gradient; 0 is none
    bfloat16: bool = False  # autocast, for CPUs that have it (lscpu: avx512_bf16, amx_bf16)
    seed: int = 0
    log_every: int = 100
    validate_every: int = 1000
    checkpoint_minutes: float = 5.0


class DivergedError(AecError):
    """The loss is no longer a number; the message names the step and the batch."""


def learning_rate(config: TrainConfig, step: int) -> float:
    """Warm-up, constant, then a cosine down to ``final_rate`` over the last ``decay`` steps."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    start = config.steps - config.decay
    if step < start or config.decay == 0:
        return config.learning_rate * warm
    progress = (step - start) / config.decay
    rate = config.final_rate + (config.learning_rate - config.final_rate) * 0.5 * (1 + math.cos(math.pi * progress))
    return rate * warm


class Run(Generic[M]):
    """The state of one training run: model, moving average, optimiser, step, and the seconds spent."""

    def __init__(self, task: Task[M], folder: Path, config: TrainConfig, group: Processes = Processes()) -> None:
        self.task, self.folder, self.config, self.group = task, folder, config, group
        self.model = task.model
        self.average = copy.deepcopy(self.model).eval()
        self.optimizer = task.optimizer(config.learning_rate)
        self.parameters = [parameter for each in self.optimizer.param_groups for parameter in each["params"]]
        self.owners = group.owners(self.parameters)
        self.step, self.seconds = 0, 0.0

    def save(self) -> None:
        """Replace the checkpoint. All processes call this at the same step: each has a part of the optimizer's state."""
        optimizer = self.optimizer.state_dict()
        states = {i: state for i, state in optimizer["state"].items() if self.owners[i] == self.group.rank}
        optimizer["state"] = self.group.union(states)
        if not self.group.first:
            return
        checkpoint.save(
            checkpoint_path(self.folder),
            {
                "task": self.task.name,
                "config": self.task.describe()["model"],
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": optimizer,
                "step": self.step,
                "seconds": self.seconds,
            },
        )

    def resume(self) -> None:
        """Go on from the checkpoint; the learning rates come from the config as it is now.

        Raises:
            UsageError: the run was begun with another task, model or optimiser.
            ModelError: the checkpoint is broken, or of another version.
        """
        path = checkpoint_path(self.folder)
        state = checkpoint.load(path)
        begun = state.get("task", "compress")  # the first runs knew no other
        if begun != self.task.name:
            raise UsageError(f"{self.folder} is a run of {begun!r}, not of {self.task.name!r}; choose another folder")
        wanted = self.task.describe()["model"]
        if state["config"] != wanted:
            raise UsageError(f"{self.folder} is a run of another model, {state['config']}, not {wanted}; choose another folder")
        checkpoint.fill(self.model, state["model"], path)
        checkpoint.fill(self.average, state["average"], path)
        if _layout(state["optimizer"]) != _layout(self.optimizer.state_dict()):
            raise UsageError(
                f"{self.folder} is a run with another optimizer, or of another version; name it, or choose another folder"
            )
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One update from this process's part of a batch; returns the loss, what the task shows of the part, and the rate."""
        torch.manual_seed((self.config.seed * 1_000_003 + self.step) * self.group.count + self.group.rank)
        rate = learning_rate(self.config, self.step)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rate * parameters["factor"]
        with torch.autocast("cpu", torch.bfloat16, self.config.bfloat16):
            loss, shown = self.task.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        loss = loss.detach()
        self.group.average([p.grad for p in self.model.parameters() if p.grad is not None] + [loss])
        if not torch.isfinite(loss):
            names = ", ".join(batch.names)
            raise DivergedError(
                f"step {self.step}: the loss is {loss.item()}; lower the learning rate and resume; batch: {names}"
            )
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self._update()
        self.step += 1
        self._average()
        return {"rate": rate, "loss": loss.item(), **shown}

    @torch.no_grad()
    def _update(self) -> None:
        """Each process updates the parameters it owns."""
        for parameter, owner in zip(self.parameters, self.owners, strict=True):
            if owner != self.group.rank:
                parameter.grad = None
        self.optimizer.step()
        self.group.spread(self.parameters, self.owners)

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.config.ema, (self.step + 1) / (self.step + 10))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - keep)
        for mine, new in zip(self.average.buffers(), self.model.buffers(), strict=True):
            mine.copy_(new)


def train(task: Task[M], folder: Path, config: TrainConfig, progress: bool = True) -> Run[M]:
    """Train until ``config.steps``, resuming if the folder has a checkpoint. Ctrl-C saves and returns.

    Raises:
        DivergedError: the loss is no longer a number.
        UsageError: the folder is a run of another task or model.
    """
    run = Run(task, folder, config, this_process())
    if checkpoint_path(folder).exists():
        run.resume()
    if run.group.first:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(_description(run), indent=2) + "\n")
        with closing(Record(folder, run.step)) as record:
            _loop(run, record, progress)
    else:
        _loop(run, None, progress=False)
    run.save()
    if run.group.first and run.step < config.steps:
        tqdm.write(f"interrupted at step {run.step}, saved; run the same command to go on", file=sys.stderr)
    return run


def preview(task: Task[M], folder: Path) -> Path:
    """Draw what the model of a run, or one that has not begun, does to the task's samples; returns the picture's path."""
    run = Run(task, folder, TrainConfig())
    if checkpoint_path(folder).exists():
        run.resume()
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        draw_grid(task.samples(run.average), folder / "preview.png")
    return folder / "preview.png"


def _layout(optimizer: dict[str, Any]) -> list[tuple[set[str], int]]:
    """What each group of an optimizer's state says, and of how many parameters."""
    return [(set(group), len(group["params"])) for group in optimizer["param_groups"]]


def _description(run: Run[Any]) -> dict[str, Any]:
    versions = {"aecodec": __version__, "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    return {
        "task": run.task.name,
        "train": asdict(run.config),
        **run.task.describe(),
        "processes": run.group.count,
        "threads": torch.get_num_threads(),
        "versions": versions,
    }


def _loop(run: Run[Any], record: Record | None, progress: bool) -> None:
    """Train to the last step; ``record`` is None in all processes but the first."""
    config = run.config
    recent: list[dict[str, float]] = []
    shown: dict[str, str] = {}
    last_save = last_tick = time.monotonic()
    bar = tqdm(total=config.steps, initial=run.step, unit="step", smoothing=0.05, disable=not progress)
    with bar, interrupts_wait() as asked:
        for batch, waited in _batches(run):
            run.model.train()
            metrics = run.train_step(batch)
            now = time.monotonic()
            run.seconds, elapsed, last_tick = run.seconds + now - last_tick, now - last_tick, now
            recent.append({**metrics, "wait": waited / elapsed})
            bar.update()
            if record and (run.step % config.log_every == 0 or run.step == config.steps):
                row = _write_row(run, record, recent)
                recent.clear()
                shown |= {name: f"{row[name]:.4g}" for name in ("epoch", "loss", "val_loss") if name in row}
                bar.set_postfix(shown)
            stop, save = run.group.any(asked.now, record is not None and now - last_save > config.checkpoint_minutes * 60)
            if save:
                run.save()
                last_save = now
            if stop:
                break


def _batches(run: Run[Any]) -> Iterator[tuple[Batch, float]]:
    """The batches from the run's step on, each made while the one before is learned from; and the seconds waited for it."""
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(run.task.batch, run.step, run.group.part)
        while run.step < run.config.steps:
            started = time.monotonic()
            batch = coming.result()
            waited = time.monotonic() - started
            coming = ahead.submit(run.task.batch, run.step + 1, run.group.part)
            yield batch, waited


def _write_row(run: Run[Any], record: Record, recent: list[dict[str, float]]) -> dict[str, float]:
    """A row of the curve: the means of the latest steps, and now and then the validation, with pictures.

    "wait" is the share of the time in which the model waited for its batch.
    """
    epochs = {"epoch": run.step / run.task.steps_per_epoch} if run.task.steps_per_epoch else {}
    means = {name: sum(metrics[name] for metrics in recent) / len(recent) for name in recent[0]}
    row = {"hours": run.seconds / 3600, **epochs, **means}
    if run.step % run.config.validate_every and run.step < run.config.steps:
        record.add(run.step, row)
        return row
    with torch.no_grad():
        row |= run.task.validate(run.average)
        record.add(run.step, row)
        record.draw(run.task.samples(run.average))
    return row
