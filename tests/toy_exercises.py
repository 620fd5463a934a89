"""One exercise of each kind, as a lesson's module would have them: what the checks themselves are tested on."""

import random
from collections import Counter

import torch

from recsys_course.checks import Exercise, bind

HITS = torch.tensor([[1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
ONE_USER = HITS[:1], torch.tensor([4])
THREE_USERS = HITS, torch.tensor([4, 1, 2])
NOTHING_RELEVANT = HITS[1:], torch.tensor([1, 0])


def recall(hits, n_relevant):
    """Share of the relevant items that were recommended, nan where there are none."""
    return hits.sum(dim=1) / n_relevant


def many_users(rng):
    for n_users in (20, 30):
        yield torch.tensor(rng.random((n_users, 10)) < 0.3), torch.tensor(rng.integers(1, 20, n_users))


def precision(hits, n_relevant):
    return hits.sum(dim=1) / hits.shape[1]


def recall_of_all(hits, n_relevant):
    return hits.sum() / n_relevant.sum()


def recall_of_items(hits, n_relevant):
    return hits.sum(dim=0) / n_relevant


def capped_recall(hits, n_relevant):
    return hits.sum(dim=1) / n_relevant.clamp(max=hits.shape[1])


def count_genres(films):
    """How many films each genre has."""
    return Counter(genre for _, genres in films for genre in genres)


class RunningMean:
    """The mean of all numbers so far."""

    def __init__(self):
        self.total, self.n = 0, 0

    def add(self, number):
        self.total, self.n = self.total + number, self.n + 1
        return self.total / self.n


def means_are_right(answer, case):
    running, seen = answer(), []
    for number in case[0]:
        seen.append(number)
        got = running.add(number)
        want = sum(seen) / len(seen)
        if not (isinstance(got, int | float) and abs(got - want) < 1e-6):
            return f"after {seen} the mean is {want:g}, got {got}"
    return None


class MeanOfLastTwo(RunningMean):
    def __init__(self):
        self.last = None

    def add(self, number):
        mean = number if self.last is None else (self.last + number) / 2
        self.last = number
        return mean


def running_mean(add):
    """A RunningMean with another method."""
    return type("Wrong", (RunningMean,), {"add": add})


def sum_so_far(self, number):
    self.total += number
    return self.total


def one_too_many(self, number):
    self.total, self.n = self.total + number, self.n + 1
    return self.total / (self.n + 1)


def shuffled(items):
    """The same items in random order."""
    return random.sample(items, len(items))


def is_shuffled(answer, case):
    orders = [list(answer(list(case[0]))) for _ in range(20)]
    if any(sorted(order) != sorted(case[0]) for order in orders):
        return f"the items became {orders[0]}"
    if all(order == orders[0] for order in orders):
        return "the order is always the same"
    return None


TOYS = [("Up", ("Animation", "Drama")), ("Heat", ("Drama",)), ("Untitled", ())]
HINTS = ("Count along the rows.", "Divide by how many are relevant.", "hits.sum(dim=1) / n_relevant")

EXERCISES = (
    Exercise(
        id="99.recall",
        reference=recall,
        cases=(ONE_USER, THREE_USERS, (HITS, torch.tensor([2, 3, 5])), NOTHING_RELEVANT),
        hidden=many_users,
        hints=HINTS,
        mistakes=(
            (precision, "You divided by k: that is precision, not recall."),
            (recall_of_all, "You pooled all users: a mean of shares is not a share of sums."),
            (recall_of_items, "dim=0 counts along users; one user's list is a row."),
            (capped_recall, "You divided by min(k, n): that recall can always reach 1."),
        ),
    ),
    Exercise(
        id="99.count-genres",
        reference=count_genres,
        cases=((TOYS[:1],), (TOYS,)),
        hidden=(([*TOYS, TOYS[0]],),),
        hints=HINTS,
        mistakes=(
            (lambda films: {genres: 1 for _, genres in films}, "A film has several genres: count each one."),
            (lambda films: {genre for _, genres in films for genre in genres}, "A set holds no counts."),
            (lambda films: Counter(genres[0] for _, genres in films), "You counted the first genre only."),
            (lambda films: len(films), "That is the number of films."),
        ),
    ),
    Exercise(
        id="99.running-mean",
        name="RunningMean",
        reference=RunningMean,
        verify=means_are_right,
        cases=(([1.0, 2.0, 6.0],), ([2.0, 4.0],)),
        hidden=(([0.0, -3.0, 4.0, 4.0],),),
        hints=HINTS,
        mistakes=(
            (MeanOfLastTwo, "That is the mean of the last two numbers."),
            (running_mean(lambda self, number: number), "You returned the number itself."),
            (running_mean(sum_so_far), "That is the sum: divide by how many there are."),
            (running_mean(one_too_many), "You divide by one too many."),
        ),
    ),
    Exercise(
        id="99.shuffled",
        reference=shuffled,
        verify=is_shuffled,
        cases=((list(range(10)),), (["a", "b", "c", "d"],)),
        hidden=((list(range(50)),),),
        hints=HINTS,
        mistakes=(
            (lambda items: items, "Nothing is shuffled here."),
            (lambda items: random.choices(items, k=len(items)), "choices draws with replacement."),
            (lambda items: random.shuffle(items) or [], "random.shuffle works in place and returns None."),
            (lambda items: random.sample(items, len(items) - 1), "One item is lost."),
        ),
    ),
)
check, hint, solution = bind(EXERCISES)
