"""Exercises of lesson 18: exact reasons, integrated gradients, deletion, permutation, rollout and a direction."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.review import Review


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def because(similar: Tensor, history: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """Liked films and their parts of an item-KNN score, largest first: `[n_items, n_items]`, int64 `[n]`."""
    parts, order = similar[target, history].sort(descending=True, stable=True)  # [n]
    named = parts > 0
    return history[order][named], parts[named]


def _because(similar: Tensor, history: Tensor, parts: Tensor, descending: bool = True) -> tuple[Tensor, Tensor]:
    parts, order = parts.sort(descending=descending, stable=True)
    return history[order][parts > 0], parts[parts > 0]


def _unfiltered(similar: Tensor, history: Tensor, target: int) -> tuple[Tensor, Tensor]:
    parts, order = similar[target, history].sort(descending=True, stable=True)
    return history[order], parts


def _unsorted(similar: Tensor, history: Tensor, target: int) -> tuple[Tensor, Tensor]:
    parts = similar[target, history]
    return history[parts > 0], parts[parts > 0]


def _apart(similar: Tensor, history: Tensor, target: int) -> tuple[Tensor, Tensor]:
    parts = similar[target, history]
    return history[parts > 0], parts[parts > 0].sort(descending=True).values


def _places(similar: Tensor, history: Tensor, target: int) -> tuple[Tensor, Tensor]:
    parts, order = similar[target, history].sort(descending=True, stable=True)
    return order[parts > 0], parts[parts > 0]


def _shares(similar: Tensor, history: Tensor, target: int) -> tuple[Tensor, Tensor]:
    films, parts = because(similar, history, target)
    return films, parts / parts.sum()


def _all_neighbours(similar: Tensor, history: Tensor, target: int) -> tuple[Tensor, Tensor]:
    every = torch.arange(len(similar))
    return _because(similar, every, similar[target])


def _neighbours(seed: int, n: int, k: int) -> Tensor:
    """A table of similarities in which each row keeps its k largest, so that it is not symmetric."""
    table = _draw(seed, n, n).abs()
    table = ((table + table.T) / 8).fill_diagonal_(0)
    best = table.topk(k, dim=1)
    return torch.zeros(n, n).scatter(1, best.indices, best.values)


FOUR_FILMS = torch.tensor([[0, 0.5, 0.2, 0], [0.5, 0, 0, 0.4], [0.2, 0.3, 0, 0], [0, 0.4, 0.6, 0]])
BECAUSE = Exercise(
    id="18.because",
    level="easy",
    minutes=7,
    reference=because,
    cases=(
        (FOUR_FILMS, torch.tensor([2, 1]), 3),
        (FOUR_FILMS, torch.tensor([0, 3]), 2),
        (_neighbours(1, 7, 4), torch.tensor([4, 0, 5, 2, 6]), 1),
    ),
    hidden=((_neighbours(2, 9, 4), torch.tensor([8, 3, 1, 0, 6]), 7), (_neighbours(3, 5, 2), torch.tensor([4]), 0)),
    hints=(
        "The score adds up one row of the table, over the films that were liked. Which row?",
        "`similar[target, history]` holds a part for each liked film, in the order of the history.",
        "`parts.sort(descending=True)` gives values and order; use that order on the history, then keep parts above 0.",
    ),
    mistakes=(
        (
            lambda s, h, t: _because(s, h, s[h, t]),
            "You read the column: whether the target is among the liked film's neighbours. The score reads the "
            "target's own row.",
        ),
        (
            _unfiltered,
            "Films with a part of 0 are in your list. They gave nothing to the score, so they are no reason.",
        ),
        (_unsorted, "Your films stand in the order of the history. The largest part comes first."),
        (
            lambda s, h, t: _because(s, h, s[t, h], descending=False),
            "You begin with the smallest part. The film that gave most comes first.",
        ),
        (_apart, "Your parts are sorted and your films are not, so they no longer match: use one order for both."),
        (
            lambda s, h, t: because(s, h, t)[::-1],
            "Films and parts are exchanged: first the films, then their parts.",
        ),
        (_places, "You return places in the history. Asked for are the films that stand there: `history[order]`."),
        (
            _shares,
            "You divided by the score. As parts they add up to the score itself, which is how you check them.",
        ),
        (
            _all_neighbours,
            "You name neighbours that this user never liked. Only films of the history add to the score.",
        ),
        (
            lambda s, h, t: _because(s, h, s[h][:, h].sum(dim=1)),
            "You compare the liked films with each other. The target must be in it.",
        ),
        (
            lambda s, h, t: tuple(part[:1] for part in because(s, h, t)),
            "You stop after the first film. All parts together are the score.",
        ),
    ),
)


@dataclass(frozen=True)
class Squares:
    """Score of a batch: weights times squares, added up."""

    weights: list

    def __call__(self, x: Tensor) -> Tensor:
        """Say a number for each of the rows: float `[batch, ...]` to `[batch]`."""
        return (torch.tensor(self.weights) * x**2).sum(dim=(1, 2))


@dataclass(frozen=True)
class Saturating:
    """Score of a batch: sigmoid of the weighted sum of all numbers."""

    weights: list

    def __call__(self, x: Tensor) -> Tensor:
        """Say a number for each of the rows: float `[batch, ...]` to `[batch]`."""
        return 4 * (torch.tensor(self.weights) * x).sum(dim=(1, 2)).sigmoid()


@dataclass(frozen=True)
class Together:
    """Score of a batch: the product of the rows' sums, so that rows need each other."""

    factor: float

    def __call__(self, x: Tensor) -> Tensor:
        """Say a number for each of the rows: float `[batch, ...]` to `[batch]`."""
        return self.factor * x.sum(dim=2).prod(dim=1)


