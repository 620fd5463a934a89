# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# course:
#   title: Pass messages along a graph
#   level: intermediate
#   minutes_read: 25
#   minutes_do: 65
#   cpu_seconds: 50
#   ram_mb: 1050
#   requires: ["04", "05"]
#   articles: ["000-P2"]
#   builds: LightGCN's propagation equal to PyTorch Geometric's, a detector of leaked edges, and an honest table beside closed forms
# ---

# %% [markdown]
# # 13 Pass messages along a graph
#
# ## The interview moment
#
# *"Your recommender is a graph neural network. What does a layer add to matrix factorisation, which edges may carry messages, and what beats it?"*
#
# A typical weak answer: "Graphs capture high-order connectivity, so it is better; we pool the graph and add layers." Each part of that is measured below, and none survives as it stands.
#
# **You will be able to** turn likes into edges and weights; write propagation equal to PyTorch Geometric's; say why a step can be fast; choose the number of layers by what you see; keep answers out of the messages; attach new users and films; audit a knowledge graph.
#
# **Your first evening?** Do exercises 13.1 and 13.3, read *The experiment*, do *Spot the bug*, then answer question N01 aloud.

# %%
import re
import timeit
import warnings

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import svds
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from recsys_course import claim, claim_value, data, graph, metrics, models, plots
from recsys_course.exercises.l13 import check, hint, review, solution  # noqa: F401

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="IProgress")  # it asks for a progress bar's widget
    from torch_geometric import nn as geometric
torch.set_num_threads(1)  # small steps: a second thread would mostly wait
movies = data.movielens()
ratings, titles = movies.ratings, movies.titles
split = data.frozen_split(ratings, "random")
likes = split.train.positives()
n_users, n_nodes = ratings.n_users, ratings.n_users + ratings.n_items
print(split)

# %% [markdown]
# **Warm-up** (after lessons 02, 04 and 05). Answer before you unfold:
#
# 1. What does BPR ask of a score? <details><summary>answer</summary>A liked film above one that was not liked.</details>
# 2. Which films may be negatives? <details><summary>answer</summary>Those the user does not like in training.</details>
# 3. A user-item pair stands in training and test. What is that called? <details><summary>answer</summary>A leak: the answer stands in the question.</details>
#
# Now commit to a guess. Messages travel 0, 1, 2, 3 or 4 steps before user and film meet. Which number gives the best NDCG@10? And do the lists reach more films, or fewer, the further they travel?

# %%
prediction = {"best number of steps": "?", "films reached": "?"}  # 0 to 4; more or fewer

# %% [markdown]
# ## Turn likes into a graph
#
# Users and films are **nodes**, a like is an **edge**. No edge joins two users, so the graph is **bipartite**. User $u$ is node $u$, film $i$ is node $n_{users} + i$. Two steps from you are people who like what you like; three steps away are films you have not seen.
#
# ### Exercise 13.1 - bipartite_edges  |  easy  |  7 min
#
# **In:** `users`, `items`, int `[n]`, one like a place, perhaps repeated; `n_users`. **Out:** int `[2, n_edges]`, sources above targets: first all distinct likes from user to item (by user, then item), then the same turned round. *Why it matters in interviews:* the missing offset is the bug that crashes nothing.


# %%
def bipartite_edges(users: Tensor, items: Tensor, n_users: int) -> Tensor:
    """Each distinct like in both directions, item i as node n_users + i: int `[n]` twice to `[2, n_edges]`."""
    ### BEGIN SOLUTION
    pairs = torch.stack([users, items + n_users]).unique(dim=1)  # [2, n_pairs]
    return torch.cat([pairs, pairs.flip(0)], dim=1)
    ### END SOLUTION


check(bipartite_edges)

# %% [markdown]
# A film with 400 likes must not shout 400 times as loud. Each edge gets the weight $1 / \sqrt{d_s d_t}$, where $d_s$ and $d_t$ are the **degrees** (numbers of edges) of its ends. By hand: a user with 4 likes and a film with 9 share an edge of weight $1/6$, in both directions. So the matrix $A$ of all weights is *symmetric*. Dividing by both roots also keeps its eigenvalues in $[-1, 1]$: no signal explodes.
#
# ### Exercise 13.2 - edge_weights  |  easy  |  8 min
#
# **In:** `edges`, int `[2, n_edges]`, both directions; `n_nodes`. **Out:** float `[n_edges]`. A node may have no edge.


# %%
def edge_weights(edges: Tensor, n_nodes: int) -> Tensor:
    """One over the root of both ends' degrees: int `[2, n_edges]` to float `[n_edges]`."""
    ### BEGIN SOLUTION
    degrees = torch.bincount(edges[0], minlength=n_nodes)  # [n_nodes]
    return 1 / (degrees[edges[0]] * degrees[edges[1]]).sqrt()
    ### END SOLUTION


