"""What the answer to J17 (data-efficient or data-hungry) states."""

import numpy as np
import pytest

from recsys_course import claim, metrics

SIZES, DRAWS = (5, 10, 20, 40, 160, 643), (0, 1, 2)  # users to learn from


def item_weights(likes, reg, prior):
    """EASE whose ridge pulls to ``prior`` in place of 0, ``[n_items, n_items]`` with an empty diagonal."""
    gram = likes.T @ likes
    inverse = np.linalg.inv(gram + reg * np.eye(len(gram)))
    weights = inverse @ (gram + reg * prior)
    return weights - inverse * (np.diag(weights) / np.diag(inverse))


def similarity(table):
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    return unit @ unit.T - np.eye(len(unit))


@pytest.fixture(scope="module")
def curves(random_splits, films, film_vectors, by_hand, ndcg_at_ten):
    """NDCG@10 of each of 287 users under each model, mean of three draws of other users: ``{(model, n): [287]}``."""
    split, items = random_splits[0], films.items.numpy()
    likes, seen, wanted = (
        part.matrix().toarray()[:, items] > 0 for part in (split.train.positives(), split.train, split.test)
    )
    order = np.random.default_rng(0).permutation(len(likes))
    others, judged = order[300:], order[:300]
    judged = judged[(wanted[judged].any(1)) & (likes[judged].any(1))]
    mine = likes[judged].astype(float)
    rate = lambda scores: ndcg_at_ten(scores, wanted[judged], ~seen[judged])  # noqa: E731
    text, hand = (similarity(table.numpy()) for table in (film_vectors[0] - film_vectors[0].mean(0), by_hand))
    nothing, chance = np.zeros_like(text), np.random.default_rng(1).random(mine.shape)
    found = {("text", 0): rate(mine @ text), ("random", 0): rate(chance), ("likes", 0): likes[others].sum()}
    for n in SIZES:
        rows = []
        for seed in DRAWS:
            known = likes[np.random.default_rng(seed).permutation(others)[:n]].astype(float)
            fits = lambda prior, *regs, x=known: (item_weights(x, reg, prior) for reg in regs)  # noqa: E731
            tried = fits(nothing, 10, 50, 200), fits(0.05 * text, 200), fits(0.05 * hand, 10, 50, 200)
            scored = [max((rate(mine @ weights) for weights in some), key=np.mean) for some in tried]
            wrong = mine @ next(fits(0.05 * text[order[:300].argsort()][:, order[:300].argsort()], 200))
            rows.append([*scored, rate(wrong), rate(known.sum(0) + 1e-6 * chance)])
        for name, row in zip(("ids", "both", "hand", "shuffled", "popular"), np.mean(rows, 0), strict=True):
            found[name, n] = row
    return found


def means(curves, name):
    return [curves[name, n].mean() for n in SIZES]


def test_the_learning_curves_cross(curves):
    text, chance = curves["text", 0].mean(), curves["random", 0].mean()
    claim(
        "J17.nobody",
        "300 films, 287 users judged, likes of nobody else: NDCG@10 by text 0.17, chance 0.05",
        len(curves["text", 0]) == 287 and abs(text - 0.168) < 0.006 and abs(chance - 0.047) < 0.015,
    )
    claim(
        "J17.ids",
        "EASE from 5, 10, 20, 40, 160 and 643 other users, the best of three penalties each: 0.13, 0.16, 0.20, 0.24, "
        "0.32 and 0.37",
        np.allclose(means(curves, "ids"), [0.132, 0.161, 0.196, 0.237, 0.315, 0.369], atol=0.008),
    )
    before, after = (metrics.paired_bootstrap(curves["ids", n], curves["text", 0]) for n in (5, 40))
    claim(
        "J17.cross",
        "EASE is behind the text with 5 users and ahead with 40, beyond the interval both times",
        before.high < 0 < after.low,
    )
    claim(
        "J17.popular",
        "Popularity among 20 users 0.13, among 643 0.21: it passes the text in between",
        np.allclose([curves["popular", n].mean() for n in (20, 643)], [0.132, 0.205], atol=0.008),
    )
    claim("J17.likes", "The 643 users have 20,876 likes, 32 each: 20 of them some 650", curves["likes", 0] == 20_876)


def test_text_saves_interactions_until_there_are_enough(curves):
    claim(
        "J17.both",
        "EASE drawn to text similarity in place of 0, from 5, 10, 20, 40, 160 and 643 users: 0.19, 0.20, 0.23, 0.27, "
        "0.33 and 0.38",
        np.allclose(means(curves, "both"), [0.191, 0.203, 0.229, 0.265, 0.332, 0.375], atol=0.008),
    )
    early, late = (metrics.paired_bootstrap(curves["both", n], curves["ids", n]) for n in (20, 643))
    claim(
        "J17.early",
        "With 20 users that is above the ids alone beyond the interval, and not below what the ids reach with 40 by "
        "more than 0.02",
        early.low > 0 and curves["both", 20].mean() > curves["ids", 40].mean() - 0.02,
    )
    claim(
        "J17.late",
        "With 643 users the lead over the ids alone is under 0.015",
        late.mean < 0.015 and late.low > -0.01,
    )
    few, some = (metrics.paired_bootstrap(curves["both", n], curves["hand", n]) for n in (5, 20))
    claim(
        "J17.hand",
        "The same with genres and year in place of the encoder, the best of three penalties each: 0.16, 0.18, 0.22, "
        "0.25, 0.31 and 0.36; the text is ahead beyond the interval with 5 users, with 20 the interval holds 0",
        np.allclose(means(curves, "hand"), [0.163, 0.184, 0.219, 0.251, 0.311, 0.359], atol=0.008)
        and few.low > 0
        and some.low < 0 < some.high,
    )
    behind = [metrics.paired_bootstrap(curves["shuffled", n], curves["ids", n]) for n in SIZES]
    claim(
        "J17.shuffled",
        "With the text vectors dealt out to the wrong films it is 0.05 and more below the ids alone from 5 to 40 users",
        all(found.mean < -0.05 and found.high < 0 for found in behind[:4]),
    )


def test_three_bills():
    parameters, tokens = 135e6, 2e12
    claim(
        "J17.tokens",
        "2 trillion tokens for 135 million parameters are 14,815 a parameter, 741 times the 20 that compute-optimal "
        "training asks for",
        abs(tokens / parameters - 14_815) < 1 and abs(tokens / parameters / 20 - 741) < 1,
    )
    seconds = 6 * parameters * tokens / (0.4 * 989e12)
    claim(
        "J17.pre-training",
        "6 times parameters times tokens: 1.6e21 operations, 1,138 hours of a 989 TFLOP/s card at 40 %",
        abs(6 * parameters * tokens - 1.62e21) < 1e19 and abs(seconds / 3_600 - 1_138) < 1,
    )
    adapted = 6 * parameters * 100_000 * 50
    claim(
        "J17.adaptation",
        "One pass over 100,000 interactions of 50 tokens each: 10 seconds of that card, 400,000 times less",
        abs(adapted / (0.4 * 989e12) - 10.2) < 0.1 and abs(tokens / (100_000 * 50) - 400_000) < 1,
    )
