"""Trains 2,000 steps straight, and 2,000 steps with a kill -9 in the middle and `ganforge resume`: the same sha256?

python benchmarks/resume_exact.py [--steps 2000] [--kills 1] [--data digits]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ganforge.core.files import sha256_of
from ganforge.run import Run

COMMAND = (sys.executable, "-m", "ganforge")


def hashes(run: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in sorted(Run(run).model.iterdir())}


def killed(arguments: list[str], run: Path, share: float) -> float:
    """Starts a command and kills it -9 once training has passed `share`; returns where it was.

    Raises: SystemExit if it had ended before.
    """
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        records = Run(run).read_records()
        if records and records[-1]["progress"] >= share:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    if process.wait() != -signal.SIGKILL:
        raise SystemExit(f"It ended by itself with {process.returncode} before it could be killed at {share:.0%}.")
    records = Run(run).read_records()
    return float(records[-1]["progress"]) if records else 0.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--data", default="digits")
    asked = parser.parse_args()
    length = ["--examples", str(64 * asked.steps)]
    with tempfile.TemporaryDirectory() as scratch:
        straight, broken = Path(scratch, "straight"), Path(scratch, "broken")
        subprocess.run(
            [*COMMAND, "train", asked.data, "--run", str(straight), *length], check=True, stdout=subprocess.DEVNULL
        )
        chance = random.Random(0)
        shares = sorted(chance.uniform(0.2, 0.8) for _ in range(asked.kills))
        first = ["train", asked.data, "--run", str(broken), *length]
        for number, share in enumerate(shares):
            at = killed(first if number == 0 else ["resume", str(broken)], broken, share)
            print(f"killed -9 at {at:.0%} of training")
        subprocess.run([*COMMAND, "resume", str(broken)], check=True, stdout=subprocess.DEVNULL)
        one, other = hashes(straight), hashes(broken)
    for name, digest in one.items():
        same = "same" if digest == other.get(name) else "DIFFERENT"
        print(f"{name:20s} {digest[:16]}  {other.get(name, '-')[:16]}  {same}")
    print(f"bar: the same sha256: {'met' if one == other else 'NOT met'}")


if __name__ == "__main__":
    main()
