"""Accuracy of lists: every metric against a second, slower definition, and what must hold for any list."""

import doctest
from itertools import product
from math import isnan, log2, nan
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor

from recsys_course import metrics
from recsys_course.data import Interactions
from recsys_course.metrics import ACCURACY, evaluation, experiments, intervals, lists, offpolicy, ranking

QUICK = settings(max_examples=80, deadline=None, derandomize=True)


class World(NamedTuple):
    """Lists of a few users, and which items each of them would have liked; some like nothing, some lists are short."""

    lists: list[list[int]]
    liked: list[set[int]]
    k: int
    n_items: int

    @property
    def recommended(self) -> Tensor:
        return tensor([items + [-1] * (self.k - len(items)) for items in self.lists])

    @property
    def users(self) -> Tensor:
        return torch.arange(len(self.lists))

    @property
    def relevant(self) -> Interactions:
        pairs = [(u, i) for u, items in enumerate(self.liked) for i in items] * 2  # every event twice
        users, items = zip(*pairs, strict=True) if pairs else ([], [])
        return Interactions.from_events(users, items, n_users=len(self.liked), n_items=self.n_items)

    def table(self) -> tuple[Tensor, Tensor]:
        relevant = self.relevant
        return metrics.find_hits(self.recommended, relevant, self.users), metrics.count_relevant(relevant, self.users)


@st.composite
def worlds(draw) -> World:
    n_items, k = draw(st.integers(1, 9)), draw(st.integers(1, 6))
    orders = draw(st.lists(st.permutations(range(n_items)), min_size=1, max_size=5))
    lists = [order[: draw(st.integers(0, k))] for order in orders]
    return World(lists, [draw(st.sets(st.integers(0, n_items - 1))) for _ in orders], k, n_items)


def every_table() -> tuple[Tensor, Tensor]:
    """All lists of five places, with one to seven relevant items of which the list holds no more than there are."""
    rows = [(row, n) for row in product([False, True], repeat=5) for n in range(max(1, sum(row)), 8)]
    hits, n_relevant = zip(*rows, strict=True)
    return tensor(hits), tensor(n_relevant)


def slow(metric: str, items: list[int], liked: set[int], k: int) -> float:
    """The definitions once more, in plain Python and from the items, not from a table of hits."""
    if not liked:
        return nan
    ranks = [rank for rank, item in enumerate(items, start=1) if item in liked]
    return {
        "recall": lambda: len(liked & set(items)) / len(liked),
        "precision": lambda: len(liked & set(items)) / k,
        "hit_rate": lambda: float(not liked.isdisjoint(items)),
        "mrr": lambda: 1 / ranks[0] if ranks else 0.0,
        "average_precision": lambda: sum(len(liked & set(items[:rank])) / rank for rank in ranks) / min(k, len(liked)),
        "ndcg": lambda: (
            sum(1 / log2(rank + 1) for rank in ranks) / sum(1 / log2(r + 1) for r in range(1, min(k, len(liked)) + 1))
        ),
    }[metric]()


# --- the table of hits


@QUICK
@given(worlds(), st.sampled_from([1, 25, 1 << 22]))
def test_hits_and_counts_are_those_of_a_loop_whatever_the_block(world, cells):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "TABLE", cells)
        hits, n_relevant = world.table()
    empty = [[False] * (world.k - len(items)) for items in world.lists]
    found = [[item in liked for item in items] for items, liked in zip(world.lists, world.liked, strict=True)]
    assert hits.dtype == torch.bool
    assert hits.tolist() == [row + rest for row, rest in zip(found, empty, strict=True)]
    assert n_relevant.tolist() == [len(liked) for liked in world.liked]


def test_users_are_looked_up_in_any_order_and_more_than_once():
    relevant = Interactions.from_events([0, 2, 2], [1, 0, 2], n_users=4, n_items=3)
    users = tensor([2, 0, 2, 3])
    hits = metrics.find_hits(tensor([[0, 1], [0, 1], [-1, 2], [2, -1]]), relevant, users)
    assert hits.tolist() == [[True, False], [False, True], [False, True], [False, False]]
    assert metrics.count_relevant(relevant, users).tolist() == [2, 1, 2, 0]


