# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# course:
#   title: Measure what a recommendation list is worth
#   level: beginner to intermediate
#   minutes_read: 25
#   minutes_do: 65
#   cpu_seconds: 20
#   ram_mb: 560
#   requires: ["01"]
#   articles: ["001-Q3", "004-Q6"]
#   builds: recall and NDCG, a leak detector, and an honest leaderboard
# ---

# %% [markdown]
# # 02 Measure what a recommendation list is worth
#
# ## The interview moment
#
# *"Your new model lifts NDCG@10 from 0.17 to 0.37. Do we ship it?"*
#
# A typical weak answer: "Yes, it has more than doubled." It does not ask which users were judged, on which split, against which baseline, and whether the number is right at all. In this lesson you see one model win by 0.20 and lose by 0.14 on the same ratings, and a popular piece of code report 0.62 where the truth is 0.36.
#
# **You will be able to** compute recall@k, NDCG@k and AUC by hand and in code; choose a split and find its leaks; put an interval on a difference; name six ways in which an offline number lies; size an A/B test.
#
# **Your first evening?** Skip the warm-up. Do exercise 2.1, read the NDCG formula below it, do *Spot the bug*, then answer question H02 aloud. The rest can wait.

# %%
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_course import claim, claim_value, data, metrics, models, plots, simulate
from recsys_course.exercises.l02 import check, hint, review, solution  # noqa: F401

movies = data.movielens()
ratings, titles = movies.ratings, movies.titles
print(movies)

# %% [markdown]
# **Warm-up** (after lesson 01). Answer before you unfold:
#
# 1. Which share of the ratings goes to the most-rated fifth of the films? <details><summary>answer</summary>65 %.</details>
# 2. Why is a missing rating no dislike? <details><summary>answer</summary>Most films were never seen.</details>
# 3. Which two baselines stand in every table? <details><summary>answer</summary>Random and popular.</details>
#
# Now commit to a guess. Four models: `Random`; `Popularity` (the most-liked films for everybody); `ItemKNN` (films liked by the same people as yours); `EASE` (predicts each film from all others by linear regression). They meet three ways to hold ratings back: at random, the last five of each user, and everything after one date. Who wins each time?

# %%
prediction = {"random": "?", "last": "?", "time": "?"}  # write a model's name for each split

# %% [markdown]
# ## One table of hits
#
# A film you rated 4 or 5 is a right answer. We hide 20 % of all ratings, let EASE (a linear model, lesson 04) learn from the rest, and look at the list of one real user. A tick is a hidden film that this user liked: a **hit**.

# %%
split = data.frozen_split(ratings, "random")
ease = models.EASE().fit(split.train)
user = torch.tensor([72])
films = ease.recommend(user, k=10)  # [1, 10]
hits = metrics.find_hits(films, split.test, user)  # [1, 10]
n_relevant = metrics.count_relevant(split.test, user)  # [1]
for rank, (film, hit) in enumerate(zip(films[0].tolist(), hits[0].tolist(), strict=True), start=1):
    print(f"{rank:>2} {'✓' if hit else '·'} {titles[film]}")
print(f"{int(hits.sum())} hits; {int(n_relevant)} liked films were hidden")

# %% [markdown]
# Everything that follows is a function of two things: the row of ticks, `hits [batch, k]`, and the number of right answers, `n_relevant [batch]`. Here is the same row as a picture. The height of a bar is what a hit at that rank is worth to NDCG.

# %%
figure, panel = plots.axes(7, 2.6)
weights = 1 / np.log2(np.arange(2, 12))
shades = [plots.HIGHLIGHT if hit else plots.OTHERS for hit in hits[0].tolist()]
panel.bar(range(1, 11), weights, color=shades)
panel.set(xlabel="rank in the list", ylabel="weight 1 / log2(rank + 1)", xticks=range(1, 11))
panel.annotate("coloured: a hit", (7.4, 0.75), color=plots.HIGHLIGHT)
plots.show(
    figure,
    alt="Ten bars that shrink from 1 at rank 1 to 0.29 at rank 10; the bars of the hits are coloured.",
)

