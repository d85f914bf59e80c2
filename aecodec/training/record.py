"""What a run leaves behind for people: metrics.csv, loss.png, samples.png, and TensorBoard's log where that is installed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..atomic import write_text
from .drawing import draw_grid, draw_losses
from .task import Samples


class Record:
    """The curve of a run. Rows after ``step``, from before a run was killed and resumed, are dropped."""

    def __init__(self, folder: Path, step: int) -> None:
        self.folder = folder
        self.rows = [row for row in _read(folder / "metrics.csv") if int(row["step"]) <= step]
        self.board = _tensorboard(folder, step)

    def add(self, step: int, row: Mapping[str, float]) -> None:
        """Append a row to metrics.csv, which gains columns when a row has new ones, and replace it as a whole."""
        self.rows.append({"step": str(step), **{name: f"{value:.5g}" for name, value in row.items()}})
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.folder / "metrics.csv", text.getvalue())
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, value, step)

    def draw(self, samples: Samples) -> None:
        """Replace loss.png and samples.png."""
        losses, validation = ([(int(r["step"]), float(r[k])) for r in self.rows if r.get(k)] for k in ("loss", "val_loss"))
        draw_losses(losses, validation, self.folder / "loss.png")
        draw_grid(samples, self.folder / "samples.png")

    def close(self) -> None:
        """Write out what TensorBoard holds back."""
        if self.board is not None:
            self.board.close()


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder / "tensorboard", purge_step=step + 1)
