# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# course:
#   title: Catch overfitting and validate honestly
#   level: intermediate
#   minutes_read: 25
#   minutes_do: 65
#   cpu_seconds: 40
#   ram_mb: 750
#   requires: ["02", "04"]
#   articles: ["000-Q2", "002-Q5", "004-§3.3.2", "004-§8.3"]
#   builds: early stopping that survives NaN, folds that keep their promise, and the price of tuning, measured
# ---

# %% [markdown]
# # 06 Catch overfitting and validate honestly
#
# ## The interview moment
#
# *"You tried 200 configurations on last week's data and ship the winner. Which NDCG do you promise for next week?"*
#
# A typical weak answer: "The winner's, it is validated. And with K-fold it cannot overfit." Here you measure how much of a winner's lead is luck, and meet a cross-validation whose last fold says 0.66 (RMSE) of a model that scores 1.07 on an untouched test.
#
# **You will be able to** read learning curves and name the first action; write early stopping that survives NaN; say what L1, L2, dropout and augmentation each change; cut folds by event, user and time; measure the optimism of your own tuning.
#
# **Your first evening?** Do exercise 6.1, read *The experiment*, do *Spot the bug*, then answer question K01 aloud.

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_course import claim, claim_value, data, metrics, models, plots, sampling
from recsys_course.exercises import l06
from recsys_course.exercises.l06 import check, hint, review, solution  # noqa: F401

torch.set_num_threads(1)  # small steps: a second thread would mostly wait
movies = data.movielens()
ratings, titles = movies.ratings, movies.titles
split = data.frozen_split(ratings, "random")
inner = data.random_split(split.train, share=0.1, seed=1)  # 90 % to learn from, 10 % to decide by
print(inner)

# %% [markdown]
# **Warm-up** (after lessons 02 and 04). Answer before you unfold:
#
# 1. What does the time split promise that the random split does not? <details><summary>answer</summary>No training rating is as late as the first held-out one.</details>
# 2. Which pairs does BPR hardly touch? <details><summary>answer</summary>Those that stand far apart in the right order.</details>
# 3. `MF` pays its penalty at each rating. Is the bias of a film with two ratings shrunk more than that of one with 500? <details><summary>answer</summary>No: by the same share, although two ratings prove little.</details>
#
# Commit to a guess. Of 200 configurations one wins a validation week, with a lead over the average configuration. Which share of that lead is left a week later: 0 (all luck) to 1 (all skill)?

# %%
prediction = {"share of the lead that is left": "?"}  # such as 0.8

# %% [markdown]
# ## Watch a model memorise
#
# A model **overfits** when it learns what holds for its training events alone. You see it by drawing *one* quantity twice: on events it learns from, and on events it does not. Here: the BPR loss, on every ninth training like and on the 10 % of likes kept for decisions. The test stays shut. Sketch both curves over 20 epochs for vectors of 64 numbers without penalty. What do more numbers (dim) do to the gap, what does a penalty λ (`reg`)?


# %%
class Factors(nn.Module):
    """BPR-MF: user and film match by the inner product of their vectors."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        generator, sizes = torch.Generator().manual_seed(0), (ratings.n_users, ratings.n_items)
        tables = (torch.randn(n, dim, generator=generator) / 10 for n in sizes)
        self.users, self.films = map(nn.Parameter, tables)

    def forward(self, users: Tensor, liked: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss of some triples, int `[batch]` each, and their mean squared length."""
        p, q = F.embedding(users, self.users), F.embedding(liked, self.films)  # [batch, dim]
        n = F.embedding(other, self.films)
        squares = sum(vectors.square().sum(1).mean() for vectors in (p, q, n))
        return F.softplus(-(p * (q - n)).sum(1)).mean(), squares


likes, generator, exams = inner.train.positives(), torch.Generator().manual_seed(1), {}
every_ninth = likes.select(torch.arange(len(likes)) % 9 == 0)  # enough for a curve
for name, part in {"training": every_ninth, "validation": inner.test}.items():
    others = sampling.uniform_negatives(part.users, split.train.positives(), 1, generator)[:, 0]
    exams[name] = part.users, part.items, others


