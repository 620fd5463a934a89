"""Exercises of lesson 01, the recommendation problem."""

import math
import numbers
from collections.abc import Callable

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_course import data
from recsys_course.checks import Exercise, bind
from recsys_course.review import Review

Table = tuple[np.ndarray, np.ndarray, sparse.csr_matrix]


def build_interactions(
    users: np.ndarray,
    films: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, sparse.csr_matrix]:
    """Number raw ids from 0 and fill a sparse table: int64 ``[n_events]`` twice.

    Returns:
        ``user_ids [n_users]`` and ``film_ids [n_films]``, ascending, each once; the table, CSR ``[n_users, n_films]``,
        1 where the user has an event with the film.
    """
    user_ids, rows = np.unique(users, return_inverse=True)
    film_ids, columns = np.unique(films, return_inverse=True)
    shape = (len(user_ids), len(film_ids))
    table = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    table.data[:] = 1  # scipy adds up pairs that occur twice
    return user_ids, film_ids, table


def _numbered(users: np.ndarray, films: np.ndarray, user_ids: list, film_ids: list, most: float = 1) -> Table:
    """The table under another numbering: place in the lists of ids."""
    rows, columns = ([ids.index(value) for value in raw] for raw, ids in ((users, user_ids), (films, film_ids)))
    return np.array(user_ids), np.array(film_ids), _filled(rows, columns, most)


def _filled(rows: object, columns: object, most: float = 1) -> sparse.csr_matrix:
    table = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)))
    table.data = np.minimum(table.data, most)
    return table


def _in_order_of_the_log(users: np.ndarray, films: np.ndarray, most: float = 1) -> Table:
    return _numbered(users, films, list(dict.fromkeys(users.tolist())), list(dict.fromkeys(films.tolist())), most)


def _sorted_as_text(users: np.ndarray, films: np.ndarray) -> Table:
    return _numbered(users, films, sorted(set(users.tolist()), key=str), sorted(set(films.tolist()), key=str))


def _one_numbering(users: np.ndarray, films: np.ndarray) -> Table:
    ids = sorted({*users.tolist(), *films.tolist()})
    return np.unique(users), np.unique(films), _numbered(users, films, ids, ids)[2]


def _films_in_order_of_the_log(users: np.ndarray, films: np.ndarray) -> Table:
    return _numbered(users, films, np.unique(users).tolist(), list(dict.fromkeys(films.tolist())))


def _in_order_of_a_set(users: np.ndarray, films: np.ndarray) -> Table:
    return _numbered(users, films, list(set(users.tolist())), list(set(films.tolist())))


def _first_places(users: np.ndarray, films: np.ndarray) -> Table:
    user_ids, rows = np.unique(users, return_index=True)
    film_ids, columns = np.unique(films, return_index=True)
    return user_ids, film_ids, _filled(rows, columns)


def _places_for_ids(users: np.ndarray, films: np.ndarray) -> Table:
    rows, columns = (np.unique(raw, return_inverse=True)[1] for raw in (users, films))
    return rows, columns, build_interactions(users, films)[2]


def _added_up(users: np.ndarray, films: np.ndarray) -> Table:
    return _numbered(users, films, np.unique(users).tolist(), np.unique(films).tolist(), most=np.inf)


