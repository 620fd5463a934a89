"""Several vectors a user: grouping, merging, and what one interest must equal."""

import pytest
import torch
import torch.nn.functional as F
from torch import tensor

from contract import personalised, uneven
from recsys_course.data import Interactions
from recsys_course.models.multi_interest import MultiInterest

PARITY = torch.eye(2).repeat(4, 1) + 0.01 * torch.arange(16).view(8, 2)  # even items one way, odd ones the other


def fitting(**settings) -> type:
    """The contract, with as many of the vectors as the events have items."""

    class TestMultiInterest(personalised(MultiInterest, vectors=PARITY, **settings)):
        def fitted(self, train=None):
            n_items = 8 if train is None else train.n_items
            return MultiInterest(PARITY[:n_items], **settings).fit(uneven() if train is None else train)

    return TestMultiInterest


TestMultiInterest = fitting()
TestMultiInterestByMax = fitting(merge="max", n_interests=2)

# Four films east, four north, one between them.
COMPASS = tensor([[1.0, 0], [1, 0.02], [1, 0.04], [1, 0.06], [0, 1], [0.02, 1], [0.04, 1], [0.06, 1], [0.9, 0.9]])


def liking(*items: int) -> Interactions:
    return Interactions.from_events([0] * len(items), items, n_items=len(COMPASS))


def lists(train: Interactions, k: int, **options) -> list[int]:
    return MultiInterest(COMPASS, **options).fit(train).recommend(tensor([0]), k)[0].tolist()


def test_the_mean_of_two_tastes_finds_what_lies_between_and_two_interests_find_both():
    train = liking(0, 1, 4, 5)
    assert lists(train, 1, n_interests=1) == [8]
    by_share = lists(train, 4, n_interests=2)
    assert set(by_share[:2]) & {2, 3} and set(by_share[:2]) & {6, 7}


def test_places_follow_the_shares():
    """Three of four likes are east: of the first four places three are."""
    vectors = torch.cat([COMPASS[:4], COMPASS[:4], COMPASS[4:8], COMPASS[4:8]])
    train = Interactions.from_events([0] * 4, [0, 1, 2, 8], n_items=16)
    best = MultiInterest(vectors, n_interests=2).fit(train).recommend(tensor([0]), 4)[0]
    assert sorted((best >= 8).tolist()) == [False, False, False, True]


def test_what_was_seen_takes_no_place_of_an_interest():
    """North holds one like in four, and its three next films were seen but not liked: its first new film is item 7."""
    vectors = torch.cat([COMPASS[:4], COMPASS[:4], COMPASS[4:8]])
    train = Interactions.from_events([0] * 7, [0, 1, 2, 8, 9, 10, 3], [5, 5, 5, 5, 1, 1, 1], n_items=12)
    assert 11 in MultiInterest(vectors, n_interests=2).fit(train).recommend(tensor([0]), 4)[0].tolist()


@pytest.mark.parametrize("merge", ["share", "max"])
def test_one_interest_gives_the_order_of_the_mean_vector(merge):
    generator = torch.Generator().manual_seed(5)
    vectors = torch.randn(40, 6, generator=generator)
    likes = torch.randperm(40, generator=generator)[:7]
    train = Interactions.from_events([0] * 7, likes, n_items=40)
    found = MultiInterest(vectors, n_interests=1, merge=merge).fit(train).recommend(tensor([0]), 33)[0]
    by_mean = (vectors @ vectors[likes].mean(0)).masked_fill(train.dense(tensor([0]))[0], -torch.inf)
    assert torch.equal(found, by_mean.argsort(descending=True)[:33])


def test_interests_are_unit_directions_the_largest_first_and_chosen_for_each_user():
    model = MultiInterest(COMPASS, spread=1.0).fit(liking(0))
    directions, shares = model.interests(tensor([4, 0, 1, 2]))
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(2))
    assert shares.tolist() == [0.75, 0.25] and directions[0, 0] > 0.99
    assert len(model.interests(tensor([0, 1, 2, 3]))[1]) == 1


def test_merging_by_max_scores_the_best_fitting_interest():
    model = MultiInterest(COMPASS, n_interests=2, merge="max").fit(liking(0, 1, 4))
    north, east = tensor([0.0, 1]), F.normalize(tensor([1.0, 0.01]), dim=0)
    expected = torch.stack([COMPASS @ north, COMPASS @ east]).amax(0)
    torch.testing.assert_close(model.scores(tensor([0]))[0], expected)


def test_vectors_of_another_catalogue_and_an_unknown_merge_are_refused():
    with pytest.raises(ValueError, match="one row an item, got 8 for 9 items"):
        MultiInterest(PARITY).fit(liking(0))
    with pytest.raises(ValueError, match="merge must be one of share, max, got 'mean'"):
        MultiInterest(COMPASS, merge="mean").fit(liking(0))


def test_with_a_history_what_was_seen_in_training_takes_places_again():
    users, items = [0] * 5 + [1] * 2, [0, 1, 2, 3, 5, 0, 4]
    train = Interactions.from_events(users, items, n_items=len(COMPASS))
    history = Interactions.from_events([0, 0], [0, 4], n_users=2, n_items=len(COMPASS))
    model = MultiInterest(COMPASS, n_interests=2).fit(train)
    torch.testing.assert_close(model.scores(tensor([0]), history), model.scores(tensor([1])))
