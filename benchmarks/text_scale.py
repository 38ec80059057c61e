"""1,000,000 lines beside 10,000: memory, CPU seconds of an example, and 10,000 texts drawn.

The lines are made here: sentences about 50 topics, each with 80 words of its own, and numbers. Both files have the
same words, so the units and the network are the same. Each training runs in a process of its own on one thread, in
turn, for the same number of steps, from reading to the report. An example's time is CPU seconds between two records,
of which the median over a run, and the smaller of the rounds' medians, count: other programs only ever add.

The parent reads the child's memory every 10 ms: what it allocated (RssAnon) and what it has mapped of files
(RssFile), which the system takes back when it needs memory. Then the run of the larger file draws texts, with the
adversary and without, where torch found one thread and where it found two: the larger CPU time counts.

    python benchmarks/text_scale.py [--lines 10000 1000000] [--steps 200] [--rounds 2] [--samples 10000]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from table_results import Bar, conclude, tell

TOPICS, WORDS = 50, 80
BATCH = 48
FORMS = (
    "the {} {} {} the {} {} .",
    "{} {} and {} {} near {} {} {} .",
    "in {} {} the {} {} , {} {} .",
    "why {} {} {} ?",
)
BARS = {
    "growth_of_memory": Bar(0.1, "at most"),
    "times_per_example": Bar(1.1, "at most"),
    "seconds_with_adversary": Bar(20.0, "at most"),
    "seconds_without": Bar(20.0, "at most"),
}
CHILD = """
import json, sys, time
import numpy as np
import ganforge as gf

class Clock:
    def __init__(self):
        self.records, self.events = [], []
    def record(self, record):
        self.records.append((record["examples"], time.process_time()))
    def event(self, event):
        self.events.append((event["kind"], round(time.process_time(), 1)))

source, run, examples = sys.argv[1:]
clock = Clock()
settings = {"compute.threads": "1", "records.every_steps": "20", "records.marks": "[0.0, 0.5, 1.0]"}
gf.train(source, run=run, examples=int(examples), size="small", settings=settings, observers=(clock,))
seconds, examples = np.diff(np.array([one[1] for one in clock.records])), np.diff([one[0] for one in clock.records])
print(json.dumps({"microseconds": 1e6 * float(np.median(seconds / examples)), "events": clock.events}))
"""
SAMPLE = """
import json, sys, time
from pathlib import Path
from ganforge.kinds.text.generate.model import load_writer

folder, out, count, strength = sys.argv[1:]
wall, cpu = time.perf_counter(), time.process_time()
model = load_writer(Path(folder))
model.write(model.sample(int(count), {"strength": float(strength), "temperature": 0.9}, seed=0), Path(out), force=True)
print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}))
"""


def words_of(topic: int, random: np.random.Generator) -> list[str]:
    """Made-up words, which no other topic has."""
    signs = np.array(list("bdfgklmnprst")), np.array(list("aeiou"))
    return [
        "".join(f"{random.choice(signs[0])}{random.choice(signs[1])}" for _ in range(3))
        + f"{topic:02d}".translate(str.maketrans("0123456789", "abcdefghij"))
        for _ in range(WORDS)
    ]


def write_lines(count: int, path: Path) -> Path:
    """Write sentences: a form, and words of one topic, the first ones more often; some hold a number."""
    topics, random = (
        [words_of(topic, np.random.default_rng(topic)) for topic in range(TOPICS)],
        np.random.default_rng(1),
    )
    with path.open("w", encoding="utf-8") as file:
        for _ in range(0, count, 10_000):
            chosen, forms = random.integers(TOPICS, size=10_000), random.integers(len(FORMS), size=10_000)
            places = (WORDS * random.random((10_000, 9)) ** 1.3).astype(int)
            numbers = random.integers(10, 100, size=10_000)
            for topic, form, own, number in zip(chosen, forms, places, numbers, strict=True):
                words = [topics[topic][place] for place in own]
                words[2] = str(number) if number < 30 else words[2]
                file.write(FORMS[form].format(*words) + "\n")
    return path


def memory_of(pid: int) -> dict[str, float]:
    """MiB that a process allocated, and that it has mapped of files."""
    try:
        found = dict(re.findall(r"Rss(Anon|File):\s*(\d+)", Path(f"/proc/{pid}/status").read_text()))
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name.lower(): int(size) / 1024 for name, size in found.items()}


def child(script: str, *words: object) -> dict[str, float]:
    """Run a script. Returns: what it printed last, and its peaks of memory in MiB."""
    command = [sys.executable, "-c", script, *map(str, words)]
    peaks = {"anon": 0.0, "file": 0.0, "both": 0.0}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            now = memory_of(process.pid)
            for name, size in {**now, "both": sum(now.values())}.items():
                peaks[name] = max(peaks[name], size)
            time.sleep(0.01)
        assert process.stdout is not None
        printed = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"It ended with {process.returncode}.")
    return {**json.loads(printed.splitlines()[-1]), **peaks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, nargs=2, default=[10_000, 1_000_000])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where it works and leaves its runs; else a temporary folder")
    asked = parser.parse_args()
    found: dict[int, list[dict[str, float]]] = {lines: [] for lines in asked.lines}
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        os.environ.update(GANFORGE_CACHE=str(folder / "cache"), OMP_NUM_THREADS="1")
        files = {lines: write_lines(lines, folder / f"{lines}.txt") for lines in asked.lines}
        for turn in range(asked.rounds):
            for lines, path in files.items():
                run = folder / f"run-{lines}-{turn}"
                found[lines].append(child(CHILD, path, run, asked.steps * BATCH))
                tell(lines=lines, round=turn, bytes=path.stat().st_size, **found[lines][-1])
        few, many = (found[lines] for lines in asked.lines)
        result = {
            "growth_of_memory": max(one["anon"] for one in many) / max(one["anon"] for one in few) - 1,
            "times_per_example": min(one["microseconds"] for one in many) / min(one["microseconds"] for one in few),
        }
        for name, strength in (("seconds_with_adversary", 1), ("seconds_without", 0)):
            for threads in (1, 2):
                os.environ["OMP_NUM_THREADS"] = str(threads)
                drawn = child(SAMPLE, run / "model", folder / "new.txt", asked.samples, strength)
                tell(samples=asked.samples, strength=strength, threads=threads, **drawn)
                result[name] = max(drawn["cpu"], result.get(name, 0.0))
        conclude([result], BARS, lines=asked.lines)


if __name__ == "__main__":
    main()