def integrated_gradients(score: Callable[[Tensor], Tensor], inputs: Tensor, baseline: Tensor, n_steps: int) -> Tensor:
    """Difference from the baseline times the mean gradient on the way: float `[n, dim]` to `[n, dim]`."""
    middles = (torch.arange(n_steps) + 0.5) / n_steps  # [n_steps]
    way = baseline + middles.view(-1, 1, 1) * (inputs - baseline)  # [n_steps, n, dim]
    way.requires_grad_(True)
    (gradients,) = torch.autograd.grad(score(way).sum(), way)
    return (inputs - baseline) * gradients.mean(dim=0)


def _mean_gradient(score: Callable, inputs: Tensor, baseline: Tensor, at: Tensor) -> Tensor:
    way = (baseline + at.view(-1, 1, 1) * (inputs - baseline)).requires_grad_(True)
    return torch.autograd.grad(score(way).sum(), way)[0].mean(dim=0)


def _middles(n_steps: int) -> Tensor:
    return (torch.arange(n_steps) + 0.5) / n_steps


def _along(points: Callable[[int], Tensor]) -> Callable:
    return lambda score, x, start, n: (x - start) * _mean_gradient(score, x, start, points(n))


TWO_SQUARES = Squares([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]]), torch.tensor([[1.0, 0.0]]), 4
FLAT_TOP = Saturating([[1.0, 0.5], [-0.5, 1.0]]), torch.tensor([[4.0, 1.0], [1.0, 2.0]]), torch.zeros(2, 2), 10
PAIR = Together(0.5), torch.tensor([[1.0, 2.0], [2.0, 2.0]]), torch.tensor([[0.5, 0.0], [0.0, 1.0]]), 5
INTEGRATED_GRADIENTS = Exercise(
    id="18.integrated_gradients",
    level="medium",
    minutes=10,
    reference=integrated_gradients,
    cases=(TWO_SQUARES, FLAT_TOP, PAIR),
    hidden=(
        (Saturating([[0.3, -1.0, 2.0]]), _draw(4, 1, 3), _draw(5, 1, 3), 7),
        (Together(1.5), _draw(6, 3, 2), _draw(7, 3, 2), 3),
        (Squares([[1.0], [0.5]]), _draw(8, 2, 1), torch.zeros(2, 1), 1),
    ),
    tolerance=1e-4,
    hints=(
        "Points of the way: `baseline + a * (inputs - baseline)`, with a = 0.5 / n, 1.5 / n, ... up to (n - 0.5) / n.",
        "Stack them as `[n_steps, n, dim]`, set `requires_grad_(True)`, and take `torch.autograd.grad` of "
        "`score(way).sum()`.",
        "Mean of the gradients over the first dimension, times `inputs - baseline`.",
    ),
    mistakes=(
        (
            lambda score, x, start, n: x * _mean_gradient(score, x, start, torch.ones(1)),
            "That is gradient times input: the slope at the end alone. Average the slope over the whole way.",
        ),
        (
            lambda score, x, start, n: (x - start) * _mean_gradient(score, x, start, torch.ones(1)),
            "You take the slope at the input alone. Average it over the whole way from the baseline.",
        ),
        (
            lambda score, x, start, n: _mean_gradient(score, x, start, _middles(n)),
            "You return the mean gradient. Times the way that was gone, `inputs - baseline`, it becomes a share of "
            "the score.",
        ),
        (
            lambda score, x, start, n: x * _mean_gradient(score, x, start, _middles(n)),
            "You multiply by the inputs. What was gone is `inputs - baseline`; with another baseline the sum is wrong.",
        ),
        (
            lambda score, x, start, n: x * _mean_gradient(score, x, torch.zeros_like(x), _middles(n)),
            "You start from zeros. Start from the baseline that was given.",
        ),
        (
            _along(lambda n: torch.arange(n) / n),
            "Your points are the left ends of the pieces: 0, 1 / n, ... Take the middles, (0.5 + step) / n.",
        ),
        (
            _along(lambda n: (torch.arange(n) + 1) / n),
            "Your points are the right ends of the pieces: 1 / n, ... 1. Take the middles, (0.5 + step) / n.",
        ),
        (
            lambda score, x, start, n: (x - start) * _mean_gradient(score, x, torch.zeros_like(x), _middles(n)),
            "Your way begins at zeros, the difference at the baseline. Walk from the baseline to the input.",
        ),
        (
            _along(lambda n: torch.linspace(0, 1, n + 1)),
            "Those are the n + 1 borders of the pieces. Take the n middles, (0.5 + step) / n.",
        ),
        (
            _along(lambda n: torch.full((1,), 0.5)),
            "You look at one point, the middle of the way. Average over the middles of all n pieces.",
        ),
        (
            _along(lambda n: torch.linspace(0, 1, n)),
            "Your points reach from 0 to 1 with both ends counted in full. Take the middles of n equal pieces.",
        ),
        (
            lambda score, x, start, n: n * (x - start) * _mean_gradient(score, x, start, _middles(n)),
            "You add the gradients up. Their mean stands for the integral, else more steps give a larger answer.",
        ),
        (
            lambda score, x, start, n: integrated_gradients(score, x, start, n).sum(dim=-1),
            "You added up each row. Asked for is a number for each input number, `[n, dim]`.",
        ),
        (
            lambda score, x, start, n: integrated_gradients(score, x, start, n).abs(),
            "You took the absolute value. A part that lowers the score must be negative, or the sum is wrong.",
        ),
        (
            lambda score, x, start, n: -integrated_gradients(score, x, start, n),
            "The signs are turned round: the way goes from the baseline to the input.",
        ),
    ),
)


