"""Exercises of lesson 20: a ring of processes, a batch in parts, a loss scaler, memory, and the way to a shard."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.review import Review


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ring_all_reduce(table: Tensor, steps: int) -> Tensor:
    """What every process holds after some steps round the ring: float `[n, n, size]` to the same."""
    n, table = len(table), table.clone()
    sender = torch.arange(n)
    receiver = (sender + 1) % n
    for step in range(steps):
        chunk = (sender - step) % n
        message = table[sender, chunk]  # [n, size]
        if step < n - 1:
            message = message + table[receiver, chunk]
        table[receiver, chunk] = message
    return table


def _ring(
    direction: int = 1, chunks: int = -1, switch: int = 1, first: int = 0, always: str = "", again: bool = False
) -> Callable:
    """The ring with a twist: who receives, how the chunk moves, when adding ends, where it begins."""

    def ring(table: Tensor, steps: int) -> Tensor:
        n, table = len(table), table.clone()
        sender = torch.arange(n)
        receiver = (sender + direction) % n
        for step in range(steps):
            since = step - (n - 1) if again and step >= n - 1 else step
            chunk = (sender + first + chunks * since) % n
            message = table[sender, chunk]
            adding = always == "add" or (step < n - switch and always != "replace")
            table[receiver, chunk] = message + table[receiver, chunk] if adding else message
        return table

    return ring


def _moved(table: Tensor, steps: int) -> Tensor:
    n, table = len(table), table.clone()
    sender = torch.arange(n)
    receiver = (sender + 1) % n
    for step in range(steps):
        chunk = (sender - step) % n
        message = table[sender, chunk]
        table[sender, chunk] = 0
        table[receiver, chunk] = message + table[receiver, chunk]
    return table


def _averaged(table: Tensor, steps: int) -> Tensor:
    whole = ring_all_reduce(table, steps)
    return whole / len(table) if steps == 2 * (len(table) - 1) else whole


def _reference_ring_for(change: Callable[[Tensor, int], tuple]) -> Callable:
    return lambda table, steps: ring_all_reduce(*change(table, steps))


TWO = torch.tensor([[[1.0], [2.0]], [[10.0], [20.0]]])
THREE = torch.tensor([[[1.0], [2], [3]], [[10], [20], [30]], [[100], [200], [300]]])
RING_ALL_REDUCE = Exercise(
    id="20.ring_all_reduce",
    level="medium",
    minutes=10,
    reference=ring_all_reduce,
    cases=((TWO, 1), (TWO, 2), (THREE, 1), (THREE, 2), (THREE, 3), (THREE, 4), (THREE, 0)),
    hidden=((_normal(1, 4, 4, 3), 6), (_normal(2, 4, 4, 2), 4), (_normal(3, 5, 5, 2), 8), (_normal(4, 1, 1, 3), 0)),
    hints=(
        "Each step: every process sends one chunk to its right. Work on `table.clone()`, so that the input stays.",
        "Process r sends chunk `(r - step) % n` to process `(r + 1) % n`. With `sender = torch.arange(n)`, "
        "`table[sender, chunk]` are all messages, `[n, size]`.",
        "While `step < n - 1` add the message to what the receiver has in that chunk; from then on write it in its "
        "place.",
    ),
    mistakes=(
        (
            _ring(always="add"),
            "You add in every step. After n - 1 steps a chunk's sum is whole: from then on it replaces what is there.",
        ),
        (
            _ring(always="replace"),
            "You never add: numbers travel, but no sum forms. In the first n - 1 steps add the message.",
        ),
        (
            _ring(direction=-1),
            "Your messages go to the left. Process r sends to `(r + 1) % n`.",
        ),
        (
            _ring(chunks=0),
            "You send the same chunk in each step. Send on what arrived last: chunk `(r - step) % n`.",
        ),
        (
            _ring(chunks=1),
            "Your chunk moves forward with the step. What arrived last is chunk `(r - step) % n`, one less each time.",
        ),
        (
            _ring(switch=0),
            "You add once too often: the sums are whole after n - 1 steps, so the step number n - 1 replaces.",
        ),
        (
            _ring(switch=2),
            "You stop adding one step too early: the first n - 1 steps add, and steps count from 0.",
        ),
        (
            _ring(first=1),
            "In step 0 process r sends its own chunk r; you begin with the next.",
        ),
        (
            lambda table, steps: table.sum(dim=0, keepdim=True).expand_as(table),
            "You return everybody's sum whatever the step. Asked for is the table on the way, after `steps` messages.",
        ),
        (
            _ring(again=True),
            "Your second half counts its steps from 0 again. It is chunk `(r - step) % n` all the way.",
        ),
        (
            _averaged,
            "You divide at the end. An all-reduce here is a sum; who wants the mean divides afterwards.",
        ),
        (
            _moved,
            "Your sender loses what it sends. It keeps a copy until another message takes its place.",
        ),
        (
            _reference_ring_for(lambda table, steps: (table, steps + 1)),
            "You take one step too many: `range(steps)` counts from 0.",
        ),
    ),
)


def accumulated_step(weights: Tensor, features: Tensor, targets: Tensor, size: int, rate: float) -> Tensor:
    """One SGD step on the mean squared error of all rows, `size` rows at a time: `[dim]` to `[dim]`."""
    weights = weights.clone().requires_grad_()
    for part, wanted in zip(features.split(size), targets.split(size), strict=True):
        loss = F.mse_loss(part @ weights, wanted) * len(part) / len(features)
        loss.backward()  # adds to weights.grad
    return weights.detach() - rate * weights.grad


def _weighed(weigh: Callable[[int, int, int, int], float], keep: Callable = lambda parts: parts) -> Callable:
    """Gradients of parts, each multiplied by ``weigh(rows of the part, all rows, parts, size)``."""

    def step(weights: Tensor, features: Tensor, targets: Tensor, size: int, rate: float) -> Tensor:
        weights = weights.clone().requires_grad_()
        parts = keep(list(zip(features.split(size), targets.split(size), strict=True)))
        for part, wanted in parts:
            share = weigh(len(part), len(features), len(parts), size)
            (F.mse_loss(part @ weights, wanted) * share).backward()
        return weights.detach() - rate * (weights.grad if parts else 0)

    return step


def _step_by_step(weights: Tensor, features: Tensor, targets: Tensor, size: int, rate: float) -> Tensor:
    for part, wanted in zip(features.split(size), targets.split(size), strict=True):
        weights = weights.detach().requires_grad_()
        (F.mse_loss(part @ weights, wanted) * len(part) / len(features)).backward()
        weights = weights.detach() - rate * weights.grad
    return weights


def _added_twice(weights: Tensor, features: Tensor, targets: Tensor, size: int, rate: float) -> Tensor:
    weights, total = weights.clone().requires_grad_(), 0
    for part, wanted in zip(features.split(size), targets.split(size), strict=True):
        F.mse_loss(part @ weights, wanted).backward()
        total = total + weights.grad * len(part) / len(features)
    return weights.detach() - rate * total


def _crossed(weights: Tensor, features: Tensor, targets: Tensor, size: int, rate: float) -> Tensor:
    weights = weights.clone().requires_grad_()
    for part, wanted in zip(features.split(size), targets.split(size), strict=True):
        errors = (part @ weights)[:, None] - wanted  # [rows, rows]
        (errors.square().mean() * len(part) / len(features)).backward()
    return weights.detach() - rate * weights.grad


def _full_parts(weights: Tensor, features: Tensor, targets: Tensor, size: int, rate: float) -> Tensor:
    parts = max(len(features) // size, 1)
    return accumulated_step(weights, features[: parts * size], targets[: parts * size], size, rate)


def _share(rows: int, all_rows: int, parts: int, size: int) -> float:
    return rows / all_rows


def _scaled(step: Callable, rate: Callable[[float], float]) -> Callable:
    return lambda weights, features, targets, size, given: step(weights, features, targets, size, rate(given))


def _rows(seed: int, n: int, dim: int, size: int) -> tuple:
    return _normal(seed, dim), _normal(seed + 100, n, dim), _normal(seed + 200, n), size, 0.1


LAST_ALONE = torch.zeros(1), torch.ones(3, 1), torch.tensor([1.0, 1.0, 4.0]), 2, 0.5
EVEN = torch.ones(1), torch.ones(4, 1), torch.tensor([0.0, 2, 4, 6]), 2, 0.5
ACCUMULATED_STEP = Exercise(
    id="20.accumulated_step",
    level="easy",
    minutes=8,
    reference=accumulated_step,
    cases=(LAST_ALONE, EVEN, _rows(5, 7, 3, 3), _rows(6, 5, 2, 8)),
    hidden=(_rows(7, 10, 4, 4), _rows(8, 6, 2, 1), _rows(9, 6, 3, 6)),
    hints=(
        "`features.split(size)` gives the parts; the last may be smaller. `backward()` adds to what `weights.grad` "
        "holds.",
        "The mean over all rows is the sum of the parts' means, each weighed by its share of the rows.",
        "Multiply each part's mean loss by `len(part) / len(features)` before `backward()`. One step at the end: "
        "`weights - rate * grad`.",
    ),
    mistakes=(
        (
            _weighed(lambda rows, all_rows, parts, size: 1 / parts),
            "You divide by the number of parts, so a small last part weighs as much as a whole one. Weigh by its rows.",
        ),
        (
            _weighed(lambda rows, all_rows, parts, size: 1),
            "You add the parts' means up: with four parts the step is four times too long. Weigh each by its share.",
        ),
        (
            _weighed(lambda rows, all_rows, parts, size: rows),
            "You add up over all rows without dividing: the step grows with the batch. Divide by `len(features)`.",
        ),
        (
            _weighed(lambda rows, all_rows, parts, size: size / all_rows),
            "You give the last part the weight of a full one: it may have fewer than `size` rows. Use `len(part)`.",
        ),
        (
            _weighed(_share, lambda parts: [part for part in parts if len(part[0]) == len(parts[0][0])]),
            "You leave out the last part when it is smaller: its rows belong to the batch as well.",
        ),
        (
            _weighed(_share, lambda parts: parts[-1:]),
            "You keep the last part's gradient alone. Is there a `zero_grad` inside your loop?",
        ),
        (
            _weighed(_share, lambda parts: parts[:1]),
            "You keep the first part's gradient alone: let every part add to it.",
        ),
        (
            _full_parts,
            "You take the full parts alone: `n // size` forgets the last rows. They belong to the batch as well.",
        ),
        (
            _added_twice,
            "You add up `weights.grad`, which is a running sum already. Weigh the loss, and let `backward()` add.",
        ),
        (
            _crossed,
            "You compare each prediction with each target: shapes `[rows, 1]` and `[rows]` make a square. "
            "`part @ weights` is `[rows]`.",
        ),
        (
            _step_by_step,
            "You step after each part, so that later parts see other weights. Collect first, then take one step.",
        ),
        (
            _scaled(accumulated_step, lambda rate: -rate),
            "You go uphill: subtract the gradient.",
        ),
        (
            _scaled(accumulated_step, lambda rate: 1.0),
            "You did not use the learning rate.",
        ),
        (
            _weighed(lambda rows, all_rows, parts, size: rows / all_rows / 2),
            "Your gradient is half of what it should be: the derivative of a square has a factor of 2.",
        ),
    ),
)


def scaler_step(
    weights: Tensor, gradient: Tensor, scale: float, good: int, interval: int, rate: float
) -> tuple[Tensor, float, int]:
    """One SGD step under a loss scaler: new weights `[dim]`, new scale, good steps since it last changed."""
    if not gradient.isfinite().all():
        return weights, scale / 2, 0
    weights, good = weights - rate * gradient / scale, good + 1
    if good == interval:
        return weights, scale * 2, 0
    return weights, scale, good


def _scaler(
    finite: Callable[[Tensor], bool] = lambda gradient: bool(gradient.isfinite().all()),
    unscale: Callable[[Tensor, float], Tensor] = lambda gradient, scale: gradient / scale,
    overflow: Callable[[Tensor, float, int], tuple] = lambda weights, scale, good: (weights, scale / 2, 0),
    grows: Callable[[int, int], bool] = lambda good, interval: good == interval,
    grown: Callable[[float, int], tuple] = lambda scale, good: (scale * 2, 0),
) -> Callable:
    """The step with one part replaced."""

    def step(weights: Tensor, gradient: Tensor, scale: float, good: int, interval: int, rate: float) -> tuple:
        if not finite(gradient):
            return overflow(weights, scale, good)
        weights, good = weights - rate * unscale(gradient, scale), good + 1
        return (weights, *(grown(scale, good) if grows(good, interval) else (scale, good)))

    return step


def _repaired(
    weights: Tensor, gradient: Tensor, scale: float, good: int, interval: int, rate: float
) -> tuple[Tensor, float, int]:
    _, new, good = scaler_step(weights, gradient, scale, good, interval, rate)
    kept = gradient.where(gradient.isfinite(), torch.zeros(()))
    return weights - rate * kept / scale, new, good


def _new_scale_first(
    weights: Tensor, gradient: Tensor, scale: float, good: int, interval: int, rate: float
) -> tuple[Tensor, float, int]:
    _, new, good = scaler_step(weights, gradient, scale, good, interval, rate)
    if gradient.isfinite().all():
        weights = weights - rate * gradient / new
    return weights, new, good


ONE = torch.tensor([1.0, 2.0])
GOOD = ONE, torch.tensor([8.0, -16.0]), 8.0, 0, 3, 0.5
GROWS = ONE, torch.tensor([8.0, -16.0]), 8.0, 2, 3, 0.5
INFINITE = ONE, torch.tensor([8.0, torch.inf]), 8.0, 1, 3, 0.5
NAN = ONE, torch.tensor([torch.nan, 8.0]), 1024.0, 0, 3, 0.5
ALL_LOST = ONE, torch.tensor([torch.inf, torch.nan]), 16.0, 2, 3, 0.5
LARGE = ONE, torch.tensor([131072.0, -262144.0]), 2.0**17, 0, 3, 0.5  # above fp16's limit, and fine in float32
LOW = ONE, torch.tensor([torch.inf, 0.5]), 1.0, 0, 3, 0.5
NOT_YET = ONE, torch.tensor([4.0, 0.0]), 4.0, 1, 3, 0.5
SCALER_STEP = Exercise(
    id="20.scaler_step",
    level="medium",
    minutes=10,
    reference=scaler_step,
    cases=(GOOD, GROWS, INFINITE, NAN, ALL_LOST, NOT_YET, LARGE, LOW),
    hidden=(
        (_normal(10, 3), _normal(11, 3) * 4096, 4096.0, 0, 1, 0.1),
        (_normal(12, 3), torch.tensor([1.0, -torch.inf, torch.nan]), 65536.0, 7, 9, 0.1),
        (_normal(13, 2), _normal(14, 2) * 2, 2.0, 5, 9, 0.01),
    ),
    hints=(
        "Three ways out: an overflow; a good step; a good step that completes the interval. Which is asked first?",
        "`gradient.isfinite().all()` is False for inf and for NaN. Then nothing is learnt, the scale halves, the count "
        "restarts.",
        "Otherwise step with `gradient / scale` and count. When the count equals `interval`: double the scale, count "
        "from 0.",
    ),
    mistakes=(
        (
            _scaler(unscale=lambda gradient, scale: gradient),
            "You did not divide by the scale: the step is `scale` times too long.",
        ),
        (
            _scaler(unscale=lambda gradient, scale: gradient * scale),
            "You multiplied by the scale once more. The loss was multiplied, so the gradient must be divided.",
        ),
        (
            _scaler(finite=lambda gradient: not gradient.isnan().any()),
            "You look for NaN alone. An overflow is inf first: `isfinite` refuses both.",
        ),
        (
            _scaler(finite=lambda gradient: not gradient.isinf().any()),
            "You look for inf alone. inf - inf is NaN: `isfinite` refuses both.",
        ),
        (
            _scaler(finite=lambda gradient: True),
            "You step with whatever comes: one inf and the weights are lost. Look before you step.",
        ),
        (
            _scaler(finite=lambda gradient: bool(gradient.isfinite().any())),
            "You skip only when no number is finite. One that is not is enough: `.all()`.",
        ),
        (
            _scaler(overflow=lambda weights, scale, good: (weights, scale, 0)),
            "You skip the step but keep the scale: the next batch will overflow as well. Halve it.",
        ),
        (
            _scaler(overflow=lambda weights, scale, good: (weights, scale / 2, good)),
            "An overflow must restart the count: `interval` good steps *in a row* make the scale grow.",
        ),
        (
            _scaler(overflow=lambda weights, scale, good: (weights, scale / 2, good + 1)),
            "You counted a skipped step as a good one.",
        ),
        (
            _scaler(overflow=lambda weights, scale, good: (weights, scale * 2, 0)),
            "You double the scale after an overflow. It was too large: halve it.",
        ),
        (
            _scaler(grows=lambda good, interval: False),
            "Your scale does not grow when the count reaches `interval`: that very step doubles it.",
        ),
        (
            _scaler(grows=lambda good, interval: True),
            "You double after every good step: it would overflow again and again. Wait for `interval` of them.",
        ),
        (
            _scaler(grown=lambda scale, good: (scale * 2, good)),
            "You did not restart the count after doubling.",
        ),
        (
            _repaired,
            "You step with the numbers that are finite. The others came from the same overflow: skip the whole step.",
        ),
        (
            _scaler(unscale=lambda gradient, scale: gradient / scale / scale),
            "You divide by the scale twice: the step is `scale` times too short.",
        ),
        (
            _scaler(finite=lambda gradient: bool((gradient.abs() <= 65504).all())),
            "You compare with fp16's limit. The gradient has arrived in float32: skip for inf and NaN, not for large.",
        ),
        (
            _scaler(overflow=lambda weights, scale, good: (weights, 1.0, 0)),
            "You start again from scale 1 after an overflow. Half is enough: all the rest was found out already.",
        ),
        (
            _scaler(overflow=lambda weights, scale, good: (weights, max(scale / 2, 1.0), 0)),
            "Your scale stops at 1. It may go below: loss and gradient can be too large even unscaled.",
        ),
        (
            _new_scale_first,
            "You divide by the new scale. This gradient was made with the old one.",
        ),
    ),
)


def memory_estimate(rows: int, dim: int, optimizer: str, stage: int, workers: int) -> float:
    """Bytes that one process holds to train a float32 table of `rows` vectors."""
    weights = gradients = 4 * rows * dim
    state = {"sgd": 0, "adam": 2 * weights, "rowwise_adagrad": 4 * rows}[optimizer]
    parts = [state, gradients, weights]  # in the order in which the stages divide them
    return sum(part / workers for part in parts[:stage]) + sum(parts[stage:])


def _memory(
    gradients: float = 1, adam: float = 2, rowwise: Callable[[int, int], float] = lambda rows, dim: 4 * rows, size=4
) -> Callable:
    def estimate(rows: int, dim: int, optimizer: str, stage: int, workers: int) -> float:
        weights = size * rows * dim
        state = {"sgd": 0, "adam": adam * weights, "rowwise_adagrad": rowwise(rows, dim)}[optimizer]
        parts = [state, gradients * weights, weights]
        return sum(part / workers for part in parts[:stage]) + sum(parts[stage:])

    return estimate


def _in_order(order: Callable[[float, float, float], list[float]]) -> Callable:
    def estimate(rows: int, dim: int, optimizer: str, stage: int, workers: int) -> float:
        weights = 4 * rows * dim
        parts = order({"sgd": 0, "adam": 2 * weights, "rowwise_adagrad": 4 * rows}[optimizer], weights, weights)
        return sum(part / workers for part in parts[:stage]) + sum(parts[stage:])

    return estimate


def _divided(*divided: str, whole: type = float) -> Callable:
    """The parts named at a stage are divided there: s the state, g the gradients, w the weights."""

    def estimate(rows: int, dim: int, optimizer: str, stage: int, workers: int) -> float:
        weights = 4 * rows * dim
        state = {"sgd": 0, "adam": 2 * weights, "rowwise_adagrad": 4 * rows}[optimizer]
        parts = {"s": state, "g": weights, "w": weights}
        return sum(whole(size / (workers if part in divided[stage] else 1)) for part, size in parts.items())

    return estimate


MEMORY_ESTIMATE = Exercise(
    id="20.memory_estimate",
    level="stretch",
    minutes=8,
    reference=memory_estimate,
    cases=(
        (10, 4, "sgd", 0, 1),
        (10, 4, "adam", 0, 2),
        (10, 4, "adam", 1, 2),
        (10, 4, "adam", 2, 4),
        (10, 4, "adam", 3, 4),
        (10, 4, "adam", 3, 3),
        (10, 4, "rowwise_adagrad", 0, 2),
        (10, 4, "rowwise_adagrad", 1, 2),
    ),
    hidden=((10**9, 64, "adam", 3, 16), (10**9, 64, "rowwise_adagrad", 3, 16), (100, 8, "sgd", 2, 5)),
    hints=(
        "Three parts: weights, gradients, state. A float32 has 4 bytes.",
        "State: Adam 2 numbers a weight, row-wise Adagrad 1 a row, SGD none. Stage 1 divides the state, 2 also the "
        "gradients, 3 also the weights.",
        "Put the parts into a list in that order: the first `stage` are divided by `workers`, the others are whole.",
    ),
    mistakes=(
        (
            _memory(gradients=0),
            "You forgot the gradients: one number for each weight, while a step lasts.",
        ),
        (
            _memory(adam=1),
            "Adam keeps two numbers for each weight: the mean of the gradient and that of its square.",
        ),
        (
            _memory(rowwise=lambda rows, dim: 4 * rows * dim),
            "That is Adagrad. The row-wise one keeps one number for a whole row: that is its point.",
        ),
        (
            _memory(rowwise=lambda rows, dim: 4 * dim),
            "You keep one number for each column. Row-wise means one for each row, and there are far more of those.",
        ),
        (
            _divided("", "s", "g", "w"),
            "Your stage divides one part and leaves the earlier ones whole. Each stage keeps what those before it do.",
        ),
        (
            _divided("", "s", "s", "sgw"),
            "You divide the gradients at stage 3 only. Stage 2 divides them already.",
        ),
        (
            _divided("", "sg", "sg", "sgw"),
            "You divide the gradients at stage 1. Stage 1 divides the state alone.",
        ),
        (
            _divided("", "s", "sg", "sgw", whole=int),
            "You round: divide with `/`. An estimate keeps the fraction.",
        ),
        (
            _memory(size=1),
            "You counted numbers. A float32 has 4 bytes.",
        ),
        (
            _memory(size=2, rowwise=lambda rows, dim: 2 * rows),
            "You counted 2 bytes for each number: float32 has 4.",
        ),
        (
            lambda rows, dim, optimizer, stage, workers: memory_estimate(rows, dim, optimizer, 0, workers),
            "You divide nothing: each stage shares one part more among the workers.",
        ),
        (
            lambda rows, dim, optimizer, stage, workers: memory_estimate(rows, dim, optimizer, 3, workers),
            "You divide everything at every stage. Stage 0 divides nothing: it is plain DDP.",
        ),
        (
            _in_order(lambda state, gradients, weights: [weights, gradients, state]),
            "Your stages begin with the weights. The first to be divided is the optimiser state, the largest part.",
        ),
        (
            lambda rows, dim, optimizer, stage, workers: (
                workers * memory_estimate(rows, dim, optimizer, stage, workers)
            ),
            "That is what all processes hold together. Asked for is one of them.",
        ),
        (
            lambda rows, dim, optimizer, stage, workers: (
                memory_estimate(rows, dim, optimizer, 0, 1) / (workers if stage else 1)
            ),
            "From stage 1 on you divide all parts. Stage 1 divides the state alone, stage 2 the gradients as well.",
        ),
    ),
)


def route_ids(ids: Tensor, workers: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows as their owners count them, by owner; how many for each; where each answer belongs: int64, all three."""
    owner = ids % workers
    order = owner.argsort(stable=True)
    counts = torch.bincount(owner, minlength=workers)
    return ids[order] // workers, counts, order.argsort()


