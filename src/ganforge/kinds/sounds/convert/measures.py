"""Whether converted recordings sound like the target, whether their words are kept, and the verdict. No ready judge.

A linear discriminant analysis of the training recordings tells voices apart; how often it is right on real ones that
were held out stands beside everything that it says. Resemblyzer, DNSMOS and a reader of digits, which need packages or
training of their own, are in benchmarks/convert.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ganforge.kinds.sounds.comparison import ADVERSARY, Values
from ganforge.kinds.sounds.convert.voices import ACTIVE, VOICED, Hearing
from ganforge.kinds.sounds.features import cosines
from ganforge.kinds.sounds.reading import Samples
from ganforge.networks.ends import SHARP
from ganforge.records import GRADES, Meaning, Verdict

ORDER = 20  # cepstral coefficients whose means and deviations tell voices apart
SAID = slice(1, 7)  # cepstral coefficients that tell what is said
MEANINGS = {
    "target": Meaning("higher", "Share of converted sounds that a classifier of voices takes for the target."),
    "words": Meaning("lower", "How far what is said is from the source: 0 as in the source, 1.4 unrelated."),
    "spectral_distance": Meaning("lower", "How far log spectra are from the true ones, of sounds made of neighbours."),
    "fine_structure": Meaning("lower", "How far the roughness of their spectra is from the true one."),
}
SHARES, WORSE = (0.9, 0.75, 0.5, 0.25), 1.1  # of the share of real sounds, for each grade; of the distance of words
FEWEST = 4  # recordings of a voice that are told apart
SURE = 0.7  # share of real sounds that the classifier must know for its word to count
Rows = NDArray[np.float64]


class Speakers:
    """A classifier of voices."""

    def __init__(self, recordings: Sequence[Sequence[Samples]], hearing: Hearing) -> None:
        """Args: recordings of each voice; of few, each part is one."""
        recordings = [own if len(own) >= FEWEST else np.array_split(np.concatenate(own), FEWEST) for own in recordings]
        self.hearing, self.cosines = hearing, cosines(hearing.mel.bands, min(ORDER, hearing.mel.bands))
        rows = np.array([self._row(x) for own in recordings for x in own])
        labels = np.concatenate([np.full(len(own), label) for label, own in enumerate(recordings)])
        self._model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
        self._model.fit(rows, labels)

    def named(self, sounds: Sequence[Samples]) -> NDArray[np.int64]:
        """Return the voice that each sound is taken for."""
        found: NDArray[np.int64] = self._model.predict(np.array([self._row(x) for x in sounds]))
        return found

    @torch.no_grad()
    def _row(self, samples: Samples) -> Rows:
        x = torch.from_numpy(samples)
        frames, log_mel = self.hearing.frames(x).values, self.hearing.features(x[None])[0]
        level = frames[:-2].mean(0)
        active = level >= min(ACTIVE, float(level.max()))
        cepstra = (self.cosines @ log_mel)[1:, active]
        voiced = active & (frames[-1] >= min(VOICED, float(frames[-1][active].max())))
        numbers = [cepstra.mean(1), cepstra.std(1, correction=0), frames[-2][voiced].mean()[None]]
        return torch.cat(numbers).double().numpy()


@torch.no_grad()
def distances_of_words(given: Sequence[Samples], made: Sequence[Samples], hearing: Hearing) -> Rows:
    """Return for each pair of sounds (T,) how far their cepstra are apart, (N,), each voice in its own units."""

    table = cosines(hearing.mel.bands, min(SAID.stop, hearing.mel.bands))

    def cepstra(sounds: Sequence[Samples]) -> list[torch.Tensor]:
        return [table @ hearing.frames(torch.from_numpy(x)).values[:-2] for x in sounds]

    ours, theirs = cepstra(made), cepstra(given)
    active = [one[0] >= min(ACTIVE * hearing.mel.bands**0.5, float(one[0].max())) for one in theirs]

    def scaled(own: list[torch.Tensor]) -> list[torch.Tensor]:
        every = torch.cat([one[SAID, there] for one, there in zip(own, active, strict=True)], 1)
        mean, spread = every.mean(1, keepdim=True), every.std(1, correction=0, keepdim=True) + 1e-3
        return [(one[SAID, there] - mean) / spread for one, there in zip(own, active, strict=True)]

    apart = [(a - b).square().mean(0).sqrt().mean() for a, b in zip(scaled(ours), scaled(theirs), strict=True)]
    return np.array([float(one) for one in apart])


def conversions(
    speakers: Speakers,
    pairs: Sequence[tuple[int, int]],
    given: Sequence[Sequence[Samples]],
    made: Sequence[Sequence[Samples]],
) -> Values:
    """Return for each made sound whether it is taken for the target, for the source, and how far its words are.

    Args: pairs of source and target; given, made sounds of each pair.
    """
    named = [speakers.named(own) for own in made]
    found = {
        "target": [own == target for own, (_, target) in zip(named, pairs, strict=True)],
        "source": [own == source for own, (source, _) in zip(named, pairs, strict=True)],
        "words": [distances_of_words(*own, speakers.hearing) for own in zip(given, made, strict=True)],
    }
    return {name: np.concatenate(parts).astype(np.float64) for name, parts in found.items()}


def judge_converter(
    found: Mapping[str, Values], default: str, plain: str, known: float, told: Mapping[str, float]
) -> Verdict:
    """Return the verdict.

    Args: found what `conversions` gives of each method; default the method used; plain the one of neighbours without
        a trained network; known share of real sounds that the classifier knows; told seconds of each voice that has
        too few.
    """
    mine, simple = found[default], found[plain]
    target, source = float(mine["target"].mean()), float(mine["source"].mean())
    level = sum(target < share * known for share in SHARES)
    words, plain_words, plainly = mine["words"].mean(), simple["words"].mean(), float(simple["target"].mean())
    if source > target:
        level, headline = len(GRADES) - 1, "the converter gives back its input: its sounds are taken for the source's"
    elif words > WORSE * plain_words or target < plainly - 0.05:
        level = max(level, 2)
        headline = "frame neighbours without a trained network do as well or better"
    else:
        headline = f"{target:.0%} of its sounds are taken for the target's, of real ones {known:.0%}"
    sentences = [
        f"Of converted sounds a classifier takes {target:.0%} for the target and {source:.0%} for the source; of real "
        f"sounds it knows {known:.0%}; of neighbours spoken by plain pulses and noise it takes "
        f"{plainly:.0%} for the target.",
        f"What is said is {words:.2f} from the source, with plain pulses {plain_words:.2f}; 1.4 would be unrelated.",
    ]
    helps = default == SHARP
    if SHARP in found:
        sentences.append(ADVERSARY[helps])
    if known < SURE:
        level = max(level, 2)
        sentences.append("The classifier knows too few real sounds for its word to count much: listen yourself.")
    for name, seconds in told.items():
        sentences.append(f"There were {seconds:.0f} s of {name}: converting needs about 5 minutes.")
    grade = GRADES[min(level, len(GRADES) - 1)]
    return Verdict(grade, f"{grade.capitalize()}: {headline}.", tuple(sentences[:7]), helps)
