"""Rankers: what each must do, and the worlds in which one of them must see what another cannot."""

import inspect
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn, tensor

from recsys_course.metrics import auc
from recsys_course.ranking import (
    DCN,
    DIN,
    ESMM,
    FM,
    ItemRate,
    Logistic,
    MMoE,
    SharedBottom,
    Trees,
    click_loss,
    esmm_loss,
    fm_crosses,
    target_attention,
)
from recsys_course.simulate import Feed, Impressions

FEED = Feed(torch.eye(6, dtype=torch.bool).repeat(5, 1), n_users=100)
LOG = FEED.log(30)
TRAIN, TEST = LOG[LOG.times < 24], LOG[LOG.times >= 24]
TRUTH = {"appeal", "liked", "worth", "examined"}


class RankerContract:
    """For every ranker, the click rate of the film included."""

    model: type
    settings: dict

    def make(self):
        return self.model(**self.settings)

    def test_constructor_arguments_are_stored_untouched(self):
        parameters = inspect.signature(self.model).parameters
        expected = {name: self.settings.get(name, p.default) for name, p in parameters.items()}
        model = self.make()
        assert vars(model) == expected
        assert model.fit(TRAIN) is model
        assert {name: getattr(model, name) for name in expected} == expected
        assert all(name.endswith("_") for name in vars(model).keys() - expected.keys())

    def test_predictions_are_one_probability_a_row(self):
        p = self.make().fit(TRAIN).predict(TEST)
        assert p.shape == (len(TEST),) and p.dtype == torch.float32
        assert ((p > 0) & (p < 1)).all()

    def test_it_orders_better_than_chance_and_not_better_than_the_truth(self):
        value = auc(self.make().fit(TRAIN).predict(TEST), TEST.liked > 0)
        assert 0.55 < value < auc(TEST.appeal, TEST.liked > 0)

    def test_predicted_clicks_are_about_as_many_as_there_are(self):
        assert self.make().fit(TRAIN).predict(TEST).mean() == pytest.approx(float(TEST.clicks.mean()), rel=0.2)

    def test_a_batch_equals_one_by_one(self):
        model, few = self.make().fit(TRAIN), TEST[:20]
        torch.testing.assert_close(model.predict(few), torch.cat([model.predict(few[n : n + 1]) for n in range(20)]))

    def test_same_seed_same_result_and_the_global_generator_is_left_alone(self):
        torch.manual_seed(3)
        before = torch.random.get_rng_state()
        first = self.make().fit(TRAIN).predict(TEST)
        assert torch.equal(before, torch.random.get_rng_state())
        assert torch.equal(first, self.make().fit(TRAIN).predict(TEST))

    def test_the_truth_beside_the_rows_is_never_read(self):
        blind = replace(TRAIN, **dict.fromkeys(TRUTH, torch.full((len(TRAIN),), torch.nan)))
        asked = replace(TEST, **dict.fromkeys([*TRUTH, "clicks"], torch.full((len(TEST),), torch.nan)))
        assert torch.equal(self.make().fit(blind).predict(asked), self.make().fit(TRAIN).predict(TEST))

    def test_it_learns_the_labels_it_is_given(self):
        labels = (TRAIN.items % 3 == 0).float()
        given = torch.stack([labels, labels], dim=1) if issubclass(self.model, SharedBottom) else labels
        assert auc(self.make().fit(TRAIN, given).predict(TEST), TEST.items % 3 == 0) > 0.7

    def test_a_user_and_a_film_without_training_and_an_empty_history_get_an_answer(self):
        known = TRAIN[(TRAIN.users > 0) & (TRAIN.items > 0)]
        new = replace(TEST[:1], fields=tensor([[0, 0, 0, 0]]), history=torch.full((1, 10), 30))
        assert 0 < self.make().fit(known).predict(new) < 1

    def test_it_says_when_it_has_not_learnt_or_cannot(self):
        with pytest.raises(ValueError, match="has not learnt yet"):
            self.make().predict(TEST)
        with pytest.raises(ValueError, match="there must be rows"):
            self.make().fit(TRAIN[:0])
        with pytest.raises(ValueError, match=r"labels must be"):
            self.make().fit(TRAIN, torch.zeros(3))


def ranker(model: type, **settings) -> type:
    return type(f"Test{model.__name__}", (RankerContract,), {"model": model, "settings": settings})


SMALL = {"dim": 4, "batch_size": 256, "learning_rate": 0.02}
TestItemRate = ranker(ItemRate)
TestLogistic = ranker(Logistic, positions=True)
TestTrees = ranker(Trees, n_trees=20)
TestFM = ranker(FM, **SMALL)
TestDCN = ranker(DCN, **SMALL)
TestDIN = ranker(DIN, **SMALL, positions=True)
TestSharedBottom = ranker(SharedBottom, **SMALL)
TestMMoE = ranker(MMoE, **SMALL)
TestESMM = ranker(ESMM, **SMALL)