check(edge_weights)

# %% [markdown]
# **LightGCN** learns one vector a node, like matrix factorisation (table $X$), then lets vectors travel and takes the mean of all steps:
#
# $$Z = \frac{1}{L+1}\left(X + AX + A^2X + \dots + A^LX\right), \qquad s(u, i) = z_u^\top z_i$$
#
# No weight matrix, no activation. With $L = 0$ it *is* matrix factorisation. Older graph networks (GCN, NGCF) also multiply by a learnt matrix and bend; with nothing but numbers of nodes as input, that hardly helped (He et al., 2020).
#
# ### Exercise 13.3 - propagate  |  medium  |  10 min
#
# **In:** `edges`, `[2, n_edges]`; `weights`, `[n_edges]`; `nodes`, float `[n_nodes, dim]`; `n_layers`. **Out:** the mean of layers 0 to `n_layers`, `[n_nodes, dim]`. *Why it matters in interviews:* "write LightGCN" is these five lines.


# %%
def propagate(edges: Tensor, weights: Tensor, nodes: Tensor, n_layers: int) -> Tensor:
    """Mean of layers 0 to n_layers: `[2, n_edges]`, `[n_edges]`, float `[n_nodes, dim]` to `[n_nodes, dim]`."""
    ### BEGIN SOLUTION
    layer, total = nodes, nodes
    for _ in range(n_layers):
        messages = layer[edges[0]] * weights.unsqueeze(1)  # [n_edges, dim]
        layer = torch.zeros_like(nodes).index_add(0, edges[1], messages)
        total = total + layer
    return total / (n_layers + 1)
    ### END SOLUTION


check(propagate)

# %% [markdown]
# The package's `graph.propagate` against two known-right answers: the powers of the dense matrix, and PyTorch Geometric's own `LightGCN` on the same weights, its loss included. Watch the largest table that each writes on the way.


# %%
class Watch(TorchDispatchMode):
    """Remembers the size of the largest table that torch's operations return."""

    largest = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **(kwargs or {}))
        self.largest = max(self.largest, made.numel() if isinstance(made, Tensor) else 0)
        return made


# %%
edges = graph.bipartite_edges(likes)
adjacency = graph.normalised_adjacency(edges, n_nodes)
ours = models.LightGCN(dim=64, n_layers=2, epochs=0, reg=0.0).fit(split.train)
table, device = ours.nodes_.detach(), ours.nodes_.device
theirs = geometric.LightGCN(n_nodes, 64, num_layers=2).to(device)
theirs.embedding.weight.data.copy_(table)
edges, dense = edges.to(device), adjacency.to_dense().to(device)
powers = (table + dense @ table + dense @ dense @ table) / 3
with torch.no_grad():
    gaps = [(ours.embeddings() - other).abs().max() for other in (powers, theirs.get_embedding(edges))]
claim("13.powers", "propagation equals the mean of dense matrix powers to 1e-5", gaps[0] < 1e-5)
claim("13.geometric", "it equals PyTorch Geometric's LightGCN to 1e-5", gaps[1] < 1e-5)

# %%
draw = torch.Generator().manual_seed(3)
rows = torch.randint(len(likes), (512,), generator=draw)
users, liked = likes.users[rows].to(device), likes.items[rows].to(device)
others = torch.randint(ratings.n_items, (512,), generator=draw).to(device)
pairs = torch.stack([users, liked + n_users]), torch.stack([users, others + n_users])


def our_step() -> Tensor:
    """Loss and gradient of one batch, ours."""
    loss = ours.loss(users, liked, others)
    loss.backward()
    return loss.detach()


def their_step() -> Tensor:
    """Loss and gradient of the same batch, as in PyTorch Geometric's example."""
    for_liked, for_others = theirs(edges, torch.cat(pairs, dim=1)).chunk(2)
    loss = theirs.recommendation_loss(for_liked, for_others, lambda_reg=0)
    loss.backward()
    return loss.detach()


# %%
watched, losses = {}, {}
for name, step in {"ours": our_step, "theirs": their_step}.items():
    with Watch() as watch:
        losses[name] = step()
    watched[name] = watch.largest
gap = (ours.nodes_.grad - theirs.embedding.weight.grad).abs().max()
claim("13.same-loss", "equal loss to 1e-5", (losses["ours"] - losses["theirs"]).abs() < 1e-5)
claim("13.same-gradient", "and equal gradient", gap < 1e-5)

# %% tags=["nbval-ignore-output"]
for name, step in {"ours": our_step, "theirs": their_step}.items():
    print(f"{name:7} {1000 * min(timeit.repeat(step, number=1, repeat=4)):.0f} ms a step")

