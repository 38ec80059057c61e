"""The evaluation of a recommender: accuracy beside every rival, what its lists show, and for whom they are good.

Shape letters here: U users, I items, M judged users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.recommend.exposure import KNOTS, SHOWN, Shelf
from ganforge.kinds.interactions.recommend.material import Material, RecommendSettings, counts_of
from ganforge.kinds.interactions.recommend.product import Stored
from ganforge.kinds.interactions.scorers import Floats
from ganforge.kinds.interactions.tuning import SLOW, methods_for, ranking_of, some_users, tune
from ganforge.measures.intervals import (
    Estimate,
    beside_others,
    from_jackknife,
    mean_by_bootstrap,
    means_by_bootstrap,
    measures_of,
    rival,
    values_of,
)
from ganforge.measures.ranking import (
    Ranking,
    coverage,
    gini,
    groups_of_items,
    groups_of_users,
    novelty,
    of_each_user,
    top_items,
)
from ganforge.records import Block, Evaluation, Grade, Meaning, Rows, Verdict

JUDGED = 10_000  # users of an evaluation, at most
LEAVE_OUT = 20  # blocks of users of the jackknife
EXAMPLES, REASONS = 5, 2
NAME, RIVAL = "ganforge", "EASE"
MEANINGS = {
    "ndcg": Meaning("higher", "How far up in a list of ten the items stand that users went on to meet (NDCG@10)."),
    "precision": Meaning("higher", "Share of the first five items of a list that users went on to meet."),
    "recall": Meaning("higher", "Share of what users went on to meet that is in a list of ten."),
    "mrr": Meaning("higher", "One over the place of the first item that a user went on to meet."),
    "coverage": Meaning("higher", "Share of all items that are in at least one list of ten."),
    "gini": Meaning("lower", "How unequally often items are shown: 0 all as often, near 1 always the same few."),
    "tail": Meaning("higher", "Share of the places of lists that show other items than the most popular half."),
    "novelty": Meaning("higher", "Bits of surprise of an item of a list: one in 1,000 interactions has 10."),
}
HEADS = {"ndcg": "NDCG@10", "precision": "P@5", "recall": "recall@10", "mrr": "MRR", "tail": "rare items"}
OF_EACH = {"ndcg": "ndcg@10", "precision": "precision@5", "recall": "recall@10", "mrr": "mrr"}
BESIDE = ("ndcg", "recall", "mrr", "coverage", "gini", "tail")


@dataclass(frozen=True, slots=True)
class Judged:
    """A ranking of the test part, and its NDCG@10 beside that of EASE."""

    ranking: Ranking
    ndcg: NDArray[np.float64]  # (M,)

    @classmethod
    def of(cls, ranking: Ranking) -> Judged:
        return cls(ranking, ranking.ndcg(SHOWN))

    def beside(self, other: Judged) -> Estimate:
        """Return by how much its NDCG@10 is above another one's, for the same users."""
        return _mean(self.ndcg - other.ndcg)


