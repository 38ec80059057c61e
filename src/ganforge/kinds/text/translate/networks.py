"""A translator: a text and the language wanted -> the text in that language; and discriminators of its adversary.

One network for both directions. The reader is recurrent in both directions; the writer knows what was written so far,
attends to what was read (Luong, Pham and Manning 2015) with a learned preference for places nearby, and goes through a
second recurrent layer. Attention feeds nothing back to the first layer, so all units of a
text are learned from in one pass.
Shape letters: L length, T units written, V units, W width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.core.sequences import BEGIN, END, PAD
from ganforge.networks.language_model import NEVER, RowDraws, dropped

REACH = 8  # places by which a preference for places nearby goes
NEARBY = 2.0  # logit by which an untrained writer prefers the place that it writes to one that far away
DROPOUT = 0.1
WINDOW = 3  # units that a feature of a discriminator spans


class Source(NamedTuple):
    """A text that is translated."""

    keys: Tensor  # (B, L, W)
    there: Tensor  # (B, L) whether a place is not padding
    first: Tensor  # (1, B, W) state of the writer before its first unit


class Seen(NamedTuple):
    """What is known before each unit that is written."""

    read: Tensor  # (B, T, W) what the attention is on
    known: Tensor  # (B, T, W) what the unit is chosen by


class Translator(nn.Module):
    """A text and a language -> the text in that language."""

    def __init__(self, units: int, width: int, languages: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(units, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.language = nn.Embedding(languages, width)
        self.forwards = nn.GRU(width, width // 2, batch_first=True)
        self.backwards = nn.GRU(width, width - width // 2, batch_first=True)
        self.writer = nn.GRU(width, width, batch_first=True)
        self.second = nn.GRU(2 * width, width, batch_first=True)
        self.first, self.query, self.mixed = (
            nn.Linear(width, width),
            nn.Linear(width, width),
            nn.Linear(3 * width, width),
        )
        self.bias = nn.Parameter(torch.zeros(units))
        self.nearby = nn.Parameter(-NEARBY * torch.linspace(-1, 1, 2 * REACH + 1).abs())

    def read(self, x: Tensor, random: RowDraws | None = None) -> Source:
        """Read texts, each the same whatever its padding. Args: x (B, L) int64, END and padding last."""
        there = x != PAD
        embedded = dropped(self._embedded(x), DROPOUT, random)
        turned = (there.sum(1, keepdim=True) - 1 - torch.arange(x.shape[1], device=x.device)).clamp(min=0)[:, :, None]
        back, _ = self.backwards(embedded.gather(1, turned.expand_as(embedded)))
        keys = torch.cat([self.forwards(embedded)[0], back.gather(1, turned.expand_as(back))], 2)
        mean = (keys * there[:, :, None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1)
        return Source(keys, there, torch.tanh(self.first(mean))[None])

    def seen(self, source: Source, language: Tensor, tokens: Tensor, random: RowDraws | None = None) -> Seen:
        """Return what is known before each unit that follows one of `tokens`. Args: language (B,); tokens (B, T)."""
        given = dropped(self._embedded(tokens), DROPOUT, random) + self.language(language)[:, None]
        written, _ = self.writer(given, source.first)
        read = self._attended(source, written, torch.arange(tokens.shape[1], device=tokens.device))
        second, _ = self.second(torch.cat([written, read], 2), source.first)
        return Seen(read, self._known(written, read, second))

    def logits(self, known: Tensor) -> Tensor:
        """Return the logits of the next unit, (..., V), from (..., W); neither padding nor BEGIN is ever written."""
        scores: Tensor = F.linear(known, self.embedding.weight, self.bias)
        scores[..., :END] = NEVER
        return scores

    @torch.no_grad()
    def written(self, x: Tensor, language: Tensor, longest: int) -> Tensor:
        """Write the most likely unit each time. Returns: (B, longest) int64, END and padding last.

        Args: x (B, L); language (B,) that is wanted; longest units, END included, of a text.
        """
        source = self.read(x)
        first, second = source.first, source.first
        unit, told = torch.full_like(x[:, 0], BEGIN), self.language(language)[:, None]
        made, going = x.new_full((len(x), longest), PAD), torch.ones_like(x[:, 0], dtype=torch.bool)
        for place in range(longest):
            state, first = self.writer(self._embedded(unit)[:, None] + told, first)
            read = self._attended(source, state, torch.tensor([place], device=x.device))
            later, second = self.second(torch.cat([state, read], 2), second)
            unit = self.logits(self._known(state, read, later)[:, 0]).argmax(1)
            unit = torch.where(going, unit, PAD)
            made[:, place] = unit
            going = going & (unit != END)
            if x.device.type == "cpu" and not bool(going.any()):
                break
        made[:, -1] = torch.where(going, END, made[:, -1])
        return made

    def _embedded(self, x: Tensor) -> Tensor:
        embedded: Tensor = self.embedding(x) * self.embedding.embedding_dim**0.5
        return embedded

    def _attended(self, source: Source, written: Tensor, places: Tensor) -> Tensor:
        scores = self.query(written) @ source.keys.mT / written.shape[2] ** 0.5
        apart = torch.arange(source.keys.shape[1], device=places.device) - places[:, None]
        scores = scores + self.nearby[apart.clamp(-REACH, REACH) + REACH]
        read: Tensor = scores.masked_fill(~source.there[:, None], NEVER).softmax(2) @ source.keys
        return read

    def _known(self, written: Tensor, read: Tensor, second: Tensor) -> Tensor:
        return torch.tanh(self.mixed(torch.cat([written, read, second], 2)))


class SequenceDiscriminator(nn.Module):
    """Rows of features (B, T, F) -> scores (B,), by a convolution, and the mean and the greatest of what it finds."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.found = nn.Conv1d(features, width, WINDOW, padding=WINDOW // 2)
        self.scores = nn.Linear(2 * width, 1)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """Args: x (B, T, F); there (B, T) which places count."""
        kept = there[:, None].to(x.dtype)
        found = F.leaky_relu(self.found((x * there[:, :, None]).mT), 0.2)
        mean = (found * kept).sum(2) / kept.sum(2).clamp(min=1)
        greatest = (found + NEVER * (1 - kept)).amax(2)
        scores: Tensor = self.scores(torch.cat([mean, greatest], 1))[:, 0]
        return scores
