"""What the answer to K11 (fine-tuning: learning rate, warm-up, clipping) states."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from recsys_course import claim
from recsys_course.data.movielens import movielens


def test_the_first_step_of_adam_is_the_learning_rate():
    moved = []
    for size in (1e-4, 1.0, 1e4):
        weight = torch.zeros(3, requires_grad=True)
        adam = torch.optim.Adam([weight], lr=0.001)
        weight.grad = size * torch.tensor([1.0, -2.0, 3.0])
        adam.step()
        moved.append(weight.detach())
    claim(
        "K11.first-step",
        "Whatever the size of the gradient, Adam's first step moves each weight by the learning rate",
        all(torch.allclose(m, 0.001 * torch.tensor([-1.0, 1.0, -1.0]), rtol=1e-3) for m in moved),
    )


def test_how_large_that_is_beside_the_weights(minilm):
    network, _ = minilm
    sizes = torch.cat(
        [
            p.detach().abs().flatten()
            for n, p in network.encoder.named_parameters()
            if n.endswith("weight") and p.dim() == 2
        ]
    )
    middle = float(sizes.median())
    claim(
        "K11.weights",
        "The middle weight of MiniLM's layers is 0.035: one step at 1e-3 is 3 % of it, at 2e-5 0.06 %",
        abs(middle - 0.035) < 0.001,
    )


@pytest.fixture(scope="module")
def tuned(minilm):
    """Two layers of the encoder, 10 steps on pairs of films drawn by lot, at two rates; what is left of other films.

    For each rate: share of the five nearest that stay, mean cosine of two films before and after, first and last loss.
    """
    network, tokenizer = minilm
    batch = tokenizer(movielens().titles[:80], padding=True, return_tensors="pt")
    return {rate: tune(network, batch, rate) for rate in (2e-5, 1e-3)}


def tune(network, batch, rate):
    words, layers = network.embeddings, copy.deepcopy(network.encoder.layer[:2])
    mask = batch["attention_mask"]

    def vectors(rows):
        with torch.no_grad():
            x = words(batch["input_ids"][rows])
        for layer in layers:
            x = layer(x, attention_mask=mask[rows][:, None, None].bool())
        there = mask[rows].unsqueeze(2).float()
        return normalize((x * there).sum(1) / there.sum(1), dim=1)

    def look():
        with torch.no_grad():
            others = vectors(torch.arange(32, 80))
        cosine = (others @ others.T).fill_diagonal_(0)
        return float(cosine.sum()) / (48 * 47), cosine.fill_diagonal_(-2).topk(5).indices

    (start, nearest), draw, losses = look(), torch.Generator().manual_seed(0), []
    adam = torch.optim.Adam(layers.parameters(), lr=rate)
    for _ in range(10):
        left, right = torch.randperm(32, generator=draw).split(16)
        loss = cross_entropy(vectors(left) @ vectors(right).T / 0.05, torch.arange(16))
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    end, still = look()
    kept = float((nearest[:, :, None] == still[:, None]).any(2).float().mean())
    return kept, start, end, losses[0], losses[-1]


def test_a_rate_of_a_thousandth_forgets_what_was_bought(tuned):
    slow, fast = tuned[2e-5], tuned[1e-3]
    claim(
        "K11.forgets",
        "Two layers of MiniLM, 10 steps of Adam on pairs drawn by lot: at 2e-5 98 % of other films' five nearest stay, "
        "at 1e-3 55 %, and the mean cosine of two films goes from 0.77 to 0.997",
        abs(slow[0] - 0.98) < 0.015
        and abs(fast[0] - 0.55) < 0.06
        and abs(slow[1] - 0.773) < 0.005
        and abs(fast[2] - 0.997) < 0.003,
    )
    claim(
        "K11.loss-hides",
        "Both losses fall, from 3.33 to 2.83 and 2.78, the logarithm of the 16 films in a batch: all scores alike",
        abs(slow[3] - 3.33) < 0.02 and abs(slow[4] - 2.83) < 0.03 and abs(fast[4] - math.log(16)) < 0.02,
    )


def test_clipping_all_steps_alike_does_nothing_under_adam():
    ends = {}
    for make, name in ((torch.optim.Adam, "adam"), (torch.optim.SGD, "sgd")):
        for scale in (1.0, 0.01):
            weight = torch.ones(3, requires_grad=True)
            optimizer, draw = make([weight], lr=0.01), torch.Generator().manual_seed(0)
            for _ in range(50):
                weight.grad = scale * torch.randn(3, generator=draw)
                optimizer.step()
            ends[name, scale] = weight.detach()
    claim(
        "K11.scale-free",
        "Gradients a hundred times smaller throughout: Adam ends in the same place, SGD moves a hundredth",
        torch.allclose(ends["adam", 1.0], ends["adam", 0.01], atol=1e-4)
        and torch.allclose((ends["sgd", 1.0] - 1) * 0.01, ends["sgd", 0.01] - 1, atol=1e-5),
    )


def test_one_wild_batch():
    """The slope is 1 at each step, but for one step in the middle with -1,000."""
    ends = {}
    for limit in (None, 1.0):
        weight = torch.zeros(1, requires_grad=True)
        adam = torch.optim.Adam([weight], lr=0.01)
        for step in range(400):
            weight.grad = torch.tensor([-1_000.0 if step == 200 else 1.0])
            if limit:
                nn.utils.clip_grad_norm_([weight], limit)
            adam.step()
        ends[limit] = -weight.item()
    claim(
        "K11.outlier",
        "Adam, 400 steps of 0.01 along a slope of 1, one wild gradient of -1,000 in the middle: it gets 1.90 far, "
        "3.98 with clipping to 1",
        abs(ends[None] - 1.90) < 0.02 and abs(ends[1.0] - 3.98) < 0.02,
    )


def test_warm_up_bounds_the_first_walk():
    """Gradients of pure noise: how far weights wander in the first 100 steps, with and without a ramp."""
    walked = {}
    for ramp in (0, 100):
        weight = torch.zeros(10_000, requires_grad=True)
        adam, draw = torch.optim.Adam([weight], lr=0.001), torch.Generator().manual_seed(0)
        plan = torch.optim.lr_scheduler.LambdaLR(adam, lambda step, ramp=ramp: min(1, (step + 1) / ramp) if ramp else 1)
        for _ in range(100):
            weight.grad = torch.randn(10_000, generator=draw)
            adam.step()
            plan.step()
        walked[ramp] = float(weight.detach().abs().mean())
    claim(
        "K11.warm-up",
        "Gradients of noise, rate 0.001: in 100 steps a weight wanders 0.0084 on average, with a ramp over these "
        "steps 0.0044",
        abs(walked[0] - 0.0084) < 0.0002 and abs(walked[100] - 0.0044) < 0.0002,
    )


def test_freezing_the_words(minilm):
    network, _ = minilm
    table = sum(p.numel() for p in network.embeddings.parameters())
    everything = sum(p.numel() for p in network.parameters())
    share = table / everything
    claim("K11.words", "52 % of MiniLM's parameters are its embeddings", abs(share - 0.525) < 0.01)
