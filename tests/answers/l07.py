"""Second right answers for lesson 07: loops over one query, one head, one product at a time."""

import math

import numpy as np
import torch


def _softmax(scores):
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    return [power / sum(powers) for power in powers]


def _one_query(query, keys, values, seen):
    weights, mixed = np.zeros(len(keys)), np.zeros(values.shape[1])
    places = [place for place, may in enumerate(seen) if may]
    if places:
        scores = [float(np.dot(query, keys[place])) / math.sqrt(len(query)) for place in places]
        for place, weight in zip(places, _softmax(scores), strict=True):
            weights[place] = weight
            mixed += weight * values[place]
    return mixed, weights


def masked_attention(queries, keys, values, mask):
    queries, keys, values, mask = (part.numpy() for part in (queries, keys, values, mask))
    mixed, weights = [], []
    for b in range(len(queries)):
        rows = [_one_query(queries[b, n], keys[b], values[b], mask[b, n]) for n in range(queries.shape[1])]
        mixed.append([row[0] for row in rows])
        weights.append([row[1] for row in rows])
    return np.array(mixed), np.array(weights)


def sequence_mask(lengths, length):
    return [
        [[[length - n <= key <= query for key in range(length)] for query in range(length)]] for n in lengths.tolist()
    ]


def reads(model, x):
    generator = torch.Generator().manual_seed(1)
    table = np.zeros((len(x), len(x)), dtype=bool)
    for s in range(len(x)):
        other = torch.cat([x[:s], torch.randn(1, x.shape[1], generator=generator), x[s + 1 :]])
        for t in range(len(x)):
            table[t, s] = max(abs(a - b) for a, b in zip(model(other)[t], model(x)[t], strict=True)) > 1e-4
    return table


def multi_head(x, queries, keys, values, output, n_heads, mask):
    width, mixed = x.shape[2] // n_heads, np.zeros(x.shape)
    for b in range(len(x)):
        q, k, v = (x[b].numpy() @ weights.numpy() for weights in (queries, keys, values))
        for head in range(n_heads):
            own = slice(head * width, (head + 1) * width)
            for n in range(x.shape[1]):
                mixed[b, n, own] = _one_query(q[n, own], k[:, own], v[:, own], mask[b, 0, n].tolist())[0]
    return mixed @ output.numpy()


def cost(dim, hidden, n_layers, length):
    shapes = [(dim, dim)] * 4 + [(dim, hidden), (hidden, dim)]
    weights = sum(rows * columns + columns for rows, columns in shapes) + sum([dim, dim]) * 2
    products = [(length, rows, columns) for rows, columns in shapes] + [(length, dim, length), (length, length, dim)]
    return n_layers * weights, n_layers * sum(2 * a * b * c for a, b, c in products)


def decode_step(x, queries, keys, values, past_keys, past_values):
    outputs, all_keys, all_values = [], [], []
    for b in range(len(x)):
        row = x[b].numpy()
        k = np.vstack([past_keys[b].numpy(), row @ keys.numpy()])
        v = np.vstack([past_values[b].numpy(), row @ values.numpy()])
        outputs.append(_one_query(row @ queries.numpy(), k, v, [True] * len(k))[0])
        all_keys.append(k)
        all_values.append(v)
    return np.array(outputs), np.array(all_keys), np.array(all_values)