@dataclass(frozen=True)
class Sum:
    """Score of what is kept: the sum of its parts."""

    parts: list

    def __call__(self, kept: Tensor) -> Tensor:
        """Score each row of what is kept: bool `[m, n]` to float `[m]`."""
        return (torch.as_tensor(kept).float() * torch.tensor(self.parts)).sum(dim=1)


@dataclass(frozen=True)
class Strongest:
    """Score of what is kept: its largest part, so that the second largest counts only without it."""

    parts: list

    def __call__(self, kept: Tensor) -> Tensor:
        """Score each row of what is kept: bool `[m, n]` to float `[m]`."""
        return (torch.as_tensor(kept).float() * torch.tensor(self.parts)).amax(dim=1)


def deletion_curve(score: Callable[[Tensor], Tensor], attribution: Tensor) -> Tensor:
    """Scores with 0, 1, ... n parts taken away, the most important first: float `[n]` to `[n + 1]`."""
    rank = attribution.argsort(descending=True).argsort()  # [n], 0 is the most important
    gone = torch.arange(len(attribution) + 1).unsqueeze(1)  # [n + 1, 1]
    return score(rank >= gone)


def _kept(order: Tensor) -> Tensor:
    """Bool `[n + 1, n]`: all parts, all but the first of the order, and so on."""
    kept = torch.ones(len(order) + 1, len(order), dtype=torch.bool)
    for step, part in enumerate(order.tolist()):
        kept[step + 1 :, part] = False
    return kept


