"""``evaluate`` and what stands around it: who is judged, tables, seeds, intervals, and memory."""

from math import isnan

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor

from memory import watch_memory
from recsys_course import metrics
from recsys_course.base import Recommender
from recsys_course.data import Interactions
from recsys_course.metrics import Evaluation, Interval
from recsys_course.models import Popularity


class Fixed(Recommender):
    """Scores every item by a fixed table, float [n_users, n_items]."""

    def __init__(self, table) -> None:
        self.table = tensor(table, dtype=torch.float32)

    def fit(self, train: Interactions) -> "Fixed":
        self.train_ = train
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        return self.table[users]


# Four users, four items. User 0 has seen item 0 and would like 1 and 2; user 1 has seen 1 and would like 3; user 2
# would like 0; user 3 would like nothing.
TRAIN = Interactions.from_events([0, 1, 3], [0, 1, 0], n_users=4, n_items=4)
TEST = Interactions.from_events([0, 0, 1, 2], [1, 2, 3, 0], n_users=4, n_items=4)
FALLING = [[4, 3, 2, 1]] * 4


@pytest.fixture
def result() -> Evaluation:
    return metrics.evaluate(Fixed(FALLING).fit(TRAIN), TEST, k=2)


# --- who is judged, and on what


def test_lists_leave_out_what_was_seen_and_only_users_with_an_answer_are_judged(result):
    assert result.recommended.tolist() == [[1, 2], [0, 2], [0, 1]]
    assert result.per_user.index.tolist() == [0, 1, 2] and result.per_user.index.name == "user"
    assert (len(result), result.n_left_out, result.k, result.model) == (3, 1, 2, "Fixed")


def test_every_column_holds_the_metric_of_each_user(result):
    expected = {
        "recall": [1, 0, 1],
        "precision": [1, 0, 0.5],
        "hit_rate": [1, 0, 1],
        "mrr": [1, 0, 1],
        "average_precision": [1, 0, 1],
        "ndcg": [1, 0, 1],
        "novelty": [2, 1.5, 1.5],  # item 0 is known to two of the four users, items 1 and 2 to one at most
    }
    pd.testing.assert_frame_equal(result.per_user, pd.DataFrame(expected).rename_axis("user"), check_dtype=False)
    assert result.mean("recall") == pytest.approx(2 / 3)
    assert result.of_lists == pytest.approx({"coverage": 3 / 4, "gini": metrics.gini(tensor([2, 2, 2, 0]))})
    assert result.mean("coverage") == pytest.approx(0.75)


def test_seen_items_and_other_candidates_come_back_when_asked_for():
    model = Fixed(FALLING).fit(TRAIN)
    assert metrics.evaluate(model, TEST, k=2, exclude_seen=False).recommended.tolist() == [[0, 1]] * 3
    some = metrics.evaluate(model, TEST, k=2, candidates=tensor([1, 3]), name="two films")
    assert some.recommended.tolist() == [[1, 3], [3, -1], [1, 3]] and some.model == "two films"
    assert some.per_user["recall"].tolist() == [0.5, 1, 0]  # a right answer that was no candidate is missed
    assert some.per_user["precision"].tolist() == [0.5, 0.5, 0]  # an empty place is a miss


def test_a_list_longer_than_the_catalogue_is_filled_with_nothing(result):
    long = metrics.evaluate(Fixed(FALLING).fit(TRAIN), TEST, k=9)
    assert long.recommended[0].tolist() == [1, 2, 3] + [-1] * 6
    assert long.per_user["recall"].tolist() == [1, 1, 1]
    assert long.per_user["precision"].tolist() == pytest.approx([2 / 9, 1 / 9, 1 / 9])


