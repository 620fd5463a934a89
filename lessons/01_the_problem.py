# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# course:
#   title: Turn ratings into a recommendation problem
#   level: beginner
#   minutes_read: 20
#   minutes_do: 60
#   cpu_seconds: 15
#   ram_mb: 600
#   requires: ["00"]
#   articles: ["000-introduction", "001-§1", "001-§2.1", "001-§4.3", "001-§6.1", "001-§9.1", "004-§1", "004-§6.1"]
#   builds: a sparse ratings table, a long-tail meter and the baseline that every later model must beat
# ---

# %% [markdown]
# # 01 Turn ratings into a recommendation problem
#
# ## The interview moment
#
# *"You get 100,000 film ratings and a home page with ten places. Frame the recommendation problem for me."*
#
# A typical weak answer: "I train a large model to predict every missing rating. Each user sees the ten films with the highest rating." It sounds fine, and it has five holes: what a request may cost, what a missing rating means, what a rating is good for, which films are left to recommend, and what the result is compared with. You find all five here.
#
# **You will be able to** frame a product goal as a prediction, a ranking and constraints; derive the serving funnel from a time budget; compute density, long-tail share and Gini; say what a rating, a click and a blank do not tell you; build the popularity baseline without its classic bugs, and measure it against chance.
#
# ## Warm up and commit
#
# 1. Which ratings are likes here? <details><summary>answer</summary>4 and 5: a bit more than half of them.</details>
# 2. What does `check` say of an unwritten function? <details><summary>answer</summary>Just that; no error.</details>
# 3. How can running a cell twice change a result? <details><summary>answer</summary>It changed its input.</details>
#
# So commit. 943 people rated films on a website in 1997 and 1998. Later you hide a fifth of the ratings, and from the rest you recommend ten films to everybody. Replace each `None` by a number.

# %%
guesses = {
    "cells of the user-film table that hold a rating, %": None,
    "ratings that go to the most-rated 20 % of the films, %": None,
    "films that ever make it into anybody's list, if you recommend the most-liked films, %": None,
    "hidden likes outside that 20 % that such lists find, %": None,
    "places that such lists waste on films the user has rated, if you let them, %": None,
}


def compare(question, measured):
    guess = guesses.get(question)
    print(f"{question}: {measured:.1f}" + ("" if guess is None else f" (you wrote {guess})"))


# %%
import textwrap

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch import Tensor

from recsys_course import claim, claim_value, data, metrics, models, plots
from recsys_course.exercises.l01 import check, hint, review, solution  # noqa: F401

movies = data.movielens()
ratings, titles = movies.ratings, movies.titles


def name_films(numbers, label=""):
    names = " · ".join(titles[film] for film in numbers)
    print(textwrap.fill(label + names, width=90, subsequent_indent="    "))


print(movies)

# %% [markdown]
# ## See the problem in one picture
#
# A home page has about 100 milliseconds (ms) to answer. Let a good model take 10 microseconds (µs) to score one item for one user. "Score everything, show the best ten" then takes 1,000 seconds for a catalogue of 100 million: seventeen minutes. So real systems work in stages, and each stage spends more time on each of fewer items. What one stage drops, no later stage can bring back.

# %%
seconds = 100_000_000 * 10e-6  # items x seconds for one item
claim_value(
    "01.score-everything",
    seconds,
    stated=1_000,
    tolerance=1,
    text="seconds to score 100 million items for one request, at 10 µs an item",
)

# %%
stages = {
    "catalogue": (1e8, "everything you may show"),
    "retrieval": (1e3, "a few ms in an index built beforehand: keep what the ranker would like"),
    "ranking": (1e2, "1,000 items x 10 µs = 10 ms: put the most promising first"),
    "re-ranking": (1e1, "1 ms for the list as a whole: variety, freshness, rules"),
}
sizes = [n_items for n_items, _ in stages.values()]
figure, panel = plots.axes(9, 3)
panel.barh(list(stages), sizes, color=plots.colour("EASE"), height=0.6)
for place, (n_items, work) in enumerate(stages.values()):
    panel.text(n_items * 1.5, place, f"{n_items:,.0f} items\n{work}", va="center")
