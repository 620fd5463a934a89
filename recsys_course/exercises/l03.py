"""Exercises of lesson 03, nearest neighbours."""

import math
import numbers
from collections.abc import Callable, Iterator
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from recsys_course import data
from recsys_course.checks import Exercise, bind
from recsys_course.review import Review

nan = math.nan  # a blank in the tables below

FIVE_PEOPLE = torch.tensor(
    [
        [5.0, 4.0, 1.0, nan, nan, 2.0],
        [4.0, 5.0, 2.0, nan, 1.0, nan],
        [2.0, 1.0, nan, nan, 5.0, 4.0],
        [nan, 3.0, nan, 4.0, 5.0, nan],
        [3.0, 3.0, nan, nan, 3.0, 3.0],
    ]
)
KIND_AND_HARSH = torch.tensor([[5.0, 5.0, 3.0, 3.0], [3.0, 3.0, 1.0, 1.0], [4.0, 5.0, 2.0, 2.0], [nan, 1.0, 4.0, 5.0]])


def _random_table(seed: int, n_users: int, n_films: int, filled: float = 0.6) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    stars = torch.randint(1, 6, (n_users, n_films), generator=generator).float()
    return stars.masked_fill(torch.rand(n_users, n_films, generator=generator) > filled, torch.nan)


def similarity(ratings: Tensor, i: int, j: int, shrink: float) -> float:
    """Shrunk adjusted cosine of two films: float ``[n_users, n_films]`` with NaN for a blank, to a number."""
    gaps = ratings - ratings.nanmean(dim=1, keepdim=True)  # [n_users, n_films], from each user's own mean
    both = ~(gaps[:, i] + gaps[:, j]).isnan()  # [n_users], who rated both films
    a, b = gaps[both, i], gaps[both, j]  # [n]
    norms = a.norm() * b.norm()
    if norms == 0:
        return 0.0
    n = len(a)
    return float(a @ b / norms * n / (n + shrink))


def _cosine(a: Tensor, b: Tensor, shrink: float, n: float | None = None, empty: float = 0.0) -> float:
    """Cosine over the rows that both columns fill, shrunk by ``n`` (the number of those rows)."""
    both = ~(a + b).isnan()
    n = int(both.sum()) if n is None else n
    norms = float(a[both].norm() * b[both].norm())
    return float(a[both] @ b[both]) / norms * n / (n + shrink) if norms else empty


def _gaps(ratings: Tensor) -> Tensor:
    return ratings - ratings.nanmean(dim=1, keepdim=True)


def _film_means(ratings: Tensor, i: int, j: int, shrink: float) -> float:
    gaps = ratings - ratings.nanmean(dim=0, keepdim=True)
    return _cosine(gaps[:, i], gaps[:, j], shrink)


def _pearson(ratings: Tensor, i: int, j: int, shrink: float) -> float:
    both = ~(ratings[:, i] + ratings[:, j]).isnan()
    a, b = ratings[both, i], ratings[both, j]
    return _cosine(a - a.mean(), b - b.mean(), shrink)


def _mean_of_the_two(ratings: Tensor, i: int, j: int, shrink: float) -> float:
    pair = ratings[:, [i, j]]
    gaps = pair - pair.mean(dim=1, keepdim=True)
    return _cosine(gaps[:, 0], gaps[:, 1], shrink)


def _blanks_are_zeros(ratings: Tensor, i: int, j: int, shrink: float) -> float:
    filled = ratings.nan_to_num(0.0)
    gaps = filled - filled.mean(dim=1, keepdim=True)
    return _cosine(gaps[:, i], gaps[:, j], shrink)


def _blanks_in_the_mean(ratings: Tensor, i: int, j: int, shrink: float) -> float:
    gaps = ratings - ratings.nan_to_num(0.0).mean(dim=1, keepdim=True)
    return _cosine(gaps[:, i], gaps[:, j], shrink)


def _norms_of_everybody(ratings: Tensor, i: int, j: int, shrink: float) -> float:
    gaps = _gaps(ratings)
    n = int((~(gaps[:, i] + gaps[:, j]).isnan()).sum())
    filled = gaps.nan_to_num(0.0)
    return _cosine(filled[:, i], filled[:, j], shrink, n) if n else 0.0


def _norms_of_everybody_unguarded(ratings: Tensor, i: int, j: int, shrink: float) -> float:
    n = int((~(ratings[:, i] + ratings[:, j]).isnan()).sum())
    return _norms_of_everybody(ratings, i, j, shrink) if n + shrink else nan


def _shrunk_by(count: Callable[[Tensor, Tensor], float]) -> Callable:
    def wrong(ratings: Tensor, i: int, j: int, shrink: float) -> float:
        a, b = _gaps(ratings)[:, i], _gaps(ratings)[:, j]
        return _cosine(a, b, shrink, float(count(~a.isnan(), ~b.isnan())))

    return wrong


def _capped_support(ratings: Tensor, i: int, j: int, shrink: float) -> float:
    n = int((~(ratings[:, i] + ratings[:, j]).isnan()).sum())
    return similarity(ratings, i, j, 0.0) * (min(n, shrink) / shrink if shrink else 1.0)


def _shrink_among_the_norms(ratings: Tensor, i: int, j: int, shrink: float) -> float:
    a, b = _gaps(ratings)[:, i], _gaps(ratings)[:, j]
    both = ~(a + b).isnan()
    norms = float(a[both].norm() * b[both].norm())
    return float(a[both] @ b[both]) / (norms + shrink) if norms else 0.0


def _without_root(ratings: Tensor, i: int, j: int, shrink: float) -> float:
    a, b = _gaps(ratings)[:, i], _gaps(ratings)[:, j]
    both = ~(a + b).isnan()
    n, squares = int(both.sum()), float(a[both].square().sum() * b[both].square().sum())
    return float(a[both] @ b[both]) / squares * n / (n + shrink) if squares else 0.0


