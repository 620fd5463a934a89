"""Models for users and items that nobody knows: content maps, ID dropout, blends, and popularity that fades."""

import math
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch import tensor

from contract import N_ITEMS, N_USERS, checkerboard, personalised, recommender, trained, uneven
from recsys_course.base import Recommender
from recsys_course.data import Interactions
from recsys_course.models import EASE, IALS, Blend, ContentMap, DropoutNet, Popularity, Recent
from recsys_course.models import content_map as module
from recsys_course.models.content_map import content_features, ridge_map

COLOUR = torch.eye(2)[torch.arange(N_ITEMS) % 2]  # [8, 2]: even or odd
SMALL = {"dim": 4, "alpha": 1.0, "reg": 0.1}

TestRecent = recommender(Recent)
TestBlend = personalised(Blend, warm=EASE(1.0), cold=Popularity(), strength=0.1)


class TestBlendByUsers(personalised(Blend, warm=EASE(1.0), cold=Popularity(), strength=0.1, by="users")):
    """The other way to count."""


class Described:
    """As many rows of features as the events have items."""

    def fitted(self, train: Interactions | None = None) -> Recommender:
        train = uneven() if train is None else train
        return self.model(**self.settings | {"features": COLOUR[: train.n_items]}).fit(train)


class TestContentMap(Described, personalised(ContentMap, features=COLOUR, strength=2.0, **SMALL)):
    """A line from features to vectors."""


class TestContentMapNetwork(Described, personalised(ContentMap, features=COLOUR, method="network", **SMALL)):
    """A network."""


class TestDropoutNet(
    Described, trained(personalised(DropoutNet, features=COLOUR, dim=4, epochs=150, learning_rate=0.01))
):
    """A network that does without vectors."""


def without_item(item: int) -> Interactions:
    """The checkerboard in which nobody likes one item."""
    board = checkerboard()
    return board.select(board.items != item)


# --- the map


def test_ridge_map_by_hand():
    """Warm x 0 and 2, y 0 and 4: slope (2 * 2 * 1) / (2 + penalty 2) = 1 round the means 1 and 2."""
    features, vectors = tensor([[0.0], [2.0], [5.0]]), tensor([[0.0], [4.0], [99.0]])
    mapped = ridge_map(features, vectors, tensor([True, True, False]), penalty=2.0)
    torch.testing.assert_close(mapped, tensor([[1.0], [3.0], [6.0]]))


def test_the_map_never_reads_a_cold_vector():
    features = torch.randn(9, 3, generator=torch.Generator().manual_seed(1))
    vectors = torch.randn(9, 2, generator=torch.Generator().manual_seed(2))
    warm = torch.arange(9) < 6
    other = torch.where(warm.unsqueeze(1), vectors, vectors * 100 + 7)
    assert torch.equal(ridge_map(features, vectors, warm, 1.0), ridge_map(features, other, warm, 1.0))


def test_features_that_say_nothing_give_the_mean_vector_and_no_warm_item_gives_zeros():
    vectors = tensor([[1.0, 0.0], [3.0, 4.0], [8.0, 8.0]])
    mapped = ridge_map(torch.ones(3, 2), vectors, tensor([True, True, False]), 1.0)
    torch.testing.assert_close(mapped, tensor([[2.0, 2.0]] * 3))
    assert (ridge_map(COLOUR, torch.ones(N_ITEMS, 2), torch.zeros(N_ITEMS, dtype=torch.bool), 1.0) == 0).all()


@pytest.mark.parametrize("method", ["ridge", "network"])
def test_a_cold_item_goes_to_those_who_like_its_kind(method):
    model = ContentMap(COLOUR, method, penalty=0.1, **SMALL).fit(without_item(4))
    scores = model.scores(torch.arange(N_USERS - 1))[:, 4]
    assert scores[0::2].min() > scores[1::2].max() + 0.3
    assert (model.own_factors_[4] == 0).all() and model.own_factors_[2].abs().max() > 0


