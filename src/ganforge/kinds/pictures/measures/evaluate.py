"""The evaluation of a generator: measures with floor (real against real) and reference (a Gaussian), and a verdict."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for
from ganforge.errors import DataError, InputError
from ganforge.kinds.pictures.measures.gaussian import SENTENCE, GaussianReference
from ganforge.kinds.pictures.measures.judge import Judge, prepare
from ganforge.kinds.pictures.measures.verdict import judge_run
from ganforge.kinds.pictures.reading.part import FEW_OF_LABEL, FEWEST_COMPARED
from ganforge.measures import labels as label_metrics
from ganforge.measures.distances import diversity, frechet_distance, kernel_distance, kind_scores
from ganforge.measures.intervals import Estimate, with_ends
from ganforge.measures.neighbours import Copying, Space, copying, neighbour_scores
from ganforge.records import Bars, Block, Content, Evaluation, Figure, Meaning, Measure, Prose

MEANINGS: dict[str, Meaning] = {
    "frechet_distance": Meaning(
        "lower", "How far the samples as a whole are from real pictures, in average look and in variety."
    ),
    "kid": Meaning(
        "lower", "The same distance measured without bias from the number of samples; real pictures get about 0."
    ),
    "inception_frechet_distance": Meaning(
        "lower",
        "The Frechet distance on Inception features, as papers measure it, but from fewer pictures: it reads too high.",
    ),
    "precision": Meaning("higher", "Share of samples that look like some real picture."),
    "recall": Meaning(
        "higher", "Share of real pictures that the generator could have made: low means that kinds are missing."
    ),
    "density": Meaning("higher", "How firmly the samples sit where real pictures are; real pictures get about 1."),
    "coverage": Meaning("higher", "Share of real pictures that have a sample close by: low means repetition."),
    "copying": Meaning(
        "lower", "Share of samples that lie as close to one training picture as only 1 in 100 unseen real pictures do."
    ),
    "diversity": Meaning(
        "higher", "How different samples are from each other; real pictures get 1, one picture repeated gets 0."
    ),
    "label_agreement": Meaning("higher", "Share of samples that the judge reads as the label that was asked for."),
    "class_balance": Meaning(
        "lower", "The largest gap between a label's share among the samples and the share it should have."
    ),
}

QUICK = ("kid", "frechet_distance", "precision", "recall", "density", "coverage")  # measured during training


MOST_COMPARED = 5_000  # samples, and as many held-out pictures
MOST_TRAIN = 10_000  # training pictures that samples are compared with one by one
MOST_COPIES = 2_000  # samples searched for copies
SMALL = 16  # pixels of the small versions for the search for copies
CHUNK = 500
MOST_LABELS = 60  # shown
INCEPTION_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"  # torch-fidelity's file name
INCEPTION_CHUNK = 50
FLOOR = "The floor is that of real pictures against other real ones: the best that can be hoped for."

Ruler: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Pictures uint8 (N, C, H, W) -> features (N, D)."""


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

    Args: held_out_features `judge.features` of held-out pictures, in random order; samples uint8
        (N, C, H, W), N >= 12. Both sides are cut to the shorter one, because most measures depend on the sizes: keep
        them constant over a run.
    """
    n = min(len(held_out_features), len(samples))
    _check_count(n)
    real, fake = held_out_features[:n], judge.features(samples[:n])
    scores = {**feature_scores(real, fake), **kind_scores(real, fake, judge.kinds(real), judge.kinds(fake))}
    return with_ends(scores)


def evaluate_pictures(  # noqa: PLR0913 - three sets of pictures, each with what is known of it
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
    rulers: Mapping[str, Ruler] | None = None,
) -> Evaluation:
    """Compare samples, and both rivals (other real pictures, a Gaussian), with held-out pictures.

    At most 5,000 samples and held-out pictures are compared, equally many on each side; floor and reference are
    measured with the same numbers, so that the bias of most measures on small sets is the same in all three
    and cancels in comparisons. Memory is bounded: of `train` at most 10,000 pictures are read.

    Args: train, held_out, samples uint8 (N, C, H, W), arrays or memory maps. unlearned: real pictures that the judge
        was not trained on, for the floor: features of its training pictures differ from those of unseen ones.
        train_count: how many pictures the generator was trained on, by default those of `train`. train_labels (N,),
        sample_labels (M,): the labels requested, if samples are conditional. rulers: other features by the name of
        the Frechet distance that they give.
    Raises: DataError for fewer than 12 pictures on a side or another shape.
    """
    n = min(MOST_COMPARED, len(held_out), len(samples), len(train), len(unlearned))
    _check_count(n)
    # In random order, because blocks, subsets and fits read from the front, and data is often sorted by label.
    real, fake = _subset(held_out, n, "held-out"), _subset(samples, n, "samples")
    base = _subset(train, MOST_TRAIN, "train")
    base_pictures, real_pictures, fake_pictures = train[base], held_out[real], samples[fake]
    base_labels = None if train_labels is None else train_labels[base]
    asked = None if sample_labels is None else sample_labels[fake]
    shuffle = np.random.default_rng(seed_for(0, "metrics/shuffle"))

    rival = GaussianReference.fit(base_pictures, base_labels, max(1, len(label_names)))
    rival_asked = asked if asked is not None and base_labels is not None else rival.draw_labels(n, shuffle)
    rival_pictures = rival.sample(rival_asked, shuffle) if real_pictures.nbytes < 2**29 else None
    floor_pictures = unlearned[_subset(unlearned, n, "unlearned")]
    rivals = (rival.sample(rival_asked[start : start + CHUNK], shuffle) for start in range(0, n, CHUNK))
    real_view, seen, mine, floor = (
        _View.of(judge, [part]) for part in (real_pictures, base_pictures, fake_pictures, floor_pictures)
    )
    other = _View.of(judge, rivals if rival_pictures is None else [rival_pictures])

    scores = [feature_scores(real_view.features, view.features) for view in (mine, floor, other)]
    copies = [_copies(seen, real_view, view, train_count) for view in (mine, other)]
    table = {name: (scores[0][name], scores[1][name].value, scores[2][name].value) for name in scores[0]}
    table["copying"] = (copies[0].share, copies[0].unseen, copies[1].share.value)
    for name, see in (rulers or {}).items():
        drawn = rival_pictures if rival_pictures is not None else rival.sample(rival_asked[:CHUNK], shuffle)
        features, *others = (see(part) for part in (real_pictures, fake_pictures, floor_pictures, drawn))
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
        Measure.of(name, its, MEANINGS[name], floor=floor, reference=reference)
        for name, (its, floor, reference) in table.items()
    )
    facts = {"classes": classes, "nearest": copies[0].sentence, "copying_suspected": copies[0].suspected}
    return Evaluation(
        samples=n,
        held_out=n,
        judge=judge.description,
        floor=FLOOR,
        reference=SENTENCE,
        best="real pictures",
        simplest="a simple Gaussian",
        measures=measures,
        verdict=judge_run(measures, copies[0], classes, asked is not None, compared=n),
        blocks=generated_blocks(facts),
        facts=facts,
    )


@dataclass(frozen=True, slots=True)
class _View:
    """The features and small versions of one set of pictures."""

    features: NDArray[np.float32]  # (N, D)
    pixels: NDArray[np.float32]  # (N, P) small, for copies
    classes: NDArray[np.int64] | None

    @classmethod
    def of(cls, judge: Judge, parts: Iterable[NDArray[np.uint8]]) -> _View:
        """Compute the view. Args: parts of the set, one at a time, to bound memory."""
        seen = [(judge.features(part), small_pictures(part)) for part in parts]
        features, pixels = (np.concatenate(column) for column in zip(*seen, strict=True))
        return cls(features, pixels, judge.classes(features))


def _copies(train: _View, real: _View, view: _View, train_count: int | None) -> Copying:
    """Search the first 2,000 for copies; held-out pictures calibrate."""
    cut = slice(0, MOST_COPIES)
    return copying(
        [
            Space(train.features, real.features[cut], view.features[cut]),
            Space(train.pixels, real.pixels[cut], view.pixels[cut]),
        ],
        train_count,
    )


def small_pictures(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Average pictures down to at most 16 pixels, as vectors (N, P): a slightly blurred copy stays a copy."""
    size = prepare(pictures[:1], SMALL).numel()
    small = np.empty((len(pictures), size), np.float32)
    for start in range(0, len(pictures), CHUNK):
        small[start : start + CHUNK] = prepare(pictures[start : start + CHUNK], SMALL).flatten(1).numpy()
    return small


