"""Exercises of lesson 05, retrieval: two towers, negatives, approximate search."""

import random
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.checks.plain import as_array, plain
from recsys_course.data import Interactions
from recsys_course.review import Review


def in_batch_softmax(users: Tensor, items: Tensor, item_ids: Tensor, log_q: Tensor, temperature: float) -> Tensor:
    """Mean loss of the batch: float `[batch, dim]` twice, int64 `[batch]`, float `[batch]`, a number to a number."""
    logits = users @ items.T / temperature - log_q  # [batch, batch], one row a user, one column an item
    own = torch.eye(len(users), dtype=torch.bool)
    again = (item_ids.unsqueeze(1) == item_ids.unsqueeze(0)) & ~own  # the row's own item in another column
    return F.cross_entropy(logits.masked_fill(again, -torch.inf), torch.arange(len(users)))


def _batch(seed: int, ids: list[int], temperature: float) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    users, items = torch.randn(2, len(ids), 3, generator=generator)
    ids = torch.tensor(ids)
    chance = torch.rand(20, generator=generator)
    return users, items[ids % len(ids)], ids, (chance / chance.sum()).log()[ids], temperature


BY_HAND = (
    torch.tensor([[1.0], [0.0]]),
    torch.tensor([[2.0], [1.0]]),
    torch.tensor([4, 7]),
    torch.tensor([0.5, 0.5]).log(),
    1.0,
)
ONE_IS_POPULAR = (*BY_HAND[:3], torch.tensor([0.8, 0.2]).log(), 1.0)
WARM = (*BY_HAND[:3], torch.tensor([0.8, 0.2]).log(), 0.5)
SAME_FILM = (
    torch.tensor([[1.0], [2.0], [1.0]]),
    torch.tensor([[1.0], [1.0], [-1.0]]),
    torch.tensor([5, 5, 3]),
    torch.tensor([0.4, 0.4, 0.1]).log(),
    1.0,
)
ALONE = (torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 1.0]]), torch.tensor([3]), torch.tensor([-2.0]), 1.0)
LOUD = (
    torch.tensor([[30.0], [-30.0]]),
    torch.tensor([[31.0], [30.0]]),
    torch.tensor([0, 1]),
    torch.tensor([0.5, 0.5]).log(),
    1.0,
)
LOW = (
    torch.tensor([[10.0], [10.0], [1.0]]),
    torch.tensor([[-40.0], [-40.0], [-39.0]]),
    *SAME_FILM[2:],
)
OWN_MASKED = (
    "You masked the diagonal, too: each row lost its own answer. Mask the other columns with the same film, not the "
    "row's own."
)


def _scaled(u: Tensor, i: Tensor, t: float) -> Tensor:
    return u @ i.T / t


def _same(ids: Tensor) -> Tensor:
    return ids.unsqueeze(1) == ids.unsqueeze(0)


def _others(ids: Tensor) -> Tensor:
    return _same(ids) & ~torch.eye(len(ids), dtype=torch.bool)


def _cross_entropy(logits: Tensor, ids: Tensor, reduction: str = "mean") -> Tensor:
    hidden = logits.masked_fill(_others(ids), -torch.inf)
    return F.cross_entropy(hidden, torch.arange(len(ids)), reduction=reduction)


def _without_the_positive(u: Tensor, i: Tensor, ids: Tensor, q: Tensor, t: float) -> Tensor:
    logits = _scaled(u, i, t) - q
    return (logits.masked_fill(_same(ids), -torch.inf).logsumexp(1) - logits.diagonal()).mean()


def _raw_above(u: Tensor, i: Tensor, ids: Tensor, q: Tensor, t: float) -> Tensor:
    below = (_scaled(u, i, t) - q).masked_fill(_others(ids), -torch.inf).logsumexp(1)  # [batch]
    return (below - _scaled(u, i, t).diagonal()).mean()


def _by_exp(u: Tensor, i: Tensor, ids: Tensor, q: Tensor, t: float) -> Tensor:
    weights = (_scaled(u, i, t) - q).exp().masked_fill(_others(ids), 0)
    return -(weights.diagonal() / weights.sum(1)).log().mean()


