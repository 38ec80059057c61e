"""Data for the benchmark of the diagnosis: sound pictures and tables of many kinds, and what can be wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import datasets

from ganforge.core.seeds import seed_for

Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]


def random_for(seed: int, what: str) -> np.random.Generator:
    """Args: what it is for."""
    return np.random.default_rng(seed_for(seed, f"benchmarks/doctor/{what}"))


# ---- pictures -------------------------------------------------------------------------------------------------------


def digits() -> Labelled:
    """The 1,797 digits of 8x8 pixels that come with scikit-learn: pictures (N, 8, 8), labels (N,)."""
    data = datasets.load_digits()
    return (data.images * 255 / 16).round().astype(np.uint8), data.target.astype(np.int64)


def some_digits(count: int, seed: int) -> Labelled:
    """So many of them, drawn at random."""
    pictures, labels = digits()
    chosen = random_for(seed, "some digits").permutation(len(pictures))[:count]
    return pictures[chosen], labels[chosen]


def repeated_digits(seed: int) -> NDArray[np.uint8]:
    """300 digits, each of them five times in all: four of five pictures are copies of another one."""
    pictures, _ = some_digits(300, seed)
    return np.concatenate([pictures] * 5)


def plain_and_digits(seed: int) -> NDArray[np.uint8]:
    """700 digits among 800 pictures that are of one colour each."""
    pictures, _ = some_digits(700, seed)
    greys = random_for(seed, "greys").integers(0, 256, (800, 1, 1))
    return np.concatenate([pictures, np.broadcast_to(greys, (800, 8, 8)).astype(np.uint8)])


def digits_with_dice(seed: int) -> Labelled:
    """Digits whose labels were thrown with a die of ten sides."""
    pictures, labels = digits()
    return pictures, random_for(seed, "dice").integers(0, 10, len(labels))


def shapes(count: int, seed: int, side: int = 12) -> Labelled:
    """Discs, squares and crosses of any place, size and brightness on a noisy ground: (N, side, side), labels (N,)."""
    random = random_for(seed, "shapes")
    kind = random.integers(0, 3, count)
    y, x = np.mgrid[0:side, 0:side]
    centre = random.uniform(0.35, 0.65, (count, 2, 1, 1)) * side
    radius = random.uniform(0.18, 0.32, (count, 1, 1)) * side
    across, down = np.abs(x - centre[:, 0]), np.abs(y - centre[:, 1])
    disc, square = across**2 + down**2 - radius**2, np.maximum(across, down) - radius
    cross = np.maximum(np.minimum(across, down) - radius / 3, square)
    outside = np.choose(kind[:, None, None], [disc / (2 * radius), square, cross])
    ink = random.uniform(120, 255, (count, 1, 1)) / (1 + np.exp(4 * outside))
    return np.clip(ink + random.normal(0, 4, ink.shape), 0, 255).astype(np.uint8), kind


# ---- tables ---------------------------------------------------------------------------------------------------------


def people(count: int, seed: int) -> pd.DataFrame:
    """Five columns that hang together: age, income, plan, active, spent."""
    random = random_for(seed, "people")
    age = np.clip(18 + 60 * random.beta(1.6, 2.4, count), 18, 78).round()
    income = np.exp(10 - ((age - 48) / 30) ** 2 + 0.35 * random.standard_normal(count)).round(2)
    wish = np.log(income) - 9.6 + 0.3 * random.standard_normal(count)
    plan = np.array(["free", "basic", "premium"], dtype=object)[np.searchsorted([-0.3, 0.4], wish)]
    spent = (income * random.uniform(0.2, 0.5, count) * (1 + 0.3 * wish)).round(1)
    active = random.random(count) < 1 / (1 + np.exp(-3 * wish))
    return pd.DataFrame({"age": age.astype(int), "income": income, "plan": plan, "active": active, "spent": spent})


def repeated_people(seed: int) -> pd.DataFrame:
    """200 rows, each of them five times in all."""
    return pd.concat([people(200, seed)] * 5, ignore_index=True)


def people_and_constants(seed: int) -> pd.DataFrame:
    """Five columns that say something beside eight that say the same in every row."""
    table = people(1000, seed)
    return table.assign(**{f"field_{number}": "n/a" if number % 2 else 0 for number in range(8)})


def people_with_dice(seed: int) -> pd.DataFrame:
    """A column `outcome` of three values that no other column says anything about."""
    table = people(1500, seed)
    return table.assign(outcome=random_for(seed, "outcome").choice(["low", "middle", "high"], len(table)))


def blobs(count: int, seed: int) -> pd.DataFrame:
    """Six clusters in four numbers, and their names."""
    x, y = datasets.make_blobs(count, n_features=4, centers=6, random_state=seed_for(seed, "blobs") % 2**32)
    table = pd.DataFrame(x.round(3), columns=["a", "b", "c", "d"])
    return table.assign(kind=np.array(list("uvwxyz"), dtype=object)[y])


def waves(count: int, seed: int) -> pd.DataFrame:
    """Friedman's function of five of seven numbers."""
    x, y = datasets.make_friedman1(count, n_features=7, noise=1.0, random_state=seed_for(seed, "waves") % 2**32)
    return pd.DataFrame(x.round(3), columns=[f"x{i}" for i in range(7)]).assign(y=y.round(2))


def moons(count: int, seed: int) -> pd.DataFrame:
    """Two half circles that reach into each other."""
    x, y = datasets.make_moons(count, noise=0.1, random_state=seed_for(seed, "moons") % 2**32)
    return pd.DataFrame({"east": x[:, 0].round(3), "north": x[:, 1].round(3), "side": y.astype(bool)})


def survey_answers(count: int, seed: int) -> pd.DataFrame:
    """Seven columns of a few answers each, some missing, that hang on one hidden opinion."""
    random = random_for(seed, "answers")
    opinion = random.standard_normal(count)
    scale = np.array(["never", "seldom", "often", "always"], dtype=object)
    columns: dict[str, Any] = {}
    for number in range(7):
        place = np.digitize(opinion * (1 - 0.1 * number) + random.standard_normal(count), [-1, 0, 1])
        columns[f"question_{number}"] = np.where(random.random(count) < 0.05, None, scale[place])
    return pd.DataFrame(columns)


def ratings(count: int, seed: int) -> pd.DataFrame:
    """Eight ratings of twelve grades that hang on one hidden taste: of such rows hardly two are alike."""
    random = random_for(seed, "ratings")
    taste = random.standard_normal(count)
    grades = np.array([f"grade {letter}" for letter in "abcdefghijkl"], dtype=object)
    places = [
        np.digitize(0.7 * taste + random.standard_normal(count), np.linspace(-2, 2, 11)) for _ in range(8)
    ]  # 0..11 each
    return pd.DataFrame({f"rating_{number}": grades[place] for number, place in enumerate(places)})
