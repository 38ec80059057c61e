"""What a private release is worth, in words: the guarantee, the usefulness of its samples, and what it is not."""

from __future__ import annotations

from dataclasses import dataclass

from ganforge.kinds.pictures.private.plan import PrivatePictureSettings, guarantee
from ganforge.privacy.ledger import Ledger
from ganforge.privacy.share import share_of
from ganforge.recipe import Recipe
from ganforge.records import Block, Evaluation, Grade, Meaning, Measure, Prose, Rows, Verdict

GRADES: tuple[tuple[float, Grade], ...] = ((0.95, "excellent"), (0.88, "good"), (0.7, "fair"), (0.4, "poor"))
RIGHT = Meaning(
    "higher",
    "Share of the private pictures whose label a classifier finds that learned from released samples alone; counted "
    "once, with noise that the interval holds.",
)
REACHED = Meaning(
    "higher",
    "Share of the private pictures with a released sample about as near as samples are to each other; counted once, "
    "with noise. It is 0.5 if they are spread alike.",
)
PRODUCT = (
    "The release itself is the product: a GAN trained on such samples was measured to be far worse than they are "
    "(docs/trust.md)."
)
SOFT = "The pictures are soft: fine detail would cost more of the budget than it is worth. They serve to train with."


@dataclass(frozen=True, slots=True)
class Counted:
    """The judge's noisy counts, and the deviation of their noise."""

    right: float  # pictures that samples teach to recognise; without labels, that samples reach
    simplest: float  # pictures nearest to the mean of their own label; 0 without labels
    deviation: float


def evaluation_of(
    recipe: Recipe, ledger: Ledger, counted: Counted | None, largest_share: float, learned_from: int
) -> Evaluation:
    """Return measures, verdict and blocks.

    Args: counted None if nothing was kept for a judge; largest_share of a label, 0 without labels; learned_from samples
        that the judge saw.
    """
    own, labelled = recipe.section(PrivatePictureSettings), bool(recipe.data.label_names)
    measures: tuple[Measure, ...] = ()
    told = f"At most epsilon {own.epsilon:g} at delta {own.delta:g}"
    grade: Grade = "fair"
    sentences = [f"The guarantee: {guarantee(recipe)[0]}"]
    headline = f"Private: {told[:1].lower()}{told[1:]}, and how useful it is was not measured."
    if counted is not None:
        share = share_of(counted.right, own.records, counted.deviation)
        simplest = share_of(counted.simplest, own.records, counted.deviation).value
        reference = max(simplest, largest_share)
        name, meaning, floor = ("accuracy", RIGHT, 1.0) if labelled else ("reached", REACHED, 0.5)
        measures = (Measure.of(name, share, meaning, floor=floor, reference=reference),)
        value = share.value if labelled else min(1.0, 2 * share.value)
        grade = next((grade for least, grade in GRADES if value >= least), "failed")
        if labelled and value <= reference:
            grade = "failed" if value <= 2 * largest_share else "poor"
        between = f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"
        if labelled:
            found = f"a classifier that learned from its pictures gets {between} of the private ones right"
            sentences.append(
                f"The nearest mean of a label alone gets {simplest:.1%}, always naming the most frequent label "
                f"{largest_share:.1%}; what a classifier of the private pictures would get was not bought."
            )
        else:
            found = f"{between} of the private pictures have a released one near, where 50 % would be perfect"
        headline = f"{grade.capitalize()}: {told[:1].lower()}{told[1:]}, {found}."
    verdict = Verdict(grade, headline, (*sentences, SOFT, PRODUCT), None)
    heads = ("release", "noise / sensitivity", "times")
    rows = tuple((each.name, f"{each.multiplier:.4g}", str(each.steps)) for each in ledger.releases)
    blocks = (
        Block(
            "How it was made",
            "Nothing was trained, so there are no curves. Sums over the pictures were released once, with noise; "
            "everything on this page follows from them.",
            (Rows(heads, rows, f"Together they cost an epsilon of {ledger.spent:.4g}.", (1, 2)),),
        ),
        Block("Outside the guarantee", "", (Prose((*ledger.outside, *ledger.public)),)),
    )
    return Evaluation(
        measures=measures,
        verdict=verdict,
        samples=learned_from,
        held_out=own.records,
        judge={"kind": "noisy count", "sentence": "A noisy count over the private pictures, paid for by the budget."},
        floor="What nothing can surpass: it is known without a look at the data.",
        reference="The better of two ways that cost nothing more: the nearest mean of a label, the most frequent one.",
        best="the best there is",
        simplest="the simplest way",
        blocks=blocks,
        facts={"epsilon": ledger.spent, "delta": own.delta},
    )
