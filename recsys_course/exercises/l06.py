"""Exercises of lesson 06, overfitting and honest validation."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.checks.plain import as_array, plain
from recsys_course.data import Interactions
from recsys_course.review import Review

nan = math.nan


class EarlyStopper:
    """Remember the best epoch's weights, and say when to stop waiting for a better one."""

    def __init__(self, patience: int, min_delta: float = 0.0, mode: str = "max") -> None:
        self.patience, self.min_delta, self.mode = patience, min_delta, mode
        self.best_score = -math.inf if mode == "max" else math.inf
        self.best_weights, self.waited = {}, 0

    def step(self, score: float, weights: dict[str, Tensor]) -> bool:
        """Count an epoch with this score; True: stop now."""
        gain = score - self.best_score if self.mode == "max" else self.best_score - score
        if gain > self.min_delta:  # never so for NaN
            self.best_score, self.waited = score, 0
            self.best_weights = {name: weight.clone() for name, weight in weights.items()}
        else:
            self.waited += 1
        return self.waited >= self.patience


def _problem_with_stopper(answer: Callable, case: tuple) -> str | None:
    """What a training does whose weights are, after each epoch, the number of that epoch."""
    patience, min_delta, mode, scores = case
    stopped, restored = _trace(EarlyStopper, case), []
    stopper, weights = answer(patience, min_delta, mode), {"w": torch.zeros(2)}
    for epoch, score in enumerate(scores, start=1):
        weights["w"].fill_(epoch)  # in place, as an optimiser does it
        stop = plain(stopper.step(score, weights))
        if not isinstance(stop, np.ndarray) or stop.dtype != bool or stop.shape:
            return "step returns True (stop now) or False"
        restored = stopper.best_weights
        if stop or epoch == len(scores):
            said = f"after epoch {epoch}" if stop else "never"
            break
    if said != stopped[0]:
        return f"scores {scores}: it stopped {said}, expected {stopped[0]}"
    weights["w"].fill_(-1)  # the next training begins
    found = plain(restored)
    kept = as_array(found.get("w")) if isinstance(found, dict) else None
    if not isinstance(kept, np.ndarray) or kept.shape != (2,):
        return "best_weights is a dict with a tensor for each name"
    if kept[0] == -1:
        return f"best_weights hold what training wrote later, expected those of epoch {stopped[1]}"
    if kept[0] != stopped[1]:
        return f"scores {scores}: best_weights are those of epoch {kept[0]:g}, expected {stopped[1]}"
    return None


def _trace(stopper: type, case: tuple) -> tuple[str, int]:
    """When the reference stops, and the epoch whose weights it keeps."""
    *settings, scores = case
    right = stopper(*settings)
    for epoch, score in enumerate(scores, start=1):
        if right.step(score, {"w": torch.tensor(epoch)}):
            return f"after epoch {epoch}", int(right.best_weights["w"])
    return "never", int(right.best_weights["w"])


def _stopper(
    gain: Callable | None = None,
    start: float | None = None,
    stop: Callable | None = None,
    keep: Callable | None = None,
    worse: Callable | None = None,
) -> type:
    """A stopper in which one part is another."""

    def begin(self, patience: int, min_delta: float = 0.0, mode: str = "max") -> None:
        EarlyStopper.__init__(self, patience, min_delta, mode)
        self.best_score = self.best_score if start is None else start
        self.last, self.better = self.best_score, False

    def step(self, score: float, weights: dict[str, Tensor]) -> bool:
        plain_gain = (score - self.best_score) * (1 if self.mode == "max" else -1)
        self.better = plain_gain > self.min_delta if gain is None else gain(self, score)
        if self.better:
            self.best_score, self.waited = score, 0
            copies = {name: weight.clone() for name, weight in weights.items()}
            self.best_weights = copies if keep is None else keep(weights)
        else:
            self.waited += 1
            _ = worse and worse(self, score)
        self.last = score
        return bool(self.waited >= self.patience if stop is None else stop(self, score))

    return type("Wrong", (EarlyStopper,), {"__init__": begin, "step": step})


class _Silent(EarlyStopper):
    def step(self, score: float, weights: dict[str, Tensor]) -> bool | None:
        return True if super().step(score, weights) else None


def _sign(stopper: EarlyStopper) -> int:
    return 1 if stopper.mode == "max" else -1


def _count_all(stopper: EarlyStopper, score: float) -> bool:
    stopper.total = getattr(stopper, "total", 0) + (not stopper.better)
    return stopper.total >= stopper.patience


def _drift(stopper: EarlyStopper, score: float) -> None:
    if (score - stopper.best_score) * _sign(stopper) > 0:
        stopper.best_score = score


def _poisoned(stopper: EarlyStopper, score: float) -> bool:
    first = not math.isfinite(stopper.best_score) and not stopper.best_weights
    return first or (score - stopper.best_score) * _sign(stopper) > stopper.min_delta


PEAK = (2, 0.0, "max", [0.1, 0.3, 0.2, 0.25, 0.4])
LOSS = (2, 0.0, "min", [1.0, 0.8, 0.9, 0.85, 0.7])
TINY_STEPS = (2, 0.05, "max", [0.3, 0.34, 0.38, 0.42, 0.5])
TINY_GAIN = (2, 0.05, "max", [0.3, 0.34, 0.34, 0.2])
TINY_LOSS = (2, 0.1, "min", [1.0, 0.95, 0.8, 0.75, 0.72])
NAN_FIRST = (2, 0.0, "max", [nan, 0.3, nan, 0.2, 0.5])
NAN_LOSS = (2, 0.0, "min", [0.9, nan, 0.95, 0.1])
TIES = (2, 0.0, "max", [0.5, 0.5, 0.5, 0.6])
TO_THE_END = (2, 0.0, "max", [0.1, 0.05, 0.2, 0.15, 0.3])
BELOW_ZERO = (2, 0.0, "max", [-3.0, -2.0, -2.5, -2.6])

