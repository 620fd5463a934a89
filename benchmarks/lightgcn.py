"""Claim: a training step of LightGCN is 10 times faster than that of PyG's example, and 2 times than PyG's at its best.

Forward, backward and Adam on a graph of Gowalla's size: 29,858 users, 40,981 items, 810,128 edges, two layers, 64
dimensions, 8,192 triples a step, two threads. Ours and PyG's LightGCN begin with the same weights and take the same
batches, one step of each in turn in one process; their losses must agree to ``TOLERANCE`` at every step. PyG gets the
graph as its example has it (``edge_index``, both directions) and as a sparse CSR adjacency, once as it is (PyG scales
it in every step) and once scaled beforehand. There is no penalty on the weights, because each counts it its own way.
RecBole's step, in a process of its own, stands beside them without a bar.

    python benchmarks/lightgcn.py [--repeats 1]
"""

import sys
from collections.abc import Callable

import harness
import numpy as np
import worlds

N_EDGES, DIM, LAYERS, BATCH, RATE = 810_128, 64, 2, 8_192, 0.01
WARM, ROUNDS, TOLERANCE = 1, 9, 1e-5
BARS = {"PyG, edge_index": 10, "PyG, sparse adjacency": 2}


def edges(name: str) -> tuple[worlds.World, np.ndarray, np.ndarray]:
    """The world's likes and as many of the held-out ones as make ``N_EDGES``: users and items ``[n_edges]``."""
    world = worlds.load(name)
    more = np.arange(N_EDGES - len(world.users))
    return world, np.concatenate([world.users, more]), np.concatenate([world.items, world.held_out[more]])


def batches(users: np.ndarray, items: np.ndarray, n_items: int) -> list[tuple[np.ndarray, ...]]:
    """Triples for each round: likes drawn at random, with any item as the negative."""
    random = np.random.default_rng(0)
    likes = [random.integers(0, len(users), BATCH) for _ in range(WARM + ROUNDS)]
    return [(users[rows], items[rows], random.integers(0, n_items, BATCH)) for rows in likes]


def timed(steps: dict[str, Callable], rounds: list) -> dict:
    """Wall and CPU seconds of every step but the first, and every loss, the tools in turn."""
    seconds, losses = {name: [] for name in steps}, {name: [] for name in steps}
    for number, batch in enumerate(rounds):
        for name, step in steps.items():
            loss, spent = harness.stopwatch(lambda step=step, batch=batch: step(*batch))
            losses[name].append(loss)
            if number >= WARM:
                seconds[name].append((spent["wall"], spent["cpu"]))
    return {"cpu": sum(cpu for runs in seconds.values() for _, cpu in runs), "steps": seconds, "losses": losses}


# --- the tools


def ours_and_pyg(name: str) -> dict:
    """Ours and PyG's, which live in one interpreter, from the same weights."""
    import torch

    from recsys_course.data import Interactions
    from recsys_course.models import LightGCN

    torch.set_num_threads(harness.THREADS)
    world, users, items = edges(name)
    likes = Interactions.from_events(users, items, n_users=world.n_users, n_items=world.n_items)
    model = LightGCN(DIM, LAYERS, epochs=0, reg=0.0).fit(likes)
    model.nodes_.data.mul_(5)  # far from equal scores, so that the losses say something
    optimizer = torch.optim.Adam([model.nodes_], lr=RATE, fused=True)  # as in fit

    def step(*triples: torch.Tensor) -> float:
        optimizer.zero_grad()
        loss = model.loss(*triples)
        loss.backward()
        optimizer.step()
        return loss.item()

    steps = {"ours": step} | of_pyg(model, users, items)
    triples = [[torch.from_numpy(ids) for ids in batch] for batch in batches(users, items, world.n_items)]
    return timed(steps, triples)


