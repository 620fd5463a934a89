"""Two towers: the contract, what each tower may read, what a training step sees, and log-Q where the truth is known."""

import math

import pytest
import torch
from torch import Tensor, tensor

from contract import personalised, trained, uneven
from recsys_course.base import device
from recsys_course.data import Interactions
from recsys_course.models.two_tower import TwoTower, _Steps
from recsys_course.simulate import World
from recsys_course.training import Diverged

SMALL = {"dim": 8, "epochs": 40, "batch_size": 16, "learning_rate": 0.02, "temperature": 0.3}

TestTwoTower = trained(personalised(TwoTower, **SMALL))
TestTwoTowerUniform = personalised(TwoTower, **SMALL, negatives="uniform", n_negatives=4)
TestTwoTowerPopularity = personalised(TwoTower, **SMALL, negatives="popularity", n_negatives=4)
TestTwoTowerHard = personalised(TwoTower, **SMALL, negatives="hard", n_negatives=4)
TestTwoTowerInnerProduct = personalised(
    TwoTower, dim=8, epochs=40, batch_size=16, learning_rate=0.02, temperature=1.0, normalise=False
)


def events(*pairs: tuple[int, int], n_items: int = 6) -> Interactions:
    return Interactions.from_events(*zip(*pairs, strict=True), n_items=n_items)


def steps(train: Interactions, **settings) -> _Steps:
    """The training steps of a model that has not learnt yet."""
    model = TwoTower(**{**SMALL, "epochs": 0, **settings}).fit(train)
    return _Steps(model, model.likes_, torch.Generator().manual_seed(0))


def random_likes(n_users: int, n_items: int, each: int, seed: int = 0) -> Interactions:
    """Every user likes ``each`` items drawn at random: nothing to generalise."""
    generator = torch.Generator().manual_seed(seed)
    items = torch.stack([torch.randperm(n_items, generator=generator)[:each] for _ in range(n_users)])
    return Interactions.from_events(
        torch.arange(n_users).repeat_interleave(each), items.flatten(), None, None, n_users, n_items
    )


# --- what each tower reads


def test_the_target_is_never_in_the_history_that_predicts_it():
    step = steps(uneven())
    every = torch.arange(len(step.items)).repeat(50)
    items, start = step.history(step.users[every], step.items[every])
    place = torch.bucketize(torch.arange(len(items)), start, right=True) - 1
    assert len(items) > 1000 and (items != step.items[every][place]).all()
    assert uneven().positives().dense(step.users[every][place])[torch.arange(len(items)), items].all()


def test_another_target_leaves_the_user_vector_of_its_training_step_as_it_was():
    """User 0 likes 0, 1 and one item more: whichever that is, the step that predicts it sees 0 and 1 alone."""
    found = []
    for target in (4, 5):
        step = steps(events((0, 0), (0, 1), (0, target), (1, 2), (1, 3)))
        items, start = step.history(tensor([0]), tensor([target]))
        assert set(items.tolist()) == {0, 1}
        found.append(step.towers.cpu().users(items, start))
    assert torch.equal(*found)


def test_no_gradient_reaches_the_targets_place_in_the_history_table():
    step = steps(events((0, 0), (0, 1), (0, 4), (1, 2), (1, 3)))
    step.towers.cpu().users(*step.history(tensor([0]), tensor([4]))).sum().backward()
    moved = step.towers.liked.weight.grad.abs().sum(dim=1) > 0
    assert moved.tolist() == [True, True, False, False, False, False]


def test_a_user_with_one_like_is_trained_on_an_empty_history():
    step = steps(events((0, 3), (1, 2)))
    items, start = step.history(tensor([0, 1]), tensor([3, 2]))
    assert items.tolist() == [] and start.tolist() == [0, 0]
    assert step.loss(tensor([0, 1])).isfinite()


def test_the_user_tower_takes_the_mean_whatever_the_order_and_a_pair_that_occurs_twice_counts_once():
    model = TwoTower(**SMALL).fit(uneven())
    one, other = events((0, 1), (0, 2), (0, 5), n_items=8), events((0, 5), (0, 1), (0, 2), (0, 1), n_items=8)
    torch.testing.assert_close(model.user_vectors(tensor([0]), one), model.user_vectors(tensor([0]), other))


