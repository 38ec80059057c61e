"""What the tests of the guard share: a diagnosis that finds what it is told to, and a game that is guarded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn
from toy_games import (
    Notebook,
    TableFeed,
    adversarial_game,
    points,
    settings,
)

from ganforge.core.files import sha256_of
from ganforge.engine.checkpoint import Clock, State, list_checkpoints
from ganforge.engine.fit import Fitted, fit
from ganforge.engine.guard import Guard
from ganforge.records import Finding, History
from ganforge.run import Run

STEPS = 200
MARKS = tuple(number / 10 for number in range(1, 11))
Diagnose = Callable[[History], Sequence[Finding]]


def finding(ailment: str = "exploding", severity: Any = "critical") -> Finding:
    return Finding(ailment, severity, "seen by the test", "planted", "none")


def always(ailment: str = "exploding", severity: Any = "critical") -> Diagnose:
    return lambda history: (finding(ailment, severity),)


def while_fast(ailment: str, above: float = 0.005, since: int = 60) -> Diagnose:
    """An ailment of runs whose steps are large, from step `since` on: a function of the records alone."""

    def diagnose(history: History) -> Sequence[Finding]:
        last = history.records[-1]
        scale = last["learning_rates"]["discriminator"] / max(1e-9, 0.5 * (1 + math.cos(math.pi * last["progress"])))
        return (finding(ailment),) if last["step"] >= since and scale > above else ()

    return diagnose


def guarded(diagnose: Diagnose, **more: Any) -> Guard:
    return Guard(lambda history, asked: diagnose(history), {"score": "higher"}, **more)


def scored(value: Callable[[State], float]) -> Callable[[nn.Module, State], Mapping[str, float]]:
    """A look whose leading measure is `value`, give or take 0.1."""

    def look(product: nn.Module, state: State) -> Mapping[str, float]:
        score = value(state)
        return {"score": score, "score_low": score - 0.1, "score_high": score + 0.1}

    return look


def better_when_slow(state: State) -> float:
    return 1.0 - state.levers.learning_rate - 0.1 * state.clock.progress


def train(run: Run | None, guard: Guard | None, **more: Any) -> Fitted:
    more.setdefault("look", scored(better_when_slow))
    plan = settings(STEPS, marks=MARKS, best_by="score")
    return fit(adversarial_game(), TableFeed(x=points()), plan, run=run, guard=guard, **more)


def told(notebook: Notebook, *kinds: str) -> list[dict[str, Any]]:
    return [event for event in notebook.events if event["kind"] in kinds]


def digest(run: Run) -> str:
    return sha256_of(list_checkpoints(run.checkpoints)[-1] / "tensors.safetensors")


def record(progress: float, **more: Any) -> dict[str, Any]:
    base = {"step": int(1000 * progress), "progress": progress, "seconds": 5.0, "attempt": 0, "terms": {}, "notes": {}}
    return {**base, "quality": {"score": 0.5, "score_low": 0.4, "score_high": 0.6}, **more}


def state_at(progress: float, **more: Any) -> State:
    return State(Clock(10_000, int(10_000 * progress)), step=int(1000 * progress), **more)


def one_step(guard: Guard, state: State, row: dict[str, Any]) -> list[Mapping[str, Any]]:
    return list(guard.step(state, row, half_life_examples=100.0, can_return=False, saves=False).events)