# %% [markdown]
# **Precision** asks how much of the list was right: hits / k. **Recall** asks how much of what there was to find was found: hits / n. With three hits in ten places and six hidden likes, precision is 0.3 and recall 0.5.
#
# ### Exercise 2.1 - recall  |  easy  |  8 min
#
# **In:** `hits`, bool `[batch, k]`, best rank first; `n_relevant`, int `[batch]`. **Out:** float `[batch]`, NaN for a user with nothing to find. Run the cell as it is, then write, then run it again. `hint(recall)` helps, `solution(recall)` shows the course's version.
#
# *Why it matters in interviews:* "define recall@k precisely" is the most common opening, and most answers forget the user with no right answer.


# %%
def recall(hits: Tensor, n_relevant: Tensor) -> Tensor:
    """Share of the relevant items that were recommended: bool `[batch, k]`, int `[batch]` to float `[batch]`."""
    ### BEGIN SOLUTION
    return hits.sum(dim=1) / n_relevant
    ### END SOLUTION


check(recall)

# %% [markdown]
# Recall does not care about order. **NDCG** does: a hit at rank $r$ is worth $1 / \log_2(r + 1)$, and the sum is divided by that of a perfect list, so that 1 means "could not be better":
#
# $$\mathrm{NDCG@}k = \frac{1}{Z} \sum_{r=1}^{k} \frac{h_r}{\log_2(r + 1)} \qquad
# Z = \sum_{r=1}^{\min(k, n)} \frac{1}{\log_2(r + 1)}$$
#
# By hand: hits at ranks 1 and 3, two right answers. The list earns $1 + 0.5 = 1.5$, a perfect one $1 + 0.63 = 1.63$, so NDCG is 0.92.
#
# ### Exercise 2.2 - ndcg  |  medium  |  10 min
#
# **In** and **out** as before. Mind two edges: more right answers than places ($n > k$), and none at all.
#
# *Why it matters in interviews:* the perfect list in the denominator is where published code goes wrong.


# %%
def ndcg(hits: Tensor, n_relevant: Tensor) -> Tensor:
    """Discounted gain of the hits over that of a perfect list: `[batch, k]`, `[batch]` to `[batch]`."""
    ### BEGIN SOLUTION
    weights = 1 / torch.arange(2, hits.shape[1] + 2).log2()  # [k]
    perfect = weights.cumsum(0)[n_relevant.clamp(1, hits.shape[1]) - 1]  # [batch]
    return ((hits * weights).sum(dim=1) / perfect).masked_fill(n_relevant == 0, torch.nan)
    ### END SOLUTION


check(ndcg)

# %% [markdown]
# From here on we use the package's versions. One call judges every user. New names: *hit rate*, the share of users with any hit; *MRR*, 1 / rank of the first hit, averaged; *average precision*, the precision at each hit, averaged; *novelty*, how unusual the films are.

# %% tags=["nbval-ignore-output"]
print(metrics.evaluate(ease, split.test, k=10))

# %% [markdown]
# *In practice.* Libraries mean different things by the same word. Say which one you use.
#
# | metric | here | elsewhere |
# | --- | --- | --- |
# | recall@k | hits / n (also ranx, TREC's tools) | hits / min(k, n): LensKit |
# | no right answer | NaN, left out, counted | 0: scikit-learn, ranx |
# | average precision@k | over min(k, n) | over n: ranx, TREC's tools |
# | gain of a hit | 0 or 1 | the grade, or 2^grade - 1 |

# %% [markdown]
# ## A split asks a question
#
# Which ratings we hide decides what we ask. *Random*: fill the holes of a half-known taste. *Last five*: what does a known user like next? *Time*: it is March 1998; what do the visitors of the coming weeks like? Only the last one keeps the future out, so it is nearest to a launch. Each row below is a user, each field a rating; what is held out is coloured.

