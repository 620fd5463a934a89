"""Every index against a ranking by hand in plain Python, and what each says to a request that makes no sense."""

import os
import sys
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import tensor

from memory import watch_memory
from recsys_course import serving
from recsys_course.data import Interactions
from recsys_course.serving import IVF, Exact, Faiss, add_dimension, exact, kmeans, latency, measure, recall_at

QUICK = settings(max_examples=100, deadline=None, derandomize=True)
PLANE = tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [-1.0, 1.0], [0.0, 0.0]])

INDEXES = {
    "exact": Exact,
    "lists by hand": lambda vectors, **more: IVF(vectors, n_lists=1, **more),
    "faiss flat": Faiss,
    "faiss lists": lambda vectors, **more: Faiss(vectors, "ivf", n_lists=1, **more),
    "faiss graph": lambda vectors, **more: Faiss(vectors, "hnsw", **more),
}


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def clusters(n: int = 2000, dim: int = 16, n_groups: int = 20) -> torch.Tensor:
    """Vectors in groups, as trained ones are."""
    return randn(n_groups, dim, seed=1).repeat(n // n_groups, 1) + randn(n, dim) / 2


def random_likes(n_users: int, n_items: int, seed: int = 0) -> Interactions:
    """User 0 has seen everything, user 1 all but item 0, the last one nothing."""
    liked = torch.rand(n_users, n_items, generator=torch.Generator().manual_seed(seed)) < 0.3
    liked[0], liked[1], liked[-1] = True, torch.arange(n_items) > 0, False
    users, items = liked.nonzero().unbind(1)
    return Interactions.from_events(users, items, n_users=n_users, n_items=n_items)


@st.composite
def requests(draw) -> tuple:
    """Small whole numbers, so that scores are exact and many are equal; what each query's user has seen; k."""
    n_items, dim, batch = draw(st.integers(1, 12)), draw(st.integers(1, 3)), draw(st.integers(0, 4))
    numbers = st.integers(-2, 2)
    vectors = draw(st.lists(st.lists(numbers, min_size=dim, max_size=dim), min_size=n_items, max_size=n_items))
    queries = draw(st.lists(st.lists(numbers, min_size=dim, max_size=dim), min_size=batch, max_size=batch))
    seen = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, n_items - 1)), max_size=12))
    users = draw(st.lists(st.integers(0, 2), min_size=batch, max_size=batch))
    return vectors, queries, seen, users, draw(st.integers(1, 14))


def by_hand(vectors: list, queries: list, seen: list, users: list, k: int) -> tuple[list, list]:
    """Items and scores of each query, by score and then by item number."""
    lists, values = [], []
    for query, user in zip(queries, users, strict=True):
        score = [sum(q * v for q, v in zip(query, vector, strict=True)) for vector in vectors]
        allowed = [item for item in range(len(vectors)) if (user, item) not in seen]
        ranked = sorted(allowed, key=lambda item: (-score[item], item))[:k]
        lists.append(ranked + [-1] * (k - len(ranked)))
        values.append([float(score[item]) for item in ranked] + [-float("inf")] * (k - len(ranked)))
    return lists, values


def tensors(vectors: list, queries: list, seen: list, users: list) -> tuple:
    dim, n_items = len(vectors[0]), len(vectors)
    events = Interactions.from_events([u for u, _ in seen], [i for _, i in seen], n_users=3, n_items=n_items)
    return tensor(vectors).float(), tensor(queries).float().view(-1, dim), events, tensor(users, dtype=torch.int64)


# --- exact


@QUICK
@given(requests(), st.integers(1, 30), st.integers(1, 5), st.integers(1, 5), st.integers(1, 9))
@example(([[1], [1], [1]], [[1]], [], [0], 2), 1, 1, 1, 1)
def test_an_exact_search_equals_a_ranking_by_hand_however_it_is_cut_into_blocks(request, block, rows, columns, strip):
    *parts, k = request
    vectors, queries, seen, users = tensors(*parts)
    with pytest.MonkeyPatch.context() as patch:
        for name, size in {"ROWS": rows, "COLUMNS": columns, "STRIP": strip * rows}.items():
            patch.setattr(exact, name, size)
        found = Exact(vectors, block=block).search(queries, k, seen=seen, users=users)
    assert (found.items.tolist(), found.scores.tolist()) == by_hand(*parts, k)
    assert found.items.shape == found.scores.shape == (len(queries), k)