BUILD_INTERACTIONS = Exercise(
    id="01.build_interactions",
    level="medium",
    minutes=8,
    reference=build_interactions,
    cases=(
        (np.array([7, 7, 3]), np.array([50, 20, 50])),
        (np.array([9, 2, 9, 2]), np.array([5, 8, 5, 5])),
        (np.array([10, 9, 10]), np.array([100, 20, 3])),
        (np.array([42]), np.array([42])),
    ),
    hidden=(
        (np.array([3, 7, 7]), np.array([50, 50, 20])),
        (np.arange(200) * 37 % 101, np.arange(200) * 53 % 97 + 1000),
    ),
    hints=(
        "`np.unique(users, return_inverse=True)` gives two arrays: the sorted ids, and the place of each event's id "
        "among them.",
        "Those places are the rows; the films' places are the columns. `sparse.csr_matrix((ones, (rows, columns)))` "
        "fills the cells.",
        "scipy adds up a pair that occurs twice. `table.data[:] = 1` turns every filled cell into a 1.",
    ),
    mistakes=(
        (
            _in_order_of_the_log,
            "You number ids in the order they appear. Shuffle the log and every number changes: a model saved "
            "yesterday then scores the wrong films. Sort the ids.",
        ),
        (
            lambda u, f: _in_order_of_the_log(u, f, most=np.inf),
            "Two slips: the numbers follow the order of the log (sort the ids), and a pair that occurs twice is a 2.",
        ),
        (
            lambda u, f: (np.unique(u), np.unique(f), _filled(u, f)),
            "Your rows and columns are raw ids. An id is a name, not a position: films 3 and 1,000,000 need two "
            "columns, not a million.",
        ),
        (
            lambda u, f: (np.unique(u), np.unique(f), _filled(u - u.min(), f - f.min())),
            "You only moved the ids to start at 0. Ids have gaps, and each gap became an empty row or column.",
        ),
        (
            _one_numbering,
            "You gave users and films one common numbering. They are two axes: each starts at 0 on its own.",
        ),
        (
            _added_up,
            "A pair that occurs twice became a 2: scipy adds up. The table says whether, not how often: `data[:] = 1`.",
        ),
        (
            lambda u, f: (*build_interactions(u, f)[:2], build_interactions(u, f)[2].T.tocsr()),
            "Rows and columns are swapped. One row a user, one column a film.",
        ),
        (
            _films_in_order_of_the_log,
            "Your user ids ascend and your film ids do not: you number films in the order they appear. Sort both.",
        ),
        (_in_order_of_a_set, "A set has no order that you may rely on. Sort it: `sorted(set(...))`, or `np.unique`."),
        (
            _first_places,
            "`return_index` says where each id occurs first. You need the place of every event's id among the sorted "
            "ids: `return_inverse`.",
        ),
        (
            _places_for_ids,
            "You returned the row and column of each event in place of the ids. `np.unique` gives the sorted ids "
            "first, the places second.",
        ),
        (
            lambda u, f: (np.sort(u), np.sort(f), build_interactions(u, f)[2]),
            "Your ids repeat: one entry for each event. Row numbers need each id once: `np.unique`.",
        ),
        (_sorted_as_text, "You sorted the ids as text, so 10 comes before 9. Sort them as numbers."),
    ),
)


def long_tail_share(counts: Tensor, p: float) -> float:
    """Share of all ratings that fall on the most-rated share ``p`` of the films: int64 ``[n_films]`` to a number.

    At least one film, else ``round(p * n_films)``; NaN where nobody has rated anything.
    """
    n_top = max(1, round(p * len(counts)))
    top = counts.sort(descending=True).values[:n_top]
    return float(top.sum() / counts.sum())


def _films_for_share(counts: Tensor, p: float) -> float:
    reached = counts.sort(descending=True).values.cumsum(0) / counts.sum()
    return float(((reached < p).sum() + 1) / len(counts))


def _share_in_python(counts: Tensor, p: float) -> float:
    return sum(_top(counts, p).tolist()) / sum(counts.tolist())


def _one_film_more(counts: Tensor, p: float) -> float:
    held = counts.sort(descending=True).values.cumsum(0) / counts.sum()
    return float(held[min(round(p * len(counts)), len(counts) - 1)])


def _top(counts: Tensor, p: float, round_=round, least: int = 1, descending: bool = True) -> Tensor:
    return counts.sort(descending=descending).values[: max(least, round_(p * len(counts)))]


