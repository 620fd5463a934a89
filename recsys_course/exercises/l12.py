"""Exercises of lesson 12: interests, tiers, reports by strata, and likes that fade."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.review import Review


def multi_interest(liked: Tensor, k: int) -> Tensor:
    """Centres of at most `k` groups of liked films: float `[n_likes, dim]` to `[k or fewer, dim]`, oldest first."""
    starts = [int(torch.cdist(liked, liked.mean(0, keepdim=True)).argmin())]  # the film nearest to the mean
    while len(starts) < k:
        gaps = torch.cdist(liked, liked[starts]).amin(dim=1)  # [n_likes], to the nearest start
        if gaps.max() == 0:
            break  # there are no other films
        starts.append(int(gaps.argmax()))
    centres, before = liked[starts], None
    while before is None or not torch.equal(before, centres):
        nearest = torch.cdist(liked, centres).argmin(dim=1)  # [n_likes]
        before = centres
        centres = torch.stack([liked[nearest == group].mean(dim=0) for group in range(len(starts))])
    return centres


def _flock(seed: int, sizes: list[int], dim: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    middles = 6 * torch.randn(len(sizes), dim, generator=generator)
    return torch.cat(
        [middle + torch.randn(n, dim, generator=generator) for middle, n in zip(middles, sizes, strict=True)]
    )


TWO_TASTES = torch.tensor([[0.0, 0.0], [0.0, 2.0], [1.0, 1.0], [9.0, 0.0], [9.0, 2.0]])
UNEVEN = torch.tensor([[0.0], [1.0], [2.0], [3.0], [20.0]])
WALK = torch.tensor([[0.0], [1.0], [3.1], [6.0], [7.0], [12.5]])
MANY_ROUNDS = torch.tensor([11.0, 1, 17, 19, 6, 9, 21, 14, 56, 33, 22, 10, 13]).unsqueeze(1)
TWICE_THE_SAME = torch.tensor([[1.0, 1.0], [1.0, 1.0], [5.0, 1.0]])


def _starts(liked: Tensor, k: int, first: int | None = None) -> list[int]:
    starts = [int(torch.cdist(liked, liked.mean(0, keepdim=True)).argmin()) if first is None else first]
    while len(starts) < k:
        gaps = torch.cdist(liked, liked[starts]).amin(1)
        if gaps.max() == 0:
            break
        starts.append(int(gaps.argmax()))
    return starts


def _moved(liked: Tensor, starts: list[int], steps: int, middle: Callable | None = None) -> Tensor:
    """Centres after some rounds of k-means."""
    middle = middle or (lambda films: films.mean(0))
    centres = liked[starts]
    for _ in range(steps):
        nearest = torch.cdist(liked, centres).argmin(1)
        centres = torch.stack(
            [middle(liked[nearest == g]) if (nearest == g).any() else centres[g] for g in range(len(starts))]
        )
    return centres


def _by_product(liked: Tensor, k: int) -> Tensor:
    starts, centres = _starts(liked, k), liked[_starts(liked, k)]
    for _ in range(50):
        nearest = (liked @ centres.T).argmax(1)
        centres = torch.stack(
            [liked[nearest == g].mean(0) if (nearest == g).any() else centres[g] for g in range(len(starts))]
        )
    return centres


def _to_the_last(liked: Tensor, k: int) -> Tensor:
    starts = [int(torch.cdist(liked, liked.mean(0, keepdim=True)).argmin())]
    while len(starts) < k:
        starts.append(int(torch.cdist(liked, liked[starts[-1:]]).amin(1).argmax()))
    return _moved(liked, starts, 50)


def _far_from_the_sum(liked: Tensor, k: int) -> Tensor:
    starts = _starts(liked, 1)
    while len(starts) < min(k, len(liked.unique(dim=0))):
        starts.append(int(torch.cdist(liked, liked[starts]).sum(1).argmax()))
    return _moved(liked, starts, 50)


def _medoid(films: Tensor) -> Tensor:
    return films[torch.cdist(films, films.mean(0, keepdim=True)).argmin()]


MULTI_INTEREST = Exercise(
    id="12.multi_interest",
    level="medium",
    minutes=10,
    reference=multi_interest,
    cases=(
        (TWO_TASTES, 1),
        (TWO_TASTES, 2),
        (UNEVEN, 2),
        (WALK, 2),
        (WALK, 3),
        (TWICE_THE_SAME, 3),
        (_flock(3, [9, 4, 7], 3), 3),
        (MANY_ROUNDS, 3),
        (_flock(5, [5, 5, 5, 5], 2), 4),
    ),
    hidden=(
        (_flock(4, [12, 3], 4), 2),
        (_flock(6, [4, 6, 3, 5], 2), 4),
        (torch.full((3, 2), 4.0), 2),
    ),
    hints=(
        "Start: the film nearest to the mean of all. Then, again and again, the film whose nearest start is farthest "
        "away. `torch.cdist` has all distances.",
        "A round: `nearest = torch.cdist(liked, centres).argmin(dim=1)`, then each centre becomes the mean of its "
        "films. Stop when nothing moves.",
        "If the farthest film is at distance 0, every different film is a start already: stop adding, return fewer "
        "than k.",
    ),
    mistakes=(
        (
            lambda liked, k: _moved(liked, _starts(liked, k), 0),
            "These are the films you start from. Now the rounds: each film joins its nearest centre, each centre "
            "becomes the mean of its films.",
        ),
        (
            lambda liked, k: _moved(liked, _starts(liked, k), 1),
            "You stopped after one round. When centres move, films change sides: go on until nothing moves.",
        ),
        (
            lambda liked, k: _moved(liked, _starts(liked, k), 2),
            "You stopped after two rounds. No fixed number is enough: go on until nothing moves.",
        ),
        (
            _far_from_the_sum,
            "Your next start is farthest from all starts together. It must be far from its nearest one: `amin`, then "
            "`argmax`.",
        ),
        (
            lambda liked, k: _moved(liked, _starts(liked, k, first=0), 50),
            "You start from the first film, so the order of the likes decides. Start from the one nearest to the mean.",
        ),
        (
            lambda liked, k: _moved(liked, list(range(min(k, len(liked)))), 50),
            "You start from the first k films: likes in another order would give other interests.",
        ),
        (
            _to_the_last,
            "Your next start is the film farthest from the last one. It must be far from all: take each film's "
            "distance to its nearest start, then the largest.",
        ),
        (
            lambda liked, k: _moved(liked, _starts(liked, k), 50, _medoid),
            "You return films (medoids). Asked for are the means; with k = 1 that is the mean of all likes.",
        ),
        (
            lambda liked, k: _moved(liked, _starts(liked, k), 50, lambda films: films.median(0).values),
            "You took medians. A centre is the mean of its films.",
        ),
        (
            _by_product,
            "You assign films by the largest inner product, so a long centre takes them all. Take the nearest by "
            "distance.",
        ),
        (
            lambda liked, k: torch.nn.functional.normalize(_moved(liked, _starts(liked, k), 50), dim=1),
            "You brought the centres to length 1. Asked for are the plain means.",
        ),
        (
            lambda liked, k: liked.mean(0, keepdim=True).expand(min(k, len(_starts(liked, k))), -1),
            "All your centres are the mean of all likes. Each is the mean of its own films only.",
        ),
    ),
)


def interest_tiers(weights: Tensor, cuts: tuple[float, ...]) -> Tensor:
    """Tier of each weight by the share of weights strictly below it: float `[n]`, ascending cuts to int64 `[n]`."""
    below = (weights.unsqueeze(0) < weights.unsqueeze(1)).sum(dim=1)  # [n]
    shares = below.double() / len(weights)
    return (shares.unsqueeze(1) >= torch.tensor(cuts, dtype=torch.float64)).sum(dim=1)


QUARTERS = (0.25, 0.5, 0.75)


def _tiers(shares: Tensor, cuts: tuple[float, ...], strict: bool = False) -> Tensor:
    cuts = torch.tensor(cuts, dtype=torch.float64)
    shares = shares.double().unsqueeze(1)
    return ((shares > cuts) if strict else (shares >= cuts)).sum(1)


def _below(weights: Tensor, equal: bool = False) -> Tensor:
    one, other = weights.unsqueeze(1), weights.unsqueeze(0)
    return ((other <= one) if equal else (other < one)).sum(1)


def _mean_ranks(weights: Tensor) -> Tensor:
    return (_below(weights) + 1 + _below(weights, equal=True)).double() / 2 / len(weights)


def _dense(weights: Tensor) -> Tensor:
    values, places = weights.unique(return_inverse=True)
    return places.double() / len(values)


def _heavy_tail(seed: int, n: int) -> Tensor:
    return torch.rand(n, generator=torch.Generator().manual_seed(seed)).pow(4).mul(20).round()


INTEREST_TIERS = Exercise(
    id="12.interest_tiers",
    level="easy",
    minutes=8,
    reference=interest_tiers,
    cases=(
        (torch.tensor([40.0, 10.0, 30.0, 20.0]), (0.5,)),
        (torch.tensor([40.0, 10.0, 30.0, 20.0]), QUARTERS),
        (torch.tensor([1.0, 1.0, 1.0, 6.0]), (0.5,)),
        (torch.tensor([2.0, 9.0, 2.0, 2.0, 5.0, 5.0, 0.0, 9.0]), QUARTERS),
        (torch.tensor([3.0]), (0.5,)),
        (torch.tensor([5.0, 1.0, 4.0, 2.0, 3.0]), (0.5,)),
        (torch.tensor([1.0, 2.0, 3.0, 4.0, 100.0]), (0.4, 0.8)),
        (_heavy_tail(1, 23), (0.5, 0.9)),
        (torch.arange(10.0), (0.3, 0.7)),
    ),
    hidden=((_heavy_tail(2, 40), QUARTERS), (torch.zeros(6), (0.25, 0.75)), (torch.arange(20.0), (0.35, 0.9))),
    hints=(
        "Compare each weight with all: `weights.unsqueeze(0) < weights.unsqueeze(1)` is a table of [n, n].",
        "Divide the number strictly below by n, all of them. The tier is how many cuts that share reaches: `>=`.",
        "Use float64 for shares and cuts: 2/5 and 0.4 must be equal.",
    ),
    mistakes=(
        (
            lambda weights, cuts: _tiers(_below(weights, equal=True) / len(weights), cuts),
            "You count a weight among those below itself. Count strictly smaller ones.",
        ),
        (
            lambda weights, cuts: _tiers(weights.argsort(stable=True).argsort() / len(weights), cuts),
            "Equal weights got different tiers: a sort breaks ties by place. Count the strictly smaller ones instead.",
        ),
        (
            lambda weights, cuts: _tiers(_below(weights).double() / len(weights), cuts, strict=True),
            "A share that equals a cut has reached it: use `>=`.",
        ),
        (
            lambda weights, cuts: _tiers(_below(weights).double() / max(len(weights) - 1, 1), cuts),
            "You divided by n - 1. The share is of all n weights.",
        ),
        (
            lambda weights, cuts: _tiers(_below(-weights).double() / len(weights), cuts),
            "Your order is upside down: tier 0 is for the smallest weights.",
        ),
        (
            lambda weights, cuts: _tiers(weights / weights.max().clamp(min=1e-9), cuts),
            "You cut the weight itself, as a part of the largest. A quantile asks how many lie below.",
        ),
        (
            lambda weights, cuts: _tiers(weights / weights.sum().clamp(min=1e-9), cuts),
            "You cut the weight's share of the sum. A quantile asks how many weights lie below, not how much they sum "
            "to.",
        ),
        (
            lambda weights, cuts: _tiers(
                torch.stack([weights[weights < one].sum() for one in weights]) / weights.sum().clamp(min=1e-9), cuts
            ),
            "You summed the weights below. Count them.",
        ),
        (
            lambda weights, cuts: _tiers(_below(weights).float() / len(weights), cuts),
            "Your shares are float32: 7/10 became 0.69999999 and does not reach 0.7. Use `.double()`.",
        ),
        (
            lambda weights, cuts: _tiers(_dense(weights), cuts),
            "You ranked the different values. Equal weights share a tier, but each of them counts among those below.",
        ),
        (
            lambda weights, cuts: _tiers(_mean_ranks(weights), cuts),
            "These are mean ranks, as `rank(pct=True)` has them: a weight and its equals count. Count strictly smaller "
            "ones.",
        ),
        (
            lambda weights, cuts: (
                weights.unsqueeze(1) > torch.quantile(weights, torch.tensor(cuts, dtype=weights.dtype))
            ).sum(1),
            "`torch.quantile` invents a value between two weights, and `>` puts what equals it below. Count instead.",
        ),
        (
            lambda weights, cuts: (
                weights.unsqueeze(1) >= torch.quantile(weights, torch.tensor(cuts, dtype=weights.dtype))
            ).sum(1),
            "`torch.quantile` interpolates between two weights, so small sets come out differently. Count the "
            "strictly smaller ones.",
        ),
    ),
)


def stratified_report(values: np.ndarray, strata: list[str], min_users: int) -> dict[str, tuple[int, float]]:
    """Users and mean of each stratum; small ones become "other": float `[n]`, `n` names to a dict."""
    parts = {}
    for value, name in zip(values.tolist(), strata, strict=True):
        if value == value:  # NaN is not equal to itself
            parts.setdefault(name, []).append(value)
    by_size = sorted(parts, key=lambda name: (len(parts[name]), name))
    other = []
    while by_size and (len(parts[by_size[0]]) < min_users or 0 < len(other) < min_users):
        other += parts.pop(by_size.pop(0))
    if other:
        parts["other"] = other
    return {name: (len(part), sum(part) / len(part)) for name, part in sorted(parts.items())}


def _parts(values: np.ndarray, strata: list[str]) -> dict[str, list[float]]:
    parts = {}
    for value, name in zip(values.tolist(), strata, strict=True):
        if not np.isnan(value):
            parts.setdefault(name, []).append(value)
    return parts


def _means(parts: dict[str, list[float]]) -> dict[str, tuple[int, float]]:
    return {name: (len(part), sum(part) / len(part)) for name, part in sorted(parts.items())}


def _merged_once(values: np.ndarray, strata: list[str], min_users: int, limit: Callable = int.__lt__) -> dict:
    parts, other = _parts(values, strata), []
    for name in [name for name in parts if limit(len(parts[name]), min_users)]:
        other += parts.pop(name)
    return _means(parts | ({"other": other} if other else {}))


def _merged(
    parts: dict[str, list[float]], min_users: int, largest: bool = False, stop: bool = False
) -> dict[str, list[float]]:
    order = sorted(parts, key=lambda name: (len(parts[name]), name))
    small = [name for name in order if len(parts[name]) < min_users]
    small = small[:1] if stop else small
    rest = [name for name in order if name not in small]
    while small and rest and sum(len(parts[name]) for name in small) < min_users:
        small.append(rest.pop(-1 if largest else 0))
    kept = {name: parts[name] for name in rest}
    return kept | ({"other": [value for name in small for value in parts[name]]} if small else {})


def _last_name_first(values: np.ndarray, strata: list[str], min_users: int) -> dict:
    flipped = {name: "".join(chr(0x10FFFF - ord(letter)) for letter in name) for name in strata}
    back = {new: name for name, new in flipped.items()} | {"other": "other"}
    report = _means(_merged(_parts(values, [flipped[name] for name in strata]), min_users))
    return {back[name]: row for name, row in report.items()}


def _size_with_nan(values: np.ndarray, strata: list[str], min_users: int) -> dict:
    counted = {name: [name] * strata.count(name) for name in strata}
    kept = set(_merged(counted, min_users))
    return _means(_parts(values, [name if name in kept else "other" for name in strata]))


def _mean_of_means(values: np.ndarray, strata: list[str], min_users: int) -> dict:
    parts = _parts(values, strata)
    merged = _means(_merged(parts, min_users))
    if "other" in merged:
        inside = [sum(part) / len(part) for name, part in parts.items() if name not in merged]
        merged["other"] = (merged["other"][0], sum(inside) / len(inside))
    return merged


def _nan_as_zero(values: np.ndarray, strata: list[str], min_users: int) -> dict:
    return _means(_merged(_parts(np.nan_to_num(values), strata), min_users))


def _nan_counted(values: np.ndarray, strata: list[str], min_users: int) -> dict:
    found = _means(_merged(_parts(values, strata), min_users))
    return {name: (strata.count(name) or n, mean) for name, (n, mean) in found.items()}


def _report_case(seed: int, sizes: dict[str, int], min_users: int) -> tuple:
    generator = np.random.default_rng(seed)
    strata = [name for name, n in sizes.items() for _ in range(n)]
    values = generator.normal(size=len(strata)).round(2)
    values[generator.random(len(strata)) < 0.1] = np.nan
    return values, strata, min_users


ALL_LARGE = (np.array([1.0, 3.0, 5.0, 9.0]), ["new", "new", "old", "old"], 2)
TWO_SMALL = (np.array([1.0, 2.0, 3.0, 8.0, 8.0, 5.0]), ["old", "old", "old", "new", "new", "lost"], 3)
ONE_SMALL = (
    np.array([1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 2.0, 9.0]),
    ["old", "old", "old", "old", "new", "new", "new", "lost"],
    2,
)
A_GAP = (np.array([1.0, np.nan, 4.0, 2.0, np.nan, 6.0]), ["old", "old", "old", "new", "new", "new"], 2)
SMALL_BY_A_GAP = (
    np.array([1.0, np.nan, 4.0, 2.0, 6.0, 7.0, 5.0]),
    ["old", "old", "new", "new", "new", "mid", "mid"],
    2,
)

A_TIE = (np.array([9.0, 1.0, 2.0, 4.0, 6.0]), ["lost", "old", "old", "new", "new"], 2)
THREE_SMALL = (np.array([1.0, 2.0, 3.0, 4.0, 8.0, 8.0]), ["a", "b", "c", "d", "d", "d"], 2)

STRATIFIED_REPORT = Exercise(
    id="12.stratified_report",
    level="medium",
    minutes=10,
    reference=stratified_report,
    cases=(
        ALL_LARGE,
        TWO_SMALL,
        ONE_SMALL,
        A_GAP,
        SMALL_BY_A_GAP,
        A_TIE,
        THREE_SMALL,
        _report_case(1, {"core": 30, "emerging": 18, "exploratory": 4, "none": 2}, 10),
    ),
    hidden=(
        _report_case(2, {"a": 12, "b": 3, "c": 3, "d": 3, "e": 40}, 5),
        _report_case(3, {"x": 6, "y": 6, "z": 2}, 4),
    ),
    hints=(
        "Collect the values of each stratum in a dict of lists, without NaN. Then look at the sizes.",
        "All strata below min_users go into `other`. Is `other` itself large enough now?",
        "While `other` is below min_users, the smallest stratum left joins it (ties by name). Its mean is that of all "
        "its values together.",
    ),
    mistakes=(
        (
            lambda values, strata, n: _means(_parts(values, strata)),
            "You show every stratum, however small. Those below min_users go into `other`.",
        ),
        (
            lambda values, strata, n: _means({k: v for k, v in _parts(values, strata).items() if len(v) >= n}),
            "You dropped the small strata. Then the rows no longer add up to the total: merge them into `other`.",
        ),
        (
            _merged_once,
            "Your `other` can be smaller than min_users itself, and whoever knows the total subtracts the rest. While "
            "it is too small, the smallest stratum left joins it.",
        ),
        (
            lambda values, strata, n: _means(_merged(_parts(values, strata), n, largest=True)),
            "The wrong stratum joined `other`: take the smallest one left, so that as many rows as possible stay.",
        ),
        (
            lambda values, strata, n: _means(_merged(_parts(values, strata), n + 1)),
            "A stratum of min_users users is large enough: `<`, not `<=`.",
        ),
        (
            lambda values, strata, n: _means(_merged(_parts(values, strata), n, stop=True)),
            "You stopped merging when `other` was large enough. Every stratum below min_users goes into it first.",
        ),
        (
            _last_name_first,
            "Of two strata of one size the wrong one joined `other`. Ties by name: the first in the alphabet.",
        ),
        (
            _size_with_nan,
            "You took the sizes before you left out NaN, so a row can have fewer users than min_users. Leave them out "
            "first.",
        ),
        (
            _mean_of_means,
            "The mean of `other` is that of all its users together, not the mean of the strata's means.",
        ),
        (
            _nan_as_zero,
            "You counted users without a value as 0. They have no value: leave them out.",
        ),
        (
            _nan_counted,
            "You counted users without a value. The number is of those whose value is in the mean.",
        ),
        (
            lambda values, strata, n: {
                name: (
                    sum(one == name for one in strata),
                    float(np.mean([v for v, s in zip(values, strata, strict=True) if s == name])),
                )
                for name in sorted(set(strata))
            },
            "Every stratum is shown, and one NaN makes its mean NaN: leave those users out, then merge small strata.",
        ),
        (
            lambda values, strata, n: {k: mean for k, (_, mean) in _means(_merged(_parts(values, strata), n)).items()},
            "You return means alone. A mean needs its number of users: return (users, mean).",
        ),
    ),
)


def max_sim(interests: Tensor, real: Tensor, films: Tensor) -> Tensor:
    """Best fit over each user's interests: `[batch, k, dim]`, bool `[batch, k]`, `[n, dim]` to `[batch, n]`."""
    fits = interests @ films.T  # [batch, k, n]
    best = fits.masked_fill(~real.unsqueeze(2), -torch.inf).amax(dim=1)
    return best.masked_fill(~real.any(dim=1, keepdim=True), 0)


