"""Exercises of lesson 08, text encoders: pooling, batches, neighbours, directions, thresholds, profiles."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.checks.plain import as_array, plain
from recsys_course.review import Review
from recsys_course.text import pad


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real tokens' vectors: float `[batch, length, dim]`, bool `[batch, length]` to `[batch, dim]`."""
    weights = mask.unsqueeze(2).to(hidden.dtype)  # [batch, length, 1]
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def _hidden(seed: int, lengths: list[int], dim: int, filling: float = 9.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    hidden = torch.randn(*mask.shape, dim, generator=generator)
    return hidden.masked_fill(~mask.unsqueeze(2), filling), mask


TWO_AND_PADDING = (torch.tensor([[[4.0], [2.0], [9.0]]]), torch.tensor([[True, True, False]]))
NO_PADDING = (torch.tensor([[[1.0, 0.0], [3.0, 6.0]]]), torch.tensor([[True, True]]))
TWO_TEXTS = (
    torch.tensor([[[1.0, 2.0], [3.0, 2.0], [5.0, 8.0]], [[4.0, 0.0], [7.0, 7.0], [7.0, 7.0]]]),
    torch.tensor([[True, True, True], [True, False, False]]),
)

MEAN_POOL = Exercise(
    id="08.mean_pool",
    level="easy",
    minutes=6,
    reference=mean_pool,
    cases=(TWO_AND_PADDING, NO_PADDING, TWO_TEXTS, _hidden(0, [4, 2, 3], 2)),
    hidden=(_hidden(1, [7, 1, 2, 5], 3, 100.0), _hidden(2, [3], 4)),
    hints=(
        "Give each token the weight 1 if it is real and 0 if it is padding. Sum, then divide by the sum of weights.",
        "`mask` has no `dim` axis: `mask.unsqueeze(2)` is [batch, length, 1] and multiplies all numbers of a token.",
        "`(hidden * weights).sum(dim=1) / weights.sum(dim=1)`, with the weights as floats.",
    ),
    mistakes=(
        (
            lambda h, m: h.mean(1),
            "You averaged over all places: padding counts as text, and a vector changes with the longest text of its "
            "batch. Divide by the number of real tokens.",
        ),
        (
            lambda h, m: (h * m.unsqueeze(2)).mean(1),
            "You set the padding to 0, but divided by the length of the batch. Divide by `mask.sum(dim=1)`.",
        ),
        (
            lambda h, m: (h * m.unsqueeze(2)).sum(1),
            "That is the sum. A long title would get a long vector: divide by the number of real tokens.",
        ),
        (lambda h, m: h[:, 0], "That is the first token, [CLS] pooling. Average all real tokens."),
        (
            lambda h, m: h[torch.arange(len(h)), m.sum(1) - 1],
            "That is the last real token. Average all real tokens.",
        ),
        (
            lambda h, m: h.masked_fill(~m.unsqueeze(2), -torch.inf).amax(1),
            "That is max pooling. Take the mean.",
        ),
        (
            lambda h, m: (h * m.unsqueeze(2)).sum((0, 1)) / m.sum(),
            "You averaged over the whole batch. Each text keeps its own row: sum over dim=1 alone.",
        ),
        (
            lambda h, m: (h * m.unsqueeze(2)).sum(2) / m.sum(1, keepdim=True),
            "You summed over the wrong axis: dim=2 holds the numbers of one token. Tokens are dim=1.",
        ),
        (
            lambda h, m: (h * ~m.unsqueeze(2)).sum(1) / m.sum(1, keepdim=True),
            "Your mask is upside down: true marks a real token.",
        ),
        (
            lambda h, m: (h * m.unsqueeze(2))[:, 1:].sum(1) / m[:, 1:].sum(1, keepdim=True),
            "You left the first token out. This encoder was trained with [CLS] in the mean.",
        ),
        (
            lambda h, m: F.normalize((h * m.unsqueeze(2)).sum(1), dim=1),
            "You brought the vectors to length 1. Asked for is the mean; whoever compares by cosine normalises there.",
        ),
    ),
)


@torch.no_grad()
def encode_corpus(tokens: list[list[int]], embed: Callable, batch_size: int) -> Tensor:
    """One vector a text, in the order of the texts: `n` lists of token ids to float `[n, dim]`."""
    order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
    vectors = [None] * len(tokens)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        found = embed(*pad([tokens[row] for row in rows]))  # [batch, dim]
        for row, vector in zip(rows, found, strict=True):
            vectors[row] = vector
    return torch.stack(vectors)


def toy_encoder(ids: Tensor, mask: Tensor) -> Tensor:
    """The mean and the spread of each text's token ids: int64 and bool `[batch, length]` to `[batch, 2]`."""
    mean = (ids * mask).sum(1) / mask.sum(1)  # [batch]
    spread = ((ids - mean.unsqueeze(1)).abs() * mask).sum(1) / mask.sum(1)
    return torch.stack([mean, spread], dim=1)


def _corpus(seed: int, n: int, batch_size: int) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, 12, (n,), generator=generator).tolist()
    tokens = [torch.randint(1, 99, (length,), generator=generator).tolist() for length in lengths]
    return tokens, toy_encoder, batch_size