IN_BATCH_SOFTMAX = Exercise(
    id="05.in_batch_softmax",
    level="medium",
    minutes=10,
    reference=in_batch_softmax,
    cases=(BY_HAND, ONE_IS_POPULAR, WARM, SAME_FILM, ALONE, LOUD, LOW, _batch(0, [3, 1, 3, 0, 2], 0.7)),
    hidden=(_batch(1, [9, 4, 4, 4, 2, 9], 0.2), _batch(2, list(range(12)), 2.0)),
    hints=(
        "One table of scores, `users @ items.T`, divided by the temperature. Row r's right answer stands in column r.",
        "How likely is column j's film to be in the batch? Subtract its `log_q[j]` from all of column j.",
        "Another column with the row's own film is no negative: `masked_fill(same & ~eye, -torch.inf)`, then "
        "`F.cross_entropy(logits, torch.arange(batch))`.",
    ),
    mistakes=(
        (
            lambda u, i, ids, q, t: _cross_entropy(_scaled(u, i, t) + q, ids),
            "You added log q. A film that is often a negative is pushed down too often already: subtract log q to "
            "make up for it.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy(_scaled(u, i, t), ids),
            "log_q changes nothing in your loss. It belongs to the films, one a column; spread along a row "
            "(`unsqueeze(1)`) it is the same number for all films and cancels.",
        ),
        (
            lambda u, i, ids, q, t: F.cross_entropy(_scaled(u, i, t) - q, torch.arange(len(ids))),
            "Two users of the batch like the same film, and you use it against both of them. Set these columns to "
            "-inf before the softmax.",
        ),
        (
            lambda u, i, ids, q, t: F.cross_entropy(_scaled(u, i, t), torch.arange(len(ids))),
            "This is plain in-batch softmax. Two things are missing: subtract log_q from each column, and mask other "
            "columns that hold the row's own film.",
        ),
        (
            lambda u, i, ids, q, t: F.cross_entropy(_scaled(u, i, t) + q, torch.arange(len(ids))),
            "You added log q (subtract it), and you did not mask other columns that hold the row's own film.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy(u @ i.T * t - q, ids),
            "You multiplied by the temperature. Divide: a small temperature makes the softmax sharper.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy(u @ i.T - q, ids),
            "You forgot the temperature: divide the scores by it.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy((u @ i.T - q) / t, ids),
            "You divided log q by the temperature, too. Divide the scores alone; log q is no score.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy(_scaled(u, i, t) - q.diag(), ids),
            "You corrected the right answers only (the diagonal). Each column is a film, and its log q goes off the "
            "whole column.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy(_scaled(u, i, t) - q + q.diag(), ids),
            "You corrected the negatives only. Take log q off the right answer's score as well: the whole column.",
        ),
        (
            _raw_above,
            "You corrected the sum below, but not the right answer's score above. The gradients are the same, the "
            "value is not: take log q off both.",
        ),
        (
            lambda u, i, ids, q, t: F.cross_entropy(
                (_scaled(u, i, t) - q).masked_fill(_same(ids), -torch.inf), torch.arange(len(ids))
            ),
            OWN_MASKED,
        ),
        (
            lambda u, i, ids, q, t: F.cross_entropy(
                (_scaled(u, i, t) - q).masked_fill(_others(ids), 0.0), torch.arange(len(ids))
            ),
            "You set the doubled film's score to 0. A score of 0 still competes: exp(0) is 1. Use -inf.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy((_scaled(u, i, t) - q).T, ids),
            "Your softmax runs over the users. Ask each user for the film: rows are users, columns films.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy(i @ u.T / t - q, ids),
            "Your table has films as rows, so log q meets users. Write `users @ items.T`: columns are films.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy(_scaled(u, i, t) - q.exp(), ids),
            "You subtracted q itself. `log_q` is a logarithm already: subtract it as it is.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy(_scaled(u, i, t) - q, ids, "sum"),
            "You summed over the batch. The loss is the mean, so that the batch size does not set the step size.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy((_scaled(u, i, t) - q).softmax(1), ids),
            "You applied softmax twice: `F.cross_entropy` takes the raw scores and does it itself.",
        ),
        (
            _without_the_positive,
            "You left the right answer out of the denominator. A softmax sums over all candidates, the right one too.",
        ),
        (
            _by_exp,
            "Right, until exp() of a large score overflows. `F.cross_entropy` or `torch.logsumexp` subtract the "
            "largest score first.",
        ),
        (
            lambda u, i, ids, q, t: _cross_entropy(F.normalize(u, dim=1) @ F.normalize(i, dim=1).T / t - q, ids),
            "You normalised the vectors: that is cosine. The score here is the plain inner product.",
        ),
        (
            lambda u, i, ids, q, t: -_cross_entropy(_scaled(u, i, t) - q, ids),
            "The sign is off: a loss is minus the log-probability of the right answer, and never negative.",
        ),
    ),
)


def sample_negatives(
    users: Tensor, train: Interactions, test: Interactions, n: int, generator: torch.Generator
) -> Tensor:
    """Films for each user, even odds, none that the user likes in training: int64 `[batch]` to `[batch, n]`."""
    liked = train.positives().dense(users)  # [batch, n_items]
    return torch.multinomial((~liked).float(), n, replacement=True, generator=generator)


def _events(*rows: tuple[int, int, int], n_users: int = 3, n_items: int = 8) -> Interactions:
    """Rows of user, film, rating."""
    users, items, ratings = zip(*rows, strict=True)
    return Interactions.from_events(users, items, ratings, n_users=n_users, n_items=n_items)


TRAIN = _events((0, 1, 5), (0, 2, 2), (1, 1, 4), (1, 3, 5), (1, 4, 5), (2, 1, 5), (2, 3, 5), (2, 6, 4), (2, 5, 1))
TEST = _events((0, 6, 5), (1, 5, 4), (2, 4, 5))
MANY = 4000  # draws for each user: enough to see who comes twice as often
TWO_USERS = (torch.tensor([0, 1]), TRAIN, TEST, MANY, 0)
SAME_USER_TWICE = (torch.tensor([2, 2, 1]), TRAIN, TEST, MANY, 1)
A_FEW = (torch.tensor([1, 0, 2]), TRAIN, TEST, 3, 2)
ALL_BUT_ONE = (
    torch.tensor([0]),
    _events(*[(0, film, 5) for film in range(9)], (1, 9, 5), n_users=2, n_items=10),
    _events((1, 2, 5), n_users=2, n_items=10),
    MANY,
    3,
)


