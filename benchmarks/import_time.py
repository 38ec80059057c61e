"""How long `ganforge --help` takes, as a person waits for it: process start to end.

    python benchmarks/import_time.py

Prints five times, their median and the bar. Exit code 1 if the median is not under the bar. One run goes before that is
not counted: it writes the byte code that every later start reads.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

BAR = 1.0  # seconds


def seconds_of_help() -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "ganforge", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def main() -> int:
    seconds_of_help()
    times = [seconds_of_help() for _ in range(5)]
    median = statistics.median(times)
    print("ganforge --help   " + "  ".join(f"{seconds:.2f}" for seconds in times) + " s")
    print(f"median            {median:.2f} s")
    print(f"bar               {BAR:.2f} s   {'met' if median < BAR else 'MISSED'}")
    return 0 if median < BAR else 1


if __name__ == "__main__":
    raise SystemExit(main())