# %%
n_rated = ratings.ptr.diff()  # [n_users]
some = (n_rated <= 60).nonzero().squeeze(1)[::22]  # every 22nd user with at most 60 ratings
some = some[ratings.times[ratings.ptr[some]].argsort()]  # by first visit
figure, panels = plots.axes(10, 3.8, columns=3)
for panel, name in zip(panels, ("random", "last", "time"), strict=True):
    cut = data.frozen_split(ratings, name)
    picture = np.ones((len(some), 60, 3))  # white: no more ratings
    for row, member in enumerate(some.tolist()):
        mine = slice(ratings.ptr[member], ratings.ptr[member + 1])
        pairs = ratings.users[mine] * ratings.n_items + ratings.items[mine]  # in order of time
        held = torch.isin(pairs, cut.held_out.keys)
        for column, hidden in enumerate(held.tolist()):
            picture[row, column] = (0.84, 0.37, 0.0) if hidden else (0.73, 0.73, 0.73)
    panel.imshow(picture, aspect="auto", origin="lower", interpolation="nearest")
    panel.set(title=name, xlabel="a user's ratings, in order of time", yticks=[])
panels[0].set_ylabel(f"{len(some)} users, first visit from bottom to top")
plots.show(
    figure,
    alt="Random: held-out ratings, in colour, are sprinkled over every row. Last: the last five of each "
    "row. Time: most rows have none, and the rows of late users are coloured from end to end.",
)

# %%
hours = (ratings.times[ratings.ptr[1:] - 1] - ratings.times[ratings.ptr[:-1]]) / 3600
seconds = ratings.users * 2**32 + ratings.times  # one number for each user and second
_, where, counts = seconds.unique(return_inverse=True, return_counts=True)
claim_value(
    "02.one-evening",
    (hours <= 6).float().mean(),
    stated=0.64,
    tolerance=0.005,
    text="share of users whose ratings all fall within six hours",
)
claim_value(
    "02.same-second",
    (counts[where] > 1).float().mean(),
    stated=0.76,
    tolerance=0.005,
    text="share of ratings that share user and second with another",
)

# %% [markdown]
# 64 % of the users gave all their ratings within six hours. Remember that when the numbers surprise you.
#
# ### Exercise 2.3 - find_leak  |  medium  |  10 min
#
# A colleague hands you `train` and `held_out` and calls it a cut in time. Return `"overlap"` if a user-film pair is on both sides, else `"future"` if any training event, of anybody, is as young as the oldest held-out event or younger, else `"none"`. `events.keys` has one number per user-film pair, `events.times` the seconds; events are sorted by user, not by time.
#
# *Why it matters in interviews:* "offline is up, online is flat" starts with leaks, and this is the ten-minute check.


# %%
def find_leak(train: data.Interactions, held_out: data.Interactions) -> str:
    """`overlap`, `future` or `none`: why this is no honest cut at one moment in time."""
    ### BEGIN SOLUTION
    if torch.isin(train.keys, held_out.keys).any():
        return "overlap"
    if train.times.max() >= held_out.times.min():
        return "future"
    return "none"
    ### END SOLUTION


check(find_leak)

# %% [markdown]
# ## The experiment
#
# **Hypothesis.** The order of models does not depend on the split. **Protocol.** Ratings of 4 and 5 are right answers; every film is ranked; films rated in training are left out; k = 10; three seeds, which change the random split and the model `Random`, nothing else. No model is tuned: EASE has penalty 200, ItemKNN cosine and 50 neighbours. **What would change my mind?** Two splits whose intervals of the same difference lie on opposite sides of zero.
#
# The 95 % intervals come from a *bootstrap*: draw as many users again, with replacement, a thousand times, take the mean each time, and keep the middle 95 %. It says how sure we are about users, not about another training set.


# %%
MAKERS = (
    models.Random,
    lambda seed: models.Popularity(),
    lambda seed: models.ItemKNN(),
    lambda seed: models.EASE(),
)


def judge_all(name: str, seeds: tuple[int, ...] = (0, 1, 2)) -> list[metrics.Evaluation]:
    """Four models on one split; each user's value is the mean over the seeds."""
    rows = []
    for make in MAKERS:
        runs = []
        for seed in seeds:
            cut = data.frozen_split(ratings, name, seed)
            runs.append(metrics.evaluate(make(seed).fit(cut.train), cut.test))
        rows.append(metrics.average_seeds(runs))
    return rows


