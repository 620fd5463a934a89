"""What the answer to C10 (bi-encoder, cross-encoder, late interaction) states."""

import numpy as np
import torch
from torch.nn.functional import normalize

from recsys_course import claim


@torch.inference_mode()
def encode(minilm, texts):
    network, tokenizer = minilm
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    there = batch["attention_mask"].unsqueeze(2).float()
    return normalize((network(**batch).last_hidden_state * there).sum(1) / there.sum(1), dim=1)


def test_what_each_costs_a_request(minilm):
    network, _ = minilm
    layers = sum(p.numel() for p in network.encoder.parameters())
    pair, query = 2 * layers * 60, 2 * layers * 30
    cross, bi = 500 * pair, query + 500 * 2 * 384
    claim(
        "C10.cost",
        "MiniLM, texts of 30 tokens, 500 candidates: 0.64 TFLOP for pairs read together, 0.64 GFLOP for one query and "
        "500 dot products; a thousand times",
        abs(cross / 0.64e12 - 1) < 0.01 and abs(bi / 0.64e9 - 1) < 0.01 and abs(cross / bi - 1_000) < 5,
    )
    claim(
        "C10.seconds",
        "At 100 GFLOP/s of a processor that is 6.4 s against 6 ms",
        abs(cross / 100e9 - 6.4) < 0.05 and abs(bi / 100e9 - 0.0064) < 0.0001,
    )


def test_what_each_stores():
    single, tokens = 1e8 * 384 * 2, 1e8 * 30 * 128 * 2
    claim(
        "C10.storage",
        "10^8 items in fp16: 77 GB of single vectors, 768 GB with 30 tokens of 128 numbers each",
        (round(single / 1e9), round(tokens / 1e9)) == (77, 768),
    )


def test_one_vector_a_text_is_bad_at_not(minilm):
    texts = ["a film with violence", "a film without violence", "a film with dancing"]
    a, b, c = encode(minilm, texts)
    turned = encode(minilm, ["a man hunts a shark", "a shark hunts a man"])
    cosine = [float(x) for x in (a @ b, a @ c, turned[0] @ turned[1])]
    claim(
        "C10.negation",
        "MiniLM, cosines: 'a film with violence' and 'a film without violence' 0.92, with 'a film with dancing' 0.57; "
        "'a man hunts a shark' and 'a shark hunts a man' 0.97",
        np.allclose(cosine, [0.92, 0.57, 0.97], atol=0.01),
    )


def late(query, item):
    """Sum over the query's tokens of the best match in the item."""
    return float((query @ item.T).max(1).values.sum())


def test_late_interaction_keeps_what_a_mean_blurs():
    space, western, romance = torch.eye(3)
    query = torch.stack([space, western])
    exact, blurred = torch.stack([space, western, romance]), torch.stack([normalize(space + western, dim=0)] * 3)
    mean = lambda x: normalize(x.mean(0), dim=0)  # noqa: E731
    by_mean = [float(mean(query) @ mean(x)) for x in (exact, blurred)]
    by_token = [late(query, x) for x in (exact, blurred)]
    claim(
        "C10.late",
        "A query of two words, an item that has both and a third, and one of a single word between them: one mean "
        "vector prefers the second, token by token the first wins",
        by_mean[1] > by_mean[0] and by_token[0] > by_token[1],
    )
    turned = late(query.flip(0), exact)
    claim(
        "C10.order", "Late interaction does not see the order of tokens that were encoded alone", turned == by_token[0]
    )


def test_the_first_stage_bounds_the_second():
    """True worth of 10,000 items; the cheap score is its sum with noise, the dear score is the truth itself."""
    draw = np.random.default_rng(0)
    found = {}
    for noise in (0.5, 1.0):
        kept = []
        for _ in range(200):
            truth = draw.normal(size=10_000)
            cheap = truth + noise * draw.normal(size=10_000)
            best = np.argsort(-truth)[:10]
            order = np.argsort(-cheap)
            kept.append([np.isin(best, order[:n]).mean() for n in (100, 500)])
        found[noise] = np.mean(kept, 0)
    claim(
        "C10.bound",
        "10,000 items, a cheap score with noise of half the spread: 92 % of the true top ten are in its first 100; "
        "with noise as large as the spread 52 %, in its first 500 84 %",
        abs(found[0.5][0] - 0.92) < 0.01 and np.allclose(found[1.0], [0.52, 0.84], atol=0.01),
    )


def test_a_pair_score_cannot_be_stored():
    claim(
        "C10.pairs",
        "10^6 users times 10^5 items are 10^11 pairs; stored once a side 1.1 million vectors are enough",
        10**6 * 10**5 == 10**11 and 10**6 + 10**5 == 1_100_000,
    )
