"""GraphSAGE and GAT: their layers by hand, edges kept apart, and users and items that are attached later."""

import math

import pytest
import torch
from torch import Tensor, tensor

from contract import checkerboard, personalised, trained, uneven
from recsys_course.base import device
from recsys_course.data import Interactions
from recsys_course.graph import bipartite_edges, message_leak
from recsys_course.models import GAT, GraphSAGE
from recsys_course.models.graph_sage import Messages

pytest.importorskip("torch_geometric")
SMALL = {"dim": 8, "epochs": 60}
TestGraphSAGE = trained(personalised(GraphSAGE, **SMALL))
TestGAT = trained(personalised(GAT, n_heads=2, **SMALL))
both = pytest.mark.parametrize("kind", [GraphSAGE, GAT])


def events(*pairs: tuple[int, int], **sizes: int) -> Interactions:
    return Interactions.from_events(*zip(*pairs, strict=True), **sizes)


def two_groups(n: int = 20, cold: tuple[int, ...] = ()) -> Interactions:
    """Users and items 0 to 9 belong together, and 10 to 19; a quarter of the likes is missing, and all of ``cold``."""
    pairs = [(u, i) for u in range(n) for i in range(n) if (i < 10) == (u < 10) and i not in cold and (u + i) % 4]
    return events(*pairs, n_users=n, n_items=n)