# %%
def train(model: Factors, epochs: int, reg: float = 0.0):
    """Go through the likes; give the loss on both exams after each epoch."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        others = sampling.uniform_negatives(likes.users, likes, 1, generator)[:, 0]
        for rows in torch.randperm(len(others), generator=generator).split(1024):
            optimizer.zero_grad()
            loss, squares = model(likes.users[rows], likes.items[rows], others[rows])
            (loss + reg * squares).backward()
            optimizer.step()
        with torch.no_grad():
            yield {name: float(model(*exam)[0]) for name, exam in exams.items()}


DIMS, REGS, tried = (4, 16, 64, 256), (0.0, 0.003, 0.01, 0.1), {}
for dim, reg in [(dim, 0.0) for dim in DIMS] + [(64, reg) for reg in REGS[1:]]:
    model = Factors(dim)
    tried[dim, reg] = model, pd.DataFrame(train(model, 20, reg), index=range(1, 21))

# %%
inks, curve = {"training": "#777777", "validation": plots.HIGHLIGHT}, tried[64, 0.0][1]
keys = [(d, 0.0) for d in DIMS], [(64, r) for r in REGS]
by_dim, by_reg = ([tried[key][1].iloc[-1] for key in part] for part in keys)
turn = int(curve["validation"].idxmin())
figure, panels = plots.axes(11, 3.2, columns=3)
for name, ink in inks.items():
    panels[0].plot(curve[name], color=ink, marker="o", markevery=[turn - 1])
    panels[0].annotate(name, (12, curve[name][12]), (0, 10), textcoords="offset points", color=ink)
    for panel, rows in zip(panels[1:], (by_dim, by_reg), strict=True):
        panel.plot(range(4), [row[name] for row in rows], "o-", color=ink)
        panel.annotate(name, (1, rows[1][name]), (0, 10), textcoords="offset points", color=ink)
panels[0].set(title="dim 64, no penalty", xlabel="epoch", ylabel="BPR loss", ylim=(0, 0.6))
for panel, knob, steps in ((panels[1], "dim (λ = 0)", DIMS), (panels[2], "λ (dim 64)", REGS)):
    panel.set(title=f"after 20 epochs, by {knob}", xticks=range(4), xticklabels=steps, ylim=(0, 0.6))
finding = "Validation loss turns up after epoch 7; more dimensions widen the gap, λ = 0.01 helps most."
plots.show(figure, alt=finding)

# %%
rise = curve["validation"][20] / curve["validation"][turn]
halves = curve["training"][20] < curve["training"][turn] / 2 and rise > 1.15
at_dim, at_reg = ([row["validation"] for row in rows] for rows in (by_dim, by_reg))
claim("06.overfits", "dim 64: after the turn training loss halves, validation rises by 15 %", halves)
claim("06.rank", "after 20 epochs 256 dimensions validate worst of four", at_dim[3] == max(at_dim))
claim("06.penalty", "of four penalties 0.01 validates best", at_reg[2] == min(at_reg))
claim_value("06.turn", turn, 7, 2, "dim 64: the epoch with the lowest validation loss")

# %% [markdown]
# | you see | name | first action |
# | --- | --- | --- |
# | both high and close (λ = 0.1) | underfitting | more dimensions, features, epochs; less penalty |
# | training low, validation far above | overfitting | stop earlier, penalise, share parameters, more data |
# | validation *below* training | not one quantity | is dropout or a penalty in one of them? |
#
# ### Exercise 6.1 - EarlyStopper  |  medium  |  10 min
#
# Write `step`. **In:** an epoch's `score` and the `weights`, tensors by name, which training changes in place. **Out:** True when it is time to stop: `patience` epochs in a row without an improvement. An improvement beats the best score by *more than* `min_delta` (downwards in mode `"min"`); only then remember score and weights, in `best_score` and `best_weights`. NaN is never one. *Why it matters in interviews:* K01 often ends with "write it"; the alias and the NaN decide.


# %%
class EarlyStopper:
    """Remember the best epoch's weights, and say when to stop waiting for a better one."""

    def __init__(self, patience: int, min_delta: float = 0.0, mode: str = "max") -> None:
        self.patience, self.min_delta, self.mode = patience, min_delta, mode
        self.best_score = -float("inf") if mode == "max" else float("inf")
        self.best_weights, self.waited = {}, 0

    def step(self, score: float, weights: dict[str, Tensor]) -> bool:
        """Count an epoch with this score; True: stop now."""
        ### BEGIN SOLUTION
        gain = score - self.best_score if self.mode == "max" else self.best_score - score
        if gain > self.min_delta:  # never so for NaN
            self.best_score, self.waited = score, 0
            self.best_weights = {name: weight.clone() for name, weight in weights.items()}
        else:
            self.waited += 1
        return self.waited >= self.patience
        ### END SOLUTION


check(EarlyStopper)

# %% [markdown]
# Patience is for noise: one bad epoch proves nothing. And stopping early is a penalty in disguise: the vectors had no time to grow. Guess the order in NDCG@10 on the test: all 20 epochs, stopped early, and λ = 0.01?

# %% tags=["nbval-ignore-output"]
stopper, stopped = l06.EARLY_STOPPER.reference(patience=3, mode="min"), Factors(64)
for losses in train(stopped, 20):
    if stopper.step(losses["validation"], stopped.state_dict()):
        break
stopped.load_state_dict(stopper.best_weights)
judged = split.test.users.unique()
seen = split.train.dense(judged)  # left out of the lists
kept, results = {"20 epochs": tried[64, 0.0], "stopped": (stopped,), "λ = 0.01": tried[64, 0.01]}, []
for name, (model, *_) in kept.items():
    scores = (model.users[judged] @ model.films.T).detach().masked_fill(seen, -torch.inf)
    results.append(metrics.judge(scores.topk(10).indices, split.train, split.test, judged, name))
for model in (models.Popularity(), models.Random()):
    results.append(metrics.evaluate(model.fit(split.train), split.test))
metrics.leaderboard(results).rename_axis("random split, one seed")

# %%
last, early, penalised, *_ = (row.per_user["ndcg"] for row in results)
gains = metrics.paired_bootstrap(early, last), metrics.paired_bootstrap(penalised, early)
claim("06.early", "stopped early beats 20 epochs in NDCG@10, beyond the interval", gains[0].low > 0)
claim("06.penalised", "λ = 0.01 beats stopped early, beyond the interval", gains[1].low > 0)

# %% [markdown]
# ## Hold the weights down
#
# **L2** takes a *share* of every weight, **L1** a fixed *length*: what is shorter ends at exactly 0. Which films tell that somebody likes *Star Wars*? A linear regression on the likes of 568 films. Guess how many L1 leaves (at `l1` = 20; more penalty, fewer films).

