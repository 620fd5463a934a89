"""What the answer to P03 (tell me about your project) states about the course's own data."""

from recsys_course import claim


def test_the_data_of_the_project_is_what_the_story_says(ratings):
    share = len(ratings) / (ratings.n_users * ratings.n_items)
    claim(
        "P03.data",
        "MovieLens 100K holds 100,000 ratings by 943 users of 1,682 films, 6.30 % of the table",
        (len(ratings), ratings.n_users, ratings.n_items) == (100_000, 943, 1_682) and round(share, 4) == 0.0630,
    )