def _users(seed: int, real: list[list[bool]], n: int, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.tensor(real)
    return torch.randn(*mask.shape, dim, generator=generator), mask, torch.randn(n, dim, generator=generator)


EAST_AND_NORTH = (
    torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]),
    torch.tensor([[True, True]]),
    torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.2, 1.2], [-1.0, -2.0]]),
)
ONE_INTEREST = (
    torch.tensor([[[1.0, 2.0], [0.0, 0.0]]]),
    torch.tensor([[True, False]]),
    torch.tensor([[-1.0, -1.0], [1.0, 0.0]]),
)
NO_INTEREST = (
    torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[5.0, 5.0], [0.0, 0.0]]]),
    torch.tensor([[True, True], [False, False]]),
    torch.tensor([[1.0, -2.0], [-3.0, -1.0]]),
)


def _best(interests: Tensor, real: Tensor, films: Tensor, fill: float = -torch.inf) -> Tensor:
    return (interests @ films.T).masked_fill(~real.unsqueeze(2), fill).amax(1)


def _answered(scores: Tensor, real: Tensor) -> Tensor:
    return scores.masked_fill(~real.any(1, keepdim=True), 0)


def _mean_vector(interests: Tensor, real: Tensor) -> Tensor:
    weights = real.unsqueeze(2).float()
    return (interests * weights).sum(1) / weights.sum(1).clamp(min=1)


