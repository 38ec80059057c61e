"""Files are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ganforge.core.files import (
    append_line,
    check_folder,
    remove_folder,
    remove_leftovers,
    storage_error,
    unfinished_name,
    write_folder,
    write_whole,
)
from ganforge.errors import RunError, StorageError

FOREVER = """
import sys, time
from pathlib import Path
from ganforge.core.files import write_folder

def fill(target):
    (target / "half").write_bytes(b"x" * 1000)
    print("writing", flush=True)
    time.sleep(3600)

write_folder(Path(sys.argv[1]), fill)
"""


def test_a_kill_while_a_folder_is_written_leaves_the_old_one_and_a_leftover_that_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_folder(folder, lambda target: (target / "weights").write_bytes(b"old"))
    process = subprocess.Popen([sys.executable, "-c", FOREVER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    check_folder(folder)
    assert (folder / "weights").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [folder]


def test_leftovers_are_found_at_any_depth_and_nothing_else_is_touched(tmp_path: Path) -> None:
    kept = [tmp_path / name for name in (".hidden", "samples/.notes.txt", "samples/000000100.png", ".git/x.1.abc")]
    gone = [tmp_path / name for name in (".metrics.jsonl.12.0123abcd", "samples/.000000100.png.9.deadbeef")]
    for path in (*kept, *gone):
        path.parent.mkdir(exist_ok=True)
        path.write_text("content")
    (tmp_path / ".model.77.0123abcd.old").mkdir()
    remove_leftovers(tmp_path)
    assert all(path.is_file() for path in kept)
    assert not any(path.exists() for path in gone)
    assert not (tmp_path / ".model.77.0123abcd.old").exists()


NAMES = {
    "246 bytes": "a" * 246,
    "255 bytes": "a" * 255,
    "two bytes a letter": "a" + "é" * 127,
    "three bytes a letter": "漢" * 85,
    "no text": b"\xff".decode("utf-8", "surrogateescape") * 250,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_as_long_as_the_file_system_allows_is_written_whole(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporary names have 143 bytes at most, which encrypted file systems allow too."""
    seen: list[str] = []
    replace = Path.replace

    def watched(path: Path, target: Path) -> Path:
        seen.append(path.name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", watched)
    write_whole(tmp_path / name, b"1")
    write_whole(tmp_path / name, b"2")
    assert (tmp_path / name).read_bytes() == b"2"
    (tmp_path / name).unlink()
    write_folder(tmp_path / name, lambda target: (target / "weights").write_bytes(b"old"))
    write_folder(tmp_path / name, lambda target: (target / "weights").write_bytes(b"new"))
    assert (tmp_path / name / "weights").read_bytes() == b"new"
    remove_folder(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    assert max(len(os.fsencode(one)) for one in seen if one != name) <= 143
    assert all(unfinished_name(one) for one in seen if one != name)


@pytest.mark.parametrize("accident", [KeyboardInterrupt(), OSError(5, "Input/output error")])
def test_an_accident_between_the_two_renames_gives_the_old_folder_back(
    accident: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    write_folder(folder, lambda target: (target / "weights").write_bytes(b"old"))
    replace = Path.replace

    def fails(path: Path, target: Path) -> Path:
        if target == folder and not path.name.endswith(".old"):
            raise accident
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises((KeyboardInterrupt, StorageError)):
        write_folder(folder, lambda target: (target / "weights").write_bytes(b"new"))
    check_folder(folder)
    assert (folder / "weights").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_that_a_kill_left_set_aside_is_put_back(tmp_path: Path) -> None:
    """kill -9 between the two renames leaves the old folder and the finished new one, both under temporary names."""
    folder, aside = tmp_path / "checkpoints" / "000000100", tmp_path / "checkpoints" / ".000000100.77.0123abcd.old"
    write_folder(folder, lambda target: (target / "weights").write_bytes(b"old"))
    folder.replace(aside)
    aside.with_suffix("").mkdir()
    remove_leftovers(tmp_path)
    check_folder(folder)
    assert list(folder.parent.iterdir()) == [folder]


def test_ctrl_c_while_a_file_is_written_leaves_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "x.json", b"{}")
    assert list(tmp_path.iterdir()) == []


def test_what_a_file_manager_leaves_in_a_folder_is_no_damage(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", lambda target: (target / "weights").write_bytes(b"abc") and None)
    (tmp_path / "model" / ".DS_Store").write_bytes(b"icons")
    check_folder(tmp_path / "model")


def test_a_folder_whose_filling_fails_is_not_there_and_the_old_one_is(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_folder(folder, lambda target: (target / "weights").write_bytes(b"old"))

    def fail(target: Path) -> None:
        (target / "weights").write_bytes(b"new")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="disk is full"):
        write_folder(folder, fail)
    check_folder(folder)
    assert (folder / "weights").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("harm", ["changed", "missing", "added", "no manifest"])
def test_every_harm_to_a_folder_is_noticed(harm: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_folder(folder, lambda target: [(target / name).write_bytes(b"abc") for name in ("a", "b")] and None)
    check_folder(folder)
    match harm:
        case "changed":
            (folder / "b").write_bytes(b"abd")
        case "missing":
            (folder / "b").unlink()
        case "added":
            (folder / "c").write_bytes(b"")
        case _:
            (folder / "manifest.json").unlink()
    with pytest.raises(RunError):
        check_folder(folder)


def test_a_line_that_a_crash_cut_short_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    append_line(path, "one")
    with path.open("a") as file:
        file.write('{"cut": ')
    append_line(path, "two")
    assert path.read_text().splitlines() == ["one", '{"cut": ', "two"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="permissions"):
        write_whole(tmp_path / "x.json", b"{}")


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """A writer in another process changes the file all the time; every read is one of its contents, whole.

    It is read until the content has changed often, however seldom the writer has its turn.
    """
    path = tmp_path / "x.txt"
    script = (
        "import sys; from pathlib import Path; from ganforge.core.files import write_whole\n"
        "while True:\n    for letter in b'ab': write_whole(Path(sys.argv[1]), bytes([letter]) * 200_000)"
    )
    last, changes, reads = b"", 0, 0
    with subprocess.Popen([sys.executable, "-c", script, str(path)]) as process:
        try:
            while changes < 20 or reads < 200:
                assert process.poll() is None
                if path.exists():
                    content = path.read_bytes()
                    assert content in (b"a" * 200_000, b"b" * 200_000)
                    changes, reads, last = changes + (content != last), reads + 1, content
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "The disk is full."),
        (errno.EDQUOT, "The disk is full."),
        (errno.EFBIG, "ulimit -f"),
        (errno.EROFS, "The disk can only be read."),
        (errno.EIO, "The disk did not answer"),
        (errno.EACCES, "Permission denied"),
    ],
)
def test_what_the_system_refuses_is_said_in_words(number: int, words: str) -> None:
    said = str(storage_error(Path("x.json"), OSError(number, os.strerror(number))))
    assert words in said and "x.json could not be written." in said and str(number) not in said
