"""What is trained, and how: one record that every process reads."""

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import nn

from recsys_course.distributed.shards import Shards
from recsys_course.training import seeded

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


@dataclass(frozen=True)
class Recipe:
    """A training of two towers with the softmax over all items.

    Attributes:
        data: folder of shards.
        steps: how many in the end, those before a checkpoint included.
        batch_size: events in a step, all processes together.
        accumulate: parts of a process's batch whose gradients are added up before the step.
        optimizer: ``sgd`` or ``adam``.
        learning_rate: of all parameters.
        reduce: ``mean`` over the processes, as it must be, or their ``sum``, a mistake to be shown.
        precision: of the forward pass, ``float32`` or ``bfloat16``.
        reshuffle: whether each epoch has an order of its own; ``False`` is the forgotten ``set_epoch``.
        dim: length of the vectors.
        depth: layers between the user's vector and the scores.
        dropout: share of the values that each of these layers drops while learning.
        seed: of the first weights, the orders and the dropout.
        every: steps from one checkpoint to the next; 0 for none.
        kills: for each attempt in turn ``[rank, step, moment]``: which process ends itself, in which step and at
            which of the ``train.MOMENTS``.
        log: whether to write TensorBoard logs.
    """

    data: str
    steps: int = 10
    batch_size: int = 256
    accumulate: int = 1
    optimizer: str = "sgd"
    learning_rate: float = 1.0
    reduce: str = "mean"
    precision: str = "float32"
    reshuffle: bool = True
    dim: int = 32
    depth: int = 1
    dropout: float = 0.0
    seed: int = 0
    every: int = 0
    kills: tuple = ()
    log: bool = False

    @classmethod
    def of(cls, **options) -> Self:
        """Check the options.

        Raises:
            ValueError: one is unknown, or has a value that there is not.
        """
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise ValueError(f"no option is called {name!r}: choose from {', '.join(known)}")
        if "data" not in options:
            raise ValueError("data is missing: give the folder that write_shards wrote")
        recipe = cls(**options | {"data": str(options["data"])})
        choices = {"optimizer": OPTIMIZERS, "precision": PRECISIONS, "reduce": ("mean", "sum")}
        for name, allowed in choices.items():
            if getattr(recipe, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(recipe, name)!r}")
        for name in ("steps", "batch_size", "accumulate", "dim"):
            if getattr(recipe, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(recipe, name)}")
        return recipe

    def towers(self, shards: Shards) -> nn.Sequential:
        """The model: ``users``, a table, and ``head``, from a user's vector to the scores of all items.

        Its first weights are the same in every process.
        """
        with seeded(self.seed):
            users = nn.Embedding(shards.n_users, self.dim)
            layer = lambda: (nn.Linear(self.dim, self.dim), nn.ReLU(), nn.Dropout(self.dropout))  # noqa: E731
            layers = [part for _ in range(self.depth) for part in layer()]
            model = nn.Sequential()
            model.add_module("users", users)
            model.add_module("head", nn.Sequential(*layers, nn.Linear(self.dim, shards.n_items)))
        return model
