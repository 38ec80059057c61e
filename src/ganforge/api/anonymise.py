"""The verb `anonymise`: a copy of a file or folder without personal data."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from pathlib import Path

from ganforge.kinds.pictures import SUFFIXES
from ganforge.privacy import keys
from ganforge.privacy.anonymise import folder
from ganforge.privacy.anonymise.folder import Anonymised, Pictures


def anonymise(
    source: str | Path,
    out: str | Path,
    *,
    remove: Collection[str] = (),
    keep: Collection[str] = (),
    key_file: str | Path | None = None,
    force: bool = False,
) -> Anonymised:
    """Write a copy of tables, texts and pictures in which personal data are replaced by pseudonyms or removed.

    The same value gets the same pseudonym in every file of the call, and in other calls with the same `key_file`;
    without one the key is random and is not kept. Pictures lose everything but their pixels. SOURCE is never changed.

    Args: source a file, or a folder with any subfolders; out a new folder for the copy and its report,
        anonymised.json; remove kinds (`privacy.anonymise.session.KINDS`) that get no pseudonym; keep columns that stay
        as they are, by their names; key_file as `new_lock_key` writes it; force replaces an older copy.
    Raises: InputError, DataError or StorageError. There is then no new folder.
    """
    from ganforge.kinds.pictures.anonymise import clean  # which needs Pillow

    place = Path(key_file).expanduser() if key_file is not None else None
    key = keys.of_key_file(place).content if place else secrets.token_bytes(keys.KEY_BYTES)
    return folder.anonymise(
        Path(source).expanduser(),
        Path(out).expanduser(),
        key=key,
        pictures=Pictures(SUFFIXES, clean),
        remove=remove,
        keep=keep,
        force=force,
    )
