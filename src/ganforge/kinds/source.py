"""What a person gives as data, made into something that can be found again later and from anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganforge.contracts import Kind
from ganforge.kinds import extra_of
from ganforge.kinds.recognise import is_built_in


@contextmanager
def on_disk(source: object, kind: Kind) -> Iterator[str | Path]:
    """A path for data: its own, or, of a value that was given in Python, that of a file which is there for now.

    Args: kind of the data. Raises: DataError if a value is not usable as data of the kind.
    """
    if isinstance(source, str | Path):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
        with extra_of(kind):
            path = kind.keep(source, Path(folder))
        yield path


def lasting(source: str | Path) -> str:
    """Data's path from the root, so that a run opens it from every folder; a built-in name as it is.

    What does not exist is left as it was typed, for the error that follows. A Path is never a name. Links are not
    followed: what they point to may have a name without a suffix.
    """
    if is_built_in(source):
        return str(source)
    path = Path(source).expanduser()
    try:
        return str(path.absolute()) if isinstance(source, Path) or path.exists() else source
    except (OSError, ValueError):  # not a path at all
        return str(source)
