"""Made waveforms beside true ones: how near they are, which end of a network is used, and what a page shows and plays.

No network judges, and there is no reference data. PESQ, STOI and DNSMOS, which need packages of their own, are in
benchmarks/vocoder.py.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from ganforge.contracts import Tell
from ganforge.core.files import write_through, write_whole
from ganforge.kinds.sounds.features import LogMel, cosines, stft
from ganforge.kinds.sounds.reading import Samples
from ganforge.kinds.sounds.sound_file import write_flac
from ganforge.measures.intervals import (
    Estimate,
    beside_others,
    certainly_lower,
    means_by_bootstrap,
    rival,
    values_of,
    with_ends,
)
from ganforge.networks.ends import SHARP, BothEnds, ends_of
from ganforge.records import Block, Figure, Meaning, Sound
from ganforge.run import Run

WINDOWS = (128, 256, 512, 1024)  # samples at 8 kHz
LEAST = 1e-2  # magnitude below which a difference of logarithms is not counted, of waveforms with a peak of 1
ORDER = 13  # cepstral coefficients
NEIGHBOURS = 5  # frequencies of a median
LOUD = 35.0  # dB below the loudest frame: quieter ones are not judged
WORSE = 1.03  # of the spectral distance, from which a sharp end is further off
Values = Mapping[str, NDArray[np.float64]]  # a measure of each sound, by its name
MEANINGS = {
    "spectral_distance": Meaning("lower", "How far log spectra are from the true ones, at four resolutions."),
    "cepstral_distance": Meaning("lower", "How far the shape of spectra is from the true one, in dB."),
    "fine_structure": Meaning("lower", "How far the roughness of spectra is from the true one, such as by smoothing."),
}
BOOTSTRAP = "sounds/bootstrap"
SHOWN = 3  # sounds of a look
ADVERSARY = {  # whether the sharp end is used -> what a verdict says of it
    True: "The adversary makes spectra less smooth at hardly a price, so the sharp end is used.",
    False: "The adversary makes it not certainly better: the end without it is used, and --strength 1 is sharp.",
}
BESIDE = "The same measures for methods without an adversary, or without a network."
Make = Callable[[nn.Module], list[Samples]]
"""A network -> what it makes of the sounds in question."""


def scores_of(truth: Sequence[Samples], made: Sequence[Samples], features: LogMel) -> Values:
    """Return the measures of made sounds. Args: truth, made waveforms (T,) of equal lengths in pairs."""
    rows = [_scores(torch.from_numpy(a), torch.from_numpy(b), features) for a, b in zip(truth, made, strict=True)]
    return {name: np.array([row[name] for row in rows]) for name in MEANINGS}


def _scores(truth: torch.Tensor, made: torch.Tensor, features: LogMel) -> dict[str, float]:
    peak, apart = truth.abs().max().clamp(min=1e-4), []
    truth, made = (truth / peak)[None], (made / peak)[None]
    for window in WINDOWS:
        size = window * max(1, features.mel.n_fft // 256)
        ours, theirs = (_logarithms(x, size) for x in (made, truth))
        apart.append(float((ours - theirs).abs().mean()))
        if window == 512:
            rough = float((_roughness(ours) / _roughness(theirs)).log().abs())
    ours, theirs = (features(x)[0] for x in (made, truth))
    level = theirs.logsumexp(0)
    loud = level > level.max() - LOUD * math.log(10) / 20
    dct = cosines(features.mel.bands, ORDER + 1)[1:]  # without the coefficient of the level
    bent = (dct @ (ours - theirs))[:, loud]
    cepstral = float(10 * math.sqrt(2) / math.log(10) * bent.square().sum(0).sqrt().mean())
    return {"spectral_distance": float(np.mean(apart)), "cepstral_distance": cepstral, "fine_structure": rough}


def prefers_sharp(faithful: Values, sharp: Values) -> bool:
    """Return whether the sharp end is certainly less smooth, and hardly further from the truth."""
    far = sharp["spectral_distance"].mean() > WORSE * faithful["spectral_distance"].mean()
    return not far and certainly_lower(sharp["fine_structure"], faithful["fine_structure"])


def _logarithms(x: torch.Tensor, size: int) -> torch.Tensor:
    return stft(x, size, size // 4, torch.hann_window(size)).abs().clamp(min=LEAST)[0].log()


def _roughness(logarithms: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation of log spectra (K, N) around a running median over frequencies."""
    middle = logarithms.unfold(0, NEIGHBOURS, 1).median(-1).values
    half = NEIGHBOURS // 2
    return (logarithms[half:-half] - middle).std().clamp(min=1e-6)


