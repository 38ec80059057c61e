"""The layer check itself: the real tree passes, planted faults are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from check_layers import faults_of_budget, faults_of_layers, faults_of_length  # noqa: E402


def test_the_tree_keeps_its_layers_and_lengths() -> None:
    done = subprocess.run(
        [sys.executable, "tools/check_layers.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("file", "line", "fault"),
    [
        ("core/seeds.py", "from ganforge.api import train", "above layer 0"),
        ("measures/distances.py", "from ganforge.engine.fit import fit", "siblings are strangers"),
        ("measures/distances.py", "import ganforge.kinds", "above layer 1"),
        ("measures/distances.py", "def late():\n    from ganforge.kinds import pictures", "above layer 1"),
        ("planning/compute.py", "from ..kinds import pictures", "above layer 2"),
        ("planning/compute.py", "from ganforge import kinds", "above layer 2"),
        ("kinds/pictures/plan.py", "from ganforge.kinds.tables import plan", "may not import the kind tables"),
        ("kinds/pictures/plan.py", "from ganforge.kinds import tables", "may not import the kind tables"),
        ("kinds/pictures/plan.py", "from ..tables.plan import plan", "may not import the kind tables"),
        ("api.py", "from ganforge import train", "above api may use the verbs"),
        ("utils/things.py", "", "has no layer"),
        ("__init__.py", "from ganforge.engine import fit", "Only api and errors"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, file: str, line: str, fault: str) -> None:
    package = _package(tmp_path, {file: line})
    found = list(faults_of_layers(package))
    assert len(found) == 1
    assert fault in found[0]


def test_imports_downwards_within_a_part_and_within_layer_0_are_fine(tmp_path: Path) -> None:
    package = _package(
        tmp_path,
        {
            "run.py": "from ganforge.core.files import write_whole\nfrom ganforge.contracts import Record",
            "kinds/pictures/generate/task.py": "from ganforge.kinds.pictures import plan\nfrom ..networks import conv",
            "cli/main.py": "from ganforge import __version__\nfrom ganforge.api import train",
        },
    )
    assert list(faults_of_layers(package)) == []


def test_a_file_that_is_too_long_is_found(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("x = 1\n" * 401)
    (tmp_path / "fits.py").write_text("x = 1\n" * 400)
    (fault,) = faults_of_length([tmp_path])
    assert "long.py: 401 lines" in fault


def test_a_kind_with_more_lines_than_its_tasks_are_worth_is_found(tmp_path: Path) -> None:
    door = 'KIND = Kind(name="tunes", tasks={"generate": "a:B", "vocode": "a:C"})\n'
    lines = {f"kinds/tunes/{number}.py": "x = 1\n" * 400 for number in range(5)}
    package = _package(tmp_path, {"kinds/tunes/__init__.py": door, **lines})
    (fault,) = faults_of_budget(package)
    assert "tunes: 2,001 lines, and its budget is 2,000" in fault
    (package / "kinds/tunes/0.py").write_text("")
    assert list(faults_of_budget(package)) == []


def _package(folder: Path, files: dict[str, str]) -> Path:
    package = folder / "ganforge"
    parts = ("core", "measures", "engine", "planning", "kinds", "cli")
    whole = {
        "__init__.py": "",
        "api.py": "",
        "contracts.py": "",
        **{f"{part}/__init__.py": "" for part in parts},
        **files,
    }
    for name, content in whole.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(content)
    return package
