"""Second right answers for lesson 08: plain loops over one text, one pair, one film at a time."""

import math

import numpy as np
import torch


def mean_pool(hidden, mask):
    rows = []
    for vectors, real in zip(hidden, mask, strict=True):
        rows.append(vectors[real].mean(dim=0))
    return torch.stack(rows)


def encode_corpus(tokens, embed, batch_size):
    longest_first = np.argsort([-len(row) for row in tokens], kind="stable")
    found = None
    for rows in np.array_split(longest_first, range(batch_size, len(tokens), batch_size)):
        length = len(tokens[rows[0]])
        ids = np.array([tokens[row] + [0] * (length - len(tokens[row])) for row in rows])
        vectors = embed(torch.from_numpy(ids), torch.from_numpy(ids > 0)).detach().numpy()
        found = np.zeros((len(tokens), vectors.shape[1])) if found is None else found
        found[rows] = vectors
    return found


def topk_cosine(vectors, k):
    rows, lists = vectors.tolist(), []
    for i, a in enumerate(rows):
        cosines = []
        for j, b in enumerate(rows):
            if i != j:
                dot = sum(x * y for x, y in zip(a, b, strict=True))
                cosines.append((-dot / (math.hypot(*a) * math.hypot(*b)), j))
        lists.append([j for _, j in sorted(cosines)[:k]])
    return lists


def remove_top(vectors, n):
    x = vectors.numpy().astype(float)
    x = x - x.mean(axis=0)
    _, directions = np.linalg.eigh(x.T @ x)  # the smallest variance first
    for column in range(1, n + 1):
        top = directions[:, -column]
        x = x - np.outer(x @ top, top)
    return x


def calibrated_threshold(cosines, right, precision):
    pairs = sorted(zip(cosines.tolist(), right.tolist(), strict=True), reverse=True)
    best, n_right = math.inf, 0
    for place, (cosine, is_right) in enumerate(pairs, start=1):
        n_right += is_right
        last_of_its_value = place == len(pairs) or pairs[place][0] != cosine
        if last_of_its_value and n_right / place >= precision:
            best = cosine
    return best


def profile(liked, half_life):
    total = np.zeros(liked.shape[1])
    for age, film in enumerate(liked.numpy()[::-1]):
        total += 2.0 ** (-age / half_life) * film / np.linalg.norm(film)
    length = np.linalg.norm(total)
    return total / length if length else total
