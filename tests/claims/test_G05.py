"""What the answer to G05 (the feedback loop, and how to break it) states: systems that learn from their own log."""

import numpy as np
import pytest

from recsys_course import claim

N_ITEMS, PLACES, VISITS, ROUNDS, SEEDS = 200, 10, 200, 40, range(10)


class Loop:
    """A system that shows the items with the best click rate so far, and learns from what it showed.

    Args:
        seed: of the world and its clicks; the items' true click rates spread around 10 %.
        n_logs: number of logs that it learns from, one for each arm, or one for all.
        guess: click rate of an item that was never shown, with the weight of 20 impressions.
    """

    def __init__(self, seed, n_logs=1, guess=0.05):
        self.draw, self.guess = np.random.default_rng(seed), guess
        self.rates = self.draw.beta(2, 18, N_ITEMS)
        self.shown, self.clicked = np.zeros((2, n_logs, N_ITEMS))

    def best(self, log=0):
        """The ten with the best smoothed click rate in a log."""
        rate = (self.clicked[log] + 20 * self.guess) / (self.shown[log] + 20)
        return np.argsort(-(rate + 1e-9 * self.draw.random(N_ITEMS)))[:PLACES]

    def round(self, explore, log=0):
        """Show the ten best to everybody, but draw a share of the places at random; returns the click rate."""
        n = np.full(N_ITEMS, VISITS * PLACES * explore / N_ITEMS)
        n[self.best(log)] += VISITS * (1 - explore)
        n = self.draw.poisson(n)
        clicks = self.draw.binomial(n, self.rates)
        self.shown[log] += n
        self.clicked[log] += clicks
        return clicks.sum() / n.sum()


@pytest.fixture(scope="module")
def runs():
    """Ten worlds, 40 rounds each, by share of random places: click rates of the rounds and the final systems."""
    found = {}
    for explore in (0, 0.02, 0.1, 0.3):
        loops = [Loop(seed) for seed in SEEDS]
        found[explore] = np.array([[loop.round(explore) for _ in range(ROUNDS)] for loop in loops]), loops
    return found


def test_a_system_that_only_repeats_itself_never_sees_most_items(runs):
    rates, loops = runs[0]
    seen = np.mean([(loop.shown > 0).mean() for loop in loops])
    reach = np.mean([np.sort(loop.rates)[-PLACES:].mean() for loop in loops])
    claim(
        "G05.locked-in",
        "200 items with click rates around 10 %: showing the ten best so far, after 40 rounds under 10 % of the items "
        "were ever shown, and the click rate is 0.12 where the ten truly best would have 0.27",
        seen < 0.10 and abs(rates[:, -10:].mean() - 0.12) < 0.01 and abs(reach - 0.265) < 0.01,
    )


def test_a_tenth_of_the_places_pays_for_itself(runs):
    last = {explore: rates[:, -10:].mean() for explore, (rates, _) in runs.items()}
    total = {explore: rates.mean() for explore, (rates, _) in runs.items()}
    claim(
        "G05.explore",
        "With 2 % of the places at random the click rate of the last rounds is 0.20, with 10 % 0.23, with 30 % 0.21, "
        "without 0.12; over all 40 rounds 10 % earn the most",
        np.allclose([last[e] for e in (0, 0.02, 0.1, 0.3)], [0.123, 0.205, 0.234, 0.211], atol=0.01)
        and max(total, key=total.get) == 0.1,
    )


def test_curiosity_about_the_unknown_needs_no_dice():
    loops = [Loop(seed, guess=0.2) for seed in SEEDS]
    rates = np.array([[loop.round(0) for _ in range(ROUNDS)] for loop in loops])
    claim(
        "G05.optimism",
        "No place at random, but an unknown item counts as 20 % instead of 5 %: two thirds of the items get shown and "
        "the last rounds have 0.24 instead of 0.12",
        abs(rates[:, -10:].mean() - 0.24) < 0.01 and abs(np.mean([(x.shown > 0).mean() for x in loops]) - 0.68) < 0.03,
    )


