"""A regression drawn: predicted against measured values, and the errors beside those of the mean."""

from __future__ import annotations

import numpy as np

from ganforge.core.format import short
from ganforge.kinds.tables.figures.ink import GENERATED, LINE, REAL, Floats, cut, figure, legend, plain_axes, png

BINS, HEIGHT = 24, 4.4  # bars of the histogram; inches


def draw_predictions(measured: Floats, predicted: Floats, mean: float, target: str) -> bytes:
    """A PNG of two panels. Args: measured, predicted (N,) in the target's units; mean of the training rows."""
    drawn = figure(HEIGHT)
    parts = drawn.subfigures(2, 1, squeeze=False, height_ratios=[0.09, 1])
    legend(parts[0, 0], "predicting the mean", "this model")
    points, errors = parts[1, 0].subplots(1, 2, width_ratios=[1, 1.25])
    there = np.isfinite(predicted)  # of a network that has diverged some are not
    measured, predicted = (
        (measured[there], predicted[there]) if there.any() else (measured, np.full_like(measured, mean))
    )
    both = np.concatenate([measured, predicted])
    ends = [float(both.min()), float(both.max())]
    points.plot(ends, ends, color=LINE, linewidth=1.5)
    points.plot(measured, np.full_like(measured, mean), color=REAL, linewidth=1.5)
    points.scatter(measured, predicted, s=16, color=GENERATED, alpha=0.6, linewidths=0)
    plain_axes(points, f"{cut(target, 34)}: predicted against measured")
    own, of_mean = predicted - measured, mean - measured
    edges = np.histogram_bin_edges(np.concatenate([own, of_mean]), BINS)
    errors.stairs(np.histogram(of_mean, edges)[0] / len(of_mean), edges, fill=True, color=REAL)
    errors.stairs(np.histogram(own, edges)[0] / len(own), edges, color=GENERATED, linewidth=1.6)
    plain_axes(errors, "Errors, predicted less measured")
    errors.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g} %")
    for axes in (points, errors):
        axes.xaxis.set_major_formatter(lambda value, _: short(value))
        axes.locator_params(nbins=5)
    points.yaxis.set_major_formatter(lambda value, _: short(value))
    return png(drawn)