def of_pyg(model, users: np.ndarray, items: np.ndarray) -> dict[str, Callable]:
    """Steps of PyG's LightGCN with the weights of ours, for each form of the graph."""
    import torch

    one, other = torch.from_numpy(users), torch.from_numpy(items) + model.train_.n_users
    both = torch.cat([torch.stack([one, other]), torch.stack([other, one])], dim=1)  # [2, 2 * n_edges]
    size = (len(model.nodes_),) * 2
    plain = torch.sparse_coo_tensor(both, torch.ones(both.shape[1]), size).coalesce().to_sparse_csr()
    return {
        "PyG, edge_index": pyg_step(model, both),
        "PyG, sparse adjacency": pyg_step(model, plain),
        "PyG, sparse, scaled before": pyg_step(model, model.adjacency_, normalize=False),
    }


def pyg_step(model, graph, **options) -> Callable:
    """One step as in PyG's example for LightGCN, without its penalty."""
    import torch
    from torch_geometric.nn import LightGCN

    n_users = model.train_.n_users
    peer = LightGCN(len(model.nodes_), DIM, LAYERS, **options)
    peer.embedding.weight.data.copy_(model.nodes_.data)
    optimizer = torch.optim.Adam(peer.parameters(), lr=RATE)

    def step(users: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor) -> float:
        asked = torch.stack([users.repeat(2), torch.cat([positives, negatives]) + n_users])
        optimizer.zero_grad()
        above, below = peer(graph, asked).chunk(2)
        loss = peer.recommendation_loss(above, below, node_id=asked.unique(), lambda_reg=0.0)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def recbole(name: str) -> dict:
    """RecBole's step on the same graph, with triples in its own numbers of users and items."""
    import recbole_peer
    import torch
    from recbole.data.interaction import Interaction

    torch.set_num_threads(harness.THREADS)
    _, users, items = edges(name)
    order = np.lexsort((items, users))
    settings = {"embedding_size": DIM, "n_layers": LAYERS, "reg_weight": 0.0, "learning_rate": RATE}
    peer = recbole_peer.prepare("LightGCN", users[order], items[order], **settings)
    peer.model.train()

    def step(batch: Interaction) -> float:
        peer.trainer.optimizer.zero_grad()
        loss = peer.model.calculate_loss(batch)
        loss.backward()
        peer.trainer.optimizer.step()
        return loss.item()

    likes = peer.dataset.inter_feat
    rounds = [  # the first item stands for padding
        (Interaction({"user": user, "item": item, "neg_item": other + 1}),)
        for user, item, other in (
            map(torch.from_numpy, batch)
            for batch in batches(likes["user"].numpy(), likes["item"].numpy(), peer.dataset.item_num - 1)
        )
    ]
    return timed({"RecBole": step}, rounds)


# --- the verdict


def judge(name: str, results: dict[str, dict]) -> bool:
    """The table of steps, the agreement of the losses and the two bars."""
    found = results["ours and PyG"]
    steps = found["steps"] | results["RecBole"]["steps"]
    ratio = {
        tool: np.median([run[0] for run in runs]) / np.median([run[0] for run in steps["ours"]])
        for tool, runs in steps.items()
    }
    print(f"\n{name}, {N_EDGES:,} edges, median of {ROUNDS} steps in turn, two threads")
    columns = {
        "tool": str,
        "wall ms": lambda tool: f"{1000 * np.median([run[0] for run in steps[tool]]):.0f}",
        "CPU ms": lambda tool: f"{1000 * np.median([run[1] for run in steps[tool]]):.0f}",
        "ours is faster by, wall": lambda tool: f"{ratio[tool]:.1f}",
    }
    harness.print_table(columns, list(steps))
    apart = max(np.abs(np.subtract(found["losses"]["ours"], losses)).max() for losses in found["losses"].values())
    verdicts = [harness.verdict(apart <= TOLERANCE, f"losses agree to {apart:.1e} (at most {TOLERANCE:.0e})")]
    verdicts += [
        harness.verdict(ratio[tool] >= bar, f"{ratio[tool]:.1f} times faster than {tool} (at least {bar})")
        for tool, bar in BARS.items()
    ]
    return all(verdicts)


if __name__ == "__main__":
    sys.exit(
        harness.main(__file__, "recbole", {"ours and PyG": ours_and_pyg, "RecBole": recbole}, ["gowalla"], judge, 1)
    )
