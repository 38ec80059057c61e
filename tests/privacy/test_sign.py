"""A signature holds for exactly the files that were signed, under exactly the key that signed them."""

from __future__ import annotations

import json
import random
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import ganforge
from ganforge.errors import InputError, RunError
from ganforge.run import hold


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "me.key", ganforge.new_signing_key(tmp_path / "me.key")


def test_a_signed_run_is_verified(run: Path, pair: tuple[Path, Path]) -> None:
    private, public = pair
    assert ganforge.sign(run, private) == run / "signature.json"
    assert ganforge.verify(run, public).files == 3
    content = json.loads((run / "signature.json").read_text())
    assert list(content["files"]) == ["metrics.jsonl", "model/größe.bin", "recipe.json"]
    assert content["files"]["recipe.json"] == {"sha256": content["files"]["recipe.json"]["sha256"], "size": 3}
    moved = shutil.copytree(run, run.with_name("copy"))
    assert ganforge.verify(moved, public) == ganforge.verify(run, public)


def test_changed_added_and_missing_files_are_each_told(run: Path, pair: tuple[Path, Path]) -> None:
    ganforge.sign(run, pair[0])
    (run / "recipe.json").write_text("{ }")
    (run / "metrics.jsonl").unlink()
    (run / "model" / "evil\x1b.py").touch()
    with pytest.raises(RunError) as refused:
        ganforge.verify(run, pair[1])
    assert "changed 'recipe.json'; added 'model/evil\\x1b.py'; missing 'metrics.jsonl'." in refused.value.what
    for number in range(12):
        (run / f"{number}.txt").touch()
    with pytest.raises(RunError, match="and 3 more"):
        ganforge.verify(run, pair[1])
    ganforge.sign(run, pair[0])  # the new state, instead of the old one
    assert ganforge.verify(run, pair[1]).files == 15


def test_a_change_of_the_same_length_is_told(run: Path, pair: tuple[Path, Path]) -> None:
    ganforge.sign(run, pair[0])
    content = bytearray((run / "model" / "größe.bin").read_bytes())
    content[1_500_000] ^= 1
    (run / "model" / "größe.bin").write_bytes(content)
    with pytest.raises(RunError, match=r"changed 'model/größe\.bin'"):
        ganforge.verify(run, pair[1])


def test_every_changed_byte_of_a_signature_is_refused(run: Path, pair: tuple[Path, Path]) -> None:
    (run / "model" / "größe.bin").unlink()
    path = ganforge.sign(run, pair[0])
    good, chance = path.read_bytes(), random.Random(0)
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ chance.randrange(1, 256)]) + good[place + 1 :])
        with pytest.raises(RunError):
            ganforge.verify(run, pair[1])
    for length in range(0, len(good), 7):
        path.write_bytes(good[:length])
        with pytest.raises(RunError):
            ganforge.verify(run, pair[1])


@pytest.mark.parametrize("content", ["[]", "null", "1", '{\n  "form": 1\n}\n', "[" * 100_000])
def test_what_is_not_a_signature_is_refused(content: str, run: Path, pair: tuple[Path, Path]) -> None:
    (run / "signature.json").write_text(content)
    with pytest.raises(RunError, match="not a good signature"):
        ganforge.verify(run, pair[1])


def test_a_signature_of_another_key_and_a_missing_one_are_refused(
    run: Path, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="no signature"):
        ganforge.verify(run, pair[1])
    ganforge.new_signing_key(tmp_path / "other.key")
    path = ganforge.sign(run, tmp_path / "other.key")
    with pytest.raises(RunError, match="signed with another key"):
        ganforge.verify(run, pair[1])
    known = json.loads(ganforge.sign(run, pair[0]).read_text())["key"]
    content = json.loads(ganforge.sign(run, tmp_path / "other.key").read_text())
    content["key"] = known  # a forger who claims to be the signer
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    with pytest.raises(RunError, match="not a good signature"):
        ganforge.verify(run, pair[1])


def test_a_file_alone_is_signed_also_a_locked_one(run: Path, key: Path, pair: tuple[Path, Path]) -> None:
    place = ganforge.lock(run, key_file=key)
    assert ganforge.sign(place, pair[0]) == place.with_name("people-1.locked.signature.json")
    assert ganforge.verify(place, pair[1]).files == 1
    place.write_bytes(place.read_bytes() + b"\0")
    with pytest.raises(RunError, match=r"changed '\.'"):
        ganforge.verify(place, pair[1])


def test_links_and_a_run_in_training_are_not_signed(run: Path, pair: tuple[Path, Path]) -> None:
    with hold(run / "lock"), pytest.raises(RunError, match="in use"):
        ganforge.sign(run, pair[0])
    ganforge.sign(run, pair[0])
    (run / "model" / "link").symlink_to("/etc/passwd")
    with pytest.raises(RunError, match="is a link"):
        ganforge.sign(run, pair[0])
    with pytest.raises(RunError, match="is a link"):
        ganforge.verify(run, pair[1])


def test_keys_are_standard_and_the_private_one_is_for_its_owner_alone(pair: tuple[Path, Path]) -> None:
    private, public = pair
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert private.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert public.name == "me.key.pub" and public.read_text().startswith("-----BEGIN PUBLIC KEY-----")
    before = private.read_bytes()
    private.rename(private.with_name("away"))
    with pytest.raises(InputError, match=r"me\.key\.pub' exists already"):
        ganforge.new_signing_key(private)
    private.with_name("away").rename(private)
    with pytest.raises(InputError, match="exists already"):
        ganforge.new_signing_key(private)
    assert private.read_bytes() == before


def test_a_key_of_the_wrong_sort_is_refused(run: Path, key: Path, pair: tuple[Path, Path]) -> None:
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec

    private, public = pair
    other = ec.generate_private_key(ec.SECP256R1())
    of_other = private.with_name("other.pem")
    form = (pem.Encoding.PEM, pem.PrivateFormat.PKCS8)
    for protection in (pem.NoEncryption(), pem.BestAvailableEncryption(b"x")):
        of_other.write_bytes(other.private_bytes(*form, protection))
        with pytest.raises(InputError, match="does not hold a private key"):
            ganforge.sign(run, of_other)
    for wrong in (public, key):
        with pytest.raises(InputError, match="does not hold a private key"):
            ganforge.sign(run, wrong)
    for wrong in (private, key):
        with pytest.raises(InputError, match=r"does not hold a public key.*FILE\.pub"):
            ganforge.verify(run, wrong)


def test_the_extra_is_asked_for_in_a_sentence(
    run: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for verb, key in ((ganforge.sign, pair[0]), (ganforge.verify, pair[1])):
        with pytest.raises(InputError, match=r"pip install 'ganforge\[lock\]'"):
            verb(run, key)
    with pytest.raises(InputError, match=r"pip install 'ganforge\[lock\]'"):
        ganforge.new_signing_key(run / "new.key")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_another_program_verifies_the_same_signature(run: Path, pair: tuple[Path, Path], tmp_path: Path) -> None:
    content = json.loads(ganforge.sign(run, pair[0]).read_text())
    (tmp_path / "signature").write_bytes(bytes.fromhex(content.pop("signature")))
    (tmp_path / "text").write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", pair[1]]
    done = subprocess.run(
        [*command, "-in", tmp_path / "text", "-sigfile", tmp_path / "signature"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
