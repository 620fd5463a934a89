"""Exercises of lesson 04, matrix factorisation."""

import torch
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.review import Review


def sgd_step(
    rating: float,
    mean: float,
    user_bias: float,
    item_bias: float,
    p: Tensor,
    q: Tensor,
    learning_rate: float,
    reg: float,
) -> tuple[float, float, Tensor, Tensor]:
    """One step downhill for one rating; ``p`` and ``q`` are ``[dim]``: new user_bias, item_bias, p, q."""
    error = rating - (mean + user_bias + item_bias + p @ q)
    return (
        user_bias + learning_rate * (error - reg * user_bias),
        item_bias + learning_rate * (error - reg * item_bias),
        p + learning_rate * (error * q - reg * p),
        q + learning_rate * (error * p - reg * q),  # the old p
    )


def _step(error=None, by=None, reg=(1, 1), regular=None, scale=1.0):
    """A step in which one part is another: the error, the factors' directions, the penalty of biases and factors."""

    def wrong(r, m, b, c, p, q, rate, penalty):
        e = scale * (r - (m + b + c + p @ q) if error is None else error(r, m, b, c, p, q))
        to_p, to_q = (q, p) if by is None else by(p, q)
        slope = (lambda x: penalty * x) if regular is None else regular(penalty)
        on_bias, on_factor = reg
        return (
            b + rate * (e - on_bias * slope(b)),
            c + rate * (e - on_bias * slope(c)),
            p + rate * (e * to_p - on_factor * slope(p)),
            q + rate * (e * to_q - on_factor * slope(q)),
        )

    return wrong


def _in_turn(r, m, b, c, p, q, rate, reg):
    e = r - (m + b + c + p @ q)
    p = p + rate * (e * q - reg * p)
    return b + rate * (e - reg * b), c + rate * (e - reg * c), p, q + rate * (e * p - reg * q)


def _in_turn_from_q(r, m, b, c, p, q, rate, reg):
    e = r - (m + b + c + p @ q)
    q = q + rate * (e * p - reg * q)
    return b + rate * (e - reg * b), c + rate * (e - reg * c), p + rate * (e * q - reg * p), q


def _error_again(r, m, b, c, p, q, rate, reg):
    def error():
        return r - (m + b + c + p @ q)

    b = b + rate * (error() - reg * b)
    c = c + rate * (error() - reg * c)
    p = p + rate * (error() * q - reg * p)
    return b, c, p, q + rate * (error() * p - reg * q)


def _biases_first(r, m, b, c, p, q, rate, reg):
    e = r - (m + b + c + p @ q)
    b, c = b + rate * (e - reg * b), c + rate * (e - reg * c)
    _, _, p, q = sgd_step(r, m, b, c, p, q, rate, reg)
    return b, c, p, q


def _parts(part):
    """What a step would return if it returned something else."""
    return lambda r, m, b, c, p, q, rate, reg: part(
        (b, c, p, q), sgd_step(r, m, b, c, p, q, rate, reg), sgd_step(r, m, b, c, p, q, 1.0, reg)
    )


def _factors_only(old, new, _):
    return old[0], old[1], new[2], new[3]


def _rate_on_error_only(r, m, b, c, p, q, rate, reg):
    e = r - (m + b + c + p @ q)
    return b + rate * e - reg * b, c + rate * e - reg * c, p + rate * e * q - reg * p, q + rate * e * p - reg * q


def _rate_on_penalty_only(r, m, b, c, p, q, rate, reg):
    e = r - (m + b + c + p @ q)
    return b + e - rate * reg * b, c + e - rate * reg * c, p + e * q - rate * reg * p, q + e * p - rate * reg * q


NO_PENALTY = (4.0, 3.0, 0.0, 0.0, torch.tensor([1.0, 0.0]), torch.tensor([0.5, 1.0]), 0.1, 0.0)
PENALTY = (2.0, 3.5, 0.4, -0.2, torch.tensor([0.6, -0.8]), torch.tensor([1.0, 0.5]), 0.1, 0.5)
RIGHT_ALREADY = (4.5, 3.5, 0.5, 0.5, torch.tensor([0.0, 0.0]), torch.tensor([1.0, -1.0]), 0.1, 0.2)
ABOVE_FIVE = (5.0, 3.5, 1.1, 0.9, torch.tensor([0.5]), torch.tensor([0.4]), 0.1, 0.1)
THREE_DIM = (5.0, 3.6, -0.3, 0.7, torch.tensor([0.2, -0.4, 0.9]), torch.tensor([-0.5, 0.3, 0.1]), 0.05, 0.1)


def many_ratings(seed: int = 4, n: int = 5) -> tuple[tuple, ...]:
    """A few seeded ratings of vectors with eight numbers."""
    generator = torch.Generator().manual_seed(seed)
    cases = []
    for rating in range(1, n + 1):
        p, q = 0.3 * torch.randn(2, 8, generator=generator)
        b, c = (0.4 * torch.randn(2, generator=generator)).tolist()
        cases.append((float(rating), 3.5, b, c, p, q, 0.02 * rating, 0.05))
    return tuple(cases)


