"""A trained model of rows: draws them, under conditions, and completes given ones. Never opens training data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
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
from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.codec.codec import AskedByUnit, TableCodec, codec_content, restore_codec
from ganforge.kinds.tables.codec.computed import unreachable
from ganforge.kinds.tables.codec.fill import fill, given_cells
from ganforge.kinds.tables.codec.identifiers import fresh_identifiers
from ganforge.kinds.tables.columns import MOST_CANDIDATES
from ganforge.kinds.tables.complete import complete_table
from ganforge.kinds.tables.generate.anomaly import score_table
from ganforge.kinds.tables.generate.balance import Part, balanced_parts, blocks_of_parts, fair_parts
from ganforge.kinds.tables.generate.draw import Chain
from ganforge.kinds.tables.generate.game import build_row_networks
from ganforge.kinds.tables.generate.latents import LatentRows, shares_met
from ganforge.kinds.tables.generate.likelihood import MOST_PLACES
from ganforge.kinds.tables.generate.predict import predict_table
from ganforge.kinds.tables.generate.rare import rare_conditions
from ganforge.kinds.tables.generate.seeds import SeededRows
from ganforge.kinds.tables.low_rank import LowRankGenerator
from ganforge.kinds.tables.networks import RowLayout, RowProduct
from ganforge.kinds.tables.reading.arrays import from_plain, joined, row_count, take
from ganforge.kinds.tables.reading.frames import as_objects
from ganforge.kinds.tables.reading.write import write_table
from ganforge.kinds.tables.rules.conditions import Condition, in_words, parse_where
from ganforge.kinds.tables.rules.expressions import shown
from ganforge.kinds.tables.rules.rules import rule_in_words
from ganforge.recipe import Network, Recipe

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 8_192  # rows drawn at once: another number would give other rows for the same seed
GUESSES = 16  # latents whose answers a best guess averages
MOST_EMPTY = 20  # blocks without a row whose computed columns meet their conditions
ALMOST_NONE = 1e-6  # share of codes other than the drawn one, for where rules or conditions forbid that
NEW_ROWS = {"sample RUN -n 1000 --out new.csv": "new rows"}
NEXT_STEPS = {  # by task: contracts.Model.next_steps
    "generate": {
        **NEW_ROWS,
        "apply RUN DATA --out filled.csv": "its missing cells filled",
        "apply RUN DATA --score --out scored.csv": "how unusual each of its rows is",
        "compare DATA new.csv --out quality.html": "how good the new rows are, on a page",
    },
    "impute": {"apply RUN DATA --out filled.csv": "its missing cells filled", **NEW_ROWS},
}


@dataclass(frozen=True, slots=True)
class RowModel:
    """A generator of rows of codes, and the codec that converts them to a table."""

    network: RowProduct
    latent_size: int  # 0 where the generator is autoregressive
    codec: TableCodec
    candidates: int = 1  # drawn for each row where there is a referee, which takes one
    task: str = "generate"
    temperature: float = 1.0  # of every softmax that codes are drawn from; below 1 the likely ones are more likely

    def conditions(self, where: str | Sequence[str] | Mapping[str, Any]) -> tuple[Condition, ...]:
        """Parse conditions in words or in Python. Raises: InputError for what no generated row could meet."""
        return self.possible(parse_where(where, self.codec.columns, self.codec.known))

    def possible(self, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """Return the conditions. Raises: InputError if no generated row could meet them together."""
        by_unit = self.codec.by_unit(conditions)
        for place, asked in by_unit.items():
            unit = self.codec.units[place]
            if not unit.allowed(asked).any():
                mine = [condition for condition in conditions if condition.column in unit.columns]
                words = " and ".join(in_words(condition, self.codec.columns) for condition in mine)
                raise InputError(
                    f"No row can meet {words}.",
                    "The training rows have no such combination, or fewer than rows.rare.",
                    "Leave one out.",
                )
        by_name = {column.name: column for column in self.codec.columns}
        if impossible := unreachable(self.codec.units, by_unit, by_name):
            words = " and ".join(in_words(condition, self.codec.columns) for condition in conditions)
            rule = shown(rule_in_words(impossible.rule, self.codec.columns))
            raise InputError(
                f"No row can meet {words}.",
                f"In every row {rule}, and no values of these columns that were seen lead there.",
                "Widen a condition, or ask for the columns that it is computed from.",
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
            kept = np.flatnonzero(self.codec.keeps(plain, asked)) if self.codec.redraws else np.arange(BLOCK)
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
        follow = [*(unit.column for unit in self.codec.computed), *(bins.rule.target for bins in self.codec.bins)]
        names = " and ".join(map(repr, follow))
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
            random_latents = generator_for(seed, "complete rows", step=first)
            shares = self.drawn_shares(part, random_latents) if draw else self.shares(part, GUESSES, random_latents)
            random = np.random.default_rng(seed_for(seed, "complete values", step=first)) if draw else None
            parts.append(fill(self.codec, part, shares, random))
        return joined(parts)

    @torch.no_grad()
    def shares(self, plain: Plain, passes: int, random: torch.Generator) -> list[NDArray[np.float64]]:
        """Return the probability of each code of each unit in rows (N,), given their cells: (N, K) for each unit.

        Args: passes latents that are averaged; an autoregressive generator has none, and takes one pass.
        """
        layout = self.layout
        known, given = self._known(plain)
        passes = 1 if self.chain else passes
        total = sum(layout.probabilities(self.logits(known, given, random)).double() for _ in range(passes))
        shares = (torch.as_tensor(total) / passes).cpu().numpy()
        return [shares[:, layout.unit_places(unit)] for unit in range(len(self.codec.units))]

    @torch.no_grad()
    def drawn_shares(self, plain: Plain, random: torch.Generator) -> list[NDArray[np.float64]]:
        """Return shares as `shares` does, from which cells that are drawn one by one fit each other all the same.

        They are those of one latent; or almost 1 for codes that were drawn one after the other.
        """
        if not self.chain:
            return self.shares(plain, 1, random)
        known, given = self._known(plain)
        drawn = self.chain.complete(torch.where(given > 0, known, -1), random)
        chances = self.shares(plain, 1, random)
        ones = [np.eye(size)[codes] for size, codes in zip(self.codec.sizes, drawn.T.cpu().numpy(), strict=True)]
        return [one + ALMOST_NONE * chance for one, chance in zip(ones, chances, strict=True)]

    def _known(self, plain: Plain) -> tuple[Tensor, Tensor]:
        """Return the codes of rows (N,), at least 0, and ones where they are given, both (N, U)."""
        device = next(self.network.parameters()).device
        codes = self.codec.encode(plain)
        given = torch.from_numpy(given_cells(self.codec, plain, codes)).float().to(device)
        return torch.from_numpy(codes).long().clamp_min(0).to(device), given

    @torch.no_grad()
    def logits(self, codes: Tensor, given: Tensor, random: torch.Generator) -> Tensor:
        """Return the generator's logits (B, P). Args: codes (B, U); given (B, U), the mask of those that count."""
        layout, chain = self.layout, self.chain
        if chain:
            rows = max(1, MOST_PLACES // layout.width)
            parts = zip(torch.split(codes, rows), torch.split(given, rows), strict=True)
            told = [chain.generator(layout.one_hot(part) * layout.spread(theirs), layout) for part, theirs in parts]
            return torch.cat(told) / self.temperature
        shown = layout.one_hot(codes) * layout.spread(given)
        latent = torch.randn(len(codes), self.latent_size, generator=random).to(given.device)
        completed: Tensor = self.network.generator(latent, torch.cat([shown, given], dim=1)) / self.temperature
        return completed

    @property
    def layout(self) -> RowLayout:
        """Return the layout of codes."""
        return RowLayout(self.codec.sizes, next(self.network.parameters()).device)

    @property
    def chain(self) -> Chain | None:
        """Return how an autoregressive generator draws; None for another one."""
        generator = self.network.generator
        if not isinstance(generator, AutoregressiveGenerator):
            return None
        return Chain(generator, self.layout, self.network.apart, self.temperature)

    @torch.no_grad()
    def _codes(self, asked: AskedByUnit, random: torch.Generator) -> NDArray[np.int32]:
        """Draw codes (BLOCK, U) that meet the conditions: of several candidates for a row the referee's choice."""
        referee, layout, chain = self.network.referee, self.layout, self.chain
        count = self.candidates if referee is not None else 1
        if chain:
            restricted = {place: partial(shares_met, self.codec, place, asked[place]) for place in asked}
            rows = chain.draw(BLOCK, random, restricted, count)
        else:
            by_latent = LatentRows(self.network.generator, self.layout, self.codec, self.latent_size, self.temperature)
            rows = by_latent.draw(asked, count, BLOCK, random)
        if referee is None or count == 1:
            return rows[0].cpu().numpy().astype(np.int32)
        places = (rows + layout.starts).flatten(0, 1)  # (count * B, U)
        scores = referee.score_whole(places).view(count, BLOCK).T  # (B, count)
        taken = torch.multinomial(torch.softmax(scores, dim=1).cpu(), 1, generator=random)[:, 0]
        best = rows[taken.to(rows.device), torch.arange(BLOCK, device=rows.device)]
        return best.cpu().numpy().astype(np.int32)

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

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a person should know of these rows."""
        return rare_conditions(self.model.codec, self.conditions)

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
        declared = read_declared(folder / WEIGHTS)
        judged, bound = any(name.startswith("network/referee.") for name in declared), "network/apart" in declared
        counted = declared.get("network/generator.rare")
        rare = next(iter(counted.shape), None) if counted else None
        scores, covariance = (declared.get(f"network/generator.copula.{name}") for name in ("scores", "covariance"))
        copula = (scores.shape[-1], covariance.shape[-1]) if scores and covariance else None

        def build() -> RowProduct:
            generator, referee = build_row_networks(network, codec.sizes, rare, copula)
            width = RowLayout(codec.sizes).width if bound else None
            apart = torch.zeros(width, width, dtype=torch.bool) if width else None
            return RowProduct(generator, referee if judged else None, apart)

        product = built(folder, build, "network/").to(device)
        generator = product.generator
        if isinstance(generator, AutoregressiveGenerator) and not bool(
            ((generator.rare >= 0) & (generator.rare < generator.ratios.shape[1])).all()
        ):
            raise ValueError("its rare codes are not among those of its columns")
        if isinstance(generator, LowRankGenerator) and generator.copula is not None:
            generator.copula.refuse_unusable(RowLayout(codec.sizes, device))
    return RowModel(product, network.latent_size or 0, codec, candidates, content["task"])
