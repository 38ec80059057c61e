"""The recordings of several voices, opened for conversion: which voices, how much of each, and their frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ganforge.core.seeds import subset
from ganforge.errors import DataError
from ganforge.kinds.sounds.convert.network import Source, SourceFilter, voice_stream
from ganforge.kinds.sounds.convert.voices import Hearing, Target, Voice, median_pitch
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.reading import HELD_OUT, Part, Samples, Sounds, open_sounds

ENOUGH_SECONDS = 300.0  # of a voice
LEAST_SECONDS = 1.0  # of a voice that is left to learn from
PIECE_SECONDS = 6.0  # a longer recording is heard in pieces
ALL_SECONDS = 3600.0  # of all voices, that are kept
Pieces = tuple[Samples, ...]  # (T,) each


def open_voices(source: str, rate: int | None) -> Sounds:
    """Open a folder with a subfolder for each voice. Raises: DataError, also for one voice alone."""
    sounds = open_sounds(source, rate, labelled=True)
    if not sounds.label_names:
        raise DataError(
            f"{source!r} holds one voice only.",
            "Each subfolder is a voice, and sounds beside the subfolders make all of them one.",
            "Put the recordings of each voice into a subfolder of its own.",
        )
    words = list(sounds.passport["warnings"])
    for name, seconds in seconds_of(sounds).items():
        if seconds < LEAST_SECONDS:
            raise DataError(
                f"{seconds:.1f} s of {name} are too short.",
                f"Converting needs about {ENOUGH_SECONDS / 60:.0f} minutes of each voice.",
                f"Give more recordings of {name}, or take the subfolder away.",
            )
        if seconds < 0.9 * ENOUGH_SECONDS:
            told = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} minutes"
            words.append(f"{told} of {name}: converting needs about {ENOUGH_SECONDS / 60:.0f} minutes.")
    return replace(sounds, passport={**sounds.passport, "warnings": words})


def seconds_of(sounds: Sounds) -> dict[str, float]:
    """Return the seconds of each voice, both parts together."""
    told = dict.fromkeys(sounds.label_names, 0.0)
    for part in (sounds.train, sounds.held_out):
        assert part.labels is not None
        for label, length in zip(part.labels.tolist(), part.lengths.tolist(), strict=True):
            told[sounds.label_names[label]] += length / sounds.rate
    return told


def kept_of(sounds: Sounds, seconds: float) -> tuple[list[Pieces], list[Pieces]]:
    """Choose recordings of each voice at random, alike each time, until there are so many seconds.

    Returns: of each voice the pieces to learn from, and those that are held out.
    """
    learned, held_out = [], []
    for label in range(len(sounds.label_names)):
        own, others = (tuple(_pieces(part, label, sounds.rate, seconds)) for part in (sounds.train, sounds.held_out))
        if not others:  # one recording alone is not held out
            spared = max(1, round(HELD_OUT * len(own)))
            own, others = own[:-spared] or own, own[-spared:]
        learned.append(own)
        held_out.append(others)
    return learned, held_out


def _pieces(part: Part, label: int, rate: int, seconds: float) -> Iterator[Samples]:
    assert part.labels is not None
    own, left, most = np.flatnonzero(part.labels == label), seconds * rate, int(PIECE_SECONDS * rate)
    for place in own[subset(len(own), len(own), "convert/recordings")]:
        start, length = int(part.starts[place]), int(part.lengths[place])
        for first in range(0, length, most):
            piece = np.array(part.samples[start + first : start + min(first + most, length)])
            if left <= 0:
                return
            if len(piece) > rate // 20 and np.abs(piece).max() > 1e-3:
                left -= len(piece)
                yield piece


@dataclass(frozen=True, slots=True)
class Heard:
    """Pieces of one voice, and their frames."""

    pieces: Pieces
    frames: tuple[Tensor, ...]  # of each (M + 2, N)
    loudness: tuple[float, ...]

    @classmethod
    def of(cls, pieces: Pieces, hearing: Hearing) -> Heard:
        """Hear each piece twice: the median pitch of all says where the pitch of each is sought."""
        waveforms = [torch.from_numpy(piece) for piece in pieces]
        pitch = median_pitch(torch.cat([hearing.frames(x).values for x in waveforms], 1))
        found = [hearing.frames(x, pitch) for x in waveforms]
        return cls(pieces, tuple(one.values.half().float() for one in found), tuple(one.loudness for one in found))

    def target(self, mel: Mel, neighbours: int, kept: float) -> Target:
        """Return the voice that others are converted to."""
        return Target(torch.cat(self.frames, 1), mel.rate / mel.hop, neighbours, kept)

    def rebuilt(self, target: Target) -> Iterator[Tensor]:
        """Yield each piece's frames, made of those of all other pieces."""
        source: Voice = target.voice
        place = 0
        for frames in self.frames:
            own = slice(place, place := place + frames.shape[1])
            yield target.convert(frames, source, without=own if len(self.frames) > 1 else None)


@dataclass(frozen=True, slots=True)
class Voices:
    """The voices of a run: what is learned of each, and what is held out."""

    hearing: Hearing
    heard: tuple[Heard, ...]
    targets: tuple[Target, ...]
    held_out: tuple[Pieces, ...]

    @classmethod
    def of(cls, sounds: Sounds, mel: Mel, seconds: float, neighbours: int, kept: float) -> Voices:
        """Hear the recordings that are kept of each voice."""
        hearing, (learned, held_out) = Hearing(mel), kept_of(sounds, seconds)
        heard = tuple(Heard.of(pieces, hearing) for pieces in learned)
        targets = tuple(own.target(mel, neighbours, kept) for own in heard)
        return cls(hearing, heard, targets, tuple(held_out))

    def spoken(self, network: nn.Module, samples: Samples, label: int, *, own: bool = False) -> Samples:
        """Return a sound in the voice of a label. Args: own whether it is of that voice, known from training."""
        assert isinstance(network, SourceFilter)
        target, known = self.targets[label], [one.voice for one in self.targets]
        source = Source.of(samples, self.hearing, known, target.voice if own else None)
        return voice_stream(network, self.hearing, source, target, label).whole(samples)