SHORT_LONG_SHORT = ([[7, 8], [1, 2, 3, 4, 5, 6], [9], [5, 1, 1, 2, 30]], toy_encoder, 2)
ODD_ONE_LEFT = ([[3], [4, 6], [1, 2, 9], [5, 5, 5, 7], [8, 1]], toy_encoder, 2)
ONE_TEXT = ([[5, 7, 9]], toy_encoder, 8)


class _Spy:
    """An encoder that writes down how it was called, and whose vectors carry gradients unless they are off."""

    def __init__(self, embed: Callable) -> None:
        self.embed, self.masks, self.mistaken = embed, [], False
        self.one = torch.ones((), requires_grad=True)

    def __call__(self, ids: object, mask: object) -> Tensor:
        ids, mask = torch.as_tensor(ids), torch.as_tensor(mask).bool()
        self.masks.append(mask)
        self.mistaken |= bool((mask != (ids > 0)).any())
        return self.embed(ids, mask) * self.one


def _problem_with_corpus(answer: Callable, case: tuple) -> str | None:
    tokens, embed, batch_size = case
    spy = _Spy(embed)
    returned = answer([list(row) for row in tokens], spy, batch_size)
    got = as_array(plain(returned))
    if not isinstance(got, np.ndarray) or got.dtype.kind not in "iuf" or got.shape != (len(tokens), 2):
        shape = f"shape {list(got.shape)}" if isinstance(got, np.ndarray) else "something else"
        return f"expected numbers of shape [{len(tokens)}, 2], a row a text, got {shape}"
    return (
        _wrong_batches(spy, tokens, batch_size)
        or _wrong_rows(got, tokens, embed)
        or ("the vectors carry gradients" if getattr(returned, "requires_grad", False) else None)
    )


