"""A locked file opens for its secret as it was written; anything else, and what a stranger packed, is refused."""

from __future__ import annotations

import io
import json
import os
import random
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ganforge
from ganforge.errors import InputError, RunError
from ganforge.privacy import keys, sealed

ZEROS = keys.Secret("key file", bytes(32))


def _sealed(content: bytes, secret: keys.Secret = ZEROS) -> bytes:
    file = io.BytesIO()
    sealer = sealed.Sealer(file, secret)
    sealer.write(content)
    sealer.close()
    return file.getvalue()


def _opened(content: bytes, secret: keys.Secret = ZEROS) -> bytes:
    unsealer = sealed.Unsealer(io.BytesIO(content), secret, "x")
    return b"".join(iter(lambda: unsealer.read(1000), b""))


def test_every_length_around_a_chunk_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "CHUNK", 16)
    for length in range(70):
        content = os.urandom(length)
        locked = _sealed(content)
        assert _opened(locked) == content
        assert len(locked) == sealed.HEADER + length + sealed.TAG * max(1, -(-length // 16))


def test_a_thousand_changed_bytes_and_every_truncation_are_refused(small: Path, key: Path) -> None:
    good, chance, secret = small.read_bytes(), random.Random(0), keys.of_key_file(key)
    bad = [good[:length] for length in range(len(good))] + [good + b"\0", good + good[-16:]]
    for _ in range(1_000):
        place = chance.randrange(len(good))
        bad.append(good[:place] + bytes([good[place] ^ chance.randrange(1, 256)]) + good[place + 1 :])
    for number, content in enumerate(bad):
        with pytest.raises(InputError) as refused:
            _opened(content, secret)
        assert refused.value.what and refused.value.do
        if number % 25 == 0:  # and nothing of it is left behind
            small.write_bytes(content)
            with pytest.raises(InputError):
                ganforge.unlock(small, key_file=key)
            assert small.read_bytes() == content
            assert {path.name for path in small.parent.iterdir()} == {small.name, key.name}
    small.write_bytes(good)
    assert ganforge.unlock(small, key_file=key).read_bytes() == b"a secret " * 10


def test_chunks_that_are_moved_repeated_or_left_out_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "CHUNK", 16)
    good = _sealed(os.urandom(64))
    header, body = good[: sealed.HEADER], good[sealed.HEADER :]
    first, second, third, last = (body[place : place + 32] for place in range(0, 128, 32))
    for chunks in ([second, first, third, last], [first, second, last], [first, second, third],
                   [first, second, third, last, last], [last]):  # fmt: skip
        with pytest.raises(RunError, match="is damaged"):
            _opened(header + b"".join(chunks))
    for length in range(len(good)):
        with pytest.raises(InputError):
            _opened(good[:length])
    other = _sealed(os.urandom(64))
    with pytest.raises(RunError, match="is damaged"):
        _opened(header + other[sealed.HEADER :])


def test_a_header_that_asks_for_much_memory_is_refused_at_once(run: Path) -> None:
    place = ganforge.lock(run, password="correct horse")
    good = place.read_bytes()
    for log_n in (0, 9, 21, 30, 63, 255):  # 30: 1,024 GiB
        place.write_bytes(good[:17] + bytes([log_n]) + good[18:])
        begun = time.perf_counter()
        with pytest.raises(RunError, match="is damaged"):
            ganforge.unlock(place, password="correct horse")
        assert time.perf_counter() - begun < 1
    place.write_bytes(good[:15] + b"\x02" + good[16:])
    with pytest.raises(InputError, match="this version"):
        ganforge.unlock(place, password="correct horse")


def _hostile() -> Iterator[tuple[str, bytes]]:
    """Archives that somebody locked with the right secret, to harm whoever unlocks them."""
    root = _entry(".", "folder")
    end = struct.pack(">I", 0)
    for path in ("../evil", "a/../../evil", "/etc/evil", "", "./a", "a//b", "..", "a\0b", "."):
        yield "may lead out", root + _entry(path, "file", b"x") + end
    yield "neither a file nor a folder", root + _entry("a", "link", b"/etc/passwd") + end
    yield "neither a file nor a folder", root + _entry("a", "file", b"", size=-1) + end
    yield "neither a file nor a folder", root + _entry("a", "file", b"", mtime_ns=2**80) + end
    yield "neither a file nor a folder", root + _entry(["a"], "file", b"") + end
    yield "cannot be read", root + struct.pack(">I", 4) + b"null" + end
    yield "cannot be read", root + struct.pack(">I", 2) + b"{}" + end
    yield "too long", root + struct.pack(">I", 2**31)
    yield "end is missing", root + _entry("a", "file", b"", size=2**60) + end
    yield "end is missing", root
    yield "follows its end", root + end + b"more"
    yield "twice", root + _entry("a", "file", b"x") + _entry("a", "file", b"y") + end
    yield "without its folder", root + _entry("a/b", "file", b"x") + end
    yield "without its folder", root + _entry("a", "file", b"x") + _entry("a/b", "file", b"x") + end
    yield "first entry", _entry("a", "file", b"x") + end
    yield "more than the one file", _entry(".", "file", b"x") + _entry("a", "file", b"x") + end


def _entry(path: Any, kind: str, content: bytes = b"", **other: int) -> bytes:
    about = {"path": path, "kind": kind, "size": len(content), "mode": 0o7777, "mtime_ns": 0, **other}
    text = json.dumps(about).encode()
    return struct.pack(">I", len(text)) + text + content


@pytest.mark.parametrize(("sentence", "content"), list(_hostile()))
def test_a_hostile_archive_is_refused_and_leaves_nothing(
    sentence: str, content: bytes, tmp_path: Path, key: Path
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    place = inner / "x.locked"
    place.write_bytes(_sealed(content, keys.of_key_file(key)))
    with pytest.raises(RunError, match=sentence):
        ganforge.unlock(place, key_file=key)
    assert list(inner.iterdir()) == [place] and sorted(tmp_path.iterdir()) == sorted([inner, key])


def test_permissions_that_a_stranger_asks_for_are_bounded(tmp_path: Path, key: Path) -> None:
    place = tmp_path / "x.locked"
    end = struct.pack(">I", 0)
    place.write_bytes(_sealed(_entry(".", "file", b"x") + end, keys.of_key_file(key)))
    assert stat.S_IMODE(ganforge.unlock(place, key_file=key).stat().st_mode) == 0o777  # not 0o7777: no setuid