def test_without_seen_everything_may_be_found():
    found = Exact(PLANE).search(tensor([[1.0, 0.1]]), k=6)
    assert found.items.tolist() == [[2, 0, 1, 4, 3, -1]]
    assert found.scores[0].tolist() == pytest.approx([3, 1, 0.2, 0, -0.9, -float("inf")])


@pytest.mark.parametrize("build", INDEXES.values(), ids=INDEXES)
def test_the_cosine_does_not_depend_on_lengths_and_is_0_for_a_vector_of_zeros(build):
    found = build(PLANE, metric="cosine").search(tensor([[2e-20, 0.0], [2e14, 0.0], [0.0, 0.0]]), k=5)
    for items, scores in zip(found.items[:2].tolist(), found.scores[:2].tolist(), strict=True):
        assert set(items[:2]) == {0, 2} and set(items[2:4]) == {1, 4} and items[4] == 3
        assert scores == pytest.approx([1, 1, 0, 0, -(0.5**0.5)])
    assert found.scores[2].tolist() == [0] * 5


@pytest.mark.parametrize("build", INDEXES.values(), ids=INDEXES)
def test_the_metric_changes_the_order(build):
    query = tensor([[1.0, 0.9]])
    assert build(PLANE).search(query, 2).items.tolist() == [[2, 1]]
    assert build(PLANE, metric="cosine").search(query, 1).scores.item() == pytest.approx(1 / 1.81**0.5)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_threads_change_neither_the_lists_nor_how_many_threads_torch_has(n_threads):
    vectors, queries, seen = randn(300, 8), randn(40, 8, seed=1), random_likes(40, 300)
    before, users = torch.get_num_threads(), torch.arange(40)
    alone = Exact(vectors).search(queries, 20, seen=seen, users=users)
    try:
        torch.set_num_threads(n_threads)
        found = Exact(vectors, block=300 * 7).search(queries, 20, seen=seen, users=users)
        assert torch.get_num_threads() == n_threads
        assert exact.in_threads(lambda start: (start, torch.get_num_threads()), range(3)) == [(0, 1), (1, 1), (2, 1)]
        with pytest.raises(ZeroDivisionError):
            exact.in_threads(lambda start: 1 / (start - 2), range(3))
        assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found.items, alone.items)
    torch.testing.assert_close(found.scores, alone.scores)


