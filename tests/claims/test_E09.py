"""What the answer to E09 (the one-epoch phenomenon) states."""

import numpy as np
import pytest
import torch
from torch import nn

from recsys_course import claim

N_IDS, SEEN, N_DENSE = 10_000, 4, 8  # 40,000 clicks to learn from


def make_clicks(n_ids):
    """Training and held-out clicks from eight dense features and an id with a small effect: ids, features, labels."""
    draw = torch.Generator().manual_seed(0)
    effect = 0.5 * torch.randn(n_ids, generator=draw)
    weights = torch.randn(N_DENSE, generator=draw) * 0.5

    def rows(n):
        ids, dense = torch.randint(n_ids, (n,), generator=draw), torch.randn(n, N_DENSE, generator=draw)
        chance = torch.sigmoid(dense @ weights + effect[ids] - 1)
        return ids, dense, torch.bernoulli(chance, generator=draw)

    return rows(N_IDS * SEEN), rows(20_000)


@pytest.fixture(scope="module")
def clicks():
    """Each id is seen four times on average."""
    return make_clicks(N_IDS)


class Ranker(nn.Module):
    """An id's vector and the dense features through one hidden layer."""

    def __init__(self, with_id=True):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(N_IDS, 16) if with_id else None
        self.net = nn.Sequential(nn.Linear(N_DENSE + 16 * with_id, 64), nn.ReLU(), nn.Linear(64, 1))
        if with_id:
            nn.init.normal_(self.table.weight, std=0.01)

    def forward(self, ids, dense):
        return self.net(torch.cat([self.table(ids), dense], 1) if self.table else dense).squeeze(1)


def losses(clicks, with_id=True, epochs=3, fresh_table=False, penalty=0.0):
    """Held-out log-loss after each epoch."""
    train, test = clicks
    state = torch.random.get_rng_state()
    model = Ranker(with_id)
    adam = torch.optim.Adam(model.parameters(), lr=0.003)
    draw, found = torch.Generator().manual_seed(1), []
    for epoch in range(epochs):
        if fresh_table and epoch:
            nn.init.normal_(model.table.weight, std=0.01, generator=draw)
        for rows in torch.randperm(len(train[0]), generator=draw).split(256):
            ids, dense, labels = (part[rows] for part in train)
            loss = nn.functional.binary_cross_entropy_with_logits(model(ids, dense), labels)
            if penalty:
                loss = loss + penalty * model.table(ids).square().sum(1).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        with torch.no_grad():
            found.append(float(nn.functional.binary_cross_entropy_with_logits(model(*test[:2]), test[2])))
    torch.random.set_rng_state(state)
    return np.array(found)


def test_the_second_pass_hurts_and_the_embeddings_are_why(clicks):
    plain, dense = losses(clicks), losses(clicks, with_id=False)
    claim(
        "E09.second-epoch",
        "Ids seen four times each: held-out log-loss 0.474 after one epoch, 0.495 after two, 0.563 after three",
        np.allclose(plain, [0.474, 0.495, 0.563], atol=0.006),
    )
    claim("E09.dense", "Without the id 0.474, 0.474 and 0.473", np.allclose(dense, [0.474, 0.474, 0.473], atol=0.002))


def test_what_helps(clicks):
    again, shrunk = losses(clicks, fresh_table=True), losses(clicks, penalty=5.0)
    claim(
        "E09.reset",
        "With a new table of ids at the start of each epoch 0.474, 0.474 and 0.476",
        np.allclose(again, [0.474, 0.4735, 0.476], atol=0.003),
    )
    claim(
        "E09.penalty",
        "With a penalty of 5 on the squared vectors of the ids in a batch 0.475, 0.475 and 0.486",
        np.allclose(shrunk, [0.4745, 0.475, 0.486], atol=0.004),
    )


def test_ids_that_come_often_do_not_do_it():
    often = losses(make_clicks(n_ids=400))
    claim(
        "E09.often",
        "400 ids seen 100 times each, as many clicks: 0.511, 0.509 and 0.510",
        np.allclose(often, [0.511, 0.509, 0.510], atol=0.002),
    )
