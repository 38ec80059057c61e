"""CTGAN and other rivals on tables, and a judge that ganforge did not write, in an environment of their own.

It is made on the first call and kept (1 to 5 GiB with torch). It is one of its own because SDMetrics asks for an older
pandas. adult.py and more_tables.py use it; it also runs alone:

    python benchmarks/table_rivals.py fit RIVAL TRAIN.parquet OUT.parquet [--label income]
    python benchmarks/table_rivals.py score TRAIN.parquet TEST.parquet GENERATED.parquet [--label "income=>50K"]

RIVAL is ctgan, copula, smote or independent (rival_models.py); the scores are explained in table_scores.py. Both print
one JSON object. --environment DIR says where the environment is; the default is .rivals in this folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parent
NEEDED = (
    "torch==2.13.0",
    "ctgan==0.12.1",
    "sdmetrics==0.32.0",
    "imbalanced-learn",
    "scikit-learn==1.9.1",
    "pyarrow",
)
MODULES = "import torch, ctgan, copulas, sdmetrics, imblearn, sklearn, pyarrow"
PEER_NEEDED = ("torch==2.13.0", "mostlyai-engine==2.7.3")
PEER_UNUSED = ("torchvision", "torchaudio")  # built for another torch they break the import of transformers


@dataclass(frozen=True, slots=True)
class Rivals:
    """An environment with the rivals installed."""

    python: Path

    @classmethod
    def at(cls, folder: str | Path) -> Rivals:
        """The environment in a folder; what is not there is installed."""
        python = python_of(folder)
        if subprocess.run([python, "-c", MODULES], capture_output=True, check=False).returncode:
            print(f"installing the rivals into {folder}", file=sys.stderr, flush=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *NEEDED], check=True)
        return cls(python)

    def fit(self, rival: str, train: Path, out: Path, *, label: str | None = None) -> float:
        """Writes as many generated rows as there are in the Parquet file `train`. Returns: the seconds for fitting."""
        named = ["--label", label] if label else []
        return float(self._call("rival_models.py", rival, str(train), str(out), *named)["seconds"])

    def score(
        self,
        train: Path,
        test: Path,
        generated: Path,
        *,
        label: str | None = None,
        only_quality: bool = False,
        large: bool = False,
    ) -> dict[str, float]:
        """The scores of table_scores.py, of a large table on a part of it.

        Args: label a column of numbers, or COLUMN=VALUE, the value that counts as positive.
        """
        asked = {"--quality": only_quality, "--large": large}
        more = [*(["--label", label] if label else []), *(name for name, wanted in asked.items() if wanted)]
        return self._call("table_scores.py", str(train), str(test), str(generated), *more)

    def _call(self, script: str, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [self.python, "-W", "ignore", HERE / script, *arguments], stdout=subprocess.PIPE, text=True, check=True
        )
        content: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return content


def cpu_seconds(*words: object) -> float:
    """Run a process. Returns: its CPU seconds from start to end."""
    return cpu_and_memory(*words)[0]


def cpu_and_memory(*words: object) -> tuple[float, float]:
    """Run a process. Returns: its CPU seconds from start to end, and the most memory that it held, in GiB."""
    silent = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    pid = os.posix_spawn(str(words[0]), [str(word) for word in words], os.environ, file_actions=silent)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), [str(word) for word in words])
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def peer_at(folder: str | Path) -> Path:
    """Return the interpreter of an environment with TabularARGN (3 GiB), which is made if it is not there."""
    python = python_of(folder)
    if subprocess.run([python, "-c", "import mostlyai.engine"], capture_output=True, check=False).returncode:
        print(f"installing TabularARGN into {folder}", file=sys.stderr, flush=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER_NEEDED], check=True)
        subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", *PEER_UNUSED], check=True)
    return python


def python_of(folder: str | Path) -> Path:
    scripts, name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    python = Path(folder).absolute() / scripts / name
    if not python.exists():
        venv.create(folder, with_pip=True)
    return python


def write_plainly(frame: pd.DataFrame, path: Path) -> Path:
    """A Parquet file that an older pandas reads too: text, truths, numbers and dates as such, categories as text."""
    kinds = {name: object for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype | pd.StringDtype)}
    frame.astype(kinds).to_parquet(path, index=False)
    return path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["fit", "score"])
    parser.add_argument("arguments", nargs=3)
    parser.add_argument("--label")
    parser.add_argument("--environment", default=".rivals")
    asked = parser.parse_args()
    rivals = Rivals.at(asked.environment)
    if asked.what == "fit":
        name, train, out = asked.arguments
        print(json.dumps({"seconds": rivals.fit(name, Path(train), Path(out), label=asked.label)}))
    else:
        train, test, generated = (Path(argument) for argument in asked.arguments)
        print(json.dumps(rivals.score(train, test, generated, label=asked.label)))


if __name__ == "__main__":
    main()
