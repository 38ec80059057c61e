"""A locked run comes back as it was, for whoever has its secret; and at every moment one of the two is there, whole."""

from __future__ import annotations

import hashlib
import os
import random
import stat
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import ganforge
from ganforge.errors import GanforgeError, InputError, RunError, StorageError
from ganforge.privacy import archive, keys, locked, sealed
from ganforge.run import hold


def tree(folder: Path) -> dict[str, Any]:
    """Everything that must come back: names, contents, permissions, times of files."""
    found = {}
    for path in sorted({folder, *folder.rglob("*")} - {folder / "lock"}):
        about = path.stat()
        content = (hashlib.sha256(path.read_bytes()).hexdigest(), about.st_mtime_ns) if path.is_file() else None
        found[path.relative_to(folder).as_posix()] = (stat.S_IMODE(about.st_mode), content)
    return found


@pytest.mark.parametrize("by", ["password", "key_file"])
def test_a_run_comes_back_as_it_was(run: Path, key: Path, by: str) -> None:
    before, secret = tree(run), {by: key if by == "key_file" else "correct horse"}
    place = ganforge.lock(run, **secret)
    assert place == run.with_name("people-1.locked") and place.is_file() and not run.exists()
    assert b"recipe" not in place.read_bytes()
    assert ganforge.unlock(place, **secret) == run
    assert tree(run) == before and [path.name for path in run.parent.iterdir()] == ["people-1"]


@pytest.mark.parametrize("size", [0, 1, sealed.CHUNK - 200, sealed.CHUNK, 3 * sealed.CHUNK])
def test_a_single_file_comes_back_as_it_was(tmp_path: Path, key: Path, size: int) -> None:
    path = tmp_path / "wine.gf"
    path.write_bytes(content := os.urandom(size))
    path.chmod(0o640)
    about = path.stat()
    place = ganforge.lock(path, key_file=key)
    assert not path.exists()
    ganforge.unlock(place, key_file=key, keep=True)
    assert path.read_bytes() == content and place.is_file()
    assert (path.stat().st_mode, path.stat().st_mtime_ns) == (about.st_mode, about.st_mtime_ns)


def test_keep_keeps_both_and_force_replaces_the_older_one(run: Path, key: Path) -> None:
    place = ganforge.lock(run, key_file=key, keep=True)
    assert run.is_dir() and place.is_file()
    with pytest.raises(InputError, match=r"exists already.*--force"):
        ganforge.lock(run, key_file=key)
    with pytest.raises(InputError, match="exists already"):
        ganforge.unlock(place, key_file=key)
    (run / "events.jsonl").write_text("{}\n")
    before = tree(run)
    ganforge.lock(run, key_file=key, force=True)
    ganforge.unlock(place, key_file=key)
    assert tree(run) == before


def test_the_same_run_is_never_locked_to_the_same_bytes(run: Path, key: Path) -> None:
    first = ganforge.lock(run, key_file=key, keep=True).read_bytes()
    second = ganforge.lock(run, key_file=key, keep=True, force=True).read_bytes()
    assert len(first) == len(second)
    assert sum(a == b for a, b in zip(first[100:10_000], second[100:10_000], strict=True)) < 100  # 39 by chance


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_a_wrong_secret_is_told_from_damage_and_changes_nothing(run: Path, key: Path, tmp_path: Path) -> None:
    place = ganforge.lock(run, password="correct horse")
    with pytest.raises(InputError, match="password does not open"):
        ganforge.unlock(place, password="Correct horse")
    with pytest.raises(InputError, match=r"was locked with a password. A key file was given"):
        ganforge.unlock(place, key_file=key)
    assert not run.exists() and place.is_file()
    ganforge.unlock(place, password="correct horse")
    place = ganforge.lock(run, key_file=key)
    with pytest.raises(InputError, match="key file does not open"):
        ganforge.unlock(place, key_file=ganforge.new_lock_key(tmp_path / "other.key"))


def test_an_accent_is_the_same_in_one_character_or_two(run: Path) -> None:
    place = ganforge.lock(run, password="caf\u00e9")
    assert ganforge.unlock(place, password="cafe\u0301") == run


