"""The verbs `sign` and `verify`: who made a run, and whether it is as they left it. They need ganforge[lock]."""

from __future__ import annotations

from pathlib import Path

from ganforge.privacy import keys, signature
from ganforge.privacy.signature import Signature


def sign(source: str | Path, key: str | Path) -> Path:
    """Sign every file of a run, or a file alone, with Ed25519. Args: key a file with the private key.

    Returns: the signature's path: SOURCE/signature.json, of a file SOURCE.signature.json. An older one is replaced.
    Raises: InputError, RunError or StorageError.
    """
    keys.need_cryptography()
    return signature.sign(Path(source).expanduser(), Path(key).expanduser())


def verify(source: str | Path, key: str | Path) -> Signature:
    """Verify that a run, or a file, is as it was signed. Args: key a file with the signer's public key.

    Raises: RunError if it is not signed with this key, or naming the files that were changed, added or removed since;
        InputError.
    """
    keys.need_cryptography()
    return signature.verify(Path(source).expanduser(), Path(key).expanduser())


def new_signing_key(path: str | Path) -> Path:
    """Write a new private key that its owner alone can read, and its public key as PATH.pub, whose path is returned.

    Raises: InputError if one of the two paths exists; StorageError.
    """
    keys.need_cryptography()
    return keys.write_signing_key(Path(path).expanduser())