panel.set(xscale="log", xlim=(1, 1e13), xticks=[1, 1e2, 1e4, 1e6, 1e8], ylim=(3.5, -0.5))
panel.set(xlabel="items left after the stage (log scale)")
plots.show(
    figure,
    alt="A funnel of four bars: 100 million items in the catalogue, 1,000 after retrieval, "
    "100 after ranking, 10 after re-ranking. Each stage spends more time on each of fewer items.",
)

# %% [markdown]
# In every stage you decide what to **predict**, what to **rank** by, and what **constrains** the list:
#
# | product | predict the chance of | rank by | constraint | rises while the product gets worse |
# | --- | --- | --- | --- | --- |
# | this film site | a rating of 4 or 5 | that chance | nothing already rated | clicks on lurid posters |
# | shop | a purchase | chance x margin | in stock | clicks on bait prices |
# | news | reading to the end | chance, fresher first | several sources | clicks on shouting headlines |
# | short video | watching on; returning | a weighted sum | nothing reported | minutes at 3 a.m. |
# | ads | a click | bid x chance | the advertiser's budget | this week's revenue |
#
# Make every chance 1.2 times too high: a feed keeps its order; an advertiser who pays for showings, a click's value times its chance, overpays by 20 %. Ads need chances that are right on average: **calibrated**.
#
# ## Turn ratings into a table
#
# Read your data aloud first. Meet user 50:

# %%
mine = ratings.select(ratings.users == 50)
for stars in (5, 4, 1):
    name_films(mine.items[mine.ratings == stars][:5], label="★" * stars + " ")

# %%
by_count = ratings.item_counts().argsort(descending=True, stable=True)  # most-rated films first
shown = [*by_count[:3].tolist(), *by_count[841:844].tolist()]  # three of the top, of the middle
events = pd.DataFrame({"user": ratings.users, "film": ratings.items, "stars": ratings.ratings})
corner = events.pivot(index="user", columns="film", values="stars").loc[46:52, shown]
names = [movies.items.title[film] for film in shown]
print(corner.to_string(header=names, na_rep="·", float_format="{:.0f}".format))

# %% [markdown]
# You know this person already: swords in space, yes; singing in the rain, no. You could recommend *Raiders of the Lost Ark* by hand. A recommender does that for everybody, from a table with one row a user and one column a film. You see a corner of it: blanks nearly everywhere. **Density** is the share of filled cells, $\text{ratings} / (\text{users} \times \text{films})$. A *sparse* table stores the filled cells alone: row, column, value.

# %%
n_cells = ratings.n_users * ratings.n_items
density = len(ratings) / n_cells
compare("cells of the user-film table that hold a rating, %", 100 * density)
table = ratings.matrix()  # scipy's CSR: each row's columns and values, row after row
stored = table.data.nbytes + table.indices.nbytes + table.indptr.nbytes
print(f"dense {4 * n_cells / 1e6:.1f} MB, sparse {stored / 1e6:.1f} MB")

# %% [markdown]
# Always saying "not rated" is right in 93.7 % of the cells: with so many blanks, accuracy measures nothing.

# %%
claim_value(
    "01.density",
    density,
    stated=0.0630,
    tolerance=0.00005,
    text="density: share of the cells of the user-film table that hold a rating",
)
claim_value(
    "01.accuracy-of-nothing",
    1 - density,
    stated=0.937,
    tolerance=0.0005,
    text="accuracy of 'not rated' for every user and film",
)

