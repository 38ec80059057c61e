"""The built-in text: sentences from the docstrings of NumPy, SciPy and scikit-learn, as they are installed."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("sklearn", "scipy", "numpy")
_DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)
_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z])|\n\s*\n")
_SENTENCE = re.compile(r"[A-Z][A-Za-z ,;'()-]{30,160}[.]")


def docstrings() -> list[str]:
    """Return different sentences of plain English, in the order of the files' names."""
    found: dict[str, None] = {}
    for package in PACKAGES:
        spec = find_spec(package)
        for path in sorted(Path(spec.origin).parent.rglob("*.py")) if spec and spec.origin else []:
            if "tests" not in path.parts:
                for docstring in _DOCSTRING.findall(path.read_text("utf-8")):
                    sentences = (" ".join(part.split()) for part in _END.split(docstring))
                    found.update(dict.fromkeys(one for one in sentences if _SENTENCE.fullmatch(one)))
    return list(found)