def _most_first(attribution: Tensor) -> Tensor:
    return attribution.argsort(descending=True)


SUM = Sum([2.0, 7.0, 1.0]), torch.tensor([0.2, 0.9, 0.1])
WRONG_REASON = Sum([1.0, 5.0, 2.0, 4.0]), torch.tensor([0.4, -0.9, 0.3, 0.1])
STRONGEST = Strongest([3.0, 6.0, 5.0, 1.0, 2.0]), torch.tensor([0.1, 0.5, 0.3, 0.8, -0.2])
DELETION_CURVE = Exercise(
    id="18.deletion_curve",
    level="medium",
    minutes=9,
    reference=deletion_curve,
    cases=(SUM, WRONG_REASON, STRONGEST),
    hidden=(
        (Sum([1.0, -2.0, 4.0, 0.5, 3.0, -1.0]), _draw(9, 6)),
        (Strongest([1.0, 2.0, 4.0, 0.5, 3.0, 5.0, 2.5]), _draw(10, 7)),
        (Sum([3.0]), torch.tensor([1.0])),
    ),
    hints=(
        "Make a table `kept` with n + 1 rows: all True, then one False more in each row, at last all False.",
        "`attribution.argsort(descending=True)` says which part goes first. You need each part's *rank* in that order.",
        "The `argsort` of an order is the ranks. Row s keeps the parts of rank s and above: `rank >= s`.",
    ),
    mistakes=(
        (
            lambda score, a: score(~_kept(_most_first(a))),
            "That is insertion: you keep what is named and drop the rest. Begin with all parts and take the named "
            "ones away.",
        ),
        (
            lambda score, a: score(a.argsort(descending=True).argsort() > torch.arange(len(a) + 1).unsqueeze(1)),
            "You are one part ahead: the first point has all parts. Rank 0 stays while 0 are gone: `>=`.",
        ),
        (
            lambda score, a: score(_kept(_most_first(a)))[0] - score(_kept(_most_first(a))),
            "You return what is lost so far. Asked for are the scores themselves, from all parts to none.",
        ),
        (
            lambda score, a: a.sum() - torch.cat([a.new_zeros(1), a.sort(descending=True).values.cumsum(0)]),
            "You add up the attribution, which proves itself. Ask `score`: the model must answer, not the explanation.",
        ),
        (
            lambda score, a: score(_kept(a.argsort())),
            "You take the least important part first. A deletion curve begins with the most important one.",
        ),
        (
            lambda score, a: score(_kept(a.abs().argsort(descending=True))),
            "You sort by absolute value. A part that lowers the score is the last that holds it up: sort by the number "
            "itself.",
        ),
        (
            lambda score, a: score(a.argsort(descending=True) >= torch.arange(len(a) + 1).unsqueeze(1)),
            "You took the order for the ranks. The order says which part goes s-th; ask which place each part has.",
        ),
        (
            lambda score, a: score(torch.arange(len(a)) >= torch.arange(len(a) + 1).unsqueeze(1)),
            "You take the parts away from left to right, whatever the attribution says.",
        ),
        (
            lambda score, a: score(_kept(_most_first(a)))[1:],
            "The first point is missing: the score with nothing taken away. There are n + 1 points.",
        ),
        (
            lambda score, a: score(_kept(_most_first(a)))[:-1],
            "The last point is missing: the score with everything taken away. There are n + 1 points.",
        ),
        (
            lambda score, a: score(
                torch.cat([torch.ones(1, len(a), dtype=torch.bool), ~F.one_hot(_most_first(a), len(a)).bool()])
            ),
            "You put each part back before you take the next. What is gone stays gone: the parts may stand in for "
            "each other.",
        ),
        (
            lambda score, a: score(_kept(_most_first(a))) / score(_kept(_most_first(a)))[0],
            "You divided by the first score. Asked for are the scores as they are.",
        ),
        (
            lambda score, a: score(_kept(_most_first(a))).flip(0),
            "Your curve runs backwards: the first point has all parts, the last has none.",
        ),
    ),
)