LONG_TAIL_SHARE = Exercise(
    id="01.long_tail_share",
    level="easy",
    minutes=6,
    reference=long_tail_share,
    cases=(
        (torch.tensor([50, 30, 10, 6, 4]), 0.2),
        (torch.tensor([4, 50, 6, 30, 10]), 0.4),
        (torch.tensor([0, 6, 0, 3, 0, 1, 0, 0, 0, 0]), 0.2),
        (torch.tensor([10, 40, 20, 30, 0]), 0.35),
        (torch.tensor([3, 1, 4]), 0.01),
        (torch.tensor([2, 2, 2, 2]), 0.3),
        (torch.tensor([5, 1, 5, 1]), 0.5),
        (torch.tensor([0, 0, 0]), 0.5),
    ),
    hidden=((torch.arange(100) ** 2, 0.1), (torch.tensor([8]), 0.5), (torch.tensor([1, 9, 5]), 1.0)),
    hints=(
        "Sort the counts from the largest to the smallest. How many films are a share p of them?",
        "`n_top = max(1, round(p * len(counts)))` films. Add up their ratings and divide by all ratings.",
        "0 / 0 in torch is NaN, and NaN is right: without ratings there is nothing to share. Return a float.",
    ),
    mistakes=(
        (
            lambda c, p: float(c[: max(1, round(p * len(c)))].sum() / c.sum()),
            "You took the first films of the table, not the most-rated ones. Sort first.",
        ),
        (
            lambda c, p: float(_top(c, p, descending=False).sum() / c.sum()),
            "You took the least-rated films: `sort` is ascending unless you say `descending=True`.",
        ),
        (
            _films_for_share,
            "You answer the reverse question: how many films hold a share p of the ratings. Asked is how many ratings "
            "a share p of the films holds.",
        ),
        (
            lambda c, p: float(_top(c, p).sum() / len(c)),
            "You divided by the number of films. A share of ratings is divided by the number of ratings.",
        ),
        (
            lambda c, p: float(_top(c, p).sum() / c.sum().clamp(min=1)),
            "Without any rating you return 0. There is nothing to share, so there is no answer: NaN.",
        ),
        (
            lambda c, p: float(_top(c[c > 0], p).sum() / c.sum()),
            "You dropped the films that nobody rated. They are in the catalogue, and they are the tail's very end.",
        ),
        (
            lambda c, p: float(_top(c, p, int).sum() / c.sum()),
            "`int` cuts off: 1.75 films become 1. Use `round`.",
        ),
        (
            lambda c, p: float(_top(c, p, math.ceil).sum() / c.sum()),
            "You rounded up: 1.2 films became 2. Use `round`.",
        ),
        (
            lambda c, p: float(c[c >= _top(c, p)[-1]].sum() / c.sum()),
            "You took every film that ties with the last one: more than a share p of the films. Cut the sorted counts.",
        ),
        (
            lambda c, p: float(_top(c, p, least=0).sum() / c.sum()),
            "For a tiny p you take no film at all. Take at least one.",
        ),
        (
            lambda c, p: float(_top(c, p, int, least=0).sum() / c.sum()),
            "Two slips: `int` cuts 1.75 films down to 1 (use `round`), and for a tiny p no film is left (take one).",
        ),
        (
            lambda c, p: float((c.sort(descending=True).values.cumsum(0) / c.sum() <= p).sum() / len(c)),
            "You return a share of films: those that hold a share p of the ratings. Asked is the ratings' share.",
        ),
        (
            lambda c, p: float(c.sort().values[-round(p * len(c)) :].sum() / c.sum()),
            "For a tiny p you take the last 0 films, and Python reads `[-0:]` as all of them. Take at least one.",
        ),
        (
            lambda c, p: 1 - float(_top(c, p).sum() / c.sum()),
            "This is the share of the others, the tail. Asked is the share of the most-rated films.",
        ),
        (
            lambda c, p: 100 * float(_top(c, p).sum() / c.sum()),
            "You return percent. A share lies between 0 and 1.",
        ),
        (
            _one_film_more,
            "You took one film too many: `cumsum(0)[n]` holds the first n + 1 films, since places begin at 0.",
        ),
        (
            lambda c, p: float(_top(c.unique(), p * len(c) / len(c.unique())).sum() / c.sum()),
            "Films with equal counts became one: `unique` and `set` drop repeats. Sort all counts.",
        ),
        (
            lambda c, p: float(c.argsort(descending=True)[: max(1, round(p * len(c)))].sum() / c.sum()),
            "You added up film numbers: `argsort` and `.indices` give places. Add up the counts, `.values`.",
        ),
        (
            _share_in_python,
            "Without any rating Python stops at 0 / 0. There is nothing to share: return NaN, as torch does.",
        ),
    ),
)