SGD_STEP = Exercise(
    id="04.sgd_step",
    level="easy",
    minutes=10,
    reference=sgd_step,
    cases=(NO_PENALTY, PENALTY, RIGHT_ALREADY, ABOVE_FIVE, THREE_DIM),
    hidden=many_ratings(),
    hints=(
        "First the error: the rating minus the prediction, mean + both biases + p @ q, all from the old values.",
        "Downhill means minus the gradient: p moves by learning_rate * (error * q - reg * p). Whose turn is q, and "
        "with which p?",
        "A bias has the factor 1 beside it: learning_rate * (error - reg * user_bias). Return user_bias, item_bias, p, "
        "q, in this order.",
    ),
    mistakes=(
        (
            _step(by=lambda p, q: (torch.ones_like(p), torch.ones_like(q))),
            "The other factor is missing: every number of p moves by the same amount, so p learns no direction. The "
            "slope of p @ q along p is q.",
        ),
        (
            _step(by=lambda p, q: (p, q)),
            "You multiplied the error with the vector's own numbers. The slope of p @ q along p is q, along q it is p.",
        ),
        (
            _step(error=lambda r, m, b, c, p, q: m + b + c + p @ q - r),
            "Your error has the wrong sign: prediction minus rating. A rating above the prediction must pull it up.",
        ),
        (
            _parts(lambda old, new, _: tuple(2 * o - n for o, n in zip(old, new, strict=True))),
            "You walk uphill: the gradient is added. Go against it.",
        ),
        (_in_turn, "q moved with the new p. Both gradients belong to the same point: use the old p."),
        (_in_turn_from_q, "p moved with the new q. Both gradients belong to the same point: use the old q."),
        (_error_again, "You computed the error again after each update. Compute it once, from the old values."),
        (_biases_first, "The biases moved before the factors saw the error. Compute it once, from the old values."),
        (_step(reg=(0, 0)), "No penalty: without reg the vectors of users with few ratings grow to fit noise."),
        (_step(reg=(0, 1)), "The biases pay no penalty in your step. The objective squares them, too."),
        (_step(reg=(1, 0)), "The factors pay no penalty in your step. The objective squares them, too."),
        (
            _step(reg=(-1, -1)),
            "Your penalty pushes away from zero. It must pull towards it: minus reg times the value.",
        ),
        (
            _step(reg=(2, 2), scale=2.0),
            "All your steps are twice too long: the halves in the objective cancel the 2 of the square.",
        ),
        (_step(scale=2.0), "The error counts twice: the half in the objective cancels the 2 of the square."),
        (_step(reg=(2, 2)), "The penalty counts twice: the half in the objective cancels the 2 of the square."),
        (
            _step(regular=lambda penalty: lambda x: penalty * x * x),
            "You subtract the penalty itself. The step needs its slope: reg times the value, not the square.",
        ),
        (
            _step(regular=lambda penalty: lambda x: penalty),
            "You subtract the same reg from everything. The slope of half a square is the value: reg * p.",
        ),
        (
            _step(error=lambda r, m, b, c, p, q: r - (b + c + p @ q)),
            "Your prediction lacks the mean, so the biases have to learn 3.5 for every user.",
        ),
        (_step(error=lambda r, m, b, c, p, q: r - (m + p @ q)), "Your prediction lacks the biases."),
        (_step(error=lambda r, m, b, c, p, q: r - (m + b + c)), "Your prediction lacks p @ q."),
        (
            _step(error=lambda r, m, b, c, p, q: (r - (m + b + c + p @ q)) ** 2),
            "You step by the squared error. Its slope is the error itself, sign included.",
        ),
        (
            _step(error=lambda r, m, b, c, p, q: r - m + b + c + p @ q),
            "You subtract the mean alone. The whole prediction goes: rating - (mean + user_bias + item_bias + p @ q).",
        ),
        (
            _step(error=lambda r, m, b, c, p, q: r - min(max(m + b + c + p @ q, 1), 5)),
            "You clip the prediction to 1 to 5 stars and then learn from it. Clip answers, not errors: 5.7 errs.",
        ),
        (_rate_on_error_only, "The learning rate must scale the penalty as well: it is part of the same gradient."),
        (_rate_on_penalty_only, "The learning rate must scale the error as well: it is part of the same gradient."),
        (_parts(lambda old, new, far: far), "The learning rate is missing: you took the whole gradient as a step."),
        (_parts(_factors_only), "Only the factors moved. A bias is a parameter, too: its slope is -error."),
        (
            _parts(lambda old, new, _: tuple(n - o for o, n in zip(old, new, strict=True))),
            "You returned the changes. Return the new values: old plus change.",
        ),
        (
            _parts(lambda old, new, far: tuple(o - f for o, f in zip(old, far, strict=True))),
            "You returned the gradients. Return the new values: old minus learning_rate times gradient.",
        ),
        (
            _parts(lambda old, new, _: (new[2], new[3], new[0], new[1])),
            "The order is user_bias, item_bias, p, q: you returned the factors first.",
        ),
        (_parts(lambda old, new, _: (new[2], new[3])), "Return four things: the biases moved as well."),
    ),
)


def als_half_step(ratings: Tensor, item_factors: Tensor, reg: float) -> Tensor:
    """The best user factors for fixed items: ``[n_users, n_items]``, ``[n_items, dim]`` to ``[n_users, dim]``."""
    users = torch.zeros(len(ratings), item_factors.shape[1])
    for user, row in enumerate(ratings):
        rated = ~row.isnan()  # [n_items]
        q = item_factors[rated]  # [n_rated, dim]
        if len(q):
            ridge = q.T @ q + reg * len(q) * torch.eye(q.shape[1])  # [dim, dim]
            users[user] = torch.linalg.solve(ridge, q.T @ row[rated])
    return users


def _ridge(penalty=None, fill=None, gram=None, finish=None):
    """A half-step in which one part is another."""

    def wrong(ratings, factors, reg):
        rows = []
        for row in ratings:
            row = row if fill is None else row.nan_to_num(fill)
            rated = ~row.isnan()
            q, r, one = factors[rated], row[rated], torch.eye(factors.shape[1])
            matrix = (q.T @ q if gram is None else gram(factors, q)) + (
                reg * len(q) * one if penalty is None else penalty(reg, len(q), one)
            )
            empty = torch.zeros(factors.shape[1])
            rows.append(
                (torch.linalg.solve(matrix, q.T @ r) if finish is None else finish(matrix, q, r)) if len(q) else empty
            )
        return torch.stack(rows)

    return wrong


