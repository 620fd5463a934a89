"""``train``: an epoch for any ``nn.Module``."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from recsys_course.training.epochs import run_epochs
from recsys_course.training.stopping import History


def train(
    module: nn.Module,
    loss: Callable[..., Tensor],
    batches: Callable[[], Iterable],
    *,
    optimizer: Optimizer,
    epochs: int,
    generator: torch.Generator,
    score: Callable[[], float] | None = None,
    warmup: int = 0,
    decay: int | None = None,
    clip: float | None = None,
    **options,
) -> History:
    """Train a network and leave it in evaluation mode with its best weights.

    On a GPU that has it, the forward pass runs in bfloat16 by autocast; weights, gradients and optimiser stay in
    float32. Dropout and the like draw from ``generator`` alone: the global generators are left as they were.

    Args:
        module: what is trained.
        loss: one batch to a number, computed with ``module``; it is called as ``loss(batch)``.
        batches: called once an epoch, gives the batches in a new order drawn from ``generator``.
        optimizer: over the parameters of ``module``; its learning rate is named if training diverges.
        epochs: how often the data are gone through at most.
        generator: decides everything random.
        score: validation score of ``module`` as it is, higher is better; called after each epoch, without gradients
            and in evaluation mode.
        warmup: over this many steps each learning rate rises in a straight line to its full value, which it has from
            step ``warmup`` on; the first step has one part in ``warmup`` of it.
        decay: the learning rates shrink in a straight line as well, from the whole in the first step to nothing after
            this many; without it they stay.
        clip: gradients that are longer than this, all parameters taken together, are brought to this length.
        **options: ``patience``, ``min_delta`` and ``checkpoint`` of ``run_epochs``.

    Raises:
        ValueError: as in ``run_epochs``; or ``warmup`` is negative, or ``decay`` or ``clip`` is not above 0.
    """
    _check_arguments(warmup, decay, clip)
    learning_rate = optimizer.param_groups[0]["lr"]  # the full one, before warm-up makes it small
    rates = [LambdaLR(optimizer, lambda step: _share(step, warmup, decay))] if warmup or decay else []

    def epoch() -> Iterator[Tensor]:
        module.train()
        for batch in batches():
            optimizer.zero_grad()
            with autocast(next(module.parameters()).device):
                value = loss(batch)
            value.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(module.parameters(), clip)
            for part in (optimizer, *rates):
                part.step()
            yield value.detach()

    @torch.no_grad()
    def validate() -> float:
        module.eval()
        return score()

    try:
        return run_epochs(
            epoch,
            module.state_dict(),
            epochs=epochs,
            learning_rate=learning_rate,
            score=validate if score else None,
            generator=generator,
            stateful=(optimizer, *rates),
            **options,
        )
    finally:
        module.eval()


def autocast(device: torch.device) -> torch.autocast:
    """Mixed precision where the device has it: bfloat16 on such a GPU, nothing on a CPU."""
    able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


def _share(step: int, warmup: int, decay: int | None) -> float:
    """How much of its learning rate a step gets; steps count from 0."""
    rising = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return rising * max(0.0, 1 - step / decay) if decay else rising


def _check_arguments(warmup: int, decay: int | None, clip: float | None) -> None:
    if warmup < 0:
        raise ValueError(f"warmup is a number of steps, 0 for none, got {warmup}")
    if decay is not None and decay < 1:
        raise ValueError(f"decay is a number of steps, at least 1, or None for a steady learning rate, got {decay}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be above 0, or None to leave gradients as they are, got {clip}")
