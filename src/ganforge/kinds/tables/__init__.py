"""Tables: the entry point of this kind of data. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganforge.contracts import Claim, Kind, Option
from ganforge.privacy.options import DELTA, PRIVATE, SCHEMA

if TYPE_CHECKING:
    from ganforge.recipe import Recipe
    from ganforge.records import Evaluation, Rows
    from ganforge.run import Run

TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
ARROW = (".parquet", ".feather", ".arrow")
DATABASES = (".sqlite", ".sqlite3", ".db")
SQLITE = b"SQLite format 3\0"  # the beginning of such a file
BUILT_IN = {
    "diabetes": "442 patients, 10 numbers and how ill they are a year later",
    "wine": "178 wines, 13 numbers and their cultivar",
    "breast_cancer": "569 tumours, 30 numbers and their diagnosis",
}


def recognises(source: object) -> Claim | None:
    """Recognise text files, Arrow files, Parquet without encoded pictures in its columns, frames, and several tables:
    a SQLite database, or a folder of such files."""
    if not isinstance(source, str | Path):
        return Claim(3, f"it is a {type(source).__name__}") if _is_table(source) else None
    path = Path(source).expanduser()
    name = path.name.lower()
    ending = next((ending for ending in (*TEXT, *ARROW) if name.endswith(ending)), None)
    if ending in TEXT:
        return Claim(2, f"its name ends with {ending}")
    if path.is_dir():
        return _folder(path)
    if is_database(path):
        return Claim(3, "it is a SQLite database")
    if ending == ".parquet":
        return _parquet(path)
    return Claim(2, f"its name ends with {ending}") if ending else None


def keep(value: object, folder: Path) -> Path:
    """Write a table of pandas, polars or pyarrow as Parquet. A frame's index is left out.

    Raises: DataError if columns do not have unique names, or hold values that are not simple.
    """
    import pyarrow.parquet as pq

    from ganforge.kinds.tables.reading.frames import as_arrow

    path = folder / "table.parquet"
    pq.write_table(as_arrow(value), path)
    return path


def compare(real: str | Path, made: str | Path, run: Run, **asked: Any) -> Evaluation:
    """Compare a table with a real one (contracts.Kind)."""
    from ganforge.kinds.tables.compare import compare_tables

    return compare_tables(real, made, run, **asked)


def overview(recipe: Recipe) -> tuple[Rows, ...]:
    """Return the columns and the rules (contracts.Kind)."""
    from ganforge.kinds.tables.plan import overview_of

    return overview_of(recipe)


def write_plan(recipe: Recipe, out: Path, force: bool) -> bool | None:
    """Write columns and rules, for a person to correct (contracts.Kind)."""
    from ganforge.kinds.tables.columns import RowSettings, TableData
    from ganforge.kinds.tables.reading.plan_file import write_plan as write

    if not isinstance(recipe.data, TableData) or recipe.data.tables:
        return None
    return write(out, recipe.data.columns, recipe.section(RowSettings).rules, recipe.data.source, force=force)


def _parquet(path: Path) -> Claim | None:
    """Judge a Parquet file by its columns. One that cannot be read is left to its reader."""
    from ganforge.core.files import encoded_columns

    return (
        Claim(3, f"{path.name!r} has columns of numbers, texts and the like") if encoded_columns(path) == [] else None
    )


def _folder(folder: Path) -> Claim | None:
    """Judge a folder of tables, or of Parquet parts of one: a weaker claim if it holds other files or folders, which
    may matter more."""
    files = table_files(folder)
    parts = [file for file in files if file.name.endswith(".parquet")]
    claim = _parquet(parts[0]) if parts else None
    if claim is None and (parts or len(files) < 2):
        return None
    named = " and ".join(repr(file.name) for file in files[:2])
    claim = claim or Claim(3, f"it holds the tables {named}{' and more' if len(files) > 2 else ''}")
    others = [entry for entry in folder.iterdir() if entry not in files]
    return replace(claim, strength=1 if any(map(Path.is_dir, others)) else 2 if others else 3)


def table_files(folder: Path) -> list[Path]:
    """Return the files of a folder that are tables by their names, in alphabetical order, without hidden ones."""
    endings = tuple(ending for ending in (*TEXT, *ARROW) if not ending.startswith(".txt"))  # which may be any text
    files = [file for file in folder.iterdir() if file.name.lower().endswith(endings) and file.is_file()]
    return sorted(file for file in files if not file.name.startswith("."))


def is_database(path: Path) -> bool:
    """Return whether a file begins as SQLite's do, or is called like one."""
    if path.name.lower().endswith(DATABASES) or not path.is_file():
        return path.is_file()
    with path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def _is_table(value: object) -> bool:
    """Return whether it is a table of pandas or pyarrow, which are imported if it is, or exports itself as Arrow."""
    pandas, arrow = sys.modules.get("pandas"), sys.modules.get("pyarrow")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return True
    if arrow is not None and isinstance(value, arrow.Table | arrow.RecordBatch):
        return True
    return callable(getattr(value, "to_arrow", None))


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


