"""How alike two items or two users are: from shared likes, or from the ratings that both have.

Ratings are compared over what both have rated and nothing else: what is missing is not a 0. Two columns with few
raters in common are alike by chance, so :math:`n` common raters can be made to count less by the factor
:math:`n / (n + s)`, the *shrinkage* of Koren, KDD 2008.
"""

import numpy as np
from scipy import sparse

from recsys_course.models.nearest import CELLS, Measure, largest, nearest_columns, pack, unpack

RATING_MEASURES = ("cosine", "adjusted cosine", "pearson", "jaccard")
FLAT = 1e-9  # a sum of squares below it is rounding: there is no variance to compare


def of_likes(name: str, shrink: float = 0.0) -> Measure:
    r"""The similarity of two sets of users as a function of three counts.

    With :math:`n_{ij}` users in both, :math:`n_i` in one and :math:`n_j` in the other:

    .. math:: \mathrm{cosine} = \frac{n_{ij}}{\sqrt{n_i n_j}} \qquad
        \mathrm{jaccard} = \frac{n_{ij}}{n_i + n_j - n_{ij}}

    Args:
        name: ``cosine`` or ``jaccard``.
        shrink: multiply by :math:`n_{ij} / (n_{ij} + \mathrm{shrink})`.

    Returns:
        A function of three arrays that broadcast: together, size of one, size of the other.

    Raises:
        ValueError: no measure of likes has that name, or ``shrink`` is negative.

    >>> of_likes("jaccard")(np.array([2.0]), np.array([3.0]), np.array([3.0]))
    array([0.5])
    """
    check_choice("similarity", name, ("cosine", "jaccard"))
    check_at_least("shrink", shrink, 0)

    def measure(together, one, other):
        plain = together / np.sqrt(one) / np.sqrt(other) if name == "cosine" else together / (one + other - together)
        return plain * (together / (together + shrink)) if shrink else plain

    return measure


def nearest_by_likes(likes: sparse.csr_matrix, k: int, name: str, shrink: float = 0.0) -> sparse.csr_matrix:
    """The ``k`` columns most similar to each column: CSR ``[n_users, n_items]`` to ``[n_items, n_items]``."""
    return nearest_columns(likes, k, of_likes(name, shrink))


def cosine(ratings: sparse.csr_matrix) -> sparse.csr_matrix:
    r"""Cosine of the ratings as they are, over the users :math:`U_{ij}` who rated both columns.

    .. math:: \frac{\sum_{u \in U_{ij}} r_{ui} r_{uj}}
        {\sqrt{\sum_{u \in U_{ij}} r_{ui}^2} \sqrt{\sum_{u \in U_{ij}} r_{uj}^2}}

    Args:
        ratings: CSR ``[n_users, n_items]``; for users, its transpose.

    Returns:
        CSR ``[n_items, n_items]``, nothing on the diagonal.
    """
    return columns_alike(ratings, "cosine")


def adjusted_cosine(ratings: sparse.csr_matrix) -> sparse.csr_matrix:
    r"""Cosine of :math:`r_{ui} - \bar r_u`: a generous user's 4 is no praise. Sarwar et al., WWW 2001.

    Args:
        ratings: CSR ``[n_users, n_items]``; the mean of each row is taken off.

    Returns:
        CSR ``[n_items, n_items]``, nothing on the diagonal.
    """
    return columns_alike(ratings, "adjusted cosine")


def pearson(ratings: sparse.csr_matrix) -> sparse.csr_matrix:
    r"""Correlation of two columns over the users who rated both: each minus its mean *over these users*.

    Args:
        ratings: CSR ``[n_users, n_items]``.

    Returns:
        CSR ``[n_items, n_items]``, nothing on the diagonal; 0 where one column does not vary.
    """
    return columns_alike(ratings, "pearson")


def jaccard(ratings: sparse.csr_matrix) -> sparse.csr_matrix:
    """Users who rated both, divided by users who rated either, whatever they gave: CSR ``[n_items, n_items]``."""
    return columns_alike(ratings, "jaccard")


def columns_alike(
    ratings: sparse.csr_matrix, name: str, shrink: float = 0.0, min_support: int = 1
) -> sparse.csr_matrix:
    """Any of the four measures between all columns, shrunk.

    Args:
        ratings: CSR ``[n_users, n_items]``.
        name: ``cosine``, ``adjusted cosine``, ``pearson`` or ``jaccard``.
        shrink: :math:`s` of the shrinkage.
        min_support: pairs with fewer common raters are 0.

    Returns:
        Float32 CSR ``[n_items, n_items]``, nothing on the diagonal.
    """
    columns = (centre_rows(ratings) if name == "adjusted cosine" else ratings).T.tocsr()
    alike = rows_alike(columns, columns, name, shrink, min_support).tocoo()
    others = alike.row != alike.col
    return sparse.csr_matrix((alike.data[others], (alike.row[others], alike.col[others])), shape=alike.shape)