# %%
table = torch.from_numpy(split.train.positives().matrix().toarray())  # [n_users, n_items]
target = titles.index("Star Wars (1977)")
known = [film for film in (table.sum(0) >= 20).nonzero()[:, 0].tolist() if film != target]
x, y = table[:, known] - table[:, known].mean(0), table[:, target] - table[:, target].mean()
gram, rate = x.T @ x, 1 / float(torch.linalg.eigvalsh(x.T @ x)[-1])  # a step that never overshoots


def regress(l1: float, l2: float) -> Tensor:
    """Weights of the films: a step downhill, then the proximal step of 6.2, 300 times."""
    weights = torch.zeros(len(known))
    for _ in range(300):
        weights = l06.SHRINK.reference(weights - rate * (gram @ weights - x.T @ y), rate, l1, l2)
    return weights


lasso, ridge = regress(20, 0), regress(0, 200)
left = lasso.nonzero()[:, 0].tolist()

# %%
figure, panel = plots.axes(8, 4)
panel.plot(ridge, lasso, ".", color="#777777")
panel.plot(ridge[left], lasso[left], "o", color=plots.HIGHLIGHT)
for film in left:
    name, place = titles[known[film]], (ridge[film], lasso[film])
    offset, align = ((-7, -3), "right") if name.startswith(("Empire", "Toy")) else ((7, -3), "left")
    panel.annotate(name, place, offset, textcoords="offset points", ha=align)
panel.set(xlabel="weight, L2", ylabel="weight, L1", xlim=(-0.05, 0.16), title="Who likes Star Wars?")
finding = "L2 gives all 568 films a weight; L1 leaves eight, Return of the Jedi first, the rest at 0."
plots.show(figure, alt=finding)
claim_value("06.l1-left", len(left), 8, 1, "films of 568 with a weight left by L1 = 20")
claim("06.l2-all", "L2 leaves a weight to each of them", bool((ridge != 0).all()))

# %% [markdown]
# ### Exercise 6.2 - shrink  |  stretch  |  8 min
#
# Eight of 568 films are left. Of near-twins L1 tends to keep one, L2 lets them share; here both sequels differ enough to stay. L1 has a kink at 0, where no gradient step lands. So solve one step exactly, the *proximal* step: for every weight $w$ the $x$ with the smallest $\tfrac12 (x - w)^2 + \text{rate} \cdot (l_1 |x| + \tfrac{l_2}{2} x^2)$. **In:** `weights`, float `[n]`; `rate`, `l1`, `l2`. **Out:** float `[n]`.


# %%
def shrink(weights: Tensor, rate: float, l1: float, l2: float) -> Tensor:
    """The proximal step of both penalties: float `[n]` to `[n]`."""
    ### BEGIN SOLUTION
    left = (weights.abs() - rate * l1).clamp(min=0)  # [n]
    return weights.sign() * left / (1 + rate * l2)
    ### END SOLUTION


check(shrink)

# %% [markdown]
# **Dropout** sets random numbers to 0 in training and scales the others up, so that the mean stays. "It reduces the weights", many write. It decays none directly: it adds noise. In linear regression the noise of rate $p$ *acts* like a ridge penalty scaled by the data, of strength $\tfrac{p}{1-p} \sum_u x_{ui}^2$ for the weight of film $i$. So weights do shrink there (uncorrelated films all by one share), while plain ridge holds rare films hardest. And at serving? Leave dropout on by accident, and guess how many of ten films two visits of one user share.
#
# ### Exercise 6.3 - dropout  |  stretch  |  8 min
#
# **In:** `x` and `upstream` (the slope that comes back), float `[batch, dim]`; `draws`, uniform numbers from 0 to 1: what draws less than `rate` is dropped; `training`. **Out:** what goes on, and the slope of `x`. The mean must stay.


# %%
def dropout(x: Tensor, upstream: Tensor, draws: Tensor, rate: float, training: bool) -> tuple:
    """What goes on and the slope that comes back: both float `[batch, dim]`."""
    ### BEGIN SOLUTION
    if not training:
        return x, upstream
    keep = (draws >= rate) / (1 - rate)  # [batch, dim], 0 or what keeps the mean
    return x * keep, upstream * keep
    ### END SOLUTION


check(dropout)

# %%
drop, generator = l06.DROPOUT.reference, torch.Generator().manual_seed(0)
few = x[:, table[:, known].sum(0).topk(60).indices]  # the 60 best-liked films
noisy = [drop(few, few, torch.rand(few.shape, generator=generator), 0.5, True)[0] for _ in range(200)]
grams = {"plain": few.T @ few, "noise": sum(part.T @ part for part in noisy) / len(noisy)}
grams["ridge"] = grams["plain"] + grams["plain"].diagonal().diag()  # p / (1 - p) = 1
plain, noise, closed = (torch.linalg.solve(one, few.T @ y) for one in grams.values())
size = sum(part.abs().sum() for part in noisy) / (len(noisy) * few.abs().sum())
gap, length = (noise - closed).norm() / closed.norm(), closed.norm() / plain.norm()
claim_value("06.dropout-mean", size, 1, 0.01, "mean size of a number after dropout, of that before")
claim("06.dropout-ridge", "regression under dropout: the scaled ridge, within 5 %", gap < 0.05)
claim_value("06.dropout-length", length, 0.52, 0.05, "length of its weights, of those without dropout")
users, visits = stopped.users.detach()[judged], []
for _ in range(2):
    draws = torch.rand(users.shape, generator=generator)
    scores = drop(users, users, draws, 0.5, True)[0] @ stopped.films.detach().T
    visits.append(scores.masked_fill(seen, -torch.inf).topk(10).indices)
