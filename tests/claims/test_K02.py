"""What the answer to K02 (training takes five days) states."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint_sequential
from torch.utils.flop_counter import FlopCounterMode

from recsys_course import claim

PEAK = 990e12  # operations a second of the accelerator that is assumed, dense bf16
DAY = 86_400


def test_what_the_arithmetic_would_take():
    samples, weights = 1e10, 5e6
    work = samples * weights * 2 * 3  # forward once, backward twice, two operations a weight
    seconds = work / (0.4 * PEAK)
    used = work / (5 * DAY * PEAK)
    claim(
        "K02.arithmetic",
        "10 billion samples through 5 million dense weights are 3e17 operations: 13 minutes at 40 % of 990 TFLOP/s; "
        "five days mean that 0.07 % of the accelerator is used",
        abs(work / 3e17 - 1) < 1e-9 and abs(seconds / 60 - 12.6) < 0.1 and abs(used - 0.0007) < 0.00001,
    )
    claim(
        "K02.reading",
        "10 billion samples of 1 kB are 10 TB: 14 hours at 200 MB/s, from ten readers 1.4",
        abs(samples * 1e3 / 200e6 / 3600 - 13.9) < 0.1 and abs(samples * 1e3 / 2e9 / 3600 - 1.39) < 0.01,
    )


def test_speeding_up_what_is_not_the_bottleneck():
    step = {"input": 0.60, "embedding": 0.25, "dense": 0.15}
    faster = lambda part, factor: 1 / (sum(step.values()) - step[part] + step[part] / factor)  # noqa: E731
    claim(
        "K02.amdahl",
        "Input 60 % of a step, embeddings 25 %, dense layers 15 %: dense layers eight times as fast make the whole "
        "1.15 times as fast, input eight times as fast 2.1 times",
        abs(faster("dense", 8) - 1.151) < 0.001 and abs(faster("input", 8) - 2.105) < 0.001,
    )


def finished(loads, computes, prefetch):
    """When the last batch is trained on; ``prefetch`` batches may wait."""
    loaded, trained = [], []
    for n, (load, compute) in enumerate(zip(loads, computes, strict=True)):
        free = trained[n - prefetch - 1] if n > prefetch else 0.0  # a place in the queue
        loaded.append(max(loaded[-1] if loaded else 0.0, free) + load)
        trained.append(max(trained[-1] if trained else 0.0, loaded[-1]) + compute)
    return trained[-1]


def test_loading_while_training():
    n = 1000
    alone, ahead = (finished([30.0] * n, [20.0] * n, prefetch) / n for prefetch in (0, 2))
    claim(
        "K02.prefetch",
        "Loading 30 ms and training 20 ms a batch: 50 ms a step one after the other, 30 with two batches ahead; the "
        "accelerator is busy 40 % and 67 % of the time",
        abs(alone - 50) < 0.1 and abs(ahead - 30) < 0.1 and (20 / 50, round(20 / 30, 2)) == (0.4, 0.67),
    )
    stalls = [300.0 if k % 10 == 9 else 3.0 for k in range(n)]
    short, long = (finished(stalls, [33.0] * n, prefetch) / n for prefetch in (1, 16))
    claim(
        "K02.stalls",
        "Every tenth load takes 300 ms, the others 3, training 33: 60 ms a step with one batch ahead, 33 with 16",
        abs(short - 60) < 1 and abs(long - 33) < 1,
    )


def left(batch, rate, epochs=4, seed=0):
    """Excess error of least squares on 4,096 rows after some epochs of SGD, mean over 4 orders."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(4096, 20, generator=draw)
    truth = torch.randn(20, generator=draw)
    y, ends = x @ truth + 0.1 * torch.randn(4096, generator=draw), []
    for _ in range(4):
        w = torch.zeros(20)
        for _ in range(epochs):
            for rows in torch.randperm(4096, generator=draw).split(batch):
                w -= rate * x[rows].T @ (x[rows] @ w - y[rows]) / len(rows)
        ends.append(float((w - truth).square().sum() / truth.square().sum()))
    return sum(ends) / len(ends)


def test_eight_times_the_batch():
    base, same, scaled, wild = left(32, 0.01), left(256, 0.01), left(256, 0.08), left(256, 2.1)
    claim(
        "K02.batch",
        "Least squares, four epochs of SGD: batch 32 at rate 0.01 leaves under 0.1 % of the error; batch 256 at the "
        "same rate makes an eighth of the steps and leaves 27 %, at eight times the rate under 0.1 % again; at 210 "
        "times it diverges",
        base < 0.001 and abs(same - 0.27) < 0.05 and scaled < 0.001 and not wild < 1,
    )


def cost(layers, run):
    """Numbers kept for the backward pass, weights apart, and operations of a step."""
    x, kept = torch.zeros(256, 64, requires_grad=True), {}
    weights = {p.data_ptr() for p in layers.parameters()}
    keep = lambda t: (kept.update({t.data_ptr(): t}), t)[1]  # noqa: E731
    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            out = run(x)
        size = sum(t.numel() for place, t in kept.items() if place not in weights)
        out.sum().backward()
    return size, counter.get_total_flops()


def test_checkpointing_trades_arithmetic_for_memory():
    layers = nn.Sequential(*(nn.Sequential(nn.Linear(64, 64), nn.GELU()) for _ in range(16)))
    in_pieces = lambda x: checkpoint_sequential(layers, 4, x, use_reentrant=False)  # noqa: E731
    (full, work), (less, more) = cost(layers, layers), cost(layers, in_pieces)
    claim(
        "K02.checkpoint",
        "16 layers in four pieces by torch's checkpoint_sequential, which leaves the last piece as it is: 34 % of the "
        "activations are kept, for 1.25 times the operations",
        abs(less / full - 0.344) < 0.01 and abs(more / work - 1.25) < 0.01,
    )


def test_a_dense_gradient_of_a_table():
    dense, sparse = (nn.Embedding(50_000, 64, sparse=s) for s in (False, True))
    for table in (dense, sparse):
        F.embedding(torch.arange(0, 50_000, 50), table.weight, sparse=table.sparse).sum().backward()
    written = dense.weight.grad.numel(), sparse.weight.grad._values().numel()
    claim(
        "K02.table",
        "A batch that reads 1,000 of 50,000 rows: a dense gradient writes 50 times as many numbers as a sparse one",
        written[0] == 50 * written[1],
    )
