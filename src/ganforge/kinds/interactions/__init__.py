"""Interactions of users with items: the entry point of this kind of data."""

from __future__ import annotations

from pathlib import Path

from ganforge.contracts import Claim, Kind, Option
from ganforge.errors import DataError, RecipeError

BUILT_IN: dict[str, str] = {}
LOGS = (".csv", ".tsv", ".txt", ".parquet", ".jsonl")  # files that may be logs, and may be anything else
EXCLUDED = ("seen", "nothing")


def recognises(source: object) -> Claim | None:
    """Recognise logs by their names."""
    if not isinstance(source, str | Path):
        return None
    suffix = Path(source).suffix.lower()
    if suffix == ".inter":
        return Claim(3, "its name ends with .inter")
    return Claim(1, "its rows may be interactions") if suffix in LOGS else None


def keep(value: object, folder: Path) -> Path:
    """Write a log that was given in Python. Raises: DataError if it is not one."""
    raise DataError(f"A {type(value).__name__} is not a log of interactions.", do="Give a file.")


def _excluded(value: str) -> str:
    if value not in EXCLUDED:
        raise RecipeError(f"--exclude cannot be {value!r}.", "It is seen or nothing.", "For example: --exclude seen")
    return value


KIND = Kind(
    name="interactions",
    noun="interaction",
    nouns="interactions",
    forms="a log of users and items (.inter, .csv ...)",
    built_in=BUILT_IN,
    tasks={},
    recognises=recognises,
    keep=keep,
    models={},
    options=(
        Option(
            "count", ("apply",), int, "N", "Of a recommender: how many items each user gets; 10 when you say nothing.",
            "10", flag="-n", within=(1, 10_000),
        ),
        Option(
            "exclude", ("apply",), str, "WHAT",
            "Of a recommender: which items a user does not get: seen, what he had, when you say nothing; or nothing.",
            "seen", check=_excluded,
        ),
        Option(
            "diversity", ("apply",), float, "D",
            "Of a recommender: from 0, the most likely items, to 1, as many different and rare ones as possible.",
            "0.3", within=(0, 1),
        ),
        Option(
            "whom", ("apply",), str, "WHOM", "Of a recommender, instead of DATA: one user of the data.", '"user=42"',
            flag="--for", instead=True,
        ),
        Option(
            "new", ("apply",), str, "ITEMS",
            "Of a recommender, instead of DATA: the items that a user who is not in the data liked.", '"item1,item2"',
            instead=True,
        ),
    ),
    applies_to="of interactions a table of users, or of new items",
    writes={"sample": "a .csv file", "apply": "a .csv or .parquet file"},
)  # fmt: skip
