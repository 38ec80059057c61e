"""Where a log is, and the tables of its items and users beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ganforge.core.conversion import is_hidden
from ganforge.errors import DataError
from ganforge.kinds.interactions import BUILT_IN, FILES

LOGS = ("interactions", "ratings", "events", "log", "logs", "reviews", "u", "transactions", "clicks", "plays")
TABLES = {
    "item": ("items", "item", "movies", "movie", "books", "products", "songs", "tracks", "games", "articles", "u"),
    "user": ("users", "user", "customers", "readers", "members", "u"),
}
KINDS = {"item": "items", "user": "users"}


@dataclass(frozen=True, slots=True)
class Places:
    """The files of a data set."""

    log: Path
    beside: dict[str, Path | None]  # "item", "user" -> its table


def find_places(source: str | Path) -> Places:
    """Find the log, and the tables beside it. Raises: DataError if a folder has no log, or several."""
    if isinstance(source, str) and source in BUILT_IN:
        from ganforge.kinds.interactions.clubs import stored_clubs

        return find_places(stored_clubs())
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return _in_folder(path)
        if not path.is_file():
            raise DataError(f"There is no file at {str(source)!r}.", "The path does not exist.", "Check its name.")
        return Places(path, {role: table_beside(path, role, _files(path.parent)) for role in TABLES})
    except OSError as error:
        raise DataError(f"{str(source)!r} cannot be read.", f"{error.strerror}.", "Check its permissions.") from error


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file() and not is_hidden(file.name))


def _in_folder(folder: Path) -> Places:
    files = _files(folder)
    logs = logs_of(files)
    if len(logs) != 1:
        names = ", ".join(repr(file.name) for file in (logs or files)[:5])
        raise DataError(
            f"The folder {str(folder)!r} holds {'several logs' if logs else 'no log'} of interactions by its name.",
            f"There are {names}." if files else "It is empty.",
            "Name the file itself; a log in a folder is called interactions, ratings, events or *.inter.",
        )
    return Places(logs[0], {role: table_beside(logs[0], role, files) for role in TABLES})


def logs_of(files: Iterable[Path]) -> list[Path]:
    """Return the files that are logs by their names: of RecBole's files those, else the others that may be read."""
    files = list(files)
    recbole = [file for file in files if file.suffix.lower() == ".inter"]
    return recbole or [file for file in files if _stem(file) in LOGS and suffix_of(file) in (*FILES, ".data")]


def table_beside(log: Path, role: str, files: Iterable[Path]) -> Path | None:
    """Return the table of items or of users beside a log: .item beside .inter, items.csv beside another file."""
    for file in files:
        if file == log:
            continue
        if file.suffix.lower() == f".{role}" and file.stem == log.stem:
            return file
        if log.suffix.lower() not in (".inter", ".data") and _stem(file) in TABLES[role] and suffix_of(file) in FILES:
            return file
    return None


def _stem(file: Path) -> str:
    return file.name.lower().partition(".")[0]


def suffix_of(file: Path) -> str:
    """Return the suffix of a file in small letters, of a packed one that below."""
    return Path(file.name.lower().removesuffix(".gz")).suffix
