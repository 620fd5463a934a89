"""What the answer to M03 (from content to an item's own vector) states: films withheld, then given likes one by one."""

import numpy as np
import pytest

from recsys_course import claim

EVENTS = (0, 1, 5, 20)


def area(scores, fans, others):
    """Share of pairs of a fan and another user in the right order."""
    return (scores[fans][:, None] > scores[others]).mean() + 0.5 * (scores[fans][:, None] == scores[others]).mean()


def own_vector(start, tastes, fans, others, penalty=10.0):
    """Ridge from the events so far, drawn to where the vector started: ``[dim]``."""
    if not len(fans):
        return start
    x = tastes[np.concatenate([fans, others])]
    y = np.repeat([1.0, 0.0], [len(fans), len(others)])
    gram = x.T @ x + penalty * np.eye(x.shape[1])
    return start + np.linalg.solve(gram, x.T @ (y - x @ start))


def film(films, tastes, item, draw):
    """AUC of one film over users by content, by a vector that started at zero or at random, and by the blend."""
    fans = draw.permutation(np.flatnonzero(films.hidden[:, item]))
    others = draw.permutation(np.flatnonzero(~films.hidden[:, item]))
    judged, rest, rows = fans[20:], others[80:], []
    content = tastes @ films.vectors[item]
    noise = draw.normal(size=tastes.shape[1]) / tastes.shape[1] ** 0.5
    for n in EVENTS:
        zero, lot = (tastes @ own_vector(s, tastes, fans[:n], others[: 4 * n]) for s in (0 * noise, noise))
        scaled = [s / s.std() if s.std() else s for s in (content, zero)]
        blend = 10 / (n + 10) * scaled[0] + n / (n + 10) * scaled[1]
        rows.append([area(scores, judged, rest) for scores in (content, zero, lot, blend)])
    return rows


@pytest.fixture(scope="module")
def curves(cold_films):
    """Mean AUC by number of events and method, for each of three draws: ``[3, 4, 4]``."""
    found = []
    for seed, films in enumerate(cold_films):
        draw = np.random.default_rng(seed)
        tastes = films.tastes / np.linalg.norm(films.tastes, axis=1, keepdims=True).clip(1e-9)
        items = np.flatnonzero(films.cold & (films.hidden.sum(0) >= 40))
        found.append(np.mean([film(films, tastes, item, draw) for item in items], axis=0))
    return np.array(found)


def test_the_hand_over(curves, cold_films):
    mean = curves.mean(0)
    n_films = sum((films.cold & (films.hidden.sum(0) >= 40)).sum() for films in cold_films)
    claim(
        "M03.curve",
        "112 withheld films, AUC over users, mean of three draws: content 0.78 throughout; an own vector from zero "
        "0.73 after one like, 0.81 after 5, 0.86 after 20",
        n_films == 112
        and np.allclose(mean[:, 0], 0.784, atol=0.01)
        and np.allclose(mean[1:, 1], [0.729, 0.812, 0.857], atol=0.01),
    )
    claim(
        "M03.random",
        "From a random start it has 0.53 after one like, 0.61 after 5 and 0.76 after 20: below content in each draw",
        np.allclose(mean[1:, 2], [0.525, 0.611, 0.755], atol=0.02) and (curves[:, :, 2] < curves[:, :, 0]).all(),
    )
    claim(
        "M03.blend",
        "Content weighted 10 / (n + 10) and the own vector n / (n + 10): 0.78, 0.79, 0.83, 0.86 after 0, 1, 5, 20 "
        "likes, never below either",
        np.allclose(mean[:, 3], [0.784, 0.792, 0.826, 0.862], atol=0.01)
        and (mean[:, 3] >= mean[:, :2].max(1) - 1e-9).all(),
    )


def test_a_model_that_never_missed_an_id_ignores_content():
    """Quality = content + rest, both of variance 1; the id knows the quality; least squares on content and id."""
    found = {}
    for dropped in (0.0, 0.5):
        there = 1 - dropped
        gram = np.array([[1, there], [there, 2 * there]])  # of content and of the id, zeroed in that share of rows
        found[dropped] = np.linalg.solve(gram, [1, 2 * there])
    warm = (1 - found[0.5].sum()) ** 2 + (1 - found[0.5][1]) ** 2
    claim(
        "M03.dropout",
        "Without id dropout least squares puts weight 0 on content and 1 on the id; with half of the ids dropped 0.67 "
        "on each, and the warm squared error rises from 0 to 0.22",
        np.allclose(found[0.0], [0, 1]) and np.allclose(found[0.5], [2 / 3, 2 / 3]) and abs(warm - 2 / 9) < 1e-9,
    )
