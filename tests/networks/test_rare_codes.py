"""What goes with rare codes is counted before training: the closed form of one code, and what is left alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganforge.engine.feed import TensorFeed
from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.codec.categories import fit_categories
from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.generate.game import code_shares
from ganforge.kinds.tables.generate.rare_codes import rare_codes
from ganforge.kinds.tables.networks import RowLayout

ROWS = 5_000


def world(frauds: int) -> tuple[TableCodec, torch.Tensor]:
    """Codes of fraud, a kind that goes with it, and an age that does not."""
    random = np.random.default_rng(0)
    fraud = np.arange(ROWS) < frauds
    columns = {
        "fraud": fraud.astype(int),
        "kind": np.where(fraud, 7, random.integers(0, 12, ROWS)),
        "age": random.integers(0, 20, ROWS),
    }
    units = []
    for name, values in columns.items():
        known, counts = np.unique(values, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        units.append(fit_categories((name,), {name: known[order].astype(str).astype(object)}, counts[order] * 1.0))
    codes = [
        unit.encode({name: values.astype(str).astype(object)})
        for unit, (name, values) in zip(units, columns.items(), strict=True)
    ]
    return TableCodec((), (), tuple(units), {}), torch.from_numpy(np.stack(codes, axis=1))


def generator_of(frauds: int) -> tuple[AutoregressiveGenerator, RowLayout, torch.Tensor]:
    codec, codes = world(frauds)
    feed, layout = TensorFeed("cpu", x=codes), RowLayout(codec.sizes)
    torch.manual_seed(0)
    generator = AutoregressiveGenerator(codec.sizes, 8, 1)
    generator.start_from(code_shares(codec.sizes, feed), *rare_codes(codec, feed))
    with torch.no_grad():
        generator.weights.zero_()  # the shares and counts alone
    return generator, layout, codes


def test_before_training_18_frauds_have_what_goes_with_them_in_both_directions() -> None:
    generator, layout, codes = generator_of(18)
    rare = codes[0, 0]
    given = torch.tensor([[int(rare), -1, -1]])
    kinds = torch.softmax(generator.logits_of(1, given, layout), dim=1)[0]
    assert kinds[codes[0, 1]] > 0.9
    ages = torch.softmax(generator.logits_of(2, given, layout), dim=1)[0]
    shares = torch.bincount(codes[:, 2]) / ROWS
    assert torch.allclose(ages, shares, atol=1e-5)  # as in all rows
    back = torch.softmax(generator.logits_of(0, torch.tensor([[-1, int(codes[0, 1]), -1]]), layout), dim=1)[
        0, rare
    ].detach()
    exact = float((codes[:18, 1] == codes[0, 1]).sum() / (codes[:, 1] == codes[0, 1]).sum())
    assert float(back) == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize("frauds", [4, 50])
def test_of_too_few_and_of_many_rows_nothing_is_counted(frauds: int) -> None:
    generator, _, _ = generator_of(frauds)
    assert len(generator.rare) == 0 and "rare" not in generator.state_dict()


def test_all_units_at_once_and_one_by_one_agree_and_the_order_of_units_is_kept() -> None:
    generator, layout, codes = generator_of(18)
    torch.nn.init.normal_(generator.weights)
    x, before = layout.one_hot(codes[:30].long()), torch.ones(3, 3).triu(1)
    whole = generator(x, layout, before)
    for unit in range(3):
        alone = torch.where(torch.arange(3) < unit, codes[:30].long(), -1)
        told = generator.logits_of(unit, alone, layout)
        assert torch.allclose(whole[:, layout.unit_places(unit)], told, atol=1e-4)