# %% [markdown]
# Same numbers, another price. Two reasons, neither of them a trick of the processor:
#
# 1. **The backward pass is the forward pass.** The gradient of $Z$ with respect to $X$ is the same mean of powers of $A^\top$, and $A^\top = A$. So the backward pass calls the same function on the gradient: nothing is transposed, no layer is kept.
# 2. **No table of messages.** Theirs writes one row an edge; ours adds each node's neighbours up as it reads them (`embedding_bag`).
#
# Negatives help as well: one call draws all of an epoch (lesson 04's rank trick), no loop over users.

# %%
claim("13.largest-ours", "ours: none above nodes x dim numbers", watched["ours"] <= n_nodes * 64)
many = watched["theirs"] == edges.shape[1] * 64
claim("13.largest-theirs", "theirs: a table of edges x dim numbers", many)
kept = []
with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t), lambda t: t):
    ours.embeddings()
claim("13.nothing-kept", "ours keeps no table for the backward pass", not kept)

# %% [markdown]
# ## The experiment
#
# **Hypothesis.** Each layer reaches further, so each helps. **Protocol.** MovieLens 100K, random split, k = 10, LightGCN with 0 to 4 layers, 64 numbers, 25 epochs, three seeds of the model at 2 and 4 layers, one elsewhere; its settings were chosen on a part of the training ratings, with 2 layers. We watch NDCG@10, **coverage** (share of all films that occur in some list) and the mean **cosine** between two liked films' vectors. **What would change my mind?** A fall after some layer, beyond the range over seeds.

# %%
SETTINGS = {"batch_size": 4096, "learning_rate": 0.02, "epochs": 25}
liked = likes.item_counts() > 0
rows = []
for n_layers in range(5):
    for seed in range(3 if n_layers in (2, 4) else 1):
        model = models.LightGCN(n_layers=n_layers, seed=seed, **SETTINGS).fit(split.train)
        result = metrics.evaluate(model, split.test, name=f"LightGCN ({n_layers} layers)")
        films = F.normalize(model.vectors_[n_users:][liked], dim=1)
        cosine = ((films @ films.T).sum() - len(films)) / (len(films) * (len(films) - 1))
        found = {"NDCG@10": result.mean("ndcg"), "coverage": result.mean("coverage")}
        rows.append({"layers": n_layers, **found, "cosine": float(cosine)})
        if (n_layers, seed) == (2, 0):
            lights, light_board = model, result
runs = pd.DataFrame(rows).groupby("layers")
mean, low, high = runs.mean(), runs.min(), runs.max()

# %%
figure, panels = plots.axes(10, 3, columns=3)
for panel, what in zip(panels, mean.columns, strict=True):
    panel.fill_between(mean.index, low[what], high[what], color=plots.colour("LightGCN"), alpha=0.25)
    panel.plot(mean.index, mean[what], "o-", color=plots.colour("LightGCN"))
    panel.set(xlabel="layers", ylabel=what, xticks=mean.index, ylim=(0, None))
finding = "NDCG at 10 rises from 0.24 without layers to 0.34 with two, then falls slowly. Coverage falls from "
plots.show(
    figure,
    alt=finding
    + "0.40 to 0.17 at four layers, and the mean cosine between films grows from 0.02 to 0.13.",
)

# %%
ndcg, coverage, cosine = (mean[what] for what in mean.columns)
claim("13.best", "two layers have the best NDCG@10", ndcg.idxmax() == 2)
claim("13.four", "four layers lose more than the seeds differ", high["NDCG@10"][4] < low["NDCG@10"][2])
claim_value("13.ndcg-0", ndcg[0], 0.24, 0.012, "NDCG@10 without layers")
claim_value("13.ndcg-1", ndcg[1], 0.315, 0.012, "NDCG@10 with one layer")
claim_value("13.ndcg-2", ndcg[2], 0.345, 0.012, "NDCG@10 with two")
claim_value("13.ndcg-4", ndcg[4], 0.32, 0.012, "NDCG@10 with four")
claim("13.coverage", "every layer costs coverage", (coverage.diff().dropna() < 0).all())
claim_value("13.coverage-0", coverage[0], 0.40, 0.03, "coverage without layers")
claim_value("13.coverage-4", coverage[4], 0.17, 0.03, "coverage with four")
claim_value("13.cosine-0", cosine[0], 0.018, 0.005, "mean cosine between films without layers")
claim_value("13.cosine-4", cosine[4], 0.127, 0.015, "with four")
print("you said", prediction)

