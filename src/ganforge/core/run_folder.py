"""The creation and the lock of a run folder. One trainer holds a folder at a time.

A folder gets a name that nobody else has, and never replaces something that is not a run. The lock is the
operating system's: it ends with its process, however that ends. The lock file holds the process id for people to read;
that text decides nothing, because a number alone could be that of a process which has died, was given to another
program since, or means another process outside of a container.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor

from ganforge.core.files import storage_error, unfinished_name
from ganforge.errors import RunError
from ganforge.run import Run


@contextmanager
def founded(given: str | Path | None, source: str, *, force: bool) -> Iterator[Run]:
    """Create an empty run folder that this process alone holds until the end of the block.

    Args: given the folder, or None for runs/<data>-<number>, the first number that is free; source the name of the
        data; force empties an older run. A block that fails before it wrote the recipe leaves no file behind.
    Raises: RunError if somebody else holds the folder, if it holds other files, or a run without force; StorageError.
    """
    try:
        run = _numbered(source) if given is None else Run(given)
        run.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(run.folder if given is not None else Path("runs"), error) from error
    with hold(run.lock):
        refuse_existing(run, force=force)  # again: now that the folder is held, the answer stays true
        _empty(run)
        try:
            yield run
        finally:
            if not run.recipe.exists():
                _empty(run)


def refuse_existing(run: Run, *, force: bool) -> None:
    """Refuse to overwrite a run by accident, or to empty a folder that is not a run.

    Raises: RunError if the path is a file, holds files that are not a run, or holds a run and force is not given.
    """
    folder = run.folder
    if folder.is_file():
        raise RunError(f"{str(folder)!r} is a file.", "A run is a folder.", "Give another --run.")
    if not folder.is_dir() or _cut_off(run):
        return
    if not run.recipe.is_file():
        raise RunError(f"{str(folder)!r} holds files that are not a run.", "They would be lost.", "Give another --run.")
    if not force:
        raise RunError(
            f"There is already a run at {str(folder)!r}.",
            "It is never overwritten by accident.",
            f"Go on with `ganforge resume {folder}`, give another --run, or use --force.",
        )


def refuse_in_use(run: Run) -> None:
    """Refuse a run that is in use. Raises: RunError if somebody trains it now."""
    holder = held_by(run.lock)
    if holder is not None:
        raise RunError(f"{str(run.folder)!r} is in use by {holder}.", "It is being trained.", "Stop it first.")


def _cut_off(run: Run) -> bool:
    """Return whether a folder is empty or holds only what a process wrote that was killed before the recipe.

    The passport comes first. Without one, a data file of the name that we would use may be a person's own.
    """
    names = {path.name for path in run.folder.iterdir()} - {run.lock.name}
    beginning = {run.passport.name, *(name for name in names if run.is_given_data(name))}
    unfinished = {name for name in names if unfinished_name(name) in {run.passport.name, run.recipe.name}}
    return not names - unfinished or (run.passport.name in names and names - unfinished <= beginning)


def _numbered(source: str) -> Run:
    """Create a folder runs/<data>-<number>. Concurrent callers get different ones: it can be made only once."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source).stem).strip("-.") or "run"
    for number in itertools.count(1):
        run = Run(Path("runs", f"{name}-{number}"))
        try:
            run.folder.mkdir(parents=True)
        except FileExistsError:
            if not run.folder.exists():  # then something else is in the way, and would be for every number
                raise
            continue
        break
    return run


def _empty(run: Run) -> None:
    """Remove all but the lock; the recipe last, so that a run of which a kill leaves a part is still recognised."""
    try:
        for path in sorted(run.folder.iterdir(), key=lambda path: path == run.recipe):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != run.lock:
                path.unlink()
    except OSError as error:
        raise storage_error(run.folder, error) from error


PATIENCE = 0.2  # seconds: a caller of `held_by` holds the lock for an instant


@contextmanager
def hold(lock: Path) -> Iterator[None]:
    """Hold a run folder's lock file while training. Even the same process cannot get it twice.

    Raises: RunError naming the process that holds it now; StorageError if the file cannot be written.
    """
    handles: list[int] = []
    own = FileLock(lock, PATIENCE, poll_interval=PATIENCE / 10, fallback_to_soft=False, on_acquired=handles.append)
    try:
        own.acquire()
    except Timeout as error:
        what = f"{str(lock.parent)!r} is in use by {_holder(lock)}."
        raise RunError(what, "Two trainers would spoil one run.", "Wait for it or stop it.") from error
    except OSError as error:
        raise storage_error(lock, error) from error
    try:
        try:
            os.truncate(handles[0], 0)
            os.write(handles[0], f"{os.getpid()}\n".encode())
        except OSError as error:
            raise storage_error(lock, error) from error
        yield
    finally:
        with suppress(PermissionError):  # of Windows, where FileLock removes the file itself
            lock.unlink(missing_ok=True)  # while it is still held: whoever opened it before sees that it is gone
        own.release()


def held_by(lock: Path) -> str | None:
    """Return who holds a run now, such as "process 4711", or None."""
    give_up = time.monotonic() + PATIENCE
    try:
        with lock.open("r+b" if os.access(lock, os.W_OK) else "rb") as file:
            while not lock_descriptor(file.fileno(), blocking=False):
                if time.monotonic() > give_up:
                    return _holder(lock)
                time.sleep(PATIENCE / 10)
    except OSError:  # no such file, or a file system without locks: nobody can hold one
        pass
    return None


def _holder(lock: Path) -> str:
    try:
        with lock.open("rb") as file:
            return f"process {int(file.read(32))}"
    except (OSError, ValueError):  # Windows lets nobody else read what is locked
        return "another process"