def _a_real_size(seed: int) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    users, items = torch.randint(0, 40, (600,), generator=generator), torch.randint(0, 30, (600,), generator=generator)
    events = Interactions.from_events(users, items, 1 + torch.arange(600) % 5, n_users=40, n_items=30)
    held = torch.rand(len(events), generator=generator) < 0.2
    return torch.randint(0, 40, (8,), generator=generator), events.select(~held), events.select(held), 20_000, seed


def _problem_with_draws(answer: Callable, case: tuple) -> str | None:
    """What is wrong with a sampler, in words that name films but no counts: one misconception, one text."""
    users, train, test, n, seed = case

    def draw(seed: int) -> object:
        torch.rand(7), np.random.random(7), random.random()  # whoever draws from these goes on from another place
        return as_array(plain(answer(users, train, test, n, torch.Generator().manual_seed(seed))))

    first = draw(seed)
    if not isinstance(first, np.ndarray) or first.dtype.kind not in "iu" or first.shape != (len(users), n):
        got = f"{first.dtype} of shape {list(first.shape)}" if isinstance(first, np.ndarray) else "something else"
        return f"expected whole numbers of shape [{len(users)}, {n}], got {got}"
    if not (first.min() >= 0 and first.max() < train.n_items):
        return f"films have the numbers 0 to {train.n_items - 1}, you drew {first.min()} to {first.max()}"
    return _wrong_odds(first, case) or _wrong_source(first, draw, case)


def _wrong_odds(drawn: np.ndarray, case: tuple) -> str | None:
    users, train, _, n, _ = case
    for films, user in zip(drawn, users, strict=True):
        liked = train.positives().dense(user[None])[0].numpy()  # [n_items]
        times = np.bincount(films, minlength=train.n_items)  # [n_items]
        if times[liked].any():
            how = "as often as any other" if times[liked].sum() > 0.6 * n * liked.mean() else "now and then"
            return f"user {user} likes film {np.flatnonzero(liked & (times > 0))[0]} in training and gets it {how}"
        never, drawable = np.flatnonzero((times == 0) & ~liked), times[(times > 0) & ~liked]
        said = [f"never gets film {', '.join(map(str, never))}"] if len(never) else []
        if drawable.max() > 1.3 * drawable.min():
            said.append(f"gets film {times.argmax()} more often than others")
        if n >= MANY and said:
            return f"user {user} {' and '.join(said)}; every film they do not like in training has the same odds"
    return None


def _wrong_source(first: np.ndarray, draw: Callable[[int], object], case: tuple) -> str | None:
    users, *_, seed = case
    if first.min() == first.max():
        return None
    if not np.array_equal(first, draw(seed)):
        return "two generators with one seed gave different films: take all chance from `generator`"
    if np.array_equal(first, draw(seed + 1)):
        return "two generators with different seeds gave the same films: take all chance from `generator`"
    if users[0] == users[1] and np.array_equal(first[0], first[1]):
        return f"user {users[0]} is in the batch twice and gets the same films both times: draw for each row"
    return None


def _among(allowed: Tensor, n: int, generator: torch.Generator | None) -> Tensor:
    return torch.multinomial(allowed.float(), n, replacement=True, generator=generator)


def _likes(u: Tensor, train: Interactions) -> Tensor:
    return train.positives().dense(u)


def _redrawn_once(u: Tensor, train: Interactions, test: Interactions, n: int, g: torch.Generator) -> Tensor:
    first, second = torch.randint(train.n_items, (2, len(u), n), generator=g)
    return torch.where(_likes(u, train).gather(1, first), second, first)


def _next_film(u: Tensor, train: Interactions, test: Interactions, n: int, g: torch.Generator) -> Tensor:
    films, liked = torch.randint(train.n_items, (len(u), n), generator=g), _likes(u, train)
    while (hit := liked.gather(1, films)).any():
        films = torch.where(hit, (films + 1) % train.n_items, films)
    return films


def _one_draw_for_all(u: Tensor, train: Interactions, test: Interactions, n: int, g: torch.Generator) -> Tensor:
    keys, ranked = torch.rand(n, train.n_items, generator=g), []
    for liked in _likes(u, train):
        ranked.append(keys.masked_fill(liked, -1).argmax(1))
    return torch.stack(ranked)


