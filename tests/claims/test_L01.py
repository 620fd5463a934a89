"""What the answer to L01 (what real time updates, and how fast) states."""

import numpy as np
import pytest

from recsys_course import claim

MINUTE, DAY = 60, 86_400


class Stream:
    """Ratings in the order of time; the last 30 % of the users to arrive are new and judged at each of their likes."""

    def __init__(self, ratings):
        order = ratings.times.numpy().argsort(kind="stable")
        columns = (ratings.users, ratings.items, ratings.times, ratings.ratings)
        self.users, self.items, self.times, values = (column.numpy()[order] for column in columns)
        self.liked, self.shape = values >= 4, (ratings.n_users, ratings.n_items)
        arrived = list(dict.fromkeys(self.users.tolist()))
        self.new = arrived[int(0.7 * len(arrived)) :]
        self.start = self.times[np.isin(self.users, self.new)].min()

    def learn(self, days_before=0):
        """EASE, and the number of likes of each film, from the likes up to so many days before the first new user."""
        known = self.liked & (self.times < self.start - days_before * DAY)
        table = np.zeros(self.shape, np.float32)
        table[self.users[known], self.items[known]] = 1
        inverse = np.linalg.inv(table.T @ table + 200 * np.eye(self.shape[1], dtype=np.float32))
        weights = -inverse / inverse.diagonal()
        np.fill_diagonal(weights, 0)
        return weights.astype(np.float32), table.sum(0)

    def hit_rates(self, weights, fame, delay):
        """Of each new user, the share of likes found among ten unrated films, from a state that is ``delay`` s old."""
        return np.array([self._hit_rate(np.flatnonzero(self.users == u), weights, fame, delay) for u in self.new])

    def _hit_rate(self, rows, weights, fame, delay):
        times, items, liked = self.times[rows], self.items[rows], self.liked[rows]
        if not liked.any():
            return np.nan
        asked, wanted = times[liked], items[liked]
        sums = np.cumsum(np.vstack([fame[None] * 1e-3 / fame.max(), weights[wanted]]), axis=0)
        scores = sums[np.searchsorted(asked, asked - delay)]  # strictly before
        target = scores[np.arange(len(wanted)), wanted]
        for row, n_rated in zip(scores, np.searchsorted(times, asked), strict=True):
            row[items[:n_rated]] = -np.inf
        return ((scores > target[:, None]).sum(1) < 10).mean()


def mean_and_error(values):
    values = values[~np.isnan(values)]
    return values.mean(), 1.96 * values.std(ddof=1) / len(values) ** 0.5


@pytest.fixture(scope="module")
def stream(ratings):
    return Stream(ratings)


@pytest.fixture(scope="module")
def today(stream):
    return stream.learn()


@pytest.fixture(scope="module")
def fresh(stream, today):
    return stream.hit_rates(*today, delay=0)


def test_the_age_of_the_state(stream, today, fresh):
    weights, fame = today
    late = {delay: stream.hit_rates(weights, fame, delay) for delay in (10, MINUTE, 10 * MINUTE, DAY)}
    popular = stream.hit_rates(0 * weights, fame, 0)
    means = [mean_and_error(rates)[0] for rates in (fresh, *late.values(), popular)]
    cost, error = mean_and_error(fresh - late[10 * MINUTE])
    claim(
        "L01.state",
        "Hit rate@10 of the next like, 283 new users, frozen weights: 0.209 from a state up to the second before, "
        "0.204 when it is 10 s late, 0.178 a minute, 0.090 ten minutes, 0.092 a day; popular films 0.089",
        np.isfinite(fresh).sum() == 283
        and np.allclose(means, [0.209, 0.204, 0.178, 0.090, 0.092, 0.089], atol=0.003)
        and means[0] > means[1] > means[2] > means[3],
    )
    claim(
        "L01.state-cost",
        "Ten minutes late cost 0.119, 95 % interval over users 0.106 to 0.132",
        abs(cost - 0.119) < 0.003 and abs(error - 0.0134) < 0.002,
    )


