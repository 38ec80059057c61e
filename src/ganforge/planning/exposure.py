"""What the networks of a run say of its training examples, for attacks that know them (privacy/attacks.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.contracts import Batch, Feed, Game
from ganforge.core.exposure import Scores
from ganforge.engine.checkpoint import restore_network
from ganforge.run import Run

AT_ONCE = 256  # examples that are scored together
Chosen = tuple[Feed, NDArray[np.integer]]  # examples of a feed, by index


def score_chosen(chosen: Chosen, score: Callable[[Batch], Tensor]) -> Scores:
    """Return the score of each example (n,). Args: score of a batch, (B,)."""
    feed, places = chosen
    parts = torch.split(torch.from_numpy(np.asarray(places, np.int64)), AT_ONCE)
    with torch.no_grad():
        return np.concatenate([score(feed.batch(part)).double().cpu().numpy() for part in parts])


def discriminator_scores(
    run: Run, game: Game, sides: Sequence[Chosen], score: Callable[..., Tensor] | None = None
) -> tuple[Mapping[str, tuple[Scores, Scores]], Mapping[str, str]]:
    """Return what the discriminator of the run's last checkpoint says of members and non-members, or why it cannot.

    Args: sides members and non-members; score (discriminator, batch) -> (B,), by default of x and label.
    Returns: white_box and missing of an exposure.
    """
    player = next((each for each in game.players if each.name == "discriminator"), None)
    if player is None:
        return {}, {"discriminator": "The run has no discriminator: its generator learned alone."}
    if why := restore_network(run.checkpoints, player):
        return {}, {"discriminator": why}
    network = player.network.eval()
    see = score or (lambda network, batch: network(batch["x"], batch.get("label")))
    first, second = (score_chosen(side, lambda batch: see(network, batch)) for side in sides)
    return {"discriminator": (first, second)}, {}
