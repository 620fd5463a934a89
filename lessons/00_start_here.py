# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# course:
#   title: Start here
#   level: beginner
#   minutes_read: 4
#   minutes_do: 6
#   cpu_seconds: 8
#   ram_mb: 400
#   requires: []
#   articles: []
#   builds: your first checked answer
# ---

# %% [markdown]
# # 00 Start here
#
# ## The interview moment
#
# *"How would you know that your recommender is any good?"*
#
# A typical weak answer: "I would look at the accuracy." A strong one names a baseline, a number with its interval, and what could fool it. This course is practice for the strong one: you write the code, a check tells you which misconception it found, and every claim is run on real film ratings.
#
# **You will be able to**, in ten minutes without the questions: run a cell, read a check's message, write your first answer, commit to a prediction before you see a number, and find your way back here tomorrow.
#
# Put the cursor into a grey cell and press **Shift+Enter** to run it. Go from top to bottom.

# %%
import hashlib
import platform

import torch
from torch import Tensor

from recsys_course import claim, claim_value, data, metrics, models, plots, progress
from recsys_course.exercises.l00 import check, hint, review, solution  # noqa: F401

movies = data.movielens()
print(movies)

# %% [markdown]
# That is MovieLens 100K: 100,000 ratings that real people gave between September 1997 and April 1998. Next, the machine: the versions, the device that will do the work, and a checksum that says your data is the one the numbers of this course come from.

# %% tags=["nbval-ignore-output"]
device = torch.cuda.get_device_name() if torch.cuda.is_available() else "the CPU"
print(f"Python {platform.python_version()}, torch {torch.__version__}, working on {device}")

# %%
columns = (movies.ratings.users, movies.ratings.items, movies.ratings.ratings, movies.ratings.times)
checksum = hashlib.sha256(b"".join(column.numpy().tobytes() for column in columns)).hexdigest()
print("checksum of the ratings:", checksum[:16])
claim(
    "00.same-data",
    "these are the ratings that every number of the course was measured on",
    checksum[:16] == "754ba8b03d497b96",
)

# %% [markdown]
# Nothing you do leaves this machine: no account, no telemetry, no model hub.
#
# ## How an exercise answers back
#
# An exercise is a function with a hole. `check` says one of three things. First, a hole that nobody filled. This is no error:


# %%
def liked_share(ratings: Tensor) -> float:
    """Share of the ratings that are 4 or 5."""
    raise NotImplementedError  # your code here


check(liked_share)

# %% [markdown]
# Second, a wrong answer. Read both lines: the smallest case that fails, and what you probably had in mind.


# %% tags=["raises-exception", "nbval-raises-exception"]
def liked_share(ratings: Tensor) -> float:
    """Share of the ratings that are 4 or 5."""
    return float((ratings > 4).float().mean())


check(liked_share)

# %% [markdown]
# Third, a right answer, and that one is yours.
#
# ### Exercise 0.1 - liked_share  |  easy  |  4 min
#
# In this course a rating of 4 or 5 is a *like*. **In:** `ratings`, float `[n]`. **Out:** the share of likes, a number between 0 and 1. Replace the `raise` line, then run the cell. Stuck? Type `hint(liked_share)` in a new cell; after a try, `solution(liked_share)` prints ours.
#
# *Why it matters in interviews:* "what counts as a positive?" comes before every metric.


# %%
def liked_share(ratings: Tensor) -> float:
    """Share of the ratings that are 4 or 5: float `[n]` to a number."""
    ### BEGIN SOLUTION
    return float((ratings >= 4).float().mean())
    ### END SOLUTION


check(liked_share)

# %% [markdown]
# From here on a lesson goes on with its own, tested code, so a wrong answer never spoils a later result. (*Run All* stops at a failing check; go on with *Run Selected Cell and All Below*.) On all ratings:

# %%
share = float((movies.ratings.ratings >= data.POSITIVE).float().mean())
print(f"{share:.1%} of the ratings are likes")
claim_value(
    "00.liked-share",
    share,
    stated=0.554,
    tolerance=0.001,
    text="share of the ratings that are likes",
)

# %% [markdown]
# That `✓` line is a **claim**: the sentence stands in the text, and the cell fails if the data says otherwise. You will meet many; `recsys-course claims` lists them all.
#
# ## The experiment: predict, then run
#
# A number surprises only who has guessed first. One model recommends random films, another the most liked ones, the same to everybody. A *split* hides a fifth of the ratings, a *seed* decides which; a hit is a hidden like in a list of ten. NDCG, between 0 and 1, rewards hits near the top (lesson 02). **How many times better is popular than random?** Write your guess down.

