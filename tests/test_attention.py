"""Attention by hand against torch's own, with copied weights; what masks hide; and decoding step by step."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn, tensor

from recsys_course.attention import (
    Block,
    Cache,
    MultiHead,
    Transformer,
    attention,
    causal_mask,
    padding_mask,
    sinusoidal,
)
from recsys_course.training import seeded

DIM, HEADS, LENGTH = 12, 3, 7


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(kind, *args, seed: int = 0, **settings) -> nn.Module:
    """A network in evaluation mode, of which no weight is at its start: zero biases would hide a missing one."""
    with seeded(seed):
        network = kind(*args, **settings).eval()
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator) / 5)
    return network


def close(one: Tensor, other: Tensor, tolerance: float = 1e-5) -> bool:
    return torch.allclose(one, other, rtol=0, atol=tolerance)


def copy_attention(theirs: nn.MultiheadAttention, ours: MultiHead) -> None:
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in (ours.queries, ours.keys, ours.values)]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in (ours.queries, ours.keys, ours.values)]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())


def copied(ours: Block, kind) -> nn.Module:
    """Torch's own layer with the weights of ours."""
    settings = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": ours.norm_first}
    theirs = kind(DIM, HEADS, ours.feed_forward[0].out_features, **settings).eval()
    copy_attention(theirs.self_attn, ours.attention)
    if ours.cross is not None:
        copy_attention(theirs.multihead_attn, ours.cross)
    for number, norm in enumerate(ours.norms, start=1):
        getattr(theirs, f"norm{number}").load_state_dict(norm.state_dict())
    theirs.linear1.load_state_dict(ours.feed_forward[0].state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward[3].state_dict())
    return theirs


def n_parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


# --- one attention


def test_two_equal_scores_share_the_values_evenly():
    mixed, weights = attention(tensor([[0.0, 0.0]]), tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([[10.0], [20.0]]))
    assert weights.tolist() == [[0.5, 0.5]] and mixed.tolist() == [[15.0]]


def test_scores_are_divided_by_the_root_of_the_dimension():
    """4 dimensions: a score of 2 log 3 counts as log 3, so that the odds are 3 to 1."""
    query, keys = tensor([[2.0, 0, 0, 0]]), tensor([[math.log(3), 0, 0, 0], [0.0, 0, 0, 0]])
    assert close(attention(query, keys, keys)[1], tensor([[0.75, 0.25]]))


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 9) for _ in range(5)]),
    kind=st.sampled_from(["none", "causal", "padding", "any"]),
    seed=st.integers(0, 99),
)
def test_attention_equals_torchs_own_with_every_kind_of_mask(shape, kind, seed):
    batch, n, m, dim, dim_v = shape
    m = n if kind == "causal" else m
    queries, keys, values = noise(batch, n, dim), noise(batch, m, dim, seed=1), noise(batch, m, dim_v, seed=2)
    lengths = torch.randint(1, m + 1, (batch,), generator=torch.Generator().manual_seed(seed))
    masks = {
        "none": None,
        "causal": causal_mask(n),
        "padding": padding_mask(lengths, m)[:, 0],
        "any": noise(batch, n, m, seed=seed) > 0,  # rows without anything to look at included
    }
    mixed, weights = attention(queries, keys, values, masks[kind])
    assert close(mixed, F.scaled_dot_product_attention(queries, keys, values, masks[kind]))
    seen = torch.ones(batch, n, m, dtype=torch.bool) if masks[kind] is None else masks[kind].expand(batch, n, m)
    assert close(weights.sum(2), seen.any(2).float()) and (weights[~seen] == 0).all()


def test_a_fully_masked_row_gives_zeros_here_and_in_torch_and_nan_in_a_bare_softmax():
    queries, keys, values = noise(2, 4), noise(3, 4, seed=1), noise(3, 4, seed=2)
    mask = tensor([[True, False, True], [False, False, False]])
    mixed, weights = attention(queries, keys, values, mask)
    assert mixed[1].tolist() == [0] * 4 and weights[1].tolist() == [0] * 3
    assert F.scaled_dot_product_attention(queries, keys, values, mask)[1].tolist() == [0] * 4
    assert (queries @ keys.T).masked_fill(~mask, -torch.inf).softmax(1)[1].isnan().all()