results = {name: judge_all(name) for name in ("random", "last", "time")}

# %% tags=["nbval-ignore-output"]
for name, rows in results.items():
    display(metrics.leaderboard(rows).rename_axis(f"{name} split"))

# %%
figure, panels = plots.axes(10, 3.0, columns=3)
for panel, (name, rows) in zip(panels, results.items(), strict=True):
    plots.intervals(panel, rows, "ndcg", title=name)
plots.show(
    figure,
    alt="NDCG at 10 with intervals. On the random and the last split EASE is first and Popularity "
    "third; on the time split Popularity is far ahead of EASE and ItemKNN.",
)
for name, rows in results.items():
    winner = max(rows, key=lambda row: row.mean("ndcg")).model
    print(f"{name:7} you said {prediction[name]}, measured: {winner}")

# %% [markdown]
# The hypothesis is dead. Compare within a panel only: a judged user has 12 hidden likes on the random split, 3 on the last and 39 on the time split, and other users are judged. 0.27 here and 0.17 there are not marks on one scale.
#
# Is a distance luck? A *paired* interval compares both models on the same users, so what makes a user easy or hard cancels out.

# %% tags=["nbval-ignore-output"]
gaps = {}
for name, (_, popular, _, ease_row) in results.items():
    gaps[name] = metrics.paired_bootstrap(ease_row.per_user["ndcg"], popular.per_user["ndcg"])
    print(f"{name:7} EASE minus Popularity {gaps[name]}, {len(popular)} users")

# %%
hidden = {name: len(data.frozen_split(ratings, name).test) / len(rows[0]) for name, rows in results.items()}
claim(
    "02.hidden-likes",
    "a judged user has about 12, 3 and 39 hidden likes",
    [round(n) for n in hidden.values()] == [12, 3, 39],
)
claim(
    "02.order-flips-with-split",
    "EASE beats Popularity on the random split and loses to it on the time split, both beyond their 95 % intervals",
    gaps["random"].low > 0 and gaps["time"].high < 0,
)
claim_value(
    "02.gap-random",
    gaps["random"].mean,
    stated=0.20,
    tolerance=0.005,
    text="NDCG@10 of EASE minus Popularity, random split",
)
claim_value(
    "02.gap-time",
    gaps["time"].mean,
    stated=-0.14,
    tolerance=0.005,
    text="NDCG@10 of EASE minus Popularity, time split",
)

# %% [markdown]
# Why? Ask who is judged. Group the users of the time split by what the model had seen of them.

# %% tags=["nbval-ignore-output"]
cut = data.frozen_split(ratings, "time")
_, popular, _, linear = results["time"]
liked = cut.train.positives().ptr.diff().numpy()[popular.per_user.index]  # [n_judged]
groups = {"liked no film in training": liked == 0, "liked at least one": liked > 0}
for group, member in groups.items():
    a, b = (row.per_user["ndcg"][member] for row in (linear, popular))
    print(
        f"{group:26} {member.sum():>4} users  EASE {metrics.bootstrap(a)}  Popularity {metrics.bootstrap(b)}"
    )
    print(f"{'':38}difference {metrics.paired_bootstrap(a, b)}")

# %%
claim_value(
    "02.cold-users",
    int((liked == 0).sum()),
    stated=193,
    tolerance=0,
    text="users judged on the time split who liked no film in training",
)
claim(
    "02.time-split-is-cold-start",
    "two thirds of the users judged on the time split liked no film in training",
    0.6 < (liked == 0).mean() < 0.7,
)
cold = linear.per_user["ndcg"][liked == 0].mean()
claim_value(
    "02.tie-rule-looks-like-skill",
    cold,
    stated=0.10,
    tolerance=0.01,
    text="NDCG@10 of EASE for these strangers, by the tie rule alone",
)

# %%
known = ratings.item_counts().float()
claim(
    "02.low-numbers",
    "the first ten films have over three times the ratings of an average film",
    known[:10].mean() > 3 * known.mean(),
)
stranger = popular.per_user.index[liked == 0][:1].to_numpy()
for film in models.EASE().fit(cut.train).recommend(torch.tensor(stranger), k=4)[0].tolist():
    print(f"film number {film}: {titles[film]}")

