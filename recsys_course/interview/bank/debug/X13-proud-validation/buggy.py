"""Weekly training of the click model, with early stopping."""

import numpy as np


class Logistic:
    """Logistic regression by gradient descent; `fit` goes on from the weights as they are."""

    def __init__(self, width: int) -> None:
        self.weights = np.zeros(width)

    def fit(self, x: np.ndarray, y: np.ndarray, epochs: int) -> None:
        """Take a step down the gradient in each epoch."""
        for _ in range(epochs):
            self.weights -= 0.03 * x.T @ (self.predict(x) - y) / len(x)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Chance of a click for each row."""
        return 1 / (1 + np.exp(-x @ self.weights))


def auc(y: np.ndarray, scores: np.ndarray) -> float:
    """Share of the pairs of a click and a non-click that are in the right order; equal scores count half."""
    apart = scores[y == 1][:, None] - scores[y == 0]
    return float((apart > 0).mean() + (apart == 0).mean() / 2)


def folds(n: int, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to train on and rows to validate on, k times."""
    parts = np.array_split(np.random.default_rng(0).permutation(n), k)
    return [(np.concatenate(parts[:part] + parts[part + 1 :]), parts[part]) for part in range(k)]


def train_with_early_stopping(x: np.ndarray, y: np.ndarray, k: int = 5, epochs: int = 20) -> tuple[Logistic, float]:
    """The best model of past impressions, in order of time, and the AUC that it promises for those to come."""
    model, best_model, best_auc = Logistic(x.shape[1]), None, 0.0
    for _, held_out in folds(len(x), k):
        model.fit(x, y, epochs)
        value = auc(y[held_out], model.predict(x[held_out]))
        if value >= best_auc:
            best_auc, best_model = value, model
        else:
            break
    return best_model, best_auc


def symptom() -> None:
    """Four features that matter among 300: this week's training, judged by the next week."""
    rng = np.random.default_rng(0)
    weights = np.repeat([0.15, 0.0], [4, 296])
    x = rng.normal(size=(2_300, 300)) * np.repeat([6.0, 1.5], [4, 296])
    y = (rng.random(2_300) < 1 / (1 + np.exp(-x @ weights))).astype(int)
    model, promised = train_with_early_stopping(x[:300], y[:300])
    plain = Logistic(300)
    plain.fit(x[:300], y[:300], 5)
    print(f"early stopping promises an AUC of {promised:.2f}; next week {auc(y[300:], model.predict(x[300:])):.2f}")
    print(f"five epochs and nothing else: next week {auc(y[300:], plain.predict(x[300:])):.2f}")
