"""`profile`: of data and of a run, in Python and on the command line. Nothing of a run changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ganforge as gf
from ganforge.api import profile as profiling
from ganforge.cli.main import main
from ganforge.core.files import sha256_of
from ganforge.engine.profile import Ceilings, StepProfile
from ganforge.errors import RecipeError

STEP = StepProfile(
    device="cpu", precision="float32", captured=False, why_not_captured=None, batch_size=64, seconds=0.02,
    seconds_lowest=0.018, seconds_highest=0.03,
    parts={
        "data": 0.01, "forward": 0.2, "penalty": 0.5, "backward": 0.2,
        "optimiser": 0.05, "average": 0.02, "other": 0.02,
    },
    idle=0.05, flops=1e9, bytes=1e8, ceilings=Ceilings(1e11, 1e10),
)  # fmt: skip


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ceilings and other settings are timed in tests of their own."""
    monkeypatch.setattr(profiling, "gains", lambda game, feed, base, others: [1.0] * (len(others) - 1) + [1.5])
    monkeypatch.setattr("ganforge.engine.profile.measure_ceilings", lambda *given: Ceilings(1e11, 1e10))


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_run_is_profiled_as_it_was_planned_and_stays_as_it_is(tmp_path: Path) -> None:
    gf.train("digits8", examples=128, run=tmp_path / "run", settings={"compute.threads": "1"})
    before = {path: sha256_of(path) for path in (tmp_path / "run").rglob("*") if path.is_file()}
    found = gf.profile(tmp_path / "run")
    assert {path: sha256_of(path) for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    assert (found.step.batch_size, found.examples, found.threads) == (64, "pictures", 1)
    assert found.alternatives[-1].gain == 1.5
    assert "What would help" in found.sentence
    with pytest.raises(RecipeError, match=r"is a run, and size was given"):
        gf.profile(tmp_path / "run", size="large")


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_on_the_command_line_data_is_profiled_as_train_would_plan_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "wine", "--examples", "2000", "--set", "compute.threads=1", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["step"]["batch_size"] == 512
    assert content["step"]["flops"] > 0
    assert {other["option"].partition("=")[0] for other in content["alternatives"]} >= {
        "compute.precision", "optimiser.batch_size",
    }  # fmt: skip
    assert main(["profile", "wine", "--examples", "2000", "--set", "compute.threads=1"]) == 0
    page = capsys.readouterr().out
    assert all(
        word in page for word in ("rows/s", "penalty", "idle", "arithmetic", "memory", "--set optimiser.batch_size")
    )
    assert list(tmp_path.iterdir()) == []
    assert main(["profile", "nothing-here"]) == 2
    assert "nothing-here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parts": {**STEP.parts, "data": 0.4}}, "40% of a step goes into fetching examples"),
        ({"idle": 0.6}, "The threads wait 60% of the time"),
        ({"idle": 0.6, "device": "cuda"}, "The GPU waits 60% of the time for the host"),
        ({"flops": 1.6e9}, "bound by arithmetic, at 80%"),
        ({"bytes": 1.6e8}, "bound by memory, at 80%"),
        ({"flops": 2e8, "bytes": 2e7}, "reaches 10% of the arithmetic"),
    ],
)
def test_what_a_step_is_about_is_said_in_words(change: dict[str, object], words: str) -> None:
    from dataclasses import replace

    step = replace(STEP, **{"flops": 2e8, "bytes": 2e7, **change})
    assert words in profiling.what_limits(step, threads=2)
    assert "the gradient penalty, its backward pass included" in profiling.what_limits(step, threads=2)
    assert "Other programs have the processor" in profiling.what_limits(replace(STEP, idle=0.6), threads=1)


def test_what_does_not_help_is_not_recommended() -> None:
    others = (profiling.Alternative("a batch of 128", "", 1.05), profiling.Alternative("one thread", "", 0.4))
    assert "Nothing that was tried" in profiling.Profile(STEP, others, "pictures", 2).sentence
