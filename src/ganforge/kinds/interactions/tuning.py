"""The settings of each scorer, chosen by validation, and which form of it a log is small enough for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
MOST_PAIRS = 500_000_000  # pairs of items of one user, summed over users: beyond, one setting is tried for each rival
MOST_USERS = 50_000  # whose likeness to each other is computed


@dataclass(frozen=True, slots=True)
class Method:
    """A scorer with the values that its settings may have. Of each, the first one is tried first."""

    sentence: str
    fit: Callable[..., Scorer]
    axes: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Tuned:
    """A scorer whose settings validation chose, and who then learned from all that may be known."""

    name: str
    scorer: Scorer
    settings: Settings
    score: float  # NDCG of the settings on validation
    tried: tuple[tuple[Settings, float], ...]

    @property
    def sentence(self) -> str:
        """How the settings were found."""
        if not self.settings:
            return "It has no settings."
        values = ", ".join(f"{name} {value:g}" for name, value in self.settings.items())
        if len(self.tried) == 1:
            return f"{values}: its usual settings, since trying others would take long with so many interactions."
        return f"{values}: the best of {len(self.tried)} settings on validation, NDCG@{CUT} {self.score:.3f}."


METHODS: Mapping[str, Method] = {
    "EASE": Method(
        "Every item is predicted from the others by one ridge regression in closed form.",
        ease,
        {"penalty": (300, 100, 800, 30, 1600, 50, 200, 500, 10)},
    ),
    "RP3beta": Method(
        "Walks from an item to its users to their items, popular ones lowered.",
        rp3beta,
        {"alpha": (1, 0.7, 1.3), "beta": (0.3, 0, 0.5, 0.7), "neighbours": (400, 100, 50)},
    ),
    "UserKNN": Method(
        "What the most similar users have met.", user_knn, {"neighbours": (100, 50, 200, 400), "shrink": (0, 10, 100)}
    ),
    "ItemKNN": Method(
        "Items with the same users as those that were met.",
        item_knn,
        {"neighbours": (100, 50, 200, 400), "shrink": (10, 0, 100)},
    ),
    "iALS": Method(
        "Factors of users and items by alternating least squares.",
        ials,
        {"factors": (32, 64), "unobserved": (0.1, 0.3, 0.03, 1), "penalty": (0.01, 0.003, 0.03, 0.1)},
    ),
    "BPR": Method(
        "Factors that rank what was met above what was not.",
        bpr,
        {"factors": (32, 64), "penalty": (0.01, 0.003, 0.03), "rounds": (20, 60)},
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
        penalties = METHODS["EASE"].axes["penalty"]
        methods["EASE"] = Method(
            METHODS["EASE"].sentence, ease_in_part, {"penalty": penalties, "popular": (most,), "rank": (RANK,)}
        )
        reason = "its matrix of all pairs" if most < MOST_ITEMS else f"a matrix of pairs of more than {most:,} items"
        sentences.append(
            f"EASE is exact among the {most:,} most popular of {items:,} items and of rank {RANK} for the others: "
            f"{reason} would take {4 * items**2 / 1e9:.1f} GB and hours."
        )
    if users > MOST_USERS:
        del methods["UserKNN"]
        sentences.append(f"UserKNN is left out: it compares every user with all {users:,} others.")
    pairs = int((np.diff(matrix.indptr).astype(np.int64) ** 2).sum())
    if pairs > MOST_PAIRS:
        for name in ("iALS", "BPR"):
            del methods[name]
        for name, method in methods.items():
            few = {
                axis: values[: 3 if name == "EASE" and axis == "penalty" else 1] for axis, values in method.axes.items()
            }
            methods[name] = Method(method.sentence, method.fit, few)
        sentences.append(
            f"iALS and BPR are left out, and of EASE three penalties are tried, of others one setting: "
            f"users have {pairs:,} pairs of items."
        )
    return methods, tuple(sentences)


def ranking_of(scorer: Scorer, known: csr_matrix, relevant: csr_matrix, depth: int = DEPTH) -> Ranking:
    """Rank what users have not met, for those whom a scorer learned from. Args: known, relevant (U, I) of all users."""
    return rank(lambda users: scorer.scores(known[users], users), known, relevant, depth)


def tune(name: str, method: Method, fit: csr_matrix, validation: csr_matrix, train: csr_matrix) -> Tuned:
    """Choose the settings that rank the validation interactions best, and learn from fit and validation together.

    Args: fit, validation, train (U, I) of the same users and items. The axes are searched in turn, twice.
    """
    judged = some_users(validation, JUDGES)
    scores: dict[tuple[float, ...], float] = {}

    def score(settings: Settings) -> float:
        key = tuple(settings.values())
        if key not in scores:
            scores[key] = _mean(ranking_of(method.fit(fit, **settings), fit, judged))
        return scores[key]

    best: dict[str, float] = {axis: values[0] for axis, values in method.axes.items()}
    for _ in range(2 if len(best) > 1 else 1):
        for axis, values in method.axes.items():
            reached = [score({**best, axis: value}) for value in values]
            best[axis] = values[int(np.argmax(reached))]
    tried = tuple((dict(zip(best, key, strict=True)), its) for key, its in scores.items())
    return Tuned(name, method.fit(train, **best), best, score(best) if best else float("nan"), tried)


def _mean(ranking: Ranking) -> float:
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
