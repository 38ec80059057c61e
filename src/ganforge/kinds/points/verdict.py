"""The evaluation of generated points: measures with floor and rivals, a verdict in words, and report blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ganforge.kinds.points.measures import MEANINGS, Array, Modes, gaussian, mixture, scores
from ganforge.measures.intervals import Estimate, beside_others, measures_of, rival, values_of
from ganforge.records import GRADES, Bars, Block, Evaluation, Verdict

MOST_JUDGED = 10_000  # samples of an evaluation
BOUNDS = (0.15, 0.35, 0.6, 0.9)  # upper ends of the loss for each grade but the last
LEAST_WAY = 0.02  # between real points and a Gaussian: less is inconclusive
MOST_NAMED = 5  # modes
MOST_BARS = 60
Scores = Mapping[str, Estimate]


def evaluate_points(
    train: Array, held_out: Array, samples: Array, modes: Modes, place: Callable[[Array], str], first: tuple[Block, ...]
) -> Evaluation:
    """Compare samples, other real points, a Gaussian and a mixture with held-out points.

    Args: all points in standard deviations of the data; place formats a point (F,) as text; first the blocks that
        precede the others. The facts are modes {found, reached, missing} and rivals.
    """
    count = min(len(samples), len(held_out))
    mixed, components = mixture(train, count)
    other = np.random.default_rng(0).permutation(train)[:count]
    sides = {"model": samples[:count], "real": other, "gaussian": gaussian(train, count), "mixture": mixed}
    scored = {name: scores(held_out, side, modes) for name, side in sides.items()}
    mine, floor, simplest = scored["model"], scored["real"], scored["gaussian"]
    due, drawn = modes.shares_of(held_out), modes.shares_of(samples)
    missing = [place(modes.centres[number]) for number in modes.missing(samples)]
    mixture_words = f"a mixture of {components} Gaussians, which took seconds"
    told = [
        rival("ganforge", "this run", values_of(mine)),
        rival("a Gaussian", "with the mean and covariance of the training points", values_of(simplest)),
        rival(
            "a Gaussian mixture",
            f"of {components} components, as many as the BIC asks for",
            values_of(scored["mixture"]),
        ),
        rival("other real points", "of the training part: the best that can be had", values_of(floor)),
    ]
    names = tuple(place(centre) for centre in modes.centres[:MOST_BARS])
    bars = Bars(names, {"real points": tuple(due[:MOST_BARS]), "samples": tuple(drawn[:MOST_BARS])})
    blocks = (
        *first,
        Block("Does it find every mode?", "The share of each cluster, named by the place of its centre.", (bars,)),
        beside_others("The same measures for methods that are not GANs.", told, {}),
    )
    return Evaluation(
        measures=measures_of(mine, MEANINGS, values_of(floor), values_of(simplest)),
        verdict=_verdict(mine, floor, simplest, scored["mixture"], modes, missing, mixture_words),
        samples=count,
        held_out=len(held_out),
        judge={"kind": "none", "sentence": ""},
        floor="The floor is what other real points get.",
        reference="The reference is a Gaussian with the mean and covariance of the training points.",
        best="real points",
        simplest="a Gaussian",
        blocks=blocks,
        facts={
            "modes": {"found": len(modes), "reached": len(modes) - len(missing), "missing": missing},
            "rivals": told,
        },
    )


def lost(mine: Scores, floor: Scores, simplest: Scores) -> float:
    """Return the loss of realism, 0 for real points and about 1 for a Gaussian: the largest of three shares.

    distance: its position between that of real points and the Gaussian's; modes: the share not reached; precision:
    as the distance.
    """
    shares = [1 - mine["modes_reached"].value]
    for name in ("sliced_wasserstein", "precision"):
        way = simplest[name].value - floor[name].value
        gone = (mine[name].value - floor[name].value) / way if abs(way) > LEAST_WAY else 0.0
        shares.append(max(0.0, gone))
    return max(shares)


def _verdict(
    mine: Scores, floor: Scores, simplest: Scores, mixed: Scores, modes: Modes, missing: list[str], mixture_words: str
) -> Verdict:
    reached, count = len(modes) - len(missing), len(modes)
    limit = 4 if not reached else 3 if reached < count / 2 else 2 if missing else 0
    grade = GRADES[max(sum(lost(mine, floor, simplest) > bound for bound in BOUNDS), limit)]
    on, distance = mine["on_modes"], mine["sliced_wasserstein"]
    helps = distance.high < simplest["sliced_wasserstein"].value and mine["precision"].low > simplest["precision"].value
    near = f"{mine['precision'].value:.0%} of the points lie where real ones do"  # with one cluster, modes say nothing
    found = f"{reached} of {count} modes are found, with {on.value:.0%} of the points on them" if count > 1 else near
    sentences = [
        f"{on.value:.1%} of the points lie on a mode ({on.low:.1%} to {on.high:.1%}); of other real points "
        f"{floor['on_modes'].value:.1%} do, of a Gaussian's {simplest['on_modes'].value:.1%}.",
        f"The distance to real points is {distance.value:.3g} standard deviations ({distance.low:.3g} to "
        f"{distance.high:.3g}); other real points get {floor['sliced_wasserstein'].value:.3g}, a Gaussian "
        f"{simplest['sliced_wasserstein'].value:.3g}.",
    ]
    if missing:
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        sentences.append(f"Missing: the modes at {', '.join(missing[:MOST_NAMED])}{more}.")
    theirs = mixed["sliced_wasserstein"].value
    if theirs <= distance.value and mixed["modes_reached"].value >= mine["modes_reached"].value:
        sentences.append(f"For the points alone you need no GAN: {mixture_words}, gets {theirs:.3g}.")
    else:
        sentences.append(f"It is nearer to real points than {mixture_words}: that gets {theirs:.3g}.")
    return Verdict(grade, f"{grade.capitalize()}: {found}.", tuple(sentences), helps)