EARLY_STOPPER = Exercise(
    id="06.earlystopper",
    name="EarlyStopper",
    level="medium",
    minutes=10,
    reference=EarlyStopper,
    cases=(
        PEAK,
        LOSS,
        TINY_STEPS,
        TINY_GAIN,
        TINY_LOSS,
        NAN_FIRST,
        NAN_LOSS,
        TIES,
        TO_THE_END,
        BELOW_ZERO,
    ),
    hidden=((1, 0.0, "min", [3.0, 2.0, nan, 1.0]), (3, 0.02, "max", [nan, nan, 0.2, 0.21, 0.24, 0.1, nan, 0.25, 0.9])),
    verify=_problem_with_stopper,
    hints=(
        "How much better is this score than the best so far? A difference, with its sign turned round in mode 'min'.",
        "Better by more than min_delta: remember score and weights, and waited is 0 again. Otherwise waited grows by "
        "one. Stop when waited reaches patience.",
        "NaN is above nothing, so write `if gain > min_delta`, not its opposite. Copy each weight: "
        "`{name: weight.clone() for name, weight in weights.items()}`.",
    ),
    mistakes=(
        (
            _stopper(keep=lambda weights: weights),
            "Your best weights are the last ones: training changes `weights` in place, and a second name (or a new "
            "dict of the same tensors) is no copy. Clone each tensor.",
        ),
        (
            _stopper(gain=lambda s, score: score - s.best_score > s.min_delta, start=-math.inf),
            "You ignore mode='min': a loss is better when it is lower.",
        ),
        (
            _stopper(gain=lambda s, score: (s.last - score) * _sign(s) < -s.min_delta),
            "You compare with the epoch before. Patience counts from the best epoch: compare with the best.",
        ),
        (
            _stopper(stop=lambda s, score: s.waited > s.patience),
            "You stop one epoch late: with patience 2 the second epoch in a row without improvement is the last.",
        ),
        (
            _stopper(stop=_count_all),
            "Your counter never starts again. An improvement sets it to 0: only epochs in a row count.",
        ),
        (
            _stopper(gain=lambda s, score: (score - s.best_score) * _sign(s) >= s.min_delta),
            "You count a tie as an improvement. An improvement is more than min_delta; otherwise a flat score trains "
            "for ever.",
        ),
        (
            _stopper(gain=lambda s, score: not (score - s.best_score) * _sign(s) <= s.min_delta),
            "NaN counted as an improvement: `not score <= best` is True for it. Ask `score > best`.",
        ),
        (
            _stopper(gain=_poisoned),
            "You took the first score as the best, and it was NaN: nothing is ever above NaN. Start from minus "
            "infinity, or infinity in mode 'min'.",
        ),
        (
            _stopper(stop=lambda s, score: s.waited >= s.patience or math.isnan(score)),
            "You stop at the first NaN. One broken evaluation is no improvement and no more: patience decides.",
        ),
        (
            _stopper(gain=lambda s, score: (score - s.best_score) * _sign(s) > 0),
            "You ignore min_delta: a gain that small is noise, and patience should run on.",
        ),
        (
            _stopper(gain=lambda s, score: score * _sign(s) > s.best_score * _sign(s) + s.min_delta * _sign(s)),
            "In mode 'min' your min_delta makes it easier to improve. The loss must be below best - min_delta.",
        ),
        (
            _stopper(worse=_drift),
            "You moved best_score by a step smaller than min_delta. Many small steps are a real gain: leave the mark "
            "where the last improvement was.",
        ),
        (
            _stopper(start=0.0),
            "You start from a best score of 0. Scores may be negative and losses above 0: start from minus or plus "
            "infinity.",
        ),
        (
            _Silent,
            "Some path through your step returns nothing. Return True or False after each epoch.",
        ),
        (
            _stopper(stop=lambda s, score: s.better),
            "You return whether the epoch was better. Return whether to stop: waited >= patience.",
        ),
    ),
)


def shrink(weights: Tensor, rate: float, l1: float, l2: float) -> Tensor:
    """The proximal step of both penalties, float `[n]` to `[n]`: L1 takes away a length, L2 a share."""
    left = (weights.abs() - rate * l1).clamp(min=0)  # [n]
    return weights.sign() * left / (1 + rate * l2)


def _soft(w: Tensor, threshold: float) -> Tensor:
    return w.sign() * (w.abs() - threshold).clamp(min=0)


def _some_weights(seed: int, n: int, rate: float, l1: float, l2: float) -> tuple:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed)), rate, l1, l2


SHRINK = Exercise(
    id="06.shrink",
    level="stretch",
    minutes=8,
    reference=shrink,
    cases=(
        (torch.tensor([3.0, -2.0, 0.5, 0.0, -0.25]), 0.5, 1.0, 0.0),
        (torch.tensor([3.0, -2.0, 0.5, 0.0]), 0.5, 0.0, 2.0),
        (torch.tensor([3.0, -2.0, 0.5, -0.75]), 0.25, 2.0, 4.0),
        (torch.tensor([1.0, -4.0]), 0.5, 0.0, 0.0),
    ),
    hidden=(_some_weights(31, 20, 0.3, 1.5, 0.7), _some_weights(1, 7, 2.0, 0.1, 1.0)),
    hints=(
        "Take one weight above 0 and set the slope of (x - w)²/2 + rate (l1 x + l2 x²/2) to 0.",
        "x = (w - rate l1) / (1 + rate l2), as long as that is above 0. Otherwise the lowest point is at 0.",
        "Work on `weights.abs()`, cut off at 0 with `clamp(min=0)`, and give the sign back: `weights.sign() * ...`.",
    ),
    mistakes=(
        (
            lambda w, r, a, b: (w - r * a * w.sign()) / (1 + r * b),
            "A small weight jumped over 0 to the other side. L1 takes it to 0 and no further: clamp(min=0).",
        ),
        (
            lambda w, r, a, b: w * (w.abs() > r * a) / (1 + r * b),
            "Small weights vanish, but large ones are left as they were. L1 takes rate * l1 off every weight.",
        ),
        (
            lambda w, r, a, b: (w - r * a).clamp(min=0) / (1 + r * b),
            "All negative weights are gone. Shrink the absolute value, then give the sign back.",
        ),
        (
            lambda w, r, a, b: _soft(w, a) / (1 + b),
            "You forgot the rate: a smaller step shrinks less.",
        ),
        (
            lambda w, r, a, b: _soft(w, r * a) * (1 - r * b),
            "You multiplied by 1 - rate l2: that is a gradient step of L2. The lowest point divides by 1 + rate l2.",
        ),
        (
            lambda w, r, a, b: _soft(w / (1 + r * b), r * a),
            "You divided before L1 took its length. The other way round: set the slope to 0 and solve for x.",
        ),
        (
            lambda w, r, a, b: _soft(w, r * b) / (1 + r * a),
            "l1 and l2 are swapped: l1 takes a length off, l2 divides.",
        ),
        (
            lambda w, r, a, b: _soft(w, r * a),
            "l2 changes nothing in your answer: divide by 1 + rate * l2.",
        ),
        (
            lambda w, r, a, b: w / (1 + r * b),
            "l1 changes nothing in your answer: take rate * l1 off the absolute value, at most down to 0.",
        ),
        (
            lambda w, r, a, b: w.clamp(-r * a, r * a) / (1 + r * b),
            "You kept what L1 takes away. Keep the rest: weights minus that.",
        ),
        (
            lambda w, r, a, b: _soft(w, r * a) / (1 + 2 * r * b),
            "Your penalty is l2 times the square. Here it is half of that, so its slope is l2 times the weight.",
        ),
    ),
)


