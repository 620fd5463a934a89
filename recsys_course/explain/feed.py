"""Two rankers of one small feed: trees that read a table of columns, and a network that reads more than that."""

from dataclasses import dataclass

import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import Tensor

from recsys_course.ranking import FM, Trees
from recsys_course.simulate import Feed, Impressions

COLUMNS = ("genre", "time of day", "film's rate", "user's rate", "rate in genre", "share alike", "position")


@dataclass(frozen=True, eq=False)
class Rankers:
    """What was shown and clicked in ``simulate.Feed``, and what two rankers made of it.

    Attributes:
        train: ``COLUMNS`` of the rows that were learnt from, float ``[n, 7]``; the first two are categories.
        clicks: of these rows, 0 or 1, float ``[n]``.
        test: the same columns of later days, float ``[m, 7]``.
        test_clicks: of these, float ``[m]``.
        trees: scikit-learn's boosted trees inside ``ranking.Trees``, which read these columns.
        network: chances of a click by ``ranking.FM``, which also knows user, film and history: float ``[n]``.
        network_test: the same for the later days, float ``[m]``.
    """

    train: Tensor
    clicks: Tensor
    test: Tensor
    test_clicks: Tensor
    trees: HistGradientBoostingClassifier
    network: Tensor
    network_test: Tensor


def rankers(genres: Tensor, n_users: int = 400, n_days: int = 24) -> Rankers:
    """Log a feed, split it by time and let both rankers learn with the position; seeds are 0.

    Args:
        genres: which genres each film of the feed has, bool ``[n_items, n_genres]``.
        n_users: who sees a list a day.
        n_days: the first four fill the counters of the click rates, the last quarter is the test.
    """
    log = Feed(genres, n_users=n_users).log(n_days)
    border = n_days - n_days // 4
    train, test = log[(log.times >= 4) & (log.times < border)], log[log.times >= border]
    trees, network = Trees(positions=True).fit(train), FM(positions=True).fit(train)
    said = network.predict(train), network.predict(test)
    return Rankers(_columns(train), train.clicks, _columns(test), test.clicks, trees.model_, *said)


def _columns(rows: Impressions) -> Tensor:
    return torch.cat([rows.fields[:, 2:], rows.numbers, rows.positions.unsqueeze(1)], dim=1)
