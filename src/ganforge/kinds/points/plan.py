"""The plan for points: a two-player game, tuned on 25 Gaussians on a grid and used for all points."""

from __future__ import annotations

from ganforge.contracts import Feed, Game
from ganforge.kinds.points.networks import POINT_PAIRS
from ganforge.kinds.points.reading import Points
from ganforge.planning.compute import Pace, choose_compute, choose_length, choose_pieces, for_one_phase
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import (
    adversarial_game,
    build_pair,
    choose_network,
    choose_objective,
    choose_optimiser,
    refuse_unbuildable_pair,
)
from ganforge.recipe import Data, Network, Recipe, Size

ABSENT = {"augmentation": "A point has nothing around it that a change could leave as it is."}
BATCH = 256
LOOKS = 40  # enough to show the cloud moving
SIZES: dict[Size, Network] = {
    "tiny": Network(name="points", latent_size=10, width=64, depth=2),
    "small": Network(name="points", latent_size=10, width=128, depth=3),
    "medium": Network(name="points", latent_size=10, width=192, depth=3),
    "base": Network(name="points", latent_size=10, width=256, depth=4),
    "large": Network(name="points", latent_size=10, width=512, depth=4),
}
PACE = Pace(
    examples="points",
    looks="looks at the cloud",
    seconds_per_look=0.3,
    steady_rate=20_000.0,
    half_life_share=0.01,
    most_steps=200,
    marks=lambda seconds: tuple(round((look / LOOKS) ** 2, 6) for look in range(LOOKS + 1)),
    why_marks="one frame of the moving cloud each, closer together at first, when it moves most",
)


def build_game(recipe: Recipe, held_out: Feed | None = None) -> Game:
    """Build the two-player game: discriminator first, then generator."""
    generator, discriminator = build_pair(recipe, POINT_PAIRS)
    return adversarial_game(recipe, generator, discriminator, held_out)


def plan_points(draft: Draft, points: Points) -> Recipe:
    """Choose every setting, with its reason; times a few steps on this machine.

    Raises: RecipeError for unsuitable networks.
    """
    count, dimensions = points.train.shape
    draft.explain({"task": ASKED if draft.request.task else "what can be made of points: more like them"})
    choose_data(draft, "points", ((dimensions,), f"the coordinates {', '.join(points.names)}"), points.sha256)
    choose_compute(draft)
    choose_objective(
        draft,
        (0.1, "for points of unit variance: a larger weight blurs the modes, a smaller one shakes them (docs/log.md)"),
        (0.0001, "a thousandth of the start: sharp modes once all of them are found"),
    )
    choose_optimiser(
        draft,
        rate=(1e-3, "falls along a half cosine; 2e-3 is not steady on thin modes"),
        warmup=(0.0, "none: no run has needed it"),
        batch_size=(min(BATCH, count), f"so many that every one of some dozen modes is in it; {count:,} to train on"),
    )
    sized = ASKED if draft.request.size else "that of size small, which finds 25 modes"
    network = choose_network(
        draft,
        SIZES[draft.request.size or "small"],
        POINT_PAIRS,
        name="sines for the discriminator, signs for the generator: sharp modes (docs/decisions/005)",
        latent_size="two smooth latents and eight signs, which can jump between modes",
        width=sized,
        depth=sized,
    )
    refuse_unbuildable_pair(network, draft[Data], POINT_PAIRS)
    feed = points.feed(points.train, draft.device)
    choose_pieces(draft, feed, build=build_game)
    span = for_one_phase(draft, PACE, feed, build=build_game)
    choose_length(draft, PACE, span, look_samples=(2000, "enough for a picture and a trend"))
    return draft.recipe()
