"""What the answer to F01 (shared bottom, MMoE, PLE) states."""

import numpy as np
import torch
from torch import nn

from recsys_course import claim
from recsys_course.training import seeded

DIM = 32


class SharedBottom(nn.Module):
    """One layer for both tasks, a head for each: ``[n, 32]`` to ``[n, 2]``."""

    def __init__(self, width):
        super().__init__()
        self.bottom = nn.Sequential(nn.Linear(DIM, width), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(width, 1) for _ in range(2))

    def forward(self, x):
        shared = self.bottom(x)
        return torch.cat([head(shared) for head in self.heads], 1)


class Experts(nn.Module):
    """A gate for each task over the experts that it may use: bool ``[2, n_experts]``."""

    def __init__(self, width, may_use):
        super().__init__()
        n = may_use.shape[1]
        self.may_use = may_use
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(DIM, width), nn.ReLU()) for _ in range(n))
        self.gates = nn.ModuleList(nn.Linear(DIM, n) for _ in range(2))
        self.heads = nn.ModuleList(nn.Linear(width, 1) for _ in range(2))

    def mixtures(self, x):
        """What each task reads, ``[2, n, width]``."""
        made = torch.stack([expert(x) for expert in self.experts], 1)  # [n, n_experts, width]
        gates = (gate(x).masked_fill(~use, -torch.inf) for gate, use in zip(self.gates, self.may_use, strict=True))
        return torch.stack([(gate.softmax(1).unsqueeze(2) * made).sum(1) for gate in gates])

    def forward(self, x):
        return torch.cat([head(mixed) for head, mixed in zip(self.heads, self.mixtures(x), strict=True)], 1)


MMOE = torch.ones(2, 4, dtype=torch.bool)
PLE = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 1]], dtype=torch.bool)  # two shared, one of each task's own
MAKE = {
    "shared": lambda: SharedBottom(32),
    "mmoe": lambda: Experts(8, MMOE),
    "ple": lambda: Experts(8, PLE),
}


def shared_directions(alike, width, weights=(1, 1)):
    """Explained variance of two linear tasks on the best shared linear bottom of this width (Eckart and Young)."""
    needed = np.array([[1, 0], [alike, np.sqrt(1 - alike**2)]])  # [n_tasks, n_directions], each of length 1
    directions = np.linalg.svd(np.sqrt(weights)[:, None] * needed)[2][:width]
    return ((needed @ directions.T) ** 2).sum(1)


def test_one_shared_direction_for_two_tasks():
    alike, unlike, wide = (shared_directions(c, n) for c, n in ((1, 1), (0, 1), (0, 2)))
    tilted, leaning = shared_directions(0.5, 1), shared_directions(0.5, 1, weights=(10, 1))
    lost = shared_directions(0, 1, weights=(10, 1))
    claim(
        "F01.conflict",
        "Two linear tasks on a shared bottom of one number: the same direction, all explained; unrelated directions, "
        "half in sum, and with weights of 10 to 1 all of the first and nothing of the second; a bottom of two numbers "
        "explains both",
        np.allclose(alike, 1) and np.isclose(unlike.sum(), 1) and np.allclose(lost, [1, 0]) and np.allclose(wide, 1),
    )
    claim(
        "F01.seesaw",
        "At a cosine of 0.5 equal weights explain 0.75 of both tasks, weights of 10 to 1 explain 0.998 and 0.29",
        np.allclose(tilted, 0.75) and np.allclose(leaning, [0.998, 0.29], atol=0.001),
    )


def wave(n, seed):
    """Inputs and twice the same target, a wave along one direction."""
    direction = torch.nn.functional.normalize(torch.randn(DIM, generator=torch.Generator().manual_seed(99)), dim=0)
    x = torch.randn(n, DIM, generator=torch.Generator().manual_seed(seed))
    along = x @ direction
    return x, (torch.sin(2 * along) + 0.5 * torch.sin(4 * along + 1)).unsqueeze(1).expand(-1, 2)


def explained(name, seed):
    """Explained variance on new rows after 600 steps."""
    with seeded(seed):
        model = MAKE[name]()
    x, y = wave(20_000, 0)
    adam, draw = torch.optim.Adam(model.parameters(), lr=0.01), torch.Generator().manual_seed(1)
    for _ in range(600):
        rows = torch.randint(len(x), (256,), generator=draw)
        loss = (model(x[rows]) - y[rows]).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    x, y = wave(5_000, 1)
    with torch.no_grad():
        return float((1 - (model(x) - y).square().mean(0) / y.var(0)).mean())


