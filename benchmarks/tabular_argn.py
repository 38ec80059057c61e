"""TabularARGN (mostlyai-engine) on one table, in an environment of its own; called by adult.py, without ganforge.

It trains at its defaults on a Parquet file of rows, for so many minutes at most, and writes one of as many generated
rows.

    python benchmarks/tabular_argn.py TRAIN OUT [--minutes M] [--seed 0]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd
from mostlyai import engine


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    table = pd.read_parquet(asked.train)
    engine.set_random_state(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        engine.split(table, workspace_dir=folder)
        engine.analyze(workspace_dir=folder)
        engine.encode(workspace_dir=folder)
        limit = {} if asked.minutes is None else {"max_training_time": asked.minutes}
        engine.train(workspace_dir=folder, **limit)
        engine.generate(workspace_dir=folder, sample_size=len(table))
        parts = sorted(Path(folder).glob("SyntheticData/*.parquet"))
        pd.concat([pd.read_parquet(part) for part in parts]).to_parquet(asked.out, index=False)


if __name__ == "__main__":
    main()
