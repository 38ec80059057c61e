"""The evaluation of a generator: measures with floor (real against real) and reference (a Gaussian), and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for, subset
from ganforge.errors import DataError
from ganforge.measures import labels as label_metrics
from ganforge.measures.distances import diversity, frechet_distance, kernel_distance, kind_scores
from ganforge.measures.gaussian import SENTENCE, GaussianReference
from ganforge.measures.intervals import Estimate, with_ends
from ganforge.measures.judge import FLOOR_SHARE, Judge, prepare
from ganforge.measures.labels import FEW_OF_LABEL
from ganforge.measures.neighbours import FEWEST_COMPARED, Copying, Space, copying, neighbour_scores
from ganforge.measures.verdict import judge_run
from ganforge.records import Block, Evaluation, Meaning, Measure

MEANINGS: dict[str, Meaning] = {
    "frechet_distance": Meaning(
        "lower", "How far the samples as a whole are from real ones, on average and in variety."
    ),
    "kid": Meaning(
        "lower", "The same distance measured without bias from the number of samples; real ones get about 0."
    ),
    "precision": Meaning("higher", "Share of samples that are like some real example."),
    "recall": Meaning(
        "higher", "Share of real examples that the generator could have made: low means that kinds are missing."
    ),
    "density": Meaning("higher", "How firmly the samples sit where real examples are; these get about 1."),
    "coverage": Meaning("higher", "Share of real examples that have a sample close by: low means repetition."),
    "copying": Meaning(
        "lower", "Share of samples that lie as close to one training example as only 1 in 100 unseen real ones do."
    ),
    "diversity": Meaning("higher", "How different samples are from each other; real ones get 1, one repeated gets 0."),
    "label_agreement": Meaning("higher", "Share of samples that the judge reads as the label that was asked for."),
    "class_balance": Meaning(
        "lower", "The largest gap between a label's share among the samples and the share it should have."
    ),
}

QUICK = ("kid", "frechet_distance", "precision", "recall", "density", "coverage")  # measured during training


MOST_COMPARED = 5_000  # samples, and as many held-out examples
MOST_TRAIN = 10_000  # training examples that samples are compared with one by one
MOST_COPIES = 2_000  # samples searched for copies
SMALL = 16  # pixels of the small versions for the search for copies
CHUNK = 500
FLOOR = "The floor is that of real examples against other real ones: the best that can be hoped for."

Ruler: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Examples uint8 (N, C, H, W) -> features (N, D)."""