# %% [markdown]
# 193 of the 290 judged users were strangers. The split did not favour popularity; **it changed the question to cold start**. On the other 97 users the interval of the difference contains 0: no winner.
#
# And look at that 0.10. EASE knows nothing about a stranger, scores every film 0, and ties are broken by film number. Low numbers are better known than most: the first ten films have three times as many ratings as the average film. Ignorance looks like skill. A tie rule is part of the metric.
#
# The repair a product would ship: Popularity for strangers, EASE for the rest. Is it better than Popularity alone?

# %% tags=["nbval-ignore-output"]
fallback = np.where(liked == 0, popular.per_user["ndcg"], linear.per_user["ndcg"])
gain = metrics.paired_bootstrap(fallback, popular.per_user["ndcg"])
print("with the fall-back:", metrics.bootstrap(fallback), " gain over Popularity:", gain)
claim(
    "02.fallback-is-a-tie",
    "the interval of EASE with a fall-back minus Popularity holds 0 on the time split",
    gain.low < 0 < gain.high,
)

# %% [markdown]
# We cannot tell. For 193 users both lists are the same, so everything rests on the other 97. "Too few users" is an answer, too.
#
# One more look at ties, in the split in the middle. What if ratings of the same second are ordered by chance?

# %%
tied = [data.last_split(ratings, 5, tie_seed=seed) for seed in range(3)]
by_chance = [metrics.evaluate(models.EASE().fit(s.train), s.test).mean("ndcg") for s in tied]
claim_value(
    "02.last-ties-by-item",
    results["last"][3].mean("ndcg"),
    stated=0.12,
    tolerance=0.005,
    text="NDCG@10 of EASE on the last split, ties by film number",
)
claim_value(
    "02.last-ties-by-chance",
    float(np.mean(by_chance)),
    stated=0.14,
    tolerance=0.005,
    text="NDCG@10 of EASE on the last split, ties by chance",
)

# %% [markdown]
# Three of four ratings share user and second with another, so "the last five" depends on how ties are broken: EASE scores 0.12 by film number, 0.14 by chance. That is as much as its lead over ItemKNN. ItemKNN moves as well, so the order holds; but a paper with one rule must not be compared with a paper with the other.
#
# One more way to be fooled: to save time, papers rank each right answer against 100 random films instead of all.


# %% tags=["nbval-ignore-output"]
def share_found(model: models.EASE | models.Popularity, cut: data.Split, n_others: int | None) -> float:
    """Share of right answers in the top 10 of themselves and `n_others` unrated films (None: all); a tie counts as found."""
    users = cut.test.users.unique()
    unrated = ~(cut.train.dense(users) | cut.held_out.dense(users))  # [n_users, n_items]
    place, row = cut.test.rows(users)  # one entry a right answer
    scores = model.scores(users)[place]  # [n_answers, n_items]
    own = scores.gather(1, cut.test.items[row].unsqueeze(1))  # [n_answers, 1]
    others = scores.masked_fill(~unrated[place], -torch.inf)
    if n_others:
        generator = torch.Generator().manual_seed(0)
        others = others.gather(1, torch.multinomial(unrated[place].float(), n_others, generator=generator))
    return float(((others > own).sum(1) < 10).float().mean())


cut = data.frozen_split(ratings, "last")
fitted = {m.__class__.__name__: m.fit(cut.train) for m in (models.Popularity(), models.EASE())}
table = {name: [share_found(m, cut, n) for n in (None, 1000, 100)] for name, m in fitted.items()}
pd.DataFrame(table, index=["all unrated films", "1,000 others", "100 others"]).T.round(2)

# %%
full, sampled = (np.array([table["Popularity"][c], table["EASE"][c]]) for c in (0, 2))
claim(
    "02.sampled-lead",
    "EASE over Popularity: about 2.0 times on all films, 1.4 times with 100 others",
    abs(full[1] / full[0] - 2.0) < 0.05 and abs(sampled[1] / sampled[0] - 1.4) < 0.05,
)
claim_value(
    "02.sampled-inflates-popular",
    sampled[0] / full[0],
    stated=5.5,
    tolerance=0.2,
    text="right answers Popularity finds among 100 others, over all films",
)
claim_value(
    "02.sampled-inflates-ease",
    sampled[1] / full[1],
    stated=3.9,
    tolerance=0.2,
    text="right answers EASE finds among 100 others, over all films",
)

