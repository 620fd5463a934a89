"""Losses of the recommenders: each takes scores of a batch and returns one number, lower is better.

A *score* is the model's raw number for a user and an item, not a probability. The score that the loss pulls up is
the *target*'s; those that it pushes down are *negatives*. A negative whose score is ``-inf`` takes no part.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def bpr_loss(targets: Tensor, negatives: Tensor) -> Tensor:
    r"""How far the targets are from standing above the negatives, pair by pair.

    .. math:: -\frac{1}{n} \sum_{(i, j)} \log \sigma(s_i - s_j)

    Source: Rendle et al., BPR, UAI 2009, arXiv:1205.2618, section 4 (BPR-Opt, without its penalty on the weights).

    Args:
        targets: scores of liked items, float ``[batch]``.
        negatives: scores of items to be placed below, float ``[batch]`` or several for each target, ``[batch, n]``.

    >>> bpr_loss(torch.zeros(2), torch.zeros(2))
    tensor(0.6931)
    """
    if negatives.ndim > targets.ndim:
        targets = targets.unsqueeze(1)  # [batch, 1]
    _same_shape("targets", targets.expand(len(targets), *negatives.shape[1:]), "negatives", negatives)
    return -F.logsigmoid(targets - negatives).mean()


def bce_loss(scores: Tensor, labels: Tensor) -> Tensor:
    r"""Binary cross-entropy of scores, each pair judged for itself: clicked or not.

    .. math:: -\frac{1}{n} \sum y \log \sigma(s) + (1 - y) \log(1 - \sigma(s))

    Args:
        scores: float, any shape.
        labels: 1 or 0, or a probability, same shape as ``scores``.

    Raises:
        ValueError: the shapes differ, so that each score would meet each label; or a label lies outside 0 to 1, for
            which the loss has no lower bound.

    >>> bce_loss(torch.zeros(3), torch.tensor([0.0, 1.0, 1.0]))
    tensor(0.6931)
    """
    _same_shape("scores", scores, "labels", labels)
    if not ((labels >= 0) & (labels <= 1)).all():
        raise ValueError(f"labels must lie in 0 to 1, got {labels.min():g} to {labels.max():g}: ratings are no labels")
    return F.binary_cross_entropy_with_logits(scores, labels.to(scores.dtype))


def softmax_loss(scores: Tensor, targets: Tensor) -> Tensor:
    r"""Cross-entropy over all items: every item but the target is a negative.

    .. math:: \frac{1}{n} \sum_u \Big( \log \sum_j e^{s_{uj}} - s_{u, t(u)} \Big)

    With equal scores it is :math:`\log n_\text{items}`: what an untrained model should start at.

    Args:
        scores: float ``[batch, n_items]``.
        targets: the item that followed, int64 ``[batch]``.
    """
    return F.cross_entropy(scores, targets)


def sampled_softmax_loss(targets: Tensor, negatives: Tensor, log_q: Tensor | None = None) -> Tensor:
    r"""Cross-entropy over the target and a sample of ``n`` negatives that stands for all items.

    .. math:: \log \Big( e^{s_t} + \sum_{j=1}^{n} e^{s_j - \log(n q_j)} \Big) - s_t

    An item that is drawn often must count less each time: with :math:`\log q_j` subtracted, the sum over the sample
    has the expectation of the sum over all items, and the loss approaches ``softmax_loss`` as ``n`` grows. A finite
    sample underestimates it: the logarithm of a mean is not the mean of logarithms. Give a drawn target the score
    ``-inf``: it is in the sum already. Source: Jean et al., ACL 2015, arXiv:1412.2007, section 3.

    Args:
        targets: scores of liked items, float ``[batch]``.
        negatives: scores of the sample, float ``[batch, n]``.
        log_q: natural logarithm of each negative's probability in one draw, float ``[batch, n]`` or ``[n]``; without
            it the sample counts as it is.
    """
    if log_q is not None:
        negatives = negatives - log_q - math.log(negatives.shape[1])
    every = torch.cat([targets.unsqueeze(1), negatives], dim=1)  # [batch, 1 + n]
    return F.cross_entropy(every, torch.zeros(len(every), dtype=torch.int64, device=every.device))


def in_batch_softmax_loss(
    users: Tensor,
    items: Tensor,
    item_ids: Tensor,
    log_q: Tensor | None = None,
    temperature: float = 1.0,
    known: Tensor | None = None,
) -> Tensor:
    r"""Cross-entropy of each user's own item against the items of the other rows.

    .. math:: -\frac{1}{n} \sum_i \log \frac{e^{s_{ii}}}{\sum_j e^{s_{ij}}},
        \qquad s_{ij} = \frac{u_i^\top v_j}{\tau} - \log q_j

    The negatives cost nothing, but the batch holds an item as often as people like it. Without ``log_q`` the best
    possible score is :math:`\log p(j \mid i) - \log q_j`, which holds popular items down; with it, it is
    :math:`\log p(j \mid i)`. The other sign would subtract :math:`\log q_j` twice. What stays is a small bias: the
    row's own item is in the sum for certain, not by chance (arXiv:2507.09331). Source: Yi et al.,
    Sampling-bias-corrected neural modeling, RecSys 2019, section 3.

    Args:
        users: one user vector a row, float ``[batch, dim]``.
        items: the vector of the item that this row's user liked, float ``[batch, dim]``.
        item_ids: that item, int64 ``[batch]``; the same item in another row is no negative.
        log_q: natural logarithm of the share of rows that hold this item, float ``[batch]``.
        temperature: :math:`\tau`; the smaller, the more the hardest negatives count.
        known: whether the item of column ``j`` is a positive of the user of row ``i`` and so no negative either,
            bool ``[batch, batch]``.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    scores = (users @ items.T).float() / temperature  # [batch, batch]
    if log_q is not None:
        scores = scores - log_q
    skip = item_ids.unsqueeze(1) == item_ids  # [batch, batch]
    if known is not None:
        skip |= known
    rows = torch.arange(len(item_ids), device=skip.device)
    return F.cross_entropy(scores.masked_fill(skip.fill_diagonal_(False), -torch.inf), rows)


