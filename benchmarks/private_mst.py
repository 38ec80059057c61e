"""MST (McKenna, Miklau and Sheldon 2021) with private-pgm, for private_tables.py; runs in an environment with `mbi`.

A third of the budget each for single columns, the choice of a spanning tree, and its pairs. As in its authors' code
cells below 3 deviations of noise are merged before pairs are counted. The choice is by Gaussian noise as ganforge's is,
so that both are accounted for in the same way.

    python private_mst.py CODES.parquet SIZES.json OUT.parquet MULTIPLIER SEED
"""

from __future__ import annotations

import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from mbi import Domain, LinearMeasurement, estimation


def main() -> None:
    source, sizes_at, out, multiplier, seed = *sys.argv[1:4], float(sys.argv[4]), int(sys.argv[5])
    codes, random = pd.read_parquet(source), np.random.default_rng(seed)
    sizes = dict(zip(codes, json.loads(Path(sizes_at).read_text("utf-8")), strict=True))
    share = multiplier * np.sqrt(3)
    single = share * np.sqrt(len(sizes))
    counts = {
        name: np.bincount(codes[name], minlength=size) + random.normal(0, single, size) for name, size in sizes.items()
    }
    places, merged = {}, {}
    for name, count in counts.items():  # a cell of its own where it is clear, else one for all the others
        clear = count >= 3 * single
        places[name] = np.where(clear, np.cumsum(clear) - 1, clear.sum())
        merged[name] = int(clear.sum() + (not clear.all()))
    small = pd.DataFrame({name: places[name][codes[name]] for name in codes})
    domain = Domain(tuple(small), tuple(merged[name] for name in small))
    found = []
    for name in small:
        values = np.bincount(places[name], weights=counts[name], minlength=merged[name])
        found.append(LinearMeasurement(values, (name,), stddev=single))
    model = estimation.MirrorDescent().estimate(domain, found, known_total=float(len(codes)), iters=500)
    pairs = list(combinations(small, 2))
    distances = []
    for left, right in pairs:
        expected = np.asarray(model.project((left, right)).datavector()).reshape(merged[left], merged[right])
        real = np.zeros_like(expected)
        np.add.at(real, (small[left], small[right]), 1)
        distances.append(np.abs(real - expected).sum() + random.normal(0, share * np.sqrt(len(pairs))))
    parts, chosen = {name: name for name in small}, []
    for place in np.argsort(distances)[::-1]:
        left, right = pairs[place]
        if parts[left] != parts[right]:
            gone, kept = parts[right], parts[left]
            parts = {name: kept if part == gone else part for name, part in parts.items()}
            chosen.append((left, right))
    pair = share * np.sqrt(len(chosen))
    for left, right in chosen:
        real = np.zeros((merged[left], merged[right]))
        np.add.at(real, (small[left], small[right]), 1)
        found.append(LinearMeasurement((real + random.normal(0, pair, real.shape)).ravel(), (left, right), stddev=pair))
    model = estimation.MirrorDescent().estimate(domain, found, known_total=float(len(codes)), iters=2_000)
    drawn = pd.DataFrame(model.synthetic_data(rows=len(codes)).to_dict())
    result = {}
    for name in codes:  # a cell of the merged ones by its noisy count
        chances = np.maximum(counts[name], 0)
        cells = np.empty(len(drawn), np.int64)
        for group in range(merged[name]):
            mine = np.flatnonzero(drawn[name].to_numpy() == group)
            inside = np.flatnonzero(places[name] == group)
            weights = chances[inside] if chances[inside].sum() > 0 else np.ones(len(inside))
            cells[mine] = random.choice(inside, len(mine), p=weights / weights.sum())
        result[name] = cells
    pd.DataFrame(result).to_parquet(out)


if __name__ == "__main__":
    main()
