"""What the answer to C03 (in-batch softmax and log-Q) states, by exact expectation on catalogues small enough."""

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.stats import multinomial

from recsys_course import claim, losses

P = np.array([0.4, 0.3, 0.2, 0.1])  # how often this user takes each of four items
Q = np.array([0.6, 0.25, 0.1, 0.05])  # how often each is in the batch


def batches(n, n_items=4):
    """Every way in which ``n`` negatives can fall on the items."""
    if n_items == 1:
        return [[n]]
    return [[first, *rest] for first in range(n + 1) for rest in batches(n - first, n_items - 1)]


def expected_loss(scores, n, sign, masked):
    """Mean over all batches of ``n`` negatives, and its gradient; ``sign`` times log Q is added to the scores."""
    counts = np.array(batches(n))  # [n_batches, 4]
    chance = multinomial.pmf(counts, n, Q)
    logits, total, gradient = scores + sign * np.log(Q), 0.0, np.zeros(4)
    for target in range(4):
        others = counts * (np.arange(4) != target) if masked else counts
        weights = others * np.exp(logits)
        own = np.exp(logits[target])
        whole = own + weights.sum(1)
        total += P[target] * (chance @ np.log(whole) - logits[target])
        gradient += P[target] * (chance / whole) @ weights
        gradient[target] += P[target] * (chance @ (own / whole) - 1)
    return total, gradient


def learnt(n, sign, masked=False):
    """Softmax of the scores that minimise the expected loss."""
    found = minimize(
        expected_loss, np.zeros(4), args=(n, sign, masked), jac=True, method="BFGS", options={"gtol": 1e-9}
    )
    scores = np.exp(found.x - found.x.max())
    return scores / scores.sum()


def share(weights):
    return weights / weights.sum()


def test_what_each_sign_learns():
    wanted = {0: share(P / Q), -1: P, 1: share(P / Q**2)}
    found = {(n, sign): learnt(n, sign) for n in (1, 4, 16) for sign in wanted}
    claim(
        "C03.signs",
        "One free score an item, batches of 1, 4 or 16 negatives: the best softmax is p/q without correction, p with "
        "minus log q, p/q^2 with plus log q",
        all(np.allclose(best, wanted[sign], atol=1e-3) for (_, sign), best in found.items()),
    )
    claim(
        "C03.example",
        "Shares 0.4, 0.3, 0.2, 0.1 and batch frequencies 0.6, 0.25, 0.1, 0.05: without correction the two rarest items "
        "lead with 0.34 each, with the wrong sign the rarest with 0.61",
        abs(found[16, 0][2:] - 0.341).max() < 0.001 and abs(found[16, 1][3] - 0.607) < 0.001,
    )


def test_masking_duplicates_has_a_price_where_an_item_is_in_every_batch():
    few, many = learnt(1, -1, masked=True), learnt(16, -1, masked=True)
    claim(
        "C03.masked",
        "With duplicates masked the item of share 0.4, in 60 % of the rows, is learnt as 0.52 from 16 negatives; the "
        "order stays right",
        np.allclose(few, P, atol=1e-3) and abs(many[0] - 0.516) < 0.005 and bool((np.diff(many) < 0).all()),
    )


def test_the_gradient_is_not_that_of_the_full_softmax():
    """At equal scores: expected gradient of the corrected loss against the full softmax's."""
    full = np.full(4, 0.25) - P
    apart = {n: np.abs(expected_loss(np.zeros(4), n, -1, False)[1] - full).max() for n in (1, 4, 16, 64)}
    claim(
        "C03.gradient",
        "At equal scores the expected gradient with minus log q differs from that of the full softmax, by 0.12 with "
        "one negative, 0.03 with 16 and 0.008 with 64",
        all(abs(apart[n] - stated) < 0.005 for n, stated in ((1, 0.124), (16, 0.031), (64, 0.008)))
        and apart[64] > 0.005,
    )


def test_the_tail_takes_over_with_the_wrong_sign():
    """200 users, 200 items, true shares p; the scores that each form of the loss learns with one free score a pair."""
    draw = np.random.default_rng(0)
    scores = -1.2 * np.log(np.arange(1, 201)) + 1.5 * draw.normal(size=(200, 200))
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    q = p.mean(0)
    tail = np.argsort(np.argsort(-q)) >= 40  # all but the fifth that is taken most
    found = {}
    for name, power in (("minus", 0), ("none", 1), ("plus", 2)):
        top = np.argsort(-(np.log(p) - power * np.log(q)), axis=1)[:, :10]
        found[name] = tail[top].mean(), np.take_along_axis(p, top, 1).sum(1).mean()
    claim(
        "C03.tail",
        "Simulated: the least taken 80 % of the items get 16 % of the top-ten places with minus log q, 78 % without "
        "correction, 99 % with plus log q",
        all(abs(found[n][0] - w) < 0.01 for n, w in (("minus", 0.155), ("none", 0.78), ("plus", 0.99))),
    )
    claim(
        "C03.choices",
        "These ten hold 71 % of a user's choices with minus log q, 39 % without correction, 9 % with plus log q",
        all(abs(found[n][1] - w) < 0.01 for n, w in (("minus", 0.71), ("none", 0.39), ("plus", 0.09))),
    )


def test_the_package_subtracts():
    users, ids = torch.diag(torch.tensor([1.0, 3.0])), torch.tensor([0, 1])
    items = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    log_q = torch.tensor([0.6, 0.1]).log()
    by_hand = (users @ items.T - log_q).log_softmax(1).diagonal().mean()
    claim(
        "C03.package",
        "The package's in-batch loss is the cross-entropy of s minus log q, on the target's score as well",
        abs(float(losses.in_batch_softmax_loss(users, items, ids, log_q) + by_hand)) < 1e-6,
    )


def test_the_frequency_from_the_time_between_hits():
    """Keep for each item the step of its last hit and a moving average of the gap; one over it is the frequency."""
    draw, errors = np.random.default_rng(0), []
    for true in (0.2, 0.05, 0.01):
        last, gap, estimates = 0, 50.0, []
        for step in np.flatnonzero(draw.random(400_000) < true):
            gap += 0.01 * (step - last - gap)
            last = step
            estimates.append(1 / gap)
        errors.append(abs(np.mean(estimates[len(estimates) // 2 :]) / true - 1))
    claim(
        "C03.stream",
        "The moving average of the gaps between hits, rate 0.01, finds frequencies of 0.2, 0.05 and 0.01 within 5 %",
        max(errors) < 0.05,
    )
