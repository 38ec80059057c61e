"""The network of behaviour: a user's lasting taste, and what he meets next given what he met before.

A variational autoencoder (Kingma and Welling 2014) reads a taste from which items a user met, in whatever order, and
gives the chance of each item back, as in Liang et al. 2018. A recurrent network whose output layer is its embedding
gives the chance of the next item, as in Hidasi et al. 2016. Neither gives a chance to an item that was met before.

Shape letters here: B users, L items of a sequence, W steps of a window, I items, Z numbers of a taste.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.core.seeds import Draws
from ganforge.core.sequences import PAD
from ganforge.kinds.interactions.simulate.sequences import RESERVED, WINDOW
from ganforge.networks.language_model import NEVER, RecurrentModel, RowDraws

READ = 200  # width of the layer that reads a profile
FASTER = 10.0  # times which popularity is learned: it spans some nats, and Adam moves all weights alike
HIDDEN = 0.2  # share of a profile that is hidden from its reader, at most


class Behaviour(nn.Module):
    """The taste of a user, and what he meets next."""

    def __init__(self, items: int, width: int, tastes: int, dropout: float, pull: float) -> None:
        """Args: pull of tastes towards the standard normal distribution."""
        super().__init__()
        self.steps = RecurrentModel(items + RESERVED, 0, width, 1, dropout)
        self.reader = nn.Sequential(nn.Linear(items, READ), nn.Tanh(), nn.Linear(READ, 2 * tastes))
        self.liking = nn.Linear(tastes, items, bias=False)
        self.popularity = nn.Parameter(torch.zeros(items))
        self.items, self.pull = items, pull

    def taste(self, profiles: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of tastes, (B, Z) each. Args: profiles (B, I), 1 where a user met an item."""
        length = profiles.norm(dim=1, keepdim=True).clamp(min=1)
        mean, log_variance = self.reader(profiles / length).chunk(2, dim=1)
        return mean, log_variance - 2

    def by_taste(self, taste: Tensor) -> Tensor:
        """Return the log-chance of each item, (B, I), by tastes (B, Z) alone."""
        return torch.log_softmax(self.liking(taste) + FASTER * self.popularity, 1)

    def by_sequence(self, hidden: Tensor) -> Tensor:
        """Return the logits of each item, (..., I), from what the recurrent network knows (..., width)."""
        scores: Tensor = self.steps.logits(hidden)[..., RESERVED:] + FASTER * self.popularity
        return scores

    def surprise(self, x: Tensor, random: Draws) -> Tensor:
        """Return the surprise of each window, and its share of that of the whole profile, (B,) in nats.

        Args: x (B, 2 + L) as sequences.WindowRows has them.
        """
        sequence, place = x[:, 1:], x[:, :1] * WINDOW
        profile, lost = self._profile(sequence), self._windows(sequence, place, random)
        seen = profile * (random.uniform(*profile.shape) >= HIDDEN * random.uniform(len(x), 1))
        mean, log_variance = self.taste(seen)
        taste = mean + torch.exp(0.5 * log_variance) * random.normal(*mean.shape)
        apart = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        whole = self.pull * apart - (profile * self.by_taste(taste)).sum(1)
        counts = profile.sum(1)
        share = (counts[:, None] - place).clamp(max=WINDOW)[:, 0] / counts
        return lost + share * whole

    def _profile(self, sequence: Tensor) -> Tensor:
        """Return 1 for each item of sequences, (B, I). Args: sequence (B, L) units."""
        found = torch.zeros(len(sequence), RESERVED + self.items, device=sequence.device)
        found.scatter_(1, sequence, 1.0)
        return found[:, RESERVED:]

    def _windows(self, sequence: Tensor, place: Tensor, random: Draws) -> Tensor:
        """Return the surprise of the steps of a window of each sequence, (B,)."""
        steps = torch.arange(WINDOW + 1, device=sequence.device)
        tokens = F.pad(sequence, (0, WINDOW + 1)).gather(1, place + steps)
        draws = RowDraws(random, WINDOW)
        on_cpu = sequence.device.type == "cpu"
        if on_cpu:  # there the steps that are not there cost time
            tokens = tokens[:, : int((tokens != PAD).sum(1).max())]
        given, follows = tokens[:, :-1], tokens[:, 1:]
        met = torch.zeros(*follows.shape, RESERVED + self.items, dtype=torch.int8, device=sequence.device)
        now = met.scatter_(2, follows[..., None], 1)[..., RESERVED:]
        places = torch.arange(sequence.shape[1], device=sequence.device)
        before = self._profile(torch.where(places <= place, sequence, PAD))
        met = (now.cumsum(1, dtype=torch.int8) - now + before[:, None].to(torch.int8)) > 0
        there, hidden = follows != PAD, self.steps(given, None, draws)
        if on_cpu:
            lost: Tensor = hidden.new_zeros(follows.shape)
            scores = self.by_sequence(hidden[there]).masked_fill(met[there], NEVER)
            lost[there] = F.cross_entropy(scores, follows[there] - RESERVED, reduction="none")
            return lost.sum(1)
        scores = self.by_sequence(hidden).masked_fill(met, NEVER).flatten(0, 1)
        target = torch.where(there, follows - RESERVED, -1).flatten()
        lost = F.cross_entropy(scores.float(), target, ignore_index=-1, reduction="none")
        return lost.view(follows.shape).sum(1)
