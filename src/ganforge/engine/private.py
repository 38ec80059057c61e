"""Differentially private gradients of one player: sampled, taken for each example, clipped, summed, noised, counted.

The sum over a Poisson sample of the examples, of gradients clipped to `clip`, plus Gaussian noise of deviation
multiplier * clip, divided by the expected size of the sample (Abadi et al. 2016, Algorithm 1). That is all that a
private game computes from its data: no player's batch holds an example, nothing about them is recorded, and whatever
follows from the noisy gradients costs nothing more. Which examples are drawn, and the noise, come from a key that this
session alone knows. Each turn is written down before it is taken (Ledger), so one that is lost in a crash, or taken
again after a rewind, is counted.

A gradient that is not finite, or above LARGEST, counts as 0: one example must not be able to stop a step.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from ganforge.contracts import Batch, Feed, Player
from ganforge.core.device import SPANS
from ganforge.core.files import append_line, read_json_lines
from ganforge.core.noise import PrivateNoise
from ganforge.core.private import Private
from ganforge.errors import RunError

if TYPE_CHECKING:
    from ganforge.engine.checkpoint import Clock
    from ganforge.engine.step import Seat

LEDGER = "privacy_steps.jsonl"  # in the run folder
TERMS = ("rate", "multiplier", "clip", "most_turns")  # of a private player's rule, which its price depends on
CHUNK_BYTES = 16 * 2**20  # of gradients at once: more of them are no faster, and leave the processor's caches
MOST_AT_ONCE = 64  # examples of a chunk
LARGEST = 1e30  # norm of a gradient: a larger one cannot be scaled down exactly in float32


class PrivateGradients:
    """The noisy mean gradient of a private player's loss on real examples. The audit replaces its parts by broken ones.

    Shape letter here: P, all weights of the network together.
    """

    def __init__(self, player: Player, feed: Feed) -> None:
        """Args: player one with `private`."""
        assert player.private is not None
        self.rule: Private = player.private
        self.network, self.feed = player.network, feed
        self.stream = PrivateNoise()
        self._loss = _LossOf(player.network, self.rule)
        weights = dict(player.network.named_parameters())
        self._size = sum(weight.numel() for weight in weights.values())
        wide = sum(weight.numel() * weight.element_size() for weight in weights.values())
        self._at_once = max(1, min(MOST_AT_ONCE, CHUNK_BYTES // max(wide, 1)))

    def sample(self) -> Tensor:
        """Return the places (B,) int64 of the examples of a batch: each is in it by itself, with chance `rate`."""
        return torch.from_numpy(self.stream.poisson_sample(len(self.feed), self.rule.rate))

    def per_example(self, batch: Batch) -> list[Tensor]:
        """Return the gradient of each example's loss, (B, ...) for each weight tensor of the network."""
        weights = {f"network.{name}": weight.detach() for name, weight in self.network.named_parameters()}

        def loss(given: Mapping[str, Tensor], example: Batch) -> Tensor:
            alone = {name: value.unsqueeze(0) for name, value in example.items()}
            found: Tensor = functional_call(self._loss, dict(given), (alone,))
            return found.squeeze(0)

        return list(vmap(grad(loss), in_dims=(None, 0))(weights, dict(batch)).values())

    def clipped(self, gradients: Sequence[Tensor]) -> Tensor:
        """Return the sum (P,) float64 of gradients (B, ...), each scaled to a norm <= `clip` over all weights."""
        flat = [gradient.flatten(1) for gradient in gradients]
        norms = [torch.linalg.vector_norm(gradient, dim=1, dtype=torch.float64) for gradient in flat]
        norm = torch.stack(norms).norm(dim=0)  # (B,)
        finite = norm < LARGEST  # not where it is not a number
        factor = torch.where(finite, self.rule.clip / norm.clamp_min(self.rule.clip), 0.0)
        parts = []
        for gradient in flat:
            safe = gradient if bool(finite.all()) else gradient.masked_fill(~finite[:, None], 0.0)
            parts.append((safe * factor[:, None].to(safe.dtype)).sum(0, dtype=torch.float64))
        return torch.cat(parts)

    def clipped_sum(self, places: Tensor) -> Tensor:
        """Return the sum (P,) float64 of the clipped gradients of the examples at `places` (B,) int64."""
        total = torch.zeros(self._size, dtype=torch.float64, device=next(self.network.parameters()).device)
        for chunk in torch.split(places, self._at_once) if len(places) else ():
            with SPANS["data"]:
                batch = self.feed.batch(chunk)
            with SPANS["backward"]:
                total += self.clipped(self.per_example(batch))
        return total

    def noise(self) -> Tensor:
        """Return noise (P,) float64 that nobody has seen and nobody can draw again."""
        return torch.from_numpy(self.stream.gaussian(self._size, self.rule.multiplier * self.rule.clip))

    def mean(self) -> list[Tensor]:
        """Return the noisy mean over a new batch, in the shapes of the weights: all that a turn learns of data."""
        total = self.clipped_sum(self.sample())
        noisy = (total + self.noise().to(total.device)) / (self.rule.rate * len(self.feed))
        weights = list(self.network.parameters())
        parts = torch.split(noisy, [weight.numel() for weight in weights])
        return [part.view(weight.shape).to(weight.dtype) for part, weight in zip(parts, weights, strict=True)]


