"""How near spoken sentences are to recordings: spectrograms, durations, smoothness, what a reader hears; a verdict."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ganforge.core.seeds import subset
from ganforge.kinds.sounds.comparison import Values
from ganforge.kinds.sounds.features import LogMel, Mel, mel_griffin_lim
from ganforge.kinds.sounds.reading import Samples
from ganforge.kinds.sounds.speak.corpus import ENOUGH_SECONDS, Utterances, levels_of, to_log_mel
from ganforge.kinds.sounds.speak.model import speaker_of
from ganforge.kinds.sounds.speak.networks import RANGE, Speech
from ganforge.kinds.sounds.speak.plan import durations_of
from ganforge.kinds.sounds.speak.text import Alphabet
from ganforge.measures.edits import error_rate
from ganforge.measures.intervals import certainly_lower
from ganforge.networks.convnext import Packed
from ganforge.records import GRADES, Meaning, Verdict

DECIBELS = 20 / np.log(10)  # of one unit of the natural logarithm
WIDTH, HEIGHT = 9.0, 3.6  # inches of a picture
MOST_MARKED = 90  # signs
LEAST_VARIANCE = 1e-4  # of levels in a band
MEANINGS = {
    "mel_distance": Meaning("lower", "How far spectrograms are from the recordings', at equal durations, in dB."),
    "reading_errors": Meaning("lower", "Share of signs that a reader, trained on recordings, hears wrongly."),
    "duration_error": Meaning("lower", "How far the length of a sentence is from the recording's, as a share of it."),
    "variance_gap": Meaning("lower", "How much less or more spectra vary over a sentence, such as by smoothing."),
}
WITHOUT, SHARP, RECORDINGS, MEANS = "without adversary", "with adversary", "recordings", "sign means"
BOUNDS = (0.02, 0.08, 0.2, 0.4)  # more of the signs that are misheard than in recordings, for each grade but the last
TRUSTED = 0.2  # of the letters of recordings that a reader mishears: beyond, it cannot tell how good a voice is
WORSE = 1.02  # of the mel distance, from which the sharp decoder is further off


def mel_distance(made: Tensor, truth: Tensor) -> float:
    """Return the mean difference of levels (N, M) in dB."""
    return float((made - truth).abs().mean()) * RANGE / 2 * float(DECIBELS)


def variance_gap(made: Tensor, truth: Tensor) -> float:
    """Return the absolute log ratio of the variances over time of levels (N, M), as a mean over bands.

    Source: Toda and Tokuda 2007, "global variance".
    """
    ours, theirs = (x.var(0, unbiased=False).clamp(min=LEAST_VARIANCE).log() for x in (made, truth))
    return float((ours - theirs).abs().mean())


def heard(signs: Tensor, letters: frozenset[int]) -> list[int]:
    """Return the letters among signs (N,), one for several of a kind that follow each other: a reader cannot tell."""
    return [sign for sign in torch.unique_consecutive(signs).tolist() if sign in letters]


def aligned_picture(truth: Tensor, text: str, durations: Sequence[int], made: Tensor) -> bytes:
    """Draw true levels (N, M) with a line where each sign begins, and below them made ones, as PNG.

    Args: text a sign for each duration.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained", dpi=110)
    above, below = figure.subplots(2)
    starts = np.concatenate([[0], np.cumsum(durations)[:-1]])[:MOST_MARKED]
    end = int(starts[-1]) + durations[len(starts) - 1]
    for axes, levels in ((above, truth), (below, made)):
        axes.imshow(levels[:end].T.numpy(), origin="lower", aspect="auto", cmap="magma", vmin=-1, vmax=1)
        axes.set_xticks([])
        axes.set_yticks([])
    for start in starts[1:]:
        above.axvline(start - 0.5, color="white", linewidth=0.4)
    above.set_xticks(starts + np.array(durations[: len(starts)]) / 2 - 0.5, list(text[: len(starts)]))
    above.tick_params(axis="x", length=0)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Judged:
    """Recorded sentences, always the same, and what a voice makes of their texts."""

    mel: Mel
    alphabet: Alphabet
    texts: tuple[str, ...]
    sounds: tuple[Samples, ...]
    ids: tuple[Tensor, ...]  # (L,) of each
    levels: tuple[Tensor, ...]  # (N, M) of each

    @classmethod
    def of(cls, some: Utterances, most: int, purpose: str, mel: Mel, alphabet: Alphabet) -> Judged:
        """Choose some sentences at random. Args: purpose of the random numbers."""
        chosen, features = subset(len(some), most, purpose).tolist(), LogMel(mel)
        sounds, texts = tuple(some.samples(place) for place in chosen), tuple(some.texts[place] for place in chosen)
        ids = tuple(torch.tensor(alphabet.ids(text)) for text in texts)
        return cls(mel, alphabet, texts, sounds, ids, tuple(levels_of(sound, features) for sound in sounds))

    def part(self, first: int) -> Judged:
        """Return every second sentence from `first` on."""
        own = slice(first, None, 2)
        return Judged(self.mel, self.alphabet, self.texts[own], self.sounds[own], self.ids[own], self.levels[own])

    def durations(self, speech: Speech) -> list[list[int]]:
        """Return the frames of each sign in the recordings, by the voice's alignment."""
        device, found = speech.strength.device, list[list[int]]()
        for ids, levels in zip(self.ids, self.levels, strict=True):
            signs, frames = (torch.tensor([len(one)], device=device) for one in (ids, levels))
            batch = {"x": levels[None].to(device), "text": ids[None].to(device), "frames": frames, "signs": signs}
            found.append(durations_of(speech.reader, batch, Packed(frames))[0].tolist())
        return found

    def picture(self, place: int, durations: Sequence[int], made: Tensor) -> bytes:
        """Draw a sentence with the signs that its frames say, and below it what was made of it, (N, M), as PNG."""
        signs = f"|{self.alphabet.known(self.texts[place])}|"
        return aligned_picture(self.levels[place], signs, durations, made)

    def spoken(self, speech: Speech, strength: float) -> list[Tensor]:
        """Return levels of each text, with the durations that the voice expects."""
        voice = speaker_of(speech, self.mel, self.alphabet, strength)
        return [voice.levels(text).cpu() for text in self.texts]

    def values(self, speech: Speech, strength: float, speaks: Speech | None = None) -> Values:
        """Return the measures of a voice. Args: speaks another one than the one that aligns and reads."""
        voice = speaker_of(speaks or speech, self.mel, self.alphabet, strength)
        lasts = self.durations(speech)
        timed = [voice.levels(text, own).cpu() for text, own in zip(self.texts, lasts, strict=True)]
        return self.values_of(speech, timed, self.spoken(speaks or speech, strength))

    @torch.no_grad()
    def values_of(self, speech: Speech, timed: Sequence[Tensor], free: Sequence[Tensor]) -> Values:
        """Return the measures of levels (N, M): `timed` as long as the recordings, `free` of any length."""
        device, letters, rows = speech.strength.device, self.alphabet.letters, []
        for truth, same, made, ids in zip(self.levels, timed, free, self.ids, strict=True):
            frames = Packed(torch.tensor([len(made)], device=device))
            said = heard(speech.reader.read(made[None].to(device), frames)[0].cpu().argmax(1), letters)
            longer = abs(len(made) - len(truth)) / len(truth)
            errors = error_rate(said, heard(ids, letters))
            rows.append((mel_distance(same, truth), errors, longer, variance_gap(made, truth)))
        return dict(zip(MEANINGS, np.array(rows, np.float64).T, strict=True))

    @torch.no_grad()
    def revoiced(self) -> list[Tensor]:
        """Return the levels of the waveforms that Griffin and Lim's method makes of the recordings' levels."""
        features = LogMel(self.mel)
        made = [mel_griffin_lim(to_log_mel(levels, self.mel).T[None], features) for levels in self.levels]
        return [levels_of(waveform[0].numpy(), features) for waveform in made]

    def of_means(self, learned: Judged, speech: Speech) -> tuple[list[Tensor], list[Tensor]]:
        """Return levels in which each sign is its mean in learned ones: for the true durations, and for mean ones."""
        count = len(self.alphabet)
        total, frames, times = torch.zeros(count, self.mel.bands), torch.zeros(count), torch.zeros(count)
        for levels, ids, lasts in zip(learned.levels, learned.ids, learned.durations(speech), strict=True):
            which = ids.repeat_interleave(torch.tensor(lasts))
            total.index_add_(0, which, levels)
            frames += torch.bincount(which, minlength=count)
            times += torch.bincount(ids, minlength=count)
        means, lasting = total / frames.clamp(min=1)[:, None], (frames / times.clamp(min=1)).clamp(min=1)
        ends = [lasting[ids].cumsum(0).round().long() for ids in self.ids]
        expected = [end.diff(prepend=end.new_zeros(1)) for end in ends]

        def held(durations: Sequence[Tensor]) -> list[Tensor]:
            return [means[ids.repeat_interleave(lasts)] for ids, lasts in zip(self.ids, durations, strict=True)]

        return held([torch.tensor(lasts) for lasts in self.durations(speech)]), held(expected)


