"""What the tables say, on recipes and evaluations made by hand."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ganforge.cli import output as tables
from ganforge.recipe import Adversary, Data, Length, Network, Recipe, Request
from ganforge.records import Rows


def _console(width: int = 160) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=width), file


def _recipe(**length: float) -> Recipe:
    return Recipe(
        ganforge="0.1.0",
        task="generate",
        ask=Request(source="digits"),
        data=Data(source="digits", kind="pictures", shape=(1, 28, 28), hash="abcdef", label_names=("3", "7")),
        network=Network(name="conv", width=32),
        objective=Adversary(),
        length=Length.model_validate(length),
        reasons={"network.width": "what five minutes of this machine can train", "task": "the data is pictures"},
    )


def test_the_plan_shows_every_choice_and_its_reason_but_no_hash() -> None:
    console, file = _console()
    tables.print_plan(_recipe(examples=240_000, seconds_allowed=300.0, examples_per_second=800.0), console)
    text = file.getvalue()
    assert "what five minutes of this machine can train" in text
    assert "the data is pictures" in text
    assert "1 x 28 x 28" in text
    for name in ("optimiser.learning_rate_start", "objective.gamma_end", "compute.device", "records.marks"):
        assert name in text
    assert "abcdef" not in text
    assert "Training takes about 5 minutes: 240,000 examples at 800 a second." in text


@pytest.mark.parametrize(
    ("length", "sentence"),
    [
        ({"examples": 2000}, "Training shows 2,000 examples."),
        ({"examples": 2000, "examples_per_second": 100.0}, "Training takes about 20 seconds: 2,000 examples at 100"),
        ({"examples": 10**7, "examples_per_second": 500.0}, "Training takes about 5.6 hours"),
    ],
)
def test_how_long_is_said_as_far_as_it_is_known(length: dict[str, float], sentence: str) -> None:
    assert tables.how_long(_recipe(**length)).startswith(sentence)


@pytest.mark.parametrize("width", [80, 160])
def test_every_measure_stands_beside_floor_and_reference(width: int) -> None:
    console, file = _console(width)
    measure = {"name": "kid", "value": 0.01234, "low": 0.011, "high": 0.013, "floor": 0.0004, "reference": 0.3}
    hollow = {"name": "copying", "value": 1.0, "low": float("nan"), "high": float("nan"), "floor": 0.5}
    tables.print_evaluation(
        {
            "measures": [
                {**measure, "better": "lower", "meaning": "How far the samples are from the data."},
                {**hollow, "reference": float("nan"), "better": "higher", "meaning": "Whether pictures were copied."},
            ],
            "reference": "a Gaussian with the data's mean and covariance.",
            "judge": {"kind": "trained", "sentence": "Features of a network trained on this data."},
            "nearest": "No sample is a copy.",
            "verdict": {"grade": "good", "headline": "These are good samples.", "sentences": ["They vary."]},
        },
        console,
    )
    text = file.getvalue()
    for part in ("0.0123", "0.011 to 0.013", "0.0004", "0.3", "lower", "How far the samples", "- to -"):
        assert part in text
    assert text.index("These are good samples.") > text.index("Features of a network")
    assert text.rstrip().endswith("They vary.")


def test_commands_to_copy_are_never_wrapped() -> None:
    file = io.StringIO()
    command = "ganforge sample " + "runs/a-long-name/" * 8 + " -n 64 --out new.png"
    tables.print_next({command: "new samples"}, Console(file=file, width=40))
    assert command in file.getvalue().splitlines()[0]


def test_words_keep_room_beside_long_names_and_ranges() -> None:
    heads = ("column", "kind", "range", "missing", "distinct", "what will be done", "why")
    does = "learned as a moment in time, to the day"
    found = ("the day of the order", "datetime", "2024-01-01 to 2025-05-14", "1,241", "2,500", does, "it is one")
    console, file = _console(width=80)
    tables._print_rows(Rows(heads, (found,), numeric=(3, 4)), console)
    assert len(file.getvalue().splitlines()) < 12  # not a letter a line
    words = " ".join(file.getvalue().split())
    assert all(word in words for word in ("datetime", "moment", "2025-05-14", "1,241"))
