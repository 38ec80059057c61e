"""Interactions of users with items: the entry point of this kind of data."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganforge.contracts import Claim, Kind, Option
from ganforge.errors import DataError, RecipeError

if TYPE_CHECKING:
    from ganforge.recipe import Recipe
    from ganforge.records import Rows

BUILT_IN = {"clubs": "600 users with tastes, 200 items of eight clubs, some 12,000 interactions in time"}
FILES = (".csv", ".tsv", ".txt", ".dat", ".parquet", ".feather", ".arrow", ".jsonl")  # that may hold anything else
PARTS = ("interactions", "items", "users")  # of a data set that is given in Python
EXCLUDED = ("seen", "nothing")


def recognises(source: object) -> Claim | None:
    """Recognise files of RecBole and MovieLens, folders with them, sparse matrices, and a dictionary of tables.

    Tables have priority for other files and frames, whose rows may be interactions.
    """
    if not isinstance(source, str | Path):
        return _value(source)
    path = Path(source).expanduser()
    if path.is_dir():
        return _folder(path)
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix == ".inter":
        return Claim(3, "its name ends with .inter, as RecBole's logs do")
    if suffix in (".dat", ".data"):
        return _movielens(path)
    if suffix == ".parquet":
        from ganforge.core.files import encoded_columns

        return Claim(1, "its rows may be interactions") if encoded_columns(path) == [] else None
    return Claim(1, "its rows may be interactions") if suffix in FILES else None


def keep(value: object, folder: Path) -> Path:
    """Write a frame, a sparse matrix (users, items), or a dictionary of frames by PARTS, as Parquet.

    Raises: DataError if it is none of them.
    """
    from ganforge.kinds.interactions.frames import write_frame, write_matrix

    if _is_sparse(value):
        return write_matrix(value, folder / "interactions.parquet")
    if not isinstance(value, Mapping):
        return write_frame(value, folder / "interactions.parquet")
    if strange := [name for name in value if name not in PARTS] or PARTS[0] not in value:
        raise DataError(
            f"A dictionary with {', '.join(map(repr, value))} does not hold interactions.",
            f"Its keys are {', '.join(PARTS)}." if strange is True else f"There is no part {strange[0]!r}.",
            'For example: {"interactions": ratings, "items": movies}',
        )
    for name, part in value.items():
        write_frame(part, folder / f"{name}.parquet")
    return folder


def overview(recipe: Recipe) -> tuple[Rows, ...]:
    """Return what is in the log (contracts.Kind)."""
    from ganforge.kinds.interactions.data import overview_of

    return overview_of(recipe)


def _value(value: object) -> Claim | None:
    if _is_sparse(value):
        return Claim(3, "it is a sparse matrix")
    if isinstance(value, Mapping):
        return Claim(3, "it is a dictionary with interactions") if PARTS[0] in value else None
    frame = hasattr(value, "columns") or callable(getattr(value, "to_arrow", None))
    return Claim(1, "its rows may be interactions") if frame else None


def _is_sparse(value: Any) -> bool:
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(value))


def _folder(folder: Path) -> Claim | None:
    """Judge a folder by the name of the log in it."""
    from ganforge.kinds.interactions.places import logs_of

    try:
        logs = logs_of(entry for entry in folder.iterdir() if entry.is_file())
    except PermissionError:
        return None
    claim = recognises(logs[0]) if len(logs) == 1 else None
    return Claim(claim.strength, f"it holds {logs[0].name!r}") if claim else None


def _movielens(path: Path) -> Claim | None:
    """Judge a file by its first line: fields between '::', or four numbers between tabs."""
    with path.open("rb") as file:
        line = file.readline(1 << 12)
    if line.count(b"::") > 0:
        return Claim(3, "its fields stand between '::', as MovieLens' do")
    fields = line.split(b"\t")
    numbers = len(fields) in (3, 4) and all(field.strip().isdigit() for field in fields)
    return Claim(2, f"its first line is {len(fields)} numbers, as MovieLens' are") if numbers else None


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
    tasks={
        "recommend": "ganforge.kinds.interactions.recommend.task:RecommendTask",
        "policy": "ganforge.kinds.interactions.policy.task:PolicyTask",
        "simulate": "ganforge.kinds.interactions.simulate.task:Simulate",
        "invent": "ganforge.kinds.interactions.invent.task:Invent",
    },
    recognises=recognises,
    keep=keep,
    overview=overview,
    models={
        "recommend": "ganforge.kinds.interactions.recommend.model:load_recommender",
        "policy": "ganforge.kinds.interactions.policy.model:load_policy",
        "simulate": "ganforge.kinds.interactions.simulate.model:load_users",
        "invent": "ganforge.kinds.interactions.invent.model:load_inventions",
    },
    options=(
        Option(
            "count", ("apply",), int, "N",
            "How many items each user gets, or how many users each new item; 10 when you say nothing.", "10",
            flag="-n", within=(1, 10_000),
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
            "whom", ("sample",), str, "WHOM", "Of invented items: the users whom they would please.", '"users=42,43"',
            flag="--for",
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
