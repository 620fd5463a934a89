"""What the answer to A04 (which stage of the pipeline next?) states: a cascade on MovieLens 100K, one random split."""

import numpy as np
import pytest
import torch

from recsys_course import claim, metrics, models
from recsys_course.base import top_k


class Pipeline:
    """Retrieval, then ranking, each by any of four models or by an oracle that knows the hidden likes."""

    def __init__(self, split):
        self.split, train = split, split.train
        self.users = split.test.users.unique()
        self.seen = train.dense(self.users)
        self.hidden = split.test.positives().dense(self.users) & ~self.seen
        made = {
            "popular": models.Popularity(),
            "knn": models.ItemKNN(),
            "ials": models.IALS(dim=32, epochs=3),
            "ease": models.EASE(),
        }
        self.scores = {
            name: m.fit(train).scores(self.users).float().masked_fill(self.seen, -torch.inf) for name, m in made.items()
        }
        self.scores["oracle"] = self.hidden.float()

    def candidates(self, name, n, oracle=False):
        """Which films go on to the ranker, bool ``[n_users, n_items]``; an oracle adds the hidden likes."""
        found = torch.zeros_like(self.seen).scatter(1, top_k(self.scores[name], n), True)
        return found | self.hidden if oracle else found

    def judge(self, candidates, ranker):
        lists = top_k(self.scores[ranker].masked_fill(~candidates, -torch.inf), 10)
        return metrics.judge(lists, self.split.train, self.split.test, self.users, ranker)

    def ndcg(self, retriever, ranker, n=50, oracle=False):
        return self.judge(self.candidates(retriever, n, oracle), ranker).mean("ndcg")

    def recall(self, candidates, liked):
        """Mean over users of the share of these likes that are candidates."""
        liked_any = liked.any(1)
        share = (candidates & liked).sum(1) / liked.sum(1).clamp(min=1)
        return float(share[liked_any].double().mean())


@pytest.fixture(scope="module")
def pipeline(random_splits):
    return Pipeline(random_splits[0])


def test_oracle_gaps_and_what_a_better_model_gets_of_them(pipeline):
    now, retrieval, ranking = (
        pipeline.ndcg("popular", "knn"),
        pipeline.ndcg("popular", "knn", oracle=True),
        pipeline.ndcg("popular", "oracle"),
    )
    claim(
        "A04.oracle",
        "50 candidates by popularity, ranked by item-KNN: NDCG@10 0.290; with every hidden like among the candidates "
        "0.444, with a perfect order of the 50 as they are 0.560",
        np.allclose([now, retrieval, ranking], [0.290, 0.444, 0.560], atol=0.008),
    )
    swaps = [pipeline.ndcg("ials", "knn"), pipeline.ndcg("popular", "ease"), pipeline.ndcg("ials", "ease")]
    gains = np.array(swaps) - now
    claim(
        "A04.swaps",
        "The models at hand instead of oracles: retrieval by IALS gains 0.024, ranking by EASE 0.033, both 0.075, a "
        "third more than the sum of the two",
        np.allclose(gains, [0.024, 0.033, 0.075], atol=0.006) and abs(gains[2] / gains[:2].sum() - 1.33) < 0.15,
    )
    claim(
        "A04.attained",
        "Of the oracle gaps of 0.15 and 0.27 these swaps get 16 and 12 %",
        abs(gains[0] / (retrieval - now) - 0.16) < 0.04 and abs(gains[1] / (ranking - now) - 0.12) < 0.03,
    )


def test_intervals_of_the_steps(pipeline):
    cells = {
        (r, s): pipeline.judge(pipeline.candidates(r, 50), s).per_user["ndcg"]
        for r in ("popular", "ials")
        for s in ("knn", "ease")
    }
    now = cells["popular", "knn"]
    single = [metrics.paired_bootstrap(cells[key], now) for key in (("ials", "knn"), ("popular", "ease"))]
    extra = cells["ials", "ease"] - cells["popular", "ease"] - cells["ials", "knn"] + now
    together = metrics.bootstrap(extra)
    claim(
        "A04.interaction",
        "Paired over the users both swaps alone are above 0, and so is what the two together gain beyond their sum",
        single[0].low > 0 and single[1].low > 0 and together.low > 0,
    )


