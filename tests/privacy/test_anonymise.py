"""`ganforge anonymise`: pseudonyms that are the same everywhere, files that stay as they are, and refusals in words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import ganforge as gf
from ganforge.cli import main
from ganforge.privacy.anonymise import folder as writing
from ganforge.privacy.anonymise import patterns
from ganforge.privacy.anonymise.checksums import compact, is_card, is_iban

NAME, MAIL, PHONE = "Ada Lovelace", "ada.lovelace@analytical.org", "+44 20 7946 0958"
IBAN, CARD = "GB82 WEST 1234 5698 7654 32", "4111 1111 1111 1111"
SECRETS = (NAME, "Lovelace", MAIL, PHONE, IBAN, CARD)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    source = tmp_path / "data"
    source.mkdir()
    frame = pd.DataFrame({
        "name": [NAME, "Grace Hopper"], "email": [MAIL, "grace@navy.mil"], "phone": [PHONE, "+1 202-555-0143"],
        "iban": [IBAN, "DE89 3704 0044 0532 0130 00"], "card": [CARD, "5500 0000 0000 0004"],
        "city": ["London", "New York"], "spent": [12.5, 7.25],
    })  # fmt: skip
    frame.to_csv(source / "people.csv", index=False)
    frame.to_parquet(source / "people.parquet", index=False)
    frame.to_json(source / "people.jsonl", orient="records", lines=True)
    (source / "notes.txt").write_text(
        f"Mrs {NAME} wrote from {MAIL}, call {PHONE}.\nVersion 1.2.3.4.5 cost 12.50 EUR.\n"
    )
    return source


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_value_gets_the_same_pseudonym_in_every_file_of_a_call(data: Path, tmp_path: Path) -> None:
    before = files_of(data)
    told = gf.anonymise(data, tmp_path / "out")
    assert files_of(data) == before  # the original is never changed
    table = pd.read_csv(tmp_path / "out" / "people.csv", dtype=str)
    others = [
        pd.read_parquet(tmp_path / "out" / "people.parquet").astype(str),
        pd.read_json(tmp_path / "out" / "people.jsonl", lines=True, dtype=False).astype(str),
    ]
    for other in others:
        for column in ("name", "email", "phone", "iban", "card"):
            assert other[column].tolist() == table[column].tolist()
    note = (tmp_path / "out" / "notes.txt").read_text()
    assert table.email[0] in note and table.phone[0] in note and table.name[0].split()[-1] in note
    assert "Version 1.2.3.4.5 cost 12.50 EUR." in note and table.city.tolist() == ["London", "New York"]
    assert {"name", "email", "phone", "iban", "card"} <= set(told.found)
    everything = b"".join(files_of(tmp_path / "out").values()).decode("utf-8", "replace")
    assert not [secret for secret in SECRETS if secret in everything]  # nor in anonymised.json
    assert json.loads((tmp_path / "out" / "anonymised.json").read_text())


def test_pseudonyms_keep_their_form_and_change_with_the_key(data: Path, tmp_path: Path) -> None:
    gf.new_lock_key(tmp_path / "my.key")
    kept = [gf.anonymise(data, tmp_path / name, key_file=tmp_path / "my.key").folder for name in ("a", "b")]
    fresh = gf.anonymise(data, tmp_path / "c").folder
    one, two, other = (pd.read_csv(place / "people.csv", dtype=str) for place in (*kept, fresh))
    pd.testing.assert_frame_equal(one, two)
    assert (one.email != other.email).all() and (one.iban != other.iban).all()
    assert all(is_iban(compact(one)) for one in one.iban) and all(is_card(compact(one)) for one in one.card)
    assert one.email.str.fullmatch(r"[^@\s]+@example\.\w+").all()
    assert re.sub(r"\d", "0", one.phone[0]) == re.sub(r"\d", "0", PHONE)


def test_what_is_removed_and_what_is_kept(data: Path, tmp_path: Path) -> None:
    out = gf.anonymise(data / "people.csv", tmp_path / "out", remove=["email"], keep=["name"]).folder
    table = pd.read_csv(next(out.glob("*.csv")), dtype=str)
    assert table.name.tolist() == [NAME, "Grace Hopper"]
    assert not table.email.fillna("").str.contains("@").any()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("anonymise nothing --out out", "nothing"),
        ("anonymise data --out data", "data"),
        ("anonymise data --out data/inside", "data"),
        ("anonymise data --out out --keep absent", "absent"),
        ("anonymise data --out out --remove absent", "absent"),
        ("anonymise empty --out out", "empty"),
        ("anonymise data --out taken", "taken"),
    ],
)
def test_bad_input_gets_a_sentence_and_leaves_nothing(
    words: str,
    sentence: str,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "taken"):
        (tmp_path / name).mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    before = files_of(tmp_path)
    assert main(words.split()) == 2
    told = capsys.readouterr().err
    assert sentence in told and "Traceback" not in told
    assert files_of(tmp_path) == before


def test_an_older_copy_is_replaced_by_force_alone(data: Path, tmp_path: Path) -> None:
    out = gf.anonymise(data, tmp_path / "out").folder
    first = (out / "people.csv").read_bytes()
    with pytest.raises(gf.InputError):
        gf.anonymise(data, out)
    assert (out / "people.csv").read_bytes() == first
    gf.anonymise(data, out, force=True)
    assert (out / "people.csv").read_bytes() != first  # another key


def test_a_failure_in_the_middle_leaves_no_copy(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []

    def broken(place: Path, content: bytes) -> None:
        written.append(place)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    monkeypatch.setattr(writing, "_write", broken)
    with pytest.raises((OSError, gf.GanforgeError)):
        gf.anonymise(data, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_decoys_stay(tmp_path: Path) -> None:
    text = "Order 4111 1111 1111 1112, ISBN 978-3-16-148410-0, release 10.4.2, 1,299.00 EUR on 2024-05-17.\n"
    (tmp_path / "decoys.txt").write_text(text)
    out = gf.anonymise(tmp_path / "decoys.txt", tmp_path / "out").folder
    assert (out / "decoys.txt").read_text() == text


def test_a_finder_that_lost_its_pattern_is_noticed(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "EMAIL", re.compile(r"(?!)"))
    out = gf.anonymise(data / "notes.txt", tmp_path / "out").folder
    assert MAIL in (out / "notes.txt").read_text()  # so the tests above can fail


def test_pictures_keep_their_pixels_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    picture = Image.effect_noise((40, 24), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x010E], exif[0x0112], exif[0x013B] = "secret place", 6, "Ada Lovelace"
    exif.get_ifd(0x8825)[1] = "N"
    picture.save(source / "a.jpg", exif=exif, comment=b"secret comment", quality=95)
    told = PngInfo()
    told.add_text("Author", "Ada Lovelace")
    told.add_itxt("XML:com.adobe.xmp", "<x>secret xmp</x>")
    picture.save(source / "b.png", pnginfo=told)
    picture.save(source / "c.tiff", exif=exif)
    before = files_of(source)
    out = gf.anonymise(source, tmp_path / "out").folder
    assert files_of(source) == before
    made = {path.suffix: path for path in out.rglob("*") if path.suffix in (".jpg", ".png", ".tiff")}
    for path in made.values():
        assert not re.search(rb"secret|Lovelace|Exif|adobe", path.read_bytes())
    with Image.open(made[".png"]) as png, Image.open(made[".jpg"]) as jpg:
        assert png.convert("RGB").tobytes() == picture.tobytes()
        assert jpg.size == (24, 40)  # turned as its orientation says
