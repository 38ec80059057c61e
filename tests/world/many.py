"""Runs ganforge in several processes, as torchrun does, and gathers what they say."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IN_DOUBLE = """
import sys, torch
from ganforge.api import several, verbs
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
