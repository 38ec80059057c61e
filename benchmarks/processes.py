"""One process and several train the same run: how far their loss curves lie apart.

    python benchmarks/processes.py

The same recipe (pictures, a table, four tasks of text) is trained on 1, 2 and 4 processes with the same global batch,
200 steps in float64. Printed is the largest relative difference of any loss term of either player at any step. Bar:
1e-4. Beside it stands what another seed gives: the difference between two runs that are not the same. It also starts
the worlds of the tests.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
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

from tiny_texts import write_texts

STEPS = 200
BAR = 1e-4
HUNG_SECONDS = 600.0
SOURCES = {
    "pictures": ["digits", "--set", "network.width=8", "--set", "optimiser.batch_size=16"],
    "table": ["wine", "--set", "network.width=32", "--set", "optimiser.batch_size=32"],
    "texts": ["captions.txt", "--size", "tiny", "--set", "optimiser.batch_size=16"],
    "restyle": ["styles/", "--task", "restyle", "--size", "tiny", "--set", "optimiser.batch_size=16"],
    "sentences": ["languages/", "--task", "translate", "--size", "tiny", "--set", "optimiser.batch_size=16"],
    "words": ["languages/", "--task", "dictionary", "--size", "tiny", "--set", "optimiser.batch_size=16"],
}
IN_DOUBLE = """
import importlib, sys, torch
from ganforge.cli.main import main

distributed, verbs = (importlib.import_module("ganforge.api." + name) for name in ("distributed", "train"))

def in_double(game, feed, settings, *, look=None, **more):
    # only the game itself: the judge and the measures stay as they are
    for player in game.players:
        player.network.double()
    torch.set_default_dtype(torch.float64)
    fit(game, feed, settings, **more)
    sys.exit()  # its records are all that is asked for

fit = verbs.fit
verbs.fit = distributed.fit = in_double
sys.exit(main(sys.argv[1:]))
"""
PLAIN = "import sys; from ganforge.cli.main import main; sys.exit(main(sys.argv[1:]))"
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["ganforge.api", "ganforge.cli.live", "torch._dynamo", "torch.distributed"])


class Fork:
    """A process with the interface of Popen that is forked from one which has imported everything: it begins at once.

    What it cannot show is what differs between two interpreters, such as the order of a set of strings.
    """

    def __init__(self, script: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        handle, output = tempfile.mkstemp()
        os.close(handle)
        self._output, self._words = Path(output), ""
        target = (script, list(arguments), str(folder), dict(environment), output)
        self._process = FORKS.Process(target=_run_script, args=target, daemon=True)
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """The exit code, minus the signal that ended it, or None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Waits. Returns: what it wrote, and None. Raises: TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        if self._output.exists():
            self._words = self._output.read_text("utf-8")
            self._output.unlink()
        return self._words, None


def _run_script(script: str, arguments: list[str], folder: str, environment: dict[str, str], output: str) -> None:
    """In the fork: run a script as `python -c` does, with its output in a file."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(output, os.O_WRONLY), 1)
    os.dup2(1, 2)
    sys.argv = ["-c", *arguments]
    exec(script, {"__name__": "__main__"})


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class World:
    """Processes that train one run together, each with a thread of its own."""

    processes: Sequence[subprocess.Popen[str] | Fork]

    def wait(self) -> list[tuple[int, str]]:
        """Wait for all. Returns: the exit code and the words of each. Raises: TimeoutExpired if one of them hangs."""
        ended = []
        for process in self.processes:
            words, _ = process.communicate(timeout=HUNG_SECONDS)
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

    Args: before what stands before the command of each process, which then is a new interpreter and not a fork;
        more environment variables, also over those of a world.
    """
    port = str(free_port())
    processes: list[subprocess.Popen[str] | Fork] = []
    for rank in range(size):
        surroundings: Mapping[str, str] = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
            **({} if size == 1 else _place(rank, size, port)),
            **more,
        }
        if not before:
            processes.append(Fork(script, arguments, folder, surroundings))
            continue
        command = [*before[rank], sys.executable, "-c", script, *arguments]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        processes.append(subprocess.Popen(command, cwd=folder, env=surroundings, **pipes))
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


def losses(folder: Path, kind: str, size: int, seed: int = 0, steps: int = STEPS) -> list[float]:
    """Every loss term of both players at each of `steps` steps of a run on `size` processes, in float64."""
    data, *settings = SOURCES[kind]
    batch = int(settings[-1].split("=")[1])
    write_texts(folder)
    name = f"{kind}-{size}-{seed}"
    more = ["--examples", str(batch * steps), "--run", name, "--set", "records.every_steps=1", "--seed", str(seed)]
    marks = ["--set", "records.marks=[1.0]", "--set", "compute.precision=float32"]
    ended = start(size, ["train", data, *settings, *more, *marks], folder, script=IN_DOUBLE).wait()
    assert [code for code, _ in ended] == [0] * size, ended
    told = [record["terms"] for record in records(folder / name)]
    assert len(told) == steps
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