def test_memory_is_that_of_a_block_and_not_of_all_scores(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # only this thread's tensors are watched
    vectors, queries = randn(20_000, 4), randn(3000, 4)
    seen = Interactions.from_events([0], [0], n_users=3000, n_items=20_000)
    index = Exact(vectors, block=200_000)
    with watch_memory() as watch:
        index.search(queries, 10, seen=seen, users=torch.arange(3000))
    assert watch.numel <= 200_000 and watch.peak < 2 * 4 * 200_000


def test_an_index_keeps_its_vectors_when_the_model_is_trained_on():
    vectors = PLANE.clone().requires_grad_()
    index = Exact(vectors)
    with torch.no_grad():
        vectors.zero_()
    assert index.search(tensor([[1.0, 0.0]]), 1).items.tolist() == [[2]]
    assert not index.search(vectors[:1], 1).scores.requires_grad


# --- lists by hand


def test_kmeans_finds_two_groups_and_their_means():
    vectors = tensor([[0.0, 0.0], [9.0, 9.0], [0.0, 2.0], [9.0, 7.0]])
    for seed in range(8):
        centroids, lists = kmeans(vectors, 2, seed=seed)
        assert lists[0] == lists[2] != lists[1] == lists[3]
        assert sorted(centroids.tolist()) == [[0, 1], [9, 8]]


def test_spherical_kmeans_groups_by_angle_and_its_centroids_have_length_1():
    angles = tensor([0.0, 0.2, 1.5, 1.7])
    centroids, lists = kmeans(torch.stack([angles.cos(), angles.sin()], dim=1), 2, spherical=True)
    assert lists[0] == lists[1] != lists[2] == lists[3]
    torch.testing.assert_close(centroids.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(centroids[lists[0]], torch.stack([tensor(0.1).cos(), tensor(0.1).sin()]))


@pytest.mark.parametrize("n_rounds", [0, 1, 10])
def test_every_vector_belongs_to_the_nearest_of_the_centroids_returned(n_rounds):
    vectors = clusters(400)
    centroids, lists = kmeans(vectors, 16, n_rounds=n_rounds)
    assert torch.equal(lists, torch.cdist(vectors, centroids).argmin(1))


def test_an_index_for_the_cosine_groups_by_angle():
    by_angle, by_distance = (IVF(clusters(400), 4, metric) for metric in ("cosine", "inner product"))
    torch.testing.assert_close(by_angle.centroids_.norm(dim=1), torch.ones(4))
    assert (by_distance.centroids_.norm(dim=1) > 1.5).all()


def test_the_lists_hold_every_item_once_and_in_order():
    vectors = clusters(400)
    index = IVF(vectors, 16, seed=3)
    nearest = kmeans(vectors, 16, seed=3)[1]
    assert sorted(torch.cat(index.lists_).tolist()) == list(range(400))
    for number, items in enumerate(index.lists_):
        assert (nearest[items] == number).all() and items.tolist() == sorted(items.tolist())


@QUICK
@given(requests(), st.integers(1, 12), st.integers(0, 3))
def test_with_all_lists_probed_a_search_equals_a_ranking_by_hand(request, n_lists, seed):
    *parts, k = request
    vectors, queries, seen, users = tensors(*parts)
    index = IVF(vectors, min(n_lists, len(vectors)), seed=seed)
    found = index.search(queries, k, index.n_lists, seen=seen, users=users)
    assert (found.items.tolist(), found.scores.tolist()) == by_hand(*parts, k)


@QUICK
@given(requests(), st.integers(1, 12), st.integers(1, 12))
def test_a_search_ranks_exactly_the_items_of_the_lists_probed(request, n_lists, n_probes):
    *parts, k = request
    vectors, queries, seen, users = tensors(*parts)
    n_lists = min(n_lists, len(vectors))
    n_probes = min(n_probes, n_lists)
    index = IVF(vectors, n_lists)
    found = index.search(queries, k, n_probes, seen=seen, users=users).items.tolist()
    for number, (query, user) in enumerate(zip(parts[1], parts[3], strict=True)):
        probed = sorted(range(n_lists), key=lambda j: (-float(index.centroids_[j] @ queries[number]), j))[:n_probes]
        inside = {item for j in probed for item in index.lists_[j].tolist()}
        outside = [(user, item) for item in range(len(vectors)) if item not in inside]
        assert found[number] == by_hand(parts[0], [query], parts[2] + outside, [user], k)[0][0]


def test_more_probes_never_lose_an_item_of_the_exact_list():
    vectors, queries = clusters(), randn(200, 16, seed=2)
    index, right = IVF(vectors, 32), Exact(vectors).search(queries, 10).items
    recalls = torch.stack([recall_at(index.search(queries, 10, n).items, right) for n in range(1, 33)])  # [32, 200]
    assert (recalls.diff(dim=0) >= 0).all()
    assert 0.2 < recalls[0].mean() < 0.95 and recalls[-1].mean() > 0.999


def test_equal_vectors_leave_lists_empty_and_nothing_is_lost():
    index = IVF(torch.ones(5, 2), n_lists=3)
    assert [len(items) for items in index.lists_] == [5, 0, 0]
    assert index.search(torch.ones(1, 2), 6, n_probes=3).items.tolist() == [[0, 1, 2, 3, 4, -1]]
    assert index.search(-torch.ones(1, 2), 2, n_probes=1).items.tolist() == [[0, 1]]


def test_a_list_that_is_empty_is_probed_like_any_other():
    index = IVF(tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), n_lists=3)
    empty = [len(items) for items in index.lists_].index(0)
    index.centroids_ = torch.eye(3)[empty][:, None].repeat(1, 2)  # the empty list fits every query best
    found = index.search(torch.ones(1, 2), 2, n_probes=1)
    assert found.items.tolist() == [[-1, -1]] and found.scores.tolist() == [[-float("inf")] * 2]


def test_the_same_seed_gives_the_same_lists():
    first, again, other = (IVF(clusters(), 16, seed=seed).items_ for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("scale", [1e-18, 1e13])
def test_very_short_and_very_long_vectors_are_grouped_as_well(scale):
    assert torch.equal(IVF(clusters() * scale, 16).items_, IVF(clusters(), 16).items_)


# --- one dimension more


def test_with_one_number_more_the_nearest_has_the_largest_inner_product():
    vectors, queries = randn(100, 5) * torch.arange(1, 101)[:, None], randn(20, 5, seed=1)
    longer, asked = add_dimension(vectors, queries)
    assert longer.shape == (100, 6) and asked.shape == (20, 6)
    torch.testing.assert_close(longer.norm(dim=1), vectors.norm(dim=1).max().expand(100))
    nearest = torch.cdist(asked.double(), longer.double()).argsort(dim=1)[:, :10]
    assert torch.equal(nearest, Exact(vectors).search(queries, 10).items)


def test_one_number_more_by_hand():
    vectors, queries = add_dimension(tensor([[3.0, 4.0], [3.0, 0.0]]), tensor([[1.0, 2.0]]))
    assert vectors.tolist() == [[3, 4, 0], [3, 0, 4]] and queries.tolist() == [[1, 2, 0]]


# --- faiss


@pytest.mark.parametrize("metric", ["inner product", "cosine"])
@pytest.mark.parametrize("kind", ["flat", "ivf"])
def test_faiss_finds_the_exact_lists_where_it_looks_at_everything(kind, metric):
    vectors, queries, seen = clusters(400), randn(30, 16, seed=2), random_likes(30, 400)
    asked = {"seen": seen, "users": torch.arange(30)}
    right = Exact(vectors, metric).search(queries, 10, **asked)
    found = Faiss(vectors, kind, metric, n_lists=8).search(queries, 10, 8, **asked)
    assert torch.equal(found.items, right.items)
    torch.testing.assert_close(found.scores, right.scores)
    assert (found.items[0] == -1).all() and found.items[1].tolist() == [0] + [-1] * 9


@pytest.mark.parametrize(("kind", "least"), [("ivf", 0.9), ("hnsw", 0.75), ("pq", 0.4)])
def test_more_effort_finds_more(kind, least):
    vectors, queries = clusters(), randn(100, 16, seed=2)
    index, right = Faiss(vectors, kind, n_lists=32), Exact(vectors).search(queries, 10).items
    little, much = (recall_at(index.search(queries, 10, effort).items, right).mean() for effort in (1, 24))
    assert little < much and much > least


def test_short_codes_take_less_room_than_vectors_and_give_estimates():
    vectors = clusters(dim=64)
    flat, codes = Faiss(vectors, "flat"), Faiss(vectors, "pq", n_lists=8)
    assert flat.n_bytes > 2000 * 64 * 4 > 4 * codes.n_bytes
    found, scores = codes.search(vectors[:5], 1, effort=8)
    assert not torch.allclose(scores, (vectors[:5] * vectors[found[:, 0]]).sum(1, keepdim=True))


def test_faiss_says_nothing_about_few_vectors(capfd):
    Faiss(clusters(400), "pq", n_lists=16)
    assert capfd.readouterr() == ("", "")


def test_without_faiss_there_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="needs the package faiss-cpu: pip install faiss-cpu"):
        Faiss(PLANE)


@pytest.mark.parametrize(("platform", "n_threads", "variable"), [("darwin", 1, "TRUE"), ("linux", 3, None)])
def test_on_a_mac_faiss_gets_one_thread_and_may_bring_its_own_openmp(monkeypatch, platform, n_threads, variable):
    asked = []
    monkeypatch.setitem(sys.modules, "faiss", SimpleNamespace(omp_set_num_threads=asked.append))
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setenv("KMP_DUPLICATE_LIB_OK", "to be restored")
    monkeypatch.delenv("KMP_DUPLICATE_LIB_OK")
    serving.with_faiss.load_faiss()
    assert asked == [n_threads] and os.environ.get("KMP_DUPLICATE_LIB_OK") == variable


# --- seen items


@pytest.mark.parametrize("build", INDEXES.values(), ids=INDEXES)
def test_no_index_returns_what_the_user_has_seen(build):
    vectors, queries, seen = clusters(400), randn(30, 16, seed=2), random_likes(30, 400)
    users = torch.arange(30).flip(0)
    found = build(vectors).search(queries, 50, seen=seen, users=users)
    for user, items, scores in zip(users.tolist(), found.items.tolist(), found.scores.tolist(), strict=True):
        left = [item for item in items if item >= 0]
        assert not set(left) & set(seen.items[seen.users == user].tolist()) and len(set(left)) == len(left)
        assert items == left + [-1] * (50 - len(left)) and scores == sorted(scores, reverse=True)
    assert (found.items[-1] == -1).all() and (found.items[0] >= 0).all()


@pytest.mark.parametrize("build", INDEXES.values(), ids=INDEXES)
def test_no_events_and_no_queries_are_no_trouble(build):
    nothing = Interactions.from_events([], [], n_users=2, n_items=5)
    query, index = tensor([[1.0, 0.0]]), build(PLANE)
    assert index.search(query, 1, seen=nothing, users=tensor([1])).items.tolist() == [[2]]
    nobody = torch.empty(0, dtype=torch.int64)
    for more in ({}, {"seen": nothing, "users": nobody}):
        found = index.search(torch.empty(0, 2), 3, **more)
        assert found.items.shape == found.scores.shape == (0, 3) and found.items.dtype == torch.int64


@pytest.mark.parametrize("build", INDEXES.values(), ids=INDEXES)
def test_one_item_alone_can_be_indexed(build):
    found = build(tensor([[2.0]])).search(tensor([[3.0], [-1.0]]), k=3)
    assert found.items.tolist() == [[0, -1, -1]] * 2
    assert found.scores[:, 0].tolist() == [6, -2] and (found.scores[:, 1:] == -torch.inf).all()


# --- what makes no sense


@pytest.mark.parametrize("build", INDEXES.values(), ids=INDEXES)
@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (tensor([[0.0, 1.0], [torch.nan, 0.0]]), "vectors: row 1 holds NaN or a value of 1e\\+15 or more"),
        (tensor([[-torch.inf]]), "vectors: row 0 holds NaN"),
        (tensor([1.0, 2.0]), r"vectors must be a table with one row a vector, got shape \[2\]"),
        (torch.empty(0, 2), r"an index needs at least one vector of one number, got shape \[0, 2\]"),
        (torch.empty(3, 0), r"an index needs at least one vector of one number, got shape \[3, 0\]"),
    ],
)
def test_vectors_that_cannot_be_indexed_are_refused(build, vectors, message):
    with pytest.raises(ValueError, match=message):
        build(vectors)


