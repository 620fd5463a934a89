"""What the answer to P01 (engagement fell by 8 %: the first 30 minutes) states."""

import numpy as np
from scipy.sparse.linalg import svds

from recsys_course import claim


def test_eight_percent_is_not_sampling_noise():
    """Actions a day and user: mean 6, standard deviation 10; two weeks of ten million users each."""
    half_width = 1.96 * np.sqrt(2) * 10 / np.sqrt(10e6) / 6
    claim(
        "P01.noise",
        "Ten million users with 6 actions on average and a spread of 10: the 95 % interval of a weekly change reaches "
        "0.15 % to each side",
        abs(half_width - 0.0015) < 0.0001,
    )


def test_a_mean_can_fall_while_nobody_changes():
    old, new = 10, 4
    before, after = (share * new + (1 - share) * old for share in (0.10, 0.225))
    actions = 100 * before, 100 * (0.9 / (1 - 0.225)) * after  # as many old users as before
    claim(
        "P01.mix",
        "Old users do 10 actions and new ones 4, before and after; a campaign lifts the share of new users from 10 to "
        "22.5 %: actions per user fall by 8 %, all actions rise by 7 %",
        abs(after / before - 0.92) < 0.001 and abs(actions[1] / actions[0] - 1.07) < 0.005,
    )


def test_a_lost_event_looks_like_a_lost_user():
    claim(
        "P01.lost-events",
        "One app version with 18 % of the traffic loses 45 % of its events: the total falls by 8 %, nothing elsewhere",
        abs(0.18 * 0.45 - 0.08) < 0.002,
    )


def test_a_step_on_thursday_is_hidden_in_the_week():
    week = np.r_[np.full(3, 1.0), np.full(4, 0.86)]
    days = np.abs(np.diff(week))
    claim(
        "P01.step",
        "A fall of 14 % that begins on Thursday is 8 % week over week; by day it is one step of 14 % and no other",
        abs(week.mean() - 0.92) < 1e-9 and np.count_nonzero(days > 1e-9) == 1 and abs(days.max() - 0.14) < 1e-9,
    )


class Slices:
    """600 cells of platform, app version, region and tenure; one version on one platform loses 45 %."""

    shape = (4, 5, 10, 3)

    def __init__(self, seed):
        draw = np.random.default_rng(seed)
        shares = [draw.dirichlet(np.full(n, 0.6)) for n in self.shape]
        shares[0], shares[1] = np.array([0.45, 0.35, 0.15, 0.05]), np.array([0.40, 0.25, 0.2, 0.1, 0.05])
        users = np.einsum("a,b,c,d->abcd", *shares) * 50_000
        cut = np.ones(self.shape)
        cut[0, 0] = 0.55  # 18 % of the users
        self.before, self.after = draw.poisson(6 * users).astype(float), draw.poisson(6 * users * cut).astype(float)

    def suspects(self):
        """The ten cells with the largest relative fall, and the share of the whole fall that they explain."""
        fall = self.before - self.after
        relative = np.where(self.before > 0, fall / np.maximum(self.before, 1), -np.inf).ravel()
        worst = np.argsort(-relative)[:10]
        return fall.ravel()[worst].sum() / fall.sum()

    def best_pair(self):
        """The pair of platform and version that explains most of the fall, and how much."""
        fall = (self.before - self.after).sum((2, 3)) / (self.before - self.after).sum()
        return np.unravel_index(fall.argmax(), fall.shape), fall.max()


def test_sort_slices_by_what_they_explain():
    worlds = [Slices(seed) for seed in range(5)]
    total = np.mean([1 - world.after.sum() / world.before.sum() for world in worlds])
    found = [world.best_pair() for world in worlds]
    claim(
        "P01.slices",
        "50,000 users in 600 cells, one version on one platform loses 45 %, 8 % of the total: the ten cells with the "
        "largest percentage explain under 2 % of the fall, the pair of platform and version with the largest share "
        "practically all of it; five draws",
        abs(total - 0.082) < 0.004
        and max(world.suspects() for world in worlds) < 0.02
        and all(pair == (0, 0) and abs(share - 1) < 0.06 for pair, share in found),
    )
    claim(
        "P01.many-slices",
        "Of 200 slices in which nothing happened, 10 are outside their 95 % interval on average",
        np.isclose(200 * 0.05, 10),
    )


def test_a_silent_fallback():
    claim(
        "P01.fallback",
        "If 16 % of the requests fall back to lists with half the engagement, the total falls by 8 %",
        np.isclose(0.16 * (1 - 0.5), 0.08),
    )


def test_users_of_one_version_and_items_of_another(random_splits):
    """Trainings that are equally good and turned against each other; the served list takes its users from one."""
    hits, means = [], []  # of the lists, one row a split: first users and items of one version, then of eight pairs
    for split in random_splits:
        likes = split.train.positives().matrix().astype(float)
        left, sizes, right = svds(likes, k=32, v0=np.ones(min(likes.shape)))
        turns = [np.linalg.qr(np.random.default_rng(seed).normal(size=(32, 32)))[0] for seed in range(9)]
        signs = np.sign(right[np.arange(32), np.abs(right).argmax(1)])  # the same on every machine
        users, items = (left * signs) * sizes, (right * signs[:, None]).T
        seen, liked = split.train.matrix().toarray() > 0, split.test.matrix().toarray() > 0
        scores = [np.where(seen, -np.inf, users @ turns[0] @ turn.T @ items.T) for turn in turns]
        tops = [np.argsort(-one, axis=1)[:, :10] for one in scores]
        judged = liked.any(1)
        share = [np.take_along_axis(liked, top, 1).sum(1)[judged] / liked.sum(1)[judged] for top in tops]
        hits.append([one.mean() for one in share])
        means.append([np.take_along_axis(one, top, 1).mean() for one, top in zip(scores, tops, strict=True)])
    hits, means = np.array(hits), np.array(means)
    change = means[:, 1:] / means[:, :1] - 1
    claim(
        "P01.versions",
        "MovieLens 100K, user vectors of one training with item vectors of eight others, equally good ones: recall@10 "
        "falls from 0.25 to under 0.08 with each, while the mean score of the lists rises, by less than a third",
        abs(hits[:, 0].mean() - 0.25) < 0.01 and hits[:, 1:].max() < 0.08 and change.min() > 0 and change.max() < 1 / 3,
    )