# ---- both ends, and the page -----------------------------------------------------------------------------------------


def look_at(
    path: Path, truth: Sequence[Samples], product: nn.Module, make: Make, features: LogMel, tell: Tell
) -> Mapping[str, float]:
    """Draw spectrograms of sounds beside those of what each end makes of them, and return how far that is from them."""
    made = {name: make(end) for name, end in ends_of(product).items()}
    rows = [[x, *(own[row] for own in made.values())] for row, x in enumerate(truth[:SHOWN])]
    write_whole(path, picture_of(rows, features))
    tell("sampled", path=str(path))
    found = {name: means_by_bootstrap(scores_of(truth, own, features), BOOTSTRAP) for name, own in made.items()}
    name, marks = "spectral_distance", {SHARP: "sharp_"}
    return with_ends({marks.get(end, "") + name: own[name] for end, own in found.items()})


def choose_end(product: nn.Module, truth: Sequence[Samples], make: Make, features: LogMel) -> nn.Module:
    """Choose the end that `apply` uses: the sharp one where it is certainly less smooth and not further off."""
    if isinstance(product, BothEnds) and product.strength is not None:
        faithful, sharp = (scores_of(truth, make(end), features) for end in (product.faithful, product.sharp))
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


def rivals(
    scored: Mapping[str, Mapping[str, Estimate]],
    sentences: Mapping[str, str],
    meanings: Mapping[str, Meaning],
    lead: str = BESIDE,
) -> tuple[list[dict[str, Any]], Block]:
    """Return methods as evaluation.json stores them, and the block of a page. Args: scored measures of each method."""
    told = [rival(name, sentences[name], values_of(own)) for name, own in scored.items()]
    return told, beside_others(lead, told, {name: name.replace("_", " ") for name in meanings})


# ---- spectrograms as pictures ----------------------------------------------------------------------------------------

RANGE = 9.0  # of the natural logarithm, below the loudest cell: about 80 dB
WIDTH, HEIGHT, GAP = 260, 120, 6  # pixels of one spectrogram, and between two


@torch.no_grad()
def picture_of(rows: Sequence[Sequence[NDArray[np.float32]]], features: LogMel) -> bytes:
    """Draw log-mel spectrograms as PNG. Args: rows of waveforms (T,), each row scaled by the loudest of its first."""
    colours = matplotlib.colormaps["magma"]
    high, wide = len(rows) * (HEIGHT + GAP) - GAP, max(len(row) for row in rows) * (WIDTH + GAP) - GAP
    picture = np.full((high, wide, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        top: float | None = None
        for x, samples in enumerate(row):
            log_mel = features(torch.from_numpy(samples)[None])[0].numpy()
            top = float(log_mel.max()) if top is None else top
            levels = np.clip(1 + (log_mel[::-1] - top) / RANGE, 0, 1)
            tile = Image.fromarray((colours(levels)[..., :3] * 255).astype(np.uint8)).resize((WIDTH, HEIGHT))
            picture[y * (HEIGHT + GAP) :, x * (WIDTH + GAP) :][:HEIGHT, :WIDTH] = np.asarray(tile)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return file.getvalue()


def grid_of_levels(levels: NDArray[np.uint8]) -> bytes:
    """Draw spectrograms as levels (n, M, N) in a grid, as PNG."""
    columns = int(np.ceil(np.sqrt(len(levels))))
    coloured = (matplotlib.colormaps["magma"](levels[:, ::-1])[..., :3] * 255).astype(np.uint8)
    count, high, wide, _ = coloured.shape
    picture = np.full((-(-count // columns) * (high + 2) - 2, columns * (wide + 2) - 2, 3), 255, np.uint8)
    for place, tile in enumerate(coloured):
        y, x = place // columns * (high + 2), place % columns * (wide + 2)
        picture[y : y + high, x : x + wide] = tile
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return file.getvalue()
