"""A private player's step: gradients of one example each, clipped, noisy, counted before they are taken."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from private_games import RULE, private_game
from toy_games import BATCH, Killed, Notebook, TableFeed, kill_after, plain_steps, points, settings, stop_after, weights

from ganforge.contracts import Loss, Turn
from ganforge.core.private import Private
from ganforge.core.seeds import Draws, generator_for
from ganforge.engine.checkpoint import Clock
from ganforge.engine.feed import TensorFeed
from ganforge.engine.fit import fit
from ganforge.engine.private import LEDGER, Ledger, PrivateGradients, read_ledger
from ganforge.errors import Interrupted, RecipeError, RunError
from ganforge.networks.conv import ConvPair
from ganforge.run import Run


def gradients_of(game: object, feed: object) -> PrivateGradients:
    return PrivateGradients(game.players[0], feed)  # type: ignore[attr-defined, arg-type]


def by_a_loop(found: PrivateGradients, batch: dict[str, torch.Tensor]) -> list[list[torch.Tensor]]:
    """The gradient of each example's loss, one ordinary backward pass at a time."""
    weights = list(found.network.parameters())
    rows = []
    for place in range(len(batch["x"])):
        one = {name: value[place : place + 1] for name, value in batch.items()}
        total = sum(found.rule.loss(one).terms.values(), start=torch.zeros(())).sum()
        rows.append(torch.autograd.grad(total, weights))
    return [list(row) for row in rows]


