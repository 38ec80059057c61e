"""The evaluation of new items: who meets them, how sure that is, and whether invented ones are like real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import cross_val_predict

from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.invent.audience import Array, Audiences
from ganforge.kinds.interactions.invent.codes import Codes
from ganforge.kinds.interactions.invent.material import Material
from ganforge.kinds.interactions.invent.model import CHANCE, Inventions
from ganforge.kinds.interactions.invent.product import Stored
from ganforge.kinds.interactions.invent.rivals import METHODS, ORACLE, OURS, RANDOM, SIMPLE, judged, lists_of
from ganforge.measures.energy import energy_scores
from ganforge.measures.intervals import (
    Estimate,
    beside_others,
    certainly_lower,
    from_standard_error,
    mean_by_bootstrap,
    measures_of,
    of_share,
    rival,
)
from ganforge.measures.prediction import auc, auc_standard_error
from ganforge.records import GRADES, Block, Evaluation, Meaning, Rows, Verdict

BOUNDS = (0.8, 0.55, 0.3, 0.1)  # shares of the way from random lists to the oracle's, of the first four grades
TREES = 100
SHOWN = 12
GROUPS, GROUP = 12, 5  # of users that items are invented for; users of each
MEANINGS = {
    "ndcg": Meaning("higher", "NDCG@20 of users' lists of items that nobody had met."),
    "recall": Meaning("higher", "Share of the unseen items that a user met that are among the first 20 of his list."),
    "energy": Meaning("lower", "Energy score of the audiences that unseen items may get: how near, and how sure."),
    "covered": Meaning("higher", "Share of unseen items whose number of users is within its 90 % interval."),
    "detection": Meaning("lower", "AUC of a classifier that tells the features of invented items from unseen ones."),
}


@dataclass(frozen=True, slots=True)
class Spread:
    """How well what an item may get is told, for each unseen item."""

    energies: Mapping[str, Array]  # by method, each (Q,)
    covered: NDArray[np.bool_]  # (Q,) by the method in use


def spread_of(stored: Stored, known: Audiences, codes: Array, truth: Array, sizes: Array) -> Spread:
    """Judge the spread of audiences of unseen items. Args: codes (Q, F); truth (Q, D) audiences; sizes (Q,) users."""
    expected, random = known.predict(codes), np.random.default_rng(seed_for(0, "invent/any"))
    drawn = {name: stored.draw(known, codes, expected, 0, corrected=name == CORRECTED) for name in (LIKE, CORRECTED)}
    anyone = random.integers(0, len(known.residuals), drawn[LIKE].shape[:2])
    drawn |= {ANY: expected[:, None] + known.residuals[anyone], POINT: np.repeat(expected[:, None], 2, 1)}
    unit = known.residuals.std(0) + 1e-9
    energies = {name: energy_scores(own / unit, truth / unit) for name, own in drawn.items()}
    used = known.sizes(drawn[CORRECTED if stored.is_corrected else LIKE])
    low, high = np.quantile(used, ((1 - CHANCE) / 2, (1 + CHANCE) / 2), axis=1)
    return Spread(energies, (np.round(low) <= sizes) & (sizes <= np.round(high)))


LIKE, CORRECTED = "residuals of like items", "corrected by the adversary"
ANY, POINT = "residuals of any items", "the expected audience alone"


def detection_of(made: Array, real: Array) -> Estimate:
    """Return the AUC of a cross-validated classifier that tells rows made from real ones, each (N, F)."""
    rows, labels = np.concatenate([made, real]), np.repeat([True, False], [len(made), len(real)])
    trees = ExtraTreesClassifier(TREES, min_samples_leaf=3, random_state=0)
    scores = cross_val_predict(trees, rows, labels, cv=5, method="predict_proba")[:, 1]
    area = auc(labels, scores)
    return from_standard_error(area, auc_standard_error(area, len(made), len(real)), 0.0, 1.0)


def liking_of(model: Inventions, judge: Audiences, tastes: Array) -> dict[str, Array]:
    """Return how much groups of like users would like items, by a judge that knows other items alone, each (GROUPS,).

    A share of the unseen items that the group would like less.
    """
    random = np.random.default_rng(seed_for(0, "invent/groups"))
    lengths = np.linalg.norm(tastes, axis=1)
    active = np.flatnonzero(lengths >= np.median(lengths))
    found: dict[str, list[float]] = {"invented": [], "best known item": [], "any known item": []}
    for first in random.choice(active, min(GROUPS, len(active)), replace=False):
        cosine = tastes[active] @ tastes[first] / (lengths[active] * lengths[first])
        group = active[np.argsort(-cosine, kind="stable")[:GROUP]]
        liking = tastes[group].mean(0)
        scale = np.sort(judge.fitted.left_out @ liking)
        codes = model.candidates(group, 200, seed=0)
        made = codes[np.argsort(-(model.known.predict(codes) @ liking), kind="stable")[:GROUP]]
        best = model.known.codes[np.argsort(-(model.known.targets @ liking), kind="stable")[:GROUP]]
        drawn = model.known.codes[random.integers(0, len(model.known.codes), GROUP)]
        for name, own in zip(found, (made, best, drawn), strict=True):
            found[name].append(float((np.searchsorted(scale, judge.predict(own) @ liking) / len(scale)).mean()))
    return {name: np.array(values) for name, values in found.items()}


def evaluate_invention(stored: Stored, material: Material, known: Audiences, codes: Codes) -> Evaluation:
    """Return the evaluation by unseen items. Args: known, codes: of all other items."""
    unseen = material.unseen
    rows = codes.encoded(material.features_of(unseen))
    lists = lists_of(material, known, rows)
    scores = {name: judged(ranking) for name, ranking in lists.items()}
    matrix = material.matrix[:, unseen]
    truth, sizes = matrix.T @ known.tastes, np.asarray(matrix.sum(0)).ravel()
    spread = spread_of(stored, known, rows, truth, sizes)
    used = CORRECTED if stored.is_corrected else LIKE
    random = np.random.default_rng(seed_for(0, "invent/verdict"))
    made = stored.invented(known.targets[random.integers(0, len(known.targets), len(rows))], seed=0)
    apart = np.stack([random.permutation(column) for column in known.codes.T], 1)[: len(rows)]
    real = known.codes[random.permutation(len(known.codes))[: len(rows)]]
    scored = {
        **{name: mean_by_bootstrap(values, random) for name, values in scores[OURS].items()},
        "energy": mean_by_bootstrap(spread.energies[used], random),
        "covered": of_share(int(spread.covered.sum()), len(rows)),
        "detection": detection_of(made, rows),
    }
    floors = {name: float(scores[ORACLE][name].mean()) for name in scores[OURS]}
    floors |= {"energy": 0.0, "covered": CHANCE, "detection": detection_of(real, rows).value}
    simplest = {name: float(scores[RANDOM][name].mean()) for name in scores[OURS]}
    simplest |= {
        "energy": float(spread.energies[POINT].mean()), "covered": 0.0, "detection": detection_of(apart, rows).value,
    }  # fmt: skip
    judge = Audiences.fit(rows, known.similarity, known.tastes, truth, 10.0)
    liking = liking_of(_with(stored, known), judge, known.tastes)
    told = [
        rival(name, sentence, {measure: float(values.mean()) for measure, values in scores[name].items()})
        for name, sentence in METHODS.items()
    ]
    spreads = tuple((name, f"{values.mean():.3f}") for name, values in spread.energies.items())
    pleased = tuple((name, f"{values.mean():.0%}") for name, values in liking.items())
    best = max(SIMPLE, key=lambda name: float(scores[name]["ndcg"].mean()))
    beats = _beyond(scores[OURS]["ndcg"], scores[best]["ndcg"], random)
    return Evaluation(
        measures=measures_of(scored, MEANINGS, floors, simplest),
        verdict=_verdict(scored, floors, simplest, (best, beats), spread, used, liking),
        samples=len(rows),
        held_out=len(rows),
        judge={"kind": "unseen items", "sentence": "Items that nothing was learned from are ranked for every user."},
        floor="The floor is a list by how many users each unseen item truly had, and real items.",
        reference="The reference is a random list, the expected audience alone, and each feature drawn by itself.",
        best="the true number of users of each item",
        simplest="random lists",
        blocks=(
            _some_items(_with(stored, known), material, rows, sizes),
            beside_others("Lists of unseen items, over users.", told, {"ndcg": "NDCG@20", "recall": "recall@20"}),
            Block("What unseen items may get", "Energy scores: the lower, the better.",
                  (Rows(("audiences", "energy score"), spreads),)),
            Block("How much groups of like users would like items", "The share of unseen items that they would like "
                  "less, by a regression on unseen items alone.", (Rows(("items", "share"), pleased),)),
        ),
        facts={
            "rivals": told,
            "above_best_simple": {"name": best, "value": beats.value, "low": beats.low, "high": beats.high},
            "corrected": stored.is_corrected,
            "spread": {name: float(values.mean()) for name, values in spread.energies.items()},
            "liking": {name: float(values.mean()) for name, values in liking.items()},
        },
    )  # fmt: skip


def _with(stored: Stored, known: Audiences) -> Inventions:
    """Return the model as it is without the items that judge."""
    model = Inventions(stored)
    model.__dict__["known"] = known
    return model


def _beyond(one: Array, other: Array, random: np.random.Generator) -> Estimate:
    """Return the mean paired difference over users, with its interval."""
    return mean_by_bootstrap(one - other, random)


def _some_items(model: Inventions, material: Material, rows: Array, sizes: Array) -> Block:
    """Show some unseen items: what is expected of them, and what came of it."""
    features = material.features_of(material.unseen[:SHOWN])
    table = model.audience(features, 1).to_dict("records")
    cells = model.stored.described.codes.rows(rows[:SHOWN])
    shown = [
        (
            str(one["item"]),
            "; ".join(str(column[place]) for column in cells.values()),
            f"{one['audience']:,} ({one['audience_low']:,} to {one['audience_high']:,})",
            f"{int(sizes[place]):,}",
        )
        for place, one in enumerate(table)
    ]
    return Block(
        "Some unseen items",
        "How many users each was expected to have, with a 90 % interval, and how many it had.",
        (Rows(("item", "features", "expected", "had"), tuple(shown)),),
        first=True,
    )


def _verdict(
    scored: Mapping[str, Estimate],
    floors: Mapping[str, float],
    simplest: Mapping[str, float],
    beside: tuple[str, Estimate],
    spread: Spread,
    used: str,
    liking: Mapping[str, Array],
) -> Verdict:
    """Grade by how far lists are from random ones to the oracle's; at most fair where a simple method does better.

    Args: beside the best simple method, and how far the regression is above it in NDCG.
    """
    best, beats = beside
    ndcg = scored["ndcg"].value
    share = (ndcg - simplest["ndcg"]) / max(1e-9, floors["ndcg"] - simplest["ndcg"])
    grade = GRADES[max(sum(share < bound for bound in BOUNDS), 2 * (beats.high < 0))]
    headline = f"{grade.capitalize()}: NDCG@20 of unseen items is {ndcg:.3f}, of random lists {simplest['ndcg']:.3f}."
    interval = f"{beats.value:+.3f} ({beats.low:+.3f} to {beats.high:+.3f})"
    ours, start = spread.energies[CORRECTED], spread.energies[LIKE]
    helps = used == CORRECTED and certainly_lower(ours, start)
    sentences = (
        f"The chosen regression is {interval} NDCG@20 {'above' if beats.low > 0 else 'beside'} {best}, the best simple "
        f"method{'.' if beats.low > 0 else ': that one does better.' if beats.high < 0 else ', which would do.'}",
        f"Knowing how many users each item will have, and nothing else, would give {floors['ndcg']:.3f}.",
        f"{scored['covered'].value:.0%} of unseen items got a number of users within their 90 % interval.",
        f"The adversary's corrections of what an item may get were {'' if used == CORRECTED else 'not '}taken: on "
        f"unseen items the energy score is {ours.mean():.3f} with them and {start.mean():.3f} without.",
        f"A classifier tells invented features from real ones at an AUC of {scored['detection'].value:.2f} (real ones "
        f"from each other: {floors['detection']:.2f}; each drawn by itself: {simplest['detection']:.2f}).",
        f"Groups would like invented items more than {liking['invented'].mean():.0%} of unseen ones; the known items "
        f"that they like best, more than {liking['best known item'].mean():.0%}.",
    )
    return Verdict(grade, headline, sentences, helps)