def steps_seen(monkeypatch, model: GraphSAGE, train: Interactions) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Edges, users and items of every training step, as node and item numbers."""
    import recsys_course.models.graph_sage as module

    seen, original = [], module.train_network

    def spy(network, loss, batches, **how):
        return original(
            network, lambda batch: (seen.append(tuple(p.cpu() for p in batch)), loss(batch))[1], batches, **how
        )

    monkeypatch.setattr(module, "train_network", spy)
    model.fit(train)
    return seen


# --- the layers


def test_a_layer_adds_the_node_itself_and_the_mean_of_its_neighbours():
    model = GraphSAGE(n_layers=1, **SMALL).fit(uneven())
    layer, network = model.network_.layers[0].cpu(), model.network_.cpu()
    likes = uneven().positives()
    mine = likes.items[likes.users == 4]
    expected = network.user @ layer.lin_r.weight.T
    expected = expected + network.item[mine].mean(dim=0) @ layer.lin_l.weight.T + layer.lin_l.bias
    found = network(bipartite_edges(likes), 13)[-1][4]
    torch.testing.assert_close(found, expected)
    model.network_.to(device())


@both
def test_attached_users_get_the_vectors_that_the_whole_graph_gives_them(kind):
    model = kind(**SMALL).fit(uneven())
    whole = model.network_(bipartite_edges(uneven().positives()).to(device()), 13)[-1].detach().cpu()
    torch.testing.assert_close(model.scores(torch.arange(13)), whole[:13] @ whole[13:].T, atol=1e-5, rtol=1e-4)


def test_the_first_layers_are_followed_by_relu_and_the_last_one_is_not():
    class Minus(torch.nn.Module):
        def forward(self, nodes, edges):
            return -nodes

    network = Messages([Minus(), Minus()], 2, torch.ones(1, dtype=torch.bool), None)
    network.user.data, network.item.data = tensor([1.0, -1.0]), tensor([[-2.0, 3.0]])
    first, second = network(torch.empty(2, 0, dtype=torch.int64), 1)[1:]
    assert first.tolist() == [[0, 1], [2, 0]] and second.tolist() == [[0, -1], [-2, 0]]


# --- message and supervision edges


@both
def test_no_step_learns_from_a_like_that_passes_messages(kind, monkeypatch):
    train = two_groups()
    seen = steps_seen(monkeypatch, kind(dim=4, epochs=20, **({"n_heads": 2} if kind is GAT else {})), train)
    assert len(seen) == 20
    for edges, users, items in seen:
        assert message_leak(edges, Interactions.from_events(users, items, n_users=20, n_items=20)) is None
        assert edges.shape[1] // 2 + len(users) == len(train)
    shares = [len(users) / len(train) for _, users, _ in seen]
    assert sum(shares) / 20 == pytest.approx(0.3, abs=0.05)
    assert not torch.equal(seen[0][1], seen[1][1])  # another part each time


def test_with_n_neighbours_a_node_hears_so_many_and_no_others(monkeypatch):
    train = two_groups()
    full = set(map(tuple, bipartite_edges(train).T.tolist()))
    for edges, *_ in steps_seen(monkeypatch, GraphSAGE(**{**SMALL, "epochs": 5}, n_neighbours=2), train):
        heard = torch.bincount(edges[1], minlength=40)
        assert set(heard.tolist()) <= {0, 2} and (heard == 2).sum() > 30
        assert set(map(tuple, edges.T.tolist())) <= full


def test_a_model_that_hears_two_neighbours_finds_the_groups_as_well():
    scores = GraphSAGE(**SMALL, n_neighbours=2).fit(two_groups()).scores(torch.arange(20))
    assert (scores[:10, :10].mean() > scores[:10, 10:].mean()) and (scores[10:, 10:].mean() > scores[10:, :10].mean())


# --- what is new


@both
def test_a_new_user_gets_edges_and_no_training(kind):
    model = kind(**SMALL).fit(two_groups())
    history = events((0, 2), (0, 5), (1, 13), n_users=3, n_items=20)
    scores = model.scores(tensor([0, 1, 2]), history)
    assert scores[0].topk(10).indices.sort().values.tolist() == list(range(10))
    assert scores[1].topk(10).indices.sort().values.tolist() == list(range(10, 20))
    assert scores[2].isfinite().all()


def test_a_new_item_gets_edges_and_no_training():
    """Item 9 has no like in training; then users 0 to 4 like it, and users 5 to 8 get it, users 10 to 19 do not."""
    train = two_groups(cold=(9,))
    model = GraphSAGE(dim=16, epochs=120).fit(train)
    before, weights = model.scores(torch.arange(20)), [w.clone() for w in model.network_.parameters()]
    added = [(u, 9) for u in range(5)]
    more = events(*zip(train.users.tolist(), train.items.tolist(), strict=True), *added, n_users=20, n_items=20)
    after = model.rewire(more).scores(torch.arange(20))
    assert (after[5:9, 9] > before[5:9, 9]).all()
    assert after[5:9, 9].min() > after[10:, 9].max()
    assert all(torch.equal(one, other) for one, other in zip(weights, model.network_.parameters(), strict=True))
    assert model.train_ is more


def test_an_item_without_an_edge_is_scored_by_its_features():
    cold = (7, 8, 9, 17, 18, 19)
    kind = torch.tensor([[1.0, 0.0]] * 10 + [[0.0, 1.0]] * 10)
    model = GraphSAGE(dim=16, epochs=120, item_features=kind).fit(two_groups(cold=cold))
    first, second = model.scores(torch.arange(20))[:, list(cold)].split(3, dim=1)
    assert (first[:10].amin(dim=1) > second[:10].amax(dim=1)).all()
    assert (second[10:].amin(dim=1) > first[10:].amax(dim=1)).all()


def test_items_without_edges_and_features_are_all_alike_and_rank_below_the_others():
    scores = GraphSAGE(**SMALL).fit(two_groups(cold=(8, 9))).scores(torch.arange(20))
    assert torch.equal(scores[:, 8], scores[:, 9])
    assert (scores[:10, 8] < scores[:10, :8].amin(dim=1)).all()


@both
def test_a_user_without_an_edge_gets_one_list_like_every_other(kind):
    train = Interactions.from_events([0, 0, 1, 2], [0, 1, 0, 1], [5, 5, 5, 2], n_users=4, n_items=3)
    model = kind(**SMALL).fit(train)
    scores = model.scores(tensor([2, 3]))
    assert torch.equal(scores[0], scores[1]) and scores.isfinite().all()


@both
def test_a_graph_with_duplicate_edges_gives_the_same_model(kind):
    board = checkerboard()
    pairs = list(zip(board.users.tolist(), board.items.tolist(), strict=True))
    once, twice = events(*pairs), events(*pairs, *pairs)
    torch.testing.assert_close(*(kind(**SMALL).fit(train).scores(torch.arange(12)) for train in (once, twice)))


def test_other_numbers_of_users_or_items_are_refused():
    model = GraphSAGE(dim=4, epochs=1).fit(uneven())
    with pytest.raises(ValueError, match="the model knows 13 users and 8 items, the new events 1 and 8: give both"):
        model.rewire(events((0, 1), n_users=1, n_items=8))


# --- sanity of learning


@both
def test_the_first_loss_is_that_of_guessing_and_it_falls(kind):
    history = kind(epochs=30).fit(two_groups()).history_
    assert history.first_loss == pytest.approx(math.log(20), abs=0.3)
    assert history.loss[-1] < history.loss[0] - 0.3


def test_validation_stops_training_and_sees_the_states_of_its_epoch():
    model, seen = GraphSAGE(**SMALL), []

    def score() -> float:
        seen.append(model.scores(torch.arange(13)))
        return {3: 0.9}.get(len(seen), 0.1)

    model.fit(checkerboard((0, 0)), score=score, patience=2)
    assert len(model.history_) == 5 and model.history_.best_epoch == 3
    torch.testing.assert_close(model.scores(torch.arange(13)), seen[2])
    assert not torch.equal(seen[1], seen[2])


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        (GraphSAGE, {"n_layers": 0}, "n_layers must be at least 1, got 0: without edges all users are alike"),
        (GraphSAGE, {"supervision": 1.0}, "supervision must lie between 0 and 1, got 1.0"),
        (GraphSAGE, {"n_neighbours": 0}, "n must be at least 1 neighbour, got 0"),
        (GraphSAGE, {"item_features": torch.ones(7, 2)}, r"item_features must be \[8, n_features\], got \[7, 2\]"),
        (GAT, {"n_heads": 3}, "dim 64 cannot be shared by 3 heads: take a multiple"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(kind, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        kind(**settings).fit(uneven())


def test_a_table_of_scores_that_does_not_fit_in_memory_is_refused_before_it_starts():
    train = Interactions.from_events([0], [0], n_users=10_000_000, n_items=10_000_000)
    with pytest.raises(ValueError, match="GraphSAGE on 10,000,000 users x 10,000,000 items needs"):
        GraphSAGE().fit(train)
