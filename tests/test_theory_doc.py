"""docs/theory.md says what the code does: its snippets run, its references exist, its mathematics is checked."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "theory.md").read_text("utf-8")


@pytest.mark.slow
def test_every_snippet_prints_what_the_page_says() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 10
    code = "\n".join(blocks)
    assert code.count(">>>") > 50
    page = doctest.DocTestParser().get_doctest(code, {}, "theory.md", "docs/theory.md", 0)
    told: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(page, out=told.append)
    assert result.failed == 0, "".join(told)
    assert result.attempted > 50


def test_every_reference_names_something_that_is_there() -> None:
    references = re.findall(r"`([a-z_/]+\.py)`:\s+`([\w.]+)`", TEXT)
    assert len(references) >= 15
    for file, name in references:
        tree: ast.AST = ast.parse((ROOT / "src" / "ganforge" / file).read_text("utf-8"))
        for part in name.split("."):
            found = [
                node
                for node in ast.iter_child_nodes(tree)
                if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == part
            ]
            assert found, f"{file} has no {name}"
            tree = found[0]
