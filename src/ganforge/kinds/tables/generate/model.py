"""A trained model of rows: draws them, under conditions, and completes given ones. Never opens training data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from ganforge.contracts import Observer, Plain
from ganforge.core.model_files import WEIGHTS, built, parts_of, read_declared, read_description, read_tensors
from ganforge.core.seeds import generator_for, seed_for
from ganforge.errors import InputError, RunError, refused
from ganforge.kinds.tables.codec.codec import AskedByUnit, TableCodec, codec_content, restore_codec
from ganforge.kinds.tables.codec.gaps import GapUnit
from ganforge.kinds.tables.codec.identifiers import fresh_identifiers
from ganforge.kinds.tables.columns import MOST_CANDIDATES
from ganforge.kinds.tables.complete import complete_table, fill, given_cells
from ganforge.kinds.tables.generate.anomaly import score_table
from ganforge.kinds.tables.generate.balance import Part, balanced_parts, blocks_of_parts, fair_parts
from ganforge.kinds.tables.generate.game import build_row_networks
from ganforge.kinds.tables.generate.predict import predict_table
from ganforge.kinds.tables.generate.seeds import SeededRows
from ganforge.kinds.tables.networks import NEVER, RowLayout, RowProduct
from ganforge.kinds.tables.reading.arrays import from_plain, joined, row_count, take
from ganforge.kinds.tables.reading.frames import as_objects
from ganforge.kinds.tables.reading.write import write_table
from ganforge.kinds.tables.rules.conditions import Condition, in_words, parse_where
from ganforge.recipe import Network, Recipe

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 8_192  # rows drawn at once: another number would give other rows for the same seed
GUESSES = 16  # latents whose answers a best guess averages
MOST_EMPTY = 20  # blocks without a row whose computed columns meet their conditions
POOL = 6  # latents drawn for each row under conditions, of which one is kept
NEW_ROWS = {"sample RUN -n 1000 --out new.csv": "new rows"}
NEXT_STEPS = {  # by task: contracts.Model.next_steps
    "generate": NEW_ROWS,
    "impute": {"apply RUN DATA --out filled.csv": "its missing cells filled", **NEW_ROWS},
}


@dataclass(frozen=True, slots=True)
class RowModel:
    """A generator of rows of codes, and the codec that converts them to a table."""

    network: RowProduct
    latent_size: int
    codec: TableCodec
    candidates: int = 1  # drawn for each row where there is a referee, which takes one
    task: str = "generate"
    temperature: float = 1.0  # of every softmax that codes are drawn from; below 1 the likely ones are more likely

    def conditions(self, where: str | Sequence[str] | Mapping[str, Any]) -> tuple[Condition, ...]:
        """Parse conditions in words or in Python. Raises: InputError for what no generated row could meet."""
        return self.possible(parse_where(where, self.codec.columns, self.codec.known))

    def possible(self, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """Return the conditions. Raises: InputError if no generated row could meet them together."""
        for place, asked in self.codec.by_unit(conditions).items():
            unit = self.codec.units[place]
            if not unit.allowed(asked).any():
                mine = [condition for condition in conditions if condition.column in unit.columns]
                words = " and ".join(in_words(condition, self.codec.columns) for condition in mine)
                raise InputError(
                    f"No row can meet {words}.", "The training rows have no such combination.", "Leave one out."
                )
        return conditions

    def blocks(self, count: int, *, conditions: Sequence[Condition] = (), seed: int = 0) -> Iterator[Plain]:
        """Yield plain rows of all columns, `count` in all, at most BLOCK at a time. Every row meets all conditions.

        The first rows do not depend on `count`. Raises: InputError where conditions and rules leave no value.
        """
        asked, done, step, empty = self.codec.by_unit(conditions), 0, 0, 0
        while done < count:
            codes = self._codes(asked, generator_for(seed, "sample rows", step=step))
            random = np.random.default_rng(seed_for(seed, "sample values", step=step))
            plain = dict(self.codec.decode(codes, random, asked))
            kept = np.flatnonzero(self.codec.keeps(plain, asked)) if self.codec.computed else np.arange(BLOCK)
            step, empty = step + BLOCK, 0 if len(kept) else empty + 1
            if empty == MOST_EMPTY:
                raise self._unmet(conditions)
            plain = dict(take(plain, kept))
            for column in self.codec.columns:
                if column.kind == "identifier":
                    plain[column.name] = fresh_identifiers(column, len(kept), random, start=done)
            if len(kept):
                yield take(plain, slice(0, count - done))
            done += len(kept)

    def _unmet(self, conditions: Sequence[Condition]) -> InputError:
        """Return the error for conditions on computed columns that hardly any row meets."""
        words = " and ".join(in_words(condition, self.codec.columns) for condition in conditions)
        names = " and ".join(repr(unit.column) for unit in self.codec.computed)
        return InputError(
            f"None of {MOST_EMPTY * BLOCK:,} rows that were drawn meets {words}.",
            f"The values of {names} are computed from other columns, so rows were drawn until some fit.",
            "Widen a condition, or ask for the columns that they are computed from.",
        )

    def draw(self, count: int, *, conditions: Sequence[Condition] = (), seed: int = 0) -> Plain:
        """Return all rows at once."""
        return joined(list(self.blocks(count, conditions=conditions, seed=seed)))

    def complete(self, plain: Plain, *, draw: bool = False, seed: int = 0) -> Plain:
        """Fill every missing cell of a learned column; other cells are not changed.

        Args: plain (N,) of all columns; draw: a value drawn for each cell, so that the filled table varies as the real
            one; else the best guess, which is the mean of GUESSES draws for numbers and the most likely category.
        """
        parts = []
        for first in range(0, row_count(plain), BLOCK):
            part = self.codec.solved(take(plain, slice(first, first + BLOCK)))
            shares = self.shares(part, 1 if draw else GUESSES, generator_for(seed, "complete rows", step=first))
            random = np.random.default_rng(seed_for(seed, "complete values", step=first)) if draw else None
            parts.append(fill(self.codec, part, shares, random))
        return joined(parts)

    @torch.no_grad()
    def shares(self, plain: Plain, passes: int, random: torch.Generator) -> list[NDArray[np.float64]]:
        """Return the probability of each code of each unit in rows (N,), given their cells: (N, K) for each unit."""
        device, layout = next(self.network.parameters()).device, self.layout
        codes = self.codec.encode(plain)
        given = torch.from_numpy(given_cells(self.codec, plain, codes)).float().to(device)
        known = torch.from_numpy(codes).long().clamp_min(0).to(device)
        total = sum(layout.probabilities(self.logits(known, given, random)).double() for _ in range(passes))
        shares = (torch.as_tensor(total) / passes).cpu().numpy()
        return [shares[:, layout.unit_places(unit)] for unit in range(len(self.codec.units))]

    @torch.no_grad()
    def logits(self, codes: Tensor, given: Tensor, random: torch.Generator) -> Tensor:
        """Return the generator's logits (B, P). Args: codes (B, U); given (B, U), the mask of those that count."""
        layout = self.layout
        latent = torch.randn(len(codes), self.latent_size, generator=random).to(given.device)
        shown = torch.cat([layout.one_hot(codes) * layout.spread(given), given], dim=1)
        told: Tensor = self.network.generator(latent, shown) / self.temperature
        return told

    @property
    def layout(self) -> RowLayout:
        """Return the layout of codes."""
        return RowLayout(self.codec.sizes, next(self.network.parameters()).device)

    @torch.no_grad()
    def _codes(self, asked: AskedByUnit, random: torch.Generator) -> NDArray[np.int32]:
        """Draw codes (BLOCK, U) that meet the conditions: of several candidates for a row the referee's choice."""
        referee, layout = self.network.referee, self.layout
        device = next(self.network.parameters()).device
        allowed = {place: torch.from_numpy(self.codec.units[place].allowed(asked[place])).to(device) for place in asked}
        bound = {place: codes for place, codes in allowed.items() if not codes.all() or self._is_gap(place)}
        logits = self._whole(self._latents(bound, asked, random)) + self._forbidden(bound)
        count = self.candidates if referee is not None else 1
        rows = layout.draw_codes(logits, random, count)  # (count, B, U)
        for place in sorted(bound):
            if self._is_gap(place):
                for row in rows:  # each a view
                    row[:, place] = self._gap_codes(place, asked[place], row, logits, random)[0]
        if referee is None or count == 1:
            return rows[0].cpu().numpy().astype(np.int32)
        places = (rows + layout.starts).flatten(0, 1)  # (count * B, U)
        scores = referee.score_whole(places).view(count, BLOCK).T  # (B, count)
        taken = torch.multinomial(torch.softmax(scores, dim=1).cpu(), 1, generator=random)[:, 0]
        best = rows[taken.to(rows.device), torch.arange(BLOCK, device=rows.device)]
        return best.cpu().numpy().astype(np.int32)

    def _latents(self, bound: Mapping[int, Tensor], asked: AskedByUnit, random: torch.Generator) -> Tensor:
        """Draw latents (BLOCK, Z); under conditions those that make them likely.

        Given its latent, a row's codes are independent, so the probability that it meets conditions is a product over
        units. Latents are resampled in proportion to it (sampling importance resampling: Rubin 1987), which is the
        generator's own conditional distribution: it includes whatever depends on a condition.
        """
        device = next(self.network.parameters()).device
        if not bound:
            return torch.randn(BLOCK, self.latent_size, generator=random).to(device)
        latents, weights = [], []
        for _ in range(POOL):
            latent = torch.randn(BLOCK, self.latent_size, generator=random).to(device)
            logits = self._whole(latent)
            latents.append(latent)
            weights.append(self._log_likely(bound, asked, logits, random))
        likely = torch.softmax(torch.cat(weights).double(), dim=0).cpu()
        chosen = torch.multinomial(likely, BLOCK, replacement=True, generator=random).to(device)
        return torch.cat(latents)[chosen]

    def _whole(self, latent: Tensor) -> Tensor:
        """Return the logits (B, P) of whole rows. Args: latent (B, Z)."""
        logits: Tensor = self.network.generator(latent) / self.temperature
        return logits

    def _log_likely(
        self, bound: Mapping[int, Tensor], asked: AskedByUnit, logits: Tensor, random: torch.Generator
    ) -> Tensor:
        """Return the logarithm of the probability that rows of logits (B, P) meet all conditions, (B,)."""
        total = torch.zeros(len(logits), device=logits.device)
        drawn = self.layout.draw_codes(logits + self._forbidden(bound), random)[
            0
        ]  # where a gap begins, it must be drawn
        for place, allowed in bound.items():
            if self._is_gap(place):
                total += self._gap_codes(place, asked[place], drawn, logits, random)[1]
            else:
                part = logits[:, self.layout.unit_places(place)]
                total += torch.logsumexp(part[:, allowed], dim=1) - torch.logsumexp(part, dim=1)
        return total

    def _gap_codes(
        self, place: int, conditions: tuple[Condition, ...], rows: Tensor, logits: Tensor, random: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw codes (B,) of a gap that lead to an allowed value above the lower columns of rows (B, U).

        Also return the logarithm of the probability of these codes, (B,).
        """
        unit = self.codec.units[place]
        assert isinstance(unit, GapUnit)
        drawn = rows.cpu().numpy().astype(np.int32)
        least, most = (self.codec.bounds(drawn, unit, end) for end in ("least", "most"))
        may = torch.from_numpy(unit.allowed_above(least, most, conditions)).to(logits.device)
        part = logits[:, self.layout.unit_places(place)]
        shares = torch.softmax(part, dim=1) * may + 1e-12 * may
        codes = torch.multinomial(shares.cpu(), 1, generator=random)[:, 0].to(logits.device)
        return codes, shares.sum(dim=1).log()

    def _forbidden(self, bound: Mapping[int, Tensor]) -> Tensor:
        """Return what to add to logits (P,) so that no code is drawn that cannot meet a condition."""
        forbidden = torch.zeros(self.layout.width, device=next(self.network.parameters()).device)
        for place, allowed in bound.items():
            forbidden[self.layout.unit_places(place)] = torch.where(allowed, 0.0, NEVER)
        return forbidden

    def _is_gap(self, place: int) -> bool:
        return isinstance(self.codec.units[place], GapUnit)

    # ---- the methods of contracts.Model

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> RowSamples | SeededRows:
        """Draw new rows.

        Args: asked where, as for `conditions`; temperature; and one of balance, fair (balance.py) and given (seeds.py),
            whose rows are as many as are given, instead of `count`.
        Raises: InputError for a bad number, or what no generated row could meet.
        """
        if count < 1 or count != int(count):
            raise InputError(
                f"{count} rows cannot be drawn.", "It must be a whole number from 1 on.", "Draw, for example, 64."
            )
        model = replace(self, temperature=asked.get("temperature", 1.0))
        conditions = self.conditions(asked.get("where") or ())
        _refuse_together(asked, ("given", "balance", "fair"))
        if (given := asked.get("given")) is not None:
            return SeededRows(model, given, conditions, seed)
        parts: tuple[Part, ...] = ()
        if asked.get("balance"):
            parts = balanced_parts(model, int(count), asked["balance"], conditions)
        elif asked.get("fair"):
            parts = fair_parts(model, int(count), asked["fair"], conditions)
        return RowSamples(model, int(count), conditions, seed, parts)

    def write(self, samples: RowSamples | SeededRows, out: Path, *, force: bool) -> Path:
        """Write a table's file as the rows are drawn. Raises: InputError, StorageError."""
        return samples.write(out, force=force)

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Fill the missing cells of a table; with `predict` or `score` add columns to it (predict.py, anomaly.py)."""
        _refuse_together(options, ("predict", "score", "draw"))
        seed, force = options.get("seed", 0), bool(options.get("force"))
        if options.get("predict") or options.get("probabilities"):
            column, probabilities = options.get("predict"), bool(options.get("probabilities"))
            return predict_table(self, source, out, column, probabilities=probabilities, seed=seed, force=force)
        if options.get("score"):
            return score_table(self, source, out, seed=seed, force=force)
        return complete_table(self, source, out, draw=bool(options.get("draw")), seed=seed, force=force)

    def next_steps(self) -> Mapping[str, str]:
        """Return commands for a person who has this model (contracts.Model)."""
        return NEXT_STEPS[self.task]

    def store(self, folder: Path, recipe: Recipe) -> None:
        """Write model.json and model.safetensors: all that `load_rows` needs."""
        content, arrays = codec_content(self.codec)
        tensors = {f"network/{name}": tensor.contiguous().cpu() for name, tensor in self.network.state_dict().items()}
        tensors |= {f"codec/{name}": torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        (folder / "model.safetensors").write_bytes(save(tensors))
        description = {
            "ganforge": recipe.ganforge,
            "task": recipe.task,
            "kind": "tables",
            "next_steps": NEXT_STEPS[recipe.task],
            "network": recipe.network.content(),
            "candidates": self.candidates,
            "codec": content,
        }
        (folder / "model.json").write_text(json.dumps(description, ensure_ascii=False) + "\n", "utf-8")


@dataclass(frozen=True, slots=True)
class RowSamples:
    """Rows that are drawn when they are requested (contracts.Samples)."""

    model: RowModel
    count: int
    conditions: tuple[Condition, ...]
    seed: int
    parts: tuple[Part, ...] = ()  # of asked sizes, with conditions of their own; none: all rows alike

    def blocks(self) -> Iterator[pd.DataFrame]:
        """Yield some thousand rows at a time, with the dtypes of the table."""
        for plain in self._plain():
            yield from_plain(plain, self.model.codec.columns)

    def value(self) -> pd.DataFrame:
        """Return all rows, with the dtypes, order and forms of the table's columns."""
        columns = self.model.codec.columns
        return as_objects(from_plain(joined(list(self._plain())), columns), columns)

    def write(self, out: Path, *, force: bool) -> Path:
        """Write a table's file as the rows are drawn. Raises: InputError, StorageError."""
        return write_table(self.blocks(), out, self.model.codec.columns, force=force)

    def _plain(self) -> Iterator[Plain]:
        if self.parts:
            return blocks_of_parts(self.model, self.parts, self.seed)
        return self.model.blocks(self.count, conditions=self.conditions, seed=self.seed)


def _refuse_together(asked: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raises: InputError if more than one of these options was asked for."""
    both = [f"--{name}" for name in names if asked.get(name) is not None and asked[name] is not False]
    if len(both) > 1:
        raise InputError(f"{' and '.join(both)} were given.", "They exclude each other.", f"Leave {both[-1]} out.")


def load_rows(folder: Path, device: str = "cpu") -> RowModel:
    """Read the model of a run, which may come from anybody (core/model_files.py).

    Raises: RunError if there is none, if it is damaged, or if it is not a model of rows.
    """
    content = read_description(folder)
    if str(content.get("task")) not in NEXT_STEPS or content.get("kind") != "tables":
        raise RunError(f"{folder} is not a model of rows.", f"Its task is {content.get('task')!r}.")
    with refused(f"The model at {str(folder)!r}"):
        arrays = parts_of(read_tensors(folder / WEIGHTS), "codec/")
        codec = restore_codec(content["codec"], {name: tensor.numpy() for name, tensor in arrays.items()})
        network, candidates = Network.model_validate(content["network"]), content["candidates"]
        if not isinstance(candidates, int) or not 1 <= candidates <= MOST_CANDIDATES:
            raise ValueError(f"it draws {candidates!r} candidates for each row")
        judged = any(name.startswith("network/referee.") for name in read_declared(folder / WEIGHTS))

        def build() -> RowProduct:
            generator, referee = build_row_networks(network, codec.sizes)
            return RowProduct(generator, referee if judged else None)

        product = built(folder, build, "network/").to(device)
    return RowModel(product, network.need("latent_size"), codec, candidates, content["task"])