# %% [markdown]
# The hypothesis dies after two layers. What survives many steps is the pattern $\sqrt{d}$ on each side of the graph: popularity. That is **over-smoothing**: films become more alike, lists reach fewer of them. Cures: few layers, keeping layer 0 in the mean, dropping edges, a node's own vector apart (GraphSAGE).
#
# Fine print: "0 layers" had settings made for two. Lesson 04's `BPR` is the better layer-free rival. And are two layers good? Guess the order before you run: LightGCN, GraphSAGE, GAT, BPR, IALS, EASE, and **GF-CF**, which needs no training: one step along the graph plus its 64 broadest patterns, in closed form (Shen et al., 2021).

# %% tags=["nbval-ignore-output"]
rivals = [
    models.Random(),
    models.Popularity(),
    models.BPR(),
    models.IALS(),
    models.EASE(),
    models.GFCF(),
]
networks = [models.GraphSAGE(epochs=100), models.GAT(epochs=60)]
board = [light_board] + [metrics.evaluate(m.fit(split.train), split.test) for m in rivals + networks]
display(metrics.leaderboard(board).rename_axis("random split, one seed"))

# %%
figure, panel = plots.axes(8, 4)
plots.intervals(panel, board, "ndcg", "Graph networks among their rivals")
finding = (
    "EASE and IALS lead with 0.36, GF-CF 0.35 and LightGCN 0.34 follow, then BPR. GraphSAGE and GAT "
)
plots.show(figure, alt=finding + "stand between BPR and the popular list.")

# %%
per_user = {row.model: row.per_user["ndcg"] for row in board}
light = per_user["LightGCN (2 layers)"]
gap = metrics.paired_bootstrap(per_user["EASE"], light)
claim("13.ease", "EASE beats LightGCN beyond the 95 % interval", gap.low > 0)
gap = metrics.paired_bootstrap(light, per_user["BPR"])
claim("13.bpr", "LightGCN beats BPR beyond the 95 % interval", gap.low > 0)
between = {}
for name in ("GraphSAGE", "GAT"):
    over = metrics.paired_bootstrap(per_user[name], per_user["Popularity"]).low > 0
    between[name] = over and metrics.paired_bootstrap(light, per_user[name]).low > 0
claim("13.sage", "GraphSAGE beats the popular list and loses to LightGCN", between["GraphSAGE"])
claim("13.gat", "so does GAT", between["GAT"])

# %% [markdown]
# LightGCN beats BPR, which learns by the same loss. EASE, a closed form, beats LightGCN; Shen et al. report that of GF-CF on Amazon's books. One small, dense data set, one seed, little tuning (longer training lifts GraphSAGE and GAT, not past BPR): show the closed forms.
#
# ## Keep the answer out of the graph
#
# **GraphSAGE** replaces fixed weights by learnt ones: own vector times one matrix, plus the *mean* of the neighbours' times another, then an activation. **GAT** replaces the mean by attention (lesson 07) over the neighbours. Ours start all users alike: a user is nothing but its edges.
#
# An edge along which messages pass (**message edge**) tells both ends about each other. If the same like is what the step should predict (**supervision edge**), a network reads it off. So each step of `models.GraphSAGE` learns 30 % of the likes and takes them out of the messages.

# %%
messages, supervision = graph.split_messages(likes, 0.3, draw)
print(f"{len(messages):,} likes carry messages, {len(supervision):,} are learnt from")
found = graph.message_leak(graph.bipartite_edges(messages), supervision)
claim("13.apart", "no like does both", found is None)

# %% [markdown]
# Test likes must never pass a message, in training or at serving. Guess what they are worth in NDCG@10 if they do.
#
# ### Exercise 13.4 - leaked_pairs  |  stretch  |  8 min
#
# **In:** `edges`, `[2, n_edges]`; `users`, `items`, int `[n]`, the held-out likes; `n_users`. **Out:** bool `[n]`: is this like among the edges, in *either* direction?


# %%
def leaked_pairs(edges: Tensor, users: Tensor, items: Tensor, n_users: int) -> Tensor:
    """Which held-out likes are edges, in either direction: `[2, n_edges]`, int `[n]` twice to bool `[n]`."""
    ### BEGIN SOLUTION
    there = set(map(tuple, edges.T.tolist()))
    pairs = zip(users.tolist(), (items + n_users).tolist(), strict=True)
    return torch.tensor([(u, i) in there or (i, u) in there for u, i in pairs], dtype=torch.bool)
    ### END SOLUTION


check(leaked_pairs)


# %%
def joined(*parts: data.Interactions) -> data.Interactions:
    """The likes of several tables in one."""
    users, items = (torch.cat([getattr(part, side) for part in parts]) for side in ("users", "items"))
    return data.Interactions.from_events(users, items, n_users=n_users, n_items=ratings.n_items)


everything = joined(likes, split.test)
judges = split.test.users.unique()


