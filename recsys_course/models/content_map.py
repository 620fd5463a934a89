"""From content to collaborative vectors: an item that nobody has met gets the vector that its description suggests."""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_course.base import device
from recsys_course.data import Dataset, Interactions
from recsys_course.models.ials import IALS
from recsys_course.text import TextEncoder, film_texts
from recsys_course.training import seeded, train

HIDDEN, EPOCHS, BATCH, RATE = 128, 40, 128, 3e-3  # of the network


def content_features(dataset: Dataset, of: str = "text") -> Tensor:
    """What is known about each item before anybody likes it.

    Args:
        dataset: its titles, years and genres.
        of: ``text``: the encoder's vector of all three, less the mean of all items, of length 1; ``genres``: one
            column a genre and one a year.

    Returns:
        Float ``[n_items, n_features]``.

    Raises:
        ValueError: ``of`` is unknown.
    """
    if of == "text":
        vectors = TextEncoder().encode(film_texts(dataset))
        return F.normalize(vectors - vectors.mean(dim=0), dim=1)
    if of != "genres":
        raise ValueError(f"of must be text or genres, got {of!r}")
    names = sorted({name for row in dataset.items["genres"] for name in row})
    genres = torch.tensor([[float(name in row) for name in names] for row in dataset.items["genres"]])
    years = torch.from_numpy(dataset.items["year"].fillna(0).to_numpy(dtype="int64")).unique(return_inverse=True)[1]
    return torch.cat([genres, F.one_hot(years).float()], dim=1)


class ContentMap(IALS):
    r"""Factorise the likes, then learn to guess an item's vector :math:`q_i` from its description :math:`x_i`.

    An item with :math:`n_i` likes is scored by the vector

    .. math:: q_i + \frac{s}{n_i + s} f(x_i)

    A cold item, whose own vector is 0, has that of its description, which fades as likes arrive; with the strength
    :math:`s = 0` it is gone after the first. A user is folded in over these vectors, so that likes of cold items count
    as well. Source: Barkan, Koenigstein, Yogev and Katz, CB2CF, RecSys 2019, arXiv:1611.00384, whose map is a deep
    network.

    Learnt, beside what ``IALS`` learns: ``own_factors_`` and ``mapped_factors_``, both ``[n_items, dim]``;
    ``item_factors_`` is their mixture.

    Args:
        features: what is known about each item, float ``[n_items, n_features]``.
        method: ``ridge``: a linear map in closed form; ``network``: one hidden layer.
        penalty: of the ridge regression, above 0, and weight decay of the network.
        strength: :math:`s`, the number of likes at which half of the description is left.
        mapped_only: score every item by its description alone, :math:`f(x_i)`, however many like it.
        dim: length of the vectors; this and the rest as in ``IALS``.
        epochs: of the factorisation.
        alpha: of the factorisation.
        reg: of the factorisation.
        seed: of all first weights.
    """

    def __init__(
        self,
        features: Tensor,
        method: str = "ridge",
        penalty: float = 10.0,
        strength: float = 0.0,
        mapped_only: bool = False,
        dim: int = 64,
        epochs: int = 5,
        alpha: float = 2.0,
        reg: float = 20.0,
        seed: int = 0,
    ) -> None:
        super().__init__(dim, epochs, alpha, reg, seed)
        self.features = features
        self.method = method
        self.penalty = penalty
        self.strength = strength
        self.mapped_only = mapped_only

    def fit(self, train: Interactions) -> Self:
        """Learn vectors from the positives, and the map from the items that have one.

        Raises:
            ValueError: the features do not fit the items or hold NaN, or a setting makes no sense.
        """
        self._check_arguments(train)
        super().fit(train)
        counts = train.positives().item_counts()  # [n_items]
        self.own_factors_ = self.item_factors_
        learn = ridge_map if self.method == "ridge" else _network_map
        self.mapped_factors_ = learn(self.features.float(), self.own_factors_, counts > 0, self.penalty, self.seed)
        left = (self.strength / (counts + self.strength)).nan_to_num(1).unsqueeze(1)  # [n_items, 1], 1 for 0 / 0
        mixed = self.own_factors_ + left * self.mapped_factors_
        self.item_factors_ = self.mapped_factors_ if self.mapped_only else mixed
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Match with every item's vector, own or mapped: int64 ``[batch]`` to float ``[batch, n_items]``."""
        return super().scores(users, self.train_ if history is None else history)

    def _check_arguments(self, train: Interactions) -> None:
        shape = list(self.features.shape)
        if len(shape) != 2 or shape[0] != train.n_items:
            raise ValueError(f"features must be [{train.n_items}, n_features], got {shape}")
        if not self.features.isfinite().all():
            raise ValueError("features hold NaN or infinity: fill what is unknown before you fit")
        if self.method not in ("ridge", "network"):
            raise ValueError(f"method must be ridge or network, got {self.method!r}")
        if not (self.penalty > 0 and self.strength >= 0):
            raise ValueError(f"penalty must be above 0, strength not negative; got {self.penalty}, {self.strength}")


def ridge_map(features: Tensor, vectors: Tensor, warm: Tensor, penalty: float, _seed: int = 0) -> Tensor:
    r"""Guess every row's vector by a ridge regression over the warm rows, its intercept not penalised.

    With features and vectors centred by the warm rows' means, :math:`W = (X^\top X + \lambda I)^{-1} X^\top Y`;
    features that say nothing give the mean vector.

    Args:
        features: float ``[n_items, n_features]``.
        vectors: the targets, read where ``warm`` alone, float ``[n_items, dim]``.
        warm: which rows may be learnt from, bool ``[n_items]``.
        penalty: :math:`\lambda`, above 0.

    Returns:
        Float ``[n_items, dim]``; zeros where no row is warm.
    """
    if not warm.any():
        return torch.zeros_like(vectors)
    mean, centre = features[warm].mean(dim=0), vectors[warm].mean(dim=0)
    x = features[warm] - mean  # [n_warm, n_features]
    gram = x.T @ x + penalty * torch.eye(x.shape[1])
    return centre + (features - mean) @ torch.linalg.solve(gram, x.T @ (vectors[warm] - centre))


def _network_map(features: Tensor, vectors: Tensor, warm: Tensor, penalty: float, seed: int) -> Tensor:
    """The same by a network with one hidden layer, which learns what the line leaves: ``[n_items, dim]``."""
    line = ridge_map(features, vectors, warm, penalty)
    if not warm.any():
        return line
    x, y = features.to(device()), (vectors - line).to(device())
    scale = y[warm].std(correction=0).clamp(min=1e-6)
    with seeded(seed):
        layers = nn.Linear(x.shape[1], HIDDEN), nn.ReLU(), nn.Dropout(0.3), nn.Linear(HIDDEN, y.shape[1])
        network = nn.Sequential(*layers).to(device())
    rows, generator = warm.nonzero()[:, 0].to(device()), torch.Generator().manual_seed(seed)
    train(
        network,
        lambda batch: F.mse_loss(network(x[batch]), y[batch] / scale),
        lambda: rows[torch.randperm(len(rows), generator=generator)].split(BATCH),
        optimizer=torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=penalty / 100),
        epochs=EPOCHS,
        generator=generator,
    )
    with torch.no_grad():
        return line + (network(x) * scale).float().cpu()