@dataclass(frozen=True, slots=True)
class JudgeSplit:
    """Which training examples the judge may learn from, and which it never sees: the unseen ones of the floor."""

    unlearned: NDArray[np.int64]  # withheld from the judge
    learned: NDArray[np.int64]  # what `train_judge` is given
    learns: bool  # False where so few are left that its network stays as initialised

    @classmethod
    def of(cls, train: int, held_out: int, most: int, judged: int) -> JudgeSplit:
        """Split training examples, always alike.

        As many are withheld as a comparison needs, if need be all: then the judge learns from none (train_judge).
        Args: train, held_out how many there are; most that the judge reads; judged at most in a comparison.
        """
        share = max(train // FLOOR_SHARE, FEWEST_COMPARED)
        withheld = min(train, judged, held_out, share)
        chosen = subset(train, withheld + most, "judge/train")
        learns = len(chosen) >= withheld + FEWEST_COMPARED
        return cls(chosen[:withheld], chosen[withheld:] if learns else chosen, learns)


def feature_scores(real: NDArray[np.float32], fake: NDArray[np.float32]) -> dict[str, Estimate]:
    """Compute every measure that depends only on two sets of features (N, D) and (M, D)."""
    return {
        "frechet_distance": frechet_distance(real, fake),
        "kid": kernel_distance(real, fake),
        **neighbour_scores(real, fake),
        "diversity": diversity(real, fake),
    }


def quick_quality(judge: Judge, held_out_features: NDArray[np.float32], samples: NDArray[np.uint8]) -> dict[str, float]:
    """Measure quality during training: QUICK, diversity and `kind_scores` of the judge's kinds.
    Each measure comes with {measure}_low and {measure}_high.

    Args: held_out_features `judge.features` of held-out examples, in random order; samples uint8
        (N, C, H, W), N >= 12. Both sides are cut to the shorter one, because most measures depend on the sizes: keep
        them constant over a run.
    """
    n = min(len(held_out_features), len(samples))
    _check_count(n)
    real, fake = held_out_features[:n], judge.features(samples[:n])
    scores = {**feature_scores(real, fake), **kind_scores(real, fake, judge.kinds(real), judge.kinds(fake))}
    return with_ends(scores)


def evaluate_samples(  # noqa: PLR0913 - three sets of examples, each with what is known of it
    judge: Judge,
    train: NDArray[np.uint8],
    held_out: NDArray[np.uint8],
    samples: NDArray[np.uint8],
    *,
    unlearned: NDArray[np.uint8],
    train_count: int | None = None,
    train_labels: NDArray[np.int64] | None = None,
    sample_labels: NDArray[np.int64] | None = None,
    label_names: Sequence[str] = (),
    rulers: Mapping[str, tuple[Ruler, Meaning]] | None = None,
    nouns: str = "examples",
    blocks: Callable[[Mapping[str, Any]], tuple[Block, ...]] = lambda facts: (),
) -> Evaluation:
    """Compare samples, and both rivals (other real examples, a Gaussian), with held-out examples.

    At most 5,000 samples and held-out examples are compared, equally many on each side; floor and reference are
    measured with the same numbers, so that the bias of most measures on small sets is the same in all three
    and cancels in comparisons. Memory is bounded: of `train` at most 10,000 examples are read.

    Args: train, held_out, samples uint8 (N, C, H, W), arrays or memory maps. unlearned: real examples that the judge
        was not trained on, for the floor: features of its training examples differ from those of unseen ones.
        train_count: how many examples the generator was trained on, by default those of `train`. train_labels (N,),
        sample_labels (M,): the labels requested, if samples are conditional. rulers: other features by the name of
        the Frechet distance that they give, with its meaning.
    Raises: DataError for fewer than 12 examples on a side or another shape.
    """
    n = min(MOST_COMPARED, len(held_out), len(samples), len(train), len(unlearned))
    _check_count(n, nouns)
    # In random order, because blocks, subsets and fits read from the front, and data is often sorted by label.
    real, fake = _subset(held_out, n, "held-out"), _subset(samples, n, "samples")
    base = _subset(train, MOST_TRAIN, "train")
    base_examples, real_examples, fake_examples = train[base], held_out[real], samples[fake]
    base_labels = None if train_labels is None else train_labels[base]
    asked = None if sample_labels is None else sample_labels[fake]
    shuffle = np.random.default_rng(seed_for(0, "metrics/shuffle"))

    rival = GaussianReference.fit(base_examples, base_labels, max(1, len(label_names)))
    rival_asked = asked if asked is not None and base_labels is not None else rival.draw_labels(n, shuffle)
    rival_examples = rival.sample(rival_asked, shuffle) if real_examples.nbytes < 2**29 else None
    floor_examples = unlearned[_subset(unlearned, n, "unlearned")]
    rivals = (rival.sample(rival_asked[start : start + CHUNK], shuffle) for start in range(0, n, CHUNK))
    real_view, seen, mine, floor = (
        _View.of(judge, [part]) for part in (real_examples, base_examples, fake_examples, floor_examples)
    )
    other = _View.of(judge, rivals if rival_examples is None else [rival_examples])

    scores = [feature_scores(real_view.features, view.features) for view in (mine, floor, other)]
    copies = [_copies(seen, real_view, view, train_count, nouns) for view in (mine, other)]
    table = {name: (scores[0][name], scores[1][name].value, scores[2][name].value) for name in scores[0]}
    table["copying"] = (copies[0].share, copies[0].unseen, copies[1].share.value)
    meanings = {**MEANINGS, **{name: meaning for name, (_, meaning) in (rulers or {}).items()}}
    for name, (see, _) in (rulers or {}).items():
        drawn = rival_examples if rival_examples is not None else rival.sample(rival_asked[:CHUNK], shuffle)
        features, *others = (see(part) for part in (real_examples, fake_examples, floor_examples, drawn))
        found = [frechet_distance(features, other_features) for other_features in others]
        table[name] = (found[0], found[1].value, found[2].value)
    classes = None
    if (
        base_labels is not None
        and mine.classes is not None
        and real_view.classes is not None
        and other.classes is not None
    ):
        readings = label_metrics.Readings(real_view.classes, mine.classes, other.classes)
        table |= label_metrics.label_scores(
            readings,
            base_labels,
            asked,
            rival_asked,
            judge.settings.accuracy,
            np.random.default_rng(seed_for(0, "metrics/bootstrap")),
        )
        classes = label_metrics.class_table(readings, base_labels, label_names)
        counts = np.bincount(base_labels, minlength=len(label_names))
        if len(base_labels) == (train_count or len(train)) and (counts < FEW_OF_LABEL).any():
            classes["few"] = [name for name, count in zip(label_names, counts, strict=False) if count < FEW_OF_LABEL]
    measures = tuple(
        Measure.of(name, its, meanings[name], floor=floor, reference=reference)
        for name, (its, floor, reference) in table.items()
    )
    facts = {"classes": classes, "nearest": copies[0].sentence, "copying_suspected": copies[0].suspected}
    return Evaluation(
        samples=n,
        held_out=n,
        judge=judge.description,
        floor=FLOOR,
        reference=SENTENCE,
        best=f"real {nouns}",
        simplest="a simple Gaussian",
        measures=measures,
        verdict=judge_run(measures, copies[0], classes, asked is not None, compared=n, nouns=nouns),
        blocks=blocks(facts),
        facts=facts,
    )


@dataclass(frozen=True, slots=True)
class _View:
    """The features and small versions of one set of examples."""

    features: NDArray[np.float32]  # (N, D)
    pixels: NDArray[np.float32]  # (N, P) small, for copies
    classes: NDArray[np.int64] | None

    @classmethod
    def of(cls, judge: Judge, parts: Iterable[NDArray[np.uint8]]) -> _View:
        """Compute the view. Args: parts of the set, one at a time, to bound memory."""
        seen = [(judge.features(part), small_versions(part)) for part in parts]
        features, pixels = (np.concatenate(column) for column in zip(*seen, strict=True))
        return cls(features, pixels, judge.classes(features))


def _copies(train: _View, real: _View, view: _View, train_count: int | None, nouns: str) -> Copying:
    """Search the first 2,000 for copies; held-out examples calibrate."""
    cut = slice(0, MOST_COPIES)
    return copying(
        [
            Space(train.features, real.features[cut], view.features[cut]),
            Space(train.pixels, real.pixels[cut], view.pixels[cut]),
        ],
        train_count,
        nouns,
    )


def small_versions(examples: NDArray[np.uint8], side: int = SMALL) -> NDArray[np.float32]:
    """Average examples down to at most `side` pixels, as vectors (N, P): a slightly blurred copy stays a copy."""
    size = prepare(examples[:1], side).numel()
    small = np.empty((len(examples), size), np.float32)
    for start in range(0, len(examples), CHUNK):
        small[start : start + CHUNK] = prepare(examples[start : start + CHUNK], side).flatten(1).numpy()
    return small


def _subset(examples: NDArray[np.uint8], most: int, name: str) -> NDArray[np.int64]:
    """Return indices of `most` examples in random order, always the same for the same name."""
    return np.random.default_rng(seed_for(0, f"metrics/{name}")).permutation(len(examples))[:most]


def _check_count(n: int, nouns: str = "examples") -> None:
    if n < FEWEST_COMPARED:
        raise DataError(
            f"Only {n} {nouns} can be compared.",
            f"The measures need at least {FEWEST_COMPARED} on each side.",
            f"Give more {nouns}.",
        )