@dataclass(frozen=True)
class Line:
    """What a model says of rows: weights times columns."""

    weights: list

    def __call__(self, x: Tensor) -> Tensor:
        """Say a number for each of the rows: float `[batch, ...]` to `[batch]`."""
        return torch.as_tensor(x).float() @ torch.tensor(self.weights)


@dataclass(frozen=True)
class Cross:
    """What a model says of rows: the product of two columns."""

    first: int
    second: int

    def __call__(self, x: Tensor) -> Tensor:
        """Say a number for each of the rows: float `[batch, ...]` to `[batch]`."""
        x = torch.as_tensor(x).float()
        return x[:, self.first] * x[:, self.second]


@dataclass(frozen=True)
class LessError:
    """Quality of what was said: minus the mean squared error, times `factor`; higher is better."""

    factor: float

    def __call__(self, said: Tensor, labels: Tensor) -> float:
        """Judge what was said: two float `[n]` to a number."""
        gaps = torch.as_tensor(said).float() - torch.as_tensor(labels).float()
        return -self.factor * float(gaps.square().mean())


def permutation_importance(
    predict: Callable[[Tensor], Tensor],
    x: Tensor,
    labels: Tensor,
    quality: Callable[[Tensor, Tensor], float],
    order: Tensor,
) -> Tensor:
    """Quality lost when one column's rows are put in another order: float `[n, n_features]` to `[n_features]`."""
    whole, lost = quality(predict(x), labels), []
    for column in range(x.shape[1]):
        mixed = x.clone()
        mixed[:, column] = x[order, column]
        lost.append(whole - quality(predict(mixed), labels))
    return torch.tensor(lost)


def _importance(change: Callable[[Tensor, int, Tensor], Tensor]) -> Callable:
    """The importance by another way to spoil a column."""

    def answer(predict: Callable, x: Tensor, labels: Tensor, quality: Callable, order: Tensor) -> Tensor:
        whole = quality(predict(x), labels)
        spoilt = [change(x, column, order) for column in range(x.shape[1])]
        return torch.tensor([whole - quality(predict(each), labels) for each in spoilt])

    return answer


def _with_column(x: Tensor, column: int, values: Tensor | float) -> Tensor:
    changed = x.clone()
    changed[:, column] = values
    return changed


def _up_to(x: Tensor, column: int, order: Tensor) -> Tensor:
    return torch.cat([x[order, : column + 1], x[:, column + 1 :]], dim=1)


def _mixed_labels(predict: Callable, x: Tensor, labels: Tensor, quality: Callable, order: Tensor) -> Tensor:
    return torch.tensor([quality(predict(x), labels) - quality(predict(x), labels[order])] * x.shape[1])


def _not_compared(predict: Callable, x: Tensor, labels: Tensor, quality: Callable, order: Tensor) -> Tensor:
    return quality(predict(x), labels) - permutation_importance(predict, x, labels, quality, order)


