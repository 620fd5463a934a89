"""Exercises of lesson 13: edges, their weights, propagation, leaked pairs and sampled neighbours."""

from collections.abc import Callable

import torch
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.review import Review


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bipartite_edges(users: Tensor, items: Tensor, n_users: int) -> Tensor:
    """Each distinct like in both directions, item i as node n_users + i: int64 `[n]` twice to `[2, n_edges]`."""
    pairs = torch.stack([users, items + n_users]).unique(dim=1)  # [2, n_pairs], by user and then item
    return torch.cat([pairs, pairs.flip(0)], dim=1)


def _likes(seed: int, n_users: int, n_items: int, n: int) -> tuple:
    generator = _generator(seed)
    users, items = (torch.randint(size, (n,), generator=generator) for size in (n_users, n_items))
    return users, items, n_users


def _both(pairs: Tensor) -> Tensor:
    return torch.cat([pairs, pairs.flip(0)], dim=1)


def _shifted(users: Tensor, items: Tensor, n_users: int) -> Tensor:
    return torch.stack([users, items + n_users]).unique(dim=1)


THREE_LIKES = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2
LIKED_TWICE = torch.tensor([0, 1, 0]), torch.tensor([1, 0, 1]), 2
USER_ALONE = torch.tensor([0, 2]), torch.tensor([0, 1]), 4
BIPARTITE_EDGES = Exercise(
    id="13.bipartite_edges",
    level="easy",
    minutes=7,
    reference=bipartite_edges,
    cases=(THREE_LIKES, LIKED_TWICE, USER_ALONE, _likes(1, 5, 4, 12)),
    hidden=(_likes(2, 8, 3, 30), (torch.tensor([], dtype=torch.int64), torch.tensor([], dtype=torch.int64), 3)),
    hints=(
        "Users are nodes 0 to n_users - 1. Which number comes after the last user?",
        "`torch.stack([users, items + n_users])` has a column for each like; `.unique(dim=1)` drops repeated ones and "
        "sorts.",
        "The way back is the same table with its rows swapped: `pairs.flip(0)`. Put both side by side.",
    ),
    mistakes=(
        (
            lambda u, i, n: _both(torch.stack([u, i]).unique(dim=1)),
            "User 1 and item 1 are one node in your graph: move the items behind the users, item i is n_users + i.",
        ),
        (
            lambda u, i, n: _both(torch.stack([u, i + (int(u.max()) + 1 if len(u) else 0)]).unique(dim=1)),
            "You moved the items by the users that have a like. Users without one have a number as well: add n_users.",
        ),
        (
            _shifted,
            "One direction alone: a user hears nothing from the films. Add each edge once more with its ends swapped.",
        ),
        (
            lambda u, i, n: _both(torch.stack([u, i + n])),
            "A like that stands there twice is two edges in your graph, and would count twice: `.unique(dim=1)`.",
        ),
        (
            lambda u, i, n: _both(_shifted(u, i, n)).T,
            "Your table has a row for each edge. Asked for is `[2, n_edges]`: sources above targets.",
        ),
        (
            lambda u, i, n: _both(_shifted(u, i, n)).flip(1),
            "The edges are right, their order is not: first all from user to item, by user and then item.",
        ),
        (
            lambda u, i, n: _both(_shifted(u, i, n)).flip(0),
            "You begin with the edges from item to user. First all from user to item, then the way back.",
        ),
        (
            lambda u, i, n: _both(_shifted(u, i, n)).unique(dim=1),
            "Your way back is sorted anew, by item. Turn the way there round as it is: `pairs.flip(0)`.",
        ),
        (
            lambda u, i, n: torch.cat([_shifted(u, i, n)] * 2, dim=1),
            "You have the way there twice: in the second half sources and targets must change places, `pairs.flip(0)`.",
        ),
        (
            lambda u, i, n: torch.cat([_shifted(u, i, n), _shifted(u, i, n).flip(1)], dim=1),
            "`flip(1)` turns the order of the edges, not their ends. Sources and targets are the two rows: `flip(0)`.",
        ),
        (
            lambda u, i, n: _both(_shifted(u, i, n + 1)),
            "You left a gap: the users are nodes 0 to n_users - 1, so item 0 is node n_users.",
        ),
        (
            lambda u, i, n: _both(torch.stack([u + n, i]).unique(dim=1)),
            "You moved the users. Here they keep their numbers and the items come behind them.",
        ),
    ),
)


