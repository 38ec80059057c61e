"""What is said of a translation: that it is worse than no translation, better, or perhaps better."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganforge.kinds.pictures.measures.translation import (
    ALONE,
    COPYING,
    NEAREST,
    RECOLOURED,
    UNKNOWN,
    gains,
    recoloured,
    verdict,
)
from ganforge.measures.intervals import Estimate


def near(value: float, half: float = 0.01) -> Estimate:
    return Estimate(value, value - half, value + half)


def of_pairs(over_copying: Estimate, over_nearest: Estimate, kid: float = 0.1, adversarial: bool = True) -> Any:
    mine = {"psnr": near(20), "ssim": near(0.6), "kid": near(kid)}
    rival = {"psnr": near(18), "ssim": near(0.5), "kid": near(0.5)}
    ahead = {
        COPYING: {"psnr": over_copying, "ssim": over_copying},
        NEAREST: {"psnr": over_nearest, "ssim": over_nearest},
    }
    closer = {COPYING: near(0.5 - kid), NEAREST: near(-0.1)}
    return verdict(mine, {COPYING: rival, NEAREST: rival}, ahead, closer, adversarial)


def of_crowds(over_copying: Estimate, kept: float, over_recolouring: Estimate | None = None) -> Any:
    copied = {"kid": near(0.5), "kept": near(1.0)}
    closer = {COPYING: over_copying, RECOLOURED: over_recolouring or over_copying}
    mine = {"kid": near(0.5 - over_copying.value), "kept": near(kept)}
    return verdict(mine, {COPYING: copied, RECOLOURED: copied}, {}, closer, True)


def test_a_result_that_copying_beats_has_failed_and_says_so() -> None:
    said = of_pairs(near(-0.1), near(1.0))
    assert said.grade == "failed"
    assert said.headline.startswith("Failed: copying the input is nearer to the truth")


def test_a_result_that_the_nearest_pair_beats_is_fair() -> None:
    said = of_pairs(near(1.0), near(-0.1))
    assert said.grade == "fair"
    assert "the nearest training pair is nearer still" in said.headline


def test_only_what_is_certain_is_good() -> None:
    assert of_pairs(near(1.0), near(1.0)).grade == "good"
    unsure = of_pairs(near(1.0), near(0.05, half=0.1))
    assert unsure.grade == "fair"
    assert "not certain" in unsure.headline
    assert of_pairs(near(1.0), near(1.0), kid=0.7).grade == "fair"


def test_of_pairs_nobody_claims_that_the_adversarial_part_helped() -> None:
    said = of_pairs(near(1.0), near(1.0))
    assert said.adversarial_helps is None
    assert said.sentences[-1] == UNKNOWN
    assert of_pairs(near(1.0), near(1.0), adversarial=False).sentences[-1] == ALONE


def test_without_pairs_results_that_are_no_more_like_the_other_kind_have_failed() -> None:
    said = of_crowds(near(-0.1), kept=0.9)
    assert (said.grade, said.adversarial_helps) == ("failed", False)
    assert "Copy the inputs instead." in said.headline


def test_without_pairs_a_lost_subject_is_poor_and_chance_is_no_help() -> None:
    assert of_crowds(near(0.4), kept=0.05).grade == "poor"
    assert (of_crowds(near(0.4), 0.6).grade, of_crowds(near(0.4), 0.6).adversarial_helps) == ("good", True)
    perhaps = of_crowds(near(0.05, half=0.2), 0.6)
    assert (perhaps.grade, perhaps.adversarial_helps) == ("fair", False)


def test_without_pairs_what_recolouring_does_as_well_is_no_more_than_fair() -> None:
    said = of_crowds(near(0.4), 0.6, over_recolouring=near(-0.1))
    assert (said.grade, said.adversarial_helps) == ("fair", True)
    assert "merely recoloured" in said.headline
    assert of_crowds(near(0.4), 0.6, over_recolouring=near(0.005)).grade == "fair"


def test_recolouring_finds_a_shift_and_a_scale_of_each_channel() -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(60, 120, (40, 3, 8, 8), np.uint8)
    scale, shift = np.array([1.5, 0.5, 1.0])[None, :, None, None], np.array([10, 40, -20])[None, :, None, None]
    wanted = np.rint(pictures * scale + shift).astype(np.uint8)
    found = recoloured(pictures[:5], pictures, wanted)
    assert np.abs(found.astype(int) - wanted[:5]).max() <= 1
    grey = recoloured(np.full((1, 1, 8, 8), 50, np.uint8), np.full((3, 1, 8, 8), 50, np.uint8), pictures[:, :1])
    assert abs(float(grey.mean()) - float(pictures[:, 0].mean())) < 1


def test_gains_are_taken_picture_by_picture() -> None:
    """Pictures of very different difficulty: the same gain in each is certain, however far their scores spread."""
    random = np.random.default_rng(0)
    truth = random.integers(60, 190, (12, 3, 16, 16), np.uint8)
    errors = np.arange(2, 26, 2)[:, None, None, None] * random.choice([-1, 1], truth.shape)
    made, rival = ((truth + scale * errors).astype(np.uint8) for scale in (1, 2))
    found = gains(truth, made, rival)["psnr"]
    assert abs(found.value - 20 * np.log10(2)) < 1e-9
    assert found.high - found.low < 1e-9