def _crashes_on_nobody(ratings, factors, reg):
    rows = []
    for row in ratings:
        rated = ~row.isnan()
        q = factors[rated]
        rows.append(torch.linalg.solve(q.T @ q + reg * len(q) * torch.eye(q.shape[1]), q.T @ row[rated]))
    return torch.stack(rows)


def _fills_nobody(with_what):
    def wrong(ratings, factors, reg):
        empty = ratings.isnan().all(1, keepdim=True)
        return torch.where(empty, with_what(factors), als_half_step(ratings, factors, reg))

    return wrong


NAN = float("nan")
TWO_USERS = (torch.tensor([[1.0, NAN, -1.0], [NAN, 0.5, NAN]]), torch.tensor([[1.0], [0.5], [-1.0]]), 0.5)
IDLE_USER = (
    torch.tensor([[1.0, -0.5, 0.5], [NAN, NAN, NAN]]),
    torch.tensor([[1.0, 0.0], [0.5, 1.0], [-0.5, 1.0]]),
    0.1,
)
ONE_RATING = (torch.tensor([[NAN, 1.5]]), torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 1.0]]), 0.2)
RATED_ZERO = (
    torch.tensor([[0.0, 1.0, NAN], [NAN, 0.0, -1.0], [2.0, NAN, 0.0]]),
    torch.tensor([[1.0, 0.5], [-1.0, 1.0], [0.5, 2.0]]),
    0.3,
)


def many_users(seed: int = 4, n_users: int = 12, n_items: int = 20, dim: int = 4) -> tuple:
    """Seeded ratings around zero, of which about half are missing, and item factors."""
    generator = torch.Generator().manual_seed(seed)
    ratings = torch.randn(n_users, n_items, generator=generator)
    ratings[torch.rand(n_users, n_items, generator=generator) < 0.5] = torch.nan
    return ratings, torch.randn(n_items, dim, generator=generator), 0.1


ALS_HALF_STEP = Exercise(
    id="04.als_half_step",
    level="medium",
    minutes=10,
    reference=als_half_step,
    cases=(TWO_USERS, IDLE_USER, ONE_RATING, RATED_ZERO),
    hidden=(many_users(), many_users(5, n_users=3, n_items=40, dim=6)),
    tolerance=1e-4,
    hints=(
        "One user at a time: q = item_factors of what they rated, r = those ratings. The rest is ridge regression.",
        "Solve (qᵀq + penalty) p = qᵀr with torch.linalg.solve. The penalty is reg times the number of ratings, on "
        "the diagonal.",
        "`torch.linalg.solve(q.T @ q + reg * len(q) * torch.eye(dim), q.T @ r)`; a user with no rating keeps zeros.",
    ),
    mistakes=(
        (
            _ridge(fill=0.0),
            "You took missing ratings for zeros. A missing rating says nothing: leave its row of item_factors out.",
        ),
        (
            _ridge(fill=0.0, penalty=lambda reg, n, one: reg * one),
            "One ridge for everybody: you took missing ratings for zeros, and charged the penalty once, not at every "
            "rating.",
        ),
        (
            _ridge(gram=lambda factors, q: factors.T @ factors),
            "Your Gram matrix holds all items. This user's equations hold the rated ones alone: q.T @ q.",
        ),
        (
            _ridge(penalty=lambda reg, n, one: reg * one),
            "You charge the penalty once. The objective charges it at every rating: reg times the number of ratings.",
        ),
        (
            lambda ratings, factors, reg: _ridge(penalty=lambda reg, n, one: reg * ratings.shape[1] * one)(
                ratings, factors, reg
            ),
            "You charge the penalty once for every film there is. Count the films that this user rated.",
        ),
        (
            _ridge(
                penalty=lambda reg, n, one: 0 * one, finish=lambda a, q, r: torch.linalg.lstsq(q, r, driver="gelsd")[0]
            ),
            "Plain least squares: without the penalty a user with fewer ratings than dimensions fits all of them.",
        ),
        (
            _ridge(penalty=lambda reg, n, one: 0 * one),
            "No penalty: a user with fewer ratings than dimensions has no single best p. Add reg times the number of "
            "ratings on the diagonal.",
        ),
        (
            _ridge(penalty=lambda reg, n, one: reg * n * torch.ones_like(one)),
            "You added the penalty to every entry of the matrix. It stands on the diagonal: multiply torch.eye(dim).",
        ),
        (
            _ridge(penalty=lambda reg, n, one: reg * torch.ones_like(one)),
            "You added reg to every entry, and once. It stands on the diagonal, times the number of ratings.",
        ),
        (
            _ridge(penalty=lambda reg, n, one: -reg * n * one),
            "Your penalty has the wrong sign: it must make the diagonal larger.",
        ),
        (
            _ridge(finish=lambda a, q, r: q.T @ r),
            "You stopped at the right-hand side. Solve the equations: p = (qᵀq + penalty)⁻¹ qᵀr.",
        ),
        (
            _ridge(finish=lambda a, q, r: q.T @ r / a.diagonal()),
            "You divided by the diagonal alone. Dimensions overlap: solve the whole matrix.",
        ),
        (
            _ridge(finish=lambda a, q, r: a @ (q.T @ r)),
            "You multiplied by the matrix. p needs its inverse: torch.linalg.solve(matrix, q.T @ r).",
        ),
        (
            _ridge(finish=lambda a, q, r: torch.linalg.solve(a, q.mean(0) * r.mean())),
            "You averaged first. Every rating pulls at its own item's vector: q.T @ r.",
        ),
        (
            _ridge(finish=lambda a, q, r: torch.linalg.solve(a, q.T @ r) / len(q)),
            "You divided the answer by the number of ratings. The solution of the equations is p itself.",
        ),
        (
            _ridge(finish=lambda a, q, r: torch.linalg.solve(a, q.T @ (r - r.mean()))),
            "You centred the ratings of each user. They are centred already: the biases have taken the means away.",
        ),
        (
            lambda ratings, factors, reg: als_half_step(ratings.where(ratings != 0, torch.nan), factors, reg),
            "A rating of 0 is a rating: these are centred, and 0 means average. Only NaN is missing.",
        ),
        (_crashes_on_nobody, "A user without ratings has nothing to solve: the matrix is zero. Return zeros for them."),
        (
            _fills_nobody(lambda factors: factors.mean(0)),
            "A user without ratings got the mean of the items. With nothing to fit, the penalty alone decides: zeros.",
        ),
        (_fills_nobody(lambda factors: torch.tensor(torch.nan)), "A user without ratings got NaN. Return zeros."),
        (
            lambda ratings, factors, reg: als_half_step(ratings[~ratings.isnan().all(1)], factors, reg),
            "You dropped a user. Return a row for everybody: zeros where there is no rating.",
        ),
        (
            lambda ratings, factors, reg: als_half_step(ratings, factors, reg).T,
            "Your result lies on its side: one row a user, [n_users, dim].",
        ),
    ),
)


