"""5,000,000 rows of 20 columns beside 50,000: peak memory of training, and time per example.

The tables are written by parts and hold the same kinds of columns: decimals, whole numbers, categories, a date. Each
training runs in a process of its own for the same number of steps; reading and judging are part of the peak. The time
of an example is the median over the stretches between two records; both sizes train in turn, and the smaller of each
size's medians counts, because other programs only ever add. The peak is Linux's VmHWM. Bars: below 3 GiB, within 10 %.

    python benchmarks/table_scale.py [--rows 50000 5000000] [--steps 1000] [--rounds 2] [--folder DIR]

--folder is where the tables are written (1 GiB); by default the system's folder for temporary files.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from table_results import Bar, Stopwatch, conclude, tell

from ganforge.core.seeds import seed_for
from ganforge.run import Run

PART = 250_000
BATCH = 512
BARS = {"peak_gib": Bar(3.0, "at most"), "times_per_example": Bar(1.1, "at most")}
TRAIN = """
import re, sys
from pathlib import Path
import ganforge as gf
source, run, examples = sys.argv[1:]
settings = {{"optimiser.batch_size": "{batch}", "network.width": "256"}}
gf.train(source, run=run, examples=int(examples), settings=settings)
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def part_of_table(rows: int, part: int) -> pd.DataFrame:
    """Rows (N, 20) whose columns share two hidden numbers."""
    random = np.random.default_rng(seed_for(0, "benchmarks/table_scale", step=part))
    hidden = random.standard_normal((rows, 2))
    columns = {}
    for number in range(10):
        mixed = hidden @ random.permutation([1.0, 0.5]) + 0.5 * random.standard_normal(rows)
        columns[f"decimal_{number}"] = np.round(np.exp(0.5 * mixed) if number % 2 else mixed, 3)
    for number in range(4):
        columns[f"whole_{number}"] = random.poisson(np.exp(1.0 + 0.5 * hidden[:, number % 2]))
    for number, levels in enumerate((2, 5, 12, 30, 50)):
        place = np.clip((hidden[:, number % 2] + random.standard_normal(rows)) / 6 + 0.5, 0, 0.999)
        columns[f"category_{number}"] = np.array([f"level {i:02d}" for i in range(levels)])[
            (levels * place).astype(np.int64)
        ]
    days = (1000 * (0.5 + 0.1 * np.clip(hidden[:, 0], -4.9, 4.9))).astype(np.int64)
    columns["date"] = np.datetime64("2022-01-01", "D").astype("datetime64[s]") + days * np.timedelta64(86_400, "s")
    return pd.DataFrame(columns)


def write_table(rows: int, path: Path) -> Path:
    """A Parquet file, written a part at a time."""
    writer = None
    for part, first in enumerate(range(0, rows, PART)):
        table = pa.Table.from_pandas(part_of_table(min(PART, rows - first), part), preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return path


def train(source: Path, run: Path, steps: int) -> dict[str, float]:
    """Trains in a process of its own. Returns: GiB at most, microseconds per example, seconds in all."""
    watch = Stopwatch()
    done = subprocess.run(
        [sys.executable, "-c", TRAIN.format(batch=BATCH), str(source), str(run), str(steps * BATCH)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    records = pd.DataFrame(Run(run).read_records())[["examples", "seconds"]].diff().iloc[1:]
    return {
        "peak_gib": int(done.stdout.split()[-1]) / 2**20,
        "microseconds": float((1e6 * records["seconds"] / records["examples"]).median()),
        "seconds_in_all": watch.seconds(),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs=2, default=[50_000, 5_000_000])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder")
    asked = parser.parse_args()
    found: dict[int, list[dict[str, float]]] = {rows: [] for rows in asked.rows}
    with tempfile.TemporaryDirectory(dir=asked.folder) as scratch:
        tables = {rows: write_table(rows, Path(scratch, f"{rows}.parquet")) for rows in asked.rows}
        for turn in range(asked.rounds):
            for rows, path in tables.items():
                found[rows].append(train(path, Path(scratch, f"run-{rows}-{turn}"), asked.steps))
                tell(rows=rows, round=turn, steps=asked.steps, **found[rows][-1])
    few, many = (min(result["microseconds"] for result in found[rows]) for rows in asked.rows)
    peak = max(result["peak_gib"] for result in found[asked.rows[1]])
    conclude([{"peak_gib": peak, "times_per_example": many / few}], BARS, rows=asked.rows)


if __name__ == "__main__":
    main()
