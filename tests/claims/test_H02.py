"""What the answer to H02 (precision and recall) states."""

import torch

from recsys_course import claim, data, metrics, models


def over_seeds(values):
    return float(sum(values) / len(values))


def test_users_with_few_answers_cap_precision(random_splits, ratings):
    ceilings = {}
    for name, splits in (("random", random_splits), ("last", [data.frozen_split(ratings, "last")])):
        n = [metrics.count_relevant(s.test, s.test.users.unique()) for s in splits]
        ceilings[name] = over_seeds([float((counts.clamp(max=10) / 10).mean()) for counts in n])
    claim(
        "H02.precision-ceiling",
        "A perfect list has a precision@10 of 0.69 on the random split, and of 0.31 where five ratings are held out",
        abs(ceilings["random"] - 0.69) < 0.01 and abs(ceilings["last"] - 0.31) < 0.01,
    )


def test_pooling_the_hits_is_another_number_than_averaging_over_users(random_splits, ease_results):
    pooled, heavy = [], []
    for split, result in zip(random_splits, ease_results, strict=True):
        users = split.test.users.unique()
        hits = metrics.find_hits(result.recommended, split.test, users).sum(dim=1)  # [batch]
        n = metrics.count_relevant(split.test, users)
        pooled.append(float(hits.sum() / n.sum()))
        heavy.append(float((hits / n)[n > 10].mean()))
    claim(
        "H02.micro-macro",
        "The same lists of EASE have a recall@10 of 0.28 averaged over users and of 0.22 over all pooled test likes",
        abs(over_seeds([r.mean("recall") for r in ease_results]) - 0.28) < 0.01
        and abs(over_seeds(pooled) - 0.22) < 0.01,
    )
    claim(
        "H02.heavy-users",
        "Users with more than ten test likes have a recall@10 of 0.20 with these lists",
        abs(over_seeds(heavy) - 0.20) < 0.01,
    )


def test_counting_users_without_an_answer_as_zero_is_a_threefold_difference(time_split):
    result = metrics.evaluate(models.Popularity().fit(time_split.train), time_split.test)
    as_zero = result.per_user["recall"].sum() / (len(result) + result.n_left_out)
    claim(
        "H02.empty-users",
        "On the time split 653 of 943 users have no answer: counting them as 0 divides the mean recall by 3.25",
        result.n_left_out == 653 and abs(result.mean("recall") / as_zero - 943 / 290) < 1e-9,
    )


def test_one_list_worked_by_hand():
    """Ten places, three hits, four relevant items."""
    hits = torch.tensor([[True, False, True, False, False, True, False, False, False, False]])
    n = torch.tensor([4])
    claim(
        "H02.worked",
        "Three hits in ten places for a user with four relevant items: precision 0.3, recall 0.75",
        abs(float(metrics.precision(hits, n)) - 0.3) < 1e-6 and abs(float(metrics.recall(hits, n)) - 0.75) < 1e-6,
    )
