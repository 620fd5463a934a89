"""The graph of users and items: edges, normalisation, propagation, sampled neighbours, and held-out pairs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor

from contract import uneven
from recsys_course.data import Interactions
from recsys_course.graph import (
    bipartite_edges,
    message_leak,
    normalised_adjacency,
    product,
    propagate,
    sample_neighbours,
    split_messages,
)

# user 0 likes items 0 and 1, user 1 likes item 1; user 2 and item 2 are alone: nodes 0 1 2 | 3 4 5
SMALL = Interactions.from_events([0, 0, 1], [0, 1, 1], n_users=3, n_items=3)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dense_normalised(edges: Tensor, n_nodes: int) -> Tensor:
    """The textbook's matrix, entry by entry, float64 ``[n_nodes, n_nodes]``."""
    matrix = torch.zeros(n_nodes, n_nodes, dtype=torch.float64)
    matrix[edges[0], edges[1]] = 1
    degrees = matrix.sum(dim=1)
    for i, j in matrix.nonzero().tolist():
        matrix[i, j] /= (degrees[i] * degrees[j]) ** 0.5
    return matrix


likes = st.builds(
    lambda n_users, n_items, seed, share: Interactions.from_events(
        *(torch.rand(n_users, n_items, generator=generator(seed)) < share).nonzero().unbind(1),
        n_users=n_users,
        n_items=n_items,
    ),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.3, 0.7, 1.0]),
)


# --- edges


def test_a_like_is_one_edge_from_the_user_and_one_back_with_items_numbered_after_the_users():
    assert bipartite_edges(SMALL).tolist() == [[0, 0, 1, 3, 4, 4], [3, 4, 4, 0, 0, 1]]


def test_a_pair_that_occurs_twice_is_one_like():
    twice = Interactions.from_events([0, 0, 0, 1], [0, 1, 0, 1], n_users=3, n_items=3)
    assert torch.equal(bipartite_edges(twice), bipartite_edges(SMALL))


def test_no_like_at_all_is_a_graph_without_edges():
    nothing = Interactions.from_events([], [], n_users=2, n_items=2)
    adjacency = normalised_adjacency(bipartite_edges(nothing), 4)
    assert bipartite_edges(nothing).shape == (2, 0)
    assert propagate(adjacency, torch.ones(4, 2), 1).tolist() == [[0.5, 0.5]] * 4  # half of what it was: no neighbour


@given(likes)
@settings(max_examples=40, deadline=None)
def test_every_edge_joins_a_user_and_an_item_and_has_its_twin(interactions):
    edges, n_users = bipartite_edges(interactions), interactions.n_users
    assert ((edges < n_users).sum(dim=0) == 1).all()
    found = set(map(tuple, edges.T.tolist()))
    assert len(found) == edges.shape[1] == 2 * len(interactions.keys.unique())
    assert {(b, a) for a, b in found} == found


# --- normalisation


def test_an_edge_weighs_one_over_the_root_of_both_degrees():
    """Degrees: user 0 two, user 1 one, item 0 one, item 1 two; an edge between degrees 2 and 2 weighs a half."""
    matrix = normalised_adjacency(bipartite_edges(SMALL), 6).to_dense()
    assert matrix[0, 3:].tolist() == pytest.approx([2**-0.5, 0.5, 0])
    assert torch.equal(matrix, matrix.T) and not matrix[[2, 5]].any()


@given(likes)
@settings(max_examples=40, deadline=None)
def test_the_adjacency_equals_the_dense_one_and_no_eigenvalue_is_above_1(interactions):
    edges, n_nodes = bipartite_edges(interactions), interactions.n_users + interactions.n_items
    matrix = normalised_adjacency(edges, n_nodes).to_dense().double()
    torch.testing.assert_close(matrix, dense_normalised(edges, n_nodes), atol=1e-6, rtol=0)
    assert torch.linalg.eigvalsh(matrix).abs().max() <= 1 + 1e-5