def listed(scores: Tensor, name: str) -> float:
    """NDCG@10 of these scores `[n_judges, n_items]`, films of the training left out."""
    lists = scores.masked_fill(split.train.dense(judges), -torch.inf).topk(10).indices
    return metrics.judge(lists, split.train, split.test, judges, name).mean("ndcg")


# %%
trained = lights.nodes_.detach().cpu()
gains = {}
for name, events in {"honest": likes, "leaky": everything}.items():
    passed = graph.normalised_adjacency(graph.bipartite_edges(events), n_nodes)
    z = graph.propagate(passed, trained, 2)
    closed = models.GFCF().fit(events)
    gains[name] = listed(z[judges] @ z[n_users:].T, name), listed(closed.scores(judges), name)
leaky = graph.bipartite_edges(everything)
claim(
    "13.clean",
    "the detector passes the honest graph",
    graph.message_leak(edges.cpu(), split.test) is None,
)
claim("13.caught", "and catches the leaky one", graph.message_leak(leaky, split.test) is not None)
print(graph.message_leak(leaky, split.test))
claim_value("13.leak-honest", gains["honest"][0], 0.344, 0.012, "NDCG@10 of LightGCN, honest")
claim_value(
    "13.leak", gains["leaky"][0], 0.382, 0.015, "the same weights, test edges in the propagation"
)
claim_value("13.leak-closed", gains["leaky"][1], 0.59, 0.02, "NDCG@10 of GF-CF with test edges")

# %% [markdown]
# The same trained weights gain 0.04 without learning anything; the closed form goes from 0.35 to 0.59: a lead that would win the table above and vanish in production. Such a leak hides in "build the graph from all ratings, then split".
#
# **Neighbours by the million.** A hub on a real platform has 10⁶ edges, and three layers of full neighbourhoods touch everything. GraphSAGE *samples*: `n` neighbours, with replacement, each equally likely. The mean of the sample then has the whole mean as its expectation: it is **unbiased**, but noisy.
#
# ### Exercise 13.5 - sample_neighbours  |  stretch  |  10 min
#
# **In:** `edges`, `[2, n_edges]`; `node`; `n`; a `generator`. **Out:** int `[n]`, sources of edges that end in `node`; empty if there is none.


# %%
def sample_neighbours(edges: Tensor, node: int, n: int, generator: torch.Generator) -> Tensor:
    """Draw n neighbours of a node with replacement, all alike: int `[2, n_edges]` to `[n]`, `[0]` without any."""
    ### BEGIN SOLUTION
    neighbours = edges[0][edges[1] == node]
    if not len(neighbours):
        return neighbours
    return neighbours[torch.randint(len(neighbours), (n,), generator=generator)]
    ### END SOLUTION


check(sample_neighbours)

# %%
busy = likes.ptr.diff().argmax()  # the user with most likes
values = likes.item_counts().float().log1p()  # something that films differ in
whole = values[likes.items[likes.users == busy]].mean()
spread, off = {}, {}
for n in (2, 8, 32):
    drawn = graph.sample_neighbours(edges.cpu(), busy.expand(5000), n, draw) - n_users  # [5000, n]
    means = values[drawn].mean(dim=1)
    spread[n] = means.std()
    off[n] = (means.mean() - whole).abs() / (spread[n] / 5000**0.5)  # in standard errors
claim("13.unbiased", "5,000 samples of 2, 8, 32: within 4 standard errors", max(off.values()) < 4)
claim_value("13.noise", spread[2] / spread[32], 4, 0.3, "noise of 2 neighbours over that of 32")

# %% [markdown]
# Sixteen times the neighbours, a quarter of the noise. (Behind an activation unbiasedness is lost: the mean of a bent value is not the bent mean.)
#
# ## Attach what is new
#
# LightGCN is **transductive**: a vector a node, and a node that was not there has none. A *user* can still be attached: it takes what its films pass on. GraphSAGE is **inductive**: it computes a vector from features and edges. Predict the three films for somebody who liked Alien and Aliens, and what an unknown id gets:

# %% tags=["nbval-ignore-output"]
sage = networks[0]
fan = data.Interactions.from_events(
    [0, 0], [titles.index("Aliens (1986)"), titles.index("Alien (1979)")]
)
fan = data.Interactions.from_events(
    fan.users, fan.items, n_users=2, n_items=ratings.n_items
)  # user 1: nothing
for model in (lights, sage):
    scores = model.scores(torch.tensor([0]), history=fan)[0]
    scores[fan.items] = -torch.inf
    print(f"{type(model).__name__:10}", [titles[film] for film in scores.topk(3).indices])
try:
    sage.recommend(torch.tensor([n_users]))
except ValueError as error:
    print("an unknown id:", error)

