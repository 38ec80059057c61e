"""Each check sees its ailment where it was planted, and nothing where it was not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from histories import RECORDS, gan, measure, regression

from ganforge.diagnosis import CHECKS, diagnose
from ganforge.engine.guard_ladders import LADDERS
from ganforge.records import History, Record


def late(i: int) -> float:
    """0 in the first third of the run, rising to 1 at its end."""
    return max(0.0, (i + 1) / RECORDS - 1 / 3) * 1.5


def ailments(history: History) -> set[str]:
    return {finding.ailment for finding in diagnose(history)}


# ---- the planted faults ---------------------------------------------------------------------------------------------


def winning_discriminator(i: int, record: Record) -> None:
    record["notes"]["discriminator"].update(
        ranked_right=0.999, score_real=1 + 15 * late(i), score_fake=-1 - 15 * late(i)
    )
    record["terms"]["generator"]["adversarial"] = 2 + 30 * late(i)
    if "quality" in record:
        record["quality"] = {"fid": 300.0, "precision": 0.0, "recall": 0.3}


def starving_generator(i: int, record: Record) -> None:
    """The saturating game: the generator's loss stays near zero while its gradient dies."""
    record["notes"]["discriminator"].update(ranked_right=1.0, score_real=12.0, score_fake=-12.0)
    record["terms"]["generator"]["adversarial"] = -1e-5
    record["gradient_norms"]["generator"] = 0.3 * 10 ** (-3 * late(i))
    record.pop("quality", None)


def blind_discriminator(i: int, record: Record) -> None:
    fade = 10 ** (-4 * late(i))
    record["notes"]["discriminator"].update(
        ranked_right=0.5 + 0.3 * fade, score_real=0.5 * fade, score_fake=-0.5 * fade
    )
    record["gradient_norms"]["discriminator"] = 0.8 * fade
    if "quality" in record:
        record["quality"] = {"fid": 250.0}


def constant_discriminator(i: int, record: Record) -> None:
    """Dead from the start: one score for everything, so that no pair is ranked at all."""
    record["notes"]["discriminator"].update(ranked_right=0.0, score_real=0.3, score_fake=0.3)
    record["gradient_norms"]["discriminator"] = 0.0
    if "quality" in record:
        record["quality"] = {"fid": 250.0}


def flattened_discriminator(i: int, record: Record) -> None:
    """A penalty a million times too strong: one score for everything, and a gradient norm that is all the penalty's."""
    record["notes"]["discriminator"].update(ranked_right=0.3, score_real=0.0701, score_fake=0.0700)
    record["terms"]["discriminator"] = {"adversarial": 0.69, "r1": 3.0, "r2": 3.0}
    record["gradient_norms"]["discriminator"] = 200.0
    if "quality" in record:
        record["quality"] = {"fid": 250.0}


def falling_recall(i: int, record: Record) -> None:
    if "quality" in record:
        record["quality"] = {"fid": 60.0, "precision": 0.8, "recall": 0.5 * (1 - late(i))}


def low_coverage(i: int, record: Record) -> None:
    if "quality" in record:
        record["quality"] = {"fid": 60.0, "precision": 0.8, "coverage": 0.08}


def typical_only(i: int, record: Record) -> None:
    if "quality" in record:
        record["quality"] = {"kid": 0.02, "precision": 0.99, "recall": 0.1, "coverage": 0.8, "diversity": 0.9}


def exploding_at_the_end(i: int, record: Record) -> None:
    if i > RECORDS - 5:
        record["gradient_norms"]["generator"] = 40.0 * 2.0**i


def infinite_norm(i: int, record: Record) -> None:
    if i > RECORDS - 4:
        record["gradient_norms"]["discriminator"] = math.inf


def growing_loss(i: int, record: Record) -> None:
    record["terms"]["discriminator"]["adversarial"] = 0.5 * 10 ** (4 * late(i))


def one_spike(i: int, record: Record) -> None:
    if i == 30:
        record["gradient_norms"]["generator"] = 50.0