def bpr_step(
    p: Tensor, liked: Tensor, other: Tensor, learning_rate: float, reg: float
) -> tuple[Tensor, Tensor, Tensor]:
    """One step for a user and two items, all ``[dim]``: the new p, liked and other."""
    push = torch.sigmoid(-(p @ (liked - other)))  # near 1 where the order is wrong, near 0 where it is right
    return (
        p + learning_rate * (push * (liked - other) - reg * p),
        liked + learning_rate * (push * p - reg * liked),
        other + learning_rate * (-push * p - reg * other),
    )


def _pair(push=None, along=None, reg=(1, 1, 1)):
    """A step in which one part is another: the push, or the directions of the three vectors."""

    def wrong(p, i, j, rate, penalty):
        weight = torch.sigmoid(-(p @ (i - j))) if push is None else push(p, i, j)
        directions = (i - j, p, -p) if along is None else along(p, i, j)
        vectors = zip((p, i, j), directions, reg, strict=True)
        return tuple(x + rate * (weight * direction - k * penalty * x) for x, direction, k in vectors)

    return wrong


def _pair_in_turn(p, i, j, rate, reg):
    push = torch.sigmoid(-(p @ (i - j)))
    p = p + rate * (push * (i - j) - reg * p)
    return p, i + rate * (push * p - reg * i), j + rate * (-push * p - reg * j)


def _items_in_turn(p, i, j, rate, reg):
    push = torch.sigmoid(-(p @ (i - j)))
    i, j = i + rate * (push * p - reg * i), j + rate * (-push * p - reg * j)
    return p + rate * (push * (i - j) - reg * p), i, j


def _slope(p, i, j):
    return torch.sigmoid(p @ (i - j)) * torch.sigmoid(-(p @ (i - j)))


def _rest(part):
    return lambda p, i, j, rate, reg: part((p, i, j), bpr_step(p, i, j, rate, reg), bpr_step(p, i, j, 1.0, reg))


WRONG_ORDER = (torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([2.0, 0.0]), 0.1, 0.0)
RIGHT_ORDER = (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 1.0]), torch.tensor([-1.0, 0.5]), 0.1, 0.0)
WITH_PENALTY = (torch.tensor([0.5, -1.0]), torch.tensor([1.0, 0.2]), torch.tensor([0.3, 0.4]), 0.2, 0.5)
FAR_APART = (torch.tensor([6.0, 0.0, 1.0]), torch.tensor([-9.0, 1.0, 0.0]), torch.tensor([8.0, 0.0, -1.0]), 0.05, 0.1)


def many_pairs(seed: int = 4, n: int = 4) -> tuple[tuple, ...]:
    """Seeded vectors of six numbers."""
    generator = torch.Generator().manual_seed(seed)
    return tuple((*torch.randn(3, 6, generator=generator), 0.05 * (k + 1), 0.02) for k in range(n))


