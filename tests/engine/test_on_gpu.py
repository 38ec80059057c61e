"""What only a GPU can show of repeated steps. Skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_capture import MOST, STEPS, furthest
from toy_games import Notebook, TableFeed, adversarial_game, points, same, settings, weights

from ganforge.contracts import Game, Loss, Turn
from ganforge.engine.fit import fit
from ganforge.errors import Interrupted
from ganforge.planning.compute import use
from ganforge.recipe import Compute
from ganforge.run import Run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")


@pytest.fixture(autouse=True)
def in_double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)
    torch.use_deterministic_algorithms(False)


def on_gpu(order: str = "alternating") -> tuple[Game, TableFeed]:
    game = adversarial_game(order)
    for player in game.players:
        player.network.cuda()
    return game, TableFeed(x=points().cuda())


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
def test_repeated_steps_agree_with_steps_operation_by_operation(order: str) -> None:
    told = []
    for capture in (False, True):
        game, feed = on_gpu(order)
        notebook = Notebook()
        fit(game, feed, settings(STEPS, capture=capture), observers=[notebook])
        assert ("captured" in notebook.kinds()) is capture
        told.append([tensor.cpu() for player in game.players for tensor in weights(player.network)])
    assert furthest(told[1], told[0]) < MOST


@pytest.mark.parametrize("capture", [False, True])
def test_an_ordinary_step_never_waits_for_the_device(capture: bool) -> None:
    """Once all is warm; a record reads the device, so there is none until the end."""
    game, feed = on_gpu()

    def forbid() -> bool:
        nonlocal steps
        steps += 1
        torch.cuda.set_sync_debug_mode("error" if 10 <= steps < 50 else "default")
        return False

    steps = 0
    try:
        fit(game, feed, settings(60, record_every_steps=60, capture=capture), stop=forbid)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert steps == 60


def test_a_deterministic_run_is_resumed_to_the_bit(tmp_path: Path) -> None:
    use(Compute(device="cuda", deterministic=True))
    ends = []
    for stops in (False, True):
        game, feed = on_gpu()
        run, asked = Run(tmp_path / str(stops)), 0

        def stop() -> bool:
            nonlocal asked
            asked += 1
            return stops and asked == 37  # noqa: B023 - asked only within this round

        try:
            fit(game, feed, settings(60), run=run, stop=stop)
        except Interrupted:
            game, feed = on_gpu()
            fit(game, feed, settings(60), run=run)
        ends.append([tensor.cpu() for player in game.players for tensor in weights(player.network)])
    assert same(*ends)


def test_a_step_that_cannot_be_recorded_goes_on_operation_by_operation() -> None:
    """A failed recording leaves another stream current, and random generators that refuse to draw."""
    ends, here = [], torch.cuda.current_stream()
    for capture in (False, True):
        game, feed = on_gpu()
        discriminator, generator = game.players
        plain = generator.loss

        def loss(turn: Turn) -> Loss:
            told = plain(turn)  # noqa: B023 - called only within this round
            assert told.terms["adversarial"].sum().item() >= 0  # the host reads: no recording can do that
            return told

        notebook = Notebook()
        watched = replace(game, players=(discriminator, replace(generator, loss=loss)))
        fit(watched, feed, settings(20, capture=capture), observers=[notebook])
        assert notebook.kinds() == ["not_captured"]
        ends.append([tensor.cpu() for player in game.players for tensor in weights(player.network)])
    assert torch.cuda.current_stream() == here
    assert torch.isfinite(torch.rand(1, device="cuda")).all()
    assert furthest(*ends) < MOST
