"""The plan for new sounds: spectrograms, network and length."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.contracts import Feed, Game, Tell
from ganforge.core.device import Carrier
from ganforge.kinds.sounds.generate.grid import HALF, Grid, Levels, Spectrograms
from ganforge.kinds.sounds.networks import SPECTROGRAM_PAIRS
from ganforge.kinds.sounds.reading import Sounds
from ganforge.planning.compute import (
    Pace,
    choose_compute,
    choose_length,
    choose_pieces,
    for_examples,
    for_minutes,
    measure_rate,
)
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import (
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
GAMMA_PER_SQUARED_DISTANCE, GAMMA_DECAY = 0.1, 0.1  # ten times that of pictures: kid .049, not .079 (docs/log.md)
SECONDS_PER_LOOK = 2.0
SIZES: dict[Size, Network] = {
    "tiny": Network(name="conv", latent_size=64, width=16),
    "small": Network(name="conv", latent_size=64, width=32),
    "medium": Network(name="conv", latent_size=64, width=64),
    "base": Network(name="resnet", latent_size=64, width=256, depth=2),
    "large": Network(name="resnet", latent_size=64, width=768, depth=2),
}
IN_MEMORY = 2**28  # bytes of levels; more are read for each batch
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

    grid: Grid


class LevelFeed:
    """Spectrograms, drawn by index (contracts.Feed): x (B, 1, M, N) in -1..1, and label (B,) where there are some."""

    def __init__(self, levels: Levels, labels: NDArray[np.int64] | None, device: torch.device | str = "cpu") -> None:
        """Args: levels (N, 1, M, N), in memory or mapped; labels (N,)."""
        self._device = torch.device(device)
        self._levels, self._carrier = levels, Carrier(self._device)
        self._here = torch.from_numpy(np.array(levels)).to(self._device) if levels.nbytes <= IN_MEMORY else None
        self._labels = None if labels is None else torch.from_numpy(labels).to(self._device)

    @property
    def resident(self) -> bool:
        """True if all spectrograms are on the training device (contracts.Feed)."""
        return self._here is not None

    def __len__(self) -> int:
        return len(self._levels)

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        """Args: indices (B,) int64."""
        chosen = indices.to(self._device, non_blocking=True)
        if self._here is not None:
            levels = self._here.index_select(0, chosen)
        else:
            levels = self._carrier.carry(np.ascontiguousarray(self._levels[indices.numpy()]))
        x = levels.to(torch.get_default_dtype()).sub_(HALF).div_(HALF).contiguous(memory_format=torch.channels_last)
        return {"x": x} if self._labels is None else {"x": x, "label": self._labels.index_select(0, chosen)}

    def raw(self, first: int, last: int) -> dict[str, Tensor]:
        """Return levels uint8, and labels, of the spectrograms first..last-1, on the CPU."""
        levels = {"levels": torch.from_numpy(np.array(self._levels[first:last]))}
        return levels if self._labels is None else {**levels, "label": self._labels[first:last].cpu()}


def build_game(recipe: Recipe, held_out: Feed | None = None) -> Game:
    """Build the two-player game: discriminator first, then generator."""
    generator, discriminator = build_pair(recipe, SPECTROGRAM_PAIRS, torch.channels_last)
    return adversarial_game(recipe, generator, discriminator, held_out)


def plan_sounds(draft: Draft, sounds: Sounds, found: Spectrograms, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps on this machine.

    Raises: RecipeError for unsuitable networks.
    """
    grid, count = found.grid, len(found.train)
    seconds = grid.samples / sounds.rate
    names = sounds.label_names
    draft.explain({"task": ASKED if draft.request.task else "what can be made of sounds: more like them"})
    labelled = {"label_names": (names, f"the {len(names)} subfolders: one model draws each on demand")} if names else {}
    draft.choose(
        Data,
        source=(draft.request.source, "you gave it"),
        kind=("sounds", "found there"),
        shape=(
            (1, grid.mel.bands, grid.frames),
            f"mel bands and frames, for {seconds:.2f} s",
        ),
        **labelled,
        hash=(sounds.sha256, ""),
    )
    draft.choose(Spectral, grid=(grid, f"for {sounds.rate:,} Hz, and as long as 95 % of the sounds"))
    choose_compute(draft)
    distance = 2 * float((found.train[:MEASURED].astype(np.float32) / HALF).var(axis=0).sum())
    gamma = float(f"{GAMMA_PER_SQUARED_DISTANCE * distance:.2g}")
    choose_objective(
        draft,
        (gamma, f"{GAMMA_PER_SQUARED_DISTANCE:g} x the mean squared distance of two spectrograms ({distance:.4g})"),
        (gamma * GAMMA_DECAY, "a tenth of that rule's: sharper once the samples are near"),
    )
    choose_optimiser(
        draft,
        rate=(2e-3, "as for pictures; falls along a half cosine"),
        warmup=(0.0, "none: no run has needed it"),
        batch_size=(min(BATCH, count), f"from {count:,} training sounds"),
    )
    size = draft.request.size or "small"
    network = choose_network(
        draft,
        SIZES[size],
        SPECTROGRAM_PAIRS,
        name=f"the network of size {size}",
        latent_size="as for pictures; not tuned",
        width=f"size {size}",
        depth=f"size {size}",
    )
    refuse_unbuildable_pair(network, draft[Data], SPECTROGRAM_PAIRS)
    feed = LevelFeed(found.train, found.train_labels, draft.device)
    tell("timing", size=size)
    choose_pieces(draft, feed, build=build_game)

    def measure(recipe: Recipe, steps: int) -> float:
        return measure_rate(recipe, feed, steps, build=build_game)

    asked = draft.examples
    span = for_minutes(draft, PACE, measure) if asked is None else for_examples(draft, asked, measure)
    choose_length(draft, PACE, span, look_samples=(500, "enough for a trend; the evaluation at the end draws more"))
    return draft.recipe()