def _as_share(predict: Callable, x: Tensor, labels: Tensor, quality: Callable, order: Tensor) -> Tensor:
    lost = permutation_importance(predict, x, labels, quality, order)
    return lost / lost.sum()


def _rows(seed: int, n: int, n_features: int) -> tuple[Tensor, Tensor]:
    return _draw(seed, n, n_features), torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def _noisy(seed: int, n: int, model: Callable, n_features: int) -> tuple:
    x, order = _rows(seed, n, n_features)
    return model, x, model(x) + 0.3 * _draw(seed + 50, n), LessError(1.0), order


THREE_ROWS = (
    Line([1.0, 0.0]),
    torch.tensor([[1.0, 5.0], [2.0, 7.0], [4.0, 9.0]]),
    torch.tensor([1.0, 2.0, 5.0]),
    LessError(1.0),
    torch.tensor([1, 2, 0]),
)
MISLED = (  # labels go against the second column: without it the model errs less
    Line([1.0, 1.0]),
    torch.tensor([[1.0, 2.0], [2.0, -1.0], [3.0, -1.0]]),
    torch.tensor([-1.0, 3.0, 4.0]),
    LessError(1.0),
    torch.tensor([2, 0, 1]),
)
PERMUTATION_IMPORTANCE = Exercise(
    id="18.permutation_importance",
    level="stretch",
    minutes=9,
    reference=permutation_importance,
    cases=(THREE_ROWS, MISLED, _noisy(11, 8, Cross(0, 2), 3), _noisy(12, 10, Line([2.0, -1.0, 0.5]), 3)),
    hidden=(_noisy(13, 20, Cross(1, 3), 4), _noisy(14, 6, Line([0.0, 3.0]), 2)),
    tolerance=1e-4,
    hints=(
        "First the quality of the model as it is. Then, for each column: copy x, mix this one column, ask again.",
        "`mixed = x.clone()`, then `mixed[:, column] = x[order, column]`. All other columns stay.",
        "Importance is the quality before minus the quality after. A column that is not used gets 0.",
    ),
    mistakes=(
        (
            _importance(lambda x, column, order: x[order]),
            "You mix whole rows, so that the columns stay together. Mix one column and leave the others.",
        ),
        (
            _importance(_up_to),
            "Columns that you have mixed stay mixed. Begin each time with a fresh copy of x.",
        ),
        (
            _importance(lambda x, column, order: _with_column(x, column, 0.0)),
            "You set the column to 0, a value that may never occur. Mix the values that it has.",
        ),
        (
            _importance(lambda x, column, order: _with_column(x, column, x[:, column].mean())),
            "You set the column to its mean. That asks another question: mix the values that it has.",
        ),
        (
            _mixed_labels,
            "You mix the labels: then every column seems equally important. Mix a column of x.",
        ),
        (
            _not_compared,
            "You return the quality after mixing. What counts is the loss: quality before minus quality after.",
        ),
        (
            lambda *inputs: permutation_importance(*inputs).abs(),
            "You took the absolute value. Below 0 says that the model does better without the column: keep the sign.",
        ),
        (
            _importance(lambda x, column, order: _with_column(x, column, x[order.argsort(), column])),
            "You turned the order round: row i gets the value of row `order[i]`, so write `x[order, column]` into it.",
        ),
        (
            lambda predict, x, labels, quality, order: torch.tensor(
                [
                    float((predict(x) - predict(_with_column(x, column, x[order, column]))).abs().mean())
                    for column in range(x.shape[1])
                ]
            ),
            "You measure how far the answers move. Asked is how much *quality* is lost: compare both with the labels.",
        ),
        (
            lambda *inputs: -permutation_importance(*inputs),
            "Turned round: importance is the quality before minus the quality after.",
        ),
        (
            _as_share,
            "You divided by the sum. Losses need not add up to anything, since columns work together.",
        ),
        (
            _importance(lambda x, column, order: x[:, order] if len(order) == x.shape[1] else x),
            "You reorder the columns. The order is one of rows: `x[order, column]`.",
        ),
    ),
)


