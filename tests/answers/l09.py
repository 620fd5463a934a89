"""Second right answers for lesson 09: lists, loops and plain formulas."""

import math

import torch
from torch import nn


def collate(rows, padding):
    longest = max(len(tokens) for tokens, _ in rows)
    ids, mask, labels = [], [], []
    for tokens, label in rows:
        empty = longest - len(tokens)
        ids.append(list(tokens) + [padding] * empty)
        mask.append([True] * len(tokens) + [False] * empty)
        labels.append(float(label))
    return torch.tensor(ids), torch.tensor(mask), torch.tensor(labels)


def train_step(model, optimizer, ids, mask, labels):
    for weight in model.parameters():
        weight.grad = None
    logits = model.train()(ids, mask)[:, 0]
    likely = torch.where(labels == 1, logits.sigmoid(), 1 - logits.sigmoid())
    loss = -likely.log().mean()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        for weight in base.parameters():
            weight.requires_grad = False
        self.layer, self.factor = base, alpha / rank
        self.a = nn.Parameter(torch.rand(base.in_features, rank) - 0.5)  # the other way round
        self.b = nn.Parameter(torch.zeros(rank, base.out_features))

    def forward(self, x):
        return self.layer(x) + self.factor * x.matmul(self.a).matmul(self.b)

    def merged(self):
        plain = nn.Linear(self.layer.in_features, self.layer.out_features)
        change = self.factor * self.a.matmul(self.b).T
        plain.load_state_dict({"weight": self.layer.weight + change, "bias": self.layer.bias})
        return plain


def recommend_titles(user, items, seen, titles, k):
    scored = []
    for title, vector, done in zip(titles, items.tolist(), seen.tolist(), strict=True):
        if not done:
            scored.append((-sum(a * b for a, b in zip(vector, user.tolist(), strict=True)), title))
    return [title for _, title in sorted(scored)[:k]]


def blend(first, second, weight):
    def standard(row):
        mean = sum(row) / len(row)
        spread = math.sqrt(sum((x - mean) ** 2 for x in row) / len(row))
        return [(x - mean) / spread if spread > 1e-9 else 0.0 for x in row]

    mixed = []
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        mixed.append([weight * x + (1 - weight) * y for x, y in zip(standard(a), standard(b), strict=True)])
    return mixed
