"""Where a run computes, how that is chosen, and how this process is set to it."""

from __future__ import annotations

import torch

from ganforge.core.device import survey_machine
from ganforge.recipe import Compute

FOR_A_GPU = "not used: it is for an NVIDIA GPU"
WHOLE = "a batch is computed as a whole; more pieces take less memory"
ALONE = "each operation has one: several wait for each other, and for long where another program runs"


def compute_on(device: str) -> tuple[Compute, dict[str, str]]:
    """The section `compute` for a device, and the reason of each choice; `__` stands for the dot in its name."""
    machine = survey_machine()
    best, on_gpu = device == machine.device, device.startswith("cuda")
    precision = machine.precision if best else "float32"
    coarse = precision == "bfloat16"
    kept = "products of matrices and convolutions; weights, moments, losses and penalties are float32" if coarse else ""
    compute = Compute(device=device, precision="bfloat16" if coarse else "float32", threads=machine.threads)
    return compute, {
        "compute__device": machine.device_reason,
        "compute__precision": "; ".join(
            filter(
                None,
                (
                    machine.precision_reason if best else "safe on any device",
                    kept,
                    "what stays float32 is multiplied as TF32" if on_gpu else "",
                ),
            )
        ),
        "compute__pieces": WHOLE,
        "compute__capture": "hundreds of small operations are started at once" if on_gpu else FOR_A_GPU,
        "compute__deterministic": "the fastest algorithms; true makes a resumed run the same to the bit"
        if on_gpu
        else "not used: on a processor a resumed run is the same to the bit in any case",
        "compute__threads": ALONE if compute.threads == 1 else machine.description,
    }


def use(compute: Compute) -> None:
    """Sets this process to a recipe's section `compute`.

    The number of threads decides the order of sums, and with it the bits of a run; on a GPU the choice of algorithms
    does. TF32 keeps 10 bits of the factors of a product and adds in float32.
    """
    torch.set_num_threads(compute.threads)
    on_gpu = compute.device.startswith("cuda")
    torch.set_float32_matmul_precision("high" if on_gpu else "highest")
    if on_gpu:
        torch.use_deterministic_algorithms(compute.deterministic)
        torch.backends.cudnn.benchmark = not compute.deterministic
