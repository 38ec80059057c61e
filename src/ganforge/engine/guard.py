"""The guard: automatic corrections of a run that goes wrong. It sets a lever, waits, and judges the result.

It reads this run's records so far and the diagnosis's findings in them, never the clock: the same run gets the same
actions, also when it was killed and resumed in between. A finding that occurs twice in a row and is more than a note
leads to the next rung of its ladder (guard_ladders.py). After some looks the leading measure shows whether it helped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ganforge.contracts import Levers
from ganforge.engine.checkpoint import State
from ganforge.engine.guard_ladders import IN_EVERY_RECORD, LADDERS, SHAPELESS, UNMISTAKABLE, Memory, Rung, Trial
from ganforge.recipe import MOST_AUGMENTATION
from ganforge.records import Finding, History, Record

WAIT_LOOKS = 2  # until an action is judged: the first look after it may still show what was before
NEW_BEGINNING = 0.5  # progress from which on a run that was taken back is judged
REST_LOOKS = 1  # after a judgement
MOST_ACTIONS = 6  # in a run: after so many attempts the cause is unknown
MOST_RETURNS = 2  # each costs the examples that it takes back
LEAST_LEFT = 0.2  # of all examples, to go back: with fewer nothing is learned anew
LATEST = 0.8  # progress after which nothing is begun: no time would be left to judge it
FAR = 2.0  # widths of both intervals together
EXAMINED = 20  # how often the diagnosis reads the first records, and each doubling of them, besides at looks
SLOWEST, WEAKEST, STRONGEST = 1e-3, 1e-3, 64.0  # how far levers go
LONGEST_AVERAGE = 0.2  # of the run
SHORTEST_AVERAGE = 0.05  # of the run, once it is made longer: what the plans give
AUGMENTATION_STEP = 0.1
TARGET = 0.5  # of how far unseen real data falls towards fake: see `_memorised`
TIMES = {"seconds": 0.0, "examples_per_second": 1.0, "waiting": 0.0, "attempt": 0}  # what must not affect any decision

Diagnose = Callable[[History, Collection[str]], Sequence[Finding]]
"""(history, ailments that are asked for) -> findings, worst first."""


@dataclass(frozen=True, slots=True)
class Step:
    """The guard's result at a record: events to report, and whether the run is to go back to Memory.healthy."""

    events: tuple[Mapping[str, Any], ...] = ()
    goes_back: bool = False


@dataclass(frozen=True, slots=True)
class _Quality:
    """The leading measure at a look, with its sign set so that higher is better."""

    score: float
    low: float
    high: float


