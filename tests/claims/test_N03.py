"""What the answer to N03 (GCN, GraphSAGE and GAT) states, on PyTorch Geometric's layers."""

from itertools import combinations

import numpy as np
import pytest
import torch

from recsys_course import claim

nn = pytest.importorskip("torch_geometric.nn")


def ones(layer):
    """The layer with every weight 1."""
    for weight in layer.parameters():
        torch.nn.init.ones_(weight)
    return layer


def test_how_much_is_learnt_in_each_layer():
    layers = [nn.GCNConv(64, 64, bias=False), nn.SAGEConv(64, 64, bias=False), nn.GATConv(64, 64, bias=False)]
    sizes = [sum(weight.numel() for weight in layer.parameters()) for layer in layers]
    claim(
        "N03.sizes",
        "64 to 64 numbers without bias: GCN 4,096 weights, GraphSAGE 8,192 with a matrix for the node itself, GAT with "
        "one head 4,224",
        sizes == [4_096, 8_192, 4_224],
    )


def test_weights_by_degree_against_the_mean():
    edges = torch.tensor([[1, 2, 2, 3], [0, 0, 3, 2]])  # node 0 hears 1 and 2; 2 and 3 hear each other
    values = torch.tensor([[0.0], [3.0], [6.0], [0.0]])
    mean = ones(nn.SAGEConv(1, 1, bias=False, root_weight=False))(values, edges)
    both = torch.tensor([[0, 1, 0, 2, 0, 3, 1, 2], [1, 0, 2, 0, 3, 0, 2, 1]])  # 0 has degree 3; 1 and 2 two; 3 one
    degree_weighted = ones(nn.GCNConv(1, 1, bias=False, add_self_loops=False))(torch.ones(4, 1), both)
    claim(
        "N03.mean",
        "Neighbours with 3 and 6: the mean is 4.5; a degree-normalised sum over neighbours of all ones is not 1: a "
        "leaf beside a node of degree 3 gets 0.58",
        abs(mean[0].item() - 4.5) < 1e-5 and abs(degree_weighted[3].item() - 3**-0.5) < 1e-5,
    )


def test_a_duplicate_edge_moves_the_mean():
    values = torch.tensor([[0.0], [3.0], [6.0]])
    layer = ones(nn.SAGEConv(1, 1, bias=False, root_weight=False))
    once, twice = (layer(values, torch.tensor(edges))[0].item() for edges in ([[1, 2], [0, 0]], [[1, 1, 2], [0, 0, 0]]))
    alone = layer(values, torch.tensor([[1], [0]]))[2]
    claim(
        "N03.duplicate",
        "A duplicate edge counts twice: the mean of 3 and 6 becomes 4; a node without edges gets 0, not NaN",
        abs(once - 4.5) < 1e-5 and abs(twice - 4) < 1e-5 and alone == 0,
    )


def test_sampled_means_are_right_on_average_before_the_bend():
    neighbours = np.arange(1, 11.0)
    means = np.array([np.mean(chosen) for chosen in combinations(neighbours, 3)])
    bent = np.maximum(means - 5.5, 0).mean()
    claim(
        "N03.sampling",
        "The mean of 3 of 10 neighbours is right on average, over all 120 samples; after a ReLU with the true mean as "
        "its corner it is 0.6 instead of 0",
        len(means) == 120 and abs(means.mean() - neighbours.mean()) < 1e-9 and abs(bent - 0.6) < 0.01,
    )


def test_attention_that_ranks_the_same_for_everybody():
    draw = torch.Generator().manual_seed(1)
    torch.manual_seed(1)  # the layers of PyTorch Geometric take no generator
    nodes = torch.randn(30, 8, generator=draw)  # nodes 0 to 19 listen to nodes 20 to 29
    edges = torch.stack([torch.arange(20, 30).repeat(20), torch.arange(20).repeat_interleave(10)])
    orders = []
    for kind in (nn.GATConv, nn.GATv2Conv):
        _, (_, weights) = kind(8, 8, add_self_loops=False)(nodes, edges, return_attention_weights=True)
        orders.append(len({tuple(row.tolist()) for row in weights.view(20, 10).argsort(1)}))
    claim(
        "N03.static",
        "Twenty nodes attend to the same ten neighbours: GAT ranks them in one order for all twenty, GATv2 in many",
        orders[0] == 1 and orders[1] >= 10,
    )


def test_a_row_for_each_node_against_a_function_of_features():
    table = torch.nn.Embedding(4, 8)
    with pytest.raises(IndexError):
        table(torch.tensor([4]))
    layer = nn.SAGEConv(8, 8)
    edges = torch.tensor([[0, 1], [4, 4]])  # the fifth node, never seen, with two neighbours
    found = layer(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), edges)[4]
    claim(
        "N03.new-node",
        "A table of four ids raises for a fifth node; a GraphSAGE layer on features gives it a vector",
        found.shape == (8,) and bool(found.isfinite().all()),
    )


def test_a_neighbourhood_in_numbers():
    claim(
        "N03.fan-out",
        "Two layers with 10 sampled neighbours touch at most 111 nodes for one; with 100 neighbours all 10,101",
        1 + 10 + 10**2 == 111 and 1 + 100 + 100**2 == 10_101,
    )