# %% [markdown]
# ### Exercise 1.1 - build_interactions  |  medium  |  8 min
#
# Logs hold raw ids such as 4711; a table needs rows 0, 1, 2, ... The numbering must be *stable*: the same log in another order gives the same numbers.
# - **In:** `users`, `films`: raw ids, int64 `[n_events]`; a pair may occur twice.
# - **Out:** `user_ids [n_users]` and `film_ids [n_films]`: the raw ids, ascending, each once; and a `sparse.csr_matrix` `[n_users, n_films]` with a 1 where the user has an event with the film. `hint(build_interactions)` helps.
# - *Why it matters in interviews:* "yesterday's model recommends nonsense today" is often an id map that moved. Sorting helps against another order, not against a new user in the middle: save the ids with the model.


# %%
def build_interactions(
    users: np.ndarray,
    films: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, sparse.csr_matrix]:
    """Number raw ids, `[n_events]` twice: user_ids, film_ids, and a table `[n_users, n_films]`."""
    ### BEGIN SOLUTION
    user_ids, rows = np.unique(users, return_inverse=True)
    film_ids, columns = np.unique(films, return_inverse=True)
    shape = (len(user_ids), len(film_ids))
    table = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    table.data[:] = 1  # scipy adds up pairs that occur twice
    return user_ids, film_ids, table
    ### END SOLUTION


check(build_interactions)

# %% [markdown]
# A rating is **explicit** feedback: somebody told you. A click or a purchase is **implicit**: you saw what people do, not what they think. A blank is neither. 360 people did not rate *Star Wars*. Were they never **exposed** to it? Did they see it and pass? Have they loved it for twenty years and never told this site? The table cannot say. Write 0 into blanks, and you answer for them. Look what "mean rating" becomes then. (Rank correlation compares two orders: 1 is the same order, 0 is no relation.)

# %%
counts = ratings.item_counts()
stars = torch.zeros(ratings.n_items).scatter_add(0, ratings.items, ratings.ratings)  # sums
honest, zeros = stars / counts, stars / ratings.n_users  # [n_items]
star_wars = titles.index("Star Wars (1977)")
print(f"Star Wars: {honest[star_wars]:.2f} stars from those who rated it")
print(f"           {zeros[star_wars]:.2f} with zeros in the blanks")
order = pd.DataFrame({"count": counts, "honest": honest, "zeros": zeros}).rank().corr()["count"]
print("rank correlation of mean rating and number of ratings:")
print(f"           {order['honest']:.2f} honest, {order['zeros']:.2f} with zeros in the blanks")

# %%
claim_value(
    "01.blanks-of-star-wars",
    ratings.n_users - counts[star_wars],
    stated=360,
    tolerance=0,
    text="users who did not rate Star Wars",
)
claim(
    "01.zeros-are-popularity",
    "mean rating with zeros in the blanks ranks films by popularity",
    order["zeros"] > 0.99,
)
claim_value(
    "01.low-ratings",
    (ratings.ratings < data.POSITIVE).float().mean(),
    stated=0.446,
    tolerance=0.0005,
    text="share of the ratings that are below 4",
)

# %% [markdown]
# Zeros rebuild popularity, whatever you meant to build. Even the honest mean rises with the number of ratings: are popular films better, or do people watch what they expect to like? This log cannot tell. And "rated" is not "liked": 44.6 % of the ratings are below 4. In this course 4 or 5 is a **like**.
#
# ## Find the long tail
#
# ### Exercise 1.2 - long_tail_share  |  easy  |  6 min
#
# Five films have 50, 30, 10, 6 and 4 ratings. The top 20 % of them is one film; it holds 50 of 100 ratings: 0.5.
# - **In:** `counts`, ratings of each film, int64 `[n_films]`, in any order; `p` in (0, 1].
# - **Out:** a float: the share of ratings on the `max(1, round(p * n_films))` most-rated films. Unrated films are films, too. NaN without any rating.
# - *Why it matters in interviews:* "20 % of the items make 80 % of the traffic" is a guess until you compute it.


