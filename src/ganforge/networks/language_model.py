"""Language models: networks that give the chance of each next unit of a text, and draw texts unit after unit.

A recurrent one (a gated recurrent unit, Cho et al. 2014), whose output layer is its embedding (Press and Wolf 2017), is
the best for its cost on a processor; a transformer (Vaswani et al. 2017) on a GPU. Shape letters: L length, V units,
W width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ganforge.core.device import widened
from ganforge.core.seeds import Draws
from ganforge.core.sequences import BEGIN, END, PAD, Ids

NEVER = -1e9  # the logit of what never comes
HEAD = 64  # width of a head of attention
AT_ONCE = 256  # texts in one pass
CANDIDATES = 32  # for each next unit, of which steering chooses one
State: TypeAlias = "list[Tensor]"
"""What a network keeps of the units so far: tensors whose first dimension is the text's."""


@dataclass(frozen=True, slots=True)
class RowDraws:
    """Random numbers for rows that may be cut: the same for what is kept of a row, however much is."""

    random: Draws
    length: int  # of a whole row, L

    def uniform(self, count: int, length: int, width: int) -> Tensor:
        """Draw uniform numbers in [0, 1) for the first `length` places of each row, (count, length, width)."""
        return self.random.uniform(count, self.length, width)[:, :length]


def dropped(x: Tensor, share: float, random: RowDraws | None) -> Tensor:
    """Return x (B, L, W) with a random share of its numbers 0 and the others enlarged; x itself without `random`."""
    if random is None or share == 0:
        return x
    count, length, width = x.shape
    return x * (random.uniform(count, length, width) >= share).to(x.dtype) / (1 - share)