SIMILARITY = Exercise(
    id="03.similarity",
    level="medium",
    minutes=10,
    reference=similarity,
    cases=(
        (FIVE_PEOPLE, 0, 1, 0.0),
        (FIVE_PEOPLE, 0, 1, 4.0),
        (FIVE_PEOPLE, 0, 4, 2.0),
        (FIVE_PEOPLE, 2, 5, 0.0),
        (FIVE_PEOPLE, 2, 5, 9.0),
        (FIVE_PEOPLE, 0, 3, 5.0),
        (FIVE_PEOPLE, 0, 3, 0.0),
        (FIVE_PEOPLE[3:], 1, 4, 1.0),
        (FIVE_PEOPLE[4:], 0, 1, 0.0),
        (KIND_AND_HARSH, 0, 2, 0.0),
        (KIND_AND_HARSH, 1, 3, 1.0),
    ),
    hidden=(
        (_random_table(1, 40, 8), 2, 5, 10.0),
        (_random_table(2, 25, 12, 0.3), 7, 0, 0.0),
        (_random_table(3, 30, 6, 0.9), 1, 4, 100.0),
    ),
    hints=(
        "Before you touch the two films: subtract from every rating its user's mean over all they rated. "
        "`nanmean(dim=1, keepdim=True)` skips blanks.",
        "Keep the users who rated both films: `~(gaps[:, i] + gaps[:, j]).isnan()`. Product and both norms run over "
        "these users only.",
        "With n such users: cosine * n / (n + shrink). If a norm is 0, or nobody rated both, return 0.",
    ),
    mistakes=(
        (
            lambda r, i, j, shrink: _cosine(r[:, i], r[:, j], shrink),
            "You compared raw stars. All stars are positive, so every two films look alike: subtract each user's own "
            "mean first.",
        ),
        (
            _film_means,
            "You subtracted each film's mean. Kind and harsh raters are the rows: subtract each user's mean (dim=1).",
        ),
        (
            _pearson,
            "This is Pearson: each film minus its own mean over the users who rated both. The adjusted cosine "
            "subtracts each user's mean over all they rated.",
        ),
        (
            _mean_of_the_two,
            "Your user's mean covers these two films only, so the two gaps are always opposite. Take the mean over all "
            "that the user rated.",
        ),
        (
            _blanks_are_zeros,
            "You filled the blanks with 0 stars. A blank is no opinion: leave it NaN and keep users who rated both.",
        ),
        (
            _blanks_in_the_mean,
            "Your user's mean counts blanks as 0 stars. Divide by the number of films rated: nanmean.",
        ),
        (
            lambda r, i, j, shrink: _cosine(
                *(r - r[~r.isnan()].mean())[:, [i, j]].T,
                shrink,
            ),
            "You subtracted one mean for everybody. One user's 3 is another's 5: subtract each user's own mean.",
        ),
        (
            _norms_of_everybody,
            "Your norms run over all who rated each film, the product over those who rated both. Then films with few "
            "common users are far apart even where these agree. Use the same users everywhere.",
        ),
        (
            _norms_of_everybody_unguarded,
            "Your norms run over all who rated each film, the product over those who rated both: use the same users "
            "everywhere. And where nobody rated both, return 0: without shrinkage yours is 0 / 0.",
        ),
        (
            lambda r, i, j, shrink: similarity(r, i, j, 0.0),
            "You never shrank: one common user who agrees makes a perfect 1. Multiply by n / (n + shrink).",
        ),
        (
            _shrunk_by(lambda a, b: len(a)),
            "Your n is the number of all users. Support is who rated both films.",
        ),
        (
            _shrunk_by(lambda a, b: (a | b).sum()),
            "Your n counts who rated either film. Support is who rated both.",
        ),
        (
            _capped_support,
            "You used min(n, shrink) / shrink, significance weighting: a cousin with a corner in it. Here it is "
            "n / (n + shrink).",
        ),
        (
            _shrink_among_the_norms,
            "You added shrink to the norms. Then stars of another size change the answer. Multiply the cosine by "
            "n / (n + shrink).",
        ),
        (
            lambda r, i, j, shrink: _cosine(_gaps(r)[:, i], _gaps(r)[:, j], shrink, empty=math.nan),
            "0 divided by 0: nobody rated both, or somebody's gaps are all 0. Nothing is known, so return 0.",
        ),
        (
            lambda r, i, j, shrink: similarity(r.T, i, j, shrink),
            "You compared two rows, that is two users. Films are the columns.",
        ),
        (
            _without_root,
            "You divided by the squared norms. A cosine divides by the product of the norms, so that it lies between "
            "-1 and 1.",
        ),
    ),
)


def predict_rating(ratings: Tensor, similar: Tensor, user: int, film: int, k: int) -> float:
    """What a user would give a film, from similar users' ratings.

    Args:
        ratings: stars, NaN for a blank, float ``[n_users, n_films]``.
        similar: how similar each user is to ``user``, float ``[n_users]``.
        user: whose rating.
        film: of which film.
        k: neighbours at most.
    """
    own = ratings[user].clone()
    own[film] = torch.nan  # what is to be predicted is not known
    mean = own.nanmean()
    rated = ~ratings[:, film].isnan() & (similar > 0)
    rated[user] = False
    order = similar.masked_fill(~rated, -1).argsort(descending=True)
    neighbours = order[: min(k, int(rated.sum()))]
    if not len(neighbours):
        return float(mean)
    gaps = ratings[neighbours, film] - ratings[neighbours].nanmean(dim=1)  # [n_neighbours]
    weights = similar[neighbours]
    return float(mean + weights @ gaps / weights.sum())


