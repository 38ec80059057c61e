"""The settings of each scorer, chosen by validation, and which form of it a log is small enough for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix

from ganforge.core.device import memory_bytes
from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.low_rank import ease_in_part
from ganforge.kinds.interactions.scorers import Scorer, bpr, ease, ials, item_knn, popularity, rp3beta, user_knn
from ganforge.measures.ranking import DEPTH, Ranking, rank

Settings = Mapping[str, float]

CUT = 10  # NDCG at this place chooses
JUDGES = 10_000  # users that choose, at most
MOST_ITEMS = 20_000  # of which all pairs fit in one matrix: 1.6 GB
RANK = 256  # of the pairs beyond it
SLOW = ("iALS", "BPR")  # methods that learn in rounds
MANY = 200_000  # interactions up to which they try several settings
MOST = 2_000_000  # interactions up to which they are there, and the other rivals try several settings
POPULAR = 5_000  # items among which the penalty of EASE is chosen where there are more
MOST_USERS = 50_000  # whose likeness to each other is computed


@dataclass(frozen=True, slots=True)
class Method:
    """A scorer with the values that its settings may have. Of each, the first one is tried first."""

    sentence: str
    fit: Callable[..., Scorer]
    axes: Mapping[str, Sequence[float]]
    popular: int | None = None  # settings are chosen among that many items, by default among all

    def usual(self) -> Method:
        """Return the method with the first value of each setting only."""
        return replace(self, axes={axis: values[:1] for axis, values in self.axes.items()})


@dataclass(frozen=True, slots=True)
class Tuned:
    """A scorer whose settings validation chose, and who then learned from all that may be known."""

    name: str
    scorer: Scorer
    settings: Settings
    score: float  # NDCG of the settings on validation; nan where there was no choice
    tried: tuple[tuple[Settings, float], ...]
    popular: int | None = None  # items among which they were chosen

    @property
    def sentence(self) -> str:
        """How the settings were found."""
        if not self.settings:
            return "It has no settings."
        values = ", ".join(f"{name} {value:g}" for name, value in self.settings.items())
        if not self.tried:
            return f"{values}: its usual settings, since trying others would take long with so many interactions."
        among = f" among the {self.popular:,} most popular items" if self.popular else ""
        return f"{values}: the best of {len(self.tried)} settings on validation{among}, NDCG@{CUT} {self.score:.3f}."


METHODS: Mapping[str, Method] = {
    "EASE": Method(
        "Every item is predicted from the others by one ridge regression in closed form.",
        ease,
        {"penalty": (300, 100, 800, 30, 1600, 500, 200)},
    ),
    "RP3beta": Method(
        "Walks from an item to its users to their items, popular ones lowered.",
        rp3beta,
        {"alpha": (0.8, 1, 0.5), "beta": (0.5, 0.3, 0, 0.7), "neighbours": (400, 100, 50)},
    ),
    "UserKNN": Method(
        "What the most similar users have met.", user_knn, {"neighbours": (100, 50, 200, 400), "shrink": (0, 10, 100)}
    ),
    "ItemKNN": Method(
        "Items with the same users as those that were met.",
        item_knn,
        {"neighbours": (200, 100, 50, 400), "shrink": (10, 0, 100)},
    ),
    "iALS": Method(
        "Factors of users and items by alternating least squares.",
        ials,
        {"unobserved": (0.3, 0.1, 1, 0.03), "penalty": (0.01, 0.03, 0.003, 0.1), "factors": (32, 64)},
    ),
    "BPR": Method(
        "Factors that rank what was met above what was not.",
        bpr,
        {"penalty": (0.02, 0.01, 0.04), "rounds": (60,), "factors": (32,)},
    ),
    "popularity": Method("The same for everybody: what most users have met.", popularity, {}),
}


def methods_for(matrix: csr_matrix, memory: int | None = None) -> tuple[dict[str, Method], tuple[str, ...]]:
    """Return the methods that suit the size of a log, with a sentence on each that was changed or left out.

    Args: memory of the machine in bytes, by default what it has.
    """
    users, items = matrix.shape
    memory = memory_bytes() if memory is None else memory
    methods, sentences = dict(METHODS), []
    most = min(MOST_ITEMS, int((memory / 4 / 4) ** 0.5))  # a quarter of it, in float32
    if items > most:
        axes = {**METHODS["EASE"].axes, "popular": (most,), "rank": (RANK,)}
        methods["EASE"] = replace(METHODS["EASE"], fit=ease_in_part, axes=axes)
        sentences.append(
            f"EASE is exact among the {most:,} most popular of {items:,} items and of rank {RANK} for other pairs: one "
            f"matrix of all pairs would take {4 * items**2 / 1e9:.1f} GB."
        )
    if items > POPULAR:
        methods["EASE"] = replace(methods["EASE"], popular=POPULAR)
    if users > MOST_USERS:
        del methods["UserKNN"]
        sentences.append(f"UserKNN is left out: it compares every user with all {users:,} others.")
    if matrix.nnz > MOST or items > most:
        methods = {name: its if name == "EASE" else its.usual() for name, its in methods.items() if name not in SLOW}
        sentences.append(
            f"{' and '.join(SLOW)} are left out, and EASE's rivals have their usual settings: there are "
            f"{matrix.nnz:,} interactions with {items:,} items."
        )
    elif matrix.nnz > MANY:
        methods |= {name: methods[name].usual() for name in SLOW}
        sentences.append(f"{' and '.join(SLOW)} have their usual settings: there are {matrix.nnz:,} interactions.")
    return methods, tuple(sentences)


def ranking_of(scorer: Scorer, known: csr_matrix, relevant: csr_matrix, depth: int = DEPTH) -> Ranking:
    """Rank what users have not met, for those whom a scorer learned from. Args: known, relevant (U, I) of all users."""
    return rank(lambda users: scorer.scores(known[users], users), known, relevant, depth)


@dataclass(frozen=True, slots=True)
class Search:
    """The settings of a method that ranked validation best."""

    best: dict[str, float]
    score: float  # NDCG of them; nan where there was no choice
    tried: tuple[tuple[Settings, float], ...]


def search(method: Method, fit: csr_matrix, judged: csr_matrix) -> Search:
    """Choose the settings that rank what users went on to meet best. Args: fit, judged (U, I).

    The axes are searched in turn, twice.
    """
    if method.popular:
        chosen = np.sort(np.argsort(-np.bincount(fit.indices, minlength=fit.shape[1]), kind="stable")[: method.popular])
        fit, judged = csr_matrix(fit[:, chosen]), csr_matrix(judged[:, chosen])
    scores: dict[tuple[float, ...], float] = {}

    def score(settings: Settings) -> float:
        key = tuple(settings.values())
        if key not in scores:
            scores[key] = mean_ndcg(ranking_of(method.fit(fit, **settings), fit, judged))
        return scores[key]

    best: dict[str, float] = {axis: values[0] for axis, values in method.axes.items()}
    choices = any(len(values) > 1 for values in method.axes.values())
    for _ in range(2 if choices else 0):
        for axis, values in method.axes.items():
            reached = [score({**best, axis: value}) for value in values]
            best[axis] = values[int(np.argmax(reached))]
    tried = tuple((dict(zip(best, key, strict=True)), its) for key, its in scores.items())
    return Search(best, max(scores.values(), default=float("nan")), tried)


def tune(name: str, method: Method, fit: csr_matrix, validation: csr_matrix, train: csr_matrix) -> Tuned:
    """Choose the settings that rank the validation interactions best, and learn from fit and validation together.

    Args: fit, validation, train (U, I) of the same users and items.
    """
    found = search(method, fit, some_users(validation, JUDGES))
    return Tuned(name, method.fit(train, **found.best), found.best, found.score, found.tried, method.popular)


def mean_ndcg(ranking: Ranking) -> float:
    """Return the mean NDCG of users; 0 where there are none."""
    return float(ranking.ndcg(CUT).mean()) if len(ranking.users) else 0.0


def some_users(relevant: csr_matrix, most: int) -> csr_matrix:
    """Return the interactions of at most `most` users, drawn from those who have any."""
    users = np.flatnonzero(np.diff(relevant.indptr))
    if len(users) <= most:
        return relevant
    kept = np.zeros(relevant.shape[0], bool)
    kept[np.random.default_rng(seed_for(0, "interactions/judges")).choice(users, most, replace=False)] = True
    result = relevant.copy()
    result.data *= np.repeat(kept, np.diff(relevant.indptr))
    result.eliminate_zeros()
    return result
