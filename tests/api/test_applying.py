"""`apply` on folders of pictures: each file stands alone, and what is not made is told."""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import ganforge as gf
from ganforge.cli.main import main
from ganforge.cli.sample import Applying
from ganforge.core.files import storage_error
from ganforge.errors import DataError, Interrupted, StorageError
from ganforge.kinds.pictures import image_to_image

from fixtures import make  # isort: skip

RUN = make.RUNS_FOLDER / "enhance-pictures"  # makes pictures twice as large


class Told:
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}
        self.noted: list[str] = []
        self.made: list[str] = []

    def record(self, record: Mapping[str, Any]) -> None:
        pass

    def event(self, event: Mapping[str, Any]) -> None:
        if event["kind"] == "skipped":
            self.skipped[Path(event["file"]).name] = event["reason"]
        elif event["kind"] == "noted":
            self.noted.append(event["sentence"])
        elif event["share"] == 1 and Path(event["path"]).is_file():
            self.made.append(Path(event["path"]).name)


def picture(height: int = 8, width: int = 12) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def folder_with(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        picture().save(folder / name)
    return folder


def applied(source: Path, out: Path) -> Told:
    told = Told()
    gf.apply(RUN, source, out, observers=(told,))
    return told


def test_what_is_wrong_with_a_file_does_not_cost_the_others(tmp_path: Path) -> None:
    long = "n" * 242 + ".png"
    source = folder_with(tmp_path / "in", "a.png", "cut.jpg", "last.tif", long)
    (source / "cut.jpg").write_bytes((source / "cut.jpg").read_bytes()[:200])
    (source / "empty.png").write_bytes(b"")
    (source / "text.webp").write_text("hello")
    picture(2, 8_200).save(source / "wide.webp")
    picture(2, 8_200).save(source / "wide.png")
    told = applied(source, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "last.tif", long, "wide.png"]
    assert told.skipped.keys() == {"cut.jpg", "empty.png", "text.webp", "wide.webp"}
    assert "WEBP holds 16,383 a side" in told.skipped["wide.webp"]
    for name, reason in told.skipped.items():
        assert name in reason
    for name in ("a.png", "last.tif", long):
        with Image.open(tmp_path / "out" / name) as image:
            assert image.size == (24, 16)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("not enough memory: you tried to allocate"), "RuntimeError: not enough memory"),
        (MemoryError(), "needs more memory than there is"),
        (storage_error(Path("b.png"), OSError(errno.ENAMETOOLONG, "File name too long")), "File name too long"),
    ],
    ids=["torch", "memory", "name"],
)
def test_an_error_of_any_kind_is_of_its_own_file_alone(
    error: Exception, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder_with(tmp_path / "in", "a.png", "b.png", "c.png")
    write = image_to_image.write_picture

    def fails_once(image: Any, place: Path, given: Any) -> tuple[str, ...]:
        if place.name == "b.png":
            raise error
        return write(image, place, given)

    monkeypatch.setattr(image_to_image, "write_picture", fails_once)
    told = applied(source, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    assert words in told.skipped["b.png"]


def full_disk() -> StorageError:
    try:
        raise storage_error(Path("a.png"), OSError(errno.ENOSPC, "No space left")) from OSError(errno.ENOSPC, "")
    except StorageError as error:
        return error


@pytest.mark.parametrize("error", [full_disk(), KeyboardInterrupt(), Interrupted("Stopped.")], ids=str)
def test_a_full_disk_and_ctrl_c_end_all_of_it(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, tried = folder_with(tmp_path / "in", "a.png", "b.png"), []

    def fails(image: Any, place: Path, given: Any) -> tuple[str, ...]:
        tried.append(place.name)
        raise error

    monkeypatch.setattr(image_to_image, "write_picture", fails)
    with pytest.raises(type(error)):
        applied(source, tmp_path / "out")
    assert tried == ["a.png"]


def test_a_folder_of_which_nothing_can_be_used_is_an_error_and_so_is_a_single_file(tmp_path: Path) -> None:
    source = folder_with(tmp_path / "in")
    for name in ("a.png", "b.png"):
        (source / name).write_text("hello")
    with pytest.raises(DataError, match=r"None of the pictures .* The first: .*a\.png cannot be used"):
        applied(source, tmp_path / "out")
    with pytest.raises(DataError, match=r"^\S*b\.png cannot be used: not a picture"):
        applied(source / "b.png", tmp_path / "out.png")
    picture(2, 8_200).save(source / "wide.png")
    with pytest.raises(gf.InputError, match="WEBP holds 16,383 a side"):
        applied(source / "wide.png", tmp_path / "wide.webp")


FORMS = {
    "jfif": "a.jfif", "jpe": "a.jpe", "pgm": "a.pgm", "ppm": "a.ppm", "pbm": "a.pbm", "pnm": "a.pnm", "dib": "a.dib",
    "upper case": "a.PPM", "jpeg 2000": "a.jp2", "avif": "a.avif", "tga": "a.tga", "pcx": "a.pcx", "sgi": "a.sgi",
    "ico": "a.ico", "apng": "a.apng", "mpo": "a.mpo", "qoi": "a.qoi",
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS.values(), ids=FORMS)
def test_whatever_picture_is_read_is_applied_alone_and_in_a_folder(name: str, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    suffix = Path(name).suffix.lower()
    mode = {".pgm": "L", ".pbm": "1"}.get(suffix, "RGB")
    picture(16, 16).convert(mode).save(source / name)
    forms = {**dict.fromkeys((".jfif", ".jpe"), "JPEG"), **dict.fromkeys((".pgm", ".ppm", ".pnm"), "PPM")}
    made = name if suffix in forms else "a.png"
    told = applied(source, tmp_path / "out")
    assert told.made == [made]
    assert (f"{suffix} files are not written: it became a PNG" in told.noted) == (suffix not in forms)
    assert applied(source / name, tmp_path / "one.png").made == ["one.png"]
    with Image.open(tmp_path / "out" / made) as image:
        assert image.size == (32, 32)
        assert image.format == forms.get(suffix, "PNG")


def test_pixels_of_sixteen_bits_and_of_floats_in_netpbm_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "deep.pgm").write_bytes(b"P5 8 8 65535\n" + b"\x80\x80" * 64)
    (tmp_path / "in" / "float.pfm").write_bytes(b"Pf\n8 8\n-1.0\n" + np.full(64, 128 / 255, "<f4").tobytes())
    (tmp_path / "in" / "text.pgm").write_bytes(b"P2 8 8 255\n" + b"128 " * 64)
    (tmp_path / "in" / "ppm.png").write_bytes(b"P6 8 8 255\n" + b"\x80" * 192)  # told by its content
    told = applied(tmp_path / "in", tmp_path / "out")
    assert not told.skipped
    for path in (tmp_path / "out").iterdir():
        with Image.open(path) as image:
            assert abs(int(np.asarray(image.convert("L"))[8, 8]) - 128) <= 12


def test_every_file_of_a_folder_is_made_or_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = folder_with(tmp_path / "in", "a.png")
    folder_with(source / "sub", "b.ppm")
    folder_with(tmp_path / "elsewhere", "c.png")
    folder_with(source / ".hidden", "d.png")
    (source / "gone.png").symlink_to(tmp_path / "nothing.png")
    (source / "linked").symlink_to(tmp_path / "elsewhere")
    (source / "good.png").symlink_to(tmp_path / "elsewhere" / "c.png")
    (source / "loop.png").symlink_to(source / "loop.png")
    for name in ("phone.heic", "print.eps", "layers.psd", "vector.svg", "scan.pdf", "notes.txt", "README", ".DS_Store"):
        (source / name).write_text("hello")
    os.mkfifo(source / "pipe.png")
    told = applied(source, tmp_path / "out")
    assert sorted(told.made) == ["a.png", "b.ppm", "good.png"]
    reasons = {
        "gone.png": "a link that leads nowhere", "loop.png": "cannot be opened|leads nowhere", "pipe.png": "not a file",
        "linked": "a link to a folder", "phone.heic": "not read", "layers.psd": "not read", "vector.svg": "not read",
    }  # fmt: skip
    assert told.skipped.keys() == reasons.keys()
    for name, reason in reasons.items():
        assert re.search(reason, told.skipped[name])
        assert str(source / name) in told.skipped[name]
    left = [note for note in told.noted if "left alone" in note]
    assert left == [
        "4 files were left alone, for their names are not those of pictures: README, notes.txt, print.eps, scan.pdf"
    ]
    assert main(["apply", str(RUN), str(source), "--out", str(tmp_path / "again")]) == 5
    assert "7 of 10 files were skipped." in capsys.readouterr().out


def test_a_folder_with_nothing_to_read_says_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "phone.heic").write_text("hello")
    with pytest.raises(DataError, match=r"holds no pictures that can be read. \S*phone.heic is of a format"):
        applied(tmp_path / "in", tmp_path / "out")
    with pytest.raises(DataError, match=r"phone.heic is of a format that is not read. Save it as .png first"):
        applied(tmp_path / "in" / "phone.heic", tmp_path / "out.png")
    picture().save(tmp_path / "in" / "phone.heic", "PNG")  # it is what it is
    assert applied(tmp_path / "in" / "phone.heic", tmp_path / "out.png").made == ["out.png"]


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp", ".png"])
def test_the_other_pictures_of_a_file_are_said_to_be_left_out(suffix: str, tmp_path: Path) -> None:
    first, second = picture(), Image.new("RGB", (12, 8), "red")
    first.save(
        tmp_path / f"a{suffix}",
        save_all=True,
        append_images=[second],
        **({"lossless": True} if suffix == ".webp" else {}),
    )
    told = applied(tmp_path / f"a{suffix}", tmp_path / "b.png")
    assert told.noted == ["only the first of its 2 pictures was taken"]
    first.save(tmp_path / "one.png")
    applied(tmp_path / "one.png", tmp_path / "c.png")
    if suffix != ".gif":  # which has 256 colours
        assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()


def test_a_name_that_gets_too_long_costs_its_own_file_alone(tmp_path: Path) -> None:
    long = "n" * 252
    source = folder_with(tmp_path / "in", "a.png", f"{long}.bw", f"{long[1:]}.gif")
    told = applied(source, tmp_path / "out")
    assert sorted(told.made) == ["a.png", f"{long[1:]}.png"]
    assert told.skipped.keys() == {f"{long}.bw"}
    assert "File name too long" in told.skipped[f"{long}.bw"]


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder_with(tmp_path / "in", "a.png", "mine.png")
    there = Path.open

    def guarded(path: Path, *asked: Any, **more: Any) -> Any:  # whoever runs the tests may read everything
        if path.name == "mine.png":
            raise PermissionError(errno.EACCES, "Permission denied")
        return there(path, *asked, **more)

    monkeypatch.setattr(Path, "open", guarded)
    told = applied(source, tmp_path / "out")
    assert told.made == ["a.png"]
    assert "mine.png cannot be used: the system says: Permission denied." in told.skipped["mine.png"]


def test_a_folder_may_have_the_name_of_a_picture_and_a_link_may_lead_nowhere(tmp_path: Path) -> None:
    source = folder_with(tmp_path / "in.png", "a.png")
    folder_with(source / "sub.jpg", "b.PGM")
    assert sorted(applied(source, tmp_path / "out").made) == ["a.png", "b.PGM"]
    assert (tmp_path / "out" / "sub.jpg" / "b.PGM").is_file()
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match=r"pipe.png' is not a file"):
        applied(tmp_path / "pipe.png", tmp_path / "b.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing.png")
    with pytest.raises(DataError, match=r"nothing at .*gone.png'. It is a link that leads nowhere"):
        applied(tmp_path / "gone.png", tmp_path / "b.png")


def test_a_place_whose_name_is_too_long_is_an_error_in_words(tmp_path: Path) -> None:
    source = folder_with(tmp_path / "in", "a.png")
    with pytest.raises(StorageError, match="File name too long"):
        applied(source, tmp_path / ("o" * 300))


def test_skipped_files_are_named_counted_and_told_by_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder_with(tmp_path / "in", "a.png")
    assert main(["apply", str(RUN), str(source), "--out", str(tmp_path / "whole")]) == 0
    assert "were skipped" not in capsys.readouterr().out
    (source / "b.png").write_text("hello")
    assert main(["apply", str(RUN), str(source), "--out", str(tmp_path / "part")]) == 5
    said = capsys.readouterr().out
    assert "b.png cannot be used: not a picture" in said
    assert "1 of 2 files were skipped." in said
    assert "Wrote" in said
    (source / "a.png").write_text("hello")
    assert main(["apply", str(RUN), str(source), "--out", str(tmp_path / "none")]) == 2
    shown = capsys.readouterr()
    assert "2 of 2 files were skipped." in shown.out
    assert "None of the pictures" in shown.err
    assert "Wrote" not in shown.out


def test_the_progress_shows_any_name_as_it_is() -> None:
    name = "[red] \N{ESCAPE}[2J" + b"\xff".decode("utf-8", "surrogateescape") + ".png"
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with Applying(console) as view:
        view.event({"kind": "applied", "file": name, "number": 1, "count": 2, "share": 0.5, "path": name})
    assert "[red] ?[2J?.png" in console.file.getvalue()  # type: ignore[attr-defined]
