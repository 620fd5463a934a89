"""Second right answers for lesson 18: loops, numpy, numerical slopes."""

import numpy as np
import torch


def because(similar, history, target):
    found = [(-float(similar[target, film]), place, int(film)) for place, film in enumerate(history.tolist())]
    found = sorted(entry for entry in found if entry[0] < 0)
    films, parts = [film for *_, film in found], [-part for part, *_ in found]
    return np.array(films, dtype=np.int64), np.array(parts, dtype=np.float32)


def integrated_gradients(score, inputs, baseline, n_steps):
    slope = torch.func.grad(lambda x: score(x.unsqueeze(0))[0])
    total = torch.zeros_like(inputs)
    for step in range(n_steps):
        share = (2 * step + 1) / (2 * n_steps)
        total += slope((1 - share) * baseline + share * inputs)
    return total / n_steps * (inputs - baseline)


def deletion_curve(score, attribution):
    left = [True] * len(attribution)
    rows = [list(left)]
    for _, part in sorted((-value, place) for place, value in enumerate(attribution.tolist())):
        left[part] = False
        rows.append(list(left))
    return score(torch.tensor(rows)).numpy()


def permutation_importance(predict, x, labels, quality, order):
    before, table = quality(predict(x), labels), x.numpy()
    losses = []
    for column in range(table.shape[1]):
        rows = [list(row) for row in table]
        for row, other in enumerate(order.tolist()):
            rows[row][column] = table[other][column]
        losses.append(before - quality(predict(torch.tensor(np.array(rows))), labels))
    return np.array(losses)


def rollout(layers):
    powers = [(layer.numpy().sum(axis=0) / len(layer) + np.eye(layer.shape[-1])) * 0.5 for layer in layers]
    return np.linalg.multi_dot(powers[::-1]).astype(np.float32) if len(powers) > 1 else powers[0]


def concept_direction(vectors, labels):
    groups = {True: [], False: []}
    for vector, label in zip(vectors.numpy(), labels.tolist(), strict=True):
        groups[label].append(vector)
    gap = np.mean(groups[True], axis=0) - np.mean(groups[False], axis=0)
    return gap / np.sqrt((gap**2).sum())