def test_gates_help_without_any_conflict():
    size = {name: sum(p.numel() for p in make().parameters()) for name, make in MAKE.items()}
    found = {name: [explained(name, seed) for seed in (0, 1)] for name in ("shared", "mmoe")}
    claim(
        "F01.no-conflict",
        "Twice the same task, explained variance on new rows: a shared bottom with 1,122 weights 0.92, MMoE with 1,338 "
        "weights 0.96, mean of two seeds",
        size == {"shared": 1_122, "mmoe": 1_338, "ple": 1_338}
        and abs(np.mean(found["shared"]) - 0.92) < 0.03
        and abs(np.mean(found["mmoe"]) - 0.96) < 0.015
        and max(found["shared"]) < min(found["mmoe"]),
    )


@torch.no_grad()
def test_equal_gates_are_a_shared_bottom():
    with seeded(0):
        model = Experts(8, MMOE)
    x = torch.randn(100, DIM, generator=torch.Generator().manual_seed(0))
    before = model.mixtures(x)
    model.gates[1].load_state_dict(model.gates[0].state_dict())
    after = model.mixtures(x)
    claim(
        "F01.equal-gates",
        "With gates of their own the two tasks of an MMoE read different mixtures; with equal gates they read the same "
        "numbers, as from a shared bottom",
        not torch.allclose(before[0], before[1], atol=1e-2) and torch.equal(after[0], after[1]),
    )


def test_only_a_private_expert_is_out_of_the_other_tasks_reach():
    x = torch.randn(64, DIM, generator=torch.Generator().manual_seed(0))
    reach = {}
    for name in ("mmoe", "ple"):
        with seeded(0):
            model = MAKE[name]()
        model(x)[:, 0].square().mean().backward()  # the loss of the first task alone
        reach[name] = [float(expert[0].weight.grad.abs().sum()) > 0 for expert in model.experts]
    claim(
        "F01.private",
        "The first task's loss has a gradient in all four experts of MMoE; in PLE in the two shared ones and its own, "
        "and none in the second task's",
        reach == {"mmoe": [True] * 4, "ple": [True, True, True, False]},
    )


def entropy(p):
    return float(-(p * np.log(np.where(p > 0, p, 1))).sum(-1).mean())


def test_sharp_gates_are_no_collapse():
    """Gates of 1,000 examples over four experts: each example picks one; all pick the first; none decides."""
    each = np.eye(4)[np.arange(1_000) % 4]
    collapsed, undecided = np.tile(np.eye(4)[0], (1_000, 1)), np.full((1_000, 4), 0.25)
    mean_of_entropy = [entropy(gates) for gates in (each, collapsed, undecided)]
    entropy_of_mean = [entropy(gates.mean(0, keepdims=True)) for gates in (each, collapsed, undecided)]
    claim(
        "F01.entropy",
        "Four experts; each example its own expert, all the same one, or no decision: the mean entropy of the gates is "
        "0, 0 and 1.39, the entropy of the mean gate 1.39, 0 and 1.39",
        np.allclose(mean_of_entropy, [0, 0, np.log(4)])
        and np.allclose(entropy_of_mean, [np.log(4), 0, np.log(4)])
        and abs(np.log(4) - 1.39) < 0.005,
    )


def test_the_frequent_task_moves_the_shared_part():
    """Gradient of a log loss by the logit is p - y: its spread is sqrt(p (1 - p)) at a calibrated start."""
    draw = np.random.default_rng(0)
    spread = {p: (p - (draw.random(4_000_000) < p)).std() for p in (0.05, 0.0005)}
    ratio = spread[0.05] / spread[0.0005]
    rows = int(256 * 0.05), 256 * 0.0005
    claim(
        "F01.rare",
        "A task with a rate of 5 % beside one with 0.05 %: the noise of its gradient on the shared part is 9.7 times "
        "larger; with a weight of 100 on the rare task the rare one is 10 times louder",
        abs(ratio - 9.75) < 0.3 and abs(100 / ratio - 10.3) < 0.3 and rows[0] == 12,
    )
    claim(
        "F01.batches",
        "A batch of 256 holds a positive of a task with a rate of 0.05 % once in eight batches, of one with 5 % in "
        "practically every one",
        abs((1 - 0.9995**256) - 0.12) < 0.003 and 1 - 0.95**256 > 0.99999,
    )


def test_what_experts_cost():
    expert = 512 * 256 + 256
    claim(
        "F01.size",
        "A layer from 512 to 256 numbers has 131,328 weights; eight experts and two gates have 1,058,832, eight times "
        "as much to compute",
        expert == 131_328 and 8 * expert + 2 * (512 * 8 + 8) == 1_058_832 and round(1_058_832 / expert, 1) == 8.1,
    )