def dropout(x: Tensor, upstream: Tensor, draws: Tensor, rate: float, training: bool) -> tuple[Tensor, Tensor]:
    """What goes on and the slope that comes back: float `[batch, dim]` three times to `[batch, dim]` twice."""
    if not training:
        return x, upstream
    keep = (draws >= rate) / (1 - rate)  # [batch, dim], 0 or what keeps the mean
    return x * keep, upstream * keep


def _dropped(
    on: Callable | None = None, back: Callable | None = None, off: Callable = lambda x, rate: x
) -> Callable[..., tuple]:
    """A dropout in which one part is another; ``on`` and ``back`` make factors of draws and rate."""

    def wrong(x: Tensor, upstream: Tensor, draws: Tensor, rate: float, training: bool) -> tuple:
        right = (draws >= rate) / (1 - rate)
        forward = right if on is None else on(draws, rate)
        backward = forward if back is None else back(draws, rate)
        if not training:
            return off(x, rate), off(upstream, rate)
        return x * forward, upstream * backward

    return wrong


def _layer(seed: int, batch: int, dim: int, rate: float, training: bool) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    x, upstream = torch.randn(2, batch, dim, generator=generator)
    return x, upstream, torch.rand(batch, dim, generator=generator), rate, training


FOUR_NUMBERS = (
    torch.tensor([[1.0, 2.0, 3.0, 4.0]]),
    torch.tensor([[1.0, -1.0, 2.0, 0.5]]),
    torch.tensor([[0.1, 0.9, 0.3, 0.6]]),
)

DROPOUT = Exercise(
    id="06.dropout",
    level="stretch",
    minutes=8,
    reference=dropout,
    cases=(
        (*FOUR_NUMBERS, 0.5, True),
        (*FOUR_NUMBERS, 0.2, True),
        (*FOUR_NUMBERS, 0.5, False),
        (*FOUR_NUMBERS, 0.0, True),
        _layer(30, 3, 2, 0.4, True),
    ),
    hidden=(_layer(1, 6, 5, 0.3, True), _layer(2, 4, 3, 0.8, False)),
    hints=(
        "When training is False nothing happens: return both tables as they are.",
        "`draws >= rate` says which numbers stay. So few are left that the mean falls: divide by 1 - rate.",
        "The slope takes the same way back: the same mask, the same factor. A number that was dropped learns nothing.",
    ),
    mistakes=(
        (
            _dropped(on=lambda d, r: (d >= r) * 1.0),
            "You did not scale. A share `rate` of the numbers is gone, so the mean falls: divide the rest by 1 - rate.",
        ),
        (
            _dropped(on=lambda d, r: (d >= r) * 1.0, off=lambda x, r: x * (1 - r)),
            "You scale when serving in place of training. It keeps the mean too, but everybody who loads the model "
            "must know: divide in training by 1 - rate.",
        ),
        (
            _dropped(on=lambda d, r: (d >= r) / max(r, 1e-9)),
            "You divided by rate. What is left is a share of 1 - rate: divide by that.",
        ),
        (
            _dropped(on=lambda d, r: (d < r) / (1 - r)),
            "Your mask is turned round: a share `rate` is dropped, those whose draw is below it.",
        ),
        (
            lambda x, up, d, r, training: dropout(x, up, d, r, True),
            "You drop when training is False, too. At serving all numbers count, and one user gets one answer.",
        ),
        (
            lambda x, up, d, r, training: dropout(x, up, d, r, not training),
            "You drop at serving and not in training: the other way round.",
        ),
        (
            _dropped(back=lambda d, r: torch.ones_like(d)),
            "The slope came back unmasked: a number that was dropped had no part in the loss.",
        ),
        (
            _dropped(back=lambda d, r: (d >= r) * 1.0),
            "The slope lacks the factor 1 / (1 - rate): it takes the same way back as the number took forth.",
        ),
        (
            _dropped(back=lambda d, r: (torch.rand_like(d) >= r) / (1 - r)),
            "Your way back draws a new mask. Use the same draws in both directions.",
        ),
        (
            _dropped(off=lambda x, r: x / (1 - r)),
            "You scale at serving as well: there nothing is missing, so nothing needs to be made up for.",
        ),
        (
            _dropped(on=lambda d, r: (d >= r) * (1 - r)),
            "You multiplied by 1 - rate. The mean is too small already: divide.",
        ),
    ),
)


def augment(films: Tensor, kind: str, n: int, mask: int, generator: torch.Generator) -> tuple[Tensor, int]:
    """Another view of a history, and its target, the last film: int64 `[length]` to int64 `[any]` and a number."""
    history, target = films[:-1].clone(), int(films[-1])  # cut the target off first
    n = min(n, len(history))
    if kind == "mask":
        history[torch.randperm(len(history), generator=generator)[:n]] = mask
        return history, target
    start = int(torch.randint(len(history) - n + 1, (), generator=generator))
    run = slice(start, start + n)
    if kind == "crop":
        return history[run], target
    history[run] = history[run][torch.randperm(n, generator=generator)]
    return history, target


