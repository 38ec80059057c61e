"""`ganforge diagnose`: what it prints, its exit codes, and how it follows a run."""

from __future__ import annotations

import io
import json
import math
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from ganforge.cli import main
from ganforge.cli.diagnose import LEAST_PAUSE, follow
from ganforge.cli.diagnosis_view import BARS, NOT_FINITE, WIDE, spark
from ganforge.core.stop import Terminated
from ganforge.run import Run, hold

LENGTH = 40  # records of a whole run


def add_records(run: Run, first: int, last: int, weakest: float = 0.05, norm: float = 0.5) -> None:
    """Records first..last-1 of a GAN whose generator's first layer has a gradient of `weakest`."""
    for i in range(first, last):
        layers = {
            name: {"gradient_norm": value, "weight_norm": 10.0, "update_ratio": 1e-3}
            for name, value in (("start", weakest), ("middle", 0.3), ("last", 0.5))
        }
        run.add_record(
            {
                "step": 50 * (i + 1),
                "examples": 3200 * (i + 1),
                "length_examples": 3200 * LENGTH,
                "progress": (i + 1) / LENGTH,
                "seconds": 10.0 * i,
                "examples_per_second": 320.0,
                "attempt": 0,
                "skipped": 0,
                "terms": {"discriminator": {"adversarial": 0.5}, "generator": {"adversarial": 1.0}},
                "notes": {"discriminator": {"ranked_right": 0.8, "score_real": 0.5, "score_fake": -0.5}},
                "gradient_norms": {"discriminator": norm, "generator": 0.5},
                "update_ratios": {"discriminator": 1e-3, "generator": 1e-3},
                "learning_rates": {"discriminator": 1e-3, "generator": 1e-3},
                "layers": {"discriminator": layers, "generator": layers},
            }
        )


def planted(folder: Path, records: int = 20, weakest: float = 0.05) -> Run:
    run = Run(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run.recipe.write_text("{}")
    run.add_event("started", 0, examples=3200 * LENGTH, device="cpu", measured={})
    add_records(run, 0, records, weakest)
    return run


def explode(run: Run, first: int) -> None:
    """Two records at the end with a gradient a hundred times its median: a critical finding."""
    add_records(run, first, first + 2, norm=5e4)


def test_it_says_where_the_run_stands_what_was_checked_and_how_to_see_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = planted(tmp_path / "a run")
    assert main(["diagnose", str(run.folder)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Healthy: every check is content.\nStopped at 50%, 64,000 of 128,000 examples;")
    assert "checks, nothing found: not finite" in out
    assert "discriminator gradient" in out and "generator loss" in out
    assert f"ganforge diagnose '{run.folder}' --out page.html" in out


def test_the_layer_whose_gradient_dies_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = planted(tmp_path, weakest=1e-6)
    assert main(["diagnose", str(run.folder)]) == 0
    out = capsys.readouterr().out
    assert "In the generator, start gets 500,000 times less gradient than last" in out
    assert "vanishes on its way to the input" in out


def test_a_finding_has_evidence_cause_and_remedy_and_check_tells_scripts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = planted(tmp_path)
    assert main(["diagnose", str(run.folder), "--check"]) == 0
    explode(run, 20)
    assert main(["diagnose", str(run.folder)]) == 0
    out = capsys.readouterr().out
    assert "Needs action: exploding\n  Seen: The gradient norm of discriminator reached 5e+04" in out
    assert "\n  Why: " in out and "\n  What to do: " in out
    assert main(["diagnose", str(run.folder), "--check"]) == 4
    assert main(["diagnose", str(run.folder), "--check", "--json"]) == 4


def test_json_is_all_that_a_program_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = planted(tmp_path / "run")
    explode(run, 20)
    assert main(["diagnose", str(run.folder), "--json", "--out", str(tmp_path / "page.html")]) == 0
    seen = capsys.readouterr()
    said = json.loads(seen.out)
    assert (said["state"], said["critical"], seen.err) == ("stopped", True, "")
    assert [finding["ailment"] for finding in said["findings"]] == ["exploding"]
    assert said["layers"]["generator"]["late"]["start"] == {"gradient_norm": 0.05, "update_ratio": 1e-3}
    assert said["last"]["examples"] == 22 * 3200
    assert (tmp_path / "page.html").is_file()


def test_the_page_is_written_where_it_was_asked_and_nowhere_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, page = planted(tmp_path / "run"), tmp_path / "page.html"
    before = sorted(run.folder.iterdir())
    assert main(["diagnose", str(run.folder), "--out", str(page)]) == 0
    assert f"Wrote {page}" in capsys.readouterr().out
    assert sorted(run.folder.iterdir()) == before
    assert main(["diagnose", str(run.folder), "--out", str(page)]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["diagnose", str(run.folder), "--out", str(page), "--force"]) == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["nowhere"], "nowhere"), ([".", "--json", "--live"], "--live"), ([".", "--out", "page.png"], ".html")],
)
def test_what_cannot_be_done_is_said_without_a_traceback(
    words: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    planted(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["diagnose", *words]) == 2
    seen = capsys.readouterr()
    assert expected in seen.err and "Traceback" not in seen.err and seen.out == ""


def test_what_a_strangers_run_says_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = planted(tmp_path)
    run.add_event("plateau", 3, reason="\x1b[2J[red]gone", length=1)
    assert main(["diagnose", str(run.folder)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "?[2J[red]gone" in out


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["generator", "discriminator", "start", "gradient_norm"]), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = (
    "layers",
    "gradient_norms",
    "update_ratios",
    "learning_rates",
    "terms",
    "notes",
    "quality",
    "examples_per_second",
    "length_examples",
    "attempt",
    "skipped",
    "step",
    "examples",
    "progress",
    "seconds",
)


@settings(deadline=None, max_examples=25, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 19), ANYTHING), min_size=1, max_size=6), ANYTHING)
def test_whatever_a_strangers_run_holds_it_is_shown_or_refused_in_words(
    changes: list[tuple[str, int, object]], content: object
) -> None:
    with tempfile.TemporaryDirectory() as name:
        run = planted(Path(name))
        records = run.read_records()
        for key, place, value in changes:
            records[place][key] = value
        run.metrics.write_text("".join(json.dumps(record) + "\n" for record in records))
        run.events.write_text(json.dumps({"kind": "rewound", "step": content, "to_step": content}) + "\n")
        run.evaluation.write_text(json.dumps({"verdict": content, "measures": content}))
        for more in ([], ["--json"], ["--out", str(Path(name) / "page.html"), "--force"]):
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as told:
                code = main(["diagnose", name, *more])
            assert code in (0, 2), told.getvalue()