SAMPLE_NEGATIVES = Exercise(
    id="05.sample_negatives",
    level="medium",
    minutes=8,
    reference=sample_negatives,
    cases=(TWO_USERS, SAME_USER_TWICE, A_FEW, ALL_BUT_ONE),
    hidden=(_a_real_size(5), _a_real_size(6)),
    verify=_problem_with_draws,
    hints=(
        "`train.positives()` are the likes. `.dense(users)` shows them as a table, bool [batch, n_items].",
        "Everything else has the same odds: films rated low, films nobody rated, and the films of `test`.",
        "`torch.multinomial((~liked).float(), n, replacement=True, generator=generator)` draws n films for each row.",
    ),
    mistakes=(
        (
            lambda u, train, test, n, g: torch.randint(train.n_items, (len(u), n), generator=g),
            "You never looked at what the user likes. Of a user with 50 likes among 1,000 films, 5 % of such "
            "negatives are wrong.",
        ),
        (
            _redrawn_once,
            "You drew again once, and the second draw can be a like as well. Draw until none is left, or draw only "
            "among the others.",
        ),
        (
            lambda u, train, test, n, g: _among(~(_likes(u, train) | _likes(u, test)), n, g),
            "You spared the test answers: the model learns that what is never a negative is right. The sampler must "
            "not know `test`.",
        ),
        (
            lambda u, train, test, n, g: _among(~(train.dense(u) | test.dense(u)), n, g),
            "You spared the test answers, which leaks them, and the films rated low, which are good negatives. Look "
            "at `train.positives()` alone.",
        ),
        (
            lambda u, train, test, n, g: _among(~_likes(u, test), n, g),
            "You looked at `test` in place of `train`: training likes come as negatives, and the right answers leak.",
        ),
        (
            lambda u, train, test, n, g: _among(~train.dense(u), n, g),
            "You spared films that the user rated low. They are known dislikes, the best negatives of all: leave out "
            "`train.positives()` only.",
        ),
        (
            lambda u, train, test, n, g: _among((~_likes(u, train).any(0)).expand(len(u), -1), n, g),
            "You rejected what anybody in the batch likes. A film that others like is a fair negative for this user: "
            "one row a user.",
        ),
        (
            lambda u, train, test, n, g: _among(~_likes(u, train) * train.positives().item_counts(), n, g),
            "You drew by popularity: a film comes as often as it was liked, and never if nobody liked it. Here every "
            "film has the same odds.",
        ),
        (
            lambda u, train, test, n, g: _among(~_likes(u, train) * (train.positives().item_counts() > 0), n, g),
            "You drew among films that somebody likes. A film nobody likes is never a negative then, and keeps its "
            "random score: it can end up on top.",
        ),
        (
            _next_film,
            "You replaced a like by the next film, which therefore comes twice as often. Draw afresh.",
        ),
        (
            _one_draw_for_all,
            "You drew once for the whole batch. Each row needs a draw of its own.",
        ),
        (
            lambda u, train, test, n, g: _among(~_likes(u, train), n, None),
            "You did not use `generator`. Without it nobody can repeat your run.",
        ),
        (
            lambda u, train, test, n, g: _among(~_likes(u, train), n, torch.Generator().manual_seed(0)),
            "You made a generator of your own, with a fixed seed: every batch gets the same negatives.",
        ),
        (
            lambda u, train, test, n, g: torch.multinomial((~_likes(u, train)).float(), n, generator=g),
            "You drew without replacement: replacement=True. Independent draws are what the loss assumes, and n may "
            "exceed the number of films.",
        ),
        (
            lambda u, train, test, n, g: _among(~_likes(u, train) & (torch.arange(train.n_items) > 0), n, g),
            "Film 0 never comes. Numbers start at 0: `torch.randint(n_items, ...)`, not 1 to n_items.",
        ),
    ),
)


def ivf_search(query: Tensor, vectors: Tensor, centroids: Tensor, lists: list[Tensor], n_probes: int, k: int) -> Tensor:
    """Films with the largest inner product in the lists looked at, best first, `-1` where none is left: `[k]`."""
    probed = (centroids @ query).topk(n_probes).indices  # [n_probes]
    films = torch.cat([lists[number] for number in probed.tolist()])  # [n_candidates]
    best = (vectors[films] @ query).topk(min(k, len(films))).indices  # places in films
    return F.pad(films[best], (0, k - len(best)), value=-1)


PLANE = torch.tensor([[4.0, 0.0], [1.0, 0.2], [3.0, 1.0], [0.0, 2.0], [0.3, 5.0], [-2.0, 0.1], [-1.0, -1.0]])
LISTS = [torch.tensor([5, 6]), torch.tensor([0, 1, 2]), torch.tensor([3, 4])]
CENTROIDS = torch.stack([PLANE[films].mean(0) for films in LISTS])
EAST = torch.tensor([1.0, 0.1])
NORTH_EAST = torch.tensor([0.6, 1.0])
ONE_LIST = (EAST, PLANE, CENTROIDS, LISTS, 1, 2)
TWO_LISTS = (NORTH_EAST, PLANE, CENTROIDS, LISTS, 2, 3)
ALL_LISTS = (NORTH_EAST, PLANE, CENTROIDS, LISTS, 3, 5)
TOO_FEW = (NORTH_EAST, PLANE, CENTROIDS, LISTS, 1, 4)
EMPTY_LIST = (
    EAST,
    PLANE[:5],
    torch.cat([CENTROIDS[1:], torch.tensor([[9.0, 0.0]])]),
    [*LISTS[1:], torch.tensor([], dtype=torch.int64)],
    2,
    3,
)

NEAR_AHEAD_LONG = torch.tensor([[1.0, 0.5], [1.0, 0.7], [3.0, 0.2], [3.0, 0.4], [7.0, 5.0], [5.0, 5.0]])
PAIRS = list(torch.arange(6).view(3, 2))
ONE_MEASURE = (EAST, NEAR_AHEAD_LONG, NEAR_AHEAD_LONG.view(3, 2, 2).mean(1), PAIRS, 1, 2)


def _index(seed: int, n_probes: int, k: int, n_items: int = 60, n_lists: int = 8, dim: int = 4) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(n_items, dim, generator=generator) * torch.rand(n_items, 1, generator=generator) * 3
    centroids = vectors[torch.randperm(n_items, generator=generator)[:n_lists]]
    nearest = torch.cdist(vectors, centroids).argmin(1)
    lists = [(nearest == number).nonzero().squeeze(1) for number in range(n_lists)]
    return torch.randn(dim, generator=generator), vectors, centroids, lists, n_probes, k


def _candidates(order: Tensor, lists: list[Tensor], n_probes: int) -> Tensor:
    return torch.cat([lists[number] for number in order[:n_probes].tolist()])


