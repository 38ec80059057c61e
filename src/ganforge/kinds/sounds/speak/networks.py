"""The networks of a voice: text encoder, durations, decoder, a discriminator of spectrograms, and a reader that aligns.

Shape letters: B sentences, N frames, L signs, M mel bands, W width; S places of packed sequences (see `Packed`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.core.device import widened
from ganforge.kinds.sounds.networks import scored
from ganforge.kinds.sounds.speak.text import Alphabet
from ganforge.networks.convnext import Packed, Stack
from ganforge.objectives.alignment import NEVER, diagonal_prior, present, signs_of_frames

POSITIONS = 3  # features of a frame's place within its sign
READER_DEPTH = 3
LOUD = 3.0  # of the natural logarithm below the loudest frame of a sentence, down to which frames are loud
RANGE = 8.0  # of the natural logarithm, above the floor, that levels from -1 to 1 stand for


@dataclass(frozen=True, slots=True)
class Sentence:
    """What the encoder has found in texts."""

    signs: Packed
    hidden: Tensor  # (1, W, S)


class Voice(nn.Module):
    """Text to log-mel levels, without an adversary."""

    def __init__(self, signs: int, bands: int, width: int, depth: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(signs, width, padding_idx=0)
        self.encoder = Stack(width, width, max(1, depth // 2), width)
        self.durations = Stack(width, width, 2, 1)
        self.decoder = Stack(width + POSITIONS, width, depth, bands)

    def read(self, text: Tensor, signs: Tensor) -> Sentence:
        """Args: text (B, L) ids, zeros at the end; signs (B,) how many."""
        packed = Packed(signs)
        embedded = packed.pack(self.embedding(text[:, : packed.longest]))
        return Sentence(packed, embedded + self.encoder(embedded, packed.mask))

    def log_durations(self, read: Sentence) -> Tensor:
        """Return the logarithms (B, L) of the frames that each sign is expected to last."""
        found: Tensor = read.signs.unpack(self.durations(read.hidden.detach(), read.signs.mask))[..., 0]
        return widened(found)

    def spread(self, read: Sentence, durations: Tensor, frames: Packed) -> Tensor:
        """Return the decoder's input (1, W + POSITIONS, S): what was read, for as long as it lasts."""
        which = signs_of_frames(durations, frames.longest)  # (B, N)
        hidden = read.signs.unpack(read.hidden)
        own = hidden.gather(1, which[..., None].expand(-1, -1, hidden.shape[2]))
        lasts = durations.gather(1, which).clamp(min=1).float()
        begun = (durations.cumsum(1) - durations).gather(1, which)
        place = (torch.arange(frames.longest, device=which.device) - begun + 0.5) / lasts
        positions = torch.stack([place, place.square(), lasts.log()], dim=2)
        return frames.pack(torch.cat([own, positions.to(own.dtype)], dim=2))


class Reader(Stack):
    """Log-mel levels (1, M, S) -> scores of all signs (1, V, S) at each frame: it aligns recordings, and reads."""

    silent: Tensor  # (V,) bool: signs that are not said

    def __init__(self, alphabet: Alphabet, bands: int, width: int) -> None:
        super().__init__(bands, width, READER_DEPTH, len(alphabet))
        silent = torch.tensor([sign not in alphabet.letters for sign in range(len(alphabet))])
        self.register_buffer("silent", silent, persistent=False)

    def read(self, x: Tensor, frames: Packed) -> Tensor:
        """Return log probabilities (B, N, V) of signs at the frames of levels x (B, N, M)."""
        return F.log_softmax(widened(frames.unpack(self(frames.pack(x), frames.mask))), dim=2)

    def scores(self, x: Tensor, frames: Packed, text: Tensor, signs: Tensor) -> Tensor:
        """Return log probabilities (B, N, L) of the signs of texts (B, L) at frames, with priors.

        Args: signs (B,) how many.
        """
        longest = int(signs.max())
        text, levels = text[:, :longest], x[:, : frames.longest].mean(2)
        found = self.read(x, frames).gather(2, text[:, None].expand(-1, frames.longest, -1))
        inside = present(frames.lengths, frames.longest)
        loudest = levels.masked_fill(~inside, -math.inf).amax(1, keepdim=True)
        prior = silence_prior(inside & (levels > loudest - LOUD * 2 / RANGE), self.silent[text])
        outside = ~present(signs, longest)[:, None]
        return (found + prior).masked_fill(outside, NEVER) + diagonal_prior(frames.lengths, signs)


class Speech(nn.Module):
    """All that a run trains but for the discriminator. forward is that of the voice's decoder."""

    strength: Tensor  # of the decoder that is used: 0 without, 1 with the adversary

    def __init__(self, alphabet: Alphabet, bands: int, width: int, depth: int) -> None:
        super().__init__()
        self.voice = Voice(len(alphabet), bands, width, depth)
        self.reader = Reader(alphabet, bands, width)
        self.sharp = Stack(width + POSITIONS, width, depth, bands)
        self.register_buffer("strength", torch.zeros(()))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        made: Tensor = self.voice.decoder(x, mask)
        return made


class Discriminator(nn.Module):
    """Levels (B, M, S) -> scores (B, P) and features, of patches of a spectrogram as of a picture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [1, width, 2 * width, 2 * width]
        self.layers = nn.ModuleList(
            nn.Conv2d(into, out, (5, 3), (2, 1 if place == 0 else 2), padding=(2, 1))
            for place, (into, out) in enumerate(pairwise(widths))
        )
        self.score = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        return scored(x[:, None], self.layers, self.score)


UNLIKELY = -6.0  # log probability of a sign that is not said, such as a space, at a loud frame


def silence_prior(loud: Tensor, silent: Tensor) -> Tensor:
    """Return log probabilities (B, N, L): what is not said, such as a space, is hardly at a loud frame.

    Without it a reader that is to explain every frame lets spaces stand for what it does not know yet: a word's vowels,
    and then the frames of its consonants are too few to be learned from.
    Args: loud (B, N) bool, of frames; silent (B, L) bool, of signs.
    """
    return UNLIKELY * (loud[:, :, None] & silent[:, None, :])