def rollout(layers: list[Tensor]) -> Tensor:
    """Product of (mean of heads + identity) / 2 over the layers: floats `[n_heads, n, n]` to `[n, n]`."""
    total = eye = torch.eye(layers[0].shape[-1])
    for layer in layers:
        total = (layer.mean(dim=0) + eye) / 2 @ total
    return total


def _rolled(mix: Callable[[Tensor, Tensor], Tensor], turned: bool = False) -> Callable:
    def answer(layers: list[Tensor]) -> Tensor:
        eye = torch.eye(layers[0].shape[-1])
        total = eye
        for layer in layers:
            mixed = mix(layer, eye)
            total = total @ mixed if turned else mixed @ total
        return total

    return answer


def _half(layer: Tensor, eye: Tensor) -> Tensor:
    return (layer.mean(dim=0) + eye) / 2


def _elementwise(layers: list[Tensor]) -> Tensor:
    eye = torch.eye(layers[0].shape[-1])
    return torch.stack([_half(layer, eye) for layer in layers]).prod(dim=0)


def _attention(seed: int, n_layers: int, n_heads: int, n: int) -> tuple[list[Tensor]]:
    return ([(2 * _draw(seed + layer, n_heads, n, n)).softmax(dim=-1) for layer in range(n_layers)],)


ONE_LAYER = ([torch.tensor([[[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.0], [0.1, 0.9]]])],)
ROLLOUT = Exercise(
    id="18.rollout",
    level="stretch",
    minutes=8,
    reference=rollout,
    cases=(ONE_LAYER, _attention(15, 2, 2, 3), _attention(20, 3, 1, 4)),
    hidden=(_attention(25, 4, 3, 5), _attention(30, 2, 4, 2)),
    hints=(
        "For each layer: mean over the heads, plus the identity for the way around the attention, divided by 2.",
        "Begin with the identity and multiply from the left: what the first layer mixed, the second mixes again.",
        "Each row of the result adds up to 1. If yours do not, the 2 is missing.",
    ),
    mistakes=(
        (
            _rolled(_half, turned=True),
            "You multiply in the wrong order: the last layer stands on the left, since it reads what the others made.",
        ),
        (
            _rolled(lambda layer, eye: layer.mean(dim=0)),
            "You left out the way around the attention: add the identity before you divide by 2.",
        ),
        (
            _rolled(lambda layer, eye: layer.mean(dim=0) + eye),
            "Your rows add up to more than 1. Divide by 2 after adding the identity.",
        ),
        (
            _rolled(lambda layer, eye: (layer.sum(dim=0) + eye) / 2),
            "You add the heads up. Take their mean, so that rows add up to 1.",
        ),
        (
            _rolled(lambda layer, eye: (layer.amax(dim=0) + eye) / 2),
            "You take the largest head. Take the mean of the heads.",
        ),
        (
            _rolled(lambda layer, eye: (layer[0] + eye) / 2),
            "You look at the first head alone. Take the mean of the heads.",
        ),
        (
            lambda layers: _half(layers[-1], torch.eye(layers[0].shape[-1])),
            "You look at the last layer alone. It reads what the layers before it have mixed.",
        ),
        (
            lambda layers: torch.stack([_half(layer, torch.eye(layer.shape[-1])) for layer in layers]).mean(dim=0),
            "You average the layers. They follow each other: multiply the matrices.",
        ),
        (
            lambda layers: rollout(layers[1:]) @ layers[0].mean(dim=0) if layers[1:] else layers[0].mean(dim=0),
            "The first layer lacks its way around: each layer gets the identity, the first one too.",
        ),
        (_elementwise, "You multiply number by number. Multiply the matrices: `@`."),
        (
            lambda layers: rollout(layers).T,
            "Rows and columns are exchanged: row looks at column.",
        ),
    ),
)


