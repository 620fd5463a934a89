"""``train``: an epoch for any ``nn.Module``."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

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
        **options: ``patience``, ``min_delta`` and ``checkpoint`` of ``run_epochs``.

    Raises:
        ValueError: as in ``run_epochs``.
    """

    def epoch() -> Iterator[Tensor]:
        module.train()
        for batch in batches():
            optimizer.zero_grad()
            with autocast(next(module.parameters()).device):
                value = loss(batch)
            value.backward()
            optimizer.step()
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
            learning_rate=optimizer.param_groups[0]["lr"],
            score=validate if score else None,
            generator=generator,
            stateful=(optimizer,),
            **options,
        )
    finally:
        module.eval()


def autocast(device: torch.device) -> torch.autocast:
    """Mixed precision where the device has it: bfloat16 on such a GPU, nothing on a CPU."""
    able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=able)
