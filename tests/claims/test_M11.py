"""What the answer to M11 (a metric that rises in every segment and falls overall) states."""

import numpy as np

from recsys_course import claim
from recsys_course.data.movielens import movielens


def test_thrillers_are_rated_higher_in_every_period_and_lower_overall(ratings):
    films = movielens().items
    thriller = np.array(["Thriller" in row for row in films["genres"]])[ratings.items]
    period = np.digitize(films["year"].astype(float).fillna(1990), [1970, 1990])[ratings.items]
    stars = ratings.ratings.numpy().astype(float)

    def lead(rows):
        return stars[rows & thriller].mean() - stars[rows & ~thriller].mean()

    each = [lead(period == p) for p in range(3)]
    old = [(period[rows] < 2).mean() for rows in (thriller, ~thriller)]
    claim(
        "M11.thrillers",
        "Thrillers against all other films, mean stars: before 1970 0.21 higher, 1970 to 1989 0.05 higher, since 1990 "
        "0.02 higher, overall 0.03 lower",
        np.allclose(each, [0.213, 0.051, 0.023], atol=0.003) and abs(lead(period >= 0) + 0.027) < 0.003,
    )
    claim(
        "M11.mix",
        "18 % of the ratings of thrillers and 34 % of the others belong to films before 1990",
        np.allclose(old, [0.179, 0.34], atol=0.01),
    )
    share = np.bincount(period) / len(period)
    claim(
        "M11.standardised",
        "With the periods in the proportions of all ratings thrillers lead by 0.05",
        abs(share @ each - 0.05) < 0.01,
    )


def test_with_one_mix_a_mean_cannot_turn():
    draw = np.random.default_rng(0)
    turned = 0
    for _ in range(1_000):
        share, before = draw.dirichlet(np.ones(4)), draw.random(4)
        after = before + 0.1 * draw.random(4)  # better in every segment
        turned += share @ after <= share @ before
    mixed = np.array([0.8, 0.2]) @ [0.55, 0.15], np.array([0.4, 0.6]) @ [0.60, 0.20]
    claim(
        "M11.same-mix",
        "Better in each of four segments of the same size before and after: never worse overall in 1,000 draws",
        turned == 0,
    )
    claim(
        "M11.shift",
        "Heavy users from 0.55 to 0.60, light ones from 0.15 to 0.20, light users from 20 to 60 % of traffic: overall "
        "from 0.47 down to 0.36",
        np.allclose(mixed, [0.47, 0.36]),
    )


def test_ease_for_women_and_men(random_splits, ease_results):
    """Mean of three splits; then both groups with the same mix of activity."""
    women = (movielens().users["gender"] == "F").to_numpy()
    rows = []
    for split, result in zip(random_splits, ease_results, strict=True):
        table = result.per_user["ndcg"]
        sex = women[table.index]
        likes = np.asarray(split.train.positives().matrix().sum(1)).ravel()[table.index]
        tier = np.digitize(likes, np.quantile(likes, [0.25, 0.5, 0.75]))
        values = table.to_numpy()
        gap = values[~sex].mean() - values[sex].mean()
        half = 1.96 * (values[~sex].var() / (~sex).sum() + values[sex].var() / sex.sum()) ** 0.5
        within = [values[~sex & (tier == t)].mean() - values[sex & (tier == t)].mean() for t in range(4)]
        rows.append([gap, half, np.mean(within), sex.sum(), (~sex).sum()])
    claim(
        "M11.gender",
        "EASE's NDCG@10, mean of three splits, about 263 women and 656 men: men are 0.045 higher, half a 95 % interval "
        "0.036; compared within quarters of activity 0.036 higher",
        np.allclose(np.mean(rows, 0)[:3], [0.045, 0.036, 0.036], atol=0.004)
        and np.allclose(np.mean(rows, 0)[3:], [263, 656], atol=1),
    )


def test_many_segments_find_something():
    draw = np.random.default_rng(0)
    false = np.mean([(np.abs(draw.normal(size=20)) > 1.96).any() for _ in range(20_000)])
    strict = np.mean([(np.abs(draw.normal(size=20)) > 3.02).any() for _ in range(20_000)])
    claim(
        "M11.looks",
        "Twenty segments without any effect: one is significant at 5 % in 64 % of experiments; with the limit of 3.02 "
        "deviations in 5 %",
        abs(false - 0.64) < 0.01 and abs(strict - 0.05) < 0.01,
    )
