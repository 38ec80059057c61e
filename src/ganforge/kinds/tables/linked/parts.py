"""The generator of a game over two tables, cut into one for each of them."""

from __future__ import annotations

import torch

from ganforge.kinds.tables.networks import RowGenerator, RowLayout


@torch.no_grad()
def part_of(whole: RowGenerator, sizes: tuple[int, ...], latent_size: int, first: int, count: int) -> RowGenerator:
    """Return the generator of some units alone, which computes what the whole one does where the others are absent.

    That an absent unit is given is the same in every row, so its weights are a part of the bias.

    Args: sizes (U,) of all units; first, count: the units first..first+count-1.
    """
    mine, device = range(first, first + count), whole.enter.weight.device
    chosen = sizes[first : first + count]
    part = RowGenerator(chosen, latent_size, whole.enter.out_features, len(whole.blocks)).to(device)
    layouts = RowLayout(sizes), RowLayout(chosen)
    here = torch.cat([torch.arange(layouts[1].width)[layouts[1].unit_places(unit)] for unit in range(count)]).to(device)
    there = torch.cat([torch.arange(layouts[0].width)[layouts[0].unit_places(unit)] for unit in mine]).to(device)
    flags = latent_size + layouts[0].width + torch.arange(len(sizes), device=device)  # (U,) their columns
    others = [unit for unit in range(len(sizes)) if unit not in mine]
    enter, logits = torch.zeros_like(part.enter.weight), torch.zeros_like(part.logits.weight)
    enter[:, :latent_size] = whole.enter.weight[:, :latent_size]
    enter[:, latent_size + here] = whole.enter.weight[:, latent_size + there]
    enter[:, latent_size + layouts[1].width :] = whole.enter.weight[:, flags[list(mine)]]
    logits[here] = whole.logits.weight[there]
    bias = torch.zeros_like(part.logits.bias)
    bias[here] = whole.logits.bias[there]
    part.enter.weight.copy_(enter)
    part.enter.bias.copy_(whole.enter.bias + whole.enter.weight[:, flags[others]].sum(dim=1))
    part.logits.weight.copy_(logits)
    part.logits.bias.copy_(bias)
    part.blocks.load_state_dict(whole.blocks.state_dict())
    return part