def popular_unseen(train: data.Interactions, users: Tensor, k: int) -> Tensor:
    """The ``k`` films that most users liked and that this user has not rated: int64 ``[batch]`` to ``[batch, k]``.

    Equal counts are ordered by film number; ``-1`` stands where no film is left.
    """
    votes = train.positives().item_counts().float()  # [n_items]
    seen = train.dense(users)  # [batch, n_items]
    scores = votes.expand(len(users), -1).masked_fill(seen, -torch.inf)  # [batch, n_items]
    best = scores.sort(dim=1, descending=True, stable=True)
    return best.indices.masked_fill(best.values == -torch.inf, -1)[:, :k]


def _ranked(scores: Tensor, banned: Tensor, k: int) -> Tensor:
    """Like the reference, from other scores ``[n_items]`` or another ban ``[batch, n_items]``."""
    best = scores.float().expand(banned.shape).masked_fill(banned, -torch.inf)
    best = best.sort(dim=1, descending=True, stable=True)
    return best.indices.masked_fill(best.values == -torch.inf, -1)[:, :k]


def _mean_rating(train: data.Interactions) -> Tensor:
    return _stars(train) / train.item_counts().clamp(min=1)


def _stars(train: data.Interactions) -> Tensor:
    return torch.zeros(train.n_items).scatter_add(0, train.items, train.ratings)


def _cut_then_filter(train: data.Interactions, users: Tensor, k: int) -> Tensor:
    seen = train.dense(users)
    lists = _ranked(train.positives().item_counts(), torch.zeros_like(seen), k)
    kept = lists.masked_fill(seen.gather(1, lists), -1)
    return kept.gather(1, (kept < 0).int().argsort(dim=1, stable=True))


def _cut_then_punched(train: data.Interactions, users: Tensor, k: int) -> Tensor:
    seen = train.dense(users)
    lists = _ranked(train.positives().item_counts(), torch.zeros_like(seen), k)
    return lists.masked_fill(seen.gather(1, lists), -1)


def _votes_of_the_list(train: data.Interactions, users: Tensor, k: int) -> Tensor:
    scores = train.positives().item_counts().float().expand(len(users), -1)
    return scores.masked_fill(train.dense(users), -torch.inf).sort(dim=1, descending=True).values[:, :k]


def _likes_of_others(train: data.Interactions, users: Tensor) -> Tensor:
    return train.select(~torch.isin(train.users, users)).positives().item_counts()


def _seen_films_again(train: data.Interactions, users: Tensor, k: int) -> Tensor:
    scores = train.positives().item_counts().float().expand(len(users), -1)
    masked = scores.masked_fill(train.dense(users), -torch.inf)
    return masked.sort(dim=1, descending=True, stable=True).indices[:, :k]


def _zero_for_seen(train: data.Interactions, users: Tensor, k: int) -> Tensor:
    votes = train.positives().item_counts() * ~train.dense(users)
    return votes.sort(dim=1, descending=True, stable=True).indices[:, :k]


def _written_into_the_expanded_row(train: data.Interactions, users: Tensor, k: int) -> Tensor:
    votes = train.positives().item_counts().float()
    votes[train.dense(users).any(dim=0)] = -torch.inf
    return votes.sort(descending=True, stable=True).indices[:k].expand(len(users), -1)


def _later_film_first(train: data.Interactions, users: Tensor, k: int) -> Tensor:
    votes = train.positives().item_counts().flip(0)
    flipped = _ranked(votes, train.dense(users).flip(1), k)
    return torch.where(flipped < 0, -1, train.n_items - 1 - flipped)


def _world(*rows: tuple[int, int, int], n_users: int = 4, n_items: int = 6) -> data.Interactions:
    """Rows of user, film, rating."""
    users, items, ratings = zip(*rows, strict=True)
    return data.Interactions.from_events(users, items, ratings, n_users=n_users, n_items=n_items)