MAX_SIM = Exercise(
    id="12.max_sim",
    level="stretch",
    minutes=8,
    reference=max_sim,
    cases=(
        EAST_AND_NORTH,
        ONE_INTEREST,
        NO_INTEREST,
        _users(1, [[True, True, False], [True, False, False], [True, True, True]], 5, 4),
        _users(2, [[False, True], [True, True]], 3, 2),
    ),
    hidden=(
        _users(3, [[True] * 4, [False] * 4, [True, False, True, False]], 9, 3),
        _users(4, [[True]], 4, 6),
    ),
    hints=(
        "All fits at one time: `interests @ films.T` is [batch, k, n]. The best interest of each film is along dim=1.",
        "Rows of padding must not win: where `real` is False put -inf before the maximum. Zeros would win whenever "
        "all real fits are negative.",
        "A user without any interest is left with -inf everywhere: return 0 for all films there.",
    ),
    mistakes=(
        (
            lambda interests, real, films: _mean_vector(interests, real) @ films.T,
            "You averaged the interests first: that is one vector again. Score with each interest, then take the best.",
        ),
        (
            lambda interests, real, films: (interests @ films.T).amax(1),
            "You did not use `real`: whatever stands in the padding can win.",
        ),
        (
            lambda interests, real, films: ((interests @ films.T) * real.unsqueeze(2)).amax(1),
            "Your padding scores 0, and 0 beats every negative fit. Use -inf before the maximum.",
        ),
        (
            lambda interests, real, films: _best(interests, real, films),
            "Right, until a user has no interest at all: -inf for every film. Return 0 there.",
        ),
        (
            lambda interests, real, films: _best(interests, real, films, -1e9),
            "Right, until a user has no interest at all: -1e9 for every film. Return 0 there.",
        ),
        (
            lambda interests, real, films: _best(interests, real, films).clamp(min=0),
            "You cut negative fits off at 0. Only a user without any interest gets 0; a bad fit stays negative.",
        ),
        (
            lambda interests, real, films: _best(interests, real, films).masked_fill(~real[:, :1], 0),
            "You take a user whose first row is padding for one without interests. Ask `real.any(dim=1)`.",
        ),
        (
            lambda interests, real, films: _answered(((interests @ films.T) * real.unsqueeze(2)).sum(1), real),
            "You summed over the interests: a film that fits two a little beats one that fits one well. Take the "
            "maximum.",
        ),
        (
            lambda interests, real, films: _answered(
                (interests @ films.T).masked_fill(~real.unsqueeze(2), torch.inf).amin(1), real
            ),
            "You took the worst fit. A film is worth showing if one interest likes it: the maximum.",
        ),
        (
            lambda interests, real, films: _answered(_best(interests, ~real, films), ~real),
            "You kept the padding and dropped the interests: True in `real` means a real interest.",
        ),
        (
            lambda interests, real, films: _answered(
                _best(
                    torch.nn.functional.normalize(interests, dim=2),
                    real,
                    torch.nn.functional.normalize(films, dim=1),
                ),
                real,
            ),
            "You normalised: that is cosine. The fit here is the plain inner product.",
        ),
        (
            lambda interests, real, films: _answered(
                (interests @ films.T).masked_fill(~real.unsqueeze(2), -torch.inf).amax(2), real
            ),
            "You took each interest's best film. Asked for is each film's best interest: the maximum along dim=1.",
        ),
    ),
)


