"""The knowledge graph: entities, links and neighbours, on six facts and on the real one."""

import numpy as np
import pytest
import torch

from recsys_course.data import movielens
from recsys_course.data.knowledge import knowledge_graph

FACTS = """head_id:token\trelation_id:token\ttail_id:token
m.a\tfilm.film.genre\tm.drama
m.b\tfilm.film.genre\tm.drama
m.drama\tfilm.film_genre.films_in_this_genre\tm.a
m.b\tfilm.film.directed_by\tm.woman
m.woman\tfilm.director.film\tm.stranger
m.a\tfilm.film.sequel\tm.b
"""
LINKS = "item_id:token\tentity_id:token\n2\tm.b\n1\tm.a\n9999\tm.stranger\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ml-100k.kg").write_text(FACTS, encoding="utf-8")
    (tmp_path / "ml-100k.link").write_text(LINKS, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def films():
    return movielens()


def test_a_fact_joins_two_numbered_entities_by_a_numbered_relation(films, folder):
    graph = knowledge_graph(films, folder)
    names = [
        (graph.entities[h], graph.relation_names[r], graph.entities[t])
        for h, r, t in zip(graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist(), strict=True)
    ]
    assert names == [tuple(line.split("\t")) for line in FACTS.splitlines()[1:]]
    assert len(graph) == 6 and len(graph.entities) == 5


def test_an_item_is_linked_by_its_id_and_minus_one_without_a_link(films, folder):
    graph = knowledge_graph(films, folder)
    assert [graph.entities[number] for number in graph.items[:2]] == ["m.a", "m.b"]
    assert (graph.items[2:] == -1).all() and graph.items.shape == (films.ratings.n_items,)
    assert repr(graph) == "KnowledgeGraph(6 triples, 5 entities, 5 relations, 2 of 1,682 items linked)"


def test_neighbours_count_once_whatever_the_relation_and_direction(films, folder):
    graph = knowledge_graph(films, folder)
    table = graph.neighbours()
    of = lambda item: {graph.entities[column] for column in table[item].indices}  # noqa: E731
    assert of(0) == {"m.drama", "m.b"} and of(1) == {"m.drama", "m.woman", "m.a"} and of(2) == set()
    assert table.shape == (films.ratings.n_items, 5) and set(table.data) == {1}


def test_links_to_another_catalogue_are_refused(films, tmp_path):
    (tmp_path / "ml-100k.kg").write_text(FACTS, encoding="utf-8")
    (tmp_path / "ml-100k.link").write_text("item_id:token\tentity_id:token\n9999\tm.a\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no link of the knowledge graph fits an item of '100k': it is about ml-100k"):
        knowledge_graph(films, tmp_path)


def test_the_real_links_are_no_better_than_shuffled_ones(films):
    """Films that share a genre in Freebase should share one in MovieLens more often than chance has it. They do not."""
    graph = knowledge_graph(films)
    assert repr(graph) == "KnowledgeGraph(91,631 triples, 34,628 entities, 24 relations, 1,598 of 1,682 items linked)"
    genres = sorted({genre for row in films.items["genres"] for genre in row})
    known = np.array([[genre in row for genre in genres] for row in films.items["genres"]], dtype=float)
    linked = (graph.items >= 0).numpy()
    told = torch.zeros(len(graph.entities), dtype=torch.bool)
    told[graph.tails[graph.relations == graph.relation_names.index("film.film.genre")]] = True
    shared = graph.neighbours()[:, told.numpy()][linked]
    close = np.triu((shared @ shared.T).toarray() > 1, 1)  # pairs with two genres of Freebase in common
    agree = known[linked] @ known[linked].T > 0
    order = np.random.default_rng(0).permutation(linked.sum())
    shipped, shuffled = agree[close].mean(), agree[order][:, order][close].mean()
    print(f"share of pairs that agree: {shipped:.3f} as shipped, {shuffled:.3f} shuffled")
    assert shipped == pytest.approx(shuffled, abs=0.02)