# %%
empty = lights.scores(torch.tensor([1]), history=fan)[0]
together = torch.corrcoef(torch.stack([empty, likes.item_counts().float()]))[0, 1]
claim(
    "13.empty", "LightGCN, empty history: scores follow popularity (correlation > 0.5)", together > 0.5
)
twins = sage.scores(torch.tensor([1, 1]), history=fan)
claim("13.empty-sage", "GraphSAGE: the same list for every such user", torch.equal(*twins))

# %% [markdown]
# Users without edges: LightGCN's get the mean user's list. GraphSAGE's share one list that hardly any step trained; serve the popular list instead. A duplicate edge counts once.
#
# **A new user, honestly.** A tenth of the users is withheld from training. Afterwards 80 % of their ratings are attached, the rest judges. Guess LightGCN's NDCG@10: nearer the popular list's or nearer the 0.34 of users it knows?

# %%
strangers = data.cold_user_split(ratings, 0.1)
parts = data.random_split(strangers.held_out)  # .train is attached, .test judges
them = parts.test.users.unique()
attached = {}
for model in (models.LightGCN(**SETTINGS), models.EASE(), models.Popularity()):
    scores = model.fit(strangers.train).scores(them, history=parts.train)
    lists = scores.masked_fill(parts.train.dense(them), -torch.inf).topk(10).indices
    judged = metrics.judge(lists, parts.train, parts.test, them, type(model).__name__)
    attached[judged.model] = judged.per_user["ndcg"]
gap = metrics.paired_bootstrap(attached["LightGCN"], attached["Popularity"])
print(len(them), "new users")
claim("13.new-user", "attached users: LightGCN beats the popular list, 95 %", gap.low > 0)
claim_value("13.new-user-ndcg", attached["LightGCN"].mean(), 0.337, 0.015, "NDCG@10, LightGCN")
claim_value("13.new-user-ease", attached["EASE"].mean(), 0.353, 0.01, "EASE")
claim_value("13.new-user-popular", attached["Popularity"].mean(), 0.162, 0.01, "popular list")

# %% [markdown]
# New users are served almost as well as known ones, without one step of training; EASE can do that too. (Other users and other films to find: compare the numbers loosely.)
#
# **New films** are harder: in LightGCN, a film without edges keeps a vector that was only ever a negative. GraphSAGE can use what is known *about* a film.
#
# **Side information.** RecBole ships MovieLens 100K with a **knowledge graph**: 91,631 facts (Freebase: actors, genres, writers), and links from films to its entities. Ten per cent of the films are withheld. GraphSAGE gets each film's facts as features (32 numbers by singular value decomposition). Beside it: the facts *shuffled* among the films, twice, MovieLens's own genres and decades, and no features at all. Guess the order.

# %%
knowledge = data.knowledge_graph(movies)
print(knowledge)
facts = knowledge.neighbours()  # [n_items, n_entities]
shared = np.asarray(facts.sum(axis=0)).ravel()
facts = facts[:, shared > 1].multiply(np.log(ratings.n_items / shared[shared > 1])).tocsr()
left, size, _ = svds(facts, 32, v0=np.ones(min(facts.shape), dtype=np.float32))
described = torch.from_numpy((left * size).astype(np.float32))
described = described / described.std()
names = sorted({genre for row in movies.items["genres"] for genre in row})
genres = torch.tensor([[name in row for name in names] for row in movies.items["genres"]]).float()
years = torch.from_numpy(movies.items["year"].fillna(1990).to_numpy(dtype=np.int64))
decades = F.one_hot((years - 1920).div(10, rounding_mode="floor").clamp(0, 7)).float()
FEATURES = {"facts": described, "genres and decade": torch.cat([genres, decades], dim=1)}
FEATURES["nothing"] = None
for seed in range(2):
    order = torch.randperm(len(described), generator=torch.Generator().manual_seed(10 + seed))
    FEATURES[f"facts, shuffle {seed + 1}"] = described[order]

# %% [markdown]
# **Judged by** AUC a film: do those who liked this cold film score it above those who did not, measured against their other cold films? 0.5 is chance. (NDCG would depend on whether the few popular ones come first.) Half of each film's fans are kept aside for later.

# %% tags=["nbval-ignore-output"]
cold = data.cold_item_split(ratings, 0.1)
new, everyone = cold.held_out.items.unique(), torch.arange(n_users)
halves = data.random_split(cold.test, 0.5)
first, later = (part.dense(everyone)[:, new] for part in (halves.train, halves.test))
films = (later.sum(dim=0) >= 5).nonzero()[:, 0].tolist()


def taste_auc(model: models.GraphSAGE) -> Tensor:
    """AUC of each cold film among its later fans and those who are no fans: `[n_films]`."""
    scores = model.scores(everyone)[:, new]
    scores = scores - scores.mean(dim=1, keepdim=True)  # a user's taste, not a user's level
    rest = ~first
    pairs = [(scores[rest[:, film], film], later[rest[:, film], film]) for film in films]
    return torch.tensor([metrics.auc(*pair) for pair in pairs])


