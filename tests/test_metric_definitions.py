"""Our metrics beside scikit-learn's, ranx's and ir-measures': equal where the definitions are, and how they differ.

The numbers of the second part are those of the table of definitions in lesson 02.
"""

import warnings
from math import isnan

import ir_measures
import numpy as np
import pytest
import torch
from ir_measures import AP, RR, P, R, Success, nDCG
from ranx import Qrels, Run
from ranx import evaluate as ranx_evaluate
from sklearn import metrics as sk
from sklearn.exceptions import UndefinedMetricWarning
from torch import Tensor, tensor

from recsys_course import metrics
from recsys_course.base import top_k
from recsys_course.data import Interactions

N_USERS, N_ITEMS, K = 60, 30, 8
RANX = {
    "recall": "recall",
    "precision": "precision",
    "hit_rate": "hit_rate",
    "mrr": "mrr",
    "average_precision": "map",
    "ndcg": "ndcg",
}
MEASURES = {"recall": R, "precision": P, "hit_rate": Success, "mrr": RR, "average_precision": AP, "ndcg": nDCG}


def ranx(qrels: dict, run: dict, metric: str) -> list[float]:
    """One value for each user; asked for one metric alone, ranx 0.3.21 fails on the name before the ``@``."""
    twice = [metric, metric]
    return list(ranx_evaluate(Qrels(qrels), Run(run), twice, return_mean=False, save_results_in_run=False)[metric])


def measured(qrels: dict, run: dict, measure) -> dict[str, float]:
    return {row.query_id: row.value for row in ir_measures.iter_calc([measure], qrels, run)}


def ours(name: str, recommended: str, relevant: str, k: int | None = None) -> float:
    """One user, items are letters: the list best first, the relevant ones in any order."""
    items = [ord(letter) - ord("a") for letter in recommended]
    padded = tensor([items + [-1] * ((k or len(items)) - len(items))])
    answers = [ord(letter) - ord("a") for letter in relevant]
    events = Interactions.from_events([0] * len(answers), answers, n_users=1, n_items=26)
    hits, user = metrics.find_hits(padded, events, tensor([0])), tensor([0])
    return metrics.ACCURACY[name](hits, metrics.count_relevant(events, user)).item()


def theirs(recommended: str, relevant: str) -> tuple[dict, dict]:
    """The same user as ranx and ir-measures want it: falling scores in the order of the list."""
    run = {"u": {item: float(len(recommended) - rank) for rank, item in enumerate(recommended)}}
    return {"u": dict.fromkeys(relevant, 1)}, run


# --- equal, on random lists


