"""What the answer to H08 (already seen items) states."""

import pytest
import torch

from recsys_course import claim, data, metrics
from recsys_course.base import Recommender


class Memory(Recommender):
    """Recommends what the user has liked already, and knows nothing else."""

    def fit(self, train):
        self.train_ = train
        return self

    def scores(self, users, history=None):
        return self.train_.positives().dense(users).float()


def mean(results, metric):
    return sum(r.mean(metric) for r in results) / len(results)


@pytest.fixture(scope="module")
def unmasked(random_splits, ease, popular):
    evaluate = lambda fitted: [  # noqa: E731
        metrics.evaluate(model, split.test, exclude_seen=False)
        for model, split in zip(fitted, random_splits, strict=True)
    ]
    return {"EASE": evaluate(ease), "Popularity": evaluate(popular)}


def test_without_a_mask_the_lists_fill_with_what_was_seen(random_splits, unmasked):
    seen = {
        name: sum(
            float(metrics.find_hits(r.recommended, s.train, s.test.users.unique()).double().mean())
            for r, s in zip(results, random_splits, strict=True)
        )
        / 3
        for name, results in unmasked.items()
    }
    claim(
        "H08.seen-share",
        "Without a mask 77 % of EASE's places and 40 % of popularity's hold films that the user rated in training",
        abs(seen["EASE"] - 0.77) < 0.02 and abs(seen["Popularity"] - 0.40) < 0.02,
    )


def test_the_mask_matters_most_to_the_model_that_knows_the_user(unmasked, ease_results, popular_results):
    left = {
        "EASE": mean(unmasked["EASE"], "ndcg") / mean(ease_results, "ndcg"),
        "Popularity": mean(unmasked["Popularity"], "ndcg") / mean(popular_results, "ndcg"),
    }
    claim(
        "H08.mask-effect",
        "Without the mask EASE keeps about 25 % of its NDCG@10 and popularity about 56 %",
        abs(left["EASE"] - 0.25) < 0.02 and abs(left["Popularity"] - 0.56) < 0.03,
    )
    claim(
        "H08.gap-gone",
        "With the mask EASE has twice the NDCG@10 of popularity, without it no lead at all",
        mean(ease_results, "ndcg") > 1.9 * mean(popular_results, "ndcg")
        and mean(unmasked["EASE"], "ndcg") < 1.02 * mean(unmasked["Popularity"], "ndcg"),
    )


def test_counting_training_likes_as_answers_crowns_a_memory(random_splits):
    split = random_splits[0]
    memory, likes = Memory().fit(split.train), split.train.positives()
    users = split.test.users.unique()
    users = users[likes.ptr.diff()[users] >= 10]  # a full list of memories
    lists = memory.recommend(users, exclude_seen=False)
    precision = lambda answers, shown: float(  # noqa: E731
        metrics.precision(metrics.find_hits(shown, answers, users), metrics.count_relevant(answers, users)).nanmean()
    )
    both = data.Interactions.from_events(
        torch.cat([likes.users, split.test.users]),
        torch.cat([likes.items, split.test.items]),
        n_users=likes.n_users,
        n_items=likes.n_items,
    )
    claim(
        "H08.memory",
        "A model that only repeats training likes has precision 1.0 if those count as answers, and 0 on held-out likes",
        precision(both, lists) == 1.0 and precision(split.test, lists) == 0.0,
    )


def test_a_mask_made_of_training_and_test_hides_every_answer(random_splits, ratings, ease):
    split, model = random_splits[0], ease[0]
    users = split.test.users.unique()
    scores = model.scores(users).masked_fill(ratings.dense(users), -torch.inf)
    hits = metrics.find_hits(scores.topk(10).indices, split.test, users)
    claim("H08.mask-of-everything", "A mask made of training and test gives every model a recall of 0", not hits.any())
