"""Locked files: speed and memory at 1 GiB, changed and missing bytes, processes killed in the middle.

    python benchmarks/lock.py            needs ganforge[lock] and 3 GiB of disk; two minutes of CPU

A run of 1 GiB is locked, unlocked, signed and verified, each in a process of its own, three times. Its peak of memory
stands beside that of a run of 1 MiB: what is left is the program itself, and with a password the 128 MiB of scrypt.
Then 20 processes that lock and unlock a run of 64 MiB in turns are killed at a random moment. Last, 1,000 bytes of a
small locked run are changed, one at a time, and it is cut off at every length, in chunks of 64 bytes, so that many
lengths are those of whole chunks: everything has to be refused. The floor is the untouched file, which has to open.
The rival is AES-GCM chunk by chunk as it is often written, without the number, the last-chunk flag and the header in
what is authenticated: it tells what they are for.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import ganforge
from ganforge.core.files import sha256_of
from ganforge.errors import InputError
from ganforge.privacy import sealed

REPEATS, FLIPS, KILLS, SMALL_CHUNK = 3, 1_000, 20, 64
PROGRAM = """
import resource, sys, time, ganforge, ganforge.api.lock, ganforge.api.sign
import cryptography.hazmat.primitives.ciphers.aead, cryptography.hazmat.primitives.asymmetric.ed25519
verb, run, key = sys.argv[1:]
how = {"password": key} if verb.endswith("password") else {"key_file": key}
does = {"lock": lambda: ganforge.lock(run, **how), "unlock": lambda: ganforge.unlock(run + ".locked", **how),
        "sign": lambda: ganforge.sign(run, key), "verify": lambda: ganforge.verify(run, key + ".pub")}[verb.split()[0]]
begun, cpu = time.perf_counter(), time.process_time()
does()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(time.perf_counter() - begun, time.process_time() - cpu, peak)
"""
TURNS = """
import sys, ganforge
while True:
    ganforge.lock(sys.argv[1], key_file=sys.argv[2])
    print("locked", flush=True)
    ganforge.unlock(sys.argv[1] + ".locked", key_file=sys.argv[2])
