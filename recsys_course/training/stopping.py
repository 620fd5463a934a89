"""What is remembered of each epoch, and when to stop."""

import math
from dataclasses import dataclass, field


class Diverged(ValueError):
    """Training was stopped because the learning rate is too high; the best weights are in place."""


@dataclass
class History:
    """What happened in each epoch.

    Attributes:
        loss: mean loss over the steps of each epoch, ``[n_epochs]``.
        score: validation score after each epoch, higher is better; empty without validation, ``[n_epochs]``.
        seconds: wall time of each epoch without its validation, ``[n_epochs]``.
        first_loss: loss of the very first step, before anything was learnt.
        best_epoch: the epoch, counted from 1, whose weights were kept; 0 for those before training.
    """

    loss: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    first_loss: float = math.nan
    best_epoch: int = 0

    def __len__(self) -> int:
        return len(self.loss)

    def __repr__(self) -> str:
        text = f"{len(self)} epochs in {sum(self.seconds):.1f} s"
        if self.loss:
            text += f", loss {self.first_loss:.4g} to {self.loss[-1]:.4g}"
        if self.score and self.best_epoch:
            text += f", best score {self.score[self.best_epoch - 1]:.4g} in epoch {self.best_epoch}"
        return f"History({text})"


class EarlyStopping:
    """Say which epoch is the best so far, and when to stop waiting for a better one.

    Args:
        patience: stop after this many epochs in a row without improvement; ``None``: never.
        min_delta: an improvement is more than this above the best score; NaN never is.

    Raises:
        ValueError: the patience is below 1 or ``min_delta`` is negative.
    """

    def __init__(self, patience: int | None = None, min_delta: float = 0.0) -> None:
        if patience is not None and patience < 1:
            raise ValueError(f"patience must be at least 1 epoch, got {patience}")
        if not min_delta >= 0:
            raise ValueError(f"min_delta must not be negative, got {min_delta}")
        self.patience, self.min_delta = patience, min_delta
        self.best_score, self.waited = -math.inf, 0

    def improved(self, score: float) -> bool:
        """Count one epoch with this score, higher is better, and say whether it is the best."""
        better = score > self.best_score + self.min_delta
        self.best_score = score if better else self.best_score
        self.waited = 0 if better else self.waited + 1
        return better

    @property
    def stop(self) -> bool:
        """Whether the patience is used up."""
        return self.patience is not None and self.waited >= self.patience
