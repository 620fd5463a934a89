"""What the answer to B02 (a nearest-neighbour rating predictor) states, with user neighbours on one random split."""

import numpy as np
import pytest

from recsys_course import claim


def weighted_deviation(mean, similarities, deviations):
    """The user's mean plus the neighbours' deviations from their own means, weighted by similarity."""
    total = np.abs(similarities).sum()
    return mean + (similarities @ deviations / total if total > 0 else 0.0)


def test_one_prediction_worked_by_hand():
    found = weighted_deviation(3.0, np.array([0.8, 0.4]), np.array([1.0, -0.5]))
    alone = weighted_deviation(3.0, np.array([]), np.array([]))
    claim(
        "B02.worked",
        "Mean 3, neighbours of similarity 0.8 and 0.4 who deviate by +1 and -0.5: 3.5; no neighbour: 3",
        found == pytest.approx(3.5) and alone == 3.0,
    )


class Neighbours:
    """Deviations from the user's mean; cosine of them over the films both rated, shrunk by how many these are."""

    def __init__(self, train):
        self.stars = np.zeros((train.n_users, train.n_items))
        self.stars[train.users, train.items] = train.ratings
        self.rated = (self.stars > 0).astype(float)
        self.mean = self.stars.sum(1) / self.rated.sum(1)
        self.deviation = (self.stars - self.mean[:, None]) * self.rated
        norm = np.sqrt((self.deviation**2 @ self.rated.T) * (self.rated @ (self.deviation**2).T))
        cosine = np.divide(self.deviation @ self.deviation.T, norm, out=np.zeros_like(norm), where=norm > 1e-9)
        self.common = self.rated @ self.rated.T
        self.cosine = np.maximum(cosine, 0)

    def predict(self, users, items, k=30, shrink=50, centred=True, weighted=True, with_self=False):
        """Predictions of some pairs and whether no neighbour was left, two ``[n]``."""
        similar = self.cosine * self.common / (self.common + shrink + 1e-9)
        np.fill_diagonal(similar, 1 if with_self else 0)
        values, found, alone = (
            self.deviation if centred else self.stars,
            np.empty(len(users)),
            np.empty(len(users), bool),
        )
        for item in np.unique(items):
            here, raters = items == item, np.flatnonzero(self.rated[:, item])
            weights = similar[np.ix_(users[here], raters)]
            if len(raters) > k:
                weights = weights * (weights >= -np.partition(-weights, k - 1, axis=1)[:, k - 1 : k])
            weights = weights if weighted else (weights > 0).astype(float)
            total, start = weights.sum(1), self.mean[users[here]]
            base = start if centred else np.zeros_like(start)
            moved = base + np.divide(weights @ values[raters, item], total, out=start - base, where=total > 0)
            found[here] = np.where(total > 0, moved, start)
            alone[here] = total <= 0
        return np.clip(found, 1, 5), alone


def rmse(guess, stars):
    return float(np.sqrt(np.mean((guess - stars) ** 2)))


@pytest.fixture(scope="module")
def model(random_splits):
    return Neighbours(random_splits[0].train)


@pytest.fixture(scope="module")
def held_out(random_splits):
    events = random_splits[0].held_out
    return events.users.numpy(), events.items.numpy(), events.ratings.numpy()


def test_which_of_the_steps_pay(model, held_out):
    users, items, stars = held_out
    full, alone = model.predict(users, items)
    variants = {"shrink": {"shrink": 0}, "centred": {"centred": False}, "weighted": {"weighted": False}}
    found = {name: rmse(model.predict(users, items, **options)[0], stars) for name, options in variants.items()}
    claim(
        "B02.steps",
        "RMSE of 30 user neighbours: 0.933; 0.941 without shrinkage, 0.936 without weights, 1.000 without centring; "
        "the user's mean has 1.036",
        abs(rmse(full, stars) - 0.933) < 0.002
        and abs(found["shrink"] - 0.941) < 0.002
        and abs(found["weighted"] - 0.936) < 0.002
        and abs(found["centred"] - 1.000) < 0.003
        and abs(rmse(model.mean[users], stars) - 1.036) < 0.002,
    )
    claim(
        "B02.alone",
        "For 52 of the 20,000 held-out ratings no neighbour is left",
        int(alone.sum()) == 52 and len(users) == 20_000,
    )


def test_how_many_neighbours(model, held_out):
    users, items, stars = held_out
    found = {k: rmse(model.predict(users, items, k=k)[0], stars) for k in (1, 5, 943)}
    claim(
        "B02.k",
        "One neighbour has an RMSE of 1.18, five 0.975, all 0.937",
        abs(found[1] - 1.18) < 0.01 and abs(found[5] - 0.975) < 0.005 and abs(found[943] - 0.937) < 0.002,
    )


def test_counting_oneself_is_perfect_and_worthless(model, random_splits):
    train = random_splits[0].train
    users, items, stars = (column.numpy()[::8] for column in (train.users, train.items, train.ratings))
    with_self, without = (rmse(model.predict(users, items, k=1, with_self=w)[0], stars) for w in (True, False))
    thirty = rmse(model.predict(users, items)[0], stars)
    claim(
        "B02.self",
        "On training ratings one neighbour has an RMSE of 0 when the user itself counts and 1.00 when not",
        with_self < 1e-9 and abs(without - 1.00) < 0.01,
    )
    claim(
        "B02.own-rating",
        "Without the user itself 30 neighbours still have 0.78 on training ratings, against 0.93 held out: the rating "
        "to be predicted took part in the similarities",
        abs(thirty - 0.78) < 0.01,
    )


def test_the_cost_by_an_inverted_index(model):
    by_film = int((model.rated.sum(0) ** 2).sum())
    every_pair = model.rated.shape[0] ** 2 * model.rated.shape[1]
    claim(
        "B02.cost",
        "Training ratings of the random split: 10.8 million steps by the raters of each film against 1.5 billion over "
        "all pairs of users and all films, 138 times fewer",
        abs(by_film / 10.8e6 - 1) < 0.01 and abs(every_pair / 1.5e9 - 1) < 0.01 and round(every_pair / by_film) == 138,
    )


def test_euclidean_distance_grows_with_what_users_have_in_common(model):
    stars, rated = model.stars, model.rated
    squared = stars**2 @ rated.T + rated @ (stars**2).T - 2 * stars @ stars.T
    some = np.triu(model.common > 0, 1)
    correlation = np.corrcoef(model.common[some], np.sqrt(squared[some]))[0, 1]
    claim(
        "B02.euclid",
        "Euclidean distance over the common films correlates with their number at 0.84: the more two users share, the "
        "further apart they seem",
        abs(correlation - 0.84) < 0.01,
    )


def test_a_loop_over_a_dictionarys_items_gives_pairs():
    ratings = {"a": {7: 5.0}}
    keys = [key for key in ratings["a"].items()]
    features = {7: [0.1]}
    with pytest.raises(KeyError):
        features[keys[0]]
    claim(
        "B02.dict",
        "A loop over a dictionary's items yields (item, rating) pairs, which are no item ids: looking one up fails",
        keys == [(7, 5.0)],
    )