"""


def run_of(folder: Path, mebibytes: int) -> Path:
    """A folder that passes for a run, of random bytes in files of 64 MiB at most."""
    (folder / "model").mkdir(parents=True)
    (folder / "recipe.json").write_text("{}\n")
    for number, left in enumerate(range(mebibytes, 0, -64)):
        with (folder / "model" / f"{number}.bin").open("wb") as file:
            for _ in range(min(left, 64)):
                file.write(os.urandom(2**20))
    return folder


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / "lock")
    return {str(path.relative_to(folder)): sha256_of(path) for path in files}


def measured(place: Path, mebibytes: int, key: Path) -> None:
    """Print seconds and memory of every verb."""
    run = run_of(place / f"run-{mebibytes}", mebibytes)
    verbs = [("lock", key), ("unlock", key), ("lock, password", "correct horse"), ("unlock, password", "correct horse")]
    verbs += [("sign", place / "me.key"), ("verify", place / "me.key")]
    found: dict[str, list[list[float]]] = {verb: [] for verb, _ in verbs}
    before = digests(run)
    for _ in range(REPEATS):
        for verb, secret in verbs:
            command = [sys.executable, "-c", PROGRAM, verb.replace(",", ""), str(run), str(secret)]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found[verb].append([float(word) for word in said.split()])
        (run / "signature.json").unlink()
    assert digests(run) == before
    for verb, numbers in found.items():
        seconds, cpu, peaks = zip(*numbers, strict=True)
        middle = statistics.median(seconds)
        print(
            f"{mebibytes:>5} MiB  {verb:<17}{middle:7.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
            f"{statistics.median(cpu):7.2f} CPU s{mebibytes / middle:8.0f} MiB/s{max(peaks):7.0f} MiB at most"
        )


def refused(action: Callable[[], object]) -> bool:
    """Whether it is refused in our words; any other error ends the benchmark."""
    try:
        action()
    except InputError:
        return True
    return False


def plain_chunks(content: bytes, cipher: AESGCM) -> bool:
    """Whether the rival opens a file: nonce, chunk and tag, one after the other."""
    step = 12 + SMALL_CHUNK + sealed.TAG
    try:
        for place in range(0, len(content), step):
            cipher.decrypt(content[place : place + 12], content[place + 12 : place + step], None)
    except (InvalidTag, ValueError):
        return False
    return True


def damages(place: Path, key: Path) -> bool:
    """Print what of changed and cut files is refused. Returns: whether all of it is, and the untouched file opens."""
    chance = random.Random(0)
    sealed.CHUNK = SMALL_CHUNK
    run = run_of(place / "small", 0)
    (run / "model" / "weights").write_bytes(os.urandom(700))
    locked = ganforge.lock(run, key_file=key)
    good = locked.read_bytes()
    flips = 0
    for _ in range(FLIPS):
        bad = bytearray(good)
        bad[chance.randrange(len(bad))] ^= chance.randrange(1, 256)
        locked.write_bytes(bad)
        flips += refused(lambda: ganforge.unlock(locked, key_file=key))
    cuts = 0
    for length in range(len(good)):
        locked.write_bytes(good[:length])
        cuts += refused(lambda: ganforge.unlock(locked, key_file=key))
    locked.write_bytes(good)
    opens = not refused(lambda: ganforge.unlock(locked, key_file=key))
    print(f"changed bytes refused: {flips:,} of {FLIPS:,}; lengths refused: {cuts:,} of {len(good):,}")
    print(f"the untouched file opens: {'yes' if opens else 'NO'}")
    cipher = AESGCM(bytes(32))
    chunks = [(nonce := os.urandom(12)) + cipher.encrypt(nonce, os.urandom(SMALL_CHUNK), None) for _ in range(10)]
    whole = b"".join(chunks)
    cut = sum(plain_chunks(whole[:length], cipher) for length in range(len(whole)))
    swapped = plain_chunks(b"".join(reversed(chunks)), cipher)
    print(f"the rival accepts {cut} of {len(whole)} lengths, and its chunks in another order: {swapped}")
    return flips == FLIPS and cuts == len(good) and opens


def kills(place: Path, key: Path) -> bool:
    """Print what killed processes left. Returns: whether the run came back whole each time."""
    chance, left, whole = random.Random(0), Counter[str](), 0
    run = run_of(place / "killed", 64)
    locked, before = run.with_name("killed.locked"), digests(run)
    for _ in range(KILLS):
        with subprocess.Popen([sys.executable, "-c", TURNS, str(run), str(key)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            begun = time.perf_counter()
            process.stdout.readline()
            time.sleep(chance.uniform(0, time.perf_counter() - begun))  # anywhere in the next such turn
            process.kill()
        there = [name for name, path in (("the folder", run), ("the locked file", locked)) if path.exists()]
        left[" and ".join(there) or "NEITHER"] += 1
        good = digests(run) == before if run.exists() else True
        if run.exists():
            ganforge.lock(run, key_file=key, force=True)
        ganforge.unlock(locked, key_file=key)
        names = sorted(path.name for path in run.parent.iterdir() if "killed" in path.name)
        whole += good and digests(run) == before and names == ["killed"]
    print(f"kills that left a whole run, and nothing else after the next verb: {whole} of {KILLS}")
    print(f"what was there: {', '.join(f'{words} {count}' for words, count in left.most_common())}")
    return whole == KILLS


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        key = ganforge.new_lock_key(place / "my.key")
        ganforge.new_signing_key(place / "me.key")
        for mebibytes in (1, 1024):
            measured(place, mebibytes, key)
        good = [kills(place, key), damages(place, key)]  # the second in chunks of its own
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