# %%
my_guess = None  # for example 3

# %%
rows = []
for make in (models.Random, lambda seed: models.Popularity()):
    splits = [data.frozen_split(movies.ratings, "random", seed) for seed in (0, 1, 2)]
    runs = [
        metrics.evaluate(make(seed).fit(cut.train), cut.test, k=10)
        for seed, cut in enumerate(splits)
    ]
    rows.append(metrics.average_seeds(runs))
by_chance, popular = rows
ratio = popular.mean("ndcg") / by_chance.mean("ndcg")
claim(
    "00.popular-beats-random",
    "Popularity's NDCG@10 is more than 15 times that of Random",
    ratio > 15,
)

# %% tags=["nbval-ignore-output"]
print(f"you said {my_guess}, measured {ratio:.0f} times")
metrics.leaderboard(rows)

# %% [markdown]
# This is your first leaderboard: three seeds of the random split, each number with a 95 % *interval*, where the mean would lie for other users like these; users without an answer are left out and counted. A model that cannot beat Popularity has learnt nothing about *you*. What would change our mind? An interval of Popularity that reaches down to Random's.

# %%
figure, panel = plots.axes(6, 1.8)
plots.intervals(panel, rows, "ndcg", title="random split, three seeds")
plots.show(
    figure,
    alt="Popularity's NDCG at 10 is about 0.17, Random's is below 0.01; the intervals are far apart.",
)

# %% [markdown]
# ## Spot the bug
#
# Every lesson has a piece of code that looks fine. This one turns ratings of 1 to 5 into 0 to 1. Which lines would you stop in a review? Put their numbers into `suspects`.


# %%
def to_unit_scale(ratings: Tensor) -> Tensor:
    ratings -= 1
    ratings /= 4
    return ratings


review.show(to_unit_scale)

# %%
suspects = []  # for example [1]
review.mark(to_unit_scale, suspects)

# %% [markdown]
# Predict the mean after the first and after the second run of the same cell. Then measure:

# %%
mine = movies.ratings.ratings.clone()
first, second = float(to_unit_scale(mine).mean()), float(to_unit_scale(mine).mean())
print(f"mean after one run {first:.2f}, after running the cell again {second:.2f}")
claim(
    "00.in-place",
    "running an in-place cell twice moves the mean rating below 0",
    first > 0.6 and second < 0,
)

# %% [markdown]
# A notebook remembers. A cell that changes its input gives another result each time, and nothing looks broken. When numbers puzzle you: *Kernel, Restart Kernel and Run All Cells*.
#
# **Your review, in a sentence:**
#
# ### BEGIN SOLUTION
# Lines 2 and 3 write into the caller's tensor; return `(ratings - 1) / 4` instead.
# ### END SOLUTION
#
# ## Where you are
#
# Your record is kept outside the course folder and survives updates. `recsys-course progress` prints the same table.

# %% tags=["nbval-ignore-output"]
print(progress.report())

# %% [markdown]
# ## Interview room
#
# Each lesson ends with five questions, in English and Chinese. Speak for two minutes, follow the link to the model answer, then grade yourself. Answer H01 now; the other four are for the evening on which you finish lesson 02.

# %% [markdown] tags=["question"]
# H01

# %% [markdown] tags=["question"]
# H08

# %% [markdown] tags=["question"]
# H09

# %% [markdown] tags=["question"]
# A05

# %% [markdown] tags=["question"]
# P03

# %% [markdown]
# ## Recap
#
# - Run from top to bottom; after a surprise, restart and run all.
# - `check` names the misconception, `hint` helps, `solution` comes after a try.
# - Guess before you run. Put random and popular beside every model.
# - Every number here has a split, a k, a number of users and an interval.
# - New version of the course? `recsys-course update` keeps your answers; `recsys-course reset 00` starts afresh after a backup.
#
# **Myths.** "It ran, so it is right": the in-place cell ran, twice. "Popular is no model": it is the one to beat.
#
# **Go further.** Harper and Konstan, *The MovieLens datasets: history and context* (ACM TiiS 5(4), 2015): who rated, and why. Ferrari Dacrema, Cremonesi and Jannach, *Are we really making much progress?* (RecSys 2019): what happens to results when baselines are tuned.
#
# **Next.** On your first evening: open `02_measuring.ipynb`, do exercise 2.1, then *Spot the bug*, then question H02 aloud. Tomorrow: lesson 01. `recsys-course next` always names the one thing to do.

# %% [markdown] tags=["teacher"]
# **For teachers.** Ten minutes at the start of the first class; ask for the guesses aloud before the experiment is run. Watch for `> 4` (mistake 1) and for cells run out of order.