def test_no_user_and_no_event_are_no_error():
    nothing = Interactions.from_events([], [], n_users=2, n_items=3)
    assert metrics.find_hits(torch.empty(0, 4, dtype=torch.int64), nothing, tensor([], dtype=torch.int64)).shape == (
        0,
        4,
    )
    assert metrics.find_hits(tensor([[2, -1]]), nothing, tensor([1])).tolist() == [[False, False]]
    assert metrics.count_relevant(nothing, tensor([1, 0])).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("recommended", "users", "words"),
    [
        ([[3]], [0], "recommended must lie in -1 to 2; found 3 to 3"),
        ([[-2]], [0], "recommended must lie in -1 to 2; found -2 to -2"),
        ([[0]], [2], "users must lie in 0 to 1; found 2 to 2"),
        ([[0]], [-1], "users must lie in 0 to 1; found -1 to -1"),
        ([[0]], [0, 1], r"got \[1, 1\] and \[2\]"),
        ([0], [0], r"got \[1\] and \[1\]"),
    ],
)
def test_an_item_a_user_or_a_shape_that_cannot_be_is_refused_in_words(recommended, users, words):
    with pytest.raises(ValueError, match=words):
        metrics.find_hits(tensor(recommended), Interactions.from_events([0, 1], [0, 2]), tensor(users))


# --- the metrics


@pytest.mark.parametrize("name", ACCURACY)
@QUICK
@given(worlds())
def test_every_metric_equals_the_slow_definition(name, world):
    expected = [slow(name, items, liked, world.k) for items, liked in zip(world.lists, world.liked, strict=True)]
    assert ACCURACY[name](*world.table()).tolist() == pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recall", 2 / 4),
        ("precision", 2 / 5),
        ("hit_rate", 1),
        ("mrr", 1 / 2),
        ("average_precision", (1 / 2 + 2 / 4) / 4),
        ("ndcg", (1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / 2 + 1 / log2(5))),
    ],
)
def test_hits_at_ranks_2_and_4_of_5_with_4_relevant_items_by_hand(name, value):
    hits = tensor([[False, True, False, True, False]])
    assert ACCURACY[name](hits, tensor([4])).item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("name", ACCURACY)
def test_a_user_without_relevant_items_is_nan_and_one_without_hits_is_zero(name):
    values = ACCURACY[name](torch.zeros(2, 3, dtype=torch.bool), tensor([0, 2]))
    assert isnan(values[0]) and values[1] == 0 and values.dtype == torch.float32


@pytest.mark.parametrize("name", ACCURACY)
@QUICK
@given(worlds())
def test_values_lie_between_0_and_1_and_no_metric_exceeds_the_hit_rate(name, world):
    values, most = (ACCURACY[metric](*world.table()) for metric in (name, "hit_rate"))
    judged = ~most.isnan()
    assert torch.equal(judged, ~values.isnan())
    assert (values[judged] >= 0).all() and (values[judged] <= most[judged] + 1e-6).all()