def _best(films: Tensor, scores: Tensor, k: int) -> Tensor:
    best = scores.topk(min(k, len(films))).indices
    return F.pad(films[best], (0, k - len(best)), value=-1)


def _probing(order: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """The search that looks into lists in another order than that of the inner products."""

    def search(q: Tensor, v: Tensor, c: Tensor, lists: list[Tensor], n_probes: int, k: int) -> Tensor:
        films = _candidates(order(q, c), lists, n_probes)
        return _best(films, v[films] @ q, k)

    return search


def _ranking(order: Callable[[Tensor, Tensor, Tensor, int], Tensor]) -> Callable:
    """The search that looks into the right lists and then orders what it finds by ``order(films, v, q, k)``."""

    def search(q: Tensor, v: Tensor, c: Tensor, lists: list[Tensor], n_probes: int, k: int) -> Tensor:
        return order(_candidates((c @ q).argsort(descending=True), lists, n_probes), v, q, k)

    return search


def _by_inner(q: Tensor, c: Tensor) -> Tensor:
    return (c @ q).argsort(descending=True)


def _one_from_each(q: Tensor, v: Tensor, c: Tensor, lists: list[Tensor], n_probes: int, k: int) -> Tensor:
    films = torch.cat([lists[j][(v[lists[j]] @ q).argsort(descending=True)] for j in _by_inner(q, c)[:n_probes]])
    return F.pad(films[:k], (0, max(k - len(films), 0)), value=-1)


IVF_SEARCH = Exercise(
    id="05.ivf_search",
    level="medium",
    minutes=10,
    reference=ivf_search,
    cases=(ONE_LIST, TWO_LISTS, ALL_LISTS, TOO_FEW, EMPTY_LIST, ONE_MEASURE, *(_index(3, n, 10) for n in (1, 2, 4, 8))),
    hidden=(_index(4, 3, 5), _index(5, 8, 60), _index(6, 1, 30), _index(7, 5, 1)),
    hints=(
        "Which lists? Score the centroids with the query, `centroids @ query`, and keep the `n_probes` largest.",
        "Gather the film numbers of these lists, `torch.cat`, and score only their vectors: `vectors[films] @ query`.",
        "`topk` answers with places in `films`: go back to film numbers with `films[best]`. Fewer than k? `F.pad` "
        "with -1.",
    ),
    mistakes=(
        (
            _ranking(lambda films, v, q, k: _best(torch.arange(len(films)), v[films] @ q, k)),
            "You returned places among the candidates. The caller needs film numbers: `films[best]`.",
        ),
        (
            lambda q, v, c, lists, n_probes, k: _best(torch.arange(len(v)), v @ q, k),
            "You scored every film, whatever n_probes says: exact, and as slow as without an index.",
        ),
        (
            _probing(lambda q, c: torch.cdist(q[None], c)[0].argsort()),
            "You chose lists by distance and films by inner product. A long centroid far away may hold the best "
            "films: one measure for both.",
        ),
        (
            _probing(lambda q, c: (F.normalize(c, dim=1) @ q).argsort(descending=True)),
            "You chose the lists by cosine. Films are ranked by inner product, so centroids' lengths count, too.",
        ),
        (
            _probing(lambda q, c: (c @ q).argsort()),
            "You looked into the lists that fit worst. Take the centroids with the largest scores.",
        ),
        (
            _probing(lambda q, c: torch.arange(len(c))),
            "You took the first lists, whatever the query. Score the centroids and take the best.",
        ),
        (
            lambda q, v, c, lists, n_probes, k: _probing(_by_inner)(q, v, c, lists, 1, k),
            "You looked into one list only. The best films often lie across a border: take n_probes lists.",
        ),
        (
            _ranking(lambda films, v, q, k: _best(films, F.normalize(v[films], dim=1) @ q, k)),
            "You ranked by cosine. The index was asked for inner products: do not normalise.",
        ),
        (
            _ranking(lambda films, v, q, k: _best(films, -torch.cdist(v[films], q[None]).flatten(), k)),
            "You ranked by distance. The index was asked for inner products, where a longer vector scores higher.",
        ),
        (
            _ranking(lambda films, v, q, k: _best(films, -(v[films] @ q), k)),
            "Your list begins with the worst film. The largest inner product comes first.",
        ),
        (
            _one_from_each,
            "You listed the first list's films, then the second's. Put all candidates together, then rank.",
        ),
        (
            _ranking(lambda films, v, q, k: films[(v[films] @ q).topk(k).indices]),
            "It breaks down when the lists hold fewer than k films. Ask `topk` for min(k, len(films)) and fill up "
            "with -1.",
        ),
        (
            _ranking(lambda films, v, q, k: films[(v[films] @ q).argsort(descending=True)[:k]]),
            "When the lists hold fewer than k films your answer is too short. Fill up with -1, so that every answer "
            "has k places.",
        ),
        (
            _ranking(lambda films, v, q, k: F.pad(films[(v[films] @ q).argsort(descending=True)[:k]], (0, k))[:k]),
            "You filled up with 0, and 0 is a film. An empty place is -1.",
        ),
        (
            _ranking(lambda films, v, q, k: _best(films, v[films] @ q, k).sort().values),
            "Your films are ordered by number. Order them by score, best first.",
        ),
    ),
)


def alias_table(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Column i gives i with chance `keep[i]`, else `other[i]`: float `[n]` to `keep`, float, and `other`, int `[n]`."""
    keep, other = weights.double() / weights.double().mean(), torch.arange(len(weights))
    poor, rich = (keep < 1).nonzero().flatten().tolist(), (keep >= 1).nonzero().flatten().tolist()
    while poor and rich:
        i, j = poor.pop(), rich.pop()
        other[i] = j  # j fills up the column of i
        keep[j] -= 1 - keep[i]
        (poor if keep[j] < 1 else rich).append(j)
    keep[poor + rich] = 1  # what is left over by rounding
    return keep, other


def _problem_with_table(answer: Callable, case: tuple) -> str | None:
    """Compare the chances that a table stands for with the weights: a right table is not unique."""
    (weights,) = case
    n, table = len(weights), answer(weights)
    if not isinstance(table, tuple | list) or len(table) != 2:
        return "expected two tensors: keep, other"
    keep, other = (as_array(plain(part)) for part in table)
    if not all(isinstance(part, np.ndarray) and part.shape == (n,) for part in (keep, other)):
        return f"expected keep and other of shape [{n}] each"
    if not ((keep >= -1e-6) & (keep <= 1 + 1e-6)).all():
        worst = np.abs(np.nan_to_num(keep, nan=np.inf) - 0.5).argmax()
        return f"keep[{worst}] is {keep[worst]:.2f}, no chance between 0 and 1"
    if other.dtype.kind not in "iu" or other.min() < 0 or other.max() >= n:
        return f"other must hold whole numbers from 0 to {n - 1}"
    chances = (keep + np.bincount(other, weights=1 - keep, minlength=n)) / n
    wanted = (weights.double() / weights.double().sum()).numpy()
    i = int(np.abs(chances - wanted).argmax())
    if abs(chances[i] - wanted[i]) < 1e-5:
        return None
    return f"{i} comes with chance {chances[i]:.2f}, its weight says {wanted[i]:.2f}"


def _filled(
    weights: Tensor, scale: Callable, pay: Callable = lambda rest: 1 - rest, back: bool = True
) -> tuple[Tensor, Tensor]:
    """The table with a twist: another scale, another price for the donor, or a donor that is forgotten."""
    keep, other = scale(weights.double()), torch.arange(len(weights))
    poor, rich = (keep < 1).nonzero().flatten().tolist(), (keep >= 1).nonzero().flatten().tolist()
    while poor and rich:
        i, j = poor.pop(), rich.pop()
        other[i] = j
        keep[j] -= pay(keep[i])
        if keep[j] >= 1:
            rich.append(j)
        elif back:
            poor.append(j)
    keep[poor + rich] = 1
    return keep, other


def _mean_one(weights: Tensor) -> Tensor:
    return weights / weights.mean()


def _swapped(weights: Tensor) -> tuple[Tensor, Tensor]:
    keep, other = alias_table(weights)
    return 1 - keep, other


def _donors_kept_whole(weights: Tensor) -> tuple[Tensor, Tensor]:
    keep, other = _mean_one(weights.double()), torch.arange(len(weights))
    other[keep < 1] = keep.argmax()
    return keep.clamp(max=1), other


ALIAS_TABLE = Exercise(
    id="05.alias_table",
    level="stretch",
    minutes=15,
    reference=alias_table,
    cases=(
        (torch.tensor([3.0, 1.0]),),
        (torch.tensor([1.0, 1.0, 4.0]),),
        (torch.tensor([5.0, 0.0, 1.0, 2.0]),),
        (torch.tensor([0.2, 0.2, 0.2]),),
        (torch.tensor([7.0]),),
        (torch.tensor([6.0, 5.0, 0.5, 0.3, 0.2]),),
    ),
    hidden=((torch.arange(1.0, 200).reciprocal(),), (torch.tensor([0.0, 0.0, 1.0]),)),
    verify=_problem_with_table,
    hints=(
        "Scale the weights to an average of 1: n columns of height 1 hold them all. A poor one is below 1, a rich "
        "one at or above.",
        "A rich one fills up the column of a poor one: `other[poor] = rich`, and the rich one loses 1 - keep[poor].",
        "The rich one may be poor now: put it back into the right heap. When one heap is empty, what is left keeps 1.",
    ),
    mistakes=(
        (
            lambda w: (w / w.sum(), torch.arange(len(w))),
            "Every column gives its own number, kept or not, so all chances are equal. Scale to an average of 1 and "
            "let the rich fill the poor columns.",
        ),
        (
            lambda w: (w / w.max(), torch.arange(len(w)).flip(0)),
            "What a column does not keep goes to somebody at random. Whoever gives must have more than the average.",
        ),
        (
            lambda w: (_mean_one(w), torch.arange(len(w))),
            "A chance above 1: the rich columns keep all they have. What is above 1 fills the columns of the poor.",
        ),
        (
            lambda w: _filled(w, _mean_one, pay=lambda rest: rest),
            "The donor paid keep[poor]. It fills what is missing in that column: 1 - keep[poor].",
        ),
        (
            lambda w: _filled(w, _mean_one, back=False),
            "A donor that fell below 1 got lost. It is poor now and needs a donor itself: put it back.",
        ),
        (
            _donors_kept_whole,
            "One donor filled all columns and paid for none. Each gift goes off the donor's own height.",
        ),
        (_swapped, "keep and 1 - keep are swapped: `keep[i]` is the chance that column i gives i itself."),
        (
            lambda w: (w.cumsum(0) / w.sum(), torch.arange(len(w)).roll(-1)),
            "This is a table of running sums, for a search in O(log n). The alias table has one coin a column: O(1).",
        ),
    ),
)


def add_dimension(vectors: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Both with one number more, so that the nearest scores best: `[n, dim]`, `[batch, dim]` to `dim + 1`."""
    squares = vectors.square().sum(dim=1, keepdim=True)  # [n, 1]
    missing = (squares.max() - squares).sqrt()  # [n, 1], what the vector lacks to be as long as the longest
    return torch.cat([vectors, missing], dim=1), F.pad(queries, (0, 1))


def _with(vectors: Tensor, column: Tensor, queries: Tensor, last: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
    last = torch.as_tensor(last).expand(len(queries), 1)
    return torch.cat([vectors, column], dim=1), torch.cat([queries, last], dim=1)


def _squares(vectors: Tensor) -> Tensor:
    return vectors.square().sum(dim=1, keepdim=True)


def _norms(vectors: Tensor) -> Tensor:
    return vectors.norm(dim=1, keepdim=True)


def _missing(vectors: Tensor) -> Tensor:
    return (_squares(vectors).max() - _squares(vectors)).sqrt()


def _whole_numbers(seed: int, n: int, dim: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    draw = lambda rows: torch.randint(-6, 7, (rows, dim), generator=generator).float()  # noqa: E731
    return draw(n), draw(4)


ADD_DIMENSION = Exercise(
    id="05.add_dimension",
    level="stretch",
    minutes=6,
    reference=add_dimension,
    cases=(
        (torch.tensor([[3.0, 4.0], [0.0, 1.0], [-3.0, 0.0]]), torch.tensor([[1.0, 2.0]])),
        (torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [-1.0], [3.0]])),
        (torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, -1.0]]), torch.tensor([[0.0, 2.0, 0.0]])),
        _whole_numbers(0, 7, 3),
    ),
    hidden=(_whole_numbers(1, 30, 5), _whole_numbers(2, 9, 2)),
    tolerance=2e-3,
    hints=(
        "|q - x|² = |q|² + |x|² - 2 q·x. The order of distances is that of inner products if all |x| are equal.",
        "Give each vector one number more, chosen so that all become as long as the longest. A 0 in the query leaves "
        "q·x alone.",
        "The number is the root of M² - |x|², with M² the largest of the squared lengths. `F.pad(queries, (0, 1))`.",
    ),
    mistakes=(
        (
            lambda v, q: _with(v, _norms(v), q),
            "You appended the length itself. Append what is missing to the longest one: the root of M² - |x|².",
        ),
        (
            lambda v, q: _with(v, _norms(v).max() - _norms(v), q),
            "You subtracted lengths. Pythagoras wants squares: the root of M² - |x|².",
        ),
        (
            lambda v, q: _with(v, _squares(v).max() - _squares(v), q),
            "The root is missing: the new coordinate is squared once more in the distance.",
        ),
        (
            lambda v, q: _with(F.normalize(v, dim=1), torch.zeros(len(v), 1), q),
            "You normalised the vectors: that gives the order of cosine, and the lengths are lost.",
        ),
        (
            lambda v, q: _with(v, _missing(v), q, 1.0),
            "The query's new number must be 0: anything else adds to the inner product and changes the order.",
        ),
        (
            lambda v, q: _with(v, _missing(v), q, _missing(q)),
            "You stretched the queries, too. Their new number is 0; a query's length never changes its order.",
        ),
        (
            lambda v, q: _with(v, (v.abs().max() ** 2 - _squares(v)).clamp(min=0).sqrt(), q),
            "Your M is the largest coordinate. It is the length of the longest vector.",
        ),
        (
            lambda v, q: _with(v, torch.zeros(len(v), 1), q),
            "A column of zeros changes nothing. The vectors' new number must make all of them equally long.",
        ),
        (
            lambda v, q: _with(v, (_norms(v).max() ** 2 - _norms(v) ** 2 - 1e-7).sqrt(), q),
            "For the longest vector rounding leaves a little less than 0, whose root is NaN. Take the largest of the "
            "squared lengths, or `clamp(min=0)`.",
        ),
        (
            lambda v, q: _with(v, _missing(v), q)[::-1],
            "Right numbers, wrong order: return the vectors first, then the queries.",
        ),
    ),
)