def test_edges_that_are_given_twice_count_once():
    edges = bipartite_edges(SMALL)
    twice = normalised_adjacency(torch.cat([edges, edges.flip(1)], dim=1), 6)
    assert torch.equal(twice.to_dense(), normalised_adjacency(edges, 6).to_dense())


@pytest.mark.parametrize(
    ("edges", "sentence"),
    [
        ([[0], [6]], "an edge leads to node 6 and there are 6: item i is node n_users"),
        ([[-1], [0]], "an edge leads to node -1 and there are 6"),
        ([[0, 3, 1], [3, 0, 4]], "every edge must stand there in both directions: build them with bipartite_edges"),
        ([0, 1], r"edges must be int64 \[2, n_edges\], got torch.int64 \[2\]"),
        ([[0.0], [3.0]], r"edges must be int64 \[2, n_edges\], got torch.float32 \[2, 1\]"),
    ],
)
def test_edges_that_make_no_sense_are_refused_in_a_sentence(edges, sentence):
    with pytest.raises(ValueError, match=sentence):
        normalised_adjacency(tensor(edges), 6)


# --- propagation


@given(likes, st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_propagation_is_the_mean_of_the_powers_of_the_dense_matrix(interactions, n_layers):
    edges, n_nodes = bipartite_edges(interactions), interactions.n_users + interactions.n_items
    nodes, matrix = torch.randn(n_nodes, 3, generator=generator()), dense_normalised(edges, n_nodes)
    powers = [torch.linalg.matrix_power(matrix, layer) for layer in range(n_layers + 1)]
    expected = torch.stack(powers).mean(dim=0) @ nodes.double()
    mixed = propagate(normalised_adjacency(edges, n_nodes), nodes, n_layers)
    torch.testing.assert_close(mixed.double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("n_layers", [0, 1, 3])
def test_its_gradient_is_that_of_the_dense_matrix(n_layers):
    edges, n_nodes = bipartite_edges(uneven()), 21
    nodes, weights = torch.randn(2, n_nodes, 3, generator=generator())
    found, expected = (nodes.clone().requires_grad_() for _ in range(2))
    (propagate(normalised_adjacency(edges, n_nodes), found, n_layers) * weights).sum().backward()
    matrix = dense_normalised(edges, n_nodes).float()
    layers = [torch.linalg.matrix_power(matrix, layer) @ expected for layer in range(n_layers + 1)]
    (torch.stack(layers).mean(dim=0) * weights).sum().backward()
    torch.testing.assert_close(found.grad, expected.grad)


def test_propagation_leaves_its_input_as_it_is():
    nodes = torch.randn(6, 2, generator=generator())
    before = nodes.clone()
    propagate(normalised_adjacency(bipartite_edges(SMALL), 6), nodes, 2)
    assert torch.equal(nodes, before)


def test_one_step_equals_torchs_sparse_product():
    adjacency = normalised_adjacency(bipartite_edges(uneven()), 21)
    nodes = torch.randn(21, 5, generator=generator())
    torch.testing.assert_close(product(adjacency, nodes), adjacency @ nodes)


# --- sampled neighbours


def test_only_neighbours_are_drawn_and_a_node_without_any_gets_minus_one():
    drawn = sample_neighbours(bipartite_edges(SMALL), tensor([0, 2, 4, 0]), 50, generator())
    assert drawn.shape == (4, 50)
    assert [sorted(set(row)) for row in drawn.tolist()] == [[3, 4], [-1], [0, 1], [3, 4]]
    assert not torch.equal(drawn[0], drawn[3])  # drawn anew for each place


def test_the_sampled_mean_has_the_whole_mean_as_its_expectation():
    """Over 20,000 samples of 2 neighbours the mean of means lies within 4 standard errors, for every node."""
    edges, values = bipartite_edges(uneven()), torch.randn(21, generator=generator(1)).double()
    whole = torch.stack([values[edges[0][edges[1] == node]].mean() for node in range(21)])  # NaN without neighbours
    nodes = (~whole.isnan()).nonzero()[:, 0]
    drawn = sample_neighbours(edges, nodes.repeat(20_000), 2, generator(2))  # [20,000 * n, 2]
    means = values[drawn].mean(dim=1).view(20_000, -1)
    error = means.std(dim=0) / 20_000**0.5
    assert ((means.mean(dim=0) - whole[nodes]).abs() <= 4 * error + 1e-9).all()


def test_the_same_seed_draws_the_same_neighbours_and_another_seed_others():
    edges = bipartite_edges(uneven())
    one, other = (sample_neighbours(edges, torch.arange(21), 3, generator(seed)) for seed in (0, 1))
    assert torch.equal(one, sample_neighbours(edges, torch.arange(21), 3, generator(0)))
    assert not torch.equal(one, other)


def test_a_graph_without_edges_and_no_node_at_all_are_no_obstacle():
    nothing = torch.empty(2, 0, dtype=torch.int64)
    assert sample_neighbours(nothing, tensor([0, 1]), 2, generator()).tolist() == [[-1, -1]] * 2
    assert sample_neighbours(bipartite_edges(SMALL), tensor([], dtype=torch.int64), 2, generator()).shape == (0, 2)
    with pytest.raises(ValueError, match="n must be at least 1 neighbour, got 0"):
        sample_neighbours(nothing, tensor([0]), 0, generator())


# --- message and supervision edges


def test_messages_and_supervision_share_no_pair_and_lose_none():
    train = Interactions.from_events([0, 0, *uneven().users], [2, 2, *uneven().items], n_users=13, n_items=8)
    for seed in range(20):
        messages, supervision = split_messages(train, 0.4, generator(seed))
        assert not torch.isin(messages.keys, supervision.keys).any()
        assert torch.equal(torch.cat([messages.keys, supervision.keys]).sort().values, train.keys)


def test_the_share_of_supervision_is_kept_on_average():
    whole = Interactions.from_events(*torch.ones(100, 100).nonzero().unbind(1))
    assert len(split_messages(whole, 0.3, generator())[1]) == pytest.approx(3000, abs=4 * (10_000 * 0.21) ** 0.5)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_leaves_one_side_empty_is_refused(share):
    with pytest.raises(ValueError, match=f"share of supervision must lie between 0 and 1, got {share}"):
        split_messages(SMALL, share, generator())


def test_a_held_out_pair_among_the_edges_is_found_in_either_direction():
    held_out = Interactions.from_events([1, 2], [1, 0], n_users=3, n_items=3)
    edges = bipartite_edges(SMALL)
    sentence = "message leak: messages pass along 1 held-out pairs, the first is user 1, item 1"
    assert message_leak(edges, held_out) == sentence
    assert message_leak(tensor([[1], [4]]), held_out) == message_leak(tensor([[4], [1]]), held_out) == sentence
    assert message_leak(edges, Interactions.from_events([2], [0], n_users=3, n_items=3)) is None
    assert message_leak(edges[:, :0], held_out) is None


def test_an_edge_that_joins_no_user_and_item_is_no_leak():
    """Nodes 3 and 4 are items, 0 and 1 users: neither pair is a like; node 6 is something else, such as a director."""
    everything = Interactions.from_events(*torch.ones(3, 3).nonzero().unbind(1))
    assert message_leak(tensor([[0, 3, 0, 6], [1, 4, 6, 0]]), everything) is None


@given(likes, st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_the_detector_passes_a_split_and_catches_a_graph_of_everything(interactions, seed):
    messages, supervision = split_messages(interactions, 0.5, generator(seed))
    assert message_leak(bipartite_edges(messages), supervision) is None
    found = message_leak(bipartite_edges(interactions), supervision)
    assert (found is not None) == (len(supervision) > 0)
    assert found is None or f"along {len(supervision.keys.unique())} held-out pairs" in found


def test_the_adjacency_of_a_hundred_thousand_nodes_is_sparse():
    rng = np.random.default_rng(0)
    many = Interactions.from_events(rng.integers(0, 50_000, 200_000), rng.integers(0, 50_000, 200_000))
    adjacency = normalised_adjacency(bipartite_edges(many), many.n_users + many.n_items)
    assert adjacency.layout == torch.sparse_csr and adjacency.values().dtype == torch.float32
