"""What the answer to H06 (sampled negatives) states: a target at a known rank among 10,000 items."""

import numpy as np
import torch
from scipy.stats import hypergeom

from recsys_course import claim, metrics

N_ITEMS = 10_000


def sampled_hit_rate(rank, n_negatives, k=10):
    """Chance that fewer than ``k`` of the sampled others stand above a target at this rank; exact."""
    return float(hypergeom.cdf(k - 1, N_ITEMS - 1, rank - 1, n_negatives))


def test_sampling_reverses_the_order_of_two_models():
    """A always ranks the target 100th, B first for half of the users and 5,000th for the others."""
    a, b = [100], [1, 5_000]
    exact = [np.mean([rank <= 10 for rank in ranks]) for ranks in (a, b)]
    sampled = [np.mean([sampled_hit_rate(rank, 100) for rank in ranks]) for ranks in (a, b)]
    claim(
        "H06.sampled-flip",
        "Exact HR@10 is 0 for A and 0.5 for B; against 100 sampled negatives it is 1.0 for A and 0.5 for B",
        exact == [0, 0.5] and sampled[0] > 0.9995 and abs(sampled[1] - 0.5) < 0.0005,
    )


def test_up_to_nine_negatives_everything_is_a_hit():
    ranks = (1, 100, 5_000, 10_000)
    with_nine, with_ten = ([sampled_hit_rate(rank, n) for rank in ranks] for n in (9, 10))
    claim(
        "H06.nine-negatives",
        "With 9 negatives or fewer HR@10 is 1 for every model, even one that ranks the target last; with 10 it is not",
        min(with_nine) == 1.0 and min(with_ten) < 0.01,
    )


def test_one_negative_is_auc():
    draw = torch.Generator().manual_seed(0)
    scores, target = torch.randn(500, generator=draw), 123
    positive = torch.arange(500) == target
    rank = int((scores > scores[target]).sum()) + 1
    one_negative = hypergeom.cdf(0, 499, rank - 1, 1)
    claim(
        "H06.one-negative-is-auc",
        "With one sampled negative the expected HR@1 is the AUC of the target against all other items",
        abs(one_negative - metrics.auc(scores, positive)) < 1e-6,
    )


def test_a_better_rank_never_hurts_the_sampled_hit_rate():
    rates = [sampled_hit_rate(rank, 100) for rank in range(1, N_ITEMS + 1, 50)]
    claim(
        "H06.monotone",
        "The chance of a sampled hit never rises as the true rank gets worse",
        bool((np.diff(rates) <= 1e-12).all()) and rates[0] == 1.0 and rates[-1] < 0.01,
    )


def test_scaling_the_sampled_rank_up_does_not_bring_the_top_back():
    """Estimated rank: 1 + sampled rank minus 1, times 9,999 / 100, is right on average, in steps of 100 places."""
    draw = np.random.default_rng(0)
    above = draw.hypergeometric(99, N_ITEMS - 100, 100, size=200_000)  # the target is at rank 100
    estimated = 1 + above * (N_ITEMS - 1) / 100
    share = (estimated <= 10).mean()
    claim(
        "H06.rescaled-rank",
        "Of a target at rank 100 the scaled-up rank is right on average, yet 37 % of the samples call it a top-ten hit",
        abs(estimated.mean() - 100) < 1 and abs(share - 0.37) < 0.01,
    )
