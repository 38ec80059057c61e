"""A trained model of rows: draws them, under conditions, and completes given ones. Nothing here opens training data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor

from ganforge.contracts import Plain
from ganforge.core.files import check_folder
from ganforge.core.seeds import generator_for, seed_for
from ganforge.data.tables.codec import TableCodec
from ganforge.data.tables.codec_file import codec_content, restore_codec
from ganforge.data.tables.conditions import Condition, in_words, parse_where
from ganforge.data.tables.filling import fill, given_cells
from ganforge.data.tables.gaps import GapUnit
from ganforge.data.tables.identifiers import fresh_identifiers
from ganforge.errors import InputError, RunError
from ganforge.networks.tabular import RowLayout, RowProduct
from ganforge.recipe import Network, Recipe
from ganforge.tasks.row_game import build_row_networks

BLOCK = 8_192  # rows drawn at once: another number would give other rows for the same seed
GUESSES = 16  # latents whose answers a best guess averages
CANDIDATES = 4  # drawn for each row under conditions on ranges or sets, of which one is kept
TASKS_OF_ROWS = ("generate", "impute")
Asked = Mapping[int, tuple[Condition, ...]]  # unit -> the conditions on its columns


@dataclass(frozen=True, slots=True)
class RowModel:
    """A generator of rows of codes, and the codec that makes a table of them."""

    network: RowProduct
    latent_size: int
    codec: TableCodec
    candidates: int = 1  # drawn for each row where there is a referee, which takes one

    def conditions(self, where: str | Sequence[str] | Mapping[str, Any]) -> tuple[Condition, ...]:
        """Conditions in words or in Python. Raises: InputError for what no generated row could meet."""
        conditions = parse_where(where, self.codec.columns, self.codec.known)
        for place, asked in self.codec.by_unit(conditions).items():
            if not self.codec.units[place].allowed(asked).any():
                words = " and ".join(in_words(condition, self.codec.columns) for condition in asked)
                raise InputError(
                    f"No row can meet {words}.", "The training rows have no such combination.", "Leave one out."
                )
        return conditions

    def blocks(self, count: int, *, conditions: Sequence[Condition] = (), seed: int = 0) -> Iterator[Plain]:
        """Plain rows of all columns, `count` in all, at most BLOCK at a time. Every row meets all conditions.

        The first rows do not depend on `count`. Raises: InputError where conditions and rules leave no value.
        """
        asked = self.codec.by_unit(conditions)
        for first in range(0, count, BLOCK):
            codes = self._codes(asked, generator_for(seed, "sample rows", step=first))
            random = np.random.default_rng(seed_for(seed, "sample values", step=first))
            plain = dict(self.codec.decode(codes, random, asked))
            for column in self.codec.columns:
                if column.kind == "identifier":
                    plain[column.name] = fresh_identifiers(column, BLOCK, random, start=first)
            yield {name: values[: count - first] for name, values in plain.items()}

    def sample(self, count: int, *, conditions: Sequence[Condition] = (), seed: int = 0) -> Plain:
        """The same in one piece."""
        return joined(list(self.blocks(count, conditions=conditions, seed=seed)))

    def complete(self, plain: Plain, *, draw: bool = False, seed: int = 0) -> Plain:
        """The rows with every missing cell of a learned column filled; what is there is not touched.

        Args: plain (N,) of all columns; draw: a value drawn for each cell, so that the filled table varies as the real
            one; else the best guess, which is the mean of GUESSES draws for numbers and the most likely category.
        """
        count, parts = len(next(iter(plain.values()))), []
        for first in range(0, count, BLOCK):
            part = {name: values[first : first + BLOCK] for name, values in plain.items()}
            shares = self._shares(part, 1 if draw else GUESSES, generator_for(seed, "complete rows", step=first))
            random = np.random.default_rng(seed_for(seed, "complete values", step=first)) if draw else None
            parts.append(fill(self.codec, part, shares, random))
        return joined(parts)

    @torch.no_grad()
    def _shares(self, plain: Plain, passes: int, random: torch.Generator) -> list[NDArray[np.float64]]:
        """How likely each code of each unit is in rows (N,), given what is there: (N, K) for each unit."""
        device, layout = next(self.network.parameters()).device, self.layout
        codes = self.codec.encode(plain)
        given = torch.from_numpy(given_cells(self.codec, plain, codes)).float().to(device)
        known = torch.from_numpy(codes).long().clamp_min(0).to(device)
        total = sum(layout.probabilities(self.logits(known, given, random)).double() for _ in range(passes))
        shares = (torch.as_tensor(total) / passes).cpu().numpy()
        return [shares[:, layout.unit_places(unit)] for unit in range(len(self.codec.units))]

    @torch.no_grad()
    def logits(self, codes: Tensor, given: Tensor, random: torch.Generator) -> Tensor:
        """What the generator says of rows (B, P). Args: codes (B, U), of which `given` (B, U) says what counts."""
        layout = self.layout
        latent = torch.randn(len(codes), self.latent_size, generator=random).to(given.device)
        shown = torch.cat([layout.one_hot(codes) * layout.spread(given), given], dim=1)
        told: Tensor = self.network.generator(latent, shown)
        return told

    @property
    def layout(self) -> RowLayout:
        """Where the codes stand."""
        return RowLayout(self.codec.sizes, next(self.network.parameters()).device)

    def _codes(self, asked: Asked, random: torch.Generator) -> NDArray[np.int32]:
        """Codes (BLOCK, U) that can meet the conditions."""
        codes, given = self._asked_codes(asked, random)
        drawn = self._best_drawn(codes, given, random)
        return drawn.cpu().numpy().astype(np.int32)

    @torch.no_grad()
    def _best_drawn(self, codes: Tensor, given: Tensor, random: torch.Generator) -> Tensor:
        """Rows (B, U) with what is given and the rest drawn: of several candidates the one that the referee takes."""
        referee, layout = self.network.referee, self.layout
        count = self.candidates if referee is not None else 1
        drawn = layout.draw_codes(self.logits(codes, given, random), random, count)  # (count, B, U)
        rows = torch.where(given > 0, codes, drawn)
        if referee is None or count == 1:
            return rows[0]
        scores = torch.stack([referee.score_codes(row + layout.starts, given) for row in rows], dim=1)  # (B, count)
        taken = torch.multinomial(torch.softmax(scores, dim=1).cpu(), 1, generator=random)[:, 0]
        return rows[taken.to(rows.device), torch.arange(rows.shape[1], device=rows.device)]

    def _asked_codes(self, asked: Asked, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Codes of the units with conditions, drawn with the probabilities that the generator gives them.

        A unit with one possible code has it. The others follow one by one, each drawn among its allowed codes given
        those before; a row's weight is the probability that they had to fall there. In the end rows are drawn anew by
        weight (sampling importance resampling: Rubin 1987), so that earlier ones fit later ones as in the real rows.
        Returns: codes and given (BLOCK, U).
        """
        device, units = next(self.network.parameters()).device, self.codec.units
        allowed = {place: units[place].allowed(conditions) for place, conditions in asked.items()}
        bound = {place for place, codes in allowed.items() if not codes.all() or isinstance(units[place], GapUnit)}
        sure = {place for place in bound if allowed[place].sum() == 1 and not isinstance(units[place], GapUnit)}
        count = BLOCK if bound == sure else CANDIDATES * BLOCK
        codes = torch.zeros(count, len(units), dtype=torch.int64, device=device)
        given = torch.zeros(count, len(units), device=device)
        for place in sure:
            codes[:, place], given[:, place] = int(allowed[place].argmax()), 1.0
        weights = torch.ones(count, dtype=torch.float64, device=device)
        for place in sorted(bound - sure):
            mask = torch.from_numpy(self._mask(place, allowed[place], asked[place], codes)).to(device)
            logits = self.logits(codes, given, random)[:, self.layout.unit_places(place)]
            shares = torch.softmax(logits, dim=1) * mask + 1e-9 * mask  # (count, K)
            weights *= shares.sum(dim=1)
            codes[:, place] = torch.multinomial(shares.cpu(), 1, generator=random)[:, 0].to(device)
            given[:, place] = 1.0
        if count == BLOCK:
            return codes, given
        kept = torch.multinomial(weights.cpu(), BLOCK, replacement=True, generator=random).to(device)
        return codes[kept], given[kept]

    def _mask(
        self, place: int, allowed: NDArray[np.bool_], conditions: tuple[Condition, ...], codes: Tensor
    ) -> NDArray[np.bool_]:
        """Which codes a unit may have, (K,) or, for a gap above other columns, (B, K)."""
        unit = self.codec.units[place]
        if not isinstance(unit, GapUnit):
            return allowed
        drawn = codes.cpu().numpy().astype(np.int32)
        least, most = (self.codec.bounds(drawn, unit, end) for end in ("least", "most"))
        return unit.allowed_above(least, most, conditions)

    def write(self, folder: Path, recipe: Recipe) -> None:
        """model.json and model.safetensors: all that `load_rows` needs."""
        content, arrays = codec_content(self.codec)
        tensors = {f"network/{name}": tensor.contiguous().cpu() for name, tensor in self.network.state_dict().items()}
        tensors |= {f"codec/{name}": torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        (folder / "model.safetensors").write_bytes(save(tensors))
        description = {
            "ganforge": recipe.ganforge,
            "task": recipe.task,
            "kind": "table",
            "network": recipe.network.model_dump(mode="json"),
            "candidates": self.candidates,
            "codec": content,
        }
        (folder / "model.json").write_text(json.dumps(description, ensure_ascii=False) + "\n", "utf-8")


def load_rows(folder: Path, device: str = "cpu") -> RowModel:
    """Reads the model of a run; every file is checked against its sha256 first.

    Raises: RunError if there is none, if it is damaged, or if it is no model of rows.
    """
    if not folder.is_dir():
        raise RunError(
            f"There is no model at {str(folder)!r}.",
            "The run has not been trained to its end.",
            "Go on with `ganforge resume RUN`.",
        )
    check_folder(folder)
    content = json.loads((folder / "model.json").read_text("utf-8"))
    if content.get("task") not in TASKS_OF_ROWS or content.get("kind") != "table":
        raise RunError(f"{folder} is no model of rows.", f"Its task is {content.get('task')!r}.")
    stored = load_file(folder / "model.safetensors")
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "codec": {}}
    for name, tensor in stored.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = tensor
    codec = restore_codec(content["codec"], {name: tensor.numpy() for name, tensor in parts["codec"].items()})
    network = Network.model_validate(content["network"])
    generator, referee = build_row_networks(network, codec.sizes)
    judged = any(name.startswith("referee.") for name in parts["network"])
    product = RowProduct(generator, referee if judged else None)
    product.load_state_dict(parts["network"])
    product.eval().requires_grad_(False).to(device)
    return RowModel(product, network.latent_size, codec, int(content["candidates"]))


def joined(parts: Sequence[Plain]) -> Plain:
    """Several parts of one table as one."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