def test_an_ab_test_with_a_shared_log_calls_exploration_a_loss():
    def arms(n_logs, seed):
        """Click rates of the last 20 rounds without and with a tenth of the places at random."""
        loop = Loop(seed, n_logs)
        rounds = [[loop.round(explore, arm % n_logs) for arm, explore in enumerate((0, 0.1))] for _ in range(ROUNDS)]
        return np.mean(rounds[-20:], axis=0)

    shared, own = (np.array([arms(n_logs, seed) for seed in SEEDS]) for n_logs in (1, 2))
    claim(
        "G05.ab-test",
        "Half of the users get 10 % random places. Both arms learn from one log: 0.25 without and 0.23 with, the arm "
        "that explores loses in each of ten worlds; each arm has its own log: 0.12 and 0.23, it wins in each",
        np.allclose(shared.mean(0), [0.249, 0.234], atol=0.008)
        and (shared[:, 0] > shared[:, 1]).all()
        and np.allclose(own.mean(0), [0.121, 0.230], atol=0.01)
        and (own[:, 0] < own[:, 1]).all(),
    )


def test_lists_narrow_although_nobodys_taste_does():
    """Users like each of ten genres to a fixed degree; ten places go to the genre with the best click rate so far."""
    kinds, right = [], []
    for seed in (0, 1, 2):
        draw = np.random.default_rng(seed)
        taste = draw.dirichlet(np.ones(10), 500)
        rates = 0.05 + 0.3 * taste / taste.max(1, keepdims=True)  # [n_users, n_genres]
        shown, clicked, users = np.full((500, 10), 2.0), np.full((500, 10), 0.3), np.arange(500)
        ever = np.zeros((500, 10), dtype=bool)
        for _ in range(30):
            genre = (clicked / shown + 1e-6 * draw.random(rates.shape)).argmax(1)
            ever[users, genre] = True
            shown[users, genre] += 10
            clicked[users, genre] += draw.binomial(10, rates[users, genre])
            last = genre
        kinds.append(ever.sum(1).mean())
        right.append((last == rates.argmax(1)).mean())
    claim(
        "G05.narrow",
        "Users whose tastes never change, each place to the genre with the best click rate so far: after 30 rounds "
        "less than half of them get the genre that they like best, and they saw fewer than 4 of 10 on average",
        max(right) < 0.5 and max(kinds) < 4,
    )


def test_what_a_random_bucket_costs_and_buys():
    """Impressions to know a click rate of 2 % with a standard error of a quarter of it."""
    each = 0.02 * 0.98 / (0.25 * 0.02) ** 2
    claim(
        "G05.bucket",
        "1 % of the traffic at random, clicked half as often, costs 0.5 % of the clicks; to know a rate of 2 % to a "
        "quarter takes 784 impressions, for 100,000 items 78 million, 1 % of 100 million a day for 78 days",
        np.isclose(0.01 * (1 - 0.5), 0.005)
        and round(each) == 784
        and round(each * 100_000 / 1e6) == 78 == round(each * 100_000 / (0.01 * 100e6)),
    )


def test_the_plain_mean_of_the_log_tells_of_the_old_policy():
    """Two items with rates 0.10 and 0.20; the system shows the first 95 times of 100, and half and half is wanted."""
    share, rates, wanted = np.array([0.95, 0.05]), np.array([0.10, 0.20]), np.array([0.5, 0.5])
    logged, weighted = share @ rates, share @ (rates * wanted / share)
    claim(
        "G05.weights",
        "Two items with rates 0.10 and 0.20, shown 95 to 5: the log's mean is 0.105, weighted for half and half it is "
        "the right 0.15; with 0 instead of 5 no weight exists",
        np.isclose(logged, 0.105) and np.isclose(weighted, 0.15),
    )
