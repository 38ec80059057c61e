"""The plan for new sounds: spectrograms, network and length."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganforge.contracts import Dial, Feed, Game, Tell
from ganforge.core.levels import HALF
from ganforge.core.seeds import Draws
from ganforge.engine.feed import ArrayFeed
from ganforge.kinds.sounds.generate.grid import Grid
from ganforge.kinds.sounds.generate.mixture import MOST_COMPONENTS, OWN, PICK, pairs_for, sorts_for
from ganforge.kinds.sounds.plan import timed
from ganforge.kinds.sounds.reading import Sounds
from ganforge.planning.compute import Pace, choose_compute
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import (
    View,
    adversarial_game,
    build_pair,
    choose_network,
    choose_objective,
    choose_optimiser,
    refuse_unbuildable_pair,
)
from ganforge.recipe import Data, Network, Recipe, Size, TaskSection

BATCH = 64
MEASURED = 10_000  # spectrograms from which their distance is measured
GAMMA_PER_SQUARED_DISTANCE, GAMMA_DECAY = 0.03, 0.1
RATE = 3e-4
SECONDS_PER_LOOK = 2.0
WIDTHS: dict[Size, int] = {"tiny": 24, "small": 48, "medium": 96, "base": 192, "large": 384}
LATENTS = 64  # of networks that begin from nothing
SHIFT = 4  # frames
ABSENT = {"augmentation": "No change of a spectrogram is known that leaves what is heard."}
PACE = Pace(
    examples="sounds",
    looks="looks at samples",
    seconds_per_look=SECONDS_PER_LOOK,
    steady_rate=500.0,
    half_life_share=0.05,
    most_steps=100,
    marks=lambda seconds: (0.0, 0.15, 0.5, 1.0) if seconds < 100 else (0.0, 0.02, 0.06, 0.15, 0.3, 0.5, 0.75, 1.0),
    why_marks=f"few in a short run: a look at samples takes about {SECONDS_PER_LOOK:g} seconds",
)


class Spectral(TaskSection):
    """The settings of spectrograms that are generated."""

    key: ClassVar[str] = "sound"
    derived: ClassVar[Mapping[str, str]] = {
        "grid": "Use --rate, or give sounds of another length.",
        "sorts": "Give more or fewer sounds of each label.",
    }

    grid: Grid
    sorts: int = Field(1, ge=1, le=1_000_000)  # of the mixture that a refiner begins with
    shift: int = Field(SHIFT, ge=0, le=64)  # frames, to each side, by which the discriminator sees both sides moved


def build_game(recipe: Recipe, held_out: Feed | None = None) -> Game:
    """Build the two-player game: discriminator first, then generator. A refiner's mixture is not fitted yet."""
    sound = recipe.section(Spectral)
    generator, discriminator = build_pair(recipe, pairs_for(sound.sorts), torch.channels_last)
    return adversarial_game(recipe, generator, discriminator, held_out, view=_moved(sound.shift))


def _moved(most: int) -> View | None:
    """Return a view that moves each spectrogram by up to `most` frames in time; silence follows it."""

    def view(dials: Mapping[str, Dial], count: int, random: Draws) -> Callable[[Tensor], Tensor]:
        by = (random.uniform(count) * (2 * most + 1)).long() - most

        def moved(x: Tensor) -> Tensor:
            place = torch.arange(x.shape[3], device=x.device) - by.repeat(len(x) // count)[:, None]  # (B, N)
            index = place.clamp(0, x.shape[3] - 1)[:, None, None].expand_as(x)
            there = (index[:, 0, 0] == place)[:, None, None]
            return torch.where(there, x.gather(3, index), -1.0).contiguous(memory_format=torch.channels_last)

        return moved

    return view if most else None


def plan_sounds(draft: Draft, sounds: Sounds, grid: Grid, train: ArrayFeed, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps on this machine.

    Raises: RecipeError for unsuitable networks.
    """
    count, labels = len(train), train.labels
    names = sounds.label_names
    draft.explain({"task": ASKED if draft.request.task else "what can be made of sounds: more like them"})
    labelled = {"label_names": (names, f"the {len(names)} subfolders: one model draws each on demand")} if names else {}
    choose_data(draft, "sounds", grid.shape, sounds.sha256, **labelled)
    counts = np.bincount(labels) if labels is not None else np.array([count])
    draft.choose(
        Spectral,
        grid=(grid, f"for {sounds.rate:,} Hz, and as long as 95 % of the sounds"),
        sorts=(
            int(sorts_for(counts).sum()),
            "one for 10 to 20 sounds of a label, and of labels with fewer than 64 one a sound, with its nearest two",
        ),
        shift=(SHIFT, "a discriminator that sees sounds moved a little in time reads labels better (docs/log.md)"),
    )
    choose_compute(draft)
    measured = train.examples(np.arange(count)[:MEASURED]).astype(np.float32)
    distance = 2 * float((measured / HALF).var(axis=0).sum())
    gamma = float(f"{GAMMA_PER_SQUARED_DISTANCE * distance:.2g}")
    choose_objective(
        draft,
        (gamma, f"{GAMMA_PER_SQUARED_DISTANCE:g} x the mean squared distance of two spectrograms ({distance:.4g})"),
        (gamma * GAMMA_DECAY, "a tenth of that rule's: sharper once the samples are near"),
    )
    choose_optimiser(
        draft,
        rate=(
            RATE,
            "small: what the mixture draws is near already, and 2e-3 leads away from it; falls along a half cosine",
        ),
        warmup=(0.0, "none: no run has needed it"),
        batch_size=(min(BATCH, count), f"from {count:,} training sounds"),
    )
    size = draft.request.size or "small"
    pairs = pairs_for(draft[Spectral].sorts)
    refines = draft.pinned.get("network.name", "refiner") == "refiner"
    components = min(MOST_COMPONENTS, count - 1)
    network = choose_network(
        draft,
        Network(name="refiner", latent_size=PICK + OWN + components if refines else LATENTS, width=WIDTHS[size]),
        pairs,
        name="begins with a mixture of Gaussians, which is nearer to sounds than what a network makes from nothing",
        latent_size=f"{components} principal components, {OWN} directions of each sort, and which sort"
        if refines
        else "as for pictures; not tuned",
        width=f"size {size}",
        depth="one, the least",
    )
    refuse_unbuildable_pair(network, draft[Data], pairs)
    samples = (500, "enough for a trend; the evaluation at the end draws more")
    return timed(draft, train, build_game, PACE, 1.0, tell, look_samples=samples)
