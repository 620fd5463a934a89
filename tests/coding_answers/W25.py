"""With plain Python sums."""

import math

import numpy as np


def _columns(*columns):
    arrays = [np.array(column, dtype=float) for column in columns]
    if {array.shape for array in arrays} != {(len(arrays[0]),)} or len(arrays[0]) == 0:
        raise ValueError("columns differ, or are empty")
    if not all(0 < p <= 1 for p in arrays[0]) or not all(0 <= c <= 1 for c in arrays[1]):
        raise ValueError("no probabilities")
    return [array.tolist() for array in arrays]


def _weights(propensities, chances, clip):
    return [min(c / p, clip) for p, c in zip(propensities, chances, strict=True)]


def ips(rewards, propensities, chances, clip=math.inf):
    p, c, r = _columns(propensities, chances, rewards)
    return math.fsum(w * x for w, x in zip(_weights(p, c, clip), r, strict=True)) / len(r)


def snips(rewards, propensities, chances, clip=math.inf):
    p, c, r = _columns(propensities, chances, rewards)
    weights = _weights(p, c, clip)
    whole = math.fsum(weights)
    return math.fsum(w * x for w, x in zip(weights, r, strict=True)) / whole if whole else math.nan


def doubly_robust(rewards, propensities, chances, guesses, values, clip=math.inf):
    p, c, r, g, v = _columns(propensities, chances, rewards, guesses, values)
    rows = zip(_weights(p, c, clip), r, g, v, strict=True)
    return math.fsum(value + w * (x - guess) for w, x, guess, value in rows) / len(r)


def effective_size(propensities, chances):
    weights = _weights(*_columns(propensities, chances), math.inf)
    squares = math.fsum(w * w for w in weights)
    return math.fsum(weights) ** 2 / squares if squares else 0.0
