"""Made-up likes of a real size and shape, so that no benchmark downloads anything.

Users have a number of likes with a long tail, items an appeal with a long tail, and both a taste in 32 dimensions; each
user likes, without repetition, what appeal, taste and chance put on top. One liked item of each user is held out.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

CACHE = Path(__file__).resolve().parents[1] / "build" / "bench-worlds"


@dataclass(frozen=True)
class Shape:
    """How large a world is, and how long its tails are."""

    n_users: int
    n_items: int
    n_likes: int
    fewest: int  # likes of a user
    spread: float  # of the logarithm of likes a user
    appeal: float  # spread of the items' appeal; 0 makes all items equally popular
    taste: float  # strength of taste beside chance


SHAPES = {
    "movielens-1m": Shape(6_040, 3_416, 999_611, fewest=18, spread=1.05, appeal=1.6, taste=1.1),
    "gowalla": Shape(29_858, 40_981, 839_986, fewest=9, spread=0.9, appeal=1.0, taste=2.2),
}
DIM = 32


@dataclass(frozen=True)
class World:
    """The likes to learn from, sorted by user and item, and one held-out item of each user."""

    users: np.ndarray  # int64 [n_events]
    items: np.ndarray  # int64 [n_events]
    held_out: np.ndarray  # int64 [n_users]
    n_users: int
    n_items: int

    def matrix(self):
        """The likes as float32 CSR ``[n_users, n_items]``, the form that the peers want."""
        from scipy import sparse

        ones = np.ones(len(self.users), dtype=np.float32)
        return sparse.csr_matrix((ones, (self.users, self.items)), shape=(self.n_users, self.n_items))


def load(name: str) -> World:
    """The world of this name, made at first and then read from ``build/bench-worlds``."""
    shape, path = SHAPES[name], CACHE / f"{name}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **dict(zip(("users", "items", "held_out"), make(shape), strict=True)))
        partial.rename(path)
    with np.load(path) as columns:
        return World(columns["users"], columns["items"], columns["held_out"], shape.n_users, shape.n_items)


def make(shape: Shape, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw users and items of the likes to learn from, and the held-out item of each user."""
    random = np.random.default_rng(seed)
    n_likes = likes_of_users(shape, random)
    appeal = (shape.appeal * random.standard_normal(shape.n_items)).astype(np.float32)
    centres = random.standard_normal((60, DIM)).astype(np.float32)  # neighbourhoods of taste
    tastes, features = (near_a_centre(n, centres, random) for n in (shape.n_users, shape.n_items))
    users, items, held_out = [], [], []
    for start in range(0, shape.n_users, 512):
        block = slice(start, start + 512)
        scores = shape.taste * tastes[block] @ features.T + appeal
        chance = random.standard_exponential(scores.shape, dtype=np.float32)
        scores -= np.log(np.maximum(chance, np.finfo(np.float32).tiny))  # Gumbel noise
        for user, row in enumerate(scores, start):
            liked = random.permutation(np.argpartition(-row, n_likes[user])[: n_likes[user]])
            held_out.append(liked[0])
            users.append(np.full(len(liked) - 1, user))
            items.append(np.sort(liked[1:]))
    return np.concatenate(users), np.concatenate(items), np.array(held_out)


def likes_of_users(shape: Shape, random: np.random.Generator) -> np.ndarray:
    """Numbers of likes with a log-normal tail, int64 ``[n_users]``, whose sum is near ``n_likes``."""
    tail = np.exp(shape.spread * random.standard_normal(shape.n_users))
    more = shape.n_likes / shape.n_users - shape.fewest
    return np.minimum(shape.fewest + tail / tail.mean() * more, shape.n_items * 0.7).astype(np.int64)


def near_a_centre(n: int, centres: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Unit-scale vectors around centres drawn at random, float32 ``[n, DIM]``."""
    near = centres[random.integers(0, len(centres), n)] + random.standard_normal((n, DIM)).astype(np.float32)
    return near / np.sqrt(2 * np.sqrt(DIM))


def lists_of(model, world: World, k: int = 10) -> np.ndarray:
    """The lists that one of the course's models recommends to everybody, int64 ``[n_users, k]``."""
    import torch

    blocks = torch.arange(world.n_users).split(512)
    return np.concatenate([model.recommend(users, k).numpy() for users in blocks])
