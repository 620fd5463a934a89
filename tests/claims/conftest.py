"""Real ratings and fitted models that several proofs share, made once."""

import pytest

from recsys_course import data, metrics, models
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