def test_the_bottleneck_moves(pipeline):
    gap = {r: pipeline.ndcg(r, "ease", oracle=True) - pipeline.ndcg(r, "ease") for r in ("popular", "ials")}
    wide, narrow = (pipeline.candidates("ials", n) for n in (100, 50))
    recalls = [pipeline.recall(c, pipeline.hidden) for c in (narrow, wide)]
    final = [pipeline.judge(c, "ease").mean("ndcg") for c in (narrow, wide)]
    claim(
        "A04.moves",
        "With EASE ranking, the oracle gap of retrieval is 0.11 behind popularity and under 0.003 behind IALS",
        abs(gap["popular"] - 0.109) < 0.01 and gap["ials"] < 0.003,
    )
    claim(
        "A04.recall-only",
        "100 instead of 50 candidates from IALS: retrieval recall rises from 0.60 to 0.74, NDCG@10 of the lists moves "
        "by less than 0.002",
        np.allclose(recalls, [0.60, 0.735], atol=0.01) and abs(final[1] - final[0]) < 0.002,
    )


def test_agreement_of_the_stages(pipeline):
    top = top_k(pipeline.scores["ease"], 10)
    kept = {r: float(pipeline.candidates(r, 50).gather(1, top).double().mean()) for r in ("popular", "ials")}
    claim(
        "A04.agreement",
        "Of the ten films that EASE would show, 50 candidates by popularity keep 69 %, by IALS 99 %",
        abs(kept["popular"] - 0.687) < 0.02 and abs(kept["ials"] - 0.99) < 0.008,
    )


def test_recall_on_the_log_of_the_old_retriever(pipeline):
    shown = pipeline.candidates("popular", 50)
    draw = torch.rand(shown.shape, generator=torch.Generator().manual_seed(0)) < 0.2
    names = ("popular", "knn", "ease")
    found = {name: pipeline.candidates(name, 50) for name in names}
    log = [pipeline.recall(found[name], pipeline.hidden & shown) for name in names]
    true = [pipeline.recall(found[name], pipeline.hidden) for name in names]
    part = [float((found[n] & pipeline.hidden & draw).sum() / (pipeline.hidden & draw).sum()) for n in names]
    whole = [float((found[n] & pipeline.hidden).sum() / pipeline.hidden.sum()) for n in names]
    claim(
        "A04.logged",
        "Likes logged under 50 popular films: recall of popularity itself 1.00, of EASE 0.87, of item-KNN 0.83; on all "
        "hidden likes 0.34, 0.58 and 0.56",
        log[0] == 1
        and np.allclose(log[1:], [0.826, 0.866], atol=0.015)
        and np.allclose(true, [0.339, 0.558, 0.582], atol=0.015),
    )
    claim(
        "A04.random-slice",
        "On a fifth of the films shown by lot, whoever retrieved them: 0.35, 0.52 and 0.50 for popularity, EASE and "
        "item-KNN, of all likes 0.34, 0.52 and 0.49",
        np.allclose(part, [0.349, 0.500, 0.518], atol=0.015) and np.allclose(part, whole, atol=0.02),
    )


def test_time():
    stages = {"retrieval": 20, "ranking": 45, "rest": 35}
    total = sum(stages.values())
    twice_as_fast = total - stages["retrieval"] / 2
    draws = np.random.default_rng(0).lognormal(0, 0.8, (3, 200_000))
    p99 = np.quantile(draws, 0.99, axis=1)
    claim(
        "A04.amdahl",
        "Of 100 ms 20 are retrieval: twice as fast saves 10 %, infinitely fast 20 %",
        total == 100 and twice_as_fast == 90 and total - stages["retrieval"] == 80,
    )
    claim(
        "A04.p99",
        "Three independent stages with lognormal times: the p99 of the whole is 35 % below the sum of the three p99",
        abs(1 - np.quantile(draws.sum(0), 0.99) / p99.sum() - 0.35) < 0.05,
    )
