"""Small texts for every task of text, which torture.py and processes.py train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WHO, DOES = ("man", "dog", "girl", "bird", "cat", "boy"), ("sits", "runs", "waits", "sleeps", "plays")
WHERE = ("near the road", "in the field", "on the hill", "by the sea", "at home", "under a tree")
ENDINGS = (("today", "again", "now"), ("for love", "with all the heart", "under the moon"))
WORDS, FOLLOWERS = 150, 5


def sentences(count: int, seed: int) -> list[str]:
    """Return sentences such as "a dog sits near the road"."""
    random = np.random.default_rng(seed)
    return [f"a {random.choice(WHO)} {random.choice(DOES)} {random.choice(WHERE)}" for _ in range(count)]


def _unlike(lines: list[str]) -> list[str]:
    """Return lines of very different lengths."""
    return [
        line.rsplit(" ", 1 + place % 4)[0] if place % 3 else f"{line} and {line}" for place, line in enumerate(lines)
    ]


def write_texts(folder: Path) -> None:
    """Write captions.txt, styles/ with two styles, and languages/ with two languages that are ciphers of each other."""
    for name in ("styles", "languages"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "captions.txt").write_text("".join(f"{line}\n" for line in _unlike(sentences(400, seed=0))), "utf-8")
    for style, ends in enumerate(ENDINGS):
        lines = [f"{line} {ends[place % len(ends)]} ." for place, line in enumerate(sentences(120, seed=style + 1))]
        (folder / "styles" / f"{'ab'[style]}.txt").write_text("\n".join(lines) + "\n", "utf-8")
    for name, write in (("one", "{}"), ("other", "z{}z")):
        random, lines = np.random.default_rng(len(name)), []
        followers = np.random.default_rng(0).integers(WORDS, size=(WORDS, FOLLOWERS))
        for _ in range(1_000):
            words = [int(WORDS * random.random() ** 2)]
            for _ in range(int(random.integers(4, 11))):
                words.append(int(followers[words[-1], int(FOLLOWERS * random.random() ** 2)]))
            lines.append(" ".join(write.format(f"{chr(97 + word % 26)}o{word:03d}") for word in words))
        (folder / "languages" / f"{name}.txt").write_text("\n".join(lines) + "\n", "utf-8")