BPR_STEP = Exercise(
    id="04.bpr_step",
    level="medium",
    minutes=8,
    reference=bpr_step,
    cases=(WRONG_ORDER, RIGHT_ORDER, WITH_PENALTY, FAR_APART),
    hidden=many_pairs(),
    hints=(
        "The lead is x = p @ (liked - other). The loss -log σ(x) has the slope -σ(-x): a large push where the order is "
        "wrong.",
        "The slope of x along p is liked - other, along liked it is p, along other it is -p. Multiply each by σ(-x).",
        "Each new vector is old + learning_rate * (σ(-x) * slope of x - reg * old), all three from the old values.",
    ),
    mistakes=(
        (
            _pair(push=lambda p, i, j: torch.sigmoid(p @ (i - j))),
            "You push hardest where the order is right already. The slope of -log σ(x) is -σ(-x), not -σ(x).",
        ),
        (
            _pair(push=_slope),
            "This is the slope of σ. The loss is -log σ(x): one of the two factors cancels, σ(-x) stays.",
        ),
        (
            _pair(push=lambda p, i, j: 1.0),
            "Every pair pushes alike. A pair in the right order should hardly move: σ(-x).",
        ),
        (
            _pair(push=lambda p, i, j: float(p @ (i - j) < 0)),
            "You only move where the order is wrong. BPR pushes always, ever more softly: σ(-x).",
        ),
        (
            _pair(push=lambda p, i, j: -torch.log(torch.sigmoid(p @ (i - j)))),
            "You multiply by the loss. A step needs its slope, σ(-x).",
        ),
        (
            _pair(push=lambda p, i, j: torch.exp(-(p @ (i - j))) / (1 + torch.exp(-(p @ (i - j))))),
            "exp overflows for a pair that is far in the wrong order, and inf / inf is nan: use torch.sigmoid(-x).",
        ),
        (
            _pair(push=lambda p, i, j: torch.sigmoid(p @ (j - i)), along=lambda p, i, j: (j - i, -p, p)),
            "You walk uphill: the liked item sinks below the other one. Go against the gradient.",
        ),
        (
            _rest(lambda old, new, _: tuple(2 * o - n for o, n in zip(old, new, strict=True))),
            "You walk uphill, with the penalty, too: you added the gradient. Go against it.",
        ),
        (
            _pair(push=lambda p, i, j: torch.sigmoid(p @ (i - j)), along=lambda p, i, j: (j - i, -p, p)),
            "Liked and other are swapped: x = p @ (liked - other), and the liked item moves towards p.",
        ),
        (
            _pair(push=lambda p, i, j: torch.sigmoid(-(p @ i))),
            "The push looks at the liked item alone. Its lead over the other one counts: p @ (liked - other).",
        ),
        (
            _pair(push=lambda p, i, j: torch.sigmoid(p @ j)),
            "The push looks at the other item alone. It is the lead of the liked one that counts: p @ (liked - other).",
        ),
        (
            _pair(along=lambda p, i, j: (j - i, p, -p)),
            "p moves towards the other item. The slope of the lead along p is liked - other.",
        ),
        (
            _pair(along=lambda p, i, j: (i - j, p, p)),
            "Both items move towards the user. The other one must move away: -p.",
        ),
        (
            _pair(along=lambda p, i, j: (i, p, -p)),
            "p moves by the liked item alone. The slope of the lead along p is liked - other.",
        ),
        (
            _pair(along=lambda p, i, j: (i + j, p, -p)),
            "p moves towards both items. The slope of the lead along p is liked - other.",
        ),
        (
            _pair(along=lambda p, i, j: (i - j, i, -j)),
            "The items moved along themselves. The slope of p @ liked along liked is p.",
        ),
        (
            _pair(along=lambda p, i, j: (torch.ones_like(p), torch.ones_like(p), -torch.ones_like(p))),
            "The other factor is missing: all numbers of a vector move alike. Along liked the slope is p, along p "
            "liked - other.",
        ),
        (
            _pair(along=lambda p, i, j: (i - j, p, 0 * p)),
            "The other item only shrinks. Its slope is -p: it must move away.",
        ),
        (_pair(along=lambda p, i, j: (0 * p, p, -p)), "The user stands still. The slope along p is liked - other."),
        (_pair_in_turn, "The items moved with the new p. All three gradients belong to the same point: use the old p."),
        (_items_in_turn, "p moved with the new items. All three gradients belong to the same point: use the old ones."),
        (
            _pair(reg=(0, 0, 0)),
            "No penalty: without reg the lead of every pair grows for ever, for -log σ never reaches 0.",
        ),
        (
            _pair(reg=(1, 0, 0)),
            "The items pay no penalty in your step. The objective squares all three vectors.",
        ),
        (
            _pair(reg=(0, 1, 1)),
            "The user pays no penalty in your step. The objective squares all three vectors.",
        ),
        (
            _pair(reg=(-1, -1, -1)),
            "Your penalty pushes away from zero. It must pull towards it: minus reg times the vector.",
        ),
        (_pair(reg=(2, 2, 2)), "The penalty counts twice: the half in the objective cancels the 2 of the square."),
        (_rest(lambda old, new, far: far), "The learning rate is missing: you took the whole gradient as a step."),
        (
            _rest(lambda old, new, far: tuple(n - o for o, n in zip(old, new, strict=True))),
            "You returned the changes. Return the new vectors: old plus change.",
        ),
        (
            _rest(lambda old, new, far: tuple(o - f for o, f in zip(old, far, strict=True))),
            "You returned the gradients. Return the new vectors: old minus learning_rate times gradient.",
        ),
        (
            lambda p, i, j, rate, reg: tuple(
                x + rate * s * torch.sigmoid(-(p @ (i - j))) - reg * x
                for x, s in zip((p, i, j), (i - j, p, -p), strict=True)
            ),
            "The learning rate must scale the penalty as well: it is part of the same gradient.",
        ),
    ),
)


def implicit_half_step(likes: Tensor, item_factors: Tensor, alpha: float, reg: float) -> Tensor:
    """The best user factors for bool likes ``[n_users, n_items]`` and fixed items ``[n_items, dim]``."""
    shared = item_factors.T @ item_factors + reg * torch.eye(item_factors.shape[1])  # [dim, dim], once for all users
    users = []
    for row in likes:
        q = item_factors[row]  # [n_liked, dim]
        users.append(torch.linalg.solve(shared + alpha * q.T @ q, (1 + alpha) * q.sum(0)))
    return torch.stack(users)


def _weighted(matrix=None, target=None):
    """An implicit half-step with another matrix or another right-hand side."""

    def wrong(likes, factors, alpha, reg):
        one, rows = torch.eye(factors.shape[1]), []
        for row in likes:
            q = factors[row]
            if matrix is None:
                left = factors.T @ factors + alpha * q.T @ q + reg * one
            else:
                left = matrix(factors, q, alpha, reg, one)
            right = (1 + alpha) * q.sum(0) if target is None else target(q, alpha)
            rows.append(torch.linalg.solve(left, right))
        return torch.stack(rows)

    return wrong


TWO_LIKERS = (torch.tensor([[1, 0, 1], [0, 1, 0]], dtype=torch.bool), torch.tensor([[1.0], [0.5], [-0.5]]), 2.0, 0.5)
LIKES_NOTHING = (
    torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]], dtype=torch.bool),
    torch.tensor([[1.0, 0.5], [0.5, 1.0], [-1.0, 0.5], [0.0, 2.0]]),
    4.0,
    1.0,
)
NO_EXTRA_WEIGHT = (
    torch.tensor([[1, 0, 0]], dtype=torch.bool),
    torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]),
    0.0,
    0.1,
)


