"""Bjøntegaard deltas mean what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aecodec.benchmark.bdrate import delta, line, value_at
from aecodec.benchmark.curves import load_published
from aecodec.benchmark.metrics import METRICS

pytest.importorskip("bjontegaard")

RATES = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
VALUES = [26.0, 29.0, 32.5, 35.0, 38.5, 42.0]
PUBLISHED = Path(__file__).parent.parent / "benchmarks" / "published" / "kodak_published_rd.json"


def test_a_curve_against_itself_is_zero() -> None:
    curve = line(RATES, VALUES)
    found = delta(curve, curve)
    assert found is not None
    assert found.rate == pytest.approx(0, abs=1e-9)
    assert found.value == pytest.approx(0, abs=1e-9)
    assert (found.low, found.high) == (26.0, 42.0)


@pytest.mark.parametrize(("factor", "percent"), [(0.5, -50.0), (2.0, 100.0), (0.9, -10.0)])
def test_a_curve_with_scaled_bytes_differs_by_that(factor: float, percent: float) -> None:
    found = delta(line(RATES, VALUES), line([rate * factor for rate in RATES], VALUES))
    assert found is not None
    assert found.rate == pytest.approx(percent, abs=1e-6)
    assert (found.value > 0) == (factor < 1)


def test_fewer_than_five_points_give_none() -> None:
    assert delta(line(RATES, VALUES), line(RATES[:4], VALUES[:4])) is None
    assert delta(line(RATES[:4], VALUES[:4]), line(RATES, VALUES)) is None
    assert delta(line(RATES[:5], VALUES[:5]), line(RATES, VALUES)) is not None


def test_curves_without_a_common_range_give_none() -> None:
    assert delta(line(RATES, VALUES), line(RATES, [value + 30 for value in VALUES])) is None
    assert delta(line(RATES, VALUES), line([rate * 1000 for rate in RATES], VALUES)) is None


def test_points_that_cost_more_and_are_no_better_are_left_out() -> None:
    curve = line([0.4, 0.1, 0.2, 0.3], [31.0, 26.0, 30.0, 29.0])
    assert curve.tolist() == [[0.1, 26.0], [0.2, 30.0], [0.4, 31.0]]
    assert line([], []).shape == (0, 2)


def test_values_in_between_are_interpolated_and_never_extrapolated() -> None:
    curve = line(RATES, VALUES)
    assert value_at(curve, 0.4) == pytest.approx(32.5)
    between = value_at(curve, 0.3)
    assert between is not None
    assert 29.0 < between < 32.5
    assert value_at(curve, 0.09) is None
    assert value_at(curve, 3.3) is None


def test_published_curves_give_the_figures_published_with_them() -> None:
    content = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    curves = {curve.name: curve.line(METRICS[0]) for curve in load_published(PUBLISHED)}
    anchor = curves["VTM"]
    assert anchor is not None
    for name in ("JPEG", "WebP", "JPEG2000", "elic2022_mse (paper)", "mbt2018-mean (paper)"):
        test = curves[name]
        assert test is not None
        found = delta(anchor, test)
        assert found is not None
        assert np.isclose(found.rate, content[name]["bd_rate_vs_VTM_%"], atol=0.05)