VIEWS = 120  # seeds tried for each case


def _problem_with_views(answer: Callable, case: tuple) -> str | None:
    """What is wrong with an augmentation, in words that hold for any way of drawing."""
    films, kind, n, mask = case

    def view(seed: int) -> tuple:
        torch.rand(3), np.random.random(3)  # whoever draws from these goes on from another place
        return answer(films.clone(), kind, n, mask, torch.Generator().manual_seed(seed))

    views = [_view(view(seed)) for seed in range(VIEWS)]
    if None in views:
        return "return two things: the films to learn from, whole numbers in one row, and the target, a number"
    target, history = int(films[-1]), films[:-1].tolist()
    for seen, aim in views:
        if aim != target:
            return "the target is not the last film of the sequence" + (", but the mask" if aim == mask else "")
        if target in seen:
            return "the target is among the films to learn from"
    shape = {"crop": _problem_with_crops, "mask": _problem_with_masks, "reorder": _problem_with_orders}[kind]
    problem = shape([seen for seen, _ in views], history, min(n, len(history)), mask)
    if problem is None and views != [_view(view(seed)) for seed in range(VIEWS)]:
        return "two generators with one seed gave different views: take all chance from `generator`"
    return problem


def _view(made: object) -> tuple[list[int], int] | None:
    if not isinstance(made, tuple | list) or len(made) != 2:
        return None
    seen, aim = as_array(plain(made[0])), as_array(plain(made[1]))
    right = all(isinstance(part, np.ndarray) and part.dtype.kind in "iu" for part in (seen, aim))
    return (seen.tolist(), int(aim)) if right and seen.ndim == 1 and aim.ndim == 0 else None


def _problem_with_crops(views: list[list[int]], history: list[int], n: int, mask: int) -> str | None:
    runs = [history[start : start + n] for start in range(len(history) - n + 1)]
    for seen in views:
        if len(seen) != n:
            return f"a crop has {len(seen)} films, expected {n}"
        if seen not in runs:
            return "a crop is no run of neighbours"
    never = [start for start, run in enumerate(runs) if run not in views]
    return f"of {len(runs)} possible crops, number {', '.join(map(str, never))} never comes" if never else None


def _problem_with_masks(views: list[list[int]], history: list[int], n: int, mask: int) -> str | None:
    masked = set()
    for seen in views:
        if len(seen) != len(history):
            return f"a masked view has {len(seen)} places, expected {len(history)}"
        places = {place for place, film in enumerate(seen) if film == mask}
        if any(seen[place] != history[place] for place in range(len(history)) if place not in places):
            return "films that are not masked have changed"
        if len(places) != n:
            return "a view has another number of masks than asked for"
        masked |= places
    never = sorted(set(range(len(history))) - masked)
    return f"place {', '.join(map(str, never))} of {len(history)} is never masked" if never else None


def _problem_with_orders(views: list[list[int]], history: list[int], n: int, mask: int) -> str | None:
    moved = set()
    for seen in views:
        if sorted(seen) != sorted(history):
            return "a reordered view does not hold the films of the history, each once"
        places = [place for place, film in enumerate(seen) if film != history[place]]
        if places and places[-1] - places[0] >= n:
            return f"films move that lie further apart than a run of {n}"
        moved |= set(places)
    never = sorted(set(range(len(history))) - moved) if n > 1 else []
    return f"the film at place {', '.join(map(str, never))} of {len(history)} never moves" if never else None


def _random_run(length: int, n: int, g: torch.Generator | None) -> slice:
    start = int(torch.randint(length - n + 1, (), generator=g))
    return slice(start, start + n)


def _whole_first(films: Tensor, kind: str, n: int, mask: int, g: torch.Generator) -> tuple:
    """Augments the whole sequence, target included, and then takes the last film off."""
    seen, n = films.clone(), min(n, len(films) - 1)
    if kind == "crop":
        seen = seen[_random_run(len(films), n + 1, g)]
    elif kind == "mask":
        seen[torch.randperm(len(films), generator=g)[:n]] = mask
    else:
        run = _random_run(len(films), n, g)
        seen[run] = seen[run][torch.randperm(n, generator=g)]
    return seen[:-1], seen[-1]


def _target_kept_in(films: Tensor, kind: str, n: int, mask: int, g: torch.Generator) -> tuple:
    seen = augment(torch.cat([films, films[-1:]]), kind, n, mask, g)[0]
    return seen, films[-1]


def _other(kind: str, change: Callable) -> Callable:
    """One kind of view is made in another way: ``change(history, n, mask, generator)``."""

    def wrong(films: Tensor, asked: str, n: int, mask: int, g: torch.Generator) -> tuple:
        if asked != kind:
            return augment(films, asked, n, mask, g)
        return change(films[:-1].clone(), min(n, len(films) - 1), mask, g), films[-1]

    return wrong


def _with_masks(history: Tensor, places: Tensor, mask: int) -> Tensor:
    history[places] = mask
    return history


def _without(history: Tensor, places: Tensor) -> Tensor:
    keep = torch.ones(len(history), dtype=torch.bool)
    keep[places] = False
    return history[keep]


def _run_at(history: Tensor, start: int, n: int, g: torch.Generator) -> Tensor:
    history[start : start + n] = history[start : start + n][torch.randperm(n, generator=g)]
    return history


def _unchecked_length(films: Tensor, kind: str, n: int, mask: int, g: torch.Generator) -> tuple:
    if n > len(films) - 1:
        raise RuntimeError("there is no run so long")
    return augment(films, kind, n, mask, g)


