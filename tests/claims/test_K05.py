"""What the answer to K05 (distillation in recommendation) states."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import svds
from scipy.special import expit, softmax
from scipy.stats import norm

from recsys_course import claim
from recsys_course.models import EASE, GFCF


def low_rank(table, rank=16):
    """The small student: the best table of this rank, so a user and an item are 16 numbers each."""
    left, sizes, right = svds(table, k=rank, v0=np.ones(min(table.shape)))
    return left * sizes @ right


def largest(scores, n):
    """Which entries are among the ``n`` largest of their row, bool of the same shape."""
    found = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(found, np.argpartition(-scores, n, axis=1)[:, :n], True, 1)
    return found


class Cascade:
    """One split: teachers, students, and what survives if a student chooses and a teacher orders."""

    def __init__(self, split, ease):
        users = torch.arange(split.train.n_users)
        likes = split.train.positives().matrix().toarray().astype(float)
        self.seen, self.liked = (part.matrix().toarray() > 0 for part in (split.train, split.test))
        models = {"ease": ease, "new": GFCF().fit(split.train), "noisy": EASE(20.0).fit(split.train)}
        self.teachers = {name: model.scores(users).numpy().astype(float) for name, model in models.items()}
        tables = {"likes": likes, "ease": self.teachers["ease"], "new": self.teachers["new"]}
        self.students = {name: low_rank(table) for name, table in tables.items()}

    def kept(self, student, teacher, cut):
        """Share of the teacher's ten that are among the ``cut`` best of the student."""
        ten = largest(np.where(self.seen, -np.inf, self.teachers[teacher]), 10)
        return (largest(np.where(self.seen, -np.inf, self.students[student]), cut) & ten).sum() / ten.sum()

    def recall(self, teacher, student=None, cut=20):
        """Recall@10 of the teacher's order, of everything or of what the student let through."""
        open_ = ~self.seen
        if student:
            open_ = largest(np.where(self.seen, -np.inf, self.students[student]), cut)
        ten = largest(np.where(open_, self.teachers[teacher], -np.inf), 10)
        judged = self.liked.any(1)
        return ((ten & self.liked).sum(1)[judged] / self.liked.sum(1)[judged]).mean()


@pytest.fixture(scope="module")
def cascades(random_splits, ease):
    return [Cascade(split, model) for split, model in zip(random_splits, ease, strict=True)]


def test_a_student_keeps_what_its_teacher_would_choose(cascades):
    kept = np.array([[c.kept("likes", "ease", 20), c.kept("ease", "ease", 20)] for c in cascades])
    claim(
        "K05.agree",
        "MovieLens, EASE orders what a student of rank 16 lets through: of EASE's ten films 83 % are among the 20 of a "
        "student of the likes, 90 % among those of a student of EASE's scores; three splits, the same direction each",
        np.allclose(kept.mean(0), [0.829, 0.900], atol=0.008) and (kept[:, 1] > kept[:, 0]).all(),
    )
    ends = np.array([[c.recall("ease", "likes"), c.recall("ease", "ease")] for c in cascades])
    claim(
        "K05.end",
        "The recall@10 at the end of the two chains is the same within 0.005",
        abs(ends.mean(0)[0] - ends.mean(0)[1]) < 0.005,
    )
    filtered = np.array([[c.recall("noisy"), c.recall("noisy", "ease")] for c in cascades])
    claim(
        "K05.filter",
        "A teacher with too little regularisation has recall@10 of 0.25; behind the 20 of another model's student "
        "0.27, higher in each split",
        np.allclose(filtered.mean(0), [0.247, 0.270], atol=0.008) and (filtered[:, 1] > filtered[:, 0]).all(),
    )


def test_the_teacher_changed(cascades):
    kept = np.array([[c.kept("ease", "new", 20), c.kept("new", "new", 20)] for c in cascades])
    claim(
        "K05.new-teacher",
        "A new ranker, GF-CF: the old one's student keeps 84 % of its ten films among 20, a student of its own 94 %",
        np.allclose(kept.mean(0), [0.841, 0.938], atol=0.008) and (kept[:, 1] > kept[:, 0]).all(),
    )


def logistic(columns, targets):
    """Weights of a logistic regression on labels or chances, by Newton's method."""
    weights = np.zeros(columns.shape[1])
    for _ in range(12):
        p = expit(columns @ weights)
        weights += np.linalg.solve((columns * (p * (1 - p))[:, None]).T @ columns, columns.T @ (targets - p))
    return weights


