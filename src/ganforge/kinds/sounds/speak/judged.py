"""Held-out sentences, and the measures of what a voice makes of their texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.kinds.sounds.features import LogMel, mel_griffin_lim
from ganforge.kinds.sounds.reading import Samples
from ganforge.kinds.sounds.speak.alignment import best_durations
from ganforge.kinds.sounds.speak.corpus import Utterances, to_levels, to_log_mel
from ganforge.kinds.sounds.speak.game import Speaking
from ganforge.kinds.sounds.speak.measures import Values, error_rate, heard, mel_distance, variance_gap
from ganforge.kinds.sounds.speak.model import speaker_of
from ganforge.kinds.sounds.speak.networks import Packed, Speech


@dataclass(frozen=True, slots=True)
class Judged:
    """Some sentences, always the same."""

    texts: tuple[str, ...]
    sounds: tuple[Samples, ...]
    ids: tuple[Tensor, ...]  # (L,) of each
    levels: tuple[Tensor, ...]  # (N, M) of each

    @classmethod
    @torch.no_grad()
    def of(cls, some: Utterances, chosen: NDArray[np.int64], own: Speaking) -> Judged:
        """Read the sentences at some places."""
        features = LogMel(own.mel)
        sounds = tuple(some.samples(int(place)) for place in chosen)
        texts = tuple(some.texts[int(place)] for place in chosen)
        ids = tuple(torch.tensor(own.alphabet.ids(text)) for text in texts)
        levels = tuple(to_levels(features(torch.from_numpy(sound)[None])[0].T, own.mel) for sound in sounds)
        return cls(texts, sounds, ids, levels)

    def part(self, first: int) -> Judged:
        """Return every second sentence from `first` on."""
        own = slice(first, None, 2)
        return Judged(self.texts[own], self.sounds[own], self.ids[own], self.levels[own])

    @torch.no_grad()
    def durations(self, speech: Speech) -> list[list[int]]:
        """Return the frames of each sign in the recordings, by the voice's alignment."""
        device = speech.strength.device
        found: list[list[int]] = []
        for ids, levels in zip(self.ids, self.levels, strict=True):
            signs, frames = (torch.tensor([len(one)], device=device) for one in (ids, levels))
            x, text = levels[None].to(device), ids[None].to(device)
            scores = speech.reader.scores(x, Packed(frames), text, signs)
            found.append(best_durations(scores, frames, signs)[0].tolist())
        return found

    def spoken(self, speech: Speech, own: Speaking, strength: float) -> list[Tensor]:
        """Return levels of each text, with the durations that the voice expects."""
        voice = speaker_of(speech, own, strength)
        return [voice.levels(text).cpu() for text in self.texts]

    def values(self, speech: Speech, own: Speaking, strength: float, speaks: Speech | None = None) -> Values:
        """Return the measures of a voice. Args: speaks another one than the one that aligns and reads."""
        voice = speaker_of(speaks or speech, own, strength)
        lasts = self.durations(speech)
        timed = [voice.levels(text, own_lasts).cpu() for text, own_lasts in zip(self.texts, lasts, strict=True)]
        return self.values_of(speech, own, timed, [voice.levels(text).cpu() for text in self.texts])

    @torch.no_grad()
    def values_of(self, speech: Speech, own: Speaking, timed: Sequence[Tensor], free: Sequence[Tensor]) -> Values:
        """Return the measures of levels (N, M): `timed` as long as the recordings, `free` of any length."""
        device, letters = speech.strength.device, own.alphabet.letters
        rows = []
        for truth, same, made, ids in zip(self.levels, timed, free, self.ids, strict=True):
            frames = Packed(torch.tensor([len(made)], device=device))
            scores = speech.reader.read(made[None].to(device), frames)[0].cpu()
            said, meant = heard(scores.argmax(1), letters), heard(ids, letters)
            rows.append((
                mel_distance(same, truth),
                error_rate(said, meant),
                abs(len(made) - len(truth)) / len(truth),
                variance_gap(made, truth),
            ))  # fmt: skip
        columns = np.array(rows, np.float64).T
        return dict(zip(("mel_distance", "reading_errors", "duration_error", "variance_gap"), columns, strict=True))


@torch.no_grad()
def revoiced(levels: Tensor, own: Speaking) -> Tensor:
    """Return the levels (N, M) of the waveform that Griffin and Lim's method makes of levels."""
    features = LogMel(own.mel)
    waveform = mel_griffin_lim(to_log_mel(levels, own.mel).T[None], features)
    return to_levels(features(waveform)[0].T, own.mel)
