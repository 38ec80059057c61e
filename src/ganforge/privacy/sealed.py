"""The form of a locked file: a header, then chunks of AES-256-GCM in the STREAM construction.

    bytes  the header
       16  "ganforge locked" and the version, 1
        1  what it was locked with: 1 a password, 2 a key file
        1  log2 of scrypt's n, whose r is 8 and p is 1; 0 for a key file
       32  salt, random
        7  prefix of the nonces, random
       32  check

    secret        scrypt(password, salt), or the content of the key file
    key || check  HKDF-SHA256(secret, salt, info = the header up to the check)
    chunk i       AES-256-GCM of 1 MiB, of the last chunk less, with a tag of 16 bytes
                  nonce = prefix || i in 4 bytes || 1 if it is the last chunk, else 0
                  associated data = the header

The number in the nonce fixes the order, and the flag the end: a chunk that is left out, repeated, moved or cut off is
noticed like one that was changed. The check tells a wrong password from a damaged file, and binds the file to one key,
which AES-GCM alone does not: else one file could open under two passwords. Guessing gains nothing from it, since the
first chunk's tag would answer as quickly.

Source: Hoang, Reyhanitabar, Rogaway and Vizar 2015, section 7 (STREAM); Len, Grubbs and Ristenpart 2021 (the check).
"""

from __future__ import annotations

import hmac
import os
import struct
from typing import IO

from ganforge.errors import InputError, RunError
from ganforge.privacy.keys import KEY_BYTES, Secret

MAGIC = b"ganforge locked\x01"
HOW = {"password": 1, "key file": 2}
FRONT = struct.Struct(">16sBB32s7s")  # the header before the check
CHECK = 32
HEADER = FRONT.size + CHECK
CHUNK, TAG = 2**20, 16
LOG_N = 17  # 128 MiB and some 0.4 s: what OWASP recommends
LOG_N_ALLOWED = range(10, 21)  # of a file that is read: 1 GiB at most, whatever its header asks for


def damaged(name: str) -> RunError:
    """Return the error for a locked file that is not as it was written. Args: name of the file."""
    what = f"{name} is damaged, and nothing of it was unlocked."
    return RunError(what, "Bytes of it were changed or are missing.", "Take a copy of it that is whole.")


class Sealer:
    """A writer of a locked file. What is written is encrypted chunk by chunk; `close` writes the last one."""

    def __init__(self, file: IO[bytes], secret: Secret) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._prefix = os.urandom(7)
        log_n = LOG_N if secret.how == "password" else 0
        front = FRONT.pack(MAGIC, HOW[secret.how], log_n, os.urandom(32), self._prefix)
        key, check = _derived(secret, front)
        self._file, self._cipher, self._header = file, AESGCM(key), front + check
        self._chunk, self._filled, self._count = memoryview(bytearray(CHUNK)), 0, 0
        file.write(self._header)

    def write(self, content: bytes) -> None:
        left = memoryview(content)
        while left:
            if self._filled == len(self._chunk):  # only now: a full chunk may be the last one
                self._seal(last=False)
            part = left[: len(self._chunk) - self._filled]
            self._chunk[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            left = left[len(part) :]

    def close(self) -> None:
        self._seal(last=True)

    def _seal(self, *, last: bool) -> None:
        nonce = _nonce(self._prefix, self._count, last=last)
        self._file.write(self._cipher.encrypt(nonce, self._chunk[: self._filled], self._header))
        self._filled = 0
        self._count += 1


class Unsealer:
    """A reader of a locked file. It gives no byte of a chunk that was not authenticated first.

    Args: name of the file, for messages.
    Raises: InputError if the secret is another one, or the file is not a locked one; RunError if it is damaged.
    """

    def __init__(self, file: IO[bytes], secret: Secret, name: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._header, self._file, self._name = file.read(HEADER), file, name
        front, check = self._header[: FRONT.size], self._header[FRONT.size :]
        if front[: len(MAGIC)] != MAGIC:
            do = "Give a file that `ganforge lock` wrote."
            raise InputError(f"{name} is not a locked file of this version of ganforge.", "It begins otherwise.", do)
        if len(self._header) < HEADER:
            raise damaged(name)
        _, how, log_n, _, self._prefix = FRONT.unpack(front)
        if how not in HOW.values() or (log_n not in LOG_N_ALLOWED if how == HOW["password"] else log_n):
            raise damaged(name)
        if how != HOW[secret.how]:
            other = "password" if how == HOW["password"] else "key file"
            raise InputError(f"{name} was locked with a {other}.", f"A {secret.how} was given.", f"Give the {other}.")
        key, expected = _derived(secret, front)
        if not hmac.compare_digest(check, expected):
            why = "It is another one, or the first bytes of the file are damaged."
            raise InputError(f"The {secret.how} does not open {name}.", why, "Try another one.")
        self._cipher, self._count = AESGCM(key), 0
        self._next = file.read(CHUNK + TAG)
        self._open = memoryview(b"")
        self._ended = False

    def read(self, most: int) -> bytes:
        """Return the next bytes, at most so many and at least one; none at the end. Raises: RunError."""
        if not self._open and not self._ended:
            self._unseal()
        content = bytes(self._open[:most])
        self._open = self._open[most:]
        return content

    def _unseal(self) -> None:
        from cryptography.exceptions import InvalidTag

        sealed, self._next = self._next, self._file.read(CHUNK + TAG)
        self._ended = not self._next
        nonce = _nonce(self._prefix, self._count, last=self._ended)
        try:
            self._open = memoryview(self._cipher.decrypt(nonce, sealed, self._header))
        except (InvalidTag, ValueError) as error:  # a ValueError: shorter than a tag
            raise damaged(self._name) from error
        self._count += 1


def _derived(secret: Secret, front: bytes) -> tuple[bytes, bytes]:
    """Return the key and the check. Args: front the header before the check."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    _, _, log_n, salt, _ = FRONT.unpack(front)
    content = secret.content
    if secret.how == "password":
        content = Scrypt(salt=salt, length=KEY_BYTES, n=2**log_n, r=8, p=1).derive(content)
    both = HKDF(SHA256(), length=KEY_BYTES + CHECK, salt=salt, info=front).derive(content)
    return both[:KEY_BYTES], both[KEY_BYTES:]


def _nonce(prefix: bytes, count: int, *, last: bool) -> bytes:
    return prefix + struct.pack(">I?", count, last)
