"""The plan and the game of a rewriter: it repairs disturbed lines, then answers a discriminator of styles.

From the beginning the rewriter repairs lines of each style, from which above all what marks the style is missing, so
that it learns to add it. Later it also rewrites lines in other styles: a discriminator of K styles and one class for
what is rewritten (Dai et al. 2019, "Style Transformer") must take them for their new style, and rewritten back they
must be what they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ganforge.contracts import Feed, Game, Levers, Loss, Player, Tell, Turn, is_on
from ganforge.core.device import widened
from ganforge.core.seeds import seed_for
from ganforge.errors import RecipeError
from ganforge.kinds.text.restyle.corpus import Styles
from ganforge.kinds.text.restyle.networks import Rewriter, StyleDiscriminator, noised
from ganforge.planning.compute import Pace, choose_compute, choose_length, choose_pieces, for_two_phases
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import choose_optimiser, choose_sized, falling, initialised, optimiser_settings
from ganforge.recipe import Network, Recipe, Size, TaskSection

BATCH = 32
RATE_AGAINST = 5e-4  # learning rate of the discriminator
USUAL, MARKING, MARKS = 0.1, 0.7, 4.0  # chance that a unit is missing; of one that marks the style; ratio that says so
SIZES: dict[Size, tuple[int, int]] = {
    "tiny": (32, 1), "small": (128, 1), "medium": (192, 1), "base": (256, 1), "large": (512, 1),
}  # fmt: skip
MARK_LOOKS = (0.0, 0.25, 0.5, 0.75, 1.0)
PACE = Pace(
    examples="lines",
    looks="looks",
    seconds_per_look=4.0,
    steady_rate=300.0,
    half_life_share=0.01,
    most_steps=50,
    marks=lambda seconds: MARK_LOOKS,
    why_marks="few: at each look held-out lines are rewritten",
)
ABSENT = {
    "augmentation": "Lines are disturbed in every run: units are missing and out of order.",
    "objective": "The discriminator has a class for each style and one for rewritten lines: its loss is cross-entropy.",
    "network.latent_size": "Nothing is drawn from noise.",
    "records.look_samples": "A look rewrites the same held-out lines each time.",
}


class Restyling(TaskSection):
    """The settings of rewriting."""

    key: ClassVar[str] = "restyle"

    against_from: Annotated[float, Field(ge=0, le=1)] = 0.6  # progress from which the discriminator plays; 1: never
    against: Annotated[float, Field(ge=0)] = 0.5  # weight of its opinion beside the repair of lines
    cycle: Annotated[float, Field(ge=0)] = 0.5  # weight of writing back


def build_game(recipe: Recipe, counts: NDArray[np.int64]) -> Game:
    """Build networks on the recipe's device, with their losses. Args: counts (K, V) of each unit in each style."""
    chosen, device = recipe.section(Restyling), recipe.compute.device
    styles, units = counts.shape
    width = recipe.network.need("width")
    rewriter = initial_rewriter(recipe, units, styles).to(device)
    discriminator = initialised(
        seed_for(recipe.seed, "networks/discriminator"), lambda: StyleDiscriminator(units, styles, width)
    ).to(device)
    chance = torch.from_numpy(chance_of_loss(counts)).to(device)

    def rewritten(turn: Turn, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return lines in other styles, drawn, and these styles."""
        apart = (turn.random.uniform(len(x)) * (styles - 1)).long().clamp(max=styles - 2) + 1
        other = (label + apart) % styles
        return rewriter.written(x, other, x.shape[1] + 6, turn.random), other

    def rewriter_loss(turn: Turn) -> Loss:
        tokens, label = turn.batch["x"], turn.batch["label"]
        x = tokens[:, 1:]
        disturbed = noised(x, chance[label[:, None], x], turn.random)
        terms = {"repair": widened(rewriter.surprise(disturbed, label, tokens))}
        if is_on(turn.dials["against"]):
            made, other = rewritten(turn, x, label)
            opinion = F.cross_entropy(widened(discriminator(made)), other, reduction="none")
            back = widened(rewriter.surprise(made, label, tokens))
            terms |= {"against": turn.dials["against"] * opinion, "cycle": chosen.cycle * back}
        return Loss(terms)

    def discriminator_loss(turn: Turn) -> Loss:
        tokens, label = turn.batch["x"], turn.batch["label"]
        x = tokens[:, 1:]
        with torch.no_grad():
            made, _ = rewritten(turn, x, label)
        scores, theirs = widened(discriminator(x)), widened(discriminator(made))
        none = torch.full_like(label, styles)
        return Loss({
            "real": F.cross_entropy(scores, label, reduction="none"),
            "rewritten": F.cross_entropy(theirs, none, reduction="none"),
        })  # fmt: skip

    def dials(progress: float, levers: Levers) -> Mapping[str, float]:
        return {"against": chosen.against * float(progress >= chosen.against_from)}

    return Game(
        (
            Player(
                "discriminator", discriminator, discriminator_loss, falling(optimiser_settings(recipe), RATE_AGAINST),
                plays=lambda progress: progress >= chosen.against_from,
            ),
            Player("rewriter", rewriter, rewriter_loss, optimiser_settings(recipe), dials=dials),
        ),
        product="rewriter",
    )  # fmt: skip


def initial_rewriter(recipe: Recipe, units: int, styles: int) -> Rewriter:
    """Build a new rewriter from the recipe's seed."""
    width = recipe.network.need("width")
    return initialised(seed_for(recipe.seed, "networks"), lambda: Rewriter(units, styles, width))


def chance_of_loss(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the chance (K, V) that a unit is missing from a disturbed line of each style. Args: counts (K, V)."""
    rates = (counts + 1) / (counts + 1).sum(1, keepdims=True)
    others = np.stack([np.delete(rates, style, 0).max(0) for style in range(len(rates))])
    return np.where(rates >= MARKS * others, MARKING, USUAL).astype(np.float32)


def plan_rewriter(draft: Draft, styles: Styles, feed: Feed, tell: Tell) -> Recipe:
    """Choose every setting, with its reason, and time a few steps. Raises: RecipeError for settings that do not fit."""
    draft.explain({"task": ASKED})
    names = (styles.names, f"the {len(styles.names)} files or subfolders")
    choose_data(
        draft, "text", ((styles.rows.length,), f"units of a line: {styles.why}"), styles.sha256, label_names=names
    )
    choose_compute(draft)
    chosen = draft.choose(
        Restyling,
        against_from=(0.6, "first it learns to write; an early adversary has nothing to tell"),
        against=(0.5, "beside the repair of lines, which keeps what is said"),
        cycle=(0.5, "as in Style Transformer"),
    )
    choose_sized(draft, "rewriter", "copies, or writes from a vocabulary: it begins as the identity", SIZES, "a layer")
    if draft[Network].need("width") % 2:
        raise RecipeError(
            f"network.width is {draft[Network].width}.", "Half of it reads a line forwards and half backwards.",
            "Give an even number.",
        )  # fmt: skip
    choose_optimiser(
        draft,
        rate=(2e-3, "found on captions (docs/log.md); falls along a half cosine"),
        warmup=(0.02, "the first steps are small, until the size of the gradients is known"),
        beta1=(0.9, "the repair of lines stays the same"),
        batch_size=(BATCH, f"{BATCH} lines"),
    )

    def build(recipe: Recipe) -> Game:
        return build_game(recipe, styles.counts)

    tell("timing", size=draft.request.size or "small")
    choose_pieces(draft, feed, build=build)
    span = for_two_phases(draft, PACE, feed, chosen.against_from, build=build, name="against_from")
    choose_length(draft, PACE, span)
    return draft.recipe()
