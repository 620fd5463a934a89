"""Second right answers for lesson 00, without a tensor operation."""


def liked_share(ratings):
    stars = ratings.tolist()
    return sum(1 for star in stars if star in (4.0, 5.0)) / len(stars)
