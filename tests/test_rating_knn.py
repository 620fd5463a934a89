"""Similarities of ratings and the ratings predicted from them, against loops and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from torch import tensor

from contract import EVENTLESS, N_ITEMS, N_USERS, PersonalisedContract, RatingContract, uneven
from recsys_course.data import Interactions, movielens
from recsys_course.models import similarity
from recsys_course.models.rating_knn import RatingKNN, latest_ratings

QUICK = settings(max_examples=50, deadline=None, derandomize=True)
TABLES = st.lists(st.lists(st.sampled_from([0, 0, 1, 2, 4, 5]), min_size=4, max_size=4), min_size=1, max_size=6)


class RatingKNNContract(RatingContract, PersonalisedContract):
    """All of both contracts; the checkerboard is one of ratings, since what is not rated says nothing here."""

    model = RatingKNN

    @pytest.mark.parametrize("withheld", [(0, 0), (0, 6), (3, 5), (10, 2), (11, 7)])
    def test_the_withheld_item_comes_first(self, withheld):
        """Even users give 5 to even items and 1 to odd ones, odd users the reverse; two pairs are withheld."""
        user, item = withheld
        other = (item + 1) % N_ITEMS
        pairs = [(u, i) for u in range(EVENTLESS) for i in range(N_ITEMS) if (u, i) not in (withheld, (user, other))]
        users, items = zip(*pairs, strict=True)
        ratings = [5.0 if u % 2 == i % 2 else 1.0 for u, i in pairs]
        model = self.fitted(Interactions.from_events(users, items, ratings, n_users=N_USERS, n_items=N_ITEMS))
        assert model.recommend(tensor([user]), 2).tolist() == [[item, other]]
        liked, disliked = model.predict(tensor([user, user]), tensor([item, other])).tolist()
        assert liked > 4 and disliked < 2


class TestByItems(RatingKNNContract):
    settings = {"k": 3, "shrink": 1.0}  # noqa: RUF012


class TestByUsers(RatingKNNContract):
    settings = {"k": 3, "by": "users", "shrink": 1.0}  # noqa: RUF012


class TestByUsersPearson(RatingKNNContract):
    settings = {"k": 3, "by": "users", "similarity": "pearson", "shrink": 0.0}  # noqa: RUF012


# --- similarities


def table_of(rows: list[list[float]]) -> sparse.csr_matrix:
    """Ratings from a list of users; 0 is no rating."""
    return sparse.csr_matrix(np.array(rows, dtype=np.float64))


def plain(one: np.ndarray, other: np.ndarray, means: np.ndarray, name: str) -> float:
    """The measure of two columns by loops over the users who rated both."""
    both = (one > 0) & (other > 0)
    if name == "jaccard":
        return both.sum() / max(((one > 0) | (other > 0)).sum(), 1)
    x, y = one[both], other[both]
    if name == "adjusted cosine":
        x, y = x - means[both], y - means[both]
    if name == "pearson" and len(x):
        x, y = x - x.mean(), y - y.mean()
    length = np.sqrt((x @ x) * (y @ y))
    return x @ y / length if length > 1e-9 else 0.0


@QUICK
@given(TABLES, st.sampled_from(similarity.RATING_MEASURES), st.sampled_from([0.0, 2.0]), st.integers(1, 3))
def test_similarities_equal_loops_over_the_users_who_rated_both(rows, name, shrink, min_support):
    table = np.array(rows, dtype=np.float64)
    means = np.array([row[row > 0].mean() if row.any() else 0 for row in table])
    expected = np.zeros((4, 4))
    for i in range(4):
        for j in set(range(4)) - {i}:
            n = ((table[:, i] > 0) & (table[:, j] > 0)).sum()
            if n >= min_support:
                expected[i, j] = plain(table[:, i], table[:, j], means, name) * n / (n + shrink)
    found = similarity.columns_alike(table_of(rows), name, shrink, min_support)
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-6)


def test_pearson_equals_scipys_on_what_both_rated():
    table = np.array([[5, 4, 1], [3, 3, 5], [4, 5, 2], [0, 2, 2], [1, 0, 4]], dtype=np.float64)
    expected = stats.pearsonr([5, 3, 4], [4, 3, 5]).statistic
    assert similarity.pearson(sparse.csr_matrix(table))[0, 1] == pytest.approx(expected)


def test_the_four_measures_by_hand():
    """Both items were rated by users 0 and 1, (4, 2) and (2, 4); user 2 rated item 0 alone. Means 3 and 3."""
    ratings = table_of([[4, 2], [2, 4], [5, 0]])
    assert similarity.cosine(ratings)[0, 1] == pytest.approx(16 / 20)
    assert similarity.adjusted_cosine(ratings)[0, 1] == pytest.approx(-1)
    assert similarity.pearson(ratings)[0, 1] == pytest.approx(-1)
    assert similarity.jaccard(ratings)[0, 1] == pytest.approx(2 / 3)


def test_pearson_is_blind_to_scale_and_shift_and_cosine_to_scale_alone():
    one = np.array([1.0, 2.0, 4.0, 5.0])
    for name, twice, more in (("pearson", 1, 1), ("cosine", 1, 0.975)):
        columns = sparse.csr_matrix(np.stack([one, 2 * one, one + 3], axis=1))
        alike = similarity.columns_alike(columns, name)
        assert alike[0, 1] == pytest.approx(twice) and alike[0, 2] == pytest.approx(more, abs=1e-3)


def test_blocks_of_rows_change_nothing(monkeypatch):
    ratings = latest_ratings(uneven())
    whole = similarity.columns_alike(ratings, "pearson").toarray()
    monkeypatch.setattr(similarity, "CELLS", 64)
    assert (similarity.columns_alike(ratings, "pearson").toarray() == whole).all()


# --- predictions


def plain_prediction(model: RatingKNN, table: np.ndarray, alike: np.ndarray, user: int, item: int) -> float:
    """The formula by loops, from the model's baseline and given similarities, which are 0 for what is left out."""
    rest = np.where(table > 0, table - model.mean_ - model.item_bias_, 0)
    bias = rest.sum(axis=1) / ((table > 0).sum(axis=1) + model.damping)
    if model.by == "items":
        voters = [(alike[item, j], j, rest[user, j] - bias[user]) for j in np.flatnonzero(table[user])]
    else:
        voters = [(alike[user, v], v, rest[v, item] - bias[v]) for v in np.flatnonzero(table[:, item])]
    voters = sorted((voter for voter in voters if voter[0] > 0), key=lambda voter: (-voter[0], voter[1]))[: model.k]
    votes = sum(s * r for s, _, r in voters) / sum(s for s, _, _ in voters) if voters else 0
    return model.mean_ + model.item_bias_[item] + bias[user] + votes