def recency_weights(days: Tensor, now: float, half_life: float) -> Tensor:
    """What each like is worth at `now`: 1 when new, half after every half-life, 0 if it lies ahead; float `[n]`."""
    age = now - days
    return torch.where(age < 0, torch.zeros_like(age), 0.5 ** (age / half_life))


def _ages(days: Tensor, now: float) -> Tensor:
    return now - days


def _hidden_future(weights: Tensor, days: Tensor, now: float) -> Tensor:
    return weights * (days <= now)


RECENCY_WEIGHTS = Exercise(
    id="12.recency_weights",
    level="stretch",
    minutes=6,
    reference=recency_weights,
    cases=(
        (torch.tensor([0.0, 30.0, 60.0]), 60.0, 30.0),
        (torch.tensor([5.0, 1.0, 3.0]), 6.0, 2.0),
        (torch.tensor([10.0, 25.0, 20.0]), 20.0, 10.0),
        (torch.tensor([0.0]), 400.0, 7.0),
        (torch.tensor([0.0, 1.0, 8.0]), 4.0, 0.5),
    ),
    hidden=((torch.tensor([100.0, 90.5, 130.0]), 120.0, 45.0), (torch.tensor([3.0]), 3.0, 1.0)),
    hints=(
        "The age of a like is `now - days`. After one half-life the weight is 1/2, after two 1/4.",
        "0.5 to the power of age / half_life. Not e: that needs a factor log 2.",
        "A like later than `now` has not happened yet: weight 0, or you leak the future into a profile.",
    ),
    mistakes=(
        (
            lambda days, now, h: _hidden_future(torch.exp(-_ages(days, now) / h), days, now),
            "You used e: after one half-life 0.37 is left. With 2 it is one half.",
        ),
        (
            lambda days, now, h: torch.exp(-_ages(days, now) / h),
            "You used e, and likes that lie ahead count. It is 0.5 to the power of age / half_life, and 0 for those.",
        ),
        (
            lambda days, now, h: _hidden_future(2 ** (_ages(days, now) / h), days, now),
            "Your weights grow with age. An old like is worth less: 0.5, not 2.",
        ),
        (
            lambda days, now, h: _hidden_future(0.5 ** (days / h), days, now),
            "You used the day itself. What counts is the age: now - days.",
        ),
        (
            lambda days, now, h: _hidden_future(0.5 ** torch.floor(_ages(days, now) / h), days, now),
            "Your weight falls in steps, a cliff at every half-life. Do not round age / half_life.",
        ),
        (
            lambda days, now, h: 0.5 ** (_ages(days, now) / h) * (days < now),
            "A like given at `now` has happened: it is worth 1. Only what lies ahead gets 0.",
        ),
        (
            lambda days, now, h: 0.5 ** (_ages(days, now) / h),
            "A like that lies ahead of `now` weighs more than 1 with you: it has not happened yet. Give it 0.",
        ),
        (
            lambda days, now, h: 0.5 ** (_ages(days, now).clamp(min=0) / h),
            "A like that lies ahead counts as a new one with you. It has not happened yet: give it 0.",
        ),
        (
            lambda days, now, h: 0.5 ** (_ages(days, now).abs() / h),
            "A like that lies ahead counts with you, because of `abs`. It has not happened yet: give it 0.",
        ),
        (
            lambda days, now, h: 0.5 ** ((days.max() - days) / h),
            "You count from the newest like. Count from `now`: a user who has been away for a year fades as well.",
        ),
        (
            lambda days, now, h: _hidden_future((1 - _ages(days, now) / (2 * h)).clamp(min=0), days, now),
            "Your weight falls on a straight line. It halves again and again: 0.5 to the power of age / half_life.",
        ),
        (
            lambda days, now, h: _hidden_future(1 / (1 + _ages(days, now) / h), days, now),
            "Yours is a half after one half-life and a third after two. It must be a quarter: 0.5 to the power of "
            "age / half_life.",
        ),
        (
            lambda days, now, h: _hidden_future(0.5 ** (_ages(days, now) * h), days, now),
            "You multiplied by the half-life. A long half-life must keep more: divide.",
        ),
        (
            lambda days, now, h: recency_weights(days, now, h) / recency_weights(days, now, h).sum(),
            "You divided by the sum, so that one old like weighs as much as one new. Keep what is left of each.",
        ),
    ),
)

review = Review(
    id="12.review",
    faults={
        "network.train()": "training mode switches dropout on, and nobody switches it off: the same sentence gets "
        "another vector each time, also for everybody else who uses this encoder.",
        "pooler_output": "one forward pass tunes nothing. Without a loss, a gradient and a step every weight stays as "
        "it was; and the pooler is the wrong pooling for this encoder.",
        "times.max()": "age is counted from the user's last like, so a user who stays away for a year never fades. "
        "Count from `now`, which is not used at all.",
        ">= 100": "a cliff: the hundredth like changes the tier, likes of years ago count for ever, and no decision "
        "depends on the result.",
        '"said": said': "the raw sentence is personal data that no recommendation needs. Store what is used, and let "
        "it fade.",
    },
    fine={
        "profiles.decay(": "The half-life is a choice, and halving is what it says.",
        "weights @ vectors": "A weighted sum of liked films; its length changes nothing in the order.",
        ".topk(10)": "The ten best; leaving out what was seen is up to the caller.",
    },
)

check, hint, solution = bind((MULTI_INTEREST, INTEREST_TIERS, STRATIFIED_REPORT, MAX_SIM, RECENCY_WEIGHTS))
