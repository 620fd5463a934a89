"""What the answer to K04 (LoRA with numbers) states."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from recsys_course import claim


class LoRA(nn.Module):
    """A frozen linear layer plus (alpha / rank) B A."""

    def __init__(self, base, rank, alpha=8.0, seed=0):
        super().__init__()
        self.base, self.scale = base.requires_grad_(False), alpha / rank
        draw = torch.Generator().manual_seed(seed)
        self.a = nn.Parameter(torch.randn(rank, base.in_features, generator=draw) / rank**0.5)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.a.T) @ self.b.T

    def merged(self):
        return self.base.weight + self.scale * self.b @ self.a


def linear(n_in, n_out, seed=0):
    layer = nn.Linear(n_in, n_out)
    with torch.no_grad():
        layer.weight.normal_(std=n_in**-0.5, generator=torch.Generator().manual_seed(seed))
    return layer


def test_the_numbers_of_the_question():
    d, r = 10_000, 100
    added, all_ = 2 * d * r, d * d
    claim(
        "K04.numbers",
        "10,000 by 10,000 and rank 100: 2 million instead of 100 million parameters, 2 %; at rank 5,000 as many as "
        "before",
        (added, all_) == (2_000_000, 100_000_000) and 2 * d * 5_000 == all_,
    )
    claim(
        "K04.adam",
        "16 bytes a trained parameter with mixed-precision Adam: 1.6 GB for the layer, 0.2 GB for frozen bf16 weights "
        "and 0.032 GB for the adapter",
        (all_ * 16, all_ * 2, added * 16) == (1_600_000_000, 200_000_000, 32_000_000),
    )


def test_in_a_real_encoder(minilm):
    network, _ = minilm
    everything = sum(p.numel() for p in network.parameters())
    targets = [m for name, m in network.named_modules() if name.endswith((".query", ".value"))]
    added = sum(8 * (m.in_features + m.out_features) for m in targets)
    claim(
        "K04.minilm",
        "Rank 8 on query and value of the six layers of MiniLM: 12 layers, 73,728 parameters, 0.32 % of 22.7 million",
        len(targets) == 12 and added == 73_728 and abs(added / everything - 0.00325) < 0.0001,
    )


def test_it_starts_as_the_layer_it_adapts_and_merges_into_one():
    layer, x = LoRA(linear(32, 24), 4), torch.randn(5, 32, generator=torch.Generator().manual_seed(1))
    start = torch.equal(layer(x), layer.base(x))
    with torch.no_grad():
        layer.b.normal_(generator=torch.Generator().manual_seed(2))
        merged = x @ layer.merged().T + layer.base.bias
        same = torch.allclose(layer(x), merged, atol=1e-5)
        layer.base.weight.copy_(layer.merged())
        twice = float((layer(x) - merged).abs().max())
    claim(
        "K04.merge",
        "With B = 0 the output is that of the frozen layer; merged weights give the adapted one; a merged layer that "
        "keeps its adapter adds the change twice",
        start and same and twice > 0.1,
    )


def gradients(a_zero, b_zero):
    layer, x = LoRA(linear(16, 16), 4), torch.randn(8, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        layer.a.mul_(not a_zero)
        layer.b.normal_(generator=torch.Generator().manual_seed(2)).mul_(not b_zero)
    layer(x).square().sum().backward()
    return [float(layer.a.grad.abs().max()) > 0, float(layer.b.grad.abs().max()) > 0]


def test_one_of_the_two_must_not_be_zero():
    claim(
        "K04.zero",
        "B zero: at the first step B has a gradient and A none; A zero: the other way round; neither zero: both; both "
        "zero: neither, for ever",
        gradients(False, True) == [False, True]
        and gradients(True, False) == [True, False]
        and gradients(False, False) == [True, True]
        and gradients(True, True) == [False, False],
    )


def left_over(change, rank):
    values = torch.linalg.svdvals(change)
    return float(values[rank:].square().sum() / values.square().sum())


def test_a_change_of_full_rank_does_not_fit():
    draw = torch.Generator().manual_seed(0)
    full = torch.randn(256, 256, generator=draw)
    low = torch.randn(256, 8, generator=draw) @ torch.randn(8, 256, generator=draw)
    claim(
        "K04.rank",
        "256 by 256: a random change leaves 89 % of its square outside the best rank 8, a change of rank 8 nothing",
        abs(left_over(full, 8) - 0.89) < 0.01 and left_over(low, 8) < 1e-6,
    )


def training_flops(layers):
    """Forward and backward of a stack on 64 rows; the input needs no gradient."""
    x = torch.zeros(64, 256)
    with FlopCounterMode(display=False) as counter:
        nn.Sequential(*layers)(x).sum().backward()
    return counter.get_total_flops()


def test_what_is_not_saved():
    full = training_flops([linear(256, 256) for _ in range(8)])
    lora = training_flops([LoRA(linear(256, 256), 8) for _ in range(8)])
    claim(
        "K04.compute",
        "Eight layers of 256, rank 8, by torch's counter: training with LoRA takes 0.72 of the operations of full "
        "training",
        abs(lora / full - 0.716) < 0.005,
    )
    kept = {}
    for name, make in (("full", linear), ("lora", lambda n, m: LoRA(linear(n, m), 8))):
        sizes = []
        layers = nn.Sequential(*[nn.Sequential(make(256, 256), nn.GELU()) for _ in range(8)])
        weights = {p.data_ptr() for p in layers.parameters()}
        keep = lambda t: (sizes.append((t.data_ptr(), t.numel())), t)[1]  # noqa: E731, B023
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            layers(torch.zeros(1024, 256, requires_grad=True)).sum()
        kept[name] = sum(n for p, n in set(sizes) if p not in weights)
    claim(
        "K04.activations",
        "Of eight such layers with GELU the backward pass keeps 4.19 million activations in full training and 4.26 "
        "million with LoRA",
        abs(kept["full"] / 4.194e6 - 1) < 0.01 and abs(kept["lora"] / 4.26e6 - 1) < 0.01,
    )


def test_alpha_over_rank():
    base = linear(16, 16)
    claim(
        "K04.scale",
        "Alpha 8: the change is multiplied by 2 at rank 4 and by 0.5 at rank 16",
        (LoRA(base, 4).scale, LoRA(base, 16).scale) == (2, 0.5),
    )
