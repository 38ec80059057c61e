"""What a plan shows of a table before its choices: the columns as they were understood, and the rules."""

from __future__ import annotations

from ganforge.kinds.tables.columns import columns_of
from ganforge.kinds.tables.rules.bounds import seen_range
from ganforge.kinds.tables.settings import RowSettings
from ganforge.recipe import Recipe
from ganforge.records import Rows


def overview_of(recipe: Recipe) -> tuple[Rows, ...]:
    """What was found of each column and will be done with it; what every generated row will keep, each with its why."""
    return _columns(recipe), _rules(recipe)


def _columns(recipe: Recipe) -> Rows:
    rows = []
    for column in columns_of(recipe):
        ordered = column.is_number and column.minimum is not None
        rows.append(
            (
                column.name,
                column.kind,
                seen_range(column) if ordered else "",
                f"{column.missing:,}" if column.missing else "",
                f"{column.distinct:,}",
                column.does,
                column.why,
            )
        )
    heads = ("column", "kind", "range", "missing", "distinct", "what will be done", "why")
    return Rows(heads, tuple(rows), numeric=(3, 4))


def _rules(recipe: Recipe) -> Rows:
    rules, reasons = recipe.section(RowSettings).rules, recipe.reasons
    none = "No rules: none was found that is no accident. Ask for one with --rule."
    found = [(rule, reasons.get(f"rows.rules.{rule}", reasons.get("rows.rules", ""))) for rule in rules]
    return Rows(("every row keeps", "why"), tuple(found), caption="" if rules else none)