# %% [markdown]
# Popularity finds 5.5 times as many, EASE 3.9 times. EASE was twice as good and now looks 1.4 times as good, though its lead in points has grown. Same models, same data, another story; with other models even the order flips (question H06). Rank the whole catalogue.
#
# ### Exercise 2.4 - paired_interval  |  stretch  |  8 min
#
# Write the interval of `gaps`. **In:** `a`, `b`, float `[n_users]`; `rows`, int `[n_resamples, n_users]`, the users of each resample. **Out:** float `[2]`, the 2.5 % and 97.5 % quantiles.


# %%
def paired_interval(a: Tensor, b: Tensor, rows: Tensor) -> Tensor:
    """95 % interval of the mean of `a - b`: `[n_users]` twice and `[n_resamples, n_users]` to `[2]`."""
    ### BEGIN SOLUTION
    means = (a - b)[rows].mean(dim=1)  # [n_resamples]
    return means.quantile(torch.tensor([0.025, 0.975]))
    ### END SOLUTION


check(paired_interval)

# %% [markdown]
# ## Spot the bug
#
# This evaluation circulates in tutorials. It runs, and its numbers look healthy. Three lines are wrong. Which, and what will each do to the numbers? Write line numbers into `suspects` before you run the second cell.


# %%
def circulating_metrics(recommended: list, relevant: set, n_items: int, k: int = 10) -> dict:
    hits = [int(item in relevant) for item in recommended[:k]]
    recall = len(relevant) / n_items
    accuracy = sum(hits) / k
    dcg = sum(hit / np.log2(rank + 2) for rank, hit in enumerate(hits))
    ideal = sum(hit / np.log2(rank + 2) for rank, hit in enumerate(sorted(hits, reverse=True)))
    return {"recall": recall, "accuracy": accuracy, "ndcg": dcg / ideal if ideal else 0.0}


review.show(circulating_metrics)

# %%
suspects = []  # for example [2]
review.mark(circulating_metrics, suspects)

# %% [markdown]
# Now measure the symptom. The same lists of the random split, judged by this code and by ours:

# %% tags=["nbval-ignore-output"]
answers = {}
for member, film in zip(split.test.users.tolist(), split.test.items.tolist(), strict=True):
    answers.setdefault(member, set()).add(film)
rows = {}
for model in (models.Random(), models.Popularity(), models.EASE()):
    right = metrics.evaluate(model.fit(split.train), split.test)
    lists = zip(right.per_user.index, right.recommended.tolist(), strict=True)
    wrong = pd.DataFrame(
        [circulating_metrics(films, answers[member], ratings.n_items) for member, films in lists]
    )
    rows[right.model] = {f"circulating {name}": wrong[name].mean() for name in wrong}
    rows[right.model] |= {"recall": right.mean("recall"), "ndcg": right.mean("ndcg")}
table = pd.DataFrame(rows).T
table.round(3)

# %%
claim(
    "02.base-rate-recall",
    "the circulating recall is the same for every model",
    table["circulating recall"].std() < 1e-9,
)
claim_value(
    "02.circulating-ndcg",
    table["circulating ndcg"]["EASE"],
    stated=0.62,
    tolerance=0.01,
    text="NDCG@10 of EASE by the circulating code, random split",
)
claim_value(
    "02.right-ndcg",
    table["ndcg"]["EASE"],
    stated=0.36,
    tolerance=0.005,
    text="NDCG@10 of EASE by ours, on the same lists",
)

# %% [markdown]
# One column is the same for a random list and for the best model: it never looked at the list. Another is precision under a wrong name. The last reads 0.62 for a true 0.36 (one seed; the 0.37 above is the mean of three). Run `review.mark(circulating_metrics, [], reveal=True)` for the reasons.
#
# **Your review, in a sentence a line:**
#
# ### BEGIN SOLUTION
# Line 3 is the share of all films that are relevant. Line 4 is precision, not accuracy. Line 6 builds the perfect list from the list's own hits, so a single hit on top scores 1.
# ### END SOLUTION

