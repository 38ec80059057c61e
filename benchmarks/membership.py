"""Membership: what attacks find of pictures and rows that a model was trained on, beside two floors.

    python benchmarks/membership.py digits MNIST.npz [--count 5000] [--examples 80000]    # or 200 of them
    python benchmarks/membership.py small                                                 # scikit-learn's 8 x 8 digits
    python benchmarks/membership.py table ADULT.csv [--count 1000] [--values seen]        # or smooth
        [--seeds 3] [--first 0] [--unseen 5000] [--out FILE.jsonl]

Each run is attacked as `ganforge audit` does, with as many unseen examples as --unseen says, so that the intervals are
narrow. Beside it: unseen examples against other unseen ones, where every AUC must be one half, and a planted leak, a
"model" that returns training examples with a little noise, where it must be near 1.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
import torch

import ganforge
from ganforge.api.stored_run import Teller, recipe_of, reopened
from ganforge.core.exposure import Cells, Exposure
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.tables.generate.task import RowsJob
from ganforge.kinds.tables.reading.arrays import to_plain
from ganforge.privacy.attacks import Attacked, attack
from ganforge.run import Run

NOISE = 0.05  # of a planted leak, in standard deviations of a feature


def pictures_of(asked: argparse.Namespace, folder: Path, seed: int) -> Path:
    """Write training and unseen pictures of one source, chosen by the seed."""
    if asked.form == "small":
        from sklearn.datasets import load_digits

        loaded = load_digits()
        x, y = np.rint(loaded.images * 255 / 16).astype(np.uint8), loaded.target
    else:
        with np.load(asked.data) as arrays:
            x, y = arrays["x_train"], arrays["y_train"]
    order = np.random.default_rng(seed).permutation(len(x))
    train, unseen = order[: asked.count], order[asked.count :][: asked.unseen]
    path = folder / "digits.npz"
    np.savez(path, x_train=x[train], y_train=y[train], x_test=x[unseen], y_test=y[unseen])
    return path


def exposed(run: Path, unseen: pd.DataFrame | None) -> Exposure:
    """What attacks on a run are given. Args: unseen rows of a table, besides those that the run holds out."""
    folder = Run.open(run)
    job = reopened(folder, recipe_of(folder), Teller(()))
    if unseen is not None:
        assert isinstance(job, RowsJob)
        table = job.table
        plain = to_plain(unseen, table.codec.columns)
        codes = table.protection.encode(table.codec, plain).astype(np.int16)
        job.table = replace(table, held_out_rows=plain, held_out=TensorFeed("cpu", x=torch.from_numpy(codes)))
    return job.exposure(folder, job.read_product(folder.model))


def floor_of(given: Exposure) -> Exposure:
    """Unseen examples in place of the training ones."""
    half = len(given.non_members) // 2
    cells = given.cells
    return replace(
        given,
        members=given.non_members[:half],
        non_members=given.non_members[half:],
        white_box={name: (other[:half], other[half:]) for name, (_, other) in given.white_box.items()},
        cells=cells and replace(cells, members=cells.non_members[:half], non_members=cells.non_members[half:]),
    )


def planted(given: Exposure) -> Exposure:
    """Training examples with a little noise in place of the generated ones."""
    random = np.random.default_rng(0)
    chosen = random.integers(0, len(given.members), len(given.generated))
    noise = NOISE * given.members.std(0) * random.normal(size=given.generated.shape)
    return replace(
        given,
        generated=(given.members[chosen] + noise).astype(np.float32),
        white_box={},
        cells=given.cells and _noisy(given.cells, chosen, random),
    )


def _noisy(cells: Cells, chosen: np.ndarray, random: np.random.Generator) -> Cells:
    moved = cells.members[chosen]
    noise = NOISE * np.nanstd(cells.members, axis=0) * random.normal(size=moved.shape)
    return replace(cells, generated=moved + np.where(np.asarray(cells.numeric), np.rint(noise), 0.0))


def one_run(asked: argparse.Namespace, scratch: Path, seed: int) -> Iterator[dict[str, Any]]:
    """Train one model and attack it, its floor, and of the first seed a planted leak."""
    settings: dict[str, Any] = {"compute.threads": 1}
    unseen = None
    if asked.form == "table":
        frame = pd.read_csv(asked.data, skipinitialspace=True)
        order = np.random.default_rng(seed).permutation(len(frame))
        source: Path = scratch / "adult.csv"
        frame.iloc[order[: asked.count]].to_csv(source, index=False)
        rest = scratch / "unseen.csv"
        frame.iloc[order[asked.count :][: asked.unseen]].to_csv(rest, index=False)
        unseen = pd.read_csv(rest, dtype_backend="pyarrow")
        settings["rows.values"] = asked.values
    else:
        source = pictures_of(asked, scratch, seed)
    begun = process_time()
    ganforge.train(source, run=scratch / "run", examples=asked.examples, seed=seed, settings=settings)
    trained = process_time() - begun
    given = exposed(scratch / "run", unseen)
    sides = {"model": given, "floor": floor_of(given), **({"planted": planted(given)} if seed == asked.first else {})}
    for name, side in sides.items():
        begun = process_time()
        found = attack(side, seed)
        told = {"form": asked.form, "count": asked.count, "values": asked.values, "seed": seed, "what": name}
        yield told | {"trained": trained, "attacked": process_time() - begun} | summary(found)


def summary(found: Attacked) -> dict[str, Any]:
    """The numbers of an audit that the tables show."""
    content = found.content()
    return {
        "outcome": content["outcome"],
        "members": content["members"],
        "non_members": content["non_members"],
        "control": content["control"]["auc"],
        "copies": content["copies"],
        **{
            one["name"]: {"auc": one["auc"], "tpr": one["true_positive_rate"], "leaks": one["leaks"]}
            for one in content["attacks"]
        },
    }


def show(results: list[dict[str, Any]]) -> None:
    """Print a table: the mean AUC over seeds, the least and the largest, and how often a leak was found."""
    for what in ("model", "floor", "planted"):
        mine = [one for one in results if one["what"] == what]
        if not mine:
            continue
        first = mine[0]
        outcomes = ", ".join(one["outcome"] for one in mine)
        print(f"\n{what}: {first['members']:,} members, {first['non_members']:,} others, {len(mine)} seeds: {outcomes}")
        for name in [key for key in first if isinstance(first[key], dict) and "auc" in first[key]]:
            areas = [one[name]["auc"]["value"] for one in mine]
            half = mean((one[name]["auc"]["high"] - one[name]["auc"]["low"]) / 2 for one in mine)
            rate, found = mean(one[name]["tpr"]["value"] for one in mine), sum(one[name]["leaks"] for one in mine)
            print(
                f"  {name:14} AUC {mean(areas):.3f} +-{half:.3f} ({min(areas):.3f} to {max(areas):.3f})"
                f"  found at 1 % {rate:.3f}  leaks {found}/{len(mine)}"
            )
        control = mean(one["control"]["value"] for one in mine)
        copies = [one["copies"] for one in mine]
        print(
            f"  no model       AUC {control:.3f}   nearer to members {mean(c['nearer']['value'] for c in copies):.3f}"
            f"  authentic {mean(c['authentic']['value'] for c in copies):.3f} (unseen "
            f"{mean(c['authentic_unseen']['value'] for c in copies):.3f})  C_T {mean(c['c_t'] for c in copies):.1f}"
        )
    trained = [one["trained"] for one in results if one["what"] == "model"]
    print(f"\nCPU seconds: {mean(trained):.0f} a training, {mean(one['attacked'] for one in results):.0f} an attack")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("form", choices=("digits", "small", "table"))
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--examples", type=int)
    parser.add_argument("--values", choices=("seen", "smooth"), default="seen")
    parser.add_argument("--unseen", type=int, default=5_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    usual = {"digits": (5_000, 80_000), "small": (900, 20_000), "table": (1_000, 100_000)}[asked.form]
    asked.count, asked.examples = asked.count or usual[0], asked.examples or usual[1]
    torch.set_num_threads(1)
    results = []
    for seed in range(asked.first, asked.first + asked.seeds):
        with tempfile.TemporaryDirectory() as scratch:
            for told in one_run(asked, Path(scratch), seed):
                results.append(told)
                if asked.out is not None:
                    with asked.out.open("a") as file:
                        file.write(json.dumps(told) + "\n")
    show(results)


if __name__ == "__main__":
    main()