def test_an_items_description_fades_as_its_likes_arrive():
    """Six users like each item of the board: the description keeps 3 / 9 of its weight, and all of it for item 4."""
    model = ContentMap(COLOUR, strength=3.0, **SMALL).fit(without_item(4))
    own, mapped = model.own_factors_, model.mapped_factors_
    torch.testing.assert_close(model.item_factors_[2], own[2] + mapped[2] / 3)
    torch.testing.assert_close(model.item_factors_[4], mapped[4])
    sudden = ContentMap(COLOUR, strength=0.0, **SMALL).fit(without_item(4))
    torch.testing.assert_close(sudden.item_factors_[2], own[2])
    torch.testing.assert_close(sudden.item_factors_[4], mapped[4])
    every = ContentMap(COLOUR, mapped_only=True, **SMALL).fit(without_item(4))
    assert torch.equal(every.item_factors_, every.mapped_factors_)


def test_a_like_of_a_cold_item_tells_something_about_its_user():
    model = ContentMap(COLOUR, penalty=0.1, **SMALL).fit(without_item(4))
    history = Interactions.from_events([0], [4], n_users=1, n_items=N_ITEMS)
    scores = model.scores(tensor([0]), history)[0]
    assert scores[tensor([0, 2, 6])].min() > scores[1::2].max()
    assert (
        IALS(**SMALL).fit(without_item(4)).scores(tensor([0]), history) == 0
    ).all()  # factorising alone hears nothing


@pytest.mark.parametrize("model", [ContentMap, DropoutNet])
def test_features_that_do_not_fit_are_refused_in_a_sentence(model):
    with pytest.raises(ValueError, match=r"\[8, n_features\].*got \[7, 2\]"):
        model(COLOUR[1:]).fit(uneven())
    with pytest.raises(ValueError, match=r"finite|NaN"):
        model(torch.full((N_ITEMS, 2), torch.nan)).fit(uneven())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"method": "forest"}, "method must be ridge or network, got 'forest'"),
        ({"penalty": 0.0}, "penalty must be above 0"),
        ({"strength": -1.0}, "strength not negative"),
    ],
)
def test_settings_of_the_map_that_make_no_sense_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        ContentMap(COLOUR, **settings).fit(uneven())


def test_genres_and_years_become_columns(monkeypatch):
    items = pd.DataFrame(
        {"genres": [("Comedy",), (), ("Comedy", "War")], "year": pd.array([1995, None, 1990], dtype="Int64")}
    )
    features = content_features(SimpleNamespace(items=items), of="genres")
    assert features.tolist() == [[1, 0, 0, 0, 1], [0, 0, 1, 0, 0], [1, 1, 0, 1, 0]]
    with pytest.raises(ValueError, match="of must be text or genres, got 'plot'"):
        content_features(SimpleNamespace(items=items), of="plot")


def test_text_features_are_centred_and_of_length_one(monkeypatch):
    vectors = tensor([[2.0, 1.0], [0.0, 1.0], [1.0, 4.0]])
    monkeypatch.setattr(module, "TextEncoder", lambda: SimpleNamespace(encode=lambda texts: vectors))
    monkeypatch.setattr(module, "film_texts", lambda dataset: ["a", "b", "c"])
    root = math.sqrt(0.5)
    expected = tensor([[root, -root], [-root, -root], [0.0, 1.0]])
    torch.testing.assert_close(content_features(None), expected)


# --- ID dropout


def test_without_dropout_a_cold_item_is_noise_and_with_it_goes_to_those_who_like_its_kind():
    board, gaps = without_item(4), {}
    for dropout in (0.0, 0.5):
        model = DropoutNet(COLOUR, dropout, dim=4, epochs=200, learning_rate=0.01, reg=0.1).fit(board)
        scores = model.scores(torch.arange(N_USERS - 1))[:, 4]
        gaps[dropout] = float(scores[0::2].min() - scores[1::2].max())
    assert gaps[0.5] > 0.3 and gaps[0.5] > gaps[0.0] + 0.2


def test_a_user_without_a_like_gets_what_is_liked_on_average():
    """Items 0 and 2 are liked by all, the others by few."""
    pairs = [(user, item) for user in range(12) for item in (0, 2)] + [(0, 1), (1, 3), (2, 4), (3, 5)]
    train = Interactions.from_events(*zip(*pairs, strict=True), n_users=13, n_items=N_ITEMS)
    model = DropoutNet(torch.eye(N_ITEMS), dim=4, epochs=200, learning_rate=0.01, reg=0.1).fit(train)
    assert set(model.recommend(tensor([12]), 2)[0].tolist()) == {0, 2}


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"dropout must lie in 0 to 1, got 1\.5"):
        DropoutNet(COLOUR, dropout=1.5).fit(uneven())