@pytest.mark.parametrize("where", ["model/link", "link"])
def test_links_and_pipes_are_refused_before_anything_is_written(run: Path, key: Path, where: str) -> None:
    (run / where).symlink_to("/etc/passwd")
    with pytest.raises(RunError, match="is a link"):
        ganforge.lock(run, key_file=key)
    (run / where).unlink()
    os.mkfifo(run / "model" / "pipe")
    with pytest.raises(RunError, match="not a plain file"):
        ganforge.lock(run, key_file=key)
    assert [path.name for path in run.parent.iterdir()] == ["people-1"]


def test_a_link_to_a_run_or_file_is_refused(run: Path, key: Path) -> None:
    for name, target in (("other", run), ("recipe", run / "recipe.json")):
        run.with_name(name).symlink_to(target)
        with pytest.raises(RunError, match="is a link"):
            ganforge.lock(run.with_name(name), key_file=key)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("nothing", "no run at"), ("folder", "not a run folder"), ("nowhere/run", "no folder"), (".", "no run|not a run")],
)
def test_what_is_not_a_run_is_refused(name: str, sentence: str, tmp_path: Path, key: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=sentence):
        ganforge.lock(tmp_path / name, key_file=key)


def test_what_is_locked_is_not_locked_again_and_other_files_are_not_unlocked(small: Path, key: Path) -> None:
    with pytest.raises(InputError, match=r"locked already.*ganforge unlock"):
        ganforge.lock(small, key_file=key)
    with pytest.raises(InputError, match="no file"):
        ganforge.unlock(small.with_name("other.locked"), key_file=key)
    with pytest.raises(InputError, match=r"does not end with \.locked"):
        ganforge.unlock(key, key_file=key)
    key.with_name("x.locked").write_bytes(b"hello")
    with pytest.raises(InputError, match="not a locked file"):
        ganforge.unlock(key.with_name("x.locked"), key_file=key)


def test_a_run_that_is_trained_or_locked_now_is_refused(run: Path, key: Path) -> None:
    with hold(run / "lock"), pytest.raises(RunError, match="in use by process"):
        ganforge.lock(run, key_file=key)
    with hold(run.with_name(".people-1.locking")), pytest.raises(RunError, match="Another process locks"):
        ganforge.lock(run, key_file=key)
    assert (run / "recipe.json").is_file()


# ---- nothing is lost -------------------------------------------------------------------------------------------------


