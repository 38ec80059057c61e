"""The wheel works on its own: built, installed into a fresh environment, used outside of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # hatchling is here already: nothing is downloaded
    _run([sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-w", str(folder)])
    (built,) = folder.glob("ganforge-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; the libraries it needs are lent by this one."""
    folder = tmp_path_factory.mktemp("environment")
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    _run([*pip, str(wheel)])
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_holds_what_is_not_python_too(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    here = {
        path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src" / "ganforge").rglob("*") if path.is_file()
    }
    assert {name for name in here if "__pycache__" not in name} <= set(names)
    assert "ganforge/reports/report.html.jinja" in names
    assert "ganforge/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "tools"))]


def test_the_installed_program_trains_and_samples_outside_of_the_checkout(environment: Path, tmp_path: Path) -> None:
    ganforge, python = str(environment / "bin" / "ganforge"), str(environment / "bin" / "python")
    where = _run([python, "-c", "import ganforge; print(ganforge.__file__)"], tmp_path)
    assert Path(where.strip()).is_relative_to(environment)
    assert "Examples" in _run([ganforge, "--help"], tmp_path)
    _run([ganforge, "train", "digits8", "--examples", "1280", "--run", "first"], tmp_path)
    _run([ganforge, "sample", "first", "-n", "4", "--out", "new.png"], tmp_path)
    assert (tmp_path / "first" / "report.html").is_file()
    assert (tmp_path / "new.png").is_file()


def _run(command: list[str], folder: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
