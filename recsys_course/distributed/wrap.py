"""How a model is spread over the processes: copied, cut layer by layer, or with its largest table dealt by rows."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from recsys_course.distributed.embedding import ShardedEmbedding
from recsys_course.distributed.place import Place


def copied(model: nn.Sequential, place: Place) -> nn.Module:
    """DDP: each process has the whole model, and the gradients of all copies are averaged."""
    devices = [place.device] if place.device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=devices)


def cut(model: nn.Sequential, place: Place) -> nn.Module:
    """FSDP2: each process keeps a part of every parameter, and borrows the rest while a layer computes."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(place.device.type, (place.world,))
    for part in (model.users, *(layer for layer in model.head if isinstance(layer, nn.Linear)), model):
        fully_shard(part, mesh=mesh)
    return model


def dealt(model: nn.Sequential, place: Place) -> nn.Module:
    """Each process keeps some rows of the table of users, and a copy of all the rest."""
    model.users = ShardedEmbedding(model.users.weight)
    model.head = copied(model.head, place)
    return model


def whole_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights as one process alone would have them, on the CPU; every process must take part."""
    whole = {}
    for name, weight in model.state_dict().items():
        weight = weight.full_tensor() if hasattr(weight, "full_tensor") else weight
        whole[name.replace("module.", "")] = weight.detach().cpu().clone()
    users = getattr(model, "users", None)
    if isinstance(users, ShardedEmbedding):
        whole["users.weight"] = users.table()
    return whole


@contextmanager
def exchanging(model: nn.Module, whether: bool) -> Iterator[None]:
    """Whether the gradients of this backward pass go to the other processes, or wait for those of the next."""
    with ExitStack() as stack:
        for part in model.modules():
            if isinstance(part, DistributedDataParallel) and not whether:
                stack.enter_context(part.no_sync())
        if hasattr(model, "set_requires_gradient_sync"):  # FSDP2
            model.set_requires_gradient_sync(whether)
        yield


def held_bytes(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, int]:
    """Bytes that this process holds for parameters, gradients and optimiser, its own parts alone."""
    mine = lambda tensor: tensor.to_local() if hasattr(tensor, "to_local") else tensor  # noqa: E731
    size = lambda tensors: sum(mine(t).numel() * mine(t).element_size() for t in tensors)  # noqa: E731
    parameters = list(model.parameters())
    states = [t for state in optimizer.state.values() for t in state.values() if isinstance(t, Tensor)]
    gradients = [p.grad for p in parameters if p.grad is not None]
    return {"parameters": size(parameters), "gradients": size(gradients), "optimizer": size(states)}


Wrap = Callable[[nn.Sequential, Place], nn.Module]
WRAPS: dict[str, Wrap] = {"ddp": copied, "elastic": copied, "fsdp2": cut, "sharded": dealt}


def wrap(job: str, model: nn.Sequential, place: Place) -> nn.Module:
    """The model on its device, spread as the job says; one process without a group keeps it as it is."""
    model = model.to(place.device)
    return WRAPS[job](model, place) if dist.is_initialized() else model
