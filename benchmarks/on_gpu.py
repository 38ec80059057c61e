"""Every figure of docs/benchmarks.md, section 28, on a machine with an NVIDIA GPU, within nine minutes. See on_gpu.sh.

Each part is a script of its own (on_gpu_parts.py), ended after its time; what fails is noted with the end of what it
printed, and the next part runs. One JSON holds every figure beside what is asked of it, and is written after each part.
Needs nothing but Python's own library; what a part needs and is not here is named.

    python benchmarks/on_gpu.py [FIGURES.json] [--device cpu] [--wheels FOLDER] [--judge JUDGE.py] [--mnist MNIST.npz]
    python benchmarks/on_gpu.py --table FIGURES.json        the table of section 28, in Markdown
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, NoReturn

from carried_packages import unpacked
from figures import write_json
from on_gpu_parts import HERE, Asked, Part, parts
from on_gpu_table import table

BUDGET = 525.0  # seconds for all parts: on_gpu.sh ends everything 15 seconds later
GRACE = 5.0  # seconds between asking a part to end and ending it
TAIL = 40  # lines of a part's output that are kept where it fails
TIMED_OUT = (124, 137)  # what timeout(1) ends with


class Ended(BaseException):
    """This program was told to end."""


class Notes:
    """The one JSON."""

    def __init__(self, path: Path, device: str, names: Sequence[str]) -> None:
        self._path, self._begun = path, monotonic()
        self._content: dict[str, Any] = {
            "begun": datetime.now(UTC).isoformat(timespec="seconds"),
            "device": device,
            "seconds": 0.0,
            "ended": False,
            "parts": [{"name": name, "status": "not begun", "figures": []} for name in names],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        self.write()

    @property
    def content(self) -> Mapping[str, Any]:
        return self._content

    def seconds(self) -> float:
        return monotonic() - self._begun

    def part(self, place: int, **content: Any) -> None:
        self._content["parts"][place] |= content
        self.write()

    def write(self, *, ended: bool = False) -> None:
        self._content |= {"seconds": round(self.seconds(), 1), "ended": ended}
        write_json(self._path, self._content)


def environment(device: str, carried: Path | None, scratch: Path) -> dict[str, str]:
    """Of every part: the project and what was brought along can be imported; nothing is written outside `scratch`."""
    root = HERE.parent
    folders = [root / "src", HERE, root / "tests" / "engine", *([carried] if carried else [])]
    known = os.environ.get("PYTHONPATH")
    kept = {
        "PYTHONPATH": os.pathsep.join([*map(str, folders), *([known] if known else [])]),
        "PYTHONUNBUFFERED": "1",
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
        "GANFORGE_CACHE": os.environ.get("GANFORGE_CACHE", str(scratch / "cache")),
        "TMPDIR": str(scratch),
    }
    if not device.startswith("cuda"):  # one thread: what is tiny gains nothing from two, and loses where they must wait
        kept |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    return {**os.environ, **kept}


def pumped(process: subprocess.Popen[str], tail: deque[str]) -> threading.Thread:
    """Prints what a part prints, as it comes, and keeps the end of it."""

    def pump() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            tail.append(line.rstrip("\n"))
            print(f"    {line.rstrip()}", flush=True)

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    return thread


def end(process: subprocess.Popen[str]) -> None:
    """Ends a part with all that it has started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(GRACE)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue  # what not even SIGKILL ends is left behind


