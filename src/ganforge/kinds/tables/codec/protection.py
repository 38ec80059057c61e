"""What a codec keeps back of its training rows, since few of them have it, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.rare_categories import RARE, Counts, RareCategories
from ganforge.kinds.tables.codec.rare_numbers import ends_kept

if TYPE_CHECKING:
    from ganforge.kinds.tables.codec.codec import TableCodec

NEAR = "numbers near them are drawn"
SIMILAR = "frequent ones that go with the other columns are learned in their place"
WORD = f"{RARE} is learned in their place"
SHOWN = "they are drawn all the same: without them most rows would lose their value"


@dataclass(frozen=True, slots=True)
class KeptBack:
    """The rare values of a column, or of several in fixed combinations."""

    columns: tuple[str, ...]
    values: int  # different ones
    share: float  # of the training rows that have one of them
    instead: str  # in words

    @property
    def sentence(self) -> str:
        noun = "combination" if len(self.columns) > 1 else "value"
        return f"{self.values:,} {noun}{'s' * (self.values != 1)}, in {self.share:.2%} of the rows: {self.instead}"


MOSTLY = 0.5  # share of the rows with the word for rare values, above which a column is hardly learned


@dataclass(frozen=True, slots=True)
class Protection:
    """What is kept back, and the codes that training rows with such values have."""

    rare: tuple[RareCategories, ...] = ()
    kept: tuple[KeptBack, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """Return a sentence for each column in most rows of which the word for rare values stands."""
        return [
            f"In {each.share:.0%} of the rows {RARE} stands for a value of {each.columns[0]!r}, since its values "
            "hardly come again: hardly anything of it is learned. --set rows.rare=0 draws them as they are."
            for each in self.kept
            if each.instead == WORD and each.share > MOSTLY
        ]

    def encode(self, codec: TableCodec, plain: Plain) -> NDArray[np.int32]:
        """Return the codes (N, U) of training rows, those of rare values too."""
        codes = codec.encode(plain)
        for each in self.rare:
            each.into(codes, codec.units[each.unit].columns, plain)
        return codes


def kept_categories(
    columns: tuple[str, ...], values: Plain, counts: Counts, hidden: Counts, fewest: int
) -> list[KeptBack]:
    """Return what becomes of the rare values of a unit.

    Args: values (V,) of its codes, and their rows; hidden the rows of each value that is none of them.
    """
    total, found = counts.sum(), []
    word = len(columns) == 1 and RARE in values[columns[0]]
    total += 0 if word else hidden.sum()
    if len(hidden):
        found.append(KeptBack(columns, len(hidden), float(hidden.sum() / total), WORD if word else SIMILAR))
    there = ~np.all([pd.isna(values[name]) for name in columns], axis=0)
    shown = counts[there & (counts < fewest)]
    if len(shown):
        found.append(KeptBack(columns, len(shown), float(shown.sum() / total), SHOWN))
    return found


def kept_numbers(columns: tuple[str, ...], sample: Plain, fewest: int) -> list[KeptBack]:
    """Return what becomes of the rare numbers of a column, or of the rare points of two that are learned as one.

    Args: sample training rows (N,).
    """
    values = pd.DataFrame({name: sample[name] for name in columns})
    counts = values.value_counts().to_numpy()  # of rows without a missing number
    few = counts < fewest
    if not few.any():
        return []
    ends = [ends_kept(sample[name], fewest) for name in columns]
    beyond = ((values < [low for low, _ in ends]) | (values > [high for _, high in ends])).any(axis=1).sum()
    without = f"; the {beyond} lowest and highest rows are left out" if beyond else ""
    return [KeptBack(columns, int(few.sum()), float(counts[few].sum() / len(values)), NEAR + without)]