# %%
def long_tail_share(counts: Tensor, p: float) -> float:
    """Share of all ratings on the most-rated share `p` of the films: `[n_films]` to a number."""
    ### BEGIN SOLUTION
    n_top = max(1, round(p * len(counts)))
    top = counts.sort(descending=True).values[:n_top]
    return float(top.sum() / counts.sum())
    ### END SOLUTION


check(long_tail_share)

# %% [markdown]
# Drawn for every `p` at once, this is the **Lorenz curve**. **Gini** is twice the area between the curve and the diagonal: 0 when all films are equal, nearly 1 when one film has everything. First look at the left picture. It is the whole problem: one crowded corner, and white where you are asked to recommend.

# %%
held = counts.sort(descending=True).values.cumsum(0) / len(ratings)  # [n_items], the Lorenz curve
fifth = float(held[round(0.2 * ratings.n_items) - 1])
gini = metrics.gini(counts)
compare("ratings that go to the most-rated 20 % of the films, %", 100 * fifth)
claim_value(
    "01.long-tail",
    fifth,
    stated=0.646,
    tolerance=0.0005,
    text="share of all ratings that go to the most-rated 20 % of the films",
)
claim_value(
    "01.gini",
    gini,
    stated=0.629,
    tolerance=0.0005,
    text="Gini of the number of ratings of each film",
)

# %%
blue, point = plots.colour("EASE"), plots.HIGHLIGHT
figure, (left, right) = plots.axes(10, 3.8, columns=2)
film_rank = by_count.argsort()  # [n_items], 0 for the most-rated film
user_rank = ratings.ptr.diff().argsort(descending=True, stable=True).argsort()  # [n_users]
left.plot(film_rank[ratings.items], user_rank[ratings.users], ",", color=blue, alpha=0.5)
left.set(xlabel="films, most-rated first", ylabel="users, most active on top")
left.set(ylim=(ratings.n_users, 0), title="a dot is a rating")
right.plot(np.linspace(0, 1, ratings.n_items), held, color=blue, linewidth=2)
right.plot([0, 1], [0, 1], color=plots.OTHERS)
right.text(0.52, 0.42, "all films equal", color="#666666")
right.plot(0.2, fifth, "o", color=point)
right.text(0.23, fifth, f"20 % of the films\nhold {fifth:.0%}", color=point, va="top")
right.set(xlabel="share of films, most-rated first", ylabel="share of all ratings")
right.set(title=f"Lorenz curve, Gini {gini:.2f}")
plots.show(
    figure,
    alt="Left: the table as dots, crowded where active users meet popular films, white elsewhere. "
    "Right: the Lorenz curve rises steeply; 20 % of the films hold 65 % of the ratings.",
)

# %% [markdown]
# ### Exercise 1.3 - popular_unseen  |  medium  |  10 min
#
# The first baseline: what most people liked, minus what *this* user has rated.
# - **In:** `train`, an `Interactions` (`.positives()` keeps the likes, `.item_counts()` counts events per film, `.dense(users)` is a bool table `[batch, n_items]` of what they rated); `users`, int64 `[batch]`; `k`, at most the number of films.
# - **Out:** film numbers, int64 `[batch, k]`, best first. Equal counts: the lower number first. No film left: `-1`.
# - *Why it matters in interviews:* "what is your baseline?" ends many project talks.


# %%
def popular_unseen(train: data.Interactions, users: Tensor, k: int) -> Tensor:
    """The most-liked films that each user has not rated: int64 `[batch]` to int64 `[batch, k]`."""
    ### BEGIN SOLUTION
    votes = train.positives().item_counts().float()  # [n_items]
    seen = train.dense(users)  # [batch, n_items]
    scores = votes.expand(len(users), -1).masked_fill(seen, -torch.inf)  # [batch, n_items]
    best = scores.sort(dim=1, descending=True, stable=True)
    return best.indices.masked_fill(best.values == -torch.inf, -1)[:, :k]
    ### END SOLUTION