def run(part: Part, limit: float, told: Path, around: Mapping[str, str]) -> dict[str, Any]:
    """Runs a part, for `limit` seconds at most. Returns: what is noted of it."""
    asked = part.command(limit)
    command = [sys.executable, *asked, "--json", str(told)]
    timeout = shutil.which("timeout")  # ends the part even where this program is gone
    guarded = [timeout, "-k", f"{GRACE:g}", f"{limit:.1f}"] if timeout else []
    begun, tail = monotonic(), deque[str](maxlen=TAIL)
    process = subprocess.Popen(
        [*guarded, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        errors="replace", env=dict(around), cwd=HERE.parent, start_new_session=True,
    )  # fmt: skip
    reader = pumped(process, tail)
    try:
        process.wait(limit + (2 * GRACE if timeout else 0))
    except subprocess.TimeoutExpired:
        pass
    finally:
        end(process)
    reader.join(2)
    seconds, code = monotonic() - begun, process.returncode
    shown = [os.path.relpath(word, HERE.parent) if Path(word).is_relative_to(HERE.parent) else word for word in asked]
    noted: dict[str, Any] = {"seconds": round(seconds, 1), "command": shlex.join(["python", *shown])}
    if code == 0:
        return {**noted, "status": "done"}
    if seconds >= limit and (code is None or code < 0 or code in TIMED_OUT):
        return {**noted, "status": "timed out", "reason": f"ended after {limit:.0f} s", "tail": list(tail)}
    missing = re.findall(r"(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'", "\n".join(tail))
    if missing:
        reason = f"the module {missing[-1]} is not here"
        return {**noted, "status": "module missing", "missing": missing[-1], "reason": reason, "tail": list(tail)}
    last = next((line.strip() for line in reversed(tail) if line.strip()), "it printed nothing")
    return {**noted, "status": "failed", "reason": f"exit status {code}: {last[:200]}", "tail": list(tail)}


def figures_of(part: Part, told: Path, *, judged: bool) -> dict[str, Any]:
    """What a part has measured, also where it was ended in the middle, and what was expected of it and is not there."""
    try:
        content = json.loads(told.read_text("utf-8"))
    except (OSError, ValueError):
        content = {}
    found = list(content.get("figures", ()))
    names = {figure["name"] for figure in found}
    for name, asked in part.expects.items():
        if name not in names:
            found.append({"name": name, "value": None, "asked": asked, "met": None})
    if not judged:
        found = [{**figure, "met": None} for figure in found]
    return {"figures": found, "facts": content.get("facts", {})}


def run_all(chosen: Sequence[Part], notes: Notes, around: Mapping[str, str], scratch: Path, budget: float) -> None:
    """Every part in turn, while time is left."""
    judged, stopped = str(notes.content["device"]).startswith("cuda"), None
    for place, part in enumerate(chosen):
        left, told = budget - notes.seconds(), scratch / f"part{place}.json"
        limit = min(part.limit * max(1.0, budget / BUDGET), left)
        late = f"{left:.0f} s are left, and it needs {part.least:.0f}" if left < part.least else None
        nothing = stopped or part.left_out or late
        if nothing:
            print(f"\n== {part.name}: left out: {nothing}", flush=True)
            notes.part(place, status="left out", reason=nothing, **figures_of(part, told, judged=judged))
            continue
        print(f"\n== {part.name}, at {notes.seconds():.0f} s, for {limit:.0f} s at most", flush=True)
        if part.note:
            print(f"   ({part.note})", flush=True)
        notes.part(place, status="running", note=part.note)
        found: dict[str, Any] = {"status": "stopped"}
        try:
            found = run(part, limit, told, around)
        except OSError as error:
            found = {"status": "failed", "reason": str(error)}
        finally:
            notes.part(place, **found, **figures_of(part, told, judged=judged))
        print(f"== {part.name}: {found['status']}{', ' + found['reason'] if 'reason' in found else ''}", flush=True)
        if part.needed and found["status"] != "done":
            stopped = f"nothing can be measured without the part {part.name!r}"
        for figure in notes.content["parts"][place]["figures"]:
            print(
                f"   {figure['name']}: {figure['value']}   asked: {figure['asked']}   met: {figure['met']}", flush=True
            )


def told_to_end(signal_number: int, frame: FrameType | None) -> NoReturn:
    raise Ended


def path_from(name: str) -> Path | None:
    """A file that a variable of the environment names."""
    return Path(os.environ[name]) if os.environ.get(name) else None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Every figure of docs/benchmarks.md, section 28. See on_gpu.sh.")
    out = Path(os.environ["OUT"]) / "on_gpu.json" if os.environ.get("OUT") else HERE / "on_gpu.json"
    parser.add_argument("figures", nargs="?", type=Path, default=out, help="the JSON; else $OUT/on_gpu.json, or here")
    parser.add_argument("--device", default="cuda", help="cpu runs a tiny form of everything, for a trial")
    parser.add_argument("--wheels", type=Path, default=path_from("WHEELS"), help="a folder of packages (or WHEELS=)")
    parser.add_argument("--judge", type=Path, default=path_from("JUDGE"), help="the outside judge of digits (JUDGE=)")
    parser.add_argument("--mnist", type=Path, default=path_from("MNIST"), help="mnist.npz (MNIST=)")
    parser.add_argument("--cifar10", type=Path, default=path_from("CIFAR10"), help="train.parquet (CIFAR10=)")
    parser.add_argument(
        "--budget", type=float, default=BUDGET, help="seconds for everything; with more, each part has more"
    )
    parser.add_argument("--only", help="parts by name, with commas between them")
    parser.add_argument("--table", type=Path, help="prints the table of section 28 from this JSON, and runs nothing")
    return parser.parse_args()


def there(path: Path | None, what: str) -> Path | None:
    """The file, if it is there; a sentence if it was named and is not."""
    if path is not None and not path.is_file():
        print(f"{what} {path} is not there: going on without it", flush=True)
        return None
    return path.resolve() if path else None


def main(chosen: Sequence[Part] | None = None) -> int:
    """Args: chosen other parts than those of on_gpu_parts.py. Returns: 0 if nothing failed."""
    asked = arguments()
    if asked.table:
        print(table(json.loads(asked.table.read_text("utf-8"))))
        return 0
    files = (there(asked.judge, "The judge"), there(asked.mnist, "MNIST"), there(asked.cifar10, "CIFAR-10"))
    run_these = parts(Asked(asked.device, *files)) if chosen is None else chosen
    if asked.only:
        run_these = [part for part in run_these if part.name in asked.only.split(",")]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, told_to_end)
    notes = Notes(asked.figures.resolve(), asked.device, [part.name for part in run_these])
    print(f"Figures go to {asked.figures.resolve()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="on_gpu", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        try:
            carried = unpacked(asked.wheels, scratch) if asked.wheels else None
            run_all(run_these, notes, environment(asked.device, carried, scratch), scratch, asked.budget)
            notes.write(ended=True)
        except Ended:
            notes.write()
            print("\nTold to end: what was measured is kept", flush=True)
    print(f"\n{table(notes.content)}\n\n{notes.seconds():.0f} s; figures in {asked.figures.resolve()}", flush=True)
    ended_well = all(part["status"] in ("done", "left out") for part in notes.content["parts"])
    return 0 if notes.content["ended"] and ended_well else 1


if __name__ == "__main__":
    raise SystemExit(main())
