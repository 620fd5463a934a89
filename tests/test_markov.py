"""The Markov chain: the contract, and its counts by hand."""

import pytest
import torch
from torch import tensor

from contract import sequential
from recsys_course.data import Interactions
from recsys_course.models.markov import MarkovChain

TestMarkovChain = sequential(MarkovChain, reach=3, smoothing=0.1)


def walks() -> Interactions:
    """0, 1, 2 and 0, 1 and 0, 2: item 0 was followed by item 1 twice and by item 2 once; item 3 never occurs."""
    return Interactions.from_events([0, 0, 0, 1, 1, 2, 2], [0, 1, 2, 0, 1, 0, 2], None, None, 4, 4)


def test_the_chain_of_first_order_is_what_followed_the_newest_item():
    """Shares of all seven likes: 3/7, 2/7, 2/7, 0. One imagined transition is spread by them."""
    scores = MarkovChain(reach=1, smoothing=1.0).fit(walks()).scores(tensor([0]), _just(0))
    expected = tensor([[0 + 3 / 7, 2 + 2 / 7, 1 + 2 / 7, 0]]) / (3 + 1)
    torch.testing.assert_close(scores, expected)


def _just(*items: int) -> Interactions:
    return Interactions.from_events([0] * len(items), items, None, None, 1, 4)


def test_transitions_over_a_gap_and_older_items_count_less():
    """With decay 1/2, item 2 after item 0 counts 1 (at once, user 2) + 1/2 (user 0); item 1 then 0: item 1 is older."""
    model = MarkovChain(reach=2, decay=0.5, smoothing=1.0).fit(walks())
    shares = tensor([3 / 7, 2 / 7, 2 / 7, 0])
    after_0, after_1 = (tensor([0, 2, 1.5, 0]) + shares) / 4.5, (tensor([0, 0, 1.0, 0]) + shares) / 2
    torch.testing.assert_close(model.scores(tensor([0]), _just(1, 0))[0], after_0 + 0.5 * after_1)


def test_an_item_that_nothing_followed_and_a_user_without_likes_give_the_shares():
    model = MarkovChain(reach=1).fit(walks())
    shares = tensor([3 / 7, 2 / 7, 2 / 7, 0])
    torch.testing.assert_close(model.scores(tensor([0]), _just(3))[0], shares)
    torch.testing.assert_close(model.scores(tensor([3]))[0], shares)


def test_low_ratings_are_no_step():
    rated = Interactions.from_events([0, 0, 0], [0, 1, 2], [5, 2, 5])
    assert MarkovChain(reach=1).fit(rated).transitions_.toarray().tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_transitions_never_cross_from_user_to_user():
    assert MarkovChain(reach=5).fit(_pairs()).transitions_.nnz == 0


def _pairs() -> Interactions:
    return Interactions.from_events([0, 1, 2], [0, 1, 2])


@pytest.mark.parametrize("settings", [{"reach": 0}, {"smoothing": 0.0}])
def test_settings_that_make_no_sense_are_refused_in_a_sentence(settings):
    with pytest.raises(ValueError, match="reach must be at least 1 and smoothing above 0, got"):
        MarkovChain(**settings).fit(walks())