def pq_scores(query: Tensor, vectors: Tensor, codebooks: Tensor) -> tuple[Tensor, Tensor]:
    """Codes and scores: `[dim]`, `[n, dim]`, `[n_parts, n_codes, dim / n_parts]` to int `[n, n_parts]`, float `[n]`."""
    n_parts, _, width = codebooks.shape
    parts = vectors.view(len(vectors), n_parts, width).transpose(0, 1)  # [n_parts, n, width]
    codes = torch.cdist(parts, codebooks).argmin(dim=2).T  # [n, n_parts], the nearest code of each part
    table = (codebooks @ query.view(n_parts, width, 1)).squeeze(2)  # [n_parts, n_codes]
    return codes, table[torch.arange(n_parts), codes].sum(dim=1)


def _parts(vectors: Tensor, books: Tensor) -> Tensor:
    return vectors.view(len(vectors), len(books), -1).transpose(0, 1)  # [n_parts, n, width]


def _codes(vectors: Tensor, books: Tensor) -> Tensor:
    return torch.cdist(_parts(vectors, books), books).argmin(dim=2).T


def _looked_up(query: Tensor, codes: Tensor, books: Tensor) -> Tensor:
    table = (books @ query.view(len(books), -1, 1)).squeeze(2)
    return table[torch.arange(len(books)), codes]  # [n, n_parts]


