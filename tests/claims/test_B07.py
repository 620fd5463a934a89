"""What the answer to B07 (why factorization machines work on sparse data) states."""

import torch
import torch.nn.functional as F

from recsys_course import claim
from recsys_course.training import seeded


def by_pairs(x, factors):
    """The pair loop: sum over i < j of <v_i, v_j> x_i x_j, float ``[batch]``."""
    products = (factors @ factors.T)[None] * x[:, :, None] * x[:, None, :]
    return products.triu(1).sum((1, 2))


def by_squares(x, factors):
    """The same in O(k n)."""
    return 0.5 * ((x @ factors).square() - x.square() @ factors.square()).sum(1)


def test_the_sum_over_pairs_is_a_difference_of_squares():
    draw = torch.Generator().manual_seed(0)
    x, factors = torch.randn(50, 40, generator=draw).double(), torch.randn(40, 8, generator=draw).double()
    ones = torch.zeros(1, 1_000, dtype=torch.float64)
    ones[0, [3, 500, 999]] = 1
    table = torch.randn(1_000, 8, generator=draw).double()
    three = 0.5 * (table[[3, 500, 999]].sum(0).square() - table[[3, 500, 999]].square().sum(0)).sum()
    claim(
        "B07.identity",
        "Half the difference of the square of the sum and the sum of the squares equals the loop over pairs to 1e-9; "
        "of 1,000 features with three active ones these three rows are enough",
        torch.allclose(by_pairs(x, factors), by_squares(x, factors), atol=1e-9)
        and torch.allclose(by_squares(ones, table)[0], three),
    )
    pairs, n, k = 1_000_000 * 999_999 // 2, 1_000_000, 16
    claim(
        "B07.weights",
        "A million features: 500 billion pair weights, or 16 million numbers with 16 factors",
        abs(pairs / 5e11 - 1) < 1e-5 and n * k == 16_000_000,
    )


def world(n_users=200, n_items=200, share=0.05, dim=3):
    """A true value for each pair, of three hidden factors; a few pairs are seen with noise."""
    draw = torch.Generator().manual_seed(0)
    truth = torch.randn(n_users, dim, generator=draw) @ torch.randn(n_items, dim, generator=draw).T
    seen = torch.rand(n_users, n_items, generator=draw) < share
    return truth, truth + 0.3 * torch.randn(n_users, n_items, generator=draw), seen


def fit(steps, predict, weights, value, seen, decay):
    adam = torch.optim.Adam(weights, lr=0.02)
    for _ in range(steps):
        loss = (predict() - value)[seen].square().mean() + decay * sum(w.square().sum() for w in weights) / seen.sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    with torch.no_grad():
        return predict()


def explained(guess, truth, where):
    return float((1 - F.mse_loss(guess[where], truth[where]) / truth[where].var()).detach())


def test_a_pair_that_never_met_is_scored_through_others():
    found = {}
    for share in (0.05, 0.2):
        truth, value, seen = world(share=share)
        pair = torch.zeros_like(truth, requires_grad=True)
        free = fit(300, lambda pair=pair: pair, [pair], value, seen, 0.0)
        with seeded(0):
            users, items = (torch.nn.Parameter(0.1 * torch.randn(200, 3)) for _ in range(2))
        shared = fit(300, lambda u=users, i=items: u @ i.T, [users, items], value, seen, 0.3)
        found[share] = explained(free, truth, ~seen), explained(shared, truth, ~seen)
    claim(
        "B07.unseen",
        "200 users and 200 items with three hidden factors and noise, explained variance of the pairs that were not "
        "seen: a weight for each pair 0.00; two vectors of 3 numbers 0.88 with 5 % of the pairs seen, 0.99 with 20 %",
        max(abs(found[share][0]) for share in found) < 0.01
        and abs(found[0.05][1] - 0.877) < 0.03
        and abs(found[0.2][1] - 0.994) < 0.006,
    )


def test_half_precision_loses_the_difference_of_two_large_numbers():
    table = torch.full((200, 8), 3.0) + 0.01 * torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    x = torch.ones(1, 200)
    exact = by_pairs(x.double(), table.double())
    small = 0.5 * ((x @ table).half().square() - (x.square() @ table.square()).half()).sum(1)
    claim(
        "B07.half",
        "200 active features with factors around 3 in fp16: the square of the sum is infinite; the pairs sum to 1.4 "
        "million",
        bool(small.isinf()) and abs(exact.item() / 1.43e6 - 1) < 0.02,
    )


def test_an_fm_as_an_inner_product_of_user_and_item():
    draw = torch.Generator().manual_seed(0)
    factors, weights = torch.randn(30, 4, generator=draw).double(), torch.randn(30, generator=draw).double()
    user, items = torch.zeros(30).double(), torch.zeros(50, 30).double()
    user[[0, 5, 9]] = 1  # the user's features are the first 10, an item's the last 20
    items[torch.arange(50)[:, None], 10 + torch.randint(20, (50, 3), generator=draw)] = 1
    full = by_squares(user + items, factors) + (user + items) @ weights
    own = by_squares(items, factors) + items @ weights  # what depends on the item alone
    query = torch.cat([user @ factors, torch.ones(1).double()])
    keys = torch.cat([items @ factors, own[:, None]], 1)
    difference = full - keys @ query
    claim(
        "B07.retrieval",
        "An FM's scores of 50 items for one user are an inner product of k + 1 numbers and a constant",
        float(difference.std()) < 1e-9,
    )
