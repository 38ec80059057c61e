"""Choose the networks of a game of two from a size, with the dials that the named network has."""

from __future__ import annotations

from ganforge.networks import Pairs, dials_of
from ganforge.planning.draft import Choice, Draft
from ganforge.recipe import Network

NO_DIAL = {
    "latent_size": "The network {name!r} draws nothing from noise.",
    "width": "The network {name!r} has no hidden layer.",
    "depth": "The network {name!r} has no blocks or hidden layers to be repeated.",
}


def choose_network(draft: Draft, sized: Network, pairs: Pairs, **why: str) -> Network:
    """Choose the section `network`: the one of a size, or what is pinned.

    Args: sized the network of a size; pairs those that suit the data; why the reasons of name, latent_size, width and
        depth. A network that has a depth, where the size says none, gets one block or layer.
    Raises: RecipeError for an unknown name, and where a dial is pinned that the network does not have.
    """
    name: str = draft.pinned.get("network.name", sized.name)
    has = dials_of(name, pairs)
    draft.leave_out({f"network.{dial}": no.format(name=name) for dial, no in NO_DIAL.items() if dial not in has})
    choices: dict[str, Choice] = {dial: (getattr(sized, dial), why[dial]) for dial in has}
    if "depth" in has and sized.depth is None:
        choices["depth"] = (1, "one, the least")
    return draft.choose(Network, name=(name, why["name"]), **choices)
