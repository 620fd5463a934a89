"""Second right answers for lesson 05: plain loops over one row, one film, one column at a time."""

import math
import random

import numpy as np
import torch


def in_batch_softmax(users, items, item_ids, log_q, temperature):
    losses = []
    for row in range(len(users)):
        logits = {}
        for column in range(len(items)):
            if column == row or int(item_ids[column]) != int(item_ids[row]):
                score = sum(a * b for a, b in zip(users[row].tolist(), items[column].tolist(), strict=True))
                logits[column] = score / temperature - float(log_q[column])
        top = max(logits.values())
        total = top + math.log(sum(math.exp(value - top) for value in logits.values()))
        losses.append(total - logits[row])
    return sum(losses) / len(losses)


def sample_negatives(users, train, test, n, generator):
    dice = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
    likes = {}
    for user, film, rating in zip(train.users.tolist(), train.items.tolist(), train.ratings.tolist(), strict=True):
        if rating >= 4:
            likes.setdefault(user, set()).add(film)
    drawn = []
    for user in users.tolist():
        films = []
        while len(films) < n:
            film = dice.randrange(train.n_items)
            if film not in likes.get(user, ()):
                films.append(film)
        drawn.append(films)
    return drawn


def ivf_search(query, vectors, centroids, lists, n_probes, k):
    query, vectors, centroids = query.numpy(), vectors.numpy(), centroids.numpy()
    order = sorted(range(len(centroids)), key=lambda number: -np.dot(centroids[number], query))
    found = []
    for number in order[:n_probes]:
        found += [(-float(np.dot(vectors[film], query)), film) for film in lists[number].tolist()]
    best = [film for _, film in sorted(found)[:k]]
    return best + [-1] * (k - len(best))


def alias_table(weights):
    n, total = len(weights), float(weights.sum())
    left = [float(weight) * n / total for weight in weights]
    keep, other, open_ = [1.0] * n, list(range(n)), set(range(n))
    while len(open_) > 1:
        least, most = min(open_, key=left.__getitem__), max(open_, key=left.__getitem__)
        keep[least], other[least] = min(left[least], 1.0), most
        left[most] -= 1 - keep[least]
        open_.remove(least)
    return np.array(keep), other


def add_dimension(vectors, queries):
    longest = max(sum(x * x for x in row) for row in vectors.tolist())
    longer = [[*row, math.sqrt(max(longest - sum(x * x for x in row), 0))] for row in vectors.tolist()]
    return longer, [[*row, 0.0] for row in queries.tolist()]


def pq_scores(query, vectors, codebooks):
    width = codebooks.shape[2]
    codes, scores = [], []
    for vector in vectors.numpy():
        chosen, score = [], 0.0
        for part, book in enumerate(codebooks.numpy()):
            place = slice(part * width, (part + 1) * width)
            code = int(np.square(book - vector[place]).sum(axis=1).argmin())
            chosen.append(code)
            score += float(np.dot(book[code], query.numpy()[place]))
        codes.append(chosen)
        scores.append(score)
    return codes, scores