def evaluate_recommender(material: Material, chosen: RecommendSettings, stored: Stored) -> Evaluation:
    """Return the evaluation of a recommender on the test part, at its exposure and at others."""
    train, test = material.train, some_users(material.test, JUDGED)
    counts = counts_of(train)
    popular = groups_of_items(counts.astype(np.int64))["popular items"]

    def judged(shelf: Shelf) -> Judged:
        return Judged.of(ranking_of(shelf, train, test))

    ones = np.ones_like(counts)
    ease = judged(Shelf(stored.scorer, ones))
    mine = judged(stored.shelf(chosen.exposure))
    at = {knot: judged(stored.shelf(knot)) for knot in sorted({*KNOTS, chosen.exposure})}
    methods, sentences = methods_for(material.fit)
    rivals = {RIVAL: (ease, f"{methods[RIVAL].sentence} Its penalty {chosen.penalty:g} was chosen by validation.")}
    for name, method in methods.items():
        if name != RIVAL:
            tuned = tune(name, method.usual() if name in SLOW else method, material.fit, material.validation, train)
            rivals[name] = judged(Shelf(tuned.scorer, ones)), f"{method.sentence} {tuned.sentence}"
    scored, simplest = _scores(mine.ranking, counts, popular), _scores(rivals["popularity"][0].ranking, counts, popular)
    floors = _floors(mine.ranking, counts, popular)
    told = [rival(NAME, "this run", _values(mine.ranking, counts, popular))]
    told += [rival(name, words, _values(other.ranking, counts, popular)) for name, (other, words) in rivals.items()]
    groups = _groups(mine, ease, np.asarray(np.diff(train.indptr)), popular)
    apart, best = mine.beside(ease), mine.beside(at[0.0])
    without = None if stored.residual is None else mine.beside(_without_residual(stored, chosen, judged))
    fallen = [name for name, (_, _, _, change) in groups.items() if change.high < 0]
    verdict = _verdict(scored, simplest, apart, without, stored.gain, _shown(mine, ease), fallen)
    blocks = (
        _examples(material, stored, chosen),
        beside_others(" ".join(("All learn from the same interactions.", *sentences)), told, HEADS),
        _frontier(at, ease, chosen.exposure),
        _group_block(groups),
    )
    return Evaluation(
        measures=measures_of(scored, MEANINGS, floors, values_of(simplest)),
        verdict=verdict,
        samples=len(mine.ranking.users),
        held_out=int(test.nnz),
        judge={"kind": "none", "sentence": "All items are ranked; none is sampled."},
        floor="The floor is what users went on to meet, in lists of ten.",
        reference="The reference is the same list of popular items for everybody.",
        best="what users went on to meet",
        simplest="popularity",
        blocks=blocks,
        facts={
            "rivals": told,
            "beside_ease": _plain(apart),
            "beside_exposure_0": _plain(best),
            "residual_on_validation": _plain(stored.gain),
            "residual_added": stored.residual is not None,
            "frontier": [
                {"exposure": knot, **_values(one.ranking, counts, popular), "beside_ease": _plain(one.beside(ease))}
                for knot, one in at.items()
            ],
            "groups": [
                {"group": name, "users": users, "ease": theirs, "ndcg": ours, "beside_ease": _plain(change)}
                for name, (users, theirs, ours, change) in groups.items()
            ],
        },
    )


# ---- numbers ---------------------------------------------------------------------------------------------------------


def _mean(values: NDArray[np.float64]) -> Estimate:
    return mean_by_bootstrap(values, np.random.default_rng(seed_for(0, "recommend/users")))


def _plain(its: Estimate) -> dict[str, float]:
    return {"value": its.value, "low": its.low, "high": its.high}


def _of_lists(top: NDArray[np.int32], counts: Floats, popular: NDArray[np.bool_]) -> dict[str, float]:
    """Return what lists show. Args: top (M, K)."""
    shown = top[top >= 0]
    return {
        "coverage": coverage(top, len(counts)),
        "gini": gini(top, len(counts)),
        "tail": float((~popular[shown]).mean()) if len(shown) else 0.0,
        "novelty": float(novelty(top, counts.astype(np.int64)).mean()),
    }


def _values(ranking: Ranking, counts: Floats, popular: NDArray[np.bool_]) -> dict[str, float]:
    each = of_each_user(ranking)
    own = {name: float(each[key].mean()) for name, key in OF_EACH.items()}
    found = own | _of_lists(ranking.top[:, :SHOWN], counts, popular)
    return {name: found[name] for name in BESIDE}


