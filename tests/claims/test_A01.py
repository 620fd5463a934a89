"""What the answer to A01 (why a cascade) states."""

import numpy as np
import torch

from recsys_course import claim, metrics, models
from recsys_course.base import top_k


def kept_of_the_top_ten(ranker, retriever, users, n_candidates):
    """Share of the ranker's own ten best that are among the retriever's candidates, and the cascade's lists."""
    scores = ranker.scores(users).masked_fill(ranker.train_.dense(users), -torch.inf)  # [batch, n_items]
    candidates = retriever.recommend(users, n_candidates)  # [batch, n_candidates]
    allowed = torch.zeros_like(scores, dtype=torch.bool).scatter(1, candidates, True)
    kept = allowed.gather(1, top_k(scores, 10)).double().mean()
    return float(kept), top_k(scores.masked_fill(~allowed, -torch.inf), 10)


def test_a_better_retriever_keeps_more_of_what_the_ranker_would_show(random_splits, ease, popular, ease_results):
    split, ranker = random_splits[0], ease[0]
    users = split.test.users.unique()
    neighbours = models.ItemKNN().fit(split.train)
    by_fame, fame_lists = kept_of_the_top_ten(ranker, popular[0], users, 100)
    by_taste, taste_lists = kept_of_the_top_ten(ranker, neighbours, users, 100)
    claim(
        "A01.stage-recall",
        "Of the ten films that EASE would show, 100 candidates from popularity keep 84 % and 100 from item-KNN 99 %",
        abs(by_fame - 0.84) < 0.02 and abs(by_taste - 0.99) < 0.01,
    )
    whole = ease_results[0].mean("ndcg")
    cascades = [
        metrics.judge(lists, split.train, split.test, users, "cascade").mean("ndcg")
        for lists in (fame_lists, taste_lists)
    ]
    claim(
        "A01.cascade-loss",
        "EASE on 100 candidates from popularity loses about 6 % of its NDCG@10, on 100 from item-KNN less than 1 %",
        0.04 < 1 - cascades[0] / whole < 0.08 and abs(1 - cascades[1] / whole) < 0.01,
    )


def test_a_retriever_can_separate_clicks_perfectly_and_drop_every_winner():
    """Items 0 to 99 are clicked, items 0 to 9 are the ranker's top ten, 90 of 1,000 items go through."""
    clicked = torch.arange(1000) < 100
    winners_last = torch.where(clicked, 1000.0, 0.0)
    winners_last[:10] = 500  # below the other clicked items, above everything else
    winners_first = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    winners_first[:10] = 500
    passed = [int((scores.topk(90).indices < 10).sum()) for scores in (winners_last, winners_first)]
    aucs = [metrics.auc(scores, clicked) for scores in (winners_last, winners_first)]
    claim(
        "A01.own-score-misleads",
        "A retriever with AUC 1.0 on clicks can drop all ten of the ranker's winners, one with AUC below 0.65 keep all",
        aucs[0] == 1.0 and aucs[1] < 0.65 and passed == [0, 10],
    )


def test_a_ranker_trained_on_survivors_underrates_what_let_them_survive():
    """Clicks follow feature + hidden; retrieval lets through what has a large feature + hidden."""
    draw = np.random.default_rng(0)
    feature, hidden = draw.normal(size=(2, 200_000))
    outcome = feature + hidden + draw.normal(size=200_000)
    survived = feature + hidden > np.quantile(feature + hidden, 0.9)
    slope = lambda rows: np.polyfit(feature[rows], outcome[rows], 1)[0]  # noqa: E731
    everything = np.ones(len(feature), dtype=bool)
    claim(
        "A01.selection-bias",
        "A feature's weight of 1 is found on everything, and less than 0.3 of it on the 10 % that retrieval lets by",
        abs(slope(everything) - 1) < 0.02 and slope(survived) < 0.3,
    )
