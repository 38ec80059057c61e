"""What training loses on a machine on which other programs run.

Three ways to use the cores: one thread; all threads within each operation, as ganforge did before; and what the plan
chooses, pieces of a batch side by side. Each trains alone and beside one and two programs that never rest (loops in
Python). Bar: whatever else runs, the plan's way takes at most 1.3 times the time of one thread beside the same.

All ways are loaded and warm from the start and train in turn, for a few seconds each, so that whatever the machine does
meanwhile hits them alike. Ratios are of times, from the examples shown in all rounds together.

    python benchmarks/busy_machine.py [--rounds 4] [--seconds 1.5] [--games tiny small wine]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

GAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "tiny": ("digits", {"size": "tiny"}),
    "small": ("digits", {"size": "small"}),
    "medium": ("digits", {"size": "medium"}),
    "wine": ("wine", {}),
}
ONE, SHARED, PLANNED = "one thread", "threads that share operations", "the plan"
LOADS = (0, 1, 2)
BAR = 1.3


def play(game: str, way: str) -> None:
    """A process that trains for as many seconds as each line of its input says, and answers with what it showed."""
    from ganforge.api.request import request_of, task_for
    from ganforge.api.train import fit_settings
    from ganforge.core.device import THREADS
    from ganforge.engine.fit import fit
    from ganforge.errors import Interrupted
    from ganforge.planning.compute import use

    source, asked = GAMES[game]
    settings = {ONE: {"compute.threads": 1}, SHARED: {"compute.threads": THREADS}, PLANNED: {}}[way]
    request = request_of(source, {**asked, "examples": 60_000, "settings": {"compute.device": "cpu", **settings}})
    job = task_for(request).plan(request, lambda *_, **__: None)
    use(job.recipe.compute)
    without_end = replace(fit_settings(job.recipe), length_examples=10**9, record_every_steps=10**6, marks=())
    players = job.game()

    def train(seconds: float) -> tuple[int, float]:
        """Examples shown, and seconds taken."""
        steps, start = 0, time.perf_counter()

        def stop() -> bool:
            nonlocal steps
            steps += 1
            return time.perf_counter() - start > seconds

        with suppress(Interrupted):
            fit(players, job.feed, without_end, stop=stop)
        return steps * without_end.batch_size, time.perf_counter() - start

    train(1.0)
    print(json.dumps({"threads": job.recipe.compute.threads, "pieces": job.recipe.compute.pieces}), flush=True)
    for line in sys.stdin:
        print(json.dumps(train(float(line))), flush=True)


@dataclass(frozen=True)
class Player:
    """A process that plays, as its parent sees it."""

    process: subprocess.Popen[str]

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def train(self, seconds: float) -> tuple[int, float]:
        assert self.process.stdin is not None
        print(seconds, file=self.process.stdin, flush=True)
        examples, taken = self.answer()
        return examples, taken


@contextmanager
def player(game: str, way: str) -> Iterator[Player]:
    command = [sys.executable, __file__, "--play", game, way]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Player(process)
        finally:
            process.kill()


@contextmanager
def busy(programs: int) -> Iterator[None]:
    """So many programs that never rest."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(programs)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def measure(game: str, rounds: int, seconds: float) -> bool:
    """Prints the nine cells of a game. Returns: whether the bar is met."""
    with ExitStack() as open_players:
        players = {way: open_players.enter_context(player(game, way)) for way in (ONE, SHARED, PLANNED)}
        chosen = {way: there.answer() for way, there in players.items()}
        rates: dict[tuple[str, int], float] = {}
        for load in LOADS:
            shown = {way: [0, 0.0] for way in players}
            with busy(load):
                for _ in range(rounds):
                    for way, there in players.items():
                        examples, taken = there.train(seconds)
                        shown[way][0] += examples
                        shown[way][1] += taken
            rates |= {(way, load): examples / taken for way, (examples, taken) in shown.items()}
    for way in players:
        cells = [f"{rates[way, load]:,.0f}/s, {rates[ONE, load] / rates[way, load]:.2f}" for load in LOADS]
        how = f"{chosen[way]['threads']} threads, {chosen[way]['pieces']} pieces"
        print(f"| {game} | {way} ({how}) | {' | '.join(cells)} |", flush=True)
    return all(rates[ONE, load] / rates[PLANNED, load] <= BAR for load in LOADS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--games", nargs="+", choices=GAMES, default=["tiny", "small", "wine"])
    parser.add_argument("--play", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.play:
        play(*asked.play)
        return
    print("examples/s, and the time as a multiple of one thread's beside the same programs\n")
    print(f"| game | way | {' | '.join(f'beside {load} busy programs' for load in LOADS)} |\n|---|---|---|---|---|")
    met = [measure(game, asked.rounds, asked.seconds) for game in asked.games]
    print(f"\nBar: the plan takes at most {BAR} times one thread's time: {'met' if all(met) else 'NOT MET'}")


if __name__ == "__main__":
    main()