def dpo_loss(
    chosen: Tensor, rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor, beta: float = 0.1
) -> Tensor:
    r"""Direct preference optimisation: make the preferred answer likelier *relative to* a frozen reference.

    .. math:: -\frac{1}{n} \sum \log \sigma \left( \beta \log \frac{\pi(y_w)}{\pi_0(y_w)}
        - \beta \log \frac{\pi(y_l)}{\pi_0(y_l)} \right)

    Only the difference counts: the loss can fall while both answers become less likely. If preferences follow a
    reward, as in Bradley and Terry's model, the best policy is proportional to :math:`\pi_0 e^{r / \beta}`: the
    smaller ``beta``, the further from the reference. Source: Rafailov et al., *Direct preference optimization*,
    NeurIPS 2023, arXiv:2305.18290, equations 4 and 7.

    Args:
        chosen: the policy's log probability of the preferred answer, float ``[batch]``.
        rejected: of the other one, float ``[batch]``.
        reference_chosen: the same under the reference, without gradient, float ``[batch]``.
        reference_rejected: likewise, float ``[batch]``.
        beta: how dear it is to leave the reference, above 0.

    Raises:
        ValueError: ``beta`` is not above 0 or the shapes differ.

    >>> dpo_loss(torch.zeros(2), torch.zeros(2), torch.zeros(2), torch.zeros(2))
    tensor(0.6931)
    """
    if not beta > 0:
        raise ValueError(f"beta must be above 0, got {beta}")
    others = {"rejected": rejected, "reference_chosen": reference_chosen, "reference_rejected": reference_rejected}
    for name, other in others.items():
        _same_shape("chosen", chosen, name, other)
    margin = (chosen - reference_chosen) - (rejected - reference_rejected)  # [batch]
    return bpr_loss(beta * margin, torch.zeros_like(margin))


def _same_shape(first: str, one: Tensor, second: str, other: Tensor) -> None:
    if one.shape != other.shape:
        raise ValueError(f"{first} and {second} must have one shape, got {list(one.shape)} and {list(other.shape)}")
