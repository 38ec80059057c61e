"""Figure 4: who would like items that nobody has met, on five folds of unseen items.

    python benchmarks/invent.py ml-100k.inter [--seeds 3]

Each of five parts of the items is unseen once; everything is chosen by the other items alone. The file is in the wheel
of RecBole, with ml-100k.item beside it. Bars, measured before: random .060 / .074, nearest items .217 / .268, ridge
.248 / .310, ridge to a 20-dimensional embedding .257 / .315, true popularity .365 / .449 (recall@20 / NDCG@20).
Then whole runs: what the adversary adds to the spread of audiences, and how real invented items look.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

import ganforge as gf
from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.invent.choice import choose
from ganforge.kinds.interactions.invent.material import Material, open_material
from ganforge.kinds.interactions.invent.plan import InventSettings, codes_of, fitted
from ganforge.kinds.interactions.invent.rivals import METHODS, OURS, RIDGE, TASTES, judged, lists_of
from ganforge.measures.intervals import from_bootstrap

FOLDS = 5
Array = np.ndarray


def folds_of(material: Material, seed: int) -> list[Material]:
    """Return the material with each part of the items unseen once."""
    order = np.random.default_rng(seed_for(seed, "invent/folds")).permutation(len(material.items))
    fold = np.empty(len(order), int)
    fold[order] = np.arange(len(order)) % FOLDS
    return [replace(material, part=np.where(fold == number, 2, 0).astype(np.int8)) for number in range(FOLDS)]


def scores_of(material: Material) -> dict[str, dict[str, Array]]:
    """Return the measures of each user by method, NaN for users without an unseen item."""
    known = material.features_of(material.known)
    choice = choose(known, material.matrix[:, material.known])
    names = ("dimensions", "columns", "form", "width", "penalty")
    chosen = InventSettings(**{name: getattr(choice, name) for name in names})
    codes = codes_of(material, chosen)
    lists = lists_of(material, fitted(material, chosen, codes), codes.encoded(material.features_of(material.unseen)))
    found: dict[str, dict[str, Array]] = {}
    for name, ranking in lists.items():
        found[name] = {}
        for measure, values in judged(ranking).items():
            found[name][measure] = np.full(material.matrix.shape[0], np.nan)
            found[name][measure][ranking.users] = values
    return found


def figure(source: str, seeds: int) -> None:
    """Print the figure."""
    material = open_material(source, LogSettings(), 0)
    kept: dict[tuple[str, str], list[Array]] = defaultdict(list)
    began = time.process_time()
    for seed in range(seeds):
        for fold in folds_of(material, seed):
            for name, measures in scores_of(fold).items():
                for measure, values in measures.items():
                    kept[name, measure].append(values)
    spent = time.process_time() - began
    print(f"{seeds} x {FOLDS} folds, {spent / seeds / FOLDS:.1f} CPU seconds each; +- the deviation over folds")
    print(f"{'':28}recall@20        NDCG@20")
    for name in METHODS:
        cells = []
        for measure in ("recall", "ndcg"):
            folds = np.array([np.nanmean(values) for values in kept[name, measure]])
            cells.append(f"{folds.mean():.3f} +- {folds.std():.3f}")
        print(f"{name:28}{'   '.join(cells)}")
    for other in (TASTES, RIDGE):
        for measure in ("recall", "ndcg"):
            apart = np.array(kept[OURS, measure]) - np.array(kept[other, measure])  # (folds, users)
            of_users, of_folds = np.nanmean(apart, 0), np.nanmean(apart, 1)
            for unit, values in (("users", of_users[~np.isnan(of_users)]), ("folds", of_folds)):
                its = from_bootstrap(
                    lambda rows, values=values: float(values[rows].mean()), len(values), np.random.default_rng(0), 1000
                )
                told = f"{its.value:+.4f} ({its.low:+.4f} to {its.high:+.4f})"
                print(f"above {other}, {measure}, over {unit}: {told}")


def adversary(source: str, seeds: int) -> None:
    """Print what whole runs say of the adversary."""
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            gf.train(source, run=Path(folder) / "run", task="invent", seed=seed)
            spent = time.process_time() - began
            found = json.loads((Path(folder) / "run" / "evaluation.json").read_text())
        measures = {one["name"]: one for one in found["measures"]}
        print(f"seed {seed}, {spent:.0f} CPU seconds: corrections {'taken' if found['corrected'] else 'not taken'}")
        print("   energy score: " + ", ".join(f"{name} {value:.3f}" for name, value in found["spread"].items()))
        print("   liking: " + ", ".join(f"{name} {value:.2f}" for name, value in found["liking"].items()))
        for name in ("ndcg", "covered", "detection"):
            one = measures[name]
            print(f"   {name} {one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f}), "
                  f"floor {one['floor']:.3f}, reference {one['reference']:.3f}")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log")
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    figure(asked.log, asked.seeds)
    adversary(asked.log, asked.seeds)
