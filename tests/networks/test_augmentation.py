"""Augmentation: what each change does in closed form, its derivatives, and that it does not leak."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganforge.core.seeds import Draws, generator_for
from ganforge.core.world import World
from ganforge.kinds.pictures.networks import augmentation
from ganforge.kinds.pictures.networks.augmentation import Changes, augment, draw_changes
from ganforge.recipe import MOST_AUGMENTATION


def draws(purpose: str = "test/augmentation", world: World | None = None) -> Draws:
    generator = generator_for(0, purpose)
    return Draws(generator) if world is None else Draws(generator, world)


def nothing(count: int = 1) -> Changes:
    return draw_changes(count, 0.0, draws())


def pictures(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=generator_for(0, "test/pictures"), dtype=dtype) * 2 - 1


def of_one(changes: Changes, **values: float) -> Changes:
    """The same changes of one picture, with some of them set."""
    return replace(changes, **{name: torch.tensor([value]) for name, value in values.items()})


# ---- nothing --------------------------------------------------------------------------------------------------------


@given(
    channels=st.integers(1, 4),
    height=st.sampled_from([8, 9, 28, 33, 64]),
    width=st.sampled_from([8, 9, 28, 33, 64]),
    in_order=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_without_changes_every_picture_keeps_its_bits(channels: int, height: int, width: int, in_order: bool) -> None:
    x = pictures(6, channels, height, width)
    if in_order:
        x = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(augment(x, nothing(3)), x)


def test_a_picture_that_drew_no_change_keeps_its_bits_beside_one_that_did() -> None:
    x = pictures(400, 3, 16, 16)
    changes = draw_changes(400, 0.1, draws())
    still = nothing(400)
    chosen = torch.stack([(getattr(changes, f.name) != getattr(still, f.name)) for f in fields(Changes)[:-1]]).any(0)
    assert 0.2 < chosen.float().mean() < 0.9
    same = (augment(x, changes) == x).flatten(1).all(1)
    assert same[~chosen].all()
    assert same[chosen].float().mean() < 0.1  # a shift may be by less than half a pixel, a hole beside the picture


# ---- how many, how far ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.8])
def test_each_kind_of_change_is_made_with_its_chance_independently_of_the_others(chance: float) -> None:
    count, still = 20_000, nothing(20_000)
    changes = draw_changes(count, chance, draws(), flips=True)
    made = {f.name: (getattr(changes, f.name) != getattr(still, f.name)) for f in fields(Changes) if f.name != "hole"}
    assert torch.equal(made["down"], made["right"])  # one kind: the shift
    within = 4 * math.sqrt(chance * (1 - chance) / count)
    for name, where in made.items():
        expected = chance / 2 if name == "mirrored" else chance  # of those chosen, half are mirrored
        assert abs(where.float().mean().item() - expected) < within, name
    kinds = torch.stack([where.double() for name, where in made.items() if name != "right"])
    between = torch.corrcoef(kinds) - torch.eye(len(kinds))
    assert between.abs().max() < 5 / math.sqrt(count)


def test_no_change_goes_further_than_it_says() -> None:
    changes = draw_changes(20_000, 1.0, draws(), flips=True)
    for name, low, high in (
        ("down", -1.0, 1.0),
        ("right", -1.0, 1.0),
        ("zoom", 2**-augmentation.ZOOM, 2**augmentation.ZOOM),
        ("turn", -augmentation.TURN, augmentation.TURN),
        ("brightness", -augmentation.BRIGHTNESS, augmentation.BRIGHTNESS),
        ("contrast", 2**-augmentation.CONTRAST, 2**augmentation.CONTRAST),
        ("saturation", 2**-augmentation.SATURATION, 2**augmentation.SATURATION),
        ("hole", 0.0, 1.0),
    ):
        value = getattr(changes, name)
        span = high - low
        assert low - 1e-6 <= value.min() < low + 0.01 * span, name
        assert high - 0.01 * span < value.max() <= high + 1e-6, name


def test_nothing_is_mirrored_unless_it_is_asked_for() -> None:
    assert (draw_changes(1000, 0.8, draws()).mirrored == 1).all()
    assert (draw_changes(1000, 0.8, draws(), flips=True).mirrored == -1).any()


def test_the_same_draws_give_the_same_bits_and_others_do_not() -> None:
    x = pictures(8, 3, 16, 16)
    first, again, other = (augment(x, draw_changes(8, 0.6, draws(name))) for name in ("one", "one", "another"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_two_processes_change_their_rows_as_one_process_changes_all() -> None:
    real, fake = pictures(8, 1, 12, 12), pictures(8, 1, 12, 12).flip(0)
    whole = augment(torch.cat([real, fake]), draw_changes(8, 0.7, draws())).view(2, 8, 1, 12, 12)
    for rank in (0, 1):
        own = slice(4 * rank, 4 * rank + 4)
        changes = draw_changes(4, 0.7, draws(world=World(rank, 2)))
        part = augment(torch.cat([real[own], fake[own]]), changes).view(2, 4, 1, 12, 12)
        assert torch.equal(part, whole[:, own])


def test_real_and_fake_of_a_pair_are_seen_through_the_same_change() -> None:
    x = pictures(5, 3, 16, 16)
    seen = augment(torch.cat([x, x, x]), draw_changes(5, 0.8, draws(), flips=True)).chunk(3)
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])


# ---- closed forms ---------------------------------------------------------------------------------------------------


def test_a_mirrored_picture_is_flipped_left_to_right() -> None:
    x = pictures(1, 3, 9, 14)
    assert torch.equal(augment(x, of_one(nothing(), mirrored=-1.0)), x.flip(-1))


def test_a_shift_is_by_whole_pixels_and_mirrors_at_the_border() -> None:
    x = pictures(1, 1, 16, 24)
    moved = augment(x, of_one(nothing(), down=1.0, right=-1.0))  # 2 pixels down, 3 to the left
    assert torch.equal(moved[..., 2:, :-3], x[..., :-2, 3:])
    assert torch.equal(moved[..., 0, :-3], x[..., 2, 3:])  # row -2 is row 2
    assert torch.equal(moved[..., 2:, -1], x[..., :-2, -4])  # column 26 of 24 is column 20


def test_a_quarter_turn_is_exact_and_zoom_keeps_a_slope_in_proportion() -> None:
    x = pictures(1, 2, 12, 12)
    turned = augment(x, of_one(nothing(), turn=math.pi / 2))
    torch.testing.assert_close(turned, x.rot90(1, (-2, -1)), atol=1e-5, rtol=0)
    slope = torch.linspace(-1, 1, 33).expand(1, 1, 33, 33)
    zoomed = augment(slope, of_one(nothing(), zoom=1.25))
    torch.testing.assert_close(zoomed, slope / 1.25)
    smaller = augment(slope, of_one(nothing(), zoom=0.8))
    torch.testing.assert_close(smaller[..., 4:-4], (slope / 0.8)[..., 4:-4])


def test_colours_change_as_the_formulas_say_and_what_is_transparent_stays() -> None:
    for channels, colours in ((1, 1), (2, 1), (3, 3), (4, 3)):
        x = pictures(1, channels, 8, 8)
        seen = augment(x, of_one(nothing(), brightness=0.25, contrast=1.3, saturation=0.5))
        expected = 1.3 * (x[:, :colours] + 0.25)
        if colours == 3:
            expected = 0.5 * expected + 0.5 * expected.mean(1, keepdim=True)
        torch.testing.assert_close(seen[:, :colours], expected)
        assert torch.equal(seen[:, colours:], x[:, colours:])


def test_grey_stays_grey_whatever_the_saturation() -> None:
    x = pictures(1, 1, 8, 8).expand(1, 3, 8, 8)
    torch.testing.assert_close(augment(x, of_one(nothing(), saturation=1.9)), x)


@pytest.mark.parametrize(("centre", "rows"), [((0.5, 0.5), slice(4, 12)), ((0.0, 0.5), slice(0, 4))])
def test_a_hole_is_half_as_high_and_wide_as_the_picture_and_may_lie_at_its_border(
    centre: tuple[float, float], rows: slice
) -> None:
    x = pictures(1, 3, 16, 16)
    seen = augment(x, replace(of_one(nothing(), cut=1.0), hole=torch.tensor([centre])))
    expected = x.clone()
    expected[..., rows, 4:12] = 0.0
    assert torch.equal(seen, expected)


# ---- derivatives ----------------------------------------------------------------------------------------------------


def test_first_and_second_derivatives_are_those_of_finite_differences() -> None:
    x = pictures(2, 3, 5, 6, dtype=torch.float64).requires_grad_()
    changes = draw_changes(2, 1.0, draws(), flips=True)

    def seen(x: Tensor) -> Tensor:
        return torch.tanh(augment(x, changes)).sum(dim=(1, 3))  # curved: of a linear map the second is nothing

    assert torch.autograd.gradcheck(seen, (x,))
    assert torch.autograd.gradgradcheck(seen, (x,))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_penalty_through_it_trains_under_autocast_and_in_any_memory_format(channels: int) -> None:
    layer = torch.nn.Conv2d(channels, 4, 3).to(memory_format=torch.channels_last)
    x = pictures(4, channels, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        seen = augment(x, draw_changes(4, 0.8, draws(), flips=True))
        assert seen.dtype == torch.float32
        score = torch.tanh(layer(seen).float()).sum()
    (slope,) = torch.autograd.grad(score, x, create_graph=True)
    slope.square().sum().backward()
    assert layer.weight.grad is not None
    assert torch.isfinite(layer.weight.grad).all()
    assert layer.weight.grad.abs().max() > 0


# ---- it does not leak -----------------------------------------------------------------------------------------------


def brightness_of_changed(brightness: Tensor, chance: float) -> Tensor:
    """Mean brightness of one-coloured pictures (N,) as the discriminator sees them."""
    x = brightness[:, None, None, None].expand(-1, 1, 8, 8)
    only_brightness = replace(nothing(len(x)), brightness=draw_changes(len(x), chance, draws()).brightness)
    return augment(x, only_brightness).mean(dim=(1, 2, 3))


def characteristic(chance: float, frequency: Tensor) -> Tensor:
    """E exp(i f b) of the offset b: 0 with chance 1-p, else uniform in +-BRIGHTNESS."""
    reach = augmentation.BRIGHTNESS
    return (1 - chance) + chance * torch.sinc(frequency * reach / math.pi)


def test_only_the_training_pictures_brightness_can_look_like_theirs_up_to_the_strongest_augmentation() -> None:
    """What is seen is the sum of a picture's brightness and an independent offset: characteristic functions multiply.

    So two distributions of pictures look alike only if they differ where the offset's function is zero. Up to
    MOST_AUGMENTATION it is zero nowhere; at a chance of 1 it is, first at frequency pi / BRIGHTNESS.
    """
    frequency = torch.linspace(0, 500, 200_001, dtype=torch.float64)
    for chance in (0.3, 0.6, MOST_AUGMENTATION):
        assert characteristic(chance, frequency).min() > 0.02
    assert characteristic(1.0, frequency).min() < 0
    offsets = brightness_of_changed(torch.zeros(100_000), MOST_AUGMENTATION).double()
    for f in (2.0, 5.0, 10.0):
        expected = characteristic(MOST_AUGMENTATION, torch.tensor(f, dtype=torch.float64))
        assert abs(torch.cos(f * offsets).mean() - expected) < 0.015
