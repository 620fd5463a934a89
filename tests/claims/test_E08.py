"""What the answer to E08 (batch or layer normalisation) states."""

import numpy as np
import torch
from torch import nn

from recsys_course import claim


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_in_training_mode_the_score_depends_on_the_neighbours():
    norm = nn.BatchNorm1d(1).train()
    first = norm(torch.tensor([[1.0], [2.0], [4.0]]))[0].item()
    second = norm(torch.tensor([[1.0], [0.0], [2.0]]))[0].item()
    norm.eval()
    calm = [norm(torch.tensor([[1.0], [other]]))[0].item() for other in (0.0, 9.0)]
    layer = nn.LayerNorm(4)
    x = normal(3, 4)
    claim(
        "E08.neighbours",
        "BatchNorm in training mode turns 1 into -1.07 beside 2 and 4, and into 0.00 beside 0 and 2; in evaluation "
        "mode neighbours do not matter; LayerNorm never depends on them",
        abs(first + 1.07) < 0.01
        and abs(second) < 1e-3
        and calm[0] == calm[1]
        and torch.equal(layer(x)[:1], layer(x[:1])),
    )


def test_what_each_learns_and_keeps():
    batch, layer = nn.BatchNorm1d(64), nn.LayerNorm(64)
    sizes = [sum(p.numel() for p in m.parameters()) for m in (batch, layer)]
    claim(
        "E08.parameters",
        "On 64 features each learns 128 numbers; BatchNorm also keeps 64 means and 64 variances that no gradient "
        "touches",
        sizes == [128, 128] and sum(b.numel() for b in batch.buffers()) == 129 and not list(layer.buffers()),
    )


def test_small_batches_make_it_noise():
    draw = np.random.default_rng(0)
    spread = {n: draw.normal(size=(20_000, n)).mean(1).std() for n in (4, 16, 256)}
    claim(
        "E08.small-batch",
        "The mean of a batch of 4, 16 or 256 wobbles by 0.50, 0.25 or 0.06 of the feature's spread",
        all(abs(spread[n] - w) < 0.01 for n, w in ((4, 0.5), (16, 0.25), (256, 0.0625))),
    )


def test_two_scenarios_through_one_running_mean():
    """A feature that means the same relative to its page: home page around 0, search page around 10."""
    draw = np.random.default_rng(0)
    home, search = draw.normal(0, 1, 10_000), draw.normal(10, 1, 10_000)
    both = np.concatenate([home, search])
    mixed = [(page - both.mean()) / both.std() for page in (home, search)]
    own = [(page - page.mean()) / page.std() for page in (home, search)]
    claim(
        "E08.scenarios",
        "Two pages whose feature is 10 spreads apart: with common statistics each page's values are within 0.2 of one "
        "point, with own statistics within 1",
        all(abs(p.std() - 0.196) < 0.005 for p in mixed) and all(abs(p.std() - 1) < 1e-6 for p in own),
    )


def test_layer_norm_forgets_how_large_its_input_was():
    x = normal(5, 16)
    layer = nn.LayerNorm(16)
    claim(
        "E08.intensity",
        "LayerNorm gives the same for x and 100 x: how strong an interest is, is gone",
        torch.allclose(layer(x), layer(100 * x), atol=1e-4),
    )


def first_gradients(n_layers, norm_first):
    """Norm of the loss's gradient by the first and the last layer's feed-forward weights, at the start of training."""
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    stack = nn.ModuleList(
        nn.TransformerEncoderLayer(64, 4, 256, dropout=0.0, batch_first=True, norm_first=norm_first)
        for _ in range(n_layers)
    )
    last, head = nn.LayerNorm(64) if norm_first else nn.Identity(), nn.Linear(64, 100)
    torch.random.set_rng_state(state)
    x = normal(16, 20, 64)
    for layer in stack:
        x = layer(x)
    labels = torch.randint(100, (320,), generator=torch.Generator().manual_seed(0))
    nn.functional.cross_entropy(head(last(x)).flatten(0, 1), labels).backward()
    return [float(layer.linear1.weight.grad.norm()) for layer in (stack[0], stack[-1])]


def test_where_the_norm_stands_decides_what_reaches_the_first_layer():
    post, pre = first_gradients(24, False), first_gradients(24, True)
    claim(
        "E08.pre-post",
        "24 layers at the start: the norm behind the residual makes the last layer's gradient 2.2 times that of the "
        "first, the norm inside the branch 0.7 times",
        abs(post[1] / post[0] - 2.2) < 0.2 and abs(pre[1] / pre[0] - 0.69) < 0.1,
    )


def test_without_a_norm_the_residual_stream_doubles_at_each_layer():
    draw, plain, normed = torch.Generator().manual_seed(0), normal(200, 256), normal(200, 256)
    for _ in range(24):
        weights = torch.randn(256, 256, generator=draw) / 16
        plain = plain + plain @ weights
        normed = normed + nn.functional.layer_norm(normed, (256,)) @ weights
    sizes = float(plain.var().log2()), float(normed.var())
    claim(
        "E08.grows",
        "24 residual layers that keep the variance: without a norm it is 2^24, with one before each layer 25",
        abs(sizes[0] - 24) < 1 and abs(sizes[1] - 25) < 2,
    )
