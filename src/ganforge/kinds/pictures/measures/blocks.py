"""What the page shows of pictures, and of pictures made from pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganforge.measures.intervals import rival_rows
from ganforge.records import Bars, Block, Cases, Content, Figure, Group, Prose

MOST_LABELS = 60
GROUPS = {"worst": "The worst", "random": "Drawn at random", "best": "The best"}  # never only the best


def generated_blocks(facts: Mapping[str, Any]) -> tuple[Block, ...]:
    """Of generated pictures: every label's share, copies, and real pictures beside those of the reference.

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
        blocks.insert(0, _labels(facts["classes"]))
    lead = "The generated pictures should be taken for the first, and never for the second."
    return (*blocks, Block("Real pictures, and the simplest alternative", lead, (real, gaussian)))


def made_blocks(facts: Mapping[str, Any], caption: str) -> tuple[Block, ...]:
    """Of pictures made from pictures: cases, the worst first, and the rivals.

    Args: facts with `cases` and `rivals`; caption how to read the rivals' scores. A group's figure has its name: worst,
        random or best.
    """
    columns = tuple(str(name) for name in facts["cases"]["columns"])
    sentences = {group["name"]: str(group["sentence"]) for group in facts["cases"]["groups"]}
    groups = tuple(
        Group(title, sentences[name], Figure(f"pictures/{name}.png", f"{title}: {', '.join(columns)}"))
        for name, title in GROUPS.items()
    )
    lead = f"Pictures that training never saw. In each row, from left to right: {', '.join(columns)}."
    return (
        Block("Case by case", lead, (Cases(columns, groups),)),
        Block(
            "Beside other methods",
            "The same measures on the same pictures, for simple methods that are not GANs.",
            (rival_rows(facts["rivals"], {}, caption),),
        ),
    )


def _labels(classes: Mapping[str, Any]) -> Block:
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
