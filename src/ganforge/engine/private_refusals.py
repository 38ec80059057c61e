"""What a private game may not do, each refused in words before an example is read.

The price of a private run covers what its noisy gradients say. Whatever else reads the examples is outside of it: a
choice by scores on them, a layer or loss through which they meet, a second reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ganforge.contracts import Batch, Feed, Game, Player
from ganforge.core.private import Private
from ganforge.core.seeds import generator_for
from ganforge.core.world import World
from ganforge.errors import RecipeError

if TYPE_CHECKING:
    from ganforge.engine.fit import FitSettings

MATES = 4  # examples that are scored together in the check
FAR = 1e4  # how much larger an example's mates are made
SAME = 1e-4  # relative: a network in float32 gives the same score to this accuracy, however large the batch
ALONE_ONLY = "What one example does to a step would not be bounded by its own clipped gradient."


def private_player(game: Game) -> Player | None:
    """Return the private player of a game; None if it has none. Raises: RecipeError for more than one."""
    found = [player for player in game.players if player.private is not None]
    if len(found) > 1:
        raise RecipeError(
            f"{' and '.join(repr(player.name) for player in found)} are both private.",
            "Each would read the examples, and the price of one of them is what is counted.",
            "Let one player read the examples.",
        )
    return found[0] if found else None


def refuse_unsafe(game: Game, feed: Feed, settings: FitSettings, world: World, *, judged: bool, guarded: bool) -> None:
    """Check a private game before it begins. Args: judged whether a target ends it; guarded whether it has a guard.

    Raises: RecipeError, or DataError of the feed.
    """
    chosen = "It would read the examples again, outside of the price."
    for wrong, what, why, do in (
        (world.size > 1, f"A private run cannot be shared by {world.size} processes.", "Each would draw its own noise "
         "and examples.", "Train it in one process."),
        (settings.best_by is not None, f"A private run cannot keep its best product by {settings.best_by!r}.", chosen,
         "Leave best_by out: the last product is taken."),
        (settings.patience_looks > 0, f"A private run cannot stop after {settings.patience_looks} looks without a "
         "better one.", chosen, "Leave patience out: a private run has a fixed length."),
        (judged, "A private run cannot end when a measure reaches a target.", chosen, "Leave the target out: a private "
         "run has a fixed length."),
        (guarded, "A private run cannot have a guard.", "It decides by scores on the examples, and would take steps "
         "back that are paid for.", "Use --guard off."),
        (settings.adaptation is not None, "A private run cannot adapt its augmentation.", "The strength would follow "
         "the scores of examples.", "Use a fixed strength."),
        (settings.seconds_allowed is not None, "A private run cannot change its length while it trains.", "Its noise "
         "was chosen for a number of steps.", "Give a length in examples."),
        (settings.pieces != 1, f"A private run cannot cut a batch into {settings.pieces} pieces.", "No player is given "
         "a batch to be cut.", "Use --set compute.pieces=1."),
        (game.order != "alternating", f"A private game cannot be {game.order}.", "Its private player takes several "
         "turns before the others.", "Use --set objective.order=alternating."),
    ):  # fmt: skip
        if wrong:
            raise RecipeError(what, why, do)
    for player in game.players:
        if player.watch is not None:
            raise RecipeError(
                f"The player {player.name!r} of a private run is watched at looks.",
                "Scores of real examples, held out or not, would be recorded without noise.",
                "Leave `watch` out.",
            )
    private = private_player(game)
    if private is not None and private.private is not None:
        refuse_layers(private.network)
        refuse_coupling(private, private.private, feed)


def refuse_judging(quality: Mapping[str, float]) -> None:
    """Refuse what a look of a private run measured: it is not recorded. Raises: RecipeError."""
    if quality:
        raise RecipeError(
            f"A look of a private run measured {', '.join(map(repr, quality))}.",
            "Measuring reads the examples, and each number says something of them that is not in the price.",
            "Let looks draw samples and measure nothing; judge the product on other data, or for a part of epsilon.",
        )


def refuse_layers(network: nn.Module) -> None:
    """Refuse layers that are known to tie examples together, by their type. Raises: RecipeError."""
    for name, module in network.named_modules():
        tracks = isinstance(module, nn.modules.instancenorm._InstanceNorm) and module.track_running_stats
        if isinstance(module, nn.modules.batchnorm._BatchNorm) or tracks:
            raise RecipeError(
                f"The layer {(name or 'network')!r} of a private player is a {type(module).__name__}.",
                f"It computes with statistics of several examples. {ALONE_ONLY}",
                "Use a network without it; GroupNorm and LayerNorm see one example at a time.",
            )


@torch.no_grad()
def refuse_coupling(player: Player, rule: Private, feed: Feed) -> None:
    """Refuse a loss of an example that changes with its batch mates, and weights or buffers that a pass changes.

    It is tried on made-up examples of the feed's shape, in training mode. Raises: RecipeError.
    """
    network, one = player.network, feed.batch(torch.zeros(1, dtype=torch.int64))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    made = _made_up(one)
    mates = {name: _with_far_mates(value) for name, value in made.items()}
    alone = _losses(rule, {name: value[:1] for name, value in made.items()})
    for beside in (made, mates, {name: value.roll(1, 0) for name, value in mates.items()}):
        place = 1 if beside is not made and beside is not mates else 0
        together = _losses(rule, beside)
        if len(alone) != 1 or len(together) != MATES:
            raise RecipeError(
                f"The loss of a private player has {len(together)} values for {MATES} examples.",
                f"Each example needs one of its own. {ALONE_ONLY}",
                "Return terms (B,): one value for each example.",
            )
        if not torch.allclose(together[place], alone[0], rtol=SAME, atol=SAME):
            raise RecipeError(
                f"An example's loss is {float(alone[0]):.6g} alone and {float(together[place]):.6g} beside others.",
                f"A layer or the loss ties the examples of a batch together. {ALONE_ONLY}",
                "Use a network and a loss that see one example at a time.",
            )
    changed = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    network.load_state_dict(before)
    if changed:
        raise RecipeError(
            f"A pass over examples changes {changed[0]!r} of a private player.",
            "What is kept of the examples there is neither clipped nor noisy.",
            "Use layers without running statistics.",
        )


def _losses(rule: Private, batch: Batch) -> Tensor:
    return torch.stack([term.float() for term in rule.loss(batch).terms.values()]).sum(0).flatten()


def _made_up(one: Batch) -> dict[str, Tensor]:
    """Return MATES examples of the form of a batch (1, ...): random numbers, and the first of each category."""
    random = generator_for(0, "private/check")
    found = {}
    for name, value in one.items():
        shape = (MATES, *value.shape[1:])
        drawn = torch.randn(shape, generator=random) if value.is_floating_point() else torch.zeros(shape)
        found[name] = drawn.to(value.dtype).to(value.device)
    return found


def _with_far_mates(value: Tensor) -> Tensor:
    return torch.cat([value[:1], FAR * value[1:]]) if value.is_floating_point() else value