def _routed(
    owner: Callable[[Tensor, int], Tensor] = lambda ids, workers: ids % workers,
    rows: Callable[[Tensor, int], Tensor] = lambda ids, workers: ids // workers,
    counts: Callable[[Tensor, int], Tensor] = lambda owner, workers: torch.bincount(owner, minlength=workers),
    back: Callable[[Tensor], Tensor] = lambda order: order.argsort(),
    sort: Callable[[Tensor, Tensor], Tensor] = lambda owner, ids: owner.argsort(stable=True),
) -> Callable:
    """The routing with one part replaced."""

    def route(ids: Tensor, workers: int) -> tuple[Tensor, Tensor, Tensor]:
        whose = owner(ids, workers)
        order = sort(whose, ids)
        return rows(ids, workers)[order], counts(whose, workers), back(order)

    return route


def _ids(seed: int, n_rows: int, n: int, workers: int) -> tuple:
    return torch.randint(n_rows, (n,), generator=torch.Generator().manual_seed(seed)), workers


def _ungrouped(ids: Tensor, workers: int) -> tuple[Tensor, Tensor, Tensor]:
    _, counts, places = route_ids(ids, workers)
    return ids // workers, counts, places


def _once_each(ids: Tensor, workers: int) -> tuple[Tensor, Tensor, Tensor]:
    distinct, place = ids.unique(return_inverse=True)
    rows, counts, places = route_ids(distinct, workers)
    return rows, counts, places[place]