def _wrong_batches(spy: _Spy, tokens: list[list[int]], batch_size: int) -> str | None:
    sizes = [len(mask) for mask in spy.masks]
    if max(sizes, default=0) > batch_size:
        return f"one batch held {max(sizes)} texts, at most {batch_size} are allowed"
    needed = -(-len(tokens) // batch_size)
    if len(sizes) != needed:
        return f"`embed` was called {len(sizes)} times for {len(tokens)} texts; {needed} full batches do"
    if spy.mistaken:
        return "a mask was true where padding stands"
    lengths = sorted(len(row) for row in tokens)
    most = max(_places(lengths, batch_size), _places(lengths[::-1], batch_size))  # sorted upwards or downwards
    places = sum(mask.numel() for mask in spy.masks)
    return f"the batches held {places} places, sorted by length {most} do" if places > most else None


def _places(lengths: list[int], size: int) -> int:
    """Places in all batches, padding included, of texts in this order."""
    batches = [lengths[start : start + size] for start in range(0, len(lengths), size)]
    return sum(max(batch) * len(batch) for batch in batches)


def _wrong_rows(got: np.ndarray, tokens: list[list[int]], embed: Callable) -> str | None:
    want = np.concatenate([embed(*pad([row])).numpy() for row in tokens])
    for row in range(len(want)):
        if not np.allclose(got[row], want[row], atol=1e-4):
            other = np.flatnonzero(np.isclose(want, got[row], atol=1e-4).all(axis=1))
            return f"row {row} holds {f'the vector of text {other[0]}' if len(other) else 'no vector of any text'}"
    return None


def _in_batches(tokens: list, embed: Callable, size: int, order: list[int], n: int | None = None) -> Tensor:
    """Vectors in the given order of rows."""
    rows = [order[start : start + size] for start in range(0, len(order) if n is None else n, size)]
    return torch.cat([embed(*pad([tokens[row] for row in some])) for some in rows] or [torch.empty(0, 2)])


def _by_length(tokens: list) -> list[int]:
    return sorted(range(len(tokens)), key=lambda row: len(tokens[row]))


def _back(vectors: Tensor, order: list[int]) -> Tensor:
    return vectors[torch.tensor(order).argsort()]


@torch.no_grad()
def _all_real(tokens: list, embed: Callable, size: int) -> Tensor:
    order = _by_length(tokens)
    return _back(_in_batches(tokens, lambda ids, mask: embed(ids, torch.ones_like(mask)), size, order), order)


@torch.no_grad()
def _to_the_longest(tokens: list, embed: Callable, size: int) -> Tensor:
    ids, mask = pad(tokens)
    return torch.cat([embed(i, m) for i, m in zip(ids.split(size), mask.split(size), strict=True)])


def _with_gradients(tokens: list, embed: Callable, size: int) -> Tensor:
    order = _by_length(tokens)
    return _back(_in_batches(tokens, embed, size, order), order)


ENCODE_CORPUS = Exercise(
    id="08.encode_corpus",
    level="medium",
    minutes=10,
    reference=encode_corpus,
    cases=(SHORT_LONG_SHORT, ODD_ONE_LEFT, ONE_TEXT, _corpus(0, 13, 4)),
    hidden=(_corpus(1, 23, 5), _corpus(2, 16, 8)),
    verify=_problem_with_corpus,
    hints=(
        "Sort the row numbers by length: `order = sorted(range(n), key=lambda row: len(tokens[row]))`. Cut `order` "
        "into batches.",
        "`embed(*pad([tokens[row] for row in rows]))` gives the vectors of the rows of one batch. Put each where its "
        "row number says.",
        "`vectors[row] = vector` for each row of the batch, at the end `torch.stack(vectors)`. No gradients: "
        "`with torch.no_grad():`.",
    ),
    mistakes=(
        (
            torch.no_grad()(lambda t, e, s: _in_batches(t, e, s, _by_length(t))),
            "You returned the vectors sorted by length: every film has another film's vector. Put each row back in "
            "its place.",
        ),
        (
            torch.no_grad()(lambda t, e, s: _in_batches(t, e, s, _by_length(t))[_by_length(t)]),
            "You indexed with `order` once more, which shuffles again. Undo it: `vectors[order] = sorted_vectors`, "
            "or index with `order.argsort()`.",
        ),
        (
            torch.no_grad()(lambda t, e, s: _in_batches(t, e, s, list(range(len(t))))),
            "You batched in the given order: short titles wait for long ones, and most of the work is padding. Sort by "
            "length first.",
        ),
        (
            _to_the_longest,
            "You padded every batch to the longest text of the whole corpus. A batch needs its own longest alone.",
        ),
        (
            torch.no_grad()(lambda t, e, s: _in_batches(t, e, 1, list(range(len(t))))),
            "You encoded one text at a time: right, and slow. Give the network `batch_size` texts a call.",
        ),
        (
            torch.no_grad()(lambda t, e, s: _in_batches(t, e, len(t), list(range(len(t))))),
            "You put everything into one batch. A real catalogue does not fit in memory: at most `batch_size` texts.",
        ),
        (
            torch.no_grad()(lambda t, e, s: _in_batches(t, e, s, _by_length(t), len(t) - len(t) % s)),
            "You lost the last batch, the one that is not full. Let the loop run to the end of the list.",
        ),
        (
            _all_real,
            "Your mask calls padding real. Hand on the mask that `pad` returns.",
        ),
        (
            _with_gradients,
            "The vectors are right, but carry gradients: all intermediate results stay in memory. Encode under "
            "`torch.no_grad()`.",
        ),
    ),
)


def topk_cosine(vectors: Tensor, k: int) -> Tensor:
    """The `k` most similar other rows of each row, best first: float `[n, dim]` to int64 `[n, k]`."""
    units = F.normalize(vectors, dim=1)
    cosines = units @ units.T  # [n, n]
    return cosines.fill_diagonal_(-torch.inf).topk(k).indices


THREE_FILMS = (torch.tensor([[1.0, 0.0], [5.0, 5.0], [0.5, 0.1]]), 1)
A_TWIN = (torch.tensor([[1.0, 2.0], [3.0, 1.0], [1.0, 2.0], [1.0, 2.1]]), 2)
OPPOSITES = (torch.tensor([[1.0, 0.0], [-1.0, 0.2], [-0.5, -3.0]]), 2)


def _cloud(seed: int, n: int, dim: int, k: int) -> tuple[Tensor, int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, dim, generator=generator) * torch.rand(n, 1, generator=generator).add(0.1) + 0.5, k


def _problem_with_neighbours(answer: Callable, case: tuple) -> str | None:
    """Compares cosines, so that films with equal cosines may come in any order."""
    vectors, k = case
    got = as_array(plain(answer(vectors, k)))
    n = len(vectors)
    if not isinstance(got, np.ndarray) or got.dtype.kind not in "iu" or got.shape != (n, k):
        kind = f"{got.dtype} of shape {list(got.shape)}" if isinstance(got, np.ndarray) else "something else"
        return f"expected row numbers, whole numbers of shape [{n}, {k}], got {kind}"
    if got.min() < 0 or got.max() >= n:
        return f"rows have the numbers 0 to {n - 1}, you returned {got.min()} to {got.max()}"
    units = F.normalize(vectors, dim=1).numpy()
    cosines = units @ units.T
    for row in range(n):
        if row in got[row]:
            return f"row {row} has itself for a neighbour (list {got[row].tolist()})"
        if len(set(got[row].tolist())) < k:
            return f"row {row} has a neighbour twice (list {got[row].tolist()})"
        want = np.sort(np.delete(cosines[row], row))[::-1][:k]
        if not np.allclose(cosines[row][got[row]], want, atol=1e-5):
            return f"row {row}: the cosines of {got[row].tolist()} are not the {k} largest, best first"
    return None


def _cosines(v: Tensor) -> Tensor:
    return F.normalize(v, dim=1) @ F.normalize(v, dim=1).T


def _without_self(scores: Tensor) -> Tensor:
    return scores.clone().fill_diagonal_(-torch.inf)


TOPK_COSINE = Exercise(
    id="08.topk_cosine",
    level="easy",
    minutes=8,
    reference=topk_cosine,
    cases=(THREE_FILMS, A_TWIN, OPPOSITES, _cloud(0, 8, 3, 3)),
    hidden=(_cloud(1, 30, 5, 10), _cloud(2, 12, 2, 4)),
    verify=_problem_with_neighbours,
    hints=(
        "A cosine is the inner product of two vectors of length 1: `F.normalize(vectors, dim=1)`, then one matrix "
        "product for all pairs.",
        "Every row is its own best match. Set the diagonal to -inf before you look for the best.",
        "`cosines.fill_diagonal_(-torch.inf).topk(k).indices`",
    ),
    mistakes=(
        (
            lambda v, k: _without_self(v @ v.T).topk(k).indices,
            "These are inner products: long vectors win. Bring each row to length 1 first.",
        ),
        (
            lambda v, k: _cosines(v).topk(k).indices,
            "Each film finds itself first. Set the diagonal to -inf.",
        ),
        (
            lambda v, k: _cosines(v).topk(k + 1).indices[:, 1:],
            "You dropped the first of k + 1 and hoped that it is the film itself. Of two equal films it may be the "
            "other one: set the diagonal to -inf.",
        ),
        (
            lambda v, k: _cosines(v).fill_diagonal_(0).topk(k).indices,
            "You set the diagonal to 0, and 0 beats every negative cosine. Use -inf.",
        ),
        (
            lambda v, k: _without_self(_cosines(v)).topk(k).values,
            "You returned the cosines. The reader wants to know which films: `.indices`.",
        ),
        (
            lambda v, k: (
                _without_self(_cosines(v)).masked_fill(torch.eye(len(v)) > 0, 2).topk(k, largest=False).indices
            ),
            "You took the smallest cosines, the least similar films.",
        ),
        (
            lambda v, k: _without_self(_cosines(v)).topk(k).indices.flip(1),
            "The right films, worst first. The best one comes first.",
        ),
        (
            lambda v, k: _without_self(F.normalize(v, dim=0) @ F.normalize(v, dim=0).T).topk(k).indices,
            "You normalised the columns (dim=0). A row is a film: dim=1.",
        ),
        (
            lambda v, k: _without_self(-torch.cdist(v, v)).topk(k).indices,
            "You compared distances, which count length. A cosine counts direction alone.",
        ),
        (
            lambda v, k: _without_self(_cosines(v).abs()).topk(k).indices,
            "You took absolute values: an opposite vector became a good match.",
        ),
    ),
)


def remove_top(vectors: Tensor, n: int) -> Tensor:
    """Subtract the mean, then what lies along the `n` directions of largest variance: float `[n_films, dim]`."""
    centred = vectors - vectors.mean(dim=0)
    top = torch.linalg.svd(centred, full_matrices=False).Vh[:n]  # [n, dim]
    return centred - centred @ top.T @ top


ON_A_LINE = (torch.tensor([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]]), 1)
ONLY_CENTRE = (torch.tensor([[1.0, 5.0], [2.0, 6.0], [6.0, 1.0]]), 0)
TILTED = (torch.tensor([[1.0, 1.0, 4.0], [2.0, 2.5, 4.0], [4.0, 3.5, 5.0], [9.0, 9.0, 4.5]]), 1)


