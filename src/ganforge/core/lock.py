"""One trainer per run folder. The lock is the operating system's: it ends with its process, however that ends.

The lock file holds the process id for people to read; that text decides nothing. A number alone could be that of a
process which has died, was given to another program since, or means another process outside of a container.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganforge.core.files import storage_error
from ganforge.errors import RunError

PATIENCE = 0.2  # seconds: `held_by` of another program holds the lock for an instant when it looks


@contextmanager
def hold(lock: Path) -> Iterator[None]:
    """Holds a run folder's lock file while training. Not even the same process gets it twice.

    Raises: RunError naming the process that holds it now; StorageError if the file cannot be written.
    """
    handle = _locked(lock)
    try:
        try:
            os.truncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
        except OSError as error:
            raise storage_error(lock, error) from error
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is still held: whoever opened it before sees that it is gone
        os.close(handle)


def held_by(lock: Path) -> str | None:
    """Who holds a run now, such as "process 4711", or None."""
    try:
        handle = os.open(lock, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(handle)
    except OSError:  # a file system without locks: nobody can hold one
        return None
    finally:
        os.close(handle)
    return None


def _locked(lock: Path) -> int:
    """An open handle of the lock file, which nobody else holds."""
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise storage_error(lock, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(handle)
            os.close(handle)
            if time.monotonic() < give_up:
                time.sleep(PATIENCE / 10)
                continue
            raise RunError(
                f"{str(lock.parent)!r} is in use by {holder}.",
                "Two trainers would spoil one run.",
                "Wait for it or stop it.",
            ) from error
        except OSError as error:
            os.close(handle)
            raise storage_error(lock, error) from error
        if _is_at(handle, lock):
            return handle
        os.close(handle)  # its holder has just finished and removed it: the lock of a file that is gone locks nothing


def _is_at(handle: int, path: Path) -> bool:
    """Whether an open file is the one that the path names now."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _holder(handle: int) -> str:
    text = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
    return f"process {text}" if text.isdecimal() else "another process"