def concept_direction(vectors: Tensor, labels: Tensor) -> Tensor:
    """From the mean without a concept to the mean with it, of length 1: `[n, dim]`, bool `[n]` to `[dim]`."""
    difference = vectors[labels].mean(dim=0) - vectors[~labels].mean(dim=0)  # [dim]
    return difference / difference.norm()


def _unit(direction: Tensor) -> Tensor:
    return direction / direction.norm()


def _labelled(seed: int, n: int, dim: int) -> tuple[Tensor, Tensor]:
    labels = torch.arange(n) % 3 == 0
    return _draw(seed, n, dim) + labels.unsqueeze(1) * _draw(seed + 1, dim) + 2, labels


THREE_VECTORS = torch.tensor([[1.0, 0.0], [3.0, 4.0], [5.0, 4.0]]), torch.tensor([False, True, True])
CONCEPT_DIRECTION = Exercise(
    id="18.concept_direction",
    level="stretch",
    minutes=6,
    reference=concept_direction,
    cases=(THREE_VECTORS, _labelled(35, 7, 3), _labelled(40, 10, 2)),
    hidden=(_labelled(45, 12, 5), (torch.tensor([[2.0], [1.0]]), torch.tensor([False, True]))),
    hints=(
        "Two means: one of the vectors with the concept, one of those without.",
        "`vectors[labels]` and `vectors[~labels]`, each `.mean(dim=0)`.",
        "Their difference points from without to with. Divide it by its own length.",
    ),
    mistakes=(
        (
            lambda v, y: v[y].mean(0) - v[~y].mean(0),
            "Your direction has the length of the gap. Divide by its norm, so that directions can be compared.",
        ),
        (
            lambda v, y: _unit(v[~y].mean(0) - v[y].mean(0)),
            "Your direction points away from the concept: with minus without.",
        ),
        (
            lambda v, y: _unit(v[y].mean(0)),
            "That is the mean of what has the concept. Most of it all vectors share: subtract the others' mean.",
        ),
        (
            lambda v, y: _unit(v[y].sum(0) - v[~y].sum(0)),
            "You subtract sums, so that the larger group wins. Take means.",
        ),
        (
            lambda v, y: _unit(F.normalize(v[y], dim=1).mean(0) - F.normalize(v[~y], dim=1).mean(0)),
            "You brought each vector to length 1 first. Here the vectors stay as they are.",
        ),
        (
            lambda v, y: F.normalize(v[y].mean(0) - v[~y].mean(0), p=1, dim=0),
            "You divided by the sum of the absolute values. Length is the root of the sum of squares.",
        ),
        (
            lambda v, y: _unit(v[y].median(0).values - v[~y].median(0).values),
            "You took medians. Take means.",
        ),
        (
            lambda v, y: _unit(v[y].mean(0)) - _unit(v[~y].mean(0)),
            "You normalised the two means. Subtract first, then divide by the length.",
        ),
    ),
)


review = Review(
    id="18.review",
    faults={
        "= encoder.network(": "the network runs on SDPA, which writes no weights down: `attentions` is empty (older "
        "versions: None). Set `network.set_attn_implementation('eager')` first. (`get_attention_weights()`, as the "
        "circulating program has it, is no method at all.)",
        'xlabel="users"': "the axes are mislabelled: rows look, columns are looked at, so x is 'looked at' and y "
        "'looks'. Both are tokens, not users and items.",
        "annotate(": "a number in every square: with hundreds of tokens that is tens of thousands of them. "
        "Show the colours, and write out the few you talk about.",
        "return": "a large weight is called the reason without a test. Take the word away and measure what happens.",
    },
    fine={
        "stack(": "Layers, then heads: `[n_layers, n_heads, n, n]`, of which it averages the first two.",
        "tokenize(": "The tokens that the model really reads, with its own tokenizer.",
    },
)

check, hint, solution = bind(
    (BECAUSE, INTEGRATED_GRADIENTS, DELETION_CURVE, PERMUTATION_IMPORTANCE, ROLLOUT, CONCEPT_DIRECTION)
)