def _stretched(seed: int, n_films: int, n: int) -> tuple[Tensor, int]:
    generator = torch.Generator().manual_seed(seed)
    lengths, turn = torch.tensor([9.0, 5.0, 2.0, 1.0]), torch.linalg.qr(torch.randn(4, 4, generator=generator)).Q
    return (torch.randn(n_films, 4, generator=generator) * lengths) @ turn + 20, n


def _centred(v: Tensor) -> Tensor:
    return v - v.mean(0)


def _directions(v: Tensor) -> Tensor:
    return torch.linalg.svd(v, full_matrices=False).Vh


def _without(v: Tensor, directions: Tensor) -> Tensor:
    return v - v @ directions.T @ directions


REMOVE_TOP = Exercise(
    id="08.remove_top",
    level="stretch",
    minutes=10,
    reference=remove_top,
    cases=(ON_A_LINE, ONLY_CENTRE, TILTED, _stretched(0, 12, 2)),
    hidden=(_stretched(1, 40, 1), _stretched(2, 30, 3)),
    tolerance=1e-3,
    hints=(
        "First subtract the mean film, `vectors.mean(dim=0)`. For n = 0 you are done.",
        "`torch.linalg.svd(centred, full_matrices=False).Vh` has the directions as rows, largest variance first.",
        "What lies along the rows of `top` is `centred @ top.T @ top`. Subtract it.",
    ),
    mistakes=(
        (
            lambda v, n: _without(v, _directions(v)[:n]),
            "You did not subtract the mean: the first direction is spent on it.",
        ),
        (
            lambda v, n: _centred(v),
            "You subtracted the mean and stopped. Take the n directions away as well.",
        ),
        (
            lambda v, n: _without(v, _directions(_centred(v))[:n]),
            "The directions are right, but you took them off the vectors that still contain the mean.",
        ),
        (
            lambda v, n: _without(_centred(v), _directions(_centred(v))[:n]) + v.mean(0),
            "You added the mean back at the end. It is the largest thing that all films share: leave it out.",
        ),
        (
            lambda v, n: _without(_centred(v), _directions(_centred(v))[len(_directions(_centred(v))) - n :]),
            "You removed the directions of the smallest variance. `Vh` begins with the largest.",
        ),
        (
            lambda v, n: _without(_centred(v), _directions(_centred(v)).T[:n]),
            "You took columns of `Vh` for directions. They are its rows.",
        ),
        (
            lambda v, n: _centred(v) @ _directions(_centred(v))[:n].T @ _directions(_centred(v))[:n],
            "You kept the n directions and dropped the rest: subtract them.",
        ),
        (
            lambda v, n: _without(_centred(v), _directions(_centred(v))[n - 1 : n]),
            "You removed the n-th direction alone. Remove the first n: `Vh[:n]`.",
        ),
        (
            lambda v, n: _without(v - v.mean(1, keepdim=True), _directions(v - v.mean(1, keepdim=True))[:n]),
            "You subtracted each film's own mean. Subtract the mean film: dim=0.",
        ),
    ),
)