same = (visits[0].unsqueeze(2) == visits[1].unsqueeze(1)).any(2).float().mean()
claim_value("06.dropout-on", same, 0.35, 0.1, "share of the ten films that two visits have in common")

# %% [markdown]
# A third of the ten films survives: call `.eval()` before you serve. **Augmentation** makes more examples: a crop, a mask, another order of a history. It leaks as soon as it comes *before* the split. Guess what EASE gains from four crops a user, made from training likes, and made from all likes.

# %%
last, view = data.frozen_split(ratings, "last"), l06.AUGMENT.reference
people, own = last.test.users.unique(), last.train.positives()
found = {"without": metrics.evaluate(models.EASE().fit(last.train), last.test).interval("ndcg")}
for name, source in {"after": own, "before": ratings.positives()}.items():
    generator, crops = torch.Generator().manual_seed(0), []
    for films in source.items.split(source.ptr.diff().tolist()):
        crops += [view(films, "crop", 20, 0, generator)[0] for _ in range(4) if len(films) > 2]
    rows = torch.arange(len(crops)).repeat_interleave(torch.tensor([len(crop) for crop in crops]))
    users, films = torch.cat([own.users, own.n_users + rows]), torch.cat([own.items, *crops])
    more = data.Interactions.from_events(users, films, n_items=own.n_items)  # a crop is a new user
    scores = models.EASE().fit(more).scores(people, history=own)
    lists = scores.masked_fill(last.train.dense(people), -torch.inf).topk(10).indices
    found[name] = metrics.judge(lists, last.train, last.test, people, name).interval("ndcg")
without, after, before = found.values()
claim_value("06.no-crops", without.mean, 0.12, 0.005, "NDCG@10 of EASE, last 5 of a user held out")
claim_value("06.crops-after", after.mean, 0.11, 0.01, "the same with crops of the training likes")
claim_value("06.crops-before", before.mean, 0.17, 0.01, "the same with crops made before the split")
claim("06.crops-leak", "the leak lies beyond both 95 % intervals", before.low > without.high)

# %% [markdown]
# Crops gain nothing here (0.112 against 0.121; EASE knows no order). Made too early they "gain" 40 %: some hold the very films that the test asks for.
#
# ### Exercise 6.4 - augment  |  stretch  |  10 min
#
# **In:** `films`, int `[length]`, oldest first: the last one is the target, the others the history; `kind`: `"crop"` keeps a random run of `n` neighbours of the history, `"mask"` puts `mask` in `n` random places, `"reorder"` shuffles a random run of `n`; a `generator`. A short history: as many as there are. **Out:** the films to learn from, and the target.


# %%
def augment(films: Tensor, kind: str, n: int, mask: int, generator: torch.Generator) -> tuple:
    """Another view of a history, and its target: int `[length]` to int `[any]` and a number."""
    ### BEGIN SOLUTION
    history, target = films[:-1].clone(), int(films[-1])  # cut the target off first
    n = min(n, len(history))
    if kind == "mask":
        history[torch.randperm(len(history), generator=generator)[:n]] = mask
        return history, target
    start = int(torch.randint(len(history) - n + 1, (), generator=generator))
    run = slice(start, start + n)
    if kind == "crop":
        return history[run], target
    history[run] = history[run][torch.randperm(n, generator=generator)]
    return history, target
    ### END SOLUTION


check(augment)

# %% [markdown]
# ### One epoch, and rare ids
#
# Click models with embeddings often do best after *one* epoch and break at the first steps of the second. Watch it: a small neural ranker predicts whether a rating is a like, from user and film, or with a fine id as well: *this user and this combination of genres*; the last once more with a penalty, equal for all ids or divided by an id's count. Guess where each curve turns.


# %%
names, keys = sorted(set(movies.items["genres"])), ratings.users * ratings.n_items + ratings.items
genre = torch.tensor([names.index(combination) for combination in movies.items["genres"]])  # [n_items]
codes, fine = (ratings.users * len(names) + genre[ratings.items]).unique(return_inverse=True)
film_at, fine_at = ratings.n_users, ratings.n_users + ratings.n_items  # one table holds all ids
columns = torch.stack([ratings.users, film_at + ratings.items, fine_at + fine], 1)  # [n_events, 3]
learn, decide = (torch.isin(keys, part.keys) for part in (inner.train, inner.held_out))
liked, loss_of = (ratings.ratings >= 4).float(), F.binary_cross_entropy_with_logits
print(f"{len(codes):,} fine ids, {int(learn.sum()):,} ratings to learn from")