def rows_alike(
    left: sparse.csr_matrix, right: sparse.csr_matrix, name: str, shrink: float = 0.0, min_support: int = 1
) -> sparse.csr_matrix:
    """Similarity of each row of one table with each of another, a block of rows at a time.

    For the adjusted cosine both tables come centred.

    Args:
        left: CSR ``[n_left, width]``.
        right: CSR ``[n_right, width]``.
        name: ``cosine``, ``adjusted cosine``, ``pearson`` or ``jaccard``.
        shrink: :math:`s` of the shrinkage.
        min_support: pairs with fewer common entries are 0.

    Returns:
        Float32 CSR ``[n_left, n_right]``.

    Raises:
        ValueError: no measure has that name, ``shrink`` is negative or ``min_support`` below 1.
    """
    check_rating_measure(name, shrink, min_support)
    height = max(1, CELLS // 4 // max(right.shape[0], 1))
    blocks = [sparse.csr_matrix((0, right.shape[0]), dtype=np.float32)]
    for start in range(0, left.shape[0], height):
        block = left[start : start + height]
        support = _products(pattern(block), pattern(right))
        alike = _compare(block, right, support, name)
        if shrink:
            alike *= support / (support + shrink)
        blocks.append(sparse.csr_matrix(np.where(support >= min_support, alike, 0), dtype=np.float32))
    return sparse.vstack(blocks, format="csr")


def centre_rows(ratings: sparse.csr_matrix) -> sparse.csr_matrix:
    """Each rating minus the mean of its row, float64 CSR of the same places."""
    counts = np.diff(ratings.indptr)
    rows = np.repeat(np.arange(ratings.shape[0]), counts)
    sums = np.bincount(rows, ratings.data, minlength=ratings.shape[0])
    return with_data(ratings, ratings.data - (sums / np.maximum(counts, 1))[rows])


def pattern(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """One wherever the table has an entry, also where that entry is 0."""
    return with_data(matrix, np.ones(len(matrix.data)))


def with_data(matrix: sparse.csr_matrix, data: np.ndarray) -> sparse.csr_matrix:
    """Other numbers in the same places of a CSR table."""
    return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def keep_largest(matrix: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """Keep the ``k`` largest entries above 0 of each row, ties by column, in float32 CSR ``[n_rows, n_columns]``."""
    positive = matrix.data > 0
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[positive]
    counts = np.bincount(rows, minlength=matrix.shape[0])
    keys = pack(matrix.data[positive], matrix.indices[positive])
    best = largest(counts, keys, max(1, min(k, int(counts.max(initial=0)))))  # [n_rows, k or fewer]
    values, columns = unpack(best[best > 0])
    kept = sparse.csr_matrix((values, columns, np.r_[0, (best > 0).sum(axis=1).cumsum()]), shape=matrix.shape)
    kept.sort_indices()
    return kept


def check_rating_measure(name: str, shrink: float, min_support: int) -> None:
    """Refuse what ``rows_alike`` cannot compute, in one sentence."""
    check_choice("similarity", name, RATING_MEASURES)
    check_at_least("shrink", shrink, 0)
    check_at_least("min_support", min_support, 1)


def check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a name that is not among the choices."""
    if value not in choices:
        raise ValueError(f"{what} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_at_least(what: str, value: float, least: float) -> None:
    """Refuse a number below the least that makes sense, and NaN."""
    if not value >= least:
        raise ValueError(f"{what} must be at least {least}, got {value}")


def _products(left: sparse.csr_matrix, right: sparse.csr_matrix) -> np.ndarray:
    """Inner products of the rows of two tables, float64 ``[n_left, n_right]``."""
    return (left @ right.T).toarray().astype(np.float64)


def _compare(left: sparse.csr_matrix, right: sparse.csr_matrix, support: np.ndarray, name: str) -> np.ndarray:
    """The measure without shrinkage: numbers in ``[-1, 1]``, 0 where a side does not vary, ``[n_left, n_right]``."""
    here, there = pattern(left), pattern(right)
    if name == "jaccard":
        either = np.diff(left.indptr)[:, None] + np.diff(right.indptr) - support
        return support / np.maximum(either, 1)
    xy, xx, yy = _products(left, right), _products(left.power(2), there), _products(here, right.power(2))
    if name == "pearson":
        x, y, n = _products(left, there), _products(here, right), np.maximum(support, 1)
        xy, xx, yy = xy - x * y / n, xx - x * x / n, yy - y * y / n
    varies = (xx > FLAT) & (yy > FLAT)
    return np.where(varies, xy / np.sqrt(np.where(varies, xx * yy, 1)), 0).clip(-1, 1)
