"""Faults that are really there, from the data or the game to the finding: short runs, and data that is only opened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from ganforge.api.request import requested, task_for
from ganforge.contracts import Batch, Feed, Game, Loss, Turn
from ganforge.diagnosis import diagnose
from ganforge.engine import control as journal
from ganforge.engine.fit import FitSettings, fit
from ganforge.records import History
from ganforge.run import Run

SETTINGS = FitSettings(seed=0, batch_size=32, length_examples=32 * 60, half_life_examples=100.0, record_every_steps=2)


def ailments(history: History) -> set[str]:
    return {finding.ailment for finding in diagnose(history) if finding.severity != "note"}


def opened(source: object, **asked: Any) -> tuple[Game, Feed, Mapping[str, Any]]:
    """Game, feed and passport of what `ganforge train` would do with this data."""
    with requested(source, {"examples": 640, "size": "tiny", **asked}) as request:
        job = task_for(request).plan(request, lambda kind, **content: None)
        return job.game(), job.feed, dict(job.passport)


def people(count: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    age = random.normal(40, 10, count).round(1)
    return pd.DataFrame({"age": age, "income": (age * 100 + random.normal(0, 50, count)).round(2)})


def noise(count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8)


REPEATED = pd.concat([people(60)] * 4, ignore_index=True)
EMPTY = people(300).assign(**{f"field_{i}": "none" for i in range(3)})
GREY = np.concatenate([noise(200), np.full((200, 8, 8), 128, np.uint8)])


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (people(300), set()),
        (people(40), {"too_little_data"}),
        (REPEATED, {"wrong_data"}),
        (EMPTY, {"wrong_data"}),
        (noise(400), set()),
        (noise(40), {"too_little_data"}),
        (np.concatenate([noise(100)] * 4), {"wrong_data"}),
        (GREY, {"wrong_data"}),
    ],
    ids=["rows", "few rows", "repeated rows", "empty columns", "pictures", "few", "repeated", "plain"],
)
def test_what_is_wrong_with_data_is_said_before_anything_is_trained(source: object, found: set[str]) -> None:
    _, _, passport = opened(source)
    assert ailments(History((), passport=passport)) == found


class SlowFeed:
    """By a clock of its own, so that nothing else on the machine can be as slow."""

    def __init__(self, feed: Feed) -> None:
        self.feed, self.now = feed, 0.0

    @property
    def resident(self) -> bool:
        return False

    def __len__(self) -> int:
        return len(self.feed)

    def batch(self, indices: Tensor) -> Batch:
        self.now += 0.02
        return self.feed.batch(indices)

    def clock(self) -> float:
        """Each time it is asked a thousandth of a second has passed, and whatever batches took."""
        self.now += 0.001
        return self.now


def slow_disk(game: Game, feed: Feed) -> tuple[Game, Feed]:
    return game, SlowFeed(feed)


def deaf_generator(game: Game, feed: Feed) -> tuple[Game, Feed]:
    def shrink(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        return output.detach() + 1e-10 * (output - output.detach())

    game.product_player.network.register_forward_hook(shrink)
    return game, feed


def no_number_now_and_then(game: Game, feed: Feed) -> tuple[Game, Feed]:
    first, second = game.players
    turns = iter(range(10_000))

    def loss(turn: Turn) -> Loss:
        told = first.loss(turn)
        spoiled = math.nan if next(turns) % 10 == 5 else 1.0
        return Loss({name: spoiled * term for name, term in told.terms.items()}, told.notes)

    return replace(game, players=(replace(first, loss=loss), second)), feed


def as_it_is(game: Game, feed: Feed) -> tuple[Game, Feed]:
    return game, feed


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (as_it_is, set()),
        (slow_disk, {"starved"}),
        (deaf_generator, {"vanishing"}),
        (no_number_now_and_then, {"not_finite"}),
    ],
)
def test_a_fault_that_is_planted_in_a_run_is_found_in_it(
    plant: Any, found: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    game, feed, _ = opened("digits8", label="none")
    game, feed = plant(game, feed)
    clock = feed.clock if isinstance(feed, SlowFeed) else SlowFeed(feed).clock  # in a healthy run batches take no time
    monkeypatch.setattr(journal, "perf_counter", clock)
    run = Run(tmp_path)
    fit(game, feed, SETTINGS, run=run)
    said = ailments(run.history())
    assert found <= said  # who hears nothing also loses: one fault may be two ailments
    assert found or not said