def dying_gradient(i: int, record: Record) -> None:
    record["gradient_norms"]["generator"] = 0.3 * 10 ** (-8 * late(i))
    if "quality" in record:
        record["quality"] = {"fid": 100.0}


def standing_still(i: int, record: Record) -> None:
    record["update_ratios"]["generator"] = 1e-9
    if "quality" in record:
        record["quality"] = {"fid": 100.0}


def skipping(i: int, record: Record) -> None:
    record["skipped"] = i


def rewinding(i: int, record: Record) -> None:
    record["attempt"] = 2 if i > 30 else 0


def still_improving(i: int, record: Record) -> None:
    if "quality" in record:
        record["quality"] = {"fid": 300.0 - 4 * i}


def slowing_down(i: int, record: Record) -> None:
    if i > RECORDS // 2:
        record["examples_per_second"] *= 0.2


def overfitting(i: int, record: Record) -> None:
    if "quality" in record:
        notes = record["notes"]["discriminator"]
        notes["score_held_out"] = notes["score_real"] - 0.8 * late(i) * (notes["score_real"] - notes["score_fake"])


def few_kinds(i: int, record: Record) -> None:
    if "quality" in record:
        record["quality"] = {"kid": 0.3, "kinds_reached": 0.3, "kind_diversity": 0.9}


def one_for_each_kind(i: int, record: Record) -> None:
    if "quality" in record:
        record["quality"] = {"kid": 0.3, "kinds_reached": 1.0, "kind_diversity": 0.1, "coverage": 0.05}


def turning_in_circles(i: int, record: Record) -> None:
    record["notes"]["discriminator"].update(score_real=0.6 + math.sin(0.9 * i), score_fake=0.2 - math.sin(0.9 * i))
    if "quality" in record:
        record["quality"] = {"fid": 200.0}


def waiting_for_batches(i: int, record: Record) -> None:
    record["waiting"] = 0.7


PLANTED: list[tuple[str, Callable[[int, Record], None]]] = [
    ("discriminator_wins", winning_discriminator),
    ("discriminator_wins", starving_generator),
    ("discriminator_blind", blind_discriminator),
    ("discriminator_blind", constant_discriminator),
    ("discriminator_blind", flattened_discriminator),
    ("collapse", falling_recall),
    ("collapse", low_coverage),
    ("collapse", few_kinds),
    ("class_collapse", one_for_each_kind),
    ("oscillating", turning_in_circles),
    ("narrow", typical_only),
    ("exploding", exploding_at_the_end),
    ("exploding", infinite_norm),
    ("exploding", growing_loss),
    ("exploding", one_spike),
    ("vanishing", dying_gradient),
    ("vanishing", standing_still),
    ("not_finite", skipping),
    ("not_finite", rewinding),
    ("too_short", still_improving),
    ("starved", slowing_down),
    ("starved", waiting_for_batches),
    ("discriminator_overfits", overfitting),
]


@pytest.mark.parametrize(("ailment", "plant"), PLANTED, ids=lambda value: getattr(value, "__name__", value))
def test_a_planted_fault_is_found_with_numbers_a_cause_and_a_remedy(
    ailment: str, plant: Callable[[int, Record], None]
) -> None:
    finding = CHECKS[ailment](gan(plant))
    assert finding is not None
    assert finding.ailment == ailment
    assert any(character.isdigit() for character in finding.evidence)
    assert finding.cause.endswith(".")
    assert "`" in finding.remedy or "--" in finding.remedy


@pytest.mark.parametrize("length", [3, 12, RECORDS, 300])
def test_a_healthy_run_has_no_finding_at_any_length(length: int) -> None:
    good = {
        "measures": [
            measure("fid", 18, "lower", 2.5, 400),
            measure("recall", 0.55),
            measure("authenticity", 0.51, floor=0.5),
        ],
        "classes": {"names": ["a", "b"], "training_shares": [0.9, 0.1], "sample_shares": [0.92, 0.08]},
    }
    assert diagnose(gan(n=length, evaluation=good)) == ()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.6, 0.9])
def test_a_healthy_run_has_no_finding_while_it_is_under_way(share: float) -> None:
    assert diagnose(History(records=gan().records[: max(1, int(RECORDS * share))])) == ()


