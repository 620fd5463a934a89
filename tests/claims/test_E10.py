"""What the answer to E10 (masks in attention) states."""

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention as sdpa

from recsys_course import claim


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_hand(q, k, v, mask):
    """Attention with True = may look; minus infinity before the softmax."""
    scores = q @ k.mT / q.shape[-1] ** 0.5
    return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ v


def test_multiplying_the_scores_leaves_weight_on_the_padding():
    scores, mask = torch.tensor([2.0, 1.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 0.0, 0.0])
    wrong, right = (scores * mask).softmax(0), scores.masked_fill(mask == 0, -torch.inf).softmax(0)
    claim(
        "E10.multiply",
        "Scores 2 and 1 and two padded places: multiplied by the mask, padding gets 17 % of the weight, filled with "
        "minus infinity none",
        abs(float(wrong[2:].sum()) - 0.166) < 0.001 and float(right[2:].sum()) == 0,
    )
    after = scores.softmax(0) * mask
    claim("E10.after", "Multiplied after the softmax the weights sum to 0.83", abs(float(after.sum()) - 0.834) < 0.001)


def test_writing_into_the_softmax_breaks_its_gradient():
    scores = torch.ones(4, requires_grad=True)
    weights = scores.softmax(0)
    weights[2:] = 0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        weights.sum().backward()
    claim("E10.inplace", "Setting weights to zero in place: backward raises", True)


def test_a_row_without_anything_to_look_at():
    q, k, v = normal(1, 2, 4), normal(1, 3, 4, seed=1), normal(1, 3, 4, seed=2)
    mask = torch.tensor([[[True, True, False], [False, False, False]]])
    hand, torchs = by_hand(q, k, v, mask), sdpa(q, k, v, attn_mask=mask)
    lowest = (q @ k.mT / 2).masked_fill(~mask, torch.finfo(torch.float32).min).softmax(-1) @ v
    claim(
        "E10.empty-row",
        "A fully masked row: NaN by hand with minus infinity, 0 from torch's attention, the plain mean of all values "
        "with the lowest finite number",
        bool(hand[0, 1].isnan().all())
        and bool((torchs[0, 1] == 0).all())
        and torch.allclose(lowest[0, 1], v[0].mean(0))
        and torch.allclose(hand[0, 0], torchs[0, 0], atol=1e-6),
    )


def test_minus_a_billion_does_not_fit_into_half_precision():
    with pytest.raises(RuntimeError, match=r"cannot be converted .* without overflow"):
        torch.zeros(2).half().masked_fill(torch.tensor([True, False]), -1e9)
    claim("E10.half", "masked_fill with -1e9 on fp16 raises", True)


def encoder(dim=8):
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(dim, 2, 16, dropout=0.0, batch_first=True).eval()
    torch.random.set_rng_state(state)
    return layer


@torch.no_grad()
def test_padding_must_not_change_the_answer():
    layer, x = encoder(), normal(1, 5, 8)
    longer = torch.cat([x, normal(1, 3, 8, seed=1)], 1)
    pad = torch.tensor([[False] * 5 + [True] * 3])
    masked = layer(longer, src_key_padding_mask=pad)[:, :5]
    unmasked = layer(longer)[:, :5]
    claim(
        "E10.padding",
        "Three padded places behind five: with the mask the five outputs are the same to 1e-5, without it they move "
        "by more than 0.1",
        torch.allclose(masked, layer(x), atol=1e-5) and float((unmasked - layer(x)).abs().max()) > 0.1,
    )


@torch.no_grad()
def test_the_future_must_not_change_the_past():
    layer, x = encoder(), normal(1, 6, 8)
    other = x.clone()
    other[:, 4:] = normal(1, 2, 8, seed=1)
    causal = nn.Transformer.generate_square_subsequent_mask(6)
    one_too_many = torch.full((6, 6), -torch.inf).triu(2)
    moved = {
        name: float((layer(x, src_mask=m) - layer(other, src_mask=m))[:, :4].abs().max())
        for name, m in (("causal", causal), ("none", None), ("one too many", one_too_many))
    }
    claim(
        "E10.leak",
        "Changing the last two of six inputs changes nothing before them with the causal mask; without it, or with "
        "the diagonal off by one, it does",
        moved["causal"] < 1e-6 and moved["none"] > 0.01 and moved["one too many"] > 0.01,
    )


def test_a_padding_mask_that_broadcasts_along_the_wrong_side():
    q, k, v = (normal(4, 1, 4, 8, seed=s) for s in range(3))  # four users, four places: both sides are 4
    lengths = torch.tensor([4, 3, 2, 1])
    mask = torch.arange(4) < lengths[:, None]  # [users, places]
    right, wrong = sdpa(q, k, v, attn_mask=mask[:, None, None]), sdpa(q, k, v, attn_mask=mask)
    with pytest.raises(RuntimeError):
        sdpa(*(normal(4, 1, 5, 8, seed=s) for s in range(3)), attn_mask=torch.ones(4, 5, dtype=torch.bool))
    claim(
        "E10.broadcast",
        "A padding mask [4, 4] where [4, 1, 1, 4] was meant: no error as long as batch and length are equal, and "
        "other numbers; with a length of 5 an error",
        right.shape == wrong.shape and not torch.allclose(right, wrong),
    )


def test_true_means_two_opposite_things():
    x = normal(1, 3, 8)
    may_look = torch.tensor([[True, True, False]])
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    module = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    torch.random.set_rng_state(state)
    with torch.no_grad():
        weights = module(x, x, x, key_padding_mask=may_look)[1]
    eye = torch.eye(3)[None]
    seen = sdpa(torch.zeros(1, 3, 3), torch.zeros(1, 3, 3), eye, attn_mask=may_look[:, None])
    claim(
        "E10.opposite",
        "True lets scaled_dot_product_attention look and makes key_padding_mask of MultiheadAttention look away",
        weights[0, 0].tolist() == [0.0, 0.0, 1.0] and seen[0, 0].tolist() == [0.5, 0.5, 0.0],
    )


@torch.no_grad()
def test_candidates_that_attend_to_each_other_change_each_others_scores():
    layer, history = encoder(), normal(1, 4, 8)
    candidates = normal(1, 3, 8, seed=1)
    other = candidates.clone()
    other[:, 1:] = normal(1, 2, 8, seed=2)
    alone = torch.ones(7, 7, dtype=torch.bool)
    alone[:, :4] = False  # everybody looks at the history
    alone[range(7), range(7)] = False  # and at themselves
    first = lambda c, mask: layer(torch.cat([history, c], 1), src_mask=mask)[:, 4]  # noqa: E731
    moved = {
        name: float((first(candidates, m) - first(other, m)).abs().max())
        for name, m in (("none", None), ("own", alone))
    }
    claim(
        "E10.candidates",
        "Three candidates behind a history: without a mask the first one's output depends on the other two, with a "
        "mask for the history and itself it does not",
        moved["none"] > 0.01 and moved["own"] < 1e-6,
    )
