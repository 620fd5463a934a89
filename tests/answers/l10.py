"""Second right answers for lesson 10: lists and loops over one user, one place, one item at a time."""

import math

import numpy as np
import torch


def make_sequence(items, length, filler):
    pairs = list(zip(items.tolist()[:-1], items.tolist()[1:], strict=True))[-length:]
    pairs = [(filler, filler)] * (length - len(pairs)) + pairs
    return torch.tensor([a for a, _ in pairs]), torch.tensor([b for _, b in pairs])


def _attend(query, keys):
    scores = [float(query @ key) / math.sqrt(len(query)) for key in keys]
    powers = [math.exp(score - max(scores)) for score in scores]
    return sum(power / sum(powers) * key for power, key in zip(powers, keys, strict=True))


def causal_scores(items, table, positions):
    table, positions = table.numpy().astype(float), positions.numpy().astype(float)
    found = np.zeros((*items.shape, len(table) - 1))
    for b, row in enumerate(items.tolist()):
        read = []
        for place, item in enumerate(row):
            if item == len(table) - 1:
                continue
            read.append(table[item] + positions[place])
            mixed = read[-1] + _attend(read[-1], read)
            found[b, place] = [mixed @ film for film in table[:-1]]
    return found


def sampled_loss(targets, drawn, negatives, liked, real):
    losses = []
    for b, place in real.nonzero().tolist():
        total = math.exp(targets[b, place])
        for score, item in zip(drawn[b, place].tolist(), negatives[b, place].tolist(), strict=True):
            total += 0 if liked[b, item] else math.exp(score)
        losses.append(math.log(total) - float(targets[b, place]))
    return sum(losses) / len(losses)


def hide_items(items, draws, share, filler):
    table = []
    for row, luck in zip(items.tolist(), draws.tolist(), strict=True):
        places = [place for place, item in enumerate(row) if item != filler]
        hidden = {place for place in places if luck[place] < share} or {places[-1]}
        if len(hidden) == len(places):
            hidden.remove(places[0])
        table.append([place in hidden for place in range(len(row))])
    return np.array(table)


def candidate_scores(history, candidates, table):
    table = table.numpy().astype(float)
    rows = []
    for films, asked in zip(history.tolist(), candidates.tolist(), strict=True):
        read = [table[film] for film in films if film != len(table) - 1]
        user = read[-1] + _attend(read[-1], read)
        rows.append([user @ table[film] for film in asked])
    return np.array(rows)
