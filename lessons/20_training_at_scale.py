# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# course:
#   title: Train with many processes
#   level: advanced
#   minutes_read: 25
#   minutes_do: 65
#   cpu_seconds: 40
#   ram_mb: 1600
#   requires: ["04", "05", "06"]
#   articles: ["000-Q4", "003-Q3", "002-Q7"]
#   builds: a ring of processes, a step over a batch that does not fit, a loss scaler; two real processes that equal one, and a training that survives the death of a worker
# ---

# %% [markdown]
# # 20 Train with many processes
#
# ## The interview moment
#
# *"Training takes five days. Tomorrow you get eight machines. What do you do with them, how do you know that it is still the same model, and what happens when one of them dies on day four?"*
#
# A typical weak answer: "I use a distributed strategy on TPUs, divide the batch by the number of replicas, and turn on mixed precision." No number, no process group, and on day four it starts again from nothing.
#
# **You will be able to** show that two processes learn what one learns; count the bytes they hold and send; take a step over a batch that does not fit; keep small gradients alive in 16 bits; and kill a worker without losing a step.
#
# **Your first evening?** Do exercise 20.2, run *The experiment*, then answer question K12 aloud.

# %%
import contextlib
import tempfile
from pathlib import Path

import pandas as pd
import psutil
import torch
import torch.nn.functional as F
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DistributedSampler

from recsys_course import claim, claim_value, data, distributed, plots, training
from recsys_course.distributed import arithmetic, ring
from recsys_course.distributed.checkpoint import load_checkpoint, save_checkpoint
from recsys_course.exercises.l20 import ROUTE_IDS, SCALER_STEP, check, hint, review, solution  # noqa: F401

torch.set_num_threads(1)  # a process, a core: what two of them gain is then theirs
movies = data.movielens()
likes = data.frozen_split(movies.ratings, "last").train.positives()
workspace = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
shards = distributed.write_shards(likes, Path(workspace.name) / "shards", n_shards=4)
print(likes, *sorted(path.name for path in shards.glob("users*")), sep="\n")

# %% [markdown]
# **Warm-up** (after lessons 04 to 06). Answer before you unfold:
#
# 1. Why does a fixed seed matter when you compare two trainings? <details><summary>answer</summary>Otherwise weights and order differ by chance, and no difference says anything.</details>
# 2. What does Adam divide by? <details><summary>answer</summary>By the root of the mean squared gradient: a gradient twice as long makes a step as long as before.</details>
# 3. Softmax over n films, untrained: which loss? <details><summary>answer</summary>About log n, here 7.4.</details>
#
# Commit to a guess. We add the gradients of two processes up and forget to divide. By how much is the model off after ten steps, as a share of the way it went?

# %%
prediction = {"SGD": "?", "Adam": "?"}  # such as 0.5: off by half of the way

# %% [markdown]
# ## Two processes, one model
#
# The likes lie on disk in four files. A process opens its own, **memory-mapped**: nothing is read before it is used, so a log larger than memory is no obstacle. **Data parallel** training (DDP) is then three lines in words: every process has the whole model; each takes its share of the batch; before the step they *average* their gradients. `launch_all` calls torchrun, torch's starter, for two real processes. They talk by gloo, a library for CPUs, or by nccl if each has a GPU.

# %%
SGD = {"data": shards, "steps": 10, "batch_size": 1024, "learning_rate": 2.0}
ADAM = SGD | {"optimizer": "adam", "learning_rate": 0.01}
FILMS = ADAM | {"steps": 60, "dropout": 0.1}
jobs = {
    "mean": ("ddp", SGD),
    "sum": ("ddp", SGD | {"reduce": "sum"}),
    "adam": ("ddp", ADAM),
    "adam sum": ("ddp", ADAM | {"reduce": "sum"}),
    "128": ("ddp", SGD | {"batch_size": 128}),
    "8,192": ("ddp", SGD | {"batch_size": 8192}),
    "fsdp2": ("fsdp2", SGD),
    "sharded": ("sharded", SGD),
    "undisturbed": ("ddp", FILMS),
}

# %% tags=["experiment"]
runs = dict(zip(jobs, distributed.launch_all(list(jobs.values()), processes=2), strict=True))


# %%
alone = distributed.alone("ddp", **SGD)  # one process, the same 1,024 likes a step


def flat(weights: dict[str, Tensor]) -> Tensor:
    """All weights in one row, in the order of their names."""
    return torch.cat([weights[name].flatten() for name in sorted(weights)])


def apart(one: dict, other: dict) -> float:
    """The largest difference between two models' weights."""
    return float((flat(one["weights"]) - flat(other["weights"])).abs().max())


# %% tags=["nbval-ignore-output", "experiment"]
print(pd.DataFrame({"one": alone["losses"], "two": runs["mean"]["losses"]}).round(3).T.to_string())
equal = apart(runs["mean"], alone)
claim("20.ddp", "after ten steps two processes have one process's weights, to 1e-5", equal < 1e-5)

