"""The default objective: relativistic pairing with both gradient penalties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.contracts import BoundDiscriminator, Dial, Loss
from ganforge.core.device import widened
from ganforge.core.seeds import Draws
from ganforge.objectives.penalties import score_both


@dataclass(frozen=True, slots=True)
class R3GAN:
    """Each real example is paired with a fake one and the discriminator ranks the two; R1 and R2 at every step.

    D minimises softplus(-(D(x) - D(G(z)))) + gamma/2 (|dD(x)/dx|^2 + |dD(G(z))/dG(z)|^2);
    G minimises softplus(-(D(G(z)) - D(x))).
    Source: Huang, Gokaslan, Kuleshov and Tompkin 2024, "The GAN is dead; long live the GAN!", equations 2 and 5;
    the pairing is Jolicoeur-Martineau 2019.
    """

    generator_reads_real: ClassVar[bool] = True
    couples_examples: ClassVar[bool] = False
    gamma: ClassVar[tuple[float, float] | None] = None

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
    """What the diagnosis reads of a discriminator's turn, each (B,) and without graph."""
    notes = {"score_real": real.detach(), "score_fake": fake.detach(), "ranked_right": (real > fake).float()}
    if slope_real is not None and slope_fake is not None:
        notes |= {"slope_real": slope_real.detach(), "slope_fake": slope_fake.detach()}
    return notes