def calibrated_threshold(cosines: Tensor, right: Tensor, precision: float) -> float:
    """The lowest cosine at or above which a share of `precision` of the pairs is right; inf if none is."""
    best = float("inf")
    for threshold in cosines.unique().tolist():
        passing = cosines >= threshold
        if right[passing].double().mean() >= precision:
            best = min(best, threshold)
    return best


def _pairs(cosines: list[float], right: str, precision: float) -> tuple[Tensor, Tensor, float]:
    return torch.tensor(cosines), torch.tensor([letter == "y" for letter in right]), precision


def _drawn_pairs(seed: int, n: int, precision: float) -> tuple[Tensor, Tensor, float]:
    generator = torch.Generator().manual_seed(seed)
    cosines = (torch.rand(n, generator=generator) * 50).round() / 50
    return cosines, torch.rand(n, generator=generator) < cosines.square(), precision


DIPS_AND_COMES_BACK = _pairs([0.9, 0.8, 0.7, 0.6, 0.5], "ynyyn", 0.75)
UNSORTED = _pairs([0.3, 0.9, 0.5, 0.7], "nyny", 1.0)
A_TIE = _pairs([0.9, 0.6, 0.6, 0.6, 0.2], "yynnn", 0.6)
NEVER = _pairs([0.9, 0.4, 0.1], "nny", 0.5)
BARELY = _pairs([0.8, 0.6, 0.4, 0.2], "yyyn", 0.75)


