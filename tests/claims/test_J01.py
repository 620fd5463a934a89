"""What the answer to J01 (how a large model helps a recommender, and where not) states."""

import numpy as np
import pytest
import torch

from recsys_course import claim
from recsys_course.models import EASE


@pytest.fixture(scope="module")
def lists(random_splits, films, film_vectors):
    """Recall and share of the lists by third of popularity, and likeness within a list, for each scorer.

    Lists of ten among the 300 most rated films, first random split, users with a like to learn from and one to find.
    """
    split, items = random_splits[0], films.items.numpy()
    seen, likes, wanted = (
        part.matrix().toarray()[:, items] > 0 for part in (split.train, split.train.positives(), split.test)
    )
    unit = film_vectors[0].numpy() - film_vectors[0].numpy().mean(0)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    near, counts, judged = unit @ unit.T, likes.sum(0), wanted.any(1) & likes.any(1)
    third = (-counts).argsort(kind="stable").argsort() // 100
    ids = EASE().fit(split.train).scores(torch.arange(len(likes))).numpy()[:, items]
    text = likes.astype(float) @ near
    scores = {
        "text": text,
        "ids": ids,
        "both": ids / ids.std() + 0.3 * text / text.std(),
        "popular": np.tile(counts.astype(float), (len(likes), 1)),
        "random": np.random.default_rng(0).random(likes.shape),
    }
    wanted, found = wanted[judged], {"users": judged.sum(), "wanted": np.bincount(third, minlength=3) * 0.0}
    found["wanted"] = np.array([wanted[:, third == k].sum() for k in range(3)]) / wanted.sum()
    for name, table in scores.items():
        top = (-np.where(seen, -np.inf, table)[judged]).argsort(1, kind="stable")[:, :10]
        hits = np.zeros_like(wanted)
        np.put_along_axis(hits, top, True, 1)
        recall = [(hits & wanted)[:, third == k].sum() / wanted[:, third == k].sum() for k in range(3)]
        share = [(third[top] == k).mean() for k in range(3)]
        alike = np.mean([near[np.ix_(row, row)][np.triu_indices(10, 1)].mean() for row in top])
        found[name] = np.array(recall), np.array(share), alike
    return found


def test_who_reaches_the_tail(lists):
    claim(
        "J01.recall",
        "300 films in thirds by likes, 901 users, recall@10 in the first, second and last third: text 0.16, 0.14, "
        "0.18; EASE 0.50, 0.14, 0.05; popularity 0.30, 0, 0; chance 0.04",
        lists["users"] == 901
        and np.allclose(lists["text"][0], [0.16, 0.141, 0.177], atol=0.008)
        and np.allclose(lists["ids"][0], [0.495, 0.143, 0.054], atol=0.008)
        and np.allclose(lists["popular"][0], [0.303, 0, 0], atol=0.008)
        and np.allclose(lists["random"][0], 0.04, atol=0.01),
    )
    claim(
        "J01.share",
        "The last third has 17 % of the likes to be found, 40 % of the text's lists, 5 % of EASE's, none of "
        "popularity's",
        np.allclose(lists["wanted"], [0.541, 0.285, 0.174], atol=0.005)
        and [round(float(lists[name][1][2]), 2) for name in ("text", "ids", "popular")] == [0.40, 0.05, 0.0],
    )
    claim(
        "J01.blend",
        "EASE plus 0.3 of the text, both divided by their standard deviation: recall 0.48, 0.18 and 0.08",
        np.allclose(lists["both"][0], [0.479, 0.176, 0.08], atol=0.008),
    )


def test_meaning_makes_lists_alike(lists):
    claim(
        "J01.alike",
        "Mean cosine of two films in a list, by text: 0.20 in the text's lists, 0.05 in EASE's, 0.00 in random ones",
        np.allclose([lists[name][2] for name in ("text", "ids", "random")], [0.202, 0.051, -0.002], atol=0.008),
    )
