"""Semantic ids: residual codes by hand, collisions, the trie, and beam search against every item one by one."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, tensor

from recsys_course.semantic import (
    Trie,
    beam_search,
    reconstruct,
    residual_codebooks,
    residual_codes,
    resolve_collisions,
)

FOUR = tensor([[0.0], [1.0], [10.0], [11.0]])
FILMS = tensor([[0, 0], [0, 2], [1, 0], [1, 1], [2, 1]])  # five items: two begin with 0, two with 1, one with 2


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# --- codes


def coded(vectors: Tensor, n_codes: int, n_levels: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    books = residual_codebooks(vectors, n_codes, n_levels, seed)
    return residual_codes(vectors, books), books


def test_the_first_code_names_the_group_and_the_second_what_is_left_over():
    """Groups around 0.5 and 10.5 leave -0.5 and 0.5, which the second book holds for both groups."""
    codes, books = coded(FOUR, 2, 2, seed=3)
    assert sorted(books[0].flatten().tolist()) == [0.5, 10.5] and sorted(books[1].flatten().tolist()) == [-0.5, 0.5]
    assert codes[0, 0] == codes[1, 0] != codes[2, 0] == codes[3, 0]
    assert codes[0, 1] == codes[2, 1] != codes[1, 1] == codes[3, 1]
    torch.testing.assert_close(reconstruct(codes, books), FOUR)
    assert reconstruct(codes[:, :1], books).flatten().tolist() == [0.5, 0.5, 10.5, 10.5]


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 6), st.integers(1, 8))
def test_every_level_leaves_at_most_the_error_that_it_found(seed, n_items, dim, n_codes):
    vectors = normal(n_items, dim, seed=seed)
    codes, books = coded(vectors, min(n_codes, n_items), 4, seed)
    errors = [(vectors - reconstruct(codes[:, :level], books)).square().sum() for level in range(5)]
    assert all(after <= before + 1e-6 * errors[0] for before, after in pairwise(errors))  # but for rounding
    assert codes.shape == (n_items, 4) and codes.dtype == torch.int64 and books.shape[::2] == (4, dim)


def test_a_code_is_the_nearest_centroid_of_its_own_level():
    vectors = normal(50, 3)
    codes, books = coded(vectors, 4, 3)
    for level in range(3):
        left = vectors - reconstruct(codes[:, :level], books) if level else vectors
        assert torch.equal(codes[:, level], torch.cdist(left, books[level]).argmin(dim=1))


def test_what_is_coded_is_the_residual_and_not_the_vector():
    """7 is nearest to 10, which leaves -3: the second level names -2. The vector itself is nearest to 6 there."""
    books = tensor([[[0.0], [10.0]], [[-2.0], [6.0]]])
    assert residual_codes(tensor([[7.0], [3.0]]), books).tolist() == [[1, 0], [0, 1]]


def test_a_later_item_gets_its_codes_from_the_same_books():
    codes, books = coded(normal(50, 3), 4, 2)
    assert torch.equal(residual_codes(normal(50, 3)[7:8], books), codes[7:8])


def test_the_same_seed_gives_the_same_codes_and_another_one_others():
    codes = [coded(normal(60, 4), 8, 2, seed)[0] for seed in (0, 0, 1)]
    assert torch.equal(*codes[:2]) and not torch.equal(*codes[1:])


def test_levels_and_codes_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="n_levels must be at least 1, got 0"):
        residual_codebooks(FOUR, 2, 0)
    with pytest.raises(ValueError, match="must lie in 1 to 4"):
        residual_codebooks(FOUR, 5, 1)


def test_items_with_the_same_codes_are_counted_in_order_of_their_numbers():
    found = resolve_collisions(tensor([[4, 1], [2, 0], [4, 1], [4, 0], [4, 1]]))
    assert found.tolist() == [[4, 1, 0], [2, 0, 0], [4, 1, 1], [4, 0, 0], [4, 1, 2]]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=40))
def test_after_collisions_are_resolved_no_two_items_are_alike_and_the_first_codes_are_kept(rows):
    codes = tensor(rows)
    found = resolve_collisions(codes)
    assert len(found.unique(dim=0)) == len(rows) and torch.equal(found[:, :-1], codes)
    assert int(found[:, -1].max()) == max(rows.count(row) for row in rows) - 1  # no number more than needed


# --- the trie


def test_the_trie_has_a_node_for_each_beginning_and_a_leaf_for_each_item():
    trie = Trie(FILMS)
    assert trie.sizes == [3, 3]
    assert trie.nodes.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [0, 1, 3], [0, 2, 4]]
    assert trie.children[0].tolist() == [[0, 1, 2]]
    assert trie.children[1].tolist() == [[0, -1, 1], [2, 3, -1], [-1, 4, -1]]
    assert Trie(FILMS[[4, 0, 2]]).items.tolist() == [1, 2, 0]


def test_a_node_is_alive_while_an_allowed_item_is_below_it():
    alive = Trie(FILMS).alive(tensor([[False, True, False, False, False], [True, False, True, True, False]]))
    assert [a.int().tolist() for a in alive] == [
        [[1], [1]],
        [[1, 0, 0], [1, 1, 0]],
        [[0, 1, 0, 0, 0], [1, 0, 1, 1, 0]],
    ]


@pytest.mark.parametrize(
    ("codes", "sentence"),
    [
        (tensor([[0, 1], [0, 1]]), r"two items have the same codes: call resolve_collisions\(codes\) first"),
        (tensor([[0, -1]]), "codes must count from 0, found -1"),
        (tensor([0, 1]), r"codes must be int64 \[n_items, n_levels\], got torch.int64 \[2\]"),
        (tensor([[0.0]]), "codes must be int64"),
    ],
)
def test_codes_that_are_no_ids_are_refused(codes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Trie(codes)


# --- beam search, over a model that is a table: the logits of each code after each beginning


class Table:
    """A step that remembers the beginning of each beam and looks its logits up."""

    def __init__(self, trie: Trie, batch: int, seed: int) -> None:
        depths = zip(trie.children, trie.sizes, strict=True)
        self.logits = [3 * normal(batch, len(table), size, seed=seed + n) for n, (table, size) in enumerate(depths)]
        self.trie, self.nodes = trie, torch.zeros(batch, 1, dtype=torch.int64)

    def __call__(self, level: int, codes: Tensor, parents: Tensor) -> Tensor:
        if level:
            self.nodes = self.trie.children[level - 1][self.nodes.gather(1, parents), codes].clamp(min=0)
        return self.logits[level].gather(1, self.nodes.unsqueeze(2).expand(-1, -1, self.trie.sizes[level]))

    def log_probability(self, user: int, item: int) -> float:
        """One item after the other, code by code."""
        total = 0.0
        for level, code in enumerate(self.trie.codes[item].tolist()):
            node = int(self.trie.nodes[item, level])
            open_ = self.trie.children[level][node] >= 0
            total += float(self.logits[level][user, node][open_].log_softmax(0)[open_[:code].sum()])
        return total


def random_trie(seed: int, n_items: int = 30) -> Trie:
    generator = torch.Generator().manual_seed(seed)
    return Trie(resolve_collisions(torch.randint(4, (n_items, 2), generator=generator)))


def everything(batch: int, n_items: int) -> Tensor:
    return torch.ones(batch, n_items, dtype=torch.bool)


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_a_beam_as_wide_as_the_catalogue_finds_every_item_with_its_probability(seed, n_items):
    trie = random_trie(seed, n_items)
    for width in (None, n_items):
        items, found = beam_search(trie, table := Table(trie, 2, seed), everything(2, n_items), width)
        assert items.tolist() == [trie.items.tolist()] * 2  # in the order of their codes, whatever they are worth
        for user in range(2):
            each = [table.log_probability(user, item) for item in items[user].tolist()]
            torch.testing.assert_close(found[user], tensor(each), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found.exp().sum(dim=1), torch.ones(2))


@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0.05, 1.0))
def test_no_forbidden_item_is_found_and_as_many_allowed_ones_as_the_beam_is_wide(seed, width, share):
    trie = random_trie(seed)
    allowed = torch.rand(3, 30, generator=torch.Generator().manual_seed(seed)) < share
    items, found = beam_search(trie, table := Table(trie, 3, seed), allowed, width)
    for user in range(3):
        reached = items[user][found[user] > -torch.inf].tolist()
        assert len(set(reached)) == len(reached) == min(width, int(allowed[user].sum()))
        assert allowed[user][reached].all()
        each = [table.log_probability(user, item) for item in reached]
        torch.testing.assert_close(found[user][found[user] > -torch.inf], tensor(each), atol=1e-4, rtol=1e-4)


def test_a_narrow_beam_can_miss_the_best_item():
    """Item 4 has all of code 2's .3; items 0 and 1 share .4, so that one beam goes the wrong way."""
    trie = Trie(FILMS)

    def step(level: int, codes: Tensor, parents: Tensor) -> Tensor:
        return tensor([[[0.4, 0.3, 0.3]]]).log() if level == 0 else torch.zeros(*codes.shape, 3)

    one, two, all_ = (beam_search(trie, step, everything(1, 5), width) for width in (1, 2, None))
    assert one[0].tolist() == [[0]] and float(one[1].exp()) == pytest.approx(0.2)
    best = {int(i): float(p) for i, p in zip(all_[0][0], all_[1][0].exp(), strict=True)}
    assert best == pytest.approx({0: 0.2, 1: 0.2, 2: 0.15, 3: 0.15, 4: 0.3})
    assert 4 not in two[0][0].tolist()


def test_a_beam_of_width_0_is_refused():
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        beam_search(Trie(FILMS), lambda *_: None, everything(1, 5), 0)
