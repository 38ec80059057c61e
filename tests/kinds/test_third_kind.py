"""A kind of data is one folder and one line: a planted third one is recognised, asked, kept and listed by that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

import ganforge as gf
from ganforge.contracts import Claim, Kind, Option
from ganforge.kinds import KINDS

SUFFIX = ".smell"


class Sniff:
    """A task that goes no further than to say what it was asked."""

    name: ClassVar[str] = "sniff"
    section = None
    measured: ClassVar[dict[str, str]] = {"freshness": "higher"}
    unguarded: ClassVar[str | None] = None
    untrained: ClassVar[str | None] = None
    labels: ClassVar[str | None] = "It has no use for labels."

    def plan(self, request: Any, tell: Any) -> Any:
        content = Path(request.source).read_text() if Path(request.source).exists() else ""
        raise gf.DataError(f"sniffed {request.options} {request.kind} {content}")


def recognises(source: object) -> Claim | None:
    if isinstance(source, bytes):
        return Claim(3, "it is bytes")
    return Claim(2, "its name ends with .smell") if str(source).endswith((SUFFIX, ".txt")) else None


def keep(value: object, folder: Path) -> Path:
    path = folder / f"given{SUFFIX}"
    path.write_bytes(value)  # type: ignore[arg-type]
    return path


def load(folder: Path, device: str) -> Any:
    import a_package_that_nobody_has  # noqa: F401


SMELLS = Kind(
    name="smells",
    noun="smell",
    nouns="smells",
    forms="a bottle (.smell)",
    built_in={"roses": "a garden"},
    tasks={"sniff": "planted_smells:Sniff", "age": "planted_smells:Missing"},
    recognises=recognises,
    keep=keep,
    models={"sniff": "planted_smells:load"},
    options=(
        Option("strength", ("train",), float, "S", "How strong.", "0.5", within=(0, 1)),
        Option("notes", ("train",), str, "NOTE", "What is in it.", "musk", flag="--note", many=True),
        Option("dry", ("train",), bool, "", "Without water.", ""),
    ),
    extra="smells",
)


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module = ModuleType("planted_smells")
    module.KIND, module.Sniff, module.load = SMELLS, Sniff, load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "planted_smells", module)
    monkeypatch.setitem(KINDS, "smells", "planted_smells")
    # The command line reads KINDS once, when it is imported: here it is imported anew, and put back afterwards.
    for name in [name for name in sys.modules if name.startswith("ganforge.cli")]:
        monkeypatch.delitem(sys.modules, name)
    yield


def run(*words: str) -> int:
    from ganforge.cli.main import main

    return main(list(words))


def test_its_files_names_and_values_are_recognised_and_reach_its_default_task(tmp_path: Path) -> None:
    (tmp_path / "a.smell").write_text("lemon")
    with pytest.raises(gf.DataError, match=r"sniffed \{\} None lemon"):
        gf.plan(tmp_path / "a.smell")
    with pytest.raises(gf.DataError, match=r"sniffed \{\} None $"):
        gf.plan("roses")
    with pytest.raises(gf.DataError, match=r"sniffed \{'strength': 1.0\} smells thyme"):
        gf.plan(b"thyme", strength=1)
    (tmp_path / "a.docx").touch()
    with pytest.raises(gf.DataError, match=r"not recognised as .* or smells. Give .* a bottle \(.smell\), .* roses"):
        gf.plan(tmp_path / "a.docx")


def test_the_command_line_lists_and_takes_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run("train", "--help") == 0
    page = " ".join(capsys.readouterr().out.replace("│", "").split())
    for words in ("Only for smells", "--strength", "--note", "--dry", "of smells sniff or age", "a bottle (.smell)",
                  "roses", "pictures|tables|points|sounds|text|interactions|smells"):  # fmt: skip
        assert words in page
    (tmp_path / "a.smell").touch()
    asked = ("--strength", "0", "--note", "musk", "--note", "oak", "--dry")
    assert run("plan", str(tmp_path / "a.smell"), *asked) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "sniffed {'strength': 0.0, 'notes': ('musk', 'oak'), 'dry': True}" in said
    assert run("plan", "digits8", "--dry") == 2
    assert "Only smells have --dry." in capsys.readouterr().err
    assert run("plan", str(tmp_path / "a.smell"), "--strength", "2") == 2
    assert "--strength cannot be '2'. It is a number from 0 to 1." in " ".join(capsys.readouterr().err.split())


def test_a_tie_is_told_with_both_reasons_and_settled_by_an_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("a,b\n1,2\n")
    assert run("plan", str(tmp_path / "a.txt")) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "tables, because its name ends with .txt; smells, because its name ends with .smell" in said
    assert "--kind tables or --kind smells" in said
    assert run("plan", str(tmp_path / "a.txt"), "--kind", "smells") == 2
    assert "sniffed {} smells a,b" in " ".join(capsys.readouterr().err.split())


def test_a_package_that_its_extra_brings_is_asked_for_in_words(tmp_path: Path) -> None:
    from ganforge.kinds import load_model

    with pytest.raises(gf.InputError) as refused:
        load_model(SMELLS, tmp_path, "sniff")
    assert "Smells need the package 'a_package_that_nobody_has'" in str(refused.value)
    assert "pip install 'ganforge[smells]'" in str(refused.value)


def test_a_model_of_an_unknown_task_is_refused_by_its_damage_or_by_its_task(tmp_path: Path) -> None:
    from ganforge.core.files import write_folder
    from ganforge.kinds import load_model

    with pytest.raises(gf.RunError, match="There is no model"):
        load_model(SMELLS, tmp_path / "model", "taste")
    write_folder(tmp_path / "model", lambda folder: (folder / "model.json").write_text("{}") and None)
    with pytest.raises(gf.RunError, match="of the task 'taste'"):
        load_model(SMELLS, tmp_path / "model", "taste")


def test_a_module_of_ours_that_is_missing_is_a_fault_and_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from ganforge.kinds import task_of

    with pytest.raises(ModuleNotFoundError):
        task_of(replace(SMELLS, tasks={"sniff": "ganforge.kinds.nowhere:Sniff"}), "sniff")