def test_an_empty_history_has_no_finding() -> None:
    assert diagnose(History(records=())) == ()


def test_a_converged_regression_has_no_finding() -> None:
    """Its gradient norm falls by seven powers of ten: that is success, and the checks on GANs stay silent."""
    assert diagnose(regression()) == ()


def test_a_regression_whose_gradient_is_dead_although_its_loss_never_fell_is_found() -> None:
    assert ailments(regression(final_loss=0.999)) == {"vanishing"}


def test_a_single_spike_is_only_a_note_and_a_lasting_one_is_critical() -> None:
    spike, lasting = CHECKS["exploding"](gan(one_spike)), CHECKS["exploding"](gan(exploding_at_the_end))
    assert spike is not None
    assert spike.severity == "note"
    assert lasting is not None
    assert lasting.severity == "critical"


def test_a_discriminator_that_ranks_well_while_quality_improves_is_no_ailment() -> None:
    def plant(i: int, record: Record) -> None:
        winning_discriminator(i, record)
        if "quality" in record:
            record["quality"] = {"fid": 300.0 - 4.5 * i}

    assert CHECKS["discriminator_wins"](gan(plant)) is None


def test_a_discriminator_that_cannot_rank_because_samples_are_as_good_as_real_is_no_ailment() -> None:
    def plant(i: int, record: Record) -> None:
        blind_discriminator(i, record)
        if "quality" in record:
            record["quality"] = {"fid": 300.0 if i < 10 else 3.0}

    evaluation = {"measures": [measure("fid", 3.0, "lower", floor=2.5, reference=400)]}
    assert CHECKS["discriminator_blind"](gan(plant, evaluation=evaluation)) is None


def test_low_recall_of_a_model_that_draws_nothing_like_data_yet_is_not_called_collapse() -> None:
    def plant(i: int, record: Record) -> None:
        if "quality" in record:
            record["quality"] = {"precision": 0.05, "recall": 0.1}

    assert CHECKS["collapse"](gan(plant)) is None


def test_a_low_recall_with_good_coverage_is_narrow_and_not_collapsed() -> None:
    assert ailments(gan(typical_only)) == {"narrow"}


def test_collapse_is_seen_in_an_evaluation_alone() -> None:
    evaluation = {"measures": [measure("precision", 0.9), measure("coverage", 0.1, floor=0.96)]}
    finding = CHECKS["collapse"](gan(lambda i, record: record.pop("quality", None), evaluation=evaluation))
    assert finding is not None
    assert "0.10" in finding.evidence
    assert "0.96" in finding.evidence


def test_a_class_that_is_not_drawn_is_named_with_both_shares() -> None:
    classes = {"names": ["cat", "dog"], "training_shares": [0.8, 0.2], "sample_shares": [0.99, 0.01]}
    assert CHECKS["missing_classes"](gan(evaluation={"classes": classes})) is None
    classes["missing"] = ["dog"]
    finding = CHECKS["missing_classes"](gan(evaluation={"classes": classes}))
    assert finding is not None
    assert "dog (20.0% of the data, 1.0% of the samples)" in finding.evidence
    assert "cat" not in finding.evidence


def test_copying_is_what_the_evaluation_suspects_and_nothing_else() -> None:
    evaluation = {"measures": [measure("copying", 0.4, "lower", 0.02, 1.0)], "copying_suspected": True}
    finding = CHECKS["copying"](gan(evaluation=evaluation))
    assert finding is not None
    assert "40.0% of the samples" in finding.evidence
    assert CHECKS["copying"](gan(evaluation=evaluation | {"copying_suspected": False})) is None


def test_scores_that_drift_over_a_run_are_no_overfitting() -> None:
    """A relativistic score has no zero: what counts is where held-out data lies at the same moment."""

    def plant(i: int, record: Record) -> None:
        notes, drift = record["notes"]["discriminator"], 0.2 * i
        notes["score_real"] += drift
        notes["score_fake"] += drift
        if "quality" in record:
            notes["score_held_out"] = notes["score_real"] - 0.1 * (notes["score_real"] - notes["score_fake"])

    assert CHECKS["discriminator_overfits"](gan(plant)) is None


