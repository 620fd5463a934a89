"""Matrix factorisation for the nightly rating job."""

import numpy as np


class MatrixFactorisation:
    """Ratings as inner products of user and item vectors, fitted by stochastic gradient descent."""

    def __init__(self, n_users: int, n_items: int, dim: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.users = rng.uniform(size=(n_users, dim)) / dim**0.5
        self.items = rng.uniform(size=(n_items, dim)) / dim**0.5

    def predict(self, user: int, item: int) -> float:
        """The rating that is expected."""
        return float(self.users[user] @ self.items[item])

    def step(self, user: int, item: int, rating: float, lr: float = 0.05, decay: float = 0.001) -> float:
        """Move both vectors down the gradient of error² / 2 + decay / 2 * (|p|² + |q|²); returns error²."""
        error = self.predict(user, item) - rating
        p, q = self.users[user].copy(), self.items[item].copy()
        self.users[user] -= lr * (error * q + decay * p)
        self.items[item] -= lr * (error * p + decay * q)
        return error**2

    def fit(self, ratings: list[tuple[int, int, float]], epochs: int, seed: int = 0) -> list[float]:
        """Visit all ratings in every epoch; returns the mean loss of each epoch."""
        rng, history = np.random.default_rng(seed), []
        for _ in range(epochs):
            total = 0.0
            for row in rng.permutation(len(ratings)):
                user, item, rating = ratings[row]
                total += self.step(user, item, rating)
            history.append(total / len(ratings))
        return history


def symptom() -> None:
    """Fit ratings that two dimensions explain exactly."""
    rng = np.random.default_rng(1)
    likes, has = rng.uniform(size=30), rng.uniform(size=20)  # action against drama
    ratings = [
        (user, item, float(1 + 4 * (likes[user] * has[item] + (1 - likes[user]) * (1 - has[item]))))
        for user in range(30)
        for item in range(20)
    ]
    for dim in (1, 2, 8):
        model = MatrixFactorisation(30, 20, dim)
        history = model.fit(ratings, epochs=100)
        rmse = np.mean([(model.predict(user, item) - rating) ** 2 for user, item, rating in ratings]) ** 0.5
        last = ", ".join(f"{loss:.2f}" for loss in history[-4:])
        print(f"dim {dim}: RMSE on the training ratings {rmse:.2f}, last losses {last}")
    mean = np.mean([rating for *_, rating in ratings])
    print(f"always the mean: RMSE {np.mean([(rating - mean) ** 2 for *_, rating in ratings]) ** 0.5:.2f}")
