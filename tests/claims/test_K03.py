"""What the answer to K03 (the resource walls of an 8-billion model) states: Llama 3 8B."""

import torch

from recsys_course import claim

WORDS, DIM, LAYERS, HIDDEN, KV = 128_256, 4096, 32, 14_336, 8 * 128
PEAK, BANDWIDTH, DEVICE = 990e12, 3.35e12, 80e9  # of the accelerator that is assumed: operations, bytes a second, bytes


def parameters():
    attention = 2 * DIM * DIM + 2 * DIM * KV
    network = 3 * DIM * HIDDEN
    return 2 * WORDS * DIM + LAYERS * (attention + network + 2 * DIM) + DIM


N = parameters()


def test_where_the_sixteen_bytes_are():
    size = 1000
    weight = torch.zeros(size, dtype=torch.bfloat16, requires_grad=True)
    weight.sum().backward()
    master = torch.nn.Parameter(torch.zeros(size))
    optimiser = torch.optim.Adam([master], foreach=False)
    master.grad = weight.grad.float()
    optimiser.step()
    moments = [t for t in optimiser.state[master].values() if t.numel() == size]
    held = [weight, weight.grad, master, *moments]
    claim(
        "K03.sixteen",
        "Mixed precision under Adam: bf16 weight and gradient, float32 copy and two averages, 16 bytes a parameter",
        len(moments) == 2 and sum(t.numel() * t.element_size() for t in held) / size == 16,
    )
    claim(
        "K03.training",
        "Llama 3 8B has 8.03 billion parameters: 128 GB to train with Adam, before activations; 16 GB as bf16 weights",
        abs(N / 8.03e9 - 1) < 0.001 and abs(16 * N / 1e9 - 128.5) < 0.1 and abs(2 * N / 1e9 - 16.06) < 0.01,
    )


def test_what_each_stage_shards():
    a_device = {1: 2 + 2 + 12 / 8, 2: 2 + 14 / 8, 3: 16 / 8}
    claim(
        "K03.zero",
        "On eight devices: optimiser states sharded 44 GB each, gradients as well 30 GB, weights as well 16 GB",
        [round(b * N / 1e9) for b in a_device.values()] == [44, 30, 16],
    )
    traffic = 2 * N * 3
    claim(
        "K03.traffic",
        "With weights sharded a step moves three times the bf16 weights to each device, 48 GB: 0.96 s at 50 GB/s",
        abs(traffic / 1e9 - 48.2) < 0.1 and abs(traffic / 50e9 - 0.96) < 0.01,
    )


def test_activations_and_logits():
    tokens = 4096
    inputs = LAYERS * tokens * DIM * 2
    logits = tokens * WORDS * 4
    claim(
        "K03.activations",
        "One text of 4,096 tokens: with only the input of each layer kept, in bf16, 1.07 GB; its logits in float32 "
        "alone 2.1 GB",
        abs(inputs / 1e9 - 1.07) < 0.01 and abs(logits / 1e9 - 2.10) < 0.01,
    )


def test_qlora():
    base = N * (4 + 8 / 64 + 32 / (64 * 256)) / 8  # four bits, a byte for 64 weights, a float for 256 of those
    rank = 16
    widths = [(DIM, DIM), (DIM, KV), (DIM, KV), (DIM, DIM), (DIM, HIDDEN), (DIM, HIDDEN), (HIDDEN, DIM)]
    adapter = LAYERS * sum(rank * (a + b) for a, b in widths)
    claim(
        "K03.qlora",
        "In four bits with doubly quantised scales the weights are 4.1 GB; adapters of rank 16 on all linear layers "
        "are 42 million parameters, 0.67 GB with their optimiser",
        abs(base / 1e9 - 4.14) < 0.01 and abs(adapter / 41.9e6 - 1) < 0.01 and abs(16 * adapter / 1e9 - 0.67) < 0.01,
    )


def test_time_to_train():
    seconds = 6 * N * 1e9 / (0.4 * PEAK)
    claim(
        "K03.time",
        "A billion tokens: 6 x 8.03e9 x 1e9 = 4.8e19 operations, 34 hours on one accelerator of 990 TFLOP/s at 40 %",
        abs(6 * N * 1e9 / 4.82e19 - 1) < 0.01 and abs(seconds / 3600 - 33.8) < 0.2,
    )


def test_serving():
    cache = LAYERS * 2 * KV * 2
    claim(
        "K03.cache",
        "Keys and values are 131 kB a token: 1.07 GB for 8,192 tokens, so 80 GB hold the weights and 59 such texts",
        cache == 131_072 and abs(8192 * cache / 1e9 - 1.07) < 0.01 and int((DEVICE - 2 * N) / (8192 * cache)) == 59,
    )
    token, ridge = 2 * N / BANDWIDTH, PEAK / BANDWIDTH
    claim(
        "K03.decode",
        "At 3.35 TB/s the weights are read in 4.8 ms: at most 209 tokens a second for one text; one text does 1 "
        "operation a byte, the accelerator could do 296",
        abs(token * 1e3 - 4.79) < 0.01 and round(1 / token) == 209 and round(ridge) == 296,
    )
    prefill = 2 * N * 1000 / (0.4 * PEAK)
    claim(
        "K03.prefill",
        "A prompt of 1,000 tokens is 16 TFLOP, 41 ms at 40 %; one prompt for each of 500 candidates 20 s",
        abs(2 * N * 1000 / 1e12 - 16.06) < 0.01 and abs(prefill * 1e3 - 40.6) < 0.1 and abs(500 * prefill - 20.3) < 0.1,
    )
    requests = 1_000
    claim(
        "K03.fleet",
        "At 1,000 requests a second one such prompt each needs 41 accelerators, before decoding and peaks",
        round(requests * prefill) == 41,
    )