def _coded(choose: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """The scores with codes chosen in another way."""

    def scores(q: Tensor, v: Tensor, books: Tensor) -> tuple[Tensor, Tensor]:
        codes = choose(v, books)
        return codes, _looked_up(q, codes, books).sum(1)

    return scores


def _rebuilt(codes: Tensor, books: Tensor) -> Tensor:
    return books[torch.arange(len(books)), codes].flatten(1)  # [n, dim]


def _small_books(seed: int, n: int, n_parts: int, n_codes: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    vectors, books = (
        torch.randn(n, n_parts * width, generator=generator),
        torch.randn(n_parts, n_codes, width, generator=generator),
    )
    return torch.randn(n_parts * width, generator=generator), vectors, books


PQ_SCORES = Exercise(
    id="05.pq_scores",
    level="stretch",
    minutes=12,
    reference=pq_scores,
    cases=(
        (
            torch.tensor([1.0, 0.0, 2.0, 1.0]),
            torch.tensor([[0.9, 0.1, 0.0, 3.0], [0.2, 1.2, 2.5, 0.0]]),
            torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 3.0]]]),
        ),
        (
            torch.tensor([1.0, -1.0]),
            torch.tensor([[0.4, 5.0], [2.0, 0.0]]),
            torch.tensor([[[0.0], [3.0]], [[1.0], [6.0]]]),
        ),
        _small_books(0, 6, 2, 4, 3),
        _small_books(1, 9, 4, 3, 2),
    ),
    hidden=(_small_books(2, 40, 3, 8, 4), _small_books(3, 5, 1, 4, 3)),
    hints=(
        "Cut each vector into n_parts pieces: `vectors.view(n, n_parts, width)`. Each piece has a codebook of its own.",
        "A piece's code is the number of the nearest entry of its codebook, by distance: `torch.cdist(...).argmin(2)`.",
        "For the query compute every part's inner product with every code once: [n_parts, n_codes]. A score is "
        "n_parts look-ups, summed.",
    ),
    mistakes=(
        (
            lambda q, v, books: (_codes(v, books), v @ q),
            "Your scores come from the vectors themselves, which a compressed index has thrown away. Look up codes.",
        ),
        (
            _coded(lambda v, books: torch.einsum("pnw,pcw->npc", _parts(v, books), books).argmax(2)),
            "You chose codes by inner product, so long codes win everywhere. A code stands in for its piece: take "
            "the nearest one.",
        ),
        (
            _coded(lambda v, books: torch.cdist(_parts(v, books), books).argmax(dim=2).T),
            "You chose the code farthest away: argmin.",
        ),
        (
            _coded(
                lambda v, books: torch.cdist(v.view(len(v), -1, len(books)).permute(2, 0, 1), books).argmin(dim=2).T
            ),
            "Your pieces are interleaved. A piece is a run of neighbouring coordinates: `view(n, n_parts, width)`.",
        ),
        (
            _coded(lambda v, books: torch.cdist(_parts(v, books), books[:1].expand_as(books)).argmin(dim=2).T),
            "You coded every piece with the first codebook. Each part has its own.",
        ),
        (
            lambda q, v, books: (_codes(v, books), _looked_up(q, _codes(v, books), books)),
            "One number a part is left. A film's score is the sum of its parts.",
        ),
        (
            lambda q, v, books: (_codes(v, books), _looked_up(q, _codes(v, books), books).mean(1)),
            "You averaged the parts. An inner product is the sum of the parts' inner products.",
        ),
        (
            lambda q, v, books: (
                _codes(v, books),
                _rebuilt(_codes(v, books), books) @ _rebuilt(_codes(q[None], books), books)[0],
            ),
            "You rounded the query, too. It is needed once, so keep it exact: only the stored vectors are coded.",
        ),
        (
            lambda q, v, books: (_codes(v, books), (_rebuilt(_codes(v, books), books) - q).square().sum(1)),
            "These are squared distances, smaller is better. The score asked for is the inner product.",
        ),
        (
            lambda q, v, books: (
                _codes(v, books),
                _looked_up(q, _codes(v, books), books[:1].expand_as(books)).sum(1),
            ),
            "Your table was made from the first codebook alone. Every part of the query meets its own codebook.",
        ),
    ),
)

review = Review(
    id="05.review",
    faults={
        "vectors = films *": "the film's vector depends on the user. An index is built once, for everybody: this one "
        "would have to be built again for each user, or answers with somebody else's vectors.",
        "metric=": "cosine is promised, but only the query has length 1. The films do not, so the order is that of "
        "the inner product. One metric for both, and the one the model was trained with.",
        ".dot(": "`dot` takes two vectors; both of these are tables with one row, and it raises.",
        "> 0.5": "one fixed threshold, looked up for one film, decides about all ten. A score has the scale of its "
        "model: return the top k, and choose a cut-off, if you need one, on labelled data.",
    },
    fine={
        "F.normalize(": "Cosine needs it, and alone it changes nothing: a query's length never changes its own order.",
        ".tolist()": "These are film numbers, what a caller needs, best first.",
    },
)

check, hint, solution = bind((IN_BATCH_SOFTMAX, SAMPLE_NEGATIVES, IVF_SEARCH, ALIAS_TABLE, ADD_DIMENSION, PQ_SCORES))