class LanguageModel(nn.Module):
    """The parts that both networks share: an embedding that is also the output layer, and the labels' embedding."""

    def __init__(self, units: int, labels: int, width: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(units, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.label = nn.Embedding(labels, width) if labels else None
        self.bias = nn.Parameter(torch.zeros(units))
        self.dropout = dropout

    def forward(self, tokens: Tensor, label: Tensor | None = None, random: RowDraws | None = None) -> Tensor:
        """Return what the network knows before each next unit, (B, L, W).

        Args: tokens (B, L) int64, the first of each text BEGIN; label (B,) or None; random for dropout in training.
        """
        raise NotImplementedError

    def begin(self, count: int, label: Tensor | None = None) -> State:
        """Return the state before the first unit of `count` texts. Args: label (count,) or None."""
        raise NotImplementedError

    def step(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        """Return what is known after one more unit, (B, W), and the state. Args: token (B,)."""
        raise NotImplementedError

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits of the next unit, (..., V), from (..., W); neither PAD nor BEGIN ever comes."""
        scores: Tensor = F.linear(hidden, self.embedding.weight, self.bias)
        scores[..., :END] = NEVER
        return scores

    def surprise(self, tokens: Tensor, label: Tensor | None = None, random: Draws | None = None) -> Tensor:
        """Return minus the log-probability of each next unit, (B, L - 1), in nats; 0 at PAD."""
        draws = None if random is None else RowDraws(random, tokens.shape[1] - 1)
        if tokens.device.type == "cpu":  # there the units that are not there cost time
            tokens = tokens[:, : int((tokens != PAD).sum(1).max())]
        hidden, follows = self(tokens[:, :-1], label, draws), tokens[:, 1:]
        if tokens.device.type == "cpu":
            there = follows != PAD
            lost: Tensor = hidden.new_zeros(follows.shape)
            lost[there] = F.cross_entropy(self.logits(hidden[there]), follows[there], reduction="none")
            return lost
        scores = widened(self.logits(hidden)).flatten(0, 1)
        every: Tensor = F.cross_entropy(scores, follows.flatten(), ignore_index=PAD, reduction="none")
        return every.view(follows.shape)

    def _embedded(self, tokens: Tensor, label: Tensor | None) -> Tensor:
        x: Tensor = self.embedding(tokens) * math.sqrt(self.embedding.embedding_dim)
        if self.label is not None and label is not None:
            x = x + self.label(label)[:, None]
        return x


class RecurrentModel(LanguageModel):
    """Gated recurrent units, one layer after the other."""

    def __init__(self, units: int, labels: int, width: int, depth: int, dropout: float, longest: int = 0) -> None:
        super().__init__(units, labels, width, dropout)
        self.layers = nn.ModuleList([nn.GRU(width, width, batch_first=True) for _ in range(depth)])

    def forward(self, tokens: Tensor, label: Tensor | None = None, random: RowDraws | None = None) -> Tensor:
        x = dropped(self._embedded(tokens, label), self.dropout, random)
        for layer in self.layers:
            x = dropped(layer(x)[0], self.dropout, random)
        return x

    def begin(self, count: int, label: Tensor | None = None) -> State:
        weight = self.embedding.weight
        told = [] if self.label is None or label is None else [self.label(label)]
        return [*(weight.new_zeros(count, weight.shape[1]) for _ in self.layers), *told]

    def step(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        x: Tensor = self._embedded(token, None)
        kept, told = state[: len(self.layers)], state[len(self.layers) :]
        x = x + told[0] if told else x
        after = []
        for layer, before in zip(self.layers, kept, strict=True):
            assert isinstance(layer, nn.GRU)
            x = torch.gru_cell(x, before, *layer.all_weights[0])
            after.append(x)
        return x, [*after, *told]


class Block(nn.Module):
    """A block of a transformer: causal attention, then two layers on each place, each after a normalisation."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = max(1, width // HEAD), dropout
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None, random: RowDraws | None) -> tuple[Tensor, ...]:
        """Return x (B, L, W), and the keys and values (B, H, T, W / H) of all units so far."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.attention(self.before(x)).chunk(3, dim=-1)
        )
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=past is None)
        x = x + dropped(self.mixed(seen.transpose(1, 2).flatten(2)), self.dropout, random)
        x = x + dropped(self.outer(F.gelu(self.inner(self.between(x)))), self.dropout, random)
        return x, key, value


class Transformer(LanguageModel):
    """A transformer with learned places."""

    def __init__(self, units: int, labels: int, width: int, depth: int, dropout: float, longest: int) -> None:
        super().__init__(units, labels, width, dropout)
        self.places = nn.Parameter(torch.randn(longest, width) * 0.02)
        self.layers = nn.ModuleList([Block(width, dropout) for _ in range(depth)])
        self.last = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, label: Tensor | None = None, random: RowDraws | None = None) -> Tensor:
        x = dropped(self._embedded(tokens, label) + self.places[: tokens.shape[1]], self.dropout, random)
        for layer in self.layers:
            x, *_ = layer(x, None, random)
        hidden: Tensor = self.last(x)
        return hidden

    def begin(self, count: int, label: Tensor | None = None) -> State:
        weight, heads = self.embedding.weight, max(1, self.places.shape[1] // HEAD)
        told = self.label(label) if self.label is not None and label is not None else weight.new_zeros(count, 0)
        return [
            told,
            *(weight.new_zeros(count, heads, 0, weight.shape[1] // heads) for _ in range(2 * len(self.layers))),
        ]

    def step(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        told, *past = state
        x: Tensor = self._embedded(token[:, None], None) + self.places[past[0].shape[2]]
        x, kept = x + told[:, None] if told.shape[1] else x, [told]
        for layer, key, value in zip(self.layers, past[::2], past[1::2], strict=True):
            x, *both = layer(x, (key, value), None)
            kept += both
        return self.last(x)[:, 0], kept


MODELS: Mapping[str, Callable[..., LanguageModel]] = {"gru": RecurrentModel, "transformer": Transformer}
"""Networks by their name in a recipe: (units, labels, width, depth, dropout, longest) -> network."""


def padded(texts: Sequence[Ids], longest: int | None = None) -> Tensor:
    """Return texts as (B, L) int64: BEGIN, the units, END, then PAD.

    Args: longest units that are kept of a text: a longer one is cut, and has no END.
    """
    kept = [text[:longest] for text in texts]
    tokens = np.full((len(kept), 2 + max((len(text) for text in kept), default=0)), PAD, np.int64)
    tokens[:, 0] = BEGIN
    for row, text, whole in zip(tokens, kept, texts, strict=True):
        row[1 : 1 + len(text)] = text
        row[1 + len(text)] = END if len(text) == len(whole) else PAD
    return torch.from_numpy(tokens)


@torch.no_grad()
def surprise_of(
    network: LanguageModel,
    texts: Sequence[Ids],
    labels: NDArray[np.int64] | None = None,
    *,
    longest: int | None = None,
    unscored: int = PAD,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return minus the log-probability of each text (N,) in nats, and its number of units (N,), the end included.

    Args: longest units that are read of a text; unscored a unit that is read, but not counted.
    """
    device = next(network.parameters()).device
    lost, counts = np.zeros(len(texts)), np.zeros(len(texts), np.int64)
    order = np.argsort([len(text) for text in texts], kind="stable")  # texts of like length are padded together
    for first in range(0, len(texts), AT_ONCE):
        some = order[first : first + AT_ONCE]
        label = None if labels is None else torch.from_numpy(labels[some]).to(device)
        tokens = padded([texts[place] for place in some], longest).to(device)
        found = network.surprise(tokens, label)
        follows = tokens[:, 1 : 1 + found.shape[1]]
        scored = (follows != PAD) & (follows != unscored)
        lost[some] = (found * scored).sum(1).double().cpu().numpy()
        counts[some] = scored.sum(1).cpu().numpy()
    return lost, counts


class Steering(Protocol):
    """What chooses among candidates for the next unit while texts are drawn."""

    def raised(self, before: NDArray[np.int64], units: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the logit of each candidate, (N, K). Args: before (N, T) units, from BEGIN on; units (N, K)."""
        ...


def _drawn(chances: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw units (N, count) with chances (N, K)."""
    sums = chances.cumsum(-1)
    places = torch.rand(len(sums), count, generator=generator) * sums[:, -1:]
    return torch.searchsorted(sums, places, right=True).clamp(max=sums.shape[1] - 1)


@torch.no_grad()
def draw_texts(  # noqa: PLR0913 - all that changes what is drawn
    network: LanguageModel,
    count: int,
    generator: torch.Generator,
    *,
    temperature: float = 1.0,
    longest: int = 64,
    prompt: Sequence[int] = (),
    labels: NDArray[np.int64] | None = None,
    banned: Sequence[int] = (),
    steering: Steering | None = None,
) -> list[Ids]:
    """Draw texts, all at the same time. Every text begins with `prompt`; one of `longest` units ends there.

    Args: generator on the CPU; temperature divides the logits; labels (count,); banned units that are never drawn;
    steering chooses each unit among CANDIDATES, which approaches their chances times the exponential of its logits.
    """
    device = next(network.parameters()).device
    state = network.begin(count, None if labels is None else torch.from_numpy(labels).to(device))
    units = torch.full((count, longest + 2), END, dtype=torch.int64)
    units[:, 0] = BEGIN
    units[:, 1 : 1 + len(prompt)] = torch.tensor(list(prompt), dtype=torch.int64)
    for place in range(1 + len(prompt)):
        hidden, state = network.step(units[:, place].to(device), state)
    alive = torch.arange(count)
    for place in range(1 + len(prompt), longest + 1):
        scores = network.logits(hidden).float().cpu() / temperature
        scores[:, list(banned)] = -torch.inf
        unit = _drawn(torch.softmax(scores, dim=-1), 1 if steering is None else CANDIDATES, generator)
        if steering is not None:
            weights = torch.from_numpy(steering.raised(units[alive, :place].numpy(), unit.numpy()))
            unit = unit.gather(1, _drawn(torch.softmax(weights, dim=-1), 1, generator))
        unit = unit[:, 0]
        units[alive, place] = unit
        goes_on = (unit != END).nonzero()[:, 0]
        alive, unit = alive[goes_on], unit[goes_on].to(device)
        if not len(alive):
            break
        hidden, state = network.step(unit, [part[goes_on.to(device)] for part in state])
    lengths = (units == END).int().argmax(1).tolist()
    found = units.numpy().astype(np.int32)
    return [row[1:length] for row, length in zip(found, lengths, strict=True)]
