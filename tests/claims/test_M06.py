"""What the answer to M06 (fusing text, other content and behaviour) states; MovieLens has no pictures."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import svds
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from recsys_course import claim, metrics


def unit(table):
    return table / np.linalg.norm(table, axis=1, keepdims=True).clip(1e-9)


def alike(likes, vectors):
    """Mean cosine of each film to what a user likes: ``[n_users, n_films]``."""
    return likes @ (vectors @ vectors.T) / likes.sum(1, keepdims=True).clip(1)


class Fusion:
    """300 films of which 60 have no behaviour, every other user judged, the others' likes give the vectors.

    Three descriptions of a film: ``behaviour`` (32 directions of the likes of the users who are not judged), ``text``
    (MiniLM of title and genres) and ``labels`` (genres and year by hand). The weights of a fusion are learnt on a
    user's own likes: half of them as the profile, half as the answers.
    """

    def __init__(self, split, films, text, labels, ndcg):
        draw, self.ndcg_at_ten = np.random.default_rng(0), ndcg
        order = draw.permutation(300)  # the films come sorted by popularity, which would decide ties
        train, seen, hidden = (
            part.matrix().toarray()[:, films.items.numpy()[order]] > 0
            for part in (split.train.positives(), split.train, split.test.positives())
        )
        self.cold = draw.permutation(300) < 60
        judged = np.arange(len(train)) % 2 == 1
        _, size, right = svds((train[~judged] & ~self.cold).astype(float), k=32, v0=np.ones(300))
        text, labels = (part.numpy().astype(float)[order] for part in (text, labels))
        self.raw = {"behaviour": right.T * size, "text": text - text.mean(0), "labels": labels}
        self.vectors = {name: unit(table) for name, table in self.raw.items()}
        self.likes = (train[judged] & ~self.cold).astype(float)
        self.allowed, self.hidden = ~seen[judged], hidden[judged]
        self.profile = self.likes * (draw.random(self.likes.shape) < 0.5)
        self.answers = (self.likes > 0) & (self.profile == 0)
        self.asked = (self.profile == 0) & ~self.cold
        self.shuffled = draw.permutation(300)

    def features(self, likes, names, vectors=None):
        return np.stack([alike(likes, (vectors or self.vectors)[name]) for name in names], -1)

    def learn(self, names, vectors=None):
        table = self.features(self.profile, names, vectors)[self.asked]
        return LogisticRegression(C=1e3).fit(table, self.answers[self.asked])

    def late(self, names, vectors=None, fitted=None):
        """Log-odds by learnt weights of the parts."""
        fitted = fitted or self.learn(names, vectors)
        return self.features(self.likes, names, vectors) @ fitted.coef_[0] + fitted.intercept_[0]

    def ndcg(self, scores, films=True):
        return float(np.nanmean(self.ndcg_at_ten(scores, self.hidden, self.allowed & films)))

    def cold_share(self, scores):
        """Of the places in the first ten that films without behaviour get."""
        masked = np.where(self.allowed, scores, -np.inf)
        return float(self.cold[np.argsort(-masked, axis=1, kind="stable")[:, :10]].mean())


ALL = ("behaviour", "text", "labels")


@pytest.fixture(scope="module")
def fusion(random_splits, films, film_vectors, by_hand, ndcg_at_ten):
    return Fusion(random_splits[0], films, film_vectors[0], by_hand, ndcg_at_ten)


def test_each_alone_and_together(fusion, ndcg_at_ten):
    warm, cold = ~fusion.cold, fusion.cold
    single = {name: alike(fusion.likes, fusion.vectors[name]) for name in ALL}
    fused = fusion.late(ALL)
    claim(
        "M06.alone",
        "471 users, NDCG@10 among films with behaviour: behaviour alone 0.31, text alone 0.21, genres and year by hand "
        "0.15, all three with learnt weights 0.33",
        np.allclose([fusion.ndcg(s, warm) for s in (*single.values(), fused)], [0.312, 0.213, 0.149, 0.331], atol=0.008)
        and len(fusion.likes) == 471,
    )
    both = [ndcg_at_ten(s, fusion.hidden, fusion.allowed & warm) for s in (fused, single["behaviour"])]
    claim(
        "M06.gain",
        "Paired over the users, the learnt fusion is above behaviour alone",
        metrics.paired_bootstrap(*both).low > 0,
    )
    claim(
        "M06.cold-slice",
        "Among the 60 films without behaviour: behaviour alone 0.12, which is chance, text 0.34, genres and year 0.29",
        np.allclose([fusion.ndcg(s, cold) for s in single.values()], [0.121, 0.337, 0.287], atol=0.01)
        and abs(fusion.ndcg(np.random.default_rng(1).random(fused.shape), cold) - 0.122) < 0.01,
    )
    rest = fusion.late(("behaviour", "text"))
    claim(
        "M06.redundant",
        "Genres and year by hand beside text and behaviour: 0.331 after 0.326 among films with behaviour, since the "
        "text names the genres",
        abs(fusion.ndcg(rest, warm) - 0.326) < 0.006 and abs(fusion.ndcg(fused, warm) - 0.331) < 0.006,
    )


def test_concatenating_and_adding(fusion):
    warm, tables = ~fusion.cold, [fusion.vectors[name] for name in ALL]
    raw = [alike(fusion.likes, fusion.raw[name])[:, warm] for name in ALL]
    joined = alike(fusion.likes, np.hstack([fusion.raw[name] for name in ALL]))[:, warm]
    claim(
        "M06.concat-is-a-sum",
        "The inner product of concatenated vectors is the sum of the inner products; as they come, behaviour has over "
        "99 % of the variance of that sum",
        np.allclose(joined, sum(raw)) and raw[0].var() / sum(r.var() for r in raw) > 0.99,
    )
    even = fusion.ndcg(alike(fusion.likes, np.hstack(tables)), warm)
    claim(
        "M06.equal-weights",
        "Each part scaled to length 1 and concatenated: 0.30 among films with behaviour, below behaviour alone, 0.31",
        abs(even - 0.302) < 0.006 and even < fusion.ndcg(alike(fusion.likes, tables[0]), warm),
    )
    small = [unit(t @ np.random.default_rng(n).normal(size=(t.shape[1], 32))) for n, t in enumerate(tables)]
    small[0] = tables[0]
    turns = [np.linalg.qr(np.random.default_rng(n).normal(size=(32, 32)))[0] for n in range(3)]
    added = [fusion.ndcg(alike(fusion.likes, small[0] @ turn + small[1] + small[2]), warm) for turn in turns]
    claim(
        "M06.added",
        "The three parts in 32 dimensions each: concatenated 0.28; added, in axes that nobody aligned, 0.16 to 0.19",
        abs(fusion.ndcg(alike(fusion.likes, np.hstack(small)), warm) - 0.28) < 0.02
        and all(0.14 < a < 0.21 for a in added),
    )


def test_the_slice_that_is_empty():
    text, picture = torch.ones(1, 768), torch.ones(1, 768)
    rest = (text + picture)[:, 768:]
    with pytest.raises(RuntimeError, match="must match"):
        text + torch.ones(1, 512)
    claim(
        "M06.slice",
        "Two vectors of 768 added have 768 numbers, [:, 768:] of them none; vectors of 768 and 512 cannot be added at "
        "all; concatenated they are 1,280",
        rest.shape == (1, 0) and torch.cat([text, torch.ones(1, 512)], 1).shape == (1, 1280),
    )


def test_a_missing_part(fusion):
    cold = fusion.cold
    wanted = (fusion.hidden & fusion.allowed & cold).sum() / (fusion.hidden & fusion.allowed).sum()
    zeros = fusion.late(ALL)
    by_case = np.where(cold, fusion.late(("text", "labels")), zeros)
    claim(
        "M06.zeros",
        "A fifth of the films have no behaviour and hold 20 % of the hidden likes; with zeros for the missing part "
        "they get 0.1 % of the places",
        abs(wanted - 0.196) < 0.005 and fusion.cold_share(zeros) < 0.003,
    )
    claim(
        "M06.by-case",
        "With weights of their own for what is there they get 10 %; NDCG@10 over all films 0.293 after 0.298",
        abs(fusion.cold_share(by_case) - 0.097) < 0.02
        and np.allclose([fusion.ndcg(by_case), fusion.ndcg(zeros)], [0.293, 0.298], atol=0.006),
    )
    table = np.hstack([fusion.vectors["text"], np.ones((300, 1))])
    known = table[~cold]
    weights = np.linalg.solve(known.T @ known + np.eye(table.shape[1]), known.T @ fusion.vectors["behaviour"][~cold])
    filled = np.where(cold[:, None], unit(table @ weights), fusion.vectors["behaviour"])
    guessed = fusion.late(ALL, {**fusion.vectors, "behaviour": filled}, fusion.learn(ALL))
    near = filled @ filled[~cold].T
    n = int((~cold).sum())
    claim(
        "M06.smooth",
        "Mean cosine to the films with behaviour: of a guess 0.46, of measured behaviour to the others 0.33",
        abs(near[cold].mean() - 0.461) < 0.01 and abs((near[~cold].sum() - n) / n / (n - 1) - 0.332) < 0.01,
    )
    claim(
        "M06.filled",
        "Behaviour guessed from text by ridge and scaled to length 1: the films without behaviour get 93 % of the "
        "places, NDCG@10 over all films 0.12",
        abs(fusion.cold_share(guessed) - 0.925) < 0.03 and abs(fusion.ndcg(guessed) - 0.124) < 0.02,
    )


def test_a_part_that_was_dropped_in_training(fusion):
    dropped = np.random.default_rng(5).random(fusion.asked.shape) < 0.5

    def table(likes, there):
        parts = fusion.features(likes, ALL) * np.stack([there, np.ones_like(there), np.ones_like(there)], -1)
        return np.concatenate([parts, there[..., None], parts[..., 1:] * there[..., None]], -1)

    shown = table(fusion.profile, (~dropped).astype(float))[fusion.asked]
    asked = table(fusion.likes, np.broadcast_to(~fusion.cold, fusion.likes.shape).astype(float))
    answers = fusion.answers[fusion.asked]
    plain = LogisticRegression(C=1e3).fit(shown[:, :3], answers)
    masked = LogisticRegression(C=1e3).fit(shown, answers)
    found = {"plain": asked[..., :3] @ plain.coef_[0], "masked": asked @ masked.coef_[0]}
    claim(
        "M06.dropout",
        "Behaviour dropped from half of the training rows: without a mark for it 0.30 among films with behaviour, 0.33 "
        "before; with the mark, and weights that depend on it, 0.33, and 10 % of the places for films without",
        abs(fusion.ndcg(found["plain"], ~fusion.cold) - 0.297) < 0.01
        and abs(fusion.ndcg(found["masked"], ~fusion.cold) - 0.328) < 0.008
        and abs(fusion.cold_share(found["masked"]) - 0.105) < 0.02,
    )


def test_the_shuffled_control(fusion):
    warm, full = ~fusion.cold, fusion.learn(ALL)
    mixed = {**fusion.vectors, "text": fusion.vectors["text"][fusion.shuffled]}
    again, without = fusion.learn(ALL, mixed), fusion.late(("behaviour", "labels"))
    scores = [fusion.late(ALL), fusion.late(ALL, mixed, full), fusion.late(ALL, mixed, again), without]
    claim(
        "M06.shuffled",
        "Text handed to the wrong films: 0.315 instead of 0.331 with the old weights; learnt again its weight falls "
        "from 1.4 to 0.1, and the result, 0.325, is that without text, 0.322",
        np.allclose([fusion.ndcg(s, warm) for s in scores], [0.331, 0.315, 0.325, 0.322], atol=0.006)
        and abs(full.coef_[0, 1] - 1.44) < 0.15
        and abs(again.coef_[0, 1]) < 0.2,
    )


def test_training_fit_does_not_know_the_difference(fusion):
    """One weight for each of 416 products of coordinates: early fusion. A third of the users teach."""
    found = {}
    for name, order in {"true": np.arange(300), "shuffled": fusion.shuffled, "none": None}.items():
        items = fusion.vectors["behaviour"]
        if order is not None:
            items = np.hstack([items, fusion.vectors["text"][order]])
        mean = lambda likes: 100 * likes @ items / likes.sum(1, keepdims=True).clip(1)  # noqa: E731, B023
        user, film = np.nonzero(fusion.asked & (np.arange(471) % 3 == 1)[:, None])
        products, answers = mean(fusion.profile)[user] * items[film], fusion.answers[user, film]
        fitted = Ridge(alpha=1000).fit(products, answers)
        scores = (mean(fusion.likes) * fitted.coef_) @ items.T
        auc = roc_auc_score(answers, fitted.predict(products))
        found[name] = auc, fusion.ndcg(scores, ~fusion.cold), fusion.ndcg(scores, fusion.cold)
    aucs = [found[name][0] for name in ("none", "true", "shuffled")]
    claim(
        "M06.early",
        "Early fusion, a weight for each of 416 products: the AUC in training is 0.755 without texts, 0.767 with them "
        "and 0.762 with shuffled ones, half of the rise for nothing",
        np.allclose(aucs, [0.755, 0.767, 0.762], atol=0.003) and 0.3 < (aucs[2] - aucs[0]) / (aucs[1] - aucs[0]) < 0.8,
    )
    claim(
        "M06.early-held-out",
        "On hidden likes the same three have NDCG@10 0.31, 0.34 and 0.32, among films without behaviour 0.12, 0.27 and "
        "0.15",
        np.allclose([found[n][1] for n in ("none", "true", "shuffled")], [0.310, 0.335, 0.317], atol=0.008)
        and np.allclose([found[n][2] for n in ("none", "true", "shuffled")], [0.121, 0.273, 0.148], atol=0.015),
    )
