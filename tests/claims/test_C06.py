"""What the answer to C06 (merging retrieval channels) states: five channels of 100 films each on MovieLens 100K."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from recsys_course import claim, models

NAMES = ("EASE", "ItemKNN", "UserKNN", "IALS", "Popularity")
FAR = 10_000  # the rank of a film that a channel does not return


class Channels:
    """What each channel returns for each user of a random split, and which of it is a hidden like."""

    def __init__(self, split):
        users = torch.arange(split.train.n_users)
        self.liked = split.test.positives().matrix().toarray() > 0  # [n_users, n_items]
        self.judged = self.liked.any(1)
        self.ranks = np.full((5, *self.liked.shape), FAR)
        self.scores = np.full(self.ranks.shape, -np.inf)
        self.deep = {}
        for channel, name in enumerate(NAMES):
            model = getattr(models, name)().fit(split.train)
            self.deep[name] = model.recommend(users, k=400).numpy()
            films, values = self.deep[name][:, :100], model.scores(users).numpy()
            np.put_along_axis(self.ranks[channel], films, np.tile(np.arange(100), (len(users), 1)), 1)
            np.put_along_axis(self.scores[channel], films, np.take_along_axis(values, films, 1), 1)

    def recall(self, found):
        """Mean share of the hidden likes among the films that are found, bool ``[n_users, n_items]``."""
        return ((found & self.liked).sum(1) / self.liked.sum(1).clip(min=1))[self.judged].mean()

    def best(self, total, k=100):
        """Recall of the ``k`` films with the largest total."""
        top = np.argsort(-total, axis=1, kind="stable")[:, :k]
        found = np.zeros_like(self.liked)
        np.put_along_axis(found, top, True, 1)
        return self.recall(found & (self.ranks < FAR).any(0))

    def union(self, without=None):
        kept = [channel for channel, name in enumerate(NAMES) if name != without]
        return (self.ranks[kept] < FAR).any(0)

    def light_ranker(self):
        """Logistic regression on ranks and channels; each half of the users is scored by the other half's model."""
        features = np.concatenate([1 / (10 + self.ranks), self.ranks < FAR]).transpose(1, 2, 0)
        union, total = self.union(), np.full(self.liked.shape, -np.inf)
        half = np.random.default_rng(0).random(len(self.liked)) < 0.5
        for learn in (half, ~half):
            rows = union & learn[:, None]
            model = LogisticRegression(max_iter=200).fit(features[rows], self.liked[rows])
            other = union & ~learn[:, None]
            total[other] = model.decision_function(features[other])
        return total

    def one_channel(self, name):
        """As many films for each user as the union has, from one channel."""
        found = np.zeros_like(self.liked)
        for user, n in enumerate(self.union().sum(1)):
            found[user, self.deep[name][user, :n]] = True
        return self.recall(found)


@pytest.fixture(scope="module")
def channels(random_splits):
    return [Channels(split) for split in random_splits[:2]]


def mean(values):
    return float(np.mean(list(values)))


def test_the_largest_numbers_win(channels):
    alone = {name: mean(c.best(-c.ranks[i]) for c in channels) for i, name in enumerate(NAMES)}
    raw = mean(c.best(c.scores.max(0)) for c in channels)
    typical = [np.median(channels[0].scores[i][channels[0].ranks[i] < FAR]) for i in (0, 1, 4)]
    claim(
        "C06.raw",
        "Recall@100 of five channels alone, random split, two seeds: EASE 0.718, item neighbours 0.698, user "
        "neighbours 0.709, IALS 0.735, popularity 0.480; the union sorted by raw score 0.480, it is popularity's list, "
        "since its typical score is over 100, that of EASE 0.1, of item neighbours 2",
        np.allclose(list(alone.values()), [0.718, 0.698, 0.709, 0.735, 0.480], atol=0.004)
        and abs(raw - alone["Popularity"]) < 1e-9
        and np.allclose(typical, [0.12, 2.3, 132], rtol=0.15),
    )


def test_merging_to_the_same_length(channels):
    merged = {
        "turns": mean(c.best(-c.ranks.min(0)) for c in channels),
        "reciprocal": mean(c.best((1 / (60 + c.ranks)).sum(0)) for c in channels),
        "ranker": mean(c.best(c.light_ranker()) for c in channels),
    }
    best = mean(c.best(-c.ranks[NAMES.index("IALS")]) for c in channels)
    claim(
        "C06.merged",
        "The five merged into 100 films: taking turns 0.702, reciprocal ranks 0.725, a logistic regression on ranks "
        "and channels 0.736, as good as the best channel alone, 0.735",
        np.allclose(list(merged.values()), [0.702, 0.725, 0.736], atol=0.004) and abs(merged["ranker"] - best) < 0.006,
    )


def test_a_channel_is_worth_what_only_it_finds(channels):
    union = mean(c.recall(c.union()) for c in channels)
    lost = {name: union - mean(c.recall(c.union(name)) for c in channels) for name in NAMES}
    claim(
        "C06.unique",
        "The union finds 0.820 of the hidden likes; without popularity, the weakest channel alone, it loses 0.012, "
        "without EASE 0.007; IALS 0.014 and item neighbours 0.013 are missed most",
        abs(union - 0.820) < 0.004
        and abs(lost["Popularity"] - 0.0125) < 0.0015
        and abs(lost["EASE"] - 0.0072) < 0.0015
        and abs(lost["IALS"] - 0.014) < 0.002
        and abs(lost["ItemKNN"] - 0.013) < 0.0025
        and min(lost, key=lost.get) == "EASE",
    )


def test_the_same_number_of_films_from_one_channel(channels):
    size = mean(c.union().sum(1).mean() for c in channels)
    union, alone = mean(c.recall(c.union()) for c in channels), mean(c.one_channel("IALS") for c in channels)
    claim(
        "C06.equal-budget",
        "500 places hold 191 different films; they find 0.820 of the hidden likes, as many films of IALS alone 0.839",
        abs(size - 191) < 1 and abs(union - 0.820) < 0.004 and abs(alone - 0.839) < 0.004,
    )


def test_ranks_do_not_care_about_a_new_scale(channels):
    scores, ranks = channels[0].scores, channels[0].ranks
    louder = scores.copy()
    louder[0] = 10_000 * scores[0]
    again = np.full(ranks.shape, FAR)
    for channel in range(5):
        order = np.argsort(-louder[channel], axis=1, kind="stable")[:, :100]
        np.put_along_axis(again[channel], order, np.tile(np.arange(100), (len(order), 1)), 1)
    moved = (louder.max(0).argmax(1) != scores.max(0).argmax(1)).mean()
    claim(
        "C06.rescaled",
        "EASE multiplies its scores by 10,000: sorted by raw score another film is first for over 80 % of the users; "
        "what each channel ranks first to fifth is the same, and so is every merge of ranks",
        moved > 0.8 and (again[0] < 5).sum() == (ranks[0] < 5).sum() and ((again < 5) == (ranks < 5)).mean() > 0.9999,
    )
