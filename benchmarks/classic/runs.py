"""What is trained for benchmarks/classic/, from cheap to expensive, each by a command that anyone can give."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingRun:
    """One `aec train classic`."""

    name: str
    options: tuple[str, ...]
    data: str = "mnist"

    @property
    def preset(self) -> str:
        """What it trains."""
        return self.options[1]

    def command(self, data: str, out: str) -> list[str]:
        """The arguments of ``aec``."""
        return ["train", "classic", data, "--out", out, *self.options]


def _preset(name: str, *options: str, data: str = "mnist") -> TrainingRun:
    return TrainingRun(name + "".join(option.replace("--", "-") for option in options), ("--preset", name, *options), data)


AS_GIVEN = [
    _preset("vanilla"),
    _preset("multilayer"),
    _preset("sparse"),
    _preset("conv", "--tuned"),
    _preset("conv"),
    _preset("dense-denoise"),
    _preset("conv-denoise", "--tuned"),
    _preset("conv-denoise"),
    _preset("conv-denoise-bn", "--tuned", data="fashion-mnist"),
    _preset("conv-denoise-bn", data="fashion-mnist"),
    _preset("conv-denoise-resize"),
]
"""Every preset by its own recipe, and by the tuned one where there is one."""

OTHER_LOSS = [TrainingRun("dense-denoise-l1", ("--preset", "dense-denoise", "--loss", "l1", "--epochs", "40"))]
"""The source of dense-denoise names a final loss, but not which one it is."""

CODE_SIZES = [TrainingRun(f"vanilla-code{n}", ("--preset", "vanilla", "--code", str(n))) for n in (4, 8, 16, 32)]
"""For the trade of the size of the code against quality; 64 is `vanilla` itself."""

ANOMALIES = [
    TrainingRun(f"without-class{label}", ("--preset", "multilayer", "--code", "8"), data=f"without-class{label}")
    for label in range(10)
]
"""On Fashion-MNIST without one of its classes, which is then to be found. A narrow code, for a wide one reconstructs anything."""