def test_the_student_inherits_the_position():
    """The old ranker overrated the first feature; clicks fall with the place; the student does not know the place."""
    ratios = []
    for seed in (0, 1, 2):
        draw = np.random.default_rng(seed)
        x = draw.normal(size=(100_000, 2))
        place = 1 + np.floor(10 * norm.sf((2 * x[:, 0] + draw.normal(size=len(x))) / 5**0.5)).clip(max=9)
        clicks = draw.random(len(x)) < expit(-1 + x @ [0.5, 1.0] - 1.2 * np.log(place))
        student, shown = np.column_stack([np.ones(len(x)), x]), np.log(place)[:, None]
        teacher = logistic(np.hstack([student, shown]), clicks)
        soft = [expit(np.hstack([student, at]) @ teacher) for at in (shown, np.zeros_like(shown))]
        found = [logistic(student, targets) for targets in (clicks, *soft)]
        ratios.append([weights[1] / weights[2] for weights in found])
    claim(
        "K05.position",
        "Two features that truly count 0.5 and 1, the old ranker overrated the first: without the place a model of the "
        "clicks finds a ratio of 1.36, a student of a teacher that saw the logged places 1.36 as well, a student of "
        "the same teacher asked at place 1 for all 0.49; three draws",
        np.allclose(np.mean(ratios, 0), [1.36, 1.36, 0.487], atol=0.02)
        and np.allclose(np.array(ratios)[:, 0], np.array(ratios)[:, 1], atol=0.001),
    )


def test_a_privileged_feature_helps_through_more_rows():
    """Linear: 20 features, one more that only training has; 100 rows with a label, 900 without."""
    errors = []
    for seed in range(100):
        draw = np.random.default_rng(seed)
        true, x, extra = draw.normal(size=20) / 20**0.5, draw.normal(size=(1000, 20)), draw.normal(size=1000)
        both = np.column_stack([x, extra])
        labels = x @ true + 2 * extra + draw.normal(size=1000)
        teacher = np.linalg.lstsq(both[:100], labels[:100], rcond=None)[0]
        rows = (x[:100], labels[:100]), (x[:100], both[:100] @ teacher), (x, both @ teacher)
        found = [np.linalg.lstsq(columns, targets, rcond=None)[0] for columns, targets in rows]
        errors.append([((weights - true) ** 2).sum() for weights in found] + [abs(found[0] - found[1]).max()])
    errors = np.array(errors)
    claim(
        "K05.same-rows",
        "Least squares: a student of a teacher with an extra feature, fitted to the same rows, is the model of the "
        "labels, to 1e-9",
        errors[:, 3].max() < 1e-9,
    )
    claim(
        "K05.more-rows",
        "With 900 more rows that have the extra feature and no label its squared error falls from 1.2 to 0.34; mean of "
        "100 draws",
        np.allclose(errors.mean(0)[1:3], [1.19, 0.34], atol=0.06),
    )


def test_what_the_temperature_does():
    teacher, student = np.array([4.0, 1, 0, -1, -2, -2]), np.array([1.0, 2, -1, 0, -1, -1])

    def gradient(t):
        """Of the cross-entropy at temperature ``t`` by the student's scores."""
        return (softmax(student / t) - softmax(teacher / t)) / t

    limit = (student - teacher) / 6
    off = {t: np.abs(gradient(t) * t**2 - limit).max() / np.abs(limit).max() for t in (1, 20, 50)}
    claim(
        "K05.temperature",
        "Six scores from 4 to -2: the teacher's first share is 0.93 at temperature 1 and 0.34 at 5; the gradient at 5 "
        "is 25 times smaller; times the temperature squared it nears a sixth of the score differences, 4 % off at 50",
        abs(softmax(teacher)[0] - 0.926) < 0.001
        and abs(softmax(teacher / 5)[0] - 0.337) < 0.001
        and abs(np.abs(gradient(1)).max() / np.abs(gradient(5)).max() - 25.3) < 0.2
        and abs(off[50] - 0.04) < 0.002
        and off[1] > off[20] > off[50],
    )


def test_what_a_large_teacher_costs():
    operations = 1e6 * 500 * 2 * 7e9
    claim(
        "K05.labels",
        "A million pairs of 500 tokens through 7 billion parameters: 7e18 operations, 4.9 hours of one accelerator at "
        "400 TFLOP/s; the same for 10,000 requests a second with 20 candidates each is 3,500 accelerators",
        np.isclose(operations, 7e18)
        and abs(operations / 4e14 / 3600 - 4.86) < 0.01
        and np.isclose(10_000 * 20 * 500 * 2 * 7e9 / 4e14, 3500),
    )
