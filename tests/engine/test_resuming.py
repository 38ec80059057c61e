"""A run that was stopped, killed or cut ends with exactly the weights of one that was not."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from toy_games import (
    Clock,
    Killed,
    Notebook,
    SlowFeed,
    TableFeed,
    adversarial_game,
    kill_after,
    line_feed,
    points,
    regression_game,
    settings,
    stop_after,
)

from ganforge.contracts import Game
from ganforge.core.files import sha256_of
from ganforge.engine import control as journal
from ganforge.engine import control as steer
from ganforge.engine.checkpoint import list_checkpoints
from ganforge.engine.fit import fit
from ganforge.errors import Interrupted
from ganforge.run import Run

STEPS = 70
GAMES: dict[str, tuple[Callable[[], Game], Callable[[], TableFeed]]] = {
    "one player": (regression_game, line_feed),
    "two players": (adversarial_game, lambda: TableFeed(x=points())),
    "two players at once": (lambda: adversarial_game("simultaneous"), lambda: TableFeed(x=points())),
}


def digest(run: Run) -> str:
    """sha256 over every network, moment and average of the newest checkpoint."""
    return sha256_of(list_checkpoints(run.checkpoints)[-1] / "tensors.safetensors")


def train(run: Run, kind: str, stop: Callable[[], bool] = lambda: False) -> str:
    game, feed = GAMES[kind]
    fit(game(), feed(), settings(STEPS), run=run, stop=stop)
    return digest(run)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {kind: train(Run(tmp_path_factory.mktemp("straight")), kind) for kind in GAMES}


@pytest.mark.parametrize("kind", GAMES)
@pytest.mark.parametrize("stops", [(1,), (20,), (33,), (7, 1, 19, 30), (69,)])
def test_stopped_and_resumed_is_bit_equal(
    kind: str, stops: tuple[int, ...], straight: dict[str, str], tmp_path: Path
) -> None:
    run = Run(tmp_path)
    for calls in stops:
        with pytest.raises(Interrupted, match="nothing is lost"):
            train(run, kind, stop_after(calls))
    assert train(run, kind) == straight[kind]


@pytest.mark.parametrize("kind", GAMES)
@pytest.mark.parametrize("kills", [(5,), (41,), (30, 15, 25)])
def test_killed_and_resumed_is_bit_equal(
    kind: str, kills: tuple[int, ...], straight: dict[str, str], tmp_path: Path
) -> None:
    run = Run(tmp_path)
    for calls in kills:
        with pytest.raises(Killed):
            train(run, kind, kill_after(calls))
    assert train(run, kind) == straight[kind]


def test_records_of_a_resumed_run_are_those_of_a_straight_one(tmp_path: Path) -> None:
    runs = [Run(tmp_path / "straight"), Run(tmp_path / "resumed")]
    train(runs[0], "two players")
    with pytest.raises(Killed):
        train(runs[1], "two players", kill_after(55))
    train(runs[1], "two players")
    keys = ("step", "examples", "progress", "terms", "notes", "gradient_norms", "update_ratios", "learning_rates")
    first, second = ([{key: r.get(key) for key in keys} for r in run.read_records()] for run in runs)
    assert first == second


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert train(run, "one player") == train(run, "one player")
    assert run.read_events()[-1]["kind"] == "resumed"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that a run sees; steps take none of it, batches what a feed says."""
    mine = Clock()
    monkeypatch.setattr(journal, "perf_counter", mine)
    return mine