@pytest.mark.parametrize("name", similarity.RATING_MEASURES)
@pytest.mark.parametrize("by", ["items", "users"])
def test_predictions_equal_loops_over_the_neighbours(by, name):
    model = RatingKNN(k=2, by=by, similarity=name, shrink=1.0).fit(uneven())
    table = latest_ratings(uneven()).toarray()
    if by == "users" and name == "adjusted cosine":  # taken off by the mean of the item, whatever is rated
        means = table.sum(axis=0) / np.maximum((table > 0).sum(axis=0), 1)
        centred = similarity.with_data(sparse.csr_matrix(table), table[table > 0] - means[np.nonzero(table)[1]])
        alike = similarity.rows_alike(centred, centred, name, 1.0, 2).toarray()
    else:
        columns = sparse.csr_matrix(table if by == "items" else table.T)
        alike = similarity.columns_alike(columns, name, 1.0, 2).toarray()
    if by == "users":
        alike[[[(a == b).all() for b in table] for a in table]] = 0
    expected = [[plain_prediction(model, table, alike, u, i) for i in range(N_ITEMS)] for u in range(N_USERS)]
    np.testing.assert_allclose(model.scores(torch.arange(N_USERS)), expected, atol=1e-5)
    users, items = tensor([5, 0, 5, 12, 1]), tensor([1, 7, 0, 3, 1])
    pairs = np.array(expected)[users, items].clip(2, 5)
    np.testing.assert_allclose(model.predict(users, items), pairs, atol=1e-5)


