"""Adds the click rates of item and user to the click model, and checks offline what they bring."""

import numpy as np
import pandas as pd

BEFORE = ["hour", "user_views"]
FEATURES = [*BEFORE, "item_ctr", "user_ctr"]


def add_features(log: pd.DataFrame) -> pd.DataFrame:
    """The log with a column for each of ``FEATURES``, in order of time.

    A row is one impression: time (seconds, no two alike), user, item, click (0 or 1). The service fills the same
    columns from its counters, as they stand when it answers the request.
    """
    log = log.sort_values("time", ignore_index=True)
    log["hour"] = log["time"] // 3600 % 24
    log["user_views"] = np.log1p(log.groupby("user").cumcount())
    for key in ("item", "user"):
        rows = log.groupby(key)["click"]
        log[f"{key}_ctr"] = (rows.cumsum() - log["click"] + 2) / (rows.cumcount() + 10)
    return log


def fit_logistic(x: np.ndarray, y: np.ndarray, steps: int = 8, penalty: float = 1.0) -> np.ndarray:
    """Weights of a logistic regression by Newton's method."""
    weights = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-x @ weights))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + penalty * np.eye(x.shape[1])
        weights -= np.linalg.solve(hessian, x.T @ (p - y) + penalty * weights)
    return weights


def auc(clicks: pd.Series, scores: pd.Series) -> float:
    """Area under the ROC curve; equal scores count half."""
    ranks, ones = scores.rank(), clicks.sum()
    return (ranks[clicks == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(clicks) - ones))


def later_scores(table: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Scores of the last 20 % of the rows by a model of the rows before."""
    train, test = table[: int(0.8 * len(table))], table[int(0.8 * len(table)) :]
    mean, spread = train[columns].mean(), train[columns].std()
    known, new = (np.column_stack([np.ones(len(p)), (p[columns] - mean) / spread]) for p in (train, test))
    return pd.Series(new @ fit_logistic(known, train["click"].to_numpy()), index=test.index)


def symptom() -> None:
    """A month of impressions: the check without and with the new columns."""
    draw = np.random.default_rng(1)
    user, item = draw.integers(2_000, size=20_000), (4_000 * draw.random(20_000) ** 2).astype(int)
    time, taste = np.arange(20_000) * 129, draw.random(2_000)[user] * draw.random(4_000)[item]
    click = (draw.random(20_000) < 0.1 + 0.1 * taste + 0.2 * (time // 3600 % 24) / 24).astype(int)
    table = add_features(pd.DataFrame({"time": time, "user": user, "item": item, "click": click}))
    rare = table.groupby("item")["click"].transform("size") <= 5
    for name, columns in (("before", BEFORE), ("with click rates", FEATURES)):
        scores = later_scores(table, columns)
        clicks, few = table["click"][scores.index], rare[scores.index]
        print(f"{name:16}  AUC {auc(clicks, scores):.2f}  on rare items {auc(clicks[few], scores[few]):.2f}")
