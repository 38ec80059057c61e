"""One process and several train the same run: how far their loss curves lie apart.

    python benchmarks/processes.py

The same recipe (pictures, a table) is trained on 1, 2 and 4 processes with the same global batch, 200 steps in float64.
Printed is the largest relative difference of any loss term of either player at any step. Bar: 1e-4. Beside it stands
what another seed gives: the difference between two runs that are not the same. It also starts the worlds of the tests.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STEPS = 200
BAR = 1e-4
SOURCES = {
    "pictures": ["digits", "--set", "network.width=8", "--set", "optimiser.batch_size=16"],
    "table": ["wine", "--set", "network.width=32", "--set", "optimiser.batch_size=32"],
}
IN_DOUBLE = """
import sys, torch
from ganforge.api import distributed as several
from ganforge.api import train as verbs
from ganforge.cli.main import main

def in_double(game, feed, settings, *, look=None, **more):
    # only the game itself: the judge and the measures stay as they are
    for player in game.players:
        player.network.double()
    torch.set_default_dtype(torch.float64)
    fitted = fit(game, feed, settings, **more)
    torch.set_default_dtype(torch.float32)
    fitted.product.float()
    return fitted

fit = verbs.fit
verbs.fit = several.fit = in_double
sys.exit(main(sys.argv[1:]))
"""
PLAIN = "import sys; from ganforge.cli.main import main; sys.exit(main(sys.argv[1:]))"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class World:
    """Processes that train one run together, each with a thread of its own."""

    processes: list[subprocess.Popen[str]]

    def wait(self, seconds: float = 240) -> list[tuple[int, str]]:
        """Waits for all. Returns: the exit code and the words of each."""
        ended = []
        for process in self.processes:
            words, _ = process.communicate(timeout=seconds)
            ended.append((process.returncode, words))
        return ended

    def kill(self, rank: int, number: int = signal.SIGKILL) -> None:
        self.processes[rank].send_signal(number)


def start(
    size: int,
    arguments: Sequence[str],
    folder: Path,
    *,
    script: str = PLAIN,
    before: Sequence[Sequence[str]] = (),
    **more: str,
) -> World:
    """Starts `size` processes of the command line `ganforge arguments` in a folder.

    Args: before what stands before the command of each process; more environment variables, also over those of a world.
    """
    port = str(free_port())
    processes = []
    for rank in range(size):
        surroundings: Mapping[str, str] = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
            **({} if size == 1 else _place(rank, size, port)),
            **more,
        }
        processes.append(
            subprocess.Popen(
                [*(before[rank] if before else ()), sys.executable, "-c", script, *arguments],
                cwd=folder,
                env=surroundings,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    return World(processes)


def records(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]


def _place(rank: int, size: int, port: str) -> dict[str, str]:
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(size),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }


def losses(folder: Path, kind: str, size: int, seed: int = 0) -> list[float]:
    """Every loss term of both players at every step of a run on `size` processes, in float64."""
    data, *settings = SOURCES[kind]
    batch = int(settings[-1].split("=")[1])
    name = f"{kind}-{size}-{seed}"
    more = ["--examples", str(batch * STEPS), "--run", name, "--set", "records.every_steps=1", "--seed", str(seed)]
    marks = ["--set", "records.marks=[1.0]", "--set", "compute.precision=float32"]
    ended = start(size, ["train", data, *settings, *more, *marks], folder, script=IN_DOUBLE).wait()
    assert [code for code, _ in ended] == [0] * size, ended
    told = [record["terms"] for record in records(folder / name)]
    assert len(told) == STEPS
    return [value for terms in told for player in sorted(terms) for _, value in sorted(terms[player].items())]


def apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest relative difference."""
    return max(abs(a - b) / max(abs(a), 1e-12) for a, b in zip(one, other, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 4])
    sizes = parser.parse_args().sizes
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for kind in SOURCES:
            alone = losses(Path(folder), kind, 1)
            for size in sizes:
                difference = apart(alone, losses(Path(folder), kind, size))
                worst = max(worst, difference)
                print(
                    f"{kind:10} {size} processes: {difference:.2e} apart over {STEPS} steps (bar {BAR:g})", flush=True
                )
            other = apart(alone, losses(Path(folder), kind, 1, seed=1))
            print(f"{kind:10} 1 process, another seed: {other:.2e} apart")
    return int(worst >= BAR)


if __name__ == "__main__":
    sys.exit(main())
