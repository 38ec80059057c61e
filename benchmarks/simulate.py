"""Users that do not exist, on MovieLens-100K: a recommender that learned from them, judged by what real ones met next.

    python benchmarks/simulate.py ml-100k.inter [--seeds 0 1 2] [--minutes 8 | --examples N] [--runs FOLDER]

The file is in RecBole's wheel (dataset_example/ml-100k). Of each user the first 80 % in time are the training data of
every simulator, whatever was met at one time in random order; as many users are drawn as there are. EASE (the best of
four penalties on the real data, for all alike) learns from them, and ranks for every real user what he had not met
after the 80 %: NDCG@10 over his last 20 %. Next item: the first three of the last 10 % of each user, all items that he
had not met ranked, after everything before; the weights are chosen by users who are held out of training. Users too
near: nearer to a training user (Jaccard) than 95 % of the held-out users are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import ganforge as gf
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.reading import read_log
from ganforge.kinds.interactions.scorers import ease
from ganforge.kinds.interactions.simulate.measures import Judge, drawn_again, nearest, popularity_distance
from ganforge.kinds.interactions.simulate.model import UserModel, load_users
from ganforge.kinds.interactions.simulate.sequences import cut, divide, in_random_order_where_tied
from ganforge.kinds.interactions.simulate.verdict import RIVALS, alone, next_scores
from ganforge.kinds.interactions.simulate.weights import places_of, sequences_of
from ganforge.measures.intervals import mean_by_bootstrap
from ganforge.measures.ranking import rank

PENALTY = 200.0  # the best for real users of 100, 200, 400 and 800


def found(made: Log, known: Log, later: Log) -> NDArray[np.float64]:
    """Return the NDCG@10 of each real user by EASE that learned from some users."""
    scorer, history = ease(made.matrix(), PENALTY), known.matrix()
    return rank(lambda rows: scorer.scores(history[rows]), history, later.matrix()).ndcg(10)


def written(log: Log, path: Path) -> Path:
    columns = {"user": log.users[log.user], "item": log.items[log.item], "rating": log.rating, "timestamp": log.time}
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def next_item(model: UserModel, whole: Log, queries: int = 3) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return hits and NDCG@10 of the first items of the last tenth of each user; one that is unknown is missed."""
    place = {item: row for row, item in enumerate(model.described.items)}
    rows = np.array([place.get(item, -1) for item in whole.items.tolist()])
    sequences, asked, unknown = [], [], 0
    for met in sequences_of(replace(whole, item=rows[whole.item])):
        mask = np.zeros(len(met), bool)
        first = round(0.9 * len(met))
        mask[first : first + queries] = True
        unknown += int((mask & (met < 0)).sum())
        sequences.append(met[met >= 0])
        asked.append(mask[met >= 0])
    found = places_of(model.people.simulator, sequences, asked)
    missed = np.full(unknown, len(place) + 1)
    return {name: next_scores(np.append(own, missed)) for name, own in found.items()}


def shown(values: Sequence[float] | NDArray[np.float64]) -> str:
    return f"{np.mean(values):.4f} (sd {np.std(values, ddof=1):.4f})" if len(values) > 1 else f"{values[0]:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--examples", type=int, help="instead of minutes, where other programs run")
    parser.add_argument("--runs", type=Path, help="a folder for the runs, which are measured again if they are there")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    length = {"examples": asked.examples} if asked.examples else {"minutes": asked.minutes}
    settings = dict(one.split("=", 1) for one in asked.set)
    whole = in_random_order_where_tied(read_log(asked.log, LogSettings()).log)
    known, later = cut(whole, 0.8)
    print(f"{len(known.users)} users, {len(known.items)} items, {len(known)} interactions to learn from")
    folder = asked.runs or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    data = written(known, folder / "known.csv")
    table: dict[str, dict[str, list[float]]] = {}
    following: dict[str, dict[str, list[float]]] = {}
    for seed in asked.seeds:
        run, began = folder / f"run-{seed}", time.process_time()
        if not (run / "model").exists():
            gf.train(data, run=run, task="simulate", kind="interactions", seed=seed, settings=settings, **length)
        seconds, model = time.process_time() - began, load_users(run / "model")
        verdict = json.loads((run / "evaluation.json").read_text())["verdict"]
        print(f"seed {seed}, {seconds:.0f} CPU s: {verdict['headline']}")
        people, count, real = model.people, len(known.users), read_log(data, LogSettings()).log
        users = divide(real, str(data))
        judge, train = Judge.of(users), users.train.matrix()
        made = {
            "ganforge": people.draw(count, seed),
            "without the adversary": people.draw(count, seed, guided=False),
            **{name: people.draw(count, seed, False, alone(name)) for name in RIVALS},
            "real users again": drawn_again(real, seed),
            "real users": real,
            "held-out users": users.judges,
        }
        place = {item: row for row, item in enumerate(known.items.tolist())}
        rows = np.array([place[item] for item in real.items.tolist()], np.int32)
        each = {name: found(replace(log, items=known.items, item=rows[log.item]), known, later)
                for name, log in made.items()}  # fmt: skip
        for name, log in made.items():
            own = table.setdefault(name, {})
            for measure, value in {
                "NDCG@10": float(each[name].mean()),
                "popularity": popularity_distance(log, real).value,
                "detected": judge.detection(log).value,
                "too near": judge.too_near(log).value,
                "nearest": float(nearest(log.matrix(), train).min()),
            }.items():
                own.setdefault(measure, []).append(value)
        for name in ("Markov", "without the adversary"):
            gain = mean_by_bootstrap(each["ganforge"] - each[name], np.random.default_rng(0))
            print(f"  NDCG@10 minus that of {name}: {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})")
        for name, scores in next_item(model, whole).items():
            for measure, values in scores.items():
                following.setdefault(name, {}).setdefault(measure, []).append(float(values.mean()))
        print(flush=True)
    for title, rowed in (("drawn users", table), ("next item", following)):
        print(title)
        for name, measures in rowed.items():
            print(f"  {name:24s}" + "  ".join(f"{measure} {shown(values)}" for measure, values in measures.items()))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
