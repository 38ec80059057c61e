"""A rewriter that begins as the identity, and its discriminator of K styles and one class for what is rewritten.

The rewriter reads a text and writes it unit by unit: each is copied from where its attention is, or comes from the
vocabulary (See, Liu and Manning 2017, "Get to the point"). The attention goes on by one place with each unit unless
what is read speaks against it, so an untrained rewriter copies. Shape letters: L length, V units, W width, K styles.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.core.seeds import Draws
from ganforge.core.sequences import BEGIN, END, PAD

ELSEWHERE = 1e-3  # of the attention, before what is read counts, at any place
COPIES, MOVES = 3.0, 5.0  # logits of an untrained rewriter: that it copies, and that its attention moves on
SHUFFLED = 1.5  # places by which the order of units is disturbed
LONGER = 12  # units by which a rewritten text may be longer
WINDOWS = (2, 3, 4)  # units that a feature of the discriminator spans


class Source(NamedTuple):
    """A text that is rewritten."""

    x: Tensor  # (B, L) int64 with END and padding, or (B, L, V) one-hot with a gradient
    keys: Tensor  # (B, L, W)
    there: Tensor  # (B, L) whether a place is not padding
    style: Tensor  # (B, W)


class Hand(NamedTuple):
    """Where a rewriter is."""

    state: Tensor  # (B, W)
    attention: Tensor  # (B, L)


class Rewriter(nn.Module):
    """A text and a style -> the text in that style."""

    def __init__(self, units: int, styles: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(units, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.style = nn.Embedding(styles, width)
        self.reader = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)
        self.writer = nn.GRUCell(2 * width, width)
        self.first, self.query = nn.Linear(2 * width, width), nn.Linear(width, width)
        self.moves, self.copies = nn.Linear(width, 1), nn.Linear(2 * width, 1)
        self.mixed, self.bias = nn.Linear(2 * width, width), nn.Parameter(torch.zeros(units))
        for layer, start in ((self.query, 0.0), (self.moves, MOVES), (self.copies, COPIES)):
            nn.init.zeros_(layer.weight)
            nn.init.constant_(layer.bias, start)

    def read(self, x: Tensor, style: Tensor) -> tuple[Source, Hand]:
        """Read a text. Args: x (B, L) or (B, L, V) as of `Source`; style (B,) int64, or (B, K) shares of each."""
        hard = x if x.dim() == 2 else x.argmax(2)
        there = (hard != PAD).to(self.bias)
        keys, _ = self.reader(self._embedded(x) * there[:, :, None])
        told = self.style(style) if style.dim() == 1 else style @ self.style.weight
        mean = (keys * there[:, :, None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1)
        before = F.one_hot(torch.zeros_like(hard[:, 0]), hard.shape[1] + 1).to(self.bias)[:, :-1]
        source = Source(x, keys, there, told)
        return source, Hand(torch.tanh(self.first(torch.cat([mean, told], 1))), before)

    def step(self, given: Tensor, source: Source, hand: Hand, first: bool) -> tuple[Tensor, Hand]:
        """Write one more unit. Args: given (B, W) the one before, embedded. Returns: what is known (B, 2 W)."""
        state = self.writer(torch.cat([given, source.style], 1), hand.state)
        moves = torch.sigmoid(self.moves(state)) * (0.0 if first else 1.0)
        expected = moves * F.pad(hand.attention, (1, -1)) + (1 - moves) * hand.attention
        scores = torch.einsum("bw,blw->bl", self.query(state), source.keys) / state.shape[1] ** 0.5
        attention = (scores.clamp(-15, 15).exp() * (expected + ELSEWHERE)) * source.there
        attention = attention / attention.sum(1, keepdim=True)
        read = torch.einsum("bl,blw->bw", attention, source.keys)
        return torch.cat([state, read], 1), Hand(state, attention)

    def surprise(self, x: Tensor, style: Tensor, tokens: Tensor) -> Tensor:
        """Return minus the mean log-probability of each text's units, (B,). Args: tokens (B, L + 1) from BEGIN on."""
        source, hand = self.read(x, style)
        given, follows = self.embedding(tokens[:, :-1]), tokens[:, 1:]
        known, attentions = list[Tensor](), list[Tensor]()
        for place in range(follows.shape[1]):
            one, hand = self.step(given[:, place], source, hand, place == 0)
            known.append(one)
            attentions.append(hand.attention)
        seen = torch.stack(known, 1)
        if x.dim() == 2:
            match = (x[:, None, :] == follows[:, :, None]).to(self.bias)
        else:
            match = x.gather(2, follows[:, None, :].expand(-1, x.shape[1], -1)).transpose(1, 2)
        copied = (torch.stack(attentions, 1) * match).sum(2)
        chosen = F.log_softmax(self._scores(seen), 2).gather(2, follows[:, :, None])[:, :, 0].exp()
        gate = torch.sigmoid(self.copies(seen))[:, :, 0]
        lost = -(gate * copied + (1 - gate) * chosen + 1e-6).log() * (follows != PAD)
        return lost.sum(1) / (follows != PAD).sum(1)

    def written(self, x: Tensor, style: Tensor, longest: int, random: Draws | None = None) -> Tensor:
        """Write texts: (B, longest, V) one-hot, with padding after END.

        Args: random for draws (by Gumbel noise) whose gradient is that of the chances (straight-through: Bengio,
            Leonard and Courville 2013); None for the most likely unit each time.
        """
        source, hand = self.read(x, style)
        size = len(self.bias)
        onehot = x if x.dim() == 3 else F.one_hot(x, size).to(self.bias)
        given = self.embedding.weight[BEGIN].expand(len(x), -1)
        going, made = given.new_ones(len(x), 1), list[Tensor]()
        padding = F.one_hot(torch.tensor(PAD, device=given.device), size).to(self.bias)
        for place in range(longest):
            known, hand = self.step(given, source, hand, place == 0)
            gate = torch.sigmoid(self.copies(known))
            shares = gate * torch.einsum("bl,blv->bv", hand.attention, onehot)
            shares = shares + (1 - gate) * self._scores(known).softmax(1)
            if random is None:
                unit = F.one_hot(shares.argmax(1), size).to(self.bias)
            else:
                noise = -(-(random.uniform(*shares.shape).clamp(1e-6, 1 - 1e-6)).log()).log()
                drawn = ((shares.detach() + 1e-6).log() + noise).argmax(1)
                unit = (
                    F.one_hot(drawn, size).to(self.bias) + shares - shares.detach()
                )  # their own gradient would explode
            unit = going * unit + (1 - going) * padding
            made.append(unit)
            given = unit @ self.embedding.weight
            going = going * (unit.argmax(1, keepdim=True) != END).to(self.bias)
            if random is None and not bool(going.any()):
                break
        return torch.stack(made, 1)

    def _embedded(self, x: Tensor) -> Tensor:
        embedded: Tensor = self.embedding(x) if x.dim() == 2 else x @ self.embedding.weight
        return embedded

    def _scores(self, known: Tensor) -> Tensor:
        """Return the logits of the vocabulary: neither padding nor BEGIN is ever written."""
        scores = F.linear(torch.tanh(self.mixed(known)), self.embedding.weight, self.bias)
        return torch.cat([scores.new_full((*scores.shape[:-1], END), -1e9), scores[..., END:]], -1)