def test_a_fully_masked_row_spoils_no_gradient():
    queries, keys, values = (noise(3, 4, seed=s).requires_grad_() for s in range(3))
    with torch.autograd.set_detect_anomaly(True, check_nan=True):
        attention(queries, keys, values, causal_mask(3) & ~torch.eye(3, dtype=torch.bool))[0].sum().backward()
    assert all(part.grad.isfinite().all() for part in (queries, keys, values))
    assert queries.grad[0].tolist() == [0] * 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_masks_work_in_other_precisions(dtype):
    queries, keys, values = (noise(3, 4, seed=s).to(dtype) for s in range(3))
    mixed, _ = attention(queries, keys, values, causal_mask(3))
    assert mixed.dtype == dtype and mixed.isfinite().all() and close(mixed[0], values[0])


def test_minus_a_billion_does_not_fit_into_half_precision():
    with pytest.raises(RuntimeError, match="overflow"):
        torch.zeros(2).half().masked_fill(tensor([True, False]), -1e9)


def test_a_mask_of_numbers_is_refused():
    x = noise(1, 2, 4)
    for look in (lambda mask: attention(x, x, x, mask), made(MultiHead, 4, 2), made(Transformer, 4, 2, 1, causal=True)):
        with pytest.raises(ValueError, match="mask must be bool"):
            look(x, torch.ones(2, 2)) if isinstance(look, nn.Module) else look(torch.ones(2, 2))


def test_the_padding_mask_hides_what_is_beyond_each_length():
    assert padding_mask(tensor([1, 3]), 3).tolist() == [[[[True, False, False]]], [[[True, True, True]]]]


# --- heads


@pytest.mark.parametrize("kind", ["none", "causal", "padding"])
def test_heads_equal_torchs_with_the_same_weights(kind):
    ours, x, lengths = made(MultiHead, DIM, HEADS), noise(2, LENGTH, DIM), tensor([LENGTH, 4])
    theirs = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    copy_attention(theirs, ours)
    masks = {"none": None, "causal": causal_mask(LENGTH), "padding": padding_mask(lengths, LENGTH)}
    opposite = {  # there True means "must not"
        "causal": {"attn_mask": ~causal_mask(LENGTH)},
        "padding": {"key_padding_mask": ~padding_mask(lengths, LENGTH)[:, 0, 0]},
    }.get(kind, {})
    mixed, weights = theirs(x, x, x, average_attn_weights=False, **opposite)
    assert close(ours(x, masks[kind]), mixed)
    assert close(ours.weights(x, masks[kind]), weights)
    assert n_parameters(ours) == n_parameters(theirs) == 4 * DIM**2 + 4 * DIM


def test_heads_that_look_at_a_memory_equal_torchs():
    ours, x, memory = made(MultiHead, DIM, HEADS), noise(2, 3, DIM), noise(2, LENGTH, DIM, seed=1)
    theirs = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    copy_attention(theirs, ours)
    mixed, weights = theirs(x, memory, memory, average_attn_weights=False)
    assert close(ours(x, memory=memory), mixed) and close(ours.weights(x, memory=memory), weights)


def test_the_fast_path_equals_the_attention_by_hand():
    heads, x, mask = made(MultiHead, DIM, HEADS), noise(2, LENGTH, DIM), causal_mask(LENGTH)
    parts = [layer(x).view(2, LENGTH, HEADS, 4).transpose(1, 2) for layer in (heads.queries, heads.keys, heads.values)]
    by_hand, _ = attention(*parts, mask)
    assert close(heads(x, mask), heads.output(by_hand.transpose(1, 2).reshape(2, LENGTH, DIM)))


def test_heads_that_cannot_share_evenly_are_refused():
    with pytest.raises(ValueError, match="5 heads cannot share 12 dimensions evenly"):
        MultiHead(12, 5)


