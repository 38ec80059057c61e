"""Looks at the product: their time is kept, the target may be met at the last one, and checkpoints lie near them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from torch import Tensor, nn
from toy_games import Killed, Notebook, TableFeed, kill_after, line_feed, regression_game, settings, stop_after

from ganforge.core.files import sha256_of
from ganforge.engine import control as journal
from ganforge.engine.checkpoint import State, list_checkpoints
from ganforge.engine.fit import FitSettings, Fitted, fit
from ganforge.errors import Interrupted
from ganforge.run import Run

STEP, LOOK = 0.1, 2.5  # seconds on a clock that the test itself moves


class Planned:
    """A steady machine: each step and each look takes its time, and nothing else does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(journal, "perf_counter", lambda: self.now)

    def look(self, product: nn.Module, state: State) -> Mapping[str, float]:
        self.now += LOOK
        return {}

    def fit(self, plan: FitSettings, **more: object) -> Fitted:
        machine = self

        class Steady(TableFeed):
            def batch(self, indices: Tensor) -> Mapping[str, Tensor]:
                machine.now += STEP
                return super().batch(indices)

        return fit(regression_game(), Steady(**line_feed().tensors), plan, look=self.look, **more)  # type: ignore[arg-type]


MARKS = (0.0, 0.15, 0.3, 0.5, 0.7, 1.0)
PLAN = settings(850, seconds_allowed=850 * STEP + len(MARKS) * LOOK, marks=MARKS)  # 85 s of steps, 15 s of looks


def test_slow_looks_on_a_steady_machine_change_no_length(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook()
    fitted = Planned(monkeypatch).fit(PLAN, observers=[notebook])
    assert "refitted" not in notebook.kinds()
    assert fitted.state.step == 850
    assert fitted.state.seconds == pytest.approx(100.0)
    assert fitted.state.looks == len(MARKS)


def test_a_resumed_run_still_knows_how_long_a_look_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, run = Planned(monkeypatch), Run(tmp_path)
    with pytest.raises(Interrupted):
        machine.fit(PLAN, run=run, stop=stop_after(200))
    assert machine.fit(PLAN, run=run).state.seconds == pytest.approx(100.0)
    assert "refitted" not in [event["kind"] for event in run.read_events()]


def test_looks_longer_than_planned_are_paid_by_the_length(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = settings(1000, seconds_allowed=100.0, marks=MARKS)  # the plan forgot that looks take time
    notebook = Notebook()
    fitted = Planned(monkeypatch).fit(plan, observers=[notebook])
    assert notebook.kinds().count("refitted") == 1  # at once, and not again after each look
    assert fitted.state.seconds == pytest.approx(100.0, rel=0.03)


@pytest.mark.parametrize(
    ("passing", "reached", "ends"),
    [
        ({1.0}, True, 1.0),  # the finished product is what the target is about
        ({0.25}, False, 1.0),  # luck
        ({0.25, 0.5}, True, 0.5),
        (set(), False, 1.0),
    ],
)
def test_the_target_is_met_by_two_looks_in_a_row_or_by_the_last(
    passing: set[float], reached: bool, ends: float
) -> None:
    def look(product: nn.Module, state: State) -> Mapping[str, float]:
        return {"good": float(state.clock.progress in passing)}

    plan = settings(80, marks=(0.25, 0.5, 0.75, 1.0))
    state = fit(regression_game(), line_feed(), plan, look=look, target=lambda quality: quality["good"] == 1.0).state
    assert state.reached is reached
    assert state.clock.progress == ends


@pytest.mark.parametrize(
    ("record", "checkpoint", "expected"),
    [(10, 20, [20, 40, 60]), (7, 20, [21, 42, 63]), (10, 3, [10, 20, 30, 40, 50, 60]), (30, 20, [30, 60])],
)
def test_a_checkpoint_is_saved_at_the_first_record_when_it_is_due(
    record: int, checkpoint: int, expected: list[int], tmp_path: Path
) -> None:
    plan = settings(70, record_every_steps=record, checkpoint_every_steps=checkpoint)
    runs = [Run(tmp_path / "straight"), Run(tmp_path / "killed")]
    fit(regression_game(), line_feed(), plan, run=runs[0])
    with pytest.raises(Killed):
        fit(regression_game(), line_feed(), plan, run=runs[1], stop=kill_after(expected[0] + 4))
    fit(regression_game(), line_feed(), plan, run=runs[1])
    for run in runs:
        assert [event["step"] for event in run.read_events() if event["kind"] == "checkpoint"] == expected
    files = [list_checkpoints(run.checkpoints)[-1] / "tensors.safetensors" for run in runs]
    assert sha256_of(files[0]) == sha256_of(files[1])
