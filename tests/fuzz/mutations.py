"""What a fuzzer does to a good file: bytes that are flipped, cut, doubled or exchanged, and JSON with absurd values."""

from __future__ import annotations

import copy
import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

# The same examples every time, so that a test never fails by chance. A number in the environment asks for many more.
BUDGET = int(os.environ.get("GANFORGE_FUZZ_EXAMPLES", "0"))


def fuzzed(examples: int) -> Any:
    """Settings of a fuzz test of so many examples."""
    return settings(
        max_examples=BUDGET or examples,
        derandomize=not BUDGET,
        deadline=None,
        database=None,
        phases=[
            Phase.explicit,
            Phase.generate,
        ],  # bytes of files shrink for minutes and say no more when they are small
        suppress_health_check=list(HealthCheck),
    )


EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
ABSURD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 10**6, 10**12, 10**39, 0.5, -1e308, 1e308, float("nan"), float("inf"), "", "x", "0",
    "../../../etc/passwd", "a" * 5000, "\x00", "\ud800".encode("utf-8", "replace").decode(), [], {}, [[]], [0, 0], [{}],
    {"": None}, [1] * 50, ["a", "a"],
)  # fmt: skip


@st.composite
def bytes_like(draw: Any, good: bytes) -> bytes:
    """A file's content after one to four accidents."""
    content = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.integers(1, 64))
        match draw(st.sampled_from(("flip", "flip", "extreme", "extreme", "cut", "double", "noise", "end", "big"))):
            case "flip" if content:
                content[place] ^= draw(st.integers(1, 255))
            case "extreme":
                size = draw(st.sampled_from((1, 2, 4, 8)))
                value = draw(st.sampled_from(EXTREMES)) % 256**size
                content[place : place + size] = value.to_bytes(size, draw(st.sampled_from(("little", "big"))))
            case "cut":
                del content[place : place + length]
            case "double":
                content[place:place] = content[place : place + length]
            case "noise":
                content[place : place + length] = draw(st.binary(min_size=1, max_size=64))
            case "end":
                del content[place:]
            case "big":
                content[place:place] = bytes([draw(st.integers(0, 255))]) * 5000
    return bytes(content)


@st.composite
def json_like(draw: Any, good: Any) -> Any:
    """JSON content after one to three absurd edits: a value replaced, a key removed, an entry doubled."""
    content = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(content))
        if not places:
            break
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(("replace", "replace", "replace", "remove", "double"))):
            case "replace":
                holder[key] = copy.deepcopy(draw(st.sampled_from(ABSURD)))
            case "remove":
                del holder[key]
            case "double" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case "double":
                holder[f"{key}_"] = copy.deepcopy(holder[key])
    return content


def _places(content: Any) -> Any:
    """Every value inside as (what holds it, its key). Long lists are entered at their first ten."""
    entries = list(content.items()) if isinstance(content, dict) else list(enumerate(content[:10]))
    for key, value in entries:
        yield content, key
        if isinstance(value, dict | list):
            yield from _places(value)
