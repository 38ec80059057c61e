"""The table of docs/benchmarks.md, section 28, from what on_gpu.py has written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VERDICT = {True: "met", False: "NOT met", None: ""}


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure in a row. Args: part and name as in the JSON; told how its value is written."""

    part: str
    name: str
    told: Callable[[float], str]
    words: str = ""  # what stands before it, where a row has several


def percent(value: float) -> str:
    return f"{value:.1%}"


def times(value: float) -> str:
    return f"{value:.2f} times"


def yes(value: float) -> str:
    return "yes" if value else "no"


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    command: str
    bar: str
    cells: Sequence[Cell]


ROWS = (
    Row(
        "the tutorial's DCGAN at 32x32, batch 64, ganforge's loop over the tutorial's",
        "engine_speed.py --device cuda",
        "5",
        (
            Cell("tutorial", "over the tutorial's loop", times),
            Cell("tutorial", "over the tutorial's loop, float32 on both sides", times, "float32 on both sides"),
        ),
    ),
    Row(
        "four stages of width 768, ganforge's loop over a plain one, and its share of a large bfloat16 product",
        "gpu_r3gan.py",
        "1.6",
        (
            Cell("r3gan", "over the plain loop", times),
            Cell("r3gan", "arithmetic over a large bfloat16 product", percent, "share"),
        ),
    ),
    Row(
        "full MNIST, outside judge, 20 s and 60 s of training",
        "digits_quality.py",
        "fid 10, 6",
        (
            Cell("digits 20 s", "fid, seed 0", "{:.2f}".format, "20 s"),
            Cell("digits 60 s", "fid, seed 0", "{:.2f}".format, "60 s"),
        ),
    ),
    Row(
        "CIFAR-10, with labels, against hinge loss with spectral normalisation",
        "cifar10.py",
        "clearly better",
        tuple(
            Cell("cifar10", f"clearly better in {key}, with labels, seed 0", yes, words)
            for key, words in (("frechet_distance", "in distance"), ("recall", "in recall"))
        ),
    ),
    Row(
        "microseconds of the host for a repeated step, batch 64",
        "gpu_step.py",
        "150",
        tuple(Cell("steps", f"host, {one}", "{:.0f}".format, one) for one in ("bfloat16", "float32")),
    ),
    Row(
        "share of the time in which the GPU runs no kernel; in which it waits for the host",
        "gpu_step.py",
        "5 %",
        tuple(
            Cell("steps", f"{name}, {one}", percent, f"{name}, {one}")
            for one in ("bfloat16", "float32")
            for name in ("idle", "waiting for the host")
        ),
    ),
    Row(
        "a hundred repeated steps against a hundred steps, float64, relative difference",
        "gpu_step.py",
        "1e-9",
        (Cell("steps", "agreement", "{:.1e}".format),),
    ),
    Row("repeated steps over steps operation by operation", "gpu_step.py", "", (Cell("steps", "speed", times),)),
    Row(
        "a repeated step never waits for the device; a deterministic run resumes to the bit",
        "pytest tests/engine/test_on_gpu.py",
        "passes",
        (Cell("tests", "passed", "{:.0f}".format, "passed"), Cell("tests", "failed", "{:.0f}".format, "failed")),
    ),
)


def table(content: Mapping[str, Any]) -> str:
    """Markdown: where and when it was measured, the table, and what differs from the full measurements."""
    known = {part["name"]: part for part in content["parts"]}
    lines = [heading(content, known), "", "| | command | bar | measured |", "|---|---|---|---|"]
    lines += [f"| {row.what} | `{row.command}` | {row.bar} | {measured(row, known)} |" for row in ROWS]
    noted: dict[str, list[str]] = {}
    for name, part in known.items():
        if part.get("note"):
            noted.setdefault(part["note"], []).append(name)
    notes = [f"- {'; '.join(names)}: {note}." for note, names in noted.items()]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def heading(content: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    facts = known.get("machine", {}).get("facts", {})
    where = facts.get("gpu") or "no GPU: a processor"
    words = [f"{name} {facts[name]}" for name in ("driver", "torch", "cuda", "commit") if facts.get(name)]
    return f"{where}, {', '.join([*words, str(content['begun'])[:10]])}, {content['seconds']:.0f} s for everything."


def measured(row: Row, known: Mapping[str, Any]) -> str:
    """What was measured, figure by figure; why not, where it was not."""
    words = []
    for cell in row.cells:
        part = known.get(cell.part, {"status": "not begun"})
        found = next((one for one in part.get("figures", ()) if one["name"] == cell.name), None)
        before = f"{cell.words}: " if cell.words else ""
        if found is None or found["value"] is None:
            reason = part.get("reason", "not measured" if part["status"] == "done" else part["status"])
            words.append(f"{before}- ({reason})")
            continue
        verdict = VERDICT[found["met"]]
        words.append(f"{before}{cell.told(found['value'])}{f', {verdict}' if verdict else ''}")
    return "; ".join(words)
