"""What the answer to D05 (the temperature of a contrastive loss) states."""

import math

import torch
import torch.nn.functional as F

from recsys_course import claim

TEMPERATURES = (1.0, 0.2, 0.1, 0.05, 0.02)


def test_a_cosine_alone_cannot_concentrate():
    chance = {t: math.exp(1 / t) / (math.exp(1 / t) + 1_000) for t in (1.0, 0.05)}
    claim(
        "D05.bounded",
        "A perfect pair, cosine 1, against 1,000 negatives with cosine 0: probability 0.003 and loss 5.9 at "
        "temperature 1; at 0.05 a probability above 0.99999",
        abs(chance[1.0] - 0.0027) < 0.0001 and abs(-math.log(chance[1.0]) - 5.91) < 0.01 and chance[0.05] > 0.99999,
    )


def push(cosines, temperature):
    """Share of the push on each negative: its part of the softmax over the negatives alone, ``[n, n_negatives]``."""
    return (cosines / temperature).softmax(-1)


def test_the_colder_the_fewer_negatives_count():
    draw = torch.Generator().manual_seed(0)
    vectors = F.normalize(torch.randn(1_200, 64, generator=draw), dim=1)
    cosines = vectors[:200] @ vectors[200:].T  # random pairs of dimension 64, standard deviation 1 / 8
    top = {t: float(push(cosines, t).topk(10).values.sum(1).mean()) for t in TEMPERATURES}
    claim(
        "D05.concentration",
        "1,000 random negatives of dimension 64: the ten nearest get 1 % of the push at temperature 1, 13 % at 0.1, "
        "48 % at 0.05 and 96 % at 0.02",
        all(abs(top[t] - w) < 0.02 for t, w in ((1.0, 0.014), (0.1, 0.13), (0.05, 0.48), (0.02, 0.96))),
    )


def test_one_false_negative_takes_over():
    draw = torch.Generator().manual_seed(0)
    vectors = F.normalize(torch.randn(1_199, 64, generator=draw), dim=1)
    cosines = torch.cat([vectors[:200] @ vectors[200:].T, torch.full((200, 1), 0.8)], 1)
    share = {t: float(push(cosines, t)[:, -1].mean()) for t in TEMPERATURES}
    claim(
        "D05.false-negative",
        "999 random negatives and one unlabelled positive with cosine 0.8: it gets 0.2 % of the push at temperature 1, "
        "4 % at 0.2, 58 % at 0.1 and over 99 % at 0.05",
        all(abs(share[t] - w) < 0.02 for t, w in ((1.0, 0.002), (0.2, 0.043), (0.1, 0.58))) and share[0.05] > 0.99,
    )


def test_more_negatives_do_the_same_as_a_lower_temperature():
    draw = torch.Generator().manual_seed(0)
    highest = {}
    for n in (100, 1_000, 10_000):
        query = F.normalize(torch.randn(100, 64, generator=draw), dim=1)
        highest[n] = float((query @ F.normalize(torch.randn(n, 64, generator=draw), dim=1).T).amax(1).mean())
    claim(
        "D05.batch",
        "The nearest of 100, 1,000 and 10,000 random negatives of dimension 64 has a cosine of 0.32, 0.39 and 0.45",
        all(abs(highest[n] - w) < 0.015 for n, w in ((100, 0.315), (1_000, 0.392), (10_000, 0.455))),
    )


def test_with_free_lengths_the_temperature_is_only_a_unit():
    draw = torch.Generator().manual_seed(0)
    users, items = torch.randn(50, 16, generator=draw), torch.randn(50, 16, generator=draw)
    cold = F.cross_entropy(users @ items.T / 0.25, torch.arange(50))
    longer = F.cross_entropy((2 * users) @ (2 * items).T, torch.arange(50))
    unit = F.normalize(users, dim=1), F.normalize(2 * items, dim=1)
    same = F.normalize(2 * users, dim=1), F.normalize(items, dim=1)
    claim(
        "D05.absorbed",
        "Inner products: temperature 0.25 and vectors twice as long give one loss; cosines do not notice the length",
        torch.allclose(cold, longer, rtol=1e-5) and torch.allclose(unit[0] @ unit[1].T, same[0] @ same[1].T, atol=1e-6),
    )


def test_a_learnt_temperature_falls_where_the_batch_is_separated():
    def slope(own):
        scale = torch.tensor(math.log(10.0), requires_grad=True)  # log of 1 / temperature
        cosines = torch.full((8, 8), 0.3).fill_diagonal_(own)
        F.cross_entropy(scale.exp() * cosines, torch.arange(8)).backward()
        return float(scale.grad)

    claim(
        "D05.learnt",
        "A learnt temperature: where every pair beats its negatives the gradient lowers it, where pairs stand below "
        "their negatives it raises it",
        slope(0.4) < 0 < slope(0.2),
    )


def test_dividing_by_a_positive_number_moves_no_list():
    scores = torch.randn(20, 100, generator=torch.Generator().manual_seed(0))
    claim(
        "D05.serving",
        "Dividing all scores by 0.05 changes no top-10 list",
        torch.equal(scores.topk(10).indices, (scores / 0.05).topk(10).indices),
    )
