"""The quality that hits a size, a bit rate or a fidelity, in few probes.

Size and PSNR rise with the quality much as those of other photographs do, close to exponentially and linearly. So the curve of a
typical one leads near, and a parabola through the nearest probes' (log size, quality) or (dB, quality), kept inside a bracket,
lands within a percent after two to five whole compressions.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..defaults import DEFAULT_EFFORT, DEFAULT_QUALITY, DEFAULT_TILE, search_steps
from ..errors import TargetError, UsageError
from ..interface import ImageCodec, Progress, Watch
from ..picture.imageio import Picture

MAX_PROBES = 12
STEP = 0.01
"""Qualities are told apart by hundredths."""
TYPICAL = {
    "bpp": (0.075, 0.102, 0.142, 0.193, 0.262, 0.350, 0.459, 0.590, 0.928, 1.636, 2.677),
    "psnr": (26.67, 27.59, 28.58, 29.61, 30.75, 31.95, 33.22, 34.52, 37.18, 40.89, 43.94),
}
"""What photographs come to at qualities 0, 10 … 100 (means over Kodak): the way to go from one probe."""
SMOOTH = 1.0
"""Over smaller steps of the quality bytes are not a smooth curve, only a rising one."""
EXACT = 100.0
"""dB that a picture without any error counts as."""


@dataclass(frozen=True)
class Target:
    """What a file should come to: ``value`` bytes (never exceeded), bits per pixel, or dB of PSNR over all samples.

    Raises UsageError unless it is more than 0.
    """

    kind: Literal["size", "bpp", "psnr"]
    value: float

    def __post_init__(self) -> None:
        if not 0 < self.value < math.inf:
            raise UsageError(f"target is {_shown(self, self.value)}, must be more than 0")

    def window(self) -> tuple[float, float]:
        """The results that are good enough."""
        match self.kind:
            case "size":
                return 0.99 * self.value, self.value
            case "bpp":
                return 0.98 * self.value, 1.02 * self.value
            case "psnr":
                return self.value - 0.05, self.value + 0.05


UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 10**6, "kib": 1024, "mib": 1 << 20}


def parse_size(text: str) -> float:
    """Bytes of "40KB", "1.5 MB", "300KiB" or "5000"; raises UsageError."""
    match = re.fullmatch(r"([0-9]*\.?[0-9]+) ?([A-Za-z]*)", text.strip())
    unit = match and UNITS.get(match[2].lower())
    if not match or not unit:
        raise UsageError(f"size is {text!r}, must be a number of bytes, or end in KB, MB, KiB or MiB")
    return float(match[1]) * unit


@dataclass(frozen=True)
class Probe:
    """One compression: its quality, the file, and what the target asks about."""

    quality: float
    data: bytes
    result: float


def compress_to(
    codec: ImageCodec,
    picture: Picture,
    target: Target,
    *,
    effort: int | None = None,
    tile: int = DEFAULT_TILE,
    check: bool = True,
    progress: Progress | None = None,
    watch: Watch | None = None,
    on_probe: Callable[[Probe], None] | None = None,
) -> bytes:
    """The file nearest to a target; a size is never exceeded. ``progress`` counts the tiles of each probe anew.

    With an effort that searches latents the quality is looked for without that first, and from there with it. A search that
    ``watch`` ends leaves the file of the quality it was at.

    Raises:
        TargetError: no quality gets there; the message has the range that can be reached.
    """

    def prober(effort: int | None) -> Callable[[float], Probe]:
        def probe(quality: float) -> Probe:
            data = codec.compress(picture, quality=quality, effort=effort, tile=tile, check=check, progress=progress, watch=watch)
            done = Probe(quality, data, _measure(codec, picture, data, target))
            if on_probe:
                on_probe(done)
            return done

        return probe

    if not search_steps(effort):
        return search(prober(effort), target).data
    found = search(prober(DEFAULT_EFFORT), target)
    return search(prober(effort), target, found.quality).data


def _measure(codec: ImageCodec, picture: Picture, data: bytes, target: Target) -> float:
    match target.kind:
        case "size":
            return len(data)
        case "bpp":
            return 8 * len(data) / (picture.width * picture.height)
        case "psnr":
            return psnr(picture.color, codec.decompress(data).color)


def psnr(a: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], b: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    """PSNR in dB over all samples of two images of the same shape, uint8."""
    error = np.mean(np.square(np.subtract(a, b, dtype=np.float32)), dtype=np.float64)
    return float(10 * np.log10(255**2 / error)) if error else math.inf


def search(probe: Callable[[float], Probe], target: Target, quality: float = DEFAULT_QUALITY) -> Probe:
    """Keep a bracket of two probes around the window, and try where the curve through the nearest three crosses its middle.

    Raises:
        TargetError: no quality gets there.
    """
    low, high = target.window()
    scale: Callable[[float], float] = (lambda v: min(v, EXACT)) if target.kind == "psnr" else math.log
    aim = (scale(low) + scale(high)) / 2
    typical = np.array([scale(value) for value in TYPICAL["psnr" if target.kind == "psnr" else "bpp"]])

    def excess(probe: Probe) -> float:
        return scale(probe.result) - aim

    below: Probe | None = None
    above: Probe | None = None
    last = probe(quality)
    done = [last]
    for _ in range(MAX_PROBES - 1):
        if low <= last.result <= high:
            return last
        if last.result < low:
            below = last
        else:
            above = last
        if below and above:
            if above.quality - below.quality <= STEP:
                break
            quality = _between(below, above, done, excess)
        else:
            if last.quality in (0, 100):
                raise TargetError(_unreachable(target, probe(100 - last.quality), last))
            quality = _onward(done, excess, typical)
        last = probe(min(max(round(quality, 2), 0), 100))
        done.append(last)
    best = below if target.kind == "size" or above is None else min(filter(None, (below, above)), key=_distance(target))
    if best is None:
        raise TargetError(f"no quality keeps to {_shown(target, target.value)}")
    return best


def _onward(
    done: Sequence[Probe], excess: Callable[[Probe], float], typical: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> float:
    """The quality to try next while all probes are on one side: along a typical curve, then a line through the last two."""
    last = done[-1]
    if len(done) > 1:
        before = done[-2]
        if abs(excess(before)) > abs(excess(last)):
            return _crossing({excess(before): before.quality, excess(last): last.quality})
        return last.quality + 2 * (last.quality - before.quality)  # a step that gained nothing: the next one is longer
    qualities = np.linspace(0, 100, len(typical))
    return float(np.interp(np.interp(last.quality, qualities, typical) - excess(last), typical, qualities))


def _between(below: Probe, above: Probe, done: Sequence[Probe], excess: Callable[[Probe], float]) -> float:
    """The quality to try next, inside of the bracket."""
    margin = 0.02 * (above.quality - below.quality)
    least, most = below.quality + margin, above.quality - margin
    if above.quality - below.quality > SMOOTH:
        points = {excess(probe): probe.quality for probe in done}
        quality = _crossing(dict(sorted(points.items(), key=lambda point: abs(point[0]))[:3]))
        if least <= quality <= most:
            return quality  # else the curve turns between them, and a straight line will do
    sides = [excess(probe) > 0 for probe in reversed(done)]
    in_row = sum(1 for _ in itertools.takewhile(lambda side: side == sides[0], sides))
    half = 0.5 ** (in_row - 1)  # each time an end stands still it counts half of what it did (the Illinois method)
    under, over = (half, 1.0) if sides[0] else (1.0, half)
    line = {under * excess(below): below.quality, over * excess(above): above.quality}
    return min(max(_crossing(line), least), most)


def _crossing(points: dict[float, float]) -> float:
    """Where the polynomial through points (excess over the aim → quality) has an excess of 0 (Lagrange's formula)."""
    return sum(
        quality * math.prod(other / (other - excess) for other in points if other != excess) for excess, quality in points.items()
    )


def _distance(target: Target) -> Callable[[Probe], float]:
    return lambda probe: abs(probe.result - target.value)


def _unreachable(target: Target, one: Probe, other: Probe) -> str:
    ends = sorted((one.result, other.result))
    return f"{_shown(target, target.value)} can't be met, this image reaches {' to '.join(_shown(target, end) for end in ends)}"


def _shown(target: Target, value: float) -> str:
    return {"size": f"{value:,.0f} bytes", "bpp": f"{value:.3f} bpp", "psnr": f"{value:.2f} dB"}[target.kind]
