"""Lock a run or a file, and unlock it: at every moment there is the old one or the new one, whole."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from ganforge.core.files import (
    refuse_taken,
    remove_leftovers_of,
    storage_error,
    sync_folder,
    temporary_name,
    write_through,
    write_tree,
)
from ganforge.errors import InputError, RunError, StorageError
from ganforge.privacy.archive import Entry, Packed, entries_of, pack, unreadable
from ganforge.privacy.keys import Secret
from ganforge.privacy.sealed import MAGIC, Sealer, Unsealer
from ganforge.run import Run, hold

SUFFIX = ".locked"
BESIDE = frozenset({"lock"})  # of a run: who holds it, which means nothing later


def lock(source: Path, secret: Secret, *, keep: bool, force: bool) -> Path:
    """Encrypt a run folder or a file into SOURCE.locked; then remove SOURCE unless `keep`.

    The new file has its name, and SOURCE is removed, only once it was read back from the disk and holds the same bytes.
    Raises: InputError, RunError or StorageError; SOURCE is then untouched.
    """
    place = source.with_name(source.name + SUFFIX)
    with ExitStack() as held:
        held.enter_context(_alone(source))
        if source.is_file():
            _refuse_locked(source)
        else:
            held.enter_context(hold(Run.open(source).lock))  # nobody trains it meanwhile
        refuse_taken(place, force=force)
        entries = entries_of(source, BESIDE)

        def fill(file: IO[bytes]) -> None:
            sealer, digest = Sealer(file, secret), hashlib.sha256()

            def write(content: bytes) -> None:
                digest.update(content)
                sealer.write(content)

            pack(source, entries, write)
            sealer.close()
            file.flush()
            os.fsync(file.fileno())
            if hasattr(os, "posix_fadvise"):  # so that the disk is read, not the memory that its content came from
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            _check(Path(file.name), secret, digest.digest(), str(place))

        write_through(place, fill)
        if not keep:
            _remove(source, entries, place)
    return place


def unlock(source: Path, secret: Secret, *, keep: bool) -> Path:
    """Decrypt NAME.locked into NAME, a run folder or a file; then remove NAME.locked unless `keep`.

    Raises: InputError, RunError or StorageError; there is then no NAME, and NAME.locked is untouched.
    """
    if source.suffix != SUFFIX or not source.stem:
        do = f"Rename it, or give the file that ends with {SUFFIX}."
        raise InputError(f"{str(source)!r} does not end with {SUFFIX}.", "A run is unlocked to the name before it.", do)
    if not source.is_file():
        raise InputError(f"There is no file {str(source)!r}.", do="Give the file that `ganforge lock` wrote.")
    place = source.with_suffix("")
    with _alone(place), _reading(source) as file:
        if place.exists():
            do = "Rename it, or remove it if it is not needed."
            raise InputError(f"{str(place)!r} exists already.", "Nothing is overwritten by itself.", do)
        packed = Packed(Unsealer(file, secret, str(source)).read, str(source))
        root = packed.root()
        if root.kind == "file":
            write_through(place, lambda new: packed.fill_file(root, new))
        else:
            write_tree(place, lambda folder: packed.fill_folder(root, folder))
        if not keep:
            try:
                source.unlink()
            except OSError as error:
                why = f"The system says: {error.strerror}."
                raise StorageError(f"{place} is unlocked, and {source} stays.", why, "Remove it yourself.") from error
    return place


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Be the only process that locks or unlocks `place`, and remove what killed ones left of that, plain as it is."""
    if place.name in ("", ".."):
        raise InputError(f"{str(place)!r} is not a name.", do="Give the folder's own name, from outside of it.")
    if not place.parent.is_dir():
        raise InputError(f"There is no folder {str(place.parent)!r}.", do="Check the path.")
    with ExitStack() as held:
        try:
            held.enter_context(hold(place.with_name(f".{place.name}.locking")))
        except RunError as error:
            why = "Another process locks or unlocks it."
            raise RunError(f"{str(place)!r} is in use.", why, "Wait for it.") from error
        remove_leftovers_of(place)
        remove_leftovers_of(place.with_name(place.name + SUFFIX))
        yield


@contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    """Open a file. What the system says of reading it is not mistaken for what it says of writing another one."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    with file:
        yield file


def _refuse_locked(path: Path) -> None:
    with _reading(path) as file:
        if file.read(len(MAGIC)) == MAGIC:
            raise InputError(f"{str(path)!r} is locked already.", do=f"Use: ganforge unlock {path}")


def _check(path: Path, secret: Secret, digest: bytes, name: str) -> None:
    """Raises: StorageError unless a locked file can be unlocked and holds bytes of this sha256."""
    found = hashlib.sha256()
    try:
        with _reading(path) as file:
            unsealer = Unsealer(file, secret, name)

            def read(most: int) -> bytes:
                content = unsealer.read(most)
                found.update(content)
                return content

            packed = Packed(read, name)
            packed.check(packed.root())
        whole = found.digest() == digest
    except InputError:
        whole = False
    if not whole:
        why = "The disk does not give back what was written."
        raise StorageError(f"{name} could not be written.", why, "Check the disk, then go on.")


def _remove(source: Path, entries: list[Entry], place: Path) -> None:
    """Remove what was locked if nothing of it changed since. What a kill leaves, the next lock or unlock removes.

    Raises: RunError if something changed; StorageError if a part of it stays.
    """
    if entries_of(source, BESIDE) != entries:
        do = "Lock it again with --force once it is quiet."
        raise RunError(f"{source} changed while it was locked, and was kept.", f"{place} holds what it was.", do)
    doomed = temporary_name(source)
    try:
        source.replace(doomed)
        if doomed.is_dir():
            shutil.rmtree(doomed)
        else:
            doomed.unlink()
        sync_folder(source.parent)
    except OSError as error:
        why = storage_error(source, error).why
        left = doomed if doomed.exists() else source
        raise StorageError(f"{place} is whole, and {left} could not be removed.", why, "Remove it yourself.") from error
