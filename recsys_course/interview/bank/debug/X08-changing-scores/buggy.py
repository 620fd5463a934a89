"""Click model of the home page: training every night, scores for each request."""

import numpy as np
import torch
from torch import nn


def build(width: int) -> nn.Module:
    """A small network from features to the logit of a click."""
    return nn.Sequential(
        nn.Linear(width, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1), nn.Flatten(0)
    )


def score(model: nn.Module, rows: np.ndarray) -> np.ndarray:
    """Chance of a click for each row of features, float ``[n]``."""
    logits = model(torch.as_tensor(rows, dtype=torch.float32))
    return torch.sigmoid(logits).detach().numpy()


def log_loss(clicks: np.ndarray, chances: np.ndarray) -> float:
    """Mean negative log-likelihood."""
    chances = np.clip(chances, 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(clicks, np.log(chances), np.log(1 - chances))))


def train(
    model: nn.Module, rows: np.ndarray, clicks: np.ndarray, held_out: tuple[np.ndarray, np.ndarray], epochs: int = 5
) -> list[float]:
    """Fit the model in batches of 64; returns the loss on held-out rows after each epoch."""
    x, y = torch.as_tensor(rows, dtype=torch.float32), torch.as_tensor(clicks, dtype=torch.float32)
    optimiser, history = torch.optim.Adam(model.parameters(), lr=0.01), []
    model.train()
    for _ in range(epochs):
        for batch in torch.randint(len(x), (len(x) // 64, 64)):
            optimiser.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(model(x[batch]), y[batch])
            loss.backward()
            optimiser.step()
        history.append(log_loss(held_out[1], score(model, held_out[0])))
    return history


def symptom() -> None:
    """A night's training, then one user among others in three requests."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2_048, 4))
    clicks = rng.random(2_048) < 1 / (1 + np.exp(-2 * rows[:, 0] - rows[:, 1]))
    model = build(4)
    train(model, rows[:1_536], clicks[:1_536], (rows[1_536:], clicks[1_536:]))
    user = np.array([[0.2, 0.1, 0.0, 0.0]])
    for name, taste in (("keen", 1), ("average", 0), ("bored", -1)):
        others = rows[abs(rows[:, 0] - taste) < 0.5][:15]
        twice = [score(model, np.concatenate([user, others]))[0] for _ in range(2)]
        print(f"the user in a request with 15 {name} ones: {twice[0]:.2f}, asked again: {twice[1]:.2f}")
