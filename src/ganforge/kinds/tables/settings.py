"""The section of a recipe that the tasks on rows of a table own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from ganforge.recipe import TaskSection

MOST_CANDIDATES = 64


class RowSettings(TaskSection):
    """How the rows of a table are learned."""

    key: ClassVar[str] = "rows"
    apart: ClassVar[Mapping[str, str]] = {
        "rules": "A rule is checked against every row before it is taken: use --rule, or the rules of a plan.json."
    }

    rules: tuple[str, ...] = ()  # what every generated row keeps, such as "start <= end"
    spans: int = Field(32, ge=2, le=1000)  # into how many codes a column of numbers is cut
    values: Literal["seen", "smooth"] = "seen"  # within a span: training values, or from a curve through them
    whole: float | None = Field(None, ge=0, le=1)  # share of training rows that are generated whole, not from a part
    referee: int = Field(0, ge=0)  # examples from which a referee learns after the game; 0 for none
    candidates: int = Field(4, ge=1, le=MOST_CANDIDATES)  # drawn for each row, of which the referee takes one
    reconstruction: float = Field(0.0, ge=0)  # weight of the cross-entropy of hidden cells in the generator's loss
