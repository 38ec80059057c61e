"""Which frame says which sign: learned without being shown, by summing over all monotonic alignments.

A reader says how probable each sign is at each frame. Summed over all alignments that keep the order of a text, that is
what it learns from, and the best of them gives durations. Source: Badlani et al. 2021, "One TTS Alignment To Rule Them
All"; here the scores are a classifier's, not distances to the signs of one sentence, so that it can read by itself.

Shape letters here: B sentences, N frames, L signs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

NEVER = -1e4  # log probability of what is ruled out


def present(counts: Tensor, most: int) -> Tensor:
    """Return (B, most) bool: which places are within each count (B,)."""
    return torch.arange(most, device=counts.device) < counts[:, None]


def diagonal_prior(frames: Tensor, signs: Tensor) -> Tensor:
    """Return log probabilities (B, N, L) of signs at frames: beta-binomial ones around the diagonal.

    Frame n of N has the distribution of a beta-binomial of L - 1 draws with alpha n + 1 and beta N - n. Gamma functions
    of whole numbers are a table, of which a matrix over n + k is a view.
    """
    counts = list(zip(frames.tolist(), signs.tolist(), strict=True))
    table = torch.lgamma(torch.arange(1, sum(map(max, zip(*counts, strict=True))) + 1, device=frames.device))
    prior = torch.full((len(counts), max(n for n, _ in counts), max(k for _, k in counts)), NEVER, device=frames.device)
    for row, (most, longest) in zip(prior, counts, strict=True):
        n, k = torch.arange(most), torch.arange(longest)
        rising = table[: most + longest - 1].unfold(0, longest, 1)  # [n, k]: log (n + k)!
        choose = table[longest - 1] - table[k] - table[longest - 1 - k]
        whole = table[n] + table[most - 1 - n] - table[most]
        row[:most, :longest] = rising + rising.flip(0, 1) + choose - whole[:, None] - table[most + longest - 1]
    return prior


def forward_sum(scores: Tensor, frames: Tensor, signs: Tensor) -> Tensor:
    """Return (B,): minus the log probability, for each frame, of all alignments in which every sign is said in order.

    There is no blank: each frame says a sign (Collobert et al. 2016, "Wav2Letter"). It is computed by torch's CTC loss
    with a blank that cannot be. That assumes probabilities which sum to 1, and so its gradient has one more term, the
    probabilities themselves, which is taken off.
    Args: scores (B, N, L) log probabilities of signs at frames, NEVER beyond `signs`.
    """
    padded = F.pad(scores, (1, 0), value=NEVER).transpose(0, 1)  # (N, B, 1 + L)
    targets = torch.arange(1, scores.shape[2] + 1, device=scores.device).repeat(len(scores), 1)
    lost = F.ctc_loss(padded, targets, frames, signs, blank=0, reduction="none")
    inside = scores.masked_fill(~present(frames, scores.shape[1])[..., None], NEVER)
    extra = inside.exp().sum((1, 2))
    return (lost - extra + extra.detach()) / frames


@torch.no_grad()
def best_durations(scores: Tensor, frames: Tensor, signs: Tensor) -> Tensor:
    """Return the frames (B, L) of each sign in the most probable alignment; each has at least one (Kim et al. 2020).

    Args: frames (B,) at least as many as signs (B,) of each sentence.
    """
    count, most, longest = scores.shape
    best = scores.new_full((count, longest), NEVER * most)
    best[:, 0] = scores[:, 0, 0]
    came = torch.zeros(most, count, longest, dtype=torch.bool, device=scores.device)  # from the sign before
    for n in range(1, most):
        before = F.pad(best[:, :-1], (1, 0), value=NEVER * most)
        came[n] = before > best
        best = torch.maximum(before, best) + scores[:, n]
    place = signs - 1
    durations = torch.zeros(count, longest, dtype=torch.int64, device=scores.device)
    one = torch.ones(count, 1, dtype=torch.int64, device=scores.device)
    for n in range(most - 1, -1, -1):
        inside = n < frames
        durations.scatter_add_(1, place[:, None], one * inside[:, None])
        stepped = came[n].gather(1, place[:, None])[:, 0] & inside & (place > 0)
        place = place - stepped.long()
    return durations


def signs_of_frames(durations: Tensor, most: int) -> Tensor:
    """Return which sign (B, N) each frame belongs to. Args: durations (B, L); most frames of a sentence."""
    ends = durations.cumsum(1)
    frames = torch.arange(most, device=durations.device).repeat(len(durations), 1)
    return torch.searchsorted(ends, frames, right=True).clamp(max=durations.shape[1] - 1)
