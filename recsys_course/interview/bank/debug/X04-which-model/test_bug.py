"""Tests that are red on the code as it was found, and green once it is mended."""

import numpy as np
from answer import held_out_ranks, hit_rate, ndcg

from recsys_course.interview.expect import close


def _by_hand(scores, owned, bought):
    """Counts the rivals of each purchase one by one."""
    ranks = []
    for user, item in enumerate(bought):
        rank, own = 1.0, scores[user][item]
        for other, score in enumerate(scores[user]):
            if other != item and not owned[user][other]:
                rank += 1.0 if score > own else 0.5 if score == own else 0.0
        ranks.append(rank)
    return ranks


def _compare(call, scores, owned, bought):
    close(held_out_ranks(scores.copy(), owned.copy(), bought.copy()), _by_hand(scores, owned, bought), call)


def test_a_large_catalogue():
    """Among 3,000 items the ranks are those that counting gives."""
    rng = np.random.default_rng(1)
    owned, bought = rng.random((4, 3_000)) < 0.01, rng.integers(3_000, size=4)
    owned[np.arange(4), bought] = False
    _compare("the ranks of 4 users among 3,000 items", rng.normal(size=(4, 3_000)), owned, bought)


def test_a_small_catalogue():
    """The ranks among five items are those that counting gives."""
    scores = np.array([[5.0, 4.0, 3.0, 2.0, 1.0], [1.0, 5.0, 2.0, 4.0, 3.0]])
    _compare("the ranks of 2 users among 5 items", scores, np.zeros((2, 5), bool), np.array([2, 0]))


def test_the_better_list_wins():
    """The 100th place in all lists is worth nothing; the first in every second list is worth one half."""
    scores = np.tile(np.arange(2_000.0, 0, -1), (4, 1))  # item 0 is first
    owned = np.zeros(scores.shape, bool)
    for model, bought, want in (("A", [99, 99, 99, 99], 0.0), ("B", [0, 1_500, 0, 1_500], 0.5)):
        ranks = held_out_ranks(scores.copy(), owned.copy(), np.array(bought))
        close(hit_rate(ranks), want, f"hit rate@10 of model {model}")
        close(ndcg(ranks), want, f"NDCG@10 of model {model}")


def test_the_last_place_that_counts():
    """The tenth place is a hit, the eleventh is none."""
    scores = np.tile(np.arange(500.0, 0, -1), (2, 1))
    ranks = held_out_ranks(scores, np.zeros(scores.shape, bool), np.array([9, 10]))
    close(ranks, [10.0, 11.0], "the ranks of the items in the tenth and the eleventh place")


def test_what_the_user_owned_takes_no_place():
    """Items that the user owned before stand in nobody's way."""
    rng = np.random.default_rng(2)
    owned = np.zeros((3, 400), bool)
    owned[:, :20] = True
    scores = rng.normal(size=(3, 400)) + 9 * owned
    _compare("the ranks of 3 users who own the 20 best items", scores, owned, np.array([20, 100, 399]))


def test_equal_scores():
    """Equal scores count half: a constant model has the middle rank."""
    scores = np.zeros((2, 301))
    ranks = held_out_ranks(scores, np.zeros(scores.shape, bool), np.array([0, 300]))
    close(ranks, [151.0, 151.0], "the ranks among 301 equal scores")
