"""What the answer to L05 (rolling out a heavier ranker) states."""

import numpy as np
import pytest
import torch
from scipy.stats import norm, poisson, rankdata

from recsys_course import claim


class Server:
    """EASE as it was fitted, beside the same weights as another machine might hold them."""

    def __init__(self, split, model):
        self.likes = torch.from_numpy(split.train.positives().matrix().toarray()).float()
        self.seen = torch.from_numpy(split.train.matrix().toarray() > 0)
        self.wanted, self.weights = split.test.matrix().toarray() > 0, model.weights_

    def scores(self, weights):
        return self.likes @ weights.float()

    def top(self, scores, k=10):
        return scores.masked_fill(self.seen, -torch.inf).topk(k, 1).indices.numpy()

    def ndcg(self, top):
        """NDCG@10 of each user with a test like."""
        judged = self.wanted.any(1)
        gain = 1 / np.log2(np.arange(2, 12))
        best = gain.cumsum()[self.wanted.sum(1)[judged].clip(max=10) - 1]
        return (np.take_along_axis(self.wanted, top, 1)[judged] * gain).sum(1) / best


@pytest.fixture(scope="module")
def server(random_splits, ease):
    return Server(random_splits[0], ease[0])


def same_lists(one, other):
    """Share of users with the same ten films, and with the same order."""
    return np.mean([set(a) == set(b) for a, b in zip(one, other, strict=True)]), (one == other).all(1).mean()


def test_what_a_cast_changes(server):
    exact = server.scores(server.weights)
    top, found, worst = server.top(exact), {}, {}
    for dtype in (torch.float16, torch.bfloat16):
        cast = server.scores(server.weights.to(dtype))
        found[dtype], worst[dtype] = same_lists(top, server.top(cast)), float((exact - cast).abs().max())
    change = server.ndcg(server.top(cast)) - server.ndcg(top)
    error = 1.96 * change.std(ddof=1) / len(change) ** 0.5
    best = exact.masked_fill(server.seen, -torch.inf).topk(11, 1).values
    claim(
        "L05.cast",
        "EASE's weights in fp16: the same ten films for 99.9 % of the users, the same order for 99.2 %; in bf16 98.7 "
        "and 92 %, NDCG@10 changes by -0.0002, interval -0.0007 to 0.0003",
        np.allclose(found[torch.float16], [0.999, 0.992], atol=0.003)
        and np.allclose(found[torch.bfloat16], [0.987, 0.918], atol=0.006)
        and abs(change.mean() + 0.0002) < 0.0002
        and abs(error - 0.0005) < 0.0002,
    )
    claim(
        "L05.gap",
        "The largest difference of a score is 0.0013 in bf16 and 0.00014 in fp16; between the tenth and the eleventh "
        "film of a list the median distance is 0.0043",
        abs(worst[torch.bfloat16] - 0.0013) < 0.0002
        and abs(worst[torch.float16] - 0.00014) < 0.00003
        and abs(float((best[:, 9] - best[:, 10]).median()) - 0.0043) < 0.0002,
    )


def test_a_table_off_by_one(server):
    exact = server.scores(server.weights)
    moved = exact.roll(1, dims=1)  # each film answers with the number of its neighbour
    tops = server.top(exact), server.top(moved)
    overlap = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*tops, strict=True)])
    claim(
        "L05.shift",
        "Item numbers off by one: the scores have the same distribution, to the last digit; 7 % of the films of a list "
        "are the same, and NDCG@10 falls from 0.365 to 0.053",
        torch.equal(exact.sort(1).values, moved.sort(1).values)
        and abs(overlap - 0.07) < 0.01
        and np.allclose([server.ndcg(top).mean() for top in tops], [0.365, 0.053], atol=0.01),
    )


def test_auc_does_not_see_the_level():
    draw = np.random.default_rng(0)
    odds = 0.05 * np.exp(0.8 * draw.normal(size=100_000) - 0.32)
    clicked = draw.random(100_000) < odds / (1 + odds)
    n = clicked.sum()
    aucs, means = [], []
    for factor in (1, 2):
        served = factor * odds / (1 + factor * odds)
        aucs.append((rankdata(served)[clicked].sum() - n * (n + 1) / 2) / (n * (100_000 - n)))
        means.append(served.mean() / clicked.mean())
    claim(
        "L05.level",
        "All odds doubled on the way to the server: the same AUC, and predictions 1.9 times the click rate",
        aucs[0] == aucs[1] and np.allclose(means, [1, 1.87], atol=0.05),
    )


