"""1,000,000 rows of a trained run, drawn into one Parquet file: seconds, loading the model included.

Each round runs in a process of its own, which also says its peak memory (Linux's VmHWM). Bar: 20 s on 2 cores, for a
table like Adult (15 columns), which adult.py --runs DIR leaves in DIR.

    python benchmarks/table_sampling.py RUN [--rows 1000000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
from table_results import Bar, conclude, tell

SAMPLE = """
import re, sys
from pathlib import Path
from time import perf_counter
import ganforge as gf
gf.sample  # torch is imported here, before the clock
started = perf_counter()
gf.sample(sys.argv[1], int(sys.argv[2]), sys.argv[3])
seconds = perf_counter() - started
print(seconds, re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def draw(run: str, rows: int, out: Path) -> dict[str, float]:
    """Seconds for drawing and writing, GiB at most."""
    done = subprocess.run(
        [sys.executable, "-c", SAMPLE, run, str(rows), str(out)], check=True, stdout=subprocess.PIPE, text=True
    )
    seconds, peak = done.stdout.split()[-2:]
    written = pq.ParquetFile(out).metadata.num_rows
    if written != rows:
        raise SystemExit(f"{written:,} rows were written instead of {rows:,}")
    return {"seconds": float(seconds), "peak_gib": int(peak) / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(asked.rounds):
            results.append(draw(asked.run, asked.rows, Path(folder, f"{turn}.parquet")))
            tell(round=turn, rows=asked.rows, **results[-1])
    conclude(results, {"seconds": Bar(20.0, "at most")}, rows=asked.rows)


if __name__ == "__main__":
    main()
