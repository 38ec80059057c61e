"""Signs of a bad start, for the guard: it must decide while there is time, and judges afterwards whether it was right.

They stand apart from CHECKS, which are told to people: a slow run that is quite well may look like this for a while.
"""

from __future__ import annotations

from ganforge.diagnosis.history import discriminators, generators, looks, middle, series
from ganforge.records import Finding, History

_STRANGE = 0.3  # precision: of samples that pass for data at all; the digits have 0.95 after 3,000 examples
_NOTHING, _BY_NOW = 0.05, 0.3  # precision so low when so much of the run is over: it will not come by itself
_STEEP = 0.2  # step over weights: 0.001 is usual, 0.01 to 0.06 at the start of the plans' runs
_FIRST = 4  # records: later on the weights have grown, and the same steps look small beside them


def early_signs(history: History) -> tuple[Finding, ...]:
    """`hopeless` or `shapeless`, `overshooting` or `opponent_overshooting`, as far as they are there."""
    return tuple(found for found in (_overshooting(history), _shapeless(history)) if found is not None)


def _shapeless(history: History) -> Finding | None:
    """Hardly a sample of the last look passes for data."""
    seen = looks(history)
    precision = (seen[-1].get("quality") or {}).get("precision") if seen else None
    if precision is None or precision >= _STRANGE:
        return None
    hopeless = precision < _NOTHING and float(seen[-1]["progress"]) >= _BY_NOW
    return Finding(
        "hopeless" if hopeless else "shapeless",
        "critical",
        f"Only {precision:.0%} of the samples pass for data.",
        "The networks have been thrown about and have learned nothing.",
        "Smaller steps, from the start.",
    )


def _overshooting(history: History) -> Finding | None:
    """The first steps changed whole networks; of the opponents alone it is another ailment."""
    first = {
        player: middle(series(history, "update_ratios", player)[:_FIRST])
        for player in (*discriminators(history), *generators(history))
        if len(series(history, "update_ratios", player)) >= _FIRST
    }
    steep = {player: ratio for player, ratio in first.items() if ratio > _STEEP}
    if not steep:
        return None
    told = " and ".join(f"{ratio:.0%} of the weights of {player}" for player, ratio in steep.items())
    return Finding(
        "overshooting" if set(steep) & set(generators(history)) else "opponent_overshooting",
        "critical",
        f"Single steps at the start changed {told} (1 % to 6 % are usual), and nothing has been learned since.",
        "The steps are too large.",
        "Smaller steps, from the start.",
    )