@pytest.mark.parametrize("name", ACCURACY)
@QUICK
@given(worlds(), st.randoms(use_true_random=False))
def test_permuting_users_permutes_values_and_a_batch_equals_one_by_one(name, world, random):
    hits, n_relevant = world.table()
    values = ACCURACY[name](hits, n_relevant)
    order = random.sample(range(len(hits)), len(hits))
    assert torch.equal(ACCURACY[name](hits[order], n_relevant[order]).nan_to_num(-1), values[order].nan_to_num(-1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "BLOCK", 1)
        alone = metrics.in_blocks(ACCURACY[name], hits, n_relevant)
    assert torch.allclose(alone, values, equal_nan=True)


@pytest.mark.parametrize("name", ACCURACY)
@pytest.mark.parametrize("place", range(5))
def test_one_more_hit_never_lowers_a_metric(name, place):
    hits, n_relevant = every_table()
    can_grow = ~hits[:, place] & (hits.sum(1) < n_relevant)
    hits, n_relevant = hits[can_grow], n_relevant[can_grow]
    more = hits.index_fill(1, tensor(place), True)
    assert (ACCURACY[name](more, n_relevant) >= ACCURACY[name](hits, n_relevant)).all()


@pytest.mark.parametrize("name", ["mrr", "average_precision", "ndcg"])
@pytest.mark.parametrize("place", range(1, 5))
def test_moving_a_hit_one_rank_up_raises_every_metric_of_order(name, place):
    hits, n_relevant = every_table()
    can_move = hits[:, place] & ~hits[:, :place].any(1)
    hits, n_relevant = hits[can_move], n_relevant[can_move]
    better = hits.roll(-1, dims=1).where(torch.arange(5) < place, hits).index_fill(1, tensor(place), False)
    assert (ACCURACY[name](better, n_relevant) > ACCURACY[name](hits, n_relevant)).all()


@pytest.mark.parametrize("name", ["recall", "hit_rate", "mrr"])
def test_a_longer_list_never_has_a_lower_recall_hit_rate_or_mrr(name):
    hits, n_relevant = every_table()
    values = torch.stack([ACCURACY[name](hits[:, :k], n_relevant) for k in range(1, 6)])  # [5, n_tables]
    assert (values.diff(dim=0) >= 0).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_a_perfect_list_scores_1_where_1_can_be_reached(n):
    hits, n_relevant = tensor([[rank <= n for rank in range(1, 4)]]), tensor([n])
    reached = {name for name in ACCURACY if ACCURACY[name](hits, n_relevant).item() == pytest.approx(1)}
    expected = {"hit_rate", "mrr", "average_precision", "ndcg"}
    assert reached == expected | ({"recall"} if n <= 3 else set()) | ({"precision"} if n >= 3 else set())


@pytest.mark.parametrize("n_users", [0, 1, 2048, 5000])
def test_blocks_of_many_users_give_the_same_values(n_users):
    hits = torch.rand(n_users, 20, generator=torch.Generator().manual_seed(0)) < 0.1
    n_relevant = hits.sum(1) + torch.arange(n_users) % 3
    for metric in ACCURACY.values():
        assert torch.equal(
            metrics.in_blocks(metric, hits, n_relevant).nan_to_num(-1), metric(hits, n_relevant).nan_to_num(-1)
        )


# --- AUC


def count_pairs(scores: list[float], labels: list[bool]) -> float:
    pairs = [
        (a, b) for a, y in zip(scores, labels, strict=True) if y for b, z in zip(scores, labels, strict=True) if not z
    ]
    return sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs) if pairs else nan


SCORED = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=25)


@QUICK
@given(SCORED)
def test_auc_counts_every_pair_and_a_tie_as_one_half(examples):
    scores, labels = map(list, zip(*examples, strict=True))
    expected = count_pairs(scores, labels)
    assert metrics.auc(tensor(scores), tensor(labels)) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert metrics.auc(-tensor(scores), tensor(labels)) == pytest.approx(1 - expected, abs=1e-12, nan_ok=True)


def test_auc_of_equal_scores_is_one_half_and_of_one_class_nan():
    assert metrics.auc(torch.ones(5), tensor([0, 1, 0, 1, 0])) == 0.5
    assert isnan(metrics.auc(tensor([1.0, 2.0]), tensor([True, True])))


def test_auc_refuses_a_score_that_is_no_number():
    with pytest.raises(ValueError, match="score 1 is NaN"):
        metrics.auc(tensor([1.0, nan]), tensor([True, False]))


@QUICK
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), min_size=1, max_size=25))
def test_gauc_is_the_mean_over_users_weighted_by_their_examples(examples):
    people = {user: [(s, y) for u, s, y in examples if u == user] for user, _, _ in examples}
    values = {u: (len(rows), count_pairs(*map(list, zip(*rows, strict=True)))) for u, rows in people.items()}
    judged = {u: (n, value) for u, (n, value) in values.items() if not isnan(value)}
    total = sum(n for n, _ in judged.values())
    expected = sum(n * value for n, value in judged.values()) / total if total else nan
    result = metrics.gauc(*(tensor(column) for column in zip(*examples, strict=True)))
    assert result.value == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert (result.n_users, result.n_left_out) == (len(judged), len(people) - len(judged))


def test_a_model_that_only_knows_who_clicks_a_lot_has_a_high_auc_and_a_gauc_of_one_half():
    users = tensor([0] * 4 + [1] * 4)
    labels = tensor([1, 1, 1, 0, 0, 0, 0, 1])
    by_user_alone = (users == 0).float()
    assert metrics.auc(by_user_alone, labels) == 0.75
    assert metrics.gauc(users, by_user_alone, labels) == (0.5, 2, 0)


@pytest.mark.parametrize("module", [ranking, lists, intervals, evaluation, experiments, offpolicy])
def test_the_examples_in_the_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0