def many_likers(seed: int = 4) -> tuple:
    """Seeded likes, one in five, of thirty items by ten users."""
    generator = torch.Generator().manual_seed(seed)
    likes = torch.rand(10, 30, generator=generator) < 0.2
    return likes, torch.randn(30, 5, generator=generator), 10.0, 0.3


IMPLICIT_HALF_STEP = Exercise(
    id="04.implicit_half_step",
    level="stretch",
    minutes=10,
    reference=implicit_half_step,
    cases=(TWO_LIKERS, LIKES_NOTHING, NO_EXTRA_WEIGHT),
    hidden=(many_likers(), many_likers(5)),
    tolerance=1e-4,
    hints=(
        "Without extra weight everybody has the same matrix, QᵀQ + reg on the diagonal: compute it once. Each like "
        "then adds a little.",
        "A liked film weighs 1 + alpha and 1 of it is in QᵀQ already, so it adds alpha * q qᵀ.",
        "Matrix: shared + alpha * q.T @ q. Right-hand side: (1 + alpha) * q.sum(0), as only likes have the target 1.",
    ),
    mistakes=(
        (
            _weighted(lambda f, q, alpha, reg, one: f.T @ f + (1 + alpha) * q.T @ q + reg * one),
            "Each liked film counts 2 + alpha times: QᵀQ holds it once already, so add alpha, not 1 + alpha.",
        ),
        (
            _weighted(lambda f, q, alpha, reg, one: (1 + alpha) * q.T @ q + reg * one),
            "The films without a like are gone. They are weak evidence of no interest: QᵀQ over all films stays in.",
        ),
        (
            _weighted(lambda f, q, alpha, reg, one: alpha * q.T @ q + reg * one),
            "QᵀQ over all films is missing: the likes add alpha on top of it.",
        ),
        (
            _weighted(lambda f, q, alpha, reg, one: f.T @ f + reg * one),
            "Every film weighs 1 in your matrix. A liked one weighs 1 + alpha: add alpha * q.T @ q.",
        ),
        (
            _weighted(lambda f, q, alpha, reg, one: f.T @ f + alpha * q.T @ q),
            "No penalty: add reg on the diagonal.",
        ),
        (
            _weighted(lambda f, q, alpha, reg, one: f.T @ f + alpha * q.T @ q + reg * torch.ones_like(one)),
            "You added reg to every entry of the matrix. The penalty stands on the diagonal: reg * torch.eye(dim).",
        ),
        (
            _weighted(lambda f, q, alpha, reg, one: f.T @ f + alpha * q.T @ q + reg * max(len(q), 1) * one),
            "You charged the penalty at every like. Here the objective charges each user once: reg.",
        ),
        (
            _weighted(lambda f, q, alpha, reg, one: f.T @ f + alpha * q.T @ q + reg * len(f) * one),
            "You charged the penalty at every film. The objective charges each user once: reg.",
        ),
        (
            _weighted(target=lambda q, alpha: q.sum(0)),
            "The right-hand side lost its weight: a liked film pulls with 1 + alpha.",
        ),
        (
            _weighted(target=lambda q, alpha: alpha * q.sum(0)),
            "The right-hand side weighs a like alpha. A liked film weighs 1 + alpha on both sides.",
        ),
        (
            _weighted(
                lambda f, q, alpha, reg, one: f.T @ f + alpha**2 * q.T @ q + reg * one,
                lambda q, alpha: (1 + alpha) ** 2 * q.sum(0),
            ),
            "You squared the weight. It stands outside the square: (1 + alpha) times the squared error.",
        ),
        (
            _weighted(target=lambda q, alpha: (1 + alpha) * q.mean(0) if len(q) else q.sum(0)),
            "You averaged the liked films. The equations add them up: q.sum(0).",
        ),
        (
            lambda likes, factors, alpha, reg: (1 + alpha) * likes.float() @ factors,
            "You stopped at the right-hand side. Solve the equations with torch.linalg.solve.",
        ),
        (
            lambda likes, factors, alpha, reg: implicit_half_step(likes, factors, alpha, reg)[likes.any(1)],
            "You dropped a user who likes nothing. The equations give zeros for them: return a row for everybody.",
        ),
    ),
)


def ease(likes: Tensor, reg: float) -> Tensor:
    """Weights that predict each item from the others: float ``[n_users, n_items]`` to ``[n_items, n_items]``."""
    gram = likes.T @ likes  # [n_items, n_items]
    inverse = torch.linalg.inv(gram + reg * torch.eye(len(gram)))
    return (-inverse / inverse.diagonal()).fill_diagonal_(0)  # column j is divided by inverse[j, j]


def _inverse(likes, reg):
    return torch.linalg.inv(likes.T @ likes + reg * torch.eye(likes.shape[1]))


def _solved(of):
    """Weights made from the inverse in another way."""
    return lambda likes, reg: of(_inverse(likes, reg), likes, reg)


def _without_diagonal(matrix):
    return matrix.clone().fill_diagonal_(0)


def _cosine(likes):
    gram, n = likes.T @ likes, likes.square().sum(0).clamp(min=1e-12)
    return _without_diagonal(gram / (n.unsqueeze(0) * n.unsqueeze(1)).sqrt())


THREE_FILMS = (torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]), 1.0)
UNLIKED_FILM = (torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]), 0.5)
TWO_FILMS = (torch.tensor([[1.0, 1.0], [1.0, 0.0], [1.0, 0.0]]), 2.0)


def many_likes(seed: int = 4) -> tuple:
    """Seeded likes, one in three, of six items by forty users."""
    return (torch.rand(40, 6, generator=torch.Generator().manual_seed(seed)) < 0.33).float(), 5.0


