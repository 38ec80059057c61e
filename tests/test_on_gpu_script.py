"""benchmarks/on_gpu.py runs its parts whatever becomes of them, and keeps what they measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from carried_packages import unpacked, why_not  # noqa: E402
from figures import Figures, is_met  # noqa: E402
from on_gpu_parts import Asked, parts  # noqa: E402
from on_gpu_table import ROWS, table  # noqa: E402

FIGURE = """
    from figures import Figures
    figures = Figures(Path(sys.argv[-1]))
    figures.add("speed", 7.0, "times", ">= 5", low=6.5)
"""


class Trial:
    """A folder of scripts that stand for parts, and the program that runs them in this order."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = folder, folder / "figures.json"
        self._parts: list[str] = []

    def part(self, name: str, content: str = "", limit: float = 400, **more: Any) -> None:
        script = self.folder / f"{name}.py"
        script.write_text("import sys, time\nfrom pathlib import Path\n" + textwrap.dedent(content))
        self._parts.append(f"Part({name!r}, {limit}, 0, lambda seconds: [{str(script)!r}], **{more!r})")

    def begin(self, *options: str, device: str = "cuda") -> subprocess.Popen[str]:
        listed = ", ".join(self._parts)
        program = (
            f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
            f"from on_gpu import main\nfrom on_gpu_parts import Part\nraise SystemExit(main([{listed}]))"
        )
        command = [sys.executable, "-c", program, str(self.told), "--device", device, *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def read(self) -> dict[str, dict[str, Any]]:
        return {part["name"]: part for part in json.loads(self.told.read_text())["parts"]}


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def test_a_part_that_fails_hangs_or_lacks_a_module_is_noted_and_the_next_one_runs(trial: Trial) -> None:
    trial.part("fails", "print('before')\nraise ValueError('no such thing')", expects={"speed": ">= 5"})
    trial.part("hangs", "time.sleep(600)", limit=2)
    trial.part("lacks", "import a_module_that_is_nowhere")
    trial.part("cannot", left_out="its file is not here")
    trial.part("good", FIGURE, expects={"speed": ">= 5"})
    program = trial.begin()
    printed = program.communicate()[0]
    found = trial.read()
    assert program.returncode == 1
    assert [part["status"] for part in found.values()] == ["failed", "timed out", "module missing", "left out", "done"]
    assert found["fails"]["tail"][0] == "before"
    assert found["fails"]["tail"][-1] == "ValueError: no such thing"
    assert found["fails"]["reason"] == "exit status 1: ValueError: no such thing"
    assert found["fails"]["figures"] == [{"name": "speed", "value": None, "asked": ">= 5", "met": None}]
    assert found["lacks"]["missing"] == "a_module_that_is_nowhere"
    assert found["good"]["figures"][0] == {
        "name": "speed", "value": 7.0, "unit": "times", "asked": ">= 5", "met": True, "low": 6.5,
    }  # fmt: skip
    assert "ValueError: no such thing" in printed
    assert json.loads(trial.told.read_text())["ended"]


def test_nothing_is_asked_of_a_processor(trial: Trial) -> None:
    trial.part("good", FIGURE)
    program = trial.begin(device="cpu")
    program.communicate()
    assert program.returncode == 0
    figure = trial.read()["good"]["figures"][0]
    assert (figure["asked"], figure["met"]) == (">= 5", None)


def test_where_the_first_part_finds_no_gpu_the_others_are_left_out(trial: Trial) -> None:
    trial.part("machine", "raise SystemExit('no GPU')", needed=True)
    trial.part("good", FIGURE)
    trial.begin().communicate()
    assert "without the part 'machine'" in trial.read()["good"]["reason"]


def test_what_no_time_is_left_for_is_left_out(trial: Trial) -> None:
    trial.part("good", FIGURE)
    trial.begin("--budget", "-1").communicate()
    assert trial.read()["good"]["reason"] == "-1 s are left, and it needs 0"


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_kill_in_the_middle_loses_at_most_one_part(trial: Trial, sign: signal.Signals) -> None:
    trial.part("first", FIGURE)
    trial.part("second", FIGURE + "    import os\n    print('pid', os.getpid(), flush=True)\n    time.sleep(600)")
    trial.part("third")
    program = trial.begin()
    assert program.stdout is not None
    child = next(int(line.split()[1]) for line in program.stdout if line.strip().startswith("pid "))
    program.send_signal(sign)
    program.communicate()
    with_figure, stopped = trial.read()["first"], trial.read()["second"]
    assert with_figure["figures"][0]["met"] is True
    assert trial.read()["third"]["status"] == "not begun"
    assert not json.loads(trial.told.read_text())["ended"]
    if sign == signal.SIGTERM:  # then there is time to end the part and to read what it had measured
        assert (stopped["status"], stopped["figures"][0]["value"]) == ("stopped", 7.0)
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    else:
        assert stopped["status"] == "running"
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    ("value", "asked", "met"),
    [(149.0, "< 150", True), (150.0, "< 150", False), (5.0, ">= 5", True), (0.06, "<= 0.05", False), (1, "> 0", True)],
)
def test_a_figure_is_met_by_its_own_sign(value: float, asked: str, met: bool) -> None:
    assert is_met(value, asked) is met


