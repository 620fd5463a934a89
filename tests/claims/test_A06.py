"""What the answer to A06 (implicit feedback) states."""

import numpy as np

from recsys_course import claim


def test_counting_the_unseen_as_disliked_ranks_by_exposure():
    """Item A is liked by 80 % and shown to 5 %, item B liked by 20 % and shown to half of 100,000 users."""
    draw, liked, shown = np.random.default_rng(0), np.array([0.8, 0.2]), np.array([0.05, 0.5])
    exposed = draw.random((100_000, 2)) < shown
    clicks = exposed & (draw.random((100_000, 2)) < liked)
    naive = clicks.mean(axis=0)
    weighted = (clicks / shown).mean(axis=0)
    claim(
        "A06.exposure-beats-taste",
        "Clicks over all users rank an item liked by 20 % above one liked by 80 % that is shown ten times less",
        naive[1] > 2 * naive[0],
    )
    claim(
        "A06.exposure-weights",
        "Dividing each click by its exposure probability brings the true 80 % and 20 % back within a point or two",
        bool((abs(weighted - liked) < 0.02).all()),
    )


def test_random_negatives_hit_what_the_user_likes():
    """500 unrecorded likes among 10,000 items, four negatives drawn for each example."""
    drawn = np.random.default_rng(0).integers(10_000, size=(200_000, 4)) < 500
    claim(
        "A06.false-negatives",
        "With 500 likes among 10,000 items, 18.5 % of examples with four random negatives hold a false one",
        abs(drawn.any(axis=1).mean() - 0.185) < 0.005,
    )