def _scores(ranking: Ranking, counts: Floats, popular: NDArray[np.bool_]) -> dict[str, Estimate]:
    """Return every measure with its interval over users."""
    each, top = of_each_user(ranking), ranking.top[:, :SHOWN]
    scored = means_by_bootstrap({name: each[key] for name, key in OF_EACH.items()}, "recommend/users")
    block = np.random.default_rng(seed_for(0, "recommend/blocks")).permutation(len(top)) % LEAVE_OUT
    left = [_of_lists(top[block != number], counts, popular) for number in range(LEAVE_OUT)]
    for name, value in _of_lists(top, counts, popular).items():
        scored[name] = from_jackknife(value, np.array([one[name] for one in left]))
    return scored


def _floors(ranking: Ranking, counts: Floats, popular: NDArray[np.bool_]) -> dict[str, float]:
    """Return the measures of lists that hold what users went on to meet, the most popular first."""
    relevant = ranking.places
    owners = np.repeat(np.arange(len(ranking.users)), np.diff(relevant.indptr))
    order = np.lexsort((-counts[relevant.indices], owners))
    place = np.arange(relevant.nnz) - np.repeat(relevant.indptr[:-1], np.diff(relevant.indptr))
    lists = np.full((len(ranking.users), SHOWN), -1, np.int32)
    lists[owners[place < SHOWN], place[place < SHOWN]] = relevant.indices[order][place < SHOWN]
    found = np.minimum(np.diff(relevant.indptr), SHOWN)
    most = {
        "ndcg": 1.0,
        "precision": float(np.minimum(found, 5).mean() / 5),
        "recall": float((found / np.diff(relevant.indptr)).mean()),
        "mrr": 1.0,
    }
    return most | _of_lists(lists, counts, popular)


def _groups(
    mine: Judged, ease: Judged, met: NDArray[np.int64], popular: NDArray[np.bool_]
) -> dict[str, tuple[int, float, float, Estimate]]:
    """Return for each group of users, and of items to be found: how many users, both NDCGs, and the change."""
    found = {}
    for name, group in groups_of_users(met[mine.ranking.users]).items():
        if group.any():
            ours, theirs = mine.ndcg[group], ease.ndcg[group]
            found[name] = (int(group.sum()), float(theirs.mean()), float(ours.mean()), _mean(ours - theirs))
    for name, items in {"popular items": popular, "rare items": ~popular}.items():
        ours, theirs = (one.ranking.of_items(items).ndcg(SHOWN) for one in (mine, ease))
        if len(ours):
            found[name] = (len(ours), float(theirs.mean()), float(ours.mean()), _mean(ours - theirs))
    return found


def _without_residual(stored: Stored, chosen: RecommendSettings, judged: object) -> Judged:
    shelf = stored.shelf(chosen.exposure)
    return judged(Shelf(shelf.scorer, shelf.factor, shelf.prices))  # type: ignore[operator, no-any-return]


def _shown(mine: Judged, ease: Judged) -> dict[str, tuple[float, float]]:
    """Return coverage and Gini of EASE's lists and of these."""
    return {
        name: (
            measure(ease.ranking.top[:, :SHOWN], ease.ranking.items),
            measure(mine.ranking.top[:, :SHOWN], mine.ranking.items),
        )
        for name, measure in (("coverage", coverage), ("gini", gini))
    }


# ---- blocks ----------------------------------------------------------------------------------------------------------


def _change(its: Estimate) -> str:
    return f"{its.value:+.4f} ({its.low:+.4f} to {its.high:+.4f})"


