"""What a person reads when the command line is used wrongly, or asked about itself. Nothing here trains."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ganforge import __version__
from ganforge.cli import main
from ganforge.cli.main import app

VERBS = (
    "train",
    "plan",
    "resume",
    "sample",
    "apply",
    "invert",
    "augment",
    "evaluate",
    "compare",
    "report",
    "diagnose",
    "profile",
    "audit",
    "card",
    "privacy",
    "anonymise",
    "lock",
    "unlock",
    "sign",
    "verify",
    "runs",
)


def test_help_lists_every_verb_on_one_line_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = [next(i for i, line in enumerate(lines) if line.startswith(f"│ {verb} ")) for verb in VERBS]
    assert starts == list(range(starts[0], starts[0] + len(VERBS)))  # each verb fits one line
    assert any(line.strip() == "ganforge train digits" for line in lines)


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "VERB" in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_page_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    page = capsys.readouterr().out
    assert "Examples" in page
    assert f"ganforge {verb}" in page
    assert "<bool>" not in page


def test_every_verb_of_the_application_is_tested_here() -> None:
    assert {command.callback.__name__ for command in app.registered_commands if command.callback} == set(VERBS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ganforge {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "sentences"),
    [
        ("trian digits", ["no verb 'trian'", "Did you mean 'train'?", "ganforge --help"]),
        ("waltz", ["no verb 'waltz'", "evaluate, invert, lock, plan, privacy, profile", "ganforge --help"]),
        ("--bogus", ["no option --bogus", "ganforge --help"]),
        ("train", ["ganforge train needs DATA", "folder of pictures", "ganforge train --help"]),
        ("train a b", ["extra argument", "ganforge train --help"]),
        ("train digits --minuts 3", ["no option --minuts", "Did you mean '--minutes'?"]),
        ("train digits --minutes three", ["--minutes cannot be 'three'", "a number above 0"]),
        ("train digits --minutes 0", ["--minutes cannot be '0'", "a number above 0"]),
        ("train digits --minutes inf", ["--minutes cannot be 'inf'"]),
        ("train digits --examples 2.5", ["--examples cannot be '2.5'", "whole number from 1"]),
        ("train digits --examples", ["--examples", "requires an argument", "--help"]),
        ("train digits --size smal", ["--size cannot be 'smal'", "Did you mean 'small'?"]),
        ("train digits --size 7", ["--size cannot be '7'", "base, large, medium, small, tiny"]),
        ("train digits --seed -1", ["--seed cannot be '-1'"]),
        ("train digits --resolution 4", ["--resolution cannot be '4'", "from 8"]),
        ("train digits --set batch_size=9", ["--set cannot read 'batch_size=9'", "section"]),
        ("train digits --set a.b=1 --set a.b=2", ["a.b was given twice", "'1'", "'2'"]),
        ("train digits --minutes 2 --examples 9", ["--minutes 2 and --examples 9", "Give one"]),
        ("plan digits --minutes 2 --examples 9", ["--minutes 2 and --examples 9", "Give one"]),
        ("sample runs/x -n 5", ["ganforge sample needs --out"]),
        ("sample runs/x -n none --out a.png", ["-n cannot be 'none'"]),
        ("sample runs/x -n 5 --given s.csv --out a.csv", ["-n and --given", "says itself how many", "Leave -n out"]),
        ("sample runs/x -n 5 --interpolate 8 --out a.gif", ["-n and --interpolate", "Leave -n out"]),
        ("sample runs/x --out a.png --truncation low", ["--truncation cannot be 'low'"]),
    ],
)
def test_wrong_usage_says_what_why_and_what_to_do(
    typed: str, sentences: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed.split()) == 2
    seen = capsys.readouterr()
    assert seen.out == ""
    assert "Traceback" not in seen.err
    assert len(seen.err.splitlines()) <= 3
    for sentence in sentences:
        assert sentence in seen.err


def test_the_installed_program_ends_with_the_exit_code() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ganforge", "trian"], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 2
    assert "Did you mean 'train'?" in done.stderr


def test_help_imports_none_of_the_heavy_libraries() -> None:
    heavy = ("torch", "numpy", "pandas", "matplotlib", "scipy", "sklearn", "PIL")
    program = (
        "import sys; from ganforge.cli import main; main(['train', '--help']); "
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600)
    assert done.stderr.strip() == "[]"
