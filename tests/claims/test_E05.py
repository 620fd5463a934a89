"""What the answer to E05 (why divide by the root of d) states."""

import torch

from recsys_course import claim

N_KEYS = 64


def draws(dim, n=400):
    draw = torch.Generator().manual_seed(dim)
    return torch.randn(n, dim, generator=draw), torch.randn(n, N_KEYS, dim, generator=draw)


def scores(dim):
    query, keys = draws(dim)
    return torch.einsum("nd,nkd->nk", query, keys)


def entropy(logits):
    log = logits.log_softmax(1)
    return float(-(log.exp() * log).sum(1).mean())


def slopes(logits):
    """Frobenius norm of the softmax's derivative by its logits, ``[n]``."""
    p = logits.softmax(1)
    return (torch.diag_embed(p) - p[:, :, None] * p[:, None]).square().sum((1, 2)).sqrt()


def test_the_variance_of_a_dot_product_is_the_dimension():
    variance = {dim: float(scores(dim).var()) for dim in (8, 64, 512)}
    claim(
        "E05.variance",
        "Components of mean 0 and variance 1: q k has a variance of d within 5 %, divided by the root of d one of 1",
        all(abs(v / dim - 1) < 0.05 for dim, v in variance.items())
        and all(abs(float((scores(dim) / dim**0.5).var()) - 1) < 0.05 for dim in variance),
    )


def test_without_the_root_attention_becomes_a_choice_of_one():
    raw = {dim: scores(dim) for dim in (8, 64, 512)}
    plain = {dim: entropy(s) for dim, s in raw.items()}
    scaled = {dim: entropy(s / dim**0.5) for dim, s in raw.items()}
    top = float(raw[512].softmax(1).max(1).values.mean())
    claim(
        "E05.entropy",
        "64 keys, entropy 4.16 if all are equal: divided by the root of d it is 3.7 for any d; undivided 2.1, 0.6 and "
        "0.2 for d of 8, 64 and 512",
        all(abs(s - 3.69) < 0.02 for s in scaled.values())
        and all(abs(plain[dim] - w) < 0.03 for dim, w in ((8, 2.07), (64, 0.61), (512, 0.17))),
    )
    claim("E05.top", "With d of 512 and no root the largest weight is 0.93 on average", abs(top - 0.93) < 0.01)
    flat = [float((slopes(s) < 1e-3).double().mean()) for s in (raw[512], raw[512] / 512**0.5)]
    claim(
        "E05.gradient",
        "With d of 512 and no root, 48 % of the queries have a softmax whose derivative is below 0.001; divided, none",
        abs(flat[0] - 0.48) < 0.03 and flat[1] == 0,
    )


def test_the_root_is_that_of_a_head():
    s = scores(64)
    right, wrong = entropy(s / 64**0.5), entropy(s / 512**0.5)
    claim(
        "E05.head",
        "Eight heads of 64 divided by the root of the model's 512: entropy 4.10 instead of 3.7, of 4.16 for a plain "
        "mean",
        abs(wrong - 4.10) < 0.01 and abs(right - 3.69) < 0.02,
    )


def test_normalised_vectors_need_a_temperature_and_not_the_root():
    query, keys = (torch.nn.functional.normalize(x, dim=-1) for x in draws(64))
    cosine = torch.einsum("nd,nkd->nk", query, keys)
    same = cosine.clone()
    same[:, 0] = 1  # one key is the query itself
    weight = {t: float((same * t).softmax(1)[:, 0].mean()) for t in (1 / 8, 1, 20)}
    claim(
        "E05.cosine",
        "Unit vectors, one of 64 keys equal to the query: its weight is 0.018 after dividing by 8, 0.04 undivided, "
        "1.00 with the cosine times 20",
        abs(weight[1 / 8] - 0.018) < 0.001 and abs(weight[1] - 0.041) < 0.002 and weight[20] > 0.98,
    )


def test_the_weights_sum_to_one_either_way():
    raw = scores(512)
    claim(
        "E05.sum",
        "Divided or not, the weights sum to 1",
        all(torch.allclose((raw / s).softmax(1).sum(1), torch.ones(400)) for s in (1, 512**0.5)),
    )


def test_half_precision_overflows_sooner():
    query = torch.full((1024,), 10.0, dtype=torch.float16)
    with_root = (query * 1024**-0.25) @ (query * 1024**-0.25)
    claim(
        "E05.fp16",
        "Components of 10, d of 1,024: the dot product is inf in fp16, and 3,200 if the root is divided out before",
        bool((query @ query).isinf()) and abs(float(with_root) - 3_200) < 10,
    )
