"""README and docs say what is true: their tested blocks run, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ganforge.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(r"<!-- tested -->\n```(sh|python)\n(.*?)```", re.DOTALL)
EXAMPLES = re.compile(r"(--examples |\bexamples=)\d+")  # what a person waits a minute for, a test need not
ENOUGH = 320


def _blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text("utf-8"))


def _cases() -> dict[str, tuple[str, str]]:
    """Every block by its place, except those with which a longer one begins: that one is tested."""
    found = {f"{page.stem}-{number}-{block[0]}": block for page in PAGES for number, block in enumerate(_blocks(page))}
    texts = [text for _, text in found.values()]
    return {
        place: block
        for place, block in found.items()
        if not any(text != block[1] and text.startswith(block[1]) for text in texts)
    }


CASES = _cases()


def test_the_readme_has_tested_commands_and_python() -> None:
    assert {language for language, _ in _blocks(ROOT / "README.md")} == {"sh", "python"}


@pytest.mark.slow
@pytest.mark.parametrize(("language", "block"), CASES.values(), ids=CASES)
def test_a_block_of_a_page_runs(
    language: str, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With fewer examples. Commands are called here: a process of its own for each would only import again."""
    monkeypatch.chdir(tmp_path)
    quick = EXAMPLES.sub(rf"\g<1>{ENOUGH}", block)
    if language == "python":
        exec(compile(quick, "page", "exec"), {"__name__": "__main__"})
    for line in quick.splitlines() if language == "sh" else ():
        program, *words = shlex.split(line, comments=True)
        assert program == "ganforge", "only its own commands can be tested"
        assert main(words) == 0, line
    said = capsys.readouterr()
    assert said.err == ""
    if re.search(r"ganforge runs$|gf\.runs", block, re.MULTILINE):  # those that end with the runs
        assert "finished" in said.out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    lost = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert lost == []


def test_the_files_that_the_reading_order_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    for name in re.findall(r"`(src/ganforge/[\w./]+)`", text):
        assert (ROOT / name).exists(), name