def test_how_long_a_canary_sings():
    z, rate = norm.ppf(0.975) + norm.ppf(0.8), 0.05
    clicks = z**2 * rate * (1 - rate) / (0.02 * rate) ** 2 * (1 + 1 / 99)
    n = round(clicks)
    draw = np.random.default_rng(0)
    gaps = draw.binomial(n, rate * 0.98, 20_000) / n - draw.binomial(99 * n, rate, 20_000) / (99 * n)
    power = (gaps < -norm.ppf(0.975) * (rate * (1 - rate) * (1 + 1 / 99) / n) ** 0.5).mean()
    claim(
        "L05.clicks",
        "1 % of 10,000 independent requests a second, click rate 5 %: a fall by 2 % is found with a chance of "
        "80 % after 377,000 requests, 63 minutes",
        abs(n - 377_000) < 500 and abs(n / 100 / 60 - 63) < 0.5 and abs(power - 0.8) < 0.02,
    )
    alarm = poisson.ppf(0.975, 18) + 1
    claim(
        "L05.errors",
        "Failed requests doubled from 0.1 to 0.2 %: found with a chance of 93 % after three minutes of 100 requests a "
        "second",
        abs(poisson.sf(alarm - 1, 36) - 0.93) < 0.01,
    )
    scores = z**2 * rate**2 / (0.02 * rate) ** 2
    claim(
        "L05.scores",
        "A mean score 2 % lower, scores that spread as much as their mean: 19,600 requests, 196 seconds, 19 times "
        "fewer than clicks need",
        abs(scores - 19_600) < 50 and abs(clicks / scores - 19) < 0.5,
    )


def test_a_small_share_hides_in_a_large_one():
    draw = np.random.default_rng(0)
    usual, slow = (m * np.exp(0.4 * draw.normal(size=n)) for m, n in ((40, 990_000), (120, 10_000)))
    found = [np.quantile(values, 0.99) for values in (usual, np.concatenate([usual, slow]), slow)]
    claim(
        "L05.hidden",
        "Usual requests of 40 ms (median) with a P99 of 102 ms; 1 % of them by a version three times as slow: P99 of "
        "all 113 ms, of that version 302",
        np.allclose(found, [101.6, 113.4, 301.5], atol=4),
    )


def test_who_is_hurt():
    claim(
        "L05.hurt",
        "10,000 requests a second, noticed after 5 minutes: 3 million bad lists, with 1 % of the traffic 30,000; drawn "
        "for each request, 18 % of the users with 20 requests meet the 1 %",
        (10_000 * 300, 10_000 * 300 // 100) == (3_000_000, 30_000) and abs(1 - 0.99**20 - 0.18) < 0.005,
    )


def test_a_heavier_model_on_the_same_machines():
    p99 = [np.log(100) * service / (1 - load) for service, load in ((10, 0.45), (20, 0.9))]
    draw = np.random.default_rng(0)
    work, gaps = draw.exponential(10, 400_000), draw.exponential(10 / 0.45, 400_000)
    steps = np.cumsum(np.r_[0.0, work[:-1] - gaps[1:]])
    simulated = np.quantile(steps - np.minimum.accumulate(steps) + work, 0.99)
    claim(
        "L05.heavier",
        "One server, exponential times: 10 ms at 45 % load have a P99 of 84 ms, 20 ms on the same machine 921 ms",
        np.allclose(p99, [83.7, 921], atol=0.5) and abs(simulated - p99[0]) < 3,
    )


def misses(requests, kept):
    kept, found = set(kept), []
    for item in requests:
        found.append(item not in kept)
        kept.add(item)
    return np.array(found)


def test_a_cold_cache(ratings):
    items = ratings.items.numpy()[ratings.times.numpy().argsort(kind="stable")]
    before, after = items[:50_000].tolist(), items[50_000:].tolist()
    often = np.bincount(before, minlength=ratings.n_items).argsort(kind="stable")[::-1]
    tables = [misses(after, kept) for kept in (before, often[:420].tolist(), [])]
    claim(
        "L05.cold",
        "The second half of the MovieLens ratings as requests, item cache without a limit: of the first 1,000 miss 0.4 "
        "% after the first half, 20 % with its 420 most asked films, 53 % when it begins empty; of the first 10,000 12 "
        "% when empty",
        np.allclose([table[:1_000].mean() for table in tables], [0.004, 0.196, 0.532], atol=0.004)
        and abs(tables[2][:10_000].mean() - 0.119) < 0.004,
    )
