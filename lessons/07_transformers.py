# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# course:
#   title: Read a history with attention
#   level: intermediate
#   minutes_read: 25
#   minutes_do: 65
#   cpu_seconds: 30
#   ram_mb: 900
#   requires: ["04", "05"]
#   articles: ["000-Q1", "001-§3.1", "001-§4.2", "001-§5"]
#   builds: attention, masks, heads and a key-value cache equal to torch's own, and a Transformer that names the next film
# ---

# %% [markdown]
# # 07 Read a history with attention
#
# ## The interview moment
#
# *"A user liked 200 films. Your Transformer reads them in order. Why does it divide by a root, who may look at whom, and what does film 201 cost?"*
#
# A typical weak answer: "The root makes the weights sum to one. A Transformer has an encoder and a decoder. Film 201 costs another pass." Three sentences, three mistakes; you will measure all of them.
#
# **You will be able to** write masked attention and several heads, equal to torch's to 1e-5; derive the root; find a leak of the future; choose between three machines; count parameters and operations; decode with a cache.
#
# **Your first evening?** Do exercise 7.1, read *The experiment*, do *Spot the bug*, then answer question E05 aloud.

# %%
import timeit
from functools import partial

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from recsys_course import attention, claim, claim_value, data, metrics, models, plots
from recsys_course.exercises.l07 import COST, READS, check, hint, review, solution  # noqa: F401

torch.set_num_threads(1)  # small steps: a second thread would mostly wait
movies = data.movielens()
ratings, titles = movies.ratings, movies.titles
split = data.frozen_split(ratings, "last")
print(split)

# %% [markdown]
# **Warm-up** (after lessons 04 and 05). Answer before you unfold:
#
# 1. Softmax of the scores 0, 0 and log 2? <details><summary>answer</summary>1/4, 1/4, 1/2: powers of e, divided by their sum.</details>
# 2. Two vectors of length 1: what is their inner product? <details><summary>answer</summary>Their cosine.</details>
# 3. Two towers average a user's films. What is lost? <details><summary>answer</summary>The order, and which film matters for which candidate.</details>
#
# Now commit to a guess. One vector of random numbers (normal, variance 1) meets 64 others; softmax turns the 64 inner products into weights. How large is the *largest* weight, on average, when the vectors have 8 numbers, and when they have 512?

# %%
prediction = {8: "?", 512: "?"}  # a share between 1/64 and 1

# %% [markdown]
# ## Let films look at each other
#
# An **embedding table** turns film number $i$ into its row $i$, a learnt vector: the same as a row of zeros with a single 1 times the table, without the multiplication. **Attention** lets rows read rows. Each row asks a *query* ("what am I looking for?"), offers a *key* ("how am I found?") and hands over a *value* ("what do I tell?"):
#
# $$\operatorname{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right)V$$
#
# $Q$, $K$ and $V$ hold a query, a key and a value a row; $d$ is the length of a query. By hand: the query is (1, 1, 1, 1), so $d = 4$. Two keys: (1.1, 0, 0, 1.1) and zeros. Scores 2.2 and 0, halved 1.1 and 0. $e^{1.1} \approx 3$, so the weights are 3/4 and 1/4. Values 8 and 4 mix to 7.

# %%
weights = torch.tensor([2.2, 0.0]).div(4**0.5).softmax(dim=0)
print(weights, "mixed:", weights @ torch.tensor([8.0, 4.0]))

# %% [markdown]
# A **mask** says which keys a query may see: hidden scores become very low *before* the softmax, so that the rest still sums to 1.
#
# ### Exercise 7.1 - masked_attention  |  medium  |  10 min
#
# **In:** `queries`, float `[batch, n, dim]`; `keys`, `[batch, m, dim]`; `values`, `[batch, m, dim_v]`; `mask`, bool `[batch, n, m]`, True = may look. **Out:** mixed values `[batch, n, dim_v]` and weights `[batch, n, m]`. A row that may look nowhere gives zeros. *Why it matters in interviews:* the most frequent coding task on Transformers.


