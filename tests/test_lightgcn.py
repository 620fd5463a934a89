"""LightGCN against PyTorch Geometric's, its loss and gradient by hand, and whoever has no edge."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, tensor

from contract import checkerboard, folds_in, trained, uneven
from recsys_course.base import device
from recsys_course.data import Interactions
from recsys_course.graph import bipartite_edges
from recsys_course.models import LightGCN
from recsys_course.training import Diverged

SMALL = {"dim": 8, "epochs": 60, "learning_rate": 0.05}
TestLightGCN = trained(folds_in(LightGCN, **SMALL))


def events(*pairs: tuple[int, int], **sizes: int) -> Interactions:
    return Interactions.from_events(*zip(*pairs, strict=True), **sizes)


def random_likes(n_users: int, n_items: int, each: int, seed: int = 0) -> Interactions:
    generator = torch.Generator().manual_seed(seed)
    items = torch.rand(n_users, n_items, generator=generator).argsort(dim=1)[:, :each]
    return Interactions.from_events(
        torch.arange(n_users).repeat_interleave(each), items.flatten(), n_users=n_users, n_items=n_items
    )


def triples(model: LightGCN, n: int = 64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    sizes = (model.train_.n_users, model.train_.n_items, model.train_.n_items)
    return tuple(torch.randint(size, (n,), generator=generator).to(device()) for size in sizes)


# --- beside PyTorch Geometric


@pytest.mark.parametrize("n_layers", [0, 1, 2, 4])
def test_embeddings_and_loss_equal_those_of_pytorch_geometric_on_the_same_weights(n_layers):
    geometric = pytest.importorskip("torch_geometric.nn")
    train = random_likes(60, 40, each=6)
    model = LightGCN(dim=16, n_layers=n_layers, epochs=0, reg=0.02).fit(train)
    theirs, edges = geometric.LightGCN(100, 16, n_layers), bipartite_edges(train)
    theirs.embedding.weight.data.copy_(model.nodes_.data.cpu())
    torch.testing.assert_close(model.embeddings().cpu(), theirs.get_embedding(edges), atol=1e-5, rtol=0)

    users, positives, negatives = (ids.cpu() for ids in triples(model))
    pairs = torch.stack([users, positives + 60]), torch.stack([users, negatives + 60])
    ranks = theirs(edges, torch.cat(pairs, dim=1)).chunk(2)
    nodes = torch.cat([users, positives + 60, negatives + 60])
    expected = theirs.recommendation_loss(*ranks, node_id=nodes, lambda_reg=0.01)  # ours halves the penalty
    expected.backward()
    loss = model.loss(*triples(model))
    loss.backward()
    torch.testing.assert_close(loss.detach().cpu(), expected.detach(), atol=1e-5, rtol=0)
    torch.testing.assert_close(model.nodes_.grad.cpu(), theirs.embedding.weight.grad, atol=1e-5, rtol=0)


# --- the loss


def test_the_loss_is_that_of_its_formula():
    model = LightGCN(dim=4, n_layers=1, epochs=3, reg=0.3).fit(uneven())
    users, positives, negatives = (ids.tolist() for ids in triples(model, 5))
    table, mixed = model.nodes_.detach().cpu().double(), model.embeddings().detach().cpu().double()
    total = 0.0
    for u, i, j in zip(users, positives, negatives, strict=True):
        total += math.log1p(math.exp(float(mixed[u] @ (mixed[13 + j] - mixed[13 + i]))))
        total += 0.15 * float(sum(table[node] @ table[node] for node in (u, 13 + i, 13 + j)))
    assert model.loss(*triples(model, 5)).item() == pytest.approx(total / 5, rel=1e-5)


def test_no_negative_is_liked_by_its_user(monkeypatch):
    seen, loss = [], LightGCN.loss
    monkeypatch.setattr(LightGCN, "loss", lambda self, *ids: (seen.append(torch.stack(ids)), loss(self, *ids))[1])
    train = random_likes(20, 15, each=6)
    LightGCN(dim=2, epochs=5).fit(train)
    users, positives, negatives = torch.cat(seen, dim=1).cpu()
    assert len(users) == 5 * 20 * 6
    liked = train.dense(users)
    assert liked.gather(1, positives.unsqueeze(1)).all() and not liked.gather(1, negatives.unsqueeze(1)).any()


def test_with_0_layers_it_is_matrix_factorisation():
    model = LightGCN(n_layers=0, **SMALL).fit(checkerboard((0, 0)))
    torch.testing.assert_close(model.vectors_[:12], model.nodes_.detach().cpu()[:12])
    with pytest.raises(ValueError, match="LightGCN with n_layers 0 has no edge to attach a history to: take at least"):
        model.scores(tensor([0]), history=checkerboard())


# --- new users, nodes without edges, duplicate edges


def test_a_new_user_gets_what_the_items_pass_on_and_the_items_stay_as_they_are():
    """One layer: half the sum of the items' own vectors, each over the root of its degree and of the user's."""
    model = LightGCN(n_layers=1, **SMALL).fit(uneven())
    items, degrees = model.nodes_.detach().cpu()[13:], uneven().positives().matrix().sum(axis=0).A1
    history = events((0, 2), (0, 5), (0, 5), n_users=1, n_items=8)
    vector = sum(items[i] / (degrees[i] * 2) ** 0.5 for i in (2, 5)) / 2
    torch.testing.assert_close(model.scores(tensor([0]), history)[0], model.vectors_[13:] @ vector)


def test_with_two_layers_a_folded_in_user_lacks_the_vector_of_its_own_alone():
    """What comes from the items is all that stays if the user's own vector is struck out everywhere but at its items,
    which had passed it on and back."""
    train = random_likes(30, 20, each=5)
    model = LightGCN(n_layers=2, **SMALL).fit(train)
    matrix = model.adjacency_.to_dense().cpu()
    nodes = model.nodes_.detach().cpu()
    expected = (matrix @ nodes + matrix @ (matrix @ nodes))[:30] / 3
    torch.testing.assert_close(
        model.scores(torch.arange(30), train), expected @ model.vectors_[30:].T, atol=1e-4, rtol=1e-4
    )


def test_a_user_without_a_like_gets_the_list_of_an_average_user():
    train = Interactions.from_events([0, 0, 1, 2], [0, 1, 0, 1], [5, 5, 5, 2], n_users=4, n_items=3)
    model = LightGCN(**SMALL).fit(train)
    average = model.vectors_[:2].mean(dim=0) @ model.vectors_[4:].T
    torch.testing.assert_close(model.scores(tensor([2, 3])), average.expand(2, -1))
    empty = Interactions.from_events([], [], n_users=1, n_items=3)
    torch.testing.assert_close(model.scores(tensor([0]), history=empty)[0], average)


def test_an_item_without_an_edge_is_never_ahead_of_what_people_like():
    train = random_likes(40, 10, each=5)
    wider = Interactions.from_events(train.users, train.items, n_users=40, n_items=11)
    scores = LightGCN(**SMALL).fit(wider).scores(torch.arange(40))
    assert scores.isfinite().all() and (scores.argmax(dim=1) != 10).all()


def test_a_graph_with_duplicate_edges_gives_the_same_model():
    board = checkerboard()
    pairs = list(zip(board.users.tolist(), board.items.tolist(), strict=True))
    once, twice = events(*pairs), events(*pairs, *pairs)
    assert len(twice) == 2 * len(once)
    one, other = (LightGCN(**SMALL).fit(train).scores(torch.arange(12)) for train in (once, twice))
    assert torch.equal(one, other)


def test_a_user_who_likes_everything_is_no_lesson_and_no_obstacle():
    pairs = [(0, i) for i in range(6)] + [(u, i) for u in range(1, 9) for i in range(6) if i % 2 == u % 2]
    assert LightGCN(**SMALL).fit(events(*pairs)).scores(tensor([0])).isfinite().all()


# --- sanity of learning


def test_the_loss_begins_at_the_logarithm_of_2_and_falls():
    history = LightGCN(**SMALL).fit(random_likes(100, 80, each=8)).history_
    assert history.first_loss == pytest.approx(math.log(2), abs=0.05)
    assert history.loss[0] > history.loss[20] > history.loss[59]


def test_ten_users_can_be_overfitted():
    train = random_likes(10, 50, each=5)
    model = LightGCN(dim=32, epochs=150, learning_rate=0.05, reg=0).fit(train)
    lists = model.recommend(torch.arange(10), 5, exclude_seen=False)
    assert train.dense(torch.arange(10)).gather(1, lists).float().mean() > 0.9


def test_validation_stops_training_and_sees_the_vectors_of_its_epoch():
    model, seen = LightGCN(**SMALL), []

    def score() -> float:
        seen.append(model.scores(torch.arange(13)))
        return {3: 0.9}.get(len(seen), 0.1)

    model.fit(checkerboard((0, 0)), score=score, patience=2)
    assert len(model.history_) == 5 and model.history_.best_epoch == 3
    torch.testing.assert_close(model.scores(torch.arange(13)), seen[2])
    assert not torch.equal(seen[1], seen[2]) and not torch.equal(seen[2], seen[4])


def test_a_learning_rate_that_diverges_is_named_and_the_model_still_answers():
    model = LightGCN(**{**SMALL, "learning_rate": 1e4})
    with pytest.raises(Diverged, match=r"learning rate 10000 is too high"):
        model.fit(uneven())
    assert model.scores(torch.arange(13)).isfinite().all()


def test_a_negative_number_of_layers_is_refused():
    with pytest.raises(ValueError, match="n_layers must not be negative, got -1"):
        LightGCN(n_layers=-1).fit(uneven())


def test_the_gradient_never_needs_the_layers_in_between():
    """What autograd keeps of the propagation is the graph, whatever the number of layers: no table a layer."""
    kept = []
    model = LightGCN(dim=8, n_layers=6, epochs=0).fit(random_likes(30, 20, each=4))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t), t)[1], lambda t: t):
        model.embeddings()
    assert not kept


def test_the_mixed_table_is_what_the_loss_reads():
    model = LightGCN(dim=4, epochs=0, reg=0).fit(uneven())
    users, positives, negatives = triples(model)
    z = model.embeddings()
    apart = (z[users] * (z[positives + 13] - z[negatives + 13])).sum(dim=1)
    torch.testing.assert_close(model.loss(users, positives, negatives), F.softplus(-apart).mean())
