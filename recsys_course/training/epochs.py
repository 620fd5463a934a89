"""The loop over epochs: the best weights restored, checkpoints, exact resume, and a stop when training diverges."""

import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor
from tqdm import tqdm

from recsys_course.training.stopping import Diverged, EarlyStopping, History

EXPLODED = 10  # an epoch whose loss has grown by this many times the first step's has diverged


def run_epochs(
    epoch: Callable[[], Iterable[Tensor | float]],
    weights: Mapping[str, Tensor],
    *,
    epochs: int,
    learning_rate: float,
    score: Callable[[], float] | None = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    generator: torch.Generator | None = None,
    stateful: Sequence = (),
    checkpoint: Path | str | None = None,
) -> History:
    """Go through the data several times and leave the best weights in place.

    The best are those of the epoch with the highest score; without ``score``, those of the last epoch. If the loss
    is no longer finite, or has grown by ten times the first step's, training stops.

    Args:
        epoch: goes through the data once, changes ``weights`` in place, gives the loss of each of its steps.
        weights: everything that is learnt, by name; ``torch.from_numpy`` shares an array's memory.
        epochs: how often at most.
        learning_rate: named in the sentence when training diverges.
        score: validation score of the weights as they are, higher is better; NaN counts as no improvement.
        patience: stop after this many epochs in a row without improvement.
        min_delta: an improvement is more than this above the best score.
        generator: what the epochs draw from; torch's global generator is seeded from it for each epoch and is put
            back as it was.
        stateful: what else has a ``state_dict`` and changes, such as the optimiser.
        checkpoint: a file written after each epoch. If it exists, training goes on from there and ends with the
            same weights as without the interruption.

    Raises:
        Diverged: the learning rate is too high; the best weights until then are in place.
        ValueError: an epoch has no step; there is a ``patience`` but no ``score``; or the checkpoint belongs to
            another training.
    """
    if patience is not None and score is None:
        raise ValueError("patience needs a validation score to wait for: give score as well")
    run = _Run(weights, EarlyStopping(patience, min_delta), learning_rate, generator, stateful)
    path = Path(checkpoint) if checkpoint else None
    if path and path.exists():
        run.load(path)
    try:
        with tqdm(total=epochs, initial=len(run.history), desc="training", leave=False, disable=not _watched()) as bar:
            while len(run.history) < epochs and not run.stopping.stop:
                run.step(epoch, score)
                if path:
                    run.save(path)
                bar.set_postfix(loss=run.history.loss[-1], refresh=False)
                bar.update()
    finally:
        run.restore_best()
    return run.history


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Give torch's global generators this seed for a while: for layers that draw from no other."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def _watched() -> bool:
    """Whether somebody sees a progress bar: on a terminal or in a notebook, unless ``TQDM_DISABLE`` is set."""
    seen = sys.stderr.isatty() or type(sys.stderr).__module__.startswith("ipykernel")
    return seen and not os.environ.get("TQDM_DISABLE")


class _Run:
    """Everything that changes during training, to be copied, written and read."""

    def __init__(self, weights, stopping, learning_rate, generator, stateful) -> None:
        self.weights, self.stopping, self.learning_rate = weights, stopping, learning_rate
        self.generator, self.stateful = generator, stateful
        self.history, self.best = History(), _copy(weights)

    def step(self, epoch: Callable, score: Callable[[], float] | None) -> None:
        """One epoch and its validation."""
        start = perf_counter()
        losses = self.losses(epoch)
        seconds, loss, history = perf_counter() - start, float(losses.mean()), self.history
        if not len(history):
            history.first_loss = float(losses[0])
        self.check(loss)
        history.loss.append(loss)
        history.seconds.append(seconds)
        if score:
            history.score.append(float(score()))
        if not score or self.stopping.improved(history.score[-1]):
            self.best, history.best_epoch = _copy(self.weights), len(history)

    def losses(self, epoch: Callable) -> Tensor:
        """The loss of each step of one epoch, float64 ``[n_steps]``."""
        if self.generator is None:
            losses = list(epoch())
        else:
            with seeded(int(torch.randint(2**62, (), generator=self.generator))):
                losses = list(epoch())
        if not losses:
            raise ValueError("an epoch has no step: there is nothing to learn from")
        return torch.stack([torch.as_tensor(loss, dtype=torch.float64) for loss in losses])

    def check(self, loss: float) -> None:
        first, history = self.history.first_loss, self.history
        if math.isfinite(loss) and loss - first <= EXPLODED * max(abs(first), 1):
            return
        kept = f"those of epoch {history.best_epoch}" if history.best_epoch else "those before training"
        raise Diverged(
            f"learning rate {self.learning_rate:g} is too high (or the data hold NaN): the loss went from {first:.4g} "
            f"to {loss:.4g} in epoch {len(history) + 1}; the best weights are kept, {kept}: "
            f"try {self.learning_rate / 10:g}"
        )

    def restore_best(self) -> None:
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(self.best[name])

    def save(self, path: Path) -> None:
        state = {
            "weights": dict(self.weights),
            "best": self.best,
            "history": asdict(self.history),
            "learning_rate": self.learning_rate,
            "generator": self.generator.get_state() if self.generator else None,
            "stateful": [part.state_dict() for part in self.stateful],
        }
        part = path.with_name(path.name + ".part")
        torch.save(state, part)
        os.replace(part, path)  # whoever reads the file sees the old one or the new one, whole

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True, map_location="cpu")
        mine, theirs = _shapes(self.weights), _shapes(state["weights"])
        if mine != theirs or self.learning_rate != state["learning_rate"]:
            raise ValueError(f"{path} belongs to another training: remove it or name another checkpoint")
        self.best, self.history = _copy(state["best"]), History(**state["history"])
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(state["weights"][name])
        for part, its in zip(self.stateful, state["stateful"], strict=True):
            part.load_state_dict(its)
        if self.generator:
            self.generator.set_state(state["generator"])
        for score in self.history.score:
            self.stopping.improved(score)


def _copy(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in weights.items()}


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, list[int]]:
    return {name: list(weight.shape) for name, weight in weights.items()}
