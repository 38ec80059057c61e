"""Adversarial objectives on scores before the sigmoid, one loss per example, and supervised losses.

With gamma > 0 each of the first four takes the zero-centred penalties R1 and R2 as well; with gamma = 0 it is the
paper's own loss. Gradient penalties are exact, at every step, one value per example: the discriminator sees real and
fake in ONE pass over 2B examples and is differentiated once with respect to its input. That is allowed because no layer
of a ganforge network couples the examples of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.contracts import BoundDiscriminator, Dial, Loss, Objective, is_on
from ganforge.core.device import SPANS, widened
from ganforge.core.seeds import Draws
from ganforge.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Scores:
    """The discriminator's scores and the squared norms of their gradients, each (B,) in float32."""

    real: Tensor
    fake: Tensor
    slope_real: Tensor | None  # None without penalty
    slope_fake: Tensor | None


def score_both(discriminator: BoundDiscriminator, real: Tensor, fake: Tensor, with_slopes: bool) -> Scores:
    """Score real and fake (B, ...) in one pass, with their squared slopes if requested."""
    both = torch.cat([real, fake])  # (2B, ...)
    if not with_slopes:
        real_score, fake_score = widened(discriminator(both)).chunk(2)
        return Scores(real_score, fake_score, None, None)
    both.requires_grad_()
    score = widened(discriminator(both))  # (2B,)
    slope_real, slope_fake = squared_slope(score, both).chunk(2)
    real_score, fake_score = score.chunk(2)
    return Scores(real_score, fake_score, slope_real, slope_fake)