def test_a_judged_user_without_an_answer_is_nan_counted_and_in_no_mean():
    lists = tensor([[1, 2], [0, 2], [0, 1], [0, 1]])
    judged = metrics.judge(lists, TRAIN, TEST, torch.arange(4), "lists")
    assert judged.per_user["ndcg"].isna().tolist() == [False, False, False, True]
    assert (len(judged), judged.n_left_out) == (3, 1)
    assert judged.mean("recall") == pytest.approx(2 / 3)


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_the_batch_size_changes_nothing(batch_size):
    scores = torch.rand(30, 20, generator=torch.Generator().manual_seed(0))
    users, items = (scores > 0.7).nonzero().unbind(1)
    test = Interactions.from_events(users, items, n_users=31, n_items=20)
    model = Fixed(torch.cat([scores.flip(1), scores[:1]]).tolist()).fit(
        Interactions.from_events([0], [0], n_users=31, n_items=20)
    )
    whole = metrics.evaluate(model, test, k=5)
    parts = metrics.evaluate(model, test, k=5, batch_size=batch_size)
    pd.testing.assert_frame_equal(whole.per_user, parts.per_user)


def test_an_empty_test_set_and_other_numbers_of_items_are_refused_in_words():
    model = Fixed(FALLING).fit(TRAIN)
    with pytest.raises(ValueError, match="holds no event: nobody can be judged"):
        metrics.evaluate(model, TEST.select(torch.zeros(4, dtype=torch.bool)))
    other = Interactions.from_events([0], [4], n_users=4, n_items=5)
    with pytest.raises(ValueError, match="same users and items"):
        metrics.evaluate(model, other)


def test_the_printed_result_names_model_users_left_out_and_every_metric(result):
    text = repr(result)
    assert text.startswith("Fixed: 3 users judged, 1 left out (no right answer), k = 2")
    assert "recall            0.667 [0.000, 1.000]" in text and "coverage          0.750" in text
    assert result.summary().loc["hit_rate", "mean"] == pytest.approx(2 / 3)


# --- several seeds, several models


def evaluation(model: str, values: dict[int, float], left_out: int = 0, coverage: float = 0.5) -> Evaluation:
    table = pd.DataFrame({"recall": values, "ndcg": values}).rename_axis("user")
    return Evaluation(model, 10, table, {"coverage": coverage}, left_out)


def test_seeds_are_averaged_user_by_user_and_their_means_are_kept():
    runs = [evaluation("A", {0: 0.2, 1: 0.4}, left_out=1, coverage=0.2), evaluation("A", {1: 0.8, 2: 0.0}, 1, 0.4)]
    both = metrics.average_seeds(runs)
    assert both.per_user["recall"].to_dict() == pytest.approx({0: 0.2, 1: 0.6, 2: 0.0})
    assert both.seed_means["recall"].tolist() == pytest.approx([0.3, 0.4])
    assert (len(both), both.n_left_out, both.mean("coverage")) == (3, 0, pytest.approx(0.3))


def test_no_run_and_lists_of_different_lengths_cannot_be_averaged():
    with pytest.raises(ValueError, match="one or more runs"):
        metrics.average_seeds([])
    with pytest.raises(ValueError, match=r"k = \[10, 2\]"):
        metrics.average_seeds([evaluation("A", {0: 1.0}), Evaluation("A", 2, pd.DataFrame(), {}, 0)])


def test_the_leaderboard_is_sorted_and_shows_intervals_seeds_coverage_and_who_was_left_out():
    good = metrics.average_seeds([evaluation("good", {0: 0.9, 1: 0.9}), evaluation("good", {0: 0.7, 1: 0.7})])
    table = metrics.leaderboard([evaluation("bad", {0: 0.1, 1: 0.1}, left_out=3), good])
    assert table.index.tolist() == ["good", "bad"]
    assert table.loc["good"].to_dict() == {
        "ndcg@10": "0.800 [0.800, 0.800]",
        "recall@10": "0.800 [0.800, 0.800]",
        "over seeds": "0.700 to 0.900",
        "coverage": "0.500",
        "users": 2,
        "left out": 0,
    }
    assert (table.loc["bad", "left out"], table.loc["bad", "over seeds"]) == (3, "")


def test_two_rows_of_the_same_name_both_stay_on_the_leaderboard():
    table = metrics.leaderboard([evaluation("A", {0: 0.1}), evaluation("A", {0: 0.2})], metrics=["recall"])
    assert table["recall@10"].tolist() == ["0.200 [0.200, 0.200]", "0.100 [0.100, 0.100]"]


# --- intervals


