"""The alignment of texts with frames: against all alignments counted one by one, and against a planted truth."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import betabinom

from ganforge.contracts import Turn
from ganforge.core.seeds import Draws, generator_for
from ganforge.kinds.sounds.features import LogMel
from ganforge.kinds.sounds.speak.corpus import SentenceFeed, mel_at, to_levels
from ganforge.kinds.sounds.speak.networks import Reader, silence_prior
from ganforge.kinds.sounds.speak.plan import WINDOW, durations_of, loss_of_reader, windows
from ganforge.kinds.sounds.speak.text import Alphabet
from ganforge.networks.convnext import Packed, Stack
from ganforge.objectives.alignment import NEVER, best_durations, diagonal_prior, forward_sum, signs_of_frames

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))

from spoken import RATE, sentences, speak

FRAMES, SIGNS = torch.tensor([6, 7, 4]), torch.tensor([3, 4, 4])


def _scores() -> torch.Tensor:
    """Log probabilities as a classifier gives them: over all signs, of which a text has some, one of them twice."""
    text = torch.tensor([[0, 1, 2, 0], [3, 0, 3, 1], [2, 1, 4, 0]])
    random = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(3, 7, 5, generator=random, dtype=torch.float64).requires_grad_()
    chosen = torch.log_softmax(logits, 2).gather(2, text[:, None].expand(-1, 7, -1))
    return chosen.masked_fill(torch.arange(4) >= SIGNS[:, None, None], NEVER)


def _alignments(frames: int, signs: int) -> list[list[int]]:
    """Return all durations of at least one frame each."""
    cuts = [(0, *cut, frames) for cut in itertools.combinations(range(1, frames), signs - 1)]
    return [[after - before for before, after in itertools.pairwise(cut)] for cut in cuts]


def _summed(scores: torch.Tensor, row: int) -> torch.Tensor:
    n, k = int(FRAMES[row]), int(SIGNS[row])
    paths = [torch.arange(k).repeat_interleave(torch.tensor(lasts)) for lasts in _alignments(n, k)]
    return torch.stack([scores[row, torch.arange(n), path].sum() for path in paths])


def test_the_sum_over_alignments_and_its_gradient_are_those_of_counting_each_one() -> None:
    scores = _scores()
    counted = torch.stack([-_summed(scores, row).logsumexp(0) / FRAMES[row] for row in range(3)])
    found = forward_sum(scores, FRAMES, SIGNS)
    torch.testing.assert_close(found, counted)
    ours, theirs = (torch.autograd.grad(loss.sum(), scores, retain_graph=True)[0] for loss in (found, counted))
    inside = (torch.arange(7)[None, :, None] < FRAMES[:, None, None]) & (torch.arange(4) < SIGNS[:, None, None])
    torch.testing.assert_close(ours[inside], theirs[inside])


def test_the_best_alignment_is_the_best_of_all() -> None:
    scores = _scores().detach()
    durations = best_durations(scores, FRAMES, SIGNS)
    for row in range(3):
        n, k = int(FRAMES[row]), int(SIGNS[row])
        best = _alignments(n, k)[int(_summed(scores, row).argmax())]
        assert durations[row].tolist() == best + [0] * (4 - k)
    which = signs_of_frames(durations, 7)
    assert which[0, :6].tolist() == torch.arange(3).repeat_interleave(durations[0, :3]).tolist()


def test_the_prior_is_the_beta_binomial_distribution() -> None:
    prior = diagonal_prior(FRAMES, SIGNS)
    for row, (n, k) in enumerate(zip(FRAMES.tolist(), SIGNS.tolist(), strict=True)):
        truth = [betabinom.logpmf(np.arange(k), k - 1, frame + 1, n - frame) for frame in range(n)]
        assert np.allclose(prior[row, :n, :k], truth, atol=1e-5)
        assert bool((prior[row, :n, k:] == NEVER).all())


def test_a_space_is_not_at_loud_frames_whatever_the_reader_likes() -> None:
    loud = torch.tensor([[True] * 5 + [False] * 3 + [True] * 4])
    silent, one = torch.tensor([[False, True, False]]), torch.ones(1, dtype=torch.int64)
    likes = torch.tensor([0.0, 5.0, 0.0]).expand(1, 12, 3)  # a space everywhere
    assert best_durations(likes, 12 * one, 3 * one).tolist() == [[1, 10, 1]]
    assert best_durations(likes + silence_prior(loud, silent), 12 * one, 3 * one).tolist() == [[5, 3, 4]]


def test_packed_sentences_are_computed_as_if_each_were_alone() -> None:
    torch.manual_seed(0)
    stack, x = Stack(5, 8, 3, 4), torch.randn(3, 9, 5)
    lengths = torch.tensor([9, 2, 5])
    frames = Packed(lengths)
    together = frames.unpack(stack(frames.pack(x), frames.mask))
    for row, length in enumerate(lengths.tolist()):
        one = Packed(lengths[row : row + 1])
        alone = one.unpack(stack(one.pack(x[row : row + 1, :length]), one.mask))
        torch.testing.assert_close(together[row, :length], alone[0], rtol=1e-5, atol=1e-6)
        assert bool((together[row, length:] == 0).all())
    mean = frames.mean(stack(frames.pack(x), frames.mask)[0, 0])
    torch.testing.assert_close(mean, torch.stack([together[row, : lengths[row], 0].mean() for row in range(3)]))


@pytest.mark.slow
def test_a_reader_finds_the_planted_durations_of_letters_that_are_tones() -> None:
    texts, mel = sentences(60), mel_at(RATE).model_copy(update={"floor": 1e-3})
    spoken = [speak(text, np.random.default_rng(place)) for place, text in enumerate(texts)]
    alphabet, features = Alphabet.of(texts, {}), LogMel(mel)
    levels = [to_levels(features(torch.from_numpy(sound).float()[None])[0].T, mel) for sound, _ in spoken]
    feed = SentenceFeed(levels, [torch.tensor(alphabet.ids(text)) for text in texts])
    torch.manual_seed(0)
    reader = Reader(alphabet, mel.bands, 24)
    steps = torch.optim.Adam(reader.parameters(), 5e-3)
    for _ in range(200):
        steps.zero_grad()
        loss_of_reader(reader, feed.batch(torch.randint(50, (8,)))).terms["reading"].mean().backward()
        steps.step()
    held = feed.batch(torch.arange(50, 60))
    found = durations_of(reader, held, Packed(held["frames"])).cumsum(1)
    ends = [np.cumsum(lasts)[:-1] / mel.hop for _, lasts in spoken[50:]]
    apart = [np.abs(found[row, : len(own)].numpy() - own) for row, own in enumerate(ends)]
    assert np.median(np.concatenate(apart)) < 1.5  # frames; a letter lasts about six


def test_a_discriminator_sees_the_same_window_of_two_versions_and_none_of_other_sentences() -> None:
    lengths = torch.tensor([200, 9, 64])
    frames = Packed(lengths)
    x = torch.arange(200.0)[None, :, None] + 1_000 * torch.arange(1.0, 4)[:, None, None]
    one = frames.pack(x)
    turn = Turn({}, Draws(generator_for(0, "test")))
    real, fake = windows((one, -one), frames, turn)
    assert real.shape == (3, 1, WINDOW) and torch.equal(real, -fake)
    assert torch.equal(real[0, 0].diff(), torch.ones(WINDOW - 1)) and 1_000 <= real[0, 0, 0] <= 1_136
    assert torch.equal(real[1, 0], torch.cat([x[1, :9, 0], torch.zeros(WINDOW - 9)]))
    assert torch.equal(real[2, 0], x[2, :64, 0])