@pytest.mark.parametrize("build", INDEXES.values(), ids=INDEXES)
def test_requests_that_make_no_sense_are_refused_in_a_sentence(build):
    index, query, seen = build(PLANE), tensor([[1.0, 0.0]]), random_likes(3, 5)
    with pytest.raises(ValueError, match='metric must be "inner product" or "cosine", got \'dot\''):
        build(PLANE, metric="dot")
    for k in (0, -1):
        with pytest.raises(ValueError, match=f"k must be at least 1, got {k}"):
            index.search(query, k)
    with pytest.raises(ValueError, match="the index holds vectors of 2 numbers, the queries have 3"):
        index.search(torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"queries must be a table with one row a vector, got shape \[2\]"):
        index.search(query[0])
    with pytest.raises(ValueError, match="queries: row 1 holds NaN"):
        index.search(tensor([[0.0, 0.0], [0.0, torch.nan]]))
    for users in (None, tensor([0, 1]), tensor(0)):
        with pytest.raises(ValueError, match="seen needs users, one for each of the 1 queries"):
            index.search(query, seen=seen, users=users)
    with pytest.raises(ValueError, match="users must lie in 0 to 2, got 3 to 3"):
        index.search(query, seen=seen, users=tensor([3]))
    with pytest.raises(ValueError, match="the index holds 5 items, seen counts 6"):
        index.search(query, seen=random_likes(3, 6), users=tensor([0]))


