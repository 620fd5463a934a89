"""What the answer to F05 (several heads, one score) states."""

import numpy as np
from scipy.stats import kendalltau

from recsys_course import claim


def heads(n=2_000, seed=0):
    """Calibrated chances of click, like and finish, correlated through one quality; ``[n]`` each."""
    draw = np.random.default_rng(seed)
    quality = draw.normal(size=n)
    return [1 / (1 + np.exp(-(base + 0.5 * quality + draw.normal(size=n)))) for base in (-2.2, -4.6, -0.8)]


def test_a_plain_sum_listens_to_the_most_frequent():
    click, like, finish = heads()
    total = click + like + finish
    share = [float(np.cov(x, total)[0, 1] / total.var(ddof=1)) for x in (click, like, finish)]
    claim(
        "F05.plain",
        "Simulated chances of click, like and finish with means of 0.14, 0.018 and 0.35, added as they are: they make "
        "up 29 %, 2 % and 69 % of the sum's variance",
        np.allclose(share, [0.288, 0.023, 0.690], atol=0.01)
        and np.allclose([x.mean() for x in (click, like, finish)], [0.139, 0.0176, 0.346], atol=0.003),
    )


def test_a_constant_factor_turns_a_sum_and_not_a_product():
    click, like, finish = heads()
    before = click + 10 * like + finish, click * like**0.5 * finish
    after = click + 10 * (3 * like) + finish, click * (3 * like) ** 0.5 * finish
    tau = [kendalltau(a, b).statistic for a, b in zip(before, after, strict=True)]
    odds = like / (like + 0.1 * (1 - like))  # sampling that was not undone
    bent = kendalltau(before[1], click * odds**0.5 * finish).statistic
    top = len(np.intersect1d(np.argsort(-before[0])[:50], np.argsort(-after[0])[:50]))
    claim(
        "F05.factor",
        "The like head suddenly three times too high: a weighted sum keeps 35 of its first 50 of 2,000 items, rank "
        "correlation 0.79; a product of powers keeps its order",
        abs(tau[0] - 0.789) < 0.01 and abs(top - 35) <= 2 and tau[1] > 1 - 1e-9,
    )
    claim(
        "F05.bent",
        "A down-sampling that was not undone in the like head turns the product as well, rank correlation 0.98",
        abs(bent - 0.979) < 0.005,
    )


def test_a_head_near_zero():
    first, second = np.array([0.30, 0.01]), np.array([0.15, 0.15])  # click and finish of two items
    claim(
        "F05.veto",
        "Click and finish of 0.30 and 0.01 against 0.15 and 0.15: the sum prefers the first, 0.31 to 0.30, the product "
        "the second, 0.0225 to 0.003",
        first.sum() > second.sum() and first.prod() < second.prod() and abs(first.prod() - 0.003) < 1e-12,
    )


def test_a_sum_never_chooses_a_balanced_item_inside_the_hull():
    items = np.array([[1.0, 0.05], [0.05, 1.0], [0.45, 0.45]])
    weights = np.linspace(0, 1, 1_001)
    linear = {int(np.argmax(items @ [w, 1 - w])) for w in weights}
    product = {int(np.argmax(items[:, 0] ** w * items[:, 1] ** (1 - w))) for w in weights}
    claim(
        "F05.hull",
        "Items with goals of 1 and 0.05, 0.05 and 1, 0.45 and 0.45: no weights of a sum put the third first, some "
        "powers of a product do",
        linear == {0, 1} and product == {0, 1, 2},
    )


def test_the_price_of_a_report():
    claim(
        "F05.report",
        "Weights of 0.5 for a like and -369 for a report: a chance of a report of 0.1 % costs as much as a chance of a "
        "like of 74 % brings",
        abs(0.001 * 369 / 0.5 - 0.738) < 1e-9,
    )


def test_four_weights_on_a_grid():
    claim("F05.grid", "Four weights at five values each are 625 settings", 5**4 == 625)