TWO_USERS = _world((0, 0, 5), (1, 0, 4), (1, 1, 5), n_users=2, n_items=3)
SMALL = _world(
    *((0, 0, 5), (0, 2, 4), (0, 3, 1)),  # user 0 liked films 0 and 2 and hated 3
    *((1, 0, 4), (1, 3, 2), (1, 1, 4)),
    *((2, 0, 5), (2, 3, 2), (2, 4, 5)),
    *((3, 1, 4), (3, 3, 5), (3, 2, 1)),
)
OUTSIDERS = _world(  # a user of the batch decides what another one gets
    *((0, 3, 5), (1, 3, 4), (2, 1, 5), (3, 0, 5)), *((user, 2, 2) for user in range(3)), n_items=4
)
MEH = _world(*((user, film, 3 - 2 * film) for user in range(3) for film in range(2)), (0, 2, 5), (3, 3, 4), n_items=4)
ALMOST_ALL = _world(*((0, film, 5) for film in range(5)), (1, 5, 4), (2, 5, 5), (3, 1, 3))

POPULAR_UNSEEN = Exercise(
    id="01.popular_unseen",
    level="medium",
    minutes=10,
    reference=popular_unseen,
    cases=(
        (TWO_USERS, torch.tensor([0, 1]), 2),
        (SMALL, torch.tensor([0, 1, 2, 3]), 3),
        (MEH, torch.tensor([3]), 3),
        (ALMOST_ALL, torch.tensor([2, 0]), 3),
        (OUTSIDERS, torch.tensor([0, 3]), 3),
    ),
    hidden=((SMALL, torch.tensor([3]), 2), (SMALL, torch.tensor([2, 0]), 6), (ALMOST_ALL, torch.tensor([1, 3, 0]), 2)),
    hints=(
        "Two ingredients: `train.positives().item_counts()` are the votes, `train.dense(users)` says what is seen.",
        "Give every user the votes as scores, `votes.expand(len(users), -1)`, then put -inf where the film is seen.",
        "Sort with `descending=True, stable=True`, so that ties stay in film order (`topk` promises no order). Where "
        "the score is -inf, write -1.",
    ),
    mistakes=(
        (
            lambda t, u, k: _ranked(t.positives().item_counts(), torch.zeros_like(t.dense(u)), k),
            "You recommend films the user has already rated. Everybody gets the same list, and its best places are "
            "wasted on what people know.",
        ),
        (
            lambda t, u, k: _ranked(t.item_counts(), t.dense(u), k),
            "You counted every rating as a vote. A film that everybody hated is not popular: count the ratings of 4 or "
            "more.",
        ),
        (
            lambda t, u, k: _ranked(t.item_counts(), torch.zeros_like(t.dense(u)), k),
            "Two things are missing: count only ratings of 4 or more, and leave out what the user has already rated.",
        ),
        (
            lambda t, u, k: _ranked(t.positives(4.5).item_counts(), t.dense(u), k),
            "You counted only the 5s. A like is a rating of 4 or more: `>=`, or `train.positives()`.",
        ),
        (
            lambda t, u, k: _ranked(t.positives(3).item_counts(), t.dense(u), k),
            "You counted 3s as likes. Three stars are lukewarm: a like is a 4 or a 5.",
        ),
        (
            lambda t, u, k: _ranked(t.positives().item_counts() / t.item_counts().clamp(min=1), t.dense(u), k),
            "You ranked by the share of raters who liked the film. One like of one then beats 99 of 100: count likes.",
        ),
        (
            lambda t, u, k: _ranked(_likes_of_others(t, u), t.dense(u), k),
            "You dropped the likes of the users you recommend to. Everybody's likes count as votes.",
        ),
        (
            lambda t, u, k: _ranked(t.positives().item_counts(), t.dense(torch.arange(len(u))), k),
            "Row i of the answer belongs to user `users[i]`, not to user i: `train.dense(users)`.",
        ),
        (
            lambda t, u, k: _ranked(t.positives().item_counts(), ~t.dense(u), k),
            "Your mask is the wrong way round: only films that the user has rated are left.",
        ),
        (
            lambda t, u, k: _ranked(t.positives().item_counts(), t.dense(u) | (t.positives().item_counts() == 0), k),
            "You wrote -1 for unseen films that nobody liked yet. They come last, but they are films.",
        ),
        (
            _votes_of_the_list,
            "You returned the number of likes. Film numbers are the `.indices` of a sort, not its `.values`.",
        ),
        (
            _cut_then_punched,
            "You cut the list to k and then blanked out what is seen, so the best places are empty. Leave out seen "
            "films first.",
        ),
        (
            lambda t, u, k: _ranked(t.positives().item_counts(), t.positives().dense(u), k),
            "You left out only what the user liked. A film that the user saw and disliked comes back.",
        ),
        (
            lambda t, u, k: _ranked(_mean_rating(t), t.dense(u), k),
            "You ranked by mean rating. One single 5 then beats a thousand 4s: count how many users liked the film.",
        ),
        (
            lambda t, u, k: _ranked(_stars(t), t.dense(u), k),
            "You added up the stars. Three users who hate a film then outvote one who loves it: count the likes.",
        ),
        (
            _cut_then_filter,
            "You cut the list to k first and removed seen films afterwards, so lists come out short. Remove first.",
        ),
        (
            lambda t, u, k: _ranked(-t.positives().item_counts(), t.dense(u), k),
            "Your list starts with the least popular film. Sort in descending order.",
        ),
        (
            _later_film_first,
            "Equal counts come out with the higher film number first. The course breaks ties by the lower number, so "
            "that two runs give one list.",
        ),
        (
            _seen_films_again,
            "When nothing unseen is left you fill up with seen films. Write -1: an empty place is honest.",
        ),
        (
            lambda t, u, k: _ranked(t.positives().item_counts(), t.dense(u).any(0).expand(len(u), -1), k),
            "You left out what any of these users has seen. Seen is personal: one row a user.",
        ),
        (
            _zero_for_seen,
            "You gave seen films the score 0, and films that nobody liked have 0, too: seen ones come back. Use -inf.",
        ),
        (
            _written_into_the_expanded_row,
            "`expand` makes no copies: all users share one row, so you banned everybody's seen films for everybody. "
            "`masked_fill` without underscore, or `clone()` first.",
        ),
    ),
)


