"""Which process this is, and how it talks to the others; without a group, one process is alone."""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

STORE = "RECSYS_COURSE_STORE"  # the environment variable with the path of the file where processes meet
LAUNCHER = "RECSYS_COURSE_LAUNCHER"  # likewise with the process that asked for them, without which they must end
PATIENCE = timedelta(seconds=60)  # how long a process waits for the others in one exchange

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Place:
    """One process among several.

    Attributes:
        folder: where the processes leave files for each other and for whoever started them.
        rank: number of this process, from 0.
        world: number of processes.
        attempt: how often the processes have been started again.
        device: where this process computes.
    """

    folder: Path
    rank: int = 0
    world: int = 1
    attempt: int = 0
    device: torch.device = CPU


def connect(folder: Path) -> Place:
    """Join the processes that torchrun has started with this one.

    If every process of this machine has a GPU of its own, they talk by nccl, else by gloo on the CPU. Those that
    ``launch`` started meet in a file, so that nothing listens beyond the machine; others at the address that torchrun
    was given. Each attempt meets anew: what processes that died have left there would mislead the next ones.
    """
    rank, world, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    here, attempt = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    own_gpu = torch.cuda.is_available() and torch.cuda.device_count() >= here
    device = torch.device("cuda", local) if own_gpu else CPU
    if own_gpu:
        torch.cuda.set_device(device)
    if STORE in os.environ:
        store = dist.FileStore(f"{os.environ[STORE]}-{attempt}", world)
    else:
        store = dist.PrefixStore(f"attempt-{attempt}", next(iter(dist.rendezvous("env://")))[0])
    backend = "nccl" if own_gpu else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=PATIENCE)
    return Place(folder, rank, world, attempt, device)


def gather(mine: Tensor) -> Tensor:
    """The tensors of all processes, which have one shape: ``[...]`` to ``[world, ...]`` on the CPU."""
    if not dist.is_initialized():
        return mine.unsqueeze(0).cpu()
    mine = mine.to("cuda" if dist.get_backend() == "nccl" else CPU).contiguous()
    every = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(every, mine)
    return torch.stack(every).cpu()