def test_a_run_that_changes_meanwhile_is_kept(run: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = archive.pack

    def pack_and_change(*given: Any) -> None:
        pack(*given)
        (run / "model" / "new").write_text("new")

    monkeypatch.setattr(locked, "pack", pack_and_change)
    with pytest.raises(RunError, match="changed while it was locked, and was kept"):
        ganforge.lock(run, key_file=key)
    assert (run / "model" / "new").is_file()
    entries = archive.entries_of(run)
    with (run / "model" / "größe.bin").open("ab") as file:
        file.write(b"more")
    with pytest.raises(RunError, match="changed while it was read"):
        pack(run, entries, lambda _: None)


def test_a_disk_that_gives_back_other_bytes_loses_nothing(
    run: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(run)
    seal = sealed.Sealer.write
    monkeypatch.setattr(sealed.Sealer, "write", lambda self, content: seal(self, content.replace(b"recipe", b"rezept")))
    with pytest.raises(StorageError, match="does not give back"):
        ganforge.lock(run, key_file=key)
    assert tree(run) == before and [path.name for path in run.parent.iterdir()] == ["people-1"]


def test_what_killed_processes_left_is_removed_by_the_next_one(run: Path, key: Path) -> None:
    left = [run.with_name(f".people-1.{number}.0123abcd") for number in (1, 2)]
    left[0].mkdir()
    (left[0] / "recipe.json").write_text("{}")
    left[1].write_text("plain")
    others = run.with_name(".people-2.1.0123abcd")
    others.write_text("of another one")
    run.with_name(".people-1.locked.3.0123abcd").write_bytes(b"half")
    ganforge.lock(run, key_file=key)
    assert {path.name for path in run.parent.iterdir()} == {"people-1.locked", others.name}


PROGRAM = """
import sys, ganforge
while True:
    ganforge.lock(sys.argv[1], key_file=sys.argv[2])
    print("locked", flush=True)
    ganforge.unlock(sys.argv[1] + ".locked", key_file=sys.argv[2])
"""


def test_a_kill_at_any_moment_leaves_the_old_or_the_new_one_whole(run: Path, key: Path) -> None:
    (run / "model" / "more.bin").write_bytes(os.urandom(8 * 2**20))
    before, chance, place = tree(run), random.Random(0), run.with_name("people-1.locked")
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", PROGRAM, run, key], stdout=subprocess.PIPE) as process:
            process.stdout.readline()  # it is in the middle of it by now
            time.sleep(chance.uniform(0, 0.2))
            process.kill()
        assert run.is_dir() or place.is_file()
        if run.is_dir():
            assert tree(run) == before
            ganforge.lock(run, key_file=key, force=True)
        ganforge.unlock(place, key_file=key)
        assert tree(run) == before and [path.name for path in run.parent.iterdir()] == ["people-1"]


EVERY_STEP = """
import os, sys, ganforge
from ganforge.privacy import keys  # and all that it needs: imports open files too
key, run = sys.argv[1:]
ganforge.unlock(ganforge.lock(run, key_file=key), key_file=key)
before = {path: open(os.path.join(run, path), "rb").read() for path in ("recipe.json", "model/größe.bin")}

def whole():
    return all(open(os.path.join(run, path), "rb").read() == content for path, content in before.items())

def ends_at(step, verb):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = [step]
    def count(event, _):
        left[0] -= event == "open" or event.startswith(("os.", "shutil."))
        if left[0] == -1:  # not again at the event of this very kill
            os.kill(os.getpid(), 9)
    sys.addaudithook(count)
    verb()
    os._exit(0)

steps = 0
for verb in (ganforge.lock, ganforge.unlock):
    for step in range(10_000):
        if verb is ganforge.unlock:
            ganforge.lock(run, key_file=key)
        source = run if verb is ganforge.lock else run + ".locked"
        ended = ends_at(step, lambda: verb(source, key_file=key))
        there = os.path.exists(run)
        assert there or os.path.exists(run + ".locked"), step
        if there:
            assert whole(), step
            ganforge.lock(run, key_file=key, force=True)
        ganforge.unlock(run + ".locked", key_file=key)
        assert whole() and os.listdir(os.path.dirname(run)) == [os.path.basename(run)], step
        if ended == 0:
            break
        steps += 1
print(steps)
"""


@pytest.mark.slow
def test_a_kill_before_any_step_on_the_disk_leaves_a_whole_one(run: Path, key: Path) -> None:
    (run / "model" / "größe.bin").write_bytes(os.urandom(5_000))
    command = [sys.executable, "-X", "utf8", "-c", EVERY_STEP, key, run]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 60


def test_memory_is_bounded_whatever_the_size(tmp_path: Path, key: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)
    tracemalloc.start()
    try:
        ganforge.unlock(ganforge.lock(path, key_file=key), key_file=key)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 2 * sealed.CHUNK < peak < 10 * sealed.CHUNK


# ---- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_file_is_for_its_owner_alone_and_never_replaced(key: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(InputError, match=r"exists already.*would be lost"):
        ganforge.new_lock_key(key)
    assert key.read_bytes() != ganforge.new_lock_key(tmp_path / "two.key").read_bytes()


@pytest.mark.parametrize("content", [b"", b"hello", b"ganforge-key-1 00", bytes(100_000)])
def test_another_file_is_not_a_key(content: bytes, run: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.key").write_bytes(content)
    with pytest.raises(InputError, match=r"not a key file|too large"):
        ganforge.lock(run, key_file=tmp_path / "bad.key")
    with pytest.raises(InputError, match="cannot be read"):
        ganforge.lock(run, key_file=tmp_path / "none.key")


def test_one_secret_is_needed(run: Path, key: Path) -> None:
    with pytest.raises(InputError, match="Neither a password nor a key file"):
        ganforge.lock(run)
    with pytest.raises(InputError, match="Both a password and a key file"):
        ganforge.lock(run, password="x", key_file=key)
    with pytest.raises(InputError, match="empty"):
        ganforge.lock(run, password="")


def test_a_secret_is_not_shown() -> None:
    assert "horse" not in repr(keys.of_password("horse"))


def test_the_extra_is_asked_for_in_a_sentence(run: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for verb in (ganforge.lock, ganforge.unlock):
        with pytest.raises(GanforgeError, match=r"pip install 'ganforge\[lock\]'"):
            verb(run, key_file=key)
