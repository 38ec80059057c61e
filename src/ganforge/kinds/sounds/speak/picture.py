"""A sentence's spectrogram with the signs that its alignment found, above what the voice makes of its text."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

WIDTH, HEIGHT = 9.0, 3.6  # inches
MOST_MARKED = 90  # signs


def aligned_picture(truth: Tensor, text: str, durations: Sequence[int], made: Tensor) -> bytes:
    """Draw true levels (N, M) with a line where each sign begins, and below them made ones, as PNG.

    Args: text a sign for each duration.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained", dpi=110)
    above, below = figure.subplots(2)
    starts = np.concatenate([[0], np.cumsum(durations)[:-1]])[:MOST_MARKED]
    end = int(starts[-1]) + durations[len(starts) - 1]
    for axes, levels in ((above, truth), (below, made)):
        axes.imshow(levels[:end].T.numpy(), origin="lower", aspect="auto", cmap="magma", vmin=-1, vmax=1)
        axes.set_xticks([])
        axes.set_yticks([])
    for start in starts[1:]:
        above.axvline(start - 0.5, color="white", linewidth=0.4)
    above.set_xticks(starts + np.array(durations[: len(starts)]) / 2 - 0.5, list(text[: len(starts)]))
    above.tick_params(axis="x", length=0)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
