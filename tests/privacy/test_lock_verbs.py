"""What a person reads who locks, unlocks, signs and verifies on the command line."""

from __future__ import annotations

import os
import pty
import re
import sys
from pathlib import Path

import pytest

from ganforge.cli import main


def typed(words: str, capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    """Run a command. Returns: what it printed, on one line."""
    assert main(words.split()) == code
    seen = capsys.readouterr()
    assert "Traceback" not in seen.err and "Something unexpected" not in seen.err
    assert not code or 1 <= len(seen.err.splitlines()) <= 3
    return " ".join((seen.out + seen.err).split())


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "password").write_text("correct horse\r\nanother line\n")
    (tmp_path / "wrong").write_text("wrong\n")


def test_lock_and_unlock_with_a_password_file(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = typed("lock runs/people-1 --password-file password", capsys)
    assert said == "Wrote runs/people-1.locked Removed runs/people-1" and not run.exists()
    said = typed("unlock runs/people-1.locked --password-file wrong", capsys, code=2)
    assert said.startswith("The password does not open runs/people-1.locked.")
    said = typed("unlock runs/people-1.locked --password-file password --keep", capsys)
    assert said == "Wrote runs/people-1" and run.is_dir()


def test_lock_and_unlock_with_a_key_file(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be opened without it" in typed("lock --new-key my.key", capsys)
    assert typed("lock runs/people-1 --key-file my.key --keep", capsys) == "Wrote runs/people-1.locked"
    assert run.is_dir()
    assert "--force" in typed("lock runs/people-1 --key-file my.key", capsys, code=2)
    assert "Removed" in typed("lock runs/people-1 --key-file my.key --force", capsys)
    content = bytearray(Path("runs/people-1.locked").read_bytes())
    content[5_000] ^= 1
    Path("runs/people-1.locked").write_bytes(content)
    said = typed("unlock runs/people-1.locked --key-file my.key", capsys, code=2)
    assert said.startswith("runs/people-1.locked is damaged, and nothing of it was unlocked.")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("lock", "Neither RUN nor --new-key was given."),
        ("lock runs/people-1 --new-key k", "Both RUN and --new-key were given."),
        ("lock runs/people-1", "The input is not a terminal."),
        ("lock runs/people-1 --key-file k --password-file password", "--password-file and --key-file were given."),
        ("lock runs/people-1 --key-file none", "'none' cannot be read."),
        ("lock runs/people-1 --password-file none", "'none' cannot be read."),
        ("lock runs/people-1 --key-file password", "not a key file"),
        ("lock runs/none --password-file password", "There is no run at 'runs/none'."),
        ("lock .. --password-file password", "'..' is not a name."),
        ("unlock", "ganforge unlock needs RUN.locked"),
        ("unlock runs/people-1 --password-file password", "does not end with .locked"),
        ("unlock password.locked --password-file password", "There is no file"),
        ("sign runs/people-1", "RUN and --key go together."),
        ("sign --key k", "RUN and --key go together."),
        ("sign runs/people-1 --key k --new-key k", "RUN and --key go together."),
        ("sign runs/people-1 --key password", "does not hold a private key"),
        ("verify runs/people-1", "ganforge verify needs --key"),
        ("verify runs/people-1 --key password", "does not hold a public key"),
    ],
)
def test_wrong_use_gets_a_sentence(words: str, sentence: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sentence in typed(words, capsys, code=2)
    assert (run / "recipe.json").is_file()


def test_sign_and_verify(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Wrote me.key Wrote me.key.pub The first is for you alone" in typed("sign --new-key me.key", capsys)
    assert typed("sign runs/people-1 --key me.key", capsys) == "Wrote runs/people-1/signature.json"
    assert re.match(r"All 3 files are as signed with the key [0-9a-f]{16}\.\.\.", typed(
        "verify runs/people-1 --key me.key.pub", capsys))  # fmt: skip
    (run / "recipe.json").write_text("changed")
    assert "changed 'recipe.json'" in typed("verify runs/people-1 --key me.key.pub", capsys, code=2)
    typed("sign password --key me.key", capsys)
    assert typed("verify password --key me.key.pub", capsys).startswith("The file is as signed")


def test_a_password_is_asked_for_twice(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    answers: list[str] = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: answers.pop(0))
    answers[:] = ["correct horse", "correct house"]
    assert "The two passwords differ." in typed("lock runs/people-1", capsys, code=2)
    answers[:] = ["", ""]
    assert "The password is empty." in typed("lock runs/people-1", capsys, code=2)
    answers[:] = ["correct horse", "correct horse"]
    typed("lock runs/people-1", capsys)
    answers[:] = ["correct horse"]
    typed("unlock runs/people-1.locked", capsys)
    assert run.is_dir()


def test_a_terminal_does_not_show_the_password(run: Path) -> None:
    process, terminal = pty.fork()
    if not process:
        os.execv(sys.executable, [sys.executable, "-m", "ganforge", "lock", str(run)])
    shown = b""
    for prompt in (b"Password: ", b"The same again: "):
        while not shown.endswith(prompt):
            shown += os.read(terminal, 1000)
        os.write(terminal, b"correct horse\n")
    try:
        while more := os.read(terminal, 1000):
            shown += more
    except OSError:  # how a terminal ends
        pass
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0, shown
    assert b"horse" not in shown and not run.exists() and run.with_name("people-1.locked").is_file()
