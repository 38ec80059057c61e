"""Format numbers, durations and names of keys for people."""

from __future__ import annotations

import math
import re


def number(value: object) -> str:
    """Format with three significant digits, commas for thousands, no trailing noise."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}" if math.isfinite(value) else "infinite"
    return "not a number" if math.isnan(value) else f"{value:.3g}"


def short(value: float) -> str:
    """Format for the ticks of an axis: 12k, 1.5M, 0.003."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{letter}"
    return "0" if value == 0 else f"{value:.3g}"


def percent(share: float) -> str:
    """Format a share, with enough digits to distinguish it from 0 and from 1."""
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    digits = 0 if 0.1 <= share <= 0.9 or share > 1 else 1 if 0.001 <= share <= 0.999 else 2
    return f"{100 * share:.{digits}f} %"


def duration(seconds: float) -> str:
    """Format as minutes and seconds, m:ss, or h:mm:ss from an hour on."""
    if not math.isfinite(seconds):
        return "?"
    whole = max(0, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"


SHORT = {word: word.upper() for word in ("fid", "kid", "mse", "rmse", "r2", "psnr", "ssim")}


def title(key: str) -> str:
    """Format a key of a file as words: `held_out` -> `Held out`, `plain 0.7` -> `Plain 0.7`, `fid` -> `FID`."""
    words = [SHORT.get(word, word) for word in re.sub(r"_|(?<!\d)\.|\.(?!\d)", " ", key).split()]
    text = " ".join(words)
    return text[:1].upper() + text[1:]