# --- blocks and stacks


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_block_equals_torchs_encoder_layer_with_the_same_weights(norm_first):
    ours, x, lengths = made(Block, DIM, HEADS, 20, norm_first=norm_first), noise(2, LENGTH, DIM), tensor([LENGTH, 5])
    theirs = copied(ours, nn.TransformerEncoderLayer)
    real = padding_mask(lengths, LENGTH)
    for mask, opposite in (
        (None, {}),
        (causal_mask(LENGTH), {"src_mask": ~causal_mask(LENGTH)}),
        (real, {"src_key_padding_mask": ~real[:, 0, 0]}),
    ):
        got, want = ours(x, mask), theirs(x, **opposite)
        assert close(got[0], want[0]) and close(got[1, :5], want[1, :5])  # torch may skip what is padding
    assert n_parameters(ours) == n_parameters(theirs)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_block_that_crosses_equals_torchs_decoder_layer(norm_first):
    ours = made(Block, DIM, HEADS, 20, norm_first=norm_first, cross=True)
    theirs, x, memory = copied(ours, nn.TransformerDecoderLayer), noise(2, 4, DIM), noise(2, LENGTH, DIM, seed=1)
    real = padding_mask(tensor([LENGTH, 2]), LENGTH)
    want = theirs(x, memory, tgt_mask=~causal_mask(4), memory_key_padding_mask=~real[:, 0, 0])
    assert close(ours(x, causal_mask(4), memory, real), want)
    assert n_parameters(ours) == n_parameters(theirs)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_stack_equals_torchs_encoder_and_has_as_many_parameters(norm_first):
    ours = made(Transformer, DIM, HEADS, 3, norm_first=norm_first, positions=None)
    theirs = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(
            DIM, HEADS, 4 * DIM, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm_first
        ),
        num_layers=3,
        norm=nn.LayerNorm(DIM) if norm_first else None,
        enable_nested_tensor=False,
    ).eval()
    for layer, block in zip(theirs.layers, ours.blocks, strict=True):
        layer.load_state_dict(copied(block, nn.TransformerEncoderLayer).state_dict())
    if norm_first:
        theirs.norm.load_state_dict(ours.norm.state_dict())
    x = noise(2, LENGTH, DIM)
    assert close(ours(x), theirs(x))
    assert n_parameters(ours) == n_parameters(theirs)


def test_dropout_works_in_training_alone():
    stack, x = made(Transformer, DIM, HEADS, 1, dropout=0.5), noise(1, LENGTH, DIM)
    assert torch.equal(stack(x), stack(x))
    stack.train()
    with seeded(0):
        assert not torch.equal(stack(x), stack(x))
    bare = Transformer(DIM, HEADS, 0, dropout=0.5, norm_first=False, positions=None)  # the sum alone
    with seeded(0):
        assert set(bare(torch.ones(1, 20, DIM)).unique().tolist()) == {0.0, 2.0}


# --- who reads whom


def reads(machine, x: Tensor) -> Tensor:
    """Whether output t moves when input s does: float ``[1, length, dim]`` to bool ``[length, length]``."""
    before, columns = machine(x), []
    for place in range(x.shape[1]):
        changed = x.clone()
        changed[:, place] += 1 + torch.arange(x.shape[2])
        columns.append((machine(changed) - before).abs().amax(dim=(0, 2)) > 1e-6)
    return torch.stack(columns, dim=1)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_causal_stack_never_reads_the_future_and_an_encoder_reads_all(norm_first):
    x = noise(1, LENGTH, DIM)
    causal = made(Transformer, DIM, HEADS, 2, causal=True, norm_first=norm_first)
    assert torch.equal(reads(causal, x), causal_mask(LENGTH))
    assert reads(made(Transformer, DIM, HEADS, 2, norm_first=norm_first), x).all()


def test_an_encoder_decoder_reads_all_of_the_memory_and_its_own_past():
    machine = made(Transformer, DIM, HEADS, 2, causal=True, cross=True)
    x, memory = noise(1, 4, DIM), noise(1, LENGTH, DIM, seed=1)
    assert torch.equal(reads(lambda x: machine(x, memory=memory), x), causal_mask(4))
    assert reads(lambda memory: machine(x, memory=memory), memory).all()


def test_padding_changes_nothing_that_is_real():
    stack, x = made(Transformer, DIM, HEADS, 2), noise(1, LENGTH, DIM)
    padded = torch.cat([x, noise(1, 3, DIM, seed=5)], dim=1)
    assert close(stack(padded, padding_mask(tensor([LENGTH]), LENGTH + 3))[:, :LENGTH], stack(x))


def test_a_causal_stack_needs_no_mask_for_padding_at_the_end():
    stack, x = made(Transformer, DIM, HEADS, 2, causal=True), noise(1, LENGTH, DIM)
    assert close(stack(torch.cat([x, noise(1, 3, DIM, seed=5)], dim=1))[:, :LENGTH], stack(x))


