"""Prompts, their parser, position bias and cost: everything of `language` that needs no weights."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_course.language import cyclic_orders, debias, parse_ranking, position_effect, render, request_cost
from recsys_course.language.prompts import natural, short

THREE = ["Alien (1979)", "Aliens (1986)", "Empire Strikes Back, The (1980)"]


# --- prompts


def test_a_title_is_written_as_people_write_it():
    assert natural("Empire Strikes Back, The (1980)") == "The Empire Strikes Back (1980)"
    assert natural("Beautiful Mind, A") == "A Beautiful Mind"
    assert natural("Good, Bad and Ugly, The (1966)") == "The Good, Bad and Ugly (1966)"
    assert natural("Toy Story (1995)") == "Toy Story (1995)"
    assert short("1984 (1984)") == "1984"


def test_a_prompt_letters_its_candidates_and_keeps_the_viewer_apart():
    viewer, question = render(["Alien (1979)"], THREE[1:])
    assert viewer == "A viewer liked these films:\nAlien\n"
    assert question == "Which film should the viewer see next?\nA. Aliens\nB. The Empire Strikes Back\nAnswer:"


def test_another_order_of_the_candidates_leaves_the_viewers_part_as_it_was():
    assert render(THREE, THREE)[0] == render(THREE, THREE[::-1])[0]


def test_an_empty_history_is_said_in_the_prompt():
    assert render([], THREE)[0] == "A viewer liked these films:\n(nothing yet)\n"


@pytest.mark.parametrize("n", [0, 27])
def test_candidates_without_a_letter_are_refused(n):
    with pytest.raises(ValueError, match=f"1 to 26 candidates, got {n}"):
        render([], ["Heat (1995)"] * n)


# --- the parser


def test_a_clean_answer_is_read_as_it_stands():
    answer = "1. The Empire Strikes Back (1980)\n2. Alien (1979)\n3. Aliens (1986)"
    assert parse_ranking(answer, THREE) == ([2, 0, 1], [], [], [])


def test_case_punctuation_bullets_and_the_article_do_not_matter():
    answer = '* "EMPIRE STRIKES BACK, THE" is a classic\n7) aliens!\n- Alien (1979)'
    assert parse_ranking(answer, THREE).order == [2, 1, 0]


def test_invented_repeated_and_missing_titles_are_reported():
    answer = "Here is my list:\n1. Aliens\n2. Alien vs. Zombies: Part\n3. Star Gate Wars\n4. Aliens (1986)\n\nEnjoy!"
    order, invented, repeated, missing = parse_ranking(answer, ["Aliens (1986)", "Heat (1995)", "Alien (1979)"])
    assert (order, repeated, missing) == ([0, 2, 1], [0], [1])
    assert invented == ["3. Star Gate Wars"]


def test_the_longest_title_in_a_line_is_meant():
    assert parse_ranking("1. Aliens", THREE).order[0] == 1
    assert parse_ranking("1. Star Wars", ["Star (1968)", "Star Wars (1977)"]).order == [1, 0]


def test_an_apostrophe_splits_no_word():
    assert parse_ranking("I'm glad. It is", ["M (1931)"]).missing == [0]
    assert parse_ranking("1. Im Not Rappaport", ["Heat (1995)", "I'm Not Rappaport (1996)"]).order == [1, 0]


def test_a_title_inside_a_longer_word_is_not_meant():
    assert parse_ranking("1. Aliens", ["Heat (1995)", "Alien (1979)"]) == ([0, 1], ["1. Aliens"], [], [0, 1])


def test_the_year_decides_between_films_of_one_name():
    two = ["Sabrina (1995)", "Sabrina (1954)"]
    assert parse_ranking("Sabrina (1954)", two).order == [1, 0]
    assert parse_ranking("Sabrina\nSabrina", two) == ([0, 1], [], [], [])


def test_an_empty_answer_keeps_the_order_of_the_offer():
    assert parse_ranking("", THREE) == ([0, 1, 2], [], [], [0, 1, 2])


LINES = st.one_of(st.sampled_from([*THREE, "aliens", "3. ALIEN", "Star Wars 9", "", "1."]), st.text(max_size=20))
TITLES = st.lists(st.one_of(st.sampled_from(THREE), st.text(max_size=12)), min_size=1, max_size=6)


@given(st.lists(LINES, max_size=8), TITLES)
def test_whatever_is_said_every_candidate_comes_out_once(lines, titles):
    found = parse_ranking("\n".join(lines), titles)
    assert sorted(found.order) == list(range(len(titles)))
    assert set(found.missing).isdisjoint(found.repeated)
    assert found.order[len(found.order) - len(found.missing) :] == found.missing == sorted(found.missing)


# --- positions


def test_cyclic_orders_put_every_candidate_once_in_every_slot():
    orders = cyclic_orders(4)
    assert orders.tolist() == [[0, 1, 2, 3], [1, 2, 3, 0], [2, 3, 0, 1], [3, 0, 1, 2]]
    assert (orders.sort(dim=0).values == torch.arange(4).unsqueeze(1)).all()


def test_a_judge_that_always_takes_the_first_slot_says_nothing_after_debiasing():
    scores = torch.tensor([[1.0, 0.0, 0.0]] * 3)
    assert torch.equal(debias(scores, cyclic_orders(3)), torch.full((3,), 1 / 3))


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=6), st.data())
def test_an_additive_bias_is_removed_exactly_and_measured_exactly(worth, data):
    n = len(worth)
    worth = torch.tensor(worth, dtype=torch.float64)
    bias = torch.tensor(data.draw(st.lists(st.integers(-9, 9), min_size=n, max_size=n)), dtype=torch.float64)
    orders = cyclic_orders(n)
    scores = worth[orders] + bias
    assert torch.allclose(debias(scores, orders), worth + bias.mean())
    assert torch.allclose(position_effect(scores, orders), bias - bias.mean())


def test_debias_follows_the_candidate_and_not_the_slot():
    orders = torch.tensor([[0, 1, 2], [1, 2, 0]])
    scores = torch.tensor([[1.0, 2.0, 3.0], [20.0, 30.0, 10.0]])
    assert debias(scores, orders).tolist() == [5.5, 11.0, 16.5]


def test_orders_that_are_no_permutations_are_refused():
    with pytest.raises(ValueError, match="must be a permutation"):
        debias(torch.zeros(1, 2), torch.tensor([[0, 0]]))
    with pytest.raises(ValueError, match="one score for each slot"):
        debias(torch.zeros(2, 2), torch.tensor([[0, 1]]))
    with pytest.raises(ValueError, match="at least one candidate"):
        cyclic_orders(0)


# --- cost


def test_a_shared_prefix_is_read_once():
    assert request_cost(80, 50, 5, parameters=1e6)[:2] == (330, 0)
    assert request_cost(80, 50, 5, parameters=1e6, shared=False)[:2] == (650, 0)


def test_the_first_token_of_an_answer_comes_with_the_prompt():
    reading = request_cost(100, 0, parameters=1e6).flop
    assert reading == 2 * 1e6 * 100
    assert request_cost(100, 0, said=1, parameters=1e6).flop == reading
    assert request_cost(100, 0, said=11, parameters=1e6).flop == 2 * 1e6 * 110


def test_a_request_that_asks_nothing_is_refused():
    with pytest.raises(ValueError, match="at least once"):
        request_cost(1, 1, 0, parameters=1.0)
    with pytest.raises(ValueError, match="cannot be negative"):
        request_cost(-1, 1, parameters=1.0)