def squared_slope(score: Tensor, x: Tensor) -> Tensor:
    """Return the squared norm of each score's gradient with respect to its input: the unweighted R1 or R2 penalty.

    Args: score (B,), produced from x; x (B, ...), requires grad.
    Returns: (B,) float32, in score^2 / input^2, with a graph.
    Source: Mescheder, Geiger and Nowozin 2018, equation 9.
    """
    with SPANS["penalty"]:
        (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
        return widened(slope).square().sum(dim=tuple(range(1, slope.dim())))


class Parted(Objective):
    """An objective whose discriminator minimises one loss of real scores and one of fake scores; to be subclassed.

    The part of the real scores alone is what a private discriminator needs (engine/private.py).
    """

    def on_real(self, score: Tensor) -> Tensor:
        """Return the loss (B,) of the scores (B,) of real examples."""
        raise NotImplementedError

    def on_fake(self, score: Tensor) -> Tensor:
        """Return the loss (B,) of the scores (B,) of fake examples."""
        raise NotImplementedError

    def discriminator_loss(
        self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor, gamma: Dial, random: Draws
    ) -> Loss:
        """Return both parts, and the penalties if gamma > 0 (contracts.Objective)."""
        score = score_both(discriminator, real, fake, with_slopes=is_on(gamma))
        terms = {"real": self.on_real(score.real), "fake": self.on_fake(score.fake)}
        if score.slope_real is not None and score.slope_fake is not None:
            terms |= {"r1": 0.5 * gamma * score.slope_real, "r2": 0.5 * gamma * score.slope_fake}
        return Loss(terms, discriminator_notes(score.real, score.fake, score.slope_real, score.slope_fake))


def parted(name: str, objective: Objective) -> Parted:
    """Return an objective that a private discriminator can have. Raises: RecipeError for another one, by its name."""
    if objective.generator_reads_real:
        why = "The loss of its generator reads real examples, which no noise would hide."
    elif objective.couples_examples:
        why = "The loss of one example depends on others, so that its gradient cannot be clipped alone."
    elif not isinstance(objective, Parted):
        why = "Its penalty takes a real and a fake example together."
    else:
        return objective
    raise RecipeError(
        f"The objective {name!r} cannot be private.", why, "Use nonsaturating, minimax, least_squares or hinge."
    )


class Minimax(Parted):
    """The minimax loss: D maximises mean[log D(x) + log(1 - D(G(z)))], G minimises the same second term.

    Source: Goodfellow et al. 2014, equation 1. It saturates: if D rejects every fake, G gets no gradient.
    """

    def on_real(self, score: Tensor) -> Tensor:
        return F.softplus(-score)

    def on_fake(self, score: Tensor) -> Tensor:
        return F.softplus(score)

    def generator_loss(self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor) -> Loss:
        return Loss({"adversarial": -F.softplus(widened(discriminator(fake)))})  # log(1 - sigmoid(s)) = -softplus(s)


class Nonsaturating(Minimax):
    """The minimax loss for D; G maximises mean log D(G(z)). Source: Goodfellow et al. 2014, section 3."""

    def generator_loss(self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor) -> Loss:
        return Loss({"adversarial": F.softplus(-widened(discriminator(fake)))})


class LeastSquares(Parted):
    """Squared distance of scores to 1 on real and 0 on fake. Source: Mao et al. 2017, equation 9 (a = 0, b = c = 1)."""

    def on_real(self, score: Tensor) -> Tensor:
        return 0.5 * (score - 1).square()

    def on_fake(self, score: Tensor) -> Tensor:
        return 0.5 * score.square()

    def generator_loss(self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor) -> Loss:
        return Loss({"adversarial": 0.5 * (widened(discriminator(fake)) - 1).square()})


class Hinge(Parted):
    """Hinge loss of scores with a margin of 1. Source: Lim and Ye 2017; Miyato et al. 2018, equations 16 and 17."""

    def on_real(self, score: Tensor) -> Tensor:
        return F.relu(1 - score)

    def on_fake(self, score: Tensor) -> Tensor:
        return F.relu(1 + score)

    def generator_loss(self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor) -> Loss:
        return Loss({"adversarial": -widened(discriminator(fake))})


class Wasserstein(Objective):
    """The Wasserstein loss; the gradient penalty keeps the slope at 1 between real and fake.

    Here gamma is the penalty's weight (the paper's lambda, 10).
    Source: Gulrajani et al. 2017, equation 3.
    """

    gamma: ClassVar[tuple[float, float] | None] = (10.0, 10.0)  # the paper's lambda, constant

    def discriminator_loss(
        self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor, gamma: Dial, random: Draws
    ) -> Loss:
        score = score_both(discriminator, real, fake, with_slopes=False)
        share = random.uniform(len(real))  # (B,)
        share = share.view(-1, *[1] * (real.dim() - 1))
        between = (real * share + fake * (1 - share)).requires_grad_()
        slope = (squared_slope(widened(discriminator(between)), between) + 1e-12).sqrt()  # sqrt'(0) is infinite
        terms = {"real": -score.real, "fake": score.fake, "gradient_penalty": gamma * (slope - 1).square()}
        return Loss(terms, discriminator_notes(score.real, score.fake))

    def generator_loss(self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor) -> Loss:
        return Loss({"adversarial": -widened(discriminator(fake))})


# ---- r3gan, the default: relativistic pairing with both gradient penalties -------------------------------------------


class R3GAN(Objective):
    """The relativistic loss: D ranks each real example against a paired fake one; R1 and R2 at every step.

    D minimises softplus(-(D(x) - D(G(z)))) + gamma/2 (|dD(x)/dx|^2 + |dD(G(z))/dG(z)|^2);
    G minimises softplus(-(D(G(z)) - D(x))).
    Source: Huang, Gokaslan, Kuleshov and Tompkin 2024, "The GAN is dead; long live the GAN!", equations 2 and 5;
    the pairing is Jolicoeur-Martineau 2019.
    """

    generator_reads_real: ClassVar[bool] = True

    def discriminator_loss(
        self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor, gamma: Dial, random: Draws
    ) -> Loss:
        score = score_both(discriminator, real, fake, with_slopes=True)
        assert score.slope_real is not None and score.slope_fake is not None
        terms = {
            "adversarial": F.softplus(score.fake - score.real),
            "r1": 0.5 * gamma * score.slope_real,
            "r2": 0.5 * gamma * score.slope_fake,
        }
        return Loss(terms, discriminator_notes(score.real, score.fake, score.slope_real, score.slope_fake))

    def generator_loss(self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor) -> Loss:
        with torch.no_grad():
            real_score = widened(discriminator(real))
        return Loss({"adversarial": F.softplus(real_score - widened(discriminator(fake)))})


def discriminator_notes(
    real: Tensor, fake: Tensor, slope_real: Tensor | None = None, slope_fake: Tensor | None = None
) -> dict[str, Tensor]:
    """Return the notes for diagnosis of a discriminator's turn, each (B,) and without graph."""
    notes = {"score_real": real.detach(), "score_fake": fake.detach(), "ranked_right": (real > fake).float()}
    if slope_real is not None and slope_fake is not None:
        notes |= {"slope_real": slope_real.detach(), "slope_fake": slope_fake.detach()}
    return notes


# ---- losses of single-player games -----------------------------------------------------------------------------------


def squared_error(prediction: Tensor, target: Tensor) -> Loss:
    """Return the squared error L = 1/(2m) sum (h(x) - y)^2, as one loss per example: (h(x) - y)^2 / 2.

    Args: prediction, target (B,).
    """
    return Loss({"squared_error": 0.5 * (widened(prediction) - widened(target)).square()})


def softened_error(made: Tensor, truth: Tensor, softness: float) -> Tensor:
    """Return (B,): the mean of sqrt(d^2 + softness^2) - softness, d the difference of values in -1..1.

    An error far below `softness` counts squared, so that its gradient vanishes with it; one far above linearly.
    Source: Charbonnier et al. 1994, "Two deterministic half-quadratic regularization algorithms for computed imaging".
    """
    difference = (widened(made) - widened(truth)).flatten(1)
    return ((difference.square() + softness**2).sqrt() - softness).mean(1)
