"""Every recommender under the contract, and each against the plainest computation of the same thing."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import sparse
from torch import tensor

from contract import N_ITEMS, N_USERS, checkerboard, personalised, recommender, uneven
from recsys_course.base import Recommender, top_k
from recsys_course.data import Interactions
from recsys_course.models import EASE, ItemKNN, Popularity, Random
from recsys_course.models.knn import keep_largest

TestRandom = recommender(Random, seed=3)
TestPopularity = recommender(Popularity)
TestItemKNN = personalised(ItemKNN, k=5)
TestEASE = personalised(EASE, reg=1.0)

QUICK = settings(max_examples=100, deadline=None, derandomize=True)
MINUS, PLUS = -float("inf"), float("inf")
SCORES = st.integers(1, 4).flatmap(
    lambda n_rows: st.integers(1, 7).flatmap(
        lambda n_items: st.lists(
            st.lists(st.sampled_from([MINUS, -1.0, 0.0, -0.0, 1.0, 2.0, PLUS]), min_size=n_items, max_size=n_items),
            min_size=n_rows,
            max_size=n_rows,
        )
    )
)


# --- top_k


@QUICK
@given(SCORES, st.integers(1, 9))
@example([[1.0, 2.0, 1.0, 1.0]], 2)  # a tie that straddles the end of the list
@example([[MINUS, 0.0, MINUS]], 2)
def test_top_k_equals_a_sort_by_score_and_then_by_item(scores, k):
    for row, found in zip(scores, top_k(tensor(scores), k).tolist(), strict=True):
        ranked = sorted((item for item, score in enumerate(row) if score > MINUS), key=lambda item: (-row[item], item))
        assert found == (ranked + [-1] * k)[:k]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_top_k_of_thousands_of_ties_is_a_stable_sort(dtype):
    scores = torch.randint(0, 4, (20, 3000), generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = scores.sort(dim=1, descending=True, stable=True).indices[:, :100]
    assert torch.equal(top_k(scores, 100), expected)


# --- the protocol


class Broken(Recommender):
    """Scores NaN for one item of user 2."""

    def fit(self, train):
        self.train_ = train
        return self

    def scores(self, users, history=None):
        scores = torch.zeros(len(users), self.train_.n_items)
        scores[users == 2, 4] = torch.nan
        return scores


def test_a_score_that_is_nan_is_refused_and_its_user_named():
    model = Broken().fit(uneven())
    assert model.recommend(tensor([0, 1, 3])).shape == (3, 10)
    with pytest.raises(ValueError, match="Broken scored NaN for user 2"):
        model.recommend(tensor([1, 2, 3]))


def test_recommending_records_no_gradients():
    class Learnt(Broken):
        def scores(self, users, history=None):
            assert not torch.is_grad_enabled()
            return super().scores(users)

    Learnt().fit(uneven()).recommend(tensor([0]))


# --- random and popularity


def test_random_depends_on_the_seed_and_the_user_alone():
    users = tensor([0, 1, 2])
    scores = Random(seed=1).fit(uneven()).scores(users)
    assert torch.equal(scores, Random(seed=1).fit(checkerboard()).scores(users))
    assert len({tuple(row) for row in scores.tolist()}) == 3
    assert not torch.equal(scores, Random(seed=2).fit(uneven()).scores(users))


def test_random_recommends_every_item_equally_often():
    nobody = Interactions.from_events([], [], n_users=4000, n_items=5)
    first = Random().fit(nobody).recommend(torch.arange(4000), 1).flatten()
    assert (torch.bincount(first) - 800).abs().max() < 5 * (4000 * 0.2 * 0.8) ** 0.5


def test_popularity_counts_likes_and_not_low_ratings():
    train = Interactions.from_events([0, 1, 2, 0, 1], [0, 0, 0, 1, 1], [1, 3, 4, 5, 4], n_items=3)
    model = Popularity().fit(train)
    assert model.scores(tensor([2, 0])).tolist() == [[1, 2, 0], [1, 2, 0]]
    assert model.recommend(tensor([2]), 2).tolist() == [[1, 2]]


# --- item-KNN against a dense computation


def liked(train: Interactions) -> np.ndarray:
    table = np.zeros((train.n_users, train.n_items))
    for user, item, rating in zip(train.users, train.items, train.ratings, strict=True):
        table[user, item] = max(table[user, item], rating >= 4)
    return table


def cosine_neighbours(table: np.ndarray, k: int) -> np.ndarray:
    """``[n_items, n_items]``: the cosines of the ``k`` most similar others, ties by item number."""
    n_items = table.shape[1]
    similar = np.zeros((n_items, n_items))
    for i in range(n_items):
        for j in set(range(n_items)) - {i}:
            together, alone = table[:, i] @ table[:, j], (table[:, i] @ table[:, i]) * (table[:, j] @ table[:, j])
            similar[i, j] = together / np.sqrt(alone) if alone else 0
        for j in sorted(range(n_items), key=lambda j: (-round(similar[i, j], 12), j))[k:]:
            similar[i, j] = 0
    return similar


@pytest.mark.parametrize("k", [1, 2, 3, 50])
def test_item_knn_equals_the_dense_cosine(k):
    train = uneven()
    expected = liked(train) @ cosine_neighbours(liked(train), k).T
    np.testing.assert_allclose(ItemKNN(k).fit(train).scores(torch.arange(N_USERS)), expected, atol=1e-6)


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
    likes = {0: range(3), once: [0, 30, 31], thrice: range(27)}
    pairs = [(user, item) for item, users in likes.items() for user in users]
    train = Interactions.from_events(*zip(*pairs, strict=True))
    assert ItemKNN(k=1).fit(train).similar_.toarray()[0].tolist() == pytest.approx([0, 1 / 3, 0])


def test_an_item_liked_twice_by_the_same_user_counts_once():
    once = Interactions.from_events([0, 0, 1, 1], [0, 1, 0, 1])
    twice = Interactions.from_events([0, 0, 0, 1, 1], [0, 1, 1, 0, 1])
    for model in (ItemKNN, EASE):
        torch.testing.assert_close(model().fit(twice).scores(tensor([0, 1])), model().fit(once).scores(tensor([0, 1])))


def test_keep_largest_breaks_ties_by_column():
    matrix = sparse.csr_matrix([[1.0, 3.0, 3.0, 3.0], [0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert keep_largest(matrix, 2).toarray().tolist() == [[0, 3, 3, 0], [0, 0, 2, 0], [0, 0, 0, 0]]


def test_item_knn_and_popularity_need_no_table_of_users_by_items():
    n = 3_000_000  # a table of all pairs would take 9 terabytes
    train = Interactions.from_events([0, 0, 1], [1, n - 1, 1], n_users=n, n_items=n)
    assert ItemKNN().fit(train).recommend(tensor([1]), 2).tolist() == [[n - 1, 0]]
    assert Popularity().fit(train).recommend(tensor([1]), 2).tolist() == [[n - 1, 0]]


# --- EASE against one ridge regression an item


@pytest.mark.parametrize("reg", [0.5, 200.0])
def test_ease_equals_one_ridge_regression_an_item(reg):
    train = uneven()
    table, expected = liked(train), np.zeros((N_ITEMS, N_ITEMS))
    for item in range(N_ITEMS):
        others = np.delete(np.arange(N_ITEMS), item)
        x, y = table[:, others], table[:, item]
        expected[others, item] = np.linalg.solve(x.T @ x + reg * np.eye(N_ITEMS - 1), x.T @ y)
    model = EASE(reg).fit(train)
    np.testing.assert_allclose(model.weights_, expected, atol=1e-6)
    np.testing.assert_allclose(model.scores(torch.arange(N_USERS)), table @ expected, atol=1e-6)
    assert (model.weights_.diagonal() == 0).all()