def test_a_causal_stack_honours_the_padding_as_well():
    stack, x = made(Transformer, DIM, HEADS, 2, causal=True), noise(2, LENGTH, DIM)
    left = torch.arange(LENGTH) >= tensor([[0], [3]])  # [2, length]: the second row begins at 3
    places = (torch.arange(LENGTH) - tensor([[0], [3]])).clamp(min=0)
    got = stack(x, left[:, None, None], places=places)
    assert close(got[0], stack(x[:1])[0]) and close(got[1, 3:], stack(x[1:, 3:])[0]) and got.isfinite().all()


@given(seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_without_positions_shuffled_inputs_give_shuffled_outputs_and_with_them_others(seed):
    order = torch.randperm(LENGTH, generator=torch.Generator().manual_seed(seed))
    order = order if (order != torch.arange(LENGTH)).any() else order.flip(0)
    x = noise(1, LENGTH, DIM)
    blind = made(Transformer, DIM, HEADS, 2, positions=None)
    assert close(blind(x[:, order]), blind(x)[:, order])
    for positions in ("learnt", "sinusoidal"):
        seeing = made(Transformer, DIM, HEADS, 2, positions=positions)
        assert not close(seeing(x[:, order]), seeing(x)[:, order], 1e-2)


def test_sinusoidal_positions_are_waves():
    """Dim 4: the first pair turns by one a position, the second by a hundredth."""
    want = [[math.sin(3), math.cos(3), math.sin(0.03), math.cos(0.03)]]
    assert close(sinusoidal(4, 4)[3:], tensor(want)) and sinusoidal(1, 4).tolist() == [[0, 1, 0, 1]]
    with pytest.raises(ValueError, match="even dim"):
        sinusoidal(3, 5)


def test_sinusoidal_positions_are_not_learnt():
    stack = Transformer(DIM, HEADS, 1, positions="sinusoidal", max_length=5)
    assert torch.equal(stack.positions.weight, sinusoidal(5, DIM)) and not stack.positions.weight.requires_grad


def test_unknown_positions_and_too_long_a_sequence_are_refused():
    with pytest.raises(ValueError, match="positions must be"):
        Transformer(DIM, HEADS, 1, positions="rotary")
    with pytest.raises(ValueError, match="7 positions, this Transformer has 6"):
        Transformer(DIM, HEADS, 1, max_length=6)(noise(1, LENGTH, DIM))


# --- decoding


@pytest.mark.parametrize("cut", [(1,) * LENGTH, (3, 4), (4, 1, 1, 1), (2, 3, 2)])
@pytest.mark.parametrize("settings", [{}, {"norm_first": False}, {"positions": "sinusoidal"}, {"cross": True}])
def test_decoding_with_a_cache_equals_the_full_pass(cut, settings):
    stack, x = made(Transformer, DIM, HEADS, 2, causal=True, **settings), noise(2, LENGTH, DIM)
    memory = noise(2, 3, DIM, seed=1) if "cross" in settings else None
    caches = stack.caches()
    pieces = [stack(part, memory=memory, caches=caches) for part in x.split(cut, dim=1)]
    assert close(torch.cat(pieces, dim=1), stack(x, memory=memory))
    assert [len(cache) for cache in caches] == [LENGTH, LENGTH]
    assert caches[0].keys.shape == (2, HEADS, LENGTH, DIM // HEADS)


def test_rows_of_different_lengths_are_decoded_together_when_padded_on_the_left():
    stack, x = made(Transformer, DIM, HEADS, 2, causal=True), noise(2, LENGTH, DIM)
    real = torch.arange(LENGTH) >= tensor([[0], [2]])  # [2, length]
    places = (torch.arange(LENGTH) - tensor([[0], [2]])).clamp(min=0)
    caches = stack.caches()
    stack(x[:, :-1], real[:, None, None, :-1], caches=caches, places=places[:, :-1])
    last = stack(x[:, -1:], real[:, None, None], caches=caches, places=places[:, -1:])
    assert close(last[0], stack(x[:1])[0, -1:]) and close(last[1], stack(x[1:, 2:])[0, -1:])


def test_a_cache_begins_empty_and_keeps_the_order():
    cache = Cache()
    assert len(cache) == 0
    cache.append(torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2))
    keys, values = cache.append(torch.ones(1, 1, 2, 2), 2 * torch.ones(1, 1, 2, 2))
    assert keys[0, 0, :, 0].tolist() == [0, 1, 1] and values[0, 0, :, 0].tolist() == [0, 2, 2] and len(cache) == 3
