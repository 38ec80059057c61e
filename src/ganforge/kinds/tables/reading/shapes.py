"""Shapes of texts: a 9 in the place of each digit, so that numbers and dates of one form are alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_INTEGER = re.compile(r"[+-]?9{1,18}")
_DECIMAL = re.compile(r"[+-]?(?P<whole>9{1,18}(?P<point>\.(?P<digits>9*))?|\.(?P<only>9+))(?P<power>[eE][+-]?9{1,3})?")
CODE = re.compile(r"[A-Za-z]{1,3}[- ]?9{2,}[A-Za-z]?|9{2,}[- ]?[A-Za-z]{1,2}")  # beside whole numbers: C536379


@dataclass(frozen=True, slots=True)
class Shape:
    """A text with a 9 in the place of each digit, and what must be known of its zeros."""

    text: str
    leading: bool  # the first digit is a zero, and a digit or a mark follows
    final: bool  # the last digit is a zero


def shapes_of(words: pa.Array) -> tuple[NDArray[np.int64], list[Shape]]:
    """Return the place of the shape of each word (N,), and the shapes. Works on the bytes of all words at once."""
    words = words.cast(pa.string())
    _, offsets, content = words.buffers()
    ends = np.frombuffer(offsets, np.int32)[words.offset : words.offset + len(words) + 1]
    letters = np.frombuffer(content or b"", np.uint8)
    is_digit = (letters >= ord("0")) & (letters <= ord("9"))
    last = ends[1:][np.diff(ends) > 2] - 1
    is_digit[last[(letters[last - 1] == ord("m")) & np.isin(letters[last], list(b"23"))]] = False  # of m2 or cm3
    nines = np.where(is_digit, np.uint8(ord("9")), letters)
    buffers = [None, pa.py_buffer(np.ascontiguousarray(ends)), pa.py_buffer(nines)]
    texts = pa.Array.from_buffers(pa.string(), len(words), buffers).dictionary_encode()
    zeros = np.append(letters == ord("0"), [False])
    marks = np.append(is_digit | np.isin(letters, list(b".,")), [False])
    digits = np.append(np.flatnonzero(is_digit), len(letters))
    begins, stops = np.searchsorted(digits, ends[:-1]), np.searchsorted(digits, ends[1:])
    first, last = digits[begins], digits[stops - 1]  # of a word without digits: any other
    leading = (stops > begins) & zeros[first] & (first + 1 < ends[1:]) & marks[np.minimum(first + 1, len(letters))]
    final = (stops > begins) & zeros[last]
    codes = texts.indices.to_numpy().astype(np.int64) * 4 + 2 * leading + final
    known, places = np.unique(codes, return_inverse=True)
    forms = texts.dictionary.to_pylist()
    return places, [Shape(forms[code // 4], bool(code & 2), bool(code & 1)) for code in known.tolist()]


def plain_number(shape: Shape) -> re.Match[str] | None:
    """Return the parts of a number as programs write it; None for other shapes."""
    found = _DECIMAL.fullmatch(shape.text)
    zeros = found and shape.leading and found["only"] is None and len(found["whole"].partition(".")[0]) > 1
    return None if zeros else found


def is_integer(shape: Shape) -> bool:
    """Return whether a number as programs write it is whole, and comes back to the letter."""
    zero = shape.final and shape.text in ("+9", "-9")
    return bool(_INTEGER.fullmatch(shape.text)) and not shape.leading and not zero


def is_code(shape: Shape) -> bool:
    """Return whether digits alone cannot be a number: they are too many, or begin with a zero (020 123 456)."""
    return bool(re.fullmatch(r"[+-]?9+", shape.text) or (shape.leading and re.fullmatch(r"9[9 ]+", shape.text)))


def plain_pattern(plain: Mapping[Shape, re.Match[str]]) -> str | None:
    """Return the pattern of numbers as programs write them: all with as many decimals, or at least one."""
    digits = [len(found["only"] or found["digits"] or "") for found in plain.values()]
    if max(digits) == 0 or any(found["power"] for found in plain.values()):
        return None
    if min(digits) == max(digits):
        return "0." + "0" * max(digits)
    padded = any(s.text.endswith(".") or (s.final and count > 1) for s, count in zip(plain, digits, strict=True))
    pointed = any(s.final and count == 1 for s, count in zip(plain, digits, strict=True))
    return "0.0#" if pointed and not padded else None