check(popular_unseen)

# %%
popular = models.Popularity().fit(ratings)  # the package's tested model takes over
name_films(popular.recommend(torch.tensor([50]), k=10)[0], label="For user 50: ")

# %% [markdown]
# ## The experiment
#
# Good films, and your *Raiders* is among them. Nearly everybody gets this list.
# - **Hypothesis:** Popularity finds many more likes than chance, and shows almost nothing of the catalogue.
# - **Protocol**, the same in every lesson: hide some ratings, learn from the rest, rank *all* films that the user has not rated, count hidden likes in the top ten. Hidden are 20 % at `random` (seeds 0, 1, 2), the `last` five of each user, or the last 20 % in `time`. Users without a hidden like are left out and counted.
# - **Metrics**, with 95 % intervals over users: **recall** is the share of hidden likes in the list, **hit rate** the share of users with any, **NDCG** pays more near the top; **coverage** is the share of films in any list, **Gini** says how unequally they are shown, **novelty** is log2(users / raters): 1 bit for a film that half the users rated.


# %% tags=["nbval-ignore-output"]
def compete(name):
    runs = [], []
    for seed in (0, 1, 2):  # of the random split, and of Random's lists
        split = data.frozen_split(ratings, name, seed)
        for model, found in zip((models.Popularity(), models.Random(seed)), runs, strict=True):
            found.append(metrics.evaluate(model.fit(split.train), split.test, k=10))
    return [metrics.average_seeds(found) for found in runs]


results = {name: compete(name) for name in ("random", "last", "time")}
columns = ("ndcg", "recall", "hit_rate", "novelty")
board = {name: metrics.leaderboard(pair, columns) for name, pair in results.items()}
ginis = [f"{e.mean('gini'):.3f}" for pair in results.values() for e in pair]
display(pd.concat(board).assign(gini=ginis))

# %% [markdown]
# *Over seeds* is the range of NDCG, *left out* counts users without a hidden like. The same as a picture, accuracy against variety:

# %%
figure, panel = plots.axes(7.5, 3.8)
room = {"random": (10, 2), "last": (10, -11), "time": (-30, 9)}  # for Random's names, in points
for name, pair in results.items():
    for e, offset in zip(pair, ((10, -4), room[name]), strict=True):
        x, (mean, low, high) = e.mean("coverage"), e.interval("ndcg")
        colour, whiskers = plots.colour(e.model), [[mean - low], [high - mean]]
        panel.errorbar(x, mean, whiskers, fmt="o", color=colour, linewidth=3)
        label = f"{e.model}, {name} split"
        panel.annotate(label, (x, mean), xytext=offset, textcoords="offset points", fontsize=9)
panel.text(0.98, 0.27, "where you want to be", ha="right", color=plots.HIGHLIGHT)
panel.set(xlabel="coverage: share of the films in at least one list", ylabel="NDCG@10")
panel.set(xlim=(-0.03, 1.35), xticks=np.linspace(0, 1, 6), ylim=(-0.03, 0.32))
panel.set(title="a dot and its 95 % interval")
plots.show(
    figure,
    alt="Popularity stands top left: accurate, under 6 % of the films shown. Random stands bottom "
    "right: most films shown, hardly a hit. The corner of accurate and varied lists is empty.",
)

# %%
popularity, chance = results["random"]
shown = [pair[0].mean("coverage") for pair in results.values()]  # Popularity's, for each split
ndcgs = [[e.interval("ndcg") for e in pair] for pair in results.values()]
best, worst = max(ndcgs)[0].mean, min(ndcgs)[0].mean  # Popularity's, over the splits
compare(
    "films that ever make it into anybody's list, if you recommend the most-liked films, %",
    100 * shown[0],
)

