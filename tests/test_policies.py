"""Every rule by which a run is planned and steered, as a table that a person can read: tests/policies/.

A rule that changes must be changed there too, by hand, and says so in CHANGELOG.md. The numbers are those that real
plans, games and guards give; what is timed on a machine is replaced by STEADY examples a second.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from ganforge.api.request import request_of, task_for
from ganforge.api.train import fit_settings, with_guard
from ganforge.contracts import Job, Levers
from ganforge.engine import guard as guard_module
from ganforge.engine import guard_ladders as ladders
from ganforge.engine.checkpoint import Clock, State
from ganforge.engine.guard import Guard
from ganforge.engine.guard_ladders import Memory
from ganforge.kinds.pictures import plan as plan_pictures
from ganforge.kinds.pictures.translate import plan as plan_translate
from ganforge.kinds.tables import plan as plan_rows
from ganforge.kinds.tables.regress import plan as plan_table
from ganforge.planning import compute
from ganforge.recipe import Recipe, Size
from ganforge.records import Finding

from fixtures import make  # isort: skip

GOLDEN = Path(__file__).parent / "policies"
STEADY = 1_000.0  # examples a second, on every machine
SIZES: tuple[Size, ...] = get_args(Size)
PROGRESS = (0.0, 0.01, 0.25, 0.5, 0.75, 1.0)
NOT_A_RULE = ("ganforge", "ask", "data", "reasons", "compute")  # of this machine, this data, or words


def assert_golden(name: str, lines: Sequence[str]) -> None:
    golden = (GOLDEN / f"{name}.txt").read_text("utf-8").splitlines()
    then, now = ([line for line in text if not line.startswith("#")] for text in (golden, lines))
    assert list(now) == then, "\n".join(
        difflib.unified_diff(then, list(now), f"policies/{name}.txt", "now", "", "", 0, "")
    )


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()


@pytest.fixture(scope="module", autouse=True)
def _steady() -> Iterator[None]:
    """What depends on this machine is the same on all: its device, its threads, its speed."""
    with pytest.MonkeyPatch.context() as patched:
        for module in (plan_pictures, plan_rows, plan_translate, compute):
            patched.setattr(module, "measure_rate", lambda *_, **__: STEADY)
        patched.setattr(plan_table, "measure_rate", lambda *_, **__: STEADY)
        yield


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[..., Job]]:
    """A job of each kind of game, by a name for it; each takes what else is asked for."""
    root = tmp_path_factory.mktemp("data")
    make.write_pictures(root / "pairs" / "A", make.pictures(60, seed=0))
    make.write_pictures(root / "pairs" / "B", 255 - make.pictures(60, seed=0))
    make.write_pictures(root / "crowds" / "discs", make.pictures(60, seed=0), "d")
    make.write_pictures(root / "crowds" / "dark", make.pictures(60, seed=1) // 2, "k")
    make.write_pictures(root / "photos", make.pictures(8, seed=0, side=160))
    np.savez(root / "few.npz", x=make.pictures(200, seed=0))
    make.people().to_parquet(root / "people.parquet", index=False)
    make.people_with_holes().to_parquet(root / "holes.parquet", index=False)
    make.number_table().to_parquet(root / "numbers.parquet", index=False)

    def job(source: str | Path, settings: Mapping[str, str] = {}, **always: Any) -> Callable[..., Job]:
        def made(more: Mapping[str, str] = {}, **asked: Any) -> Job:
            together = {"compute.device": "cpu", "compute.precision": "float32", **settings, **more}
            request = request_of(source, {**always, **asked, "settings": together})
            return task_for(request).plan(request, lambda kind, **content: None)

        return made

    number = {"task": "regress", "label": "y"}
    return {
        "pictures": job("digits8"),
        "few": job(root / "few.npz"),
        "table": job(root / "people.parquet"),
        "impute": job(root / "holes.parquet", task="impute"),
        "line": job(root / "numbers.parquet", **number),
        "curve": job(root / "numbers.parquet", {"network.name": "mlp"}, **number),
        "paired": job(root / "pairs", task="translate"),
        "contrastive": job(root / "crowds", task="translate"),
        "cycle": job(root / "crowds", {"translate.unpaired_by": "cycle"}, task="translate"),
        "enhance": job(root / "photos", task="enhance"),
    }


# ---- the plan --------------------------------------------------------------------------------------------------------


def settings_of(recipe: Recipe) -> dict[str, str]:
    """section.key -> value, of everything that decides a run."""
    found = {}
    for section, content in recipe.to_json().items():
        if section in NOT_A_RULE:
            continue
        for key, value in content.items() if isinstance(content, dict) else [("", content)]:
            found[f"{section}.{key}".removesuffix(".")] = shown(value)
    return found


def test_every_choice_of_every_plan(kinds: dict[str, Callable[..., Job]]) -> None:
    """Of five minutes, at a steady rate."""
    plans = {name: settings_of(with_guard(job().recipe)) for name, job in kinds.items()}
    names = list(dict.fromkeys(name for plan in plans.values() for name in plan))
    sections = list(dict.fromkeys(name.partition(".")[0] for name in names))
    names.sort(key=lambda name: sections.index(name.partition(".")[0]))
    lists = [name for name in names if any(plan.get(name, "").startswith(("(", "[")) for plan in plans.values())]
    rows = [
        ["", *plans],
        *([name, *(plan.get(name, "-") for plan in plans.values())] for name in names if name not in lists),
    ]
    more = [f"{name} of {kind}: {plans[kind][name]}" for name in lists for kind in plans if name in plans[kind]]
    assert_golden("plans", [*table(rows), *more])


def test_the_networks_of_every_size(kinds: dict[str, Callable[..., Job]]) -> None:
    rows = [["", *SIZES]]
    for name in ("pictures", "table", "impute", "curve", "paired", "enhance"):
        found = [kinds[name](size=size, examples=640).recipe for size in SIZES]
        rows.append([f"{name}: network", *(one.network.name for one in found)])
        for key in ("width", "depth", "latent_size"):
            rows.append([f"{name}: {key}", *(shown(getattr(one.network, key)) for one in found)])
        rows.append([f"{name}: rate", *(shown(one.optimiser.learning_rate_start) for one in found)])
    assert_golden("sizes", table(rows))


def asked(*examples: int, minutes: tuple[float, ...]) -> list[dict[str, Any]]:
    return [*({"examples": number} for number in examples), *({"minutes": number} for number in minutes)]


SHORT_AND_LONG = asked(1, 30_000, 5_000_000, minutes=(0.1, 1.0, 60.0))
AT_EVERY_STEP = asked(1, 29_999, 30_000, 99_999, 100_000, 499_999, 500_000, 5_000_000, minutes=(0.1, 0.5, 1, 2, 30, 60))


def test_what_follows_from_the_length_of_a_run(kinds: dict[str, Callable[..., Job]]) -> None:
    rows = [["", "width", "examples", "record every", "checkpoint every", "half-life", "ramp", "referee", "looks at"]]
    for name in ("pictures", "few", "table", "impute", "line", "curve", "paired", "contrastive", "enhance"):
        for length in AT_EVERY_STEP if name == "pictures" else SHORT_AND_LONG:
            recipe = kinds[name](**length).recipe
            engine = fit_settings(recipe)
            rows.append(
                [
                    f"{name}, {' '.join(f'{value:,} {unit}' for unit, value in length.items())}",
                    shown(recipe.network.width),
                    f"{engine.length_examples:,}",
                    str(engine.record_every_steps),
                    str(engine.checkpoint_every_steps),
                    f"{engine.half_life_examples:g}",
                    f"{engine.adaptation.ramp_examples:g}" if engine.adaptation else "-",
                    settings_of(recipe).get("rows.referee", "-"),
                    " ".join(f"{mark:.4g}" for mark in engine.marks),
                ]
            )
    assert_golden("lengths", table(rows))


# ---- the schedules ---------------------------------------------------------------------------------------------------


def test_every_schedule_of_every_player(kinds: dict[str, Callable[..., Job]]) -> None:
    rows = [["player", "", *(f"at {progress:g}" for progress in PROGRESS)]]
    for name, job in kinds.items():
        made = job(examples=640)
        for player in made.game().players:
            steps, label = player.optimiser, f"{name} {player.name}"
            ways = {
                "plays": [str(player.plays(progress)).lower() for progress in PROGRESS],
                f"{steps.kind} {steps.beta1:g} {steps.beta2:g}, rate": [
                    f"{steps.learning_rate.at(progress):.4g}" for progress in PROGRESS
                ],
            }
            stands = [player.dials(progress, Levers()) for progress in PROGRESS]
            ways |= {dial: [f"{dials[dial]:.4g}" for dials in stands] for dial in stands[0]}
            rows += [[label, way, *values] for way, values in ways.items()]
    assert_golden("schedules", table(rows))


def test_levers_turn_the_dials_of_every_opponent(kinds: dict[str, Callable[..., Job]]) -> None:
    """A stronger penalty is a stronger one; augmentation reaches what judges pictures, and never beyond its most."""
    for name, job in kinds.items():
        for player in job(examples=640).game().players:
            plain, turned = (
                player.dials(0.3, levers) for levers in (Levers(), Levers(penalty=4.0, augmentation=0.3, adapted=0.5))
            )
            if "gamma" in plain:
                assert turned["gamma"] == pytest.approx(4.0 * plain["gamma"]) and plain["gamma"] > 0, (
                    name,
                    player.name,
                )
            if "change" in plain:
                assert turned["change"] == max(0.5, plain["change"])
                assert player.dials(0.3, Levers(augmentation=1.0))["change"] == 0.8
    judged = {
        player.name
        for job in kinds.values()
        for player in job(examples=640).game().players
        if player.dials(0.0, Levers())
    }
    assert {"discriminator", "back_discriminator"} <= judged


# ---- the guard -------------------------------------------------------------------------------------------------------


def look_at(progress: float, score: float) -> dict[str, Any]:
    return {
        "step": int(1000 * progress), "progress": progress, "seconds": 5.0, "attempt": 0, "notes": {},
        "terms": {"discriminator": {"adversarial": 1.0, "r1": 0.1}, "generator": {"adversarial": 1.0}},
        "quality": {"score": score, "score_low": score - 0.1, "score_high": score + 0.1},
    }  # fmt: skip


def actions(ailment: str, tried: tuple[str, ...]) -> list[dict[str, Any]]:
    """What a real guard does about an ailment that it finds at each look, after what it has tried without success."""
    finding = Finding(ailment, "critical", "planted", "", "")
    lost = ailment == "lost_ground"
    guard = Guard(lambda history, asked: () if lost else (finding,), {"score": "higher"}, augments=True)
    untrained = (0.5, 0.4, 0.6)
    state = State(Clock(10_000), guard=Memory(tried=tried, untrained=untrained, healthy=70, saved=80))
    told: list[dict[str, Any]] = []
    for progress in (0.1, 0.2):
        state.clock.examples, state.step = int(10_000 * progress), int(1000 * progress)
        step = guard.step(
            state, look_at(progress, -1.0 if lost else 0.5), half_life_examples=400.0, can_return=True, saves=False
        )
        told += [dict(event) for event in step.events]
        assert step.goes_back == (bool(told) and told[-1]["to_step"] is not None)
    return told


def test_the_guard_climbs_each_ladder_from_its_first_rung() -> None:
    rows = [["ailment", "", "lever", "from", "to", "the run"]]
    for ailment in ladders.LADDERS:
        tried: tuple[str, ...] = ()
        while told := actions(ailment, tried):
            (action,) = told
            assert action["ailment"] == ailment
            back = "goes back" if action["to_step"] is not None else "goes on"
            place = str(len(tried) + 1)
            rows.append([ailment, place, action["action"], shown(action["from"]), shown(action["to"]), back])
            tried = (*tried, f"{ailment} {len(tried)}")
    for name in ("IN_EVERY_RECORD", "UNMISTAKABLE", "SHAPELESS"):
        rows.append([name.lower(), *[""] * 4, ", ".join(sorted(getattr(ladders, name)))])
    assert_golden("ladders", table(rows))


def test_each_remedy_points_away_from_its_ailment() -> None:
    """The directions, said once more with their reasons, so that no table can be copied over them."""
    first: Mapping[str, dict[str, Any]] = {name: actions(name, ())[0] for name in ladders.LADDERS}
    rungs = [(name, rung) for name, ladder in ladders.LADDERS.items() for rung in ladder]
    for name, rung in rungs:
        match rung.lever:
            case "penalty":  # a discriminator too steep or too sure is held by a stronger one; a blind one set free
                assert (rung.by < 1) == (name == "discriminator_blind"), name
            case "learning_rate" | "opponent_learning_rate":  # no ailment is one of steps too small
                assert 0 < rung.by < 1, name
            case "half_life_examples":
                assert rung.by > 1, name
            case "augmentation":
                assert 0 < rung.by <= 0.8 and name == "discriminator_overfits"
    assert all(first[name]["to"] > first[name]["from"] for name in ("collapse", "class_collapse", "discriminator_wins"))
    assert first["oscillating"]["to"] > first["oscillating"]["from"] and first["oscillating"]["action"] == "penalty"
    for name in ("lost_ground", "not_finite", "exploding", "shapeless", "overshooting"):  # nothing comes back by itself
        assert first[name]["to_step"] is not None and first[name]["to"] < first[name]["from"]
    for name, ladder in ladders.LADDERS.items():  # nothing is given up before what costs no examples was tried
        costs = [rung.rewinds for rung in ladder if name in ("oscillating", "collapse", "class_collapse")]
        assert costs == sorted(costs)


GUARD_CONSTANTS = (
    "WAIT_LOOKS", "NEW_BEGINNING", "REST_LOOKS", "MOST_ACTIONS", "MOST_RETURNS", "LEAST_LEFT", "LATEST", "FAR",
    "EXAMINED", "SLOWEST", "WEAKEST", "STRONGEST", "LONGEST_AVERAGE", "SHORTEST_AVERAGE", "MOST_AUGMENTATION",
    "AUGMENTATION_STEP", "TARGET",
)  # fmt: skip


def test_how_far_and_how_often_the_guard_goes() -> None:
    assert_golden("guard", table([[name, shown(getattr(guard_module, name))] for name in GUARD_CONSTANTS]))
