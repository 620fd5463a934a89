"""Real ratings and fitted models that several proofs share, made once."""

from dataclasses import dataclass

import pytest
import torch

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
