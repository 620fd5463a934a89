"""What the answer to M08 (judging embeddings before any click on them) states."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from recsys_course import claim
from recsys_course.data.movielens import movielens


def neighbours(vectors, n=10):
    unit = normalize(vectors, dim=1)
    return (unit @ unit.T).fill_diagonal_(-2).topk(n).indices


def hits(table, wanted):
    """Share of each film's ten neighbours that are among those wanted, ``[300]``."""
    return (table[:, :, None] == wanted[:, None]).any(2).float().mean(1).numpy()


def half_width(values):
    return 1.96 * values.std(ddof=1) / len(values) ** 0.5


@pytest.fixture(scope="module")
def tables(films, film_vectors):
    """Ten neighbours of each film, ``[300, 10]``, by text, by genres, by year, by both compared by hand, by lot."""
    rows = movielens().items.iloc[films.items.tolist()]
    names = sorted({name for row in rows["genres"] for name in row})
    genres = normalize(torch.tensor([[float(name in row) for name in names] for row in rows["genres"]]), dim=1)
    year = torch.tensor(rows["year"].astype(float).to_numpy(copy=True), dtype=torch.float32)
    draw = torch.Generator().manual_seed(0)
    alike = {"genres": genres @ genres.T, "year": -(year - year[:, None]).abs() / 10}
    alike["by hand"] = alike["genres"] + alike["year"]
    alike["random"] = torch.rand(300, 300, generator=draw)
    lots = torch.rand(300, 300, generator=draw) * 1e-3  # ties by lot
    found = {name: (a + lots).fill_diagonal_(-torch.inf).topk(10).indices for name, a in alike.items()}
    return {"text": neighbours(film_vectors[0]), **found}


def test_neighbours_by_text_against_neighbours_by_behaviour(tables, liked_together):
    found = {name: hits(table, liked_together) for name, table in tables.items()}
    mean = {name: float(v.mean()) for name, v in found.items()}
    claim(
        "M08.overlap",
        "Of ten neighbours, so many are among the ten most liked together: text 16.2 %, genres 10.4 %, year 9.6 %, "
        "chance 3.3 %",
        all(abs(mean[name] - w) < 0.006 for name, w in (("text", 0.162), ("genres", 0.104), ("year", 0.096)))
        and abs(mean["random"] - 0.033) < 0.012
        and round(10 / 299, 3) == 0.033,
    )
    rest = found["by hand"] - found["text"]
    claim(
        "M08.by-hand",
        "Genres and year together, compared by hand: 16.3 %; the interval of the difference from text holds 0 and "
        "reaches 1.3 points to each side",
        abs(mean["by hand"] - 0.163) < 0.006 and abs(rest.mean()) < half_width(rest) and half_width(rest) < 0.015,
    )


def test_mean_cosine_says_nothing_about_the_order(film_vectors, liked_together):
    shifted = film_vectors[0] + 3 * torch.ones(384) / 384**0.5
    centred = film_vectors[0] - film_vectors[0].mean(0)
    cosine, met = [], []
    for space in (film_vectors[0], shifted, centred):
        unit = normalize(space, dim=1)
        cosine.append(float((unit @ unit.T).fill_diagonal_(0).sum() / (300 * 299)))
        met.append(float(hits(neighbours(space), liked_together).mean()))
    claim(
        "M08.anisotropy",
        "Mean cosine of two films 0.34, 0.93 after adding a common vector, 0.00 after centring; neighbours liked "
        "together 16 %, 16 % and 17 %",
        np.allclose(cosine, [0.34, 0.93, 0.0], atol=0.01) and np.allclose(met, [0.162, 0.163, 0.171], atol=0.005),
    )


SEQUELS = (
    ("Star Wars", "Empire Strikes Back, The"),
    ("Godfather, The", "Godfather: Part II, The"),
    ("Alien", "Aliens"),
    ("Terminator, The", "Terminator 2: Judgment Day"),
    ("Die Hard", "Die Hard 2"),
    ("Star Trek: First Contact", "Star Trek: The Wrath of Khan"),
)


def test_pairs_that_everybody_knows(films, tables):
    titles = list(movielens().items["title"])
    index = {titles[i]: n for n, i in enumerate(films.items.tolist())}
    pairs = [(index[a], index[b]) for a, b in SEQUELS if a in index and b in index]
    found = {name: np.mean([b in table[a] for a, b in pairs]) for name, table in tables.items()}
    claim(
        "M08.anchors",
        "Six well-known pairs, such as Alien and Aliens: among ten neighbours are 6 by text, 6 by genres, 3 by genres "
        "and year, 1 by year",
        len(pairs) == 6 and [round(6 * found[name]) for name in ("text", "genres", "by hand", "year")] == [6, 6, 3, 1],
    )


def test_how_exact_two_hundred_labels_are():
    draw = np.random.default_rng(0)
    shares = draw.binomial(200, 0.6, size=20_000) / 200
    low, high = np.quantile(shares, [0.025, 0.975])
    claim(
        "M08.labels",
        "200 pairs labelled by people, 60 % of them right: the interval reaches 7 points to each side",
        abs((high - low) / 2 - 0.068) < 0.004,
    )
