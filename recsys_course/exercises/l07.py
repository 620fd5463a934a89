"""Exercises of lesson 07: attention, masks, heads, what they cost, and decoding with a cache."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.review import Review


def _noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def masked_attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mixed values `[batch, n, dim_v]` and weights `[batch, n, m]`; a row that may look nowhere gives zeros."""
    scores = queries @ keys.transpose(1, 2) / queries.shape[2] ** 0.5  # [batch, n, m]
    lowest = torch.finfo(scores.dtype).min  # finite: a row of nothing but -inf would become NaN
    weights = scores.masked_fill(~mask, lowest).softmax(dim=2).masked_fill(~mask, 0)
    return weights @ values, weights


def _looks(seed: int, batch: int, n: int, m: int, dim: int, dim_v: int) -> tuple:
    mask = torch.rand(batch, n, m, generator=torch.Generator().manual_seed(seed)) < 0.6
    mask[:, :, 0] = True
    shapes = (n, dim), (m, dim), (m, dim_v)
    return *(_noise(seed + place, batch, *shape) for place, shape in enumerate(shapes)), mask


def _one(queries: list, keys: list, values: list, mask: list) -> tuple:
    return *(torch.tensor([part], dtype=torch.float32) for part in (queries, keys, values)), torch.tensor([mask])


EVEN = _one([[0.0, 0, 0, 0]], [[1, 0, 2, 0], [3, 1, 0, 0]], [[10, 0, 0, 2], [20, 0, 4, 0]], [[True, True]])
THREE_TO_ONE = _one([[1.0, 1, 1, 1]], [[1.1, 0, 0, 1.1], [0, 0, 0, 0]], [[8, 0, 0, 0], [0, 4, 0, 0]], [[True, True]])
ONE_HIDDEN = _one([[1.0, -2]], [[1, 0], [0, -3], [2, 2]], [[1, 1], [9, 9], [3, 5]], [[True, False, True]])
NOWHERE_TO_LOOK = _one(
    [[1.0, 0], [0, 2]], [[1, 0], [0, 1], [2, 0]], [[1, 2], [3, 4], [5, 9]], [[True, True, False], [False] * 3]
)
LOUD = _one([[60.0, 0]], [[60, 0], [-60, 0], [59.999, 1]], [[1, 0], [5, 5], [0, 1]], [[True, True, True]])


def _weighed(q: Tensor, k: Tensor, v: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    return weights @ v, weights


def _scaled(q: Tensor, k: Tensor, size: float | None = None) -> Tensor:
    return q @ k.transpose(1, 2) / (q.shape[2] ** 0.5 if size is None else size)


def _masked(scores: Tensor, mask: Tensor, dim: int = 2) -> Tensor:
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~mask, lowest).softmax(dim=dim).masked_fill(~mask, 0)


def _divided_by(size: Callable) -> Callable:
    return lambda q, k, v, mask: _weighed(q, k, v, _masked(_scaled(q, k, size(q, k, v)), mask))


