"""Coverage, Gini, novelty, diversity and calibration of lists, each against plain loops."""

from itertools import combinations, pairwise
from math import isnan, log, log2, nan, sqrt
from statistics import fmean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor

from memory import watch_memory
from recsys_course import metrics
from recsys_course.data import Interactions

QUICK = settings(max_examples=80, deadline=None, derandomize=True)
N_ITEMS = 7
LISTS = st.lists(st.permutations(range(N_ITEMS)).flatmap(lambda p: st.integers(0, 4).map(lambda n: p[:n])), min_size=1)
COUNTS = st.lists(st.integers(0, 9), min_size=N_ITEMS, max_size=N_ITEMS)
FEATURES = st.lists(st.lists(st.sampled_from([0, 0, 1, 2]), min_size=3, max_size=3), min_size=N_ITEMS, max_size=N_ITEMS)


def padded(lists: list[list[int]], k: int = 4) -> Tensor:
    return tensor([items + [-1] * (k - len(items)) for items in lists])


def mean(values: list[float]) -> float:
    return fmean(values) if values else nan


# --- coverage and Gini


@QUICK
@given(LISTS)
def test_exposures_and_coverage_are_those_of_a_loop(lists):
    shown = [sum(item in items for items in lists) for item in range(N_ITEMS)]
    assert metrics.exposures(padded(lists), N_ITEMS).tolist() == shown
    assert metrics.coverage(padded(lists), N_ITEMS) == pytest.approx(sum(n > 0 for n in shown) / N_ITEMS)


@QUICK
@given(COUNTS)
def test_gini_is_half_the_relative_mean_difference_and_twice_the_area_above_the_lorenz_curve(counts):
    if not sum(counts):
        assert isnan(metrics.gini(tensor(counts)))
        return
    n, total = len(counts), sum(counts)
    difference = sum(abs(a - b) for a in counts for b in counts) / n**2
    lorenz = [sum(sorted(counts)[:i]) / total for i in range(n + 1)]
    under = sum((a + b) / 2 / n for a, b in pairwise(lorenz))
    assert metrics.gini(tensor(counts)) == pytest.approx(difference / (2 * total / n), abs=1e-12)
    assert metrics.gini(tensor(counts)) == pytest.approx(2 * (0.5 - under), abs=1e-12)


def test_gini_does_not_change_with_the_scale_or_the_order_and_rises_when_the_poor_give_to_the_rich():
    counts = tensor([1, 5, 2, 8])
    assert metrics.gini(counts) == pytest.approx(metrics.gini(counts.flip(0) * 10))
    assert metrics.gini(tensor([0, 5, 2, 9])) > metrics.gini(counts)


# --- novelty


@QUICK
@given(LISTS, COUNTS)
def test_novelty_is_the_mean_of_minus_log2_of_the_share_of_users(lists, counts):
    bits = [-log2(max(n, 1) / 10) for n in counts]
    expected = [mean([bits[item] for item in items]) for items in lists]
    assert metrics.novelty(padded(lists), tensor(counts), 10).tolist() == pytest.approx(expected, abs=1e-5, nan_ok=True)


def test_an_item_that_a_quarter_of_the_users_knows_is_worth_two_bits():
    assert metrics.novelty(tensor([[0, 1, -1]]), tensor([2, 8]), 8).tolist() == [1.0]  # two bits and none
    assert metrics.novelty(tensor([[0]]), tensor([2, 8]), 8).tolist() == [2.0]


# --- diversity


def cosine(a: list[int], b: list[int]) -> float:
    lengths = sqrt(sum(x * x for x in a)) * sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


@QUICK
@given(LISTS, FEATURES)
def test_diversity_is_the_mean_over_pairs_of_one_minus_their_cosine(lists, features):
    pairs = [[1 - cosine(features[a], features[b]) for a, b in combinations(items, 2)] for items in lists]
    values = metrics.intra_list_diversity(padded(lists), tensor(features))
    assert values.tolist() == pytest.approx([mean(p) for p in pairs], abs=1e-5, nan_ok=True)


def test_a_list_of_one_kind_has_no_diversity_and_one_of_different_kinds_has_all():
    kinds = tensor([[1, 0], [3, 0], [0, 1]])
    values = metrics.intra_list_diversity(tensor([[0, 1], [0, 2], [2, -1]]), kinds)
    assert values[:2].tolist() == pytest.approx([0, 1], abs=1e-6) and isnan(values[2])


# --- calibration


def shares(items: list[int], features: list[list[int]]) -> list[float]:
    """Of each feature, when every item spreads a weight of one over its features."""
    totals = [sum(features[i][g] / sum(features[i]) for i in items if sum(features[i])) for g in range(3)]
    return [total / sum(totals) for total in totals] if sum(totals) else [nan] * 3


def divergence(p: list[float], q: list[float]) -> float:
    if isnan(p[0]) or isnan(q[0]):
        return nan
    return sum(a * log(a / (0.99 * b + 0.01 * a)) for a, b in zip(p, q, strict=True) if a)


@QUICK
@given(LISTS, FEATURES, st.data())
def test_miscalibration_is_the_divergence_of_the_list_from_the_liked_items(lists, features, data):
    rated = [data.draw(st.dictionaries(st.integers(0, N_ITEMS - 1), st.sampled_from([2, 4, 5]))) for _ in lists]
    events = [(user, item, rating) for user, items in enumerate(rated) for item, rating in items.items()]
    users, items, ratings = zip(*events, strict=True) if events else ([], [], [])
    history = Interactions.from_events(users, items, ratings, n_users=len(lists), n_items=N_ITEMS)
    liked = [[item for item, rating in items.items() if rating >= 4] for items in rated]
    expected = [divergence(shares(a, features), shares(b, features)) for a, b in zip(liked, lists, strict=True)]
    values = metrics.miscalibration(padded(lists), history, torch.arange(len(lists)), tensor(features))
    assert values.tolist() == pytest.approx(expected, abs=1e-5, nan_ok=True)


def test_a_list_with_the_users_own_mix_is_calibrated_and_one_without_half_of_it_is_not():
    likes = Interactions.from_events([0, 0], [0, 1], n_items=4)
    kinds = tensor([[1, 0], [0, 1], [1, 0], [0, 1]])
    same, half = (metrics.miscalibration(tensor([items]), likes, tensor([0]), kinds) for items in ([2, 3], [2, 0]))
    assert same.item() == pytest.approx(0, abs=1e-6)
    assert half.item() == pytest.approx(0.5 * log(0.5 / (0.99 + 0.005)) + 0.5 * log(0.5 / 0.005), abs=1e-5)


# --- all of them


@pytest.mark.parametrize("name", ["novelty", "intra_list_diversity", "miscalibration"])
def test_memory_grows_with_the_lists_and_not_with_users_times_items(name):
    n_users, n_items, n_features = 2000, 5000, 50
    generator = torch.Generator().manual_seed(0)
    lists = torch.randint(n_items, (n_users, 10), generator=generator)
    features = torch.rand(n_items, n_features, generator=generator)
    likes = Interactions.from_events(torch.arange(n_users), lists[:, 0], n_users=n_users, n_items=n_items)
    users = torch.arange(n_users)
    call = {
        "novelty": lambda: metrics.novelty(lists, likes.item_counts(), n_users),
        "intra_list_diversity": lambda: metrics.intra_list_diversity(lists, features),
        "miscalibration": lambda: metrics.miscalibration(lists, likes, users, features),
    }[name]
    with watch_memory() as memory:
        call()
    assert memory.numel <= (n_items + 1) * n_features < n_users * n_items
    assert memory.peak < n_users * n_items