# ---- following -------------------------------------------------------------------------------------------------------


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None, legacy_windows=False)


def shown(where: Console) -> str:
    assert isinstance(where.file, io.StringIO)
    return where.file.getvalue()


def followed(run: Run, where: Console, *moments: Callable[[], object]) -> list[float]:
    """Follows a run that is held; each pause makes the next thing happen. Returns: the pauses in seconds."""
    pauses: list[float] = []
    left = list(moments)

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        left.pop(0)()

    follow(run.folder, where, sleep)
    return pauses


def test_a_run_is_followed_until_its_trainer_ends(tmp_path: Path) -> None:
    run, where = planted(tmp_path, records=4), console(terminal=False)
    with hold(run.lock):
        holder = Run(tmp_path).lock.read_text().strip()

        def release() -> None:
            run.lock.unlink()  # what the end of its trainer does

        pauses = followed(
            run,
            where,
            lambda: add_records(run, 4, 5),
            lambda: add_records(run, 5, 20),
            lambda: explode(run, 20),
            release,
        )
    lines = shown(where).splitlines()
    assert [line.split("): ")[1].split(",")[0] for line in lines] == ["10%", "50%", "55%"]  # 12 % says nothing new
    assert all(f"process {holder}" in line for line in lines)
    assert "Something is wrong: exploding" in lines[2]
    assert min(pauses) >= LEAST_PAUSE


def test_a_terminal_is_redrawn_in_place(tmp_path: Path) -> None:
    run, where = planted(tmp_path), console(terminal=True)
    with hold(run.lock):
        followed(run, where, lambda: explode(run, 20), run.lock.unlink)
    text = shown(where)
    assert "Healthy: every check is content." in text and "Needs action: exploding" in text
    assert "\x1b[1A" in text  # the cursor goes back up
    assert any(bar in text for bar in BARS)


def test_ctrl_c_leaves_quietly_and_sigterm_is_passed_on(tmp_path: Path) -> None:
    run = planted(tmp_path)

    def interrupt() -> None:
        raise KeyboardInterrupt

    def terminate() -> None:
        raise Terminated

    with hold(run.lock):
        assert len(followed(run, console(terminal=True), interrupt)) == 1
        with pytest.raises(Terminated):
            followed(run, console(terminal=True), terminate)


def test_following_a_run_that_nobody_trains_prints_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = planted(tmp_path)
    assert main(["diagnose", str(run.folder), "--live"]) == 0
    assert capsys.readouterr().out.count("Healthy: every check is content.") == 1


# ---- curves ----------------------------------------------------------------------------------------------------------


def test_a_curve_rises_where_its_numbers_rise_and_fits_its_width() -> None:
    assert spark([float(i) for i in range(8)]) == BARS
    assert spark([10.0**i for i in range(8)], log=True) == BARS
    assert len(spark([math.sin(i) for i in range(5000)])) <= WIDE
    assert spark([1.0, 1.0]) == BARS[0] * 2


def test_a_curve_marks_what_is_not_finite() -> None:
    assert spark([0.0, math.nan, 1.0, math.inf]) == f"{BARS[0]}{NOT_FINITE}{BARS[-1]}{NOT_FINITE}"
    assert spark([math.nan] * 3) == NOT_FINITE * 3
    assert spark([0.0, 1.0], log=True) == BARS[0] + BARS[-1]
