"""Real ratings and fitted models that several proofs share, made once."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import svds

from recsys_course import data, metrics, models
from recsys_course.assets import fetch
from recsys_course.data.movielens import movielens

SEEDS = (0, 1, 2)


@pytest.fixture(scope="session")
def ratings():
    return movielens().ratings


@pytest.fixture(scope="session")
def random_splits(ratings):
    return [data.frozen_split(ratings, "random", seed) for seed in SEEDS]


@pytest.fixture(scope="session")
def time_split(ratings):
    return data.frozen_split(ratings, "time")


@pytest.fixture(scope="session")
def popular(random_splits):
    """One fitted model for each random split."""
    return [models.Popularity().fit(split.train) for split in random_splits]


@pytest.fixture(scope="session")
def ease(random_splits):
    """One fitted model for each random split."""
    return [models.EASE().fit(split.train) for split in random_splits]


@pytest.fixture(scope="session")
def ease_results(random_splits, ease):
    """EASE under the frozen protocol, one evaluation for each random split."""
    return [metrics.evaluate(model, split.test) for model, split in zip(ease, random_splits, strict=True)]


@pytest.fixture(scope="session")
def popular_results(random_splits, popular):
    """Popularity under the frozen protocol, one evaluation for each random split."""
    return [metrics.evaluate(model, split.test) for model, split in zip(popular, random_splits, strict=True)]


@dataclass(frozen=True)
class Films:
    """The 300 most rated films: item indices ``[300]`` and texts of title, year and genres."""

    items: torch.Tensor
    texts: list[str]


@pytest.fixture(scope="session")
def films():
    dataset = movielens()
    items = dataset.ratings.item_counts().argsort(descending=True, stable=True)[:300]
    return Films(items, [f"{dataset.titles[i]}: {', '.join(dataset.items['genres'][i])}" for i in items.tolist()])


@pytest.fixture(scope="session")
def minilm():
    """The small pre-trained encoder and its tokenizer."""
    from transformers import AutoTokenizer, BertModel

    folder = fetch("all-minilm-l6-v2", progress=False)
    return BertModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def film_vectors(minilm, films):
    """Mean of the tokens of each film, of length 1, and what the model calls its pooled output: two ``[300, 384]``."""
    network, tokenizer = minilm
    mean, pooler = torch.empty(300, 384), torch.empty(300, 384)
    by_length = torch.tensor([len(ids) for ids in tokenizer(films.texts)["input_ids"]]).argsort(stable=True)
    for rows in by_length.split(50):
        batch = tokenizer([films.texts[row] for row in rows.tolist()], padding=True, return_tensors="pt")
        with torch.inference_mode():
            out = network(**batch)
        there = batch["attention_mask"].unsqueeze(2).float()
        mean[rows] = (out.last_hidden_state * there).sum(1) / there.sum(1)
        pooler[rows] = out.pooler_output
    return torch.nn.functional.normalize(mean, dim=1), pooler


@pytest.fixture(scope="session")
def liked_together(random_splits, films):
    """The ten films of the 300 that are liked by most of the same people, by cosine, ``[300, 10]``."""
    likes = random_splits[0].train.positives().matrix().toarray()[:, films.items.numpy()]
    likes = torch.from_numpy(likes).float()
    cosine = (likes.T @ likes) / likes.sum(0).outer(likes.sum(0)).sqrt().clamp(min=1)
    return cosine.fill_diagonal_(-1).topk(10).indices


@pytest.fixture(scope="session")
def by_hand(films):
    """What the texts of the 300 films say, without an encoder: genres and the year in soft bins of 5, ``[300, n]``."""
    rows = movielens().items.iloc[films.items.tolist()]
    names = sorted({name for row in rows["genres"] for name in row})
    genres = torch.tensor([[float(name in row) for name in names] for row in rows["genres"]])
    year = torch.tensor(rows["year"].astype(float).to_numpy(copy=True), dtype=torch.float32)
    bins = torch.exp(-(((year[:, None] - torch.arange(1935, 2000, 5)) / 5) ** 2))
    table = torch.cat([torch.nn.functional.normalize(genres, dim=1), bins], 1)
    return table - table.mean(0)


def _ndcg_at_ten(scores, liked, allowed):
    """NDCG@10 of each row, only allowed items ranked, ties by item number: three ``[n_users, n_items]``."""
    order = np.argsort(-np.where(allowed, scores, -np.inf), axis=1, kind="stable")[:, :10]
    hits = np.take_along_axis(liked, order, 1) & np.take_along_axis(allowed, order, 1)
    gain = 1 / np.log2(np.arange(2, 12))
    best = np.concatenate([[0], gain.cumsum()])[(liked & allowed).sum(1).clip(max=10)]
    return np.divide((hits * gain).sum(1), best, out=np.full(len(best), np.nan), where=best > 0)


@pytest.fixture(scope="session")
def ndcg_at_ten():
    """The function above, for tables that no ``Recommender`` made."""
    return _ndcg_at_ten


@dataclass(frozen=True)
class ColdFilms:
    """A tenth of the films withheld, each ``[n_users, n_items]`` or ``[n_items]``, and a map from content to tastes."""

    cold: np.ndarray
    likes: np.ndarray
    seen: np.ndarray
    hidden: np.ndarray
    tastes: np.ndarray  # [n_users, 32]
    vectors: np.ndarray  # [n_items, 32], those of the cold films by the map from content

    def ndcg(self, scores, candidates):
        """Mean over users of the NDCG@10 of the hidden likes among these candidates, bool ``[n_items]``."""
        return np.nanmean(_ndcg_at_ten(scores, self.hidden & self.cold, candidates & ~self.seen))


@pytest.fixture(scope="session")
def content():
    """Genres, a film's row of length 1, and the year in soft bins of 5, ``[n_items, n]``."""
    items = movielens().items
    names = sorted({name for row in items["genres"] for name in row})
    genres = np.array([[float(name in row) for name in names] for row in items["genres"]])
    year = items["year"].astype(float).fillna(1990).to_numpy()
    bins = np.exp(-(((year[:, None] - np.arange(1935, 2000, 5)) / 5) ** 2))
    return np.hstack([genres / np.sqrt(genres.sum(1, keepdims=True)).clip(1), bins])


@pytest.fixture(scope="session")
def cold_films(ratings, content):
    """Three draws of cold films; tastes and warm vectors are the 32 largest directions of the likes."""
    found = []
    for seed in SEEDS:
        split = data.cold_item_split(ratings, seed=seed)
        cold = np.bincount(split.held_out.items.numpy(), minlength=ratings.n_items) > 0
        likes = split.train.positives().matrix()
        left, sizes, right = svds(likes.astype(float), k=32, v0=np.ones(min(likes.shape)))
        table = np.hstack([content - content[~cold].mean(0), np.ones((len(content), 1))])
        known = table[~cold]
        weights = np.linalg.solve(known.T @ known + 10 * np.eye(known.shape[1]), known.T @ right.T[~cold])
        vectors = np.where(cold[:, None], table @ weights, right.T)
        parts = (likes.toarray() > 0, split.train.matrix().toarray() > 0, split.test.matrix().toarray() > 0)
        found.append(ColdFilms(cold, *parts, left * sizes, vectors))
    return found