# ---- the verdict -----------------------------------------------------------------------------------------------------


def prefers_sharp(without: Values, sharp: Values) -> bool:
    """Return whether the adversary makes spectra certainly less smooth, and hardly further off or harder to read."""
    far = sharp["mel_distance"].mean() > WORSE * without["mel_distance"].mean()
    misread = certainly_lower(without["reading_errors"], sharp["reading_errors"])
    return not far and not misread and certainly_lower(sharp["variance_gap"], without["variance_gap"])


def judge_voice(values: Mapping[str, Values], default: str, passport: Mapping[str, Any]) -> Verdict:
    """Return the verdict. Args: values of each method; default the one that speaks."""
    errors = {name: float(own["reading_errors"].mean()) for name, own in values.items()}
    mine, natural, simple = errors[default], errors[RECORDINGS], errors[MEANS]
    grade = GRADES[sum(mine - natural > bound for bound in BOUNDS)]
    helps = default == SHARP
    if mine >= simple:
        grade, headline = GRADES[-1], "it is not understood better than a mean spectrum for each sign"
    elif natural > TRUSTED:
        grade = max(grade, "poor", key=GRADES.index)
        headline = "the reader has not learned to read the recordings, so it cannot tell that the voice is understood"
    elif mine - natural <= BOUNDS[1]:
        headline = "sentences that it never heard are read nearly as well as recordings"
    else:
        headline = "sentences that it never heard are harder to read than recordings"
    sentences = [
        f"A reader trained on recordings mishears {mine:.0%} of the signs, of recordings {natural:.0%}, and "
        f"{simple:.0%} where each sign is its mean spectrum.",
        "The adversary makes spectra less smooth at hardly a price, so it is used."
        if helps
        else "The adversary does not make it certainly better: the voice without it speaks; --strength 1 is the other.",
    ]
    if passport["seconds"] < ENOUGH_SECONDS:
        sentences.append(
            f"There were {passport['seconds'] / 60:.1f} minutes of speech; a voice needs about "
            f"{ENOUGH_SECONDS / 60:.0f}."
        )
    if grade in GRADES[2:]:
        sentences.append("Train longer, or give more recordings with their texts.")
    return Verdict(grade, f"{grade.capitalize()}: {headline}.", tuple(sentences), helps)
