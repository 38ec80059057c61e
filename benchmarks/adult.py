"""Adult (UCI, 32,561 people, 15 columns): what generated rows are worth after so many seconds of training.

Train on 80 % of the rows, test on the rest. Scores by SDMetrics and boosted trees in the rivals' environment
(table_scores.py): ganforge beside real rows (the test rows) as the ceiling, independent columns as the floor and, with
--rivals, CTGAN at its defaults (27 minutes on 2 cores), a Gaussian copula and SMOTE. Bars, worst of the seeds: quality,
AUC of a tree trained on generated rows, detection, nearer to train. --values smooth does not repeat training values
inside a span of numbers; what that costs is the difference.

ADULT.csv is UCI's `adult.data` with a line of names.

    python benchmarks/adult.py ADULT.csv [--seconds 65 150 300] [--seeds 0 1 2] [--rivals] [--values smooth]
                                         [--environment .rivals] [--runs DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd
from table_results import Bar, Stopwatch, conclude, folder_at, tell, training_seconds
from table_rivals import Rivals, write_plainly

import ganforge as gf

LABEL, POSITIVE = "income", ">50K"
COPIES = {"nearer": Bar(0.03, "within", 0.5)}
BARS = {
    65: {
        "quality": Bar(0.975, "at least"),
        "auc": Bar(0.900, "at least"),
        "detection": Bar(0.65, "at most"),
        **COPIES,
    },
    150: {
        "quality": Bar(0.984, "at least"),
        "auc": Bar(0.910, "at least"),
        "detection": Bar(0.55, "at most"),
        **COPIES,
    },
    300: {"auc": Bar(0.918, "at least"), **COPIES},  # an aim: diffusion models publish 0.915
}


def split(path: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test rows; `?` stays a category of its own."""
    whole = pd.read_csv(path, skipinitialspace=True, keep_default_na=False)
    train = whole.sample(frac=0.8, random_state=0)
    return train.reset_index(drop=True), whole.drop(train.index).reset_index(drop=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--seconds", type=float, nargs="+", default=[65, 150, 300])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("--values", choices=["seen", "smooth"], default="seen")
    parser.add_argument("--environment", default=".rivals")
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
                place = folder_at(asked.runs or folder) / f"adult-{allowed:g}s-{asked.values}-{seed}"
                watch = Stopwatch()
                trained = gf.train(
                    train,
                    minutes=allowed / 60,
                    seed=seed,
                    run=place,
                    force=True,
                    settings={"rows.values": asked.values},
                )
                whole = watch.seconds()
                frame = trained.sample(len(train), seed=seed)
                results.append(scores_of(write_plainly(frame, folder / "generated.parquet")))
                tell(
                    model="ganforge",
                    values=asked.values,
                    allowed=allowed,
                    seed=seed,
                    seconds=training_seconds(trained),
                    with_judging=whole,
                    **results[-1],
                )
            conclude(results, BARS.get(round(allowed), {}), model="ganforge", values=asked.values, allowed=allowed)


if __name__ == "__main__":
    main()