sages, per_film = {}, {}
for name, features in FEATURES.items():
    sages[name] = models.GraphSAGE(item_features=features, epochs=40).fit(cold.train)
    per_film[name] = taste_auc(sages[name])
found = {name: metrics.bootstrap(values) for name, values in per_film.items()}
pd.DataFrame(found, index=["AUC", "low", "high"]).T.round(3).rename_axis(f"{len(films)} cold films")

# %%
gap = metrics.paired_bootstrap(per_film["genres and decade"], per_film["facts"])
claim("13.genres", "genres and decade beat the facts, beyond the interval over films", gap.low > 0)
shuffles = [found[name].mean for name in FEATURES if "shuffle" in name]
best = max(shuffles) >= found["facts"].mean
claim("13.facts", "some shuffle does at least as well as the facts", best)

# %% [markdown]
# 91,631 facts do no better than shuffled ones. (Intervals are over films; each row is one training, so chance goes beyond them.) Why? Ask the facts what you already know: does a sequel share a word with its film's title, do films that share two Freebase genres share a MovieLens genre?

# %%
film = {entity: item for item, entity in enumerate(knowledge.items.tolist()) if entity >= 0}
is_sequel = knowledge.relations == knowledge.relation_names.index("film.film.sequel")
pairs = zip(knowledge.heads[is_sequel].tolist(), knowledge.tails[is_sequel].tolist(), strict=True)
sequels = [(titles[film[a]], titles[film[b]]) for a, b in pairs if a in film and b in film]
for before, after in sequels[:5]:
    print(before, "is followed by", after)
words = [[set(re.findall("[a-z]{4,}", title.lower())) for title in pair] for pair in sequels]
claim_value("13.sequels", len(sequels), 57, 0, "sequels of which both films are linked")
claim_value("13.sequel-words", sum(bool(a & b) for a, b in words), 0, 0, "share a longer word")

# %%
known = (knowledge.items >= 0).numpy()
about = knowledge.relations == knowledge.relation_names.index("film.film.genre")
columns = knowledge.tails[about].unique().numpy()
told = knowledge.neighbours()[:, columns][known]  # [linked, genres there]
close = np.triu((told @ told.T).toarray() > 1, 1)  # pairs with two of them in common
agree = (genres @ genres.T > 0).numpy()[known][:, known]
mixed = np.random.default_rng(0).permutation(known.sum())
claim_value("13.agree", agree[close].mean(), 0.35, 0.01, "of such pairs share a MovieLens genre")
claim_value("13.agree-mixed", agree[mixed][:, mixed][close].mean(), 0.35, 0.01, "the same, shuffled")

# %% [markdown]
# Nobody follows King of the Hill with Tom & Viv. The links carry no more about these films than shuffled ones: **most must be wrong**. Likely cause: they use the film numbers of a later MovieLens. (A user of RecBole's data reports that Titanic, 313 here, is linked to The Swan Princess, 313 there.) That is no verdict on knowledge graphs, only on this file. Nothing crashes; a model with "knowledge" trains well. Before you model side information, test that it knows what you already know.
#
# **A new film's first fans.** Now attach those kept aside: edges only, no training. Guess which gains, the model with genres or the one with nothing.

# %%
after = {}
for name in ("genres and decade", "nothing"):
    after[name] = taste_auc(sages[name].rewire(joined(cold.train.positives(), halves.train)))
gap = metrics.paired_bootstrap(after["genres and decade"], per_film["genres and decade"])
claim("13.first-fans", "with genres: first fans raise the AUC, beyond the interval", gap.low > 0)
claim_value("13.genres-before", per_film["genres and decade"].mean(), 0.60, 0.03, "AUC before")
claim_value("13.genres-after", after["genres and decade"].mean(), 0.67, 0.03, "AUC with first fans")
claim("13.bare-edges", "with nothing: below chance", metrics.bootstrap(after["nothing"]).high < 0.5)

# %% [markdown]
# A film with features gains from its first fans. Without features it falls *below* chance (so it did with two more seeds of the model): in training, every film with fans also had a vector of its own, and these layers rely on it. "Inductive" is a property of the code; whether it works has to be trained for and measured.
#
# ## Spot the bug
#
# "A graph neural network scores a user and a film." Three lines are wrong. Mark them before you run on.


