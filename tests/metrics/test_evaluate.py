"""A whole evaluation: floor, reference and verdict stand where they must, whatever order the data lies in."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from metrics_world import World
from numpy.typing import NDArray

from ganforge.errors import StorageError
from ganforge.kinds.pictures.measures.evaluate import INCEPTION, generated_blocks
from ganforge.measures.gaussian import GaussianReference
from ganforge.measures.generated import evaluate_samples, quick_quality
from ganforge.measures.intervals import Z95
from ganforge.measures.judge import train_judge
from ganforge.measures.labels import Readings, class_table
from ganforge.measures.neighbours import Space, copying
from ganforge.records import Evaluation, Measure

pytestmark = pytest.mark.slow

NAMES = tuple("0123456789")
FAR = 5.0  # standard errors
evaluate_pictures = partial(evaluate_samples, nouns="pictures", blocks=generated_blocks)


def standard_error(one: Measure, other: Measure) -> float:
    """That of the difference of two values, from the wider halves of their intervals."""
    halves = [max(measure.high - measure.value, measure.value - measure.low) for measure in (one, other)]
    return float(np.hypot(*halves)) / Z95


def evaluate(world: World, samples: NDArray[np.uint8], labels: NDArray[np.int64], **changed: Any) -> Evaluation:
    half = len(world.other) // 2
    given: dict[str, Any] = {
        "unlearned": world.other[:half],
        "train_labels": world.train_labels,
        "sample_labels": labels,
        "label_names": NAMES,
    }
    return evaluate_pictures(world.judge, world.train, world.real, samples, **(given | changed))


@pytest.fixture(scope="module")
def perfect(digits: World) -> Evaluation:
    """Unseen real pictures, offered as samples."""
    half = len(digits.other) // 2
    return evaluate(digits, digits.other[half:], digits.other_labels[half:])


def test_unseen_real_pictures_are_as_good_as_the_floor(perfect: Evaluation) -> None:
    for name in ("frechet_distance", "kid", "precision", "recall", "coverage"):
        measure = perfect.measure(name)
        assert abs(measure.value - measure.floor) <= FAR * standard_error(measure, measure), name
    assert perfect.verdict.grade == "excellent"
    assert perfect.verdict.adversarial_helps
    assert not perfect.facts["copying_suspected"]
    assert perfect.facts["classes"]["missing"] == []


def test_training_pictures_offered_as_samples_are_called_copies(digits: World) -> None:
    found = evaluate(digits, digits.train[:500], digits.train_labels[:500])
    assert found.facts["copying_suspected"]
    assert found.verdict.grade not in ("excellent", "good")


def test_the_order_of_the_data_changes_nothing_but_chance(digits: World, perfect: Evaluation) -> None:
    """Folders with a subfolder for each label lie sorted. Whoever reads from the front then sees one label only.

    Other held-out pictures are compared, and other pictures are drawn of the Gaussian. Both move a value by its
    standard error, which its interval tells; that of the reference is told where its pictures are offered as samples.
    Two such values lie within five standard errors of their difference, in all but one of a million draws.
    """
    half = len(digits.other) // 2
    order, drawn = np.argsort(digits.train_labels, kind="stable"), np.argsort(digits.other_labels[half:], kind="stable")
    real = np.argsort(digits.judge.classes(digits.judge.features(digits.real)), kind="stable")
    found = evaluate_pictures(
        digits.judge,
        digits.train[order],
        digits.real[real],
        digits.other[half:][drawn],
        unlearned=digits.other[:half][np.argsort(digits.other_labels[:half], kind="stable")],
        train_labels=digits.train_labels[order],
        sample_labels=digits.other_labels[half:][drawn],
        label_names=NAMES,
    )
    fitted = GaussianReference.fit(digits.train, digits.train_labels, len(NAMES))
    labels = digits.other_labels[half:]
    gaussian = evaluate(digits, fitted.sample(labels, np.random.default_rng(0)), labels)
    for name in ("frechet_distance", "kid", "recall", "coverage", "copying", "label_agreement"):
        one, other, drawn_too = perfect.measure(name), found.measure(name), gaussian.measure(name)
        assert abs(one.value - other.value) <= FAR * standard_error(one, other), name
        assert abs(one.reference - other.reference) <= FAR * standard_error(drawn_too, drawn_too), name


def test_quick_quality_sees_a_missing_half(digits: World) -> None:
    features = digits.judge.features(digits.real)
    whole = quick_quality(digits.judge, features, digits.other)
    some = quick_quality(digits.judge, features, digits.other[digits.other_labels < 5])
    assert some["recall_high"] < whole["recall_low"]
    assert some["kid_low"] > whole["kid_high"]
    assert set(whole) >= {"kid", "kid_low", "kid_high", "frechet_distance", "diversity"}


def test_a_label_that_the_gaussian_never_saw_can_still_be_asked_of_it() -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 255, (50, 1, 8, 8), np.uint8)
    fitted = GaussianReference.fit(pictures, np.zeros(50, np.int64), 7)
    assert fitted.sample(np.array([0, 6, 3]), random).shape == (3, 1, 8, 8)


def test_another_ruler_gives_a_measure_beside_its_own_floor_and_reference(digits: World) -> None:
    def mean_and_spread(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        x = pictures.reshape(len(pictures), -1).astype(np.float32)
        return np.stack([x.mean(1), x.std(1)], axis=1)

    dark = digits.other[500:] // 2
    found = evaluate(
        digits, dark, digits.other_labels[500:], rulers={"inception_frechet_distance": (mean_and_spread, INCEPTION)}
    ).measure("inception_frechet_distance")
    assert found.value > 10 * found.floor


def test_a_label_that_the_judge_does_not_read_in_real_pictures_is_not_called_missing() -> None:
    trained = np.repeat([0, 1, 2], 100)
    blind = class_table(Readings(trained % 2, trained % 2, trained % 2), trained, ["a", "b", "c"])
    assert blind["missing"] == []  # the judge never says "c", not even of real pictures
    seeing = class_table(Readings(trained, trained % 2, trained), trained, ["a", "b", "c"])
    assert seeing["missing"] == ["c"]


def test_copies_are_found_by_their_part_when_only_a_part_is_searched() -> None:
    """A quarter of 4,000 samples are copies; a tenth of the training pictures is searched: about 100 are found."""
    random = np.random.default_rng(0)
    train, unseen = random.normal(size=(20_000, 8)), random.normal(size=(4000, 8))
    copies = train[random.permutation(20_000)[:1000]] + 1e-4
    samples = np.concatenate([copies, random.normal(size=(3000, 8))])
    found = copying([Space(train[:2000], unseen, samples)], train_count=20_000)
    assert found.suspected
    assert "among 2,000 of the 20,000" in found.sentence
    honest = copying([Space(train[:2000], unseen, random.normal(size=(4000, 8)))], train_count=20_000)
    assert not honest.suspected


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageError("The cache could not be written.", "The disk is full.", "Free some space.")

    monkeypatch.setattr("ganforge.measures.judge.write_folder", full)
    pictures = np.random.default_rng(0).integers(0, 255, (60, 1, 8, 8), np.uint8)
    assert train_judge(pictures, None, data_hash="x", cache=tmp_path).settings.learned_from > 0
    assert list(tmp_path.iterdir()) == []
