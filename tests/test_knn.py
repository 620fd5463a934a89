"""Neighbours from likes against the plainest computation of the same thing, by hand and by loops."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import sparse
from torch import tensor

from contract import N_ITEMS, N_USERS, checkerboard, personalised, uneven
from recsys_course.data import Interactions
from recsys_course.models import EASE, nearest
from recsys_course.models.knn import ItemKNN, UserKNN
from recsys_course.models.similarity import keep_largest, nearest_by_likes, of_likes

TestItemKNN = personalised(ItemKNN, k=5)
TestItemKNNShrunk = personalised(ItemKNN, k=5, similarity="jaccard", shrink=2.0)
TestItemKNNWeighted = personalised(ItemKNN, k=5, user_weights="iuf", max_events=3)
TestUserKNN = personalised(UserKNN, k=5)
TestUserKNNShrunk = personalised(UserKNN, k=5, similarity="jaccard", shrink=2.0)

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
EVENTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=24)
MEASURES = [("cosine", 0.0), ("cosine", 3.0), ("jaccard", 0.0), ("jaccard", 3.0)]


def likes(pairs: list[tuple[int, int]], n_users: int = 6, n_items: int = 7) -> Interactions:
    columns = zip(*pairs, strict=True) if pairs else ((), ())
    return Interactions.from_events(*columns, n_users=n_users, n_items=n_items)


def plain_similarity(one: set[int], other: set[int], name: str, shrink: float) -> float:
    both = len(one & other)
    whole = (len(one) * len(other)) ** 0.5 if name == "cosine" else len(one | other)
    return both / whole * both / (both + shrink) if both else 0.0


def plain_neighbours(sets: list[set[int]], k: int, name: str = "cosine", shrink: float = 0.0) -> np.ndarray:
    """``[n, n]``: similarities of each set to the ``k`` most similar others, ties by number."""
    table = np.zeros((len(sets), len(sets)))
    for i, one in enumerate(sets):
        similar = [plain_similarity(one, other, name, shrink) if i != j else 0 for j, other in enumerate(sets)]
        for j in sorted(range(len(sets)), key=lambda j: (-round(similar[j], 12), j))[:k]:
            table[i, j] = similar[j]
    return table


def fans(train: Interactions) -> list[set[int]]:
    """The users who like each item."""
    positive = train.positives()
    return [set(positive.users[positive.items == item].tolist()) for item in range(train.n_items)]


# --- the search for the nearest columns


def random_sets(n_users: int, n_items: int, density: float, seed: int = 0) -> sparse.csr_matrix:
    """Likes with a long tail: item i is liked with a chance that falls with i."""
    chance = density / (1 + np.arange(n_items)) ** 0.5
    table = np.random.default_rng(seed).random((n_users, n_items)) < chance
    return sparse.csr_matrix(table, dtype=np.float32)


@pytest.mark.parametrize(("name", "shrink"), MEASURES)
@pytest.mark.parametrize("head", [0, 1, 20, 60])
def test_the_search_equals_loops_however_many_columns_are_counted_densely(head, name, shrink, monkeypatch):
    monkeypatch.setattr(nearest._Search, "_cheapest_head", lambda search: min(head, search.n))
    monkeypatch.setattr(nearest, "CELLS", 600)  # many blocks
    table = random_sets(40, 60, 0.6)
    sets = [set(np.flatnonzero(column)) for column in table.toarray().T]
    for k in (1, 3, 100):
        found = nearest_by_likes(table, k, name, shrink).toarray()
        np.testing.assert_allclose(found, plain_neighbours(sets, k, name, shrink), rtol=1e-6)


def test_popular_columns_are_counted_densely_and_rare_ones_as_pairs():
    cosine = of_likes("cosine")
    assert 0 < nearest._Search(random_sets(3000, 2000, 0.5), 5, cosine).head < 2000
    one_each = sparse.csr_matrix(sparse.eye_array(600, dtype=np.float32))
    assert nearest._Search(one_each, 5, cosine).head == 0


def test_weighted_likes_are_counted_densely_however_rare_the_columns():
    weighted = random_sets(300, 600, 0.1).multiply(np.linspace(0.1, 2, 300)[:, None]).astype(np.float32).tocsr()
    table = weighted.toarray().astype(np.float64)
    with np.errstate(invalid="ignore"):
        expected = np.nan_to_num(table.T @ table / np.outer(*[np.sqrt((table**2).sum(axis=0))] * 2))
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(nearest_by_likes(weighted, 10**6, "cosine").toarray(), expected, atol=1e-6)


@pytest.mark.parametrize("head", [0, 3])
def test_ties_are_kept_by_column_number_even_when_all_are_equal(head, monkeypatch):
    monkeypatch.setattr(nearest._Search, "_cheapest_head", lambda search: head)
    everyone_likes_everything = sparse.csr_matrix(np.ones((4, 6), dtype=np.float32))
    kept = nearest_by_likes(everyone_likes_everything, 2, "cosine").indices.reshape(6, 2).tolist()
    assert kept == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1], [0, 1]]


def test_keep_largest_breaks_ties_by_column_and_drops_what_is_not_above_zero():
    matrix = sparse.csr_matrix([[1.0, 3.0, 3.0, 3.0], [0.0, -1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert keep_largest(matrix, 2).toarray().tolist() == [[0, 3, 3, 0], [0, 0, 2, 0], [0, 0, 0, 0]]
    assert keep_largest(matrix, 10**9).toarray().tolist() == [[1, 3, 3, 3], [0, 0, 2, 0], [0, 0, 0, 0]]


# --- items


@pytest.mark.parametrize("k", [1, 2, 3, 50])
@pytest.mark.parametrize(("name", "shrink"), MEASURES)
def test_item_knn_equals_loops_over_all_pairs(k, name, shrink):
    train = uneven()
    expected = train.positives().matrix().toarray() @ plain_neighbours(fans(train), k, name, shrink).T
    found = ItemKNN(k, name, shrink).fit(train).scores(torch.arange(N_USERS))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_item_knn_by_hand():
    """Both users like items 0 and 1, one likes 2: sim(0, 1) = 2 / 2, sim(0, 2) = sim(1, 2) = 1 / sqrt(2)."""
    train = Interactions.from_events([0, 0, 1, 1, 1, 2], [0, 1, 0, 1, 2, 0], [5, 5, 5, 5, 5, 1])
    root = 0.5**0.5
    expected = torch.tensor([[0, 1, root], [1, 0, root], [root, root, 0]])
    torch.testing.assert_close(torch.from_numpy(ItemKNN().fit(train).similar_.toarray()), expected)
    assert ItemKNN().fit(train).scores(tensor([2])).tolist() == [[0, 0, 0]]  # user 2 did not like item 0


@pytest.mark.parametrize(("once", "thrice"), [(1, 2), (2, 1)])
def test_item_knn_keeps_the_lower_item_number_of_two_equal_cosines(once, thrice):
    """Item 0 has 3 likes; its cosines are 1 / sqrt(3 * 3) with one item and 3 / sqrt(3 * 27) with another."""
    sets = {0: range(3), once: [0, 30, 31], thrice: range(27)}
    train = Interactions.from_events(*zip(*[(user, item) for item in sets for user in sets[item]], strict=True))
    assert ItemKNN(k=1).fit(train).similar_.toarray()[0].tolist() == pytest.approx([0, 1 / 3, 0])


def test_shrinkage_makes_two_fans_in_common_count_less_than_twenty():
    """Cosine 1 from 2 fans times 2 / (2 + 8), cosine 1 from 12 fans times 12 / (12 + 8)."""
    train = likes([(u, i) for u in range(2) for i in (0, 1)] + [(u, i) for u in range(2, 14) for i in (2, 3)], 14, 4)
    similar = ItemKNN(shrink=8).fit(train).similar_
    assert (similar[0, 1], similar[2, 3]) == pytest.approx((0.2, 0.6))


def test_inverse_user_frequency_weighs_a_user_by_the_logarithm_of_the_share_they_like():
    """Of 4 items user 0 likes 0 and 1, user 1 likes 0, 1 and 2, user 2 likes all and so counts for nothing."""
    train = likes([(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (2, 3)], 3, 4)
    similar = ItemKNN(user_weights="iuf").fit(train).similar_
    two, three = np.log(4 / 2), np.log(4 / 3)
    assert similar[0, 1] == pytest.approx(1)
    assert similar[0, 2] == pytest.approx(three / np.sqrt((two + three) * three))
    assert similar[3].nnz == 0


def test_only_the_latest_likes_of_a_heavy_user_make_similarities_but_all_of_them_are_scored():
    """User 0 liked 0, 1 and 2 in this order; with two of them counted, 0 is like nothing."""
    train = Interactions.from_events([0, 0, 0, 1, 1], [0, 1, 2, 0, 3], times=[1, 2, 3, 1, 2], n_items=4)
    model = ItemKNN(max_events=2).fit(train)
    assert model.similar_.toarray().round(3).tolist() == [[0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]
    assert model.scores(tensor([0])).tolist() == [[0, 1, 1, 1]]


def test_neighbours_are_the_row_of_similarities_best_first():
    train = likes([(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0), (3, 4)])
    items, similar = ItemKNN().fit(train).neighbours(0)
    assert items.tolist() == [1, 2] and similar.tolist() == pytest.approx([2 / 6**0.5, 1 / 3**0.5])
    assert ItemKNN().fit(train).neighbours(0, n=1)[0].tolist() == [1]
    assert len(ItemKNN().fit(train).neighbours(4)[0]) == 0


@pytest.mark.parametrize("user", [0, 1, 5, 12])
def test_the_parts_of_an_explanation_are_liked_items_and_sum_to_the_score(user):
    model = ItemKNN(k=3).fit(uneven())
    liked = set(model.likes_.items[model.likes_.users == user].tolist())
    for item, score in enumerate(model.scores(tensor([user]))[0].tolist()):
        items, parts = model.explain(user, item)
        assert set(items.tolist()) <= liked - {item}
        assert parts.tolist() == sorted(parts.tolist(), reverse=True) and (parts > 0).all()
        assert parts.sum().item() == pytest.approx(score, abs=1e-6)


# --- one event more


@QUICK
@given(EVENTS, st.integers(0, 5), st.integers(0, 6), st.integers(1, 8), st.sampled_from(MEASURES))
@example([], 0, 0, 3, ("cosine", 0.0))
@example([(0, 0), (0, 1), (1, 0), (1, 2)], 2, 1, 1, ("cosine", 0.0))  # item 1 falls behind item 2 in the list of 0
def test_an_update_equals_a_fit_on_the_events_and_one_like_more(pairs, user, item, k, measure):
    model = ItemKNN(k, *measure).fit(likes(pairs)).update(user, item)
    again = ItemKNN(k, *measure).fit(likes([*pairs, (user, item)]))
    assert (model.similar_ != again.similar_).nnz == 0
    assert model.train_.equals(again.train_) and model.likes_.equals(again.likes_)
    assert torch.equal(model.scores(torch.arange(6)), again.scores(torch.arange(6)))


@QUICK
@given(EVENTS, st.integers(0, 5), st.integers(0, 6), st.sampled_from([{"user_weights": "iuf"}, {"max_events": 2}]))
def test_an_update_with_weights_or_a_cap_equals_a_fit_as_well(pairs, user, item, options):
    model = ItemKNN(3, **options).fit(likes(pairs)).update(user, item)
    again = ItemKNN(3, **options).fit(likes([*pairs, (user, item)]))
    assert (model.similar_ != again.similar_).nnz == 0


def test_a_hundred_updates_on_a_long_tail_still_equal_one_fit():
    pairs = [tuple(pair) for pair in np.argwhere(random_sets(60, 40, 0.5).toarray()).tolist()]
    model = ItemKNN(k=4).fit(likes(pairs, 60, 40))
    more = np.random.default_rng(1).integers(0, [60, 40], size=(100, 2)).tolist()
    for user, item in more:
        model.update(user, item)
    again = ItemKNN(k=4).fit(likes([*pairs, *map(tuple, more)], 60, 40))
    assert (model.similar_ != again.similar_).nnz == 0


def test_an_update_counts_a_few_rows_and_not_the_whole_table(monkeypatch):
    pairs, counted, plain = np.argwhere(random_sets(200, 400, 0.3).toarray()).tolist(), [], ItemKNN._similar_rows
    monkeypatch.setattr(ItemKNN, "_similar_rows", lambda *given: counted.append(len(given[1])) or plain(*given))
    ItemKNN(k=5).fit(likes(pairs, 200, 400)).update(3, 390)
    assert counted[0] < 20  # the item's own row, and lists that it may have left


# --- users


@pytest.mark.parametrize("k", [1, 2, 50])
@pytest.mark.parametrize(("name", "shrink"), MEASURES)
def test_user_knn_equals_loops_over_all_users(k, name, shrink):
    train = uneven()
    table = train.positives().matrix().toarray()
    taste = [frozenset(np.flatnonzero(row)) for row in table]
    expected = np.zeros((N_USERS, N_ITEMS))
    for user, mine in enumerate(taste):
        similar = [0 if other == mine else plain_similarity(mine, other, name, shrink) for other in taste]
        for other in sorted(range(N_USERS), key=lambda v: (-round(similar[v], 12), v))[:k]:
            expected[user] += similar[other] * table[other]
    np.testing.assert_allclose(UserKNN(k, name, shrink).fit(train).scores(torch.arange(N_USERS)), expected, atol=1e-6)


def test_a_user_is_never_their_own_neighbour_nor_is_who_likes_exactly_the_same():
    train = likes([(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 5)])
    users, similar = UserKNN().fit(train).neighbours(0)
    assert users.tolist() == [2] and similar.tolist() == pytest.approx([2 / 6**0.5])
    assert UserKNN().fit(train).neighbours(3)[0].tolist() == []


def test_users_are_scored_alike_in_small_and_large_batches(monkeypatch):
    model = UserKNN(k=3).fit(uneven())
    whole = model.scores(torch.arange(N_USERS))
    monkeypatch.setattr("recsys_course.models.knn.BATCH", 4)
    assert torch.equal(model.scores(torch.arange(N_USERS)), whole)


# --- bad input


def test_an_item_liked_twice_by_the_same_user_counts_once():
    once = Interactions.from_events([0, 0, 1, 1], [0, 1, 0, 1])
    twice = Interactions.from_events([0, 0, 0, 1, 1], [0, 1, 1, 0, 1])
    for model in (ItemKNN, UserKNN, EASE):
        torch.testing.assert_close(model().fit(twice).scores(tensor([0, 1])), model().fit(once).scores(tensor([0, 1])))


def test_without_any_like_or_with_one_item_only_every_score_is_zero():
    for train in (likes([]), checkerboard(rating=1.0), Interactions.from_events([0, 1], [0, 0])):
        for model in (ItemKNN, UserKNN):
            assert (model().fit(train).scores(torch.arange(train.n_users)) == 0).all()


def test_item_knn_needs_no_table_of_users_by_items():
    n = 3_000_000  # a table of all pairs would take 9 terabytes
    train = Interactions.from_events([0, 0, 1], [1, n - 1, 1], n_users=n, n_items=n)
    assert ItemKNN().fit(train).recommend(tensor([1]), 2).tolist() == [[n - 1, 0]]


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        (ItemKNN, {"k": 0}, "k must be at least 1, got 0"),
        (ItemKNN, {"shrink": -1.0}, "shrink must be at least 0, got -1.0"),
        (UserKNN, {"shrink": float("nan")}, "shrink must be at least 0, got nan"),
        (ItemKNN, {"similarity": "pearson"}, "similarity must be one of 'cosine', 'jaccard', got 'pearson'"),
        (ItemKNN, {"user_weights": "tfidf"}, "user_weights must be one of 'equal', 'iuf', got 'tfidf'"),
        (ItemKNN, {"max_events": 0}, "max_events must be at least 1, got 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(model, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        model(**options).fit(uneven())


def test_users_and_items_that_do_not_exist_are_refused_in_a_sentence():
    model = ItemKNN().fit(uneven())
    for ask in (model.explain, model.update):
        with pytest.raises(ValueError, match="users must lie in 0 to 12, got 13 to 13"):
            ask(13, 0)
        with pytest.raises(ValueError, match="items must lie in 0 to 7, got 8 to 8"):
            ask(0, 8)
    with pytest.raises(ValueError, match="items must lie in 0 to 7, got -1 to -1"):
        model.neighbours(-1)
    with pytest.raises(ValueError, match=r"ItemKNN has not learnt yet: call fit\(train\) first"):
        ItemKNN().neighbours(0)