def test_the_baseline_is_predicted_where_no_neighbour_is_left():
    """User 0 gives 5 and user 1 gives 1: mean 3, biases +2 and -2, and nothing is left for the items."""
    model = RatingKNN(damping=0).fit(Interactions.from_events([0, 1], [0, 1], [5, 1], n_users=3, n_items=3))
    assert model.scores(tensor([0, 1, 2])).tolist() == [[5] * 3, [1] * 3, [3] * 3]


@pytest.mark.parametrize("by", ["items", "users"])
def test_the_rating_asked_for_never_votes_on_itself(by):
    """With k = 1 and the pair among its own neighbours every training rating would be found again exactly."""
    train = movielens().ratings
    model = RatingKNN(k=1, by=by).fit(train)
    some = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:300]
    error = model.predict(train.users[some], train.items[some]) - train.ratings[some]
    assert error.square().mean().sqrt() > 0.7


def test_only_users_with_the_very_same_ratings_are_no_neighbours():
    """User 1 rated the same items as user 0 in the same order; user 2 gave the same ratings as user 0."""
    train = Interactions.from_events([0, 0, 1, 1, 2, 2], [0, 1] * 3, [5, 1, 4, 2, 5, 1])
    model = RatingKNN(by="users", similarity="pearson", shrink=0.0).fit(train)
    np.testing.assert_allclose(model._like_users(model.ratings_[[0]]), [[0, 1, 0]], atol=1e-6)


def test_an_item_is_not_its_own_neighbour_and_negative_similarities_do_not_vote():
    similar = RatingKNN(shrink=0.0, min_support=1).fit(uneven()).similar_
    assert (similar.diagonal() == 0).all() and similar.data.min() >= 0


def test_ratings_of_no_variance_leave_the_baseline():
    train = Interactions.from_events([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], [4, 4, 4, 4, 4])
    for name in ("adjusted cosine", "pearson"):
        for by in ("items", "users"):
            assert RatingKNN(by=by, similarity=name).fit(train).predict(tensor([2]), tensor([1])).tolist() == [4]


def test_of_a_pair_rated_twice_the_later_rating_counts():
    events = Interactions.from_events([0, 0, 1], [1, 1, 0], [2, 5, 3], times=[20, 10, 5])
    assert latest_ratings(events).toarray().tolist() == [[0, 2], [3, 0]]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"by": "films"}, "by must be one of 'items', 'users', got 'films'"),
        ({"similarity": "euclid"}, "similarity must be one of 'cosine', 'adjusted cosine', 'pearson', 'jaccard', got"),
        ({"shrink": -1}, "shrink must be at least 0, got -1"),
        ({"min_support": 0}, "min_support must be at least 1, got 0"),
        ({"damping": float("nan")}, "damping must be at least 0, got nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        RatingKNN(**options).fit(uneven())


def test_no_rating_at_all_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="RatingKNN needs at least one rating to learn from, got none"):
        RatingKNN().fit(Interactions.from_events([], [], n_users=2, n_items=2))


def test_movielens_is_predicted_as_well_as_by_the_specialists():
    """The first of five random folds; Surprise's item-KNN with baselines gets .9158 over all five, LensKit's .9133."""
    ratings = movielens().ratings
    held = torch.from_numpy(np.random.default_rng(0).permutation(len(ratings)) % 5 == 0)
    model, test = RatingKNN().fit(ratings.select(~held)), ratings.select(held)
    assert (model.predict(test.users, test.items) - test.ratings).square().mean().sqrt() < 0.9158


def test_similarities_that_do_not_fit_in_memory_are_refused_before_they_are_computed(monkeypatch):
    """Three users with 2, 2 and 1 ratings make at most 9 pairs of items, which need 144 bytes."""
    train = Interactions.from_events([0, 0, 1, 1, 2], [0, 1, 1, 5, 3], [5, 1, 2, 4, 3], n_items=1000)
    monkeypatch.setattr("recsys_course.base.free_memory", lambda: 143)
    with pytest.raises(ValueError, match=r"RatingKNN by items on 1,000 items needs .* of memory"):
        RatingKNN().fit(train)
    RatingKNN(by="users").fit(train)
    monkeypatch.setattr("recsys_course.base.free_memory", lambda: 144)
    RatingKNN().fit(train)