def test_95_of_100_bootstrap_intervals_hold_the_true_mean():
    worlds = np.random.default_rng(0).gamma(0.5, 0.4, (200, 80))  # skewed like a metric of users, true mean 0.2
    held = [low <= 0.2 <= high for _, low, high in (metrics.bootstrap(w, 300, seed) for seed, w in enumerate(worlds))]
    assert 0.90 <= np.mean(held) <= 0.98


def test_paired_intervals_of_equal_models_leave_out_zero_in_5_of_100():
    random = np.random.default_rng(1)
    easy = random.normal(0.5, 0.2, (200, 60))
    a, b = (easy + random.normal(0, 0.05, easy.shape) for _ in range(2))
    intervals = [metrics.paired_bootstrap(x, y, 300, seed) for seed, (x, y) in enumerate(zip(a, b, strict=True))]
    assert 0.90 <= np.mean([low <= 0 <= high for _, low, high in intervals]) <= 0.98


def test_pairing_narrows_the_interval_of_correlated_models():
    random = np.random.default_rng(2)
    easy = random.normal(0.5, 0.2, 200)
    a, b = easy + 0.03 + random.normal(0, 0.02, 200), easy + random.normal(0, 0.02, 200)
    _, low, high = metrics.paired_bootstrap(a, b)
    alone = [metrics.bootstrap(values) for values in (a, b)]
    unpaired = np.hypot(*(interval.high - interval.low for interval in alone))
    assert high - low < unpaired / 5
    assert low > 0 and alone[0].low < alone[1].high  # seen in pairs; the single intervals overlap


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_holds_its_mean_is_repeatable_and_leaves_out_nan(values):
    interval = metrics.bootstrap(values, 50)
    assert interval == metrics.bootstrap([*values, float("nan")], 50)
    assert interval.mean == pytest.approx(np.mean(values))
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9
    assert metrics.paired_bootstrap(values, values, 50) == Interval(0, 0, 0)


def test_an_interval_shrinks_with_the_root_of_the_users():
    values = np.random.default_rng(0).random(40_000)
    widths = [np.ptp(metrics.bootstrap(values[:n], 400)[1:]) for n in (400, 40_000)]
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.2)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ([1.0, 2.0], [1.0], r"got shapes \(2,\) and \(1,\)"),
        (pd.Series([1.0], index=[3]), pd.Series([1.0], index=[4]), "same users in the same order"),
        ([float("nan")], [1.0], "no user with a value"),
    ],
)
def test_pairs_of_different_users_are_refused_in_words(a, b, words):
    with pytest.raises(ValueError, match=words):
        metrics.paired_bootstrap(a, b)


def test_an_interval_prints_with_three_decimals():
    assert str(Interval(0.12345, 0.1, 0.2)) == "0.123 [0.100, 0.200]"
    assert isnan(Evaluation("A", 1, pd.DataFrame({"x": [float("nan")]}), {}, 0).mean("x"))


# --- memory


def test_50_000_users_and_20_000_items_are_judged_without_a_table_of_users_times_items():
    n_users, n_items, k, batch_size = 50_000, 20_000, 10, 8
    random = np.random.default_rng(0)
    events = random.integers(0, n_users, 200_000), (n_items * random.random(200_000) ** 3).astype(np.int64)
    likes = Interactions.from_events(*events, n_users=n_users, n_items=n_items)
    held = torch.from_numpy(random.random(len(likes)) < 0.2)
    few = likes.select(held & (likes.users % 200 == 0))  # to rank 20,000 items for everybody takes a while
    model = Popularity().fit(likes.select(~held))
    lists = torch.from_numpy(random.integers(0, n_items, (n_users, k)))
    with watch_memory() as memory:
        found = metrics.evaluate(model, few, k=k, batch_size=batch_size)
        everybody = metrics.judge(lists, model.train_, likes.select(held), torch.arange(n_users), "at random")
    assert 100 < len(found) < 200 and found.mean("recall") > 0 and len(everybody) > 20_000
    assert memory.numel <= max(n_users * k, batch_size * n_items, len(likes))
    assert memory.peak < 60e6  # bytes; a table of bits would take 125 million, one of bytes 1,000 million
