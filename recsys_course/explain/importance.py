"""How much worse a model gets when a feature is scrambled, or was never there."""

from collections.abc import Callable

import torch
from torch import Tensor

Predict = Callable[[Tensor], Tensor]  # float [n, n_features] to float [n]
Quality = Callable[[Tensor, Tensor], float]  # predictions and labels, both [n], to a number: higher is better


def permutation_importance(
    predict: Predict, x: Tensor, labels: Tensor, quality: Quality, n_repeats: int = 5, seed: int = 0
) -> Tensor:
    """Loss of quality when one column is shuffled among the rows and the model stays as it is.

    Shuffling makes rows that no log contains: with two columns that say the same, the model may lean on the other one.
    Source: Breiman, Machine Learning 45, 2001, section 10; for any model: Fisher, Rudin and Dominici, JMLR 20, 2019.

    Args:
        predict: the model.
        x: rows that it has not learnt from, float ``[n, n_features]``; it is not changed.
        labels: what happened, ``[n]``.
        quality: such as an AUC, higher is better.
        n_repeats: how many shuffles.
        seed: of the shuffles.

    Returns:
        Quality as it is minus quality shuffled, float ``[n_repeats, n_features]``: 0 for what is not used.

    Raises:
        ValueError: ``n_repeats`` is below 1.
    """
    if n_repeats < 1:
        raise ValueError(f"n_repeats must be at least 1, got {n_repeats}")
    whole, generator = quality(predict(x), labels), torch.Generator().manual_seed(seed)
    drops = torch.zeros(n_repeats, x.shape[1])
    for repeat in range(n_repeats):
        for column in range(x.shape[1]):
            shuffled = x.clone()
            shuffled[:, column] = x[torch.randperm(len(x), generator=generator), column]
            drops[repeat, column] = whole - quality(predict(shuffled), labels)
    return drops


def drop_column_importance(
    fit: Callable[[Tensor, Tensor], Predict],
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    quality: Quality,
) -> Tensor:
    """Loss of quality when the model learns without a column: what the column alone can give.

    Args:
        fit: learns from ``[n, n_features]`` and ``[n]`` and returns the model's ``predict``.
        train: rows and labels to learn from.
        test: rows and labels to judge by.
        quality: such as an AUC, higher is better.

    Returns:
        Float ``[n_features]``: 0 for either of two columns that say the same, however much they say.
    """
    (x, labels), (test_x, test_labels) = train, test
    whole = quality(fit(x, labels)(test_x), test_labels)
    columns = range(x.shape[1])
    rest = [[other for other in columns if other != column] for column in columns]
    without = [quality(fit(x[:, kept], labels)(test_x[:, kept]), test_labels) for kept in rest]
    return whole - torch.tensor(without)