def test_gradients_of_each_example_are_those_of_a_loop_over_examples() -> None:
    pair = ConvPair(shape=(1, 16, 16), labels=3, width=4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        judge, x, label = pair.discriminator(), torch.randn(12, 1, 16, 16), torch.arange(12) % 3
    game = private_game(judge)
    object.__setattr__(
        game.players[0], "private", Private(lambda b: Loss({"real": judge(b["x"], b["label"]).square()}), **RULE)
    )
    found = gradients_of(game, TensorFeed(x=x, label=label))
    together = found.per_example({"x": x, "label": label})
    for place, alone in enumerate(by_a_loop(found, {"x": x, "label": label})):
        ours = torch.cat([gradient[place].flatten() for gradient in together])
        theirs = torch.cat([gradient.flatten() for gradient in alone])
        assert (ours - theirs).norm() < 1e-6 * theirs.norm()


def test_the_sum_is_that_of_gradients_clipped_one_by_one_over_all_weights_together() -> None:
    feed, game = TableFeed(x=points()), private_game(clip=0.3)
    found = gradients_of(game, feed)
    found._at_once = 7  # so that there are several chunks, and a last one that is smaller
    places = torch.arange(0, 200, 5)
    wanted = torch.zeros(found._size, dtype=torch.float64)
    for alone in by_a_loop(found, dict(feed.batch(places))):
        whole = torch.cat([gradient.flatten() for gradient in alone]).double()
        wanted += whole * min(1.0, 0.3 / float(whole.norm()))
    assert (found.clipped_sum(places) - wanted).norm() < 1e-6 * wanted.norm()


def test_an_empty_batch_is_noise_alone() -> None:
    found = gradients_of(private_game(), TableFeed(x=points()))
    assert not found.clipped_sum(torch.empty(0, dtype=torch.int64)).any()


def test_a_step_is_the_noisy_mean_of_the_real_and_the_mean_of_the_fake_part() -> None:
    """With the noise known and the rate 1, the weights after a step are computed by hand."""

    class Known(PrivateGradients):
        def noise(self) -> torch.Tensor:
            return torch.full((self._size,), 0.5, dtype=torch.float64)

    feed, game = TableFeed(x=points(40)), private_game(steps=plain_steps(0.1), rate=1.0)
    judge, before = game.players[0].network, weights(game.players[0].network)
    total = gradients_of(game, feed).clipped_sum(torch.arange(40))
    fake = private_game(steps=plain_steps(0.1))  # the same initial weights
    fit(game, feed, settings(1), private=Known)

    turn = Turn({}, Draws(generator_for(1, "discriminator/random", step=0)))
    own = torch.autograd.grad(
        fake.players[0].loss(turn).terms["fake"].mean(), list(fake.players[0].network.parameters())
    )
    norm = torch.cat([gradient.flatten() for gradient in own]).norm()
    parts = ((total + 0.5) / 40).split([weight.numel() for weight in judge.parameters()])
    for weight, old, mean, gradient in zip(judge.parameters(), before, parts, own, strict=True):
        wanted = old - 0.1 * (mean.view(old.shape) + gradient / norm.clamp_min(1.0))
        assert torch.allclose(weight, wanted.float(), atol=1e-6)


def test_a_private_player_takes_several_turns_of_a_step_and_all_are_counted(tmp_path: Path) -> None:
    seen: list[int] = []

    class Counted(PrivateGradients):
        def sample(self) -> torch.Tensor:
            seen.append(1)
            assert sum(taken.turns for taken in read_ledger(tmp_path)) >= len(seen)  # written ahead
            return super().sample()

    notebook = Notebook()
    fit(private_game(turns=3), TableFeed(x=points()), settings(20), run=Run(tmp_path), private=Counted,
        observers=[notebook])  # fmt: skip
    (taken,) = read_ledger(tmp_path)
    assert (len(seen), taken.turns, taken.rate, taken.multiplier, taken.clip) == (60, 60, 0.1, 1.0, 1.0)
    for record in notebook.records:
        assert list(record["terms"]["discriminator"]) == ["fake"] and not record["notes"]["discriminator"]
        assert 0.1 < record["terms"]["discriminator"]["fake"] < 3.0  # a mean over all turns, not a sum


def test_a_resumed_run_counts_the_turns_that_a_kill_took_back_and_ends_within_its_price(tmp_path: Path) -> None:
    game, feed = private_game(most_turns=40), TableFeed(x=points())
    with pytest.raises(Killed):
        fit(game, feed, settings(40), run=Run(tmp_path), stop=kill_after(35))
    notebook = Notebook()
    fitted = fit(private_game(most_turns=40), feed, settings(40), run=Run(tmp_path), observers=[notebook])
    assert fitted.state.step == 25  # saved at 20; 35 of 40 turns were spent
    assert sum(taken.turns for taken in read_ledger(tmp_path)) == 40
    assert "price_spent" in notebook.kinds()


def test_a_stopped_run_goes_on_to_its_full_length(tmp_path: Path) -> None:
    game, feed = private_game(most_turns=40), TableFeed(x=points())
    with pytest.raises(Interrupted):
        fit(game, feed, settings(40), run=Run(tmp_path), stop=stop_after(13))
    fitted = fit(private_game(most_turns=40), feed, settings(40), run=Run(tmp_path))
    assert fitted.state.step == 40 and sum(taken.turns for taken in read_ledger(tmp_path)) == 40


def test_a_resumed_run_with_other_settings_is_refused(tmp_path: Path) -> None:
    feed = TableFeed(x=points())
    fit(private_game(), feed, settings(10), run=Run(tmp_path))
    with pytest.raises(RunError, match=r"multiplier 1, clip 1 and 10,000 turns, and is now .* multiplier 0.5"):
        fit(private_game(multiplier=0.5), feed, settings(20), run=Run(tmp_path))
    with pytest.raises(RunError, match="99,999 turns"):
        fit(private_game(most_turns=99_999), feed, settings(20), run=Run(tmp_path))
    (tmp_path / LEDGER).unlink()
    with pytest.raises(RunError, match=r"trained on 160 examples, and privacy_steps\.jsonl counts no private turn"):
        fit(private_game(), feed, settings(20), run=Run(tmp_path))


def test_a_ledger_refuses_more_than_its_price_and_a_line_that_says_nothing(tmp_path: Path) -> None:
    rule = Private(lambda batch: Loss({}), **{**RULE, "most_turns": 3})
    ledger = Ledger(rule, tmp_path)
    ledger.write(2)
    with pytest.raises(RunError, match="2 of 3 private turns were taken, and 2 more"):
        ledger.write(2)
    clock = Clock(10 * BATCH)
    assert (
        ledger.left == 1 and ledger.shorten(clock, BATCH) and clock.length == BATCH and not ledger.shorten(clock, BATCH)
    )
    with (tmp_path / LEDGER).open("a") as file:
        file.write('{"turns": -1}\n')
    with pytest.raises(RunError, match="not a count of turns"):
        read_ledger(tmp_path)


def test_two_runs_of_the_same_seed_differ_since_the_noise_does() -> None:
    feed = TableFeed(x=points())
    first, second = (private_game() for _ in range(2))
    for game in (first, second):
        fit(game, feed, settings(2))
    assert not torch.equal(weights(first.players[0].network)[0], weights(second.players[0].network)[0])


@pytest.mark.parametrize(
    "wrong", [{"clip": 0.0}, {"multiplier": -1.0}, {"rate": 1.5}, {"clip": float("inf")}, {"most_turns": 0}]
)
def test_a_rule_that_promises_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="cannot"):
        private_game(**wrong)


@pytest.mark.slow
def test_a_private_game_with_little_noise_learns_where_the_points_are() -> None:
    game = private_game(multiplier=0.05, rate=0.3, turns=2)
    fit(game, TableFeed(x=points()), settings(600, half_life_examples=0.0))
    drawn = game.players[1].network(torch.randn(500, 3))
    assert (drawn.mean(0) - 2.0).abs().max() < 0.5
