"""What the answer to J16 (encoder, decoder, both) states."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from recsys_course import claim


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_a_layer_in_numbers():
    d = 512
    encoder = nn.TransformerEncoderLayer(d, 8, 4 * d)
    decoder = nn.TransformerDecoderLayer(d, 8, 4 * d)
    claim(
        "J16.parameters",
        "torch, feed-forward of 4 d: a layer of an encoder has 12 d^2 + 13 d parameters, of a decoder with cross- "
        "attention 16 d^2 + 19 d",
        count(encoder) == 12 * d**2 + 13 * d and count(decoder) == 16 * d**2 + 19 * d,
    )


def test_the_third_argument_sets_the_encoder_alone():
    model = nn.Transformer(512, 8, 2, batch_first=True, device="meta")
    claim(
        "J16.six",
        "nn.Transformer(d, heads, 2) has 2 layers in the encoder and 6 in the decoder",
        (len(model.encoder.layers), len(model.decoder.layers)) == (2, 6),
    )
    share = count(model.decoder) / count(model)
    claim("J16.decoder-share", "With d of 512 the decoder holds 80 % of its parameters", abs(share - 0.80) < 0.005)


def flops(n, d):
    layer = nn.TransformerEncoderLayer(d, 4, 4 * d, dropout=0.0, batch_first=True)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        layer(torch.zeros(1, n, d, requires_grad=True))
    return counter.get_total_flops()


def test_what_a_layer_computes():
    d, formula = 64, lambda n, d: 24 * n * d**2 + 4 * n**2 * d
    claim(
        "J16.flops",
        "Forward, one layer, n tokens: 24 n d^2 + 4 n^2 d by torch's own counter; the square overtakes at n = 6 d",
        all(flops(n, d) == formula(n, d) for n in (32, 6 * d)) and 24 * 6 * d * d**2 == 4 * (6 * d) ** 2 * d,
    )


def layers(d=16, n=2):
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    stack = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(d, 2, 4 * d, dropout=0.0, batch_first=True), n, enable_nested_tensor=False
    ).eval()
    torch.random.set_rng_state(state)
    return stack


@torch.no_grad()
def test_one_more_event_recomputes_an_encoder_and_extends_a_decoder():
    stack, x = layers(), torch.randn(1, 6, 16, generator=torch.Generator().manual_seed(0))
    causal = nn.Transformer.generate_square_subsequent_mask
    both_ways = (stack(x)[:, :5] - stack(x[:, :5])).abs().max()
    one_way = (stack(x, causal(6))[:, :5] - stack(x[:, :5], causal(5))).abs().max()
    claim(
        "J16.append",
        "A sixth event changes the five outputs before it in an encoder and none in a decoder",
        float(both_ways) > 0.01 and float(one_way) < 1e-6,
    )


def test_how_many_answers_one_history_gives():
    draw = torch.Generator().manual_seed(0)
    masked = (torch.rand(10_000, 200, generator=draw) < 0.15).sum(1).double()
    claim(
        "J16.targets",
        "200 events: next-item training has 199 targets a history, masking 15 % has 30 on average",
        abs(float(masked.mean()) - 30) < 0.2,
    )


@torch.no_grad()
def test_without_positions_order_is_invisible():
    stack, x = layers(), torch.randn(1, 6, 16, generator=torch.Generator().manual_seed(0))
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    claim(
        "J16.order",
        "An encoder without positions: shuffling the inputs shuffles the outputs, their mean is the same",
        torch.allclose(stack(x[:, order]), stack(x)[:, order], atol=1e-5)
        and torch.allclose(stack(x[:, order]).mean(1), stack(x).mean(1), atol=1e-5),
    )
    causal = nn.Transformer.generate_square_subsequent_mask(6)
    last = [stack(history, causal)[0, -1] for history in (x, x[:, [1, 0, 2, 3, 4, 5]])]
    claim(
        "J16.causal-order",
        "A causal stack of two layers without positions does see the order: exchanging the first two changes the last "
        "output",
        float((last[0] - last[1]).abs().max()) > 1e-3,
    )


def test_an_encoder_decoder_needs_two_inputs():
    model = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)
    with pytest.raises(TypeError, match="tgt"):
        model(torch.zeros(3, 1, 16))
    claim("J16.two-inputs", "nn.Transformer asks for a source and a target", True)
