"""The verbs for real: one short training on the 8x8 digits, and everything that can be done with a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganforge as gf
from ganforge.cli import main
from ganforge.errors import StorageError


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a target that no run reaches. `main` says so with exit code 3."""
    run = tmp_path_factory.mktemp("verbs") / "runs" / "first try"
    assert main(["train", "digits8", "--examples", "640", "--run", str(run), "--until", "kid<1e-9"]) == 3
    return run


def test_training_leaves_a_report_a_model_and_samples(trained: Path) -> None:
    assert (trained / "report.html").is_file()
    assert (trained / "model" / "model.safetensors").is_file()
    assert list((trained / "samples").glob("*.png"))


def test_resuming_a_finished_run_tells_verdict_report_and_what_to_type_next(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["resume", str(trained)]) == 3
    out = capsys.readouterr().out
    assert str(trained / "report.html") in out
    assert f"ganforge sample '{trained}' -n 64 --out new.png" in out  # the space in the name is quoted
    assert "The target of --until was not reached." in out


def test_an_existing_run_is_not_overwritten(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (trained / "recipe.json").read_bytes()
    assert main(["train", "digits8", "--examples", "640", "--run", str(trained)]) == 2
    assert "--force" in capsys.readouterr().err
    assert (trained / "recipe.json").read_bytes() == before


def test_samples_are_written_as_asked(trained: Path, tmp_path: Path) -> None:
    assert main(["sample", str(trained), "-n", "9", "--out", str(tmp_path / "new.png"), "--truncation", "0.7"]) == 0
    with Image.open(tmp_path / "new.png") as grid:
        assert grid.width > 3 * 8
    assert main(["sample", str(trained), "-n", "5", "--out", str(tmp_path / "new.npz"), "--label", "3"]) == 0
    with np.load(tmp_path / "new.npz", allow_pickle=False) as arrays:
        assert arrays["x"].shape == (5, 8, 8)
        assert arrays["x"].dtype == np.uint8
    assert main(["sample", str(trained), "-n", "4", "--out", str(tmp_path / "new")]) == 0
    assert len(list((tmp_path / "new").rglob("*.png"))) == 4


@pytest.mark.parametrize(
    ("more", "word"),
    [(["--label", "cat"], "cat"), (["--truncation", "1.5"], "1.5"), (["--out", "new.docx"], "docx")],
)
def test_a_sample_that_cannot_be_drawn_is_bad_input(
    trained: Path, tmp_path: Path, more: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [] if "--out" in more else ["--out", str(tmp_path / "a.png")]
    assert main(["sample", str(trained), "-n", "2", *out, *more]) == 2
    assert word in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_evaluate_prints_json_and_nothing_else(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(trained), "--json"]) == 0
    seen = capsys.readouterr()
    evaluation = json.loads(seen.out)
    assert {"measures", "verdict", "reference"} <= set(evaluation)
    assert seen.err == ""


def test_evaluate_prints_the_verdict_under_the_measures(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(trained)]) == 0
    out = capsys.readouterr().out
    headline = json.loads((trained / "evaluation.json").read_text())["verdict"]["headline"]
    assert out.index("kid") < out.index(headline)
    assert "floor" in out
    assert "reference" in out


def test_the_report_is_written_again(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (trained / "report.html").unlink()
    assert main(["report", str(trained)]) == 0
    assert str(trained / "report.html") in capsys.readouterr().out
    assert (trained / "report.html").is_file()


def test_runs_lists_the_run(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(trained.parent)]) == 0
    out = capsys.readouterr().out
    assert "digits8" in out
    assert "finished" in out


def test_a_folder_without_runs_says_how_to_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(tmp_path)]) == 0
    assert "ganforge train digits" in capsys.readouterr().out


def test_plan_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "digits8", "--examples", "640", "--set", "optimiser.batch_size=32"]) == 0
    out = capsys.readouterr().out
    assert "you asked for it" in out
    assert "640 examples" in out
    assert list(tmp_path.iterdir()) == []


def test_plan_tells_what_is_remarkable_about_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a run would note before it trains is known before anybody waits for it."""
    monkeypatch.chdir(tmp_path)
    np.save("cloud.npy", np.repeat(np.random.default_rng(0).normal(size=(120, 2)), 3, axis=0))
    assert main(["plan", "cloud.npy", "--examples", "640"]) == 0
    assert "240 of 360 points" in " ".join(capsys.readouterr().out.split())


def test_bad_data_and_bad_settings_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cases = {
        "train nowhere/": "nowhere",
        "train digits8 --task generat": "Did you mean 'generate'?",
        "train digits8 --objective hinje": "Did you mean 'hinge'?",
        "train digits8 --examples 640 --set optimiser.batch_sise=9": "Did you mean 'batch_size'?",
        "train digits8 --examples 640 --set optimizer.batch_size=9": "Did you mean 'optimiser'?",
        "train digits8 --resolution 1000": "1000",
        "resume nowhere": "nowhere",
        "evaluate nowhere --json": "nowhere",
        f"report {tmp_path}": "not a run folder",
    }
    for typed, word in cases.items():
        assert main(typed.split()) == 2, typed
        seen = capsys.readouterr()
        assert word in seen.err, typed
        assert "Traceback" not in seen.err, typed
        assert list(tmp_path.iterdir()) == [], typed


def test_a_target_that_cannot_be_read_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "digits8", "--examples", "64", "--until", "quality"]) == 2
    assert "quality" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ZeroDivisionError("division by zero"), 1, ["ZeroDivisionError: division by zero", "--traceback"]),
        (StorageError("x could not be written.", "The disk is full.", "Free some space."), 1, ["The disk is full."]),
        (MemoryError(), 1, ["memory", "--size tiny"]),
        (KeyboardInterrupt(), 130, ["Stopped."]),
    ],
)
def test_an_error_is_told_in_words_and_traced_only_when_asked(
    error: BaseException,
    code: int,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(gf, "plan", fail)
    assert main(["plan", "digits8"]) == code
    seen = capsys.readouterr().err
    assert "Traceback" not in seen
    for word in words:
        assert word in seen
    assert main(["plan", "digits8", "--traceback"]) == code
    assert ("Traceback" in capsys.readouterr().err) == (not isinstance(error, KeyboardInterrupt))


def test_a_reader_that_leaves_early_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "ganforge", "--version"], stdout=write, stderr=subprocess.PIPE, check=False, timeout=600
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 141