# --- the blend


class Fixed(Recommender):
    """The same scores for everybody, whatever the events."""

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def fit(self, train: Interactions) -> "Fixed":
        self.train_ = train
        return self

    def scores(self, users: torch.Tensor, history: Interactions | None = None) -> torch.Tensor:
        return tensor(self.values).expand(len(users), -1)


def test_the_cold_scores_fade_with_the_likes_of_the_item_or_of_the_user():
    """Item 0 has 2 likes, item 1 one, item 2 none; user 0 has 2 likes, user 1 one, user 2 none; strength 2."""
    train = Interactions.from_events([0, 0, 1], [0, 1, 0], n_users=3, n_items=3)
    warm, cold, users = Fixed([1.0, -1.0, 0.0]), Fixed([3.0, 3.0, -6.0]), torch.arange(3)
    size_w, size_c = (2 / 3) ** 0.5, 18**0.5
    by_item = Blend(warm, cold, strength=2.0).fit(train).scores(users)
    left = tensor([2 / 4, 2 / 3, 1.0])
    torch.testing.assert_close(by_item[0], tensor(warm.values) / size_w + left * tensor(cold.values) / size_c)
    by_user = Blend(warm, cold, strength=2.0, by="users").fit(train).scores(users)
    for user, share in enumerate(left):
        torch.testing.assert_close(by_user[user], tensor(warm.values) / size_w + share * tensor(cold.values) / size_c)
    history = Interactions.from_events([2, 2], [0, 1], n_users=3, n_items=3)
    torch.testing.assert_close(Blend(warm, cold, 2.0, "users").fit(train).scores(tensor([2]), history), by_user[:1])


def test_with_endless_evidence_the_blend_is_the_warm_model():
    train = Interactions.from_events([0] * 2 + [1], [0, 1, 0], n_users=2, n_items=3)
    blend = Blend(Fixed([0.0, 1.0, 2.0]), Fixed([5.0, 0.0, 0.0]), strength=1e-9, by="users").fit(train)
    torch.testing.assert_close(blend.scores(tensor([0]))[0].diff(), tensor([1.0, 1.0]) / (2 / 3) ** 0.5)


def test_a_model_that_says_nothing_does_no_harm_and_the_models_given_stay_as_they_are():
    warm = EASE(1.0)
    blend = Blend(warm, Fixed([1.0] * N_ITEMS)).fit(checkerboard())
    assert not hasattr(warm, "train_") and blend.scores(tensor([0])).isfinite().all()
    nothing = Interactions.from_events([], [], n_users=2, n_items=N_ITEMS)
    assert Blend(warm, Popularity()).fit(nothing).scores(tensor([1])).isfinite().all()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [({"strength": 0.0}, "strength must be above 0, got 0"), ({"by": "rows"}, "by must be items or users, got 'rows'")],
)
def test_settings_of_the_blend_that_make_no_sense_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        Blend(EASE(), Popularity(), **settings).fit(uneven())


# --- popularity that fades


def test_an_old_like_counts_half_after_each_half_life():
    """Liked 2 and 4 days before the last event, and 6 days; that event, of 1 star, is no like but sets the clock."""
    day = 86_400
    train = Interactions.from_events([0, 1, 2, 3], [0, 0, 1, 1], [5, 4, 5, 1], [4 * day, 2 * day, 0, 6 * day])
    model = Recent(half_life=2.0).fit(train)
    torch.testing.assert_close(model.counts_, tensor([1 / 2 + 1 / 4, 1 / 8]))


def test_an_endless_half_life_is_popularity():
    users = torch.arange(N_USERS)
    endless, popular = (model.fit(uneven()).scores(users) for model in (Recent(math.inf), Popularity()))
    assert torch.equal(endless, popular)
    with pytest.raises(ValueError, match="half_life must be above 0, got 0"):
        Recent(0.0).fit(uneven())
