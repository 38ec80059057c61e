"""How long a person waits for what needs no training: process start to end. And what each kind of data imports.

    python benchmarks/import_time.py

Each command runs five times; the median is printed beside its bar, and the exit code is 1 if one is missed. One run
goes before that is not counted: it writes the byte code that every later start reads. Of the tasks the time is that of
the import alone, and nothing is demanded.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

from ganforge.kinds import every_kind

REPEATS = 5
COMMANDS = {  # what is typed -> seconds at most
    "ganforge --help": 1.0,
    "ganforge train --help": 1.0,
    "ganforge runs": 1.0,
}


def seconds_of(program: list[str], folder: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *program], cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def median_of(program: list[str], folder: str) -> float:
    seconds_of(program, folder)
    return statistics.median(seconds_of(program, folder) for _ in range(REPEATS))


def main() -> int:
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        print(f"import ganforge                  {median_of(['-c', 'import ganforge'], folder):5.2f} s")
        for words, bar in COMMANDS.items():
            seconds = median_of(["-m", *words.split()], folder)
            missed += seconds >= bar
            print(f"{words:32} {seconds:5.2f} s   bar {bar:.2f} s {'met' if seconds < bar else 'MISSED'}")
        for kind in every_kind():
            for name, place in kind.tasks.items():
                module = place.partition(":")[0]
                print(f"{f'{name} {kind.name}':32} {median_of(['-c', f'import {module}'], folder):5.2f} s to import")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
