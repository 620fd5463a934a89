"""What the answer to J14 (a conversational recommender that invents nothing) states."""

import re
from collections import Counter

import numpy as np
import pytest
import torch

from recsys_course import claim
from recsys_course.data.movielens import movielens


def test_small_errors_add_up():
    claim(
        "J14.free-text",
        "Five titles of six tokens, each token right with 99 %: 26 % of the lists name something that does not exist",
        abs(1 - 0.99**30 - 0.26) < 0.001,
    )
    claim(
        "J14.zero",
        "No invention in 1,000 dialogues: the rate is under 0.3 % with 95 % confidence, so up to 300 of 100,000",
        abs(0.05 ** (1 / 1000) - (1 - 0.003)) < 1e-5 and round(100_000 * (1 - 0.05 ** (1 / 1000)), -1) == 300,
    )
    claim(
        "J14.turns",
        "Five turns, each right with 95 %: 77 % of the dialogues without an error",
        round(0.95**5, 2) == 0.77,
    )
    claim(
        "J14.stale",
        "0.5 % of the stock sells out in an hour, the index is an hour old at most: 1.2 % of the lists of five hold "
        "something sold out, 1,240 of 100,000 a day",
        abs(1 - (1 - 0.0025) ** 5 - 0.0124) < 0.0001,
    )


def trigrams(texts, places):
    """Counts of three letters in a row, each text of length 1, ``[n, n_places + 1]``; unknown ones share the last."""
    table = np.zeros((len(texts), len(places) + 1), dtype=np.float32)
    for row, text in enumerate(texts):
        for at in range(len(text) + 2):
            table[row, places.get(f"  {text}  "[at : at + 3], len(places))] += 1
    return table / np.linalg.norm(table, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def bare_titles():
    """Titles of the films without the year, lower case, each once."""
    return sorted({re.sub(r"\s*\(\d{4}\)\s*$", "", title).strip().lower() for title in movielens().titles})


def test_matching_an_invented_title_to_the_nearest_one(bare_titles):
    """A tenth of the films is no longer on offer; of each of the others a user's or a model's typo loses one letter."""
    places = {}
    for title in bare_titles:
        for at in range(len(title) + 2):
            places.setdefault(f"  {title}  "[at : at + 3], len(places))
    table = trigrams(bare_titles, places)
    wrong, found = {0.5: [], 0.8: []}, {0.5: [], 0.8: []}
    for seed in (0, 1, 2):
        draw = np.random.default_rng(seed)
        gone = draw.random(len(bare_titles)) < 0.1
        cut = draw.integers([len(title) for title in bare_titles])
        typos = [title[:at] + title[at + 1 :] for title, at in zip(bare_titles, cut, strict=True)]
        near = np.where(gone, -1, trigrams(typos, places) @ table.T)
        own = near[np.arange(len(near)), np.arange(len(near))]
        for least in wrong:
            wrong[least].append((np.where(gone, -1, table[gone] @ table.T).max(1) >= least).mean())
            found[least].append(((own >= near.max(1) - 1e-6) & (own >= least))[~gone].mean())
    claim(
        "J14.match",
        "Titles of MovieLens matched by trigrams: a threshold of 0.5 finds 99 % of the titles with a letter missing, "
        "and turns 25 to 35 % of the films that are not on offer into another film; 0.8 turns at most 1.3 % of them, "
        "and finds 69 % of the misspelt; three draws",
        all(abs(share - 0.99) < 0.005 for share in found[0.5])
        and all(0.245 < share < 0.355 for share in wrong[0.5])
        and all(abs(share - 0.69) < 0.01 for share in found[0.8])
        and max(wrong[0.8]) < 0.0135,
    )


def test_a_title_is_no_key():
    counts = Counter(movielens().titles)
    rows = sum(count for count in counts.values() if count > 1)
    claim(
        "J14.twins",
        "36 of the 1,682 rows of MovieLens share title and year with another row",
        rows == 36 and sum(counts.values()) == 1682,
    )


def test_filter_after_the_search_or_inside_it(random_splits, ease):
    horror = np.array(["Horror" in genres for genres in movielens().items["genres"]])
    seen = random_splits[0].train.matrix().toarray() > 0
    scores = np.where(seen, -np.inf, ease[0].scores(torch.arange(len(seen))).numpy())
    left = horror[np.argsort(-scores, axis=1, kind="stable")[:, :100]].sum(1)
    claim(
        "J14.filter",
        "EASE on MovieLens, the user wants horror, 92 of 1,682 films: of the best 100 films 4.0 are horror on average, "
        "and 65 % of the users get fewer than five; a filter before the cut finds five for everybody",
        horror.sum() == 92
        and abs(left.mean() - 4.0) < 0.15
        and abs((left < 5).mean() - 0.65) < 0.02
        and (horror & ~seen).sum(1).min() >= 5,
    )


def test_masked_step_by_step_is_not_the_model_given_that_it_exists():
    """Two first words; behind the first nearly everything that the model wants to write does not exist."""
    first, exists = np.array([0.6, 0.4]), np.array([0.02, 0.9])
    masked = first  # each step is made valid by itself: after the first word one continuation is left
    given = first * exists / (first * exists).sum()
    claim(
        "J14.masked",
        "First words with 0.6 and 0.4, of whose continuations 2 % and 90 % exist: masked step by step the first item "
        "comes out in 60 % of the cases, while the model's own chances, given that the item exists, give it 3 %",
        np.isclose(masked[0], 0.6) and abs(given[0] - 0.032) < 0.001 and given[1] > given[0],
    )


def publish(answer, offered, live):
    """What may be shown of the ids that a model wrote: offered by the tool in this turn, still live, each once."""
    return [item for item in dict.fromkeys(answer) if item in offered and item in live]


def test_the_check_does_not_depend_on_the_model():
    draw, in_catalogue, shown, kept = np.random.default_rng(0), [], [], []
    for _ in range(10_000):
        live = set(draw.choice(1000, 900, replace=False).tolist())
        offered = set(draw.choice(1000, 20, replace=False).tolist())  # what the search found for these wishes
        answer = draw.integers(1100, size=5).tolist()  # anything at all: a hundred ids that never existed among them
        in_catalogue.append([item in offered for item in answer if item in live])
        shown.append(all(item in offered and item in live for item in publish(answer, offered, live)))
        honest = sorted(offered & live)[:5]
        kept.append(publish(honest + honest, offered, live) == honest)
    claim(
        "J14.check",
        "10,000 answers made of arbitrary ids: the check shows nothing that was not offered and live, and keeps a "
        "right answer whole; a check against the catalogue alone would pass ids of which 2 % fit the user's wishes",
        all(shown) and all(kept) and abs(np.mean(np.concatenate(in_catalogue)) - 0.02) < 0.003,
    )