def _shares(c: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    order = c.argsort(descending=True, stable=True)
    return c[order], r[order].double().cumsum(0) / torch.arange(1, len(c) + 1)


def _stops_at_the_first_dip(c: Tensor, r: Tensor, p: float) -> float:
    best = float("inf")
    for threshold in c.unique().flip(0).tolist():
        if r[c >= threshold].double().mean() < p:
            break
        best = threshold
    return best


def _breaks_ties(c: Tensor, r: Tensor, p: float) -> float:
    values, shares = _shares(c, r)
    return float(values[shares >= p][-1]) if (shares >= p).any() else float("inf")


def _where(c: Tensor, r: Tensor, good: Callable[[float], bool], pick: Callable = min) -> float:
    passing = [t for t in c.unique().tolist() if good(t)]
    return pick(passing) if passing else float("inf")


CALIBRATED_THRESHOLD = Exercise(
    id="08.calibrated_threshold",
    level="stretch",
    minutes=12,
    reference=calibrated_threshold,
    cases=(DIPS_AND_COMES_BACK, UNSORTED, A_TIE, NEVER, BARELY, _drawn_pairs(0, 40, 0.5)),
    hidden=(_drawn_pairs(1, 90, 0.6), _drawn_pairs(2, 70, 0.45)),
    hints=(
        "Candidates are the cosines themselves. For each, look at all pairs with at least that cosine: which share is "
        "right?",
        "Among the candidates whose share is at least `precision`, take the lowest. The share may dip and come back.",
        "`passing = cosines >= threshold`, `right[passing].double().mean() >= precision`; start from `float('inf')`.",
    ),
    mistakes=(
        (
            _stops_at_the_first_dip,
            "You stopped at the first dip. The share can recover further down: look at all candidates.",
        ),
        (
            _breaks_ties,
            "You split pairs with equal cosines. A threshold lets all of them pass or none.",
        ),
        (
            lambda c, r, p: _where(c, r, lambda t: r[c >= t].double().mean() >= p, max),
            "That is the highest threshold that does. The lowest one keeps the most pairs.",
        ),
        (
            lambda c, r, p: _where(c, r, lambda t: r[c >= t].double().mean() > p),
            "At least means >=: a share of just `precision` is enough.",
        ),
        (
            lambda c, r, p: _where(c, r, lambda t: bool((c > t).any()) and r[c > t].double().mean() >= p),
            "A pair with the threshold itself passes: compare with >=.",
        ),
        (
            lambda c, r, p: _where(c, r, lambda t: r[c <= t].double().mean() >= p),
            "You looked at the pairs below the threshold. Those at or above it pass.",
        ),
        (
            lambda c, r, p: _where(c, r, lambda t: r[c == t].double().mean() >= p),
            "You looked at the pairs at one cosine alone. Everything above passes as well.",
        ),
        (
            lambda c, r, p: _where(c, r, lambda t: r[c >= t].sum() / r.sum() >= p, max),
            "That is recall: of the right pairs, how many pass? Asked for is: of the passing, how many are right?",
        ),
        (
            lambda c, r, p: _where(c, r, lambda t: r[c >= t].sum() / len(r) >= p, max),
            "You divided by all pairs. Divide by those that pass.",
        ),
        (lambda c, r, p: 0.5, "0.5 is nobody's threshold until it was measured: use `cosines` and `right`."),
        (lambda c, r, p: p, "A precision is no cosine: which share is right above a cosine of that value?"),
        (
            lambda c, r, p: float(c.double().quantile(p)),
            "That is a quantile of the cosines. It knows nothing of which pairs are right.",
        ),
    ),
)


def profile(liked: Tensor, half_life: float) -> Tensor:
    """A user's direction: liked films' vectors `[n_liked, dim]`, the oldest like first, to length 1, float `[dim]`."""
    age = torch.arange(len(liked) - 1, -1, -1)  # [n_liked], 0 for the newest
    weights = 0.5 ** (age / half_life)
    return F.normalize(weights @ F.normalize(liked, dim=1), dim=0)


OLD_AND_NEW = (torch.tensor([[1.0, 0.0], [0.0, 1.0]]), 1.0)
ONE_LONG = (torch.tensor([[30.0, 0.0], [0.0, 1.0]]), 2.0)
NOBODY = (torch.empty(0, 3), 5.0)
ALL_ALIKE = (torch.tensor([[1.0, 1.0], [2.0, 0.0], [0.0, 1.0], [1.0, 3.0]]), 1e9)


def _likes(seed: int, n: int, half_life: float) -> tuple[Tensor, float]:
    films = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))
    return films * torch.arange(1, n + 1).unsqueeze(1), half_life


