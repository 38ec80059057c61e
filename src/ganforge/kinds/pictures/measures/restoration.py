"""The evaluation of restoration: baselines without a network, and the verdict on both ends of the dial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import convolve, median_filter
from skimage.restoration import denoise_nl_means, inpaint_biharmonic

from ganforge.measures.intervals import Estimate
from ganforge.measures.neighbours import FEWEST_COMPARED
from ganforge.measures.verdict import FEW
from ganforge.records import Grade, Verdict

Pixels: TypeAlias = NDArray[np.uint8]
Baseline: TypeAlias = Callable[[Pixels, Pixels], Pixels]
"""given uint8 (C, H, W), truth uint8 (C, fH, fW) -> restored uint8 (C, fH, fW). Only `biharmonic` looks at the
truth, and there only at where the damage is."""
MEDIAN = 3  # pixels of the median filter's side
SMALL_GAIN, LARGE_GAIN = 0.5, 2.0  # decibels over the best baseline: below it fair, from it on excellent
FAITHFUL, SHARP = "this model, faithful", "this model, sharp"


def bicubic(given: Pixels, truth: Pixels) -> Pixels:
    """Resize bicubically to the truth's size, if it differs."""
    height, width = truth.shape[1:]
    if given.shape[1:] == (height, width):
        return given
    size, how = (width, height), Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(band).resize(size, how)) for band in given])


def median(given: Pixels, truth: Pixels) -> Pixels:
    """Apply a 3 x 3 median filter, then enlarge."""
    return bicubic(median_filter(given, size=(1, MEDIAN, MEDIAN)), truth)


def non_local_means(given: Pixels, truth: Pixels) -> Pixels:
    """Apply non-local means (Buades et al. 2005) with the noise level estimated from the picture, then enlarge."""
    picture = np.moveaxis(given, 0, -1).astype(np.float32) / 255
    sigma = noise_deviation(picture)
    settings = {"h": 0.8 * sigma, "sigma": sigma, "patch_size": 5, "patch_distance": 6}  # as scikit-image advises
    done = denoise_nl_means(picture, fast_mode=True, channel_axis=-1, **settings) if sigma > 0 else picture
    return bicubic(np.moveaxis(_levels(done).reshape(picture.shape), -1, 0), truth)  # grey loses its channel


def noise_deviation(picture: NDArray[np.floating]) -> float:
    """Estimate the standard deviation of white noise in a picture (H, W, C), in its unit, by a slope-blind filter.
    Source: Immerkaer 1996, "Fast noise variance estimation"."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])[:, :, None]
    return float(np.sqrt(np.pi / 2) * np.abs(convolve(picture, mask)).mean() / 6)


def biharmonic(given: Pixels, truth: Pixels) -> Pixels:
    """Fill holes with the smoothest surface that meets their border (biharmonic equation, Damelin and Hoang 2018)."""
    mask = (given != truth).any(0)
    if not mask.any():
        return given
    return np.moveaxis(_levels(inpaint_biharmonic(np.moveaxis(given, 0, -1) / 255, mask, channel_axis=-1)), -1, 0)


def _levels(picture: NDArray[np.floating]) -> Pixels:
    levels: Pixels = np.rint(255 * picture).clip(0, 255).astype(np.uint8)
    return levels


def baselines(damage: Sequence[str]) -> dict[str, tuple[str, Baseline]]:
    """Return the baselines without a network: name -> (sentence, function). The first one is the reference.

    Args: damage the names of the steps, as of kinds/pictures/enhance/degradation.py.
    """
    enlarging = "downscale" in damage
    nothing = ("bicubic", "The input enlarged.") if enlarging else ("the input", "Nothing is done.")
    ways: dict[str, tuple[str, Baseline]] = {nothing[0]: (nothing[1], bicubic)}
    if "noise" in damage:
        means = {
            "non-local means": ("Each pixel the mean of those whose surroundings look alike.", non_local_means),
            "median": (f"Each pixel the median of its {MEDIAN} x {MEDIAN} surroundings.", median),
        }
        ways = {**ways, **means} if enlarging else {**means, **ways}
    if tuple(damage) == ("hole",):
        ways = {"biharmonic": ("The smoothest surface that meets the hole's border.", biharmonic), **ways}
    return ways


def judge_restoration(
    ends: Mapping[str, Mapping[str, Estimate]],
    rivals: Mapping[str, Mapping[str, float]],
    ahead: Mapping[str, Estimate],
    gain: Estimate,
    compared: int = FEW,
) -> Verdict:
    """Return the verdict in words.

    Args: ends faithful and sharp -> psnr, ssim, kid; rivals name -> the same, the reference first; ahead how many
        decibels the faithful end gains on each rival, picture by picture; gain the faithful end's kid less the sharp
        end's (kernel.kernel_gain); compared how many unseen tiles there are: of fewer than FEWEST_COMPARED an interval
        says too little.
    Returns: adversarial_helps: whether the whole interval of the gain lies above 0.
    """
    faithful, sharp = ends[FAITHFUL], ends[SHARP]
    best = max(rivals, key=lambda name: rivals[name]["psnr"])
    more = ahead[best]
    grade: Grade
    if more.value <= 0:
        grade = "failed"
        headline = f"Failed: {best}, which is no network, comes nearer to the truth: use it here."
    elif more.low <= 0 or compared < FEWEST_COMPARED:
        grade = "fair"
        headline = f"Fair: nearer to the truth than {best}, but with so few pictures not for certain."
    else:
        grade = "fair" if more.value < SMALL_GAIN else "good" if more.value < LARGE_GAIN else "excellent"
        headline = (
            f"{grade.capitalize()}: nearer to the truth than {best}, the best of the plain ways, by "
            f"{more.value:.2f} dB ({more.low:.2f} to {more.high:.2f})."
        )
    told = ", ".join(f"{name} {measures['psnr']:.2f}" for name, measures in rivals.items())
    sentences: tuple[str, ...] = (
        f"The faithful end comes within {faithful['psnr'].value:.2f} dB of the truth ({faithful['psnr'].low:.2f} to "
        f"{faithful['psnr'].high:.2f}; higher is better), the sharp end {sharp['psnr'].value:.2f}; {told}.",
        f"The structural similarity is {faithful['ssim'].value:.3f}, of the sharp end {sharp['ssim'].value:.3f}.",
        f"The distance of small patches to real ones is {faithful['kid'].value:.3g} for the faithful end and "
        f"{sharp['kid'].value:.3g} for the sharp one: {_worth(gain)}",
    )
    if compared < FEWEST_COMPARED:
        sentences += (f"Only {compared} unseen parts of pictures could be compared, whose intervals are too narrow.",)
    return Verdict(grade, headline, sentences, adversarial_helps=gain.low > 0)


def _worth(gain: Estimate) -> str:
    if gain.low > 0:
        return "the adversarial part makes them look more real."
    if gain.value > 0:
        return "better, but not for certain."
    return "the adversarial part does not help here; turn the dial to faithful."