SIX_FILMS = torch.tensor([31, 12, 45, 7, 28, 3])
AUGMENT = Exercise(
    id="06.augment",
    level="stretch",
    minutes=10,
    reference=augment,
    cases=(
        (SIX_FILMS, "crop", 3, 99),
        (SIX_FILMS, "mask", 2, 99),
        (SIX_FILMS, "reorder", 3, 99),
        (torch.tensor([5, 8, 2]), "crop", 4, 0),
    ),
    hidden=(
        (torch.arange(20, 29), "crop", 6, 0),
        (torch.arange(20, 29), "mask", 3, 0),
        (torch.arange(20, 29), "reorder", 2, 0),
        (torch.tensor([5, 8]), "mask", 2, 0),
    ),
    verify=_problem_with_views,
    hints=(
        "First line: `history, target = films[:-1].clone(), films[-1]`. Whatever you do afterwards cannot leak.",
        "A run of n films can start at 0 to len(history) - n, both included: "
        "`torch.randint(len(history) - n + 1, (), generator=generator)`. n is at most len(history).",
        "n places without repetition: `torch.randperm(len(history), generator=generator)[:n]`.",
    ),
    mistakes=(
        (
            _whole_first,
            "You changed the whole sequence and cut the target off afterwards: then another film is the target, and "
            "the true one slips into the history. Cut first.",
        ),
        (
            _target_kept_in,
            "The answer stands in the question: your view still contains the target. Work on `films[:-1]`.",
        ),
        (
            lambda films, kind, n, mask, g: (
                augment(films, kind, n, mask, g)[0],
                augment(films[:-1], "mask", 1, 0, g)[1],
            ),
            "Your target is the last film but one: it is in the history. The target is `films[-1]`.",
        ),
        (
            _other("crop", lambda h, n, mask, g: h[-n:]),
            "Your crop is always the newest run. That is a cut, no augmentation: draw where it starts.",
        ),
        (
            _other("crop", lambda h, n, mask, g: h[int(torch.randint(max(len(h) - n, 1), (), generator=g)) :][:n]),
            "The newest run never comes: a run of n can start at 0 to len - n, both included, and randint leaves out "
            "its upper end.",
        ),
        (
            _other("crop", lambda h, n, mask, g: h[torch.randperm(len(h), generator=g)[:n].sort().values]),
            "You drew single films. A crop is a run of neighbours, so that it keeps the order of one evening.",
        ),
        (
            _other("crop", lambda h, n, mask, g: h[_random_run(len(h), max(n - 1, 1), g)]),
            "Your crops are one film short.",
        ),
        (
            _other("mask", lambda h, n, mask, g: _without(h, torch.randperm(len(h), generator=g)[:n])),
            "You removed films. A mask stays in their place, so that the model knows that something was there.",
        ),
        (
            _other("mask", lambda h, n, mask, g: _with_masks(h, torch.randint(len(h), (n,), generator=g), mask)),
            "You drew places with repetition, so some views have too few masks: `torch.randperm(...)[:n]`.",
        ),
        (
            _other("reorder", lambda h, n, mask, g: h[torch.randperm(len(h), generator=g)]),
            "You shuffled the whole history. Only a short run changes its order; the rest says what came when.",
        ),
        (
            _other("reorder", lambda h, n, mask, g: _run_at(h, 0, n, g)),
            "You always shuffle the first films. Draw where the run starts.",
        ),
        (
            lambda films, kind, n, mask, g: augment(films, kind, n, mask, None),
            "You did not use `generator`: nobody can repeat your training.",
        ),
        (
            lambda films, kind, n, mask, g: augment(films, kind, n, mask, torch.Generator().manual_seed(0)),
            "You made a generator of your own with a fixed seed: every epoch gets the same view.",
        ),
        (
            _unchecked_length,
            "A short history breaks your answer: n can exceed len(history). Take the smaller of the two.",
        ),
    ),
)


