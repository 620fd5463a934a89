"""What the answer to J15 (judging written explanations) states."""

import numpy as np
import pytest

from recsys_course import claim
from recsys_course.models import EASE

TELLERS = ("exact", "text", "popular", "random")


@pytest.fixture(scope="module")
def told(random_splits, films, film_vectors):
    """What each teller cites for the first recommendation of each user, and what its removal does.

    EASE among the 300 most rated films; users with ten likes or more. ``{teller: share of the score, gone, as exact}``.
    """
    split, items = random_splits[0], films.items.numpy()
    likes, seen = (part.matrix().toarray()[:, items] > 0 for part in (split.train.positives(), split.train))
    weights = EASE().fit(split.train).weights_.numpy()[np.ix_(items, items)].astype(float)
    unit = film_vectors[0].numpy() - film_vectors[0].numpy().mean(0)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    near, draw = unit @ unit.T, np.random.default_rng(0)
    scores, found = np.where(seen, -np.inf, likes @ weights), {name: [] for name in TELLERS}
    for user in np.flatnonzero(likes.sum(1) >= 10):
        first, liked = scores[user].argmax(), np.flatnonzero(likes[user])
        shares = weights[liked, first]
        cited = shares.argmax(), near[liked, first].argmax(), likes.sum(0)[liked].argmax(), draw.integers(len(liked))
        for name, film in zip(TELLERS, cited, strict=True):
            without = scores[user] - weights[liked[film]]
            row = shares[film] / scores[user, first], without.argmax() != first, film == cited[0]
            found[name].append((*row, abs(shares.sum() - scores[user, first])))
    return {name: np.array(rows) for name, rows in found.items()}


def test_removing_what_is_cited(told):
    means = {name: rows.mean(0) for name, rows in told.items()}
    claim(
        "J15.sum",
        "EASE: the weights from a user's likes to the film add up to its score, for 775 users",
        len(told["exact"]) == 775 and told["exact"][:, 3].max() < 1e-6,
    )
    claim(
        "J15.gone",
        "Without the cited film the recommendation loses the first place in 55 % of the cases if the largest weight "
        "is cited, 33 % the film most alike by text, 24 % the most liked one, 14 % a random one",
        np.allclose([means[name][1] for name in TELLERS], [0.552, 0.333, 0.237, 0.143], atol=0.02),
    )
    gap = told["text"][:, 1] - told["random"][:, 1]
    claim(
        "J15.above-random",
        "The text's citations are above random ones by 0.19, 95 % interval 0.04 to each side",
        abs(gap.mean() - 0.19) < 0.03 and abs(1.96 * gap.std() / len(gap) ** 0.5 - 0.04) < 0.006,
    )
    claim(
        "J15.same",
        "The film most alike by text is the one with the largest weight in 26 % of the cases; in 7 % it speaks "
        "against the recommendation",
        abs(means["text"][2] - 0.257) < 0.02 and abs((told["text"][:, 0] < 0).mean() - 0.068) < 0.015,
    )
    claim(
        "J15.share",
        "The largest single weight is 18 % of the score on average",
        abs(means["exact"][0] - 0.176) < 0.01,
    )


def test_a_judge_that_prefers_the_first_answer():
    """Two explanations, the better one first or second at random; the judge adds a bonus to what it reads first."""
    draw = np.random.default_rng(0)
    better = draw.normal(0.5, 1, 100_000)  # how much better A seems than B, without the place
    first, second = better + 0.8 > 0, better - 0.8 > 0
    rates = first.mean(), second.mean(), (first != second).mean()
    claim(
        "J15.order",
        "Planted: A seems better by 0.5, spread 1, bonus of the first place 0.8. A wins 90 % when first, 38 % when "
        "second; 52 % of the verdicts turn with the order",
        np.allclose(rates, [0.903, 0.382, 0.521], atol=0.006),
    )


def test_a_judge_is_a_measuring_instrument():
    finds, clears = 0.7, 0.9  # of the false claims; of the true ones
    truth = [(said - (1 - clears)) / (finds + clears - 1) for said in (0.16, 0.40)]
    claim(
        "J15.judge",
        "A judge that finds 70 % of the false claims and clears 90 % of the true ones: if it calls 16 % false, 10 % "
        "are; if 40 %, 50 %",
        np.allclose(truth, [0.10, 0.50]),
    )
    width = 1.96 * (0.25 * 0.75 / 200) ** 0.5
    claim("J15.sample", "200 explanations read by people: 25 % with 6 points to each side", abs(width - 0.06) < 0.001)