def _subset(pictures: NDArray[np.uint8], most: int, name: str) -> NDArray[np.int64]:
    """Return indices of `most` pictures in random order, always the same for the same name."""
    return np.random.default_rng(seed_for(0, f"metrics/{name}")).permutation(len(pictures))[:most]


def _check_count(n: int) -> None:
    if n < FEWEST_COMPARED:
        raise DataError(
            f"Only {n} pictures can be compared.",
            f"The measures need at least {FEWEST_COMPARED} on each side.",
            "Give more pictures.",
        )


# ---- Inception features, to compare with papers: only where torch-fidelity AND its weights are on disk --------------


def inception_available() -> tuple[bool, str]:
    """Return whether Inception features are available without a download, and the reason."""
    if importlib.util.find_spec("torch_fidelity") is None:
        return False, "torch-fidelity is not installed (pip install 'ganforge[fidelity]')."
    path = _inception_weights()
    if not path.is_file():
        return False, f"the Inception weights are not at {path}, and ganforge downloads nothing."
    return True, f"torch-fidelity with the weights at {path}."


def inception_features(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the 2,048 pool features of pictures uint8 (N, C, H, W) as in papers; grey is repeated, alpha dropped.

    Raises: InputError if they are not available without a download.
    """
    available, reason = inception_available()
    if not available:
        raise InputError("Inception features cannot be computed.", reason, "Use the judge's own measures instead.")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    extractor = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(_inception_weights())
    )
    parts = []
    for start in range(0, len(pictures), INCEPTION_CHUNK):
        colour = pictures[start : start + INCEPTION_CHUNK, :3]
        if colour.shape[1] != 3:
            colour = np.repeat(colour[:, :1], 3, axis=1)
        with torch.no_grad():
            parts.append(extractor(torch.from_numpy(np.ascontiguousarray(colour)))[0].float().numpy())
    return np.concatenate(parts)


def _inception_weights() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_WEIGHTS


# ---- report blocks ---------------------------------------------------------------------------------------------------


def generated_blocks(facts: Mapping[str, Any]) -> tuple[Block, ...]:
    """Return the report blocks: every label's share, copies, and real pictures beside the reference's.

    Args: facts of the evaluation. The figures are nearest, real and reference.
    """
    real = Figure("pictures/real.png", "Real pictures", "Real pictures of the training data.")
    gaussian = Figure(
        "pictures/reference.png",
        "Pictures drawn from a Gaussian",
        "Pictures drawn from a simple Gaussian, the reference.",
    )
    nearest = Figure(
        "pictures/nearest.png",
        "Generated pictures beside their nearest training pictures",
        "In pairs: a generated picture, and the training picture that is nearest to it. Alike is good; identical is "
        "copying.",
    )
    blocks = [Block("Does it copy?", str(facts["nearest"]), (nearest,))]
    if facts["classes"] is not None:
        blocks.insert(0, _label_block(facts["classes"]))
    lead = "The generated pictures should be taken for the first, and never for the second."
    return (*blocks, Block("Real pictures, and the simplest alternative", lead, (real, gaussian)))


def _label_block(classes: Mapping[str, Any]) -> Block:
    shares = {
        name: tuple(float(share) for share in classes[key][:MOST_LABELS])
        for name, key in (("training data", "training_shares"), ("samples", "sample_shares"))
    }
    names = tuple(str(name) for name in classes["names"][:MOST_LABELS])
    left = len(classes["names"]) - len(names)
    contents: tuple[Content, ...] = (Bars(names, shares),)
    if left:
        contents += (Prose((f"And {left:,} more labels.",)),)
    lead = "Each label's share of the training data, and of the samples. The two bars should be about equally long."
    return Block("Every label", lead, contents)
