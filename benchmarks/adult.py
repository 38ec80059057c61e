"""Adult (UCI, 32,561 people, 15 columns): what generated rows are worth after so many seconds of one core.

Train on 80 % of the rows, test on the rest. Scores by SDMetrics and boosted trees in the rivals' environment
(table_scores.py): ganforge beside real rows (the test rows) as the ceiling, independent columns as the floor and, with
--rivals, CTGAN at its defaults (27 minutes on 2 cores), a Gaussian copula and SMOTE. Bars, worst of the seeds: quality,
AUC of a tree trained on generated rows, detection, nearer to train. --values smooth does not repeat training values
inside a span of numbers; what that costs is the difference.

--seconds are CPU seconds from the start of the process `ganforge train` to its end, with plan, verdict and report;
`allowed` less SPARED of them are given as --minutes. `wrong` counts generated rows that nobody can be: husbands who are
women, and wives who are men (of the 26,049 training rows, 1 and 2).

ADULT.csv is UCI's `adult.data` with a line of names.

    python benchmarks/adult.py ADULT.csv [--seconds 78 174 300] [--seeds 0 1 2] [--rivals] [--values smooth]
                                         [--environment .rivals] [--peer DIR] [--runs DIR]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pandas as pd
from table_results import Bar, conclude, folder_at, tell, training_seconds
from table_rivals import Rivals, cpu_seconds, peer_at, write_plainly

import ganforge as gf

LABEL, POSITIVE = "income", ">50K"
COPIES = {"nearer": Bar(0.03, "within", 0.5)}
WRONG = {"husband_female": ("Husband", "Female"), "wife_male": ("Wife", "Male")}
PEER_SPARED = 17.0  # of TabularARGN's process
SPARED = 10.0  # seconds of the process before training: imports, reading, plan. The plan sets the verdict's aside
PEER = {  # mostlyai-engine 2.7.3 (TabularARGN) at its defaults: measured once, one core, process from start to end
    78: {"quality": 0.971, "auc": 0.910, "detection": 0.608, "husband_female": 2, "wife_male": 5},
    174: {"quality": 0.980, "auc": 0.915, "detection": 0.597, "husband_female": 1, "wife_male": 0},
}


def bars_of(allowed: int) -> dict[str, Bar]:
    """What must be reached within so many seconds: the peer in every column, and the aim of 174 seconds."""
    peer = PEER[max(seconds for seconds in PEER if seconds <= max(allowed, min(PEER)))]
    best = {"quality": 0.990, "auc": 0.918, "detection": 0.53} if allowed >= max(PEER) else {}
    return {
        **{name: Bar(best.get(name, peer[name]), "at least") for name in ("quality", "auc")},
        "detection": Bar(best.get("detection", peer["detection"]), "at most"),
        **{name: Bar(peer[name], "at most") for name in WRONG},
        "cpu_seconds": Bar(allowed, "at most"),
        **COPIES,
    }


def split(path: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test rows; `?` stays a category of its own."""
    whole = pd.read_csv(path, skipinitialspace=True, keep_default_na=False)
    train = whole.sample(frac=0.8, random_state=0)
    return train.reset_index(drop=True), whole.drop(train.index).reset_index(drop=True)


def wrong_rows(frame: pd.DataFrame) -> dict[str, int]:
    """How many rows hold a pair of values that nobody has."""
    return {name: int(((frame["relationship"] == a) & (frame["sex"] == b)).sum()) for name, (a, b) in WRONG.items()}


def train_in_a_process(table: Path, run: Path, seconds: float, seed: int, values: str) -> float:
    """Train by the command line. Returns: CPU seconds of the process."""
    words = ["train", table, "--run", run, "--force", "--seed", seed, "--minutes", f"{seconds / 60:.3f}"]
    return cpu_seconds(sys.executable, "-m", "ganforge", *words, "--set", f"rows.values={values}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--seconds", type=float, nargs="+", default=[78, 174, 300])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("--values", choices=["seen", "smooth"], default="seen")
    parser.add_argument("--environment", default=".rivals")
    parser.add_argument("--peer", metavar="DIR", help="an environment for TabularARGN, which is run in turn")
    parser.add_argument("--runs", help="where the runs are kept; by default nowhere")
    asked = parser.parse_args()
    rivals = Rivals.at(asked.environment)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        train, test = split(asked.table)
        files = write_plainly(train, folder / "train.parquet"), write_plainly(test, folder / "test.parquet")

        def scores_of(generated: Path) -> dict[str, float]:
            return rivals.score(*files, generated, label=f"{LABEL}={POSITIVE}")

        ceiling = scores_of(files[0]) | rivals.score(*files, files[1], only_quality=True)
        del ceiling["nearer"]  # of copies
        tell(model="real rows (ceiling)", **ceiling)
        for rival in ["independent", *(["copula", "smote", "ctgan"] if asked.rivals else [])]:
            out = folder / f"{rival}.parquet"
            seconds = rivals.fit(rival, files[0], out, label=LABEL)
            tell(model=rival, seconds=seconds, **scores_of(out))
        for allowed in asked.seconds:
            results = []
            for seed in asked.seeds:
                if asked.peer:
                    out, minutes = folder / "peer.parquet", (allowed - PEER_SPARED) / 60
                    words = (Path(__file__).with_name("tabular_argn.py"), files[0], out, "--minutes", minutes)
                    used = cpu_seconds(peer_at(asked.peer), *words, "--seed", seed)
                    found = {**scores_of(out), **wrong_rows(pd.read_parquet(out)), "cpu_seconds": used}
                    tell(model="TabularARGN", allowed=allowed, seed=seed, **found)
                place = folder_at(asked.runs or folder) / f"adult-{allowed:g}s-{asked.values}-{seed}"
                used = train_in_a_process(files[0], place, max(10.0, allowed - SPARED), seed, asked.values)
                trained = gf.load(place)
                frame = trained.sample(len(train), seed=seed)
                scores = scores_of(write_plainly(frame, folder / "generated.parquet"))
                results.append({**scores, **wrong_rows(frame), "cpu_seconds": used})
                tell(
                    model="ganforge",
                    values=asked.values,
                    allowed=allowed,
                    seed=seed,
                    seconds=training_seconds(trained),
                    **results[-1],
                )
            conclude(results, bars_of(round(allowed)), model="ganforge", values=asked.values, allowed=allowed)


if __name__ == "__main__":
    main()