# %% [markdown]
# That is the test to ask of any distributed training: *same global batch (all processes' shares together), ten steps, compare the weights*. Why to 1e-5, not exactly? Sums in another order round differently.
#
# Everybody's sum for everybody: an **all-reduce**. How, without one that collects all? In a **ring**. Cut everybody's gradient into n chunks. In step $s$ process $r$ sends chunk $(r - s) \bmod n$ to its right. For n - 1 steps the receiver *adds*: now each holds one whole sum. For n - 1 more it *replaces*. By hand, n = 2: (1, 2) and (10, 20); after one step (1, 22) and (11, 20); after two (11, 22) twice.
#
# ### Exercise 20.1 - ring_all_reduce  |  medium  |  10 min
#
# **In:** `table`, float `[n, n, size]`: process, chunk, numbers; `steps`, 0 to 2(n - 1). **Out:** what every process holds after so many steps. *Why it matters in interviews:* "what does all-reduce cost?" follows from it.


# %%
def ring_all_reduce(table: Tensor, steps: int) -> Tensor:
    """What every process holds after some steps round the ring: float `[n, n, size]` to the same."""
    ### BEGIN SOLUTION
    n, table = len(table), table.clone()
    sender = torch.arange(n)
    receiver = (sender + 1) % n
    for step in range(steps):
        chunk = (sender - step) % n
        message = table[sender, chunk]  # [n, size]
        if step < n - 1:
            message = message + table[receiver, chunk]
        table[receiver, chunk] = message
    return table
    ### END SOLUTION


check(ring_all_reduce)

# %%
everybody = torch.ones(4, 4, 1)  # each brings a one: a number says how many have been added up
figure, panels = plots.axes(9, 2.1, columns=7)
for step, panel in enumerate(panels):
    seen = ring.ring_all_reduce(everybody, step).squeeze(2)
    panel.imshow(seen, vmin=0, vmax=4, cmap="cividis")
    for process in range(4):
        for chunk in range(4):
            ink = "black" if seen[process, chunk] > 2 else "white"
            panel.text(chunk, process, int(seen[process, chunk]), ha="center", va="center", color=ink)
    panel.set(title=f"step {step}", xticks=range(4), yticks=range(4), xlabel="chunk")
panels[0].set_ylabel("process")
finding = "A staircase of partial sums grows until each of four processes has one whole sum, after "
plots.show(figure, alt=finding + "three steps; after six every process has all four.")

# %% [markdown]
# Each process sends 2(n - 1) messages of S/n bytes: $2\frac{n-1}{n}S$, hardly more for a hundred processes than for four. Now DDP by hand: two readers, two gradients, the package's ring.


# %%
def model_of(weights: dict[str, Tensor]) -> nn.Sequential:
    """The model of the runs: a table of users, a layer, and the scores of all films."""
    dim, n_items = weights["users.weight"].shape[1], len(weights["head.3.bias"])
    head = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Identity(), nn.Linear(dim, n_items))
    model = nn.Sequential()
    model.add_module("users", nn.Embedding(*weights["users.weight"].shape))
    model.add_module("head", head)
    model.load_state_dict(weights)
    return model


def gradient(model: nn.Module, users: Tensor, items: Tensor) -> Tensor:
    """The gradient of the mean loss on these likes, in one row."""
    grads = torch.autograd.grad(F.cross_entropy(model(users), items), list(model.parameters()))
    return torch.cat([grad.flatten() for grad in grads])


# %%
untrained = distributed.alone("ddp", **SGD | {"steps": 1, "learning_rate": 0.0})
model = model_of(untrained["weights"])
readers = [distributed.Shards(shards, rank, 2) for rank in range(2)]
for step in range(10):
    both = torch.stack([gradient(model, *reader.batch(step, 1024)[1:]) for reader in readers])
    sums, sent = ring.all_reduce(both)
    row = nn.utils.parameters_to_vector(model.parameters()).detach() - 2.0 * sums[0] / 2
    nn.utils.vector_to_parameters(row, model.parameters())
by_hand = {"weights": {name: weight.detach() for name, weight in model.state_dict().items()}}

# %% tags=["experiment"]
off = apart(by_hand, runs["mean"])
claim("20.ring", "ten steps with the ring by hand: DDP's weights, to 1e-5", off < 1e-5)
size = runs["mean"]["bytes"]["gradients"]
claim_value("20.sent", sent / size, 1.0, 0.001, "what the ring of two sends, in gradients")


# %% [markdown]
# **Averaged, or added up?** Compare with your guess:


# %%
def off_by(wrong: dict, right: dict) -> float:
    """Distance between two models, as a share of the way that the right one went."""
    end, start = flat(right["weights"]), flat(untrained["weights"])
    return float((flat(wrong["weights"]) - end).norm() / (end - start).norm())


