"""Judges of texts: language models of two kinds, fitted on one side and asked about the other.

Forward: how likely drawn texts are to a model of real texts, which bland texts pass. Reverse: how likely real texts are
to a model of drawn texts, which needs both quality and variety. An n-gram judge favours texts that n-grams made; a
small network is the second opinion.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ganforge.core.seeds import Draws, seed_for
from ganforge.core.sequences import Ids
from ganforge.networks.language_model import RecurrentModel, padded
from ganforge.planning.game import initialised

WIDTH, EPOCHS, BATCH, RATE, DROPOUT = 64, 8, 32, 5e-3, 0.2  # of the small network
BETA2 = 0.99


def fit_small_network(texts: Sequence[Ids], size: int, longest: int, seed: int = 0) -> RecurrentModel:
    """Train a small recurrent language model on texts. Args: size of the units; longest units read of a text."""
    network = initialised(seed_for(seed, "text/judge"), lambda: RecurrentModel(size, 0, WIDTH, 1, DROPOUT))
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE, betas=(0.9, BETA2), fused=True)
    random, order = Draws(torch.Generator()), np.random.default_rng(seed_for(seed, "text/judge order"))
    random.begin(seed_for(seed, "text/judge dropout"))
    places = np.concatenate([order.permutation(len(texts)) for _ in range(EPOCHS)])
    steps = max(1, len(places) // BATCH)
    for step, some in enumerate(np.array_split(places, steps)):
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / steps)
        tokens = padded([texts[place] for place in some], longest)
        loss = network.surprise(tokens, None, random).sum() / (tokens > 0).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network.eval()