KIND = Kind(
    name="tables",
    noun="row",
    nouns="rows",
    forms="a table (.csv, .parquet ...), a folder or SQLite file with two",
    built_in=BUILT_IN,
    tasks={
        "generate": "ganforge.kinds.tables.generate.task:GenerateRows",
        "impute": "ganforge.kinds.tables.impute:Impute",
        "regress": "ganforge.kinds.tables.regress.task:Regress",
        "private": "ganforge.kinds.tables.private.task:PrivateTableTask",
    },
    recognises=recognises,
    keep=keep,
    models={
        "generate": "ganforge.kinds.tables.linked.model:load_generator",
        "impute": "ganforge.kinds.tables.linked.model:load_generator",
        "regress": "ganforge.kinds.tables.regress.model:load_regression",
        "private": "ganforge.kinds.tables.private.model:load_private",
    },
    applies_to="a table with the columns of the training data",
    writes={
        "sample": "a .csv, .tsv (also .gz), .parquet or .feather file; of two tables a folder or .sqlite file",
        "apply": "a .csv, .tsv (also .gz), .parquet or .feather file",
    },
    overview=overview,
    write_plan=write_plan,
    compare=compare,
    options=(
        Option(
            "plan", ("train",), str, "FILE",
            "Columns and rules as `ganforge plan` wrote them and you corrected them.", "plan.json", check=_absolute,
        ),
        Option(
            "rules", ("train",), str, "RULE",
            'What every generated row keeps, besides the rules that are found: "start <= end", "0 <= age <= 99", '
            '"city -> country", "unique id", "seen store", "joint lat, lon"; of two tables their key, '
            '"orders.customer_id -> customers.id". As often as you like.',
            '"start <= end"', flag="--rule", many=True,
        ),
        Option(
            "where", ("sample",), object, "CONDITION",
            'What every row meets: sex=Female, "age>=60", "20<=age<30", "job in {cook, baker}". As often as you like.',
            "sex=Female", many=True,
        ),
        Option(
            "given", ("sample",), object, "FILE",
            "Instead of N of them, one row for each row of a table of some columns, whose cells stay as they are.",
            "seeds.csv", instead=True,
        ),
        Option(
            "balance", ("sample",), object, "SHARES",
            'How many rows have which value of a column: "income=>50K:0.5", "job=cook:0.2,baker:0.3".',
            '"income=>50K:0.5"',
        ),
        Option(
            "fair", ("sample",), str, "PAIR",
            'A column that is made independent of another one: "income ~ sex".', '"income ~ sex"',
        ),
        Option(
            "temperature", ("sample",), float, "T",
            "From 0.1, typical rows only, to 2, unusual ones as well; 1, as learned, when you say nothing.", "0.8",
            within=(0.1, 2),
        ),
        Option("draw", ("apply",), bool, "", "Draw each missing value, not the best guess.", ""),
        Option(
            "predict", ("apply",), str, "COLUMN", "Instead of filling holes, predict this column from the others.",
            "income",
        ),
        Option(
            "probabilities", ("apply",), bool, "",
            "With --predict: also how likely each class is, or of a number the ends of its 90 % interval.", "",
        ),
        Option(
            "score", ("apply",), bool, "",
            "Instead of filling holes, say how unusual each row is: its negative log-likelihood by the model.", "",
        ),
        PRIVATE, DELTA, SCHEMA,
    ),
)  # fmt: skip
