"""A million users: EASE from a file of 50,000,000 interactions, and lists of 10 for 10,000 users.

    python benchmarks/interactions_scale.py log.parquet [--users 1000000] [--items 20000] [--interactions 50000000]
                                                        [--run FOLDER]

The log is generated if the file is not there yet, .parquet or .csv, in another process. Each user draws from three of
64 tastes; a taste is a popularity of all items (a power law) times weights of its own (log-normal), so that the
expected matrix has rank 64. No pair occurs twice; rows are in the order of time. The seconds are those of the clock
and of all threads, the memory is the peak of the process that reads, learns and recommends. With --run the
verbs are measured in place of the parts: `ganforge train` into a new folder, and `ganforge apply` to 10,000 users.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from scipy.sparse import csr_matrix

from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.reading import read_log
from ganforge.kinds.interactions.scorers import popularity
from ganforge.kinds.interactions.split import split_log
from ganforge.kinds.interactions.tuning import methods_for, ranking_of, some_users, tune
from ganforge.measures.ranking import blocks, hide, top_items

TASTES, OWN = 64, 3  # of all; of one user
BLOCK = 50_000  # users drawn at once
CHUNK = 1_000_000  # rows written at once


def tastes(random: np.random.Generator, items: int) -> np.ndarray:
    """Return the cumulative chances of items in each taste, (TASTES, items)."""
    popular = random.permutation((np.arange(items) + 20.0) ** -0.9)
    chances = popular * np.exp(1.5 * random.standard_normal((TASTES, items)))
    return np.cumsum(chances / chances.sum(1, keepdims=True), axis=1)


def drawn(random: np.random.Generator, sums: np.ndarray, users: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return users and items of exactly `count` different pairs."""
    items = sums.shape[1]
    activity = np.exp(0.8 * random.standard_normal(users))
    own = random.integers(0, TASTES, (users, OWN))
    keys = np.empty(0, np.int64)
    while len(keys) < count:
        user = random.choice(users, int(1.1 * (count - len(keys))) + 1000, p=activity / activity.sum())
        taste = own[user, random.integers(0, OWN, len(user))]
        item = np.empty(len(user), np.int64)
        for one in range(TASTES):
            of_it = taste == one
            item[of_it] = np.minimum(np.searchsorted(sums[one], random.random(int(of_it.sum()))), items - 1)
        keys = np.unique(np.concatenate([keys, user * items + item]))
    return np.divmod(random.permutation(keys)[:count], items)


def generate(path: Path, users: int, items: int, interactions: int) -> None:
    random = np.random.default_rng(0)
    sums = tastes(random, items)
    user, item = np.empty(interactions, np.int32), np.empty(interactions, np.int32)
    at = 0
    for start in range(0, users, BLOCK):
        size = min(BLOCK, users - start)
        count = interactions * (start + size) // users - at
        of_block, its = drawn(random, sums, size, count)
        user[at : at + count], item[at : at + count] = start + of_block, its
        at += count
    times = np.sort(random.integers(1_500_000_000, 1_700_000_000, interactions, dtype=np.int64))
    order = random.permutation(interactions).astype(np.int32)
    schema = pa.schema([("user", pa.int32()), ("item", pa.int32()), ("timestamp", pa.int64())])
    csv = path.suffix == ".csv"
    with pa.csv.CSVWriter(path, schema) if csv else pa.parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, interactions, CHUNK):
            rows = order[start : start + CHUNK]
            writer.write_table(pa.table([user[rows], item[rows], times[start : start + CHUNK]], schema=schema))


class Clock:
    """Prints what was done, its seconds and the peak of memory so far."""

    def __init__(self) -> None:
        self.begun = self.last = np.array([time.perf_counter(), time.process_time()])

    def tell(self, what: str) -> None:
        now = np.array([time.perf_counter(), time.process_time()])
        wall, own = now - self.last
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{wall:7.1f} s ({own:7.1f} of the processor)  {peak:5.2f} GiB  {what}", flush=True)
        self.last = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--interactions", type=int, default=50_000_000)
    parser.add_argument("--run", type=Path, help="a new folder: measures the verbs train and apply")
    asked = parser.parse_args()
    if not asked.log.exists():
        begun = time.perf_counter()
        sizes = (asked.log, asked.users, asked.items, asked.interactions)
        maker = multiprocessing.get_context("spawn").Process(target=generate, args=sizes)
        maker.start()
        maker.join()
        print(f"generated in {time.perf_counter() - begun:.0f} s, {asked.log.stat().st_size / 1e6:,.0f} MB")
    if asked.run:
        verbs(asked.log, asked.run)
        return
    clock = Clock()
    log = read_log(asked.log, LogSettings()).log
    clock.tell(f"read {len(log):,} interactions of {len(log.users):,} users with {len(log.items):,} items")
    split = split_log(log, "time", 0)
    del log
    fit, validation, test, train = (part.matrix() for part in (split.fit, split.validation, split.test, split.train))
    del split
    clock.tell("split")
    methods, sentences = methods_for(fit)
    print(*sentences, sep="\n")
    tuned = tune("EASE", methods["EASE"], fit, validation, train)
    clock.tell(f"EASE. {tuned.sentence}")
    del fit, validation
    judges = some_users(test, 10_000)
    users = np.flatnonzero(np.diff(judges.indptr))
    lists(tuned.scorer, train, users)
    clock.tell(f"the first 10 items of {len(users):,} users")
    for name, scorer in (("EASE", tuned.scorer), ("popularity", popularity(train))):
        ranking = ranking_of(scorer, train, judges)
        clock.tell(f"{name}: NDCG@10 {ranking.ndcg(10).mean():.4f} of {len(ranking.users):,} users")
    clock.last = clock.begun
    clock.tell("in all")


def verbs(log: Path, run: Path) -> None:
    command = [sys.executable, "-m", "ganforge"]
    measured([*command, "train", str(log), "--task", "recommend", "--run-folder", str(run)])
    users = run.with_suffix(".csv")
    users.write_text("user\n" + "\n".join(map(str, range(10_000))) + "\n", "utf-8")
    measured([*command, "apply", str(run), str(users), "--out", str(run.with_suffix(".top.csv")), "-n", "10"])


def measured(command: list[str]) -> None:
    begun = time.perf_counter()
    _, status, used = os.wait4(subprocess.Popen(command).pid, 0)
    wall, own = time.perf_counter() - begun, used.ru_utime + used.ru_stime
    ended = "" if status == 0 else f" ended with {status}"
    print(
        f"{wall:7.1f} s ({own:7.1f} of the processor)  {used.ru_maxrss / 2**20:5.2f} GiB  {command[3]}{ended}",
        flush=True,
    )


def lists(scorer, train: csr_matrix, users: np.ndarray) -> np.ndarray:
    found = []
    for rows in blocks(users, train.shape[1]):
        history = train[rows]
        scores = scorer.scores(history, rows)
        hide(scores, history)
        found.append(top_items(scores, 10))
    return np.concatenate(found)


if __name__ == "__main__":
    main()