# %%
def circulating_network(users: Tensor, items: Tensor, n_users: int, n_items: int):
    """Scores of pairs from the likes (users, items), each int `[n_likes]`."""
    table = nn.Embedding(n_users, n_items)  # a vector for each node
    layer = geometric.SAGEConv(n_items, 32)
    edges = torch.stack([users, items])
    pool = torch.mean  # the program that circulates says GlobalPool

    def forward(pairs: Tensor) -> Tensor:
        nodes = layer(table.weight, edges).relu()
        whole = pool(nodes, dim=0)  # [32]
        return (whole * whole).sum().expand(len(pairs))

    return forward, table


review.show(circulating_network)

# %%
suspects = []  # for example [2]
review.mark(circulating_network, suspects)

# %% [markdown]
# Guess each symptom, then measure: the shape of the table; how many different scores 100 pairs get; how many likes point at the wrong node.

# %%
with torch.random.fork_rng():
    torch.manual_seed(5)
    small = likes.select(likes.items < n_users)  # or it crashes: an item number beyond the table
    forward, table = circulating_network(small.users, small.items, n_users, ratings.n_items)
claim("13.counts", "the table: users x films; no film has a row", table.weight.shape == (943, 1682))
with torch.no_grad():
    scores = forward(torch.zeros(100, 2))
claim_value("13.one-score", len(scores.unique()), 1, 0, "different scores of 100 pairs")
crash = int((likes.items >= n_users).sum())
claim("13.crash", "some likes name a film beyond the table, which is an error", crash > 0)
claim("13.collide", "every other like points at a user", (small.items < n_users).all())
claim("13.no-pool", "GlobalPool is no name there", not hasattr(geometric, "GlobalPool"))

# %% [markdown]
# The circulating program has four more: float features handed to an embedding, no negatives, no split of the edges, no answer for a user without edges. Pooling is right for one label a *graph* (is this molecule toxic?), not for a link.
#
# **Your review, in a sentence a line:**
#
# ### BEGIN SOLUTION
# Line 3 takes two counts for rows and length: films have no row. Line 5 adds no offset and no way back, so films collide with users. Line 10 makes one vector of the whole graph: every pair gets the same score.
# ### END SOLUTION

# %% [markdown]
# ## Interview room
#
# Speak for two minutes before you follow the link to the model answer; then grade yourself with the rubric: about five minutes a question. One or two today are enough.

# %% [markdown] tags=["question"]
# N01 N02 N03 N04 N05

# %% [markdown]
# **Say it in 30 seconds:** "What does one layer add to matrix factorisation?"
#
# ### BEGIN SOLUTION
# A user's vector becomes a mix of its own and its films' vectors, weighted by degree. So one like moves everybody near it, which helps users and films with few edges. It adds no parameter. Too many layers average everything into popularity.
# ### END SOLUTION
#
# **Estimate:** 10⁸ users, 10⁷ films, 10¹⁰ likes, dim 64, float32. How large is the table? What does one layer read?
#
# ### BEGIN SOLUTION
# 1.1 x 10⁸ nodes x 64 x 4 bytes = 28 GB, three times that with Adam. A layer reads a row for each of the 2 x 10¹⁰ edges: 256 bytes each, 5 TB. So: sample neighbours, partition the graph, or compute closed-form item vectors offline.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - Likes are edges, twice; item i is node n_users + i; weights 1/√(d d').
# - LightGCN is matrix factorisation after a mean of powers of a symmetric matrix. Its backward pass is its forward pass.
# - Two layers help, four over-smooth: watch coverage and cosine, not NDCG alone.
# - Message edges and supervision edges are kept apart; test edges are neither.
# - Show EASE, IALS and GF-CF beside every graph network. Audit side information before you trust it.
#
# **Pitfalls and myths**, all commonly seen. *"Deeper is better."* Two or three. *"Build the graph, then split."* Split, then build. *"Pool the nodes"* for a link: nothing is left to rank. *"A graph network solves cold start"*: a user needs an edge; a film here needed features first. *"PyTorch Geometric normalises"*: yes; hand it a normalised matrix and it does so again.
#
# **Go further.** He et al., *LightGCN* (SIGIR 2020). Shen et al., *How powerful is graph convolution for recommendation?* (CIKM 2021): LightGCN as a low-pass filter. Hamilton et al., *GraphSAGE* (NeurIPS 2017). Ying et al., *PinSage* (KDD 2018): sampling at three billion nodes.
#
# **Next:** type `recsys-course next` in a terminal.

# %% [markdown] tags=["teacher"]
# **For teachers.** 50 minutes: 13.1, 13.3, the experiment, the bug. 90 minutes: add 13.2, the leak and one question in pairs. Watch for: the missing offset in 13.1, the last layer instead of the mean in 13.3. Grading: 13.1 25 %, 13.2 20 %, 13.3 35 %, the bug 20 %.
#
# Discuss: which of the closed forms could serve a user who arrived a minute ago? Why do random splits flatter models that smooth? How would you repair the links of the knowledge graph, and how would you know that you had?
