"""Exercises of lesson 02, measuring recommendations."""

import torch
from torch import Tensor

from recsys_course import metrics
from recsys_course.checks import Exercise, bind
from recsys_course.data import Interactions
from recsys_course.review import Review

HITS = torch.tensor([[1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
ONE_USER = (HITS[:1], torch.tensor([4]))
THREE_USERS = (HITS, torch.tensor([4, 1, 2]))
NOTHING_TO_FIND = (HITS[1:], torch.tensor([2, 0]))
PERFECT = (torch.ones(2, 4, dtype=torch.bool), torch.tensor([4, 9]))
NO_HIT_ON_TOP = (torch.tensor([[1, 0, 0]], dtype=torch.bool), torch.tensor([3]))
LONG_LIST = (torch.tensor([[0, 1, 0, 0, 1, 0, 0, 1]], dtype=torch.bool), torch.tensor([5]))


def many_users() -> list[tuple]:
    """Fifty seeded users with lists of ten: the case a wrong shortcut rarely survives."""
    generator = torch.Generator().manual_seed(2)
    hits = torch.rand(50, 10, generator=generator) < 0.3
    return [(hits, hits.sum(1) + torch.randint(0, 20, (50,), generator=generator))]


RECALL = Exercise(
    id="02.recall",
    level="easy",
    minutes=8,
    reference=metrics.recall,
    cases=(ONE_USER, THREE_USERS, NOTHING_TO_FIND, PERFECT),
    hidden=tuple(many_users()),
    hints=(
        "How many relevant items did each list catch? Count the hits of a row: along `dim=1`.",
        "Divide by how many relevant items there were to catch, not by how long the list is.",
        "0 hits out of 0 is `0 / 0`. What does torch give for it, and is that the honest answer here?",
    ),
    mistakes=(
        (
            lambda hits, n: hits.float().mean(dim=1),
            "You divided by k, the length of the list: that is precision. Recall asks how much of what was there to "
            "find was found.",
        ),
        (
            lambda hits, n: hits.sum() / n.sum(),
            "You pooled all users into one number, so heavy users count most. Recall is one value per user; the mean "
            "over users comes later.",
        ),
        (
            lambda hits, n: hits.sum() / n,
            "`sum()` without a `dim` adds up the hits of all users. Count each row by itself: dim=1.",
        ),
        (
            lambda hits, n: hits.sum(dim=0) / n,
            "You summed over the users (dim=0). Each row is one user's list: sum along dim=1.",
        ),
        (
            lambda hits, n: hits.sum(dim=1) / n.clamp(max=hits.shape[1]),
            "You divided by min(k, n). Some libraries call that recall, too; the textbook's recall divides by n, and "
            "then a short list cannot reach 1.",
        ),
        (
            lambda hits, n: (hits.sum(dim=1) / n).nan_to_num(),
            "A user with nothing to find got 0. There was no question, so there is no answer: leave it NaN, or the "
            "mean punishes the model for it.",
        ),
        (
            lambda hits, n: hits.any(dim=1).float(),
            "You asked whether anything was found: that is the hit rate. Recall counts how many.",
        ),
        (
            lambda hits, n: hits.sum(dim=1) // n,
            "`//` throws the fraction away, so almost every value becomes 0. Divide with `/`.",
        ),
        (
            lambda hits, n: (hits.sum(dim=1) / n)[n > 0],
            "You dropped a user. Return one value per row: leave NaN where nothing could be found, the mean skips it.",
        ),
        (
            lambda hits, n: (hits.sum(dim=1) / n).nan_to_num(1.0),
            "A user with nothing to find got 1. Finding nothing of nothing is no success: leave it NaN.",
        ),
    ),
)


def _discounts(k: int) -> Tensor:
    return 1 / torch.arange(2, k + 2).log2()  # [k]


def _dcg(hits: Tensor) -> Tensor:
    return (hits * _discounts(hits.shape[1])).sum(dim=1)


def _own_hits_sorted(hits: Tensor) -> Tensor:
    return _dcg(hits) / _dcg(hits.sort(dim=1, descending=True).values)


def _unknown(values: Tensor, n: Tensor) -> Tensor:
    return values.masked_fill(n == 0, torch.nan)


OWN_HITS = (
    "Your perfect list is your own hits, sorted: one lucky hit on top scores 1. The perfect list is made of all n "
    "relevant items, found or not."
)
ONLY_DCG = "This is DCG. Divide by the DCG of a perfect list, or users with many relevant items look better served."


def _log_of_the_rank(hits: Tensor, n: Tensor) -> Tensor:
    gains = 1 / torch.arange(1, hits.shape[1] + 1).clamp(min=2).log2()  # ranks 1 and 2 weigh the same
    return ((hits * gains).sum(1) / gains.cumsum(0)[n.clamp(1, len(gains)) - 1]).masked_fill(n == 0, torch.nan)


def _ideal_not_cut(hits: Tensor, n: Tensor) -> Tensor:
    ideal = _discounts(int(max(n.max(), 1))).cumsum(0)[n.clamp(min=1) - 1]
    return (_dcg(hits) / ideal).masked_fill(n == 0, torch.nan)


NDCG = Exercise(
    id="02.ndcg",
    level="medium",
    minutes=10,
    reference=metrics.ndcg,
    cases=(ONE_USER, NO_HIT_ON_TOP, THREE_USERS, NOTHING_TO_FIND, PERFECT, LONG_LIST),
    hidden=tuple(many_users()),
    hints=(
        "Give the hit at rank r the weight 1 / log2(r + 1): `torch.arange(2, k + 2).log2()` is the row of divisors.",
        "A perfect list has its min(k, n) hits first. Its gain is a running sum of the same weights: `cumsum`.",
        "`perfect = weights.cumsum(0)[n_relevant.clamp(1, k) - 1]`, and NaN where n_relevant is 0.",
    ),
    mistakes=(
        (lambda hits, n: _dcg(hits), ONLY_DCG + " And n = 0 gives NaN."),
        (lambda hits, n: _unknown(_dcg(hits), n), ONLY_DCG),
        (lambda hits, n: _own_hits_sorted(hits), OWN_HITS + " And a list without a hit scores 0, not NaN."),
        (lambda hits, n: _own_hits_sorted(hits).nan_to_num(), OWN_HITS + " And n = 0 gives NaN."),
        (lambda hits, n: _unknown(_own_hits_sorted(hits).nan_to_num(), n), OWN_HITS),
        (
            lambda hits, n: _unknown(_dcg(hits) / _discounts(hits.shape[1]).sum(), n),
            "Your perfect list always has k hits. A user with n < k relevant items can fill only n places: min(k, n).",
        ),
        (
            lambda hits, n: _dcg(hits) / n,
            "You divided by how many relevant items there are. Divide by what they would earn in perfect order.",
        ),
        (
            _ideal_not_cut,
            "Your perfect list is longer than k. Nobody can put n > k items into k places: cut the ideal at min(k, n).",
        ),
        (
            _log_of_the_rank,
            "You discount by log2(r), so that ranks 1 and 2 weigh the same (or rank 1 divides by zero). Use "
            "log2(r + 1).",
        ),
        (
            lambda hits, n: hits.sum(dim=1) / n.clamp(max=hits.shape[1]),
            "Every rank counts the same in your version. NDCG is about order: weigh the hit at rank r by "
            "1 / log2(r + 1).",
        ),
        (
            lambda hits, n: metrics.ndcg(hits, n).nan_to_num(),
            "A user with nothing to find got 0. No perfect list exists for them: leave it NaN.",
        ),
    ),
)


def find_leak(train: Interactions, held_out: Interactions) -> str:
    """``overlap``, ``future`` or ``none``: why this is no honest cut at one moment in time."""
    if torch.isin(train.keys, held_out.keys).any():
        return "overlap"
    if train.times.max() >= held_out.times.min():
        return "future"
    return "none"


def _events(*rows: tuple[int, int, int]) -> Interactions:
    """Rows of user, item, time in a world of 3 users and 4 items."""
    users, items, times = zip(*rows, strict=True)
    return Interactions.from_events(users, items, times=times, n_users=3, n_items=4)


CLEAN = (_events((0, 0, 1), (0, 1, 2), (1, 0, 3)), _events((0, 2, 5), (1, 1, 6)))
SAME_PAIR = (_events((0, 0, 1), (0, 1, 2), (1, 0, 3)), _events((0, 1, 5), (1, 2, 6)))
OTHERS_FUTURE = (_events((0, 0, 1), (1, 1, 9)), _events((0, 2, 3)))
SAME_SECOND = (_events((0, 0, 1), (1, 1, 3)), _events((2, 2, 3), (0, 3, 4)))
OWN_FUTURE = (_events((0, 0, 1), (0, 1, 7)), _events((0, 2, 5)))
BOTH = (_events((0, 0, 1), (0, 1, 7)), _events((0, 0, 5)))
YOUNGEST_FIRST = (_events((0, 0, 9), (1, 1, 1)), _events((1, 2, 5)))
OLDEST_LAST = (_events((0, 0, 1), (0, 1, 4)), _events((0, 2, 5), (1, 3, 3)))
YOUNGEST_LAST = (_events((0, 0, 1), (0, 1, 6)), _events((0, 2, 5), (1, 3, 3), (2, 0, 8)))
ALL_LATER = (_events((0, 0, 5), (1, 1, 6)), _events((0, 1, 3)))
NEW_USER = (_events((0, 0, 1), (1, 1, 2)), _events((2, 0, 5)))
NEW_FILM = (_events((0, 0, 1), (1, 1, 2)), _events((0, 2, 5)))
CROSSED = (_events((0, 0, 1), (1, 1, 2)), _events((0, 1, 5), (1, 0, 6)))


def _own_future_only(train: Interactions, held_out: Interactions) -> str:
    first = {int(u): int(held_out.times[held_out.users == u].min()) for u in held_out.users.unique()}
    late = [int(t) >= first.get(int(u), 1 << 60) for u, t in zip(train.users, train.times, strict=True)]
    return _overlap_or(train, held_out, "future" if any(late) else "none")


def _overlap_or(train: Interactions, held_out: Interactions, otherwise: str) -> str:
    return "overlap" if torch.isin(train.keys, held_out.keys).any() else otherwise


FIND_LEAK = Exercise(
    id="02.find_leak",
    level="medium",
    minutes=10,
    reference=find_leak,
    cases=(
        CLEAN,
        SAME_PAIR,
        OTHERS_FUTURE,
        SAME_SECOND,
        OWN_FUTURE,
        BOTH,
        YOUNGEST_FIRST,
        OLDEST_LAST,
        YOUNGEST_LAST,
        CROSSED,
        ALL_LATER,
        NEW_USER,
        NEW_FILM,
    ),
    hidden=(
        (_events((2, 3, 4), (1, 1, 2)), _events((2, 3, 4))),
        (_events((2, 3, 4), (1, 1, 2)), _events((2, 1, 5), (1, 3, 8))),
    ),
    hints=(
        "`train.keys` holds one number for each user-film pair. `torch.isin` finds the pairs that are on both sides.",
        "A cut at one moment means: the youngest training event is older than the oldest held-out event, of anybody.",
        "Check the overlap first. Then compare `train.times.max()` with `held_out.times.min()`. What about the same "
        "second?",
    ),
    mistakes=(
        (
            lambda t, h: _overlap_or(t, h, "none"),
            "A later training event slipped through. Compare the youngest of all training events with the oldest of "
            "all held-out ones.",
        ),
        (
            lambda t, h: "future" if t.times.max() >= h.times.min() else "none",
            "You never looked for a user-film pair on both sides: compare `keys` first.",
        ),
        (
            lambda t, h: _overlap_or(t, h, "future" if t.times.max() >= h.times.max() else "none"),
            "You compared with the youngest held-out event. Held-out begins with its oldest one: min().",
        ),
        (
            lambda t, h: _overlap_or(t, h, "future" if t.times[-1] >= h.times[0] else "none"),
            "Rows are sorted by user, so first and last row are no times. Use times.max() and times.min().",
        ),
        (
            lambda t, h: _overlap_or(t, h, "future" if t.times[-1] >= h.times.min() else "none"),
            "Training rows are sorted by user, so the last row is not the youngest event. Use times.max().",
        ),
        (
            lambda t, h: _overlap_or(t, h, "future" if t.times.max() >= h.times[0] else "none"),
            "Held-out rows are sorted by user, so the first row is not the oldest event. Use times.min().",
        ),
        (
            lambda t, h: (
                "overlap"
                if torch.isin(t.users, h.users).any() and torch.isin(t.items, h.items).any()
                else find_leak(t, h)
            ),
            "You checked user and film apart. They must meet in one event on each side: compare `keys`.",
        ),
        (
            lambda t, h: "overlap" if torch.isin(t.items, h.items).any() else find_leak(t, h),
            "You compared films alone. A film may be on both sides; the same user with the same film may not.",
        ),
        (
            lambda t, h: "overlap" if torch.isin(t.users, h.users).any() else find_leak(t, h),
            "You compared users alone. A user may be on both sides; the same user with the same film may not.",
        ),
        (
            _own_future_only,
            "You looked at each user's own future. Other people's future leaks as well: on the day of the cut the "
            "model cannot know what anybody does later.",
        ),
        (
            lambda t, h: _overlap_or(t, h, "future" if t.times.max() > h.times.min() else "none"),
            "Two events of the same second straddle your cut. The last training event must be older: use >=.",
        ),
        (
            lambda t, h: _overlap_or(t, h, "future" if t.times.min() >= h.times.min() else "none"),
            "You compared the oldest training event. One young one is enough to leak: compare the youngest, max().",
        ),
        (
            lambda t, h: "future" if t.times.max() >= h.times.min() else _overlap_or(t, h, "none"),
            "Where both are wrong, name the overlap: the answer itself stands in the training data.",
        ),
    ),
)


def _pairs(scores: Tensor, labels: Tensor, tie: float) -> float:
    gaps = scores[labels].unsqueeze(1) - scores[~labels].unsqueeze(0)  # [n_positive, n_negative]
    return float(((gaps > 0).float() + tie * (gaps == 0).float()).mean())


def _auc_by_row_order(scores: Tensor, labels: Tensor) -> float:
    ranks = torch.empty(len(scores)).scatter(0, scores.argsort(stable=True), torch.arange(1.0, len(scores) + 1))
    n_positive = labels.sum()
    return float((ranks[labels].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * (~labels).sum()))


def auc(scores: Tensor, labels: Tensor) -> float:
    """Chance that a positive scores above a negative, ties one half: float ``[n]``, bool ``[n]`` to a number."""
    gaps = scores[labels].unsqueeze(1) - scores[~labels].unsqueeze(0)  # [n_positive, n_negative]
    return float(((gaps > 0).float() + 0.5 * (gaps == 0).float()).mean())


AUC = Exercise(
    id="02.auc",
    level="stretch",
    minutes=10,
    reference=auc,
    cases=(
        (torch.tensor([0.9, 0.2]), torch.tensor([True, False])),
        (torch.tensor([0.1, 0.4, 0.4]), torch.tensor([False, True, False])),
        (torch.tensor([0.5, 0.5, 0.5, 0.5]), torch.tensor([False, True, False, True])),
        (torch.tensor([0.8, 0.3, 0.6, 0.3, 0.1]), torch.tensor([False, True, True, False, False])),
        (torch.tensor([0.5001, 0.5]), torch.tensor([True, False])),
        (torch.tensor([0.3, 0.7, 0.4, 0.2, 0.9, 0.1]), torch.ones(6, dtype=torch.bool)),
    ),
    hidden=((torch.arange(20.0) % 7, torch.arange(20) % 3 == 0),),
    hints=(
        "Take every pair of a positive and a negative. In what share of the pairs does the positive score higher?",
        "`scores[labels].unsqueeze(1) - scores[~labels].unsqueeze(0)` is the table of all pairs. A gap of 0 counts ½.",
        "With one class there is no pair. The mean of nothing is NaN, and that is the right answer.",
    ),
    mistakes=(
        (lambda s, y: _pairs(s, y, 0.0), "You counted ties as lost. A tie is a coin toss: it counts one half."),
        (
            lambda s, y: _pairs(s, y, 1.0),
            "You counted ties as won (>=). A constant score would get AUC 1; it must get ½.",
        ),
        (
            _auc_by_row_order,
            "Your ranks break ties by the order of the rows, so sorting the file changes the AUC. Give ties their "
            "mean rank.",
        ),
        (lambda s, y: 1 - _pairs(s, y, 0.5), "You have it upside down: count pairs where the positive scores higher."),
        (
            lambda s, y: 2 * _pairs(s, y, 0.5) - 1,
            "This is 2 AUC - 1, the Gini of credit scoring. AUC itself is a share of pairs, between 0 and 1.",
        ),
        (
            lambda s, y: _pairs(s, y, 0.5) * float(y.sum() * (~y).sum()) / len(s) ** 2,
            "You divided by all n x n pairs. Only pairs of a positive and a negative count.",
        ),
        (
            lambda s, y: float(((s > 0.5) == y).float().mean()),
            "This is accuracy at a threshold of 0.5. AUC knows no threshold: it compares pairs.",
        ),
    ),
)


def paired_interval(a: Tensor, b: Tensor, rows: Tensor) -> Tensor:
    """95 % interval of the mean of ``a - b``: ``[n_users]`` twice and ``[n_resamples, n_users]`` to ``[2]``."""
    means = (a - b)[rows].mean(dim=1)  # [n_resamples]
    return means.quantile(torch.tensor([0.025, 0.975]))


def _two_models(seed: int, n_users: int = 40, n_resamples: int = 200) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    easy = torch.rand(n_users, generator=generator)  # what makes a user easy for both models
    noise = 0.1 * torch.randn(2, n_users, generator=generator)
    rows = torch.randint(0, n_users, (n_resamples, n_users), generator=generator)
    return easy + 0.05 + noise[0], easy + noise[1], rows


BY_HAND = (torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.0]), torch.tensor([[0, 0], [0, 1], [1, 1]]))
ENDS = torch.tensor([0.025, 0.975])


def _normal_ends(means: Tensor) -> Tensor:
    return means.mean() + torch.tensor([-1.96, 1.96]) * means.std()


PAIRED_INTERVAL = Exercise(
    id="02.paired_interval",
    level="stretch",
    minutes=8,
    reference=paired_interval,
    cases=(BY_HAND, _two_models(0), _two_models(1, n_users=12)),
    hidden=(_two_models(2, n_users=90),),
    tolerance=1e-4,
    hints=(
        "Take the difference of the two models first, user by user. What is hard about a user then cancels out.",
        "`rows[j]` names the users of resample j. `(a - b)[rows]` has shape [n_resamples, n_users]; average each row.",
        "The interval is the 2.5 % and the 97.5 % quantile of those means: `means.quantile(...)`.",
    ),
    mistakes=(
        (
            lambda a, b, rows: (a[rows].mean(1) - b[rows.flip(0)].mean(1)).quantile(ENDS),
            "You drew different users for the two models. Draw each user with both values, or the easy and the hard "
            "users widen the interval.",
        ),
        (
            lambda a, b, rows: (a - b)[rows].mean(1).quantile(torch.tensor([0.05, 0.95])),
            "You cut 5 % off each end: that is a 90 % interval. Cut 2.5 % off each.",
        ),
        (
            lambda a, b, rows: (a - b).quantile(ENDS),
            "This is the spread of users, not of the mean. Average each resample first.",
        ),
        (
            lambda a, b, rows: a[rows].mean(1).quantile(ENDS) - b[rows].mean(1).quantile(ENDS),
            "You subtracted the ends of two intervals. Subtract user by user first, then take the quantiles.",
        ),
        (
            lambda a, b, rows: (a - b)[rows].mean(0).quantile(ENDS),
            "You averaged over the resamples (dim=0). Each row is one resample of users: average along dim=1.",
        ),
        (
            lambda a, b, rows: _normal_ends((a - b)[rows].mean(1)),
            "This is the normal approximation. Take the 2.5 % and the 97.5 % quantile of the resampled means.",
        ),
        (
            lambda a, b, rows: (b - a)[rows].mean(1).quantile(ENDS),
            "You subtracted a from b. The sign tells which model wins: a - b.",
        ),
        (
            lambda a, b, rows: a[rows].mean(1).quantile(ENDS),
            "This is the interval of model a alone. The question is about the difference.",
        ),
    ),
)

review = Review(
    id="02.review",
    faults={
        "len(relevant) / n_items": "this is the share of all films that are relevant. It does not look at the list, "
        "so every model gets the same value.",
        "accuracy = ": "hits / k is precision. Accuracy would also count the films rightly left out, and would be "
        "near 99 % even for a random list.",
        "sorted(hits": "the perfect list is made of the list's own hits. It must hold the min(k, n) relevant films, "
        "found or not.",
    },
    fine={
        "int(item in relevant)": "It marks the hits, best rank first.",
        "enumerate(hits)": "`rank` starts at 0 here, so log2(rank + 2) is the usual discount.",
        "if ideal else": "It only guards against a division by zero.",
    },
)

check, hint, solution = bind((RECALL, NDCG, FIND_LEAK, AUC, PAIRED_INTERVAL))
