"""``evaluate``: a model's lists for every user with a right answer, judged by every metric."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions
from recsys_course.metrics.intervals import Interval, bootstrap
from recsys_course.metrics.lists import coverage, exposures, gini, novelty
from recsys_course.metrics.ranking import ACCURACY, count_relevant, find_hits, in_blocks


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What a model's lists were worth.

    Attributes:
        model: its name.
        k: length of the lists.
        per_user: one row a user, one column a metric, indexed by user number.
        of_lists: metrics of all lists together: coverage and gini.
        n_left_out: users without a right answer, who are in no mean: they have no row, or NaN in it.
        seed_means: each metric's mean for every seed, where several runs were averaged.
        recommended: the lists themselves, int64 ``[n_users, k]`` in the order of ``per_user``.
    """

    model: str
    k: int
    per_user: pd.DataFrame
    of_lists: dict[str, float]
    n_left_out: int
    seed_means: pd.DataFrame = field(default_factory=pd.DataFrame)
    recommended: Tensor | None = None

    def __len__(self) -> int:
        """Number of users judged: those with a right answer."""
        return int(self.per_user["recall"].notna().sum())

    def mean(self, metric: str) -> float:
        """Mean over users of one metric, or the one value of ``coverage`` or ``gini``."""
        return self.of_lists[metric] if metric in self.of_lists else float(self.per_user[metric].mean())

    def interval(self, metric: str) -> Interval:
        """Mean and 95 % bootstrap interval over users."""
        return bootstrap(self.per_user[metric])

    def summary(self) -> pd.DataFrame:
        """One row a metric: mean, low and high end of the 95 % interval."""
        rows = {metric: self.interval(metric) for metric in self.per_user}
        return pd.DataFrame(rows, index=Interval._fields).T

    def __repr__(self) -> str:
        head = f"{self.model}: {len(self):,} users judged, {self.n_left_out:,} left out (no right answer), k = {self.k}"
        lines = [f"  {metric:<18}{self.interval(metric)}" for metric in self.per_user]
        lines += [f"  {metric:<18}{value:.3f}" for metric, value in self.of_lists.items()]
        return "\n".join([head, *lines])


def evaluate(
    model: Recommender,
    test: Interactions,
    k: int = 10,
    *,
    candidates: Tensor | None = None,
    exclude_seen: bool = True,
    batch_size: int = 1024,
    name: str | None = None,
) -> Evaluation:
    """Recommend to every user of ``test`` and judge the lists.

    Args:
        model: fitted.
        test: the right answers, such as ``split.test``.
        k: length of the lists.
        candidates: the only items allowed, int64 ``[n_candidates]``; without it, every item is ranked.
        exclude_seen: leave out what the user rated in training.
        batch_size: users between two moves of the progress bar.
        name: of the model in tables; without it, its class.

    Raises:
        ValueError: ``test`` holds no event.
    """
    users = test.users.unique()
    if not len(users):
        raise ValueError("the test set holds no event: nobody can be judged (were all held-out ratings below 4?)")
    batches = users.split(batch_size)
    if len(batches) > 4:
        batches = tqdm(batches, desc="recommending", leave=False)
    lists = [model.recommend(u, k, exclude_seen=exclude_seen, candidates=candidates) for u in batches]
    recommended = torch.cat(lists)  # [n_judged, k]
    return judge(recommended, model.train_, test, users, name or type(model).__name__)


def judge(recommended: Tensor, train: Interactions, test: Interactions, users: Tensor, name: str) -> Evaluation:
    """Judge lists that exist already.

    Args:
        recommended: best first, ``-1`` for an empty place, int64 ``[batch, k]``.
        train: what the model had learnt from; its counts say how well known an item is.
        test: the right answers.
        users: whose lists these are, each once, int64 ``[batch]``.
        name: of the model.

    Raises:
        ValueError: train and test number their users or items differently, or a list names an item that is not there.
    """
    if (train.n_users, train.n_items) != (test.n_users, test.n_items):
        raise ValueError(f"train and test must count the same users and items: {train} against {test}")
    hits, n_relevant = find_hits(recommended, test, users), count_relevant(test, users)
    columns = {metric: in_blocks(of, hits, n_relevant).numpy() for metric, of in ACCURACY.items()}
    counts = train.item_counts()
    columns["novelty"] = in_blocks(lambda lists: novelty(lists, counts, train.n_users), recommended).numpy()
    shown = {
        "coverage": coverage(recommended, train.n_items),
        "gini": gini(exposures(recommended, train.n_items)),
    }
    table = pd.DataFrame(columns, index=pd.Index(users.numpy(), name="user")).astype("float64")
    left_out = test.n_users - int((n_relevant > 0).sum())
    return Evaluation(name, recommended.shape[1], table, shown, left_out, recommended=recommended)


def average_seeds(runs: Sequence[Evaluation]) -> Evaluation:
    """One evaluation out of several seeds of the same model: each user's value is its mean over the seeds.

    A user who was judged in some of the runs only counts with those. The means of the single runs are kept in
    ``seed_means``, so that the range over seeds can stand beside the interval over users.

    Raises:
        ValueError: there is no run, or the lists differ in length.
    """
    if len({run.k for run in runs}) != 1:
        raise ValueError(f"one or more runs with lists of one length are needed, got k = {[run.k for run in runs]}")
    first = runs[0]
    per_user = pd.concat([run.per_user for run in runs]).groupby(level="user").mean()
    of_lists = {name: sum(run.of_lists[name] for run in runs) / len(runs) for name in first.of_lists}
    means = pd.DataFrame([run.per_user.mean() for run in runs])
    left_out = first.n_left_out + len(first) - int(per_user["recall"].notna().sum())
    return Evaluation(first.model, first.k, per_user, of_lists, left_out, means)


def leaderboard(evaluations: Iterable[Evaluation], metrics: Sequence[str] = ("ndcg", "recall")) -> pd.DataFrame:
    """One row a model, best first by the first metric: ``0.231 [0.219, 0.244]`` for every metric, then coverage.

    Where some runs were averaged over seeds, a column shows the lowest and highest seed's mean of the first metric.
    """
    ranked = sorted(evaluations, key=lambda e: -e.mean(metrics[0]))
    table = pd.DataFrame([_row(e, metrics) for e in ranked], index=[e.model for e in ranked])
    return table.fillna("")


def _row(evaluation: Evaluation, metrics: Sequence[str]) -> dict[str, str | int]:
    row = {f"{metric}@{evaluation.k}": str(evaluation.interval(metric)) for metric in metrics}
    if len(evaluation.seed_means):
        seeds = evaluation.seed_means[metrics[0]]
        row["over seeds"] = f"{seeds.min():.3f} to {seeds.max():.3f}"
    coverage = f"{evaluation.mean('coverage'):.3f}"
    return row | {"coverage": coverage, "users": len(evaluation), "left out": evaluation.n_left_out}
