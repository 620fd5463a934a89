"""What the answer to N04 (does a knowledge graph still help?) states."""

import numpy as np
import pandas as pd
import pytest

from recsys_course import claim
from recsys_course.assets import fetch
from recsys_course.data.movielens import movielens


@pytest.fixture(scope="module")
def graph():
    """Triples of the knowledge graph that is linked to the films, and the row of each linked entity."""
    folder = fetch("ml-100k-graph", progress=False)
    triples = pd.read_csv(folder / "ml-100k.kg", sep="\t", names=["head", "relation", "tail"], header=0)
    links = pd.read_csv(folder / "ml-100k.link", sep="\t", names=["item_id", "entity"], header=0)
    row = {number: place for place, number in enumerate(movielens().items["item_id"])}
    return triples, {entity: row[number] for entity, number in zip(links["entity"], links["item_id"], strict=True)}


def test_half_of_the_triples_say_the_other_half(graph):
    triples, _ = graph
    count = triples["relation"].value_counts()
    both = [count["film.film.genre"], count["film.film_genre.films_in_this_genre"]]
    claim(
        "N04.inverse",
        "Of 91,631 triples 7,184 say that a film has a genre, and 7,184 say the same backwards",
        len(triples) == 91_631 and both == [7_184, 7_184],
    )


def test_the_links_name_other_films(graph):
    triples, row = graph
    said = triples[(triples["relation"] == "film.film.genre") & triples["head"].isin(row)]
    genres = movielens().items["genres"]
    names = sorted({name for films in genres for name in films})
    known = np.array([[name in films for name in names] for films in genres], dtype=float)
    best = []
    for genre in said["tail"].value_counts().index[:20]:
        marked = np.zeros(len(known))
        marked[[row[film] for film in said["head"][said["tail"] == genre]]] = 1
        best.append(max(np.corrcoef(marked, column)[0, 1] for column in known.T))
    sequels = triples[(triples["relation"] == "film.film.sequel")]
    sequels = sequels[sequels["head"].isin(row) & sequels["tail"].isin(row)]
    year = movielens().items["year"].astype(float).to_numpy()
    later = [year[row[b]] > year[row[a]] for a, b in zip(sequels["head"], sequels["tail"], strict=True)]
    claim(
        "N04.links",
        "The links as shipped: none of the graph's 20 most frequent genres correlates above 0.1 with one of MovieLens, "
        "and of 57 sequels between linked films 44 % are younger than what they follow",
        max(best) < 0.1 and len(sequels) == 57 and abs(np.mean(later) - 0.44) < 0.01,
    )


def cold_ndcg(cold_films, table, penalty=10.0):
    """NDCG@10 among withheld films, by a ridge from this table to the tastes, one value for each draw."""
    found = []
    for films in cold_films:
        known = ~films.cold
        x = np.hstack([table - table[known].mean(0), np.ones((len(table), 1))])
        inner = x[known] @ x[known].T + penalty * np.eye(known.sum())
        vectors = x @ (x[known].T @ np.linalg.solve(inner, films.vectors[known]))
        found.append(films.ndcg(films.tastes @ vectors.T, films.cold))
    return np.array(found)


def test_facts_of_other_films_are_worth_nothing(graph, cold_films, content):
    triples, row = graph
    facts = triples[triples["head"].isin(row) & triples["relation"].isin(["film.film.genre", "film.film.directed_by"])]
    names, column = np.unique(facts["tail"], return_inverse=True)
    table = np.zeros((len(content), len(names)))
    table[[row[film] for film in facts["head"]], column] = 1
    table = table[:, table.sum(0) >= 3]
    shipped, by_hand = (cold_ndcg(cold_films, t) for t in (table, content))
    claim(
        "N04.shipped",
        "Films without events, NDCG@10, mean of three draws: genres and directors by those links 0.07, genres and year "
        "of MovieLens itself 0.24; chance has 0.05",
        abs(shipped.mean() - 0.068) < 0.01 and abs(by_hand.mean() - 0.242) < 0.01,
    )


def test_what_wrong_links_cost(cold_films, content):
    draw, curve = np.random.default_rng(0), {}
    for share in (0.0, 0.1, 0.3, 1.0):
        wrong = np.flatnonzero(draw.random(len(content)) < share)
        table = content.copy()
        table[wrong] = content[draw.permutation(wrong)]
        curve[share] = cold_ndcg(cold_films, table).mean()
    claim(
        "N04.noise",
        "Right facts, a share of the films with those of another: 0.24 with none, 0.23 "
        "with 10 %, 0.15 with 30 %, 0.05 with all",
        np.allclose(list(curve.values()), [0.242, 0.227, 0.151, 0.05], atol=0.012),
    )


def test_what_a_kind_of_edge_is_worth(cold_films, content):
    parts = {"genres": content[:, :18], "year": content[:, 18:], "both": content}
    found = {name: cold_ndcg(cold_films, table).mean() for name, table in parts.items()}
    claim(
        "N04.kinds",
        "The same map with genres alone 0.20, with the year alone 0.17, with both 0.24",
        np.allclose(list(found.values()), [0.2, 0.166, 0.242], atol=0.01),
    )
