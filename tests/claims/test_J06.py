"""What the answer to J06 (when not to use a large language model) states."""

import numpy as np
import pytest
import torch

from recsys_course import claim, metrics
from recsys_course.models import EASE


def ndcg(scores, seen, wanted, k=10):
    """NDCG@k of each user over the given films, seen ones left out: ``[n_users]``."""
    order = (-np.where(seen, -np.inf, scores)).argsort(1, kind="stable")[:, :k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    got = (np.take_along_axis(wanted, order, 1) * discount).sum(1)
    return got / np.array([discount[: min(k, int(n))].sum() for n in wanted.sum(1)])


@pytest.fixture(scope="module")
def table(random_splits, films, film_vectors):
    """NDCG@10 for each user with a test like among the 300 films, by each scorer, on the first random split."""
    split, items = random_splits[0], films.items.numpy()
    users = torch.arange(split.train.n_users)
    seen = split.train.dense(users).numpy()[:, items]
    likes = split.train.positives().dense(users).numpy()[:, items].astype(float)
    wanted = split.test.dense(users).numpy()[:, items].astype(float)
    judged = (wanted.sum(1) > 0) & (likes.sum(1) > 0)
    vectors = film_vectors[0].numpy()
    centred = vectors - vectors.mean(0)
    ease = EASE().fit(split.train).scores(users).numpy()[:, items]
    found = {
        "text": likes @ centred @ centred.T,
        "popular": np.tile(likes.sum(0), (len(likes), 1)),
        "ease": ease,
        "random": np.random.default_rng(0).random(likes.shape),
    }
    return {name: ndcg(s[judged], seen[judged], wanted[judged]) for name, s in found.items()}


def test_where_everybody_is_known_the_ids_win(table):
    means = [table[name].mean() for name in ("text", "popular", "ease", "random")]
    claim(
        "J06.warm",
        "NDCG@10 among the 300 most rated films, random split: mean text vector of the likes 0.18, popularity 0.19, "
        "EASE 0.41, random 0.04",
        np.allclose(means, [0.178, 0.192, 0.408, 0.042], atol=0.006),
    )
    behind, ahead = (metrics.paired_bootstrap(table[name], table["text"]) for name in ("popular", "ease"))
    claim(
        "J06.interval",
        "EASE is ahead of the text by 0.23 with an interval above 0.20; that of popularity against the text holds 0",
        abs(ahead.mean - 0.23) < 0.01 and ahead.low > 0.20 and behind.low < 0 < behind.high,
    )


def test_the_bill():
    tokens, parameters, card = 1_800, 8e9, 989e12
    seconds = 2 * parameters * tokens / (0.4 * card)
    claim(
        "J06.latency",
        "8 billion parameters read 1,800 tokens in 73 ms on a 989 TFLOP/s card at 40 %",
        abs(seconds - 0.0728) < 0.0005,
    )
    claim(
        "J06.cards",
        "5,000 requests a second then take 364 such cards",
        abs(5_000 * seconds - 364) < 1,
    )
    small = 2 * 64 * 10_000 / 20e9
    claim(
        "J06.dot",
        "Ten thousand dot products of 64 numbers take 0.064 ms at 20 GFLOP/s, 1,137 times less",
        abs(small - 6.4e-5) < 1e-6 and abs(seconds / small - 1_137) < 5,
    )


def test_lift_per_cost():
    requests, dollars = 1_000, 2.5
    cost = requests * 0.0728 / 3_600 * dollars
    claim(
        "J06.per-thousand",
        "At 2.50 dollars an hour a thousand such requests cost 5 cents",
        abs(cost - 0.0506) < 0.0005,
    )
