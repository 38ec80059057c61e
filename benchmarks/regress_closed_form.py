"""Backpropagation on a line against the closed form: how near it comes, in how many steps and how much time.

Real data (scikit-learn's diabetes) and planted lines whose columns repeat each other more and more, so that the bowl of
the squared error becomes a ravine. The distance is the root mean square difference of both answers' predictions, in
standard deviations of the target; `theta` the largest difference of a standardised theta.

    python benchmarks/regress_closed_form.py
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ganforge.engine.fit import FitSettings, fit
from ganforge.kinds.tables.regress.model import LinearRegressor
from ganforge.kinds.tables.regress.numeric import closed_form, open_numeric_table, with_ones
from ganforge.kinds.tables.regress.plan import curvature_of
from ganforge.kinds.tables.regress.task import Regress
from ganforge.recipe import Request

BAR = 1e-3  # standard deviations of the target


def planted(folder: Path, repeat: float) -> Path:
    """500 rows of 8 columns that share a part of `repeat` (0 independent, 1 all the same)."""
    random = np.random.default_rng(0)
    shared, own = random.normal(size=(500, 1)), random.normal(size=(500, 8))
    x = np.sqrt(repeat) * shared + np.sqrt(1 - repeat) * own
    frame = pd.DataFrame(x, columns=[f"x{index}" for index in range(8)])
    frame["y"] = x @ random.normal(size=8) + random.normal(size=500)
    path = folder / f"repeat_{repeat}.csv"
    frame.to_csv(path, index=False)
    return path


def compare(source: str, label: str) -> dict[str, float | str]:
    job = Regress().plan(Request(source=source, label=label, task="regress"), lambda kind, **content: None)
    recipe, table = job.recipe, job.table
    torch.set_num_threads(recipe.compute.threads)
    settings = FitSettings(
        seed=0,
        batch_size=recipe.optimiser.batch_size,
        length_examples=recipe.length.examples,
        half_life_examples=recipe.average.half_life_examples,
    )
    started = time.perf_counter()
    product = fit(job.game(), job.feed, settings).product
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    best = closed_form(open_numeric_table(source, label, recipe.seed))
    algebra = time.perf_counter() - started
    assert isinstance(product, LinearRegressor)
    theta = product.theta.detach().double().numpy()
    x = with_ones(table.standardised()[0])
    curve = curvature_of(table)
    return {
        "data": Path(source).stem,
        "condition": curve.largest / curve.smallest,
        "steps": recipe.length.examples / recipe.optimiser.batch_size,
        "seconds": seconds,
        "closed_form_seconds": algebra,
        "distance": float(np.sqrt(np.mean((x @ (theta - best)) ** 2))),
        "theta": float(np.abs(theta - best).max()),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        tables = [("diabetes", "target"), *((str(planted(Path(scratch), r)), "y") for r in (0.0, 0.5, 0.9, 0.99))]
        results = [compare(*table) for table in tables]
    for found in results:
        print(json.dumps({key: f"{value:.3g}" if isinstance(value, float) else value for key, value in found.items()}))
    worst = max(float(found["distance"]) for found in results)
    print(f"worst distance {worst:.2g}, bar {BAR:g}: {'reached' if worst <= BAR else 'NOT reached'}")


if __name__ == "__main__":
    main()