def _predict(
    ratings: Tensor,
    similar: Tensor,
    user: int,
    film: int,
    k: int,
    *,
    itself: bool = False,
    peek: bool = False,
    weighted: bool = True,
    centred: bool = True,
    base: Callable[[Tensor, Tensor], Tensor] | None = None,
    negative: bool = False,
    absolute: bool = False,
    filter_last: bool = False,
    nearest: bool = True,
    divide_by_k: bool = False,
    film_mean: bool = False,
    without_film: bool = False,
    empty: Callable[[Tensor, Tensor], float] | None = None,
) -> float:
    """The prediction with any of its parts done wrong."""
    own = ratings[user].clone()
    if not peek:
        own[film] = torch.nan
    mean = own.nanmean() if base is None else base(ratings, own)
    allowed = torch.ones_like(similar, dtype=torch.bool) if negative else similar > 0
    if not itself:
        allowed[user] = False
    has = ~ratings[:, film].isnan()
    chosen = allowed if filter_last else allowed & has
    sign = -1 if nearest else 1
    neighbours = [v for v in (sign * similar).argsort(stable=True).tolist() if chosen[v]][:k]
    neighbours = torch.tensor([v for v in neighbours if has[v]], dtype=torch.int64)
    if not len(neighbours):
        return float(own.nanmean() if empty is None else empty(ratings, own))
    stars, weights = ratings[neighbours, film], similar[neighbours]
    rows = ratings[neighbours].clone()
    if without_film:
        rows[:, film] = torch.nan
    centres = ratings[:, film].nanmean() if film_mean else rows.nanmean(dim=1)
    gaps = stars - centres if centred else stars
    weights = weights if weighted else torch.ones_like(weights)
    total = k if divide_by_k else (weights.abs() if absolute else weights).sum()
    return float((mean if centred else 0) + weights @ gaps / total)


def _with(**wrong: object) -> Callable:
    return lambda ratings, similar, user, film, k: _predict(ratings, similar, user, film, k, **wrong)


SIX_PEOPLE = torch.tensor(
    [
        [5.0, 3.0, nan, 4.0, 1.0],
        [4.0, 2.0, 5.0, nan, 1.0],
        [2.0, 1.0, 2.0, 3.0, nan],
        [nan, 5.0, 1.0, 4.0, 4.0],
        [5.0, 4.0, nan, nan, 2.0],
        [3.0, nan, 4.0, 5.0, 3.0],
    ]
)
LIKE_USER_0 = torch.tensor([1.0, 0.75, 0.5, -0.25, 0.875, 0.125])
LIKE_USER_5 = torch.tensor([0.125, 0.375, -0.5, 0.25, 0.0, 1.0])

PREDICT_RATING = Exercise(
    id="03.predict_rating",
    level="medium",
    minutes=10,
    reference=predict_rating,
    cases=(
        (SIX_PEOPLE, LIKE_USER_0, 0, 2, 2),
        (SIX_PEOPLE, LIKE_USER_0, 0, 2, 9),
        (SIX_PEOPLE, LIKE_USER_0, 0, 2, 1),
        (SIX_PEOPLE, LIKE_USER_0, 0, 0, 3),
        (SIX_PEOPLE, LIKE_USER_5, 5, 3, 2),
        (SIX_PEOPLE, LIKE_USER_5, 5, 2, 1),
        (SIX_PEOPLE, torch.tensor([1.0, -0.5, 0.0, -0.25, 0.5, -1.0]), 0, 2, 3),
        (SIX_PEOPLE, torch.tensor([-0.5, -0.5, 1.0, -0.25, 0.0, -1.0]), 2, 0, 3),
    ),
    hidden=(
        (_random_table(4, 30, 9), torch.linspace(-0.4, 0.9, 30), 12, 4, 8),
        (_random_table(5, 30, 9, 0.3), torch.linspace(0.9, -0.4, 30), 0, 7, 5),
    ),
    hints=(
        "Candidates are other users who rated the film and have a similarity above 0. The user is one of the rows: "
        "take it out.",
        "Each neighbour says how far the film lies above or below their own mean. Average that, weighted by "
        "similarity, and add it to the user's mean.",
        "If the table holds the rating you predict, it must not count: copy the user's row, put NaN there, then take "
        "the mean. No neighbour: return that mean.",
    ),
    mistakes=(
        (
            _with(itself=True, peek=True),
            "The user is among the neighbours, and the rating to be predicted is in the user's mean: you predict the "
            "answer from the answer.",
        ),
        (
            _with(itself=True),
            "The user is their own nearest neighbour, with the very rating you want to predict. Take out row `user`.",
        ),
        (
            _with(peek=True),
            "The rating you predict is part of the user's mean. Leave it out of the mean, as if it were not known.",
        ),
        (
            _with(weighted=False),
            "All your neighbours weigh the same. Weigh each by similarity and divide by the sum of the weights.",
        ),
        (
            _with(centred=False),
            "You averaged raw stars. A harsh rater's 3 is praise: average the distance from each neighbour's own mean, "
            "then add the user's.",
        ),
        (
            _with(centred=False, weighted=False),
            "This is a plain average of the neighbours' stars: neither weighted by similarity nor free of who is "
            "harsh and who is kind.",
        ),
        (
            _with(base=lambda ratings, own: ratings.nanmean()),
            "You added the gaps to everybody's mean. Add them to this user's own mean.",
        ),
        (
            _with(base=lambda ratings, own: torch.tensor(0.0)),
            "You returned the distance from the mean. Add the user's own mean back.",
        ),
        (
            _with(film_mean=True),
            "You subtracted the film's mean from the neighbours' ratings. Subtract each neighbour's own mean.",
        ),
        (
            _with(without_film=True),
            "You left the film out of the neighbours' means as well. Their rating of it is known: their means run over "
            "all they rated. Only the user's own rating of it must not count.",
        ),
        (
            _with(negative=True),
            "Neighbours of similarity 0 or below are in. Opposite taste is weak evidence, and a negative weight can "
            "make the sum 0: keep those above 0.",
        ),
        (
            _with(negative=True, absolute=True),
            "You kept negative similarities, with their size as weight. That is a known variant; here neighbours are "
            "those above 0.",
        ),
        (
            _with(filter_last=True),
            "You took the k nearest users and then looked who rated the film. First keep those who rated it, then "
            "take k of them.",
        ),
        (
            lambda *case: min(5.0, max(1.0, predict_rating(*case))),
            "You clipped to 1 to 5 stars. A product does that at the very end; here return the number itself, so that "
            "nothing is hidden.",
        ),
        (
            _with(nearest=False),
            "You took the least similar ones: sort in descending order.",
        ),
        (
            lambda r, s, u, f, k: predict_rating(r, s, u, f, len(r)),
            "You used every candidate. Only the k most similar count.",
        ),
        (
            _with(divide_by_k=True),
            "You divided by k. Weights that add up to less than k then pull every prediction to the mean: divide by "
            "their sum.",
        ),
        (
            _with(empty=lambda ratings, own: math.nan),
            "Without a neighbour you divided 0 by 0. Fall back to the user's own mean.",
        ),
        (
            _with(empty=lambda ratings, own: 0.0),
            "Without a neighbour you return 0 stars, which nobody can give. Fall back to the user's own mean.",
        ),
        (
            _with(empty=lambda ratings, own: float(ratings.nanmean())),
            "Without a neighbour you fall back to everybody's mean. You know more: this user's own mean.",
        ),
    ),
)


