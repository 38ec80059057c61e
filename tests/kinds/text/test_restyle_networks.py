"""The rewriter and its discriminator."""

from __future__ import annotations

import numpy as np
import torch

from ganforge.core.seeds import Draws
from ganforge.core.sequences import END, PAD
from ganforge.kinds.text.restyle.networks import Rewriter, StyleDiscriminator, noised
from ganforge.kinds.text.restyle.plan import chance_of_loss
from ganforge.networks.language_model import padded

TEXTS = [[5, 6, 7, 8, 5, 9], [10, 11], [12] * 15, [5]]


def _random() -> Draws:
    random = Draws(torch.Generator())
    random.begin(3)
    return random


def _rewriter() -> Rewriter:
    torch.manual_seed(0)
    return Rewriter(20, 3, 16)


def test_an_untrained_rewriter_is_the_identity_in_every_style() -> None:
    x = padded(TEXTS)[:, 1:]
    for style in range(3):
        made = _rewriter().written(x, torch.full((len(x),), style), 24).argmax(2)
        for row, text in zip(made.tolist(), TEXTS, strict=True):
            assert row[: len(text) + 1] == [*text, END]
            assert set(row[len(text) + 1 :]) <= {PAD}


def test_a_copy_is_no_surprise_and_padding_does_not_count() -> None:
    tokens = padded(TEXTS)
    lost = _rewriter().surprise(tokens[:, 1:], torch.zeros(4, dtype=torch.int64), tokens)
    assert float(lost.detach().max()) < 0.3
    longer = torch.nn.functional.pad(tokens, (0, 5))
    again = _rewriter().surprise(longer[:, 1:], torch.zeros(4, dtype=torch.int64), longer)
    torch.testing.assert_close(lost, again)


def test_a_text_is_read_alike_as_units_and_as_rows_of_chances() -> None:
    tokens = padded(TEXTS)
    rows = torch.nn.functional.one_hot(tokens[:, 1:], 20).float()
    styles = torch.zeros(4, dtype=torch.int64)
    rewriter, discriminator = _rewriter(), StyleDiscriminator(20, 3, 16)
    torch.testing.assert_close(
        rewriter.surprise(tokens[:, 1:], styles, tokens), rewriter.surprise(rows, styles, tokens)
    )
    torch.testing.assert_close(discriminator(tokens[:, 1:]), discriminator(rows))
    assert discriminator(rows).shape == (4, 4)


def test_the_discriminators_opinion_reaches_the_rewriter_through_drawn_units() -> None:
    x, rewriter, discriminator = padded(TEXTS)[:, 1:], _rewriter(), StyleDiscriminator(20, 3, 16)
    made = rewriter.written(x, torch.ones(4, dtype=torch.int64), 20, _random())
    assert set(made.detach().sum(2).round(decimals=4).unique().tolist()) == {1.0}
    discriminator(made).sum().backward()
    assert all(float(rewriter.get_parameter(name).grad.abs().sum()) > 0 for name in ("mixed.weight", "copies.bias"))
    assert float(max(weight.grad.abs().max() for weight in rewriter.parameters() if weight.grad is not None)) < 100


def test_disturbed_texts_miss_units_by_their_chance_and_keep_their_end() -> None:
    x = padded([[7, 8] * 20] * 200)[:, 1:]
    lost = torch.where(x == 7, 0.8, 0.1)
    made = noised(x, lost, _random())
    assert ((made == END).sum(1) == 1).all()
    assert all(row.index(END) == len(row) - row.count(PAD) - 1 for row in made.tolist())
    for unit, chance in ((7, 0.8), (8, 0.1)):
        kept = float((made == unit).sum()) / (200 * 20)
        assert abs(1 - kept - chance) < 0.03  # six standard errors
    assert (noised(x, torch.zeros_like(lost), _random()) != x).any()  # out of order


def test_units_that_mark_a_style_are_missing_more_often() -> None:
    chance = chance_of_loss(np.array([[100, 50, 3], [100, 2, 3]]))
    assert chance[0, 1] > 0.5 > chance[0, 0]
    assert (chance[1] < 0.5).tolist() == [True, True, True]
