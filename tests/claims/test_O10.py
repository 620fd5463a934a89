"""What the answer to O10 (is an explanation faithful?) states."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import svds
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from recsys_course import claim
from recsys_course.data.movielens import movielens


class Deletion:
    """EASE's first film for users with twenty likes or more, and what five explanations say about their likes."""

    def __init__(self, model, train):
        likes = torch.from_numpy(train.positives().matrix().toarray()).float()
        users = (likes.sum(1) >= 20).nonzero()[:, 0]
        self.likes, weights = likes[users], model.weights_
        scores = (self.likes @ weights).masked_fill(torch.from_numpy(train.matrix().toarray() > 0)[users], -9)
        self.first = scores.argmax(1)
        self.parts = self.likes * weights[:, self.first].T  # [n_users, n_items]
        draw = torch.Generator().manual_seed(0)
        noise = torch.rand(self.likes.shape, generator=draw)
        together = likes.T @ likes
        cosine = together / together.diag().clamp(min=1).outer(together.diag().clamp(min=1)).sqrt()
        self.said = {
            "parts": weights[:, self.first].T,
            "together": cosine[:, self.first].T,
            "famous": likes.sum(0).expand(len(users), -1),
            "genres": genres() @ genres()[self.first].T,
            "random": noise,
        }
        self.said["genres"] = self.said["genres"].T + 1e-6 * noise

    def area(self, name, insert=False):
        """Mean share of the score left over 0, 10 ... 100 % of the likes deleted, or inserted, for each user."""
        order = self.said[name].masked_fill(self.likes == 0, -9e9).argsort(1, descending=True)
        inserted = torch.cat([torch.zeros(len(order), 1), self.parts.gather(1, order).cumsum(1)], 1)
        full = self.parts.sum(1, keepdim=True)
        curve = inserted if insert else full - inserted
        steps = (torch.arange(11) / 10 * self.likes.sum(1, keepdim=True)).round().long()
        return (curve.gather(1, steps) / full).mean(1)


def genres():
    """A film's row of genres, of length 1."""
    rows = movielens().items["genres"]
    names = sorted({name for row in rows for name in row})
    table = torch.tensor([[float(name in row) for name in names] for row in rows])
    return torch.nn.functional.normalize(table, dim=1)


@pytest.fixture(scope="module")
def deletion(ease, random_splits):
    return Deletion(ease[0], random_splits[0].train)


def test_deletion_curves_order_explanations(deletion):
    area = {name: deletion.area(name) for name in deletion.said}
    found = {name: float(a.mean()) for name, a in area.items()}
    stated = {"parts": 0.01, "together": 0.14, "famous": 0.27, "genres": 0.40, "random": 0.50}
    gaps = [area["random"] - area[name] for name in stated if name != "random"]
    claim(
        "O10.deletion",
        "EASE, one random split, 621 users, mean share of the score left while likes are deleted: 0.01 in the order of "
        "the model's own parts, 0.14 by co-liking, 0.27 the most popular first, 0.40 by shared genres, 0.50 at random; "
        "the intervals of the gaps to random are within 0.02",
        len(deletion.first) == 621
        and all(abs(found[name] - stated[name]) < 0.02 for name in stated)
        and all(float(1.96 * g.std() / len(g) ** 0.5) < 0.02 < float(g.mean()) for g in gaps),
    )
    gap = area["random"] - area["genres"]
    users = (1.96 * float(gap.std()) / float(gap.mean())) ** 2
    claim(
        "O10.users",
        "The gap between genres and random is 0.11 and seen with a paired interval on 10 users",
        abs(float(gap.mean()) - 0.107) < 0.015 and users < 10,
    )


def test_insertion_of_a_linear_model_says_the_same(deletion, ease):
    half = (torch.rand(deletion.likes.shape, generator=torch.Generator().manual_seed(1)) < 0.5) * deletion.likes
    score = lambda likes: (likes * ease[0].weights_[:, deletion.first].T).sum(1)  # noqa: E731
    claim(
        "O10.insertion",
        "In EASE the score of some likes and the score of the others add up to the score of all: deletion and "
        "insertion in one order are the same curve",
        torch.allclose(score(half) + score(deletion.likes - half), deletion.parts.sum(1), atol=1e-4)
        and float((deletion.area("genres") + deletion.area("genres", insert=True) - 1).abs().max()) < 1e-3,
    )


