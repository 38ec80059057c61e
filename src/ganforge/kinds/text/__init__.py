"""Text: the entry point of this kind of data. Heavy packages are imported on demand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ganforge.contracts import Claim, Kind, Option
from ganforge.core.conversion import first_within, is_hidden
from ganforge.errors import DataError, RecipeError
from ganforge.kinds.text.recognition import is_text

PLAIN = ".txt"
COLUMNS = (".jsonl", ".csv", ".tsv", ".parquet")  # files whose text is in a column
TABULAR = (".csv", ".tsv", ".parquet", ".feather", ".arrow", ".sqlite", ".sqlite3", ".db")  # a folder of them is tables
BUILT_IN = {"docstrings": "some 10,000 sentences of the documentation of NumPy, SciPy and scikit-learn"}
EXAMPLES = ("line", "paragraph")
UNITS = ("characters", "words", "subwords")


def recognises(source: object) -> Claim | None:
    """Recognise lists of strings, .txt files that are neither numbers nor rows, .jsonl files, and folders of them.

    Tables have priority for .csv, .tsv and .parquet.
    """
    if not isinstance(source, str | Path):
        return Claim(3, "it is a list of texts") if _is_texts(source) else None
    path = Path(source).expanduser()
    suffix = path.suffix.lower()
    if path.is_dir():
        return _folder(path)
    if suffix == PLAIN:
        return (
            Claim(3, "its lines are neither numbers nor rows of a table") if path.is_file() and is_text(path) else None
        )
    if suffix == ".parquet":
        from ganforge.core.files import encoded_columns

        return Claim(1, "its columns may hold text") if encoded_columns(path) == [] else None
    if suffix in (".csv", ".tsv"):
        return Claim(1, "its cells may be text")
    return Claim(2, "its name ends with .jsonl") if suffix == ".jsonl" else None


def keep(value: object, folder: Path) -> Path:
    """Write a list of strings, each an example, as .jsonl. Raises: DataError if it holds something else."""
    path = folder / "texts.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(value if isinstance(value, list | tuple) else ()):
            if not isinstance(text, str):
                raise DataError(
                    f"Number {number} of the list is a {type(text).__name__}.", "Each example is a str.", "Give texts."
                )
            file.write(json.dumps(text) + "\n")
    return path


def _is_texts(source: object) -> bool:
    return isinstance(source, list | tuple) and len(source) > 0 and all(isinstance(one, str) for one in source[:1000])


def _folder(folder: Path) -> Claim | None:
    """Claim a folder with text files, less strongly one with other files; one with tables is left to their kind."""
    found = first_within(folder, lambda entry: entry.suffix.lower() in (PLAIN, ".jsonl"))
    if found is None or first_within(folder, lambda entry: entry.suffix.lower() in TABULAR) is not None:
        return None
    other = first_within(folder, _is_other)
    return Claim(2 if other else 3, f"it holds {str(found.relative_to(folder))!r}")


def _is_other(entry: Path) -> bool:
    """Return whether it is a file of a format that is not text. A note beside text is not."""
    own = (PLAIN, *COLUMNS, "", ".md", ".rst")
    return not is_hidden(entry.name) and entry.suffix.lower() not in own and not entry.is_dir()


def _one_of(names: tuple[str, ...], flag: str, do: str = "") -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in names:
            raise RecipeError(f"{flag} cannot be {value!r}.", f"It is {', '.join(names[:-1])} or {names[-1]}.", do)
        return value

    return check


KIND = Kind(
    name="text",
    noun="text",
    nouns="texts",
    forms="text (.txt, .jsonl), a folder of such files",
    built_in=BUILT_IN,
    tasks={
        "generate": "ganforge.kinds.text.generate.task:Generate",
        "restyle": "ganforge.kinds.text.restyle.task:Restyle",
        "translate": "ganforge.kinds.text.translate.task:Translate",
        "dictionary": "ganforge.kinds.text.dictionary.task:DictionaryTask",
    },
    recognises=recognises,
    keep=keep,
    models={
        "generate": "ganforge.kinds.text.generate.model:load_writer",
        "restyle": "ganforge.kinds.text.restyle.model:load_restyler",
        "translate": "ganforge.kinds.text.translate.model:load_translator",
        "dictionary": "ganforge.kinds.text.dictionary.model:load_dictionary",
    },
    options=(
        Option(
            "text", ("train",), str, "COLUMN", "The column of a .csv, .tsv, .jsonl or .parquet that is learned.", "text"
        ),
        Option(
            "unit", ("train",), str, "UNIT", "What text is written in: characters, words or subwords.", "words",
            check=_one_of(UNITS, "--unit"),
        ),
        Option(
            "example", ("train",), str, "WHAT",
            "What one example of a .txt is: a line, or a paragraph up to an empty line.", "line",
            check=_one_of(EXAMPLES, "--example", "--examples N says how many are learned from."),
        ),
        Option(
            "strength", ("apply",), float, "S",
            "Of a restyler: 0 changes nothing, 0.5 is as typical as real lines, 1 as typical as can be.", "0.5",
            within=(0, 1),
        ),
        Option(
            "temperature", ("sample",), float, "T", "Of texts: below 1 likelier ones, above 1 more varied ones.", "0.8",
            within=(0.1, 2),
        ),
        Option("prompt", ("sample",), str, "TEXT", "Of texts: what each begins with.", '"a man"'),
        Option("contains", ("sample",), str, "WORD", "Of texts: only such as hold this word.", "dog"),
        Option("label", ("sample",), object, "L", "Only this label, by its name.", "positive", check=str),
        Option(
            "strength", ("sample",), float, "S", "Of texts: how much discriminators correct, from 0 to 1.", "1",
            within=(0, 1),
        ),
        Option(
            "seeds", ("train",), str, "FILE", "Of a dictionary: pairs of words that are known, one a line.", "pairs.tsv"
        ),
        Option(
            "word", ("apply",), str, "WORD", "Of two languages: one word, instead of DATA.", "chien", instead=True
        ),
        Option("to", ("apply",), str, "NAME", "The language, or the style, that is wanted.", "fr"),
    ),
    extra="text",
    applies_to="of text a list of words, one a line, or a text: each line translated, or put into a style",
    writes={
        "sample": "a .txt, .jsonl or .csv file",
        "apply": "of a dictionary a .csv or .json file, or a .txt file of a text",
    },
)  # fmt: skip