def cores_needed() -> float:
    """Cores that are busy, 30,000 requests/s x 400 candidates x 25 µs = 300, over the load of 60 %: 500."""
    return 30_000 * 400 * 25e-6 / 0.6


def _off_by(answer: Callable[[], float], case: tuple) -> str | None:
    """What is wrong with an estimate, in words that name only its size: estimates that are close get one text."""
    estimate, truth = answer(), cores_needed()
    if not isinstance(estimate, numbers.Real) or not 0 < estimate < math.inf:
        return f"return one number above 0, got {estimate!r}"
    times = max(estimate / truth, truth / estimate)
    if times <= 2:
        return None
    rounding = 0.15 if estimate > truth else 0.0  # with and without the load of 60 %, a slip falls into one power of 10
    rough = f"{times:.1f}" if times < 9.5 else f"{10 ** round(math.log10(times) - rounding):,}"
    return f"about {rough} times too {'many' if estimate > truth else 'few'}; a factor of 2 would be fine"


CORES_NEEDED = Exercise(
    id="01.cores_needed",
    level="stretch",
    minutes=5,
    reference=cores_needed,
    cases=lambda generator: [()],
    hidden=lambda generator: [()],
    verify=_off_by,
    hints=(
        "How many core-seconds of work arrive in one second? Requests x candidates x seconds for one candidate.",
        "400 candidates x 25 µs are 10 ms of work a request. How many seconds of work do 30,000 requests bring?",
        "30,000 x 0.01 s = 300 cores that are always busy. At 60 % load you need more of them, not fewer.",
    ),
    mistakes=(
        (
            lambda: 30_000 * 25e-6 / 0.6,
            "Did you score one candidate a request? Each ranks 400. Or take µs for ns? A microsecond is 1e-6 s.",
        ),
        (
            lambda: 400 * 25e-6,
            "This is how long one request takes, 10 ms. 30,000 of them arrive every second.",
        ),
        (
            lambda: 400 * 25e-6 / 0.6,
            "That is enough for one request a second, and 30,000 arrive: multiply.",
        ),
        (
            lambda: 30_000 / 0.6,
            "Did you give each request a core of its own? Ranking takes it 10 ms, so a core can serve 100 a second.",
        ),
        (
            lambda: 30_000 * 400 * 25 / 0.6,
            "You multiplied by 25 seconds. The µ is missing: 25e-6.",
        ),
        (
            lambda: 30_000 * 400 / 0.6,
            "You counted scores a second. Each takes 25 millionths of a second of a core: multiply by 25e-6.",
        ),
        (
            lambda: 30_000 * 400 * 25e-3 / 0.6,
            "You took µs for ms. A microsecond is a millionth of a second, 1e-6.",
        ),
        (
            lambda: 30_000 * 400 * 25e-6 * 0.6,
            "You multiplied by the load. A core that may be busy 60 % of the time does less, so you need more: divide.",
        ),
    ),
)


