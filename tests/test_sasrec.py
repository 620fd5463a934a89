"""SASRec: the contract, what each place may read, what a step counts, and the three losses by their formulas."""

import math

import pytest
import torch
from torch import Tensor, tensor

from contract import N_ITEMS, sequential, trained, uneven
from recsys_course.base import device
from recsys_course.data import Interactions
from recsys_course.data.sequences import histories
from recsys_course.models.sasrec import SASRec
from recsys_course.training import Diverged

SMALL = {"dim": 16, "n_layers": 1, "length": 6, "epochs": 60, "batch_size": 12, "learning_rate": 0.02, "dropout": 0.1}

TestSASRec = trained(sequential(SASRec, **SMALL))
TestSASRecBCE = sequential(SASRec, **SMALL, loss="bce", n_negatives=4)
TestSASRecSampled = sequential(SASRec, **SMALL, loss="sampled", n_negatives=4)
TestSASRecDeeper = sequential(SASRec, **{**SMALL, "n_heads": 2, "n_layers": 2})


def taken(*rows: list[int], n_items: int = 12) -> Interactions:
    """User u takes the items of row u, in this order."""
    users, items = [user for user, row in enumerate(rows) for _ in row], [item for row in rows for item in row]
    return Interactions.from_events(users, items, None, None, len(rows), n_items)


def random_orders(n_users: int, n_items: int, each: int, seed: int = 0) -> Interactions:
    """Every user takes ``each`` items at random: nothing to generalise."""
    generator = torch.Generator().manual_seed(seed)
    return taken(
        *(torch.randperm(n_items, generator=generator)[:each].tolist() for _ in range(n_users)), n_items=n_items
    )


def unlearnt(train: Interactions, **settings) -> SASRec:
    return SASRec(**{**SMALL, "epochs": 0, "dropout": 0.0, **settings}).fit(train)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- what each place reads


def test_another_future_never_changes_what_a_place_has_read():
    model = unlearnt(random_orders(5, 12, each=6))
    one, other = tensor([[3, 1, 4, 0, 5, 9]]), tensor([[3, 1, 4, 7, 2, 6]])
    a, b = (model.network_(row.to(device())).detach().cpu() for row in (one, other))
    torch.testing.assert_close(a[:, :3], b[:, :3])
    assert (a[:, 3:] - b[:, 3:]).abs().amax(dim=2).min() > 1e-3


def test_positions_count_from_the_first_item_however_many_follow():
    model = unlearnt(random_orders(5, 12, each=6))
    short, long = (model.network_(tensor([row]).to(device())).detach().cpu() for row in ([3, 1], [3, 1, 4, 0]))
    torch.testing.assert_close(short, long[:, :2])


def test_each_place_reads_everything_before_it():
    model = unlearnt(random_orders(5, 12, each=6))
    row = tensor([[3, 1, 4, 0, 5, 9]])
    last = model.network_(row.to(device()))[0, -1]
    for place in range(6):
        other = row.clone()
        other[0, place] = 11
        assert (model.network_(other.to(device()))[0, -1] - last).abs().max() > 1e-4


def test_filler_in_front_changes_nothing():
    model = unlearnt(taken([1, 2, 3], [4, 5, 6, 7, 8, 9]))
    alone = model.sequence_vectors(tensor([0]))
    torch.testing.assert_close(model.sequence_vectors(tensor([1, 0]))[1:], alone)
    assert (model.network_.items.weight[12] == 0).all()


def test_only_the_newest_items_are_read():
    model = unlearnt(taken([1, 2, 3]))
    long, short = taken([9, 8, 0, 1, 2, 3, 4, 5, 6]), taken([1, 2, 3, 4, 5, 6])
    torch.testing.assert_close(model.scores(tensor([0]), long), model.scores(tensor([0]), short))
    shorter = taken([2, 3, 4, 5, 6])
    assert not torch.allclose(model.scores(tensor([0]), short), model.scores(tensor([0]), shorter))


def test_scores_are_inner_products_of_vectors_that_an_index_could_hold():
    model = SASRec(**SMALL).fit(uneven())
    users = tensor([4, 1])
    vectors, items = model.sequence_vectors(users), model.item_vectors()
    assert vectors.shape == (2, 16) and items.shape == (N_ITEMS, 16)
    assert not vectors.requires_grad and not items.requires_grad
    torch.testing.assert_close(model.scores(users), vectors @ items.T)


def test_who_has_liked_nothing_gets_what_is_liked_by_most():
    train = Interactions.from_events([0, 0, 1, 2], [3, 1, 3, 1], [5, 5, 5, 2], None, 4, 5)
    model = unlearnt(train)
    assert model.scores(tensor([2, 3])).tolist() == [[0, 1, 0, 2, 0]] * 2
    assert model.recommend(tensor([3]), 2).tolist() == [[3, 1]]


def test_low_ratings_are_not_read():
    liked = Interactions.from_events([0] * 4, [1, 2, 3, 4], [5, 1, 4, 3], None, 1, 12)
    model = unlearnt(random_orders(5, 12, each=6))
    torch.testing.assert_close(model.scores(tensor([0]), liked), model.scores(tensor([0]), taken([1, 3])))


# --- what a step learns from


def test_everybody_with_two_likes_has_one_window_an_epoch():
    model = unlearnt(taken([1], [1, 2], [], [3, 4, 5], [0, 1, 2, 3, 4, 5, 6, 7, 8]))
    batches = model._batches(model._learners(), generator())
    assert sorted(torch.cat(batches).tolist()) == [1, 3, 4]


