"""What the answer to H04 (traps of NDCG) states; most of it fits on one hand."""

from itertools import permutations

import numpy as np
import torch
from sklearn.metrics import ndcg_score

from recsys_course import claim, metrics


def dcg(gains, base=2.0):
    """Discounted gain of gains in the order shown."""
    gains = np.asarray(gains, dtype=float)
    return float((gains / (np.log(np.arange(2, len(gains) + 2)) / np.log(base))).sum())


def ndcg(gains, base=2.0):
    return dcg(gains, base) / dcg(sorted(gains, reverse=True), base)


def test_one_hit_at_rank_five():
    hits = torch.tensor([[False] * 4 + [True]])
    value = float(metrics.ndcg(hits, torch.tensor([1])))
    claim("H04.rank-five", "One relevant item, found at rank 5, gives an NDCG of 0.387", abs(value - 0.387) < 0.0005)


def test_an_ideal_taken_from_the_list_calls_one_hit_of_five_perfect():
    hits, n = torch.tensor([[True] + [False] * 9]), torch.tensor([5])
    from_list = ndcg(hits[0].numpy())
    right = float(metrics.ndcg(hits, n))
    claim(
        "H04.ideal-from-list",
        "One hit, at rank 1, scores 1.0 with the ideal taken from the list and 0.339 with that of five relevant items",
        from_list == 1.0 and abs(right - 0.339) < 0.0005,
    )


def test_a_constant_model_scores_what_the_tie_rule_says():
    """Five candidates with one score; one of them is relevant."""
    values = [ndcg(order) for order in permutations([1, 0, 0, 0, 0])]
    expected = float(np.mean(values))
    library = ndcg_score([[1, 0, 0, 0, 0]], [[7, 7, 7, 7, 7]])
    claim(
        "H04.ties",
        "With equal scores, one relevant item of five earns 1.0 if ties put it first, 0.387 if last, 0.590 on average",
        max(values) == 1.0 and abs(min(values) - 0.387) < 0.0005 and abs(expected - 0.590) < 0.0005,
    )
    claim("H04.sklearn-ties", "scikit-learn's ndcg_score averages over ties", abs(library - expected) < 1e-9)


def test_the_base_of_the_logarithm_cancels_if_every_rank_is_discounted():
    gains = [1, 0, 1, 1, 0]
    early = lambda base: sum(g / max(1.0, np.log(r) / np.log(base)) for r, g in enumerate(gains, 1))  # noqa: E731
    ideal = lambda base: sum(1 / max(1.0, np.log(r) / np.log(base)) for r in (1, 2, 3))  # noqa: E731
    claim(
        "H04.log-base",
        "The base cancels where every rank is discounted, not where the first ranks are not, as in the original paper",
        abs(ndcg(gains, 2) - ndcg(gains, 10)) < 1e-12 and abs(early(2) / ideal(2) - early(10) / ideal(10)) > 0.01,
    )


def test_the_choice_of_gain_can_turn_the_order_of_two_lists():
    """The user's items have grades 3, 2, 2, 2, 1, 1; list A shows the 3 and both 1s, list B the three 2s."""
    a, b, ideal = np.array([3, 1, 1]), np.array([2, 2, 2]), np.array([3, 2, 2])
    linear = [dcg(grades) / dcg(ideal) for grades in (a, b)]
    exponential = [dcg(2**grades - 1) / dcg(2**ideal - 1) for grades in (a, b)]
    claim(
        "H04.gain-flip",
        "A list graded 3, 1, 1 loses to one graded 2, 2, 2 with linear gain, and beats it with 2 to the grade minus 1",
        linear[0] < linear[1] and exponential[0] > exponential[1],
    )


def test_what_libraries_do_without_a_relevant_item():
    ours = float(metrics.ndcg(torch.zeros(1, 5, dtype=torch.bool), torch.tensor([0])))
    claim(
        "H04.nothing-relevant",
        "For a user without relevant items scikit-learn returns 0 and this course NaN, which its means leave out",
        ndcg_score([[0, 0, 0]], [[3, 2, 1]]) == 0 and np.isnan(ours),
    )
