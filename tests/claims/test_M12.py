"""What the answer to M12 (fields of a profile that one would not store) states."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from recsys_course import claim
from recsys_course.data.movielens import movielens


def alone(columns):
    """Share of rows that no other row equals."""
    _, place, count = np.unique(columns, axis=0, return_inverse=True, return_counts=True)
    return (count[np.ravel(place)] == 1).mean()


def test_three_harmless_fields_name_a_person():
    people = movielens().users
    age, sex = people["age"].to_numpy(), (people["gender"] == "M").to_numpy().astype(int)
    code = np.unique(people["zip_code"], return_inverse=True)[1]
    coarse = np.unique(people["zip_code"].str[:1], return_inverse=True)[1]
    exact, rough = alone(np.stack([age, sex, code], 1)), alone(np.stack([age // 10, sex, coarse], 1))
    claim(
        "M12.unique",
        "Age, gender and zip code: 97 % of the 943 people are the only ones with theirs; with decades of age and the "
        "first digit of the code 2 %",
        abs(exact - 0.972) < 0.005 and abs(rough - 0.018) < 0.005,
    )


def test_a_few_films_name_a_person(ratings):
    table = ratings.matrix().toarray() > 0
    fame = ratings.item_counts().numpy()
    draw, found = np.random.default_rng(0), {}
    for n in (2, 4, 8):
        one = []
        for user in draw.choice(len(table), 300, replace=False):
            seen = draw.choice(np.flatnonzero(table[user]), n, replace=False)
            one.append(table[:, seen].all(1).sum() == 1)
        found[n] = np.mean(one)
    rare = []
    for row in table:
        seen = np.flatnonzero(row)
        rare.append(table[:, seen[np.argsort(fame[seen])[:2]]].all(1).sum() == 1)
    claim(
        "M12.films",
        "Films a person rated, without stars and dates, drawn by lot: two name nobody (0.3 %), four name 10 % of the "
        "people, eight 41 %; the two least known films of each name 32 %",
        np.allclose([found[n] for n in (2, 4, 8)], [0.003, 0.097, 0.41], atol=0.01)
        and abs(np.mean(rare) - 0.321) < 0.01,
    )


def test_a_field_that_was_dropped_comes_back(ratings):
    woman = (movielens().users["gender"] == "F").to_numpy()
    table = ratings.matrix().tocsr()
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    guess = cross_val_predict(
        LogisticRegression(C=0.01, max_iter=200), table, woman, cv=folds, method="decision_function"
    )
    found = roc_auc_score(woman, guess)
    claim(
        "M12.inferred",
        "Gender from the list of rated films by logistic regression, five folds of users: AUC 0.77",
        abs(found - 0.769) < 0.01,
    )


def test_what_raw_events_add_to_a_profile(random_splits, ease_results):
    from recsys_course import metrics, models
    from recsys_course.data import Interactions

    split, found = random_splits[0], {}
    for n in (20, 50):
        likes = split.train.positives()
        from_end = likes.ptr[likes.users + 1] - torch.arange(len(likes))
        last = likes.select(from_end <= n)
        model = models.EASE().fit(split.train)
        model.likes_ = Interactions(last.users, last.items, last.ratings, last.times, last.n_users, last.n_items)
        found[n] = metrics.evaluate(model, split.test).mean("ndcg")
    claim(
        "M12.keep",
        "EASE asked with the last 20 likes of each user alone: NDCG@10 of 0.26, with the last 50 0.31, with all 0.36",
        np.allclose([found[20], found[50], ease_results[0].mean("ndcg")], [0.259, 0.311, 0.365], atol=0.006),
    )
