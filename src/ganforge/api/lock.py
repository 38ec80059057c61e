"""The verbs `lock` and `unlock`: a run as one encrypted file, and back. They need the extra ganforge[lock]."""

from __future__ import annotations

from pathlib import Path

from ganforge.errors import InputError
from ganforge.privacy import keys, locked


def lock(
    source: str | Path,
    *,
    password: str | None = None,
    key_file: str | Path | None = None,
    keep: bool = False,
    force: bool = False,
) -> Path:
    """Encrypt a run folder, or a file, into SOURCE.locked; then remove SOURCE unless `keep`.

    SOURCE is removed once SOURCE.locked was read back from the disk and holds the same bytes.

    Args: password or key_file what opens it again, one of them; force replaces an older SOURCE.locked.
    Raises: InputError, RunError or StorageError; SOURCE is then whole.
    """
    return locked.lock(Path(source).expanduser(), _secret(password, key_file), keep=keep, force=force)


def unlock(
    source: str | Path, *, password: str | None = None, key_file: str | Path | None = None, keep: bool = False
) -> Path:
    """Decrypt NAME.locked into NAME, a run folder or a file; then remove NAME.locked unless `keep`.

    Raises: InputError for another password or key file; RunError if it is damaged; StorageError. There is then no NAME.
    """
    return locked.unlock(Path(source).expanduser(), _secret(password, key_file), keep=keep)


def new_lock_key(path: str | Path) -> Path:
    """Write a new key file that its owner alone can read. Raises: InputError if the path exists; StorageError."""
    place = Path(path).expanduser()
    keys.write_key(place)
    return place


def _secret(password: str | None, key_file: str | Path | None) -> keys.Secret:
    keys.need_cryptography()
    if (password is None) == (key_file is None):
        given = "Neither a password nor" if password is None else "Both a password and"
        raise InputError(f"{given} a key file was given.", "One of them locks and unlocks.", "Give one.")
    return keys.of_password(password) if password is not None else keys.of_key_file(Path(key_file or "").expanduser())