class Guard:
    """The guard of one run. What must survive a kill is in State.guard; the records are in the run folder."""

    def __init__(
        self,
        diagnose: Diagnose,
        measured: Mapping[str, Literal["lower", "higher"]],
        *,
        product: str = "generator",
        augments: bool = False,
    ) -> None:
        """Args: diagnose gives a history's findings; measured what looks give, the leading one first;
        product the player whose network is the product; augments whether the discriminator can see through
        augmentation."""
        self._diagnose, self._measured, self._product, self._augments = diagnose, dict(measured), product, augments
        self._records: list[Record] = []

    def begin(self, records: Sequence[Record], step: int) -> None:
        """Take the history up to `step`; later records are about to be made again."""
        self._records = [_timeless(record) for record in records if record["step"] <= step]

    def first_look(self, state: State, quality: Mapping[str, float]) -> None:
        """Record the quality of the product before the first step: a run that falls below it has lost quality."""
        seen = self._quality({"quality": quality})
        if seen is not None:
            state.guard = replace(state.guard or Memory(), untrained=(seen.score, seen.low, seen.high))

    def back_to(self, step: int) -> None:
        """Forget the records after `step`: the run has been taken back."""
        self._records = [record for record in self._records if record["step"] <= step]

    def step(self, state: State, record: Record, *, half_life_examples: float, can_return: bool, saves: bool) -> Step:
        """Examine a new record and change the levers and the memory in `state` accordingly.

        Args: half_life_examples of the average, from the recipe; can_return whether there are checkpoints; saves
            whether a checkpoint is written at this step.
        """
        self._records.append(_timeless(record))
        memory, quality, events = state.guard or Memory(), self._quality(record), []
        if quality is not None:
            trial = memory.trial
            memory = replace(
                memory, rest=max(0, memory.rest - 1), trial=trial and replace(trial, looks=trial.looks + 1)
            )
            events += self._adjust(state, record)
            if memory.trial is not None and self._ripe(memory.trial, state):
                memory, told = self._judge(state, memory, memory.trial, quality)
                events.append(told)
        goes_back = False
        if quality is not None or self._due():
            again, seen = self._found_again(memory, looked=quality is not None)
            memory = replace(memory, seen=seen)
            chosen = self._choose(state, memory, again, half_life_examples, can_return)
            if chosen is not None:
                memory, told, goes_back = self._act(state, memory, *chosen)
                events.append(told)
        if not goes_back and not memory.seen and memory.trial is None:
            if quality is not None and self._is_near_best(memory):
                memory = replace(memory, healthy=memory.saved)
            memory = replace(memory, saved=state.step) if saves else memory
        state.guard = memory
        return Step(tuple(events), goes_back)

    def _found_again(self, memory: Memory, looked: bool) -> tuple[list[Finding], tuple[str, ...]]:
        """Return what is found now and was found before, at two looks or, where every record shows it, at two records;
        and all findings. A finding at a look holds until the next one."""
        found = self._find(LADDERS if looked else IN_EVERY_RECORD)
        learned = self._has_learned(memory) and SHAPELESS.isdisjoint(one.ailment for one in found)
        found = [one for one in found if one.ailment not in UNMISTAKABLE or not learned]
        again = [one for one in found if one.ailment in memory.seen]
        if not UNMISTAKABLE.isdisjoint((*memory.seen, *(one.ailment for one in found))):
            again = [one for one in again if one.ailment in UNMISTAKABLE]  # all other findings follow from it
        elif self._is_best(memory):
            again = []
        lost = self._lost(memory)
        if lost is not None and (again or self._lost(memory, before_last=True) is not None):
            again.insert(0, lost)
        held = () if looked else (name for name in memory.seen if name not in IN_EVERY_RECORD)
        return again, (*(one.ailment for one in found), *held)

    def _due(self) -> bool:
        """Return whether the diagnosis reads this record without a look: seldom in a long history, which costs
        more to read."""
        return len(self._records) % max(1, len(self._records) // EXAMINED) == 0

    def _find(self, asked: Collection[str]) -> list[Finding]:
        """Return the findings that are more than a note. Args: asked the ailments to look for."""
        started = {"kind": "started", "step": 0, "measured": self._measured}
        found = self._diagnose(History(records=tuple(self._records), events=(started,)), asked)
        return [one for one in found if one.severity != "note" and one.ailment in asked]

    def _quality(self, record: Record) -> _Quality | None:
        """Return the leading measure of a look; None if the record lacks it. Not a number counts as the worst."""
        seen = record.get("quality") or {}
        name = next((name for name in self._measured if name in seen), None)
        if name is None:
            return None
        sign = 1.0 if self._measured[name] == "higher" else -1.0
        ends = [sign * float(seen.get(f"{name}{end}", seen[name])) for end in ("", "_low", "_high")]
        score, *others = (value if math.isfinite(value) else -math.inf for value in ends)
        return _Quality(score, min(others), max(others))

    def _last_quality(self) -> _Quality | None:
        found = (self._quality(record) for record in reversed(self._records))
        return next((quality for quality in found if quality is not None), None)

    # ---- acting -----------------------------------------------------------------------------------------------------

    def _choose(
        self, state: State, memory: Memory, found: Sequence[Finding], half_life_examples: float, can_return: bool
    ) -> tuple[Finding, str, Rung, float | None, float] | None:
        """Return the first finding with an untried rung that can be taken, and the new value of its lever."""
        busy = memory.trial is not None or memory.rest > 0 or len(memory.tried) >= MOST_ACTIONS
        if busy or not found or state.clock.progress > LATEST or self._last_quality() is None:
            return None
        clock = state.clock
        enough = clock.length - clock.examples >= LEAST_LEFT * (clock.length + memory.given_up)
        returns = can_return and enough and memory.returns < MOST_RETURNS
        for finding in found:
            for place, rung in enumerate(LADDERS[finding.ailment]):
                name = f"{finding.ailment} {place}"
                before, after = self._turned(state, rung, half_life_examples)
                if name not in memory.tried and after is not None and (returns or not rung.rewinds):
                    return finding, name, rung, before, after
        return None

    def _earlier(self, memory: Memory) -> list[_Quality]:
        """Return the results of the looks before the last one, including the one before the first step."""
        looks = [quality for record in self._records if (quality := self._quality(record)) is not None]
        return [*([_Quality(*memory.untrained)] if memory.untrained else []), *looks[:-1]]

    def _is_best(self, memory: Memory) -> bool:
        """Return whether the last look saw the best product so far: an improving run is left alone despite findings."""
        last, earlier = self._last_quality(), self._earlier(memory)
        return last is not None and last.score > max((quality.score for quality in earlier), default=math.inf)

    def _has_learned(self, memory: Memory) -> bool:
        """Return whether the product is better than before the first step, by more than chance. True without a look."""
        last = self._last_quality()
        return last is None or memory.untrained is None or last.low > memory.untrained[2]

    def _is_near_best(self, memory: Memory) -> bool:
        """Return whether the last look proves that a checkpoint saved before it holds a healthy product."""
        last, earlier = self._last_quality(), self._earlier(memory)
        return last is not None and all(last.score >= quality.low for quality in earlier)

    def _lost(self, memory: Memory, before_last: bool = False) -> Finding | None:
        """Return whether the product is far worse than before, at the last look (or the one before it): no lever alone
        restores it. Not a check of the diagnosis, because it needs the look before the first step.

        Quality varies between looks by more than its interval, so the fall must be FAR times as wide as both.
        """
        last, earlier = self._last_quality(), self._earlier(memory)
        if before_last and earlier:
            last = earlier.pop()
        if last is None or not earlier:
            return None
        best = max(earlier, key=lambda quality: quality.score)
        width = 0.5 * (best.high - best.low + last.high - last.low) if math.isfinite(last.score) else 0.0
        if not best.score > last.score + FAR * width:
            return None
        sign = 1.0 if self._measured.get(self._leading()) == "higher" else -1.0
        evidence = f"{self._leading()} is {sign * last.score:.3g} and has been {sign * best.score:.3g}"
        return Finding("lost_ground", "critical", f"{evidence}.", "The steps are too large.", "Smaller steps.")

    def _turned(self, state: State, rung: Rung, half_life_examples: float) -> tuple[float | None, float | None]:
        """Return a rung's lever now and after it: None if it cannot be set so or would not change."""
        levers, length = state.levers, state.clock.length
        if rung.lever == "half_life_examples":
            before = levers.half_life_examples
            now = half_life_examples if before is None else before
            longer = max(min(rung.by * now, LONGEST_AVERAGE * length), SHORTEST_AVERAGE * length)
            return before, longer if longer > now else None
        now = float(getattr(levers, rung.lever))
        if rung.lever == "augmentation":
            return now, rung.by if self._augments and now < rung.by else None
        after = now * rung.by
        bounds = (WEAKEST, STRONGEST) if rung.lever == "penalty" else (SLOWEST, 1.0)
        useless = rung.lever == "penalty" and not self._is_penalised()
        return now, None if useless or not bounds[0] <= after <= bounds[1] else after

    def _is_penalised(self) -> bool:
        """Return whether there is a gradient penalty that a factor can change."""
        terms = self._records[-1].get("terms") or {}
        opponents = [named for player, named in terms.items() if player != self._product]
        return any(value > 0 for named in opponents for name, value in named.items() if name != "adversarial")

    def _act(
        self, state: State, memory: Memory, finding: Finding, name: str, rung: Rung, before: float | None, after: float
    ) -> tuple[Memory, Mapping[str, Any], bool]:
        look = self._last_quality()
        assert look is not None
        trial = Trial(
            name,
            finding.ailment,
            rung.lever,
            before,
            state.clock.progress,
            rung.rewinds,
            look.score,
            look.low,
            look.high,
        )
        state.levers = _moved(state.levers, rung.lever, after)
        memory = replace(
            memory,
            tried=(*memory.tried, name),
            trial=trial,
            seen=() if rung.rewinds else memory.seen,
            returns=memory.returns + int(rung.rewinds),
            saved=memory.healthy if rung.rewinds else memory.saved,  # a later one is about to be removed
        )
        told = {
            "kind": "guarded",
            "ailment": finding.ailment,
            "action": rung.lever,
            "from": before,
            "to": after,
            "to_step": memory.healthy if rung.rewinds else None,
            "reason": finding.evidence,
            "measure": self._leading(),
            "score": self._shown(look.score),
        }
        return memory, told, rung.rewinds

    def _adjust(self, state: State, record: Record) -> list[Mapping[str, Any]]:
        """Once the guard has set augmentation, move it a small step towards the target: Karras et al. 2020."""
        strength = state.levers.augmentation
        share = _memorised(record, self._product)
        if strength == 0.0 or share is None:
            return []
        step = AUGMENTATION_STEP if share > TARGET else -AUGMENTATION_STEP
        after = round(min(MOST_AUGMENTATION, max(AUGMENTATION_STEP, strength + step)), 4)
        state.levers = replace(state.levers, augmentation=after)
        reason = f"unseen real data falls {share:.0%} of the way to fake; the target is {TARGET:.0%}"
        told = {"kind": "adjusted", "action": "augmentation", "from": strength, "to": after, "reason": reason}
        return [told] if after != strength else []

    # ---- judging ----------------------------------------------------------------------------------------------------

    def _ripe(self, trial: Trial, state: State) -> bool:
        """Return whether a trial can be judged: after enough looks, and, if the run was taken back, once it has come
        as far as before and to NEW_BEGINNING, because quality at the start cannot be compared with later."""
        if state.clock.done:
            return True
        reached = state.clock.progress >= max(trial.progress, NEW_BEGINNING)
        return trial.looks >= WAIT_LOOKS and (not trial.rewound or reached)

    def _judge(self, state: State, memory: Memory, trial: Trial, now: _Quality) -> tuple[Memory, Mapping[str, Any]]:
        """Keep an action that helped: the measure is better by more than its interval, or the ailment is gone and the
        measure no worse than its interval. Undo others."""
        gone = not self._find((trial.ailment,))
        helped = now.score > trial.high or (gone and now.score >= trial.low)
        reached = getattr(state.levers, trial.lever)
        if not helped:
            state.levers = _moved(state.levers, trial.lever, trial.before)
        told = {
            "kind": "guard_helped" if helped else "unguarded",
            "ailment": trial.ailment,
            "action": trial.lever,
            "from": reached,
            "to": reached if helped else trial.before,
            "measure": self._leading(),
            "before": self._shown(trial.score),
            "after": self._shown(now.score),
        }
        return replace(memory, trial=None, rest=REST_LOOKS), told

    def _leading(self) -> str:
        looks = (record["quality"] for record in reversed(self._records) if record.get("quality"))
        seen: Mapping[str, float] = next(looks, {})
        return next((name for name in self._measured if name in seen), "")

    def _shown(self, score: float) -> float | None:
        """Return a score with its measure's sign; None if it was not a number."""
        sign = 1.0 if self._measured.get(self._leading()) == "higher" else -1.0
        return sign * score if math.isfinite(score) else None


def _moved(levers: Levers, lever: str, to: float | None) -> Levers:
    where: dict[str, Any] = {lever: to}
    return replace(levers, **where)


def _timeless(record: Record) -> Record:
    """Return a record without what depends on the machine, so that no finding can depend on it."""
    return {**record, **TIMES}


def _memorised(record: Record, product: str) -> float | None:
    """Return r_v of Karras et al. 2020: how far unseen real data falls from training data towards samples, by the
    opponent's scores. 0 not at all, 1 it counts as a sample; None where the record does not have it."""
    for player, notes in (record.get("notes") or {}).items():
        if player != product and "score_held_out" in notes:
            lead = float(notes["score_real"]) - float(notes["score_fake"])
            return (float(notes["score_real"]) - float(notes["score_held_out"])) / lead if lead > 0 else 0.0
    return None