EASE = Exercise(
    id="04.ease",
    level="stretch",
    minutes=8,
    reference=ease,
    cases=(THREE_FILMS, UNLIKED_FILM, TWO_FILMS),
    hidden=(many_likes(), many_likes(5)),
    tolerance=1e-4,
    hints=(
        "Begin with the Gram matrix, likes.T @ likes, and add reg on its diagonal. P is the inverse of that.",
        "The weight from film i to film j is -P[i, j] / P[j, j]. Dividing a matrix by a row divides its columns.",
        "`(-P / P.diagonal()).fill_diagonal_(0)`: a film must not predict itself.",
    ),
    mistakes=(
        (
            _solved(lambda p, x, reg: -p / p.diagonal()),
            "The diagonal is -1 in your answer: set it to 0, a film must not predict itself.",
        ),
        (
            _solved(lambda p, x, reg: _without_diagonal(-p / p.diagonal().unsqueeze(1))),
            "You divided rows. The film that is predicted is the column: divide column j by P[j, j].",
        ),
        (
            _solved(lambda p, x, reg: _without_diagonal(p / p.diagonal())),
            "The sign is lost: films that go together would push each other down. It is -P[i, j] / P[j, j].",
        ),
        (
            _solved(lambda p, x, reg: _without_diagonal(-p / (p.diagonal() * p.diagonal().unsqueeze(1)).sqrt())),
            "You divided by both diagonals, as for a correlation. Only the predicted film's counts: P[j, j].",
        ),
        (
            _solved(lambda p, x, reg: _without_diagonal(p @ (x.T @ x))),
            "This is ridge regression in which a film may predict itself, with the diagonal wiped out afterwards. It "
            "must be forbidden while solving.",
        ),
        (
            _solved(lambda p, x, reg: p @ (x.T @ x)),
            "Here a film may predict itself, and that alone fits best: forbid it, -P[i, j] / P[j, j] off the diagonal.",
        ),
        (
            _solved(lambda p, x, reg: _without_diagonal(-p)),
            "Divide column j by P[j, j]: without it the weights into much liked films, whose P[j, j] is small, are too "
            "small.",
        ),
        (
            lambda likes, reg: _without_diagonal(
                (lambda p: -p / p.diagonal())(torch.linalg.inv(likes.T @ likes + reg * torch.ones(likes.shape[1], 1)))
            ),
            "You added reg to every entry of the matrix. The penalty stands on the diagonal: reg * torch.eye(n_items).",
        ),
        (
            lambda likes, reg: _without_diagonal(
                (lambda p: -p / p.diagonal())(
                    torch.linalg.inv(_without_diagonal(likes.T @ likes) + reg * torch.eye(likes.shape[1]))
                )
            ),
            "You wiped the diagonal of the Gram matrix. It says how often a film is liked; the weights' diagonal is 0.",
        ),
        (
            lambda likes, reg: _without_diagonal((lambda p: -p / p.diagonal())(torch.linalg.inv(likes.T @ likes))),
            "No penalty: a film that nobody liked makes the matrix singular. Add reg on the diagonal.",
        ),
        (
            lambda likes, reg: _without_diagonal((lambda p: -p / p.diagonal())(torch.linalg.pinv(likes.T @ likes))),
            "A pseudo-inverse hides the singular matrix. The penalty is missing: add reg on the diagonal.",
        ),
        (
            lambda likes, reg: _without_diagonal(
                (lambda p: -p / p.diagonal())(torch.linalg.inv(likes @ likes.T + reg * torch.eye(len(likes))))
            ),
            "You compared users, likes @ likes.T. EASE is about films: likes.T @ likes, [n_items, n_items].",
        ),
        (
            lambda likes, reg: _without_diagonal(likes.T @ likes),
            "This counts who liked both. EASE inverts that matrix first.",
        ),
        (lambda likes, reg: _cosine(likes), "This is item-KNN's cosine. EASE inverts the Gram matrix plus reg."),
    ),
)


def fold_in(
    items: Tensor, ratings: Tensor, mean: float, item_bias: Tensor, item_factors: Tensor, reg: float
) -> tuple[float, Tensor]:
    """A new user's bias and factors from their first ratings: items and ratings ``[n]``, factors ``[n_items, dim]``."""
    features = torch.cat([torch.ones(len(items), 1), item_factors[items]], dim=1)  # [n, 1 + dim]
    left = ratings - mean - item_bias[items]  # [n]
    penalty = reg * max(len(items), 1) * torch.eye(features.shape[1])
    solved = torch.linalg.solve(features.T @ features + penalty, features.T @ left)  # [1 + dim]
    return solved[0], solved[1:]


def _folded(left=None, penalty=None, features=None):
    """A fold-in in which one part is another."""

    def wrong(items, ratings, mean, bias, factors, reg):
        q = factors[items]
        x = torch.cat([torch.ones(len(items), 1), q], dim=1) if features is None else features(q)
        y = ratings - mean - bias[items] if left is None else left(ratings, mean, bias[items])
        a = (reg * max(len(items), 1) * torch.eye(x.shape[1])) if penalty is None else penalty(reg, x)
        solved = torch.linalg.solve(x.T @ x + a, x.T @ y)
        return solved[0], solved[1:]

    return wrong


def _no_user_bias(items, ratings, mean, bias, factors, reg):
    q = factors[items]
    ridge = q.T @ q + reg * max(len(items), 1) * torch.eye(q.shape[1])
    return 0.0, torch.linalg.solve(ridge, q.T @ (ratings - mean - bias[items]))


def _bias_first(items, ratings, mean, bias, factors, reg):
    q, left = factors[items], ratings - mean - bias[items]
    n = max(len(items), 1)
    user_bias = left.sum() / (n * (1 + reg))
    return user_bias, torch.linalg.solve(q.T @ q + reg * n * torch.eye(q.shape[1]), q.T @ (left - user_bias))


def _mean_bias(items, ratings, mean, bias, factors, reg):
    q, left = factors[items], ratings - mean - bias[items]
    n = max(len(items), 1)
    user_bias = left.sum() / n
    return user_bias, torch.linalg.solve(q.T @ q + reg * n * torch.eye(q.shape[1]), q.T @ (left - user_bias))