# %% tags=["nbval-ignore-output", "experiment"]
pairs = {"SGD": ("sum", "mean"), "Adam": ("adam sum", "adam")}
hidden = {name: off_by(runs[wrong], runs[right]) for name, (wrong, right) in pairs.items()}
twice = distributed.alone("ddp", **SGD | {"learning_rate": 4.0})
print(f"you said {prediction}; measured", {name: round(share, 2) for name, share in hidden.items()})
off = apart(runs["sum"], twice)
claim("20.sum", "summed, SGD: one process with twice the rate, to 1e-5", off < 1e-5)
claim("20.sum-sgd", "summed, SGD: off by more than 80 % of the way", hidden["SGD"] > 0.8)
claim("20.sum-adam", "summed, Adam: off by less than 2 % of the way", hidden["Adam"] < 0.02)

# %% [markdown]
# Summed, SGD went twice as far. Adam divides the mistake away, so test with SGD. Equality needs a *mean* loss and *equal* shares: with 3 and 1 likes, the mean of two means weighs the lonely like three times as much. And each epoch needs a new order: `Shards` draws it from the epoch; torch's `DistributedSampler` only if you call `set_epoch`.
#
# **Faster?** Guess for 128 and for 8,192 likes a step: how many times the likes per second of one process? Below, by this machine's clock; and the processor's time that a step takes, which other programs disturb less.

