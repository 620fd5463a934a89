"""What the answer to C02 (inner product, cosine, L2, thresholds) states."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import svds
from scipy.stats import spearmanr

from recsys_course import claim, metrics
from recsys_course.base import Recommender


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def orders(query, items):
    """Items from best to worst by inner product, cosine and distance."""
    return [np.argsort(s).tolist() for s in (-items @ query, -unit(items) @ query, ((items - query) ** 2).sum(1))]


def test_on_unit_vectors_there_is_one_order():
    draw = np.random.default_rng(0)
    items, queries = unit(draw.normal(size=(500, 8))), unit(draw.normal(size=(20, 8)))
    claim(
        "C02.one-order",
        "On unit vectors inner product, cosine and distance give one order",
        all(inner == cosine == distance for inner, cosine, distance in (orders(q, items) for q in queries)),
    )


def test_three_items_of_which_each_measure_prefers_another():
    query = np.array([1.0, 0.0])
    items = np.array([[4.0, 4.0], [0.3, 0.0], [1.1, 0.4]])
    best = [order[0] for order in orders(query, items)]
    claim(
        "C02.three-winners",
        "For the query (1, 0) and the items (4, 4), (0.3, 0), (1.1, 0.4) inner product, cosine and distance each "
        "choose another winner: the first, the second, the third",
        best == [0, 1, 2],
    )


def test_one_more_coordinate_turns_inner_product_into_distance():
    draw = np.random.default_rng(0)
    items, queries = draw.normal(size=(500, 8)) * draw.lognormal(size=(500, 1)), draw.normal(size=(20, 8))
    extra = np.sqrt(np.maximum((items**2).sum(1).max() - (items**2).sum(1), 0))
    lifted = np.hstack([items, extra[:, None]])
    same = [orders(q, items)[0] == orders(np.append(q, 0), lifted)[2] for q in queries]
    plain = [orders(q, items)[0][0] == orders(q, items)[2][0] for q in queries]
    claim(
        "C02.one-more-coordinate",
        "With the coordinate sqrt(M^2 - |x|^2) added to items and 0 to queries, the nearest item is the one of the "
        "largest inner product; without it, it is not",
        all(same) and np.mean(plain) < 0.5,
    )


def test_scaling_the_query_keeps_the_order_and_breaks_the_threshold():
    draw = np.random.default_rng(0)
    items, query = unit(draw.normal(size=(500, 8))), unit(draw.normal(size=(1, 8)))[0]
    scaled = 7 * query
    claim(
        "C02.query-scale",
        "A query that is not normalised keeps the order by inner product and changes how many items pass 0.5",
        orders(query, items)[0] == orders(scaled, items)[0]
        and ((items @ scaled) >= 0.5).sum() > 3 * ((items @ query) >= 0.5).sum(),
    )
    lengths = draw.lognormal(size=(500, 1))
    claim(
        "C02.item-scale",
        "Items that are not normalised change the order itself",
        orders(query, items)[0] != orders(query, items * lengths)[0],
    )


class Factors(Recommender):
    """Scores are inner products of given vectors."""

    def __init__(self, users, items):
        self.users, self.items = users, items

    def fit(self, train):
        self.train_ = train
        return self

    def scores(self, users, history=None):
        return torch.from_numpy(self.users[users.numpy()] @ self.items.T)


def factors(train, dim):
    """Truncated SVD of the table of likes: users times singular values, and items."""
    left, values, right = svds(train.positives().matrix().astype(float), k=dim, random_state=0)
    return left * values, right.T


@pytest.fixture(scope="module")
def svd32(random_splits):
    return [factors(split.train, 32) for split in random_splits]


def test_the_norm_of_an_item_vector_is_its_popularity(random_splits, svd32):
    ranks = [
        spearmanr(np.linalg.norm(items, axis=1), split.train.positives().item_counts()).statistic
        for split, (_, items) in zip(random_splits, svd32, strict=True)
    ]
    claim(
        "C02.norm-is-popularity",
        "Truncated SVD of the likes, 32 dimensions: length of an item's vector and number of likes, rank correlation "
        "above 0.97",
        min(ranks) > 0.97,
    )


def test_cosine_in_place_of_the_inner_product_falls_below_popularity(random_splits, svd32, popular_results):
    ndcg = {"inner": [], "cosine": []}
    for split, (users, items) in zip(random_splits, svd32, strict=True):
        for name, vectors in (("inner", items), ("cosine", unit(items))):
            result = metrics.evaluate(Factors(users, vectors).fit(split.train), split.test)
            ndcg[name].append(result.mean("ndcg"))
    popular = np.mean([result.mean("ndcg") for result in popular_results])
    inner, cosine = np.mean(ndcg["inner"]), np.mean(ndcg["cosine"])
    claim(
        "C02.wrong-metric",
        "The same vectors, random split, NDCG@10: 0.32 by inner product, 0.11 by cosine, 0.17 for popularity",
        abs(inner - 0.32) < 0.01 and abs(cosine - 0.11) < 0.01 and abs(popular - 0.17) < 0.01,
    )


def test_a_threshold_depends_on_the_dimension_more_than_on_the_items(random_splits):
    passed = {}
    for dim in (8, 32, 128):
        users, items = factors(random_splits[0].train, dim)
        passed[dim] = (unit(users) @ unit(items).T >= 0.5).sum(1)
    claim(
        "C02.threshold",
        "Cosine of 0.5 or more between a user and a film, SVD with 8, 32 or 128 dimensions: 142, 12 or 1 films a user",
        all(abs(passed[dim].mean() - stated) < 0.5 for dim, stated in ((8, 142.4), (32, 11.7), (128, 1.0))),
    )
    claim(
        "C02.threshold-users",
        "With 32 dimensions 12 % of the users get nothing and 5 % get more than 50 films",
        abs((passed[32] == 0).mean() - 0.12) < 0.01 and abs((passed[32] > 50).mean() - 0.05) < 0.01,
    )


def test_a_common_direction_lets_everything_pass():
    draw = np.random.default_rng(0)
    plain = draw.normal(size=(1_000, 64))
    shifted = unit(plain + 2)
    pairs = np.triu_indices(1_000, 1)
    before, after = (unit(plain) @ unit(plain).T)[pairs], (shifted @ shifted.T)[pairs]
    claim(
        "C02.anisotropy",
        "Random vectors in 64 dimensions: under 0.1 % of the pairs have a cosine of 0.5 or more; after adding 2 to "
        "each coordinate all of them have",
        (before >= 0.5).mean() < 0.001 and after.min() > 0.5,
    )


def test_dot_wants_vectors():
    query, item = torch.ones(1, 768), torch.ones(1, 768)
    with pytest.raises(RuntimeError, match="1D tensors expected"):
        query.dot(item)
    claim(
        "C02.dot", "torch's dot refuses two [1, 768] tensors; @ with a transpose works", bool((query @ item.T) == 768)
    )
