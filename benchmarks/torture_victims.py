"""Runs ganforge in children that meet an accident: killed, told to stop, or out of disk space at a chosen moment.

A moment is a number of seconds, or the n-th operation that changes files. Every opening for writing, renaming, making
and removing of files and folders under the victim's folder is counted, by an audit hook of Python: the product needs no
fault points, and a short run can be hit at every one of them. What changes nothing is not counted: before a folder is
made that exists, the files are as before the next operation. The children are forked by one process that has imported
all that they need; it computes nothing itself, so that no thread is lost by forking.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

PATIENCE_SECONDS = 600.0  # after which a victim counts as hung
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate")
MAKES = {"os.mkdir": True, "os.remove": False}  # whether they find it done if the place exists
CREATES = ("open", "os.mkdir")  # what a full disk refuses; renaming and removing go on


@dataclass(frozen=True, slots=True)
class Accident:
    """What happens, and when: `at` the n-th operation (from 0), or `after` so many seconds.

    kill: SIGKILL. terminate: SIGTERM. interrupt: SIGINT. full: every file that is opened for writing from then on meets
    a full disk. cut: no file may get longer than `at` bytes, and a process that tries is killed in the middle of its
    write. short: the same, but the write fails instead.
    """

    kind: Literal["none", "kill", "terminate", "interrupt", "full", "cut", "short"] = "none"
    at: int | None = None
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a victim ended: its exit code, or minus the signal that ended it; what it said; what it did to files."""

    code: int
    said: str
    operations: tuple[str, ...]
    seconds: float


class Victims:
    """The process that forks victims. Use it as a context manager."""

    def __enter__(self) -> Self:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, folder: Path, arguments: Sequence[str], accident: Accident = Accident()) -> Ended:
        """Runs `ganforge ARGUMENTS` in a folder of its own, which also holds its cache, until its end."""
        folder.mkdir(parents=True, exist_ok=True)
        request = {"folder": str(folder.resolve()), "arguments": list(arguments), "accident": asdict(accident)}
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ended(answer["code"], answer["said"], tuple(answer["operations"]), answer["seconds"])


def serve() -> None:
    """Forks a victim for each request that is read, and answers how it ended."""
    import torch
    import torch._dynamo  # the first optimiser does, which takes longer than a tiny run
    from PIL import Image

    import ganforge.api.train
    import ganforge.cli
    import ganforge.cli.live  # noqa: F401
    from ganforge.kinds import every_kind, task_of
    from ganforge.kinds.tables.figures.columns import figure, png
    from ganforge.reports.page import environment

    for kind in every_kind():
        for name in kind.tasks:
            task_of(kind, name)  # imports what it needs
    Image.preinit()
    for name in environment().list_templates(extensions=["jinja"]):
        environment().get_template(name)
    png(figure(1.0))  # reads the fonts
    torch.set_num_threads(1)
    for line in sys.stdin:
        request = json.loads(line)
        out = Path(request["folder"]).with_name(Path(request["folder"]).name + ".said")
        log = out.with_suffix(".operations")
        began = time.perf_counter()
        child = os.fork()
        if child == 0:
            _suffer(request, out, log)
        code = _wait(child, request["accident"])
        said = out.read_text("utf-8", errors="replace")
        operations = log.read_text("utf-8").splitlines()
        answer = {"code": code, "said": said, "operations": operations, "seconds": time.perf_counter() - began}
        print(json.dumps(answer), flush=True)


def _wait(child: int, accident: dict[str, Any]) -> int:
    """Waits for a victim, and strikes when its seconds are over."""
    signals = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "interrupt": signal.SIGINT}
    now = time.perf_counter()
    strike = now + accident["after"] if accident["after"] is not None else None
    give_up = now + PATIENCE_SECONDS
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if strike is not None and time.perf_counter() >= strike:
            os.kill(child, signals[accident["kind"]])
            strike = None
        if time.perf_counter() >= give_up:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.001)


def _suffer(request: dict[str, Any], out: Path, log: Path) -> None:
    """In the child: runs the command until its end or its accident. Never returns."""
    code = 70
    try:
        folder = Path(request["folder"])
        os.chdir(folder)
        os.environ["GANFORGE_CACHE"] = str(folder / "cache")
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        # What is said may not hit the limit on the length of files itself: then only the error is kept, which is short.
        limited = request["accident"]["kind"] in {"cut", "short"}
        os.dup2(os.open(os.devnull, os.O_WRONLY) if limited else handle, 1)
        os.dup2(handle, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _prepare(request["accident"], folder, os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
        from ganforge.cli import main

        code = main(request["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _prepare(accident: dict[str, Any], folder: Path, log: int) -> None:
    kind, at = accident["kind"], accident["at"]
    if kind in {"cut", "short"}:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if kind == "cut" else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (at, resource.RLIM_INFINITY))
        at = None
    root, count = f"{folder}/", 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        place = _changed_place(event, arguments)
        if place is None or not place.startswith(root) or os.path.lexists(place) == MAKES.get(event):
            return
        number, count = count, count + 1
        if kind not in {"cut", "short"}:
            os.write(log, f"{event} {place.removeprefix(root)}\n".encode())
        if at is None or number < at:
            return
        if kind == "full" and event in CREATES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)
        if number == at and kind in {"kill", "terminate", "interrupt"}:
            name = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "interrupt": signal.SIGINT}[kind]
            os.kill(os.getpid(), name)

    sys.addaudithook(watch)


def _changed_place(event: str, arguments: tuple[Any, ...]) -> str | None:
    """The path that an operation is about to change, or None if it changes nothing."""
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, int) or not flags & WRITES:
            return None
        return os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - a string is wanted, in a hot place
    if event not in CHANGES or isinstance(arguments[0], int):
        return None
    path = os.fsdecode(arguments[0])
    handle = {"os.rename": 2, "os.mkdir": 2, "os.remove": 1, "os.rmdir": 1}.get(event)
    if handle is not None and arguments[handle] != -1 and not path.startswith("/"):
        return os.path.join(os.readlink(f"/proc/self/fd/{arguments[handle]}"), path)  # noqa: PTH115, PTH118
    return os.path.abspath(path)  # noqa: PTH100


if __name__ == "__main__":
    serve()
