"""The evaluation of a writer: its curve with and without the adversary, rivals, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganforge.kinds.text.generate.curve import MEANINGS, Point
from ganforge.measures.intervals import Estimate, beside_others, measures_of, rival, values_of
from ganforge.records import GRADES, Block, Evaluation, Figure, Rows, Verdict

BOUNDS = (0.6, 0.7, 0.8, 0.9)  # upper ends of the chance to be told from real texts, of each grade but the last
MOST_COPIES = 0.05  # share of copied texts beyond that among held-out ones, above which it is poor at best
HEADS = {
    "reverse_perplexity": "reverse", "forward_perplexity": "forward", "detection": "detected", "bleu": "BLEU",
    "self_bleu": "Self-BLEU", "distinct_2": "distinct pairs", "length": "length", "copies": "copies",
    "copied_run": "longest copied run",
}  # fmt: skip
SHOWN = 12  # texts of each side
CUT = 200  # characters that are shown of a text


@dataclass(frozen=True, slots=True)
class Compared:
    """Everything that an evaluation measured."""

    mine: Point  # as the model draws when nothing is asked
    plain: Sequence[Point]  # without the adversary, by temperature
    guided: Sequence[Point]  # with it, by temperature; none where there was nothing to correct
    real: Point  # training texts, drawn again
    ngrams: Point  # texts of a Kneser-Ney model
    held_out_copies: float  # share of held-out texts that are training texts
    perplexity: Estimate  # of held-out texts by the network
    ngram_perplexity: Estimate  # by the Kneser-Ney model
    gains: Mapping[str, Estimate]  # judge -> nats a unit beyond the plain curve, below 0 where the adversary helps
    strength: float  # of the guide, as drawn when nothing is asked
    temperature: float
    ranked: Sequence[float]  # how well the first discriminator ranked texts, at each temperature of a guide
    unit: str  # "word"
    texts: int  # held-out


def evaluate_texts(found: Compared, shown: Sequence[str], before: Sequence[str]) -> Evaluation:
    """Return the evaluation. Args: shown texts as drawn when nothing is asked; before without the adversary."""
    mine, real, ngrams = found.mine, found.real, found.ngrams
    rivals = [
        rival("ganforge", "as it draws when nothing is asked", values_of(mine.scores)),
        *(rival(one.name, "the network alone", values_of(one.scores)) for one in found.plain),
        *(rival(one.name, "with the adversary", values_of(one.scores)) for one in found.guided),
        rival("n-grams", "texts of a Kneser-Ney model of order 5: no network", values_of(ngrams.scores)),
        rival("training texts", "drawn again: as good as real ones, and all of them copies", values_of(real.scores)),
    ]
    floors = {**values_of(real.scores), "copies": found.held_out_copies}
    rows = Rows(
        ("As it draws", "Without the adversary"),
        tuple((one[:CUT], other[:CUT]) for one, other in zip(shown[:SHOWN], before[:SHOWN], strict=True)),
    )
    figure = Figure("pictures/curve.png", "Measures of texts at several temperatures", "", wide=True)
    return Evaluation(
        measures=measures_of(mine.scores, MEANINGS, floors, values_of(ngrams.scores)),
        verdict=_verdict(found),
        samples=len(mine.texts),
        held_out=found.texts,
        judge={
            "kind": "n-grams",
            "sentence": "Judges are Kneser-Ney models of order 5 and a logistic regression of n-grams, fitted on "
            "held-out texts, and small networks fitted on drawn ones. None of them took part in training.",
        },
        floor="The floor is what training texts get; of copies, what held-out texts get.",
        reference="The reference is texts of a Kneser-Ney model.",
        best="real texts",
        simplest="n-grams",
        blocks=(
            Block("Read", "None was chosen by hand.", (rows,), first=True),
            Block(
                "Quality against variety",
                "A temperature trades one for the other, so texts are a curve, not a point. Lower curves are better in "
                "the first two panels, and those further to the right in the third. Bands are 95 % intervals.",
                (figure,),
            ),
            beside_others("Every method, measured alike.", rivals, HEADS),
        ),
        facts={
            "rivals": rivals,
            "perplexity": found.perplexity.value,
            "ngram_perplexity": found.ngram_perplexity.value,
            "gains": {name: [one.value, one.low, one.high] for name, one in found.gains.items()},
            "temperature": found.temperature,
            "strength": found.strength,
        },
    )


def _verdict(found: Compared) -> Verdict:
    scores, real, ngrams = found.mine.scores, found.real.scores, found.ngrams.scores
    detected, copies = scores["detection"], scores["copies"]
    grade = sum(detected.value > bound for bound in BOUNDS)
    if copies.low > found.held_out_copies + MOST_COPIES or _simpler(found):
        grade = max(grade, 3)
    word = GRADES[grade]
    sentences = [
        f"The network's perplexity of held-out texts is {found.perplexity.value:.1f} a {found.unit}; that of n-grams "
        f"is {found.ngram_perplexity.value:.1f}"
        + (": train longer, or give more texts; as it is, you need no network." if _simpler(found) else "."),
        _adversary(found),
        f"Drawn texts have a forward perplexity of {scores['forward_perplexity'].value:.1f} and a reverse one of "
        f"{scores['reverse_perplexity'].value:.1f}; training texts drawn again "
        f"{real['forward_perplexity'].value:.1f} and {real['reverse_perplexity'].value:.1f}, n-grams "
        f"{ngrams['forward_perplexity'].value:.1f} and {ngrams['reverse_perplexity'].value:.1f}.",
        f"{copies.value:.1%} of drawn texts are training texts, word for word; of held-out texts "
        f"{found.held_out_copies:.1%} are. On average {scores['copied_run'].value:.1f} {found.unit}s in a row stand in "
        "one.",
    ]
    if scores["self_bleu"].low > real["self_bleu"].high:
        sentences.append("They repeat each other more than real texts do: a higher temperature varies them more.")
    if _simpler(found):
        headline = "n-grams, which are no network, predict these texts better than the network does."
    else:
        headline = (
            f"a classifier tells a real text from a drawn one with a chance of {detected.value:.0%} "
            f"({detected.low:.0%} to {detected.high:.0%}); from another real one with {real['detection'].value:.0%}."
        )
    return Verdict(word, f"{word.capitalize()}: {headline}", tuple(sentences), _helps(found))


def _simpler(found: Compared) -> bool:
    return found.ngram_perplexity.value < found.perplexity.value


def _helps(found: Compared) -> bool | None:
    """Return whether the adversary certainly helps by both judges; None where there is none."""
    return all(one.high < 0 for one in found.gains.values()) if found.gains else None


def _adversary(found: Compared) -> str:
    if not found.gains:
        if not any(found.ranked):
            few = "none was asked for, or too few held-out texts could calibrate it"
            return f"No discriminator was learned ({few}): these are texts of the network alone."
        return (
            f"A discriminator ranks real texts above drawn ones with a chance of {max(found.ranked):.0%}: there is "
            "nothing to correct, and the network's texts are passed through."
        )
    told = " and ".join(
        f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f}) by {judge}" for judge, one in found.gains.items()
    )
    said = "The adversary helps" if _helps(found) else "The adversary does not certainly help"
    used = "" if found.strength else ", and is not used unless --strength asks for it"
    return (
        f"{said}{used}: beside the network alone, at the temperature at which its texts are as likely, the reverse "
        f"log-loss is {told}, in nats a {found.unit}."
    )


def figures_of(found: Compared) -> dict[str, Any]:
    """Return what a benchmark prints: the measures of every point."""
    return {one.name: values_of(one.scores) for one in (*found.plain, *found.guided, found.real, found.ngrams)}