def _unpenalised_bias(reg, x):
    penalty = reg * max(len(x), 1) * torch.eye(x.shape[1])
    penalty[0, 0] = 0.0
    return penalty


ONE_FILM = (torch.tensor([1]), torch.tensor([5.0]), 3.5, torch.tensor([0.0, 0.5]), torch.tensor([[1.0], [2.0]]), 0.5)
THREE_RATINGS = (
    torch.tensor([2, 0, 3]),
    torch.tensor([4.0, 2.0, 5.0]),
    3.5,
    torch.tensor([0.2, 0.0, -0.4, 0.6]),
    torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [-1.0, 1.0]]),
    0.1,
)
NO_RATING = (torch.tensor([], dtype=torch.int64), torch.tensor([]), 3.5, torch.tensor([0.1, 0.2]), torch.eye(2), 0.1)


def many_films(seed: int = 4, n: int = 9, dim: int = 4) -> tuple:
    """A seeded user with some ratings of thirty items."""
    generator = torch.Generator().manual_seed(seed)
    items, ratings = torch.randperm(30, generator=generator)[:n], torch.randint(1, 6, (n,), generator=generator)
    bias, factors = 0.3 * torch.randn(30, generator=generator), torch.randn(30, dim, generator=generator)
    return items, ratings.float(), 3.4, bias, factors, 0.1


FOLD_IN = Exercise(
    id="04.fold_in",
    level="stretch",
    minutes=10,
    reference=fold_in,
    cases=(ONE_FILM, THREE_RATINGS, NO_RATING),
    hidden=(many_films(), many_films(5, n=3, dim=5)),
    tolerance=1e-4,
    hints=(
        "What is left for this user to explain? The ratings minus the mean minus the biases of these films.",
        "The user's bias is one more dimension in which every film has a 1: put ones before item_factors[items].",
        "Ridge regression as in als_half_step, penalty reg times the number of ratings (at least 1). First number: the "
        "bias.",
    ),
    mistakes=(
        (
            _folded(left=lambda r, mean, bias: r - mean),
            "You forgot the films' biases: a user who rates famous films 4.5 looks kind, though everybody does so.",
        ),
        (
            _folded(left=lambda r, mean, bias: r - bias),
            "You forgot the mean: the user's bias has to explain 3.5 stars that everybody gives.",
        ),
        (_folded(left=lambda r, mean, bias: r), "Subtract the mean and the films' biases from the ratings first."),
        (
            _folded(left=lambda r, mean, bias: r - mean + bias),
            "The films' biases are part of the prediction: subtract them, too.",
        ),
        (_no_user_bias, "The user's bias stayed 0. Some users are kinder than others: solve for it as well."),
        (
            _bias_first,
            "You found the bias first and the factors from the rest. They share the ratings: solve for both at once.",
        ),
        (
            _mean_bias,
            "The mean of what is left is no bias of this objective: it pays a penalty, and shares the ratings with p.",
        ),
        (
            _folded(penalty=lambda reg, x: reg * torch.eye(x.shape[1])),
            "You charge the penalty once. The objective charges it at every rating: reg times the number of ratings.",
        ),
        (
            _folded(penalty=_unpenalised_bias),
            "The bias pays no penalty in your answer. The objective squares it, too.",
        ),
        (
            _folded(penalty=lambda reg, x: 0 * torch.eye(x.shape[1])),
            "No penalty: with fewer ratings than unknowns there is no single answer, and with few a wild one.",
        ),
        (
            _folded(penalty=lambda reg, x: reg * max(len(x), 1) * torch.ones(x.shape[1], 1)),
            "You added the penalty to every entry of the matrix. It belongs on the diagonal: use torch.eye(1 + dim).",
        ),
        (
            _folded(penalty=lambda reg, x: reg * len(x) * torch.eye(x.shape[1])),
            "Without a rating your matrix is all zero and cannot be solved. Charge the penalty at least once.",
        ),
        (
            _folded(features=lambda q: torch.cat([q, torch.ones(len(q), 1)], dim=1)),
            "Your column of ones comes last, but you return the first number as the bias.",
        ),
        (lambda *given: fold_in(*given)[::-1], "The order is the bias first, then the factors."),
        (
            lambda items, ratings, mean, bias, factors, reg: (0.0, factors[items].sum(0) / max(len(items), 1)),
            "The mean of the films' vectors ignores the ratings: a film rated 1 would pull the user towards it.",
        ),
    ),
)

review = Review(
    id="04.review",
    faults={
        "triples.shape": "the table has one row a rating and three columns, so every rating becomes a user, and there "
        "are three films. Once training runs, film number 3 raises an IndexError.",
        "default_rng()": "no seed: every run ends with other numbers, and no bug can be found twice.",
        "rng.random((n_users": "numbers from 0 to 1: all vectors point the same way, and the first predictions "
        "depend on `dim` (dim / 4). Begin with small numbers around 0.",
        "p[user] +=": "the other factor is missing: the slope along p is error times q. Every number of the row "
        "moves by the same amount, so p gets a level and no direction. The penalty is missing, too.",
        "q[film] +=": "the other factor is missing here as well: error times the old p.",
        "print(": "one line a rating, 1.2 million in all, and the error of one rating jumps about. Print the mean of "
        "an epoch.",
        "return train": "the parentheses are missing: `fit` hands back a function, and nothing is trained.",
    },
    fine={
        "@ q[film]": "This is the error: rating minus prediction. (Mean and biases would help.)",
        "for epoch in": "Several passes over the ratings are usual.",
        "in triples": "One step a rating is stochastic gradient descent. (In random order, it would be better.)",
        "    fit()": "The call is right; what it calls is not.",
    },
)

check, hint, solution = bind((SGD_STEP, ALS_HALF_STEP, BPR_STEP, IMPLICIT_HALF_STEP, EASE, FOLD_IN))
