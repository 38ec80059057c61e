"""The machine on which on_gpu.py runs: its GPU, driver, versions and cores, and what ganforge needs and is not there.

python benchmarks/on_gpu_machine.py [--device cuda] [--json FIGURES.json]
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from figures import Figures

ROOT = Path(__file__).resolve().parents[1]


def printed(*command: str) -> str | None:
    """What a program prints; None if it is not here or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=True, cwd=ROOT)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def packages() -> dict[str, str | None]:
    """The version here of everything that ganforge asks for; None for what is not here."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    found: dict[str, str | None] = {}
    for name in (re.split("[<>=!~ ;\\[]", line)[0] for line in asked):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def gpu() -> dict[str, Any]:
    """What torch and the driver say of the first GPU."""
    import torch

    facts: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda, "gpu": None}
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        facts |= {
            "gpu": card.name,
            "capability": f"{card.major}.{card.minor}",
            "memory_gib": round(card.total_memory / 2**30, 1),
            "multiprocessors": card.multi_processor_count,
            "gpus": torch.cuda.device_count(),
            "cudnn": torch.backends.cudnn.version(),
            "driver": printed("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "-i", "0"),
        }  # fmt: skip
        torch.ones(1, device="cuda").add_(1).item()  # or it is not worth going on
    return facts


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    asked = parser.parse_args()
    figures, found = Figures(asked.json), packages()
    affinity = getattr(os, "sched_getaffinity", None)
    figures.fact(
        python=platform.python_version(),
        system=platform.platform(),
        processor=platform.machine(),
        cores=len(affinity(0)) if affinity else os.cpu_count(),
        commit=printed("git", "rev-parse", "--short", "HEAD"),
        packages=found,
        missing=[name for name, version in found.items() if version is None],
    )
    with figures.attempt("torch"):
        figures.fact(**gpu())
    for name, value in figures.facts.items():
        print(f"{name:16s} {value}")
    if figures.facts["missing"]:
        print("Not here, so that some parts may not run:", ", ".join(figures.facts["missing"]))
    figures.end()
    if asked.device.startswith("cuda") and figures.facts["gpu"] is None:
        raise SystemExit("torch sees no NVIDIA GPU here")


if __name__ == "__main__":
    main()