def test_an_explanation_that_ignores_the_model(deletion, ease):
    weights = ease[0].weights_
    shuffled = weights[:, torch.randperm(weights.shape[1], generator=torch.Generator().manual_seed(0))]
    agreement = []
    for row in range(0, len(deletion.first), 10):
        old, new = (table[deletion.likes[row] > 0, deletion.first[row]] for table in (weights, shuffled))
        if new.any():  # the column that was drawn may be that of a film nobody likes
            agreement.append(spearmanr(old, new).statistic)
    claim(
        "O10.randomised",
        "With the columns of EASE's weights shuffled the order by parts keeps a rank correlation below 0.2 with the "
        "old one, mean over users; the order by genres reads no weight and stays as it is",
        abs(float(np.mean(agreement))) < 0.2 and len(agreement) > 40,
    )


class Concept:
    """Vectors of the films with twenty likes or more (32 directions of the likes), and one genre."""

    def __init__(self, train, genre="Children's"):
        likes = train.positives().matrix().astype(float)
        users, sizes, films = svds(likes, k=32, v0=np.ones(min(likes.shape)))
        self.users, self.films = users, films.T * sizes
        self.kept = np.flatnonzero(np.asarray(likes.sum(0)).ravel() >= 20)
        self.seen = train.matrix().toarray() > 0
        self.has = np.array([genre in row for row in movielens().items["genres"]])
        self.unit = self.films[self.kept] / np.linalg.norm(self.films[self.kept], axis=1, keepdims=True)
        half = np.random.default_rng(0).permutation(len(self.kept))
        self.parts = half[: len(half) // 2], half[len(half) // 2 :]

    def auc(self, labels):
        """Of a linear probe, on the half it was fitted on and on the other."""
        fitted, held = self.parts
        probe = LogisticRegression(C=10, max_iter=1000).fit(self.unit[fitted], labels[fitted])
        return [roc_auc_score(labels[rows], probe.decision_function(self.unit[rows])) for rows in (fitted, held)]

    def direction(self, labels):
        weights = LogisticRegression(C=10, max_iter=1000).fit(self.unit, labels).coef_[0]
        return weights / np.linalg.norm(weights)

    def share(self, direction, step):
        """Of the genre in the first ten once every user is moved by a share of their length."""
        moved = self.users + step * np.linalg.norm(self.users, axis=1, keepdims=True) * direction
        top = np.argpartition(np.where(self.seen, np.inf, -(moved @ self.films.T)), 10, 1)[:, :10]
        return self.has[top].mean()


@pytest.fixture(scope="module")
def concept(random_splits):
    return Concept(random_splits[0].train)


def test_a_direction_needs_its_control(concept):
    draw, labels = np.random.default_rng(0), concept.has[concept.kept]
    real, shuffled = concept.auc(labels), np.array([concept.auc(draw.permutation(labels)) for _ in range(10)])
    claim(
        "O10.concept",
        "36 children's films among 569, vectors of 32 numbers: a linear probe has AUC 0.95 on held-out films; with "
        "shuffled labels, ten times, 0.86 on the films it was fitted on and 0.5 on held-out ones",
        (labels.sum(), len(labels)) == (36, 569)
        and abs(real[1] - 0.95) < 0.03
        and abs(shuffled[:, 0].mean() - 0.86) < 0.04
        and abs(shuffled[:, 1].mean() - 0.5) < 0.07,
    )


def test_and_the_model_has_to_use_it(concept):
    draw, labels = np.random.default_rng(0), concept.has[concept.kept]
    control = [concept.share(concept.direction(draw.permutation(labels)), 0.25) for _ in range(10)]
    claim(
        "O10.used",
        "Users moved by a quarter of their length along that direction: children's films go from 4 % to 13 % of the "
        "first ten, along ten directions of shuffled labels never above 7 %",
        abs(concept.share(0, 0) - 0.040) < 0.005
        and abs(concept.share(concept.direction(labels), 0.25) - 0.126) < 0.015
        and max(control) < 0.07,
    )
