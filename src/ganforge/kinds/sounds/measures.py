"""How near a made waveform is to the true one, and whether it is over-smoothed. No network, no reference data.

PESQ, STOI and DNSMOS, which need packages of their own, are in benchmarks/vocoder.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for
from ganforge.kinds.sounds.features import LogMel, cosines, stft
from ganforge.measures.intervals import Estimate, certainly_lower, mean_by_bootstrap
from ganforge.records import Meaning

WINDOWS = (128, 256, 512, 1024)  # samples at 8 kHz
LEAST = 1e-2  # magnitude below which a difference of logarithms is not counted, of waveforms with a peak of 1
ORDER = 13  # cepstral coefficients
NEIGHBOURS = 5  # frequencies of a median
LOUD = 35.0  # dB below the loudest frame: quieter ones are not judged
WORSE = 1.03  # of the spectral distance, from which a sharp end is further off
Samples = NDArray[np.float32]
Values = Mapping[str, NDArray[np.float64]]  # a measure of each sound, by its name
MEANINGS = {
    "spectral_distance": Meaning("lower", "How far log spectra are from the true ones, at four resolutions."),
    "cepstral_distance": Meaning("lower", "How far the shape of spectra is from the true one, in dB."),
    "fine_structure": Meaning("lower", "How far the roughness of spectra is from the true one, such as by smoothing."),
}


class Scores:
    """The measures of made sounds, one value for each sound."""

    def __init__(self, features: LogMel) -> None:
        self.features = features
        self.grown = max(1, features.mel.n_fft // 256)
        self.dct = cosines(features.mel.bands, ORDER + 1)[1:]  # without the coefficient of the level

    def of(self, truth: Sequence[Samples], made: Sequence[Samples]) -> dict[str, NDArray[np.float64]]:
        """Return measures -> (N,). Args: waveforms (T,) of equal lengths in pairs."""
        rows = [self._one(torch.from_numpy(a), torch.from_numpy(b)) for a, b in zip(truth, made, strict=True)]
        return {name: np.array([row[name] for row in rows]) for name in MEANINGS}

    def _one(self, truth: torch.Tensor, made: torch.Tensor) -> dict[str, float]:
        peak = truth.abs().max().clamp(min=1e-4)
        truth, made = (truth / peak)[None], (made / peak)[None]
        apart = []
        for window in WINDOWS:
            size = window * self.grown
            ours, theirs = (_logarithms(x, size) for x in (made, truth))
            apart.append(float((ours - theirs).abs().mean()))
            if window == 512:
                rough = float((_roughness(ours) / _roughness(theirs)).log().abs())
        ours, theirs = (self.features(x)[0] for x in (made, truth))
        level = theirs.logsumexp(0)
        loud = level > level.max() - LOUD * math.log(10) / 20
        bent = (self.dct @ (ours - theirs))[:, loud]
        cepstral = float(10 * math.sqrt(2) / math.log(10) * bent.square().sum(0).sqrt().mean())
        return {"spectral_distance": float(np.mean(apart)), "cepstral_distance": cepstral, "fine_structure": rough}


def estimates(values: Values, purpose: str = "sounds/bootstrap") -> dict[str, Estimate]:
    """Return the mean of each measure over sounds, with a bootstrap interval. Args: purpose of its random numbers."""
    seed = seed_for(0, purpose)
    return {name: mean_by_bootstrap(own, np.random.default_rng(seed)) for name, own in values.items()}


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
