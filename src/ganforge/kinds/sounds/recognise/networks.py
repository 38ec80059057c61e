"""A small classifier of levels, a linear one on a summary of them, a generator, and all that a run keeps of them.

Shape letters here: M mel bands, N frames, K labels, F features of a summary.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganforge.core.seeds import Draws
from ganforge.kinds.sounds.features import cosines

LINEAR, SUPERVISED, STUDENT, ADVERSARIAL = "linear", "supervised", "self-training", "adversarial"
METHODS = (LINEAR, SUPERVISED, STUDENT, ADVERSARIAL)  # from the simplest on
FULL = 255.0  # of levels
SLOPE, GROUPS = 0.1, 8
CELLS = 4  # of the last map, to each side: where in pitch and time something is says which sound it is
DROPPED = 0.5  # share of the last features that an example in training does without
CEPSTRA, LOUD, THIRDS = 13, 0.25, 3  # coefficients; level from which a frame counts; stretches of a sound
SUMMARY = CEPSTRA * (2 + THIRDS) + THIRDS * CEPSTRA


class Classifier(nn.Module):
    """Levels in 0..1 (B, 1, M, N) -> a score for each label (B, K). N is a multiple of 32, M of 8."""

    def __init__(self, labels: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for into, out in pairwise((1, width, 2 * width, 4 * width)):
            layers += [nn.Conv2d(into, out, 3, stride=2, padding=1), nn.GroupNorm(GROUPS, out), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(4 * width * CELLS * CELLS, labels)
        self.threshold = nn.Parameter(torch.full((labels,), 0.5))  # certainty of a teacher, for the best share of each

    def kept(self, examples: int, random: Draws) -> Tensor:
        """Draw which of the last features examples keep in training (B, F), each so much larger."""
        drawn = random.uniform(examples, self.out.in_features)
        return (drawn >= DROPPED) / (1 - DROPPED)

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """Args: kept (B, F) of x (B, ...) or, for real and generated examples alike, of x (2B, ...)."""
        maps = self.layers(x)
        cells = maps.unflatten(3, (CELLS, -1)).mean(4).unflatten(2, (CELLS, -1)).mean(3).flatten(1)
        if kept is not None:
            cells = cells * kept.repeat(len(x) // len(kept), 1)
        scores: Tensor = self.out(cells)
        return scores


def summary_of(x: Tensor) -> Tensor:
    """Return features (B, F) of levels in 0..1 (B, 1, M, N): mean, deviation and quantiles of cepstral coefficients,
    over loud frames or all, and their means over thirds of what is loud."""
    levels = x[:, 0]
    bands = levels.shape[1]
    cepstra = cosines(bands, CEPSTRA).to(levels) @ levels  # (B, CEPSTRA, N)
    loud = (levels.amax(1) > LOUD).to(levels) + 1e-6
    passed = loud.cumsum(1) / loud.sum(1, keepdim=True)

    def mean(values: Tensor, weight: Tensor) -> Tensor:
        return (values * weight[:, None]).sum(2) / weight.sum(1)[:, None]

    middle = mean(cepstra, loud)
    spread = mean((cepstra - middle[..., None]).square(), loud).sqrt()
    ranks = [cepstra.quantile(share, dim=2) for share in (0.1, 0.5, 0.9)]
    thirds = [
        mean(cepstra, loud * ((passed >= k / THIRDS) & (passed <= (k + 1) / THIRDS)) + 1e-6) for k in range(THIRDS)
    ]
    return torch.cat([middle, spread, *ranks, *thirds], 1)


class Linear(nn.Module):
    """The linear model on the summary: levels in 0..1 (B, 1, M, N) -> a score for each label (B, K)."""

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(SUMMARY))
        self.register_buffer("scale", torch.ones(SUMMARY))
        self.register_buffer("weight", torch.zeros(labels, SUMMARY))
        self.register_buffer("bias", torch.zeros(labels))

    def forward(self, x: Tensor) -> Tensor:
        return ((summary_of(x) - self.mean) / self.scale) @ self.weight.T + self.bias


class Generator(nn.Module):
    """A latent (B, Z) -> levels in 0..1 (B, 1, M, N) of a sound with any label."""

    def __init__(self, latent_size: int, bands: int, frames: int, width: int) -> None:
        super().__init__()
        self.shape = (1, bands, frames)
        hidden, layers = 16 * width, list[nn.Module]()
        for into in (latent_size, hidden):
            layers += [nn.Linear(into, hidden), nn.LayerNorm(hidden), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, bands * frames), nn.Sigmoid())

    def forward(self, latent: Tensor) -> Tensor:
        levels: Tensor = self.layers(latent)
        return levels.reshape(-1, *self.shape)


class Recogniser(nn.Module):
    """All methods that were learned, which of them is used, and how sure it is. forward returns label scores."""

    temperature: Tensor  # by which scores are divided
    chosen: Tensor  # place in METHODS

    def __init__(self, methods: Sequence[str], members: int, labels: int, width: int) -> None:
        super().__init__()
        self.methods = tuple(method for method in METHODS if method in methods)
        self.learned = nn.ModuleDict(
            {
                method: nn.ModuleList(
                    Linear(labels) if method == LINEAR else Classifier(labels, width) for _ in range(members)
                )
                for method in self.methods
            }
        )
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer(
            "chosen", torch.tensor(METHODS.index(STUDENT if STUDENT in self.methods else self.methods[-1]))
        )

    def of(self, method: str) -> nn.ModuleList:
        """Return the networks of a method: of all labels, then of each fold."""
        networks = self.learned[method]
        assert isinstance(networks, nn.ModuleList)
        return networks

    def classifiers(self, method: str) -> list[Classifier]:
        """Return the networks of a method that is learned step by step."""
        return [one for one in self.of(method) if isinstance(one, Classifier)]

    @property
    def method(self) -> str:
        """The method that is used."""
        return METHODS[int(self.chosen)]

    def choose(self, method: str, temperature: float) -> None:
        """Use a method from now on, its scores divided by a temperature."""
        self.chosen.fill_(METHODS.index(method))
        self.temperature.fill_(temperature)

    @property
    def device(self) -> torch.device:
        return self.temperature.device

    def forward(self, x: Tensor) -> Tensor:
        """Args: levels in 0..1 (B, 1, M, N). Returns: scores (B, K), whose softmax are the certainties."""
        scores: Tensor = self.of(self.method)[0](x) / self.temperature
        return scores