# %% [markdown]
# ### Exercise 2.5 - auc  |  stretch  |  10 min
#
# A ranking metric without k: the chance that a random positive scores above a random negative. A tie is a coin toss. **In:** `scores`, float `[n]`; `labels`, bool `[n]`. **Out:** a float, NaN if one class is missing.
#
# *Why it matters in interviews:* ads and ranking teams report AUC; question H01 asks when.


# %%
def auc(scores: Tensor, labels: Tensor) -> float:
    """Chance that a positive scores above a negative, ties one half: float `[n]`, bool `[n]` to a number."""
    ### BEGIN SOLUTION
    gaps = scores[labels].unsqueeze(1) - scores[~labels].unsqueeze(0)  # [n_positive, n_negative]
    return float(((gaps > 0).float() + 0.5 * (gaps == 0).float()).mean())
    ### END SOLUTION


check(auc)

# %% [markdown]
# ## Twenty minutes online: tests and logs
#
# Offline numbers choose what to test; a test decides. How many users does it take to see a click rate move from 5.0 % to 5.1 %? Rule of thumb for a two-sided 5 % test that finds a real change 80 % of the time: $16 \sigma^2 / \delta^2$ users in each arm, with $\delta$ the change and $\sigma^2 = p(1 - p)$. And what happens if you look every day and stop at the first p < 0.05? We simulate 4,000 tests of two *identical* arms.

# %%
needed = metrics.ab_sample_size(0.05, 0.001)
claim_value(
    "02.ab-size", needed, stated=753_000, tolerance=1_000, text="users per arm to see 5.0 % become 5.1 %"
)
looks = [1, 2, 5, 10, 20]
alarms = [metrics.peek(10_000, n, n_experiments=4000) for n in looks]
claim_value("02.one-look", alarms[0], stated=0.05, tolerance=0.01, text="false alarms with one look")
claim_value("02.ten-looks", alarms[3], stated=0.19, tolerance=0.02, text="false alarms with ten looks")

# %%
figure, panel = plots.axes(6, 2.8)
panel.plot(looks, alarms, "o-", color=plots.HIGHLIGHT)
panel.axhline(0.05, color=plots.OTHERS)
panel.annotate("what the test promises", (8, 0.058), color="#777777")
panel.set(
    xlabel="looks, the last one at the end", ylabel="share of false alarms", ylim=(0, 0.3), xticks=looks
)
plots.show(
    figure, alt="False alarms rise from 5 percent with one look to 19 percent with ten and 24 with twenty."
)

# %% [markdown]
# 753,000 users per arm (the rule of thumb says 760,000), and ten looks turn 5 % false alarms into 19 %. Fix the horizon, or use a sequential test.
#
# Can a log tell what *another* policy would earn, without a test? If the old policy leaves something to chance and writes down how likely each shown item was (its *propensity*), yes: weigh each click by new chance / old chance. This is inverse propensity scoring, IPS. In a simulated world we know the truth.

# %%
world = simulate.World()
old, new = world.popular_policy(), world.personal_policy()
truth, estimates = world.value(new), []
for seed in range(100):
    log = world.log(old, 20_000, seed=seed)
    chance = new[log.users, log.items]
    weighted = metrics.ips(log.clicks, log.propensities, chance)
    estimates.append((float(log.clicks.mean()), weighted.value, weighted.low <= truth <= weighted.high))
plain, ips, covered = np.array(estimates).mean(axis=0)

# %%
claim_value("02.truth", truth, stated=0.138, tolerance=0.001, text="true click rate of the new policy")
claim_value(
    "02.logged-mean", plain, stated=0.076, tolerance=0.002, text="click rate in the log of the old policy"
)
claim(
    "02.ips-unbiased",
    "on average IPS is within 1 % of the truth; the logged click rate is more than 40 % too low",
    abs(ips / truth - 1) < 0.01 and plain / truth < 0.6,
)
claim(
    "02.ips-spread",
    "single IPS estimates miss the truth by 5 to 12 %",
    0.05 < max(abs(one / truth - 1) for _, one, _ in estimates) < 0.12,
)
claim("02.ips-interval", "at least 90 of 100 IPS intervals hold the truth", covered >= 0.9)

