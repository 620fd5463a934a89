"""What the answer to D02 (BPR, binary cross-entropy or softmax) states."""

import numpy as np
import torch
import torch.nn.functional as F

from recsys_course import claim, claim_value, losses, metrics
from recsys_course.base import Recommender
from recsys_course.sampling import Negatives


def test_bpr_bounds_the_share_of_wrongly_ordered_pairs():
    draw = torch.Generator().manual_seed(0)
    gaps = []
    for _ in range(50):
        liked, others = torch.randn(4, generator=draw), torch.randn(60, generator=draw)
        scores, positive = torch.cat([liked, others]), torch.arange(64) < 4
        auc = metrics.auc(scores, positive)
        loss = float(losses.bpr_loss(liked, others.expand(4, 60))) / np.log(2)
        gaps.append(loss - (1 - float(auc)))
    claim(
        "D02.auc-bound",
        "BPR's loss over log 2 is never below 1 - AUC, the share of wrongly ordered pairs",
        min(gaps) > 0,
    )


def test_the_better_auc_can_have_the_worse_ndcg():
    """Two liked items among 100: ranks 1 and 60, or ranks 12 and 13."""
    found = {}
    for name, ranks in (("split", (1, 60)), ("middle", (12, 13))):
        scores = -torch.arange(100.0)
        positive = torch.zeros(100, dtype=torch.bool)
        positive[[rank - 1 for rank in ranks]] = True
        hits, n = positive[scores.argsort(descending=True)][None, :10], torch.tensor([2])
        found[name] = float(metrics.auc(scores, positive)), float(metrics.ndcg(hits, n))
    claim(
        "D02.auc-not-ndcg",
        "Two liked items at ranks 1 and 60 of 100: AUC 0.70, NDCG@10 0.61; at ranks 12 and 13: AUC 0.89, NDCG@10 0",
        abs(found["split"][0] - 0.70) < 0.005
        and abs(found["split"][1] - 0.61) < 0.005
        and abs(found["middle"][0] - 0.89) < 0.005
        and found["middle"][1] == 0,
    )


def test_one_negative_makes_binary_cross_entropy_overconfident():
    """An item that a user takes with probability 0.01, 10,000 items, uniform negatives; one free score."""
    found = {}
    for n in (1, 100):
        score, taken, drawn = 0.0, 0.01, n / 10_000
        for _ in range(20_000):
            chance = 1 / (1 + np.exp(-score))
            score += 20 * (taken * (1 - chance) - drawn * chance)  # minus the gradient of the expected loss
        found[n] = 1 / (1 + np.exp(-score))
    odds = found[100] / (1 - found[100])
    claim(
        "D02.overconfident",
        "An item taken with probability 0.01 among 10,000 is predicted at 0.99 with one uniform negative, at 0.5 "
        "with 100",
        abs(found[1] - 0.99) < 0.001 and abs(found[100] - 0.5) < 0.001,
    )
    claim(
        "D02.undo",
        "The odds times n q give the probability back: 1 times 100 / 10,000 is 0.01",
        abs(odds * 100 / 10_000 - 0.01) < 1e-4,
    )


def test_softmax_pushes_the_negative_that_stands_highest():
    """The target at 3, one negative at 6, 99 at 0: which share of all push goes to the one?"""
    share = {}
    for name in ("softmax", "bpr"):
        target, negatives = torch.tensor([3.0]), torch.zeros(1, 100)
        negatives[0, 0] = 6.0
        negatives.requires_grad_()
        loss = (
            losses.sampled_softmax_loss(target, negatives) if name == "softmax" else losses.bpr_loss(target, negatives)
        )
        push = torch.autograd.grad(loss, negatives)[0][0]
        share[name] = float(push[0] / push.sum())
    claim(
        "D02.hard-push",
        "One negative three above the target and 99 three below: softmax puts 80 % of its push on the one, BPR 17 %",
        abs(share["softmax"] - 0.80) < 0.01 and abs(share["bpr"] - 0.17) < 0.01,
    )