def hold_out_future(times: Tensor, share: float) -> Tensor:
    """Which ratings lie at or after the cut: int64 ``[n_events]`` to bool ``[n_events]``."""
    moment = times.sort().values[round((1 - share) * len(times))]
    return times >= moment


def _place(times: Tensor, share: float) -> int:
    return round((1 - share) * len(times))


def _torn_apart(times: Tensor, share: float) -> Tensor:
    held = torch.zeros(len(times), dtype=torch.bool)
    held[times.argsort(stable=True)[_place(times, share) :]] = True
    return held


HOLD_OUT_FUTURE = Exercise(
    id="01.hold_out_future",
    level="stretch",
    minutes=8,
    reference=hold_out_future,
    cases=(
        (torch.tensor([10, 20, 30, 40, 90]), 0.4),
        (torch.tensor([90, 20, 40, 10, 30]), 0.2),
        (torch.tensor([10, 20, 20, 20, 30]), 0.4),
        (torch.tensor([7, 7, 7]), 0.5),
        (torch.tensor([50, 10, 40, 40, 20, 30, 40, 90, 60, 35]), 0.3),
    ),
    hidden=((torch.arange(40) * 7 % 23, 0.2), (torch.tensor([5, 1, 4, 2, 3]), 0.8)),
    hints=(
        "Sort a copy of the times. Which place of it has a share of `share` at or after it?",
        "`moment = times.sort().values[round((1 - share) * len(times))]` is the first second that is held out.",
        "Compare the unsorted times with the moment, so that the mask keeps the order of the rows: `times >= moment`.",
    ),
    mistakes=(
        (
            lambda times, share: torch.arange(len(times)) >= _place(times, share),
            "You held out the last rows. Rows are in any order here: compare the times, not the places.",
        ),
        (
            _torn_apart,
            "You counted off ratings, so that ratings of the same second land on both sides. Hold out all of them.",
        ),
        (
            lambda times, share: times > times.sort().values[_place(times, share)],
            "You left the moment itself in training. Hold out everything at or after it: >=.",
        ),
        (
            lambda times, share: times < times.sort().values[_place(times, share)],
            "You marked the past: this is what the model may learn from. Mark what is held out.",
        ),
        (
            lambda times, share: times >= times.sort().values[len(times) - _place(times, share)],
            "You held out 1 - share of the ratings. The moment is at place round((1 - share) * n_events).",
        ),
        (
            lambda times, share: times >= times.max() - share * (times.max() - times.min()),
            "You cut the period, not the ratings: a share of the days can hold far more or far fewer ratings.",
        ),
        (
            lambda times, share: times.sort().values >= times.sort().values[_place(times, share)],
            "Your mask belongs to the sorted times. The rows keep their order: compare the times as they came.",
        ),
    ),
)

review = Review(
    id="01.review",
    faults={
        "torch.zeros": "a blank becomes a rating of 0, worse than the worst. It also costs users x films of memory.",
        "scores = table[users]": "these are the user's own ratings, no predictions. About a new film they say nothing.",
        "best[:, :k]": "nothing takes out what the user has already rated, so the list is their own past.",
    },
    fine={
        "train.ratings": "It writes each rating into its cell.",
        "descending=True": "The largest score first, and ties by film number: that is what we want.",
    },
)

EXERCISES = (BUILD_INTERACTIONS, LONG_TAIL_SHARE, POPULAR_UNSEEN, HOLD_OUT_FUTURE, CORES_NEEDED)
check, hint, solution = bind(EXERCISES)
