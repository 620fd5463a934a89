"""What the answer to M13 (an exploration rate for each tier: who pays?) states."""

import numpy as np

from recsys_course import claim


def test_one_rate_for_all_and_who_pays(ratings):
    events = np.sort(ratings.ptr.diff().numpy())[::-1]
    fifth = len(events) // 5
    top, low = events[:fifth].sum() / events.sum(), events[-len(events) // 2 :].sum() / events.sum()
    claim(
        "M13.events",
        "MovieLens: the most active fifth of the users holds 51 % of the events, the less active half 17 %; with "
        "one rate for all they pay for these shares of the exploration",
        abs(top - 0.514) < 0.003 and abs(low - 0.17) < 0.003,
    )


def life(n_visits, rule, runs=4_000, seed=0, n_arms=10):
    """Mean reward a visit of one user: ten channels, each liked with a rate drawn from Beta(1, 9)."""
    draw = np.random.default_rng(seed)
    rates, people = draw.beta(1, 9, (runs, n_arms)), np.arange(runs)
    likes, shown, total = np.zeros((runs, n_arms)), np.zeros((runs, n_arms)), np.zeros(runs)
    for _ in range(n_visits):
        if rule == "thompson":
            arm = draw.beta(1 + likes, 9 + shown - likes).argmax(1)
        else:
            mean = (1 + likes) / (10 + shown) + 1e-9 * draw.random((runs, n_arms))
            arm = np.where(draw.random(runs) < rule, draw.integers(n_arms, size=runs), mean.argmax(1))
        total += rates[people, arm]
        hit = draw.random(runs) < rates[people, arm]
        likes[people, arm] += hit
        shown[people, arm] += 1
    return total.mean() / n_visits


def test_exploration_pays_for_those_who_stay():
    table = {n: [life(n, rule) for rule in (0.0, 0.1, 0.3, "thompson")] for n in (5, 50, 500)}
    claim(
        "M13.short",
        "Ten channels liked at rates of 10 % on average, each user apart: in 5 visits the best guess gets 0.115, 10 % "
        "exploration 0.113, Thompson sampling 0.102; in 50 visits 0.170, 0.165, 0.134",
        np.allclose([table[5][i] for i in (0, 1, 3)], [0.115, 0.113, 0.102], atol=0.002)
        and np.allclose([table[50][i] for i in (0, 1, 3)], [0.170, 0.165, 0.134], atol=0.002),
    )
    claim(
        "M13.long",
        "In 500 visits Thompson sampling 0.217, 10 % exploration 0.212, the best guess 0.209, 30 % exploration 0.195",
        np.allclose([table[500][i] for i in (3, 1, 0, 2)], [0.217, 0.212, 0.209, 0.195], atol=0.002)
        and list(np.argsort([-v for v in table[500]])) == [3, 1, 0, 2],
    )


def test_information_falls_with_the_number_of_events():
    variance = {n: (0.05 * 0.95) / (20 + n) for n in (0, 20, 180)}
    saved = {n: variance[n] - 0.05 * 0.95 / (21 + n) for n in variance}
    claim(
        "M13.information",
        "A guess worth 20 impressions: one more impression takes 0.000113 off the variance of a rate of 5 % at the "
        "start, a quarter of that after 20, 1 % after 180",
        abs(saved[0] - 0.000113) < 1e-6
        and abs(saved[20] / saved[0] - 0.256) < 0.01
        and abs(saved[180] / saved[0] - 0.0104) < 0.001,
    )


def test_a_budget_in_clicks():
    lost = 0.1 * (0.05 - 0.02)
    claim(
        "M13.budget",
        "A tenth of the places for exploration, 2 instead of 5 % clicked there: 6 % of all clicks are the price",
        abs(lost / 0.05 - 0.06) < 1e-9,
    )
