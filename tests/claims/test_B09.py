"""What the answer to B09 (one film in common) states about similarity from very few common items."""

import numpy as np
import pytest

from recsys_course import claim


def pearson(a, b):
    """Correlation over the common items, row by row: two ``[n_pairs, n_items]``; NaN where a side has no variance."""
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    norm = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norm > 1e-9, (a * b).sum(1) / norm, np.nan)


def all_pearsons(events):
    """Pearson over co-rated items of every pair of users and how many items that are: two ``[n_users, n_users]``."""
    x = np.zeros((events.n_users, events.n_items))
    x[events.users, events.items] = events.ratings
    rated = (x > 0).astype(float)
    n, sums, squares, products = rated @ rated.T, x @ rated.T, x**2 @ rated.T, x @ x.T
    spread = squares - sums**2 / np.maximum(n, 1)
    norm = np.sqrt(np.maximum(spread, 0) * np.maximum(spread.T, 0))
    similarity = np.full_like(n, np.nan)
    np.divide(products - sums * sums.T / np.maximum(n, 1), norm, out=similarity, where=norm > 1e-9)
    np.fill_diagonal(similarity, np.nan)
    return similarity, n


@pytest.fixture(scope="module")
def user_pairs(random_splits):
    return all_pearsons(random_splits[0].train)


def test_one_common_item_proves_nothing():
    cosine = lambda a, b: float(a @ b / np.sqrt((a @ a) * (b @ b)))  # noqa: E731
    lover, hater = np.array([5.0]), np.array([1.0])
    centred = [cosine(lover - mean, hater - 2.0) for mean in (3.5, 4.9)]  # the hater's mean is 2
    claim(
        "B09.one-item",
        "With one common item cosine is 1 even for ratings 5 and 1, Pearson is undefined, and centring by the users' "
        "own means leaves only a sign",
        cosine(lover, hater) == 1 and bool(np.isnan(pearson(lover[None], hater[None]))[0]) and centred == [-1, -1],
    )


def test_two_common_items_leave_a_sign_or_nothing(user_pairs):
    similarity, n = user_pairs
    two = similarity[n == 2]
    defined = two[~np.isnan(two)]
    claim(
        "B09.two-items",
        "Over two common items Pearson is +1, -1 or undefined: of the pairs of users in the random split's training "
        "part 48 % and 52 %",
        np.abs(np.abs(defined) - 1).max() < 1e-6 and abs(len(defined) / len(two) - 0.48) < 0.01,
    )


def test_most_of_the_nearest_raw_neighbours_share_three_items_or_fewer(user_pairs):
    similarity, n = user_pairs
    shares, medians = [], []
    for shrink in (0, 100):
        shrunk = np.where(np.isnan(similarity), -2, (similarity * n / (n + shrink + 1e-12)).round(6))
        nearest = np.lexsort((-n, -shrunk))[:, :20]  # of equally similar users those with more films in common first
        support = np.take_along_axis(n, nearest, 1)
        shares.append((support <= 3).mean())
        medians.append(np.median(support))
    claim(
        "B09.neighbours",
        "Of the 20 nearest users by raw Pearson 78 % share three films or fewer with the user; shrunk with 100, under "
        "1 %, and the median goes from 3 to 22 common films",
        abs(shares[0] - 0.78) < 0.01 and shares[1] < 0.01 and medians == [3, 22],
    )


def test_half_of_the_pairs_have_few_films_in_common(user_pairs):
    _, n = user_pairs
    common = n[np.triu_indices(len(n), 1)]
    claim(
        "B09.few-common",
        "In the random split's training part 46 % of all pairs of users share five films or fewer, and 6 % none",
        abs((common <= 5).mean() - 0.46) < 0.01 and abs((common == 0).mean() - 0.06) < 0.01,
    )


def test_two_strangers_agree_on_a_film_three_times_in_ten(ratings):
    counts = np.zeros((ratings.n_items, 6))
    np.add.at(counts, (ratings.items.numpy(), ratings.ratings.numpy().astype(int)), 1)
    same, all_pairs = (counts * (counts - 1)).sum(), (counts.sum(1) * (counts.sum(1) - 1)).sum()
    claim(
        "B09.chance",
        "Two random users who rated the same film gave it the same number of stars in 30 % of the cases",
        abs(same / all_pairs - 0.30) < 0.01,
    )


def test_what_a_similarity_is_worth_grows_with_its_support(ratings):
    """Pairs with 60 or more common films: Pearson on n of them, against Pearson on 30 others."""
    draw, x = np.random.default_rng(0), np.zeros((ratings.n_users, ratings.n_items))
    x[ratings.users, ratings.items] = ratings.ratings
    rated = (x > 0).astype(np.float32)
    pairs = draw.permutation(np.argwhere(np.triu(rated @ rated.T, 1) >= 60))[:4_000]
    films = np.array([draw.permutation(np.flatnonzero(x[u] * x[v]))[:60] for u, v in pairs])
    a, b = (np.take_along_axis(x[pairs[:, side]], films, 1) for side in (0, 1))
    rest, worth = pearson(a[:, 30:], b[:, 30:]), {}
    for n in (2, 10, 30):
        few = pearson(a[:, :n], b[:, :n])
        known = ~np.isnan(few) & ~np.isnan(rest)
        worth[n] = np.cov(few[known], rest[known])[0, 1] / few[known].var()
    claim(
        "B09.worth",
        "Of a Pearson over 2, 10 or 30 common films, 1 %, 9 % and 25 % carry over to other films of the same two "
        "users: about n / (n + 100)",
        abs(worth[2] - 0.01) < 0.01
        and abs(worth[10] - 0.09) < 0.02
        and abs(worth[30] - 0.25) < 0.03
        and all(abs(w - n / (n + 100)) < 0.04 for n, w in worth.items()),
    )
    claim(
        "B09.mean-similarity",
        "The average Pearson of such pairs over 30 films is 0.17, not 0",
        abs(np.nanmean(rest) - 0.17) < 0.02,
    )
