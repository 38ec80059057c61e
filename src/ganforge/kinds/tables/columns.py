"""The sections of a recipe for a table: its columns, and how its rows are learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from ganforge.errors import RecipeError
from ganforge.recipe import Data, Recipe, Section, TaskSection

TIMES = ("datetime", "time", "duration")  # counted in their resolution
NUMBERS = ("integer", "decimal", *TIMES)  # kinds of values with an order and distances: float64 in contracts.Plain
LEARNED = (*NUMBERS, "category", "boolean")
MICROSECONDS = {"D": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
MOST_DECIMALS = 15
RARE = 50  # training rows with a value, below which what goes with it is hardly learned
LISTED = 5  # columns in a sentence
FEWEST_COMPARED = 10  # rows on either side of a comparison: so many are held out, and as many are left to learn from
EXACT = 2**53  # whole numbers up to here are exact in float64
ColumnKind = Literal[
    "integer", "decimal", "category", "boolean", "datetime", "time", "duration", "identifier", "constant"
]


class Column(Section):
    """One column of a table: its found properties, which a person may correct in plan.json."""

    name: str
    kind: ColumnKind
    dtype: str  # as pandas names it, of the table that is read and of the one that is written
    missing: int = Field(0, ge=0)  # rows without a value
    distinct: int = Field(0, ge=0)  # values; counted up to 1,000,000
    minimum: float | None = None  # of numbers; of a datetime in its resolution since 1970, of a time in its resolution
    maximum: float | None = None
    decimals: int | None = Field(None, ge=0, le=MOST_DECIMALS)  # digits behind the point, of a decimal
    resolution: Literal["D", "h", "min", "s", "ms", "us"] | None = None  # of a datetime, time of day or duration
    zone: str | None = None  # of a datetime that has one
    format: str | None = None  # of a datetime, time or number written as text: how; of an identifier: its pattern
    unused: str | None = None  # of an identifier: "100007-100044 ...", numbers that follow those above the maximum
    why: str = ""  # why it is of this kind
    does: str = ""  # what will be done with it

    @model_serializer(mode="wrap")
    def _content(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        return content if self.unused else {key: value for key, value in content.items() if key != "unused"}

    @property
    def is_number(self) -> bool:
        """Return whether its values have an order and distances; else they are texts."""
        return self.kind in NUMBERS

    @property
    def is_made_up(self) -> bool:
        """Return whether it holds texts without a pattern, such as names, in whose place there will be placeholders."""
        return self.kind == "identifier" and not self.maximum and (self.format or "").startswith(f"{self.name}-{{")

    @property
    def unit(self) -> int:
        """Return the unit of a datetime or time in microseconds; 1 for other columns."""
        return MICROSECONDS[self.resolution or "D"] if self.kind in TIMES else 1


def learned(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns that are learned and measured, in their order: all but identifiers and constants."""
    return tuple(column for column in columns if column.kind in LEARNED)


def not_learned(names: Sequence[str]) -> str:
    """Say that columns of texts are not learned; "" for none."""
    if not names:
        return ""
    listed = ", ".join(map(repr, names[:LISTED])) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    if len(names) > 1:
        return f"{listed} are not learned: their values are made up, since they are texts that hardly come twice."
    return f"{listed} is not learned: its values are made up, since they are texts that hardly come twice."


class OtherReference(Section):
    """A column that refers to rows of the parent's table, besides the one by which its row is a child of its parent."""

    missing: float = Field(0.0, ge=0, le=1)  # share of rows without a value
    same: float = Field(0.0, ge=0, le=1)  # share of rows that refer to their own parent; the others to any other row


class LinkedTable(Section):
    """One of several tables, whose rows belong to those of another one or have such rows themselves."""

    name: str
    ending: str  # of the file that it came as: ".csv"
    columns: tuple[Column, ...]  # in the table's order
    primary_key: str | None = None  # the column that names its rows for the tables that belong to it
    parent: str | None = None  # the table whose rows its own belong to
    foreign_key: str | None = None  # the column that holds the parent's key
    others: dict[str, OtherReference] = Field(default_factory=dict)  # by column
    order: str | None = None  # the column in whose order the rows of one parent follow each other; None: as they came

    @property
    def references(self) -> tuple[str, ...]:
        """Return the columns that refer to rows of the parent's table."""
        return (*filter(None, [self.foreign_key]), *self.others)


class TableData(Data):
    """The place of a table, and its columns; or of several that are linked by keys."""

    apart: ClassVar[Mapping[str, str]] = {
        **Data.apart,
        "columns": "Correct a plan.json, and give it with --plan.",
        "tables": "Name the key with --rule.",
    }

    columns: tuple[Column, ...] = ()  # in the table's order
    tables: tuple[LinkedTable, ...] = ()  # where there are several, parents before their children


def columns_of(recipe: Recipe) -> tuple[Column, ...]:
    """Return the columns of a recipe's table. Raises: RecipeError for a recipe of other data."""
    if not isinstance(recipe.data, TableData):
        raise RecipeError(f"The recipe is of {recipe.data.kind}, and has no columns.", do="Use that of a table.")
    return recipe.data.columns


MOST_CANDIDATES = 64


class RowSettings(TaskSection):
    """The settings for learning the rows of a table."""

    key: ClassVar[str] = "rows"
    apart: ClassVar[Mapping[str, str]] = {
        "rules": "A rule is checked against every row before it is taken: use --rule, or the rules of a plan.json."
    }

    rules: tuple[str, ...] = ()  # that every generated row keeps, such as "start <= end"
    spans: int = Field(32, ge=2, le=1000)  # into how many codes a column of numbers is cut
    values: Literal["seen", "smooth"] = "seen"  # within a span: training values, or from a curve through them
    # training rows from which on a value is drawn as it is: rarer ones are kept back; 0, 1: none is
    rare: int | None = Field(None, ge=0)
    # whether spans end at gaps and around rare categories, and what goes with rare codes is counted; None: an old run
    rare_classes: bool | None = None
    whole: float | None = Field(None, ge=0, le=1)  # share of training rows that are generated whole, not from a part
    referee: int = Field(0, ge=0)  # examples from which a referee learns after the game; 0 for none
    candidates: int = Field(4, ge=1, le=MOST_CANDIDATES)  # drawn for each row, of which the referee takes one
    # A pair of codes that never occurs is not drawn if so many rows were expected of it; 0: it is.
    unseen: float | None = Field(None, ge=0)
    reconstruction: float = Field(0.0, ge=0)  # weight of the cross-entropy of hidden cells in the generator's loss
