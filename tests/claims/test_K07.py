"""What the answer to K07 (fp16 against bf16) states."""

import math

import torch
from torch import nn

from recsys_course import claim

HALF, BRAIN = torch.float16, torch.bfloat16


def test_range_and_precision():
    claim(
        "K07.range",
        "The largest fp16 is 65,504 and 70,000 becomes infinite; bf16 reaches 3.4e38 as float32 does",
        torch.finfo(HALF).max == 65_504
        and torch.tensor(70_000.0).to(HALF).isinf()
        and not torch.tensor(70_000.0).to(BRAIN).isinf()
        and math.isclose(torch.finfo(BRAIN).max, torch.finfo(torch.float32).max, rel_tol=0.01),
    )
    claim(
        "K07.underflow",
        "1e-8 is 0 in fp16, whose smallest number above 0 is 6e-8; in bf16 it is not",
        torch.tensor(1e-8).to(HALF) == 0
        and abs(float(torch.tensor(6e-8).to(HALF)) / 5.96e-8 - 1) < 0.01
        and torch.tensor(1e-8).to(BRAIN) > 0,
    )
    claim(
        "K07.precision",
        "Above 1 the next bf16 is 1.0078, the next fp16 1.00098; whole numbers are exact up to 256 and up to 2,048",
        (torch.finfo(BRAIN).eps, torch.finfo(HALF).eps) == (2**-7, 2**-10)
        and torch.tensor(257.0).to(BRAIN) == 256
        and torch.tensor(2049.0).to(HALF) == 2048,
    )


def test_small_steps_are_lost():
    weight = torch.ones((), dtype=BRAIN)
    total = torch.zeros((), dtype=BRAIN)
    for _ in range(1000):
        weight -= 1e-3
        total += 1
    claim(
        "K07.lost-step",
        "A bf16 weight of 1 and a step of 1e-3, 1,000 times: it is still 1; in float32 it would be 0",
        weight == 1 and abs(1 - 1000 * 1e-3) < 1e-9,
    )
    claim("K07.lost-sum", "1,000 ones added up in bf16 one by one are 256", total == 256)


class Scaled(nn.Module):
    """One weight whose gradient in fp16 is what is asked for."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))


def step(scaler, model, optimiser, gradient, clip=None, unscale_first=True):
    """One step of mixed precision; the gradient passes through fp16 on its way."""
    optimiser.zero_grad()
    scaler.scale(torch.zeros(1))  # the scaler makes its scale when it is first used
    model.weight.grad = (torch.tensor(gradient) * scaler.get_scale()).to(HALF).float()
    if clip and unscale_first:
        scaler.unscale_(optimiser)
    if clip:
        nn.utils.clip_grad_norm_(model.parameters(), clip)
    scaler.step(optimiser)
    scaler.update()


def make(optimiser=torch.optim.SGD, **options):
    model = Scaled()
    return torch.amp.GradScaler("cpu", **options), model, optimiser(model.parameters(), lr=1.0)


def test_the_scaler_saves_small_gradients_and_skips_infinite_ones():
    scaler, model, optimiser = make()
    step(scaler, model, optimiser, [1e-8, 2e-8])
    kept = model.weight.detach().clone()
    claim(
        "K07.scaled",
        "Gradients of 1e-8 scaled by 65,536 pass through fp16 and come out within 1 %; unscaled they are 0",
        torch.allclose(-kept, torch.tensor([1e-8, 2e-8]), rtol=0.01) and torch.tensor(1e-8).to(HALF) == 0,
    )
    step(scaler, model, optimiser, [1.5, 0.0])
    claim(
        "K07.skipped",
        "A gradient of 1.5 times 65,536 does not fit: the step is skipped, the weights stay, the scale becomes 32,768",
        torch.equal(model.weight.detach(), kept) and scaler.get_scale() == 32_768,
    )
    scaler, model, optimiser = make(growth_interval=3)
    scales = []
    for _ in range(4):
        step(scaler, model, optimiser, [1e-8, 0.0])
        scales.append(scaler.get_scale())
    claim(
        "K07.grows",
        "After as many steps in a row as its interval the scale doubles; the defaults are 65,536 and 2,000 steps",
        scales == [65_536, 65_536, 131_072, 131_072]
        and torch.amp.GradScaler("cpu").state_dict()["growth_interval"] == 2000
        and torch.amp.GradScaler("cpu").get_scale() == 65_536,
    )


def test_clip_before_unscale():
    ends = {}
    for name, kind in (("sgd", torch.optim.SGD), ("adam", torch.optim.Adam)):
        for first in (True, False):
            scaler, model, optimiser = make(kind)
            step(scaler, model, optimiser, [0.3, 0.4], clip=1.0, unscale_first=first)
            ends[name, first] = model.weight.detach().clone()
    ratio = float(ends["sgd", True].norm() / ends["sgd", False].norm())
    claim(
        "K07.clip",
        "A gradient of length 0.5 clipped to 1 before it is unscaled: the step of SGD is 32,768 times too small, that "
        "of Adam, which forgets the scale, nearly the same",
        abs(ratio / 32_768 - 1) < 0.01 and torch.allclose(ends["adam", True], ends["adam", False], rtol=0.01),
    )


def test_what_mixed_precision_costs_and_saves():
    mixed, full = 2 + 2 + 4 + 4 + 4, 4 + 4 + 4 + 4
    claim(
        "K07.bytes",
        "Bytes a parameter under Adam: 2 + 2 + 4 + 4 + 4 = 16 with half-precision weights and gradients and a float32 "
        "copy, 4 + 4 + 4 + 4 = 16 without",
        mixed == full == 16,
    )
    layer, x = nn.Linear(8, 8), torch.zeros(4, 8)
    with torch.autocast("cpu", BRAIN):
        narrow = layer(x)
        loss = nn.functional.mse_loss(narrow, torch.zeros(4, 8))
    sizes = layer(x).element_size(), narrow.element_size(), layer.weight.element_size()
    claim(
        "K07.autocast",
        "Under autocast to bf16 a linear layer gives 2 bytes a number, its weight keeps 4, and a squared error is "
        "float32",
        sizes == (4, 2, 4) and loss.dtype == torch.float32,
    )
