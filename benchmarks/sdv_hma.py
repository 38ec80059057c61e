"""SDV's HMA on two tables, in an environment of its own; called by two_tables.py, without ganforge.

It learns, at its defaults, from a folder with two .csv files, and writes a folder with as many parents anew.

    python benchmarks/sdv_hma.py FOLDER OUT PARENT.KEY CHILD.REFERENCE [--dates orders.ordered ...] [--seed 0]
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sdv.metadata import Metadata
from sdv.multi_table import HMASynthesizer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("key")
    parser.add_argument("reference")
    parser.add_argument("--dates", nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    np.random.seed(asked.seed)
    (parent, key), (child, reference) = asked.key.split("."), asked.reference.split(".")
    tables = {name: pd.read_csv(asked.folder / f"{name}.csv") for name in (parent, child)}
    for date in asked.dates:
        table, column = date.split(".")
        tables[table][column] = pd.to_datetime(tables[table][column])
    metadata = Metadata.detect_from_dataframes(tables, infer_keys=None)
    for table, about in metadata.to_dict()["tables"].items():
        for column, found in about["columns"].items():
            if found["sdtype"] not in ("numerical", "categorical", "datetime", "boolean", "id"):
                metadata.update_column(table_name=table, column_name=column, sdtype="categorical")  # a city stays one
    for table, column in ((parent, key), (child, reference)):
        metadata.update_column(table_name=table, column_name=column, sdtype="id")
    metadata.set_primary_key(table_name=parent, column_name=key)
    metadata.add_relationship(parent, child, key, reference)
    model = HMASynthesizer(metadata, verbose=False)
    model.fit(tables)
    made = model.sample_scale()
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, frame in made.items():
        frame[list(tables[name])].to_csv(asked.out / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