# %% [markdown]
# The new policy earns 0.138; the log's own click rate says 0.076; IPS says 0.138 on average, while single logs of 20,000 events miss by up to a tenth. It fails where the old policy never showed an item: no weight repairs a propensity of 0. A deterministic ranker logs nothing you can reweigh, which is why teams pay for a little randomness.

# %% [markdown]
# ## Interview room
#
# Speak for two minutes before you follow the link to the model answer; then grade yourself with the rubric: about five minutes a question. Each prompt stands in English and Chinese. One or two today are enough.

# %% [markdown] tags=["question"]
# H02

# %% [markdown] tags=["question"]
# H04

# %% [markdown] tags=["question"]
# H06

# %% [markdown] tags=["question"]
# H07

# %% [markdown] tags=["question"]
# I06

# %% [markdown]
# **Say it in 30 seconds:** "Offline NDCG is up 0.20. What do you ask first?"
#
# ### BEGIN SOLUTION
# Which split, and who is judged: known users or strangers? Which baselines beside it, and what is the paired interval? Is any user-item pair or any future event in the training data? Is the perfect list built from all right answers, the whole catalogue ranked, and the tie rule stated? If all that holds: size the A/B test.
# ### END SOLUTION
#
# **Estimate:** your service shows 2 million lists a day at a click rate of 5 %. How many days for a 1 % relative lift, half of the traffic per arm, each list for a new user?
#
# ### BEGIN SOLUTION
# A lift of 0.0005: 16 x 0.0475 / 0.0005² is about 3 million users per arm, so three days; run one or two full weeks anyway, because weekends differ.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - Every metric at k is a function of one row of ticks and of n. Users with n = 0 are left out and counted.
# - The perfect list in NDCG is made of all right answers, cut at k.
# - A split is a question. On the time split two thirds of the judged users are strangers.
# - A difference needs a paired interval; a tie rule, a sampled catalogue or a leak can be larger than the gain.
# - Online: fix the horizon, log propensities.

# %% [markdown]
# **Six ways an offline number lies.** The split asks another question; the future leaks; the perfect list is wrong; strangers are dropped or scored by a tie rule; the catalogue is sampled; the test data was exposed by the old policy.
#
# **Myths.** "Accuracy is 99 %": so has an empty list. "All models got the same 100 negatives, so it is fair": it blurs the top ten, where good models differ. "The test set was held out, so it is unbiased": it was exposed by the same old policy.

# %% [markdown]
# **Go further.** Järvelin and Kekäläinen, *Cumulated gain-based evaluation* (ACM TOIS 2002): NDCG's origin (its first form did not discount the top ranks). Krichene and Rendle, *On sampled metrics for item recommendation* (KDD 2020): why 100 negatives mislead. Ji et al., *A critical study on data leakage in recommender system offline evaluation* (ACM TOIS 2023). Kohavi, Tang and Xu, *Trustworthy Online Controlled Experiments* (Cambridge 2020). Swaminathan and Joachims, *The self-normalized estimator for counterfactual learning* (NeurIPS 2015).
#
# **Next:** type `recsys-course next` in a terminal.

# %% [markdown] tags=["teacher"]
# **For teachers.** 50 minutes: prediction, 2.1, 2.2, the experiment, the bug. 90 minutes: add 2.3, the A/B part and one question in pairs. Watch for: dividing by k in 2.1, the ideal made of the list's own hits in 2.2, each user's own future in 2.3. Grading: 2.1 20 %, 2.2 30 %, 2.3 30 %, the bug 20 %.
#
# Students ask: *Why is Popularity better on the time split than on the random one?* It is not: other users, 39 likes each instead of 12. *Is 0.10 for strangers good?* It is the tie rule at work, not the model. *Why does IPS need randomness?* What never happened has no event to weigh. Discuss: which split would you report to a board, and what would you add to it?