@pytest.mark.parametrize("n_lists", [0, 6])
def test_more_lists_than_vectors_are_refused(n_lists):
    for build in (IVF, lambda vectors, n_lists: Faiss(vectors, "ivf", n_lists=n_lists)):
        with pytest.raises(ValueError, match=f"n_lists must lie in 1 to 5, the number of vectors, got {n_lists}"):
            build(PLANE, n_lists=n_lists)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="block must be at least 1, got 0"):
        Exact(PLANE, block=0)
    for n_probes in (0, 4):
        with pytest.raises(ValueError, match=f"n_probes must lie in 1 to 3, the number of lists, got {n_probes}"):
            IVF(PLANE, n_lists=3).search(PLANE, 1, n_probes)
    with pytest.raises(ValueError, match="kind must be one of flat, ivf, hnsw, pq, got 'lsh'"):
        Faiss(PLANE, "lsh")
    with pytest.raises(ValueError, match="effort must be at least 1, got 0"):
        Faiss(PLANE).search(PLANE, 1, effort=0)
    with pytest.raises(ValueError, match="pq learns 256 code words and needs as many vectors, got 255"):
        Faiss(torch.ones(255, 8), "pq", n_lists=1)
    with pytest.raises(ValueError, match="pq cuts a vector into n_codes equal parts: 3 does not divide 8"):
        Faiss(torch.ones(256, 8), "pq", n_lists=1, n_codes=3)