# %%
claim(
    "01.popular-beats-random",
    "Popularity's interval of NDCG@10 lies above Random's on all splits",
    all(p.low > r.high for p, r in ndcgs),
)
claim_value(
    "01.popular-against-chance",
    popularity.mean("recall") / chance.mean("recall"),
    stated=23,
    tolerance=1,
    text="recall@10 of Popularity over that of Random, random split",
)
claim(
    "01.popular-covers-little",
    "Popularity's lists show under 6 % of the films on every split",
    max(shown) < 0.06 and round(shown[0], 2) == 0.03,
)
claim(
    "01.split-is-a-question",
    "Popularity's NDCG@10 differs more than fourfold between splits",
    best > 4 * worst,
)

# %% [markdown]
# The hypothesis stands on all three splits. On the random one Popularity finds about 23 times the likes that chance finds, with 3 % of the films. But its NDCG is more than four times as high on one split as on another: the split is part of the question (lesson 02). Who pays? Look at the hidden likes *outside* the most-rated fifth of the films:

# %%
n_likes, found = 0, {"Popularity": 0, "Random": 0}
for seed in (0, 1, 2):
    split = data.frozen_split(ratings, "random", seed)
    ranked = split.train.item_counts().argsort(descending=True, stable=True)
    tail = ranked[round(0.2 * ratings.n_items) :]  # films outside the most-rated fifth
    users = split.test.users.unique()
    n_likes += int(torch.isin(split.test.items, tail).sum())
    for model in (models.Popularity(), models.Random(seed)):
        lists = model.fit(split.train).recommend(users, k=10)  # [batch, 10]
        hits = metrics.find_hits(lists, split.test, users)  # [batch, 10]
        found[type(model).__name__] += int(torch.isin(lists[hits], tail).sum())
share = found["Popularity"] / n_likes
print(f"{n_likes:,} hidden likes in the tail; found: {found}")
compare("hidden likes outside that 20 % that such lists find, %", 100 * share)
claim(
    "01.tail-is-invisible",
    "Popularity finds no hidden like outside the most-rated fifth of the films, Random finds some",
    found["Popularity"] == 0 < found["Random"],
)

# %% [markdown]
# There, throwing dice is better. This is **popularity bias**: films that everybody knows take all the places. It feeds itself: what is shown gets rated, and what is rated gets shown. A mean over all likes hides it, so report head and tail apart. **What would change my mind?** Logs from a page that shows films at random. If Popularity's lead vanished there, I would call it an echo of the old page. These logs cannot rule that out.
#
# ### Exercise 1.4 - hold_out_future  |  stretch  |  8 min
#
# How is `time` cut? Hold out *everything* from one moment on, so that ratings of one second stay together.
#
# - **In:** `times`, int64 `[n_events]`, in any order; `share` in (0, 1). The moment: place `round((1 - share) * n_events)` of the sorted times.
# - **Out:** bool `[n_events]`, true for what is held out.
# - *Why it matters in interviews:* "how do you split?" asks whether your model knows the future.


# %%
def hold_out_future(times: Tensor, share: float) -> Tensor:
    """Which ratings lie at or after the cut: int64 `[n_events]` to bool `[n_events]`."""
    ### BEGIN SOLUTION
    moment = times.sort().values[round((1 - share) * len(times))]
    return times >= moment
    ### END SOLUTION


check(hold_out_future)

# %% [markdown]
# ## Spot the bug
#
# Commonly seen in tutorials: put the ratings into a table, sort the user's row, show the best. Three lines are wrong. Which, what would a user notice, and what will recall@10 be? Write it down before you run the measurement.


# %%
def recommend_films(train, users, k=10):
    table = torch.zeros(train.n_users, train.n_items)
    table[train.users, train.items] = train.ratings
    scores = table[users]
    best = scores.sort(dim=1, descending=True, stable=True).indices
    return best[:, :k]


