"""The secrets that files are locked with, and the keys that runs are signed with."""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from ganforge.core.files import refuse_taken, write_through
from ganforge.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_BYTES = 32
MOST_BYTES = 64 * 2**10  # of a file with a password or key
_KEY_FILE = re.compile(rb"ganforge-key-1 ([0-9a-f]{64})\s*")
_LOST = "Choose another name: with a key that is replaced, everything that it locked would be lost."


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """What a file is locked with."""

    how: Literal["password", "key file"]
    content: bytes


def need_cryptography() -> None:
    """Raises: InputError if the package of the extra `lock` is missing."""
    try:
        import cryptography  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            "The package cryptography is not installed.",
            "It is an extra, because not everybody needs it.",
            "Install it: pip install 'ganforge[lock]'",
        ) from error


def of_password(password: str) -> Secret:
    """Return a password as a secret. An é is the same whether a keyboard makes it of one character or two.

    Raises: InputError if it is empty.
    """
    if not password:
        raise InputError("The password is empty.", "Anybody could open what it locks.", "Choose a long one.")
    return Secret("password", unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass"))


def password_in(path: Path) -> str:
    """Return the first line of a file. Raises: InputError if it cannot be read."""
    return (_content(path, "a password").splitlines() or [b""])[0].decode("utf-8", "surrogateescape")


def of_key_file(path: Path) -> Secret:
    """Read a file that `write_key` wrote. Raises: InputError if it is another one."""
    match = _KEY_FILE.fullmatch(_content(path, "a key"))
    if match is None:
        do = "Give the file that `ganforge lock --new-key FILE` wrote."
        raise InputError(f"{str(path)!r} is not a key file.", "It does not hold one line with a key.", do)
    return Secret("key file", bytes.fromhex(match[1].decode()))


def write_key(path: Path) -> None:
    """Write a new random key that its owner alone can read. Raises: InputError if the path exists; StorageError."""
    refuse_taken(path, force=False, do=_LOST)
    _write_private(path, f"ganforge-key-1 {secrets.token_hex(KEY_BYTES)}\n".encode())


# ---- Ed25519 ---------------------------------------------------------------------------------------------------------


def write_signing_key(path: Path) -> Path:
    """Write a new private key that its owner alone can read, and its public key as PATH.pub, both as PEM.

    Returns: the public key's path. Raises: InputError if one of the two paths exists; StorageError.
    """
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = path.with_name(path.name + ".pub")
    for each in (path, public):
        refuse_taken(each, force=False, do="Choose another name: a key that is replaced cannot sign any more.")
    key = Ed25519PrivateKey.generate()
    _write_private(path, key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()))
    content = key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
    write_through(public, lambda file: file.write(content))
    return public


def private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key, a PEM without a password. Raises: InputError if it is not an Ed25519 one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _content(path, "a private key")
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError):  # a TypeError: it has a password
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        do = "Give the file that `ganforge sign --new-key FILE` wrote, not FILE.pub."
        raise InputError(f"{str(path)!r} does not hold a private key.", "Runs are signed with one of Ed25519.", do)
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key, a PEM. Raises: InputError if it is not an Ed25519 one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _content(path, "a public key")
    try:
        key = load_pem_public_key(content)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        do = "Give the file FILE.pub that `ganforge sign --new-key FILE` wrote."
        raise InputError(f"{str(path)!r} does not hold a public key.", "Signatures are verified with one.", do)
    return key


def _content(path: Path, what: str) -> bytes:
    """Read a small file. Args: what it should hold, for messages. Raises: InputError."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        why = f"The system says: {error.strerror}."
        raise InputError(f"{str(path)!r} cannot be read.", why, f"Give a file with {what}.") from error
    if len(content) > MOST_BYTES:
        raise InputError(f"{str(path)!r} is too large.", f"It should hold {what}.", "Give another file.")
    return content


def _write_private(path: Path, content: bytes) -> None:
    def fill(file: IO[bytes]) -> None:
        Path(file.name).chmod(0o600)  # before there is something to read
        file.write(content)

    write_through(path, fill)
