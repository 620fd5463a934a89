"""User profiles: interests out of what was liked, tiers that they move between, and what each tier is given.

An *interest* is a group of likes that lie near each other. Three signals place it in a *tier*: how much evidence there
is (activity), over how many days it was shown (stability), and how new it is (recency). Memberships are shares, not
labels: while nothing happens they change smoothly, so that nobody falls off an edge overnight.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.cluster.hierarchy import fcluster, linkage
from torch import Tensor

from recsys_course.data import Dataset
from recsys_course.text import TextEncoder, film_texts, remove_top

TIERS = ("core", "emerging", "exploratory")
DAY = 86_400  # seconds


class Signals(NamedTuple):
    """What places interests in tiers, one number an interest, float ``[n_interests]`` each.

    Attributes:
        activity: number of likes, each worth half after every half-life.
        stability: 0 if all were given on one day, 1/2 for two equal days, near 1 for many.
        recency: share of the activity that is left with the short half-life, 1 if all is new.
    """

    activity: Tensor
    stability: Tensor
    recency: Tensor


def decay(ages: Tensor, half_life: float) -> Tensor:
    r"""What a like is still worth: :math:`2^{-a / h}`, 1 when new, 1/2 after a half-life.

    Args:
        ages: how long ago, in the unit of ``half_life``, not negative, any shape.
        half_life: :math:`h`, above 0.

    Raises:
        ValueError: an age is negative (a like from the future), or ``half_life`` is not above 0.

    >>> decay(torch.tensor([0.0, 30.0, 60.0]), half_life=30)
    tensor([1.0000, 0.5000, 0.2500])
    """
    if not half_life > 0:
        raise ValueError(f"half_life must be above 0, got {half_life}")
    if (ages < 0).any():
        raise ValueError("an age is negative: leave out what happened after the moment you look from")
    return 0.5 ** (ages / half_life)


def with_text(vectors: Tensor, dataset: Dataset, weight: float = 1.0) -> Tensor:
    """Append each film's text vector to what behaviour says of it, so that a film without likes has a place too.

    Text vectors are centred and of one length: ``weight`` times the mean length of ``vectors``.

    Args:
        vectors: learnt from training events alone, float ``[n_items, dim]``.
        dataset: whose titles, years and genres are encoded.
        weight: of the text, not negative.

    Returns:
        Float ``[n_items, dim + 384]``.
    """
    texts = F.normalize(remove_top(TextEncoder().encode(film_texts(dataset)), 0), dim=1)
    return torch.cat([vectors, weight * vectors.norm(dim=1).mean() * texts], dim=1)


def group(vectors: Tensor, n_interests: int | None = None, spread: float = 2.0) -> Tensor:
    """Put likes that point the same way into one interest, by Ward's hierarchical clustering.

    Two groups are joined while that costs little; without ``n_interests`` a user whose likes lie close together gets
    few interests, another many. Directions are compared, not lengths. Source: Pal et al., KDD 2020, arXiv:2007.03634.

    Args:
        vectors: of the liked items, float ``[n_likes, dim]``.
        n_interests: at most so many; without it, ``spread`` decides.
        spread: join while Ward's distance is at most this; 0 keeps all likes apart that differ.

    Returns:
        The interest of each like, counted from 0, int64 ``[n_likes]``.
    """
    if n_interests is not None and n_interests < 1:
        raise ValueError(f"n_interests must be at least 1, got {n_interests}")
    if len(vectors) < 2:
        return torch.zeros(len(vectors), dtype=torch.int64)
    tree = linkage(F.normalize(vectors, dim=1).double().numpy(), "ward")
    rule = (spread, "distance") if n_interests is None else (n_interests, "maxclust")
    return torch.from_numpy(fcluster(tree, *rule)).long() - 1


def centres(vectors: Tensor, labels: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean vector of each interest and its share of the likes.

    Args:
        vectors: of the liked items, float ``[n_likes, dim]``.
        labels: the interest of each, int64 ``[n_likes]``.
        weights: what each like is worth, such as ``decay`` says, float ``[n_likes]``; without it, all the same.

    Returns:
        Float ``[n_interests, dim]`` and ``[n_interests]``; the shares sum to 1.
    """
    weights = torch.ones(len(labels)) if weights is None else weights
    member = F.one_hot(labels).T.float() * weights  # [n_interests, n_likes]
    mass = member.sum(dim=1)
    return member @ vectors / mass.unsqueeze(1), mass / mass.sum()