def _examples(material: Material, stored: Stored, chosen: RecommendSettings) -> Block:
    """Show the lists of some users, with what they went on to meet."""
    users = np.flatnonzero(np.diff(material.test.indptr))[:: max(1, material.test.shape[0] // EXAMPLES)][:EXAMPLES]
    ids, shelf, rows = material.reading.log, stored.shelf(chosen.exposure), []
    for user in users:
        history = material.train[[user]]
        top = top_items(shelf.scores(history), SHOWN)[0]
        later = set(material.test[[user]].indices.tolist())
        items = [int(item) for item in top if item >= 0]
        for place, (item, why) in enumerate(zip(items, stored.reasons(history.indices, items, REASONS), strict=True)):
            rows.append(
                (
                    ids.users[user] if place == 0 else "",
                    str(ids.items[item]),
                    "yes" if item in later else "",
                    ", ".join(str(ids.items[other]) for other in why),
                )
            )
    table = Rows(("user", "recommended", "met later", "because of"), tuple(rows))
    return Block(
        "Some lists",
        "The best ten items for some users, and what they had met that speaks for each.",
        (table,),
        first=True,
    )


def _frontier(at: Mapping[float, Judged], ease: Judged, exposure: float) -> Block:
    """Show what is given up where, and what is gained."""
    rows = []
    for name, one in [("EASE", ease), *((f"{knot:g}", one) for knot, one in at.items())]:
        top = one.ranking.top[:, :SHOWN]
        rows.append(
            (
                name + (" (chosen)" if name == f"{exposure:g}" else ""),
                f"{one.ndcg.mean():.4f}",
                _change(one.beside(ease)) if one is not ease else "",
                f"{coverage(top, one.ranking.items):.3f}",
                f"{gini(top, one.ranking.items):.3f}",
            )
        )
    return Block(
        "Accuracy against how much is shown",
        "At 0 lists are the most accurate; at 1 items are shown as often as users meet them (--diversity).",
        (Rows(("diversity", "NDCG@10", "beside EASE", "coverage", "Gini"), tuple(rows), numeric=(1, 3, 4)),),
    )


def _group_block(groups: Mapping[str, tuple[int, float, float, Estimate]]) -> Block:
    rows = [
        (name, f"{users:,}", f"{theirs:.4f}", f"{ours:.4f}", _change(change), "falls" if change.high < 0 else "")
        for name, (users, theirs, ours, change) in groups.items()
    ]
    return Block(
        "For whom it works",
        "NDCG@10 of groups of users, and of lists judged by popular items alone, those that hold half of all "
        "interactions, or by the others.",
        (Rows(("group", "users", "EASE", NAME, "change", ""), tuple(rows), numeric=(1, 2, 3)),),
    )


# ---- words -----------------------------------------------------------------------------------------------------------


def _verdict(
    scored: Mapping[str, Estimate],
    simplest: Mapping[str, Estimate],
    apart: Estimate,
    without: Estimate | None,
    gain: Estimate,
    shown: Mapping[str, tuple[float, float]],
    fallen: Sequence[str],
) -> Verdict:
    """Grade by the place between popularity and EASE, and say what was gained and by what."""
    ndcg, least = scored["ndcg"], simplest["ndcg"]
    grade: Grade = "fair"
    if ndcg.high < least.low:
        grade = "failed"
    elif ndcg.low <= least.high:
        grade = "poor"
    elif apart.low > 0:
        grade = "excellent"
    elif apart.high >= 0:
        grade = "good"
    standing = "above EASE" if apart.low > 0 else "below EASE" if apart.high < 0 else "as good as EASE"
    (before, after), (uneven, even) = shown["coverage"], shown["gini"]
    headline = (
        f"{grade.capitalize()}: NDCG@10 is {ndcg.value:.3f}, {standing}, and lists show {after:.0%} of the items, "
        f"those of EASE {before:.0%}."
    )
    helps = without is not None and without.low > 0
    added = (
        f"The adversary's residual was not added: on validation it changed NDCG@10 by {_change(gain)}."
        if without is None
        else f"The adversary's residual was added: on test it changes NDCG@10 by {_change(without)}."
    )
    sentences = (
        f"NDCG@10 beside EASE, for the same users: {_change(apart)}; popularity reaches {least.value:.3f}.",
        f"Gini's coefficient of how often items are shown is {even:.3f}, EASE's {uneven:.3f}.",
        added,
        f"Finding: NDCG@10 certainly falls for {' and '.join(fallen)}."
        if fallen
        else "For no group of users or items does NDCG@10 certainly fall beside EASE.",
    )
    return Verdict(grade, headline, sentences, helps)
