"""What the answer to O07 (is attention an explanation?) states: SASRec with one layer and one head, one seed."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import recsys_course.attention
from recsys_course import claim, data, metrics, models
from recsys_course.base import device
from recsys_course.data.sequences import histories

PLACES = 20


def interval(values):
    """Mean over users and half its 95 % interval."""
    values = np.asarray([float(v) for v in values])
    return values.mean(), 1.96 * values.std() / len(values) ** 0.5


class Case:
    """400 users with twenty likes read, and the film in first place for each."""

    def __init__(self, ratings):
        self.split = data.frozen_split(ratings, "last")
        self.model = models.SASRec(dim=32, n_layers=1, length=PLACES, epochs=8).fit(self.split.train)
        likes = self.model.likes_
        self.users = (likes.ptr.diff() >= PLACES).nonzero()[:400, 0]
        self.items = histories(likes, self.users, PLACES)
        self.seen = torch.from_numpy(self.split.train.matrix().toarray() > 0)[self.users]
        self.all = torch.ones(len(self.users), PLACES, dtype=torch.bool)
        self.blocks = self.model.network_.eval().blocks
        self.first = self.scores(self.all).argmax(1)

    def vectors(self, kept):
        """What is made of the likes that are kept; the others are hidden in place, so that no position moves."""
        inputs = self.model.network_.items(self.items.to(device()))
        places = torch.arange(PLACES, device=device()).expand(len(self.items), -1)
        return self.blocks(inputs, kept[:, None, None].to(device()), places=places)[:, -1].cpu()

    def score(self, kept):
        """Of the film that was first."""
        return (self.vectors(kept) * self.model.item_vectors()[self.first]).sum(1)

    @torch.no_grad()
    def scores(self, kept):
        return (self.vectors(kept) @ self.model.item_vectors().T).masked_fill(self.seen, -1e9)

    @torch.no_grad()
    def weights(self):
        """Where the last place looks, ``[n_users, places]``."""
        attention, heard = self.blocks.blocks[0].attention, {}
        hook = attention.register_forward_pre_hook(lambda _, inputs: heard.update(inputs=inputs))
        self.vectors(self.all)
        hook.remove()
        return attention.weights(*heard["inputs"])[:, 0, -1].cpu()

    @torch.no_grad()
    def effects(self):
        """How much the first film's score falls without each like, ``[n_users, places]``."""
        full, effects = self.score(self.all), torch.zeros(self.all.shape)
        for place in range(PLACES):
            kept = self.all.clone()
            kept[:, place] = False
            effects[:, place] = full - self.score(kept)
        return effects

    @torch.no_grad()
    def without(self, order):
        """The three earlier likes that come first in an order hidden: fall of the score, and whether another film
        is first, both ``[n_users]``."""
        kept = self.all.clone()
        kept[torch.arange(len(kept))[:, None], order[:, :-1].topk(3).indices] = False
        return self.score(self.all) - self.score(kept), (self.scores(kept).argmax(1) != self.first).float()


@pytest.fixture(scope="module")
def case(ratings):
    return Case(ratings)


def agreement(one, other):
    """Rank correlation over the places before the last, mean over users."""
    return interval(spearmanr(a[:-1], b[:-1]).statistic for a, b in zip(one.numpy(), other.numpy(), strict=True))


def test_attention_says_how_much_and_not_in_which_direction(case):
    weights, effects = case.weights(), case.effects()
    signed, size = agreement(weights, effects), agreement(weights, effects.abs())
    claim(
        "O07.direction",
        "SASRec, one layer, one seed, 400 users: the rank correlation of attention with the fall of the first film's "
        "score without that like is 0.0, with the size of its change 0.6; intervals within 0.05",
        abs(signed[0]) < 0.08 and abs(size[0] - 0.61) < 0.1 and max(signed[1], size[1]) < 0.05,
    )
    helps = float((effects[:, :-1].gather(1, weights[:, :-1].argmax(1, keepdim=True)) > 0).double().mean())
    claim(
        "O07.most-looked-at",
        "For 48 % of the users the earlier like that is looked at most speaks for the first film, for the rest against",
        abs(helps - 0.48) < 0.12,
    )


def test_deleting_what_it_looks_at(case):
    draw = torch.rand(case.all.shape, generator=torch.Generator().manual_seed(0))
    orders = {"effect": case.effects(), "attention": case.weights(), "random": draw}
    fall, changed = ({name: case.without(order)[n] for name, order in orders.items()} for n in (0, 1))
    more = interval(changed["attention"] - changed["random"])
    claim(
        "O07.deletion",
        "Without the three likes with most attention another film is first for 22 % of the users, without three random "
        "ones for 10 %; the difference is beyond the 95 % interval",
        abs(float(changed["attention"].mean()) - 0.22) < 0.06
        and abs(float(changed["random"].mean()) - 0.10) < 0.05
        and more[0] > more[1],
    )
    claim(
        "O07.less-than-effect",
        "The score falls by less than half as much as without the three likes with the largest effect of their own",
        float(fall["attention"].mean()) < 0.5 * float(fall["effect"].mean()),
    )


def test_uniform_attention_makes_other_lists(case, monkeypatch):
    top = case.scores(case.all).topk(10).indices
    real = metrics.evaluate(case.model, case.split.test)

    def uniform(queries, keys, values, mask, dropout):
        weights = mask.expand(len(queries), -1, queries.shape[2], keys.shape[2]).float()
        return weights / weights.sum(-1, keepdim=True).clamp(min=1) @ values

    monkeypatch.setattr(recsys_course.attention.F, "scaled_dot_product_attention", uniform)
    flat = case.scores(case.all).topk(10).indices
    even = metrics.evaluate(case.model, case.split.test)
    kept = interval(len(set(a) & set(b)) / 10 for a, b in zip(top.tolist(), flat.tolist(), strict=True))
    claim(
        "O07.uniform",
        "With equal weights for all likes, nothing trained again, 6 of 10 films stay in the list and NDCG@10 falls "
        "from 0.09 to 0.07",
        abs(kept[0] - 0.63) < 0.08
        and abs(real.mean("ndcg") - 0.087) < 0.01
        and real.mean("ndcg") > even.mean("ndcg") + 0.005,
    )


def test_a_weight_is_multiplied_by_what_stands_there():
    weights, values = torch.tensor([0.9, 0.1]), torch.tensor([0.01, 1.0])
    parts = weights * values
    claim(
        "O07.value",
        "Weights 0.9 and 0.1 on values that add 0.01 and 1 to the score: the second like gives 92 % of it",
        abs(float(parts[1] / parts.sum()) - 0.917) < 0.001,
    )


def test_two_maps_one_answer():
    values = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    one, other = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.0, 0.0, 1.0])
    claim(
        "O07.two-maps",
        "Three likes, the third halfway between the others: weights (.5, .5, 0) and (0, 0, 1) give the same output",
        torch.equal(one @ values, other @ values),
    )