def test_a_batch_is_no_wider_than_its_longest_window():
    model = unlearnt(taken([1, 2], [3, 4, 5], list(range(12))))
    assert model._window(tensor([0, 1]), generator()).tolist() == [[12, 1, 2], [3, 4, 5]]
    assert model._window(tensor([0, 2]), generator()).shape == (2, 7)  # length + 1


def test_which_window_of_a_long_history_is_drawn_anew_and_each_occurs():
    model = unlearnt(taken([1, 2, 3], list(range(12))))
    draw = generator()
    windows = torch.stack([model._window(tensor([0, 1]), draw) for _ in range(200)])  # [200, 2, 7]
    assert (windows[:, 0] == tensor([12, 12, 12, 12, 1, 2, 3])).all()
    starts, counts = windows[:, 1, 0].unique(return_counts=True)
    assert starts.tolist() == [0, 1, 2, 3, 4, 5] and counts.min() > 15
    assert (windows[:, 1].diff(dim=1) == 1).all()


def scored(model: SASRec, read: list[int]) -> Tensor:
    """Scores of all items after these were read, float ``[n_items]``."""
    vector = model.network_(tensor([read]).to(device()))[0, -1].cpu()
    return (vector @ model.item_vectors().T).detach()


def test_every_place_that_reads_something_counts_once_and_filler_never():
    """Users 0 and 1 give 1 + 4 places; the loss is their mean, computed here place by place."""
    train = taken([5, 6], [1, 2, 3, 4, 0])
    model = unlearnt(train)
    users = tensor([0, 1])
    loss = model._loss(users, histories(train, users, 5), generator()).detach().cpu()
    parts = [([5], 6), ([1], 2), ([1, 2], 3), ([1, 2, 3], 4), ([1, 2, 3, 4], 0)]
    expected = [scored(model, read).logsumexp(0) - scored(model, read)[target] for read, target in parts]
    torch.testing.assert_close(loss, torch.stack(expected).mean())


@pytest.mark.parametrize("loss", ["bce", "sampled"])
def test_the_loss_on_drawn_negatives_is_that_of_its_formula(loss):
    train = taken([5, 6], [1, 2, 3, 4, 0])
    model, users = unlearnt(train, loss=loss, n_negatives=3), tensor([0, 1])
    drawn = model.negatives_.draw(tensor([0, 1, 1, 1, 1]).repeat_interleave(3), generator(7)).view(5, 3)
    found = model._loss(users, histories(train, users, 5), generator(7)).detach().cpu()
    expected = []
    for row, (read, target) in enumerate([([5], 6), ([1], 2), ([1, 2], 3), ([1, 2, 3], 4), ([1, 2, 3, 4], 0)]):
        scores, left = scored(model, read), 10 if row == 0 else 7
        if loss == "bce":
            signs = torch.cat([scores[target, None], -scores[drawn[row]]])
            expected.append(-signs.sigmoid().log().mean())
        else:
            every = scores[target].exp() + left / 3 * scores[drawn[row]].exp().sum()
            expected.append(every.log() - scores[target])
    torch.testing.assert_close(found, torch.stack(expected).mean())


@pytest.mark.parametrize("loss", ["bce", "sampled"])
def test_no_negative_is_ever_a_positive_of_its_user(loss):
    train, seen = random_orders(20, 30, each=12), []
    model = unlearnt(train, loss=loss, n_negatives=8, length=20, batch_size=20)
    draw = model.negatives_.draw
    model.negatives_.draw = lambda users, source: seen.append((users, draw(users, source))) or seen[-1][1]
    users = torch.arange(20)
    model._loss(users, histories(train, users, 13), generator())
    who, negatives = seen[0]
    assert len(who) == 20 * 11 * 8  # eleven places to read at, a draw each for what follows
    assert not train.dense(who)[torch.arange(len(who)), negatives].any()


@pytest.mark.parametrize("loss", ["bce", "sampled"])
def test_a_user_who_likes_everything_is_no_lesson_and_no_obstacle(loss):
    train = taken([0, 1, 2, 3], [0, 1], [2, 3, 0], n_items=4)
    model = SASRec(**SMALL, loss=loss).fit(train)
    assert model._learners().tolist() == [1, 2] and model.scores(tensor([0])).isfinite().all()


# --- sanity of learning


@pytest.mark.parametrize(("loss", "choices"), [("softmax", 300), ("sampled", 300), ("bce", 2)])
def test_the_first_loss_is_that_of_guessing_among_all_items_or_between_yes_and_no(loss, choices):
    model = SASRec(epochs=1, loss=loss, n_negatives=20).fit(random_orders(50, 300, each=8))
    assert model.history_.first_loss == pytest.approx(math.log(choices), abs=0.12)


def test_ten_users_can_be_overfitted():
    train = random_orders(10, 50, each=6)
    model = SASRec(dim=32, epochs=100, batch_size=10, learning_rate=0.01, dropout=0.0).fit(train)
    assert model.history_.loss[-1] < model.history_.loss[0] / 4
    shorter = taken(*train.items.view(10, 6)[:, :5].tolist(), n_items=50)
    assert torch.equal(model.scores(torch.arange(10), shorter).argmax(dim=1), train.items.view(10, 6)[:, 5])


def test_a_learning_rate_that_diverges_is_named_and_the_model_still_answers():
    model = SASRec(**{**SMALL, "learning_rate": 1000.0})
    with pytest.raises(Diverged, match=r"learning rate 1000 is too high .* try 100$"):
        model.fit(uneven())
    assert model.scores(torch.arange(13)).isfinite().all()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"loss": "bpr"}, "loss must be one of softmax, sampled, bce, got 'bpr'"),
        ({"n_negatives": 0}, "n_negatives and length must be at least 1, got 0 and 50"),
        ({"length": 0}, "n_negatives and length must be at least 1, got 32 and 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        SASRec(**settings).fit(uneven())
