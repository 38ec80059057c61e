"""Signatures of runs: Ed25519 over the path, size and sha256 of every file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforge.core.files import read_json_file, sha256_of, write_whole
from ganforge.errors import RunError
from ganforge.privacy import keys
from ganforge.privacy.archive import ROOT, entries_of, unreadable
from ganforge.run import Run, refuse_in_use

NAME = "signature.json"
FORM = "ganforge signature 1"
BESIDE = frozenset({"lock", NAME})
MOST_NAMED = 10  # files of each sort, in a message


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that was found to be good."""

    files: int  # that it covers
    key: str  # the public key, in hexadecimal


def sign(source: Path, key: Path) -> Path:
    """Sign a run folder or a file. Args: key a private key's file.

    Returns: the signature's path: SOURCE/signature.json, of a file SOURCE.signature.json. An older one is replaced.
    Raises: InputError, RunError or StorageError.
    """
    private = keys.private_key(key)
    place = _place(source)
    if source.is_dir():
        refuse_in_use(Run(source))
    said = {"form": FORM, "key": private.public_key().public_bytes_raw().hex(), "files": _files(source)}
    signature = private.sign(_text(said)).hex()
    write_whole(place, _text({**said, "signature": signature}))
    return place


def verify(source: Path, key: Path) -> Signature:
    """Verify the signature of a run folder or a file. Args: key the public key's file of whoever should have signed.

    Raises: RunError if it is not signed with this key, or for the files that were changed, added or removed since;
        InputError.
    """
    from cryptography.exceptions import InvalidSignature

    public = keys.public_key(key)
    place = _place(source)
    said, signature = _read(place)
    known = public.public_bytes_raw().hex()
    if said["key"] != known:
        why = f"Its key is {str(said['key'])[:16]}..., the given one {known[:16]}..."
        raise RunError(f"{place} was signed with another key.", why, "Ask the signer for the public key.")
    try:
        public.verify(signature, _text(said))
    except InvalidSignature as error:
        raise RunError(f"{place} is not a good signature.", "It was changed or forged.", "Do not trust it.") from error
    before, now = said["files"], _files(source)
    both = before.keys() & now.keys()
    differences = {
        "changed": [name for name in both if before[name] != now[name]],
        "added": now.keys() - both,
        "missing": before.keys() - both,
    }
    found = "; ".join(f"{word} {_names(names)}" for word, names in differences.items() if names)
    if found:
        what = f"{str(source)!r} is not what was signed: {found}."
        raise RunError(what, "Its signature is good, its files are others.", "Take a copy of it that was not changed.")
    return Signature(len(now), known)


def _place(source: Path) -> Path:
    """Return where the signature is. Raises: RunError unless `source` is a run folder or a file."""
    if source.is_file():
        return source.with_name(f"{source.name}.{NAME}")
    return Run.open(source).folder / NAME


def _files(source: Path) -> dict[str, dict[str, Any]]:
    """Return size and sha256 of every file by its path. Raises: RunError for links, and if one cannot be read."""
    files = {}
    for entry in entries_of(source, BESIDE):
        path = source / entry.path if entry.path != ROOT else source
        if entry.kind == "file":
            try:
                digest = sha256_of(path)
            except OSError as error:
                raise unreadable(path, error) from error
            files[entry.path] = {"sha256": digest, "size": entry.size}
    return files


def _read(place: Path) -> tuple[dict[str, Any], bytes]:
    """Return what was signed, and the signature. Raises: RunError if it is missing, or not as `sign` writes it."""
    if not place.is_file():
        do = f"Ask for one, or sign it: ganforge sign {place.parent} --key FILE"
        raise RunError(f"There is no signature {str(place)!r}.", "It was never signed, or it was removed.", do)
    try:
        content = read_json_file(place)
        if _text(content) != place.read_bytes() or set(content) != {"form", "key", "files", "signature"}:
            raise ValueError("it is not as it was written")
        signature = bytes.fromhex(content.pop("signature"))
        if content["form"] != FORM or not isinstance(content["files"], dict):
            raise ValueError("it has another form")
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{place} is not a good signature.", "It cannot be read.", "Do not trust it.") from error
    return content, signature


def _text(content: dict[str, Any]) -> bytes:
    """Return the only text of a signature: sorted keys, two blanks, one newline at the end."""
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _names(names: Iterable[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - MOST_NAMED} more" if len(shown) > MOST_NAMED else ""
    return ", ".join(repr(name) for name in shown[:MOST_NAMED]) + more