def test_a_change_of_the_length_is_repeated_by_a_resumed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The first sitting is on a slow machine and cuts; it dies; the second must cut the same without looking."""
    plan = settings(400, seconds_allowed=50.0)
    slow, resumed = Run(tmp_path / "slow"), Run(tmp_path / "resumed")
    state = fit(regression_game(), SlowFeed(clock, 0.3, **line_feed().tensors), plan, run=slow).state
    refits = [event for event in slow.read_events() if event["kind"] == "refitted"]
    assert refits
    assert state.clock.length < plan.length_examples

    shutil.copytree(slow.folder, resumed.folder)
    first = refits[0]["step"]
    shutil.rmtree(resumed.checkpoints)
    with pytest.raises(Killed):  # gives the checkpoints that there were just after the first refit
        fit(regression_game(), line_feed(), plan, run=resumed, stop=kill_after(first + 1))
    monkeypatch.setattr(steer, "SETTLED_SECONDS", math.inf)  # it decides nothing by itself
    again = fit(regression_game(), line_feed(), plan, run=resumed).state
    assert again.clock.length == state.clock.length
    assert again.step == state.step
    assert digest(resumed) == digest(slow)


def test_minutes_are_kept_on_a_machine_that_turns_out_slower(clock: Clock) -> None:
    notebook, allowed, looked = Notebook(), 150.0, []
    plan = settings(10_000, seconds_allowed=allowed, marks=(0.5, 1.0))
    fitted = fit(
        regression_game(),
        SlowFeed(clock, 0.4, **line_feed().tensors),
        plan,
        observers=[notebook],
        look=lambda product, state: {"progress": looked.append(state.clock.progress) or 0.0},
    )
    assert fitted.state.seconds == pytest.approx(allowed, rel=0.03)  # nearer than that nothing is planned anew
    assert "refitted" in notebook.kinds()
    progress = [record["progress"] for record in notebook.records]
    assert progress == sorted(progress)
    assert notebook.records[-1]["learning_rates"]["learner"] == pytest.approx(
        0.0, abs=1e-9
    )  # the schedule came to its end
    assert looked[-1] == 1.0  # and the finished product was looked at


def test_time_that_is_used_up_still_ends_with_a_look(clock: Clock) -> None:
    looked: list[float] = []
    plan = settings(1000, seconds_allowed=1.0)  # over before the first record
    feed = SlowFeed(clock, 2.0, **line_feed().tensors)
    fit(regression_game(), feed, plan, look=lambda product, state: looked.append(state.clock.progress) or {})
    assert looked == [1.0]


VICTIM = """
import sys, time, torch
sys.path.insert(0, sys.argv[1])
torch.set_num_threads(1)
from pathlib import Path
from toy_games import TableFeed, adversarial_game, points, settings
from ganforge.engine.fit import fit
from ganforge.run import Run

class Stuck(TableFeed):
    left = 75
    def batch(self, indices):
        self.left -= 1
        if self.left == 0:
            print("stuck", flush=True)
            time.sleep(3600)
        return super().batch(indices)

fit(adversarial_game(), Stuck(x=points()), settings(300), run=Run(Path(sys.argv[2])))
"""


@pytest.mark.slow
def test_a_process_killed_with_signal_9_goes_on_to_the_same_sha256(tmp_path: Path) -> None:
    straight, killed = Run(tmp_path / "straight"), Run(tmp_path / "killed")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        command = [sys.executable, "-c", VICTIM, str(Path(__file__).parent), str(killed.folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            fit(adversarial_game(), TableFeed(x=points()), settings(300), run=straight)
            assert process.stdout is not None and process.stdout.readline() == "stuck\n"
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        assert 0 < killed.read_records()[-1]["step"] < 75  # two players, a batch for each
        fit(adversarial_game(), TableFeed(x=points()), settings(300), run=killed)
    finally:
        torch.set_num_threads(threads)
    assert digest(killed) == digest(straight)
    assert not [name for name in os.listdir(killed.checkpoints) if name.startswith(".") and name.endswith(".old")]  # noqa: PTH208


def test_minutes_are_kept_when_the_machine_becomes_free_again(clock: Clock) -> None:
    """Slow for the first quarter, then ten times as fast: what was cut is given back, and the time is used."""
    notebook, allowed = Notebook(), 200.0
    feed = SlowFeed(clock, lambda now: 1.0 if now < 50 else 0.1, **line_feed().tensors)
    fitted = fit(regression_game(), feed, settings(2_000, seconds_allowed=allowed), observers=[notebook])
    lengths = [event["length"] for event in notebook.events if event["kind"] == "refitted"]
    assert min(lengths) < lengths[-1]
    assert fitted.state.seconds == pytest.approx(allowed, rel=0.03)
