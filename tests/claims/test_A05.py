"""What the answer to A05 (choosing a model family) states."""

import pytest
import torch

from recsys_course import claim, data, metrics, models
from recsys_course.base import top_k

SEEDS = (0, 1, 2)


def strangers(ratings, seed):
    """A fifth of the users are unknown; their likes in random order, those with 20 or more."""
    split = data.cold_user_split(ratings, share=0.2, seed=seed)
    likes = split.held_out.positives()
    order = torch.randperm(len(likes), generator=torch.Generator().manual_seed(seed))
    likes = data.Interactions.from_events(likes.users, likes.items, None, order, likes.n_users, likes.n_items)
    users = likes.users.unique()
    return split.train, likes, users[likes.ptr.diff()[users] >= 20]


def ndcg_after(n, model, likes, users):
    """NDCG@10 of each user on the likes from the 11th on, when the model is shown the first ``n``."""
    place = torch.arange(len(likes)) - likes.ptr[likes.users]
    shown, answers = likes.select(place < n), likes.select(place >= 10)
    scores = model.scores(users, shown).masked_fill(shown.dense(users), -torch.inf)
    hits = metrics.find_hits(top_k(scores, 10), answers, users)
    return metrics.ndcg(hits, metrics.count_relevant(answers, users)).numpy()


@pytest.fixture(scope="module")
def ahead_of_popular(ratings):
    """For 5 and 10 likes: the paired interval of EASE minus popularity, one for each seed."""
    found = {5: [], 10: []}
    for seed in SEEDS:
        train, likes, users = strangers(ratings, seed)
        linear, popular = models.EASE().fit(train), models.Popularity().fit(train)
        for n, intervals in found.items():
            ours, theirs = (ndcg_after(n, model, likes, users) for model in (linear, popular))
            intervals.append(metrics.paired_bootstrap(ours, theirs))
    return found


def test_five_likes_of_a_stranger_bring_a_linear_model_level_with_popularity(ahead_of_popular):
    claim(
        "A05.five-likes",
        "With five liked films of an unknown user EASE is level with popularity: the interval holds 0 in 3 of 3 seeds",
        all(interval.low < 0 < interval.high for interval in ahead_of_popular[5]),
    )


def test_ten_likes_of_a_stranger_put_a_linear_model_ahead(ahead_of_popular):
    claim(
        "A05.ten-likes",
        "With ten liked films of an unknown user EASE beats popularity: the interval is above 0 in 3 of 3 seeds",
        all(interval.low > 0 for interval in ahead_of_popular[10]),
    )


def test_without_a_like_every_film_has_the_same_score():
    train = data.Interactions.from_events([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 1, 2], n_users=4)
    scores = models.EASE(reg=1).fit(train).scores(torch.tensor([3, 2]))
    claim(
        "A05.no-likes",
        "A user without an event gets one and the same score for every item from EASE; a user with two does not",
        bool(scores[0].std() == 0) and bool(scores[1].std() > 0),
    )
