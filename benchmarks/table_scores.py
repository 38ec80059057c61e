"""Scores of generated rows that anybody can compute, in the rivals' environment: without ganforge, with SDMetrics.

quality     SDMetrics' quality report of training rows and generated rows, and its two halves: shapes, pairs
auc         a boosted tree trained on generated rows, tested on held-out ones: area under the curve for one label,
r2          or the share of a number's variance that it explains
detection   can a boosted tree tell generated rows from held-out ones? 0.5 is perfect, 1.0 means always
nearer      share of generated rows nearer to a training row than to a held-out one, among as many of both

The boosted tree is scikit-learn's HistGradientBoostingClassifier, or Regressor, at its defaults, seed 0. Called by
table_rivals.py; alone it needs only Parquet files of the same columns. It prints one JSON object. --large bounds the
time for large tables: the first ROWS rows of each, quality of COLUMNS columns only, and no search for copies.

    python benchmarks/table_scores.py TRAIN TEST GENERATED [--label "income=>50K" | --label price] [--quality]
                                      [--large]
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import pandas as pd
from sdmetrics.reports.single_table import QualityReport
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors

ROWS, COLUMNS = 20_000, 40  # of a large table
MOST_LEVELS = 255  # of a category, for scikit-learn's trees
EPOCH = pd.Timestamp(0)


def is_number(column: pd.Series[Any]) -> bool:
    """Whether a column is measured as a number: neither text nor truth nor date."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def with_categories(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """The same rows, text as categories that all frames share: the most frequent, as many as a tree can have.

    A missing cell is missing, whether a file's dtype makes it None, nan or <NA>.
    """
    made = [frame.copy() for frame in frames]
    for name in frames[0]:
        if not is_number(frames[0][name]):
            texts = [frame[name].astype(object).where(frame[name].notna(), "missing").astype(str) for frame in frames]
            levels = sorted(pd.concat(texts).value_counts().index[:MOST_LEVELS])
            for frame, text in zip(made, texts, strict=True):
                frame[name] = pd.Categorical(text, levels)
    return made


def with_seconds(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows, dates as numbers of seconds."""
    dates = {name: frame[name] for name in frame if pd.api.types.is_datetime64_any_dtype(frame[name])}
    return frame.assign(**{name: (dates[name] - EPOCH).dt.total_seconds() for name in dates})


def quality(train: pd.DataFrame, generated: pd.DataFrame) -> dict[str, float]:
    """SDMetrics' quality report: the score, and what it says of columns (shapes) and of pairs of columns."""
    report = QualityReport()
    report.generate(train, generated, {"columns": {name: _sdtype(train[name]) for name in train}}, verbose=False)
    halves = dict(report.get_properties()[["Property", "Score"]].itertuples(index=False))
    return {
        "quality": report.get_score(),
        "shapes": halves["Column Shapes"],
        "pairs": halves["Column Pair Trends"],
    }


def _sdtype(column: pd.Series[Any]) -> dict[str, str]:
    if pd.api.types.is_bool_dtype(column):
        return {"sdtype": "boolean"}
    if pd.api.types.is_datetime64_any_dtype(column):
        return {"sdtype": "datetime"}
    return {"sdtype": "numerical" if is_number(column) else "categorical"}


def area_under_curve(generated: pd.DataFrame, test: pd.DataFrame, label: str, positive: str) -> float:
    """How well a tree that saw generated rows only tells the label of real ones, 0.5 to 1."""
    train, held_out = with_categories([generated, test])
    tree = HistGradientBoostingClassifier(random_state=0)
    tree.fit(train.drop(columns=label), train[label] == positive)
    told = tree.predict_proba(held_out.drop(columns=label))[:, 1]
    return float(roc_auc_score(held_out[label] == positive, told))


def explained_variance(generated: pd.DataFrame, test: pd.DataFrame, label: str) -> float:
    """How well a tree that saw generated rows only predicts a number of real ones: R^2, at most 1."""
    train, held_out = with_categories([generated.dropna(subset=label), test.dropna(subset=label)])
    tree = HistGradientBoostingRegressor(random_state=0).fit(train.drop(columns=label), train[label])
    return float(r2_score(held_out[label], tree.predict(held_out.drop(columns=label))))


def detection(generated: pd.DataFrame, test: pd.DataFrame) -> float:
    """How well a tree tells generated rows from as many real ones, on rows that it has not seen, about 0.5 to 1."""
    count = min(len(generated), len(test))
    both = [frame.sample(count, random_state=0) for frame in (generated, test)]
    rows = pd.concat(with_categories(both), ignore_index=True)
    is_generated = np.repeat([1, 0], count)
    order = np.random.default_rng(0).permutation(2 * count)
    seen, unseen = order[:count], order[count:]
    tree = HistGradientBoostingClassifier(random_state=0).fit(rows.iloc[seen], is_generated[seen])
    return float(roc_auc_score(is_generated[unseen], tree.predict_proba(rows.iloc[unseen])[:, 1]))


def nearer_to_training(generated: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame) -> float:
    """Share of generated rows whose nearest real row is a training row, ties as a half; 0.5 is no copying.

    Numbers count in standard deviations; two different texts are a distance of 1.
    """
    count = min(len(test), len(generated))
    chosen = [train.sample(count, random_state=0), test, generated.sample(count, random_state=0)]
    numbers = [name for name in train if is_number(train[name])]
    texts = [name for name in train if name not in numbers]
    centre, spread = train[numbers].mean(), train[numbers].std()
    near, far, mine = (
        np.hstack(
            [
                ((frame[numbers] - centre) / spread).fillna(0.0).to_numpy(np.float64),  # missing: as the mean
                *(pd.get_dummies(frame[name]).to_numpy(np.float64) * np.sqrt(0.5) for name in texts),
            ]
        ).astype(np.float32)
        for frame in with_categories(chosen)
    )
    to_train, to_test = (NearestNeighbors(n_neighbors=1).fit(rows).kneighbors(mine)[0][:, 0] for rows in (near, far))
    return float((to_train < to_test).mean() + 0.5 * (to_train == to_test).mean())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs=3)
    parser.add_argument("--label", help="the column to predict: a number's name, or COLUMN=VALUE, the positive value")
    parser.add_argument("--quality", action="store_true", help="only SDMetrics' quality")
    parser.add_argument("--large", action="store_true", help="bound the time: fewer rows and columns, and no copies")
    asked = parser.parse_args()
    train, test, generated = (pd.read_parquet(table) for table in asked.tables)
    generated, compared = generated[list(train)], list(train)
    if asked.large:
        train, test, generated = (frame.head(ROWS) for frame in (train, test, generated))
        chosen = np.random.default_rng(0).permutation(len(compared))[:COLUMNS]
        compared = [compared[place] for place in sorted(chosen)]
    scores = quality(train[compared], generated[compared])
    train, test, generated = (with_seconds(frame) for frame in (train, test, generated))
    if not asked.quality:
        scores["detection"] = detection(generated, test)
        if not asked.large:
            scores["nearer"] = nearer_to_training(generated, train, test)
    if asked.label:
        label, _, positive = asked.label.partition("=")
        if positive:
            scores["auc"] = area_under_curve(generated, test, label, positive)
        else:
            scores["r2"] = explained_variance(generated, test, label)
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
