"""What the answer to D03 (negatives by popularity to the power of 0.75) states."""

import time

import numpy as np
import torch

from recsys_course import claim, sampling


def test_how_much_of_the_draws_goes_to_the_head(ratings):
    counts = ratings.item_counts().double().sort(descending=True).values
    head = round(0.2 * len(counts))
    share = {power: float((counts**power)[:head].sum() / (counts**power).sum()) for power in (0, 0.75, 1)}
    claim(
        "D03.head",
        "MovieLens 100K: the most-rated fifth of the films gets 20 % of the draws at power 0, 55 % at 0.75, 65 % at 1",
        np.allclose([share[0], share[0.75], share[1]], [0.2, 0.547, 0.646], atol=0.006),
    )
    claim(
        "D03.ratio",
        "The film with most ratings has 583 of them; against a film with one it is drawn 583 times as often at power 1 "
        "and 119 times at 0.75",
        int(counts[0]) == 583 and round(583**0.75) == 119,
    )


def test_an_alias_table_draws_exactly_what_it_should(ratings):
    weights = ratings.item_counts().double() ** 0.75
    table = sampling.AliasTable(weights)
    built = table.share.clone()
    built.scatter_add_(0, table.alias, 1 - table.share)
    claim(
        "D03.alias-exact",
        "One column and one coin: the probabilities of the table are the weights to 1e-9",
        torch.allclose(built / len(weights), weights / weights.sum(), atol=1e-9),
    )


def test_a_draw_from_the_list_walks_through_all_of_it():
    weights = torch.rand(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    table, share = sampling.AliasTable(weights), (weights / weights.sum()).numpy()
    draw, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    table.draw(10_000, generator)
    seconds = []
    for sample, n in ((lambda: draw.choice(len(share), p=share), 1), (lambda: table.draw(10_000, generator), 10_000)):
        start = time.process_time()
        for _ in range(20):
            sample()
        seconds.append((time.process_time() - start) / 20 / n)
    claim(
        "D03.choice",
        "100,000 items: a call of numpy's choice with probabilities for one item costs over 100 times a draw from an "
        "alias table, 10,000 at a time",
        seconds[0] > 100 * seconds[1],
    )


def optimum(positive, noise, correction):
    """Best scores by the exact expected loss: one free score an item, softmax over the target and one negative."""
    scores = torch.zeros(len(positive), dtype=torch.float64, requires_grad=True)
    p, q, c = (torch.tensor(x, dtype=torch.float64) for x in (positive, noise, correction))
    sgd = torch.optim.LBFGS([scores], max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def loss():
        sgd.zero_grad()
        shown = scores - c
        value = (p[:, None] * q[None] * torch.nn.functional.softplus(shown[None] - shown[:, None])).sum()
        value.backward()
        return value

    sgd.step(loss)
    return scores.detach().numpy()


def centred(x):
    return x - x.mean()


def test_the_correction_must_be_that_of_the_sampler():
    counts = np.array([1_000.0, 100.0, 10.0, 1.0])
    positive = np.array([0.4, 0.3, 0.2, 0.1])  # what this user picks
    noise = counts**0.75 / (counts**0.75).sum()
    found = {
        name: centred(optimum(positive, noise, correction))
        for name, correction in (("none", 0 * noise), ("right", np.log(noise)), ("counts", np.log(counts)))
    }
    claim(
        "D03.correction",
        "Negatives by count to 0.75, one free score an item: the optimum is log p with log q of the sampler, "
        "log p - 0.75 log count without correction, log p + 0.25 log count with the logarithm of the plain count",
        np.allclose(found["right"], centred(np.log(positive)), atol=1e-3)
        and np.allclose(found["none"], centred(np.log(positive) - 0.75 * np.log(counts)), atol=1e-3)
        and np.allclose(found["counts"], centred(np.log(positive) + 0.25 * np.log(counts)), atol=1e-3),
    )