def _ages(v: Tensor) -> Tensor:
    return torch.arange(len(v) - 1, -1, -1)


def _to_one(v: Tensor, dim: int = 1) -> Tensor:
    return F.normalize(v, dim=dim)


PROFILE = Exercise(
    id="08.profile",
    level="stretch",
    minutes=8,
    reference=profile,
    cases=(OLD_AND_NEW, ONE_LONG, NOBODY, ALL_ALIKE, _likes(0, 6, 3.0)),
    hidden=(_likes(1, 15, 4.0), _likes(2, 3, 0.5)),
    hints=(
        "Each like weighs half as much as one that is `half_life` likes younger; the newest, age 0, weighs 1.",
        "The last row is the newest: ages are n - 1, ..., 1, 0. The weight is `0.5 ** (age / half_life)`.",
        "Bring the films to length 1, `weights @ films`, then the result. `F.normalize` leaves zeros alone: nothing "
        "liked, nothing known.",
    ),
    mistakes=(
        (
            lambda v, h: _to_one(0.5 ** (torch.arange(len(v)) / h) @ _to_one(v), 0),
            "Your oldest like weighs most. The last row is the newest and has age 0.",
        ),
        (
            lambda v, h: _to_one(_to_one(v).sum(0), 0),
            "All likes weigh the same in your profile. Halve the weight every `half_life` likes.",
        ),
        (
            lambda v, h: _to_one(torch.exp(-_ages(v) / h) @ _to_one(v), 0),
            "exp(-age / half_life) is 0.37 after a half-life, not one half. Use 0.5 ** (age / half_life).",
        ),
        (
            lambda v, h: _to_one(0.5 ** (_ages(v) / h) @ v, 0),
            "You did not bring the films to length 1: a film with a long vector speaks for all.",
        ),
        (
            lambda v, h: 0.5 ** (_ages(v) / h) @ _to_one(v),
            "Right direction, wrong length: bring the result to length 1.",
        ),
        (
            lambda v, h: 0.5 ** (_ages(v) / h) @ _to_one(v) / (0.5 ** (_ages(v) / h)).sum(),
            "You divided by the sum of the weights: without a like that is 0 / 0, and the length is not 1. Normalise "
            "the result.",
        ),
        (
            lambda v, h: _to_one(0.5 ** (_ages(v) / h) @ _to_one(v), 0) + (0.0 if len(v) else torch.nan),
            "A user without likes gets zeros, not NaN.",
        ),
        (
            lambda v, h: _to_one(v[-1], 0) if len(v) else torch.zeros(v.shape[1]),
            "You kept the last like alone. The older ones still weigh something.",
        ),
        (
            lambda v, h: _to_one(0.5 ** (_ages(v) * h) @ _to_one(v), 0),
            "You multiplied the age by the half-life. Divide: a long half-life forgets slowly.",
        ),
        (
            lambda v, h: _to_one(1 / (1 + _ages(v) / h) @ _to_one(v), 0),
            "1 / (1 + age / half_life) halves once and then falls ever more slowly. Halve every `half_life` likes.",
        ),
    ),
)

review = Review(
    id="08.review",
    faults={
        "not in ENGLISH": "the encoder was trained on whole sentences. 'not' is a stop word on "
        "most lists, and so are all the words of some titles.",
        "[:1]": "nobody who has just arrived has said what they like. A sentence about the platform is near to films "
        "about new things, not to a taste.",
        'return_tensors="tf"': "these are tensors of another framework: this network is PyTorch. Ask for `pt`, with "
        "`padding=True` for more than one text.",
        "pooler_output": "the pooler was trained for another task and never for similarity. Use the pooling that the "
        "encoder was trained with, here the masked mean. (And batches, without gradients.)",
        "> 0.5": "with this pooling nearly every pair passes, whatever it is. Return the top k; if a cut-off is "
        "needed, calibrate it on labelled pairs.",
    },
    fine={
        "network.eval()": "It switches dropout off; without it the same title has another vector every time.",
        "F.normalize(": "An inner product of vectors of length 1 is the cosine.",
    },
)

check, hint, solution = bind((MEAN_POOL, ENCODE_CORPUS, TOPK_COSINE, REMOVE_TOP, CALIBRATED_THRESHOLD, PROFILE))