def test_scores_are_the_inner_products_of_two_vectors_that_are_computed_apart():
    model = TwoTower(**SMALL).fit(uneven())
    users, items = model.user_vectors(tensor([4, 1])), model.item_vectors()
    assert users.shape == (2, 8) and items.shape == (8, 8)
    assert not users.requires_grad and not items.requires_grad
    torch.testing.assert_close(model.scores(tensor([4, 1])), users @ items.T)
    torch.testing.assert_close(users.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(items.norm(dim=1), torch.ones(8))
    free = TwoTower(**{**SMALL, "temperature": 1.0}, normalise=False).fit(uneven())
    assert (free.item_vectors().norm(dim=1) - 1).abs().max() > 0.1


def test_the_item_tower_reads_its_own_item_alone():
    """A vector of item 3 is the same alone, among others and in any order: there is no user for it to read."""
    towers = TwoTower(**SMALL, item_features=torch.rand(8, 3)).fit(uneven()).towers_.cpu()
    every = towers.items(torch.arange(8))
    torch.testing.assert_close(towers.items(tensor([3]))[0], every[3])
    torch.testing.assert_close(towers.items(tensor([5, 3, 3])), every[[5, 3, 3]])


def test_features_let_items_be_found_that_nobody_liked():
    """Items 0 to 9 have one kind, 10 to 19 the other; nobody has met the last three of each."""
    cold = [7, 8, 9, 17, 18, 19]
    pairs = [(u, i) for u in range(20) for i in range(20) if (i < 10) == (u < 10) and i not in cold and (u + i) % 4]
    kind = torch.tensor([[1.0, 0.0]] * 10 + [[0.0, 1.0]] * 10)
    model = TwoTower(**SMALL, item_features=kind).fit(events(*pairs, n_items=20))
    first, second = model.scores(torch.arange(20))[:, cold].split(3, dim=1)  # [20, 3]
    assert (first[:10].amin(dim=1) > second[:10].amax(dim=1)).all()
    assert (second[10:].amin(dim=1) > first[10:].amax(dim=1)).all()


# --- negatives


def test_what_counts_as_known_equals_the_whole_table_of_likes():
    train = uneven()
    step = steps(train)
    batch = torch.randperm(len(step.items), generator=torch.Generator().manual_seed(3))[:20]
    users, targets = step.users[batch], step.items[batch]
    assert torch.equal(step.known(users, targets), train.positives().dense(users)[:, targets])


@pytest.mark.parametrize("negatives", ["uniform", "popularity", "hard"])
def test_no_negative_is_liked_by_its_user(negatives):
    train = random_likes(30, 40, each=12)
    step = steps(train, negatives=negatives, n_negatives=20)
    users = torch.arange(30)
    drawn = step.draw(users, step.model.user_vectors(users).to(device()))
    assert drawn.shape == (30, 20) and not train.dense(users).gather(1, drawn).any()


def test_half_of_the_hard_negatives_score_higher_than_chance():
    step = steps(random_likes(200, 100, each=5), negatives="hard", n_negatives=20)
    users = torch.arange(200)
    scores = step.model.scores(users)
    drawn = scores.gather(1, step.draw(users, step.model.user_vectors(users).to(device())))
    easy, hard, chance = drawn[:, :10].mean(), drawn[:, 10:].mean(), scores.mean()
    assert abs(easy - chance) < 0.05 and hard > chance + scores.std()


def test_log_q_is_how_often_an_item_is_drawn():
    """Likes: item 0 three times, item 1 once, item 2 never; popularity negatives take counts to the power 0.75."""
    train = events((0, 0), (1, 0), (2, 0), (2, 1), n_items=3)
    share = {name: steps(train, negatives=name).log_q.exp().tolist() for name in ("in_batch", "popularity", "uniform")}
    assert share["in_batch"] == pytest.approx([3 / 4, 1 / 4, 0])
    assert share["popularity"] == pytest.approx([3**0.75 / (1 + 3**0.75), 1 / (1 + 3**0.75), 0])
    assert share["uniform"] == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize(("negatives", "times"), [("uniform", 1), ("popularity", 1), ("popularity", -1), ("hard", 1)])
def test_the_loss_on_drawn_negatives_is_that_of_its_formula(negatives, times):
    train = random_likes(20, 30, each=4)
    step, twin = (steps(train, negatives=negatives, n_negatives=4, log_q=times) for _ in range(2))
    users, targets = step.users[:12], step.items[:12]
    vectors = step.model.user_vectors(users)
    scores = (vectors @ step.model.item_vectors().T / SMALL["temperature"]).exp()  # [12, n_items]
    drawn = twin.draw(users, vectors.to(device()))  # [12, 4]
    count = 1 if negatives == "hard" else 4 * twin.log_q.exp()[drawn] ** times  # expected draws of each
    own = scores.gather(1, targets.unsqueeze(1))[:, 0]
    expected = ((own + (scores.gather(1, drawn) / count).sum(1)) / own).log().mean()
    torch.testing.assert_close(step.sampled(vectors.to(device()), users, targets).detach().cpu(), expected)


@pytest.mark.parametrize("negatives", ["uniform", "popularity", "hard"])
def test_a_user_who_likes_everything_is_no_lesson_and_no_obstacle(negatives):
    pairs = [(0, i) for i in range(6)] + [(u, i) for u in range(1, 9) for i in range(6) if i % 2 == u % 2]
    model = TwoTower(**SMALL, negatives=negatives, n_negatives=4).fit(events(*pairs))
    assert len(model.history_) == 40 and model.scores(tensor([0])).isfinite().all()


# --- sanity of learning


def test_the_first_loss_is_that_of_guessing():
    """Among 64 candidates of a batch in one case, among all 300 items in the other; vectors of length 1 start
    almost unrelated, so that a score over the temperature spreads by little."""
    train = random_likes(300, 300, each=8)
    settings = {"dim": 64, "epochs": 1, "temperature": 1.0}
    in_batch = TwoTower(**settings, batch_size=64, log_q=0.0).fit(train)
    assert in_batch.history_.first_loss == pytest.approx(math.log(64), abs=0.1)
    uniform = TwoTower(**settings, negatives="uniform").fit(train)
    assert uniform.history_.first_loss == pytest.approx(math.log(300), abs=0.1)


def test_ten_users_can_be_overfitted():
    train = random_likes(10, 50, each=5)
    model = TwoTower(dim=32, epochs=80, batch_size=50, learning_rate=0.02).fit(train)
    lists = model.recommend(torch.arange(10), 5, exclude_seen=False)
    assert model.history_.loss[-1] < model.history_.loss[0] / 4
    assert train.dense(torch.arange(10)).gather(1, lists).float().mean() > 0.9


def test_a_learning_rate_that_diverges_is_named_and_the_model_still_answers():
    model = TwoTower(**{**SMALL, "learning_rate": 1000.0, "temperature": 1.0}, normalise=False)
    with pytest.raises(Diverged, match=r"learning rate 1000 is too high .* try 100$"):
        model.fit(uneven())
    assert model.scores(torch.arange(13)).isfinite().all() and model.recommend(tensor([1]), 1).tolist() == [[3]]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"negatives": "random"}, "negatives must be one of in_batch, uniform, popularity, hard, got 'random'"),
        ({"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        ({"item_features": torch.ones(7, 2)}, r"item_features must be \[8, n_features\], got \[7, 2\]"),
        ({"item_features": torch.ones(8)}, r"item_features must be \[8, n_features\], got \[8\]"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        TwoTower(**settings).fit(uneven())


# --- log-Q, where the truth is known


@pytest.fixture(scope="module")
def world() -> tuple[World, dict[float, Tensor]]:
    """A world in which every item was shown equally often, and what three towers score after seeing the clicks."""
    world = World(n_users=1000, n_items=100, base=-2.5, spread=1.0)
    likes = world.likes(world.log(world.uniform_policy(), 60_000))
    settings = {"epochs": 5, "batch_size": 128, "history_length": 10}
    scores = {sign: TwoTower(**settings, log_q=sign).fit(likes).scores(torch.arange(1000)) for sign in (1, 0, -1)}
    return world, scores


def share_of_tail(world: World, lists: Tensor) -> float:
    """Share of places that go to the less popular half of the items."""
    popularity = world.click_rates.mean(0)
    return float((popularity < popularity.median()).float()[lists].mean())


def worth(world: World, lists: Tensor) -> float:
    """Mean true click rate of what the lists hold."""
    return float(world.click_rates.gather(1, lists).mean())


def test_the_right_sign_recovers_the_true_order_and_the_wrong_one_lets_the_tail_take_over(world):
    world, scores = world
    lists = {sign: s.topk(10, dim=1).indices for sign, s in scores.items()}
    truth = world.click_rates.topk(10, dim=1).indices
    tail = {sign: share_of_tail(world, found) for sign, found in lists.items()}
    value = {sign: worth(world, found) for sign, found in lists.items()}
    print({"tail": tail, "truth": share_of_tail(world, truth), "value": value, "best": worth(world, truth)})
    assert share_of_tail(world, truth) < 0.1 and tail[1] < 0.1 < 0.3 < tail[0] < 0.5 < 0.8 < tail[-1]
    popular = world.click_rates.mean(0).topk(10).indices.expand(1000, -1)
    assert value[1] > worth(world, popular) > value[0] > 2 * value[-1]


def test_the_scores_hold_log_popularity_once_not_at_all_or_backwards(world):
    """The optimum is log p - (1 - sign) log q, and here popularity is all that p and q share over users."""
    world, scores = world
    log_q = world.click_rates.mean(0).log()
    log_q = log_q - log_q.mean()
    slopes = {sign: float((s.double().mean(0) / 0.15 * log_q).sum() / (log_q**2).sum()) for sign, s in scores.items()}
    assert slopes == {sign: pytest.approx(sign, abs=0.35) for sign in (1, 0, -1)}
