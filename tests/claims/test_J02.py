"""What the answer to J02 (a language model within 100 ms) states."""

import numpy as np
import torch
from torch.nn.functional import normalize

from recsys_course import claim
from recsys_course.data.movielens import movielens

CARD = 0.4 * 989e12  # operations a second


def test_where_the_tokens_go():
    parameters = 8e9
    offline = 50e6 * 700 * 2 * parameters / CARD / 3_600
    claim(
        "J02.offline",
        "50 million items of 700 tokens through 8 billion parameters: 393 hours of a 989 TFLOP/s card at 40 %, once",
        abs(offline - 393) < 1,
    )
    each, together = 500 * (600 + 60), 600 + 20 * 60
    claim(
        "J02.calls",
        "A call for each of 500 candidates, 660 tokens each, is 330,000 tokens; one call with 20 candidates 1,800: 183 "
        "times less",
        (each, together) == (330_000, 1_800) and abs(each / together - 183) < 0.5,
    )
    claim(
        "J02.student",
        "1,800 tokens through 1 billion parameters: 9 ms; 5,000 a second are 46 cards",
        abs(2e9 * 1_800 / CARD - 9.1e-3) < 1e-4 and np.ceil(5_000 * 2e9 * 1_800 / CARD) == 46,
    )


def test_what_a_cache_key_decides(ratings):
    users, days = ratings.users.numpy(), ratings.times.numpy() // 86_400
    by_day = len(np.unique(np.stack([users, days]), axis=1).T)
    claim(
        "J02.keys",
        "100,000 ratings as requests: a call for each needs 100,000, keyed by user and day 2,515, by item 1,682",
        (len(users), by_day, len(np.unique(ratings.items.numpy()))) == (100_000, 2_515, 1_682),
    )


def test_waiting_in_line():
    """One server, requests at random, times at random: who waits how long (Lindley's recursion)."""
    draw, found = np.random.default_rng(0), {}
    for load in (0.5, 0.8):
        service = draw.exponential(0.02, 400_000)
        gaps = draw.exponential(0.02 / load, 400_000)
        steps = np.cumsum(np.r_[0.0, service[:-1] - gaps[1:]])
        found[load] = np.quantile(steps - np.minimum.accumulate(steps) + service, 0.99)
    claim(
        "J02.queue",
        "A model that takes 20 ms on average, exponential times, one server: the slowest 1 % take 0.18 s and more at "
        "half load, 0.46 s at 80 %",
        abs(found[0.5] - 0.184) < 0.01 and abs(found[0.8] - 0.46) < 0.05,
    )
    claim(
        "J02.fan",
        "One of 20 parallel calls is slower than its P99 in 18 % of the requests",
        abs(1 - 0.99**20 - 0.182) < 1e-3,
    )


def test_text_is_written_by_those_who_profit(minilm, films, film_vectors):
    """Twenty films with "For fans of ..." and the title of one of the five most rated films behind their texts."""
    network, tokenizer = minilm
    titles = [movielens().titles[i] for i in films.items[:5].tolist()]
    others = np.random.default_rng(0).choice(np.arange(100, 300), 20, replace=False)
    batch = tokenizer(
        [f"{films.texts[k]}. For fans of {title}" for title in titles for k in others],
        padding=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        states = network(**batch).last_hidden_state
    there = batch["attention_mask"].unsqueeze(2).float()
    written = normalize((states * there).sum(1) / there.sum(1), dim=1).view(5, 20, -1)
    near = film_vectors[0][:5] @ film_vectors[0].T  # [5, 300], the target itself first
    stuffed = (written @ film_vectors[0][:5, :, None])[..., 0]
    ranks = [(near[:, None] > cosine[:, :, None]).sum(2).float() for cosine in (near[:, others], stuffed)]
    claim(
        "J02.stuffed",
        "MiniLM, 20 films, five targets: among the ten nearest texts of the target 4 % of the films, 86 % with 'For "
        "fans of' and its title added; median rank 161 and 3",
        abs(float(ranks[0].median()) - 161) < 4
        and abs(float(ranks[1].median()) - 3) < 1
        and abs(float((ranks[0] <= 10).float().mean()) - 0.04) < 0.01
        and abs(float((ranks[1] <= 10).float().mean()) - 0.86) < 0.03,
    )
