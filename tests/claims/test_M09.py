"""What the answer to M09 (embedding a large catalogue every day) states."""

import hashlib

import numpy as np
import torch
from torch.nn.functional import normalize

from recsys_course import claim
from recsys_course.data.movielens import movielens


def neighbours(vectors, queries=None, n=10):
    unit = normalize(vectors, dim=1)
    scores = (unit if queries is None else normalize(queries, dim=1)) @ unit.T
    return scores.fill_diagonal_(-2).topk(n).indices


def overlap(first, second):
    return float((first[:, :, None] == second[:, None]).any(2).float().mean())


def test_the_arithmetic(minilm):
    network, _ = minilm
    table = network.embeddings.word_embeddings.weight.numel()
    layers = sum(p.numel() for p in network.encoder.parameters())
    everything = sum(p.numel() for p in network.parameters())
    flop = 2 * layers * 30 * 1e8
    claim(
        "M09.parameters",
        "all-MiniLM-L6-v2 has 22.7 million parameters, 11.7 million of them the table of words, 10.6 million the "
        "layers",
        abs(everything / 22.7e6 - 1) < 0.01 and abs(table / 11.7e6 - 1) < 0.01 and abs(layers / 10.6e6 - 1) < 0.01,
    )
    claim(
        "M09.compute",
        "10^8 texts of 30 tokens: 6.4e16 operations, under 4 minutes of a 989 TFLOP/s card at 30 %; at the 20 GFLOP/s "
        "of one processor core 37 days",
        abs(flop / 6.4e16 - 1) < 0.01 and flop / (0.3 * 989e12) < 240 and abs(flop / 20e9 / 86_400 - 37) < 1,
    )
    claim(
        "M09.bytes",
        "10^8 vectors of 384 numbers: 154 GB in fp32, 77 in fp16, 38 in int8",
        [round(384 * size * 1e8 / 1e9) for size in (4, 2, 1)] == [154, 77, 38],
    )


def test_fewer_bits_cost_few_neighbours(film_vectors):
    vectors = film_vectors[0]
    half = vectors.half().float()
    scale = vectors.abs().amax(1, keepdim=True) / 127
    eighth = (vectors / scale).round() * scale
    kept = [overlap(neighbours(v), neighbours(vectors)) for v in (half, eighth)]
    claim(
        "M09.int8",
        "Ten nearest of 300 films: all stay with fp16, 99.6 % with int8 and a scale for each film",
        kept[0] > 0.998 and abs(kept[1] - 0.996) < 0.003,
    )


def test_two_versions_in_one_index(film_vectors):
    """The second version is the first, turned: as good by itself, and another language."""
    vectors = film_vectors[0]
    turn = torch.linalg.qr(torch.randn(384, 384, generator=torch.Generator().manual_seed(0)))[0]
    new = vectors @ turn
    mixed = vectors.clone()
    mixed[::2] = new[::2]
    wanted = neighbours(vectors)
    kept = {
        "new by itself": overlap(neighbours(new), wanted),
        "half and half": overlap(neighbours(mixed), wanted),
        "new asks old": overlap(neighbours(vectors, new), wanted),
    }
    claim(
        "M09.mixed",
        "Of the ten nearest of 300 films a turned copy keeps all, an index half old and half new 51 %, a new query in "
        "the old index 3 %, as chance",
        kept["new by itself"] > 0.99
        and abs(kept["half and half"] - 0.51) < 0.02
        and abs(kept["new asks old"] - 0.033) < 0.02,
    )


def key(text, weights="w1", pooling="mean", max_tokens=256):
    return hashlib.sha256("\x1f".join([text, weights, pooling, str(max_tokens)]).encode()).hexdigest()


def test_what_the_name_of_a_stored_vector_must_hold():
    base = key("Alien (1979)")
    others = [
        key("Aliens (1986)"),
        key("Alien (1979)", "w2"),
        key("Alien (1979)", pooling="cls"),
        key("Alien (1979)", max_tokens=64),
    ]
    claim(
        "M09.key",
        "A hash of text, weights, pooling and token limit changes with each of the four and not with the day",
        len({base, *others}) == 5 and base == key("Alien (1979)"),
    )


def test_padding_is_paid_for(minilm):
    _, tokenizer = minilm
    dataset = movielens()
    texts = [f"{t}: {', '.join(g)}" for t, g in zip(dataset.titles, dataset.items["genres"], strict=True)]
    lengths = np.array([len(ids) for ids in tokenizer(texts)["input_ids"]])
    paid = lambda order: sum(len(b) * lengths[b].max() for b in np.array_split(order, len(order) // 64 + 1))  # noqa: E731
    random = paid(np.random.default_rng(0).permutation(len(lengths)))
    shares = [n / lengths.sum() for n in (len(lengths) * lengths.max(), random, paid(np.argsort(lengths)))]
    claim(
        "M09.batches",
        "Texts of 1,682 films, tokens computed for each that is there: 2.4 padded to the longest, 1.9 in random "
        "batches of 64, 1.04 in batches of similar length",
        np.allclose(shares, [2.43, 1.86, 1.04], atol=0.03),
    )
    doubles = len(texts) - len(set(texts))
    claim("M09.doubles", "18 of the 1,682 texts are there twice", doubles == 18)
