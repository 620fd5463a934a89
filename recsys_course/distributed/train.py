"""The loop that each process runs: the same steps at the same time, each on its own part of every batch."""

from dataclasses import asdict
from functools import cached_property
from time import perf_counter, process_time

import psutil
import torch
from torch import Tensor

from recsys_course.distributed.checkpoint import load_checkpoint, save_checkpoint
from recsys_course.distributed.place import Place, gather
from recsys_course.distributed.recipe import OPTIMIZERS, PRECISIONS, Recipe
from recsys_course.distributed.shards import Shards
from recsys_course.distributed.wrap import exchanging, held_bytes, whole_weights, wrap
from recsys_course.losses import softmax_loss
from recsys_course.training import seeded

MOMENTS = ("step", "gradient", "writing", "written")  # where a process can be told to end itself
MAY_CHANGE = ("data", "steps", "kills", "every", "log")  # what two parts of one training need not have in common


def train(job: str, place: Place, **options) -> dict:
    """Train, and say what this process knows at the end.

    Args:
        job: how the model is spread, one of ``wrap.WRAPS``.
        place: which process this is.
        **options: those of ``Recipe``.
    """
    recipe = Recipe.of(**({"every": 5} if job == "elastic" else {}) | options)
    with seeded(1000 * recipe.seed + place.rank):  # for dropout, of which each process draws its own
        training = Training(job, recipe, place)
        training.resume()
        while training.step < recipe.steps:
            training.advance()
        return training.result()


class Training:
    """One process's part of a training.

    Attributes:
        rows: the rows of the data that this process has learnt from, one int64 ``[batch_size // world]`` a step.
        losses: the mean loss on them, one number a step.
        seconds: of each step of this attempt.
        cpu_seconds: likewise, of the processor, which other work on the machine hardly changes.
    """

    def __init__(self, job: str, recipe: Recipe, place: Place) -> None:
        self.recipe, self.place, self.path = recipe, place, place.folder / "checkpoint.pt"
        self.shards = Shards(recipe.data, place.rank, place.world, seed=recipe.seed, reshuffle=recipe.reshuffle)
        self.model = wrap(job, recipe.towers(self.shards), place)
        self.optimizer = OPTIMIZERS[recipe.optimizer](self.model.parameters(), lr=recipe.learning_rate)
        self.rows: list[Tensor] = []
        self.losses: list[Tensor] = []
        self.seconds: list[float] = []
        self.cpu_seconds: list[float] = []
        self._dice = torch.cuda if place.device.type == "cuda" else torch  # what dropout draws from
        self.resumed_at = 0

    @property
    def step(self) -> int:
        """How many steps are done, and so the position in the data."""
        return len(self.losses)

    def advance(self) -> None:
        """One step, and a checkpoint after every so many."""
        start, cpu, step = perf_counter(), process_time(), self.step
        self._may_die("step")
        rows, users, items = self.shards.batch(step, self.recipe.batch_size)
        self.optimizer.zero_grad()
        loss = self._gradients(users.to(self.place.device), items.to(self.place.device))
        self._may_die("gradient")
        self.optimizer.step()
        self.rows.append(rows)
        self.losses.append(loss)
        self.seconds.append(perf_counter() - start)
        self.cpu_seconds.append(process_time() - cpu)
        self._log(loss)
        if self.recipe.every and self.step % self.recipe.every == 0:
            self.save()

    def save(self) -> None:
        """Write one file with all that it takes to go on; every process must take part."""
        state = {
            "recipe": self._fixed(),
            "world": self.place.world,
            "step": self.step,
            "weights": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rows": gather(torch.stack(self.rows)),  # [world, step, batch_size // world]
            "losses": gather(torch.stack(self.losses)),  # [world, step]
            "random": gather(self._dice.get_rng_state()),
        }
        if self.place.rank == 0:
            if self.recipe.log:
                self._writer.flush()
            save_checkpoint(state, self.path, lambda: self._may_die("writing"))
        self._may_die("written")

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        state = load_checkpoint(self.path, recipe=self._fixed(), world=self.place.world) if self.recipe.every else None
        if state is None:
            return
        self.model.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rows = list(state["rows"][self.place.rank])
        self.losses = list(state["losses"][self.place.rank].to(self.place.device))
        self._dice.set_rng_state(state["random"][self.place.rank].clone())  # torch 2.13 crashes on a view
        self.resumed_at = self.step

    def result(self) -> dict:
        """What is known at the end; every process must take part."""
        if self.recipe.log and self.place.rank == 0:
            self._writer.close()
        rows = gather(torch.stack(self.rows))  # [world, steps, batch_size // world]
        return {
            "losses": gather(torch.stack(self.losses)).mean(dim=0),  # [steps]
            "rows": rows.transpose(0, 1).flatten(1),  # [steps, batch_size]
            "weights": whole_weights(self.model),
            "seconds": torch.tensor(self.seconds),
            "cpu_seconds": torch.tensor(self.cpu_seconds),
            "attempt": self.place.attempt,
            "resumed_at": self.resumed_at,
            "bytes": held_bytes(self.model, self.optimizer),
            "resident_bytes": psutil.Process().memory_info().rss,
            "device": str(self.place.device),
        }

    def _gradients(self, users: Tensor, items: Tensor) -> Tensor:
        """Add up the gradients of the parts of this process's batch; the mean loss on it."""
        total, parts = torch.zeros((), device=self.place.device), self.recipe.accumulate
        for part, (u, i) in enumerate(zip(users.tensor_split(parts), items.tensor_split(parts), strict=True), 1):
            with exchanging(self.model, part == parts), self._autocast():
                loss = softmax_loss(self.model(u).float(), i) * (len(u) / len(users))
                (loss * self.place.world if self.recipe.reduce == "sum" else loss).backward()
            total += loss.detach()
        return total

    def _autocast(self) -> torch.autocast:
        dtype = PRECISIONS[self.recipe.precision]
        return torch.autocast(self.place.device.type, dtype, enabled=dtype != torch.float32)

    def _log(self, loss: Tensor) -> None:
        """Write what TensorBoard shows of the step that is done; the loss is the mean over all processes."""
        if not self.recipe.log:
            return
        mean = float(gather(loss).mean())
        if self.place.rank == 0:
            self._writer.add_scalar("loss", mean, self.step)
            self._writer.add_scalar("events per second", self.recipe.batch_size / self.seconds[-1], self.step)

    @cached_property
    def _writer(self):
        """Steps that an earlier attempt logged after its last checkpoint are done, and logged, again."""
        from torch.utils.tensorboard import SummaryWriter  # half a second

        return SummaryWriter(str(self.place.folder / "logs"), purge_step=self.resumed_at + 1)

    def _fixed(self) -> dict:
        """What may not change when a training goes on."""
        return {name: value for name, value in asdict(self.recipe).items() if name not in MAY_CHANGE}

    def _may_die(self, moment: str) -> None:
        """End this process as a power cut would, if the recipe says: now."""
        plan = self.recipe.kills[self.place.attempt : self.place.attempt + 1]
        if [tuple(kill) for kill in plan] == [(self.place.rank, self.step, moment)]:
            psutil.Process().kill()
