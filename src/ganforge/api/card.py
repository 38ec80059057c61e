"""The verb `card`: a model card, filled by measured values alone."""

from __future__ import annotations

import json
from pathlib import Path

from ganforge.core.files import refuse_taken, write_whole
from ganforge.errors import InputError, refused
from ganforge.reports.card import card_content, card_text
from ganforge.run import Run, refuse_unfinished


def card(run: str | Path, out: str | Path | None = None, *, force: bool = False) -> tuple[Path, Path]:
    """Write the model card of a finished run, as Markdown and as JSON. Run `audit` first: the card tells what it found.

    Args: out the Markdown file, with the JSON beside it; by default RUN/card.md. force replaces a card that is there,
        with what a person has filled in.
    Raises: RunError if the run is not finished or damaged; InputError if a card is there; StorageError.
    """
    folder = Run.open(run)
    refuse_unfinished(folder, "A card tells of a trained model that was measured.")
    place = folder.card if out is None else Path(out).expanduser()
    if place.suffix.lower() != ".md":
        raise InputError(f"{place.name!r} is not the name of a card.", "A card is Markdown.", "Use: --out card.md")
    places = place, place.with_suffix(".json")
    for path in places:
        refuse_taken(path, force=force, do="Choose another name, or --force to replace it with what you filled in.")
    with refused(f"What {str(run)!r} says of itself"):
        content = card_content(folder)
        text = card_text(content)
    write_whole(places[0], text.encode())
    write_whole(places[1], (json.dumps(content, indent=2) + "\n").encode())
    return places