review.show(recommend_films)

# %%
suspects = []  # the numbers of the lines you doubt, for example [1]
my_prediction = "?"  # recall@10 of these lists; Popularity has 0.12
review.mark(recommend_films, suspects)

# %% [markdown]
# Now measure the symptom. Beside it stand two repairs that look obvious, "leave out the seen films" and "rank by the highest *mean* rating", and Popularity with and without its filter.


# %%
def unseen(scores):
    masked = scores.expand(len(users), -1).masked_fill(train.dense(users), -1)
    return masked.sort(dim=1, descending=True, stable=True).indices[:, :10]


split = data.frozen_split(ratings, "random", seed=0)
train, users = split.train, split.test.users.unique()
sums = torch.zeros(train.n_items).scatter_add(0, train.items, train.ratings)
means = sums / train.item_counts().clamp(min=1)  # [n_items]
blanks = torch.zeros(train.n_items)  # the specimen's score of a film that the user has not rated
popular = models.Popularity().fit(train)
lists = {
    "the specimen": recommend_films(train, users),
    "the specimen, seen films left out": unseen(blanks),
    "highest mean rating, unseen": unseen(means),
    "most liked, seen films kept": popular.recommend(users, k=10, exclude_seen=False),
    "most liked, unseen": popular.recommend(users, k=10),
}

# %%
rated = train.dense(users)  # [batch, n_items]
seen = [float(rated.gather(1, films).float().mean()) for films in lists.values()]
judged = [metrics.judge(films, train, split.test, users, name) for name, films in lists.items()]
recalls = [evaluation.mean("recall") for evaluation in judged]
for name, waste, value in zip(lists, seen, recalls, strict=True):
    print(f"{name:<34}{waste:>5.0%} of the places already seen, recall@10 {value:.4f}")
print(f"the specimen's recall@10: you said {my_prediction}, measured {recalls[0]:.4f}")
compare(
    "places that such lists waste on films the user has rated, if you let them, %",
    100 * seen[3],
)

# %%
claim(
    "01.review-shows-the-past",
    "sorting the user's own ratings shows seen films only, recall@10 is 0",
    seen[0] == 1 and recalls[0] == 0,
)
claim(
    "01.filter-alone-is-table-order",
    "sorting the user's own ratings, seen films left out: recall@10 is above Random's, "
    "under a third of Popularity's",
    chance.mean("recall") < recalls[1] < recalls[4] / 3,
)
claim(
    "01.mean-rating-loses-to-chance",
    "ranking by highest mean rating has a lower recall@10 than Random",
    recalls[2] < chance.mean("recall"),
)

# %%
claim_value(
    "01.seen-items-waste",
    seen[3],
    stated=0.40,
    tolerance=0.005,
    text="share of unfiltered Popularity's places that are seen films",
)
claim(
    "01.seen-items-cost-recall",
    "without a seen filter Popularity loses over a quarter of recall@10",
    recalls[3] < 0.75 * recalls[4],
)

# %% [markdown]
# **Your review, in a sentence a line:**
#
# ### BEGIN SOLUTION
# Line 2 makes every blank a rating of 0, worse than the worst. Line 4 takes the user's own ratings for scores: nothing is predicted. Line 6 leaves nothing out, so the list is the user's own past, and a hidden like can never be in it.
# ### END SOLUTION

# %%
review.mark(recommend_films, suspects, reveal=True)
print("\nhighest mean rating:")
for film in honest.sort(descending=True, stable=True).indices[:7].tolist():
    print(f"    {honest[film]:.2f} stars from {counts[film]}: {titles[film]}")

# %% [markdown]
# The specimen demos beautifully: it reads the user's own favourites back. Leave out the seen ones, and every score left is a 0 that nobody gave. You get the table's order, which beats chance only because famous films come early in this file. The highest mean is worse than dice: *Santa with Muscles* shares the throne of all films, by two votes. Count likes and leave out what is seen: even Popularity wastes 40 % of its places without that filter.
#
# ## Interview room