class RandomWorld:
    """Lists of 1 to 8 of 30 items for 60 users of whom every sixth has no relevant item; every third list is short."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.scores = random.permuted(np.tile(np.arange(N_ITEMS), (N_USERS, 1)), axis=1).astype(np.float32)
        self.labels = random.random((N_USERS, N_ITEMS)) < random.uniform(0.03, 0.5, (N_USERS, 1))
        self.labels[::6] = False
        self.recommended = top_k(torch.from_numpy(self.scores), K)
        for user in range(0, N_USERS, 3):
            self.recommended[user, int(random.integers(1, K)) :] = -1
        users, items = self.labels.nonzero()
        self.relevant = Interactions.from_events(users, items, n_users=N_USERS, n_items=N_ITEMS)

    def ours(self, name: str) -> Tensor:
        users = torch.arange(N_USERS)
        hits = metrics.find_hits(self.recommended, self.relevant, users)
        return metrics.ACCURACY[name](hits, metrics.count_relevant(self.relevant, users)).double()

    def dictionaries(self) -> tuple[dict, dict]:
        """Users with a relevant item, as ranx and ir-measures want them."""
        judged = self.labels.any(1).nonzero()[0].tolist()
        qrels = {f"u{u:02}": {f"i{i}": 1 for i in self.labels[u].nonzero()[0]} for u in judged}
        lists = {u: [i for i in self.recommended[u].tolist() if i >= 0] for u in judged}
        return qrels, {f"u{u:02}": {f"i{i}": float(K - rank) for rank, i in enumerate(lists[u])} for u in judged}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", RANX)
def test_ranx_and_ir_measures_give_the_same_values_for_users_with_relevant_items(name, seed):
    world = RandomWorld(seed)
    values, judged = world.ours(name), torch.from_numpy(world.labels.any(1))
    assert torch.equal(values.isnan(), ~judged)
    if name == "average_precision":  # they divide by all relevant items
        n = tensor(world.labels.sum(1))
        values = values * n.clamp(max=K) / n
    expected = values[judged].tolist()
    qrels, run = world.dictionaries()
    by_user = measured(qrels, run, MEASURES[name] @ K)
    assert ranx(qrels, run, f"{RANX[name]}@{K}") == pytest.approx(expected, abs=1e-6)
    assert [by_user[user] for user in qrels] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("k", [1, 5, N_ITEMS, N_ITEMS + 5])
def test_scikit_learn_gives_the_same_ndcg_where_it_sees_the_whole_catalogue(k):
    world = RandomWorld(0)
    world.recommended = top_k(torch.from_numpy(world.scores), k)
    judged = world.labels.any(1)
    expected = [
        sk.ndcg_score(y[None], s[None], k=k) for y, s in zip(world.labels, world.scores, strict=True) if y.any()
    ]
    assert world.ours("ndcg")[tensor(judged)].tolist() == pytest.approx(expected, abs=1e-6)


def test_scikit_learn_gives_the_same_average_precision_for_a_list_of_the_whole_catalogue():
    world = RandomWorld(0)
    world.recommended = top_k(torch.from_numpy(world.scores), N_ITEMS)
    judged = world.labels.any(1)
    rows = zip(world.labels[judged], world.scores[judged], strict=True)
    expected = [sk.average_precision_score(y, s) for y, s in rows]
    assert world.ours("average_precision")[tensor(judged)].tolist() == pytest.approx(expected, abs=1e-6)
    mean = sk.label_ranking_average_precision_score(world.labels[judged], world.scores[judged])
    assert world.ours("average_precision").nanmean().item() == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("n_values", [2, 5, 10_000])
def test_scikit_learn_gives_the_same_auc_with_many_and_few_ties(n_values):
    random = np.random.default_rng(n_values)
    scores, labels = random.integers(0, n_values, 2000).astype(np.float32), random.random(2000) < 0.2
    expected = sk.roc_auc_score(labels, scores)
    assert metrics.auc(torch.from_numpy(scores), torch.from_numpy(labels)) == pytest.approx(expected, abs=1e-12)


# --- different, by hand: four relevant items a, b, c and d; three places


def test_recall_divides_by_all_relevant_items_everywhere():
    assert ours("recall", "axb", "abcd") == 0.5
    assert ranx(*theirs("axb", "abcd"), "recall@3") == [0.5]
    assert measured(*theirs("axb", "abcd"), R @ 3) == {"u": 0.5}
    catalogue, shown = [1, 1, 1, 1, 0], [1, 1, 0, 0, 1]  # a, b, c, d, x
    assert sk.recall_score(catalogue, shown) == 0.5


def test_precision_counts_empty_places_unless_the_library_does_not_know_k():
    assert ours("precision", "a", "abcd", k=3) == pytest.approx(1 / 3)
    assert ranx(*theirs("a", "abcd"), "precision@3") == [pytest.approx(1 / 3)]
    assert measured(*theirs("a", "abcd"), P @ 3) == {"u": pytest.approx(1 / 3)}
    assert ranx(*theirs("a", "abcd"), "precision") == [1.0]
    assert sk.precision_score([1, 1, 1, 1, 0], [1, 0, 0, 0, 0]) == 1.0


def test_hit_rate_is_top_k_accuracy_for_one_relevant_item_only():
    assert ours("hit_rate", "xab", "ab") == 1.0
    assert ranx(*theirs("xab", "ab"), "hit_rate@3") == [1.0]
    assert measured(*theirs("xab", "ab"), Success @ 3) == {"u": 1.0}
    with pytest.raises(ValueError, match="1d array"):
        sk.top_k_accuracy_score([[1, 1, 0]], [[2.0, 1.0, 3.0]], k=2)
    assert sk.top_k_accuracy_score([0], [[2.0, 1.0, 3.0]], k=2, labels=[0, 1, 2]) == ours("hit_rate", "ca", "a") == 1.0


def test_mrr_looks_at_the_first_hit_where_scikit_learn_averages_over_all_hits():
    assert ours("mrr", "xab", "ab") == 0.5
    assert ranx(*theirs("xab", "ab"), "mrr@3") == [0.5]
    assert measured(*theirs("xab", "ab"), RR @ 3) == {"u": 0.5}
    assert sk.label_ranking_average_precision_score([[1, 1, 0]], [[2.0, 1.0, 3.0]]) == pytest.approx(7 / 12)
    assert sk.label_ranking_average_precision_score([[1, 0, 0]], [[2.0, 1.0, 3.0]]) == 0.5  # one relevant: the same


def test_average_precision_divides_by_k_here_and_by_n_there_so_that_a_perfect_list_scores_less():
    assert ours("average_precision", "abc", "abcd") == 1.0
    assert ranx(*theirs("abc", "abcd"), "map@3") == [0.75]
    assert measured(*theirs("abc", "abcd"), AP @ 3) == {"u": 0.75}
    assert ours("average_precision", "axb", "abcd") == pytest.approx(5 / 9)
    assert ranx(*theirs("axb", "abcd"), "map@3") == [pytest.approx(5 / 12)]
    assert measured(*theirs("axb", "abcd"), AP @ 3) == {"u": pytest.approx(5 / 12)}
    assert sk.average_precision_score([1, 0, 1], [3.0, 2.0, 1.0]) == pytest.approx(5 / 6)  # of the list alone


def test_ndcg_of_the_list_alone_reads_too_high():
    assert ours("ndcg", "axb", "abcd") == pytest.approx(0.7039, abs=1e-4)
    assert ranx(*theirs("axb", "abcd"), "ndcg@3") == [pytest.approx(0.7039, abs=1e-4)]
    assert measured(*theirs("axb", "abcd"), nDCG @ 3) == {"u": pytest.approx(0.7039, abs=1e-4)}
    everything = [[1, 1, 1, 1, 0]], [[5.0, 3.0, 2.0, 1.0, 4.0]]  # a, b, c, d, x
    assert sk.ndcg_score(*everything, k=3) == pytest.approx(0.7039, abs=1e-4)
    assert sk.ndcg_score([[1, 0, 1]], [[3.0, 2.0, 1.0]]) == pytest.approx(0.9197, abs=1e-4)  # a, x, b
    assert torch.allclose(metrics.ndcg(tensor([[True, False, True]]), tensor([2])), tensor(0.9197), atol=1e-4)


def test_without_a_cut_ir_measures_divides_by_the_ideal_of_all_relevant_items():
    assert ours("ndcg", "abc", "abcd") == 1.0
    assert measured(*theirs("abc", "abcd"), nDCG @ 3) == {"u": pytest.approx(1.0)}
    assert measured(*theirs("abc", "abcd"), nDCG) == {"u": pytest.approx(0.8319, abs=1e-4)}
    assert ranx(*theirs("abc", "abcd"), "ndcg@3") == [pytest.approx(1.0)]
    assert sk.ndcg_score([[1, 1, 1, 1, 0]], [[5.0, 4.0, 3.0, 2.0, 1.0]], k=3) == pytest.approx(1.0)
    assert ranx(*theirs("abc", "abcd"), "ndcg") == [pytest.approx(0.8319, abs=1e-4)]


@pytest.mark.parametrize("name", RANX)
def test_a_user_without_relevant_items_is_nan_here_and_a_zero_in_their_mean(name):
    qrels, run = {"u": {"a": 1}, "v": {"a": 0}}, {"u": {"a": 1.0}, "v": {"a": 1.0}}
    assert isnan(ours(name, "a", ""))
    assert ranx(qrels, run, f"{RANX[name]}@1") == [1.0, 0.0]
    assert ir_measures.calc_aggregate([MEASURES[name] @ 1], qrels, run)[MEASURES[name] @ 1] == 0.5


def test_a_user_whom_the_answers_do_not_name_is_an_error_in_ranx_and_dropped_in_ir_measures():
    qrels, run = {"u": {"a": 1}}, {"u": {"a": 1.0}, "v": {"a": 1.0}}
    with pytest.raises(AssertionError, match="do not match"):
        ranx(qrels, run, "recall@1")
    assert measured(qrels, run, R @ 1) == {"u": 1.0}


def test_a_user_without_relevant_items_scores_0_in_scikit_learns_ndcg_and_1_in_its_ranking_precision():
    assert sk.ndcg_score([[0, 0], [1, 0]], [[2.0, 1.0], [2.0, 1.0]]) == 0.5
    assert sk.label_ranking_average_precision_score([[0, 0]], [[2.0, 1.0]]) == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert sk.average_precision_score([0, 0], [2.0, 1.0]) == 0.0
        assert sk.recall_score([0, 0], [1, 0]) == 0.0


def test_a_user_without_a_list_scores_0_everywhere_but_in_ranx_only_if_asked():
    qrels, run = {"u": {"a": 1}, "v": {"a": 1}}, {"u": {"a": 1.0}}
    assert ours("recall", "", "a", k=1) == 0.0
    assert measured(qrels, run, R @ 1) == {"u": 1.0, "v": 0.0}
    with pytest.raises(AssertionError, match="do not match"):
        ranx(qrels, run, "recall@1")
    assert ranx_evaluate(Qrels(qrels), Run(run), "recall@1", make_comparable=True) == 0.5


def test_three_equal_scores_with_a_relevant_rank_first_third_or_in_between():
    qrels, run = {"u": {"a": 1}}, {"u": {"a": 1.0, "b": 1.0, "c": 1.0}}
    assert top_k(torch.ones(1, 3), 3).tolist() == [[0, 1, 2]]  # by item number, so that a comes first
    assert measured(qrels, run, RR) == {"u": pytest.approx(1 / 3)}  # trec_eval: by name, backwards
    assert measured(qrels, run, RR @ 3) == {"u": 1.0}  # another program behind the same name: forwards
    assert measured(qrels, run, nDCG @ 3) == {"u": 0.5}
    assert sk.ndcg_score([[1, 0, 0]], [[1.0, 1.0, 1.0]]) == pytest.approx(0.7103, abs=1e-4)  # mean of all orders
    assert sk.ndcg_score([[1, 0, 0]], [[1.0, 1.0, 1.0]], ignore_ties=True) == 0.5  # the last column comes first
    assert sk.average_precision_score([1, 0, 0], [1.0, 1.0, 1.0]) == pytest.approx(1 / 3)  # one threshold for all


def test_ranx_ranks_equal_scores_by_no_rule_at_all():
    names = [f"{item:02d}" for item in range(40)]
    run = {"u": dict.fromkeys(names, 1.0)}
    ranks = [round(1 / ranx({"u": {name: 1}}, run, "mrr")[0]) for name in names]
    assert sorted(ranks) == list(range(1, 41))
    assert ranks != sorted(ranks) and ranks != sorted(ranks, reverse=True)
    assert ranx({"u": {"a": 1}}, {"u": {"a": 1.0, "b": 1.0}}, "mrr") == [1.0]
    assert ranx({"u": {"a": 1}}, {"u": {"b": 1.0, "a": 1.0}}, "mrr") == [0.5]


def test_auc_gives_a_tie_one_half_and_one_class_is_nan_in_scikit_learn_too():
    assert metrics.auc(tensor([1.0, 1.0]), tensor([1, 0])) == sk.roc_auc_score([1, 0], [1.0, 1.0]) == 0.5
    with pytest.warns(UndefinedMetricWarning, match="one class"):
        assert isnan(sk.roc_auc_score([1, 1], [1.0, 2.0]))
    assert isnan(metrics.auc(tensor([1.0, 2.0]), tensor([1, 1])))


def test_gauc_weights_users_and_skips_those_with_one_class_where_scikit_learns_mean_is_nan():
    scores, right_and_wrong = [[3.0, 2.0], [3.0, 2.0]], [[1, 0], [0, 1]]
    assert sk.roc_auc_score(right_and_wrong, scores, average="samples") == 0.5
    users = tensor([0, 0, 1, 1, 1, 1])  # the second user has twice the examples, and so twice the weight
    result = metrics.gauc(users, tensor([3.0, 2.0, 3.0, 2.0, 1.0, 0.0]), tensor([1, 0, 0, 0, 1, 1]))
    assert result.value == pytest.approx((2 * 1 + 4 * 0) / 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert isnan(sk.roc_auc_score([[1, 0], [0, 0]], scores, average="samples"))
    assert metrics.gauc(tensor([0, 0, 1, 1]), tensor([3.0, 2.0, 3.0, 2.0]), tensor([1, 0, 0, 0])) == (1.0, 1, 1)