def test_sampled_softmax_comes_up_to_the_full_one():
    draw = torch.Generator().manual_seed(0)
    scores = 2 * torch.randn(1, 10_000, generator=draw)
    full = float(losses.softmax_loss(scores, torch.tensor([0])))
    short = {}
    for n in (10, 100, 1_000):
        items = torch.randint(1, 10_000, (2_000, n), generator=draw)
        log_q = torch.tensor(1 / 9_999).log().expand(n)
        sampled = losses.sampled_softmax_loss(scores[0, :1].expand(2_000), scores[0][items], log_q)
        short[n] = full - float(sampled)
    claim(
        "D02.sampled-softmax",
        "10,000 items, normal scores of deviation 2: the corrected sampled loss is too small by 0.63 with 10 "
        "negatives, 0.14 with 100, 0.04 with 1,000",
        abs(short[10] - 0.63) < 0.05 and abs(short[100] - 0.14) < 0.02 and abs(short[1_000] - 0.035) < 0.01,
    )


class Factors(Recommender):
    """A dot product and an item bias, trained by Adagrad on one of the losses."""

    def __init__(self, loss, n_negatives, penalty, dim=32, epochs=8):
        self.loss, self.n_negatives, self.penalty, self.dim, self.epochs = loss, n_negatives, penalty, dim, epochs

    def fit(self, train):
        self.train_, likes = train, train.positives()
        generator, negatives = torch.Generator().manual_seed(0), Negatives(likes)
        users = 0.1 * torch.randn(train.n_users, self.dim + 1, generator=generator)
        items = 0.1 * torch.randn(train.n_items, self.dim + 1, generator=generator)
        users[:, -1], items[:, -1] = 1, 0  # the last number of an item is its bias
        sides = [users.requires_grad_(), items.requires_grad_()]
        squares = [torch.full_like(side, 0.01) for side in sides]
        for _ in range(self.epochs):
            for rows in torch.randperm(len(likes), generator=generator).split(1024):
                drawn = negatives.draw(likes.users[rows].repeat_interleave(self.n_negatives), generator)
                self.step(sides, squares, likes.users[rows], likes.items[rows], drawn.view(len(rows), -1))
        self.users_, self.items_ = (side.detach() for side in sides)
        return self

    def step(self, sides, squares, users, liked, drawn):
        vectors = sides[0][users]
        targets, others = (vectors * sides[1][liked]).sum(1), (sides[1][drawn] @ vectors[:, :, None]).squeeze(2)
        norm = sides[0][:, :-1].square().sum() + sides[1].square().sum()
        loss = len(users) * self.loss(targets, others) + self.penalty * norm
        for side, square, gradient in zip(sides, squares, torch.autograd.grad(loss, sides), strict=True):
            with torch.no_grad():
                if side is sides[0]:
                    gradient[:, -1] = 0
                square += gradient**2
                side -= 0.1 * gradient / square.sqrt()

    def scores(self, users, history=None):
        return self.users_[users] @ self.items_.T


def binary(targets, negatives):
    return -F.logsigmoid(targets).mean() - F.logsigmoid(-negatives).sum(1).mean()


def ndcg(split, *settings):
    return metrics.evaluate(Factors(*settings).fit(split.train), split.test).mean("ndcg")


def test_with_one_negative_bpr_and_binary_cross_entropy_tie(random_splits, popular_results):
    bpr, bce = ndcg(random_splits[0], losses.bpr_loss, 1, 0.01), ndcg(random_splits[0], binary, 1, 0.01)
    claim(
        "D02.one-negative",
        "One random split, 32 dimensions, eight epochs, NDCG@10: BPR and binary cross-entropy with one negative 0.305, "
        "popularity 0.17",
        abs(bpr - 0.305) < 0.015 and abs(bce - 0.305) < 0.015 and abs(popular_results[0].mean("ndcg") - 0.17) < 0.007,
    )


def test_bpr_with_eight_negatives(random_splits):
    found = ndcg(random_splits[0], losses.bpr_loss, 8, 0.01)
    claim_value("D02.bpr-8", found, 0.337, 0.012, "the same with 8 negatives: BPR's NDCG@10")


def test_binary_cross_entropy_with_eight_negatives(random_splits):
    found = ndcg(random_splits[0], binary, 8, 0.03)
    claim_value("D02.bce-8", found, 0.316, 0.012, "the same with 8 negatives: NDCG@10 of binary cross-entropy")


def test_sampled_softmax_with_eight_negatives(random_splits):
    found = ndcg(random_splits[0], losses.sampled_softmax_loss, 8, 0.05)
    claim_value("D02.softmax-8", found, 0.348, 0.012, "the same with 8 negatives: NDCG@10 of sampled softmax")