# --- measuring


def test_recall_is_the_share_of_the_exact_list_and_nan_where_that_is_empty():
    found = tensor([[5, 6, 7], [1, -1, -1], [-1, -1, -1], [2, 3, 4]])
    right = tensor([[7, 8], [1, -1], [4, 5], [-1, -1]])
    torch.testing.assert_close(recall_at(found, right), tensor([0.5, 1.0, 0.0, torch.nan]), equal_nan=True)
    for other in (right[:2], right[0]):
        with pytest.raises(ValueError, match="one list a query is needed"):
            recall_at(found, other)


def test_latency_times_every_query_alone_and_leaves_the_warm_up_out(monkeypatch):
    asked, clock = [], [0.0]
    milliseconds = [*[900] * 5, *range(1, 201)]  # the first five are slow

    def search(query):
        clock[0] += milliseconds[len(asked)] / 1000
        asked.append(query.tolist())

    monkeypatch.setattr(measure.time, "perf_counter", lambda: clock[0])
    queries = torch.arange(200.0)[:, None]
    assert latency(search, queries, warm_up=5) == pytest.approx((101, 199))
    assert asked == [[[float(n)]] for n in [*range(5), *range(200)]]


def test_with_few_queries_the_99th_percentile_is_the_slowest(monkeypatch):
    ticks = iter([0, 0.001, 0, 0.007, 0, 0.003])
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(ticks))
    assert latency(lambda query: None, torch.ones(3, 2), warm_up=0) == pytest.approx((3, 7))
    with pytest.raises(ValueError, match="latency needs at least one query"):
        latency(lambda query: None, torch.ones(0, 2))


def test_the_nearest_of_longer_vectors_is_found_by_faiss_too():
    """The reduction carries over to any index of distances: faiss with L2 on the longer vectors."""
    faiss = pytest.importorskip("faiss")
    vectors, queries = clusters(400), randn(20, 16, seed=2)
    longer, asked = add_dimension(vectors, queries)
    index = faiss.IndexFlatL2(17)
    index.add(longer.numpy())
    assert torch.equal(torch.from_numpy(index.search(asked.numpy(), 1)[1]), Exact(vectors).search(queries, 1).items)


def test_spherical_centroids_are_means_by_angle():
    vectors = F.normalize(clusters(400), dim=1)
    centroids, lists = kmeans(vectors, 4, spherical=True)
    means = torch.stack([F.normalize(vectors[lists == number].mean(0), dim=0) for number in range(4)])
    assert ((centroids * means).sum(1) > 0.99).all()
