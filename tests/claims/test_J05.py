"""What the answer to J05 (a wide embedding that moved nothing) states."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from recsys_course import claim

N_ITEMS, DIM = 400, 32


@pytest.fixture(scope="module")
def world():
    """Clicks whose rate depends on the item; half of what makes an item good can be read in its content."""
    draw = np.random.default_rng(0)
    content = draw.normal(size=(N_ITEMS, DIM))
    readable = content @ draw.normal(size=DIM) / DIM**0.5
    quality = readable + draw.normal(size=N_ITEMS)
    return content, quality


def auc(world, seen, with_id, content):
    """AUC on 50 new clicks an item, of a ridge on the item's id, its content or both, from ``seen`` clicks an item.

    With ``seen`` 0 it learns from 20 clicks of each of the first 300 items and is judged on the other 100.
    """
    _, quality = world
    draw = np.random.default_rng(1)
    rate = 1 / (1 + np.exp(-quality))
    known = np.arange(N_ITEMS) < (N_ITEMS if seen else 300)
    n = np.where(known, seen or 20, 0)
    clicked = draw.binomial(n, rate) / n.clip(1)  # an item's clicks as one row with their number as its weight
    table = np.hstack([np.eye(N_ITEMS)] * with_id + [content] * (content is not None))
    guess = Ridge(alpha=5.0).fit(table[known], clicked[known], sample_weight=n[known]).predict(table)
    judged = np.repeat(np.flatnonzero(known if seen else ~known), 50)
    return roc_auc_score(draw.random(len(judged)) < rate[judged], guess[judged])


def test_the_id_already_knows(world):
    content, _ = world
    draw = np.random.default_rng(2)
    shuffled = [content[draw.permutation(N_ITEMS)] for _ in range(20)]
    found = {
        seen: [
            auc(world, seen, True, None),
            np.mean([auc(world, seen, True, other) for other in shuffled]),
            auc(world, seen, True, content),
        ]
        for seen in (100, 3, 0)
    }
    claim(
        "J05.warm",
        "Items shown 100 times: AUC 0.792 by id, with shuffled and with true content; nothing is gained",
        np.allclose(found[100], 0.792, atol=0.002) and np.ptp(found[100]) < 0.001,
    )
    claim(
        "J05.tail",
        "Items shown 3 times: 0.71 by id, 0.70 with shuffled content (mean of 20 shuffles), 0.73 with the true one",
        np.allclose(found[3], [0.712, 0.705, 0.728], atol=0.004),
    )
    claim(
        "J05.cold",
        "Items never shown: 0.50 by id, 0.48 with shuffled content, 0.71 with the true one",
        np.allclose(found[0], [0.50, 0.484, 0.711], atol=0.01),
    )


def test_what_the_text_of_a_film_says_about_its_rating(films, film_vectors, by_hand, ratings):
    """Mean rating of each film by a ridge that never saw it, five folds of films."""
    sums = torch.zeros(ratings.n_items).index_add(0, ratings.items, ratings.ratings)
    mean = (sums / ratings.item_counts())[films.items].numpy()
    fold, explained = np.random.default_rng(0).integers(5, size=300), []
    for table in (film_vectors[0].numpy(), by_hand.numpy()):
        guess = np.zeros(300)
        for f in range(5):
            guess[fold == f] = Ridge(alpha=1.0).fit(table[fold != f], mean[fold != f]).predict(table[fold == f])
        explained.append(1 - ((mean - guess) ** 2).sum() / ((mean - mean.mean()) ** 2).sum())
    claim(
        "J05.explained",
        "Text vectors explain 33 % of the variance of the mean rating of 300 well-known films, genres and year by hand "
        "34 %; five folds of films",
        np.allclose(explained, [0.329, 0.344], atol=0.01),
    )


def test_a_wide_block_in_numbers():
    claim(
        "J05.weights",
        "4,096 numbers into 256 units are 1,048,576 weights; an id of 64 numbers adds 16,384",
        4_096 * 256 == 1_048_576 and 64 * 256 == 16_384,
    )
    claim(
        "J05.bytes",
        "500 candidates with 4,096 numbers in fp16 move 4.1 MB a request, projected to 64 numbers 0.064 MB",
        abs(500 * 4_096 * 2 / 4.1e6 - 1) < 0.01 and 500 * 64 * 2 == 64_000,
    )


def test_scale_decides_who_is_heard():
    """One step of gradient descent on a sum of two blocks, one a hundred times larger."""
    draw = torch.Generator().manual_seed(0)
    small, large = torch.randn(1_000, 8, generator=draw) * 0.01, torch.randn(1_000, 8, generator=draw)
    target = small[:, 0] / 0.01 + large[:, 0]
    weights = torch.zeros(16, requires_grad=True)
    sgd = torch.optim.SGD([weights], lr=0.1)
    for _ in range(200):
        sgd.zero_grad()
        (torch.cat([small, large], 1) @ weights - target).square().mean().backward()
        sgd.step()
    learnt = [float(small[:, 0].mul(weights[0].detach()).std()), float(large[:, 0].mul(weights[8].detach()).std())]
    claim(
        "J05.scale",
        "Two equally useful features, one a hundred times smaller: after 200 steps the large one is learnt, of the "
        "small one 0.3 %",
        abs(learnt[1] - 1) < 0.03 and abs(learnt[0] - 0.0034) < 0.001,
    )