# %% tags=["nbval-ignore-output", "experiment"]
speed = {}
for batch, two in ((128, runs["128"]), (8192, runs["8,192"])):
    one, half = (distributed.alone("ddp", **SGD | {"batch_size": n}) for n in (batch, batch // 2))
    rates = [batch / float(run["seconds"].median()) for run in (one, two)]
    share = arithmetic.efficiency(*rates, workers=2)
    busy = [f"{1000 * float(run['cpu_seconds'].median()):.1f} ms" for run in (one, half, two)]
    speed[f"{batch:,} likes"] = [*(f"{rate:,.0f}" for rate in rates), f"{share:.2f}", *busy]
names = ["likes/s, one", "likes/s, two", "efficiency", "processor, one", "one, half", "each of two"]
display(pd.DataFrame(speed, index=names).T)

# %% [markdown]
# **Efficiency** is throughput over n times that of one process. On two busy cores the clock gave 0.2 to 0.7 (small batch) and 0.5 to 1.5 (large), in five runs. The processor is steadier. For 64 likes it took 0.7 to 1.4 ms in one process alone, 2 to 3 in each of two: exchanging the gradient costs more than the likes. For 4,096, 46 against 63 ms, while 8,192 took one process 170, almost four times 46: that gain is the smaller batch's (a guess: it fits the cache). Before you pay for n machines: bytes a step sends, seconds it computes, and the slowest (the *straggler*), for whom all wait.
#
# ## A batch larger than memory
#
# A larger batch means fewer steps. Goyal et al. (2017): batch times k, learning rate times k, and warm up. The same likes three ways (one seed, no warm-up):

# %% tags=["nbval-ignore-output"]
curves = {}
for batch, rate in ((128, 2.0), (1024, 2.0), (1024, 16.0)):
    plan = SGD | {"batch_size": batch, "learning_rate": rate, "steps": 40_960 // batch}
    losses = distributed.alone("ddp", **plan)["losses"].unflatten(0, (-1, 5120 // batch))
    curves[f"{batch:,} likes, rate {rate:.0f}"] = losses.mean(dim=1)
figure, panel = plots.axes(7, 3)
looks = zip(curves, ("#0072B2", "#D55E00", "#009E73"), (-8, -3, 3), strict=True)
for name, colour, shift in looks:
    panel.plot(torch.arange(1, 9) * 5120, curves[name], "o-", color=colour)
    panel.annotate(name, (40_960, curves[name][-1]), xytext=(6, shift), textcoords="offset points")
panel.set(xlabel="likes seen", ylabel="training loss", xlim=(0, 57_000), ylim=(6.4, 7.5))
finding = "With eight times the batch and the old rate the loss lags behind; with eight times the "
plots.show(figure, alt=finding + "rate it ends near the small batch's curve.")
small, slow, scaled = (float(curve[-1]) for curve in curves.values())
closed = (slow - scaled) / (slow - small)
claim("20.rate", "rate x 8 closes most of the gap that batch x 8 opens", closed > 0.7)

# %% [markdown]
# And if 1,024 do not fit into memory? Take the gradient in parts and add up, as `backward()` does by itself. Two processes divide a batch in space; **accumulation** divides it in time. By hand: losses 1 and 1 in the first part, 4 alone in the last: the mean is 2, the mean of means 2.5.
#
# ### Exercise 20.2 - accumulated_step  |  easy  |  8 min
#
# **In:** `weights`, float `[dim]`, of a linear model; `features`, `[n, dim]`; `targets`, `[n]`; `size`, most rows at one time; `rate`. **Out:** the weights after *one* SGD step on the mean squared error of all n rows. *Why it matters in interviews:* the last part is smaller.


# %%
def accumulated_step(
    weights: Tensor, features: Tensor, targets: Tensor, size: int, rate: float
) -> Tensor:
    """One SGD step on the mean squared error of all rows, `size` rows at a time: `[dim]` to `[dim]`."""
    ### BEGIN SOLUTION
    weights = weights.clone().requires_grad_()
    for part, wanted in zip(features.split(size), targets.split(size), strict=True):
        loss = F.mse_loss(part @ weights, wanted) * len(part) / len(features)
        loss.backward()  # adds to weights.grad
    return weights.detach() - rate * weights.grad
    ### END SOLUTION


check(accumulated_step)

# %%
parts = distributed.alone("ddp", **SGD | {"accumulate": 4})
claim("20.accumulate", "four parts a step: the same weights, to 1e-5", apart(parts, alone) < 1e-5)

# %% [markdown]
# (Layers that mix rows, such as batch normalisation or in-batch negatives, see the part alone: there accumulation is *not* the large batch.)
#
# What fills the memory between forward and backward? **Activations.** *Checkpointing* keeps the input of each block alone and computes the rest again. Guess: how many times less, for eight blocks?


# %%
def kept_bytes(blocks: nn.ModuleList, rows: Tensor, again: bool) -> tuple[int, Tensor]:
    """Bytes that autograd keeps for the backward pass, weights left out; and the first block's gradient."""
    kept = {}
    weights = {weight.untyped_storage().data_ptr() for weight in blocks.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        memory = tensor.untyped_storage()
        if memory.data_ptr() not in weights:
            kept[memory.data_ptr()] = memory.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        for block in blocks:
            rows = rows + (checkpoint(block, rows, use_reentrant=False) if again else block(rows))
        loss = rows.square().mean()
    return sum(kept.values()), torch.autograd.grad(loss, blocks[0][0].weight)[0]


# %%
with training.seeded(1):
    blocks = [nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64)) for _ in range(8)]
    blocks, rows = nn.ModuleList(blocks), torch.randn(1024, 64)
(plain, before), (saved, after) = (kept_bytes(blocks, rows, again) for again in (False, True))
claim_value("20.kept", plain / 2**20, 18.3, 0.1, "MiB kept for the backward pass")
claim_value("20.checkpointed", saved / 2**20, 2.3, 0.1, "MiB kept with checkpointing")
claim("20.same-gradient", "the gradient is the same", torch.allclose(before, after))

# %% [markdown]
# Eight times less between forward and backward (then one block's at a time comes on top), for a second forward pass: about a third more computing, if backward costs two.
#
# **Half the bits.** bf16 has the range of fp32, but two to three digits instead of seven. fp16 has three to four, ends at 65,504, and numbers below 3e-8 become 0: so do small gradients. How many? Real ones, of the scores, after 150 steps:

# %% tags=["nbval-ignore-output"]
trained = distributed.alone("ddp", **ADAM | {"steps": 150})
model = model_of(trained["weights"])
reader = distributed.Shards(shards)
_, users, items = reader.batch(150, 1024)
scores = model(users)
slopes = torch.autograd.grad(F.cross_entropy(scores, items), scores)[0].abs()  # [batch, n_items]
powers = range(0, 33, 2)
lost = [float(((slopes * 2.0**power).half() == 0).float().mean()) for power in powers]
burst = [float((slopes * 2.0**power).half().isinf().any(dim=1).float().mean()) for power in powers]
figure, panel = plots.axes(7, 3)
panel.plot(powers, lost, "o-", color="#0072B2")
panel.plot(powers, burst, "s-", color="#D55E00")
panel.annotate("gradients that become 0", (2, lost[1]), xytext=(8, 4), textcoords="offset points")
panel.annotate("likes with an overflow", (28, burst[14]), xytext=(-130, -8), textcoords="offset points")
panel.set(xlabel="loss multiplied by 2 to the power of", ylabel="share, in fp16")
finding = "Unscaled, a third of the gradients become 0 in fp16; from a factor of 2 to the 10 on hardly "
finding += "any. Beyond 2 to the 26 each like has an overflow: its own film's gradient is up to "
plots.show(figure, alt=finding + "1/1,024, 2 to the -10, and fp16 ends at 2 to the 16.")
claim("20.lost", "unscaled, more than a quarter of the gradients become 0", lost[0] > 0.25)
claim("20.kept-alive", "times 2 to the 16, none does", lost[8] < 1e-3 and burst[8] == 0)

# %% [markdown]
# So multiply the *loss*, and divide the gradient before the step. How much? As much as goes well: a **loss scaler** doubles its factor after some good steps and, at an overflow, skips the step and halves it.
#
# ### Exercise 20.3 - scaler_step  |  medium  |  10 min
#
# **In:** `weights` and `gradient` (of loss times scale), float `[dim]`; `scale`; `good`, steps since it last changed; `interval`; `rate`. **Out:** new weights, new scale, new `good`. An inf or NaN: nothing learnt, half the scale, `good` 0. After `interval` good steps: twice the scale, `good` 0. *Why it matters in interviews:* the order of unscale, look, step, update.


# %%
def scaler_step(
    weights: Tensor, gradient: Tensor, scale: float, good: int, interval: int, rate: float
) -> tuple[Tensor, float, int]:
    """One SGD step under a loss scaler: new weights `[dim]`, new scale, good steps since it last changed."""
    ### BEGIN SOLUTION
    if not gradient.isfinite().all():
        return weights, scale / 2, 0
    weights, good = weights - rate * gradient / scale, good + 1
    if good == interval:
        return weights, scale * 2, 0
    return weights, scale, good
    ### END SOLUTION


check(scaler_step)

# %% [markdown]
# The package's version beside torch's own scaler, in a real fp16 training that begins far too high:


# %%
def half_precision(steps: int = 16, interval: int = 4) -> list[tuple]:
    """torch's scale, ours and the largest difference of the weights, after each step."""
    model, ours = model_of(trained["weights"]), flat(trained["weights"])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30, growth_interval=interval)
    scale, good, found = 2.0**30, 0, []
    for step in range(steps):
        _, users, items = reader.batch(step, 128)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            loss = F.cross_entropy(model(users).float(), items)
        scaler.scale(loss).backward()
        scaled = flat({name: weight.grad for name, weight in model.named_parameters()})
        ours, scale, good = SCALER_STEP.reference(ours, scaled, scale, good, interval, 0.1)
        scaler.step(optimizer)
        scaler.update()
        distance = float((ours - flat(model.state_dict())).abs().max())
        found.append((scaler.get_scale(), scale, distance))
    return found


# %% tags=["nbval-ignore-output"]
theirs, ours, distance = torch.tensor(half_precision(), dtype=torch.float64).T
print("scale, as a power of 2:", [int(power) for power in ours.log2()])
claim("20.scaler", "the same scale as torch.amp.GradScaler after every step", torch.equal(theirs, ours))
claim("20.scaler-weights", "and the same weights, to 1e-6", distance.max() < 1e-6)
backed_off = bool((ours[:2] < 2.0**30).all() and (ours.diff() > 0).any())
claim("20.back-off", "it backs off at first, and grows again later", backed_off)

# %% [markdown]
# bf16 needs no scaler: that is its point.

# %%
coarse = distributed.alone("ddp", **SGD | {"precision": "bfloat16"})
claim("20.bf16", "ten steps in bf16: off by less than 5 % of the way", off_by(coarse, alone) < 0.05)

# %% [markdown]
# What does mixed precision save? Activations and time on hardware with 16-bit units; hardly the model: weights, gradients and Adam's state are 16 bytes a parameter either way. On a CPU without such units it may well be slower.
#
# ## A table larger than a machine
#
# **Arithmetic first.** A parameter in fp32 with Adam: 4 bytes of weight, 4 of gradient, 8 of state. Does a process really take that? Guess before you run: a million rows of 32.

# %% tags=["nbval-ignore-output"]
torch.optim.Adam(nn.Linear(2, 2).parameters())  # loads what it needs, once
process = psutil.Process()
start = process.memory_info().rss
table = nn.Embedding(1_000_000, 32)
table.weight.grad = torch.ones_like(table.weight)
optimizer = torch.optim.Adam(table.parameters())
optimizer.step()
stated = arithmetic.training_bytes(1_000_000, 32)
print({part: f"{size / 1e6:.0f} MB" for part, size in stated.items()})
grown = process.memory_info().rss - start
print(f"stated {sum(stated.values()) / 1e6:.0f} MB, grown by {grown / 1e6:.0f} MB")
del table, optimizer

# %% [markdown]
# The arithmetic holds, within some megabytes for code. (Peaks and activations come on top.) **Sharding** divides these bytes among processes. ZeRO's stages: 1 divides the optimiser state, 2 the gradients too, 3 the weights too; FSDP2 is stage 3 and borrows a layer's weights while it computes.
#
# ### Exercise 20.4 - memory_estimate  |  stretch  |  8 min
#
# **In:** `rows`, `dim`; `optimizer`, "sgd" (no state), "adam" (two numbers a weight) or "rowwise_adagrad" (one a row); `stage`, 0 (DDP) to 3; `workers`. **Out:** bytes in one process for weights, gradients and state, all float32.


# %%
def memory_estimate(rows: int, dim: int, optimizer: str, stage: int, workers: int) -> float:
    """Bytes that one process holds to train a float32 table of `rows` vectors."""
    ### BEGIN SOLUTION
    weights = gradients = 4 * rows * dim
    state = {"sgd": 0, "adam": 2 * weights, "rowwise_adagrad": 4 * rows}[optimizer]
    parts = [state, gradients, weights]  # in the order in which the stages divide them
    return sum(part / workers for part in parts[:stage]) + sum(parts[stage:])
    ### END SOLUTION


check(memory_estimate)

# %% [markdown]
# A recommender's weights are tables, and a batch touches few rows: so move *vectors*, not tables. Deal the rows like cards: row r lives in process r mod n. Each process sends the row numbers that it needs to their owners, gets vectors back, and returns their gradients: **all-to-all**, three times.
#
# ### Exercise 20.5 - route_ids  |  stretch  |  10 min
#
# **In:** `ids`, int64 `[batch]`, rows of the whole table; `workers`. **Out:** three int64 tensors: the rows as their owners count them (`id // workers`), grouped by owner, within an owner as asked; how many for each owner, `[workers]`; `places`, so that `answers[places]` has the order of `ids`.


# %%
def route_ids(ids: Tensor, workers: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows as their owners count them, by owner; how many for each; where each answer belongs: int64, all three."""
    ### BEGIN SOLUTION
    owner = ids % workers
    order = owner.argsort(stable=True)
    counts = torch.bincount(owner, minlength=workers)
    return ids[order] // workers, counts, order.argsort()
    ### END SOLUTION


check(route_ids)

# %%
table, asked = torch.arange(10.0), torch.tensor([7, 0, 4, 7])  # a table of ten numbers, dealt to three
rows, counts, places = ROUTE_IDS.reference(asked, 3)
parcels = rows.split(counts.tolist())
answers = torch.cat([table[worker::3][parcel] for worker, parcel in enumerate(parcels)])
print("asked of each owner:", [parcel.tolist() for parcel in parcels])
print("answers, as asked:", answers[places].tolist())

# %% tags=["experiment"]
off = {name: apart(runs[name], alone) for name in ("fsdp2", "sharded")}
claim("20.fsdp2", "FSDP2: one process's weights after ten steps, to 1e-5", off["fsdp2"] < 1e-5)
claim("20.sharded", "table dealt by rows: the same, to 1e-5", off["sharded"] < 1e-5)
held = {name: runs[name]["bytes"]["parameters"] for name in ("mean", "sharded", "fsdp2")}
claim_value("20.half", held["fsdp2"] / held["mean"], 0.5, 0.01, "of the parameters in each, FSDP2")
print("parameter bytes in a process:", held)  # "sharded" deals the users' table; the head stays whole

# %% [markdown]
# **Past one machine** (not run here). The script stays the same; each of 16 machines runs, with two folders on a disk that all see, `jobs` with the list of jobs and `kept` for checkpoints:
#
# `torchrun --nnodes 16 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint host0:29500 --rdzv-id job7 --max-restarts 3 -m recsys_course.distributed jobs kept` If a machine dies, the others stop and wait for another in its place.
#
# A billion rows of 64, by process: bytes held, and bytes that a step of 65,536 look-ups sends.

# %%
plans = {}
for workers in (1, 16, 128):
    for optimizer in ("adam", "rowwise_adagrad"):
        held = arithmetic.training_bytes(10**9, 64, optimizer, stage=3, workers=workers)
        kept = held["weights"] + held["state"]  # the gradient is of the touched rows alone
        sends = arithmetic.exchange_bytes(65_536, 64, workers)
        plans[workers, optimizer] = [f"{kept / 1e9:.1f} GB", f"{sends / 1e6:.0f} MB"]
print(pd.DataFrame(plans, index=["weights and state", "sent a step"]).T.to_string())
sends = arithmetic.ring_bytes(256e9, workers=16)
claim_value("20.billion", sends / 1e9, 480, 1, "GB that DDP would send a step")

# %% [markdown]
# 768 GB with Adam, 260 with row-wise Adagrad: 16 devices of 80 GB hold either, and a step moves megabytes. DDP would put all 768 GB into each process and send 480 GB a step. Memory and network are the limit, not FLOP.
#
# In production take **TorchRec**: it plans the cuts (by table, row or column); fuses look-ups and optimiser in GPU kernels; caches tables that exceed the GPU; overlaps exchange and computing. (Not run here.)
#
# ## The experiment
#
# **Hypothesis.** A worker killed in the middle changes nothing. **Protocol.** 60 steps, two processes, Adam, dropout; a checkpoint every ten; process 1 is killed in step 37, when the other waits for its gradient. torchrun starts both again. Against the undisturbed run: weights, losses, and the *ledger*, which likes each step learnt from. **What would change my mind?** One different bit; a step twice or never.

# %%
VICTIM, STEP = 1, 37  # choose your own: a process, a step from 0 to 59

# %% [markdown]
# A checkpoint holds weights, optimiser, step (which *is* the position in the data) and random states. It is written under another name, flushed to the disk, then renamed: a reader finds the old file or the new one, never half of one. Which step does it go on from?

# %%
my_guess = "?"  # a step

# %% tags=["experiment"]
kept = Path(workspace.name) / "killed"
plan = FILMS | {"every": 10, "log": True, "kills": [[VICTIM, STEP, "gradient"]]}
killed, calm = distributed.launch("elastic", 2, folder=kept, restarts=1, **plan), runs["undisturbed"]
print(f"you said {my_guess}; it went on at step {killed['resumed_at']}")
claim("20.restarted", "the processes were started a second time", killed["attempt"] == 1)
most = 0 if killed["device"] == "cpu" else 1e-3  # GPUs add in an order that chance decides
same = apart(killed, calm) <= most
claim("20.killed", "killed or not: the same weights at the end, on CPUs bit for bit", same)
same = (killed["losses"] - calm["losses"]).abs().max() <= most
claim("20.killed-losses", "and the same losses", same)
rows, n = killed["rows"], len(likes) // 1024  # of these steps is an epoch made
claim("20.ledger", "every step learnt from the same likes", torch.equal(rows, calm["rows"]))
claim("20.once", "in an epoch no like is learnt twice", len(rows[:n].unique()) == n * 1024)
again = torch.equal(rows[0], rows[n])
claim("20.order", "the second epoch begins with other likes than the first", not again)

# %% tags=["nbval-ignore-output", "experiment"]
logs = EventAccumulator(str(kept / "logs"), purge_orphaned_data=False).Reload()  # both attempts
events = sorted(logs.Scalars("loss"), key=lambda event: event.wall_time)
steps, seconds = ([getattr(event, part) for event in events] for part in ("step", "wall_time"))
figure, panels = plots.axes(9, 3, columns=2)
panels[0].plot(steps, [event.value for event in events], ".", color="#0072B2")
panels[1].plot([second - seconds[0] for second in seconds], steps, ".", color="#0072B2")
for panel in panels:
    mark = panel.axvline if panel is panels[0] else panel.axhline
    mark(killed["resumed_at"], color="#D55E00", linestyle="--")
panels[0].set(xlabel="step (dashed: the checkpoint)", ylabel="training loss")
panels[1].set(xlabel="seconds since the first step", ylabel="step")
finding = (
    "From TensorBoard's log: the loss shows no trace of the crash. The clock does: a gap of some "
    f"seconds after step {STEP}, in which both processes start, then on from the checkpoint, step "
    f"{killed['resumed_at']}."
)
plots.show(figure, alt=finding)
last = {event.step: event.value for event in events}  # what was done again replaces what was lost
logged = torch.tensor([last[step] for step in range(1, 61)])
same = torch.allclose(logged, killed["losses"])
claim("20.logged", "the last value logged for each step is the ledger's", same)


# %% tags=["nbval-ignore-output", "experiment"]
def best(weights: dict[str, Tensor], user: int) -> list[str]:
    """The five films with the highest scores for a user."""
    scores = model_of(weights)(torch.tensor([user]))[0]
    return [movies.titles[item] for item in scores.topk(5).indices]


print(*best(killed["weights"], 5), sep="\n")
claim("20.films", "the same films, too", best(killed["weights"], 5) == best(calm["weights"], 5))

# %% [markdown]
# Bit for bit, on CPUs of one kind, and with as many processes as before: another number would round differently and draw other dropout, so our checkpoint refuses it. Steps 30 to 36 (with our kill) were computed twice; the ledger counts the surviving history, and holds each once. An epoch's last 652 likes, too few for a step, wait for another order.
#
# And death in the middle of *writing*?


# %%
path = Path(workspace.name) / "torn.pt"
save_checkpoint({"step": 10}, path)
with contextlib.suppress(ZeroDivisionError):
    save_checkpoint({"step": 20}, path, half_way=lambda: 1 / 0)  # dies, half of the bytes on disk
found = load_checkpoint(path)["step"]
claim_value("20.torn", found, 10, 0, "its step, after dying half way through the next one")

# %% [markdown]
# (Our soak test, `make soak`, kills real workers at twenty random steps and moments, this one too. What a power cut does, no test of ours shows: for that is the flush.)
#
# ## Spot the bug
#
# "TPU distributed training" for two workers. Four lines are wrong. Mark them before you run on.


# %%
def tpu_training(model, log: data.Interactions, batch_size: int, epochs: int, workers: int = 2):
    """Distributed training: a batch of `batch_size` likes a step, divided among the workers of a TPU pod."""
    optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
    share = batch_size // workers  # of each worker
    samplers = [DistributedSampler(range(len(log)), workers, rank) for rank in range(workers)]
    history = []
    for _ in range(epochs):
        orders = [torch.tensor(list(sampler)) for sampler in samplers]
        for parts in zip(*(order.split(share // workers) for order in orders), strict=True):
            optimizer.zero_grad()
            for rows in parts:  # each TPU core takes its part
                loss = F.cross_entropy(model(log.users[rows]), log.items[rows])
                loss.backward()
            optimizer.step()
            history.append(torch.cat(parts))  # which likes this step has learnt from
    return history


review.show(tpu_training)

# %%
suspects = []  # for example [3]
review.mark(tpu_training, suspects)

# %% [markdown]
# Predict, then measure: likes in a step that should have 512; the order of the second epoch; the rate that one process needs to end at the same weights; how many processes took part.

# %%
some = data.Interactions.from_events(likes.users[:4096], likes.items[:4096], n_items=likes.n_items)
model = model_of(untrained["weights"])
before = len(process.children())
history = tpu_training(model, some, batch_size=512, epochs=2)
half = len(history) // 2
claim_value("20.bug-batch", len(history[0]), 256, 0, "likes in a step of 512: divided twice")
repeated = all(torch.equal(a, b) for a, b in zip(history[:half], history[half:], strict=True))
claim("20.bug-order", "the second epoch has the first one's order", repeated)
correct = model_of(untrained["weights"])
optimizer = torch.optim.SGD(correct.parameters(), lr=4.0)  # twice the rate that was asked for
for rows in history:
    optimizer.zero_grad()
    F.cross_entropy(correct(some.users[rows]), some.items[rows]).backward()
    optimizer.step()
pairs = zip(model.parameters(), correct.parameters(), strict=True)
summed = all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)
claim("20.bug-sum", "its weights are those of a mean with twice the rate", summed)
nobody = len(process.children()) == before and not torch.distributed.is_initialized()
claim("20.bug-alone", "no process was started: one device, one after another", nobody)

# %%
workspace.cleanup()  # shards, checkpoint and logs; to run a training again, begin at the top

# %% [markdown]
# **Your review, in a sentence a line:**
#
# ### BEGIN SOLUTION
# Line 8 calls no `set_epoch` before it reads the samplers: all epochs have one order. Line 9 divides a share that is divided already: split by `share`. Line 11 is a loop on one device: no process group, no all-reduce, no gain. Line 13 adds gradients up: divide by the workers.
# ### END SOLUTION

# %% [markdown]
# ## Interview room
#
# Speak for two minutes before you follow the link to the model answer; then grade yourself with the rubric. One or two today are enough.

# %% [markdown] tags=["question"]
# K02 K03 K07 K08 K12

# %% [markdown]
# **Say it in 30 seconds:** "How do you know that eight machines train the same model?"
#
# ### BEGIN SOLUTION
# I take ten steps with SGD on one process and on eight, same first weights, same global batch, and compare the weights to 1e-5. SGD, since Adam hides a wrong factor. Then I count what each step learnt from: no like twice in an epoch, another order in the next. And I kill a worker, and compare once more.
# ### END SOLUTION
#
# **Estimate:** a thousand machines, each fails once in three years; a checkpoint takes two minutes. How often do you save? (Young, 1974: every $\sqrt{2 \cdot \text{cost} \cdot \text{time between failures}}$.)
#
# ### BEGIN SOLUTION
# A thousand machines in about a thousand days: one failure a day, 86,400 seconds. The root of 2 x 120 x 86,400 is about 4,550 seconds: every hour and a quarter. Saving costs 2.6 %, and a failure loses 38 minutes on average, another 2.6 %.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - Same global batch, ten steps of SGD, weights to 1e-5: the test of every distributed training.
# - Ring all-reduce sends 2(n - 1)/n times the gradient, however many processes.
# - Accumulate with the share of rows; checkpoint activations for memory; scale the loss for fp16, not for bf16.
# - 16 bytes a parameter with Adam; tables are dealt by rows, and vectors travel.
# - A checkpoint is whole or old, and holds the position in the data.
#
# **Pitfalls and myths**, all commonly seen. *"TPU distributed training"* that is a loop on one device. *A replica's batch is the global batch divided by their number*: some frameworks take the global batch and divide it themselves. *"Adam trains well, so the gradients are right."* *"Pruning makes training cheaper"*: unstructured zeros cost as much as other numbers on dense hardware; and fp16 needs a scaler. *A sampler without `set_epoch`.* *Resuming weights but not optimiser, order and random state.*
#
# **Go further.** Goyal et al., *Accurate, large minibatch SGD* (arXiv:1706.02677). Rajbhandari et al., *ZeRO* (SC 2020). Micikevicius et al., *Mixed precision training* (ICLR 2018). Patarasuk and Yuan, *Bandwidth optimal all-reduce* (2009). *TorchRec: a PyTorch domain library for recommendation systems* (RecSys 2022).
#
# **Next:** type `recsys-course next` in a terminal.

# %% [markdown] tags=["teacher"]
# **For teachers.** Fifty minutes: interview moment, exercise 20.2, the ring's picture, *The experiment* with a step that the class chooses. Ninety: exercises 20.1 and 20.3 and the review. Common misconceptions: mean of means (20.2, mistake 1), adding in every step (20.1, mistake 1), stepping with an inf (20.3, mistake 5). Discuss: what if the machine with the checkpoint dies? When is it right to lose steps? Grading: 20.1 to 20.3 two points each, the review two.