# --- by hand


def pair_loop(vectors: Tensor) -> Tensor:
    n = vectors.shape[1]
    return sum((vectors[:, i] * vectors[:, j]).sum(1) for i in range(n) for j in range(i + 1, n))


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(2, 7), st.integers(1, 5))
def test_crosses_in_linear_time_equal_the_loop_over_all_pairs(seed, batch, n, dim):
    vectors = torch.randn(batch, n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    torch.testing.assert_close(fm_crosses(vectors), pair_loop(vectors))


def test_crosses_by_hand():
    """1 * 2 + 1 * 3 + 2 * 3 = 11; one vector alone has no pair."""
    assert fm_crosses(tensor([[[1.0], [2.0], [3.0]]])).item() == 11
    assert fm_crosses(tensor([[[5.0, 1.0]]])).item() == 0


class Product(nn.Module):
    """Weight of a film: its inner product with the candidate."""

    def forward(self, x: Tensor) -> Tensor:
        return x.chunk(4, dim=-1)[3].sum(-1, keepdim=True)


def test_target_attention_by_hand_sums_without_normalising():
    """Weights 2 and 0 of two films: twice the first; a third like the first doubles the sum."""
    candidate, history = tensor([[1.0, 0.0]]), tensor([[[2.0, 1.0], [0.0, 4.0], [2.0, 1.0]]])
    assert target_attention(candidate, history[:, :2], torch.ones(1, 2).bool(), Product()).tolist() == [[4, 2]]
    assert target_attention(candidate, history, torch.ones(1, 3).bool(), Product()).tolist() == [[8, 4]]


def test_target_attention_hands_over_candidate_film_difference_and_product_in_this_order():
    seen = []
    target_attention(tensor([[5.0]]), tensor([[[2.0]]]), tensor([[True]]), lambda x: seen.append(x) or x[..., :1])
    assert seen[0].tolist() == [[[5, 2, 3, 10]]]


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_filler_never_counts_and_a_history_of_filler_alone_gives_zeros(seed):
    generator = torch.Generator().manual_seed(seed)
    candidate, history = torch.randn(3, 4, generator=generator), torch.randn(3, 5, 4, generator=generator)
    real = torch.arange(5) >= tensor([[5], [3], [0]])  # no film, two, five
    found = target_attention(candidate, history, real, Product())
    changed = torch.where(real.unsqueeze(2), history, 99.0)
    assert torch.equal(found, target_attention(candidate, changed, real, Product()))
    assert (found[0] == 0).all() and (found[2] != 0).any()


def test_click_loss_of_plain_labels_is_cross_entropy_and_is_linear_in_the_label():
    logits, labels = tensor([0.3, -2.0, 1.5]), tensor([1.0, 0.0, 1.0])
    torch.testing.assert_close(
        click_loss(logits, labels), nn.functional.binary_cross_entropy_with_logits(logits, labels)
    )
    halves = (click_loss(logits, 4 * labels) + click_loss(logits, 0 * labels)) / 2
    torch.testing.assert_close(click_loss(logits, 2 * labels), halves)


def test_a_click_divided_by_the_chance_of_a_look_has_the_appeal_as_its_mean():
    labels = TRAIN.clicks / TRAIN.examined
    error = (labels - TRAIN.appeal).double()
    assert abs(error.mean()) < 4 * error.std() / len(error) ** 0.5


def test_esmm_loss_by_hand_sees_every_row_and_stays_finite():
    """Chances 1/2 and 1/2, so 1/4 together: a click without a purchase costs log 2 and log 4/3."""
    zero, one = torch.zeros(1), torch.ones(1)
    assert esmm_loss(zero, zero, one, zero).item() == pytest.approx(0.6931 + 0.2877, abs=1e-4)
    assert esmm_loss(zero, zero, one, one).item() == pytest.approx(0.6931 + 1.3863, abs=1e-4)
    purchase = torch.zeros(1, requires_grad=True)
    esmm_loss(zero, purchase, zero, zero).backward()
    assert purchase.grad.item() > 0, "a row without a click taught the purchase nothing"
    for logit in (-90.0, 90.0):
        extreme = torch.full((1,), logit, requires_grad=True)
        loss = esmm_loss(extreme, extreme, zero, zero)
        loss.backward()
        assert loss.isfinite() and extreme.grad.isfinite().all()


def test_a_shared_bottom_learns_the_purchase_from_clicked_rows_alone():
    logits = torch.zeros(2, 2, requires_grad=True)
    SharedBottom().loss(logits, tensor([[0.0, 0.0], [1.0, 1.0]])).backward()
    assert logits.grad[0, 1] == 0 and logits.grad[1, 1] < 0


def test_a_films_rate_is_drawn_towards_the_mean_by_hand():
    """Film 0: 1 of 1, film 1: 0 of 3. Mean 1/4, worth 4 rows: 2/5 and 1/7; film 2, never shown, has the mean."""
    rows = replace(TRAIN[:4], fields=tensor([[0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]]))
    model = ItemRate(strength=4).fit(rows, tensor([1.0, 0, 0, 0]))
    asked = replace(TEST[:3], fields=tensor([[0, 0, 0, 0], [0, 1, 0, 0], [0, 2, 0, 0]]))
    assert model.predict(asked).tolist() == pytest.approx([2 / 5, 1 / 7, 1 / 4])


def test_a_cross_layer_multiplies_with_the_first_vectors_and_adds_what_came_in():
    """With W = 0 and b = 1 each layer adds the first vectors once more: three times after two layers."""
    network = DCN(**SMALL).network(TRAIN)
    for layer in network.crosses:
        nn.init.zeros_(layer.weight)
        nn.init.ones_(layer.bias)
    columns = TEST[:5].fields, TEST[:5].numbers, TEST[:5].history
    first = network.features.with_mean(*columns).flatten(1)
    torch.testing.assert_close(network(*columns), network.deep(3 * first))


# --- worlds that one ranker sees and another does not


def planted(rows: Impressions, chance: Tensor, seed: int, **changes) -> Impressions:
    """The same rows, clicked with another chance."""
    return replace(rows, clicks=torch.bernoulli(chance, generator=torch.Generator().manual_seed(seed)), **changes)


def cross_of(rows: Impressions, seed: int = 0) -> Impressions:
    """Users with even numbers click films with even ones, odd users odd ones: nothing but a cross."""
    fits = (rows.users + rows.items) % 2 == 0
    return planted(rows, torch.where(fits, 0.5, 0.1), seed, numbers=torch.zeros_like(rows.numbers))


def seen_before(rows: Impressions, seed: int) -> Impressions:
    """A film is clicked if it stands in a history of ten random films."""
    generator = torch.Generator().manual_seed(seed)
    history = torch.randint(30, (len(rows), 10), generator=generator)
    return planted(rows, torch.where((history == rows.items[:, None]).any(1), 0.5, 0.1), seed, history=history)


def fitted_auc(model, make, **settings) -> float:
    rows = make(TEST, 2)
    return auc(model(**settings).fit(make(TRAIN, 1)).predict(rows), rows.clicks > 0)


def test_a_machine_that_crosses_sees_who_fits_whom_and_a_straight_line_does_not():
    assert fitted_auc(Logistic, cross_of) < 0.55
    assert fitted_auc(FM, cross_of, **SMALL | {"epochs": 8}) > 0.65
    assert fitted_auc(DCN, cross_of, **SMALL | {"epochs": 8}) > 0.65


def test_target_attention_finds_the_film_in_the_history_and_the_mean_does_not():
    small = SMALL | {"dim": 8, "epochs": 6}
    assert fitted_auc(DIN, seen_before, **small) > 0.67
    assert fitted_auc(FM, seen_before, **small) < 0.6


@pytest.mark.parametrize("make", [Logistic, Trees, FM])
def test_with_the_position_as_a_feature_a_row_is_worth_more_at_the_top(make):
    model = make(positions=True).fit(TRAIN)
    low = TEST[TEST.positions == 7]
    assert model.predict(low.at_top()).mean() > 2 * model.predict(low).mean()
    blind = make().fit(TRAIN)
    assert torch.equal(blind.predict(low.at_top()), blind.predict(low))


def test_before_training_a_network_says_the_mean_of_each_goal():
    model = SharedBottom(epochs=1, learning_rate=1e-9).fit(TRAIN)
    means = TRAIN.clicks.mean(), TRAIN.conversions.sum() / TRAIN.clicks.sum()
    assert model.probabilities(TEST).mean(0).tolist() == pytest.approx([float(m) for m in means], rel=0.25)


@pytest.mark.parametrize("make", [Logistic, Trees])
def test_baselines_refuse_weighted_clicks(make):
    with pytest.raises(ValueError, match="takes labels 0 and 1 alone"):
        make().fit(TRAIN, TRAIN.clicks / TRAIN.examined)


def test_goals_are_clicks_and_purchases_side_by_side():
    model = MMoE(**SMALL).fit(TRAIN)
    both = model.probabilities(TEST)
    assert both.shape == (len(TEST), 2) and torch.equal(both[:, 0], model.predict(TEST))
    assert auc(both[:, 1], TEST.worth > TEST.worth.median()) > 0.55
    with pytest.raises(ValueError, match=r"labels must be clicks and purchases, \[n, 2\], got \[19200\]"):
        MMoE().fit(TRAIN, TRAIN.clicks)


def test_every_column_of_the_truth_is_known_to_this_test():
    assert {f.name for f in fields(Impressions)} >= TRUTH