def test_noise_before_training_is_no_diversity_to_fall_from() -> None:
    def plant(i: int, record: Record) -> None:
        if "quality" in record:
            record["quality"]["diversity"] = 2.2 if i < 10 else 0.95

    assert CHECKS["collapse"](gan(plant)) is None


def test_a_regression_that_had_arrived_before_its_first_record_is_no_ailment() -> None:
    """A minute on a small table is a million steps: the loss is flat from the first record on."""
    flat = regression(final_loss=0.999)
    near = replace(flat, evaluation={"solution": {"distance": 0.001}})
    good = replace(flat, evaluation={"measures": [measure("r2", 0.5)]})
    assert CHECKS["vanishing"](flat) is not None
    assert CHECKS["vanishing"](near) is None
    assert CHECKS["vanishing"](good) is None


def test_a_schedule_that_ends_at_nothing_is_not_called_vanishing() -> None:
    def plant(i: int, record: Record) -> None:
        for player in record["learning_rates"]:
            factor = 10 ** (-7 * late(i))
            record["learning_rates"][player] = 0.003 * factor
            record["update_ratios"][player] = 1e-3 * factor

    assert CHECKS["vanishing"](gan(plant)) is None


def test_the_remedy_for_a_short_run_names_twice_its_minutes() -> None:
    finding = CHECKS["too_short"](gan(still_improving))
    assert finding is not None
    assert finding.severity == "note"
    assert "--minutes 10" in finding.remedy  # the planted run took 300 seconds


def test_a_run_that_is_not_over_is_not_called_short() -> None:
    assert CHECKS["too_short"](History(records=gan(still_improving).records[:50])) is None


def test_little_to_see_is_not_blindness() -> None:
    """Columns that hardly depend on each other: a sound discriminator has a small lead from first to last."""

    def plant(i: int, record: Record) -> None:
        flattened_discriminator(i, record)
        record["terms"]["discriminator"] = {"adversarial": 0.69, "r1": 0.01, "r2": 0.01}
        record["gradient_norms"]["discriminator"] = 0.2

    assert CHECKS["discriminator_blind"](gan(plant)) is None


def test_findings_come_most_severe_first() -> None:
    def plant(i: int, record: Record) -> None:
        slowing_down(i, record)
        skipping(i, record)
        falling_recall(i, record)

    severities = [finding.severity for finding in diagnose(gan(plant))]
    assert severities == sorted(severities, key=("critical", "warning", "note").index)
    assert severities[0] == "critical"


def test_every_check_is_listed_under_the_name_of_its_ailment() -> None:
    of_data = {"too_little_data", "wrong_data", "meaningless_labels"}  # tests/diagnosis/test_data.py
    assert {ailment for ailment, _ in PLANTED} | {"copying", "missing_classes"} | of_data == set(CHECKS)


def test_the_guard_does_not_act_on_what_the_clock_decides() -> None:
    def any_speed(i: int, record: Record) -> None:
        record.update(seconds=9.0**i, examples_per_second=1e6 / (i + 1), waiting=0.9)

    assert {finding.ailment for finding in diagnose(gan(any_speed))} == {"starved"}
    assert diagnose(gan(any_speed), LADDERS) == ()


def test_steps_that_get_dearer_because_a_player_joins_are_no_slow_machine() -> None:
    def joined_late(i: int, record: Record) -> None:
        record["examples_per_second"] = 1000.0 if i < 30 else 200.0
        if i < 30:
            del record["gradient_norms"]["discriminator"]

    assert CHECKS["starved"](gan(joined_late)) is None


def test_the_number_of_checks_that_the_documents_name_is_the_number_of_checks() -> None:
    root = Path(__file__).parents[2]
    for page in (*root.glob("README*.md"), *(root / "docs").glob("*.md")):
        if page.name != "log.md":  # which says what was true on its day
            assert set(re.findall(r"\b(\d+) checks", page.read_text("utf-8"))) <= {str(len(CHECKS))}, page