class _LossOf(nn.Module):
    """A private player's loss as a module, so that functional_call can put other weights into its network."""

    def __init__(self, network: nn.Module, rule: Private) -> None:
        super().__init__()
        self.network, self._rule = network, rule

    def forward(self, batch: Batch) -> Tensor:
        terms = self._rule.loss(batch).terms.values()
        return torch.stack(list(terms)).sum(0)


class PrivateTurns:
    """The private player's turns in a session: its gradients, and the ledger that counts them."""

    def __init__(self, gradients: PrivateGradients, ledger: Ledger) -> None:
        self._gradients, self.ledger = gradients, ledger

    def begin(self, seat: Seat) -> Batch:
        """Return the batch of a player, which holds no example; count the private turns before they are taken."""
        if seat.player.private is not None:
            self.ledger.write(seat.player.private.turns)
        return {}

    def add_to(self, seat: Seat) -> Iterator[None]:
        """Add the noisy mean to the gradients that the loss without real examples has left in a private player.

        They are scaled to a norm of at most `clip` first, so that they do not outweigh what is clipped. Yields after
        each turn but the last: the caller takes the step and finds the next gradients. Of other players, nothing.
        """
        turns = seat.player.private.turns if seat.player.private is not None else 0
        for turn in range(turns):
            if turn:
                seat.turns += 1
                yield
            self._add(seat.parameters)

    @torch.no_grad()
    def _add(self, weights: Sequence[nn.Parameter]) -> None:
        clip = self._gradients.rule.clip
        own = [weight.grad for weight in weights if weight.grad is not None]
        if own:
            norm = torch.stack(torch._foreach_norm(own)).norm()
            torch._foreach_mul_(own, clip / norm.clamp_min(clip))
        for weight, gradient in zip(weights, self._gradients.mean(), strict=True):
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
            weight.grad += gradient


# ---- what was taken --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """Turns of one rule that were taken, or may have been."""

    rate: float
    multiplier: float
    clip: float
    most_turns: int  # that their price was computed for
    turns: int


class Ledger:
    """The turns of a private player over all sessions of a run. A line is on the disk before its turns are taken."""

    def __init__(self, rule: Private, folder: Path | None) -> None:
        """Args: folder of the run; None keeps the count in memory alone. Raises: RunError for other settings."""
        self.rule, self._path = rule, folder / LEDGER if folder else None
        self.turns = 0
        for taken in read_ledger(folder) if folder else ():
            if _terms(taken) != _terms(rule):
                raise RunError(
                    f"This run was private with {_words(taken)}, and is now asked for {_words(rule)}.",
                    "What it has spent and what it is still to spend would not be what it promised.",
                    "Resume it with the settings that it has, or train a new run.",
                )
            self.turns += taken.turns

    @property
    def left(self) -> int:
        """Return how many turns the price still covers."""
        return max(0, self.rule.most_turns - self.turns)

    def write(self, turns: int) -> None:
        """Count `turns` before they are taken. Raises: RunError if the price does not cover them; StorageError."""
        if turns > self.left:
            raise RunError(
                f"{self.turns} of {self.rule.most_turns} private turns were taken, and {turns} more are asked for.",
                "More would cost more epsilon than was promised.",
                "Use what was trained so far, or train a new run with another epsilon.",
            )
        if self._path:
            rule = self.rule
            line = {"turns": turns, **dict(zip(TERMS, _terms(rule), strict=True))}
            append_line(self._path, json.dumps(line))
            _to_disk(self._path)
        self.turns += turns

    def shorten(self, clock: Clock, batch_size: int) -> bool:
        """Shorten the rest of a run to the turns that are left; return whether it was longer.

        Turns that a crash or a rewind took back were taken all the same. Raises: RunError if a run that has begun has
        no count of them.
        """
        if clock.examples and not self.turns:
            raise RunError(
                f"The run has been trained on {clock.examples:,} examples, and {LEDGER} counts no private turn.",
                "What it has spent is unknown.",
                "Restore that file, or train a new run.",
            )
        steps = self.left // self.rule.turns
        if clock.examples + steps * batch_size >= clock.length:
            return False
        clock.set_length(clock.examples + steps * batch_size)
        return True


def read_ledger(folder: Path) -> list[Taken]:
    """Return the turns of a run by rule, oldest first; [] for a run without private turns.

    Raises: RunError for a line that does not say what was spent.
    """
    found: list[Taken] = []
    for line in read_json_lines(folder / LEDGER):
        taken = _taken(line, folder / LEDGER)
        if found and _terms(found[-1]) == _terms(taken):
            found[-1] = Taken(*_terms(taken), found[-1].turns + taken.turns)
        else:
            found.append(taken)
    return found


def _taken(line: Mapping[str, Any], path: Path) -> Taken:
    try:
        rate, multiplier, clip = (float(line[name]) for name in TERMS[:3])
        taken = Taken(rate, multiplier, clip, int(line["most_turns"]), int(line["turns"]))
        if taken.turns < 1 or not 0 < taken.rate <= 1 or min(taken.multiplier, taken.clip) < 0:
            raise ValueError
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path} has a line that is not a count of turns.", "What the run has spent is unknown."
        ) from error
    return taken


def _terms(rule: Private | Taken) -> tuple[float, float, float, int]:
    return rule.rate, rule.multiplier, rule.clip, rule.most_turns


def _words(rule: Private | Taken) -> str:
    rate, multiplier, clip, most = _terms(rule)
    return f"rate {rate:g}, multiplier {multiplier:g}, clip {clip:g} and {most:,} turns"


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
