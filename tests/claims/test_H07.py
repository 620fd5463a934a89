"""What the answer to H07 (which split) states."""

import torch

from recsys_course import claim, data, metrics, models


def younger_than(times, train_times):
    """Share of the training ratings that are younger than each of these moments: float ``[n]``."""
    return 1 - torch.searchsorted(train_times.sort().values, times, right=True) / len(train_times)


def test_a_random_split_trains_on_the_users_own_future(random_splits):
    shares = []
    for split in random_splits:
        last = torch.full((split.train.n_users,), -1).scatter_reduce(0, split.train.users, split.train.times, "amax")
        shares.append(float((last[split.test.users] > split.test.times).double().mean()))
    claim(
        "H07.own-future",
        "On the random split 97 % of the test likes are older than some training rating of the same user",
        all(abs(share - 0.97) < 0.01 for share in shares),
    )


def test_holding_out_the_last_ratings_trains_on_the_future_of_others(ratings):
    last, time = (data.frozen_split(ratings, name) for name in ("last", "time"))
    medians = [float(younger_than(s.test.times, s.train.times).median()) for s in (last, time)]
    claim(
        "H07.others-future",
        "Holding out the last five, half of the test likes are older than 40 % of the training; cut by time, none is",
        abs(medians[0] - 0.40) < 0.01 and medians[1] == 0,
    )


def test_the_warm_users_of_the_time_split_decide_nothing(time_split):
    ours, popular = (
        metrics.evaluate(model.fit(time_split.train), time_split.test) for model in (models.EASE(), models.Popularity())
    )
    known = time_split.train.positives().ptr.diff()[torch.tensor(ours.per_user.index.to_numpy(copy=True))] >= 5
    warm = known.numpy()
    interval = metrics.paired_bootstrap(ours.per_user["recall"][warm], popular.per_user["recall"][warm])
    claim(
        "H07.warm-users",
        "For the 96 judged users with five or more training likes EASE minus popularity has an interval around 0",
        len(warm) == 290 and warm.sum() == 96 and interval.low < 0 < interval.high,
    )
    claim(
        "H07.warm-users-width",
        "That interval of recall@10 is about 0.09 wide, as wide as popularity's recall itself",
        0.07 < interval.high - interval.low < 0.11 and abs(popular.per_user["recall"][warm].mean() - 0.10) < 0.01,
    )