def item_neighbours(likes: data.Interactions, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` films most similar to each film by the cosine of who liked them, best first.

    Returns:
        Films, int ``[n_items, k]``, ``-1`` for an empty place; their similarities, float ``[n_items, k]``, 0 there.
    """
    table = likes.matrix()  # CSR [n_users, n_items], a 1 for a like
    together = (table.T @ table).tocoo()  # how many like both, for every pair that shares a user
    n = together.diagonal()  # [n_items], how many like it
    pairs = together.row != together.col  # a film is not its own neighbour
    i, j, both = together.row[pairs], together.col[pairs], together.data[pairs]
    cosine = both / np.sqrt(n[i] * n[j])
    order = np.lexsort((j, -cosine, i))  # by film, then most similar first, then by number
    i, j, cosine = i[order], j[order], cosine[order]
    place = np.arange(len(i)) - np.searchsorted(i, i)  # in the film's own list
    top = place < k
    films, similar = np.full((likes.n_items, k), -1), np.zeros((likes.n_items, k))
    films[i[top], place[top]], similar[i[top], place[top]] = j[top], cosine[top]
    return films, similar


def _all_neighbours(
    likes: data.Interactions,
    k: int,
    measure: Callable = lambda both, one, other: both / np.sqrt(one * other),
    itself: bool = False,
    skip_first: bool = False,
    order: Callable = lambda j, s: np.lexsort((j, -s)),
    empty: int = -1,
    by_user: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours with any part done wrong."""
    table = likes.matrix().T.tocsr() if by_user else likes.matrix()
    together = (table.T @ table).tocsr()
    together.sort_indices()
    n, size = together.diagonal(), together.shape[0]
    films, similar = np.full((size, k), empty), np.zeros((size, k))
    for i in range(size):
        j, both = (column[together.indptr[i] : together.indptr[i + 1]] for column in (together.indices, together.data))
        keep = np.full(len(j), True) if itself or skip_first else j != i
        j, both = j[keep], both[keep]
        score = measure(both, n[i], n[j])
        best = order(j, score)[int(skip_first) :][:k]
        films[i, : len(best)], similar[i, : len(best)] = j[best], score[best]
    return films, similar


def _wrongly(**wrong: object) -> Callable:
    return lambda likes, k: _all_neighbours(likes, k, **wrong)


def _filled_with_strangers(likes: data.Interactions, k: int) -> tuple[np.ndarray, np.ndarray]:
    films, similar = item_neighbours(likes, k)
    for i in range(likes.n_items):
        strangers = (j for j in range(likes.n_items) if j != i and j not in set(films[i]))
        for place in np.flatnonzero(films[i] < 0):
            films[i, place] = next(strangers, -1)
    return films, similar


def _by_number(likes: data.Interactions, k: int) -> tuple[np.ndarray, np.ndarray]:
    films, similar = item_neighbours(likes, k)
    order = np.where(films < 0, likes.n_items, films).argsort(axis=1)
    return np.take_along_axis(films, order, 1), np.take_along_axis(similar, order, 1)


SMALL_LOG = data.Interactions.from_events(
    [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 5], [0, 1, 2, 0, 1, 0, 2, 3, 1, 4, 0], n_users=6, n_items=6
)
TWINS = data.Interactions.from_events([0, 0, 0, 1, 1, 1, 2], [0, 1, 3, 0, 1, 3, 1], n_users=3, n_items=4)
STAR = data.Interactions.from_events([0, 0, 1, 1, 2, 2, 3, 3, 3], [4, 0, 4, 1, 4, 2, 4, 3, 1], n_users=4, n_items=5)
EMPTY_LOG = data.Interactions.from_events([0, 1], [0, 2], n_users=2, n_items=3)


def _wheel(n_items: int, steps: tuple[int, ...]) -> data.Interactions:
    """As many users as items: user u likes the items u + step, so that all items have equally many likes."""
    users = np.repeat(np.arange(n_items), len(steps))
    items = (users + np.tile(steps, n_items)) % n_items
    return data.Interactions.from_events(users, items, n_users=n_items, n_items=n_items)


ITEM_NEIGHBOURS = Exercise(
    id="03.item_neighbours",
    level="hard",
    minutes=10,
    reference=item_neighbours,
    cases=((SMALL_LOG, 2), (SMALL_LOG, 3), (TWINS, 2), (STAR, 3), (EMPTY_LOG, 1), (_wheel(5_000, (0, 1, 3)), 2)),
    hidden=((_wheel(40, (0, 2, 7, 20)), 4), (SMALL_LOG, 6), (STAR, 1)),
    time_limit=3.0,
    hints=(
        "One sparse product counts who likes both films of every pair that shares a user: `table.T @ table`. Its "
        "diagonal counts who likes each film.",
        "`.tocoo()` gives the pairs as three columns: `row`, `col`, `data`. Drop `row == col`, divide by "
        "`np.sqrt(n[row] * n[col])`.",
        "`np.lexsort((j, -cosine, i))` sorts by film, similarity, number. A pair's place in its list is its position "
        "minus where its film begins: `np.searchsorted(i, i)`. Keep places below k.",
    ),
    mistakes=(
        (
            _wrongly(itself=True),
            "Each film is its own best neighbour, with similarity 1. It takes a place and recommends what was liked "
            "already: leave it out.",
        ),
        (
            _wrongly(skip_first=True),
            "You dropped the first of each list, hoping that it is the film itself. A film that the same people like "
            "has similarity 1 as well: drop by number, not by place.",
        ),
        (
            _wrongly(measure=lambda both, one, other: both),
            "You ranked by how many like both. Then the most popular films are everybody's neighbours: divide by "
            "the root of both counts.",
        ),
        (
            _wrongly(measure=lambda both, one, other: both / (one + other - both)),
            "This is Jaccard, shared over either. The cosine divides by the root of the product of both counts.",
        ),
        (
            _wrongly(measure=lambda both, one, other: both / one),
            "You divided by one film's count: the share of its fans who like the other. Popular films win that. "
            "Divide by the root of both counts.",
        ),
        (
            _wrongly(measure=lambda both, one, other: both / other),
            "You divided by the other film's count alone: a film with one fan then beats all. Divide by the root of "
            "both counts.",
        ),
        (
            _wrongly(measure=lambda both, one, other: both / (one * other)),
            "The root is missing: a cosine divides by sqrt(n_i * n_j).",
        ),
        (
            _wrongly(order=lambda j, s: np.lexsort((-j, -s))),
            "Equal similarities come out with the higher film number first. Ties go by the lower number, so that two "
            "runs give one list.",
        ),
        (
            _wrongly(order=lambda j, s: np.lexsort((j, s))),
            "You kept the least similar films. Sort by similarity, descending.",
        ),
        (
            _wrongly(order=lambda j, s: np.arange(len(j))),
            "You kept the first k films by number. Sort by similarity before you cut.",
        ),
        (
            _by_number,
            "The right films stand there by number. Best first.",
        ),
        (
            _wrongly(empty=0),
            "An empty place says film 0, so film 0 looks like everybody's neighbour. Write -1.",
        ),
        (
            _filled_with_strangers,
            "You filled up with films that share nobody (similarity 0). Leave those places -1.",
        ),
        (
            _wrongly(by_user=True),
            "`table @ table.T` compares users. Films are the columns: `table.T @ table`.",
        ),
    ),
)


def explain(similar: Tensor, liked: Tensor, film: int) -> tuple[Tensor, Tensor]:
    """Which liked films make up a score: float ``[n_films, n_films]``, int64 ``[n_liked]`` to films and parts.

    Row ``film`` of ``similar`` holds what the film's neighbours are worth; the score is its sum over ``liked``.
    """
    parts = similar[film, liked]  # [n_liked]
    liked, parts = liked[parts > 0], parts[parts > 0]
    by_film = liked.argsort()
    order = by_film[parts[by_film].argsort(descending=True, stable=True)]
    return liked[order], parts[order]


def _explained(films: Tensor, parts: Tensor, descending: bool = True) -> tuple[Tensor, Tensor]:
    films, parts = films[parts > 0], parts[parts > 0]
    by_film = films.argsort()
    order = by_film[parts[by_film].argsort(descending=descending, stable=True)]
    return films[order], parts[order]


def _with_zeros(similar: Tensor, liked: Tensor, film: int) -> tuple[Tensor, Tensor]:
    liked = liked.sort().values
    order = similar[film, liked].argsort(descending=True, stable=True)
    return liked[order], similar[film, liked][order]


def _as_shares(similar: Tensor, liked: Tensor, film: int) -> tuple[Tensor, Tensor]:
    films, parts = explain(similar, liked, film)
    return films, parts / parts.sum()


FOUR_FILMS = torch.tensor(
    [
        [0.0, 0.5, 0.25, 0.0, 0.125],
        [0.5, 0.0, 0.0, 0.75, 0.0],
        [0.0, 0.0, 0.0, 0.25, 0.25],
        [0.25, 0.75, 0.5, 0.0, 0.0],
        [0.25, 0.125, 0.25, 0.0, 0.0],
    ]
)

EXPLAIN = Exercise(
    id="03.explain",
    level="stretch",
    minutes=5,
    reference=explain,
    cases=(
        (FOUR_FILMS, torch.tensor([1, 2, 4]), 0),
        (FOUR_FILMS, torch.tensor([4, 3]), 2),
        (FOUR_FILMS, torch.tensor([2, 0, 3]), 1),
        (FOUR_FILMS, torch.tensor([1, 2, 0]), 4),
        (FOUR_FILMS, torch.tensor([0, 2]), 2),
        (FOUR_FILMS, torch.tensor([3]), 0),
    ),
    hidden=((FOUR_FILMS.T.contiguous(), torch.tensor([0, 4, 2]), 3), (FOUR_FILMS, torch.tensor([4, 2, 1, 0]), 3)),
    hints=(
        "The score of a film is a sum with one term for each liked film. The terms are the explanation: "
        "`similar[film, liked]`.",
        "Drop terms that are 0: they explain nothing. Sort the rest, largest first.",
        "Equal parts: the lower film first. Sort by film, then `argsort(descending=True, stable=True)` by part.",
    ),
    mistakes=(
        (
            lambda similar, liked, film: _explained(liked, similar[liked, film]),
            "You read column `film`: whose neighbour it is. Each film kept its own neighbours, so the table is not "
            "symmetric; the score is made of row `film`.",
        ),
        (
            lambda similar, liked, film: _explained(torch.arange(len(similar)), similar[film]),
            "You listed all neighbours of the film. Only films this user liked can be the reason.",
        ),
        (
            _with_zeros,
            "Films that add 0 to the score are in your list. They explain nothing: leave them out.",
        ),
        (
            lambda similar, liked, film: _explained(liked, similar[film, liked], descending=False),
            "The smallest part comes first. The best reason belongs on top.",
        ),
        (
            _as_shares,
            "Your parts add up to 1. Here they add up to the score, so that two recommendations can be compared.",
        ),
        (
            lambda similar, liked, film: (liked[(p := similar[film, liked]) > 0], p[p > 0]),
            "The parts stand in the order of `liked`. Sort them, largest first.",
        ),
        (
            lambda similar, liked, film: tuple(
                column.flip(0) for column in _explained(liked.flip(0), similar[film, liked.flip(0)], descending=False)
            ),
            "Equal parts come out with the higher film first. Ties go by the lower number.",
        ),
    ),
)


def add_like(together: Tensor, liked: Tensor, film: int) -> Tensor:
    """Counts after one more like of a user who liked ``liked``: int64 ``[n_films, n_films]`` to the same.

    ``together[i, j]`` counts users who like both, ``together[i, i]`` who like i. A like that is there already changes
    nothing.
    """
    together = together.clone()
    if film in liked.tolist():
        return together
    together[film, film] += 1
    together[film, liked] += 1
    together[liked, film] += 1
    return together


def _adds(cells: Callable[[list[int], int], list[tuple[int, int]]], twice: bool = False) -> Callable:
    def wrong(together: Tensor, liked: Tensor, film: int) -> Tensor:
        together = together.clone()
        for cell in cells(liked.tolist(), film) if twice or film not in liked.tolist() else ():
            together[cell] += 1
        return together

    return wrong


def _new_cells(liked: list[int], film: int) -> list[tuple[int, int]]:
    return [(film, film), *((film, j) for j in liked), *((j, film) for j in liked)]


def _set_to_one(together: Tensor, liked: Tensor, film: int) -> Tensor:
    after = add_like(together, liked, film)
    return torch.where(after > together, 1, after)


THREE_FILMS = torch.tensor([[3, 2, 0, 1], [2, 4, 1, 1], [0, 1, 2, 0], [1, 1, 0, 1]])

ADD_LIKE = Exercise(
    id="03.add_like",
    level="stretch",
    minutes=5,
    reference=add_like,
    cases=(
        (THREE_FILMS, torch.tensor([0, 1]), 2),
        (THREE_FILMS, torch.tensor([2]), 3),
        (THREE_FILMS, torch.tensor([], dtype=torch.int64), 1),
        (THREE_FILMS, torch.tensor([1, 2]), 2),
    ),
    hidden=((torch.zeros(6, 6, dtype=torch.int64), torch.tensor([5, 0, 3]), 1), (THREE_FILMS, torch.tensor([3]), 3)),
    hints=(
        "Which pairs of films have one more user in common now? Only pairs with the new film in them.",
        "Add 1 to row `film` at the user's liked films, and to column `film`: the table is symmetric.",
        "The diagonal counts the film's own likes: add 1 there once. Work on a `clone()`, and do nothing if the film "
        "is among `liked` already.",
    ),
    mistakes=(
        (
            _adds(lambda liked, film: [(film, film), *((film, j) for j in liked)]),
            "You changed row `film` alone. The table is symmetric: column `film` gets the same.",
        ),
        (
            _adds(lambda liked, film: _new_cells(liked, film)[1:]),
            "The film's own count on the diagonal did not grow, so its cosines come out too large.",
        ),
        (
            _adds(lambda liked, film: [*_new_cells(liked, film), (film, film)]),
            "The diagonal grew by 2: the film is in its row and in its column. Add 1 there once.",
        ),
        (
            _adds(lambda liked, film: [(i, j) for i in [*liked, film] for j in [*liked, film]]),
            "You added the whole history of the user again. Pairs of films liked before are counted already.",
        ),
        (
            _adds(lambda liked, film: [*_new_cells(liked, film), *((j, j) for j in liked)]),
            "You raised the counts of the films liked before. They have no new like: only `film` has.",
        ),
        (
            _adds(_new_cells, twice=True),
            "The film was liked already, and you counted it again. The same like twice is one like.",
        ),
        (
            _set_to_one,
            "You wrote 1 into the cells. Other users are counted there as well: add 1.",
        ),
    ),
)


class KNN:
    """Predict stars from people of similar taste: ``ratings`` is ``{user: {film: stars}}``."""

    k = 2  # neighbours

    def fit(self, ratings: dict) -> "KNN":
        """Keep the ratings: all the work is done when somebody asks."""
        self.ratings = ratings
        return self

    def similarity(self, one: dict, two: dict) -> float:
        """Cosine over common films of the stars minus each person's mean; 0 where nothing is known."""
        common = one.keys() & two.keys()
        a, b = ([films[film] - fmean(films.values()) for film in common] for films in (one, two))
        norms = (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
        return sum(x * y for x, y in zip(a, b, strict=True)) / norms if norms else 0.0

    def predict(self, user: int, film: int) -> float:
        """The user's mean plus what the k most similar others think of the film, weighted."""
        if not hasattr(self, "ratings"):
            raise ValueError("call fit(ratings) before predict")
        known = {seen: stars for seen, stars in self.ratings[user].items() if seen != film}
        mean = fmean(known.values())
        others = [films for other, films in self.ratings.items() if other != user and film in films]
        pairs = [(self.similarity(known, f), f[film] - fmean(f.values())) for f in others]
        near = sorted((pair for pair in pairs if pair[0] > 0), reverse=True)[: self.k]
        return mean + sum(w * gap for w, gap in near) / sum(w for w, _ in near) if near else mean


HARSH = {1: 3, 2: 2, 3: 1}  # user 0
PEOPLE = {
    0: HARSH,
    1: {1: 3, 2: 2, 3: 1, 8: 1, 9: 3},  # similarity 1, film 9 is 1 above the mean
    2: {1: 4, 2: 2, 3: 3, 8: 1, 9: 5},  # similarity 0.5, film 9 is 2 above the mean
    3: {1: 4, 2: 1, 3: 3, 7: 5, 8: 4, 9: 1},  # similarity 0.32, film 9 is 2 below the mean
    4: {1: 1, 2: 2, 3: 3, 9: 5},  # similarity below 0
}


def _ask(answer: type, people: dict, user: int = 0, film: int = 9) -> float:
    model = answer()
    model.fit(people)
    return model.predict(user, film)


def _some(*users: int, **more: dict) -> dict:
    return {user: PEOPLE[user] for user in users} | {int(name[1:]): films for name, films in more.items()}


def _unfitted(answer: type) -> str:
    try:
        answer().predict(0, 9)
    except ValueError as error:
        return "a ValueError that names fit" if "fit" in str(error) else f"ValueError: {error}"
    return "no error"


def _fitted(answer: type) -> str:
    model = answer()
    return "the model" if model.fit(PEOPLE) is model else "something else"


def _peeked(answer: type) -> float:
    seen = [_ask(answer, PEOPLE | {0: HARSH | {9: stars}}) for stars in (1, 3, 5)]
    return max(seen, key=lambda stars: abs(stars - _ask(answer, PEOPLE)))


TESTS: tuple[tuple[str, Callable[[type], object], object], ...] = (
    ("predict before fit raises a ValueError that names fit", _unfitted, "a ValueError that names fit"),
    ("fit returns the model", _fitted, "the model"),
    ("stars are compared film by film, in any order", lambda c: c().similarity(HARSH, {3: 1, 1: 3, 2: 2}), 1.0),
    ("without a common film the similarity is 0", lambda c: c().similarity({1: 5, 2: 1}, {3: 5, 4: 1}), 0.0),
    ("kind and harsh people of one taste have similarity 1", lambda c: c().similarity({1: 5, 2: 4, 3: 3}, HARSH), 1.0),
    (
        "stars are centred on the mean of all that a person rated",
        lambda c: c().similarity({1: 5, 2: 3, 9: 1}, {1: 4, 2: 2, 8: 3}),
        0.5**0.5,
    ),
    ("somebody whose stars are all equal has similarity 0", lambda c: c().similarity({1: 3, 2: 3}, {1: 5, 2: 1}), 0.0),
    ("without a neighbour the prediction is the user's mean", lambda c: _ask(c, _some(0, 4)), 2.0),
    ("stars are no film numbers", lambda c: _ask(c, _some(0, 1, _5={1: 5, 2: 4}), film=4), 2.0),
    ("one neighbour moves the mean of a kind user", lambda c: _ask(c, _some(1, _0={1: 5, 2: 4, 3: 3})), 5.0),
    ("the two nearest count, weighted by similarity", lambda c: _ask(c, PEOPLE), 10 / 3),
    ("the rating to be predicted does not count", _peeked, 10 / 3),
)


def _first_failure(answer: type, case: tuple[int, ...]) -> str | None:
    """The first of the twelve tests that fails, and why; with a seed, whether random tables give the same."""
    for number, (sentence, test, want) in enumerate(TESTS, start=1):
        try:
            got = test(answer)
        except NotImplementedError:
            raise
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
        if not _same(got, want):
            shown = f"{want:.4g}" if isinstance(want, float) else want
            return f"test {number} of {len(TESTS)}, {sentence}: expected {shown}, got {_in_words(got)}"
    return next((problem for seed in case for problem in _random_failures(answer, seed)), None)


def _same(got: object, want: object) -> bool:
    if isinstance(want, str) or isinstance(got, str):
        return got == want
    return isinstance(got, numbers.Real) and abs(got - want) < 1e-6


def _in_words(got: object) -> str:
    return f"{got:.4g}" if isinstance(got, numbers.Real) else str(got)[:120]


def _random_failures(answer: type, seed: int) -> Iterator[str]:
    stars = np.random.default_rng(seed).random((8, 9)) * 4 + 1  # fractions of stars, so that no similarities are equal
    people = {u: {f: s for f, s in enumerate(row) if (u + f) % 5} for u, row in enumerate(stars.tolist())}
    for user, film in ((u, f) for u in people for f in range(9)):
        got, want = _ask(answer, people, user, film), _ask(KNN, people, user, film)
        if not _same(got, want):
            yield f"user {user}, film {film} of a random table: expected {want:.4g}, got {_in_words(got)}"


class _Faulty(KNN):
    """The class with any of its parts done wrong."""

    peek = itself = equal = raw = far = divided = negative = stars_as_films = False
    empty = staticmethod(fmean)

    def predict(self, user, film):
        if not hasattr(self, "ratings"):
            raise ValueError("call fit(ratings) before predict")
        known = {seen: stars for seen, stars in self.ratings[user].items() if seen != film or self.peek}
        others = [
            films
            for other, films in self.ratings.items()
            if (other != user or self.itself) and film in (films.values() if self.stars_as_films else films)
        ]
        pairs = [(self.similarity(known, f), f[film] - (0 if self.raw else fmean(f.values()))) for f in others]
        near = sorted((pair for pair in pairs if pair[0] > 0 or self.negative), reverse=not self.far)[: self.k]
        near = [(1, gap) for _, gap in near] if self.equal else near
        total = self.k if self.divided else sum(weight for weight, _ in near)
        if not near:
            return self.empty(known.values())
        return (0 if self.raw else fmean(known.values())) + sum(weight * gap for weight, gap in near) / total


def _faulty(**wrong: object) -> type:
    return type("KNN", (_Faulty,), wrong)


def _predict_at_once(self: KNN, user: int, film: int) -> float:
    return KNN.predict(self, user, film) if self.ratings else 0.0


def _by_place(self: KNN, one: dict, two: dict) -> float:
    return KNN.similarity(self, dict(enumerate(one.values())), dict(enumerate(two.values())))


def _of_raw_stars(self: KNN, one: dict, two: dict) -> float:
    common = one.keys() & two.keys()
    norms = (sum(one[f] ** 2 for f in common) * sum(two[f] ** 2 for f in common)) ** 0.5
    return sum(one[f] * two[f] for f in common) / norms if norms else 0.0


def _pearson_of_people(self: KNN, one: dict, two: dict) -> float:
    common = one.keys() & two.keys()
    return KNN.similarity(self, {f: one[f] for f in common}, {f: two[f] for f in common})


def _not_guarded(self: KNN, one: dict, two: dict) -> float:
    common = one.keys() & two.keys()
    a, b = ([films[film] - fmean(films.values()) for film in common] for films in (one, two))
    norms = (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms


def _norms_of_all_films(self: KNN, one: dict, two: dict) -> float:
    a, b = ({film: stars - fmean(films.values()) for film, stars in films.items()} for films in (one, two))
    norms = (sum(x * x for x in a.values()) * sum(y * y for y in b.values())) ** 0.5
    return sum(a[film] * b[film] for film in a.keys() & b.keys()) / norms if norms else 0.0


def _nothing(self: KNN, ratings: dict) -> None:
    self.ratings = ratings


REPAIR = Exercise(
    id="03.knn",
    name="KNN",
    level="stretch",
    minutes=20,
    reference=KNN,
    cases=lambda generator: [()],
    hidden=lambda generator: [(7,), (8,)],
    verify=_first_failure,
    hints=(
        "Repair one test at a time, in their order: first fit, then similarity on pairs of small dicts, then predict.",
        "`one.keys() & two.keys()` are the common films. Each person's mean runs over all they rated; without a common "
        "film, or with a norm of 0, return 0.",
        "In predict, drop the film from the user's dict before anything else. Others: not the user, `film in films`, "
        "similarity above 0; the k best; weighted gaps plus the user's mean.",
    ),
    mistakes=(
        (
            _faulty(predict=_predict_at_once),
            "Without fit there is nothing to look up, and Python's error names an attribute. Tell the caller: raise "
            "ValueError('call fit first').",
        ),
        (_faulty(fit=_nothing), "fit returns nothing, so that `KNN().fit(ratings).predict(...)` fails: return self."),
        (
            _faulty(similarity=_by_place),
            "You compare the first film of one with the first film of the other, whatever they are. Go by film number: "
            "`one.keys() & two.keys()`.",
        ),
        (
            _faulty(similarity=_not_guarded),
            "Nobody guards the division. No common film, or stars that are all equal: the norm is 0, return 0.",
        ),
        (
            _faulty(similarity=_of_raw_stars),
            "You compare raw stars, so kind and harsh people look different. Subtract each person's mean first.",
        ),
        (
            _faulty(similarity=_pearson_of_people),
            "Your means run over the common films only (Pearson). Here each mean runs over all that the person rated.",
        ),
        (
            _faulty(similarity=_norms_of_all_films),
            "Your norms run over all films of each person, the product over the common ones. Use the common films in "
            "both.",
        ),
        (
            _faulty(negative=True),
            "Somebody of opposite taste is among your neighbours. Keep similarities above 0.",
        ),
        (
            _faulty(empty=lambda self, known: 0.0),
            "Without a neighbour you predict 0 stars. Fall back to the user's mean.",
        ),
        (
            _faulty(empty=lambda self, known: sum(known) / 0),
            "Without a neighbour you divide by 0. Fall back to the user's mean.",
        ),
        (
            _faulty(stars_as_films=True),
            "`film in films.values()` asks whether the film's NUMBER is among the stars. Films are the keys: `film in "
            "films`.",
        ),
        (
            _faulty(raw=True),
            "You average the neighbours' raw stars. Average how far each is from their own mean, and add the user's.",
        ),
        (_faulty(equal=True), "All neighbours weigh the same. Weigh by similarity, divide by the sum of the weights."),
        (
            _faulty(divided=True),
            "You divide by k. Divide by the sum of the weights, or weak neighbours pull towards the mean.",
        ),
        (_faulty(k=99), "Everybody with a similarity above 0 counts. Keep the k most similar."),
        (_faulty(far=True), "You keep the least similar people: sort in descending order."),
        (
            _faulty(itself=True, peek=True),
            "Two leaks: the user is their own neighbour, and the rating to be predicted is in their mean.",
        ),
        (
            _faulty(itself=True),
            "The user is among the neighbours, with the very rating that is asked for: `other != user`.",
        ),
        (
            _faulty(peek=True),
            "The rating to be predicted is in the user's mean and in the similarities. Drop it first.",
        ),
    ),
)

review = Review(
    id="03.review",
    faults={
        "zip(": "it pairs the first film of one user with the first film of the other, whatever these films are. "
        "Compare the films both rated.",
        "abs(ages[": "it adds stars to years. A gap of ten years outweighs any taste; measured in months it would be "
        "120.",
        "sorted(self.ratings": "the user is in the list as well, at distance 0: their own nearest neighbour, with the "
        "rating that is to be predicted.",
        ".values()]": "`values()` are the stars, so a film number is looked up among stars. Films are the keys.",
        "/ k": "every neighbour weighs the same, nobody's mean is taken out, and it divides by k even where fewer were "
        "found.",
        "KNN().": "nobody called fit, so there are no ratings yet.",
    },
    fine={
        "self.ratings = ratings": "Nearest neighbours learn nothing beforehand; keeping the ratings is all.",
        "** 0.5": "Euclid's formula is written correctly. Whether it is a good measure of taste is measured below.",
    },
)

check, hint, solution = bind((SIMILARITY, PREDICT_RATING, ITEM_NEIGHBOURS, EXPLAIN, ADD_LIKE, REPAIR))