class StyleDiscriminator(nn.Module):
    """A text -> logits of K styles and of one class for what was rewritten, by convolutions (Kim 2014)."""

    def __init__(self, units: int, styles: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(units, width)
        self.features = nn.ModuleList([nn.Conv1d(width, width, window, padding=window - 1) for window in WINDOWS])
        self.scores = nn.Linear(len(WINDOWS) * width, styles + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Args: x (B, L) or (B, L, V) without BEGIN. Returns: (B, K + 1)."""
        hard = x if x.dim() == 2 else x.argmax(2)
        embedded = self.embedding(x) if x.dim() == 2 else x @ self.embedding.weight
        embedded = (embedded * (hard != PAD)[:, :, None]).transpose(1, 2)
        found = [F.leaky_relu(layer(embedded), 0.2).amax(2) for layer in self.features]
        scores: Tensor = self.scores(torch.cat(found, 1))
        return scores


def noised(x: Tensor, lost: Tensor, random: Draws) -> Tensor:
    """Return texts (B, L) with units missing and out of order. Args: lost (B, L) the chance of each to be missing."""
    place = torch.arange(x.shape[1], device=x.device).float() + SHUFFLED * random.uniform(*x.shape)
    place = torch.where(x == END, torch.full_like(place, 2.0 * x.shape[1]), place)
    gone = (x == PAD) | ((random.uniform(*x.shape) < lost) & (x != END))
    place = torch.where(gone, torch.full_like(place, 4.0 * x.shape[1]), place)
    return torch.where(gone, torch.full_like(x, PAD), x).gather(1, place.argsort(dim=1, stable=True))