# %% [markdown] tags=["question"]
# A01
# A02
# A03
# A06
# G04

# %% [markdown]
# ### Exercise 1.5 - cores_needed  |  stretch  |  5 min
#
# *Estimate in your head.* At the peak, 30,000 requests a second reach your ranking stage. Each ranks 400 candidates, at 25 µs a candidate on one core, and no core is loaded beyond 60 %. How many cores? Within a factor of 2 is right. *Why it matters in interviews:* a design without one number for its cost is a drawing.


# %%
def cores_needed() -> float:
    """Cores for 30,000 requests a second x 400 candidates x 25 µs, at 60 % load."""
    ### BEGIN SOLUTION
    return 30_000 * 400 * 25e-6 / 0.6
    ### END SOLUTION


check(cores_needed)

# %% [markdown]
# ### Say it in 30 seconds
#
# Back to the start: *frame the problem*. Close the five holes of the weak answer in five or six sentences: predict, rank, constrain, serve, compare. Aloud, with a clock.
#
# ### BEGIN SOLUTION
# I predict the chance that this user would rate this film 4 or more; a blank is mostly a film they never met. I rank by that chance and show the ten best that they have not rated. For a large catalogue I retrieve a thousand candidates from an index and rank only those, within 100 ms. I judge on later ratings, by NDCG and recall at 10, head and tail apart, with coverage. Nothing ships that does not beat Popularity, and an A/B test has the last word.
# ### END SOLUTION

# %% [markdown]
# ### Keep this
#
# - Frame it: predict, rank, constrain; name a number that rises while the product gets worse.
# - Serve in stages, because 10^8 items x 10 µs = 1,000 s.
# - This table is 6.30 % dense, and a fifth of its films holds 64.6 % of its ratings (Gini 0.629).
# - Popularity is the bar: 23 times chance, 3 % of the films, nothing from the tail.
# - Leave out what is seen, count likes, never fill blanks with zeros.
# - Formula card: density = ratings / (users x films) · cores = requests/s x candidates x seconds / load
#
# **Myths.** "A blank is a dislike": it is unknown, mostly never shown. "Our model is 93.7 % accurate": so is always saying "not rated". "Good rating predictions make good lists": two tasks (lesson 04). Commonly seen: no split, no seen filter, no baseline, no seed.
#
# **Go further**
# - Covington, Adams, Sargin, *Deep Neural Networks for YouTube Recommendations*, RecSys 2016: the funnel, by those who run one.
# - Gomez-Uribe, Hunt, *The Netflix Recommender System*, ACM TMIS 6(4), 2015: from business goal to metric to A/B test.
# - Hu, Koren, Volinsky, *Collaborative Filtering for Implicit Feedback Datasets*, ICDM 2008: a blank as weak evidence.
# - Marlin, Zemel, *Collaborative Prediction and Ranking with Non-Random Missing Data*, RecSys 2009: why blanks matter.
# - Steck, *Item Popularity and Recommendation Accuracy*, RecSys 2011: a metric that you can tilt towards the tail.
#
# **Next: lesson 02, measure what a recommendation list is worth.** Type `recsys-course next` in a terminal.

# %% [markdown] tags=["teacher"]
# **For teachers.** *50 minutes:* funnel and products (10), user 50 aloud (5), exercise 1.2 (8), guesses on the board, then the experiment (12), the bug in pairs (15). *90 minutes:* add 1.1, 1.3, two questions. *Misconceptions:* a blank is a zero (*Star Wars*); the highest mean is best (*Santa with Muscles*); filtering after the cut is the same (1.3); an id is a position (1.1). *Discuss:* who never appears in this data? What would you log today to answer the exposure question next year? *Weights:* 1.1 3, 1.2 2, 1.3 3, 30-second answer 2.
