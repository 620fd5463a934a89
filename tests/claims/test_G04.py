"""What the answer to G04 (popularity bias) states."""

import numpy as np
import pytest
import torch

from recsys_course import claim, metrics, models


class Damped(models.EASE):
    """EASE with scores divided by a power of the item's number of training ratings."""

    def __init__(self, power, trained):
        self.power, self.train_ = power, trained.train_
        self.likes_, self.weights_ = trained.likes_, trained.weights_
        self.counts = trained.train_.item_counts().clamp(min=1)

    def scores(self, users, history=None):
        return super().scores(users, history) / self.counts**self.power


def head_of(train):
    """The fifth of the films with the most training ratings: bool ``[n_items]``."""
    order = train.item_counts().argsort(descending=True, stable=True)
    return torch.zeros(train.n_items, dtype=torch.bool).index_fill(0, order[: train.n_items // 5], True)


def recall_on(wanted, result, test):
    """Recall@10 when only the ``wanted`` items, bool ``[n_items]``, count as right answers."""
    answers, users = test.select(wanted[test.items]), torch.tensor(result.per_user.index.to_numpy(copy=True))
    hits = metrics.find_hits(result.recommended, answers, users)
    return float(metrics.recall(hits, metrics.count_relevant(answers, users)).nanmean())


def over_seeds(values):
    return sum(values) / len(values)


@pytest.fixture(scope="module")
def damped_results(random_splits, ease):
    pairs = list(zip(random_splits, ease, strict=True))
    return {
        power: [metrics.evaluate(Damped(power, model), split.test) for split, model in pairs] for power in (0.3, 1.0)
    }


def test_the_overall_number_hides_a_tail_that_is_never_found(random_splits, ease_results, popular_results):
    heads = [head_of(split.train) for split in random_splits]
    by = lambda results, flip: over_seeds(  # noqa: E731
        [recall_on(h ^ flip, r, s.test) for h, r, s in zip(heads, results, random_splits, strict=True)]
    )
    share = over_seeds([float((~h)[s.test.items].double().mean()) for h, s in zip(heads, random_splits, strict=True)])
    claim(
        "G04.tail-recall",
        "Outside the most-rated fifth of films recall@10 is 0 for popularity and 0.01 for EASE, which has 0.36 inside",
        by(popular_results, True) < 0.001
        and 0.005 < by(ease_results, True) < 0.02
        and abs(by(ease_results, False) - 0.36) < 0.01,
    )
    claim("G04.tail-share", "29 % of the test likes lie outside the most-rated fifth", abs(share - 0.29) < 0.01)


def test_a_mild_penalty_finds_more_of_the_tail_for_little(random_splits, ease_results, damped_results):
    tails = [~head_of(split.train) for split in random_splits]
    tail = lambda results: over_seeds(  # noqa: E731
        [recall_on(t, r, s.test) for t, r, s in zip(tails, results, random_splits, strict=True)]
    )
    mean = lambda results, metric: over_seeds([r.mean(metric) for r in results])  # noqa: E731
    mild = damped_results[0.3]
    ndcg_loss = mean(ease_results, "ndcg") - mean(mild, "ndcg")
    claim(
        "G04.damped",
        "EASE's scores over count to the power 0.3: tail recall at least triples, NDCG@10 falls by 0.003 to 0.02",
        tail(mild) > 3 * tail(ease_results) and 0.003 < ndcg_loss < 0.02,
    )
    claim(
        "G04.damped-coverage",
        "The same penalty shows about 27 % of the films in place of 18 %",
        abs(mean(mild, "coverage") - 0.27) < 0.02 and abs(mean(ease_results, "coverage") - 0.18) < 0.02,
    )


def test_dividing_by_the_whole_count_recommends_noise(random_splits, damped_results):
    full = damped_results[1.0]
    recall = over_seeds([r.mean("recall") for r in full])
    counts = [s.train.item_counts()[r.recommended].median() for s, r in zip(random_splits, full, strict=True)]
    claim(
        "G04.divided-by-count",
        "Scores over the whole count: recall@10 below 0.01, and half of the places show films with one rating or none",
        recall < 0.01 and max(counts) <= 1,
    )


def test_equally_good_items_end_up_unequally_popular():
    """Twenty items that everybody likes equally; each of 5,000 visitors sees the three with the most clicks."""
    draw, clicks = np.random.default_rng(0), np.zeros(20)
    for _ in range(5_000):
        shown = np.lexsort((draw.random(20), -clicks))[:3]
        clicks[shown] += draw.random(3) < 0.1
    top_share = np.sort(clicks)[-3:].sum() / clicks.sum()
    claim(
        "G04.feedback-loop",
        "Of 20 equally good items, showing the three most clicked gives three of them over 95 % of all clicks",
        top_share > 0.95,
    )
