"""The evaluation of a policy: what it is worth beside others by a log, and whether the log can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.policy.choice import Tilt, chosen, tilts
from ganforge.kinds.interactions.policy.material import Material, tastes
from ganforge.kinds.interactions.policy.product import Stored
from ganforge.kinds.interactions.policy.rewards import MOST_ALIKE, Floats
from ganforge.kinds.interactions.policy.rewards import Rows as UserRows
from ganforge.kinds.interactions.policy.tilt import Array
from ganforge.kinds.interactions.scorers import ease
from ganforge.measures.intervals import Estimate, measures_of, rival
from ganforge.measures.off_policy import LEAST_SHARE, Worth, difference
from ganforge.records import Block, Evaluation, Grade, Meaning, Rows, Verdict

PENALTY = 300.0  # of EASE
SHOWN = 12  # users
UNSUPPORTED = "the logs cannot support a claim"
POLICY, LOGGING, PLAIN, ALONE = "the policy", "as the log", "reward model", "without the adversary"
MEANINGS = {
    "value": Meaning("higher", "Mean reward of a choice by the policy, estimated from choices that others made."),
    "gain": Meaning("higher", "How much more that is than what the log's own choices earned."),
    "effective_share": Meaning("higher", "Share of the logged choices that the estimate is in effect made of."),
}
SENTENCES = {
    POLICY: "What was trained.",
    LOGGING: "The choices as they were made.",
    "uniform": "Every item equally often.",
    "popularity": "Items by their share of the interactions.",
    "EASE": "The base policy, tilted by the scores of EASE on what users liked.",
    "item mean": "The base policy, tilted by the mean reward of each item: the same for everybody.",
    ALONE: "The policy by the reward model alone.",
    PLAIN: "The base policy, tilted by the expected rewards at the price by Kullback and Leibler.",
}


def evaluate_policy(stored: Stored, material: Material) -> Evaluation:
    """Return the evaluation of a policy by the test part, which has chosen nothing."""
    situations = material.to_judge
    worths = _worths(stored, material)
    own, logging = worths[POLICY], worths[LOGGING]
    gain = difference(own, logging)
    best = float(situations.draws.reward.max())
    scored = {"value": own.value, "gain": gain, "effective_share": Estimate(own.share, own.share, own.share)}
    uniform = worths["uniform"]
    floors = {"value": best, "gain": best - logging.value.value, "effective_share": 1.0}
    references = {"value": uniform.value.value, "gain": uniform.value.value - logging.value.value,
                  "effective_share": uniform.share}  # fmt: skip
    return Evaluation(
        measures=measures_of(scored, MEANINGS, floors, references),
        verdict=_verdict(stored, material, worths, gain),
        samples=situations.count,
        held_out=len(np.unique(situations.draws.user)),
        judge={"kind": "off-policy", "sentence": _propensities(material)},
        floor="The floor is the highest reward at every choice.",
        reference="The reference is every item equally often.",
        best="the highest reward",
        simplest="every item equally often",
        blocks=(_some_users(stored, material), _table(worths)),
        facts={"rivals": [_plain(name, its) for name, its in worths.items()]},
    )


def _worths(stored: Stored, material: Material) -> dict[str, Worth]:
    """Return what the policy and its rivals are worth."""
    prices, scores = _prices(material), _scores(material, "train")

    def policies(users: UserRows, base: Array) -> Iterator[Array]:
        there = base > 0
        yield stored.policy(users, base)
        yield there / there.sum(1, keepdims=True)
        yield base
        yield from (prices[name].of(base, score(users)) for name, score in scores.items())
        if stored.discriminator is not None:
            yield stored.without.of(base, stored.rewards.of(users))

    situations = material.to_judge
    names = [POLICY, "uniform", "popularity", *scores]
    if stored.discriminator is not None:
        names.append(ALONE)
    found = dict(zip(names, situations.worths(policies, stored.rewards), strict=True))
    if material.propensities is None:
        found[LOGGING] = found.pop("popularity")  # so its choices are taken to be made
    else:
        found[LOGGING] = situations.as_logged()
    return found


def _scores(material: Material, part: str) -> dict[str, Callable[[UserRows], Floats]]:
    """Return what rivals take for rewards. Args: part of the log that is learned from, "fit" or "train"."""
    log: Log = getattr(material.split, part)
    rewards = material.fitted if part == "fit" else material.refitted
    means = rewards.item_means[None]
    scores: dict[str, Callable[[UserRows], Floats]] = {
        "item mean": lambda users: np.repeat(means, len(users), 0),
        PLAIN: rewards.of,
    }
    if len(log.items) <= MOST_ALIKE:
        liked = tastes(log, material.liked_from).maximum(0)
        scorer = ease(liked, PENALTY)
        scores["EASE"] = lambda users: scorer.scores(liked[users])
    return scores


def _prices(material: Material) -> dict[str, Tilt]:
    """Return how far each rival goes from the base policy: by validation, as the policy itself."""
    situations, found = material.to_choose, {}
    some = np.unique(situations.draws.user)[:500]
    for name, score in _scores(material, "fit").items():
        every = [tilt for tilt in tilts(max(float(score(some).std()), 1e-9)) if name != PLAIN or tilt.closeness == "kl"]

        def policies(users: UserRows, base: Array, score=score, every=every) -> Iterator[Array]:  # type: ignore[no-untyped-def]
            scores = score(users)
            yield from (tilt.of(base, scores) for tilt in every)

        found[name] = chosen(dict(zip(every, situations.worths(policies, material.fitted), strict=True)))
    return found


# ---- in words --------------------------------------------------------------------------------------------------------


def _verdict(stored: Stored, material: Material, worths: Mapping[str, Worth], gain: Estimate) -> Verdict:
    """Grade by what is certain: better than the log's choices, and than every rival that the log can judge.

    It is good at best where the propensities do not fit, and poor where the log cannot tell.
    """
    own, logging = worths[POLICY], worths[LOGGING]
    rivals = {name: its for name, its in worths.items() if name not in (POLICY, LOGGING) and its.supported}
    best = max(rivals, key=lambda name: rivals[name].value.value, default=LOGGING)
    over = difference(own, worths[best])
    shown = (
        f"{own.value.value:.3f} against {logging.value.value:.3f}, "
        f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
    )
    helps = ALONE in worths and difference(own, worths[ALONE]).low > 0
    sentences = (
        _propensities(material),
        f"The estimate is in effect made of {own.share:.0%} of the {material.to_judge.count:,} choices.",
        f"The best other policy that the log can judge is {best}, {worths[best].value.value:.3f}; "
        f"the difference is {over.value:+.3f} ({over.low:+.3f} to {over.high:+.3f}).",
        _adversary(worths),
        *_doubts(own),
    )
    if not own.supported:
        headline = f"{UNSUPPORTED} about this policy: the effective share is {own.share:.1%}"
        return Verdict("poor", f"Poor: {headline}.", sentences, helps)
    grade: Grade
    if gain.low > 0:
        grade = "excellent" if over.low > 0 and own.weights_fit else "good"
        taken = "" if own.weights_fit else ", if items were chosen as was taken"
        headline = f"certainly better than the log's own choices{taken}: {shown}"
    elif gain.high < 0:
        grade, headline = "failed", f"certainly worse than the log's own choices: {shown}"
    else:
        grade, headline = "fair", f"not certainly better than the log's own choices: {shown}"
    return Verdict(grade, f"{grade.capitalize()}: {headline}.", sentences, helps)


def _propensities(material: Material) -> str:
    """Return where the propensities are from, a sentence."""
    if material.propensities is not None:
        return "How likely each choice was stands in the log."
    return (
        "How likely each choice was is not in the log: it was taken to be the item's share of the interactions. "
        "People choose what they expect to like, so that every value here is rather too high."
    )


def _adversary(worths: Mapping[str, Worth]) -> str:
    """Return what the adversary adds, a sentence."""
    if ALONE not in worths:
        return "The adversary was not certainly better by validation, so that the reward model alone is used."
    gain = difference(worths[POLICY], worths[ALONE])
    return (
        "The adversary corrects the expected rewards, which was certainly better by validation; here it adds "
        f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})."
    )


def _doubts(own: Worth) -> list[str]:
    """Return what speaks against the propensities."""
    if own.weights_fit:
        return []
    return [
        f"The mean weight is {own.weight.value:.2f}, where right propensities give 1: take the values as a ranking."
    ]


def _table(worths: Mapping[str, Worth]) -> Block:
    heads = ("policy", "value", "95 % interval", "doubly robust", "effective share", "")
    rows = []
    for name in sorted(worths, key=lambda name: (name != POLICY, -worths[name].value.value)):
        its = worths[name]
        robust = "" if its.doubly_robust is None else f"{its.doubly_robust.value:.3f}"
        interval = f"{its.value.low:.3f} to {its.value.high:.3f}"
        doubt = "" if its.supported else UNSUPPORTED
        rows.append((name, f"{its.value.value:.3f}", interval, robust, f"{its.share:.3f}", doubt))
    lead = (
        "The mean reward of a choice, by self-normalised importance sampling, with an interval over users. Below an "
        f"effective share of {LEAST_SHARE:g} too few of the logged choices are like the policy's."
    )
    return Block("What policies are worth", lead, (Rows(heads, tuple(rows), numeric=(1, 3, 4)),))


def _some_users(stored: Stored, material: Material) -> Block:
    """Show what the policy would most likely give to some users, those with the most interactions."""
    train = material.split.train
    users = np.argsort(-train.counts(), kind="stable")[:SHOWN]
    policy = stored.policy(users, stored.base(users, exclude_seen=material.propensities is None))
    rows = []
    for user, chances in zip(users, policy, strict=True):
        best = np.argsort(-chances, kind="stable")[:3]
        rows.append((str(train.users[user]), ", ".join(f"{train.items[item]} ({chances[item]:.1%})" for item in best)))
    return Block(
        "Some users", "The three items that each would most likely get.", (Rows(("user", "items"), tuple(rows)),), True
    )


def _plain(name: str, its: Worth) -> dict[str, object]:
    """Return one policy as evaluation.json stores it."""
    robust = {} if its.doubly_robust is None else {"doubly_robust": its.doubly_robust.value}
    return rival(name, SENTENCES[name], {"value": its.value.value, "effective_share": its.share, **robust}) | {
        "low": its.value.low, "high": its.value.high, "supported": its.supported,
    }  # fmt: skip