# %%
def masked_attention(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Mixed values `[batch, n, dim_v]` and weights `[batch, n, m]`; a row that may look nowhere gives zeros."""
    ### BEGIN SOLUTION
    scores = queries @ keys.transpose(1, 2) / queries.shape[2] ** 0.5  # [batch, n, m]
    lowest = torch.finfo(scores.dtype).min
    weights = scores.masked_fill(~mask, lowest).softmax(dim=2).masked_fill(~mask, 0)
    return weights @ values, weights
    ### END SOLUTION


check(masked_attention)

# %% [markdown]
# Now real films. Vectors come from lesson 04's `IALS` (64 numbers, brought to one length), and each serves as query, key and value; a mask hides each film from itself. At whom will The Lion King look most? And what changes without the root?

# %%
NAMES = ("Toy Story", "Lion King", "Aladdin", "Alien (", "Terminator, The", "Blade Runner")
NAMES += ("Godfather, The", "Pulp Fiction", "Fargo")
nine = torch.tensor([next(i for i, title in enumerate(titles) if title.startswith(n)) for n in NAMES])
short = [titles[film].split(" (")[0].removesuffix(", The") for film in nine.tolist()]
vectors = models.IALS().fit(split.train).item_factors_[nine]
vectors = 8 * F.normalize(vectors - vectors.mean(0), dim=1)  # length 8, the root of 64
not_itself = ~torch.eye(9, dtype=torch.bool)
_, with_root = attention.attention(vectors, vectors, vectors, not_itself)
_, without_root = attention.attention(8 * vectors, vectors, vectors, not_itself)  # takes it back


def draw(panel, weights: Tensor, title: str) -> None:
    """Weights `[n, n]` as a picture: row looks at column."""
    panel.figure.colorbar(panel.imshow(weights, "cividis", vmin=0, vmax=1), ax=panel, label="weight")
    panel.set_xticks(range(len(short)), short, rotation=60, ha="right", fontsize=8)
    panel.set_yticks(range(len(short)), short, fontsize=8)
    panel.set(title=title, xlabel="is looked at", ylabel="looks")


figure, panels = plots.axes(10, 4.2, columns=2)
draw(panels[0], with_root, "divided by the root of 64")
draw(panels[1], without_root, "not divided")
finding = "Divided by the root, most films spread their weight: Toy Story over two cartoons, Godfather and Fargo. "
plots.show(figure, alt=finding + "Not divided, most rows are one bright cell.")

# %%
favourite = {short[row]: short[int(with_root[row].argmax())] for row in range(9)}
print(favourite)
claim("07.lion-king", "The Lion King looks at Aladdin most", favourite["Lion King"] == "Aladdin")
claim("07.alien", "Alien looks at Blade Runner most", favourite["Alien"] == "Blade Runner")
alone = [int((weights.amax(1) > 0.98).sum()) for weights in (with_root, without_root)]
claim_value("07.rows-root", alone[0], 2, 0, "rows of nine with over 0.98 on one film, with the root")
claim_value("07.rows-no-root", alone[1], 7, 1, "rows of nine with over 0.98 on one film, without it")

# %% [markdown]
# Nobody told the vectors about genres: people who like one like the other. (Not genre alone: Toy Story looks at Fargo.) Without the root, seven of nine films hear little but one other film.
#
# Two masks matter. **Causal:** position $t$ sees positions up to $t$, or it could copy the film it should guess. **Padding:** in a batch short histories are filled up, and filler must not be looked at. Recommenders often fill *in front*, so that the last place is always the newest film.
#
# ### Exercise 7.2 - sequence_mask  |  easy  |  7 min
#
# **In:** `lengths`, int `[batch]`, how many films each row has, at its end; `length`, films and filler together. **Out:** bool `[batch, 1, length, length]`, True where row may look at column (the axis of size 1 serves all heads). Filler rows see nothing. *Why it matters in interviews:* a wrong axis here crashes nothing (question E10).


# %%
def sequence_mask(lengths: Tensor, length: int) -> Tensor:
    """Who may look at whom, causal, padding in front: int `[batch]` to bool `[batch, 1, length, length]`."""
    ### BEGIN SOLUTION
    past = torch.ones(length, length, dtype=torch.bool).tril()
    real = torch.arange(length) >= length - lengths.unsqueeze(1)  # [batch, length]
    return past & real[:, None, None, :]
    ### END SOLUTION


check(sequence_mask)

# %% [markdown]
# Filler in front may look nowhere: its rows are *fully masked*. What comes out, NaN, 0 or something else? Guess for a bare softmax over $-\infty$, for `attention.attention`, for torch's `scaled_dot_product_attention` (SDPA) and for `nn.MultiheadAttention`.

# %%
generator = torch.Generator().manual_seed(0)
q, k, v = (torch.randn(2, 5, 8, generator=generator) for _ in range(3))  # [batch, length, dim]
causal = attention.causal_mask(5)
real = attention.padding_mask(torch.tensor([5, 3]), 5)[:, 0]  # filler at the end: [batch, 1, length]
front = causal & real.flip(2)  # filler in front: [batch, length, length]
masks = (causal, real, front)
gaps = [attention.attention(q, k, v, m)[0] - F.scaled_dot_product_attention(q, k, v, m) for m in masks]
equal = torch.stack(gaps).abs().max() < 1e-5
claim("07.sdpa", "attention equals SDPA to 1e-5: causal, padding, both", equal)
bare = (q @ k.mT / 8**0.5).masked_fill(~front, -torch.inf).softmax(2) @ v
claim("07.row-bare", "a fully masked row of a bare softmax is NaN", bare[1, 0].isnan().all())
sdpa = F.scaled_dot_product_attention(q, k, v, front)
claim("07.row-sdpa", "the same row of SDPA is 0", (sdpa[1, 0] == 0).all())
theirs = nn.MultiheadAttention(8, 1, batch_first=True).eval()
shown, quiet = (theirs(q, k, v, attn_mask=~front, need_weights=need)[0] for need in (True, False))
claim("07.row-mha", "nn.MultiheadAttention: NaN when it returns its weights", shown[1, 0].isnan().all())
claim("07.row-mha-quiet", "nn.MultiheadAttention: no NaN otherwise", not quiet.isnan().any())

# %% [markdown]
# One row: NaN or 0, and one torch module gives either. Older versions of SDPA gave NaN as well, so test yours. Beware: `nn.MultiheadAttention` and `nn.Transformer` take True for "must *not* look", hence the `~`.
#
# How do you find a leak? Change one input and see which outputs move.
#
# ### Exercise 7.3 - reads  |  stretch  |  10 min
#
# **In:** `model`, a function from float `[length, dim]` to `[length, out]`; `x`, one input. **Out:** bool `[length, length]`, True at `[t, s]` if output t moves by more than 1e-5 when row s of x changes. Two traps: rounding, and models that remove a constant.


# %%
def reads(model, x: Tensor) -> Tensor:
    """Whether output t moves when input s does: a function, float `[length, dim]` to bool `[length, length]`."""
    ### BEGIN SOLUTION
    before, columns = model(x), []
    for place in range(len(x)):
        changed = x.clone()
        changed[place] += torch.arange(1, x.shape[1] + 1)  # uneven: a layer norm removes a constant
        columns.append(((model(changed) - before).abs() > 1e-5).any(dim=1))
    return torch.stack(columns, dim=1)
    ### END SOLUTION


check(reads)

# %% [markdown]
# ## The experiment
#
# **Why a root?** Let the $d$ components of $q$ and $k$ be independent, mean 0, variance 1. Each product $q_j k_j$ then has variance 1, so $q^\top k$ has variance $d$: scores of size $\sqrt{d}$. Divided by it they keep size 1.
#
# **Hypothesis.** Without the root, attention becomes a choice of one key as $d$ grows, and the slope (gradient) that reaches the scores vanishes. **Protocol.** Normal vectors, $d$ = 8 to 512, 500 queries, 64 keys, with and without the root, five seeds, 95 % intervals. The *entropy* of the weights $p$, $-\sum p \log p$, is $\log 64$ = 4.16 when all share alike, 0 when one takes all. **What would change my mind?** Flat curves.


# %%
def observe(dim: int, root: bool, seed: int) -> dict[str, float]:
    """What a softmax makes of random scores, and how much slope comes back through it."""
    generator = torch.Generator().manual_seed(seed)
    queries, keys = (torch.randn(n, dim, generator=generator) for n in (500, 64))
    values = torch.randn(64, generator=generator)
    scores = (queries @ keys.T / (dim**0.5 if root else 1)).requires_grad_()
    weights = scores.softmax(dim=1)  # [500, 64]
    (slope,) = torch.autograd.grad((weights @ values).sum(), scores)
    entropy = -torch.xlogy(weights, weights).sum(1).mean()
    found = scores.std(), entropy, weights.amax(1).mean(), slope.norm(dim=1).median()
    names = ("score", "entropy", "largest weight", "slope")
    return {name: value.item() for name, value in zip(names, found, strict=True)}


LOOKS = (True, "#0072B2", "with the root", 128), (False, plots.HIGHLIGHT, "without", 16)
DIMS, SEEDS = (8, 16, 32, 64, 128, 256, 512), range(5)
rows = [{"root": r, "d": d, **observe(d, r, s)} for r in (True, False) for d in DIMS for s in SEEDS]
grouped = pd.DataFrame(rows).groupby(["root", "d"])
mean, margin = grouped.mean(), 2.776 * grouped.std() / len(SEEDS) ** 0.5  # Student's t, four degrees
with_, without = mean.loc[True], mean.loc[False]
display(without.round(4).rename_axis("without the root, d"))

# %%
figure, panels = plots.axes(10, 3.2, columns=2)
for panel, what in zip(panels, ("entropy", "slope"), strict=True):
    for root, ink, name, d in LOOKS:
        line, off = mean.loc[root][what], margin.loc[root][what]
        panel.plot(DIMS, line, "o-", color=ink)
        panel.fill_between(DIMS, (line - off).clip(lower=1e-4), line + off, color=ink, alpha=0.3)
        panel.annotate(name, (d, line[d]), xytext=(0, 9), textcoords="offset points", color=ink)
    panel.set(xscale="log", xlabel="d", xticks=DIMS, xticklabels=DIMS)
    panel.minorticks_off()
panels[0].set(ylabel="entropy, log 64 = 4.16", ylim=(0, 4.3), title="how widely a query looks")
panels[1].set(ylabel="median slope", yscale="log", ylim=(8e-4, 0.7), title="what it can learn from")
finding = "With the root, entropy stays near 3.7 and the slope level at every d. Without it, entropy falls from "
plots.show(figure, alt=finding + "2.1 at d = 8 to 0.2 at d = 512, and the slope to a hundredth.")
claim_value("07.score-512", without["score"][512], 22.6, 1.0, "size of a score at d = 512, no root")
claim_value("07.entropy-root", with_["entropy"][512], 3.68, 0.05, "entropy at d = 512 with the root")
claim_value("07.entropy-8", without["entropy"][8], 2.1, 0.15, "entropy at d = 8 without the root")
claim_value("07.entropy-512", without["entropy"][512], 0.2, 0.1, "entropy at d = 512 without the root")
claim_value("07.largest-512", without["largest weight"][512], 0.93, 0.04, "largest weight there")
faded = without["slope"][512] / with_["slope"][512]
claim("07.slope", "the median slope at d = 512 is under a fiftieth without the root", faded < 0.02)
level = with_["slope"].max() / with_["slope"].min()
claim("07.slope-root", "with the root it stays within a fifth over all d", level < 1.2)
for d, guess in prediction.items():
    print(f"d = {d}: you said {guess}, without the root {without['largest weight'][d]:.2f}")

# %% [markdown]
# The hypothesis stands. At $d = 512$ half of the queries get about a hundredth of the slope, or less: they hardly learn to look elsewhere. At $d = 8$ no slope is lost yet. Fine print: this is the start of a training, with independent components; learnt vectors may grow large with any divisor. And the weights sum to 1 either way: that is the softmax's doing.
#
# ## Build three machines
#
# One softmax makes one choice. **Heads** are several attentions side by side, each on `dim / n_heads` of the numbers, so for the same cost.
#
# ### Exercise 7.4 - multi_head  |  medium  |  10 min
#
# **In:** `x`, float `[batch, length, dim]`; the matrices `queries`, `keys`, `values`, `output`, `[dim, dim]` each, used as `x @ queries`; `n_heads`; `mask`, bool `[batch, 1, length, length]`. **Out:** `[batch, length, dim]`. SDPA is allowed; head 1 takes the first `dim / n_heads` numbers. *Why it matters in interviews:* one missing transpose, same shape, wrong numbers.


# %%
def multi_head(
    x: Tensor, queries: Tensor, keys: Tensor, values: Tensor, output: Tensor, n_heads: int, mask: Tensor
) -> Tensor:
    """Several heads side by side: float `[batch, length, dim]`, four `[dim, dim]`, to `[batch, length, dim]`."""
    ### BEGIN SOLUTION
    batch, length, dim = x.shape
    parts = [x @ weights for weights in (queries, keys, values)]
    heads = [part.view(batch, length, n_heads, dim // n_heads).transpose(1, 2) for part in parts]
    mixed = F.scaled_dot_product_attention(*heads, mask)  # [batch, n_heads, length, dim / n_heads]
    return mixed.transpose(1, 2).reshape(batch, length, dim) @ output
    ### END SOLUTION


check(multi_head)

# %% [markdown]
# **Positions.** Attention itself does not know who came first; a learnt vector for each position, added to the film's, tells it. **Blocks.** A block is attention, then a small network (two linear layers) for each row. Both, call them $f$, are *added* to what came in: $x + f(x)$. A layer norm brings each row to mean 0 and variance 1, then applies a learnt scale and shift. *Post-norm* (2017) norms the sum: $\mathrm{norm}(x + f(x))$. *Pre-norm* norms what $f$ reads: $x + f(\mathrm{norm}(x))$.
#
# Two guesses. Shuffle the films in front of the last one, without positions: does its output change if all see all? Under a causal mask, with two blocks? And with twelve blocks and learning rate 0.02, does post-norm or pre-norm learn a toy where each film has one successor?


# %%
def seeded(make, seed: int = 0):
    """What `make()` returns, with its weights drawn from this seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def train_toy(norm_first: bool, seed: int, rate: float = 0.02) -> float:
    """Last loss of twelve blocks that learn in 40 steps which of 50 films follows which."""
    chain = [torch.arange(50), torch.randperm(50, generator=torch.Generator().manual_seed(seed))]
    while len(chain) < 9:
        chain.append(chain[1][chain[-1]])
    chain = torch.stack(chain, dim=1)  # [50, 9], each film and the eight that follow
    table = seeded(lambda: nn.Embedding(50, 32), seed)
    blocks = seeded(lambda: attention.Transformer(32, 2, 12, causal=True, norm_first=norm_first), seed)
    optimizer = torch.optim.Adam([*table.parameters(), *blocks.parameters()], lr=rate)
    for _ in range(40):
        scores = blocks(table(chain[:, :-1])) @ table.weight.T / 32**0.5
        loss = F.cross_entropy(scores.flatten(0, 1), chain[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


# %%
x, order = torch.randn(1, 6, 16, generator=generator), [3, 0, 4, 1, 2, 5]  # the last stays the last
kinds = {"positions": None}, {}, {"positions": None, "causal": True}
made = [seeded(lambda kind=kind: attention.Transformer(16, 2, 2, **kind)) for kind in kinds]
moved = [float((m(x[:, order]) - m(x))[0, -1].detach().abs().max()) for m in made]
claim("07.no-positions", "no mask, no positions: a shuffled history changes nothing", moved[0] < 1e-5)
claim("07.positions", "with positions it does", moved[1] > 1e-2)
claim("07.causal-order", "without positions, two causal blocks notice as well", moved[2] > 1e-2)
losses = {first: [train_toy(first, seed) for seed in range(3)] for first in (True, False)}
print({("pre" if k else "post") + "-norm": [f"{v:.2f}" for v in vs] for k, vs in losses.items()})
claim("07.pre-norm", "toy, 3 seeds: pre-norm always ends below a loss of 1", max(losses[True]) < 1)
claim("07.post-norm", "post-norm never below 3 (guessing: log 50 = 3.9)", min(losses[False]) > 3)
slow = train_toy(False, 0, rate=0.005)
claim("07.post-norm-slow", "a quarter of the rate, one seed: post-norm ends below 1", slow < 1)

# %% [markdown]
# A causal mask tells some order by itself: the second film has read one film, the third two. And at this rate post-norm learns nothing: at the start its gradients are large near the output (Xiong et al.), so it wants a smaller rate or a warm-up. Pre-norm is less delicate.
#
# **Three machines.** An *encoder* (BERT) sees all: it understands what is complete. A *decoder* (GPT, SASRec) sees the past: it writes, or names the next film. An *encoder-decoder* (T5) reads one sequence with an encoder and writes another, looking at its own past and at all that was read. Commonly seen: one diagram with both halves for all three. Sketch, for nine rows, who reads whom in each; then let `reads` draw it.

# %%
kinds = {}, {"causal": True}, {"causal": True, "cross": True}
encoder, decoder, writer = seeded(lambda: [attention.Transformer(16, 2, 2, **kind) for kind in kinds])


def encoder_decoder(x: Tensor) -> Tensor:
    """The first five rows are read, the other four written: `[9, 16]` to the same."""
    memory = encoder(x[None, :5])
    return torch.cat([memory, writer(x[None, 5:], memory=memory)], dim=1)[0]


machines = {"encoder": lambda x: encoder(x[None])[0], "decoder": lambda x: decoder(x[None])[0]}
machines["encoder-decoder"] = encoder_decoder
x = torch.randn(9, 16, generator=generator)
with torch.no_grad():
    reading = {name: READS.reference(machine, x) for name, machine in machines.items()}
claim("07.encoder", "an encoder reads all", reading["encoder"].all())
past = torch.equal(reading["decoder"], attention.causal_mask(9))
claim("07.no-leak", "a decoder: changing the future never changes the past", past)
figure, panels = plots.axes(9, 2.9, columns=3)
for panel, (name, seen) in zip(panels, reading.items(), strict=True):
    panel.imshow(seen, cmap="cividis", vmin=0, vmax=1)
    panel.set(title=name, xlabel="input changed", ylabel="output moves", xticks=[], yticks=[])
finding = "Yellow: read. Encoder: everything. Decoder: the lower triangle. Encoder-decoder: the first five rows "
plots.show(figure, alt=finding + "read each other; the last four read these five and their own past.")

# %% [markdown]
# ### Exercise 7.5 - cost  |  stretch  |  10 min
#
# **In:** `dim`, `hidden` (the small network goes from `dim` to `hidden` and back), `n_layers`, `length`. **Out:** parameters of the blocks (with biases and two norms each, nothing after the last), and operations of their matrix products for one sequence: a multiplication and an addition count 2, and what a mask hides is computed all the same.


# %%
def cost(dim: int, hidden: int, n_layers: int, length: int) -> tuple[int, int]:
    """Parameters of a stack of blocks, and operations of its matrix products for one sequence."""
    ### BEGIN SOLUTION
    parameters = 4 * dim * (dim + 1)  # queries, keys, values, output
    parameters += dim * hidden + hidden + hidden * dim + dim  # the small network
    parameters += 2 * 2 * dim  # two layer norms
    products = length * (4 * dim * dim + 2 * dim * hidden) + 2 * length * length * dim
    return n_layers * parameters, n_layers * 2 * products
    ### END SOLUTION


check(cost)


# %%
def operations(run) -> int:
    """What torch counts while `run` runs, with plain attention: its counter knows no other kernel of the CPU."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        run()
    return counter.get_total_flops()


def parameters(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(weight.numel() for weight in network.parameters())


layer = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.0, batch_first=True, norm_first=True)
stack = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
counted = parameters(stack), operations(lambda: stack(torch.zeros(1, 128, 64)))
claim("07.cost", "parameters and operations: as torch", counted == COST.reference(64, 256, 2, 128))

# %% [markdown]
# **A real one.** A decoder with one block and two heads reads each user's last 50 liked films and guesses the next at every place, by softmax over all films. The table that embeds films also scores them. Filler stands *behind* the films here, where the causal mask hides it; one mask is enough. Guess its NDCG@10, last split: between Random and `Popularity`, between `Popularity` and `EASE`, or above? And will its heads still look at films of the same kind?


# %%
class NextFilm(nn.Module):
    """Reads films in order; what comes out at a place is close to the film that follows."""

    def __init__(self, n_films: int, dim: int = 32) -> None:
        super().__init__()
        self.films = nn.Embedding(n_films + 1, dim)  # the last row is filler
        self.decoder = attention.Transformer(dim, 2, 1, dropout=0.2, causal=True, max_length=50)
        for table in (self.films, self.decoder.positions):
            nn.init.normal_(table.weight, std=0.05)

    def forward(self, films: Tensor) -> Tensor:
        return self.decoder(self.films(films))  # [batch, length, dim]

    def scores(self, read: Tensor) -> Tensor:
        return read @ self.films.weight[:-1].T  # [..., n_films]


likes, FILLER = split.train.positives(), ratings.n_items
histories = likes.items.split(likes.ptr.diff().tolist())  # one tensor for each user, in order of time
batched = partial(nn.utils.rnn.pad_sequence, batch_first=True, padding_value=FILLER)


# %%
def train_next(epochs: int = 10) -> NextFilm:
    """A model that has gone through all histories ten times."""
    model, generator = NextFilm(ratings.n_items), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    rows = batched([films[-51:] for films in histories if len(films) > 1])  # 50 to read, 50 to guess
    for _ in range(epochs):
        for chosen in torch.randperm(len(rows), generator=generator).split(64):
            guessed, target = model.scores(model(rows[chosen, :-1])), rows[chosen, 1:]
            loss = F.cross_entropy(guessed.flatten(0, 1), target.flatten(), ignore_index=FILLER)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


model = seeded(train_next)
users = split.test.users.unique()
recent = [histories[user][-50:] for user in users.tolist()]
last = torch.tensor([max(len(films), 1) - 1 for films in recent])
with torch.no_grad():
    scores = model.scores(model(batched(recent))[torch.arange(len(users)), last])  # [n_users, n_items]
lists = scores.masked_fill(split.train.dense(users), -torch.inf).topk(10).indices

# %% tags=["nbval-ignore-output"]
board = [metrics.judge(lists, split.train, split.test, users, "NextFilm")]
for baseline in (models.Random(), models.Popularity(), models.EASE()):
    board.append(metrics.evaluate(baseline.fit(split.train), split.test))
display(metrics.leaderboard(board).rename_axis("last split, one seed"))
day = (ratings.times[ratings.ptr[1:] - 1] - ratings.times[ratings.ptr[:-1]] < 86_400).float().mean()
busy = (likes.ptr.diff()[users] > 30).nonzero().flatten()[0]
print("has seen:", ", ".join(titles[film] for film in recent[busy][-4:].tolist()))
print("NextFilm:", ", ".join(titles[film] for film in lists[busy][:4].tolist()))

# %%
ndcg = [row.per_user["ndcg"] for row in board]
low = [metrics.paired_bootstrap(ndcg[0], other).low for other in ndcg[1:]]  # Random, Popularity, EASE
claim("07.next-popular", "NextFilm beats Popularity beyond the interval", low[1] > 0)
claim("07.next-ease", "NextFilm does not beat EASE beyond the interval", low[2] <= 0)
claim_value("07.one-day", day, 0.68, 0.01, "share of users who rated everything within a day")
block = model.decoder.blocks[0]
with torch.no_grad():
    vectors = model.films(nine)[None] + model.decoder.positions(torch.arange(9))
    learnt = block.attention.weights(block.norms[0](vectors), attention.causal_mask(9))[0]  # [2, 9, 9]
figure, panels = plots.axes(10, 4.2, columns=2)
for number, panel in enumerate(panels):
    draw(panel, learnt[number], f"head {number + 1}, learnt")
finding = "Nine films read from top to bottom: both heads see the past alone, each in its own way. "
plots.show(figure, alt=finding + "A few films draw much of the weight, whoever looks.")

# %% [markdown]
# A few seconds of training beat the popular list, not EASE. And the map is no longer a map of kinds: learnt queries serve the next guess, and what is mixed are learnt values, not films. Whether weights explain anything is a question of its own (lesson 18). Nor does the score say that *order* helps, where two thirds of the users rated everything within a day: lesson 10 shuffles.
#
# ## Pay for length
#
# From exercise 7.5, with `hidden` = 4 dim: a block costs $24 n d^2$ operations for its weights and $4 n^2 d$ for scores and mix. They are even at $n = 6d$. Guess: the length doubles; time with a hand-written attention? With SDPA? And how large is the largest table each writes into memory?


# %%
class Largest(TorchDispatchMode):
    """Watches what torch's operations return, and remembers the size of the largest, in bytes."""

    size = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **(kwargs or {}))
        sizes = [one.nbytes for one in tree_leaves(made) if isinstance(one, Tensor)]
        self.size = max([self.size, *sizes])
        return made


ways = {"by hand": attention.attention, "SDPA": F.scaled_dot_product_attention}
rows = []
for length in (128, 256, 512, 1024, 2048):
    parts = torch.randn(3, 1, 4, length, 16, generator=generator)  # four heads of 16
    for name, way in ways.items():
        with Largest() as largest:
            way(*parts)
        seconds = min(timeit.repeat(lambda w=way, p=parts: w(*p), number=1, repeat=5))
        rows.append([name, length, 1000 * seconds, largest.size])
bill = pd.DataFrame(rows, columns=["way", "length", "ms", "largest table, bytes"])

# %% tags=["nbval-ignore-output"]
figure, panels = plots.axes(9, 3.2, columns=2)
for name, ink, shift in (("by hand", plots.HIGHLIGHT, (-52, 6)), ("SDPA", "#0072B2", (8, -12))):
    part = bill[bill["way"] == name]
    for panel, column in zip(panels, ("ms", "largest table, bytes"), strict=True):
        panel.plot(part["length"], part[column], "o-", color=ink)
        end = part[["length", column]].iloc[-2]
        panel.annotate(name, end, xytext=shift, textcoords="offset points", color=ink)
        panel.set(xscale="log", yscale="log", xlabel="length", ylabel=column)
        panel.set(xticks=part["length"], xticklabels=part["length"])
        panel.minorticks_off()
finding = "Times rise roughly with the square of the length, by hand faster; SDPA wins on long ones. "
plots.show(figure, alt=finding + "The largest table: with the square by hand, in proportion with SDPA.")

# %%
tables = bill.pivot(index="length", columns="way", values="largest table, bytes")
squared = (tables["by hand"] == 4 * 4 * tables.index**2).all()  # four heads, four bytes
claim("07.table-hand", "by hand: a table of length x length numbers for each head", squared)
small = (tables["SDPA"] <= 4 * 64 * tables.index).all()
claim("07.table-sdpa", "SDPA: none above length x dim numbers", small)
one = attention.Transformer(64, 4, 1, positions=None)
at = {n: operations(lambda n=n: one(torch.zeros(1, n, 64))) for n in (384, 768)}
claim("07.even", "at n = 6d half of the operations are quadratic", at[384] == 2 * 4 * 384**2 * 64)
claim("07.three-times", "twice that length costs three times as much", at[768] == 3 * at[384])

# %% [markdown]
# SDPA works block by block (FlashAttention): the same quadratic operations, no quadratic table. By hand, a table too large for the processor's cache also waits for memory.
#
# **One more film.** The user likes film 201. Rows 1 to 200 cannot change, for nobody sees the future: keep their keys and values (**KV cache**) and compute one row. Guess how many times fewer operations that takes than a full pass over 201; and, if all 201 came one by one, than 201 full passes.
#
# ### Exercise 7.6 - decode_step  |  stretch  |  8 min
#
# **In:** `x`, the new row, float `[batch, dim]`; matrices `queries`, `keys`, `values`, `[dim, dim]`; `past_keys`, `past_values`, `[batch, past, dim]`. One head. **Out:** the mix `[batch, dim]`, and all keys and values, `[batch, past + 1, dim]`.


# %%
def decode_step(
    x: Tensor, queries: Tensor, keys: Tensor, values: Tensor, past_keys: Tensor, past_values: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mix `[batch, dim]` for one new row `[batch, dim]`, and all keys and values, `[batch, past + 1, dim]`."""
    ### BEGIN SOLUTION
    row = x.unsqueeze(1)  # [batch, 1, dim]
    all_keys = torch.cat([past_keys, row @ keys], dim=1)
    all_values = torch.cat([past_values, row @ values], dim=1)
    mixed = F.scaled_dot_product_attention(row @ queries, all_keys, all_values)
    return mixed.squeeze(1), all_keys, all_values
    ### END SOLUTION


check(decode_step)

# %%
stack = seeded(lambda: attention.Transformer(64, 4, 2, causal=True))
films = torch.randn(1, 201, 64, generator=generator)


@torch.no_grad()
def one_by_one(films: Tensor) -> Tensor:
    """Read films, each once."""
    caches = stack.caches()
    return torch.cat([stack(film, caches=caches) for film in films.split(1, dim=1)], dim=1)


with torch.no_grad():
    gap = (one_by_one(films) - stack(films)).abs().max()
claim("07.cache", "decoding with a cache equals the full pass to 1e-5", gap < 1e-5)
full, every = operations(lambda: stack(films)), operations(lambda: one_by_one(films))
last_film = every - operations(lambda: one_by_one(films[:, :200]))
claim("07.cache-one", "film 201 costs a 201st of a full pass", full == 201 * last_film)
again = operations(lambda: [stack(films[:, :n]) for n in range(1, 202)])  # a full pass for each film
claim_value("07.cache-saves", again / every, 108, 2, "times fewer operations for all 201 films")

# %% [markdown]
# The price is memory: 2 x layers x length x dim numbers a user. An encoder cannot do it: there, a new film changes every row. Nor can a full window: drop the oldest film and every learnt position shifts.
#
# ## Spot the bug
#
# "A two-layer Transformer ranks candidates." Three lines are wrong. Mark them before you run on.


# %%
def circulating_recommender(n_users: int, dim: int = 32, n_heads: int = 4):
    """Scores of candidates: user numbers `[batch]` and film numbers `[batch, k]` to `[batch, k]`."""
    table = nn.Embedding(n_users, dim)  # vectors of users and films
    transformer = nn.Transformer(dim, n_heads, 2, batch_first=True)  # two layers
    score = nn.Linear(dim, 1)

    def forward(users: Tensor, films: Tensor) -> Tensor:
        user = table(users).unsqueeze(1)  # [batch, 1, dim]
        mixed = transformer(user, table(films))  # [batch, k, dim]
        return score(mixed).squeeze(2)

    return forward, table, transformer, score


review.show(circulating_recommender)

# %%
suspects = []  # for example [2]
review.mark(circulating_recommender, suspects)

# %% [markdown]
# Guess what each line does to a score, then measure: which films crash, and whose vector moves when a *user* learns; how many layers there are; one film's score among two sets of other candidates; the slope that reaches the encoder's queries and keys.

# %%
forward, table, transformer, score = seeded(lambda: circulating_recommender(ratings.n_users))
transformer.eval()  # dropout off
user, these, those = torch.tensor([7]), torch.tensor([[1, 2, 3]]), torch.tensor([[1, 5, 6]])
try:
    forward(user, torch.tensor([[ratings.n_users]]))
except IndexError as error:
    print(f"IndexError: {error}; {titles[ratings.n_users]} cannot be scored")
claim_value("07.lost-films", ratings.n_items - ratings.n_users, 739, 0, "films that crash, of 1,682")
forward(user, these).sum().backward()
claim("07.one-table", "user 7 learns: film 7's vector gets a slope", table.weight.grad[7].any())
layers = len(transformer.encoder.layers), len(transformer.decoder.layers)
claim("07.six-layers", "layers of encoder and decoder: 2 and 6", layers == (2, 6))
share = parameters(transformer.decoder) / parameters(transformer)
claim_value("07.decoder-share", share, 0.76, 0.01, "share of the parameters in the decoder")
slope = transformer.encoder.layers[0].self_attn.in_proj_weight.grad.chunk(3)  # queries, keys, values
nothing = (slope[0] == 0).all() and (slope[1] == 0).all() and (slope[2] != 0).any()
claim("07.nothing-to-choose", "one key: queries and keys of the encoder get a slope of 0", nothing)

# %%
with torch.no_grad():
    gap = (forward(user, these) - forward(user, those))[0, 0].abs()
    blind = ~torch.eye(3, dtype=torch.bool)  # nn.Transformer: True = must not look
    alone = [transformer(table(user)[:, None], table(f), tgt_mask=blind)[0, 0] for f in (these, those)]
claim("07.company", "film 1's score depends on who else is scored", gap > 1e-3)
cured = (alone[0] - alone[1]).abs().max() < 1e-5
claim("07.company-fixed", "not once candidates cannot see each other", cured)

# %% [markdown]
# Nothing here reads a history, either. Let the *films seen* be the sequence, and score each candidate by an inner product with what comes out, as `NextFilm` does: no company, and an index can be built (lesson 05).
#
# **Your review, in a sentence a line:**
#
# ### BEGIN SOLUTION
# Line 3 gives users and films one table: numbers collide, and films beyond the last user crash. Line 4 sets the encoder's layers alone, six decoder layers stay. Line 9 lets candidates look at each other, over a memory of one vector, where there is nothing to choose.
# ### END SOLUTION

# %% [markdown]
# ## Interview room
#
# Speak for two minutes before you follow the link to the model answer; then grade yourself with the rubric: about five minutes a question. One or two today are enough.

# %% [markdown] tags=["question"]
# E05 E08 E10 J16 L06

# %% [markdown]
# **Say it in 30 seconds:** "Why the root of d?"
#
# ### BEGIN SOLUTION
# With independent components of variance 1 a dot product has variance d. Unscaled scores of size root d saturate the softmax: one key takes nearly all, and almost no gradient comes back. Dividing by the root keeps scores at size 1, whatever d. In multi-head attention d is the width of a head.
# ### END SOLUTION
#
# **Estimate:** 4 layers, dim 256, histories of 200 films, a million active users, two bytes a number. How large is the KV cache? Would you keep it?
#
# ### BEGIN SOLUTION
# 2 x 4 x 200 x 256 numbers = 410,000 a user, 0.82 MB; 0.82 TB for a million. Rather not: a user who comes back tomorrow can afford one full pass, about 1.4 billion operations, and only the last vector, 512 bytes, needs storing. A cache pays where steps follow at once, as in writing a list.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - Attention is a soft look-up: queries meet keys, values are mixed. The root of d keeps the softmax soft.
# - Masks act before the softmax. Fully masked rows are NaN in a bare softmax, 0 in SDPA. Test: change the future, compare the past.
# - Encoder: sees all. Decoder: sees the past. Encoder-decoder: both. Without positions an encoder knows no order, a deep decoder some.
# - A block costs $24nd^2 + 4n^2d$ operations. SDPA saves the table, not the operations; a cache saves passes, for memory.
# - A score must not depend on the other candidates, unless you mean it.
#
# **Pitfalls and myths**, all commonly seen. *"Every Transformer is encoder, then decoder"*: three machines. *"Attention is what a user pays to films"*, shown by sorting films they have rated: that recommends what they know. *`masked_fill(mask, -1e9)` in fp16* raises at once; use the dtype's minimum. *"Causal, so padding is harmless"*: behind the films, yes; in front of them it is read. *The root of the model's dim* instead of the head's. *"Read the attention off the model"*: fast kernels never write it down; ask `transformers` for `attn_implementation="eager"`, then name layer, head, row and column.
#
# **Go further.** Vaswani et al., *Attention is all you need* (NIPS 2017). Xiong et al., *On layer normalization in the Transformer architecture* (ICML 2020). Dao et al., *FlashAttention* (NeurIPS 2022). Kang and McAuley, *Self-attentive sequential recommendation* (ICDM 2018): lesson 10's SASRec.
#
# **Next:** type `recsys-course next` in a terminal.

# %% [markdown] tags=["teacher"]
# **For teachers.** 50 minutes: the by-hand example, 7.1, the experiment, the bug. 90 minutes: add 7.2, 7.4 and one question in pairs. Watch for: masks after the softmax and softmax over queries in 7.1, hidden rows instead of columns in 7.2, `view` without `transpose` in 7.4. Grading: 7.1 35 %, 7.2 15 %, 7.4 30 %, the bug 20 %.
#
# Students ask: *Why not make the root learnable?* It can be, and a temperature is; it only starts right. *Why three matrices?* With one, a film looks mostly at itself: the first map had to hide its diagonal. *Is a longer history always better?* Lesson 10 measures. Discuss: candidates that see each other are a bug in a scorer; in a re-ranker they are the point. What must then be tested?