# %%
def follow(n_columns: int, reg: float = 0.0, by_count: bool = False) -> pd.DataFrame:
    """Log loss of a small network on embeddings, eight times an epoch, over three epochs."""
    ids, answers = columns[learn, :n_columns], liked[learn]  # [n, n_columns], [n]
    counts, generator = ids.flatten().bincount()[ids], torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        table = nn.Embedding(int(columns[:, :n_columns].max()) + 1, 8)
        layers = nn.Sequential(nn.Linear(8 * n_columns, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
        nn.init.normal_(table.weight, std=0.05)
    optimizer, found = torch.optim.Adam([*table.parameters(), *layers.parameters()], lr=0.01), {}
    for epoch in range(3):
        for step, rows in enumerate(torch.randperm(len(ids), generator=generator).split(512), start=1):
            vectors = table(ids[rows])  # [batch, n_columns, 8]
            squares = vectors.square().sum(2) / (counts[rows] if by_count else 1)
            optimizer.zero_grad()
            loss = loss_of(layers(vectors.flatten(1)), answers[rows])
            (loss + reg * squares.sum(1).mean()).backward()
            optimizer.step()
            if step % 17 == 0:  # of 141 steps
                with torch.no_grad():
                    scores = layers(table(columns[decide, :n_columns]).flatten(1))
                found[epoch + step / 141] = loss.item(), loss_of(scores, liked[decide]).item()
    return pd.DataFrame(found, index=["training", "validation"]).T


# %%
runs = {"user and film": follow(2), "fine ids": follow(3), "λ = 0.3 for all": follow(3, reg=0.3)}
runs["λ = 10 / count"] = follow(3, reg=10.0, by_count=True)
figure, panel = plots.axes(8, 3.8)
shades = ("#0072B2", -0.01), (plots.HIGHLIGHT, -0.015), ("#777777", 0.015), ("#009E73", 0.01)
for (name, run), (ink, up) in zip(runs.items(), shades, strict=True):
    panel.plot(run["validation"], color=ink)
    panel.text(3.03, run["validation"].iloc[-1] + up, name, color=ink, va="center")
panel.plot(runs["fine ids"]["training"], ":", color=plots.HIGHLIGHT)
panel.text(3.03, runs["fine ids"]["training"].iloc[-1], "fine ids, training", color=plots.HIGHLIGHT)
panel.set(xlabel="epochs", ylabel="log loss, solid: validation", xlim=(0, 3.9), xticks=range(4))
panel.grid(axis="x")
finding = "Fine ids: validation loss leaps as epochs 2 and 3 begin, training loss drops. Without them "
finding += "it is flat. An equal λ = 0.3 does not help; one by count takes most of the leap away."
plots.show(figure, alt=finding)

# %%
first = {name: run["validation"][run.index <= 1.01].min() for name, run in runs.items()}
later = {name: run["validation"][run.index > 1.1].iloc[0] for name, run in runs.items()}
leap = {name: loss - first[name] for name, loss in later.items()}
equal, counted, fines = "λ = 0.3 for all", "λ = 10 / count", "fine ids"
worse = first[equal] > first[fines] and leap[equal] > 0.04
claim("06.one-epoch", "fine ids: early in epoch 2 the loss is up by over 0.04", leap[fines] > 0.04)
claim("06.no-leap", "without fine ids it is up by less than 0.02", leap["user and film"] < 0.02)
claim("06.equal-penalty", "one λ for all: worse after epoch 1, and up by over 0.04 as well", worse)
claim("06.by-count", "λ by count: up by less than half as much", 2 * leap[counted] < leap[fines])

# %% [markdown]
# Most fine ids are seen once or twice. After epoch 1 its vector knows the answers of *its* ratings; in epoch 2 the layers above trust it. New ratings often bring untrained vectors, and the trust fails (Zhang et al., 2022).
#
# Cures: one epoch; one shared vector for rare ids; a penalty by **frequency**. Charged at each rating, a penalty grows with the evidence, so two ratings are believed as much as 500. Divided by the id's count, each id pays once an epoch, and a rare one stays near 0.
#
# ## Cut folds that keep their promise
#
# **K-fold** cuts the events into K parts and holds each out once, with a fresh model each time: K scores, and how far chance moves them. Cut shuffled events, whole users, or time (learning from all before). `MF` has an RMSE of 0.91 on shuffled events. Guess the other two.

# %%
cut, judge = l06.FOLDS.reference, l06.CV_SCORE.reference  # exercises 6.5 and 6.6, solved
(figure, panel), means = plots.axes(7, 2.4), {}
for row, kind in enumerate(("rows", "users", "time")):
    parts = cut(ratings.users, ratings.times, kind, 4, 0, torch.Generator().manual_seed(0))
    scores = judge(models.MF, ratings, parts)
    means[kind] = sum(scores) / len(scores)
    panel.plot(scores, [row] * len(scores), "o", color=plots.colour("MF"))
panel.set(yticks=range(3), ylim=(-0.5, 2.5), xlabel="RMSE of MF, one dot a fold", title="Three cuts")
panel.set_yticklabels(["shuffled events", "new users", "the next months"])
finding = "Shuffled events: four dots near 0.91. New users and later months: about 1.02, far apart."
plots.show(figure, alt=finding)
claim_value("06.rows", means["rows"], 0.91, 0.01, "mean RMSE of MF, four folds of shuffled events")
claim_value("06.users", means["users"], 1.02, 0.02, "the same, folds of whole users")
claim_value("06.time", means["time"], 1.03, 0.02, "the same, four expanding folds in time")

# %% [markdown]
# One model, three true answers to three questions (early time folds also learn from less): ask your product's. In time, leave a **gap** as well, for what is not yet known on the day.
#
# ### Exercise 6.5 - folds  |  medium  |  10 min
#
# **In:** `users` and `times`, int `[n]`, one event a place; `kind`; `n_folds`; `gap`; a `generator`. **Out:** for each fold the events to learn from and those held out, two bool `[n]`. `"rows"`: shuffle the events and deal them out evenly. `"users"`: likewise whole users. `"time"`: `n_folds` + 1 blocks; block $b$ starts at the time at place `n * b // (n_folds + 1)` of the sorted times; hold out all but block 0 in turn and learn from every event more than `gap` older than the block's start. *Why it matters in interviews:* H10.


# %%
def folds(users: Tensor, times: Tensor, kind: str, n_folds: int, gap: int, generator) -> list[tuple]:
    """For each fold which events are learnt from and which are held out: pairs of bool `[n]`."""
    ### BEGIN SOLUTION
    if kind == "time":
        blocks = [len(times) * n // (n_folds + 1) for n in range(1, n_folds + 1)]
        starts = times.sort().values[blocks].tolist()
        ends = [*starts[1:], float("inf")]
        pairs = zip(starts, ends, strict=True)
        return [(times < a - gap, (times >= a) & (times < b)) for a, b in pairs]
    groups = users.unique(return_inverse=True)[1] if kind == "users" else torch.arange(len(users))
    places = torch.randperm(int(groups.max()) + 1, generator=generator) % n_folds
    return [(places[groups] != n, places[groups] == n) for n in range(n_folds)]
    ### END SOLUTION


check(folds)

# %% [markdown]
# ### Exercise 6.6 - cv_score  |  easy  |  8 min
#
# **In:** `make`, which gives a new model each time it is called; `ratings`; `parts`, the pairs of 6.5. Models have `fit(ratings)` and `predict(users, items)`. **Out:** the held-out RMSE of each fold. A spy watches how many models you make, how often each is fitted and what it sees.


# %%
def cv_score(make, ratings: data.Interactions, parts: list[tuple[Tensor, Tensor]]) -> list[float]:
    """RMSE of each fold, each from a model of its own."""
    ### BEGIN SOLUTION
    found = []
    for train, held in parts:
        model, unseen = make().fit(ratings.select(train)), ratings.select(held)
        error = unseen.ratings - model.predict(unseen.users, unseen.items)
        found.append(float(error.square().mean().sqrt()))
    return found
    ### END SOLUTION


check(cv_score)

# %% [markdown]
# If folds also *choose* the configuration, the best of their scores is no estimate: it was chosen for being good. **Nested** validation chooses inside and judges outside, on data that no choice has seen. So does the next section, in time.
#
# ## The experiment
#
# **Hypothesis.** The winner of 200 configurations keeps its lead. **Protocol.** 25 weeks of MovieLens, each judged by models that know the past alone: NDCG@10 over all films, all users with a like in that week (37 to 121). A configuration adds up popularity, popularity of late, mean rating, year and EASE; weights, window and EASE's penalty are drawn at random. Choose on one week, judge on the next: 24 pairs. **What would change my mind?** A lead that shrinks beyond its 95 % interval (over pairs; neighbours share a week, so it is rather narrow).


# %%
def scaled(values: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 along the films."""
    return (values - values.mean(-1, keepdim=True)) / values.std(-1, keepdim=True).clamp(min=1e-6)


DAY, WINDOWS, RIDGES, rng = 86400, (7, 14, 28, 56), (100.0, 300.0, 1000.0), np.random.default_rng(0)
new = scaled(torch.from_numpy(movies.items["year"].fillna(1980).to_numpy(np.float32))) / 2
drawn = [(rng.exponential(1, 5), rng.choice(WINDOWS), rng.choice(RIDGES)) for _ in range(200)]


def rankings(past: data.Interactions, users: Tensor):
    """Scores `[n_judged, n_items]` of each configuration, then of Popularity and Random."""
    n, sums = past.item_counts(), torch.zeros(past.n_items)
    good = scaled(sums.index_add(0, past.items, past.ratings - past.ratings.mean()) / (n + 20))
    parts = {days: past.select(past.times > past.times.max() - days * DAY) for days in (9999, *WINDOWS)}
    heard = {days: scaled(p.positives().item_counts().float().log1p()) for days, p in parts.items()}
    ease = {reg: scaled(models.EASE(reg).fit(past).scores(users)) for reg in RIDGES}
    for (a, b, c, d, e), days, reg in drawn:
        yield a * heard[9999] + b * heard[days] + c * good + d * ease[reg] + e * new
    yield heard[9999].expand(len(users), -1)
    yield models.Random().fit(past).scores(users)


# %%
def judge_week(week: int) -> Tensor:
    """NDCG@10 of each ranking for each user of a week, float `[202, n_judged]`."""
    start = int(ratings.times.min()) + 7 * DAY * week
    past, after = ratings.select(ratings.times < start), ratings.times >= start
    likes = ratings.select(after & (ratings.times < start + 7 * DAY)).positives()
    users, found = likes.users.unique(), []
    for scores in rankings(past, users):
        films = scores.masked_fill(past.dense(users), -torch.inf).topk(10).indices
        hits = likes.dense(users).gather(1, films)
        found.append(metrics.ndcg(hits, metrics.count_relevant(likes, users)))
    return torch.stack(found)


weeks = [judge_week(week) for week in range(4, 29)]
means = torch.stack([users.mean(dim=1) for users in weeks]).numpy()  # [25, 202]
scores, now = means[:, :200], np.arange(24)
leads = scores - scores.mean(axis=1, keepdims=True)  # above the average configuration

# %% tags=["nbval-ignore-output"]
tried, curves = (1, 2, 5, 10, 20, 50, 100, 200), []
for n in tried:
    pairs = []
    for order in (rng.permutation(200)[:n] for _ in range(100)):
        winners = order[leads[:-1][:, order].argmax(axis=1)]  # [24]
        pairs.append([leads[now, winners].mean(), leads[now + 1, winners].mean()])
    curves.append(np.mean(pairs, axis=0))
curves = np.array(curves)  # [8, 2]
figure, panel = plots.axes(7.5, 3.4)
for heights, name, ink in zip(curves.T, ("its own week", "next week"), inks.values(), strict=True):
    panel.plot(tried, heights, "o-", color=ink)
    panel.annotate(name, (200, heights[-1]), (6, -3), textcoords="offset points", color=ink)
panel.fill_between(tried, *curves.T, color=plots.OTHERS, alpha=0.4)
panel.annotate("optimism", (50, curves[5].mean()), ha="center", va="center")
panel.set(xscale="log", xlim=(0.9, 700), xlabel="configurations tried", title="lead in NDCG@10")
panel.set_xticks(tried, tried, minor=False)
finding = "With more configurations tried the winner's lead grows; a week later half of it is left."
plots.show(figure, alt=finding)
print(f"you said {prediction}, measured: {curves[-1, 1] / curves[-1, 0]:.2f}")

# %% tags=["nbval-ignore-output"]
winners = leads[:-1].argmax(axis=1)  # [24]
pooled = np.array([leads[max(0, week - 7) : week + 1].mean(axis=0).argmax() for week in now])
chosen, later = leads[now, winners], leads[now + 1, winners]
names = "winner, its own week", "winner, next week", "lead lost", "winner of eight weeks, next week"
names += "average configuration, next week", "Popularity, next week", "Random, next week"
values = scores[now, winners], scores[now + 1, winners], chosen - later, scores[now + 1, pooled]
rows = zip(names, (*values, scores[1:].mean(axis=1), *means[1:, 200:].T), strict=True)
pd.Series({name: str(metrics.bootstrap(row)) for name, row in rows}, name="NDCG@10").to_frame()

# %%
halves = []
for users in (week[:200] for week in weeks):  # [200, n_judged]
    order = torch.from_numpy(rng.permutation(users.shape[1]))
    one, two = (users[:, half].mean(dim=1) for half in order.tensor_split(2))
    halves.append([one.max() - one.mean(), two[one.argmax()] - two.mean()])
(here, there), growth = np.mean(halves, axis=0), curves[7] - curves[3]
claim_value("06.lead", chosen.mean(), 0.05, 0.01, "the winner's lead in the week of the choice")
claim_value("06.lead-left", later.mean(), 0.025, 0.01, "its lead in the next week")
claim("06.lost", "over 0.01 is lost, beyond the interval", metrics.bootstrap(chosen - later).low > 0.01)
claim("06.more", "from 10 to 200 tried the lead grows, mostly by optimism", growth[0] > 3 * growth[1])
claim("06.same-week", "half the users choose: a third less for the other half", 3 * there < 2 * here)

# %% [markdown]
# The hypothesis is dead. Of a lead of 0.053 over the average configuration 0.026 is left; the loss is 0.027 [0.016, 0.038]. It is mostly not the calendar: choose on half of a week's users, and the *other half of the same week* takes back as much. The largest of 200 noisy numbers is large because of its noise. From 10 tried to 200 the lead grows by 0.016 in its own week and by 0.002 in the next. So promise 0.245 [0.227, 0.264], not 0.272, beside 0.225 [0.204, 0.250] for `Popularity`. Count what you tried; let several weeks choose (0.252 here, and 24 pairs cannot tell it from 0.245); judge once, on data that chose nothing.
#
# ## Spot the bug
#
# "Cross-validation against overfitting", as it circulates. Six lines are wrong. `model` is an `MF` whose `fit` *goes on* from where it stands, as networks do.


# %%
class WarmMF(models.MF):
    """MF that keeps its vectors when `fit` is called again."""

    def _start(self, train: data.Interactions) -> torch.Generator:
        if not hasattr(self, "train_"):
            return super()._start(train)
        self.train_ = train
        return torch.Generator().manual_seed(self.seed)

    def rmse(self, part: data.Interactions) -> float:
        """Root of the mean squared error, in stars."""
        return float((part.ratings - self.predict(part.users, part.items)).square().mean().sqrt())


# %%
def circulating_selection(ratings: data.Interactions, model: WarmMF, generator: torch.Generator):
    best_score, best_model = 0.0, None
    parts = cut(ratings.users, ratings.times, kind="rows", n_folds=5, gap=0, generator=generator)
    for train, held in parts:
        model.fit(ratings.select(train))
        score = model.rmse(ratings.select(held))
        if score > best_score:
            best_score, best_model = score, model
        else:
            break
    return best_model, best_score


review.show(circulating_selection)

# %%
suspects = []  # for example [3]
review.mark(circulating_selection, suspects)

# %% [markdown]
# Now measure. One model through five folds, its RMSE on each and, at the end, on the untouched test; five fresh models; the code as it stands; and one model on *shuffled stars*, where nothing can be learnt. Guess each before you run.


# %% tags=["nbval-ignore-output"]
generator, events = torch.Generator().manual_seed(0), split.train
parts = cut(events.users, events.times, "rows", 5, 0, generator)
stars = events.ratings[torch.randperm(len(events), generator=generator)]
one, guesser = WarmMF(reg=0.02), WarmMF(reg=0.02)  # a weak penalty: they can memorise
warm = judge(lambda: one, events, parts)  # always the same model
fresh = judge(lambda: models.MF(reg=0.02), events, parts)
on_noise = judge(lambda: guesser, replace(events, ratings=stars), parts)
best, reported = circulating_selection(events, WarmMF(reg=0.02), torch.Generator().manual_seed(0))
report = {"one model": warm, "fresh models": fresh, "one model, shuffled stars": on_noise}
pd.DataFrame(report).rename_axis("fold").round(2)

# %%
again = best.rmse(events.select(parts[0][1]))  # on the fold that it is praised for
claim_value("06.warm", warm[-1], 0.66, 0.02, "RMSE of one model on the fifth fold")
claim_value("06.warm-test", one.rmse(split.held_out), 1.07, 0.02, "its RMSE on the untouched test")
claim_value("06.fresh", np.mean(fresh), 1.02, 0.01, "mean RMSE of five fresh models")
claim_value("06.noise", on_noise[-1], 0.94, 0.03, "RMSE of one model on shuffled stars, spread 1.13")
claim_value("06.reported", reported, 1.02, 0.01, "what the code as it stands reports, after two folds")
claim("06.alias", "the model returned is not the one that was scored", again < reported - 0.1)

# %% [markdown]
# The folds say 0.66, the test 1.07, fresh models 1.02: from the second fold on the model is asked about ratings it has learnt from. As it stands the code reports an honest-looking 1.02, by accident: it keeps the *larger* loss, which is the first fold's, and breaks. Mend the comparison and its start alone, and it reports 0.66. The model returned has gone on in the second round, where the first fold's answers are for learning: a name is no copy. And shuffled stars are the cheapest detector: 0.94 beats their spread of 1.13, so somebody has seen the answers.
#
# **Your review, in a sentence a line:**
#
# ### BEGIN SOLUTION
# Line 3 shuffles events that have a date. Line 5 goes on with one model through all folds. Line 7 keeps the larger loss. Line 8 keeps a second name, no copy. Line 10 breaks across folds, which are no epochs. Line 11 reports the fold that was chosen, not the mean, and nothing untouched.
# ### END SOLUTION

# %% [markdown]
# ## Interview room
#
# Speak for two minutes before you follow the link to the model answer; then grade yourself with the rubric. One or two today are enough.

# %% [markdown] tags=["question"]
# K01 K10 H10 H11 E09

# %% [markdown]
# **Say it in 30 seconds:** "Does dropout reduce the weights?"
#
# ### BEGIN SOLUTION
# Not by direct decay: it multiplies by noise in training and is off at serving. In linear regression the expected loss equals ridge with a penalty that each feature's sum of squares scales, so weights do shrink there. In a network it keeps units from relying on one another.
# ### END SOLUTION
#
# **Estimate:** the NDCG of a week has a standard error of 0.03, and 200 configurations are equally good. How far above the truth is the winner, if their errors were independent?
#
# ### BEGIN SOLUTION
# The maximum of n normal numbers lies about √(2 ln n) standard errors up: √(2 x 5.3) = 3.3, 2.75 exactly. So about 0.08. Configurations judged on the same users share most of their error, so the true optimism is smaller: 0.027 in the experiment.
# ### END SOLUTION
#
# ## Recap
#
# - Draw one quantity on two parts: the gap is overfitting, its lowest point is where to stop.
# - Early stopping: patience from the best, strictly better, NaN is nothing, a *copy* of the weights.
# - L1 takes a length, L2 a share; dropout is noise, off at serving; augment after the split. Rare ids memorise: one epoch, or a penalty by count.
# - A fold promises what you cut: events, users or time. A fresh model each. What chose cannot judge.
#
# **Pitfalls and myths**, all commonly seen. *"Break when a fold is worse"*: early stopping goes over epochs. *"K-fold prevents overfitting"*: it measures; and a large model is not trained K times. *"Pre-trained models do not overfit"*: fine-tuned on few examples, they do. *"`best = model`"*: an alias. *"The validation score is the expected score"*: not of a winner.
#
# **Go further.** Cawley and Talbot, *On over-fitting in model selection* (JMLR 2010): the experiment, in general. Zhang et al., *Towards understanding the overfitting phenomenon of deep click-through rate models* (CIKM 2022): one epoch. Wager, Wang and Liang, *Dropout training as adaptive regularization* (NeurIPS 2013). Ning and Karypis, *SLIM* (ICDM 2011): L1 and L2 for item weights. Liu et al., *Multi-epoch learning for deep click-through rate prediction models* (arXiv 2305.19531): another cure.
#
# **Next:** type `recsys-course next` in a terminal.

# %% [markdown] tags=["teacher"]
# **For teachers.** 50 minutes: the three curves, 6.1, the experiment, the bug. 90 minutes: add 6.5, 6.6 and K01 in pairs. Watch for: an alias in 6.1, `not score <= best` that NaN passes, a time fold that learns from the future in 6.5, `make()` outside the loop in 6.6. Grading: 6.1 35 %, 6.5 30 %, 6.6 15 %, the bug 20 %. Students ask: *Which regulariser is early stopping?* For least squares by gradient descent it acts much like L2: directions with much data are learnt first. *Is a lead of 0.026 worth 200 runs?* Ten runs gave nearly as much. *Why do new users and later months look alike?* In MovieLens a later month consists mostly of new users. Discuss: your team has one test set and ten people who look at it each week; whom does it still judge?