def signals(labels: Tensor, times: Tensor, now: int, half_life: float = 60.0, recent: float = 7.0) -> Signals:
    r"""Activity, stability and recency of each interest at one moment.

    With :math:`w_e` the decayed weight of a like and :math:`W_d` the sum of those of day :math:`d`, the activity is
    :math:`\sum_e w_e` and the stability :math:`1 - \sum_d W_d^2 / (\sum_d W_d)^2`.

    Args:
        labels: the interest of each like, int64 ``[n_likes]``.
        times: when, in Unix seconds, int64 ``[n_likes]``.
        now: the moment to look from, in Unix seconds; no like is later.
        half_life: of the activity, in days.
        recent: the short half-life, in days.
    """
    ages = (now - times).double() / DAY
    member = F.one_hot(labels).T.double()  # [n_interests, n_likes]
    by_day = F.one_hot((times // DAY).unique(return_inverse=True)[1]).double()  # [n_likes, n_days]
    weights = decay(ages, half_life)
    activity = member @ weights
    days = (member * weights) @ by_day  # [n_interests, n_days]
    tiny = torch.finfo(torch.float64).tiny  # of likes so old that nothing is left
    stability = 1 - (days / activity.clamp(min=tiny).unsqueeze(1)).square().sum(dim=1)
    recency = member @ decay(ages, recent) / activity.clamp(min=tiny)
    return Signals(activity.float(), stability.float(), recency.float())


def tiers(signals: Signals, evidence: float = 3.0) -> Tensor:
    r"""How far each interest belongs to each tier: float ``[n_interests, 3]``, every row sums to 1.

    With :math:`e = a / (a + \text{evidence})` of activity :math:`a`, stability :math:`s` and recency :math:`r`, *core*
    is :math:`e s`, *emerging* :math:`e (1 - s) r`, and *exploratory* the rest: too little evidence, or a burst that
    is over. While nothing is liked, all three are continuous in time.

    Args:
        signals: of each interest.
        evidence: the activity at which half of the membership is decided.
    """
    strength = signals.activity / (signals.activity + evidence)
    core = strength * signals.stability
    emerging = strength * (1 - signals.stability) * signals.recency
    return torch.stack([core, emerging, 1 - core - emerging], dim=1)


def exploration(memberships: Tensor, rates: Sequence[float] = (0.05, 0.15, 0.4)) -> Tensor:
    """The share of its places in which an interest tries something new, as continuous as the memberships.

    Args:
        memberships: float ``[n_interests, 3]``.
        rates: of a pure core, emerging and exploratory interest.

    Returns:
        Float ``[n_interests]``.
    """
    return memberships @ torch.tensor(rates, dtype=memberships.dtype)


def places(shares: Tensor, k: int, offset: float = 0.5) -> Tensor:
    r"""Deal ``k`` places by share, in whole numbers: :math:`\lfloor k S_j + o \rfloor - \lfloor k S_{j-1} + o \rfloor`.

    :math:`S_j` is the sum of the first :math:`j` shares. Nobody is a whole place away from its share, and with an
    offset drawn between 0 and 1 everybody gets its exact share on average, also one of less than a place.

    Args:
        shares: not negative, they sum to 1, float ``[n]``.
        k: places to deal.
        offset: :math:`o`, from 0 to below 1.

    Returns:
        Int64 ``[n]``, they sum to ``k``.
    """
    ends = ((shares.double().cumsum(0) + 1e-6) * k + offset).floor().long()  # what rounding took is given back
    ends[-1] = k
    return ends.diff(prepend=torch.zeros(1, dtype=torch.int64))


def deal(queues: Sequence[Sequence[int]], shares: Tensor, k: int, offset: float = 0.5) -> list[int]:
    """Fill ``k`` places from several lists in proportion to their shares, evenly mixed and without doubles.

    Args:
        queues: items, best first, no item twice in one; each long enough to do without those of the others.
        shares: of each queue, they sum to 1, float ``[n_queues]``.
        k: places to fill.
        offset: as in ``places``.

    Raises:
        ValueError: a list is too short.
    """
    dealt = places(shares, k, offset).tolist()
    turns = sorted(((turn + 0.5) / n, queue) for queue, n in enumerate(dealt) for turn in range(n))
    found: list[int] = []
    for _, queue in turns:
        item = next((item for item in queues[queue] if item not in found), None)
        if item is None:
            raise ValueError(f"queue {queue} has no item left: give each at least k = {k}")
        found.append(item)
    return found


def quantile_tiers(values: Tensor, cuts: Sequence[float]) -> Tensor:
    r"""The tier of each value by the share of values strictly below it: 0 below the first cut, and on.

    Equal values share a tier, and neither order nor unit matters. A value is in tier :math:`t` if its share is at or
    above :math:`t` of the cuts.

    Args:
        values: float ``[n]``.
        cuts: ascending shares, such as ``(0.25, 0.5, 0.75)`` for quarters.

    Returns:
        Int64 ``[n]``, from 0 to ``len(cuts)``.

    Raises:
        ValueError: a value is NaN, or the cuts do not ascend within 0 to 1.
    """
    if values.isnan().any():
        raise ValueError("a value is NaN and has no rank: leave it out")
    if list(cuts) != sorted(cuts) or not all(0 < cut < 1 for cut in cuts):
        raise ValueError(f"cuts must ascend between 0 and 1, got {tuple(cuts)}")
    below = torch.searchsorted(values.sort().values, values)  # [n], how many are strictly smaller
    shares = below.double() / max(len(values), 1)
    return (shares.unsqueeze(1) >= torch.tensor(cuts, dtype=torch.float64)).sum(dim=1)