def test_the_age_of_the_weights(stream, fresh):
    costs = {days: mean_and_error(fresh - stream.hit_rates(*stream.learn(days), delay=0)) for days in (30, 60)}
    claim(
        "L01.weights",
        "Weights learnt 30 days earlier, state fresh: 0.007 lower, interval -0.001 to 0.015; 60 days: 0.017, 0.007 to "
        "0.027; less than a sixth of what ten minutes of the state cost",
        abs(costs[30][0] - 0.007) < 0.002
        and costs[30][0] < costs[30][1]
        and abs(costs[60][0] - 0.017) < 0.003
        and costs[60][0] > costs[60][1]
        and costs[60][0] < 0.119 / 6,
    )


def test_a_new_event_is_one_addition(stream, today):
    weights, _ = today
    liked = stream.items[stream.liked][:20]
    row = np.zeros(stream.shape[1], np.float32)
    row[liked] = 1
    added = weights[liked[:-1]].sum(0) + weights[liked[-1]]
    claim(
        "L01.addition",
        "With a linear item model a like adds one row of 1,682 weights to the user's scores: the same scores as a full "
        "product over all likes, to 1e-5",
        stream.shape[1] == 1_682 and np.allclose(row @ weights, added, atol=1e-5),
    )


def test_what_online_means():
    values = np.random.default_rng(0).normal(3, 1, 10_000)
    running = constant = 0.0
    for n, value in enumerate(values, 1):
        running += (value - running) / n
        constant += 0.01 * (value - constant)
    weight = 0.99 ** np.arange(10_000)
    claim(
        "L01.online",
        "One step a value: with the rate 1/n the mean of all 10,000, to 1e-9; with a constant rate of 0.01 a mean in "
        "which a value counts half after 69 others",
        abs(running - values.mean()) < 1e-9
        and abs(constant - (values[::-1] * weight).sum() * 0.01) < 1e-9
        and int(np.ceil(np.log(0.5) / np.log(0.99))) == 69,
    )


def test_how_old_a_batch_is_when_it_is_read():
    finished = np.arange(0, 100_000, 60.0) + 20  # a job starts each hour, reads what there is, and takes 20 minutes
    asked = np.random.default_rng(0).uniform(100, 99_000, 100_000)
    last = np.searchsorted(finished, asked, "right") - 1
    age = asked - (finished[last] - 20)
    claim(
        "L01.age",
        "A job that starts each hour and takes 20 minutes: what it wrote is 20 to 80 minutes old, 50 on average",
        abs(age.min() - 20) < 0.1 and abs(age.max() - 80) < 0.1 and abs(age.mean() - 50) < 0.5,
    )


def lost(period, half_life, seconds=0):
    """Share of an item's interest that has passed when the next index is built, births at random in the period."""
    born = (np.arange(100_000) + 0.5) / 100_000 * period
    return (1 - 0.5 ** ((period - born + seconds) / half_life)).mean()


def test_the_clock_of_the_index():
    claim(
        "L01.index",
        "Articles whose interest halves in 6 hours: an index built each day misses 66 % of it, each hour 5.6 %, every "
        "5 minutes 0.5 %",
        np.allclose([lost(24, 6), lost(1, 6), lost(5 / 60, 6)], [0.662, 0.056, 0.0048], atol=0.0006),
    )


def test_a_young_model_looks_bad():
    draw = np.random.default_rng(0)
    shown = draw.uniform(0, 10, 400_000)  # minutes since the model went live
    bought = draw.random(400_000) < 0.1
    seen = bought & (shown + draw.exponential(60, 400_000) < 10)
    claim(
        "L01.young",
        "A purchase rate of 10 %, delays of an hour on average: ten minutes after its start a model shows 0.8 %",
        abs(seen.mean() - 0.0079) < 0.0006,
    )