ROUTE_IDS = Exercise(
    id="20.route_ids",
    level="stretch",
    minutes=10,
    reference=route_ids,
    cases=(
        (torch.tensor([5, 0, 4, 5, 2, 1]), 3),
        (torch.tensor([8, 3, 0, 5]), 2),
        (torch.tensor([4, 0, 8]), 4),
        (torch.tensor([7, 0]), 4),
        _ids(15, 11, 9, 4),
        _ids(16, 30, 40, 4),
    ),
    hidden=(_ids(18, 50, 60, 3), (torch.tensor([], dtype=torch.int64), 2), _ids(17, 9, 12, 1)),
    hints=(
        "Dealt like cards: row r lives with worker `r % workers`, which counts its own rows from 0: there it is row "
        "`r // workers`.",
        "`order = owner.argsort(stable=True)` groups by owner. `torch.bincount(owner, minlength=workers)` counts, idle "
        "ones too.",
        "`answers[places]` must be in the order of `ids`: `places` undoes `order`, and that is `order.argsort()`.",
    ),
    mistakes=(
        (
            _routed(rows=lambda ids, workers: ids),
            "You send numbers of the whole table. An owner counts its own rows from 0: `ids // workers`.",
        ),
        (
            _routed(rows=lambda ids, workers: ids % workers),
            "You send the owner's number to the owner. Its row is `ids // workers`.",
        ),
        (
            _routed(owner=lambda ids, workers: ids // workers, rows=lambda ids, workers: ids % workers),
            "You swapped the two: the owner is the remainder, `ids % workers`, the row there the quotient.",
        ),
        (
            _routed(owner=lambda ids, workers: ids % workers + 1),
            "Your owners are counted from 1: worker 0 takes part as well.",
        ),
        (
            _routed(back=lambda order: order),
            "`order` groups the ids; the answers need the way back, which is another permutation: `order.argsort()`.",
        ),
        (
            _routed(back=lambda order: torch.arange(len(order))),
            "Your `places` leave the answers grouped by owner. They belong in the order of `ids`: `order.argsort()`.",
        ),
        (
            _ungrouped,
            "You return the rows in the order of `ids`. A parcel goes to one owner, so group them: `[order]`.",
        ),
        (
            _once_each,
            "You ask once for an id that occurs twice: good on a network (the package does it), but here each counts.",
        ),
        (
            _routed(counts=lambda owner, workers: torch.bincount(owner)),
            "You have no count for workers at the end that own nothing here. They wait for a message: "
            "`minlength=workers`.",
        ),
        (
            _routed(counts=lambda owner, workers: owner.unique(return_counts=True)[1]),
            "You leave out the workers without an id. They wait for a message, if only an empty one: count 0.",
        ),
        (
            _routed(counts=lambda owner, workers: torch.bincount(owner, minlength=workers).cumsum(0)),
            "You return where the groups end. Asked for is how many ids each owner gets.",
        ),
        (
            _routed(sort=lambda owner, ids: torch.arange(len(ids))),
            "Your ids are not grouped by owner. The library sends the first `counts[0]` to worker 0, the next to 1.",
        ),
        (
            _routed(sort=lambda owner, ids: ids.argsort(stable=True)),
            "You sorted the ids themselves. Sort by owner, stable: within an owner they stay as they were asked.",
        ),
        (
            _routed(sort=lambda owner, ids: (-owner).argsort(stable=True)),
            "Your groups begin with the last worker. Worker 0 comes first.",
        ),
    ),
)


review = Review(
    id="20.review",
    faults={
        "list(sampler)": "nobody told the sampler which epoch it is, so each epoch repeats the first one's order: "
        "`sampler.set_epoch(epoch)` before it is read.",
        "share // workers": "`share` is a worker's part already. Divided again, a step learns from half of what was "
        "planned. (Some frameworks take the whole batch and divide it themselves: the same mistake, out of sight.)",
        "for rows in parts": "a loop on one device. Nothing runs at the same time, there is no process group and no "
        "all-reduce: the word TPU in the name is the only distributed part.",
        "loss.backward()": "each worker's gradient is added and nobody divides: the sum of the means is `workers` "
        "times the mean. Divide the loss by `workers`.",
    },
    fine={
        "batch_size // workers": "This is the one division that belongs here.",
        "DistributedSampler(": "Each rank gets rows of its own; it needs no process group when both numbers are given.",
        "zero_grad()": "Once a step, before the first worker: right.",
        "torch.cat(parts)": "A ledger. It is what lets you see the other faults.",
    },
)

check, hint, solution = bind((RING_ALL_REDUCE, ACCUMULATED_STEP, SCALER_STEP, MEMORY_ESTIMATE, ROUTE_IDS))
