"""The mixture of Gaussians that new sounds begin with, and the refiner after it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ganforge.api.request import request_of, task_for
from ganforge.core.seeds import Draws, generator_for
from ganforge.engine.feed import ArrayFeed
from ganforge.kinds.sounds.generate.mixture import (
    OWN,
    PICK,
    STRETCH,
    WHOLE,
    Mixture,
    Refiner,
    RefinerPair,
    _stretched,
    sorts_for,
)
from ganforge.kinds.sounds.generate.plan import _moved

SHAPE = (1, 16, 16)
DRAWN = 4_000


def _levels(means: list[float], each: int, spread: float = 8.0) -> np.ndarray:
    """Spectrograms of one level each, with a common noise: (len(means) * each, 1, 16, 16)."""
    random = np.random.default_rng(0)
    level = np.repeat(means, each)[:, None] + random.normal(0, spread, (len(means) * each, 1))
    return np.clip(np.rint(level[:, :, None, None] + np.zeros(SHAPE)), 0, 255).astype(np.uint8)


def _drawn(mixture: Mixture, label: int) -> torch.Tensor:
    latent = torch.randn(DRAWN, PICK + OWN + len(mixture.shared), generator=torch.Generator().manual_seed(1))
    made: torch.Tensor = mixture(latent, torch.full((DRAWN,), label))
    return made


def _add(refiner: Refiner, value: float) -> None:
    assert refiner.add.bias is not None
    torch.nn.init.constant_(refiner.add.bias, value)


def test_each_label_gets_its_own_sorts_with_their_mean_spread_and_share() -> None:
    levels = np.concatenate([_levels([40], 80), _levels([100, 200], 40), _levels([200], 40)])
    labels = np.repeat([0, 0, 1, 1, 1], 40)  # of label 1 two thirds are loud
    mixture = Mixture(SHAPE, int(sorts_for(np.bincount(labels)).sum()), 8)
    mixture.fit(ArrayFeed(levels, labels))
    quiet, both = (_drawn(mixture, label).mean((1, 2, 3)) * 127.5 + 127.5 for label in (0, 1))
    assert float(quiet.mean()) == pytest.approx(float(levels[:80].mean()), abs=1.0)
    assert float(quiet.std()) == pytest.approx(float(levels[:80, 0, 0, 0].std()), rel=0.25)
    assert float((both > 150).float().mean()) == pytest.approx(2 / 3, abs=4 * (2 / 9 / DRAWN) ** 0.5)
    between = ((both > 132) & (both < 168)).float().mean()
    assert float(between) < 0.01  # one Gaussian of the label has a fifth of its draws there


def test_sorts_are_many_where_sounds_are_few_and_no_more_than_a_model_can_hold() -> None:
    assert sorts_for(np.array([40, 247, 64, 63, 3, 2, 0])).tolist() == [40, 12, 6, 63, 3, 1, 1]
    assert sorts_for(np.full(100, 10)).sum() == 1_000
    assert sorts_for(np.full(1_000, 10)).sum() == 1_000


def test_few_sounds_are_mixed_with_their_nearest_and_become_longer_and_shorter() -> None:
    levels = np.zeros((16, 1, 16, 64), np.uint8)
    levels[:8, ..., :16], levels[8:, ..., :16] = _levels([60], 8, 2.0), _levels([200], 8, 2.0)
    mixture = Mixture((1, 16, 64), 16, 15)
    mixture.fit(ArrayFeed(levels))
    latent = torch.randn(DRAWN, PICK + OWN + 15, generator=torch.Generator().manual_seed(1))
    made = mixture(latent)[:, 0, 0] * 127.5 + 127.5  # (DRAWN, frames)
    between, whole = 70**2, 70**2 * 16 / 15  # variances: of the sorts' means, and of the label
    assert float(made[:, 0].mean()) == pytest.approx(130, abs=4 * (6_000 / DRAWN) ** 0.5)
    assert float(made[:, 0].var()) == pytest.approx(between + WHOLE * whole, rel=0.1)
    made = made[made[:, 0] > 30]
    length = torch.log((made > made[:, :1] / 2).sum(1) / 16.0)
    assert float(length.median()) == pytest.approx(0.0, abs=0.1)  # of 16 frames one is .06
    assert float(length.std()) == pytest.approx(STRETCH, rel=0.15)


def test_many_sounds_are_not_stretched() -> None:
    x = torch.rand(2, 1, 4, 8)
    assert torch.equal(_stretched(x, torch.ones(2)), x)
    torch.testing.assert_close(_stretched(x, torch.full((2,), 2.0))[..., ::2], x[..., :4])
    assert torch.equal(_stretched(x, torch.full((2,), 0.5))[..., :4], x[..., ::2])
    assert bool((_stretched(x, torch.full((2,), 0.5))[..., 4:] == -1).all())
    mixture = Mixture(SHAPE, 6, 8)
    mixture.fit(ArrayFeed(_levels([40, 200], 32)))
    assert not mixture.stretch.any()


@pytest.mark.parametrize("counts", [[1, 30], [3] * 1_000, [2, 2]])
def test_labels_of_few_sounds_and_very_many_labels_draw_what_is_theirs(counts: list[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    levels = np.broadcast_to((labels % 250)[:, None, None, None], (len(labels), *SHAPE)).astype(np.uint8)
    mixture = Mixture(SHAPE, int(sorts_for(np.bincount(labels)).sum()), min(20, len(levels) - 1))
    mixture.fit(ArrayFeed(levels, labels))
    for label in {0, len(counts) // 2, len(counts) - 1}:
        made = _drawn(mixture, label)[..., 0] * 127.5 + 127.5  # what is made shorter ends before the last frame
        torch.testing.assert_close(made, torch.full_like(made, label % 250), rtol=0, atol=0.6)


def test_an_untrained_refiner_draws_its_mixture_and_its_strength_leaves_out_what_it_adds() -> None:
    refiner = RefinerPair(shape=SHAPE, latent_size=PICK + OWN + 8, width=8, sorts=40).generator()
    assert isinstance(refiner, Refiner)
    refiner.mixture.fit(ArrayFeed(_levels([60, 180], 20)))
    latent = torch.randn(16, PICK + OWN + 8)
    drawn = refiner.mixture(latent)
    torch.testing.assert_close(refiner(latent), drawn.clamp(-1, 1))
    _add(refiner, 0.25)
    torch.testing.assert_close(refiner(latent), (drawn + 0.25).clamp(-1, 1))
    refiner.strength.fill_(0.0)
    torch.testing.assert_close(refiner(latent), drawn.clamp(-1, 1))


def test_the_discriminator_sees_real_and_made_moved_alike_and_silence_follows() -> None:
    assert _moved(0) is None
    view = _moved(3)
    assert view is not None
    moved = view({}, 50, Draws(generator_for(0, "test")))
    x = torch.linspace(0, 1, 16).expand(50, *SHAPE).contiguous()
    real, made = moved(torch.cat([x, x])).chunk(2)
    assert torch.equal(real, made)
    steps = {int((one[0, 0] == -1).sum()) * (1 if one[0, 0, 0] == -1 else -1) for one in real}
    assert steps == {-3, -2, -1, 0, 1, 2, 3}
    assert all(set(one[one != -1].tolist()) <= set(x[0].flatten().tolist()) for one in real)


def test_a_refiner_that_leads_away_from_real_sounds_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "notes").mkdir()
    for number in range(60):
        tone = 0.3 * np.sin(2 * np.pi * 220 * 2 ** (number / 24) * np.arange(1_200) / 8_000)
        soundfile.write(tmp_path / "notes" / f"{number}.wav", tone, 8_000)
    request = request_of(tmp_path / "notes", {"examples": 64, "size": "tiny"})
    job = task_for(request).plan(request, lambda *event, **content: None)
    product = job.game().product_player.network
    assert isinstance(product, Refiner)
    _add(product, 0.5)
    assert float(job.finish(product).strength) == 0.0  # type: ignore[arg-type]