def folds(
    users: Tensor, times: Tensor, kind: str, n_folds: int, gap: int, generator: torch.Generator
) -> list[tuple[Tensor, Tensor]]:
    """For each fold which events are learnt from and which are held out: int64 `[n]` twice to pairs of bool `[n]`."""
    if kind == "time":
        blocks = [len(times) * n // (n_folds + 1) for n in range(1, n_folds + 1)]
        starts = times.sort().values[blocks].tolist()
        ends = [*starts[1:], math.inf]
        return [(times < a - gap, (times >= a) & (times < b)) for a, b in zip(starts, ends, strict=True)]
    groups = users.unique(return_inverse=True)[1] if kind == "users" else torch.arange(len(users))
    places = torch.randperm(int(groups.max()) + 1, generator=generator) % n_folds  # the fold of each group
    return [(places[groups] != n, places[groups] == n) for n in range(n_folds)]


def _problem_with_folds(answer: Callable, case: tuple) -> str | None:
    users, times, kind, n_folds, gap, seed = case

    def cut(seed: int) -> list[np.ndarray] | None:
        torch.rand(3), np.random.random(3)
        made = answer(users.clone(), times.clone(), kind, n_folds, gap, torch.Generator().manual_seed(seed))
        return _masks(made, n_folds, len(users))

    made = cut(seed)
    if made is None:
        return f"return a list of {n_folds} pairs (train, held), each a bool tensor of shape [{len(users)}]"
    if kind == "time":
        return _problem_in_time(made, times.numpy(), gap)
    groups = users.numpy() if kind == "users" else np.arange(len(users))
    others = [cut(other) for other in range(seed + 1, seed + 4)]
    found = (_problem_with_partition(one, groups, kind) for one in (made, *others) if one is not None)
    problem = next(filter(None, found), None)
    if problem is None and not np.array_equal(made, cut(seed)):
        return "two generators with one seed gave different folds: take all chance from `generator`"
    if problem is None and all(np.array_equal(made, other) for other in others):
        return "generators with different seeds gave the same folds: nothing is shuffled"
    return problem


def _masks(made: object, n_folds: int, n: int) -> np.ndarray | None:
    """Bool ``[n_folds, 2, n]``, or None for anything else."""
    if not isinstance(made, list | tuple) or len(made) != n_folds:
        return None
    table = as_array(plain([list(pair) if isinstance(pair, list | tuple) else pair for pair in made]))
    right = isinstance(table, np.ndarray) and table.dtype == bool and table.shape == (n_folds, 2, n)
    return table if right else None


def _problem_with_partition(made: np.ndarray, groups: np.ndarray, kind: str) -> str | None:
    train, held = made[:, 0], made[:, 1]
    if (train & held).any():
        return "an event is both learnt from and held out in one fold"
    times_held = held.sum(axis=0)
    if (times_held != 1).any():
        often = "in more than one fold" if times_held.max() > 1 else "in no fold"
        return f"an event is held out {often}"
    for fold in range(len(made)):
        if np.isin(groups[train[fold]], groups[held[fold]]).any():
            return "a user is on both sides of a fold"
    if (train | held).all(axis=1).sum() < len(made):
        return "some events are neither learnt from nor held out"
    sizes = [len(np.unique(groups[part])) for part in held]
    if max(sizes) - min(sizes) > 1:
        what = "users" if kind == "users" else "events"
        return f"one fold holds out {max(sizes) - min(sizes)} {what} more than another, 1 would do"
    return None


def _problem_in_time(made: np.ndarray, times: np.ndarray, gap: int) -> str | None:
    train, held = made[:, 0], made[:, 1]
    if not held.any(axis=1).all():
        return "a fold holds nothing out"
    if held.sum(axis=0).max() > 1:
        return "an event is held out in more than one fold"
    first, last = ([end(times[part]) for part in held] for end in (np.min, np.max))
    if any(later <= earlier for later, earlier in zip(first[1:], last, strict=False)):
        return "held-out parts share a moment or are not in the order of time"
    if (times[~held.any(axis=0)] >= first[0]).any():
        return "an event after the first held-out one is in no held-out part"
    for fold, start in enumerate(first):
        young = times[train[fold]] >= start - gap
        if young.any():
            late = times[train[fold]].max() - start
            return f"fold {fold} learns from an event {_relation(late)} its first held-out one, with a gap of {gap}"
        if train[fold].sum() < (times < start - gap).sum():
            return f"fold {fold} leaves out events that are old enough to learn from"
    return _problem_with_sizes(held.sum(axis=1), len(times))


def _relation(late: int) -> str:
    if late == 0:
        return "of the same moment as"
    return f"{abs(late)} s {'younger' if late > 0 else 'older'} than"


def _problem_with_sizes(sizes: np.ndarray, n: int) -> str | None:
    fair = n / (len(sizes) + 1)
    if sizes.max() > 1.5 * fair or sizes.min() < 0.5 * fair:
        return f"the held-out parts have {sizes.min()} to {sizes.max()} events, expected about {fair:.0f} each"
    return None


def _time_folds(
    train: Callable = lambda t, start, end, gap: t < start - gap,
    held: Callable = lambda t, start, end: (t >= start) & (t < end),
    blocks: Callable = lambda n, k: [n * i // (k + 1) for i in range(1, k + 1)],
) -> Callable:
    """Folds whose kind ``time`` is made in another way."""

    def wrong(users: Tensor, times: Tensor, kind: str, k: int, gap: int, g: torch.Generator) -> list:
        if kind != "time":
            return folds(users, times, kind, k, gap, g)
        starts = times.sort().values[blocks(len(times), k)].tolist()
        ends = [*starts[1:], math.inf]
        return [(train(times, a, b, gap), held(times, a, b)) for a, b in zip(starts, ends, strict=True)]

    return wrong


def _by_rank(users: Tensor, times: Tensor, kind: str, k: int, gap: int, g: torch.Generator) -> list:
    if kind != "time":
        return folds(users, times, kind, k, gap, g)
    rank, n = times.argsort(stable=True).argsort(), len(times)  # ties are cut in two
    blocks = [(rank >= n * i // (k + 1)) & (rank < n * (i + 1) // (k + 1)) for i in range(1, k + 1)]
    return [(times < times[held].min() - gap, held) for held in blocks]


def _other_folds(make: Callable, kinds: tuple[str, ...] = ("rows", "users")) -> Callable:
    """Folds of some kinds from ``make(groups, n_folds, generator)``, the fold of each event."""

    def wrong(users: Tensor, times: Tensor, kind: str, k: int, gap: int, g: torch.Generator) -> list:
        if kind not in kinds:
            return folds(users, times, kind, k, gap, g)
        groups = users.unique(return_inverse=True)[1] if kind == "users" else torch.arange(len(users))
        part = make(groups, k, g)
        return [(part != n, part == n) for n in range(k)]

    return wrong


def _draw_each_time(users: Tensor, times: Tensor, kind: str, k: int, gap: int, g: torch.Generator) -> list:
    if kind == "time":
        return folds(users, times, kind, k, gap, g)
    return [folds(users, times, kind, k, gap, g)[0] for _ in range(k)]


def _leftovers_lost(users: Tensor, times: Tensor, kind: str, k: int, gap: int, g: torch.Generator) -> list:
    if kind == "time":
        return folds(users, times, kind, k, gap, g)
    groups = users.unique(return_inverse=True)[1] if kind == "users" else torch.arange(len(users))
    order, size = torch.randperm(int(groups.max()) + 1, generator=g), (int(groups.max()) + 1) // k
    parts = [torch.isin(groups, order[n * size : (n + 1) * size]) for n in range(k)]
    return [(~part, part) for part in parts]


def _spread_events(groups: Tensor, k: int, g: torch.Generator) -> Tensor:
    return (torch.randperm(len(groups), generator=g) % k)[torch.arange(len(groups))]


USERS = torch.tensor([0, 0, 0, 0, 1, 1, 3, 3, 3, 4, 4, 7, 7])  # sorted, as events are; numbers may be missing
TIMES = torch.tensor([10, 12, 35, 60, 12, 40, 20, 21, 70, 45, 52, 33, 65])
TIED = torch.tensor([10, 10, 20, 20, 20, 20, 40, 40, 50, 50, 30, 30, 10])


def _many_events(seed: int, kind: str, n_folds: int, gap: int) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    users = torch.randint(0, 25, (200,), generator=generator).sort().values
    return users, torch.randint(0, 1000, (200,), generator=generator), kind, n_folds, gap, seed


FOLDS = Exercise(
    id="06.folds",
    level="medium",
    minutes=10,
    reference=folds,
    cases=(
        (USERS, TIMES, "rows", 3, 0, 11),
        (USERS, TIMES, "users", 2, 0, 1),
        (USERS, TIMES, "time", 3, 0, 2),
        (USERS, TIMES, "time", 2, 10, 3),
        (USERS, TIED, "time", 2, 0, 4),
    ),
    hidden=(
        _many_events(5, "rows", 7, 0),
        _many_events(6, "users", 4, 0),
        _many_events(7, "time", 4, 25),
    ),
    verify=_problem_with_folds,
    hints=(
        "rows and users are one thing: give each group (an event, or a user) a fold, then look up the fold of every "
        "event. `users.unique(return_inverse=True)[1]` numbers the users from 0.",
        "`torch.randperm(n_groups, generator=generator) % n_folds` shares groups out evenly. train is `fold != n`, "
        "held is `fold == n`.",
        "time: n_folds + 1 blocks; block 0 is only learnt from. Block b starts at `times.sort().values[len(times) * b "
        "// (n_folds + 1)]`. train: `times < start - gap`; held: from there to the next start.",
    ),
    mistakes=(
        (
            _time_folds(train=lambda t, a, b, gap: ~((t >= a) & (t < b))),
            "In kind 'time' you learn from the future: everything not held out. Learn from what is older than the "
            "held-out block alone.",
        ),
        (
            _time_folds(held=lambda t, a, b: t >= a),
            "Your held-out part runs to the end of time. It stops where the next block starts.",
        ),
        (
            _time_folds(train=lambda t, a, b, gap: t < a),
            "You ignore the gap: what happened shortly before the held-out block may not be known yet on the day.",
        ),
        (
            _time_folds(train=lambda t, a, b, gap: t < a + gap),
            "Your gap has the wrong sign: it reaches into the held-out block. Stop learning at start - gap.",
        ),
        (
            _time_folds(train=lambda t, a, b, gap: t <= a - gap),
            "You learn from events of the very moment that is held out. Strictly older: `times < start - gap`.",
        ),
        (
            _by_rank,
            "You cut by place in the sorted order, so events of one second land on both sides. Cut by time.",
        ),
        (
            _time_folds(train=lambda t, a, b, gap: (t < a - gap) & (t >= a - gap - 15)),
            "Your window slides: old events are forgotten. Here it expands: learn from everything old enough.",
        ),
        (
            _time_folds(blocks=lambda n, k: [n * i // k for i in range(k)]),
            "Your first fold has nothing to learn from. Cut n_folds + 1 blocks; the first is never held out.",
        ),
        (
            _other_folds(lambda groups, k, g: groups % k),
            "Nothing is shuffled: events are sorted by user, and numbers have a story (early users, late users).",
        ),
        (
            _other_folds(lambda groups, k, g: torch.randint(k, (int(groups.max()) + 1,), generator=g)[groups]),
            "Your folds differ in size: each group rolled a die. Shuffle the groups and deal them out in turn.",
        ),
        (
            _other_folds(_spread_events, kinds=("users",)),
            "In kind 'users' a user's events lie on both sides. Choose the fold for the user, not for the event.",
        ),
        (
            lambda *case: [(held, train) for train, held in folds(*case)],
            "train and held are swapped: a pair begins with what is learnt from.",
        ),
        (
            _draw_each_time,
            "Each fold drew its own held-out part. Folds share everything out: each event is held out just once.",
        ),
        (
            _leftovers_lost,
            "The last events are in no fold: the number of groups is no multiple of n_folds. Deal them out, too.",
        ),
        (
            _other_folds(lambda groups, k, g: (torch.randperm(int(groups.max()) + 1) % k)[groups]),
            "You did not use `generator`: the next run has other folds.",
        ),
    ),
)


def cv_score(make: Callable, ratings: Interactions, parts: list[tuple[Tensor, Tensor]]) -> list[float]:
    """RMSE of each fold, float `[n_folds]`, each from a model of its own that `make()` gives."""
    found = []
    for train, held in parts:
        model, unseen = make().fit(ratings.select(train)), ratings.select(held)
        error = unseen.ratings - model.predict(unseen.users, unseen.items)
        found.append(float(error.square().mean().sqrt()))
    return found


class Spy:
    """A model that predicts the mean of all it ever saw, and remembers who asked for what."""

    def __init__(self) -> None:
        self.fits, self.rows, self.keys = 0, [], set()

    def fit(self, train: Interactions) -> "Spy":
        """Add these ratings to what it saw before: a model that goes on, as networks do."""
        self.fits += 1
        self.rows += train.ratings.tolist()
        self.keys |= set(train.keys.tolist())
        return self

    def predict(self, users: Tensor, items: Tensor) -> Tensor:
        """The mean so far, and a little for the film's number, so that the order of a table matters."""
        return sum(self.rows) / len(self.rows) + 0.1 * items


def _problem_with_cv(answer: Callable, case: tuple) -> str | None:
    make, ratings, parts = case
    spies = []

    def counted() -> Spy:
        spies.append(make())
        return spies[-1]

    got = as_array(plain(answer(counted, ratings, parts)))
    problem = _problem_with_spies(spies, ratings, parts)
    if problem:
        return problem
    right = np.array(cv_score(make, ratings, parts))
    if not isinstance(got, np.ndarray) or got.dtype.kind not in "iuf" or got.shape != right.shape:
        shown = got.round(3) if isinstance(got, np.ndarray) and got.dtype.kind in "iuf" else "something else"
        return f"return {len(parts)} numbers, one a fold; got {shown}"
    wrong = np.flatnonzero(~np.isclose(got, right, atol=1e-4))
    return f"fold {wrong[0]}: expected {right[wrong[0]]:.4f}, got {got[wrong[0]]:.4f}" if len(wrong) else None


def _problem_with_spies(spies: list[Spy], ratings: Interactions, parts: list) -> str | None:
    fits = [spy.fits for spy in spies]
    if fits != [1] * len(parts):
        return f"{len(parts)} folds: {len(spies)} models were made and fitted {fits} times; expected one fit each"
    for fold, (spy, (train, held)) in enumerate(zip(spies, parts, strict=True)):
        if len(spy.rows) != int(train.sum()):
            return f"fold {fold}: the model learnt from {len(spy.rows)} ratings, its part has {int(train.sum())}"
        leaked = len(spy.keys & set(ratings.select(held).keys.tolist()))
        if leaked:
            return f"fold {fold}: the model learnt from {leaked} of {int(held.sum())} held-out ratings"
    return None


def _rmse(model: Spy, part: Interactions) -> float:
    return float((part.ratings - model.predict(part.users, part.items)).square().mean().sqrt())


def _cv(
    judge: Callable = _rmse,
    learn: Callable = lambda ratings, train, held: train,
    test: Callable = lambda ratings, train, held: held,
    end: Callable = lambda found: found,
    one: bool = False,
) -> Callable:
    """A cross-validation in which one part is another."""

    def wrong(make: Callable, ratings: Interactions, parts: list) -> object:
        found, shared = [], make() if one else None
        for train, held in parts:
            model = shared if one else make()
            model.fit(ratings.select(learn(ratings, train, held)))
            found.append(judge(model, ratings.select(test(ratings, train, held))))
        return end(found)

    return wrong


def _everything(ratings: Interactions, train: Tensor, held: Tensor) -> Tensor:
    return torch.ones(len(ratings), dtype=torch.bool)


def _until_worse(make: Callable, ratings: Interactions, parts: list) -> list[float]:
    found = []
    for part in parts:
        found += cv_score(make, ratings, [part])
        if found[-1] > found[0]:
            break
    return found


def _never_fitted_again(make: Callable, ratings: Interactions, parts: list) -> list[float]:
    model = make().fit(ratings.select(parts[0][0]))
    return [_rmse(model, ratings.select(held)) for _, held in parts]


def _one_more_on_all(make: Callable, ratings: Interactions, parts: list) -> list[float]:
    found = cv_score(make, ratings, parts)
    make().fit(ratings)
    return found


def _rated(seed: int, n: int) -> Interactions:
    generator = torch.Generator().manual_seed(seed)
    stars = torch.randint(1, 6, (n,), generator=generator)
    return Interactions.from_events(torch.arange(n) // 3, torch.arange(n) % 7, stars, torch.arange(n))


def _thirds(n: int, seed: int) -> list[tuple[Tensor, Tensor]]:
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)) % 3
    return [(order != fold, order == fold) for fold in range(3)]


def _expanding(n: int) -> list[tuple[Tensor, Tensor]]:
    place = torch.arange(n)
    return [(place < n // 3, (place >= n // 3) & (place < 2 * n // 3)), (place < 2 * n // 3, place >= 2 * n // 3)]


CV_SCORE = Exercise(
    id="06.cv_score",
    level="easy",
    minutes=8,
    reference=cv_score,
    cases=(
        (Spy, _rated(0, 9), _thirds(9, 1)),
        (Spy, _rated(1, 12), _expanding(12)),
        (Spy, _rated(2, 15), _thirds(15, 0)),
    ),
    hidden=((Spy, _rated(3, 40), _thirds(40, 1)), (Spy, _rated(4, 30), _expanding(30))),
    verify=_problem_with_cv,
    hints=(
        "`make` is a function: each call of `make()` gives a model that has seen nothing. How many do you need?",
        "For each pair: `ratings.select(train)` to learn from, `ratings.select(held)` to predict, with its users and "
        "items.",
        "RMSE: `(held.ratings - prediction).square().mean().sqrt()`. Append one float a fold, return the list.",
    ),
    mistakes=(
        (
            _cv(one=True),
            "One model went through all folds. From the second fold on it is asked about ratings it has learnt from: "
            "call make() inside the loop.",
        ),
        (
            _cv(learn=_everything),
            "You fitted on all ratings, held-out ones included: the folds are made and never used.",
        ),
        (
            _cv(learn=lambda ratings, train, held: held, test=lambda ratings, train, held: train),
            "train and held are swapped: the first of a pair is learnt from.",
        ),
        (
            _cv(test=lambda ratings, train, held: train),
            "You judged the model on what it has learnt from. Predict the held-out ratings.",
        ),
        (
            _cv(test=_everything),
            "You judged on all ratings. Most of them the model has learnt from: predict the held-out ones alone.",
        ),
        (
            _cv(end=lambda found: sum(found) / len(found)),
            "You returned the mean. Return one number a fold: how far they differ is half of the answer.",
        ),
        (_cv(end=min), "You returned the best fold. A fold is no candidate to choose from: return all of them."),
        (
            _cv(judge=lambda model, part: _rmse(model, part) ** 2),
            "The root is missing: this is the MSE, in squared stars.",
        ),
        (
            _cv(judge=lambda m, part: float((part.ratings - m.predict(part.users, part.items)).abs().mean())),
            "You took the mean of absolute errors. RMSE squares them first.",
        ),
        (
            _cv(judge=lambda m, part: abs(float((part.ratings - m.predict(part.users, part.items)).mean()))),
            "You averaged the errors themselves, so plus and minus cancel. Square them first.",
        ),
        (
            _until_worse,
            "You stopped at a fold that was worse than the first. Folds are no epochs: there is nothing to stop.",
        ),
        (
            _never_fitted_again,
            "You fitted once. Every fold needs a model of its own, fitted on that fold's training part.",
        ),
        (
            _one_more_on_all,
            "One model too many: the one on all ratings is for shipping and has no place in a score.",
        ),
    ),
)

review = Review(
    id="06.review",
    faults={
        'kind="rows"': "ratings have a date. Shuffled rows put a user's later ratings into training and the earlier "
        "ones into the judgement: the score is that of filling gaps, not of the next week.",
        "model.fit(": "one model for all folds: from the second fold on it has learnt from what it is asked about. "
        "Make a fresh one inside the loop.",
        "score > best_score": "RMSE is a loss: lower is better. This keeps the worst fold.",
        "= score, model": "a second name for the same object, no copy. The next fold's fit changes it, too.",
        "break": "a fold that is worse than another one says nothing about the next one. Early stopping goes over the "
        "epochs of one training; folds are all needed.",
        "return best_model": "the score of the fold that was chosen for its score, and no untouched data to judge it "
        "on. Report the mean and the spread of all folds; judge the chosen model on a test set, once.",
    },
    fine={
        "for train, held": "Both masks are used below.",
        "ratings.select(held)": "The held-out part of this fold is the right one to predict.",
        "= 0.0, None": "It goes with line 7: once the smaller RMSE wins, it must start at infinity. Counted there.",
    },
)

check, hint, solution = bind((EARLY_STOPPER, SHRINK, DROPOUT, AUGMENT, FOLDS, CV_SCORE))
