"""What the answer to B10 (item-item similarities at scale) states."""

import numpy as np
import torch
from scipy import sparse

from recsys_course import claim, metrics
from recsys_course.models.knn import ItemKNN


def sample_events(likes, most, seed=0):
    """At most ``most`` likes of each user, drawn at random."""
    chance = torch.rand(len(likes), generator=torch.Generator().manual_seed(seed))
    order = torch.from_numpy(np.lexsort((chance.numpy(), likes.users.numpy())))  # by user, then at random
    place = torch.empty_like(order)
    place[order] = torch.arange(len(likes)) - likes.ptr[likes.users[order]]
    return likes.select(place < most)


class Capped(ItemKNN):
    """Similarities from a sample of each user's likes; scores from all of them."""

    def __init__(self, most=None):
        super().__init__(k=50)
        self.most = most

    def fit(self, train):
        likes = train.positives()
        sample = likes if self.most is None else sample_events(likes, self.most)
        super().fit(sample)
        self.pairs_ = int(torch.bincount(sample.users).square().sum())
        self.train_, self.likes_ = train, likes
        return self


def test_the_work_is_the_sum_of_squares_and_heavy_users_are_most_of_it(random_splits):
    shares = []
    for split in random_splits:
        n = torch.bincount(split.train.positives().users).double().sort(descending=True).values
        top = n[: split.train.n_users // 10]
        shares.append([float((top**2).sum() / (n**2).sum()), float(top.sum() / n.sum()), float((n**2).sum())])
    pairs, events, work = np.mean(shares, axis=0)
    claim(
        "B10.heavy-users",
        "Training likes of the random split: 3.9 million pairs, 56 % of them from the tenth of the users who like most "
        "and who hold 31 % of the likes",
        abs(work / 3.9e6 - 1) < 0.02 and abs(pairs - 0.56) < 0.01 and abs(events - 0.31) < 0.01,
    )


def test_capping_heavy_users_saves_work_and_costs_nothing(random_splits):
    found = {}
    for most in (None, 50, 20):
        models = [Capped(most).fit(split.train) for split in random_splits]
        results = [metrics.evaluate(m, s.test).mean("ndcg") for m, s in zip(models, random_splits, strict=True)]
        found[most] = np.mean([m.pairs_ for m in models]), np.mean(results)
    claim(
        "B10.cap",
        "With 50 likes a user at most, 30 % of the pairs are left and NDCG@10 of item neighbours, k=50, goes from "
        "0.321 to 0.332; with 20 it falls to 0.288",
        abs(found[50][0] / found[None][0] - 0.30) < 0.01
        and abs(found[None][1] - 0.321) < 0.005
        and abs(found[50][1] - 0.332) < 0.006
        and abs(found[20][1] - 0.288) < 0.008,
    )


def counts(likes):
    table = likes.matrix()
    return (table.T @ table).tocsr()


def test_pairs_that_met_once_are_many_and_useless(random_splits):
    split = random_splits[0]
    together = counts(split.train.positives()).tocoo()
    once = (together.data[together.row < together.col] == 1).mean()
    plain = ItemKNN(k=50).fit(split.train)
    thinned = ItemKNN(k=50).fit(split.train)
    likes = split.train.positives().matrix()
    size = likes.sum(axis=0).A1
    kept = (together.data >= 2) & (together.row != together.col)
    row, column = together.row[kept], together.col[kept]
    cosine = together.data[kept] / np.sqrt(size[row] * size[column])
    similar = sparse.csr_matrix((cosine, (row, column)), shape=together.shape)
    for start, stop in zip(similar.indptr[:-1], similar.indptr[1:], strict=True):
        if stop - start > 50:
            similar.data[start:stop][np.argsort(-similar.data[start:stop], kind="stable")[50:]] = 0
    thinned.similar_ = similar.astype(np.float32)
    ndcg = [metrics.evaluate(model, split.test).mean("ndcg") for model in (plain, thinned)]
    claim(
        "B10.once",
        "40 % of the pairs of films with a common like have one only; leaving them out changes NDCG@10 by under 0.005",
        abs(once - 0.40) < 0.01 and abs(ndcg[0] - ndcg[1]) < 0.005,
    )


def test_blocks_give_the_same_result(random_splits):
    table = random_splits[0].train.positives().matrix()
    whole = (table.T @ table).toarray()
    by_items = np.vstack(
        [(table[:, start : start + 300].T @ table).toarray() for start in range(0, table.shape[1], 300)]
    )
    by_users = sum(
        (table[start : start + 200].T @ table[start : start + 200]).toarray() for start in range(0, 943, 200)
    )
    claim(
        "B10.blocks",
        "Counts by blocks of items, or summed over blocks of users, equal those in one piece",
        np.array_equal(whole, by_items) and np.array_equal(whole, by_users),
    )


def test_one_event_changes_as_many_counts_as_the_user_has_items(random_splits):
    likes = random_splits[0].train.positives()
    last = len(likes) - 1
    before, after = counts(likes.select(torch.arange(len(likes)) < last)), counts(likes)
    user, item = int(likes.users[last]), int(likes.items[last])
    changed = (after - before).tocoo()
    own = int((likes.users == user).sum())
    claim(
        "B10.incremental",
        "One more like of a user with n likes before changes n pair counts and one item's size",
        changed.nnz == 2 * (own - 1) + 1
        and (changed.data == 1).all()
        and bool(((changed.row == item) | (changed.col == item)).all()),
    )


def test_minhash_estimates_jaccard():
    """A hash is the smallest random number in a set; two sets share it with a probability of their Jaccard."""
    draw = np.random.default_rng(0)
    first, second = np.arange(0, 150), np.arange(50, 200)  # 100 common of 200: Jaccard 0.5
    random = draw.random((100, 128, 200))  # trials, hashes, elements
    equal = (random[..., first].argmin(-1) == random[..., second].argmin(-1) + 50).mean(1)
    claim(
        "B10.minhash",
        "128 hashes estimate a Jaccard of 0.5 without bias and with a standard error of 0.044",
        abs(equal.mean() - 0.5) < 0.02 and abs(equal.std() - 0.044) < 0.015,
    )


def test_bands_meet_where_similarity_is_high():
    meet = lambda jaccard: 1 - (1 - jaccard**4) ** 32  # noqa: E731
    claim(
        "B10.bands",
        "With 32 bands of 4 hashes, pairs of Jaccard 0.8, 0.4 and 0.1 meet with probability 1.00, 0.56 and 0.003",
        abs(meet(0.8) - 1) < 0.001 and abs(meet(0.4) - 0.56) < 0.01 and abs(meet(0.1) - 0.0032) < 0.0005,
    )