def _by_exp(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    powers = (_scaled(q, k).exp()).masked_fill(~mask, 0)
    return _weighed(q, k, v, powers / powers.sum(2, keepdim=True).clamp(min=1e-30))


MASKED_ATTENTION = Exercise(
    id="07.masked_attention",
    level="medium",
    minutes=10,
    reference=masked_attention,
    cases=(EVEN, THREE_TO_ONE, ONE_HIDDEN, NOWHERE_TO_LOOK, LOUD, _looks(0, 2, 3, 4, 5, 2), _looks(1, 2, 3, 3, 4, 4)),
    hidden=(_looks(2, 3, 6, 2, 8, 3), _looks(3, 1, 4, 9, 2, 2)),
    hints=(
        "A score for each pair of query and key: `queries @ keys.transpose(1, 2)`, divided by the root of dim.",
        "Mask before the softmax, with a number so low that nothing is left: `scores.masked_fill(~mask, ...)`. Which "
        "axis must sum to 1?",
        "With `torch.finfo(scores.dtype).min` instead of `-torch.inf` no row becomes NaN; then set hidden weights to "
        "0 once more, for rows that may look nowhere.",
    ),
    mistakes=(
        (
            _divided_by(lambda q, k, v: 1.0),
            "You forgot the root: divide the scores by the square root of dim, or they grow with it.",
        ),
        (
            _divided_by(lambda q, k, v: q.shape[2]),
            "You divided by dim. A sum of dim products varies by the root of dim: divide by that.",
        ),
        (
            _divided_by(lambda q, k, v: k.shape[1] ** 0.5),
            "You divided by the root of the number of keys. It is the length of a vector that counts: "
            "`queries.shape[2]`.",
        ),
        (
            _divided_by(lambda q, k, v: q.shape[2] ** -0.5),
            "You multiplied by the root of dim. Divide: the scores should get smaller.",
        ),
        (
            lambda q, k, v, mask: _weighed(q, k, v, _masked(_scaled(q, k), mask, dim=1)),
            "Your softmax runs over the queries. Each query shares out its own weights: over the keys, the last axis.",
        ),
        (
            lambda q, k, v, mask: _weighed(q, k, v, (_scaled(q, k) * mask).softmax(2)),
            "Your hidden scores are 0, or next to it (1e-9?). A score of 0 still competes: exp(0) is 1. Fill with a "
            "very low number before the softmax.",
        ),
        (
            lambda q, k, v, mask: _weighed(q, k, v, _scaled(q, k).softmax(2) * mask),
            "You masked after the softmax, so that the weights no longer sum to 1. Mask the scores before it.",
        ),
        (
            lambda q, k, v, mask: _weighed(q, k, v, _scaled(q, k).masked_fill(~mask, -torch.inf).softmax(2)),
            "Right, until a query may look nowhere: a softmax of nothing but -inf is NaN. Such a row must give zeros.",
        ),
        (
            lambda q, k, v, mask: _weighed(q, k, v, _scaled(q, k).masked_fill(~mask, -1e30).softmax(2)),
            "Right, until a query may look nowhere: all its scores are equally low, so it looks everywhere. Set hidden "
            "weights to 0 after the softmax as well.",
        ),
        (
            lambda q, k, v, mask: _weighed(q, k, v, _masked(_scaled(q, k), ~mask)),
            "You hid what may be seen. True means: this query may look at this key.",
        ),
        (
            lambda q, k, v, mask: _weighed(q, k, v, _masked(_scaled(q, k), torch.ones_like(mask))),
            "You did not use the mask.",
        ),
        (
            lambda q, k, v, mask: (_masked(_scaled(q, k), mask) @ k, _masked(_scaled(q, k), mask)),
            "You mixed the keys. Keys decide how much, values are what is mixed.",
        ),
        (
            lambda q, k, v, mask: _masked(_scaled(q, k), mask) @ v,
            "You returned the mixed values alone. Return the weights as well: `return weights @ values, weights`.",
        ),
        (
            lambda q, k, v, mask: _weighed(q, k, v, _scaled(q, k).masked_fill(~mask, 0)),
            "There is no softmax: weights are never negative and sum to 1.",
        ),
        (
            lambda q, k, v, mask: _weighed(
                q, k, v, F.one_hot(_scaled(q, k).masked_fill(~mask, -torch.inf).argmax(2), k.shape[1]).float() * mask
            ),
            "You took the best key alone. Attention is a soft choice, so that gradients reach every key: softmax.",
        ),
        (
            _by_exp,
            "Right, until exp() of a large score overflows. `softmax` subtracts the largest score first.",
        ),
    ),
)


def sequence_mask(lengths: Tensor, length: int) -> Tensor:
    """Who may look at whom, causal, padding in front: int64 `[batch]` to bool `[batch, 1, length, length]`."""
    past = torch.ones(length, length, dtype=torch.bool).tril()  # [length, length], row looks at column
    real = torch.arange(length) >= length - lengths.unsqueeze(1)  # [batch, length]
    return past & real[:, None, None, :]


def _past(length: int, diagonal: int = 0) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril(diagonal)


def _real(lengths: Tensor, length: int) -> Tensor:
    return torch.arange(length) >= length - lengths.unsqueeze(1)


def _keys(lengths: Tensor, length: int) -> Tensor:
    return _real(lengths, length)[:, None, None, :]


SEQUENCE_MASK = Exercise(
    id="07.sequence_mask",
    level="easy",
    minutes=7,
    reference=sequence_mask,
    cases=(
        (torch.tensor([2, 3]), 3),
        (torch.tensor([3]), 3),
        (torch.tensor([1, 4, 2]), 4),
        (torch.tensor([5, 1]), 5),
    ),
    hidden=((torch.tensor([7, 2, 4, 1]), 7), (torch.tensor([1]), 1)),
    hints=(
        "Two questions, both must be answered yes: is this key not later than the query, and is it a film at all?",
        "The first is a lower triangle, `torch.ones(length, length, dtype=torch.bool).tril()`; the second compares "
        "`torch.arange(length)` with `length - lengths.unsqueeze(1)`.",
        "Padding belongs to the keys, the last axis: `real[:, None, None, :]` is [batch, 1, 1, length], and `&` "
        "broadcasts.",
    ),
    mistakes=(
        (
            lambda lengths, n: _past(n).T & _keys(lengths, n),
            "Your triangle is upside down: each film sees the future and not the past. `tril` keeps the lower half.",
        ),
        (
            lambda lengths, n: _past(n, -1) & _keys(lengths, n),
            "No film may look at itself in your mask. What it knows of itself is no secret: the diagonal is allowed.",
        ),
        (
            lambda lengths, n: _past(n, 1) & _keys(lengths, n),
            "Each film sees the next one: just the answer it has to guess. The diagonal is the last column to be seen.",
        ),
        (
            lambda lengths, n: _past(n).expand(len(lengths), 1, n, n),
            "Padding may be looked at: you did not use the lengths.",
        ),
        (
            lambda lengths, n: _keys(lengths, n).expand(len(lengths), 1, n, n),
            "The future may be looked at: this is the padding half alone. Add the lower triangle.",
        ),
        (
            lambda lengths, n: _past(n) | _keys(lengths, n),
            "You joined both rules by `or`. A key must be in the past and real: `&`.",
        ),
        (
            lambda lengths, n: ~(_past(n) & _keys(lengths, n)),
            "Your mask is the opposite: True means that a query may look. (`nn.Transformer` has it your way round.)",
        ),
        (
            lambda lengths, n: _past(n) & _real(lengths, n)[:, None, :, None],
            "You hid the rows of the padding, not its columns. Rows look, columns are looked at: padding must not be "
            "looked at.",
        ),
        (
            lambda lengths, n: _past(n) & _keys(lengths + 1, n),
            "One place of padding is seen: the films fill the last `lengths` places, from length - lengths on.",
        ),
        (
            lambda lengths, n: _past(n) & _keys(lengths - 1, n),
            "The first film of each row is hidden: the films fill the last `lengths` places, from length - lengths on.",
        ),
        (
            lambda lengths, n: _past(n) & _keys(lengths, n).flip(3),
            "You took the padding to be at the end. Here it stands in front, so that the newest film is the last.",
        ),
        (
            lambda lengths, n: _past(n) & _keys(lengths, n) | torch.eye(n, dtype=torch.bool),
            "Filler looks at itself in your mask. It is hidden from every row, its own included.",
        ),
        (
            lambda lengths, n: (_past(n) & _keys(lengths, n)).squeeze(1),
            "The axis of the heads is missing: `[batch, 1, length, length]`, so that one mask serves every head.",
        ),
        (
            lambda lengths, n: (_past(n) & _keys(lengths, n)).transpose(2, 3),
            "Your table is transposed: row looks at column.",
        ),
        (
            lambda lengths, n: torch.zeros(len(lengths), 1, n, n).masked_fill(
                ~(_past(n) & _keys(lengths, n)), -torch.inf
            ),
            "That is a mask to be added to scores. Asked for is a bool table: True where a query may look.",
        ),
    ),
)


def reads(model: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Whether output t moves when input s changes: a function, float `[length, dim]` to bool `[length, length]`."""
    before, columns = model(x), []
    for place in range(len(x)):
        changed = x.clone()
        changed[place] += torch.arange(1, x.shape[1] + 1)  # not a constant: a layer norm would remove it
        columns.append(((model(changed) - before).abs() > 1e-5).any(dim=1))  # [length]
    return torch.stack(columns, dim=1)


def _running_mean(x: Tensor) -> Tensor:
    return x.cumsum(0) / torch.arange(1, len(x) + 1).unsqueeze(1)


def _whole_mean(x: Tensor) -> Tensor:
    return x.mean(0).expand_as(x)


def _next_one(x: Tensor) -> Tensor:
    return x + torch.cat([x[1:], x[-1:]])


def _normed_past(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[1:]).cumsum(0)


def _total_less_the_rest(x: Tensor) -> Tensor:
    """The sum so far as the total less what follows: right up to rounding."""
    return x.sum(0) - (x.flip(0).cumsum(0).flip(0) - x)


def _one_number(x: Tensor) -> Tensor:
    return torch.stack([torch.zeros(len(x)), x[:, -1]], dim=1).cumsum(0)


def _other_number(x: Tensor) -> Tensor:
    return torch.stack([x[:, 0], torch.zeros(len(x))], dim=1).cumsum(0)


def _read_by(change: Callable[[Tensor, int], Tensor], moved: Callable[[Tensor], Tensor]) -> Callable:
    def table(model: Callable, x: Tensor) -> Tensor:
        before = model(x)
        return torch.stack([moved((model(change(x, s)) - before).abs()) for s in range(len(x))], dim=1)

    return table


def _nudged(x: Tensor, place: int | slice, by: Tensor | float | None = None) -> Tensor:
    x = x.clone()
    x[place] += torch.arange(1, x.shape[1] + 1) if by is None else by
    return x


def _doubled(x: Tensor, place: int) -> Tensor:
    x = x.clone()
    x[place] *= 2
    return x


def _any(gap: Tensor) -> Tensor:
    return (gap > 1e-5).any(1)


def _without_itself(model: Callable, x: Tensor) -> Tensor:
    return reads(model, x) & ~torch.eye(len(x), dtype=torch.bool)


SMALL = torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
READS = Exercise(
    id="07.reads",
    level="stretch",
    minutes=10,
    reference=reads,
    cases=(
        (_running_mean, SMALL),
        (_whole_mean, SMALL),
        (_next_one, SMALL),
        (_normed_past, _noise(71, 4, 3)),  # not seed 0, the checker's: a learner's random nudge would equal the row
        (_total_less_the_rest, _noise(1, 9, 3)),
        (_one_number, SMALL),
        (_other_number, SMALL),
    ),
    hidden=((_next_one, _noise(2, 5, 2)), (_normed_past, _noise(3, 6, 4)), (_running_mean, _noise(4, 2, 7))),
    hints=(
        "Run the model once as it is. Then, for each place s: change row s of a copy, run again, see which rows moved.",
        "One run gives one column: what moved when s changed. `(after - before).abs() > 1e-5`, and any of the numbers "
        "of a row counts.",
        "Change each number of the row by another amount, such as `torch.arange(1, dim + 1)`: a layer norm removes a "
        "constant. Stack the columns with `dim=1`.",
    ),
    mistakes=(
        (
            lambda model, x: reads(model, x).T,
            "Your table is transposed: row t is the output, column s the input that was changed.",
        ),
        (
            _read_by(lambda x, s: _nudged(x, s, 1.0), _any),
            "You added the same number everywhere in the row. A layer norm removes a constant, and the leak stays "
            "hidden: change each number by another amount.",
        ),
        (
            _read_by(_doubled, _any),
            "You scaled the row, or set it to 0. A row of zeros stays as it is, and a layer norm removes a factor: add "
            "something uneven instead.",
        ),
        (
            _read_by(lambda x, s: _nudged(x, slice(s, None)), _any),
            "You changed all rows from s on. To know which one is read, change one at a time.",
        ),
        (
            _read_by(lambda x, s: _nudged(x, slice(0, s + 1)), _any),
            "Your changes pile up: begin with a fresh copy of x for each place.",
        ),
        (
            _read_by(_nudged, lambda gap: (gap > 1e-5).all(1)),
            "You asked whether all numbers of an output moved. One is enough: `any`.",
        ),
        (
            _read_by(_nudged, lambda gap: gap[:, 0] > 1e-5),
            "You looked at the first number of each output alone. Any of them may give the leak away.",
        ),
        (
            _read_by(_nudged, lambda gap: (gap > 0).any(1)),
            "You compared exactly. Two ways to the same sum differ in the last digit: allow for 1e-5.",
        ),
        (
            _without_itself,
            "You left out the diagonal. Whether an output reads its own input is part of the table.",
        ),
        (
            lambda model, x: ~reads(model, x),
            "Your table is the opposite: True where the output moved.",
        ),
        (
            lambda model, x: reads(model, x) & ~_past(len(x)),
            "That is the leak alone. The table shows everything that is read, the past as well.",
        ),
    ),
)


def multi_head(
    x: Tensor, queries: Tensor, keys: Tensor, values: Tensor, output: Tensor, n_heads: int, mask: Tensor
) -> Tensor:
    """Several heads side by side: float `[batch, length, dim]`, four `[dim, dim]`, to `[batch, length, dim]`."""
    batch, length, dim = x.shape
    parts = [x @ weights for weights in (queries, keys, values)]  # [batch, length, dim] each
    heads = [part.view(batch, length, n_heads, dim // n_heads).transpose(1, 2) for part in parts]
    mixed = F.scaled_dot_product_attention(*heads, mask)  # [batch, n_heads, length, dim / n_heads]
    return mixed.transpose(1, 2).reshape(batch, length, dim) @ output


def _network(seed: int, batch: int, length: int, dim: int, n_heads: int) -> tuple:
    weights = _noise(seed + 1, 4, dim, dim) / dim**0.5
    mask = _past(length) & (_noise(seed + 2, batch, 1, length, length) > -0.5) | torch.eye(length, dtype=torch.bool)
    return _noise(seed, batch, length, dim), *weights, n_heads, mask


def _wired(split: Callable, merge: Callable, size: Callable | None = None, dim: int = -1) -> Callable:
    """The heads with another way to split, merge, scale, or another axis for the softmax."""

    def mixed(x: Tensor, q: Tensor, k: Tensor, v: Tensor, o: Tensor, h: int, mask: Tensor) -> Tensor:
        parts = [split(x @ weights, h) for weights in (q, k, v)]
        width = parts[0].shape[-1] if size is None else size(x, h)
        scores = (parts[0] @ parts[1].transpose(-2, -1) / math.sqrt(width)).masked_fill(~mask, -torch.inf)
        return merge(scores.softmax(dim) @ parts[2]) @ o

    return mixed


def _split(x: Tensor, n_heads: int) -> Tensor:
    return x.unflatten(2, (n_heads, -1)).transpose(1, 2)


def _merge(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def _identity(x: Tensor) -> Tensor:
    return torch.eye(x.shape[2])


MULTI_HEAD = Exercise(
    id="07.multi_head",
    level="medium",
    minutes=10,
    reference=multi_head,
    cases=(
        _network(0, 1, 2, 4, 2),
        _network(1, 2, 3, 4, 2),
        _network(2, 2, 4, 6, 3),
        _network(3, 3, 5, 4, 1),
        _network(4, 2, 6, 8, 2),
    ),
    hidden=(_network(5, 4, 5, 12, 4), _network(6, 1, 3, 6, 6)),
    hints=(
        "Project first, `x @ queries` and so on, then cut the last axis into n_heads pieces of dim / n_heads.",
        "`view(batch, length, n_heads, dim // n_heads)` cuts; the head must become a batch axis: `.transpose(1, 2)`.",
        "`F.scaled_dot_product_attention(q, k, v, mask)`, then back: `.transpose(1, 2).reshape(batch, length, dim)`, "
        "and `@ output`.",
    ),
    mistakes=(
        (
            lambda x, q, k, v, o, h, mask: multi_head(x, q, k, v, o, 1, mask),
            "All numbers are in one head. Cut the last axis into n_heads pieces; each piece looks for itself.",
        ),
        (
            _wired(lambda x, h: x.reshape(len(x), h, x.shape[1], -1), _merge),
            "You viewed straight to [batch, n_heads, length, ...], which mixes positions with heads. View to [batch, "
            "length, n_heads, ...], then transpose(1, 2).",
        ),
        (
            _wired(_split, lambda x: x.reshape(len(x), x.shape[2], -1)),
            "You forgot to transpose back before you merged: numbers of different positions end up in one vector.",
        ),
        (
            _wired(lambda x, h: x.reshape(len(x), h, x.shape[1], -1), lambda x: x.reshape(len(x), x.shape[2], -1)),
            "Both transposes are missing. A view never moves numbers: without transpose(1, 2) a head gets pieces of "
            "several positions.",
        ),
        (
            _wired(
                lambda x, h: x.unflatten(2, (-1, h)).permute(0, 3, 1, 2),
                lambda x: x.permute(0, 2, 3, 1).flatten(2),
            ),
            "Your heads are interleaved: each took every n_heads-th number. A head is a run of neighbouring numbers: "
            "view(batch, length, n_heads, -1).",
        ),
        (
            lambda x, q, k, v, o, h, mask: multi_head(x, q, k, v, _identity(x), h, mask),
            "The last step is missing: `@ output` lets the heads talk to each other.",
        ),
        (
            _wired(_split, _merge, lambda x, h: x.shape[2]),
            "You divided by the root of dim. A head's vectors have dim / n_heads numbers: divide by the root of that.",
        ),
        (
            _wired(_split, _merge, lambda x, h: 1),
            "You forgot to divide the scores by the root of a head's width.",
        ),
        (
            _wired(_split, _merge, dim=1),
            "Your softmax runs over the heads. It runs over the keys, the last axis.",
        ),
        (
            _wired(_split, _merge, dim=2),
            "Your softmax runs over the queries. It runs over the keys, the last axis.",
        ),
        (
            lambda x, q, k, v, o, h, mask: multi_head(x, q, k, v, o, h, torch.ones_like(mask)),
            "You did not use the mask.",
        ),
        (
            lambda x, q, k, v, o, h, mask: multi_head(x, q, k, v, o, h, ~mask | torch.eye(x.shape[1]).bool()),
            "You hid what may be seen. True means: this query may look at this key.",
        ),
        (
            lambda x, q, k, v, o, h, mask: multi_head(x, q.T, k.T, v.T, o.T, h, mask),
            "You multiplied by the transposed weights, as `nn.Linear` stores them. Here it is `x @ queries`.",
        ),
        (
            lambda x, q, k, v, o, h, mask: multi_head(x, q, q, v, o, h, mask),
            "Queries and keys come from the same weights in your answer: keys are `x @ keys`.",
        ),
        (
            lambda x, q, k, v, o, h, mask: multi_head(x, q, k, k, o, h, mask),
            "You mixed the keys. What is mixed are the values, `x @ values`.",
        ),
        (
            lambda x, q, k, v, o, h, mask: x + multi_head(x, q, k, v, o, h, mask),
            "You added x. That is the residual of a block; the heads alone are asked for here.",
        ),
    ),
)


def cost(dim: int, hidden: int, n_layers: int, length: int) -> tuple[int, int]:
    """Parameters of a stack of blocks, and floating-point operations of its matrix products for one sequence."""
    parameters = 4 * dim * (dim + 1)  # queries, keys, values, output: matrix and bias
    parameters += dim * hidden + hidden + hidden * dim + dim  # the small network
    parameters += 2 * 2 * dim  # two layer norms: scale and shift
    products = length * (4 * dim * dim + 2 * dim * hidden)  # with weights
    products += 2 * length * length * dim  # scores, and the mix of values: no weights
    return n_layers * parameters, n_layers * 2 * products  # a multiplication and an addition each


def _count(parts: int = 4, biases: int = 1, norms: int = 2, both: int = 2, tables: int = 2) -> Callable:
    """A cost that counts something else."""

    def counted(d: int, h: int, layers: int, n: int) -> tuple[int, int]:
        weights = parts * d * (d + biases) + 2 * d * h + biases * (d + h) + norms * 2 * d
        products = n * (parts * d * d + 2 * d * h) + tables * n * n * d
        return layers * weights, layers * both * products

    return counted


def _one_network_layer(d: int, h: int, layers: int, n: int) -> tuple[int, int]:
    return layers * (4 * d * (d + 1) + d * h + h + 4 * d), layers * 2 * (n * (4 * d * d + d * h) + 2 * n * n * d)


COST = Exercise(
    id="07.cost",
    level="stretch",
    minutes=10,
    reference=cost,
    cases=((2, 3, 1, 1), (2, 8, 1, 5), (4, 16, 2, 3), (16, 32, 3, 10), (64, 256, 2, 50)),
    hidden=((768, 3072, 12, 512), (10, 7, 5, 6)),
    hints=(
        "Parameters: four square matrices with their biases, dim to hidden and back with theirs, and two norms with a "
        "scale and a shift each.",
        "A matrix [n, a] times [a, b] takes n * a * b multiplications and as many additions: 2 * n * a * b.",
        "Scores are [n, dim] times [dim, n], the mix [n, n] times [n, dim]: 4 * n * n * dim together, however many "
        "heads. Everything times n_layers.",
    ),
    mistakes=(
        (
            _count(biases=0),
            "You left out the biases: each matrix has one number more for each of its outputs.",
        ),
        (
            _count(norms=0),
            "You left out the layer norms: two, each with a scale and a shift for every dimension.",
        ),
        (
            _count(norms=1),
            "You counted one layer norm. A block has two; each has a scale and a shift.",
        ),
        (
            _count(parts=3),
            "Three square matrices are queries, keys and values. The fourth is the output.",
        ),
        (
            _count(both=1),
            "You counted a multiplication with its addition as one. Torch counts both: times 2.",
        ),
        (
            _count(tables=0),
            "You counted the products with weights alone. Scores and mix have no weights and cost n * n * dim each: "
            "that is the quadratic part.",
        ),
        (
            _count(tables=1),
            "You counted half of the quadratic part. It has two products, the scores and the mix of the values, and "
            "torch computes both in full, whatever a mask hides.",
        ),
        (
            _one_network_layer,
            "You counted one layer of the small network. It goes from dim to hidden and back.",
        ),
        (
            lambda d, h, layers, n: (cost(d, h, layers, n)[0] + 2 * d, cost(d, h, layers, n)[1]),
            "You counted a norm after the last block. Asked for are the blocks alone: two norms each.",
        ),
        (
            lambda d, h, layers, n: cost(d, h, 1, n),
            "You counted one block: everything times n_layers.",
        ),
        (
            lambda d, h, layers, n: cost(d, h, layers, n)[::-1],
            "The order is parameters, then operations.",
        ),
    ),
)


def decode_step(
    x: Tensor, queries: Tensor, keys: Tensor, values: Tensor, past_keys: Tensor, past_values: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Output `[batch, dim]` for one new row `[batch, dim]`, and all keys and values, `[batch, past + 1, dim]`."""
    row = x.unsqueeze(1)  # [batch, 1, dim]
    all_keys = torch.cat([past_keys, row @ keys], dim=1)  # [batch, past + 1, dim]
    all_values = torch.cat([past_values, row @ values], dim=1)
    mixed = F.scaled_dot_product_attention(row @ queries, all_keys, all_values)  # [batch, 1, dim]
    return mixed.squeeze(1), all_keys, all_values


def _half_read(seed: int, batch: int, past: int, dim: int) -> tuple:
    weights = _noise(seed + 1, 3, dim, dim) / dim**0.5
    return _noise(seed, batch, dim), *weights, _noise(seed + 2, batch, past, dim), _noise(seed + 3, batch, past, dim)


def _stepped(new: Callable, seen: Callable | None = None, size: Callable | None = None) -> Callable:
    """A step that stores something else, looks at something else or scales in another way."""

    def step(x: Tensor, q: Tensor, k: Tensor, v: Tensor, pk: Tensor, pv: Tensor) -> tuple:
        every_key, every_value = new(pk, (x @ k)[:, None], x[:, None]), new(pv, (x @ v)[:, None], x[:, None])
        some_keys, some_values = (every_key, every_value) if seen is None else (seen(every_key), seen(every_value))
        scores = some_keys @ (x @ q)[:, :, None] / (x.shape[1] ** 0.5 if size is None else size(some_keys))
        return (scores.softmax(1) * some_values).sum(1), every_key, every_value

    return step


def _appended(past: Tensor, row: Tensor, raw: Tensor) -> Tensor:
    return torch.cat([past, row], dim=1)


DECODE_STEP = Exercise(
    id="07.decode_step",
    level="stretch",
    minutes=8,
    reference=decode_step,
    cases=(_half_read(0, 1, 0, 2), _half_read(1, 1, 2, 2), _half_read(2, 2, 3, 4), _half_read(3, 3, 5, 4)),
    hidden=(_half_read(4, 2, 7, 6), _half_read(5, 4, 1, 3)),
    hints=(
        "Only the new row needs projecting: its query, its key and its value. The past is in the cache.",
        "Append the new key and value at the end, `torch.cat([past_keys, new], dim=1)`: the row may look at itself.",
        "One query against past + 1 keys: no mask is needed. Give it an axis, `[batch, 1, dim]`, use "
        "`F.scaled_dot_product_attention`, and remove the axis again.",
    ),
    mistakes=(
        (
            _stepped(_appended, lambda every: every[:, :-1] if every.shape[1] > 1 else every),
            "Your row looks at the past alone. Append its own key and value first: it may look at itself.",
        ),
        (
            _stepped(lambda past, row, raw: torch.cat([past, raw], dim=1)),
            "You stored the row itself. What is stored is its key, `x @ keys`, and its value, `x @ values`.",
        ),
        (
            _stepped(lambda past, row, raw: torch.cat([row, past], dim=1)),
            "You put the new row in front. Attention would not mind, but the order in the cache is that of time.",
        ),
        (
            _stepped(lambda past, row, raw: torch.cat([past[:, 1:], row], dim=1)),
            "You dropped the oldest row. The cache grows by one with each step.",
        ),
        (
            _stepped(_appended, size=lambda keys: 1.0),
            "You forgot to divide the scores by the root of dim.",
        ),
        (
            _stepped(_appended, size=lambda keys: keys.shape[1] ** 0.5),
            "You divided by the root of the number of keys. It is the root of dim.",
        ),
        (
            _stepped(_appended, lambda every: every[:, -1:]),
            "Your row looks at itself alone: use the keys and values of the past as well.",
        ),
        (
            lambda x, q, k, v, pk, pv: (
                decode_step(x, q, k, v, pk, pv)[0],
                (x @ k)[:, None],
                (x @ v)[:, None],
            ),
            "You returned the new key and value alone. The next step needs all of them.",
        ),
        (
            lambda x, q, k, v, pk, pv: (decode_step(x, q, k, v, pk, pv)[0], pk, pv),
            "You returned the old cache: the next step would not see this row.",
        ),
        (
            lambda x, q, k, v, pk, pv: decode_step(x, q, v, k, pk, pv),
            "Keys and values are swapped.",
        ),
        (
            lambda x, q, k, v, pk, pv: (
                decode_step(x, torch.eye(x.shape[1]), k, v, pk, pv)[0],
                *decode_step(x, q, k, v, pk, pv)[1:],
            ),
            "The query is `x @ queries`, not x itself.",
        ),
    ),
)

review = Review(
    id="07.review",
    faults={
        "nn.Embedding(n_users": "one table for users and films. User 7 and film 7 share a vector, and a film whose "
        "number is not below n_users crashes. Two kinds of ids, two tables.",
        "nn.Transformer(": "the third number sets the encoder's layers alone; `num_decoder_layers` stays 6. Name both: "
        "`num_encoder_layers=2, num_decoder_layers=2`.",
        "transformer(user": "the candidates are the decoder's sequence, so they look at each other and a score "
        "depends on who else was asked about. And the memory is one vector: a softmax over one key is 1, nothing is "
        "chosen.",
    },
    fine={
        "unsqueeze(1)": "It makes a sequence of one: the shape that `batch_first=True` asks for.",
        "squeeze(2)": "`[batch, k, 1]` to `[batch, k]`: the axis is named, so k = 1 works as well.",
        "nn.Linear(": "One score from each candidate's vector: dim weights and a bias.",
    },
)

check, hint, solution = bind((MASKED_ATTENTION, SEQUENCE_MASK, READS, MULTI_HEAD, COST, DECODE_STEP))
