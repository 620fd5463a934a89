"""Every recommender under the contract, and each against the plainest computation of the same thing."""

import subprocess
import sys

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import tensor

from contract import checkerboard, recommender, uneven
from recsys_course import base
from recsys_course.base import Recommender, top_k
from recsys_course.data import Interactions
from recsys_course.models import BPR, Popularity, Random

TestRandom = recommender(Random, seed=3)
TestPopularity = recommender(Popularity)

QUICK = settings(max_examples=100, deadline=None, derandomize=True)
MINUS, PLUS = -float("inf"), float("inf")
SCORES = st.integers(1, 4).flatmap(
    lambda n_rows: st.integers(1, 7).flatmap(
        lambda n_items: st.lists(
            st.lists(st.sampled_from([MINUS, -1.0, 0.0, -0.0, 1.0, 2.0, PLUS]), min_size=n_items, max_size=n_items),
            min_size=n_rows,
            max_size=n_rows,
        )
    )
)


# --- top_k


@QUICK
@given(SCORES, st.integers(1, 9))
@example([[1.0, 2.0, 1.0, 1.0]], 2)  # a tie that straddles the end of the list
@example([[MINUS, 0.0, MINUS]], 2)
def test_top_k_equals_a_sort_by_score_and_then_by_item(scores, k):
    for row, found in zip(scores, top_k(tensor(scores), k).tolist(), strict=True):
        ranked = sorted((item for item, score in enumerate(row) if score > MINUS), key=lambda item: (-row[item], item))
        assert found == (ranked + [-1] * k)[:k]


@QUICK
@given(SCORES, st.integers(1, 9), st.integers(1, 3))
@example([[0.0, 1.0, 2.0, 2.0, 1.0, 2.0, 0.0]], 1, 2)  # equal maxima of runs: the first run holds the first item
@example([[1.0, 0.0, MINUS, MINUS, MINUS, 1.0, 1.0]], 2, 2)  # the columns after the last run
def test_top_k_by_runs_equals_a_sort_however_short_the_runs(scores, k, run):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "RUN", run)
        found = top_k(tensor(scores), k).tolist()
    expected = top_k(tensor(scores), k).tolist()
    assert found == expected  # seven columns are too few for runs of 64: all are compared


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize(("n_items", "k"), [(3000, 100), (3000, 7), (3008, 1), (100, 100), (63, 2)])
def test_top_k_of_thousands_of_ties_is_a_stable_sort(dtype, n_items, k):
    scores = torch.randint(0, 4, (20, n_items), generator=torch.Generator().manual_seed(0)).to(dtype)
    scores[torch.rand(20, n_items, generator=torch.Generator().manual_seed(1)) < 0.2] = MINUS
    scores[3:5, : n_items - 3] = MINUS  # few are left
    best = scores.float().sort(dim=1, descending=True, stable=True)
    expected = best.indices.masked_fill(best.values == MINUS, -1)[:, :k]
    assert torch.equal(top_k(scores, k), expected)


def test_top_k_of_nothing_is_nothing():
    assert top_k(torch.empty(2, 0), 3).tolist() == [[-1] * 3] * 2
    assert top_k(torch.empty(0, 500), 3).shape == (0, 3)


# --- the protocol


class Broken(Recommender):
    """Scores NaN for one item of user 2."""

    def fit(self, train):
        self.train_ = train
        return self

    def scores(self, users, history=None):
        scores = torch.zeros(len(users), self.train_.n_items)
        scores[users == 2, 4] = torch.nan
        return scores


def test_a_score_that_is_nan_is_refused_and_its_user_named():
    model = Broken().fit(uneven())
    assert model.recommend(tensor([0, 1, 3])).shape == (3, 10)
    with pytest.raises(ValueError, match="Broken scored NaN for user 2"):
        model.recommend(tensor([1, 2, 3]))


def test_recommending_records_no_gradients():
    class Learnt(Broken):
        def scores(self, users, history=None):
            assert not torch.is_grad_enabled()
            return super().scores(users)

    Learnt().fit(uneven()).recommend(tensor([0]))


STREAM = """
import resource, torch
from recsys_course.data import Interactions
from recsys_course.models import BPR

n_users, n_items, generator = 1_000, 100_000, torch.Generator().manual_seed(1)
events = torch.arange(n_users).repeat(20), torch.randint(n_items, (20 * n_users,), generator=generator)
model = BPR(dim=16, epochs=1).fit(Interactions.from_events(*events, n_users=n_users, n_items=n_items))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)
before = peak()
assert model.recommend(torch.arange(n_users), 10).shape == (n_users, 10)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process its peak")
def test_many_users_and_a_large_catalogue_are_gone_through_in_little_memory():
    """A tenth of a million items for 1,000 users: their scores alone would be 381 MB, with all steps 870 MB."""
    run = [sys.executable, "-c", f"import sys{STREAM}"]
    grown = int(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    print(f"1,000 lists of 100,000 items: {grown} MB more than before")
    assert grown < 250


@pytest.mark.parametrize("block", [1, 8, 20, 10**9])
def test_the_size_of_the_blocks_changes_no_list(monkeypatch, block):
    model, users, asked = (
        BPR(dim=4, epochs=2).fit(uneven()),
        tensor([3, 3, 0, 12, 7]),
        {"candidates": tensor([5, 0, 3])},
    )
    whole = model.recommend(users, 4), model.recommend(users, 4, **asked)
    monkeypatch.setattr(base, "BLOCK", block)
    assert torch.equal(model.recommend(users, 4), whole[0])
    assert torch.equal(model.recommend(users, 4, **asked), whole[1])


# --- random and popularity


def test_random_depends_on_the_seed_and_the_user_alone():
    users = tensor([0, 1, 2])
    scores = Random(seed=1).fit(uneven()).scores(users)
    assert torch.equal(scores, Random(seed=1).fit(checkerboard()).scores(users))
    assert len({tuple(row) for row in scores.tolist()}) == 3
    assert not torch.equal(scores, Random(seed=2).fit(uneven()).scores(users))


def test_random_recommends_every_item_equally_often():
    nobody = Interactions.from_events([], [], n_users=4000, n_items=5)
    first = Random().fit(nobody).recommend(torch.arange(4000), 1).flatten()
    assert (torch.bincount(first) - 800).abs().max() < 5 * (4000 * 0.2 * 0.8) ** 0.5


def test_popularity_counts_likes_and_not_low_ratings():
    train = Interactions.from_events([0, 1, 2, 0, 1], [0, 0, 0, 1, 1], [1, 3, 4, 5, 4], n_items=3)
    model = Popularity().fit(train)
    assert model.scores(tensor([2, 0])).tolist() == [[1, 2, 0], [1, 2, 0]]
    assert model.recommend(tensor([2]), 2).tolist() == [[1, 2]]


def test_popularity_needs_no_table_of_users_by_items():
    n = 3_000_000  # a table of all pairs would take 9 terabytes
    train = Interactions.from_events([0, 0, 1], [1, n - 1, 1], n_users=n, n_items=n)
    assert Popularity().fit(train).recommend(tensor([1]), 2).tolist() == [[n - 1, 0]]
