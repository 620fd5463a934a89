"""SemanticGenerator: the contract, its search against each item read whole, and items that nobody has met."""

import math

import pytest
import torch
from torch import Tensor, tensor

from contract import N_ITEMS, checkerboard, sequential, trained, uneven
from recsys_course.base import Recommender, device
from recsys_course.data import Interactions
from recsys_course.data.sequences import histories
from recsys_course.models.semantic_generator import SemanticGenerator
from recsys_course.semantic import resolve_collisions

NUMBERS = torch.arange(N_ITEMS)
PAIRS = torch.stack([NUMBERS % 2, NUMBERS // 2], dim=1)  # colour, then which of it
SMALL = {"dim": 16, "n_layers": 1, "length": 6, "batch_size": 12, "learning_rate": 0.02, "dropout": 0.1}


class Coded:
    """As many rows of codes as the events have items."""

    def fitted(self, train: Interactions | None = None) -> Recommender:
        train = uneven() if train is None else train
        return self.model(**self.settings | {"codes": self.settings["codes"][: train.n_items]}).fit(train)


class TestSemanticGenerator(Coded, trained(sequential(SemanticGenerator, codes=PAIRS, **SMALL, epochs=60))):
    """Two codes an item."""


def random_codes(n_items: int, seed: int = 0) -> Tensor:
    return resolve_collisions(torch.randint(4, (n_items, 2), generator=torch.Generator().manual_seed(seed)))


def taken(*rows: list[int], n_items: int = 30) -> Interactions:
    """User u takes the items of row u, in this order."""
    users, items = [user for user, row in enumerate(rows) for _ in row], [item for row in rows for item in row]
    return Interactions.from_events(users, items, None, None, len(rows), n_items)


def unlearnt(train: Interactions, seed: int = 0, **settings) -> SemanticGenerator:
    settings = {**SMALL, "epochs": 0, "dropout": 0.0, "seed": seed, **settings}
    model = SemanticGenerator(random_codes(train.n_items, seed), **settings).fit(train)
    with torch.no_grad():
        for weight in model.network_.parameters():
            weight.mul_(3)  # so that items differ
    return model


ROWS = taken([3, 1, 4], [29, 11, 5, 9, 2, 6, 25, 7], [], [8])


@torch.no_grad()
def read_whole(model: SemanticGenerator, history: list[int], item: int) -> float:
    """The logarithm of one item's probability, its codes read behind the history in one pass without a cache."""
    network, trie = model.network_, model.trie_
    hidden = network(tensor([[*history, item]], device=device())).cpu()[0]
    total = 0.0
    for level, code in enumerate(trie.codes[item].tolist()):
        place = 1 + len(history) * network.n_levels + level - 1  # what has read all before this code
        logits = network.cpu().logits(hidden[place], level)
        open_ = trie.children[level][trie.nodes[item, level]] >= 0
        total += float(logits.masked_fill(~open_, -torch.inf).log_softmax(0)[code])
    network.to(device())
    return total


# --- the search


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("user", [0, 1, 2])
def test_every_score_is_that_of_the_history_and_the_item_read_as_one_text(user, n_layers):
    model = unlearnt(ROWS, n_layers=n_layers)
    history = ROWS.items[ROWS.users == user].tolist()[-6:]
    scores = model.scores(torch.arange(4))[user]
    torch.testing.assert_close(scores, tensor([read_whole(model, history, i) for i in range(30)]), atol=1e-4, rtol=1e-4)
    assert scores.std() > 0.1


@pytest.mark.parametrize("beam", [1, 3, 7])
def test_beams_that_share_a_cache_have_the_probabilities_of_the_whole_texts(beam):
    """If a beam saw another's codes, or lost its own, these would differ."""
    model, users = unlearnt(ROWS), torch.arange(4)
    whole = model.scores(users)
    some = model._search(users, None, torch.ones(4, 30, dtype=torch.bool), beam)
    assert ((some > -torch.inf).sum(dim=1) == beam).all()
    torch.testing.assert_close(some[some > -torch.inf], whole[some > -torch.inf], atol=1e-4, rtol=1e-4)


def test_scores_are_logarithms_of_probabilities_that_add_up_to_1():
    model = unlearnt(ROWS)
    torch.testing.assert_close(model.scores(torch.arange(4)).exp().sum(dim=1), torch.ones(4))


def test_a_wide_beam_gives_the_list_that_all_scores_give_seen_items_left_out():
    model, users = unlearnt(ROWS, beam=30), torch.arange(4)
    scores = model.scores(users).masked_fill(ROWS.dense(users), -torch.inf)
    assert torch.equal(model.recommend(users, 8), scores.topk(8).indices)
    narrow = unlearnt(ROWS, beam=1)
    lists = narrow.recommend(users, 8)
    assert (lists >= 0).all() and not ROWS.dense(users).gather(1, lists).any()  # a list is never shorter than asked
    one = narrow.recommend(users, 1)
    assert not torch.equal(one, model.recommend(users, 1))  # the best item hides behind a beginning that is not


def test_candidates_and_seen_items_are_kept_out_within_the_search_and_not_after_it():
    """Item 29's beginning may be the worst of all: as the only candidate it is found by one beam."""
    model = unlearnt(ROWS, beam=1)
    for item in range(30):
        expected = [[item], [item], [item], [item]]
        assert model.recommend(torch.arange(4), 1, candidates=tensor([item]), exclude_seen=False).tolist() == expected


# --- what is read


def test_only_the_newest_likes_are_read_in_their_order():
    model = unlearnt(ROWS)
    row = [9, 8, 0, 1, 2, 3, 4, 5, 6]
    scores = [model.scores(tensor([0]), taken(x)) for x in (row, row[3:], row[4:], [*row[3:7], 6, 5])]
    torch.testing.assert_close(scores[0], scores[1])
    assert not torch.allclose(scores[0], scores[2]) and not torch.allclose(scores[0], scores[3])


def test_low_ratings_are_not_read():
    model = unlearnt(ROWS)
    liked = Interactions.from_events([0] * 4, [1, 2, 3, 4], [5, 1, 4, 3], None, 1, 30)
    torch.testing.assert_close(model.scores(tensor([0]), liked), model.scores(tensor([0]), taken([1, 3])))


def test_filler_in_front_changes_nothing():
    model = unlearnt(ROWS)
    torch.testing.assert_close(model.scores(torch.arange(4))[0], model.scores(tensor([0]))[0])
    rows = [histories(ROWS, tensor([0]), width) for width in (3, 6)]
    short, long = (model.network_(row.to(device())).detach().cpu() for row in rows)
    torch.testing.assert_close(long[:, 3 * model.network_.n_levels :], short)


def test_codes_of_different_levels_are_different_words():
    model = SemanticGenerator(tensor([[0, 1], [1, 0]]), **SMALL).fit(taken([0, 1], n_items=2))
    words, real = model.network_.text(tensor([[2, 0, 1]], device=device()))
    assert words.tolist() == [[5, 5, 4, 0, 3, 1, 2]] and real.tolist() == [[False, False] + [True] * 5]


# --- what is learnt


def test_the_first_loss_is_that_of_guessing_among_the_items_with_a_like():
    """Sixteen items by two codes of four; of those that begin with 3 nobody has met one: log 3 and log 4."""
    sixteen = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    train = taken(*[torch.randperm(12, generator=torch.Generator().manual_seed(u)).tolist()[:8] for u in range(40)])
    model = SemanticGenerator(torch.cat([sixteen, sixteen[:14] + 4]), **SMALL, epochs=1).fit(train)
    assert model.history_.first_loss == pytest.approx(math.log(12), abs=0.1)


def test_ten_users_can_be_overfitted():
    rows = [torch.randperm(30, generator=torch.Generator().manual_seed(u)).tolist()[:6] for u in range(10)]
    settings = {**SMALL, "dim": 32, "dropout": 0.0, "learning_rate": 0.01, "batch_size": 10, "epochs": 100}
    model = SemanticGenerator(random_codes(30), **settings).fit(taken(*rows))
    assert model.history_.loss[-1] < model.history_.loss[0] / 3
    shorter = taken(*(row[:5] for row in rows))
    assert model.scores(torch.arange(10), shorter).argmax(dim=1).tolist() == [row[5] for row in rows]


def test_an_item_that_nobody_has_met_is_reached_by_the_codes_that_it_shares():
    """Nobody meets item 6, which is even like the others that even users like."""
    board = checkerboard()
    model = SemanticGenerator(PAIRS, **SMALL, epochs=60).fit(board.select(board.items != 6))
    scores = model.scores(tensor([0, 1]))
    assert scores[0, 6] > scores[1, 6] + 1 and scores[0, 6] > scores[0, [1, 3, 5, 7]].max()
    assert model.recommend(tensor([0]), 1).tolist() == [[6]]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"codes": PAIRS[:5]}, r"codes must have a row for each of 8 items, got \[5, 2\]"),
        ({"codes": PAIRS // 2}, "two items have the same codes"),
        ({"length": 0}, "length and beam must be at least 1, got 0 and 20"),
        ({"beam": 0}, "length and beam must be at least 1, got 50 and 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        SemanticGenerator(**{"codes": PAIRS, **settings}).fit(uneven())
