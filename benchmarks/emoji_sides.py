"""Emoji in two styles for the benchmarks of translation: 80 % to train, 20 % to test, split by what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ganforge.kinds.pictures.measures.psnr_ssim import psnr, ssim
from ganforge.measures.distances import kernel_distance
from ganforge.measures.judge import Judge, train_judge

LEFT_OUT = ("Flags", "Symbols")
SHARE = 5  # one emoji of so many is tested


@dataclass(frozen=True)
class Emoji:
    """Pictures uint8 (N, 3, side, side) of A (Noto) and B (Twemoji) in the same order."""

    a: np.ndarray
    b: np.ndarray
    test_a: np.ndarray
    test_b: np.ndarray


def read_emoji(path: Path, side: int) -> Emoji:
    """Emoji that share a picture with a tested one, in either style, are tested too: nothing leaks."""
    with np.load(path) as arrays:
        names = list(arrays["categories"])
        keep = ~np.isin(arrays["category"], [names.index(name) for name in LEFT_OUT])
        a, b = (smaller(arrays[style][keep], side) for style in ("noto", "twemoji"))
    tested = np.zeros(len(a), bool)
    tested[np.random.default_rng(0).permutation(len(a))[: len(a) // SHARE]] = True
    while True:
        before = tested.copy()
        for pictures in (a, b):
            known = {picture.tobytes() for picture in pictures[tested]}
            tested |= np.array([picture.tobytes() in known for picture in pictures])
        if np.array_equal(before, tested):
            return Emoji(a[~tested], b[~tested], a[tested], b[tested])


def smaller(pictures: np.ndarray, side: int) -> np.ndarray:
    step = pictures.shape[1] // side
    blocks = pictures.reshape(len(pictures), side, step, side, step, 3).mean((2, 4))
    return np.ascontiguousarray(np.rint(blocks).astype(np.uint8).transpose(0, 3, 1, 2))


def write_side(folder: Path, pictures: np.ndarray, names: Sequence[str]) -> None:
    folder.mkdir(parents=True)
    for name, picture in zip(names, pictures, strict=True):
        Image.fromarray(picture.transpose(1, 2, 0)).save(folder / f"{name}.png")


class Scale:
    """PSNR, SSIM and kernel distance against the tested B, by a judge that learned to tell the trained A from B."""

    def __init__(self, emoji: Emoji) -> None:
        self._emoji = emoji
        pictures, labels = np.concatenate([emoji.a, emoji.b]), np.repeat([0, 1], len(emoji.a))
        order = np.random.default_rng(0).permutation(len(labels))
        side = emoji.a.shape[2]
        self.judge: Judge = train_judge(pictures[order], labels[order], data_hash=f"benchmarks/emoji/{side}")
        self._real = self.judge.features(emoji.test_b)

    def __call__(self, name: str, made: np.ndarray) -> dict[str, float]:
        truth = self._emoji.test_b
        found = kernel_distance(self._real, self.judge.features(made))
        told = {"psnr": psnr(truth, made).mean(), "ssim": ssim(truth, made).mean(), "kid": found.value}
        print(
            f"{name:34s} PSNR {told['psnr']:6.2f}  SSIM {told['ssim']:.4f}  kernel distance {found.value:.4f} "
            f"({found.low:.4f} to {found.high:.4f})",
            flush=True,
        )
        return {key: float(value) for key, value in told.items()}

    def floor(self) -> None:
        """Trained B against tested B: real against real, but the judge has learned from one side."""
        there = np.random.default_rng(1).permutation(len(self._emoji.b))[: len(self._real)]
        found = kernel_distance(self._real, self.judge.features(self._emoji.b[there]))
        print(f"{'floor: real against real':34s} {'':27s} kernel distance {found.value:.4f}", flush=True)
