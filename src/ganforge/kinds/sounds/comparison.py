"""Methods on sounds that were held out: what a look and a page show of them, and how they stand beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ganforge.contracts import Tell
from ganforge.core.files import write_through, write_whole
from ganforge.kinds.sounds.adversary import SHARP, BothEnds, ends_of
from ganforge.kinds.sounds.features import LogMel
from ganforge.kinds.sounds.measures import Scores, estimates, prefers_sharp
from ganforge.kinds.sounds.reading import Samples
from ganforge.kinds.sounds.sound_file import write_flac
from ganforge.kinds.sounds.spectrogram import picture_of
from ganforge.measures.intervals import Estimate, beside_others, rival, with_ends
from ganforge.records import Block, Figure, Meaning, Measure, Sound
from ganforge.run import Run

SHOWN = 3  # sounds of a look
ADVERSARY = {  # whether the sharp end is used -> what a verdict says of it
    True: "The adversary makes spectra less smooth at hardly a price, so the sharp end is used.",
    False: "The adversary makes it not certainly better: the end without it is used, and --strength 1 is sharp.",
}
BESIDE = "The same measures for methods without an adversary, or without a network."
Make = Callable[[nn.Module], list[Samples]]
"""A network -> what it makes of the sounds in question."""


def look_at(
    path: Path, truth: Sequence[Samples], product: nn.Module, make: Make, features: LogMel, tell: Tell
) -> Mapping[str, float]:
    """Draw spectrograms of sounds beside those of what each end makes of them, and return how far that is from them."""
    made = {name: make(end) for name, end in ends_of(product).items()}
    rows = [[x, *(own[row] for own in made.values())] for row, x in enumerate(truth[:SHOWN])]
    write_whole(path, picture_of(rows, features))
    tell("sampled", path=str(path))
    found = {name: estimates(Scores(features).of(truth, own)) for name, own in made.items()}
    name, marks = "spectral_distance", {SHARP: "sharp_"}
    return with_ends({marks.get(end, "") + name: own[name] for end, own in found.items()})


def choose_end(product: nn.Module, truth: Sequence[Samples], make: Make, features: LogMel) -> nn.Module:
    """Choose the end that `apply` uses: the sharp one where it is certainly less smooth and not further off."""
    if isinstance(product, BothEnds):
        faithful, sharp = (Scores(features).of(truth, make(end)) for end in (product.faithful, product.sharp))
        product.strength.fill_(float(prefers_sharp(faithful, sharp)))
    return product


def heard(run: Run, name: str, samples: Samples, rate: int, caption: str, row: str = "") -> Sound:
    """Write a waveform (T,) as a sound of the page. Args: name of its file; row under whose title it stands."""
    path = run.figure(name.replace(" ", "-").lower()).with_suffix(".flac")
    write_through(path, lambda file: write_flac(file, samples, rate))
    return Sound(f"pictures/{path.name}", caption, row)


def drawn(run: Run, rows: Sequence[Sequence[Samples]], features: LogMel, caption: str) -> Figure:
    """Draw the spectrograms of sounds for the page, a row of versions for each."""
    write_whole(run.figure("spectrograms"), picture_of(rows, features))
    return Figure("pictures/spectrograms.png", "Spectrograms", caption, wide=True)


def rivals_of(
    scored: Mapping[str, Mapping[str, Estimate]],
    sentences: Mapping[str, str],
    meanings: Mapping[str, Meaning],
    lead: str = BESIDE,
) -> tuple[list[dict[str, Any]], Block]:
    """Return methods as evaluation.json stores them, and the block of a page. Args: scored measures of each method."""
    told = [rival(name, sentences[name], {key: one.value for key, one in own.items()}) for name, own in scored.items()]
    return told, beside_others(lead, told, {name: name.replace("_", " ") for name in meanings})


def measures_of(
    scored: Mapping[str, Estimate],
    meanings: Mapping[str, Meaning],
    floors: Mapping[str, float],
    references: Mapping[str, Estimate],
) -> tuple[Measure, ...]:
    """Return the measures of a method beside their floors and those of the simplest one."""
    return tuple(
        Measure.of(name, own, meanings[name], floor=floors[name], reference=references[name].value)
        for name, own in scored.items()
    )
