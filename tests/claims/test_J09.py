"""What the answer to J09 (semantic ids) states."""

import numpy as np
import pytest
from scipy.sparse.linalg import svds
from sklearn.cluster import KMeans

from recsys_course import claim

CODES, LEVELS, FILMS = 16, 3, 1_682


def quantise(vectors, seed=0, residual=True):
    """Codes ``[n_items, LEVELS]`` and the share of the variance that is left after each level.

    Without ``residual`` each level codes the vectors themselves again, and the guesses are averaged.
    """
    guess, codes, left = np.zeros_like(vectors), [], []
    for level in range(LEVELS):
        fitted = KMeans(CODES, n_init=1, random_state=seed + level).fit(vectors - guess if residual else vectors)
        step = fitted.cluster_centers_[fitted.labels_]
        guess = guess + step if residual else (level * guess + step) / (level + 1)
        codes.append(fitted.labels_)
        left.append(((vectors - guess) ** 2).sum() / ((vectors - vectors.mean(0)) ** 2).sum())
    return np.stack(codes, 1), left


@pytest.fixture(scope="module")
def centred(content):
    return content - content.mean(0)


@pytest.fixture(scope="module")
def codes(centred):
    return quantise(centred)[0]


@pytest.fixture(scope="module")
def likes(random_splits):
    return random_splits[0].train.positives().matrix().toarray() > 0


def shared(codes):
    """How many items have each id that occurs."""
    return np.unique(codes, axis=0, return_counts=True)[1]


def neighbours_agree(first, likes):
    """Share of the ten films most liked with each film that have its first code, and chance; 20 likes or more."""
    some = likes.sum(0) >= 20
    table, first = likes[:, some].astype(float), first[some]
    together = table.T @ table / np.sqrt(np.outer(table.sum(0), table.sum(0)))
    np.fill_diagonal(together, -1)
    nearest = together.argsort(1)[:, -10:]
    return (first[nearest] == first[:, None]).mean(), ((np.bincount(first) / len(first)) ** 2).sum()


def test_each_level_codes_what_is_left(centred):
    right, wrong = quantise(centred)[1], quantise(centred, residual=False)[1]
    claim(
        "J09.levels",
        "Genres and year of 1,682 films, 16 codes a level: 38, 20 and 12 % of the variance are left after one, two "
        "and three levels",
        len(centred) == FILMS and np.allclose(right, [0.383, 0.195, 0.115], atol=0.02),
    )
    claim(
        "J09.not-residual",
        "Three codebooks of the vectors themselves leave 38, 33 and 32 %",
        np.allclose(wrong, [0.383, 0.326, 0.318], atol=0.02),
    )
    claim(
        "J09.table", "Three levels of 16 codes: 48 vectors, 4,096 ids", (LEVELS * CODES, CODES**LEVELS) == (48, 4_096)
    )


def test_ids_collide_although_there_is_room(centred, codes):
    sizes = shared(codes)
    claim(
        "J09.collide",
        "The 1,682 films get about 450 of 4,096 ids: 87 % share theirs with another film, one id stands for over 80",
        abs(len(sizes) - 451) < 30 and abs(sizes[sizes > 1].sum() / FILMS - 0.866) < 0.02 and sizes.max() > 80,
    )
    twins = shared(np.round(centred, 9))
    claim(
        "J09.twins",
        "69 % of the films have exactly the genres and year of another: no quantiser of these can part them",
        abs(twins[twins > 1].sum() / FILMS - 0.688) < 0.01,
    )
    draw = np.random.default_rng(0).integers(CODES, size=(FILMS, LEVELS))
    sizes = shared(draw)
    claim(
        "J09.random",
        "Ids drawn at random: 34 % of the films share theirs",
        abs(sizes[sizes > 1].sum() / FILMS - 0.34) < 0.03,
    )
    claim(
        "J09.capacity",
        "Three levels of 256 are 16.8 million ids, six items each for 100 million; a fourth makes 4.3 billion",
        abs(256**3 / 16.8e6 - 1) < 0.01 and round(1e8 / 256**3) == 6 and abs(256**4 / 4.3e9 - 1) < 0.01,
    )


def test_a_shared_prefix_is_a_shared_statistic(codes, likes):
    agree, chance = neighbours_agree(codes[:, 0], likes)
    claim(
        "J09.neighbours",
        "Of the ten films most liked with a film 24 % have its first code, by chance 9 %",
        abs(agree - 0.243) < 0.03 and abs(chance - 0.087) < 0.015,
    )
    logs, key = np.log1p(likes.sum(0)), codes[:, 0]
    found = []
    for group in (key, np.random.default_rng(0).permutation(key)):
        total, n = np.bincount(group, logs), np.bincount(group)
        found.append(np.corrcoef((total[group] - logs) / (n[group] - 1).clip(1), logs)[0, 1])
    claim(
        "J09.prior",
        "A film's log likes correlate 0.31 with the mean of the other films with its first code, 0.0 with codes dealt "
        "out at random",
        abs(found[0] - 0.31) < 0.04 and abs(found[1]) < 0.08,
    )


def test_vectors_of_likes_know_taste_and_nothing_about_new_films(codes, likes):
    _, size, right = svds(likes.astype(float), k=32, v0=np.ones(len(likes)))
    taste = quantise(right.T * size)[0]
    agree, chance = neighbours_agree(taste[:, 0], likes)
    claim(
        "J09.taste",
        "Codes of 32 factors of the likes: 38 % of the neighbours have the first code, chance 12 %",
        abs(agree - 0.378) < 0.04 and abs(chance - 0.117) < 0.03,
    )
    _, which, sizes = np.unique(taste, axis=0, return_inverse=True, return_counts=True)
    crowd = likes.sum(0)[which.ravel() == sizes.argmax()]
    claim(
        "J09.crowd",
        "There one id stands for over half of all films; their median is two likes or fewer",
        len(crowd) > FILMS / 2 and np.median(crowd) <= 2,
    )


def test_a_new_codebook_speaks_another_language(centred, codes):
    other = quantise(centred, seed=100)[0]
    whole = (codes == other).all(1).mean()
    together = codes[:, None, 0] == codes[None, :, 0]
    np.fill_diagonal(together, False)
    kept = (other[:, None, 0] == other[None, :, 0])[together].mean()
    claim(
        "J09.drift",
        "Another seed: under 2 % of the films keep their id, although 70 % of the pairs with one first code stay "
        "together",
        whole < 0.02 and abs(kept - 0.7) < 0.08,
    )


def test_codes_that_nobody_uses_stay_unused(centred):
    draw = np.random.default_rng(0)

    def used(start):
        for _ in range(20):
            near = ((centred[:, None] - start[None]) ** 2).sum(2).argmin(1)
            n = np.bincount(near, minlength=len(start))
            sums = np.zeros_like(start)
            np.add.at(sums, near, centred)
            start = np.where(n[:, None] > 0, sums / n.clip(1)[:, None], start)
        return (n > 0).sum()

    far, near = used(draw.normal(size=(64, centred.shape[1]))), used(centred[draw.permutation(FILMS)[:64]])
    claim(
        "J09.collapse",
        "64 codes begun at random points: fewer than 16 are used after 20 rounds; begun at films, over 60 are",
        far < 16 and near > 60,
    )
