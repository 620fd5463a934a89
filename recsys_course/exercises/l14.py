"""Exercises of lesson 14: cold items, a map from content, evidence, questions, and exploring."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.checks.plain import as_array, plain
from recsys_course.review import Review


def _noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cold_item_split(items: Tensor, n_items: int, share: float, generator: torch.Generator) -> Tensor:
    """Which events to hold out so that a share of the items is new: int64 `[n_events]` to bool `[n_events]`."""
    n_cold = round(share * n_items)
    cold = torch.zeros(n_items, dtype=torch.bool)
    cold[torch.randperm(n_items, generator=generator)[:n_cold]] = True
    return cold[items]


def _split_case(seed: int, n_items: int, n_events: int, share: float) -> tuple:
    """Every item has an event; low numbers have more."""
    noise = torch.rand(n_events - n_items, generator=torch.Generator().manual_seed(seed))
    return torch.cat([torch.arange(n_items), (noise**2 * n_items).long()]), n_items, share, seed


def _problem_with_split(answer: Callable, case: tuple) -> str | None:
    """What is wrong with a split, in words."""
    items, n_items, share, seed = case

    def held(seed: int) -> object:
        torch.rand(7), np.random.random(7)  # whoever draws from these goes on from another place
        return as_array(plain(answer(items.clone(), n_items, share, torch.Generator().manual_seed(seed))))

    first = held(seed)
    if not isinstance(first, np.ndarray) or first.shape != (len(items),) or not np.isin(first, (0, 1)).all():
        return f"expected true or false for each of the {len(items)} events, shape [{len(items)}]"
    others = [_cold(items, held(seed + n)) for n in range(1, 41)]
    found = _wrong_items(first.astype(bool), case, others)
    if found:
        return found
    if not np.array_equal(first, held(seed)):
        return "two generators with one seed hold out different events: take all chance from `generator`"
    often = np.bincount(np.concatenate(others), minlength=n_items)
    if often.max() == 40 or (n_items <= 20 and often.min() == 0):
        return "over 40 seeds some items are always held out or never: every item has the same chance"
    return None


def _cold(items: Tensor, held: np.ndarray) -> np.ndarray:
    """Which items have an event that is held out."""
    return np.unique(items.numpy()[held.astype(bool)])


def _wrong_items(held: np.ndarray, case: tuple, others: list[np.ndarray]) -> str | None:
    items, n_items, share, _ = case
    out, kept = (np.bincount(items.numpy()[rows], minlength=n_items) > 0 for rows in (held, ~held))
    if (out & kept).any():
        many = "most items are" if (out & kept).mean() > 0.5 else "some items are"
        return f"{many} on both sides: a new item has no event in training"
    if len({len(cold) for cold in others}) > 1:
        return f"how many items are held out changes with the seed: exactly {round(share * n_items)}, none drawn twice"
    if out.sum() != round(share * n_items):
        return f"{out.sum()} of {n_items} items are held out, not {round(share * n_items)}"
    return None


def _cold_events(items: Tensor, cold: Tensor) -> Tensor:
    return torch.isin(items, cold)


def _first_events(items: Tensor, cold: Tensor) -> Tensor:
    """All but the first event of each cold item."""
    held = _cold_events(items, cold)
    held[: int(items.max()) + 1] = False
    return held


def _drawn(n_items: int, share: float, g: torch.Generator | None) -> Tensor:
    return torch.randperm(n_items, generator=g)[: round(share * n_items)]


COLD_ITEM_SPLIT = Exercise(
    id="14.cold_item_split",
    level="easy",
    minutes=8,
    reference=cold_item_split,
    cases=(_split_case(1, 10, 60, 0.2), _split_case(2, 12, 40, 0.4)),
    hidden=(_split_case(3, 40, 400, 0.1), _split_case(4, 20, 90, 0.25)),
    verify=_problem_with_split,
    hints=(
        "Draw items, not events. Which items are cold is decided first; each event then follows its item.",
        "`torch.randperm(n_items, generator=generator)[:round(share * n_items)]` are the cold items.",
        "A table of the items, `cold = torch.zeros(n_items, dtype=torch.bool)`, true at the cold ones; then "
        "`cold[items]` answers for every event.",
    ),
    mistakes=(
        (
            lambda i, n, s, g: torch.rand(len(i), generator=g) < s,
            "You drew events. Then nearly every item keeps some in training, and nothing is cold: draw items.",
        ),
        (
            lambda i, n, s, g: _first_events(i, _drawn(n, s, g)),
            "A cold item keeps an event in training. One is enough to give it away: hold out all of them.",
        ),
        (
            lambda i, n, s, g: ~_cold_events(i, _drawn(n, s, g)),
            "You returned the training side: true means held out.",
        ),
        (
            lambda i, n, s, g: _cold_events(i, torch.randperm(n, generator=g)[: round(s * len(i))]),
            "You held out a share of the number of events. The share is one of the items: round(share * n_items).",
        ),
        (
            lambda i, n, s, g: _cold_events(i, torch.randperm(n, generator=g)[: int(s * n)]),
            "You cut the fraction off: 4.8 items are five, `round(share * n_items)`.",
        ),
        (
            lambda i, n, s, g: _cold_events(i, _drawn(n, s, None)),
            "Your chance does not come from the generator: hand it over, `torch.randperm(n_items, "
            "generator=generator)`.",
        ),
        (
            lambda i, n, s, g: i >= n - round(s * n),
            "Your cold items are the same every time. Numbers carry meaning, here popularity: draw at random.",
        ),
    ),
)


def cb2cf_ridge(features: Tensor, vectors: Tensor, warm: Tensor, penalty: float) -> Tensor:
    """Vectors for the cold items: `[n, d]`, `[n, dim]`, bool `[n]`, a number to `[n_cold, dim]`."""
    mean, centre = features[warm].mean(dim=0), vectors[warm].mean(dim=0)
    x, y = features[warm] - mean, vectors[warm] - centre
    weights = torch.linalg.solve(x.T @ x + penalty * torch.eye(x.shape[1]), x.T @ y)  # [d, dim]
    return centre + (features[~warm] - mean) @ weights


def _ridge(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    return torch.linalg.solve(x.T @ x + penalty * torch.eye(x.shape[1]), x.T @ y)


def _with_one(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones(len(x), 1)], dim=1)


def _mapped(
    rows: Callable = lambda warm: warm,
    centred: Callable = lambda x, warm: x[warm].mean(0),
    out: Callable = lambda warm: ~warm,
    penalty: Callable = lambda p, warm: p,
) -> Callable:
    def answer(features: Tensor, vectors: Tensor, warm: Tensor, p: float) -> Tensor:
        mean, centre = centred(features, warm), centred(vectors, warm)
        x, y = features[rows(warm)] - mean, vectors[rows(warm)] - centre
        return centre + (features[out(warm)] - mean) @ _ridge(x, y, penalty(p, warm))

    return answer


def _map_case(seed: int, n: int, d: int, dim: int, n_cold: int, penalty: float) -> tuple:
    warm = torch.ones(n, dtype=torch.bool)
    warm[torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:n_cold]] = False
    return _noise(seed, n, d) + 1, _noise(seed + 50, n, dim) - 2, warm, penalty


ON_A_LINE = (
    torch.tensor([[0.0], [2.0], [5.0]]),
    torch.tensor([[0.0, 0.0], [4.0, -2.0], [0.0, 0.0]]),
    torch.tensor([True, True, False]),
    2.0,
)
NO_SIGNAL = (
    torch.ones(4, 2),
    torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 0.0], [0.0, 0.0]]),
    torch.tensor([True, True, False, False]),
    1.0,
)
CB2CF_RIDGE = Exercise(
    id="14.cb2cf_ridge",
    level="medium",
    minutes=10,
    reference=cb2cf_ridge,
    cases=(ON_A_LINE, NO_SIGNAL, _map_case(1, 8, 2, 3, 2, 0.5), _map_case(2, 9, 3, 2, 3, 4.0)),
    hidden=(_map_case(3, 30, 5, 4, 10, 1.0), _map_case(4, 12, 20, 2, 4, 3.0)),
    tolerance=1e-3,
    hints=(
        "Subtract the means of the warm rows, features and vectors alike: then the intercept needs no column and no "
        "penalty.",
        "With centred x and y: weights = solve(x.T @ x + penalty * eye(d), x.T @ y), `[d, dim]`.",
        "A cold row is centred with the warm means as well: `centre + (features[~warm] - mean) @ weights`.",
    ),
    mistakes=(
        (
            _mapped(rows=lambda warm: torch.ones_like(warm)),
            "You learnt from the cold rows as well. Their vectors are the answer, and in production they are zeros.",
        ),
        (
            _mapped(centred=lambda x, warm: x.mean(0)),
            "You centred by the mean of all rows. Cold vectors are unknown: means of the warm rows alone.",
        ),
        (
            _mapped(centred=lambda x, warm: torch.zeros(x.shape[1])),
            "There is no intercept. Without a signal the best guess is the mean vector of the warm rows, not 0.",
        ),
        (
            lambda x, y, warm, p: _with_one(x[~warm]) @ _ridge(_with_one(x[warm]), y[warm], p),
            "Your intercept is penalised too, and pulled towards 0. Centre by the means instead of a column of ones.",
        ),
        (
            _mapped(penalty=lambda p, warm: p * int(warm.sum())),
            "You multiplied the penalty by the number of rows. x.T @ x is a sum over rows: add the penalty as it is.",
        ),
        (
            _mapped(penalty=lambda p, warm: 1e-6),
            "The penalty is missing. With more features than films the line goes through every point.",
        ),
        (
            _mapped(penalty=lambda p, warm: p**0.5),
            "You used the root of the penalty, or its square. It is added to x.T @ x as it is.",
        ),
        (
            _mapped(out=lambda warm: torch.ones_like(warm)),
            "You returned a vector for every item. Asked for are the cold ones, in their order: `[n_cold, dim]`.",
        ),
        (
            _mapped(out=lambda warm: warm),
            "You returned the warm rows. They have vectors of their own.",
        ),
        (
            lambda x, y, warm, p: (
                y[warm].mean(0) + x[~warm] @ _ridge(x[warm] - x[warm].mean(0), y[warm] - y[warm].mean(0), p)
            ),
            "You centred for learning, but not the cold rows. Subtract the same warm mean from them.",
        ),
        (
            lambda x, y, warm, p: (
                (x[~warm] - x[warm].mean(0)) @ _ridge(x[warm] - x[warm].mean(0), y[warm] - y[warm].mean(0), p)
            ),
            "You did not add the mean vector again at the end.",
        ),
        (
            lambda x, y, warm, p: (
                y[warm].mean(0)
                + (x[~warm] - x[~warm].mean(0)) @ _ridge(x[warm] - x[warm].mean(0), y[warm] - y[warm].mean(0), p)
            ),
            "You centred the cold rows by their own mean. Then a cold film would be guessed from the others that "
            "arrive with it: subtract the warm mean.",
        ),
    ),
)


def warm_cold_blend(warm: Tensor, cold: Tensor, counts: Tensor, strength: float) -> Tensor:
    """Scores in which the cold part fades: float `[batch, n_items]` twice, int `[n_items]` to `[batch, n_items]`."""
    left = strength / (counts + strength)  # [n_items]
    return torch.where(counts > 0, warm, 0) + left * cold


NAN = torch.nan
ONE_USER = (torch.tensor([[NAN, 1.0, 8.0]]), torch.tensor([[3.0, 3.0, 3.0]]), torch.tensor([0, 1, 8]), 2.0)
TWO_USERS = (
    torch.tensor([[0.0, 2.0], [5.0, -1.0]]),
    torch.tensor([[1.0, 4.0], [0.5, 2.0]]),
    torch.tensor([3, 12]),
    4.0,
)


def _blend_case(seed: int, batch: int, n_items: int, strength: float) -> tuple:
    counts = torch.randint(0, 30, (n_items,), generator=torch.Generator().manual_seed(seed))
    counts[:2] = 0
    warm = _noise(seed + 1, batch, n_items)
    warm[:, 0] = NAN
    return warm, _noise(seed + 2, batch, n_items), counts, strength


def _mixed(warm: Tensor, cold: Tensor, counts: Tensor, left: Tensor, own: Tensor | float = 1.0) -> Tensor:
    return torch.where(counts > 0, warm * own, 0) + left * cold


WARM_COLD_BLEND = Exercise(
    id="14.warm_cold_blend",
    level="easy",
    minutes=6,
    reference=warm_cold_blend,
    cases=(ONE_USER, TWO_USERS, _blend_case(1, 3, 3, 5.0)),
    hidden=(_blend_case(2, 4, 7, 1.0), _blend_case(3, 2, 20, 50.0)),
    hints=(
        "What is left of the cold score after n likes is strength / (n + strength): 1 at none, a half at n = strength.",
        "One count an item: `counts` is `[n_items]` and broadcasts along the users by itself.",
        "NaN times 0 is NaN. `torch.where(counts > 0, warm, 0)` removes the warm score of an item without likes.",
    ),
    mistakes=(
        (
            lambda w, c, n, s: _mixed(w, c, n, s / (n + s), n / (n + s)),
            "You held the warm score down as well, by n / (n + strength). It is a sum over likes and small already: "
            "shrunk twice, an item falls after its first likes.",
        ),
        (
            lambda w, c, n, s: w + s / (n + s) * c,
            "An item without likes is NaN. The warm model says nothing of it: leave its score out, by `torch.where`.",
        ),
        (
            lambda w, c, n, s: w.nan_to_num(0) + s / (n + s) * c,
            "The NaN is gone, but an item without likes may have a number there too, and it is noise. Decide by "
            "`counts > 0`.",
        ),
        (
            lambda w, c, n, s: torch.where(n > 0, w, c),
            "You switch at the first like: the list jumps. Let the cold part fade, strength / (n + strength).",
        ),
        (
            lambda w, c, n, s: torch.where(n >= s, w.nan_to_num(0), c),
            "A threshold makes the list jump when it is crossed. Let the cold part fade, strength / (n + strength).",
        ),
        (
            lambda w, c, n, s: _mixed(w, c, n, n / (n + s)),
            "Your cold part grows with the likes. What is left of it is strength / (n + strength).",
        ),
        (
            lambda w, c, n, s: _mixed(w, c, n, 1 / (n + 1)),
            "You did not use the strength: strength / (n + strength).",
        ),
        (
            lambda w, c, n, s: _mixed(w, c, n, s / (n + s), s / (n + s)),
            "Both parts fade in your blend. The warm one stays as it is.",
        ),
        (
            lambda w, c, n, s: _mixed(w, c, n, torch.ones(())),
            "Your cold part never fades: it must vanish as the likes grow.",
        ),
        (
            lambda w, c, n, s: _mixed(w, c, n, 0.5 ** (n / s)),
            "You fade by half-lives. Here the rest is strength / (n + strength), as in a Bayesian average.",
        ),
        (
            lambda w, c, n, s: _mixed(w, c, n, torch.exp(-n / s)),
            "You fade exponentially. Here the rest is strength / (n + strength): a half at n = strength.",
        ),
    ),
)


def next_question(belief: Tensor, rates: Tensor, asked: Tensor) -> int:
    """The question that tells most: `[n_types]`, `[n_types, n_questions]`, bool `[n_questions]` to its number."""

    def entropy(p: Tensor) -> Tensor:
        return -torch.special.xlogy(p, p) - torch.special.xlogy(1 - p, 1 - p)

    gain = entropy(belief @ rates) - belief @ entropy(rates)  # [n_questions]
    return int(gain.masked_fill(asked, -torch.inf).argmax())


def _h(p: Tensor) -> Tensor:
    return -torch.special.xlogy(p, p) - torch.special.xlogy(1 - p, 1 - p)


def _logs(p: Tensor) -> Tensor:
    return -p * p.log() - (1 - p) * (1 - p).log()


def _gain(b: Tensor, r: Tensor) -> Tensor:
    return _h(b @ r) - b @ _h(r)


def _best(values: Tensor, asked: Tensor) -> int:
    return int(values.masked_fill(asked, -torch.inf).argmax())


def _left_after(b: Tensor, r: Tensor, weigh: Callable) -> Tensor:
    """Entropy of the belief after a yes and after a no, weighed."""
    left = []
    for question in r.T:
        after = [b * question, b * (1 - question)]
        chances = [float(part.sum()) for part in after]
        entropies = [-float(torch.special.xlogy(p / p.sum(), p / p.sum()).sum()) if p.sum() > 0 else 0 for p in after]
        left.append(weigh(chances, entropies))
    return torch.tensor(left)


def _table(*rows: list[float]) -> Tensor:
    return torch.tensor(rows)


NONE3, HALF = torch.zeros(3, dtype=torch.bool), torch.tensor([0.5, 0.5])
COIN = (HALF, _table([0.9, 0.5, 0.99], [0.6, 0.5, 0.95]), NONE3)
ASKED = (HALF, _table([1.0, 0.9, 0.3], [0.0, 0.2, 0.3]), torch.tensor([True, False, False]))
CERTAIN = (HALF, _table([1.0, 0.7, 1.0], [1.0, 0.3, 0.0]), NONE3)
KNOWN = (torch.tensor([0.98, 0.01, 0.01]), _table([0.5, 0.9, 0.5], [0.5, 0.1, 1.0], [0.5, 0.9, 0.0]), NONE3)
SKEWED = (HALF, _table([0.01, 0.40, 0.5], [0.15, 0.56, 0.5]), NONE3)
RARE = (torch.tensor([0.9, 0.1]), _table([0.02, 0.6, 0.5], [0.98, 0.2, 0.5]), NONE3)


def _question_case(seed: int, n_types: int, n_questions: int) -> tuple:
    rates = torch.rand(n_types, n_questions, generator=torch.Generator().manual_seed(seed))
    belief = torch.rand(n_types, generator=torch.Generator().manual_seed(seed + 50))
    return belief / belief.sum(), rates, torch.arange(n_questions) % 5 == 3


NEXT_QUESTION = Exercise(
    id="14.next_question",
    level="stretch",
    minutes=10,
    reference=next_question,
    cases=(COIN, ASKED, CERTAIN, KNOWN, RARE, SKEWED, *(_question_case(seed, 4, 12) for seed in range(1, 9))),
    hidden=tuple(_question_case(seed, 6, 30) for seed in range(20, 30)),
    hints=(
        "How unsure is the answer, less how unsure it would still be if you knew the type? A coin is unsure both ways.",
        "With h(p) = -p log p - (1 - p) log(1 - p): the gain is h(belief @ rates) - belief @ h(rates).",
        "0 log 0 is 0: `torch.special.xlogy` knows it. What was asked gets -inf before `argmax`.",
    ),
    mistakes=(
        (
            lambda b, r, a: _best(_h(b @ r), a),
            "You ask where the answer is most unsure. A coin's fall is unsure, too, and tells nothing of the user: "
            "subtract how unsure the answer is within each type.",
        ),
        (lambda b, r, a: _best(b @ r, a), "You ask about what most people like. Nearly everybody says yes: who is it?"),
        (
            lambda b, r, a: _best(_gain(b, r), torch.zeros_like(a)),
            "You ask a question twice. Leave out what was asked.",
        ),
        (
            lambda b, r, a: int(_gain(b, r)[~a].argmax()),
            "You counted among the questions that are left. The number is one among all: mask, do not filter.",
        ),
        (
            lambda b, r, a: _best(-(b @ _h(r)), a),
            "You ask what each type answers most surely. If all types say the same, nothing is learnt: compare with "
            "how unsure the answer is now, h(belief @ rates).",
        ),
        (
            lambda b, r, a: _best(_logs(b @ r) - b @ _logs(r), a),
            "A rate of 0 or 1 made NaN of 0 * log 0, and `argmax` takes a NaN for the largest: `torch.special.xlogy`.",
        ),
        (
            lambda b, r, a: _best(-_gain(b, r), a),
            "You ask the question that tells least: the gain is what the belief's entropy loses. Take the largest.",
        ),
        (
            lambda b, r, a: _best(_gain(torch.full_like(b, 1 / len(b)), r), a),
            "You forgot the belief: types that are nearly ruled out count as much as the others in your sum.",
        ),
        (
            lambda b, r, a: _best(-_left_after(b, r, lambda chances, left: sum(left)), a),
            "You added the entropies after yes and no as if both were as likely. Weigh each by the answer's chance.",
        ),
        (
            lambda b, r, a: _best(-_left_after(b, r, lambda chances, left: min(left)), a),
            "You hope for the best answer. Nobody knows it before asking: average over yes and no by their chances.",
        ),
        (
            lambda b, r, a: _best(r.var(dim=0), a),
            "You take the question on which the types differ most, whatever you believe already: use the belief.",
        ),
        (
            lambda b, r, a: _best(torch.nan_to_num(-(b @ r) * (b @ r).log(), 0) + b @ (r * r.log()), a),
            "You left out the no. Both answers tell something: -p log p - (1 - p) log(1 - p), and 0 log 0 is 0.",
        ),
    ),
)


def linucb(features: Tensor, shown: Tensor, clicks: Tensor, alpha: float, penalty: float) -> Tensor:
    """Optimistic scores of all items: `[n_arms, d]`, int `[n]`, float `[n]`, two numbers to `[n_arms]`."""
    x = features[shown]  # [n, d]
    inverse = torch.linalg.inv(x.T @ x + penalty * torch.eye(features.shape[1]))
    unsure = ((features @ inverse) * features).sum(dim=1).sqrt()  # [n_arms]
    return features @ inverse @ x.T @ clicks + alpha * unsure


def _scored(
    clicks: Callable = lambda x, y: x.T @ y,
    bonus: Callable = lambda f, inverse: ((f @ inverse) * f).sum(1).sqrt(),
    penalty: Callable = lambda p: p,
    sign: float = 1.0,
) -> Callable:
    def answer(features: Tensor, shown: Tensor, y: Tensor, alpha: float, p: float) -> Tensor:
        x = features[shown]
        inverse = torch.linalg.inv(x.T @ x + penalty(p) * torch.eye(features.shape[1]))
        return features @ inverse @ clicks(x, y) + sign * alpha * bonus(features, inverse)

    return answer


def _of_rows(features: Tensor, x: Tensor, known: Tensor, y: Tensor, alpha: float, penalty: float) -> Tensor:
    """With another A, over the rows ``known``."""
    inverse = torch.linalg.inv(known.T @ known + penalty * torch.eye(features.shape[1]))
    return features @ inverse @ x.T @ y + alpha * ((features @ inverse) * features).sum(1).sqrt()


def _arms_case(seed: int, n_arms: int, d: int, n: int, alpha: float, penalty: float) -> tuple:
    g = torch.Generator().manual_seed(seed)
    return (
        _noise(seed + 9, n_arms, d),
        torch.randint(n_arms, (n,), generator=g),
        torch.rand(n, generator=g).round(),
        alpha,
        penalty,
    )


NOTHING_SHOWN = (torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(0, dtype=torch.int64), torch.zeros(0), 0.5, 4.0)
ONE_SHOWN = (torch.tensor([[1.0], [2.0]]), torch.tensor([0]), torch.tensor([1.0]), 1.0, 1.0)
LINUCB = Exercise(
    id="14.linucb",
    level="stretch",
    minutes=10,
    reference=linucb,
    cases=(NOTHING_SHOWN, ONE_SHOWN, _arms_case(1, 4, 2, 6, 0.5, 2.0), _arms_case(2, 5, 3, 9, 1.5, 0.5)),
    hidden=(_arms_case(3, 20, 5, 50, 0.3, 1.0), _arms_case(4, 6, 4, 2, 1.0, 3.0)),
    tolerance=1e-3,
    hints=(
        "A ridge regression of the clicks on the features of what was shown, and a bonus for what it is unsure of.",
        "`A = x.T @ x + penalty * eye(d)` with `x = features[shown]`; the guess is `features @ inv(A) @ x.T @ clicks`.",
        "The bonus of item a is alpha times the root of f_a inv(A) f_a: "
        "`((features @ inverse) * features).sum(dim=1).sqrt()`.",
    ),
    mistakes=(
        (_scored(sign=0.0), "There is no bonus: greedy never looks at an item again after bad luck."),
        (
            lambda f, shown, y, alpha, p: _scored()(f, shown, y, 1.0, p),
            "You did not use alpha: it weighs the bonus.",
        ),
        (
            lambda f, shown, y, alpha, p: _of_rows(f, f[shown], f, y, alpha, p),
            "Your A is a sum over all items. Nothing is known of what was never shown: sum over `features[shown]`.",
        ),
        (
            lambda f, shown, y, alpha, p: _of_rows(f, f[shown], f[shown][y > 0], y, alpha, p),
            "Your A leaves out what was shown and not clicked. A miss is evidence as well.",
        ),
        (_scored(sign=-1.0), "You subtracted the bonus. Be optimistic: the unknown could be the best."),
        (
            _scored(bonus=lambda f, inverse: ((f @ inverse) * f).sum(1)),
            "You forgot the root: the bonus is a standard deviation, not a variance.",
        ),
        (
            _scored(bonus=lambda f, inverse: ((f @ torch.linalg.inv(inverse)) * f).sum(1).sqrt()),
            "Your bonus grows with what was shown. Use the inverse of A: it shrinks as A grows.",
        ),
        (
            _scored(bonus=lambda f, inverse: f.norm(dim=1) * inverse.diagonal().mean().sqrt()),
            "Your bonus ignores the directions. An item is well known when items *like it* were shown.",
        ),
        (_scored(penalty=lambda p: 1.0), "You did not use the penalty: A starts as penalty times the identity."),
        (
            _scored(clicks=lambda x, y: x.T @ (2 * y - 1)),
            "You counted a miss as -1. It is 0: A already knows that the item was shown.",
        ),
        (
            lambda f, shown, y, alpha, p: _scored()(f, shown.unique(), y[: len(shown.unique())], alpha, p),
            "Every showing counts, also the second of the same item: do not drop repetitions.",
        ),
    ),
)


review = Review(
    id="14.review",
    faults={
        "joined(train, new)": "The new user's ratings, the right answers among them, are learnt from.",
        "EASE(reg=20.0).fit": "Collaborative filtering has nothing to say of a user or film without events; it looks "
        "like a cure here because the events were added the line before.",
        "history=new": "The history is the test: at the first visit there is none.",
        "torch.topk(": "What was in the history is not left out, so that the list repeats it.",
        "return float(": "One number, beside nothing: no Random, no Popularity, no interval.",
    },
    fine={
        "new.positives()": "Ratings of 4 or more are the right answers everywhere in this course.",
    },
)

check, hint, solution = bind((COLD_ITEM_SPLIT, CB2CF_RIDGE, WARM_COLD_BLEND, NEXT_QUESTION, LINUCB))
