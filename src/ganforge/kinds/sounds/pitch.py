"""The pitch of voices, by the normalised cross-correlation of a frame with itself a period later."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LOWEST, HIGHEST = 60.0, 420.0  # Hz
FIRST = 0.88  # of the highest peak: the first peak that has so much is the period, not a multiple of it
SPAN = 0.025  # seconds that are compared with those a period later
MEDIAN = 5  # frames whose median is taken
TOP = 1000.0  # Hz above which nothing is heard of a pitch
AT_ONCE = 4096  # frames


def pitch_of(waveform: Tensor, rate: int, hop: int, lowest: float = LOWEST, highest: float = HIGHEST) -> Tensor:
    """Return pitch in Hz and periodicity from 0 to 1, (2, N), in frames around every `hop`-th sample of (T,).

    The pitch of a frame that has none is whatever fits best. Source: Talkin 1995, "A robust algorithm for pitch
    tracking", its first stage.
    """
    spread = round(rate / TOP / 2)
    if spread > 1:
        kernel = torch.hann_window(2 * spread + 1, periodic=False, device=waveform.device)
        waveform = F.conv1d(waveform[None, None], (kernel / kernel.sum())[None, None], padding=spread)[0, 0]
    span, first, last = round(SPAN * rate), math.floor(rate / highest), math.ceil(rate / lowest)
    whole = span + last
    padded = F.pad(waveform, (whole // 2, whole))
    count = 1 + len(waveform) // hop
    frames = padded.unfold(0, whole, hop)[:count]
    found = torch.cat([_periods(part, span, first, last) for part in torch.split(frames, AT_ONCE)], 1)
    middle = F.pad(found[None], (MEDIAN // 2, MEDIAN // 2), mode="replicate")[0].unfold(1, MEDIAN, 1).median(-1).values
    return torch.stack([rate / middle[0], middle[1]])


def _periods(frames: Tensor, span: int, first: int, last: int) -> Tensor:
    """Return the period in samples and its correlation, (2, N), of frames (N, span + last)."""
    frames = frames - frames.mean(1, keepdim=True)
    size = 2 ** math.ceil(math.log2(span + last))
    spectrum = torch.fft.rfft(frames[:, :span], size).conj() * torch.fft.rfft(frames, size)
    products = torch.fft.irfft(spectrum, size)[:, : last + 1]
    energy = F.pad(frames.square().cumsum(1), (1, 0))
    energy = energy[:, span : span + last + 1] - energy[:, : last + 1]
    alike = products / (energy[:, :1] * energy + 1e-9).sqrt()
    before, here, after = alike[:, first - 1 : last - 1], alike[:, first:last], alike[:, first + 1 : last + 1]
    peaks = torch.where((here >= before) & (here >= after), here, here.new_tensor(-1.0))
    best = peaks.amax(1, keepdim=True)
    place = (peaks >= FIRST * best.clamp(min=0)).int().argmax(1, keepdim=True)
    left, middle, right = (x.gather(1, place)[:, 0] for x in (before, here, after))
    bend = left - 2 * middle + right
    shift = torch.where(bend < -1e-9, 0.5 * (left - right) / bend, torch.zeros_like(bend)).clamp(-0.5, 0.5)
    return torch.stack([first + place[:, 0] + shift, middle.clamp(0, 1)])
