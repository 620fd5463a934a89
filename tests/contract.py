"""What every recommender of the course must do. A model joins with one line in its test file:

TestEASE = personalised(EASE, reg=1.0)
TestPopularity = recommender(Popularity)
TestMF = rates(folds_in(MF, dim=4))
TestSASRec = sequential(SASRec, dim=16)
"""

import inspect

import pytest
import torch
from torch import tensor

from recsys_course.base import Recommender
from recsys_course.data import Interactions
from recsys_course.data.sequences import shuffle_order

N_USERS, N_ITEMS = 13, 8
EVENTLESS = 12  # the last user does nothing


def checkerboard(withheld: tuple[int, int] | None = None, rating: float = 5.0) -> Interactions:
    """Even users like the even items and odd users the odd ones, but for one withheld pair; user 12 does nothing."""
    pairs = [(u, i) for u in range(EVENTLESS) for i in range(N_ITEMS) if u % 2 == i % 2 and (u, i) != withheld]
    users, items = zip(*pairs, strict=True)
    return Interactions.from_events(users, items, [rating] * len(pairs), n_users=N_USERS, n_items=N_ITEMS)


def rated_board(withheld: tuple[int, int]) -> Interactions:
    """The checkerboard for models of ratings: 5 for the own colour, 1 for the other, each user without one of it."""
    own = checkerboard(withheld)
    other = [(u, i) for u in range(EVENTLESS) for i in range(N_ITEMS) if u % 2 != i % 2 and i // 2 != u // 2 % 4]
    users, items = zip(*other, strict=True)
    pairs = [*own.users.tolist(), *users], [*own.items.tolist(), *items]
    return Interactions.from_events(*pairs, [5] * len(own) + [1] * len(other), n_users=N_USERS, n_items=N_ITEMS)


def uneven() -> Interactions:
    """Random likes and dislikes: user 0 has rated every item, user 1 all but item 3, user 12 none."""
    rated = torch.rand(N_USERS, N_ITEMS, generator=torch.Generator().manual_seed(0)) < 0.4
    rated[0], rated[1], rated[EVENTLESS] = True, torch.arange(N_ITEMS) != 3, False
    users, items = rated.nonzero().unbind(1)
    ratings = torch.tensor([5.0, 4.0, 2.0])[torch.arange(len(users)) % 3]
    return Interactions.from_events(users, items, ratings, n_users=N_USERS, n_items=N_ITEMS)


class RecommenderContract:
    """For every model, the floor and the popular baseline included."""

    model: type[Recommender]
    settings: dict

    def make(self) -> Recommender:
        return self.model(**self.settings)

    def fitted(self, train: Interactions | None = None) -> Recommender:
        return self.make().fit(uneven() if train is None else train)

    def board(self, withheld: tuple[int, int]) -> Interactions:
        return checkerboard(withheld)

    def test_fit_returns_the_model_and_leaves_the_training_events_as_they_were(self):
        train, model = uneven(), self.make()
        assert model.fit(train) is model
        assert model.train_ is train and train.equals(uneven())

    def test_constructor_arguments_are_stored_untouched(self):
        parameters = inspect.signature(self.model).parameters
        expected = {name: self.settings.get(name, parameter.default) for name, parameter in parameters.items()}
        model = self.make()
        assert vars(model) == expected
        model.fit(uneven())
        assert {name: getattr(model, name) for name in expected} == expected

    def test_what_is_learnt_ends_in_an_underscore(self):
        learnt = vars(self.fitted()).keys() - inspect.signature(self.model).parameters.keys()
        assert learnt and all(name.endswith("_") for name in learnt)

    def test_scores_are_one_finite_number_for_each_user_and_item(self):
        scores = self.fitted().scores(tensor([4, 2, 4]))
        assert scores.shape == (3, N_ITEMS) and scores.is_floating_point() and scores.isfinite().all()
        assert torch.equal(scores[0], scores[2])

    def test_lists_are_int64_of_the_length_asked_for(self):
        lists = self.fitted().recommend(tensor([4, 2, 9, 9]), k=3)
        assert lists.shape == (4, 3) and lists.dtype == torch.int64
        assert self.fitted().recommend(tensor([], dtype=torch.int64), k=3).shape == (0, 3)

    def test_nothing_seen_is_recommended_whatever_its_rating_and_no_item_twice(self):
        train, users = uneven(), torch.arange(N_USERS)
        for user, items in zip(users.tolist(), self.fitted().recommend(users, N_ITEMS).tolist(), strict=True):
            seen = set(train.items[train.users == user].tolist())
            assert sorted(item for item in items if item >= 0) == sorted(set(range(N_ITEMS)) - seen)

    def test_seen_items_come_back_on_request(self):
        lists = self.fitted().recommend(torch.arange(N_USERS), N_ITEMS, exclude_seen=False)
        assert (lists.sort(dim=1).values == torch.arange(N_ITEMS)).all()

    def test_empty_places_are_minus_one_and_come_last(self):
        everything, all_but_three, nothing = self.fitted().recommend(tensor([0, 1, EVENTLESS]), k=10).tolist()
        assert everything == [-1] * 10
        assert all_but_three == [3] + [-1] * 9
        assert sorted(nothing[:N_ITEMS]) == list(range(N_ITEMS)) and nothing[N_ITEMS:] == [-1, -1]

    def test_lists_are_ordered_by_score_and_ties_by_item_number(self):
        model, users = self.fitted(), torch.arange(N_USERS)
        scores = model.scores(users)
        for row, items in zip(scores.tolist(), model.recommend(users, 5, exclude_seen=False).tolist(), strict=True):
            assert items == sorted(range(N_ITEMS), key=lambda item: (-row[item], item))[:5]

    def test_only_candidates_are_recommended_and_in_the_same_order(self):
        model, users = self.fitted(), torch.arange(N_USERS)
        allowed = tensor([6, 1, 3])
        every, some = (model.recommend(users, N_ITEMS, candidates=c).tolist() for c in (None, allowed))
        for all_items, few in zip(every, some, strict=True):
            expected = [item for item in all_items if item in allowed.tolist()]
            assert few == expected + [-1] * (N_ITEMS - len(expected))
        assert (model.recommend(users, 2, candidates=tensor([], dtype=torch.int64)) == -1).all()

    def test_a_batch_equals_one_by_one(self):
        model, users = self.fitted(), torch.randperm(N_USERS, generator=torch.Generator().manual_seed(1))
        one_by_one = [users[place : place + 1] for place in range(N_USERS)]
        torch.testing.assert_close(model.scores(users), torch.cat([model.scores(user) for user in one_by_one]))
        assert torch.equal(model.recommend(users, 4), torch.cat([model.recommend(user, 4) for user in one_by_one]))

    def test_the_same_arguments_give_the_same_scores_whatever_happened_before(self):
        users, found = torch.arange(N_USERS), []
        for noise in (1, 2):
            torch.manual_seed(noise)
            found.append(self.fitted().scores(users))
        again = self.fitted(checkerboard()).fit(uneven())  # nothing is left of the first fit
        assert torch.equal(*found) and torch.equal(found[0], again.scores(users))

    def test_requests_that_make_no_sense_are_refused_in_a_sentence(self):
        name, users = self.model.__name__, tensor([0])
        with pytest.raises(ValueError, match=rf"{name} has not learnt yet: call fit\(train\) first"):
            self.make().recommend(users)
        model = self.fitted()
        with pytest.raises(ValueError, match="k must be at least 1, got 0"):
            model.recommend(users, k=0)
        for unknown in (N_USERS, -1):
            with pytest.raises(
                ValueError, match=f"users must lie in 0 to 12, got {min(0, unknown)} to {max(0, unknown)}"
            ):
                model.recommend(tensor([0, unknown]))
        for unknown in (N_ITEMS, -1):
            with pytest.raises(ValueError, match="candidates must lie in 0 to 7"):
                model.recommend(users, candidates=tensor([unknown]))

    @pytest.mark.parametrize("rating", [5.0, 1.0])
    def test_one_user_and_one_item_are_enough(self, rating):
        model = self.fitted(Interactions.from_events([0], [0], [rating]))
        assert model.recommend(tensor([0]), 2).tolist() == [[-1, -1]]
        assert model.recommend(tensor([0]), 2, exclude_seen=False).tolist() == [[0, -1]]

    def test_only_low_ratings_and_users_without_events_still_get_lists(self):
        model, users = self.fitted(checkerboard(rating=1.0)), torch.arange(N_USERS)
        assert model.scores(users).isfinite().all()
        lists = model.recommend(users, N_ITEMS)
        assert ((lists >= 0).sum(dim=1) == tensor([N_ITEMS // 2] * EVENTLESS + [N_ITEMS])).all()


class PersonalisedContract(RecommenderContract):
    """For every model that learns a user's own taste, and so finds the hole in a checkerboard."""

    @pytest.mark.parametrize("withheld", [(0, 0), (0, 6), (3, 5), (10, 2), (11, 7)])
    def test_the_withheld_item_comes_first(self, withheld):
        user, item = withheld
        assert self.fitted(self.board(withheld)).recommend(tensor([user]), 1).item() == item

    def test_the_training_events_as_history_change_nothing(self):
        model, users = self.fitted(), tensor([7, 0, 12, 3])
        torch.testing.assert_close(model.scores(users, history=uneven()), model.scores(users))

    def test_a_history_stands_for_its_user_whoever_that_is(self):
        """User 1 of the history is new to the model and did what user 5 did in training: both get the same scores."""
        model, train = self.fitted(), uneven()
        mine = train.users == 5
        users = torch.ones(int(mine.sum()), dtype=torch.int64)
        history = Interactions(users, train.items[mine], train.ratings[mine], train.times[mine], 2, N_ITEMS)
        torch.testing.assert_close(model.scores(tensor([1]), history), model.scores(tensor([5])))

    def test_an_empty_history_is_a_user_without_events_and_not_the_training_events(self):
        model, nothing = self.fitted(), Interactions.from_events([], [], n_users=N_USERS, n_items=N_ITEMS)
        scores = model.scores(tensor([5]), history=nothing)
        torch.testing.assert_close(scores, model.scores(tensor([EVENTLESS])))
        assert not torch.equal(scores, model.scores(tensor([5])))


def ring() -> Interactions:
    """User u takes five items in a row from item u on, and after item 7 comes item 0: order is all there is."""
    users = torch.arange(EVENTLESS).repeat_interleave(5)
    items = (users + torch.arange(5).repeat(EVENTLESS)) % N_ITEMS
    return Interactions.from_events(users, items, n_users=N_USERS, n_items=N_ITEMS)


class SequentialContract(PersonalisedContract):
    """For every model that reads the order of a history."""

    def board(self, withheld: tuple[int, int]) -> Interactions:
        """The checkerboard in a random order, or else the order of the item numbers would tell the withheld one."""
        return shuffle_order(checkerboard(withheld), seed=0)

    def test_on_a_ring_the_successor_of_the_last_item_comes_first(self):
        users = torch.arange(EVENTLESS)
        assert self.fitted(ring()).recommend(users, 1).flatten().tolist() == ((users + 5) % N_ITEMS).tolist()

    def test_the_same_items_in_another_order_are_another_history(self):
        """Three users took items 1, 2 and 3; on the ring, item 4 is next for the one who took item 3 last."""
        model = self.fitted(ring())
        users, orders = [0] * 3 + [1] * 3 + [2] * 3, [1, 2, 3, 3, 1, 2, 2, 3, 1]
        history = Interactions.from_events(users, orders, n_users=3, n_items=N_ITEMS)
        scores = model.scores(torch.arange(3), history)
        assert scores[0].masked_fill(history.dense(tensor([0]))[0], -torch.inf).argmax() == 4
        assert not torch.allclose(scores[0], scores[1]) and not torch.allclose(scores[0], scores[2])


class FoldInContract(RecommenderContract):
    """For models that learn a vector for each user and compute one from a history: near to it, but not the same."""

    @pytest.mark.parametrize("withheld", [(0, 0), (0, 6), (3, 5), (10, 2), (11, 7)])
    def test_the_withheld_item_comes_first(self, withheld):
        user, item = withheld
        assert self.fitted(self.board(withheld)).recommend(tensor([user]), 1).item() == item

    @pytest.mark.parametrize("withheld", [(0, 0), (3, 5)])
    def test_the_withheld_item_comes_first_for_a_history_as_well(self, withheld):
        train = self.board(withheld)
        user, item = withheld
        scores = self.fitted(train).scores(tensor([user]), history=train)
        assert scores.masked_fill(train.dense(tensor([user])), -torch.inf).argmax().item() == item

    def test_the_same_history_gives_the_same_scores_whoever_the_user_is(self):
        model, train = self.fitted(), uneven()
        mine = train.users == 5
        zeros = torch.zeros(int(mine.sum()), dtype=torch.int64)
        history = Interactions(zeros, train.items[mine], train.ratings[mine], train.times[mine], 1, N_ITEMS)
        torch.testing.assert_close(model.scores(tensor([0]), history), model.scores(tensor([5]), train))

    def test_an_empty_history_is_not_the_training_events(self):
        model, nothing = self.fitted(), Interactions.from_events([], [], n_users=N_USERS, n_items=N_ITEMS)
        scores = model.scores(tensor([5, 3]), history=nothing)
        assert scores.isfinite().all()
        torch.testing.assert_close(scores[0], scores[1])
        assert not torch.allclose(scores[0], model.scores(tensor([5]))[0])


class TrainedContract:
    """For every model whose ``fit`` takes a validation score, beside one of the contracts above."""

    def short(self, **changes) -> Recommender:
        return self.model(**{**self.settings, "epochs": 8, **changes})

    def test_another_seed_gives_other_scores(self):
        users = torch.arange(N_USERS)
        scores = [self.short(seed=seed).fit(uneven()).scores(users) for seed in (0, 0, 1)]
        assert torch.equal(*scores[:2]) and not torch.equal(*scores[1:])

    def test_validation_stops_training_and_the_best_epoch_is_kept(self):
        model, users, seen = self.short(), torch.arange(N_USERS), []

        def score() -> float:
            seen.append(model.scores(users))
            return {3: 0.9}.get(len(seen), 0.1)

        model.fit(uneven(), score=score, patience=2)
        assert len(model.history_) == 5 and model.history_.best_epoch == 3
        assert torch.equal(model.scores(users), seen[2]) and not torch.equal(seen[2], seen[4])

    def test_an_interrupted_fit_goes_on_where_it_was(self, tmp_path):
        def rising(start: int, stop: int):
            epochs = iter(range(start, stop))
            return lambda: next(epochs)  # raises StopIteration in the epoch after

        users, path = torch.arange(N_USERS), tmp_path / "model.pt"
        whole = self.short().fit(uneven(), score=rising(0, 8))
        with pytest.raises(StopIteration):
            self.short().fit(uneven(), score=rising(0, 3), checkpoint=path)
        resumed = self.short().fit(uneven(), score=rising(3, 8), checkpoint=path)
        assert resumed.history_.loss == whole.history_.loss and resumed.history_.best_epoch == 8
        assert torch.equal(resumed.scores(users), whole.scores(users))


class RatingContract:
    """For every model that predicts ratings, beside one of the contracts above."""

    def board(self, withheld: tuple[int, int]) -> Interactions:
        """All ratings of the plain checkerboard are equal, so that nothing can be learnt from it: here they differ."""
        return rated_board(withheld)

    def test_a_prediction_is_one_finite_rating_for_each_pair_and_within_the_scale(self):
        users, items = torch.arange(N_USERS).repeat_interleave(N_ITEMS), torch.arange(N_ITEMS).repeat(N_USERS)
        ratings = self.fitted().predict(users, items)
        assert ratings.shape == users.shape and ratings.is_floating_point()
        assert ratings.min() >= 2 and ratings.max() <= 5  # the scale of the training events

    def test_all_equal_ratings_are_predicted_as_they_are(self):
        ratings = self.fitted(checkerboard(rating=3.0)).predict(tensor([0, 1, EVENTLESS]), tensor([0, 0, 3]))
        torch.testing.assert_close(ratings, torch.full((3,), 3.0))

    def test_a_user_or_item_without_a_rating_gets_a_number(self):
        train = Interactions.from_events([0, 1, 1], [0, 0, 1], [4, 2, 5], n_users=3, n_items=3)
        assert self.fitted(train).predict(tensor([2, 0, 2]), tensor([0, 2, 2])).isfinite().all()

    def test_a_pair_that_does_not_exist_is_refused_in_a_sentence(self):
        with pytest.raises(ValueError, match="users must lie in 0 to 12, got 0 to 13"):
            self.fitted().predict(tensor([0, N_USERS]), tensor([0, 0]))
        with pytest.raises(ValueError, match="items must lie in 0 to 7, got -1 to 0"):
            self.fitted().predict(tensor([0, 0]), tensor([0, -1]))


def recommender(model: type[Recommender], **settings) -> type:
    """The contract of a model that is the same for everybody, built with these settings."""
    return type(f"Test{model.__name__}", (RecommenderContract,), {"model": model, "settings": settings})


def personalised(model: type[Recommender], **settings) -> type:
    """The contract of a model that learns each user's taste, built with these settings."""
    return type(f"Test{model.__name__}", (PersonalisedContract,), {"model": model, "settings": settings})


def sequential(model: type[Recommender], **settings) -> type:
    """The contract of a model that reads the order of a history, built with these settings."""
    return type(f"Test{model.__name__}", (SequentialContract,), {"model": model, "settings": settings})


def folds_in(model: type[Recommender], **settings) -> type:
    """The contract of a model with a learnt vector for each user, built with these settings."""
    return type(f"Test{model.__name__}", (FoldInContract,), {"model": model, "settings": settings})


def rates(contract: type) -> type:
    """A contract and the one on ratings: ``TestMF = rates(folds_in(MF, dim=4))``."""
    return type(contract.__name__, (RatingContract, contract), {})


def trained(contract: type) -> type:
    """A contract and the one on validation and resuming: ``TestSASRec = trained(sequential(SASRec, dim=16))``."""
    return type(contract.__name__, (TrainedContract, contract), {})