def edge_weights(edges: Tensor, n_nodes: int) -> Tensor:
    """One over the root of both ends' degrees: int64 `[2, n_edges]` to float `[n_edges]`."""
    degrees = torch.bincount(edges[0], minlength=n_nodes)  # [n_nodes]
    return 1 / (degrees[edges[0]] * degrees[edges[1]]).sqrt()


def _graph(seed: int, n_users: int, n_items: int, n: int) -> tuple:
    return bipartite_edges(*_likes(seed, n_users, n_items, n)), n_users + n_items


def _ends(edges: Tensor, n: int) -> tuple[Tensor, Tensor]:
    degrees = torch.bincount(edges[0], minlength=n).float()
    return degrees[edges[0]], degrees[edges[1]]


def _by_degrees(formula: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    return lambda edges, n_nodes: formula(*_ends(edges, n_nodes))


STAR = bipartite_edges(torch.tensor([0, 1, 2, 3]), torch.zeros(4, dtype=torch.int64), 4), 6
PATH = bipartite_edges(*THREE_LIKES), 4
EDGE_WEIGHTS = Exercise(
    id="13.edge_weights",
    level="easy",
    minutes=8,
    reference=edge_weights,
    cases=(STAR, PATH, _graph(3, 5, 4, 12)),
    hidden=(_graph(4, 9, 6, 40), (torch.empty(2, 0, dtype=torch.int64), 3)),
    hints=(
        "Every edge stands there in both directions, so a node's degree is how often it is a source.",
        "`torch.bincount(edges[0], minlength=n_nodes)` counts; index it with `edges[0]` and with `edges[1]`.",
        "Multiply the two degrees of each edge, take the root, then one over it. No node is looped over.",
    ),
    mistakes=(
        (
            _by_degrees(lambda a, b: 1 / a),
            "You divided by the source's degree alone. Both ends count: one over the root of their product.",
        ),
        (
            _by_degrees(lambda a, b: 1 / b),
            "That is the mean over the target's neighbours, as GraphSAGE has it. Here: one over the root of both "
            "degrees.",
        ),
        (
            _by_degrees(lambda a, b: 1 / (a * b)),
            "You forgot the root: one over the product itself shrinks a message twice.",
        ),
        (
            _by_degrees(lambda a, b: (a * b) ** 0.5),
            "You multiplied by the root. Divide: messages of busy nodes must get weaker.",
        ),
        (
            _by_degrees(lambda a, b: 1 / (a + b) ** 0.5),
            "You added the two degrees. Each end has a root of its own: multiply them.",
        ),
        (
            _by_degrees(lambda a, b: 1 / ((a + 1) * (b + 1)) ** 0.5),
            "You added a self-loop to each node, as GCN has it. LightGCN has none: leave out the + 1.",
        ),
        (
            _by_degrees(lambda a, b: 1 / ((2 * a) * (2 * b)) ** 0.5),
            "You counted each like at both of its directions: a node's degree is how often it is a source.",
        ),
        (
            _by_degrees(lambda a, b: a**-0.5),
            "Only the source's degree is in your weight. Both ends count: multiply the two roots.",
        ),
        (
            _by_degrees(lambda a, b: b**-0.5),
            "Only the target's degree is in your weight. Both ends count: multiply the two roots.",
        ),
        (
            _by_degrees(lambda a, b: a**-0.5 + b**-0.5),
            "You added the two roots. Multiply them: one over the root of the product.",
        ),
        (
            lambda edges, n: torch.bincount(edges[0], minlength=n).float() ** -0.5,
            "That is a number for each node. Asked for is one for each edge: index it with both of its ends.",
        ),
        (
            lambda edges, n: torch.ones(edges.shape[1]),
            "All your weights are 1, so that a film with 500 likes shouts 500 times: divide by the degrees.",
        ),
    ),
)


def propagate(edges: Tensor, weights: Tensor, nodes: Tensor, n_layers: int) -> Tensor:
    """Mean of layers 0 to n_layers: `[2, n_edges]`, `[n_edges]`, float `[n_nodes, dim]` to `[n_nodes, dim]`."""
    layer, total = nodes, nodes
    for _ in range(n_layers):
        messages = layer[edges[0]] * weights.unsqueeze(1)  # [n_edges, dim]
        layer = torch.zeros_like(nodes).index_add(0, edges[1], messages)
        total = total + layer
    return total / (n_layers + 1)


def _world(seed: int, n_users: int, n_items: int, n: int, dim: int, n_layers: int) -> tuple:
    edges, n_nodes = _graph(seed, n_users, n_items, n)
    return edges, edge_weights(edges, n_nodes), torch.randn(n_nodes, dim, generator=_generator(seed)), n_layers


def _layers(edges: Tensor, weights: Tensor, nodes: Tensor, n_layers: int) -> list[Tensor]:
    found = [nodes]
    for _ in range(n_layers):
        found.append(torch.zeros_like(nodes).index_add(0, edges[1], found[-1][edges[0]] * weights.unsqueeze(1)))
    return found


def _last(edges: Tensor, weights: Tensor, nodes: Tensor, n_layers: int) -> Tensor:
    return _layers(edges, weights, nodes, n_layers)[-1]


def _combined(combine: Callable[[list[Tensor]], Tensor]) -> Callable:
    return lambda *inputs: combine(_layers(*inputs))


def _overwritten(edges: Tensor, weights: Tensor, nodes: Tensor, n_layers: int) -> Tensor:
    layer, total = nodes, nodes
    for _ in range(n_layers):
        after = torch.zeros_like(nodes)
        after[edges[1]] = layer[edges[0]] * weights.unsqueeze(1)
        layer, total = after, total + after
    return total / (n_layers + 1)


def _halved(edges: Tensor, weights: Tensor, nodes: Tensor, n_layers: int) -> Tensor:
    first, *rest = _layers(edges, weights, nodes, n_layers)
    for layer in rest:
        first = (first + layer) / 2
    return first


def _kept(edges: Tensor, weights: Tensor, nodes: Tensor, n_layers: int) -> Tensor:
    found = [nodes]
    for _ in range(n_layers):
        found.append(found[-1].index_add(0, edges[1], found[-1][edges[0]] * weights.unsqueeze(1)))
    return torch.stack(found).mean(0)


TWO_NODES = torch.tensor([[0, 1], [1, 0]]), torch.ones(2), torch.tensor([[4.0], [0.0]]), 2
A_PATH = PATH[0], edge_weights(*PATH), torch.tensor([[2.0, 0], [0, 0], [0, 0], [0, 4]]), 1
PROPAGATE = Exercise(
    id="13.propagate",
    level="medium",
    minutes=10,
    reference=propagate,
    cases=(TWO_NODES, A_PATH, _world(5, 5, 4, 12, 3, 0), _world(6, 5, 4, 12, 3, 3)),
    hidden=(_world(7, 12, 7, 40, 2, 4), _world(8, 3, 6, 8, 4, 1)),
    hints=(
        "A layer: gather what each edge's source says, weigh it, add it up at the targets.",
        "`torch.zeros_like(nodes).index_add(0, edges[1], messages)` adds up; several messages may reach one node.",
        "The next layer reads the last one and not `nodes`. Keep a running total that begins with `nodes`, and divide "
        "it by n_layers + 1.",
    ),
    mistakes=(
        (_last, "You returned the last layer. LightGCN takes the mean of all layers, the table itself among them."),
        (
            _combined(lambda found: torch.stack(found).sum(0)),
            "You added the layers up. Divide by their number, n_layers + 1, so that scores do not grow with the "
            "layers.",
        ),
        (
            _combined(lambda found: torch.stack(found[1:] or found).mean(0)),
            "You left out layer 0, the table itself: a node also listens to its own vector.",
        ),
        (
            _combined(lambda found: torch.stack(found).sum(0) / max(len(found) - 1, 1)),
            "You divided by n_layers. There is one layer more: layer 0 counts as well.",
        ),
        (
            lambda e, w, x, n: torch.stack([x] + [_last(e, w, x, 1)] * n).mean(0),
            "Each of your layers reads `nodes` again, so no message goes further than one step. Read the last layer.",
        ),
        (
            lambda e, w, x, n: propagate(e, torch.ones_like(w), x, n),
            "You did not use the weights: the layers grow with the degrees.",
        ),
        (
            lambda e, w, x, n: propagate(torch.stack([e[0], e[0]]), w, x, n),
            "Your messages end where they began. Gather at the source, `edges[0]`, add up at the target, `edges[1]`.",
        ),
        (
            _combined(lambda found: torch.cat(found, dim=1)),
            "You put the layers side by side, as NGCF does. LightGCN takes their mean, so that the length stays `dim`.",
        ),
        (
            _halved,
            "You take the mean of two at each step, so that the last layer weighs half. All layers weigh the same.",
        ),
        (
            _overwritten,
            "Several messages reach one node, and in your table the last one overwrites the others: `index_add`.",
        ),
        (
            _kept,
            "Each node adds its own last layer to what it hears. That is a self-loop; LightGCN has none.",
        ),
        (
            _combined(lambda found: torch.stack([found[0], *(layer.relu() for layer in found[1:])]).mean(0)),
            "There is an activation in your layers. LightGCN drops it, and the weight matrices too.",
        ),
    ),
)


def leaked_pairs(edges: Tensor, users: Tensor, items: Tensor, n_users: int) -> Tensor:
    """Which held-out likes are edges, in either direction: `[2, n_edges]`, int64 `[n]` twice to bool `[n]`."""
    there = set(map(tuple, edges.T.tolist()))
    pairs = zip(users.tolist(), (items + n_users).tolist(), strict=True)
    return torch.tensor([(u, i) in there or (i, u) in there for u, i in pairs], dtype=torch.bool)


def _in(edges: Tensor, *directions: tuple[Tensor, Tensor]) -> Tensor:
    there = set(map(tuple, edges.T.tolist()))
    found = [[pair in there for pair in zip(a.tolist(), b.tolist(), strict=True)] for a, b in directions]
    return torch.tensor(found, dtype=torch.bool).any(0)


def _some_leaked(seed: int, keep: str) -> tuple:
    users, items, n_users = _likes(seed, 4, 9, 14)
    edges = _shifted(users[:8], items[:8], n_users)
    edges = {"both": _both(edges), "there": edges, "back": edges.flip(0)}[keep]
    return edges, users[4:], items[4:], n_users


EDGE_AND_STRANGER = torch.tensor([[0, 1, 2, 3], [2, 3, 0, 1]]), torch.tensor([0, 0, 0]), torch.tensor([0, 1, 2]), 2
ONLY_BACK = torch.tensor([[3, 2], [1, 0]]), torch.tensor([1, 1]), torch.tensor([1, 0]), 2
NO_EDGE = torch.empty(2, 0, dtype=torch.int64), torch.tensor([0, 1]), torch.tensor([0, 1]), 2
LEAKED_PAIRS = Exercise(
    id="13.leaked_pairs",
    level="stretch",
    minutes=8,
    reference=leaked_pairs,
    cases=(
        EDGE_AND_STRANGER,
        ONLY_BACK,
        (torch.tensor([[0], [2]]), torch.tensor([0]), torch.tensor([0]), 2),
        NO_EDGE,
        _some_leaked(9, "both"),
    ),
    hidden=(_some_leaked(10, "there"), _some_leaked(11, "back")),
    hints=(
        "A message leaks the answer in either direction: look for (user, item) and for (item, user).",
        "In the graph item i is node n_users + i. Compare pairs, not users and items apart.",
        "Put the edges as tuples into a set, `set(map(tuple, edges.T.tolist()))`, and ask for each pair both ways.",
    ),
    mistakes=(
        (
            lambda e, u, i, n: _in(e, (u, i + n)),
            "You look from user to item alone. A message from item to user tells as much.",
        ),
        (
            lambda e, u, i, n: _in(e, (i + n, u)),
            "You look from item to user alone. A message from user to item tells as much.",
        ),
        (
            lambda e, u, i, n: _in(e, (u, i), (i, u)),
            "You compared item numbers with node numbers: item i is node n_users + i.",
        ),
        (
            lambda e, u, i, n: torch.isin(u, e) & torch.isin(i + n, e),
            "You ask whether both ends occur somewhere. They must be the ends of one edge.",
        ),
        (
            lambda e, u, i, n: _in(e, (u, i + n)) & _in(e, (i + n, u)),
            "You ask for both directions at once. One of them is enough to tell: or, not and.",
        ),
        (
            lambda e, u, i, n: torch.isin(u + i + n, e.sum(dim=0)),
            "You compare a number made of both ends, and different edges share it. Compare the pair: a tuple in a set.",
        ),
        (
            lambda e, u, i, n: torch.zeros(len(u), dtype=torch.bool),
            "You find no leak at all. Tensors in a set are never equal, even where their numbers are: `.tolist()` "
            "first.",
        ),
        (
            lambda e, u, i, n: ~_in(e, (u, i + n), (i + n, u)),
            "Your answer is the opposite: True means that the like is among the edges.",
        ),
        (
            lambda e, u, i, n: _in(e, (u, i + n), (i + n, u)).any(),
            "You say whether any like leaks. Asked for is one bool for each, so that the leak can be named.",
        ),
    ),
)


def sample_neighbours(edges: Tensor, node: int, n: int, generator: torch.Generator) -> Tensor:
    """Draw n neighbours of a node with replacement, all alike: int64 `[2, n_edges]` to `[n]`, `[0]` without any."""
    neighbours = edges[0][edges[1] == node]
    if not len(neighbours):
        return neighbours
    return neighbours[torch.randint(len(neighbours), (n,), generator=generator)]


def _drawn(answer: Callable, edges: Tensor, node: int, n: int, times: int) -> Tensor:
    generator = _generator(12)
    return torch.stack([torch.as_tensor(answer(edges, node, n, generator)) for _ in range(times)])


def _sampler_problem(answer: Callable, case: tuple) -> str | None:
    edges, node, n = case
    known = edges[0][edges[1] == node]
    drawn = _drawn(answer, edges, node, n, 600)
    if not len(known):
        return None if drawn.numel() == 0 else "a node without neighbours must give an empty tensor"
    if drawn.shape[1:] != (n,):
        return f"n = {n} neighbours were asked for, the result has the shape {list(drawn.shape[1:])}"
    if not torch.isin(drawn, known).all():
        return f"not all drawn nodes are neighbours of node {node}: {sorted(set(drawn.flatten().tolist()))}"
    if (drawn == drawn[0]).all() and len(known) > 1:
        return f"600 calls with one generator all drew {drawn[0].tolist()}: draw anew from the generator each time"
    shares = torch.stack([(drawn == one).double().mean() for one in known])
    if (shares - 1 / len(known)).abs().max() > 5 * (0.25 / drawn.numel()) ** 0.5:
        return f"neighbours {known.tolist()} came with shares {[round(s, 2) for s in shares.tolist()]}, not alike"
    if n > 1 and len(known) > 1 and not (drawn[:, 0] == drawn[:, 1]).any():
        return "no neighbour was ever drawn twice in one call: draw with replacement"
    if n > 1 and len(known) > 1 and (drawn[:, 0] == drawn[:, 1]).all():
        return "all places of a call hold the same neighbour: draw each place anew"
    if not torch.equal(drawn, _drawn(answer, edges, node, n, 600)):
        return "two generators with one seed gave different neighbours: draw from the generator handed in"
    return None


def _pick(edges: Tensor, node: int) -> Tensor:
    return edges[0][edges[1] == node]


def _by_degree(edges: Tensor, node: int, n: int, generator: torch.Generator) -> Tensor:
    known = _pick(edges, node)
    if not len(known):
        return known
    weights = torch.bincount(edges[0])[known].double() ** 2
    return known[weights.multinomial(n, replacement=True, generator=generator)]


def _without_replacement(edges: Tensor, node: int, n: int, generator: torch.Generator) -> Tensor:
    known = _pick(edges, node)
    places = torch.randperm(len(known), generator=generator)[:n]
    return known[places] if len(known) >= n else known.repeat(n)[: n if len(known) else 0]


def _any_node(edges: Tensor, node: int, n: int, generator: torch.Generator) -> Tensor:
    return edges[0][torch.randint(edges.shape[1], (n,), generator=generator)]


def _with_places(places: Callable[[int, int, torch.Generator], Tensor]) -> Callable:
    def sampler(edges: Tensor, node: int, n: int, generator: torch.Generator) -> Tensor:
        known = _pick(edges, node)
        return known[places(len(known), n, generator)] if len(known) else known

    return sampler


UNEVEN_HUBS = bipartite_edges(torch.tensor([0, 0, 1, 1, 2, 2, 3]), torch.tensor([0, 1, 0, 1, 0, 2, 0]), 5), 0, 2
ONE_HUB = UNEVEN_HUBS[0], 5, 3
ALONE = UNEVEN_HUBS[0], 4, 2
SAMPLE_NEIGHBOURS = Exercise(
    id="13.sample_neighbours",
    level="stretch",
    minutes=10,
    reference=sample_neighbours,
    cases=(UNEVEN_HUBS, ONE_HUB, (UNEVEN_HUBS[0], 6, 4), ALONE),
    hidden=((UNEVEN_HUBS[0], 7, 3), (UNEVEN_HUBS[0], 1, 2)),
    verify=_sampler_problem,
    hints=(
        "Neighbours of a node are the sources of the edges that end in it.",
        "`torch.randint(len(neighbours), (n,), generator=generator)` draws places, each as likely as any other.",
        "A node without neighbours has nothing to draw from: give back the empty tensor before you draw.",
    ),
    mistakes=(
        (
            _by_degree,
            "You draw popular neighbours more often. Their mean is then pulled towards them: all alike, or correct "
            "each by its chance.",
        ),
        (
            _without_replacement,
            "You draw without replacement. Here a neighbour may come twice, so that a node with one neighbour also "
            "gives n.",
        ),
        (_any_node, "You draw from all sources of the graph. Keep the edges whose target is the node first."),
        (
            _with_places(lambda size, n, generator: torch.arange(n) % size),
            "You always take the first ones. The rest is never heard, so that the mean is wrong however often you ask.",
        ),
        (
            _with_places(lambda size, n, generator: torch.randint(max(size - 1, 1), (n,), generator=generator)),
            "The last neighbour is never drawn: `torch.randint` leaves out its upper bound by itself.",
        ),
        (
            _with_places(lambda size, n, generator: torch.randint(size, (1,), generator=generator).expand(n)),
            "You draw once and repeat it: n copies are as noisy as one. Draw n places.",
        ),
        (
            _with_places(lambda size, n, generator: torch.randint(size, (min(n, size),), generator=generator)),
            "You stop at the number of neighbours. With replacement there are always n, however few there are.",
        ),
        (
            _with_places(lambda size, n, generator: torch.randint(size, (n,))),
            "You draw from torch's global generator: nobody can repeat it. Pass `generator=generator`.",
        ),
        (
            _with_places(lambda size, n, generator: torch.randint(size, (n,), generator=_generator(1))),
            "You draw from a generator of your own, with one seed: each call gives the same. Use the one handed in.",
        ),
    ),
)


review = Review(
    id="13.review",
    faults={
        "nn.Embedding(n_users": "the two counts are a number of rows and a length of vector: each user gets n_items "
        "numbers, and items have no row at all. One row a node: `nn.Embedding(n_users + n_items, dim)`.",
        "torch.stack([users, items])": "item numbers begin at 0 again, so that item 7 is user 7, and one direction is "
        "missing. Move the items by n_users and add the way back.",
        "pool(": "one vector for the whole graph: users and films can no longer be told apart, and every pair gets "
        "the same score. To predict a link, keep a vector for each node. (`GlobalPool` is no name in PyTorch "
        "Geometric, either.)",
    },
    fine={
        "SAGEConv(": "Its two numbers are the length in and out: here they fit the table.",
        ".relu()": "An activation between layers is usual; LightGCN leaves it out.",
        "expand(": "It repeats what there is. What there is, is the fault.",
    },
)

check, hint, solution = bind((BIPARTITE_EDGES, EDGE_WEIGHTS, PROPAGATE, LEAKED_PAIRS, SAMPLE_NEIGHBOURS))
