"""What model.safetensors holds of new items: everything that the audience of one follows from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from ganforge.core.seeds import generator_for
from ganforge.kinds.interactions.invent.audience import Array, Audiences, Form, Similarity
from ganforge.kinds.interactions.invent.codes import Codes
from ganforge.kinds.interactions.invent.networks import Inventor
from ganforge.kinds.interactions.invent.spread import drawn_residuals, nearest
from ganforge.measures.kernel_ridge import KernelRidge
from ganforge.recipe import Section

IDS = ("users", "items")


class Described(Section):
    """What model.json says of a model of new items."""

    codes: Codes
    form: Form
    width: float = Field(gt=0)
    norm: float = Field(gt=0)
    latent: int = Field(gt=0)
    layers: tuple[int, int]  # width and depth of the generator
    counts: dict[str, int]  # of users, items, dimensions and landmarks; bytes of the ids of users and of items

    def stored(self) -> Stored:
        """Build what model.safetensors must hold. Raises: ValueError for counts that no model has."""
        names = ("users", "items", "dimensions", "landmarks", "users_bytes", "items_bytes")
        if set(self.counts) != set(names) or min(self.counts.values()) < 1:
            raise ValueError("its counts are not those of a model of new items")
        if len(self.codes.fill) != len(self.codes.numbers):
            raise ValueError("its codes do not fit each other")
        return Stored(self)


class Stored(nn.Module):
    """The audiences of all known items, and the generator."""

    def __init__(self, described: Described) -> None:
        super().__init__()
        count, codes = described.counts, described.codes
        forms = [(part.form, len(part.column.features)) for part in codes.parts]
        self.described = described
        self.inventor = Inventor(forms, count["dimensions"], described.latent, *described.layers)
        shapes = {
            "codes": (count["items"], len(codes.fill)),
            "tastes": (count["users"], count["dimensions"]),
            "targets": (count["items"], count["dimensions"]),
            "left_out": (count["items"], count["dimensions"]),
            "weights": (count["landmarks"], count["dimensions"]),
            "mean": (count["dimensions"],),
            "centre": (count["dimensions"],),
            "scale": (count["dimensions"],),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("landmarks", torch.zeros(count["landmarks"], dtype=torch.int64))
        self.register_buffer("corrected", torch.zeros((), dtype=torch.bool))  # whether the adversary is used
        for name in IDS:
            self.register_buffer(name, torch.zeros(count[f"{name}_bytes"], dtype=torch.uint8))

    @classmethod
    def of(
        cls,
        codes: Codes,
        known: Audiences,
        inventor: Inventor,
        ids: dict[str, NDArray[np.str_]],
        layers: tuple[int, int],
    ) -> Stored:
        """Return a model of known items. Args: ids of users and items; layers width and depth of the generator."""
        texts = {name: "\n".join(ids[name].tolist()).encode("utf-8", "surrogateescape") for name in IDS}
        counts = {
            "users": len(known.tastes),
            "items": len(known.codes),
            "dimensions": known.targets.shape[1],
            "landmarks": len(known.fitted.landmarks),
            **{f"{name}_bytes": len(text) for name, text in texts.items()},
        }
        similarity = known.similarity
        described = Described(
            codes=codes,
            form=similarity.form,
            width=similarity.width,
            norm=similarity.norm,
            latent=inventor.latent,
            layers=layers,
            counts=counts,
        )
        stored = described.stored()
        stored.inventor.load_state_dict(inventor.state_dict())
        values = {
            "codes": known.codes, "tastes": known.tastes, "targets": known.targets, "left_out": known.fitted.left_out,
            "weights": known.fitted.weights, "mean": known.fitted.mean, "landmarks": known.fitted.landmarks,
        }  # fmt: skip
        for name, value in values.items():
            stored.keep(name, value)
        for name, text in texts.items():
            stored.keep(name, np.frombuffer(text, np.uint8).copy())
        return stored.eval().requires_grad_(False)

    @property
    def is_corrected(self) -> bool:
        """Whether the adversary's corrections are in use."""
        return bool(self.get_buffer("corrected"))

    def keep(self, name: str, value: Any) -> None:
        """Put a value into a buffer."""
        self.get_buffer(name).copy_(torch.as_tensor(value))

    def ids(self, name: str) -> NDArray[np.str_]:
        """Return the ids of users or of items."""
        return np.array(bytes(self.get_buffer(name).numpy()).decode("utf-8", "surrogateescape").split("\n"))

    def known(self) -> Audiences:
        """Return the audiences of the known items."""
        held = {
            name: self.get_buffer(name).double().numpy() for name in ("codes", "tastes", "targets", "left_out", "mean")
        }
        weights, landmarks = self.get_buffer("weights").double().numpy(), self.get_buffer("landmarks").numpy()
        similarity = Similarity(
            self.described.codes.numbers, self.described.form, self.described.width, self.described.norm
        )
        fitted = KernelRidge(landmarks, weights, held["mean"], held["left_out"])
        return Audiences(held["codes"], similarity, held["tastes"], held["targets"], fitted)

    def draw(self, known: Audiences, codes: Array, expected: Array, seed: int, *, corrected: bool) -> Array:
        """Return audiences that items may get, (Q, S, D): the expected one, and residuals of known items of its kind.

        Args: codes (Q, F); expected (Q, D); corrected by the generator.
        """
        residuals = drawn_residuals(known, nearest(known, codes, expected), seed)
        if corrected:
            residuals = correct(self.inventor, codes, expected, residuals, self._units(), seed)
        return np.asarray(expected[:, None] + residuals)

    def _units(self) -> tuple[Array, Array]:
        return self.get_buffer("centre").double().numpy(), self.get_buffer("scale").double().numpy()

    @torch.no_grad()
    def invented(self, audiences: Array, seed: int) -> Array:
        """Return codes (Q, F) of items that would have audiences (Q, D)."""
        centre, scale = self._units()
        random, count = generator_for(seed, "invent/items"), len(audiences)
        x = torch.from_numpy((audiences - centre) / scale).float()
        noise = torch.randn(count, self.inventor.latent, generator=random)
        uniform = torch.rand(count, self.inventor.draws, generator=random)
        return np.asarray(self.inventor.codes(x, noise, uniform).double().numpy())


@torch.no_grad()
def correct(
    inventor: Inventor, codes: Array, expected: Array, residuals: Array, units: tuple[Array, Array], seed: int
) -> Array:
    """Return residuals (Q, S, D) as a generator corrects them. Args: units centre and scale (D,) of audiences."""
    count, draws, _ = residuals.shape
    centre, scale = units
    of_item, audience = (
        torch.from_numpy(np.repeat(part, draws, axis=0)).float() for part in (codes, (expected - centre) / scale)
    )
    start = torch.from_numpy(residuals / scale).float().flatten(0, 1)
    noise = torch.randn(len(start), inventor.latent, generator=generator_for(seed, "invent/noise"))
    made = inventor.residual(of_item, audience, start, noise).view(count, draws, -1)
    return np.asarray(made.double().numpy() * scale)