def test_what_is_not_finite_is_no_figure_and_its_file_is_json(tmp_path: Path) -> None:
    figures = Figures(tmp_path / "told.json")
    figures.add("speed", float("nan"), asked=">= 5")
    with figures.attempt("another"):
        raise RuntimeError("on purpose")
    told = json.loads((tmp_path / "told.json").read_text(), parse_constant=pytest.fail)
    assert (told["figures"][0]["value"], told["figures"][0]["met"], told["failed"]) == (None, None, ["another"])
    with pytest.raises(SystemExit):
        figures.end()


@pytest.mark.parametrize("device", ["cuda", "cpu"])
@pytest.mark.parametrize("files", [(None, None, None), tuple(map(Path, ("judge.py", "mnist.npz", "train.parquet")))])
def test_every_part_gives_options_that_its_script_has(device: str, files: Sequence[Path | None]) -> None:
    for part in parts(Asked(device, *files)):
        script, *arguments = part.command(100.0)
        text = Path(script).read_text()
        for word in (*arguments, "--json"):
            assert not word.startswith("--") or f'"{word}"' in text, (part.name, word)


def test_every_cell_of_the_table_is_a_figure_that_some_script_writes() -> None:
    """By its words: what stands before the first comma, or all of it."""
    written = "".join(path.read_text() for path in BENCHMARKS.glob("*.py") if path.name != "on_gpu_table.py")
    for cell in (cell for row in ROWS for cell in row.cells):
        assert cell.name.split(",")[0].removesuffix(" in frechet_distance").removesuffix(" in recall") in written
        assert cell.part in [part.name for part in parts(Asked("cuda"))]


def test_the_table_says_what_was_measured_and_why_not() -> None:
    content = {
        "begun": "2026-12-01T10:00:00+00:00",
        "seconds": 412.0,
        "parts": [
            {"name": "machine", "status": "done", "facts": {"gpu": "NVIDIA H200", "torch": "2.11.0"}},
            {"name": "digits 20 s", "status": "done", "figures": [{"name": "fid, seed 0", "value": 8.4, "met": True}]},
            {"name": "digits 60 s", "status": "timed out", "reason": "ended after 160 s"},
            {"name": "r3gan", "status": "done", "note": "half", "figures": []},
        ],
    }
    told = table(content)
    assert told.startswith("NVIDIA H200, torch 2.11.0, 2026-12-01, 412 s for everything.")
    assert "| fid 10, 6 | 20 s: 8.40, met; 60 s: - (ended after 160 s) |" in told
    assert told.endswith("- r3gan: half.")


def test_wheels_that_the_machine_lacks_are_unpacked_and_no_others(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "wheels", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    for name in ("carried_thing-1.0-py3-none-any.whl", "pytest-9.9-py3-none-any.whl", "old-1-cp27-cp27m-any.whl"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr(f"{name.split('-')[0]}.py", "")
    assert [path.name for path in unpacked(folder, scratch).iterdir()] == ["carried_thing.py"]
    assert "must come from the machine" in str(why_not("torch-2.11.0-cp312-cp312-manylinux_2_28_x86_64.whl"))
    assert why_not("thing-1-cp38-abi3-manylinux2014_x86_64.whl") is None


def test_installed_packages_are_taken_as_they_are_unless_they_hide_torch(tmp_path: Path) -> None:
    (tmp_path / "some_package").mkdir()
    assert unpacked(tmp_path, tmp_path) == tmp_path.resolve()
    (tmp_path / "torch").mkdir()
    with pytest.raises(SystemExit, match="must come from the machine"):
        unpacked(tmp_path, tmp_path)


def test_without_pytest_a_stand_in_runs_the_tests(tmp_path: Path) -> None:
    (tmp_path / "test_things.py").write_text(
        textwrap.dedent("""
        import pytest
        around = []

        @pytest.fixture(autouse=True)
        def each():
            around.append("begun")
            yield
            around.append("ended")

        @pytest.mark.parametrize("number", [1, 2])
        def test_within(number, tmp_path):
            assert around[-1] == "begun" and tmp_path.is_dir()

        def test_wrong():
            assert around.count("ended") == 3
        """)
    )
    program = (
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "from pathlib import Path; from figures import Figures; from on_gpu_tests import Count, without_pytest\n"
        "count = Count(Figures(Path('told.json'))); without_pytest(Path('test_things.py'), count); count.tell()"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    told = json.loads((tmp_path / "told.json").read_text())
    assert {figure["name"]: figure["value"] for figure in told["figures"]} == {"passed": 2, "failed": 1, "skipped": 0}
    assert told["facts"]["test_within[2]"] == "passed"


def test_the_shell_script_finds_its_program(tmp_path: Path) -> None:
    (tmp_path / "told.json").write_text(json.dumps({"begun": "2026-12-01", "seconds": 1.0, "parts": []}))
    done = subprocess.run(
        ["sh", str(BENCHMARKS / "on_gpu.sh"), "--table", "told.json"], cwd=tmp_path, check=True, capture_output=True,
        text=True, env={**os.environ, "PYTHON": sys.executable},
    )  # fmt: skip
    assert "| | command | bar | measured |" in done.stdout
